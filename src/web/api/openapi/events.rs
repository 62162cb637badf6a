//! Events as webhooks receive them: every name with its data.
#![allow(dead_code, reason = "the data is written where it happens, as JSON; here it is described")]

use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder};
use utoipa::openapi::{Components, Content, Paths, Ref, Required, ResponseBuilder};

use crate::model::deployment::{CancelReason, Status};
use crate::model::domain::DomainStatus;
use crate::model::failure::FailureCode;
use crate::model::ids::{DeploymentId, DomainId, KeyId, ProjectId, UserId};
use crate::model::project::ProjectStatus;
use crate::model::project_env::EnvTarget;
use crate::model::timestamp::Timestamp;
use crate::web::api::schema::{self, Framework, Region, Schemas};

/// The tag of events among the resources.
pub const TAG: &str = "Events";

/// A kind of event.
pub struct EventType {
    pub name: &'static str,
    /// When it happens, in one sentence.
    pub when: &'static str,
    /// The name of its data's schema, and all schemas it needs.
    data: fn() -> (String, Schemas),
}

const fn event<T: ToSchema>(name: &'static str, when: &'static str) -> EventType {
    EventType { name, when, data: described::<T> }
}

fn described<T: ToSchema>() -> (String, Schemas) {
    let mut schemas = Schemas::new();
    schema::add_schema::<T>(&mut schemas);
    (T::name().into_owned(), schemas)
}

/// Every kind of event, in the order of the documentation.
pub const EVENTS: [EventType; 30] = [
    event::<DeploymentData>("deployment.created", "A deployment was accepted."),
    event::<DeploymentSucceededData>(
        "deployment.succeeded",
        "A deployment became `live` or, when it is not promoted, `staged` for the first time.",
    ),
    event::<DeploymentFailedData>("deployment.failed", "A deployment became `failed`."),
    event::<DeploymentCanceledData>("deployment.canceled", "A deployment became `canceled`."),
    event::<DeploymentRunData>(
        "deployment.crashed",
        "A deployment that was live crashed too often.",
    ),
    event::<DeploymentRunData>("deployment.recovered", "A crashed deployment runs again."),
    event::<DeploymentReleasedData>(
        "deployment.promoted",
        "A deployment that was there got the production traffic.",
    ),
    event::<DeploymentReleasedData>(
        "deployment.rolled_back",
        "The production traffic went back to an earlier deployment.",
    ),
    event::<DeploymentDeletedData>("deployment.deleted", "A deployment was deleted."),
    event::<ProjectCreatedData>("project.created", "A project was made."),
    event::<ProjectChangedData>("project.updated", "Settings of a project were changed."),
    event::<ProjectChangedData>("project.paused", "A project was paused."),
    event::<ProjectChangedData>("project.resumed", "A paused project was resumed."),
    event::<ProjectChangedData>("project.restarted", "A project's containers were replaced."),
    event::<ProjectDeletedData>("project.deleted", "A project was deleted."),
    event::<DomainData>("domain.created", "A domain was added."),
    event::<DomainData>("domain.updated", "A domain was changed."),
    event::<DomainData>("domain.verified", "The DNS leads a domain here."),
    event::<DomainData>("domain.deleted", "A domain was deleted."),
    event::<DomainData>("domain.certificate.issued", "A domain got its certificate, or a new one."),
    event::<DomainData>(
        "domain.certificate.failed",
        "A certificate could not be had; `GET` tells why.",
    ),
    event::<DomainData>(
        "domain.certificate.expiring",
        "A certificate runs out in 21 days, or in 7.",
    ),
    event::<EnvUpdatedData>("env.updated", "Variables of a project were changed."),
    event::<ApiKeyData>("api_key.created", "An API key was made."),
    event::<ApiKeyData>("api_key.updated", "An API key was changed."),
    event::<ApiKeyRotatedData>("api_key.rotated", "An API key was replaced by a new one."),
    event::<ApiKeyData>("api_key.revoked", "An API key was revoked."),
    event::<UserData>("user.created", "An account was made."),
    event::<UserData>("user.updated", "An account was changed."),
    event::<UserData>("user.deleted", "An account was deleted."),
];

/// Data of `deployment.created`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct DeploymentData {
    deployment_id: DeploymentId,
    project_id: ProjectId,
    status: Status,
    #[schema(format = "uri")]
    url: String,
}

/// Data of `deployment.succeeded`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "deployment_id": "dep_123abc", "project_id": "prj_abc123", "status": "live",
    "url": "https://my-app-dep123.example.com", "duration_ms": 45000,
}))]
struct DeploymentSucceededData {
    deployment_id: DeploymentId,
    project_id: ProjectId,
    status: Status,
    #[schema(format = "uri")]
    url: String,
    /// From acceptance to the end.
    duration_ms: u64,
}

/// Data of `deployment.failed`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct DeploymentFailedData {
    deployment_id: DeploymentId,
    project_id: ProjectId,
    status: Status,
    #[schema(format = "uri")]
    url: String,
    /// From acceptance to the end.
    duration_ms: u64,
    error: EventFailure,
}

/// Why a deployment failed.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct EventFailure {
    code: FailureCode,
    phase: String,
    message: String,
}

/// Data of `deployment.canceled`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct DeploymentCanceledData {
    deployment_id: DeploymentId,
    project_id: ProjectId,
    status: Status,
    #[schema(format = "uri")]
    url: String,
    cancel_reason: CancelReason,
}

