//! How the model's own types look in JSON, for the API's description. The model knows nothing of it, so it is
//! said here, from the lists the model itself goes by.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat,
    Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::model::catalogue::{FRAMEWORKS, REGIONS};
use crate::model::delivery::{AttemptError, DeliveryStatus};
use crate::model::deployment::{CancelReason, Phase, Status, Target, Trigger};
use crate::model::diagnosis::Cause;
use crate::model::domain::{CertificateStatus, DomainStatus, RecordKind};
use crate::model::failure::FailureCode;
use crate::model::forge::ForgeKind;
use crate::model::ids::{
    AuditId, DeliveryId, DeploymentId, DomainId, EventId, HookId, KeyId, ProjectId, RegistryId,
    RemovalId, TeamId, UploadId, UserId, WebhookId,
};
use crate::model::log_line::{LogLevel, LogSource, LogStream};
use crate::model::mail::MailSecurity;
use crate::model::mail::RecipientStatus;
use crate::model::project::ProjectStatus;
use crate::model::project_env::{EnvSource, EnvTarget};
use crate::model::proxy_settings::SignIn;
use crate::model::push::Ignored;
use crate::model::push_hook::{HookKind, Provider};
use crate::model::receipt::looks::NoAnswer;
use crate::model::retention::{Kind, Rule};
use crate::model::scope::{self, Scopes};
use crate::model::series::Metric;
use crate::model::timestamp::Timestamp;
use crate::model::user::Plan;
use crate::model::webhook::{DisabledReason, Format, WebhookStatus};

/// The region of a project, in place of its id as text.
pub struct Region;
/// A framework, in place of its id as text.
pub struct Framework;
/// A scope of a key, in place of its name as text.
pub struct Scope;
/// A scope or a preset that stands for several, in place of its name as text.
pub struct ScopeOrPreset;

/// Says of types under which name and how they are described.
macro_rules! described {
    ($($type:ty => $name:literal, $schema:expr;)+) => {$(
        impl ::utoipa::PartialSchema for $type {
            fn schema() -> ::utoipa::openapi::RefOr<::utoipa::openapi::schema::Schema> {
                $schema.into()
            }
        }

        impl ::utoipa::ToSchema for $type {
            fn name() -> ::std::borrow::Cow<'static, str> {
                $name.into()
            }
        }
    )+};
}

pub(super) use described;

