//! Deployments as the API shows them.

use super::object::Object;
use crate::config::Hosts;
use crate::model::deployment::Deployment;

/// Keys of the items of a list and of the answer to `POST`.
pub const GIVEN: [&str; 5] = ["id", "project_id", "status", "url", "created_at"];

/// What `include` may add to a list.
pub const MORE: [&str; 21] = [
    "phase",
    "queue_position",
    "target",
    "trigger",
    "git",
    "image",
    "upload_id",
    "source_deployment_id",
    "message",
    "promote",
    "environment_keys",
    "framework",
    "started_at",
    "built_at",
    "live_at",
    "finished_at",
    "duration_ms",
    "error",
    "cancel_reason",
    "can",
    "created_by",
];

/// The five keys.
pub fn given(deployment: &Deployment, hosts: &Hosts) -> Object {
    Object::new()
        .with("id", &deployment.id)
        .with("project_id", &deployment.project_id)
        .with("status", &deployment.status())
        .with("url", &hosts.url_of(&deployment.hostname))
        .with("created_at", &deployment.created_at)
}

/// Everything, the given keys first.
pub fn full(deployment: &Deployment, queue_position: Option<i64>, hosts: &Hosts) -> Object {
    let commit = deployment.commit.as_ref();
    let git = Object::new()
        .with("url", &deployment.git_url)
        .with("branch", &deployment.branch)
        .with("commit_sha", &commit.map(|commit| &commit.sha))
        .with("commit_message", &commit.map(|commit| &commit.message))
        .with("commit_author", &commit.map(|commit| &commit.author));
    // The others come with the release engine.
    let can = Object::new()
        .with("cancel", &deployment.state.unfinished())
        .with("redeploy", &false)
        .with("promote", &false)
        .with("rollback", &false);
    let absent = None::<String>;
    let object = given(deployment, hosts)
        .with("phase", &deployment.phase())
        .with("queue_position", &queue_position)
        .with("target", &deployment.target)
        .with("trigger", &deployment.trigger)
        .object("git", git)
        .with("image", &absent)
        .with("upload_id", &absent)
        .with("source_deployment_id", &absent)
        .with("message", &deployment.message)
        .with("promote", &deployment.promote)
        .with("environment_keys", &deployment.environment_keys)
        .with("framework", &deployment.plan.as_ref().map(|plan| &plan.framework))
        .with("started_at", &deployment.started_at)
        .with("built_at", &deployment.built_at)
        .with("live_at", &deployment.live_at)
        .with("finished_at", &deployment.finished_at)
        .with("duration_ms", &deployment.duration_ms())
        .with("error", &deployment.failure);
    let object = match deployment.cancel_reason {
        Some(reason) => object.with("cancel_reason", &reason),
        None => object,
    };
    object.object("can", can).with("created_by", &deployment.created_by)
}
