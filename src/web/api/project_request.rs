//! What `/projects` takes, for the API's description.
#![allow(
    dead_code,
    reason = "bodies and parameters are read one field at a time, with `Fields` and `Params`"
)]

use utoipa::{IntoParams, ToSchema};

use super::include::Includable;
use super::project_view::{Builder, ProjectView, Protocol, SourceAuth, Strategy};
use super::schema::{self, Framework, Region, described};
use super::text_rules::{
    BranchName, Command, GitUrl, HealthPath, IpNetwork, Note, ProjectName, RepositoryPath,
    StatusRange, WatchPath,
};
use crate::db::projects::SORTS;
use crate::model::ids::TeamId;
use crate::model::project::ProjectStatus;
use crate::model::proxy_settings::SignIn;
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
    name: ProjectName,
    region: Region,
    /// Your own team, which it is in any case.
    team_id: Option<TeamId>,
    framework: Option<Framework>,
    description: Option<Note>,
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
    #[schema(required = false)]
    proxy: ProxyRequest,
}

/// What to change. Fields that are left out stay as they are, also within objects; `null` clears what can be
/// empty. Read-only fields may be sent back as they are.
#[derive(ToSchema)]
#[schema(example = json!({ "description": "Shop", "runtime": { "port": 8080 } }))]
#[serde(deny_unknown_fields)]
pub struct UpdateProject {
    #[schema(required = false)]
    name: ProjectName,
    framework: Option<Framework>,
    description: Option<Note>,
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
    #[schema(required = false)]
    proxy: ProxyRequest,
}

/// Where the code comes from.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct SourceSettings {
    git_url: Option<GitUrl>,
    branch: Option<BranchName>,
    /// Directory of the repository the project lives in.
    #[schema(required = false)]
    root_dir: RepositoryPath,
    /// What fits the address: `deploy_key` over SSH, else `none`, or `token` where one is stored for the server.
    #[schema(required = false)]
    auth: SourceAuth,
    /// Patterns of paths from the root of the repository: a push that changes none of them deploys nothing. `*` and `?` do
    /// not match `/`, `**` stands for any number of directories, a pattern without `/` is found at every depth, and `!`
    /// before one leaves out. The last one that matches decides. Empty for all changes.
    #[schema(required = false, max_items = 50)]
    watch_paths: Vec<WatchPath>,
    /// Whether pull requests of forks make previews, where a hook takes pull requests at all. They get no variable that is
    /// marked sensitive.
    #[schema(required = false, default = false)]
    fork_previews: bool,
}

/// Where the code comes from, as a whole.
#[derive(ToSchema)]
#[schema(example = json!({
    "git_url": "https://github.com/user/repo.git", "branch": "main", "root_dir": "/", "auth": "token",
    "token": "github_pat_0123",
}))]
#[serde(deny_unknown_fields)]
pub struct SetSource {
    git_url: GitUrl,
    branch: Option<BranchName>,
    /// Directory of the repository the project lives in.
    #[schema(required = false, default = "/")]
    root_dir: RepositoryPath,
    /// What it is read with. Left out it is `token` when one is sent, `deploy_key` over SSH, else `none`.
    #[schema(required = false)]
    auth: SourceAuth,
    /// Patterns of paths from the root of the repository: a push that changes none of them deploys nothing. `*` and `?` do
    /// not match `/`, `**` stands for any number of directories, a pattern without `/` is found at every depth, and `!`
    /// before one leaves out. The last one that matches decides. Empty for all changes.
    #[schema(required = false, max_items = 50)]
    watch_paths: Vec<WatchPath>,
    /// Whether pull requests of forks make previews, where a hook takes pull requests at all. They get no variable that is
    /// marked sensitive.
    #[schema(required = false, default = false)]
    fork_previews: bool,
    /// A token, or `user:password`, of printable ASCII characters without blanks. Needed for `auth` `token` unless one is
    /// stored for the same server; for no other `auth`.
    #[schema(
        write_only,
        min_length = 1,
        max_length = 1024,
        pattern = r"^(?:[!-9;-~]+:[!-~]+|[!-9;-~]+)$"
    )]
    token: Option<String>,
}

