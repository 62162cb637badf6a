//! `/hooks/git/{token}` and `/hooks/deploy/{token}`: what forges and scripts call. The token in the address is the
//! credential; of a forge's request the signature is checked before anything of it is read.

use axum::extract::{Request, State};
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{Extensions, HeaderMap};
use serde::Serialize;
use serde_json::{Map, Value};
use url::form_urlencoded;
use utoipa::ToSchema;

use super::Api;
use super::body::{self, JsonBody};
use super::error::ApiError;
use super::hook_request::{CallDeployHook, PushForm, PushPayload};
use super::meter::Meter;
use super::params::Params;
use super::path::NamedToken;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::pushes::{Outcome, Wanted};
use crate::app::rates::Requester;
use crate::db::push_hooks::StoredHook;
use crate::model::ids::DeploymentId;
use crate::model::problems::Problems;
use crate::model::push::{HEADERS, Ignored, Sent};
use crate::model::push_hook::HookKind;
use crate::web::actor;

/// Most bytes of what a forge sends.
pub const PUSH_LIMIT: usize = 5 * 1024 * 1024;

/// A deployment was made.
#[derive(Serialize, ToSchema)]
#[schema(as = PushAccepted, example = json!({ "status": "accepted", "deployment_id": "dep_4q7w1z3c7k2m9qhx" }))]
struct AcceptedView {
    /// `accepted`.
    status: &'static str,
    deployment_id: DeploymentId,
}

/// No deployment was made: the forge only asked whether somebody is there, there is nothing to deploy, or it was deployed
/// already.
#[derive(Serialize, ToSchema)]
#[schema(as = PushAnswer, example = json!({ "status": "pong" }))]
#[serde(tag = "status", rename_all = "snake_case")]
enum AnswerView {
    Pong,
    Ignored { reason: Ignored },
    Duplicate { deployment_id: DeploymentId },
}

/// Tell of a push
///
/// For a forge; needs no key. The signature over the raw body is checked before anything is read: `X-Hub-Signature-256`
/// (GitHub, Gitea, Forgejo), `X-Gitea-Signature`, `X-Hub-Signature` with `sha256=` (Bitbucket), or the secret itself in
/// `X-Gitlab-Token`. A push of the hook's branch makes a production deployment of its newest commit, another branch a
/// preview where the hook or the project wants them. A branch that is deleted takes its previews along. The same
/// delivery id makes one deployment within 24 hours. At most 60 requests a minute and hook.
#[utoipa::path(
    post,
    path = "",
    tag = "Hooks",
    operation_id = "hooks_receive_push",
    params(
        ("token" = String, Path, description = "The last part of the hook's address."),
        ("X-Hub-Signature-256" = Option<String>, Header, description = "`sha256=` and the HMAC-SHA-256 of the body in hexadecimal digits."),
        ("X-GitHub-Event" = Option<String>, Header, description = "The event; other forges have headers of their own. Without one it follows from the body."),
        ("X-GitHub-Delivery" = Option<String>, Header, description = "The id of the delivery, or `X-Gitea-Delivery`, `X-Gitlab-Event-UUID`, `X-Request-UUID`."),
    ),
    request_body(content(
        (PushPayload = "application/json"),
        (PushForm = "application/x-www-form-urlencoded"),
    )),
    responses(
        (status = 200, description = "No deployment was made, and why.", body = AnswerView),
        (status = 202, description = "A deployment was made.", body = AcceptedView),
        (status = 401, description = "`missing_credentials`: not signed; `invalid_signature`: the signature does not fit."),
        (status = 403, description = "`suspended`: the account that made the hook is suspended."),
        (status = 409, description = "`project_paused`: the project is paused."),
    ),
)]
pub async fn git(
    State(api): State<Api>,
    token: NamedToken,
    params: Params,
    request: Request,
) -> Answer {
    let (parts, body) = request.into_parts();
    let hook = called(&api, &parts.extensions, HookKind::Git, &token.0).await?;
    let body = body::read_up_to(body, PUSH_LIMIT).await?;
    let sent = sent(&parts.headers);
    api.app.check_signature(&hook, &sent, &body)?;
    let payload = payload(&parts.headers, &body)?;
    AppError::check(params.finish())?;
    let origin = actor::origin(&parts.extensions, &parts.headers);
    Ok(answer(&api.app.receive_push(&hook, origin, &sent, &payload).await?))
}

