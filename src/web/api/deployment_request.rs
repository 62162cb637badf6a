//! What `/deployments` takes, for the API's description.
#![allow(
    dead_code,
    reason = "bodies and parameters are read one field at a time, with `Fields` and `Params`"
)]

use utoipa::openapi::ObjectBuilder;
use utoipa::{IntoParams, ToSchema};

use super::deployment_view::DeploymentView;
use super::include::Includable;
use super::logs::LAST_SEQ;
use super::schema::{self, described};
use super::text_rules::{BranchName, GitUrl, ImageName, Note, RepositoryPath};
use crate::db::deployments::SORTS;
use crate::model::deployment::{Status, Target, Trigger};
use crate::model::ids::{DeploymentId, UploadId};
use crate::model::timestamp::Timestamp;

type DeploymentInclude = Includable<DeploymentView>;

/// What deployments are sorted by, in place of its name as text.
struct DeploymentSort;
/// The number of a line, in place of itself.
pub(super) struct LineNumber;
/// The order of lines, in place of its name as text.
pub(super) struct LogOrder;
/// What happens to terminal sequences, in place of its name as text.
pub(super) struct Ansi;

described! {
    DeploymentSort => "DeploymentSort", schema::sort(&SORTS);
    LineNumber => "LineNumber", schema::integer(0, LAST_SEQ);
    LogOrder => "LogOrder", schema::words(&["asc", "desc"]).default(Some("asc".into()));
    Ansi => "Ansi", schema::words(&["keep", "strip"]).default(Some("keep".into()));
}

/// Parameters of the lists of deployments.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Only deployments with one of these.
    #[param(inline)]
    status: Option<Vec<Status>>,
    /// Only deployments of one of these branches.
    branch: Option<Vec<String>>,
    /// Only deployments for one of these.
    #[param(inline)]
    target: Option<Vec<Target>>,
    /// Only deployments that one of these asked for.
    #[param(inline)]
    trigger: Option<Vec<Trigger>>,
    /// Only deployments of this commit: the full hash.
    commit_sha: Option<String>,
    /// Only deployments this user or key asked for: its id.
    created_by: Option<String>,
    /// Only deployments made after this moment.
    #[param(inline)]
    created_after: Option<Timestamp>,
    /// Only deployments made before this moment.
    #[param(inline)]
    created_before: Option<Timestamp>,
    /// A field, with `-` before it from the greatest down. Newest first when it is left out.
    #[param(inline)]
    sort: Option<DeploymentSort>,
    /// Adds fields; `*` adds all.
    #[param(inline)]
    include: Option<Vec<DeploymentInclude>>,
}

/// Parameters of `GET /deployments/{id}`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ShowParams {
    /// Waits up to this many seconds until it is finished.
    #[param(minimum = 1, maximum = 60)]
    wait: Option<u32>,
}

/// Parameters of a build log.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogParams {
    /// Only lines after this one.
    #[param(inline)]
    after_seq: Option<LineNumber>,
    /// Most lines of a page. Not with `follow`.
    #[param(minimum = 1, maximum = 1000, default = 200)]
    limit: Option<u32>,
    /// From the first line on, or from the last one back. Not with `follow`.
    #[param(inline)]
    order: Option<LogOrder>,
    /// Whether colours and other terminal sequences are left in.
    #[param(inline)]
    ansi: Option<Ansi>,
    /// Sends the log as it grows, as server-sent events. `Accept: text/event-stream` does the same.
    follow: Option<bool>,
}

/// A deployment to make.
#[derive(ToSchema)]
#[schema(example = json!({
    "git_url": "https://github.com/user/repo.git", "branch": "main",
    "environment": { "NODE_ENV": "production", "API_KEY": "secret_key" },
}))]
#[serde(deny_unknown_fields)]
pub struct CreateDeployment {
    /// Needed unless the project has a source, or one of `upload_id` and `image` is sent: at most one of the three.
    git_url: Option<GitUrl>,
    /// The repository's own default branch when there is none.
    branch: Option<BranchName>,
    /// Variables of this deployment alone, over those of the project. They are never answered.
    #[schema(schema_with = environment, required = false)]
    environment: std::collections::BTreeMap<String, String>,
    #[schema(pattern = "^[0-9A-Fa-f]{7,64}$")]
    commit_sha: Option<String>,
    /// An archive of this project. Each is deployed once.
    upload_id: Option<UploadId>,
    /// An image to run as it is.
    image: Option<ImageName>,
    /// Directory of the repository or the archive to build.
    root_dir: Option<RepositoryPath>,
    target: Option<Target>,
    /// Whether it takes over the project's traffic when it is ready. For production it does, unless this says no.
    #[schema(required = false)]
    promote: bool,
    message: Option<Note>,
    /// Builds without what earlier builds left.
    #[schema(required = false, default = false)]
    clear_cache: bool,
}

/// What of a repeated deployment is different.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redeploy {
    /// Builds without what earlier builds left.
    #[schema(required = false, default = false)]
    clear_cache: bool,
    /// Variables of the new deployment alone, over those of the project.
    #[schema(schema_with = environment, required = false)]
    environment: std::collections::BTreeMap<String, String>,
}

/// What a rollback goes back to.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// A superseded deployment of the project; the one that last served when there is none.
    deployment_id: Option<DeploymentId>,
    /// `false`: the next push is not deployed, so that it does not undo the rollback.
    #[schema(required = false)]
    auto_deploy: bool,
    /// `own`: the variables it was made with. `current`: those of the project now, in a new container.
    #[schema(inline, required = false, default = "own")]
    environment: RollbackVariables,
}

/// Which variables a deployment comes back with.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum RollbackVariables {
    Own,
    Current,
}

fn environment() -> ObjectBuilder {
    let name = schema::text()
        .pattern(Some("^(?![oO][rR][bB][iI][tT][rR][aA]_)[A-Za-z_][A-Za-z0-9_]{0,127}$"));
    ObjectBuilder::new()
        .schema_type(utoipa::openapi::Type::Object)
        .property_names(Some(name))
        .additional_properties(Some(
            schema::text().pattern(Some(r"^[^\u0000]*$")).max_length(Some(32 * 1024)),
        ))
        .max_properties(Some(500))
}

/// No fields.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}