/// Data of what happens to a deployment while it runs.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct DeploymentRunData {
    deployment_id: DeploymentId,
    project_id: ProjectId,
    status: Status,
    #[schema(format = "uri")]
    url: String,
    /// Exit code of the process, when it is known.
    exit_code: Option<i64>,
    restarts: u64,
}

/// Data of a change of the production traffic.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct DeploymentReleasedData {
    deployment_id: DeploymentId,
    project_id: ProjectId,
    status: Status,
    #[schema(format = "uri")]
    url: String,
    /// What had the traffic before.
    previous_deployment_id: Option<DeploymentId>,
}

/// Data of `deployment.deleted`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct DeploymentDeletedData {
    deployment_id: DeploymentId,
    project_id: ProjectId,
}

/// Data of what happens to a domain.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct DomainData {
    domain_id: DomainId,
    hostname: String,
    project_id: ProjectId,
    status: DomainStatus,
}

/// Data of `env.updated`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct EnvUpdatedData {
    project_id: ProjectId,
    /// Names of the variables that changed, never their values.
    keys: Vec<String>,
    target: EnvTarget,
}

/// Data of `project.created`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct ProjectCreatedData {
    project_id: ProjectId,
    name: String,
    region: Region,
    framework: Option<Framework>,
    status: ProjectStatus,
    created_at: Timestamp,
}

/// Data of a change of a project.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct ProjectChangedData {
    project_id: ProjectId,
    name: String,
    status: ProjectStatus,
    /// Names of the fields that changed.
    changed: Vec<String>,
}

/// Data of `project.deleted`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct ProjectDeletedData {
    project_id: ProjectId,
    name: String,
    deleted_at: Timestamp,
}

/// Data of what happens to an API key.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct ApiKeyData {
    api_key_id: KeyId,
    /// The account that did it.
    actor_id: UserId,
}

/// Data of `api_key.rotated`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct ApiKeyRotatedData {
    /// The new key.
    api_key_id: KeyId,
    /// The old one.
    replaces: KeyId,
    /// The account that did it.
    actor_id: UserId,
}

/// Data of what happens to an account.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct UserData {
    user_id: UserId,
    /// The account that did it.
    actor_id: UserId,
}

/// `DeploymentCreatedEvent` for `deployment.created`.
fn schema_name(event: &str) -> String {
    let word = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    event.split(['.', '_']).map(word).collect::<String>() + "Event"
}

/// The `webhooks` of the description, and their schemas.
pub fn webhooks(components: &mut Components) -> Paths {
    let mut paths = Paths::new();
    for EventType { name, when, data } in &EVENTS {
        let (data, schemas) = data();
        components.schemas.extend(schemas);
        let body = ObjectBuilder::new()
            .property("event", schema::words(&[name]))
            .property("timestamp", Ref::from_schema_name(Timestamp::name()))
            .property("data", Ref::from_schema_name(data))
            .required("event")
            .required("timestamp")
            .required("data")
            .description(Some(*when))
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        components.schemas.insert(schema_name(name), body.into());
        paths.paths.insert((*name).to_owned(), webhook(name, when));
    }
    paths
}

fn webhook(name: &str, when: &str) -> PathItem {
    let body = RequestBodyBuilder::new()
        .content("application/json", Content::new(Some(Ref::from_schema_name(schema_name(name)))))
        .required(Some(Required::True));
    let received = ResponseBuilder::new().description("Received. Any other 2xx is as good.");
    let gone = ResponseBuilder::new().description("Stop: the endpoint is disabled at once.");
    let operation = OperationBuilder::new()
        .operation_id(Some(format!("event_{}", name.replace('.', "_"))))
        .tag(TAG)
        .summary(Some(when.trim_end_matches('.')))
        .parameters(Some(request_headers()))
        .request_body(Some(body.build()))
        .response("200", received)
        .response("410", gone);
    PathItem::new(HttpMethod::Post, operation)
}

/// Headers of a request we send.
fn request_headers() -> Vec<Parameter> {
    let all = [
        ("X-Orbitra-Event", "The name of the event.", json!("deployment.succeeded")),
        (
            "X-Orbitra-Event-Id",
            "The id of the event; the same over retries, redeliveries and endpoints. Remember it to see an event once.",
            json!("evt_0123456789abcdef"),
        ),
        ("X-Orbitra-Delivery", "The id of this delivery.", json!("dlv_0123456789abcdef")),
        ("X-Orbitra-Attempt", "Which attempt this is, from 1.", json!("1")),
        (
            "X-Orbitra-Signature",
            "`t=<seconds>,v1=<hex HMAC-SHA256>` over `<event id>.<t>.<raw body>`, with the secret after `whsec_` \
             base64-decoded as the key. During a rotation there is one `v1` for each secret.",
            json!(
                "t=1705768200,v1=77ed7bf3e6c35f6e9f182e20b56c100b472f607da498bfc671a759c4b564317f"
            ),
        ),
        (
            "webhook-id",
            "As `X-Orbitra-Event-Id` (Standard Webhooks).",
            json!("evt_0123456789abcdef"),
        ),
        ("webhook-timestamp", "As `t` (Standard Webhooks).", json!("1705768200")),
        (
            "webhook-signature",
            "`v1,` and the same digest in base64 (Standard Webhooks).",
            json!("v1,d+178+bDX26fGC4gtWwQC0cvYH2kmL/GcadZxLVkMX8="),
        ),
    ];
    all.map(|(name, about, example)| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some(about))
            .schema(Some(schema::text().examples([example])))
            .build()
    })
    .into()
}
