//! The push hooks of a project in its settings: what there is, one more, another address, deleting.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::respond::{self, Answer, see_other};
use super::settings;
use super::settings_form::{section as form, setting};
use super::show::{form_errors, moment};
use super::{PageError, Pages, Visitor};
use crate::app::AppError;
use crate::app::push_hooks::{NewHook, ShownHook};
use crate::app::terms::Terms;
use crate::db::page::PageRequest;
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::push_hook::{HookKind, MOST, Provider, PushHook};
use crate::web::csrf::Fields;
use crate::web::view::form::Errors;
use crate::web::view::push_hooks::{CreatedHook, HookRow, NewHookForm, PushHooks};
use crate::web::view::settings::{Kind, Section};
use crate::web::view::shell::Notice;

/// The API's names of what the form asks for.
const FIELDS: [(&str, &str); 6] = [
    ("kind", "hook_provider"),
    ("provider", "hook_provider"),
    ("branch", "hook_branch"),
    ("previews", "hook_previews"),
    ("pull_requests", "hook_pull_requests"),
    ("wait_for_checks", "hook_checks"),
];
const AUTO: &[(&str, &str)] = &[("true", "A push deploys"), ("false", "A push deploys nothing")];
const PREVIEWS: &[(&str, &str)] =
    &[("false", "What each hook says below"), ("true", "A push of any hook makes a preview")];
const FORKS: &[(&str, &str)] =
    &[("false", "They make no previews"), ("true", "They make previews")];
/// The choice that is a kind and no forge.
const SCRIPT: &str = "deploy";

/// The form for what a push does, whoever tells of it.
pub fn section(project: &Project) -> Section {
    let choice = |name, label, hint: &'static str, value: bool, choices| {
        setting(name, label, hint, value.to_string(), Kind::Choice(choices))
    };
    form(
        "pushes",
        "Pushes",
        "Applies to the next push.",
        vec![
            choice(
                "auto_deploy",
                "The branch of production",
                "Hooks for scripts deploy in either case.",
                project.auto_deploy,
                AUTO,
            ),
            choice(
                "preview_deployments",
                "Other branches",
                "A preview has an address of its own and goes when its branch is deleted.",
                project.preview_deployments,
                PREVIEWS,
            ),
            choice(
                "fork_previews",
                "Pull requests of forks",
                "Where a hook takes pull requests. Strangers write what is run then: it gets no variable that is marked sensitive.",
                project.source.fork_previews,
                FORKS,
            ),
        ],
    )
}

/// What there is. `created` is the id of a hook whose secret nobody has seen yet.
pub async fn card(
    pages: &Pages,
    visitor: &Visitor,
    project: &Project,
    created: &str,
) -> Result<PushHooks, PageError> {
    let request = PageRequest { page: 1, limit: MOST };
    let found = pages.app.hooks(&visitor.signed_in.actor, project.id.as_str(), request).await?;
    let shown = found.items.iter().find(|shown| shown.hook.id.as_str() == created);
    let created = shown.and_then(|shown| {
        let secret = pages.new_keys.take(&visitor.signed_in.user.id, shown.hook.id.as_str())?;
        Some(CreatedHook {
            name: shown.hook.name(),
            url: shown.url.clone(),
            secret: Some(secret).filter(|secret| !secret.is_empty()),
            steps: steps(&shown.hook),
        })
    });
    let rows = found.items.iter().map(|shown| row(shown, project)).collect();
    Ok(PushHooks { rows, created, ..PushHooks::default() })
}

fn row(shown: &ShownHook, project: &Project) -> HookRow {
    let hook = &shown.hook;
    let branch = hook.branch.as_ref().or(project.source.branch.as_ref());
    let production = match branch {
        Some(branch) => format!("`{branch}` to production"),
        None => "The default branch to production".to_owned(),
    };
    let previews = hook.previews || project.preview_deployments;
    HookRow {
        id: hook.id.to_string(),
        name: hook.name(),
        deploys: {
            let what = match (previews, hook.pull_requests) {
                (true, _) => format!("{production}, all others as previews"),
                (false, true) => format!("{production}, pull requests as previews"),
                (false, false) => production,
            };
            if hook.wait_for_checks {
                format!("{what}, when their checks have passed")
            } else {
                what
            }
        },
        url: shown.url.clone(),
        heard: hook.last_received_at.map(moment),
        steps: steps(hook),
    }
}

