//! The hooks of a project: made, listed, given a new address and secret, deleted.

use serde_json::json;

use super::journal::{self, Deed};
use super::may::Action;
use super::project_rules::check_branch_name;
use super::terms::Terms;
use super::{App, AppError};
use crate::crypto::{random, token};
use crate::db;
use crate::db::page::{Page, PageRequest};
use crate::db::push_hooks::{StoredHook, secret_identity, token_identity};
use crate::events::Change;
use crate::model::actor::Actor;
use crate::model::api_key::KeyKind;
use crate::model::audit::{self, Party};
use crate::model::ids::HookId;
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::push_hook::{HookKind, MOST, Provider, PushHook};

/// A hook to make. A field that was sent with a wrong type is `None` and stands in the problems.
#[derive(Clone, Debug, Default)]
pub struct NewHook {
    pub kind: Option<String>,
    /// `generic` when it is not sent.
    pub provider: Option<String>,
    pub branch: Option<String>,
    pub previews: Option<bool>,
    pub pull_requests: Option<bool>,
    pub wait_for_checks: Option<bool>,
}

/// A hook with its address.
#[derive(Clone, Debug)]
pub struct ShownHook {
    pub hook: PushHook,
    pub url: String,
    /// Only right after it was made, and only of a hook that has one.
    pub secret: Option<String>,
}

/// A token and a secret that nobody has seen yet.
struct Credentials {
    token: String,
    secret: Option<String>,
}

impl Credentials {
    fn new(kind: HookKind) -> Self {
        let secret = (kind == HookKind::Git).then(token::new_opaque);
        Self { token: token::new_key(KeyKind::Hook), secret }
    }
}

impl App {
    /// Makes a hook.
    ///
    /// # Errors
    /// `Invalid`, no such project, or a conflict `too_many_hooks` when the project has as many as it may.
    pub async fn create_hook(
        &self,
        actor: &Actor,
        project: &str,
        new: NewHook,
        mut problems: Problems,
        terms: &Terms<ShownHook>,
    ) -> Result<ShownHook, AppError> {
        let project = self.project_for(actor, Action::ProjectsWrite, project).await?;
        terms.admit(self, None).await?;
        problems.require("kind", new.kind.as_ref());
        let kind = new.kind.as_deref().and_then(HookKind::parse);
        if new.kind.is_some() && kind.is_none() {
            problems.unknown_value("kind", HookKind::ALL.iter().map(|kind| kind.as_str()));
        }
        let provider = new.provider.as_deref().map_or(Some(Provider::Generic), Provider::parse);
        if provider.is_none() {
            let known = Provider::ALL.iter().map(|provider| provider.as_str());
            problems.unknown_value("provider", known);
        }
        if let Some(branch) = &new.branch {
            check_branch_name(branch, &mut problems);
        }
        if new.wait_for_checks == Some(true) {
            let id = project.id.clone();
            let forge = self.db.read(move |c| db::forges::find(c, &id)).await?;
            if forge.is_none() || kind == Some(HookKind::Deploy) {
                let message = "For a forge's pushes, and only where the project's forge is set: it is asked with its token.";
                problems.invalid("wait_for_checks", "mutually_exclusive", message);
            }
        }
        AppError::check(problems)?;
        let hook = PushHook {
            id: HookId::from_random(random::bytes()),
            project_id: project.id.clone(),
            kind: kind.unwrap_or(HookKind::Git),
            provider: provider.unwrap_or(Provider::Generic),
            branch: new.branch,
            previews: new.previews.unwrap_or(false),
            pull_requests: new.pull_requests.unwrap_or(false),
            wait_for_checks: new.wait_for_checks.unwrap_or(false),
            created_by: actor.user_id.clone(),
            created_at: self.clock.now(),
            last_received_at: None,
            revision: 1,
        };
        let credentials = Credentials::new(hook.kind);
        let (stored, hash) = self.sealed(&hook, &credentials);
        let made = self.hook_shown(hook, credentials);
        let (app, actor, terms) = (self.clone(), actor.clone(), terms.clone());
        let (answer, owner) = (made.clone(), project.clone());
        self.db
            .write(move |c| -> Result<(), AppError> {
                if db::projects::find(c, &owner.id)?.is_none() {
                    return Err(AppError::not_found("project", owner.id.as_str()));
                }
                if db::push_hooks::count(c, &owner.id)? >= MOST {
                    return Err(AppError::Conflict {
                        reason: "too_many_hooks",
                        message: format!("A project may have {MOST} hooks. Delete one first."),
                        details: json!({ "limit": MOST }),
                    });
                }
                db::push_hooks::insert(c, &stored, &hash)?;
                let changes = audit::changes(&json!({}), &told(&stored.hook));
                let deed = deed("hook.created", &stored.hook, &owner).changing(changes);
                journal::write(c, &actor, deed, stored.hook.created_at)?;
                terms.settle(&app, c, &answer)
            })
            .await?;
        self.told_of(&project);
        Ok(made)
    }

    /// A page of a project's hooks with their addresses.
    ///
    /// # Errors
    /// No such project, or the key lacks `projects:write`: an address is a credential.
    pub async fn hooks(
        &self,
        actor: &Actor,
        project: &str,
        page: PageRequest,
    ) -> Result<Page<ShownHook>, AppError> {
        let project = self.project_for(actor, Action::ProjectsWrite, project).await?;
        let found = self.db.read(move |c| db::push_hooks::list(c, &project.id, page)).await?;
        let items = found.items.into_iter().map(|stored| self.opened(stored));
        Ok(Page { items: items.collect::<Result<_, _>>()?, total: found.total })
    }