/// Call a deploy hook
///
/// For scripts; needs no key: whoever knows the address may call it. Deploys the hook's branch to production, or another
/// one as a preview where the hook or the project wants them. At most 60 requests a minute and hook.
#[utoipa::path(
    post,
    path = "",
    tag = "Hooks",
    operation_id = "hooks_receive_deploy",
    params(("token" = String, Path, description = "The last part of the hook's address.")),
    request_body = Option<CallDeployHook>,
    responses(
        (status = 200, description = "No deployment was made, and why.", body = AnswerView),
        (status = 202, description = "A deployment was made.", body = AcceptedView),
        (status = 403, description = "`suspended`: the account that made the hook is suspended."),
        (status = 409, description = "`project_paused`: the project is paused."),
    ),
)]
pub async fn deploy(
    State(api): State<Api>,
    token: NamedToken,
    params: Params,
    extensions: Extensions,
    headers: HeaderMap,
    body: JsonBody,
) -> Answer {
    let hook = called(&api, &extensions, HookKind::Deploy, &token.0).await?;
    let mut fields = body.optional_fields().await?;
    fields.problems = params.finish();
    let wanted = Wanted {
        branch: fields.nullable_text("branch").flatten(),
        commit_sha: fields.nullable_text("commit_sha").flatten(),
        message: fields.nullable_text("message").flatten(),
    };
    let origin = actor::origin(&extensions, &headers);
    Ok(answer(&api.app.receive_deploy(&hook, origin, wanted, fields.finish()).await?))
}

/// The hook, its request counted. What nobody knows counts against the address.
async fn called(
    api: &Api,
    extensions: &Extensions,
    kind: HookKind,
    token: &str,
) -> Result<StoredHook, ApiError> {
    let meter = Meter::of(extensions);
    match api.app.called_hook(kind, token).await {
        Ok(stored) => {
            meter.count_push(&api.app, &stored.hook.id)?;
            Ok(stored)
        }
        Err(error) => {
            meter.count(&api.app, Requester::Address(actor::peer_ip(extensions)))?;
            Err(error.into())
        }
    }
}

fn sent(headers: &HeaderMap) -> Sent {
    let once = |name: &'static str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?.to_owned();
        values.next().is_none().then_some((name, value))
    };
    Sent(HEADERS.into_iter().filter_map(once).collect())
}

/// The payload as JSON, or the same in a form.
fn payload(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let supported = ["application/json", "application/x-www-form-urlencoded"];
        body::check_media_type(headers, &supported)?;
        return body::parse(body);
    }
    let field = form_urlencoded::parse(body).find(|(name, _)| name == "payload");
    match field {
        Some((_, text)) => body::parse(text.as_bytes()),
        None => {
            let missing_fields = vec!["payload".to_owned()];
            Err(AppError::Invalid(Problems { missing_fields, ..Problems::default() }).into())
        }
    }
}

fn answer(outcome: &Outcome) -> Response {
    let view = match outcome {
        Outcome::Accepted(id) => {
            let view = AcceptedView { status: "accepted", deployment_id: id.clone() };
            return respond::settled(&respond::accepted(&format!("/deployments/{id}"), &view));
        }
        Outcome::Pong => AnswerView::Pong,
        Outcome::Ignored(reason) => AnswerView::Ignored { reason: *reason },
        Outcome::Duplicate(id) => AnswerView::Duplicate { deployment_id: id.clone() },
    };
    respond::settled(&respond::done(&view))
}
