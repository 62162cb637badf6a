//! What calls of a hook do: they deploy what was pushed, once, or say why not.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::accept::Within;
use super::deployment_source::check_commit;
use super::deployments::NewDeployment;
use super::project_rules::check_branch_name;
use super::{App, AppError};
use crate::crypto::{digest, token};
use crate::db::push_hooks::{StoredHook, secret_identity};
use crate::db::{self, Connection};
use crate::model::actor::{Actor, Origin, Via};
use crate::model::api_key::{KeyKind, parse_key};
use crate::model::deployment::{Deployment, Target, Trigger};
use crate::model::forge::LONGEST_WAIT;
use crate::model::ids::DeploymentId;
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::push::{self, Ignored, Push, Sent, Signature, Told};
use crate::model::push_hook::HookKind;
use crate::model::user::Plan;

/// What a call is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Pong,
    Ignored(Ignored),
    Duplicate(DeploymentId),
    Accepted(DeploymentId),
}

/// What a call of a deploy hook may say.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub branch: Option<String>,
    pub commit_sha: Option<String>,
    pub message: Option<String>,
}

impl App {
    /// The hook of an address.
    ///
    /// # Errors
    /// There is none of this kind. The token is not repeated.
    pub async fn called_hook(&self, kind: HookKind, token: &str) -> Result<StoredHook, AppError> {
        let missing = || AppError::not_found("hook", "orbh_***");
        if parse_key(token) != Some(KeyKind::Hook) {
            return Err(missing());
        }
        let hash = token::hash(token);
        let found = self.db.read(move |c| db::push_hooks::find_by_token(c, kind, &hash)).await?;
        found.ok_or_else(missing)
    }

    /// Checks who sent a body; before anything of it is read.
    ///
    /// # Errors
    /// `Unauthorized`.
    pub fn check_signature(
        &self,
        stored: &StoredHook,
        sent: &Sent,
        body: &[u8],
    ) -> Result<(), AppError> {
        let sealed = stored.secret.as_deref().unwrap_or_default();
        let secret = self.open(&secret_identity(&stored.hook.id), sealed)?;
        let valid = match sent.signature(stored.hook.provider) {
            None => {
                return Err(AppError::Unauthorized {
                    reason: "missing_credentials",
                    message: "The request is not signed. Set the hook's secret at the forge.",
                });
            }
            Some(Signature::Secret(sent)) => token::same(sent, &secret),
            Some(Signature::Hmac(hex)) => token::unhex(hex)
                .is_some_and(|tag| digest::is_hmac_sha256(secret.as_bytes(), body, &tag)),
        };
        if valid {
            return Ok(());
        }
        Err(AppError::Unauthorized {
            reason: "invalid_signature",
            message: "The signature does not fit. Compare the secret at the forge with the hook's.",
        })
    }

    /// Takes what a forge tells.
    ///
    /// # Errors
    /// `Invalid` when it has not the forge's form, and whatever refuses a deployment.
    pub async fn receive_push(
        &self,
        stored: &StoredHook,
        origin: Origin,
        sent: &Sent,
        payload: &Map<String, Value>,
    ) -> Result<Outcome, AppError> {
        let (actor, project) = self.hook_actor(stored, origin).await?;
        let provider = stored.hook.provider;
        let told = push::read(provider, sent.event(provider), payload).map_err(|wrong| {
            let mut problems = Problems::default();
            if wrong.missing {
                problems.missing_fields.push(wrong.field.to_owned());
            } else {
                problems.invalid(wrong.field, "type", "Not what the forge sends here.");
            }
            AppError::Invalid(problems)
        })?;
        let mut outcomes = Vec::new();
        for (index, told) in told.into_iter().enumerate() {
            outcomes.push(match told {
                Told::Ping => Outcome::Pong,
                Told::Unsupported => Outcome::Ignored(Ignored::EventNotSupported),
                Told::Tag => Outcome::Ignored(Ignored::Tag),
                Told::Deleted(branch) => {
                    self.close_branch(&actor, &project, &branch).await?;
                    Outcome::Ignored(Ignored::BranchDeleted)
                }
                Told::Request(request) => {
                    let delivery = sent.delivery().map(|id| token::hash(&format!("{index}\n{id}")));
                    self.take_pull_request(&actor, stored, &project, &request, delivery).await?
                }
                Told::Pushed(push) => {
                    // One delivery of Bitbucket tells of several branches.
                    let delivery = sent.delivery().map(|id| token::hash(&format!("{index}\n{id}")));
                    self.deploy_push(&actor, stored, &project, push, delivery).await?
                }
            });
        }
        self.note_call(stored, &project).await?;
        Ok(foremost(outcomes))
    }

