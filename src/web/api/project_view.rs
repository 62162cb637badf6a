//! Projects as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use super::include::{Part, Selectable};
use super::page::Page;
use super::schema::{Framework, Region};
use crate::config::Hosts;
use crate::model::hostname;
use crate::model::ids::{DeploymentId, ProjectId, TeamId};
use crate::model::project::{self, Project, ProjectStatus};
use crate::model::proxy_settings::{ProxySettings, SignIn};
use crate::model::timestamp::Timestamp;

/// A page of projects.
pub type ProjectPage = Page<Part<ProjectView>>;

/// A project, everything of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Project)]
pub struct ProjectView {
    id: ProjectId,
    #[schema(example = "my-app")]
    name: String,
    #[schema(value_type = Region)]
    region: String,
    /// `null` until it was chosen or detected.
    #[schema(value_type = Option<Framework>)]
    framework: Option<String>,
    status: ProjectStatus,
    created_at: Timestamp,
    updated_at: Timestamp,
    team_id: TeamId,
    #[schema(format = "uri", example = "https://my-app.example.com")]
    url: String,
    source: SourceView,
    build: BuildView,
    runtime: RuntimeView,
    proxy: ProxyView,
    /// Whether a push to its branch deploys.
    auto_deploy: bool,
    /// Whether a push to another branch deploys a preview.
    preview_deployments: bool,
    /// How many images of earlier deployments are kept to go back to.
    keep_images: u32,
    live_deployment_id: Option<DeploymentId>,
    latest_deployment_id: Option<DeploymentId>,
    /// Whether variables changed since the live deployment was made or restarted.
    pending_redeploy: bool,
    /// Since when new deployments wait on their own URLs until one is promoted, because the traffic went back; `null`
    /// when they get it by themselves.
    release_paused_at: Option<Timestamp>,
    /// Host names it is reached by.
    #[schema(example = json!(["my-app.example.com"]))]
    domains: Vec<String>,
    description: Option<String>,
}

/// Where the code comes from.
#[derive(Serialize, ToSchema)]
#[schema(as = Source)]
pub struct SourceView {
    #[schema(example = "https://github.com/user/repo.git")]
    git_url: Option<String>,
    #[schema(example = "main")]
    branch: Option<String>,
    /// Directory of the repository the project lives in.
    #[schema(example = "/")]
    root_dir: String,
    #[schema(value_type = SourceAuth)]
    auth: &'static str,
    /// Which changes a push deploys; empty for all of them.
    #[schema(value_type = Vec<String>, example = json!(["apps/web/**", "!**/*.md"]))]
    watch_paths: Vec<String>,
    /// Whether pull requests of forks make previews.
    fork_previews: bool,
}

/// What a private repository is read with.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code)] // Described here, stored as text.
pub enum SourceAuth {
    None,
    Token,
    DeployKey,
}

/// How it is built. `null` leaves it to detection.
#[derive(Serialize, ToSchema)]
#[schema(as = Build)]
pub struct BuildView {
    #[schema(value_type = Builder)]
    builder: String,
    #[schema(example = "Dockerfile")]
    dockerfile: String,
    install_command: Option<String>,
    #[schema(example = "npm run build")]
    build_command: Option<String>,
    start_command: Option<String>,
    output_dir: Option<String>,
    #[schema(example = 1800)]
    timeout_seconds: u32,
}

/// What makes the image.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code)] // Described here, stored as text.
pub enum Builder {
    Auto,
    Dockerfile,
}

/// How it runs.
#[derive(Serialize, ToSchema)]
#[schema(as = Runtime)]
pub struct RuntimeView {
    /// `null` lets Orbitra find it.
    #[schema(example = 3000)]
    port: Option<u16>,
    #[schema(value_type = Protocol)]
    protocol: &'static str,
    /// Containers that a deployment runs in, side by side; requests go to the one that has the fewest. A change counts
    /// from the next deployment on. 1 with the release strategy `single`.
    #[schema(example = 1)]
    instances: u32,
    /// Thousandths of a core.
    #[schema(example = 1000)]
    cpu_millis: u32,
    #[schema(example = 512)]
    memory_mb: u32,
    healthcheck: HealthcheckView,
    release: ReleaseView,
    sleep: SleepView,
}

