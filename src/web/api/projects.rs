//! `/projects`: made, listed, changed, deleted.

use axum::extract::State;

use super::Api;
use super::asked::Asked;
use super::body::JsonBody;
use super::fields::Fields;
use super::guards::Caller;
use super::page::{PageParams, Paging};
use super::params::Params;
use super::path::Named;
use super::project_request::{CreateProject, DeleteParams, ListParams, UpdateProject};
use super::project_view::{NewProjectView, ProjectPage, ProjectView};
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::may::Action;
use crate::app::project_rules::ProjectPatch;
use crate::app::proxy_rules::NewLogin;
use crate::db::projects::{ProjectFilter, SORTS};
use crate::model::catalogue::{FRAMEWORKS, REGIONS};
use crate::model::ids::TeamId;
use crate::model::project::{Project, ProjectStatus};

/// Fields of the full object that nobody can set.
const READ_ONLY: [&str; 10] = [
    "id",
    "status",
    "created_at",
    "updated_at",
    "url",
    "live_deployment_id",
    "latest_deployment_id",
    "pending_redeploy",
    "release_paused_at",
    "domains",
];

/// List projects
#[utoipa::path(
    get,
    path = "",
    tag = "Projects",
    operation_id = "projects_list",
    params(PageParams, ListParams),
    responses((status = 200, description = "A page of projects.", body = ProjectPage, example = json!({
        "data": [{
            "id": "prj_abc123", "name": "my-app", "region": "us-east-1", "status": "active",
            "created_at": "2024-01-15T10:30:00Z",
        }],
        "pagination": { "page": 1, "limit": 20, "total": 45 },
    }))),
    security(("bearerAuth" = ["projects:read"])),
)]
pub async fn list(State(api): State<Api>, caller: Caller, mut params: Params) -> Answer {
    caller.may(Action::ProjectsRead)?;
    let paging = Paging::read(&mut params);
    let include = params.include::<ProjectView>();
    let regions = params.words("region", &REGIONS, |(id, _)| id);
    let frameworks = params.words("framework", &FRAMEWORKS, |id| id);
    let team = params.text("team_id");
    let filter = ProjectFilter {
        team: team.as_deref().and_then(TeamId::parse),
        only: Vec::new(),
        statuses: params.words("status", &ProjectStatus::ALL, |status| status.as_str()),
        regions: regions.iter().map(|(id, _)| (*id).to_owned()).collect(),
        frameworks: frameworks.iter().map(|id| (*id).to_owned()).collect(),
        query: params.text("q").filter(|query| !query.is_empty()),
        created_after: params.moment("created_after"),
        created_before: params.moment("created_before"),
        sort: params.sort(&SORTS),
    };
    if team.is_some() && filter.team.is_none() {
        params.problems.invalid("team_id", "format", "The id of a team.");
    }
    AppError::check(params.finish())?;
    let page = api.app.projects(&caller.0, filter, paging.request).await?;
    let view = |project| include.of(ProjectView::new(project, &api.app.hosts));
    paging.answer(&api, page.total, page.items.into_iter().map(view).collect())
}

/// Make a project
#[utoipa::path(
    post,
    path = "",
    tag = "Projects",
    operation_id = "projects_create",
    request_body = CreateProject,
    responses(
        (
            status = 201,
            description = "The project.",
            links(
                ("get" = (operation_id = "projects_get", parameters(("project" = "$response.body#/id")))),
                ("update" = (operation_id = "projects_update", parameters(("project" = "$response.body#/id")))),
                ("delete" = (operation_id = "projects_delete", parameters(("project" = "$response.body#/id")))),
                ("deploy" = (operation_id = "deployments_create", parameters(("project" = "$response.body#/id")))),
            ),
            body = NewProjectView,
            example = json!({
                "id": "prj_def456", "name": "my-new-app", "region": "us-west-2", "framework": "nodejs",
                "status": "pending", "created_at": "2024-01-20T14:00:00Z",
            }),
        ),
        (status = 409, description = "`name_taken`: another project has this name."),
    ),
    security(("bearerAuth" = ["projects:write"])),
)]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::ProjectsWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let name = fields.required_text("name");
    let region = fields.required_text("region");
    let team = fields.nullable_text("team_id").flatten();
    if team.is_some_and(|team| team != caller.0.team_id.as_str()) {
        let own = [caller.0.team_id.as_str()];
        fields.problems.unknown_value("team_id", own);
    }
    let read_only = fields.read_only(&READ_ONLY);
    let new = ProjectPatch { name, region, read_only, ..settings(&mut fields) };
    let answer = |project: &Project| {
        let path = format!("/projects/{}", project.id);
        respond::created(&path, &NewProjectView::from(project.clone()))
    };
    let terms = fields.once(&caller, answer);
    let project = api.app.create_project(&caller.0, new, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&project)))
}

/// Get a project
#[utoipa::path(
    get,
    path = "",
    tag = "Projects",
    operation_id = "projects_get",
    params(("project" = String, Path, description = "The id or the name of a project.")),
    responses((status = 200, description = "The project.", body = ProjectView)),
    security(("bearerAuth" = ["projects:read"])),
)]
pub async fn show(State(api): State<Api>, caller: Caller, id: Named, params: Params) -> Answer {
    let project = api.app.project(&caller.0, &id.0).await?;
    AppError::check(params.finish())?;
    respond::revised(project.revision, &ProjectView::new(project, &api.app.hosts))
}

