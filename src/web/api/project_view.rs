//! Projects as the API shows them.

use super::object::Object;
use crate::config::Hosts;
use crate::model::hostname;
use crate::model::project::Project;

/// Keys of the items of `GET /projects`.
pub const LISTED: [&str; 5] = ["id", "name", "region", "status", "created_at"];

/// Keys of the answer to `POST /projects`.
pub const CREATED: [&str; 6] = ["id", "name", "region", "framework", "status", "created_at"];

/// What `include` may add to a list.
pub const MORE: [&str; 15] = [
    "framework",
    "updated_at",
    "team_id",
    "url",
    "source",
    "build",
    "runtime",
    "auto_deploy",
    "preview_deployments",
    "keep_images",
    "live_deployment_id",
    "latest_deployment_id",
    "pending_redeploy",
    "domains",
    "description",
];

/// Everything.
pub fn full(project: &Project, hosts: &Hosts) -> Object {
    let host = hostname::of_project(&project.name, hosts.base_domain());
    let source = Object::new()
        .with("git_url", &project.source.git_url)
        .with("branch", &project.source.branch)
        .with("root_dir", &project.source.root_dir)
        .with("auth", "none");
    Object::new()
        .with("id", &project.id)
        .with("name", &project.name)
        .with("region", &project.region)
        .with("framework", &project.framework)
        .with("status", &project.status())
        .with("created_at", &project.created_at)
        .with("updated_at", &project.updated_at)
        .with("team_id", &project.team_id)
        .with("url", &hosts.url_of(&host))
        .object("source", source)
        .with("build", &project.build)
        .with("runtime", &project.runtime)
        .with("auto_deploy", &project.auto_deploy)
        .with("preview_deployments", &project.preview_deployments)
        .with("keep_images", &project.keep_images)
        .with("live_deployment_id", &project.live_deployment_id)
        .with("latest_deployment_id", &project.latest_deployment_id)
        .with("pending_redeploy", &false)
        .with("domains", &[host])
        .with("description", &project.description)
}

/// The answer to `POST /projects`.
pub fn created(project: &Project, hosts: &Hosts) -> Object {
    full(project, hosts).only(|key| CREATED.contains(&key))
}