/// What the application speaks: `http1`, or `h2c`, which is HTTP/2 without TLS, as gRPC needs it. A change counts from the
/// next deployment on.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code)] // Described here, stored as text.
pub enum Protocol {
    Http1,
    H2c,
}

/// How traffic moves from one deployment to the next.
#[derive(Serialize, ToSchema)]
#[schema(as = Release)]
pub struct ReleaseView {
    #[schema(value_type = Strategy)]
    strategy: &'static str,
    /// Seconds the old deployment may take to finish its requests; `null` is the instance's setting.
    drain_seconds: Option<u32>,
    /// Seconds from SIGTERM to SIGKILL.
    #[schema(example = 10)]
    stop_seconds: u32,
    /// Seconds after a switch in which a crash loop or failing requests bring the deployment before back; 0 is never.
    #[schema(example = 60)]
    watch_seconds: u32,
}

/// `rolling`: the new deployment runs beside the old one until it has the traffic. `single`: never two at the same time;
/// requests wait while the old one stops and the new one starts.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code)] // Described here, kept in the model.
pub enum Strategy {
    Rolling,
    Single,
}

/// What sleeps when nobody asks for it, and who wakes it.
#[derive(Serialize, ToSchema)]
#[schema(as = Sleep)]
pub struct SleepView {
    /// Whether the live deployment sleeps as well.
    live: bool,
    /// Whether crawlers and monitors wake a deployment that sleeps.
    crawlers: bool,
}

/// When it counts as healthy.
#[derive(Serialize, ToSchema)]
#[schema(as = Healthcheck)]
pub struct HealthcheckView {
    #[schema(example = "/")]
    path: String,
    /// A status or a range.
    #[schema(example = "200-399")]
    expect: String,
    interval_seconds: u32,
    timeout_seconds: u32,
    /// How long it may take from the start of the process to the first good answer.
    grace_seconds: u32,
}

/// The answer to `POST /projects`.
#[derive(Serialize, ToSchema)]
#[schema(as = NewProject)]
#[serde(deny_unknown_fields)]
pub struct NewProjectView {
    pub id: ProjectId,
    #[schema(example = "my-new-app")]
    name: String,
    #[schema(value_type = Region)]
    region: String,
    #[schema(value_type = Option<Framework>)]
    framework: Option<String>,
    status: ProjectStatus,
    created_at: Timestamp,
}

impl Selectable for ProjectView {
    const PART: &'static str = "ProjectItem";
    const GIVEN: &'static [&'static str] = &["id", "name", "region", "status", "created_at"];
    const MORE: &'static [&'static str] = &[
        "framework",
        "updated_at",
        "team_id",
        "url",
        "source",
        "build",
        "runtime",
        "proxy",
        "auto_deploy",
        "preview_deployments",
        "keep_images",
        "live_deployment_id",
        "latest_deployment_id",
        "pending_redeploy",
        "release_paused_at",
        "domains",
        "description",
    ];
}

impl ProjectView {
    /// The view of a project on this server.
    pub fn new(project: Project, hosts: &Hosts) -> Self {
        let host = hostname::of_project(&project.name, hosts.base_domain());
        Self {
            status: project.status(),
            id: project.id,
            name: project.name,
            region: project.region,
            framework: project.framework,
            created_at: project.created_at,
            updated_at: project.updated_at,
            team_id: project.team_id,
            url: hosts.url_of(&host),
            source: project::SourceSettings {
                git_url: project.source.git_url.map(|url| hosts.shown_source(url)),
                ..project.source
            }
            .into(),
            build: project.build.into(),
            proxy: project.runtime.proxy.clone().into(),
            runtime: project.runtime.into(),
            auto_deploy: project.auto_deploy,
            preview_deployments: project.preview_deployments,
            keep_images: project.keep_images,
            live_deployment_id: project.live_deployment_id,
            latest_deployment_id: project.latest_deployment_id,
            pending_redeploy: project.pending_redeploy,
            release_paused_at: project.release_paused_at,
            domains: vec![host],
            description: project.description,
        }
    }
}

