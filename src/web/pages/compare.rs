//! `/dashboard/deployments/{id}/compare/{other}`: what changed from one deployment to another.

use axum::extract::{Path, State};

use super::receipt::{cores, megabytes, short_digest, short_id};
use super::respond::{self, Answer};
use super::{PageError, Pages, Visitor, show};
use crate::app::AppError;
use crate::model::deployment::Deployment;
use crate::model::receipt::difference::{Difference, FieldChange};
use crate::web::view::compare::{Change, ComparePage, Side, Timing};
use crate::web::view::text::Foreign;
use crate::web::view::time::Millis;

/// The page. Two deployments of different projects have nothing to compare.
pub async fn show(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path((before, after)): Path<(String, String)>,
) -> Answer {
    let compared = pages.app.compare(&visitor.signed_in.actor, &before, &after).await;
    let compared = match compared {
        Err(AppError::Invalid(_)) => return Err(PageError::not_found()),
        other => other?,
    };
    let Difference { fields, variables, commits, timings } = compared.difference;
    let sha = |side: &Option<crate::model::receipt::CommitFacts>| {
        side.as_ref().map(|commit| commit.sha.clone())
    };
    let timings = timings.into_iter().filter_map(|timing| {
        Some(Timing {
            phase: show::phase(timing.phase)?,
            before: timing.before_ms.map(Millis),
            after: timing.after_ms.map(Millis),
        })
    });
    respond::html(&ComparePage {
        shell: visitor.shell().await?,
        project: compared.project.name,
        before: side(&compared.before),
        after: side(&compared.after),
        same_commit: sha(&commits.before) == sha(&commits.after),
        fields: fields.into_iter().map(change).collect(),
        added: variables.added,
        removed: variables.removed,
        changed: variables.changed,
        timings: timings.collect(),
    })
}

fn side(deployment: &Deployment) -> Side {
    let commit = show::commit(deployment);
    Side {
        id: deployment.id.to_string(),
        name: show::short(deployment),
        subject: commit.map_or_else(|| Foreign(show::trigger(deployment)), |commit| commit.subject),
        status: show::status(deployment),
        at: show::moment(deployment.created_at),
    }
}

/// A fact as people call it.
fn change(change: FieldChange) -> Change {
    let (label, write): (String, fn(&str) -> String) = match change.field.as_str() {
        "branch" => ("Branch".to_owned(), own),
        "image.id" => ("Image".to_owned(), short_id),
        "image.size_bytes" => ("Size of the image".to_owned(), bytes),
        "image.reference" => ("Pulled as".to_owned(), own),
        "files.count" => ("Files".to_owned(), own),
        "files.bytes" => ("Size of the files".to_owned(), bytes),
        "plan.framework" => ("Framework".to_owned(), |id| show::framework(id).to_owned()),
        "plan.output" => ("What is built".to_owned(), |kind| kind.replace('_', " ")),
        "plan.install_command" => ("Install command".to_owned(), own),
        "plan.build_command" => ("Build command".to_owned(), own),
        "plan.release_command" => ("Release command".to_owned(), own),
        "plan.start_command" => ("Start command".to_owned(), own),
        "plan.port" => ("Port".to_owned(), own),
        "limits.memory_mb" => ("Memory".to_owned(), |limit| format!("{limit} MiB")),
        "limits.cpu_millis" => {
            ("Cores".to_owned(), |millis| millis.parse().map_or_else(|_| millis.to_owned(), cores))
        }
        "limits.instances" => ("Instances".to_owned(), own),
        "project_hostnames" => ("Host names".to_owned(), own),
        other => match other.split_once("base_images.") {
            Some((_, name)) => (format!("Base image {name}"), short_digest),
            None => match other.split_once("plan.versions.") {
                Some((_, name)) => (format!("Version of {name}"), own),
                None => (other.to_owned(), own),
            },
        },
    };
    let label = Foreign(label).plain();
    let shown = |value: Option<String>| value.map(|value| Foreign(write(&value)));
    Change { label, before: shown(change.before), after: shown(change.after) }
}

fn own(text: &str) -> String {
    text.to_owned()
}

fn bytes(text: &str) -> String {
    text.parse().map_or_else(|_| text.to_owned(), megabytes)
}
