//! What `/projects` takes, for the API's description.
#![allow(
    dead_code,
    reason = "bodies and parameters are read one field at a time, with `Fields` and `Params`"
)]

use utoipa::{IntoParams, ToSchema};

use super::include::Includable;
use super::project_view::{Builder, ProjectView};
use super::schema::{self, Framework, Region, described};
use crate::db::projects::SORTS;
use crate::model::ids::TeamId;
use crate::model::project::ProjectStatus;
use crate::model::timestamp::Timestamp;

type ProjectInclude = Includable<ProjectView>;

/// What projects are sorted by, in place of its name as text.
struct ProjectSort;

described! {
    ProjectSort => "ProjectSort", schema::sort(&SORTS);
}

/// Parameters of `GET /projects`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Only projects with one of these.
    #[param(inline)]
    status: Option<Vec<ProjectStatus>>,
    /// Only projects in one of these.
    #[param(inline)]
    region: Option<Vec<Region>>,
    /// Only projects of one of these.
    #[param(inline)]
    framework: Option<Vec<Framework>>,
    /// Only projects of this team.
    #[param(inline)]
    team_id: Option<TeamId>,
    /// Part of the name, in any case.
    q: Option<String>,
    /// Only projects made after this moment.
    #[param(inline)]
    created_after: Option<Timestamp>,
    /// Only projects made before this moment.
    #[param(inline)]
    created_before: Option<Timestamp>,
    /// A field, with `-` before it from the greatest down. Newest first when it is left out.
    #[param(inline)]
    sort: Option<ProjectSort>,
    /// Adds fields; `*` adds all.
    #[param(inline)]
    include: Option<Vec<ProjectInclude>>,
}

/// Parameters of `DELETE /projects/{project}`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeleteParams {
    /// Deletes its volumes as well; otherwise they are kept for seven days.
    #[param(default = false)]
    delete_volumes: Option<bool>,
}

/// A project to make.
#[derive(ToSchema)]
#[schema(example = json!({ "name": "my-new-app", "region": "us-west-2", "framework": "nodejs" }))]
#[serde(deny_unknown_fields)]
pub struct CreateProject {
    /// Unique on this server; it becomes a host name.
    #[schema(pattern = "^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$")]
    name: String,
    region: Region,
    /// Your own team, which it is in any case.
    team_id: Option<TeamId>,
    framework: Option<Framework>,
    #[schema(max_length = 500)]
    description: Option<String>,
    #[schema(required = false, default = true)]
    auto_deploy: bool,
    #[schema(required = false, default = false)]
    preview_deployments: bool,
    #[schema(minimum = 1, maximum = 100, required = false, default = 5)]
    keep_images: u32,
    #[schema(required = false)]
    source: SourceSettings,
    #[schema(required = false)]
    build: BuildSettings,
    #[schema(required = false)]
    runtime: RuntimeSettings,
}

/// What to change. Fields that are left out stay as they are, also within objects; `null` clears what can be
/// empty. Read-only fields may be sent back as they are.
#[derive(ToSchema)]
#[schema(example = json!({ "description": "Shop", "runtime": { "port": 8080 } }))]
#[serde(deny_unknown_fields)]
pub struct UpdateProject {
    #[schema(pattern = "^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$", required = false)]
    name: String,
    framework: Option<Framework>,
    #[schema(max_length = 500)]
    description: Option<String>,
    #[schema(required = false)]
    auto_deploy: bool,
    #[schema(required = false)]
    preview_deployments: bool,
    #[schema(minimum = 1, maximum = 100, required = false)]
    keep_images: u32,
    #[schema(required = false)]
    source: SourceSettings,
    #[schema(required = false)]
    build: BuildSettings,
    #[schema(required = false)]
    runtime: RuntimeSettings,
}

/// Where the code comes from.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct SourceSettings {
    /// `https://…`, at an address that can be reached from outside, without a password in it.
    #[schema(max_length = 2048, example = "https://github.com/user/repo.git")]
    git_url: Option<String>,
    /// By the rules of `git check-ref-format`.
    #[schema(min_length = 1, max_length = 255, example = "main")]
    branch: Option<String>,
    /// A path inside the repository, without `..`.
    #[schema(max_length = 1025, required = false, example = "/")]
    root_dir: String,
    #[schema(required = false)]
    auth: NoAuth,
}

/// Public repositories only, for now.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum NoAuth {
    None,
}

/// How it is built. `null` leaves it to detection.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct BuildSettings {
    #[schema(required = false)]
    builder: Builder,
    /// A path inside the repository, without `..`.
    #[schema(max_length = 1025, required = false, example = "Dockerfile")]
    dockerfile: String,
    /// One line without control characters.
    #[schema(min_length = 1)]
    install_command: Option<String>,
    /// One line without control characters.
    #[schema(min_length = 1, example = "npm run build")]
    build_command: Option<String>,
    /// One line without control characters.
    #[schema(min_length = 1)]
    start_command: Option<String>,
    /// A path inside the repository, without `..`.
    #[schema(max_length = 1025)]
    output_dir: Option<String>,
    #[schema(minimum = 10, maximum = 14_400, required = false)]
    timeout_seconds: u32,
}

/// How it runs.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct RuntimeSettings {
    /// `null` lets Orbitra find it.
    #[schema(minimum = 1, maximum = 65_535)]
    port: Option<u16>,
    #[schema(minimum = 1, maximum = 20, required = false)]
    instances: u32,
    /// Thousandths of a core.
    #[schema(minimum = 50, maximum = 64_000, required = false)]
    cpu_millis: u32,
    #[schema(minimum = 32, maximum = 262_144, required = false)]
    memory_mb: u32,
    #[schema(required = false)]
    healthcheck: HealthcheckSettings,
}

/// When it counts as healthy.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct HealthcheckSettings {
    /// Starts with one `/`, printable ASCII.
    #[schema(max_length = 1024, required = false, example = "/healthz")]
    path: String,
    /// A status or a range.
    #[schema(
        pattern = "^[1-5][0-9]{2}(?:-[1-5][0-9]{2})?$",
        required = false,
        example = "200-399"
    )]
    expect: String,
    #[schema(minimum = 1, maximum = 300, required = false)]
    interval_seconds: u32,
    #[schema(minimum = 1, maximum = 60, required = false)]
    timeout_seconds: u32,
    #[schema(minimum = 1, maximum = 3600, required = false)]
    grace_seconds: u32,
}