/// Change a project
#[utoipa::path(
    patch,
    path = "",
    tag = "Projects",
    operation_id = "projects_update",
    params(("project" = String, Path, description = "The id or the name of a project.")),
    request_body = UpdateProject,
    responses(
        (status = 200, description = "The changed project.", body = ProjectView),
        (status = 409, description = "`name_taken`: another project has this name."),
    ),
    security(("bearerAuth" = ["projects:write"])),
)]
pub async fn update(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::ProjectsWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let name = fields.kept_text("name");
    let region = fields.kept_text("region");
    let mut read_only = fields.read_only(&READ_ONLY);
    read_only.extend(fields.read_only(&["team_id"]));
    let patch = ProjectPatch { name, region, read_only, ..settings(&mut fields) };
    let terms = fields.terms();
    let project = api.app.update_project(&caller.0, &id.0, patch, fields.finish(), &terms).await?;
    respond::revised(project.revision, &ProjectView::new(project, &api.app.hosts))
}

/// Delete a project
///
/// Running builds are canceled, containers are stopped, host names become free.
#[utoipa::path(
    delete,
    path = "",
    tag = "Projects",
    operation_id = "projects_delete",
    params(("project" = String, Path, description = "The id or the name of a project."), DeleteParams),
    responses((status = 204, description = "Deleted.")),
    security(("bearerAuth" = ["projects:write"])),
)]
pub async fn delete(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    asked: Asked,
    mut params: Params,
) -> Answer {
    caller.may(Action::ProjectsWrite)?;
    // A project has no volumes yet, so there are none to keep.
    params.flag("delete_volumes");
    AppError::check(params.finish())?;
    api.app.delete_project(&caller.0, &id.0, &asked.terms()).await?;
    Ok(respond::nothing())
}

/// The settings that can be written at any time.
fn settings(fields: &mut Fields) -> ProjectPatch {
    let mut patch = ProjectPatch {
        framework: fields.nullable_text("framework"),
        description: fields.nullable_text("description"),
        auto_deploy: fields.flag("auto_deploy"),
        preview_deployments: fields.flag("preview_deployments"),
        keep_images: fields.integer("keep_images"),
        ..ProjectPatch::default()
    };
    fields.nested("source", |source| {
        patch.git_url = source.nullable_text("git_url");
        patch.branch = source.nullable_text("branch");
        patch.root_dir = source.text("root_dir");
        patch.auth = source.text("auth");
        patch.watch_paths = source.kept_texts("watch_paths");
        patch.fork_previews = source.flag("fork_previews");
    });
    fields.nested("build", |build| {
        patch.builder = build.text("builder");
        patch.dockerfile = build.text("dockerfile");
        patch.install_command = build.nullable_text("install_command");
        patch.build_command = build.nullable_text("build_command");
        patch.start_command = build.nullable_text("start_command");
        patch.output_dir = build.nullable_text("output_dir");
        patch.timeout_seconds = build.integer("timeout_seconds");
    });
    fields.nested("runtime", |runtime| {
        patch.port = runtime.nullable_integer("port");
        patch.protocol = runtime.text("protocol");
        patch.instances = runtime.integer("instances");
        patch.cpu_millis = runtime.integer("cpu_millis");
        patch.memory_mb = runtime.integer("memory_mb");
        runtime.nested("healthcheck", |health| {
            patch.health_path = health.text("path");
            patch.health_expect = health.text("expect");
            patch.health_interval = health.integer("interval_seconds");
            patch.health_timeout = health.integer("timeout_seconds");
            patch.health_grace = health.integer("grace_seconds");
        });
        runtime.nested("release", |release| {
            patch.strategy = release.text("strategy");
            patch.drain_seconds = release.nullable_integer("drain_seconds");
            patch.stop_seconds = release.integer("stop_seconds");
            patch.watch_seconds = release.integer("watch_seconds");
        });
        runtime.nested("sleep", |sleep| {
            patch.sleep_live = sleep.flag("live");
            patch.sleep_crawlers = sleep.flag("crawlers");
        });
    });
    fields.nested("proxy", |proxy| {
        patch.max_body_mb = proxy.nullable_integer("max_body_mb");
        patch.first_byte_seconds = proxy.nullable_integer("first_byte_seconds");
        patch.idle_seconds = proxy.nullable_integer("idle_seconds");
        patch.maintenance = proxy.flag("maintenance");
        patch.compress = proxy.flag("compress");
        patch.redirects = proxy.text("redirects");
        patch.headers = proxy.text("headers");
        patch.allow = proxy.kept_texts("allow");
        patch.deny = proxy.kept_texts("deny");
        patch.sign_in = proxy.text("sign_in");
        patch.login = proxy.nullable_nested("login", |login| NewLogin {
            user: login.required_text("user").unwrap_or_default(),
            password: login.text("password"),
        });
    });
    patch
}