/// What is to be done with a hook.
fn steps(hook: &PushHook) -> [&'static str; 2] {
    match (hook.kind, hook.provider) {
        (HookKind::Deploy, _) => [
            "Send a `POST` to the address, empty or with `branch`, `commit_sha` and `message` as JSON.",
            "Whoever knows the address can deploy: keep it like a password.",
        ],
        (_, Provider::Github) => [
            "In the repository: Settings, Webhooks, Add webhook.",
            "Content type `application/json`, the address and the secret from here, the push event and, for previews of them, pull requests.",
        ],
        (_, Provider::Gitlab) => [
            "In the project: Settings, Webhooks, Add new webhook.",
            "The address from here, the secret as secret token, push and merge request events as trigger.",
        ],
        (_, Provider::Gitea) => [
            "In the repository: Settings, Webhooks, Add webhook, Gitea.",
            "`POST` with `application/json`, the address and the secret from here, push, delete and pull request events.",
        ],
        (_, Provider::Forgejo) => [
            "In the repository: Settings, Webhooks, Add webhook, Forgejo.",
            "`POST` with `application/json`, the address and the secret from here, push, delete and pull request events.",
        ],
        (_, Provider::Bitbucket) => [
            "In the repository: Repository settings, Webhooks, Add webhook.",
            "The address and the secret from here, repository push and the pull request events as triggers.",
        ],
        (_, Provider::Generic) => [
            "Send a `POST` with JSON to the address: `ref` and `after` as GitHub does.",
            "`X-Hub-Signature-256` is `sha256=` and the HMAC-SHA-256 of the body with the secret.",
        ],
    }
}

/// `POST …/settings/hooks`. The secret waits in memory for the page that shows it.
pub async fn create(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    fields: Fields,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    let project = pages.app.project(actor, &name).await?;
    let form = NewHookForm {
        provider: fields.trimmed("hook_provider").to_owned(),
        branch: fields.trimmed("hook_branch").to_owned(),
        previews: fields.get("hook_previews") == "yes",
        pull_requests: fields.get("hook_pull_requests") == "yes",
        wait_for_checks: fields.get("hook_checks") == "yes",
    };
    let script = form.provider == SCRIPT;
    let new = NewHook {
        kind: Some(if script { HookKind::Deploy } else { HookKind::Git }.as_str().to_owned()),
        provider: (!script).then(|| form.provider.clone()),
        branch: Some(form.branch.clone()).filter(|branch| !branch.is_empty()),
        previews: Some(form.previews),
        pull_requests: Some(form.pull_requests),
        wait_for_checks: Some(form.wait_for_checks),
    };
    let (none, terms) = (Problems::default(), Terms::none());
    match pages.app.create_hook(actor, project.id.as_str(), new, none, &terms).await {
        Ok(made) => Ok(shown_once(&pages, &visitor, &project, made)),
        Err(error) => {
            let (status, errors) = match error {
                AppError::Invalid(problems) => {
                    (StatusCode::UNPROCESSABLE_ENTITY, form_errors(&problems, &FIELDS))
                }
                AppError::Conflict { message, .. } => {
                    (StatusCode::CONFLICT, Errors::one("", message))
                }
                other => return Err(other.into()),
            };
            let mut page = settings::page(&pages, &visitor, &project, visitor.bare_shell()).await?;
            (page.hooks.errors, page.hooks.form) = (errors, form);
            respond::html_with(status, &page)
        }
    }
}

/// Leads to the page that shows a new hook once.
fn shown_once(pages: &Pages, visitor: &Visitor, project: &Project, made: ShownHook) -> Response {
    let id = made.hook.id.to_string();
    let address = format!("/dashboard/projects/{}/settings?hook={id}#new-hook", project.name);
    let owner = visitor.signed_in.user.id.clone();
    pages.new_keys.put(owner, id, made.secret.unwrap_or_default());
    see_other(&address)
}

/// `POST …/settings/hooks/{id}/rotate`.
pub async fn rotate(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    let project = pages.app.project(actor, &name).await?;
    let made = pages.app.rotate_hook(actor, project.id.as_str(), &id, &Terms::none()).await?;
    Ok(shown_once(&pages, &visitor, &project, made))
}

/// `POST …/settings/hooks/{id}/delete`.
pub async fn delete(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    let project = pages.app.project(actor, &name).await?;
    pages.app.delete_hook(actor, project.id.as_str(), &id, &Terms::none()).await?;
    visitor.tell(Notice::good("The hook is deleted. Delete it at the forge as well.")).await?;
    Ok(see_other(&format!("/dashboard/projects/{}/settings#hooks", project.name)))
}