    async fn deploy_push(
        &self,
        actor: &Actor,
        stored: &StoredHook,
        project: &Project,
        push: Push,
        delivery: Option<[u8; 32]>,
    ) -> Result<Outcome, AppError> {
        if let Some(known) = self.known_delivery(stored, delivery).await? {
            return Ok(Outcome::Duplicate(known));
        }
        let target = match push::decide(stored.hook.rules(), project, &push) {
            Ok(target) => target,
            Err(why) => return Ok(Outcome::Ignored(why)),
        };
        let new = NewDeployment {
            branch: Some(push.branch),
            commit_sha: push.commit,
            target: Some(target.as_str().to_owned()),
            trigger: Some(Trigger::GitPush),
            ..NewDeployment::default()
        };
        self.accept_push(actor, stored, project, new, delivery).await
    }

    /// What was deployed for a delivery that was here before.
    pub(super) async fn known_delivery(
        &self,
        stored: &StoredHook,
        delivery: Option<[u8; 32]>,
    ) -> Result<Option<DeploymentId>, AppError> {
        let Some(delivery) = delivery else { return Ok(None) };
        let (id, now) = (stored.hook.id.clone(), self.clock.now());
        let known = move |c: &Connection| db::push_hooks::deployed_for(c, &id, &delivery, now);
        Ok(self.db.read(known).await?)
    }

    /// Accepts what a forge tells of, once; older pushes of the branch that wait are not needed any more.
    pub(super) async fn accept_push(
        &self,
        actor: &Actor,
        stored: &StoredHook,
        project: &Project,
        mut new: NewDeployment,
        delivery: Option<[u8; 32]>,
    ) -> Result<Outcome, AppError> {
        // A commit that is not named cannot be asked about.
        if stored.hook.wait_for_checks && new.commit_sha.is_some() {
            new.checks_until = Some(self.clock.now().plus(Duration::from_millis(LONGEST_WAIT)));
        }
        let before = Arc::new(OnceLock::new());
        let replaced = Arc::new(Mutex::new(Vec::new()));
        let within: Within = {
            let (app, actor, stored, owner) =
                (self.clone(), actor.clone(), stored.clone(), project.clone());
            let (before, replaced) = (before.clone(), replaced.clone());
            Arc::new(move |c: &Connection, deployment: &Deployment| {
                let (hook, now) = (&stored.hook, deployment.created_at);
                if db::push_hooks::find(c, &hook.project_id, &hook.id)?.is_none() {
                    return Err(AppError::not_found("hook", hook.id.as_str()));
                }
                if let Some(delivery) = &delivery {
                    if let Some(known) = db::push_hooks::deployed_for(c, &hook.id, delivery, now)? {
                        let _ = before.set(known);
                        // Nothing of this is kept; whoever called hears of the first one.
                        return Err(AppError::Internal("this delivery is known".to_owned()));
                    }
                    db::push_hooks::remember(c, &hook.id, delivery, &deployment.id, now)?;
                }
                let ended = app.replace_queued(c, &actor, &owner, deployment)?;
                replaced.lock().unwrap_or_else(PoisonError::into_inner).extend(ended);
                Ok(())
            })
        };
        let none = Problems::default();
        let accepted = self.accept_deployment(actor, project.clone(), new, none, within).await;
        if let Some(known) = before.get() {
            return Ok(Outcome::Duplicate(known.clone()));
        }
        let accepted = accepted?;
        let ended = std::mem::take(&mut *replaced.lock().unwrap_or_else(PoisonError::into_inner));
        self.end_canceled(project, &ended).await;
        Ok(Outcome::Accepted(accepted.id))
    }