    /// Gives a hook another address and another secret; the old ones are refused at once.
    ///
    /// # Errors
    /// No such project or hook.
    pub async fn rotate_hook(
        &self,
        actor: &Actor,
        project: &str,
        id: &str,
        terms: &Terms<ShownHook>,
    ) -> Result<ShownHook, AppError> {
        let (project, found) = self.hook_for(actor, project, id).await?;
        terms.admit(self, Some(found.hook.revision)).await?;
        let credentials = Credentials::new(found.hook.kind);
        let (stored, hash) = self.sealed(&found.hook, &credentials);
        let revision = found.hook.revision + 1;
        let hook = PushHook { last_received_at: None, revision, ..found.hook };
        let made = self.hook_shown(hook, credentials);
        let (app, actor, terms, now) =
            (self.clone(), actor.clone(), terms.clone(), self.clock.now());
        let (answer, owner) = (made.clone(), project.clone());
        self.db
            .write(move |c| -> Result<(), AppError> {
                match db::push_hooks::replace(c, &stored, &hash) {
                    Err(db::DbError::Stale) => {
                        return Err(AppError::not_found("hook", stored.hook.id.as_str()));
                    }
                    other => other?,
                }
                let changed = json!({ "url": { "from": "***", "to": "***" } });
                let deed = deed("hook.rotated", &stored.hook, &owner).changing(changed);
                journal::write(c, &actor, deed, now)?;
                terms.settle(&app, c, &answer)
            })
            .await?;
        self.told_of(&project);
        Ok(made)
    }

    /// Deletes a hook: its address is unknown from now on. What it deployed stays.
    ///
    /// # Errors
    /// No such project or hook.
    pub async fn delete_hook(
        &self,
        actor: &Actor,
        project: &str,
        id: &str,
        terms: &Terms<()>,
    ) -> Result<(), AppError> {
        let (project, found) = self.hook_for(actor, project, id).await?;
        terms.admit(self, Some(found.hook.revision)).await?;
        let (actor, owner, now) = (actor.clone(), project.clone(), self.clock.now());
        self.db
            .write(move |c| -> Result<(), AppError> {
                match db::push_hooks::delete(c, &found.hook.id) {
                    Err(db::DbError::Stale) => {
                        return Err(AppError::not_found("hook", found.hook.id.as_str()));
                    }
                    other => other?,
                }
                let changes = audit::changes(&told(&found.hook), &json!({}));
                let deed = deed("hook.deleted", &found.hook, &owner).changing(changes);
                Ok(journal::write(c, &actor, deed, now)?)
            })
            .await?;
        self.told_of(&project);
        Ok(())
    }

    async fn hook_for(
        &self,
        actor: &Actor,
        project: &str,
        id: &str,
    ) -> Result<(Project, StoredHook), AppError> {
        let project = self.project_for(actor, Action::ProjectsWrite, project).await?;
        let missing = || AppError::not_found("hook", id);
        let wanted = HookId::parse(id).ok_or_else(missing)?;
        let owner = project.id.clone();
        let found = self.db.read(move |c| db::push_hooks::find(c, &owner, &wanted)).await?;
        Ok((project, found.ok_or_else(missing)?))
    }

    fn sealed(&self, hook: &PushHook, credentials: &Credentials) -> (StoredHook, [u8; 32]) {
        let Credentials { token, secret } = credentials;
        let stored = StoredHook {
            hook: hook.clone(),
            token: self.secrets.seal(&token_identity(&hook.id), token.as_bytes()),
            secret: secret
                .as_ref()
                .map(|secret| self.secrets.seal(&secret_identity(&hook.id), secret.as_bytes())),
        };
        (stored, token::hash(token))
    }

    fn hook_shown(&self, hook: PushHook, credentials: Credentials) -> ShownHook {
        let Credentials { token, secret } = credentials;
        let (server, kind) = (self.hosts.dashboard_url(), hook.kind.as_str());
        ShownHook { hook, url: format!("{server}/api/v1/hooks/{kind}/{token}"), secret }
    }

    fn opened(&self, stored: StoredHook) -> Result<ShownHook, AppError> {
        let token = self.open(&token_identity(&stored.hook.id), &stored.token)?;
        Ok(self.hook_shown(stored.hook, Credentials { token, secret: None }))
    }

    /// What was sealed of a hook.
    pub(super) fn open(&self, identity: &str, sealed: &[u8]) -> Result<String, AppError> {
        let plain = self.secrets.open(identity, sealed);
        plain
            .ok()
            .and_then(|plain| String::from_utf8(plain).ok())
            .ok_or_else(|| AppError::Internal("what is sealed of a hook does not open".to_owned()))
    }

    /// Pages of the project look again.
    pub(super) fn told_of(&self, project: &Project) {
        self.bus.send(Change::Project(project.team_id.clone(), project.id.clone()));
    }
}

/// What of a hook stands in the audit log.
fn told(hook: &PushHook) -> serde_json::Value {
    json!({
        "kind": hook.kind.as_str(), "provider": hook.provider.as_str(), "branch": hook.branch,
        "previews": hook.previews, "pull_requests": hook.pull_requests,
        "wait_for_checks": hook.wait_for_checks,
    })
}

/// For the audit log alone.
fn deed<'a>(action: &'static str, hook: &PushHook, project: &'a Project) -> Deed<'a> {
    let target = Party::new("hook", &hook.id, &hook.name());
    Deed { target, data: None, ..Deed::to_project(action, project, json!({})) }
}