described! {
    Timestamp => "Timestamp", moment("A moment in UTC, in whole seconds.");
    UserId => "UserId", id(UserId::PREFIX, "An account.");
    TeamId => "TeamId", id(TeamId::PREFIX, "A team. Every account has a personal one.");
    ProjectId => "ProjectId", id(ProjectId::PREFIX, "A project.");
    DeploymentId => "DeploymentId", id(DeploymentId::PREFIX, "A deployment.");
    DomainId => "DomainId", id(DomainId::PREFIX, "A host name of a project.");
    UploadId => "UploadId", id(UploadId::PREFIX, "An archive that was sent to be deployed.");
    RegistryId => "RegistryId", id(RegistryId::PREFIX, "Credentials for a registry of images.");
    RemovalId => "RemovalId", id(RemovalId::PREFIX, "An entry of the ledger of what was removed.");
    ForgeKind => "ForgeKind", words(ForgeKind::ALL).description(Some("A forge by the API it has."));
    HookKind => "HookKind", words(HookKind::ALL).description(Some(
        "`git`: called by a forge, which signs; `deploy`: called by whoever knows its address."));
    Provider => "HookProvider", words(Provider::ALL).description(Some(
        "The forge that calls; `generic` takes what any of the others signs and sends."));
    Ignored => "IgnoredReason", words(Ignored::ALL).description(Some(
        "`branch_not_tracked`: neither the hook's branch nor one that makes previews; `tag`; `branch_deleted`: its previews go; \
         `skip_ci`: the newest commit says `[skip ci]`, `[ci skip]` or `[skip orbitra]`; `auto_deploy_off`: by the project's \
         settings; `event_not_supported`: not a push; `no_watched_path`: nothing changed that the project watches; \
         `pull_requests_off`: the hook takes none; `pull_request_closed`: its preview goes; `fork`: the project makes no previews of forks."));
    WebhookId => "WebhookId", id(WebhookId::PREFIX, "An address that is told of events.");
    DeliveryId => "DeliveryId", id(DeliveryId::PREFIX, "One event for one webhook.");
    WebhookStatus => "WebhookStatus", words(WebhookStatus::ALL).description(Some(
        "`active`; `failing`: the last delivery was given up, or five attempts in a row failed; `disabled`."));
    RecipientStatus => "RecipientStatus", words(RecipientStatus::ALL).description(Some(
        "`confirmed`: it has said so, or is the own address of somebody with an account; `pending`: it has not answered; \
         `declined`: whoever reads it wants no mail of this team."));
    DisabledReason => "WebhookDisabledReason", words(DisabledReason::ALL).description(Some(
        "Why Orbitra disabled it. `gone`: the receiver answered 410; `failing`: nothing arrived for five days."));
    DeliveryStatus => "DeliveryStatus", words(DeliveryStatus::ALL).description(Some(
        "`pending`: not sent yet; `retrying`: an attempt failed, there will be another; `succeeded`: the receiver answered \
         2xx; `failed`: there was no success and there is no further attempt; `canceled`: the webhook was disabled before."));
    AttemptError => "AttemptError", words(AttemptError::ALL).description(Some(
        "Why there is no answer that counts. `blocked_address`: the address may not be reached from this server; `redirect`: \
         redirects are not followed; `too_large`: the answer's header is; `not_configured`: there is no mail server; `not_confirmed`: the address of mail has not agreed; \
         `protocol`: what the mail server said could not be understood. Another status than 2xx is no error of this kind."));
    Format => "WebhookFormat", words(Format::ALL).description(Some(
        "What it is sent. `orbitra`: the event itself; `slack`, `discord`: a message as these take it; `email`: a mail."));
    SignIn => "SignIn", words(SignIn::ALL).description(Some(
        "Where only people are let in who are signed in to the dashboard and may see the project: `none`; `previews`: at \
         deployments' and branches' own addresses; `all`: at every address of the project."));
    MailSecurity => "MailSecurity", words(MailSecurity::ALL).description(Some(
        "`starttls`: nothing is said before the connection is secured; `tls`: it is from its first byte; `none`: never, and \
         nobody signs in."));
    HookId => "HookId", id(HookId::PREFIX, "A hook for pushes.");
    KeyId => "ApiKeyId", id(KeyId::PREFIX, "An API key.");
    EventId => "EventId", id(EventId::PREFIX, "An event.");
    AuditId => "AuditEntryId", id(AuditId::PREFIX, "An entry of the audit log.");
    Plan => "Plan", words(&Plan::ALL).description(Some("What an account may use per hour."));
    ProjectStatus => "ProjectStatus", words(&ProjectStatus::ALL).description(Some(
        "`pending`: nothing has been live yet; `active`: a deployment is live; `degraded`: it has crashed; \
         `paused`: stopped on request; `suspended`: by an administrator."));
    DomainStatus => "DomainStatus", words(&DomainStatus::ALL).description(Some(
        "`pending`: the DNS has never led it here; `active`: it leads here; `misconfigured`: it leads elsewhere, or not \
         any more; `disabled`: its project is paused."));
    RecordKind => "DnsRecordType", words(&RecordKind::ALL).description(Some("The kind of a record of the DNS."));
    CertificateStatus => "CertificateStatus", words(&CertificateStatus::ALL).description(Some(
        "`none`: there is none; `pending`: one is on its way; `issued`: it is served; `failed`: the last try failed, and \
         there will be another; `expired`: it has run out; `revoked`: its authority says so."));
    Status => "DeploymentStatus", words(Status::ALL).description(Some(
        "`building` until it is finished; `staged`: healthy at its own URL; `live`: it serves the project; \
         `superseded`: another one does; `failed`, `canceled`, `crashed`; `removed`: only the record is left."));
    Phase => "DeploymentPhase", words(Phase::ALL).description(Some("The step a deployment is in."));
    Target => "DeploymentTarget", words(Target::ALL)
        .description(Some("Which variables and which traffic it is for."));
    EnvTarget => "EnvTarget", words(EnvTarget::ALL).description(Some(
        "Which deployments a variable is for. Those of `production` and `preview` win over those of `all`."));
    EnvSource => "EnvSource", words(EnvSource::ALL).description(Some("Who set a variable."));
    Trigger => "DeploymentTrigger", words(Trigger::ALL).description(Some("What asked for it."));
    CancelReason => "CancelReason", words(CancelReason::ALL).description(Some("Why it was canceled."));
    FailureCode => "FailureCode", words(&FailureCode::ALL).description(Some("The kind of a failure."));
    Cause => "FailureCause", words(Cause::ALL).description(Some(
        "What made it fail, more exactly than its code. New causes may be added."));
    NoAnswer => "NoAnswer", words(NoAnswer::ALL).description(Some("Why a look got no status."));
    Kind => "RemovalKind", words(Kind::ALL).description(Some("What goes."));
    Rule => "RemovalRule", words(Rule::ALL).description(Some(
        "Why it goes, in the order in which things go: left over from a build that failed; a preview because its branch was deleted, because previews of more branches were used \
         later, by its age, or because newer ones of its branch are there; production beyond what the project keeps; build cache; copies of repositories."));
    LogSource => "LogSource", words(&LogSource::ALL).description(Some("Who wrote the line."));
    LogStream => "LogStream", words(&LogStream::ALL);
    LogLevel => "LogLevel", words(&LogLevel::ALL);
    Metric => "Metric", words(Metric::ALL).description(Some(
        "`cpu` and `memory` of each container; `requests`, those of them with a status of each class (`responses`), with \
         5xx (`errors`); how long half, 95 and 99 of a hundred took at most; bytes of answers' bodies (`egress`); requests \
         under way (`in_flight`)."));
    Region => "Region", words(&REGIONS.map(|(id, _)| id))
        .description(Some("A placement label; `GET /regions` lists them."));
    Framework => "Framework", words(&FRAMEWORKS).description(Some("`GET /frameworks` lists them."));
    Scope => "Scope", words(&scope::ALL).description(Some("What a key may do."));
    ScopeOrPreset => "ScopeOrPreset", words(&[&scope::PRESETS[..], &scope::ALL].concat())
        .description(Some(
            "A scope, or a preset: `read` is every `…:read` except `audit:read`, `deploy` is what a build server \
             needs, `full` is everything the owner may do."));
}