impl From<Project> for NewProjectView {
    fn from(project: Project) -> Self {
        Self {
            status: project.status(),
            id: project.id,
            name: project.name,
            region: project.region,
            framework: project.framework,
            created_at: project.created_at,
        }
    }
}

impl From<project::SourceSettings> for SourceView {
    fn from(source: project::SourceSettings) -> Self {
        Self {
            git_url: source.git_url,
            branch: source.branch,
            root_dir: source.root_dir,
            auth: source.auth.as_str(),
            watch_paths: source.watch_paths,
            fork_previews: source.fork_previews,
        }
    }
}

impl From<project::BuildSettings> for BuildView {
    fn from(build: project::BuildSettings) -> Self {
        Self {
            builder: build.builder,
            dockerfile: build.dockerfile,
            install_command: build.install_command,
            build_command: build.build_command,
            start_command: build.start_command,
            output_dir: build.output_dir,
            timeout_seconds: build.timeout_seconds,
        }
    }
}

/// What the proxy does for visitors. It counts at once.
#[derive(Serialize, ToSchema)]
#[schema(as = ProjectProxy)]
pub struct ProxyView {
    /// Largest content of a request; `null` is without a limit.
    #[schema(example = 100)]
    max_body_mb: Option<u32>,
    /// Seconds until the head of an answer; `null` is 60.
    first_byte_seconds: Option<u32>,
    /// Seconds that the application may send nothing in the middle of an answer; `null` is 300.
    idle_seconds: Option<u32>,
    /// Whether visitors see that the site is being worked on. Deployments' own addresses go on.
    maintenance: bool,
    /// Whether answers are compressed that are not already.
    compress: bool,
    /// Lines as in a file `_redirects`.
    #[schema(example = "/old/* /new/:splat 301")]
    redirects: String,
    /// Lines as in a file `_headers`.
    #[schema(example = "/*\n  X-Frame-Options: DENY")]
    headers: String,
    /// Addresses and networks whose visitors are let in; all when it is empty.
    #[schema(example = json!(["203.0.113.0/24"]))]
    allow: Vec<String>,
    /// Addresses and networks whose visitors are not let in. It counts more.
    deny: Vec<String>,
    /// What visitors are asked for.
    login: Option<LoginView>,
    /// Where visitors have to be signed in to the dashboard and may see the project.
    sign_in: SignIn,
}

/// A name that visitors are asked for, with its password.
#[derive(Serialize, ToSchema)]
#[schema(as = VisitorLogin)]
pub struct LoginView {
    #[schema(example = "guest")]
    user: String,
}

impl From<ProxySettings> for ProxyView {
    fn from(proxy: ProxySettings) -> Self {
        Self {
            max_body_mb: proxy.max_body_mb,
            first_byte_seconds: proxy.first_byte_seconds,
            idle_seconds: proxy.idle_seconds,
            maintenance: proxy.maintenance,
            compress: proxy.compress,
            redirects: proxy.redirects,
            headers: proxy.headers,
            allow: proxy.allow,
            deny: proxy.deny,
            login: proxy.login.map(|login| LoginView { user: login.user }),
            sign_in: proxy.sign_in,
        }
    }
}

impl From<project::RuntimeSettings> for RuntimeView {
    fn from(runtime: project::RuntimeSettings) -> Self {
        let (health, release, sleep) = (runtime.healthcheck, runtime.release, runtime.sleep);
        Self {
            port: runtime.port,
            protocol: runtime.protocol.as_str(),
            instances: runtime.instances,
            cpu_millis: runtime.cpu_millis,
            memory_mb: runtime.memory_mb,
            healthcheck: HealthcheckView {
                path: health.path,
                expect: health.expect,
                interval_seconds: health.interval_seconds,
                timeout_seconds: health.timeout_seconds,
                grace_seconds: health.grace_seconds,
            },
            release: ReleaseView {
                strategy: release.strategy.as_str(),
                drain_seconds: release.drain_seconds,
                stop_seconds: release.stop_seconds,
                watch_seconds: release.watch_seconds,
            },
            sleep: SleepView { live: sleep.live, crawlers: sleep.crawlers },
        }
    }
}
