//! Headers of requests, described once and referred to by the operations that read them.

use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Components, ObjectBuilder, Ref, RefOr, Required};

use crate::web::api::schema;

/// Makes a request that can be sent twice.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// Makes a change only when nothing changed before.
pub const IF_MATCH: &str = "If-Match";
/// Leaves out a body that is known already.
pub const IF_NONE_MATCH: &str = "If-None-Match";

/// Puts the descriptions where [`add`] refers to them.
pub fn define(components: &mut Components) {
    let all: [(&str, ObjectBuilder, &str); 3] = [
        (
            IDEMPOTENCY_KEY,
            schema::text().pattern(Some("^[!-~](?:[ -~]{0,253}[!-~])?$")),
            "1 to 255 printable ASCII characters. A repetition with the same key and body within 24 hours gets the \
             same answer and has no further effect.",
        ),
        (
            IF_MATCH,
            schema::text(),
            "Entity tags of which one must be that of the thing, or `*`; otherwise nothing is changed (412).",
        ),
        (
            IF_NONE_MATCH,
            schema::text(),
            "Entity tags that are known already, or `*`; when one is still the newest, the answer is 304.",
        ),
    ];
    for (name, object, about) in all {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(about))
            .schema(Some(object))
            .build();
        components.parameters.insert(name.to_owned(), parameter.into());
    }
}

/// Says of a body that may be left out what it is when it is there: it cannot be `null`.
pub fn complete_optional(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    for content in body.content.values_mut() {
        if let RefOr::T(content) = content
            && let Some(RefOr::T(Schema::OneOf(either))) = &mut content.schema
            && let Some(RefOr::Ref(reference)) =
                either.items.iter().find(|item| matches!(item, RefOr::Ref(_)))
        {
            content.schema = Some(RefOr::Ref(reference.clone()));
            body.required = Some(Required::False);
        }
    }
}

/// Refers to one.
pub fn add(operation: &mut Operation, name: &str) {
    let parameter = Ref::new(format!("#/components/parameters/{name}"));
    operation.parameters.get_or_insert_default().push(RefOr::Ref(parameter));
}
