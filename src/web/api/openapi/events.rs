//! Events as webhooks receive them: every name with its data.

use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder};
use utoipa::openapi::{Components, Content, Paths, Ref, Required, ResponseBuilder};

use crate::model::event_examples;
use crate::model::event_type::{self, EventType};
use crate::model::timestamp::Timestamp;
use crate::web::api::openapi::event_data::{
    ApiKeyData, ApiKeyRotatedData, DeploymentCanceledData, DeploymentData, DeploymentDeletedData,
    DeploymentFailedData, DeploymentReleasedData, DeploymentRunData, DeploymentSucceededData,
    DiskLowData, DomainData, EngineDownData, EnvUpdatedData, InvoiceCreatedData,
    ProjectChangedData, ProjectCreatedData, ProjectDeletedData, UserData, WebhookDisabledData,
    WebhookPingData,
};
use crate::web::api::schema::{self, Schemas};

/// The tag of events among the resources.
pub const TAG: &str = "Events";

/// What describes an event's data: the name of its schema, and all schemas it needs.
type Described = (String, Schemas);

fn described<T: ToSchema>() -> Described {
    let mut schemas = Schemas::new();
    schema::add_schema::<T>(&mut schemas);
    (T::name().into_owned(), schemas)
}

/// The description of an event's data.
fn data_of(name: &str) -> Described {
    match name {
        "deployment.created" => described::<DeploymentData>(),
        "deployment.succeeded" => described::<DeploymentSucceededData>(),
        "deployment.failed" => described::<DeploymentFailedData>(),
        "deployment.canceled" => described::<DeploymentCanceledData>(),
        "deployment.crashed" | "deployment.recovered" => described::<DeploymentRunData>(),
        "deployment.promoted" | "deployment.rolled_back" => described::<DeploymentReleasedData>(),
        "deployment.deleted" => described::<DeploymentDeletedData>(),
        "project.created" => described::<ProjectCreatedData>(),
        "project.deleted" => described::<ProjectDeletedData>(),
        "env.updated" => described::<EnvUpdatedData>(),
        "api_key.rotated" => described::<ApiKeyRotatedData>(),
        "billing.invoice.created" => described::<InvoiceCreatedData>(),
        "webhook.disabled" => described::<WebhookDisabledData>(),
        "webhook.ping" => described::<WebhookPingData>(),
        "system.disk.low" => described::<DiskLowData>(),
        "system.engine.down" => described::<EngineDownData>(),
        _ if name.starts_with("project.") => described::<ProjectChangedData>(),
        _ if name.starts_with("domain.") => described::<DomainData>(),
        _ if name.starts_with("api_key.") => described::<ApiKeyData>(),
        _ => described::<UserData>(),
    }
}

/// The schema of what is sent, with everything it needs within it.
pub fn whole_schema(event: &EventType) -> Value {
    let (data, mut schemas) = data_of(event.name);
    schema::add_schema::<Timestamp>(&mut schemas);
    let body = serde_json::to_value(body(event, data).build()).unwrap_or_default();
    inlined(body, &schemas)
}

/// The schema with references replaced by what they refer to. None of these schemas holds itself.
fn inlined(value: Value, schemas: &Schemas) -> Value {
    match value {
        Value::Object(object) => {
            let reference = object.get("$ref").and_then(Value::as_str);
            let name = reference.and_then(|text| text.rsplit('/').next());
            if let Some((_, schema)) =
                schemas.iter().find(|(known, _)| Some(known.as_str()) == name)
            {
                return inlined(serde_json::to_value(schema).unwrap_or_default(), schemas);
            }
            object.into_iter().map(|(key, value)| (key, inlined(value, schemas))).collect()
        }
        Value::Array(items) => items.into_iter().map(|item| inlined(item, schemas)).collect(),
        other => other,
    }
}

/// `DeploymentCreatedEvent` for `deployment.created`.
fn schema_name(event: &str) -> String {
    let word = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    event.split(['.', '_']).map(word).collect::<String>() + "Event"
}

/// The `webhooks` of the description, and their schemas.
pub fn webhooks(components: &mut Components) -> Paths {
    let mut paths = Paths::new();
    for event in &event_type::ALL {
        let EventType { name, when } = event;
        let (data, schemas) = data_of(name);
        components.schemas.extend(schemas);
        components.schemas.insert(schema_name(name), body(event, data).into());
        paths.paths.insert((*name).to_owned(), webhook(name, when));
    }
    paths
}

/// The schema of what is sent; `data` names that of its data.
fn body(event: &EventType, data: String) -> ObjectBuilder {
    ObjectBuilder::new()
        .property("event", schema::words(&[event.name]))
        .property("timestamp", Ref::from_schema_name(Timestamp::name()))
        .property("data", Ref::from_schema_name(data))
        .required("event")
        .required("timestamp")
        .required("data")
        .description(Some(event.when))
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
}

fn webhook(name: &str, when: &str) -> PathItem {
    let content = Content::builder()
        .schema(Some(Ref::from_schema_name(schema_name(name))))
        .example(Some(event_examples::example(name)))
        .build();
    let body = RequestBodyBuilder::new()
        .content("application/json", content)
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