    /// Takes a call of a deploy hook: the address alone says that it may.
    ///
    /// # Errors
    /// `Invalid`, and whatever refuses a deployment.
    pub async fn receive_deploy(
        &self,
        stored: &StoredHook,
        origin: Origin,
        wanted: Wanted,
        mut problems: Problems,
    ) -> Result<Outcome, AppError> {
        let (actor, project) = self.hook_actor(stored, origin).await?;
        if let Some(branch) = &wanted.branch {
            check_branch_name(branch, &mut problems);
        }
        if let Some(commit) = &wanted.commit_sha {
            check_commit(commit, &mut problems);
        }
        if let Some(message) = &wanted.message {
            problems.length("message", message, 0, 500);
        }
        AppError::check(problems)?;
        let hook = &stored.hook;
        let target = match &wanted.branch {
            Some(branch) => push::target_of(hook.rules(), &project, branch, None),
            None => Ok(Target::Production),
        };
        let outcome = match target {
            Err(why) => Outcome::Ignored(why),
            Ok(target) => {
                let new = NewDeployment {
                    branch: wanted.branch.or_else(|| hook.branch.clone()),
                    commit_sha: wanted.commit_sha,
                    message: wanted.message,
                    target: Some(target.as_str().to_owned()),
                    trigger: Some(Trigger::DeployHook),
                    ..NewDeployment::default()
                };
                let within: Within = Arc::new(|_, _| Ok(()));
                let none = Problems::default();
                let made = self.accept_deployment(&actor, project.clone(), new, none, within);
                Outcome::Accepted(made.await?.id)
            }
        };
        self.note_call(stored, &project).await?;
        Ok(outcome)
    }

    /// Who a call of a hook is, and its project.
    async fn hook_actor(
        &self,
        stored: &StoredHook,
        origin: Origin,
    ) -> Result<(Actor, Project), AppError> {
        let (id, user) = (stored.hook.project_id.clone(), stored.hook.created_by.clone());
        let read = move |c: &Connection| -> Result<_, db::DbError> {
            Ok((db::projects::find(c, &id)?, db::users::find(c, &user)?))
        };
        let (project, user) = self.db.read(read).await?;
        // Deleted a moment ago.
        let project = project.ok_or_else(|| AppError::not_found("hook", "orbh_***"))?;
        if user.as_ref().is_some_and(|user| user.suspended) {
            return Err(AppError::Forbidden {
                reason: "suspended",
                message: "The account that made this hook is suspended.".to_owned(),
                details: json!({}),
            });
        }
        let hook = &stored.hook;
        let actor = Actor {
            user_id: hook.created_by.clone(),
            user_name: user.map(|user| user.name).unwrap_or_default(),
            team_id: project.team_id.clone(),
            instance_admin: false,
            plan: Plan::Free,
            via: Via::Hook {
                id: hook.id.clone(),
                name: hook.name(),
                project_id: project.id.clone(),
            },
            origin,
        };
        Ok((actor, project))
    }

    async fn note_call(&self, stored: &StoredHook, project: &Project) -> Result<(), AppError> {
        let (id, now) = (stored.hook.id.clone(), self.clock.now());
        self.db.write(move |c| db::push_hooks::received(c, &id, now)).await?;
        self.told_of(project);
        Ok(())
    }
}

/// Of several outcomes the one that matters most to whoever asked; of equals the first.
fn foremost(outcomes: Vec<Outcome>) -> Outcome {
    let weight = |outcome: &Outcome| match outcome {
        Outcome::Accepted(_) => 0,
        Outcome::Duplicate(_) => 1,
        Outcome::Pong => 2,
        Outcome::Ignored(_) => 3,
    };
    let first = outcomes.into_iter().min_by_key(weight);
    first.unwrap_or(Outcome::Ignored(Ignored::EventNotSupported))
}
