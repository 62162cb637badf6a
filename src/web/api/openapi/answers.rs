//! Answers every operation can give, and what belongs to the answers it names itself.

use std::collections::btree_map::Entry;

use utoipa::openapi::path::{Operation, ParameterStyle};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Components, Content, Ref, RefOr, Response, ResponseBuilder};

use super::{headers, requests};
use crate::web::api::error_view::{CODES, ErrorView, ProblemView};
use crate::web::api::schema::{Schemas, add_schema};

/// Errors that can always happen.
const ALWAYS: [u16; 5] = [400, 405, 429, 500, 503];
/// Those that come with keys.
const KEYED: [u16; 2] = [401, 403];
/// Those that come with a body.
const BODY: [u16; 2] = [413, 415];
/// What a path that names something comes with.
const NAMED: [u16; 1] = [404];
/// What a change of something comes with.
const CHANGE: [u16; 1] = [412];

/// Operations that make something which has no URL of its own.
const UNLOCATED: [&str; 3] = ["uploads_create", "registries_create", "webhooks_replay"];

/// Puts the error answers where [`complete`] refers to them.
pub fn define(components: &mut Components) {
    let mut schemas = Schemas::new();
    add_schema::<ErrorView>(&mut schemas);
    add_schema::<ProblemView>(&mut schemas);
    components.schemas.extend(schemas);
    let common = [&ALWAYS[..], &KEYED, &BODY, &NAMED, &CHANGE].concat();
    for (code, status, about) in CODES.into_iter().filter(|(_, status, _)| common.contains(status))
    {
        let response = error(ResponseBuilder::new().description(about).build(), status);
        components.responses.insert(component(code), response.into());
    }
}

/// `InvalidRequest` for `invalid_request`.
fn component(code: &str) -> String {
    let word = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    code.split('_').map(word).collect()
}

/// Refers to the error answer of a code.
fn answer(code: &str) -> RefOr<Response> {
    RefOr::Ref(Ref::new(format!("#/components/responses/{}", component(code))))
}

/// The error answer with its bodies and headers.
fn error(mut response: Response, status: u16) -> Response {
    let body = |name: &str| RefOr::T(Content::new(Some(Ref::from_schema_name(name))));
    response.content.insert("application/json".to_owned(), body("Error"));
    response.content.insert("application/problem+json".to_owned(), body("Problem"));
    headers::add_always(&mut response.headers);
    let more: &[&str] = match status {
        401 => &["WWW-Authenticate"],
        405 => &["Allow"],
        429 | 503 => &["Retry-After", "X-Should-Retry"],
        _ => &[],
    };
    headers::add(&mut response.headers, more);
    response
}

/// Whether an operation needs a key.
pub fn keyed(operation: &Operation) -> bool {
    operation.security.as_ref().is_none_or(|security| !security.is_empty())
}

/// Adds to an operation the answers it does not name, and to all of them their headers.
pub fn complete(path: &str, operation: &mut Operation) {
    let keyed = keyed(operation);
    let mut always = ALWAYS.to_vec();
    always.extend(KEYED.iter().filter(|_| keyed));
    always.extend(BODY.iter().filter(|_| operation.request_body.is_some()));
    always.extend(NAMED.iter().filter(|_| path.contains('{')));
    let redeploys =
        operation.parameters.iter().flatten().any(
            |parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == "redeploy"),
        );
    // What nobody can get has no address.
    let located = !operation.operation_id.as_deref().is_some_and(|id| UNLOCATED.contains(&id));
    let responses = &mut operation.responses.responses;
    for (code, status, _) in CODES {
        if always.contains(&status) {
            responses.entry(status.to_string()).or_insert_with(|| answer(code));
        }
    }
    for (status, response) in responses {
        let (RefOr::T(response), Ok(status)) = (response, status.parse::<u16>()) else { continue };
        if status >= 400 {
            *response = error(std::mem::take(response), status);
            continue;
        }
        headers::add_always(&mut response.headers);
        if keyed {
            headers::add(&mut response.headers, &["X-Orbitra-Version"]);
        }
        if redeploys {
            headers::add(&mut response.headers, &["X-Orbitra-Deployment"]);
        }
        if matches!(status, 201 | 202) && located {
            headers::add(&mut response.headers, &["Location"]);
        }
    }
}

/// Adds to a POST that it can be repeated. What it names itself stays.
pub fn complete_post(operation: &mut Operation) {
    requests::add(operation, requests::IDEMPOTENCY_KEY);
    let responses = &mut operation.responses.responses;
    let in_use = "`idempotency_key_in_use`: the first request with this key is still running.";
    match responses.entry("409".to_owned()) {
        Entry::Vacant(none) => {
            none.insert(ResponseBuilder::new().description(in_use).build().into());
        }
        Entry::Occupied(mut own) => {
            if let RefOr::T(own) = own.get_mut() {
                own.description = format!("{} {in_use}", own.description);
            }
        }
    }
    let reused = "`idempotency_key_reused`: the key was used with another body.";
    let reused = ResponseBuilder::new().description(reused).build();
    responses.entry("422".to_owned()).or_insert(reused.into());
    for (status, response) in responses {
        if let (true, RefOr::T(response)) = (status.starts_with('2'), response) {
            headers::add(&mut response.headers, &["Idempotent-Replayed"]);
        }
    }
}

/// Adds to a change of something that is there already that it can depend on the revision.
pub fn complete_change(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    if !responses.contains_key("201") {
        responses.entry("412".to_owned()).or_insert_with(|| answer("precondition_failed"));
        requests::add(operation, requests::IF_MATCH);
    }
}

/// Several values of one parameter are sent as one, with commas between.
pub fn complete_lists(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && let Some(RefOr::T(Schema::Array(list))) = &mut parameter.schema
        {
            list.min_items = Some(1);
            parameter.style = Some(ParameterStyle::Form);
            parameter.explode = Some(false);
        }
    }
}

/// Adds what belongs to reading: the entity tag, the answer to who has it already, links between pages.
pub fn complete_read(operation: &mut Operation) {
    let paged = operation
        .parameters
        .iter()
        .flatten()
        .any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == "page"));
    let responses = &mut operation.responses.responses;
    let Some(RefOr::T(read)) = responses.get_mut("200") else { return };
    if !read.content.contains_key("application/json") {
        return;
    }
    headers::add(&mut read.headers, &["ETag"]);
    let mut not_modified = ResponseBuilder::new()
        .description("What `If-None-Match` names is still the newest.")
        .build();
    not_modified.headers = read.headers.clone();
    if paged {
        headers::add(&mut read.headers, &["Link"]);
    }
    responses.insert("304".to_owned(), not_modified.into());
    requests::add(operation, requests::IF_NONE_MATCH);
}