impl PartialSchema for Scopes {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new().items(Ref::from_schema_name(Scope::name())).into()
    }
}

impl ToSchema for Scopes {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Scopes")
    }

    fn schemas(schemas: &mut Schemas) {
        schemas.push((Scope::name().into_owned(), Scope::schema()));
    }
}

/// Schemas with their names, as types hand them on.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// Adds a type's own schema and all it needs.
pub fn add_schema<T: ToSchema>(schemas: &mut Schemas) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

/// One kind of item of a stream of server-sent events: its name, and data that is JSON.
pub fn part_of_stream<T: ToSchema>(event: &str) -> ObjectBuilder {
    let data = text()
        .content_media_type("application/json")
        .content_schema(Some(Ref::from_schema_name(T::name())));
    ObjectBuilder::new()
        .property("event", words(&[event]))
        .property("data", data)
        .property("id", text().description(Some("Where to go on: send it as `Last-Event-ID`.")))
        .property("retry", integer(0, 3_600_000).description(Some("Milliseconds to wait first.")))
        .required("event")
        .required("data")
}

/// A text.
pub fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// A whole number in a range that every JSON reader takes exactly.
pub fn integer(least: u64, most: u64) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(least as f64))
        .maximum(Some(most as f64))
}

/// One word of a closed set, each written as it is in JSON.
pub fn words<T: Serialize>(all: &[T]) -> ObjectBuilder {
    let words = all.iter().map(|word| serde_json::to_value(word).unwrap_or(Value::Null));
    text().enum_values(Some(words))
}

/// A field to sort by, with `-` before it from the greatest down.
pub fn sort(fields: &[&str]) -> ObjectBuilder {
    let both = fields.iter().flat_map(|field| [(*field).to_owned(), format!("-{field}")]);
    words(&both.collect::<Vec<_>>()).default(Some("-created_at".into()))
}

/// An RFC 3339 date-time.
pub fn moment(what: &str) -> ObjectBuilder {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).description(Some(what))
}

/// An identifier. Clients take it as it is.
fn id(prefix: &str, what: &str) -> ObjectBuilder {
    text().pattern(Some(format!("^{prefix}_[0-9a-z]{{6,32}}$"))).description(Some(what))
}

/// The object a schema describes, to be changed.
pub fn object_of<T: PartialSchema>() -> Object {
    match T::schema() {
        RefOr::T(Schema::Object(object)) => object,
        _ => Object::new(),
    }
}

/// The same object with these keys required, and no others than it names.
pub fn part_of(mut object: Object, required: &[&str]) -> Object {
    object.required = required.iter().map(|key| (*key).to_owned()).collect();
    object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    object
}
