//! The branches and tags of a pushed repository: which are accepted, how they are moved, why one is not deployed.

use serde_json::json;

use super::AppError;
use super::journal::{self, Deed};
use crate::db::{self, Connection, DbError};
use crate::git::receive::{Command, LONGEST_NAME};
use crate::model::actor::Actor;
use crate::model::branch::check_branch;
use crate::model::event;
use crate::model::git_url::pushed_to;
use crate::model::project::Project;
use crate::model::push::Ignored;
use crate::model::timestamp::Timestamp;

/// A ref that can be pushed.
pub(super) enum Named<'a> {
    Branch(&'a str),
    Tag(&'a str),
}

/// Reads the name of a ref.
///
/// # Errors
/// It is not accepted, and why.
pub(super) fn named(name: &str) -> Result<Named<'_>, String> {
    let found = if let Some(branch) = name.strip_prefix("refs/heads/") {
        Named::Branch(branch)
    } else if let Some(tag) = name.strip_prefix("refs/tags/") {
        Named::Tag(tag)
    } else {
        return Err("only branches and tags can be pushed here".to_owned());
    };
    if name.len() > LONGEST_NAME {
        return Err(format!("its name is longer than {LONGEST_NAME} bytes"));
    }
    let (Named::Branch(rest) | Named::Tag(rest)) = found;
    check_branch(rest).map_err(|error| error.message.to_owned())?;
    Ok(found)
}

/// Moves a ref in the transaction of what follows from it. The first push to a project that has no source makes what is
/// pushed its source; `production` is the branch that it deploys.
pub(super) fn moved(
    connection: &Connection,
    actor: &Actor,
    owner: &Project,
    command: &Command,
    production: Option<&str>,
    now: Timestamp,
) -> Result<(), AppError> {
    let missing = || AppError::not_found("project", owner.id.as_str());
    let mut project = db::projects::find(connection, &owner.id)?.ok_or_else(missing)?;
    let (id, name) = (&owner.id, &command.name);
    let written = match (&command.old, &command.new) {
        (old, Some(new)) => db::pushed_refs::set(connection, id, name, old.as_deref(), new, now),
        (Some(old), None) => db::pushed_refs::remove(connection, id, name, old),
        (None, None) => Err(DbError::Stale),
    };
    match written {
        Err(DbError::Stale) => {
            let message = "it has been moved meanwhile; fetch it and push again";
            return Err(AppError::conflict("ref_moved", message));
        }
        other => other?,
    }
    let changes = json!({ name: { "from": command.old, "to": command.new } });
    let deed = Deed::to_project("git.pushed", &project, json!({}));
    let deed = Deed { data: None, ..deed }.changing(changes);
    journal::write(connection, actor, deed, now)?;
    if project.source.git_url.is_some() || command.new.is_none() {
        return Ok(());
    }
    let source = pushed_to(id);
    let mut changes = json!({ "source.git_url": { "from": null, "to": source } });
    project.source.git_url = Some(source);
    if let (None, Some(branch)) = (&project.source.branch, production) {
        changes["source.branch"] = json!({ "from": null, "to": branch });
        project.source.branch = Some(branch.to_owned());
    }
    project.updated_at = now;
    db::projects::update(connection, &project)?;
    let data = event::project_changed(&project, &["source.git_url"]);
    let deed = Deed::to_project("project.updated", &project, data).changing(changes);
    Ok(journal::write(connection, actor, deed, now)?)
}

/// Why a branch is not deployed, to stand after a colon.
pub(super) fn ignored(why: Ignored, project: &Project) -> String {
    match why {
        Ignored::AutoDeployOff => {
            "the project does not deploy what is pushed. Turn it on in its settings, or deploy it by hand".to_owned()
        }
        Ignored::SkipCi => "the message of its newest commit says so".to_owned(),
        Ignored::NoWatchedPath => "nothing has changed that the project watches".to_owned(),
        _ => {
            let production = match &project.source.branch {
                Some(branch) => format!("`{branch}`"),
                None => "`main` or `master`".to_owned(),
            };
            format!(
                "{production} goes to production, and the project makes no previews of other branches"
            )
        }
    }
}

/// What whoever pushed is told of what was refused.
pub(super) fn reason(error: &AppError) -> String {
    if let AppError::Internal(cause) = error {
        tracing::error!(cause, "a push could not be taken");
        return "an unexpected error occurred; the server's log names it".to_owned();
    }
    error.to_string()
}