/// How it is built. `null` leaves it to detection.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct BuildSettings {
    #[schema(required = false)]
    builder: Builder,
    #[schema(required = false)]
    dockerfile: RepositoryPath,
    install_command: Option<Command>,
    build_command: Option<Command>,
    start_command: Option<Command>,
    output_dir: Option<RepositoryPath>,
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
    #[schema(required = false)]
    protocol: Protocol,
    /// Containers that a deployment runs in, side by side; requests go to the one that has the fewest. A change counts
    /// from the next deployment on. 1 with the release strategy `single`.
    #[schema(minimum = 1, maximum = 20, required = false)]
    instances: u32,
    /// Thousandths of a core.
    #[schema(minimum = 50, maximum = 64_000, required = false)]
    cpu_millis: u32,
    #[schema(minimum = 32, maximum = 262_144, required = false)]
    memory_mb: u32,
    #[schema(required = false)]
    healthcheck: HealthcheckSettings,
    #[schema(required = false)]
    release: ReleaseSettings,
    #[schema(required = false)]
    sleep: SleepSettings,
}

/// What the proxy does for visitors. It counts at once.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct ProxyRequest {
    /// Largest content of a request; `null` is without a limit.
    #[schema(minimum = 1, maximum = 102_400)]
    max_body_mb: Option<u32>,
    /// Seconds until the head of an answer; `null` is 60.
    #[schema(minimum = 1, maximum = 3600)]
    first_byte_seconds: Option<u32>,
    /// Seconds that the application may send nothing in the middle of an answer; `null` is 300.
    #[schema(minimum = 1, maximum = 86_400)]
    idle_seconds: Option<u32>,
    /// Whether visitors see that the site is being worked on. Deployments' own addresses go on.
    #[schema(required = false)]
    maintenance: bool,
    /// Whether answers are compressed that are not already.
    #[schema(required = false)]
    compress: bool,
    /// Lines as in a file `_redirects`.
    #[schema(required = false, max_length = 16384)]
    redirects: String,
    /// Lines as in a file `_headers`.
    #[schema(required = false, max_length = 16384)]
    headers: String,
    /// Addresses and networks whose visitors are let in; all when it is empty.
    #[schema(required = false, max_items = 256)]
    allow: Vec<IpNetwork>,
    /// Addresses and networks whose visitors are not let in. It counts more.
    #[schema(required = false, max_items = 256)]
    deny: Vec<IpNetwork>,
    /// What visitors are asked for; `null` asks for nothing.
    login: Option<LoginRequest>,
    /// Where visitors have to be signed in to the dashboard and may see the project.
    #[schema(required = false)]
    sign_in: SignIn,
}

/// A name that visitors are asked for, with its password, which is not shown again.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct LoginRequest {
    #[schema(min_length = 1, max_length = 128, pattern = "^[^:]+$")]
    user: String,
    /// May be left out where the name stays as it is.
    #[schema(min_length = 8, max_length = 128, format = "password", required = false)]
    password: String,
}

/// How traffic moves from one deployment to the next.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct ReleaseSettings {
    #[schema(required = false)]
    strategy: Strategy,
    /// Seconds the old deployment may take to finish its requests; `null` is the instance's setting.
    #[schema(minimum = 0, maximum = 3600)]
    drain_seconds: Option<u32>,
    /// Seconds from SIGTERM to SIGKILL.
    #[schema(minimum = 1, maximum = 300, required = false)]
    stop_seconds: u32,
    /// Seconds after a switch in which a crash loop or failing requests bring the deployment before back; 0 is never.
    #[schema(minimum = 0, maximum = 3600, required = false)]
    watch_seconds: u32,
}

/// What sleeps when nobody asks for it, and who wakes it.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct SleepSettings {
    /// Whether the live deployment sleeps as well.
    #[schema(required = false)]
    live: bool,
    /// Whether crawlers and monitors wake a deployment that sleeps.
    #[schema(required = false)]
    crawlers: bool,
}

/// When it counts as healthy.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct HealthcheckSettings {
    #[schema(required = false)]
    path: HealthPath,
    #[schema(required = false)]
    expect: StatusRange,
    #[schema(minimum = 1, maximum = 300, required = false)]
    interval_seconds: u32,
    #[schema(minimum = 1, maximum = 60, required = false)]
    timeout_seconds: u32,
    #[schema(minimum = 1, maximum = 3600, required = false)]
    grace_seconds: u32,
}
