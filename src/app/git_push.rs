//! What a push to this server's own Git address does: it is kept as the project's repository, and its branches are
//! deployed by the same rules as those a forge tells of.

use std::sync::{Arc, Mutex, PoisonError};

use super::accept::Within;
use super::deployments::NewDeployment;
use super::git_refs::{Named, ignored, moved, named, reason};
use super::may::{Action, require_scope};
use super::{App, AppError};
use crate::db::{self, Connection, DbError};
use crate::events::Change;
use crate::failpoint;
use crate::git::pushed::{PackRefused, PushedTo, READ_ON};
use crate::git::receive::{Command, PushRequest, Reader, Report};
use crate::git::repack::MANY;
use crate::logs::LogName;
use crate::model::actor::Actor;
use crate::model::deployment::{Deployment, Target, Trigger};
use crate::model::git_url::pushed_to;
use crate::model::ids::DeploymentId;
use crate::model::log_line::LogLine;
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::push::{self, MOST_CHANGES, Push, Rules};
use crate::model::watch_paths::Changes;
use futures_util::stream::BoxStream;

/// Most branches and tags of a repository.
const MOST_REFS: usize = 1000;

/// What became of a push.
#[derive(Debug)]
pub struct Received {
    pub report: Report,
    /// What whoever pushed is told beside it, in lines.
    pub said: Vec<String>,
    /// In the order in which they are built.
    pub deployments: Vec<Deployment>,
}

/// What a command has led to.
enum Done {
    Said(String),
    Deployed(Box<Deployment>),
}

impl App {
    /// The project that is pushed to.
    ///
    /// # Errors
    /// There is none that this actor sees, or the key lacks `deployments:write`.
    pub async fn project_to_push(&self, actor: &Actor, project: &str) -> Result<Project, AppError> {
        self.project_for(actor, Action::DeploymentsWrite, project).await
    }

    /// The branches and tags of a project's own repository: names and objects.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn pushed_refs(&self, project: &Project) -> Result<Vec<(String, String)>, AppError> {
        let id = project.id.clone();
        let found = self.db.read(move |c| db::pushed_refs::list(c, &id)).await?;
        Ok(found.into_iter().map(|one| (one.name, one.object)).collect())
    }

    /// Takes in a push. Until its objects are here whole nothing is changed; then each ref is moved in a transaction that
    /// also accepts its deployment.
    ///
    /// # Errors
    /// The client is gone in the middle.
    pub async fn receive_git(
        &self,
        actor: &Actor,
        project: &Project,
        request: &PushRequest,
        reader: &mut Reader,
    ) -> Result<Received, PackRefused> {
        let Some(repository) = self.repositories.enter(&project.id).await? else {
            let why = "another push to this project is being received; push again";
            return refused(request, reader, why).await;
        };
        failpoint::pass("push.begin").await;
        for commit in &request.shallow {
            if !repository.has(commit).await? {
                let why = "shallow clones cannot be pushed; fetch the whole history (git fetch --unshallow)";
                return refused(request, reader, why).await;
            }
        }
        if request.has_pack()
            && let Err(why) = repository.take(reader).await
        {
            if matches!(why, PackRefused::Unreadable(_)) {
                return Err(why);
            }
            if let PackRefused::Failed(cause) = &why {
                tracing::error!(project = %project.id, cause, "a push could not be stored");
            }
            let each =
                |command: &Command| (command.name.clone(), Err("nothing was taken in".to_owned()));
            let refs = request.commands.iter().map(each).collect();
            let report = Report { pack: Err(why.to_string()), refs };
            return Ok(Received { report, said: Vec::new(), deployments: Vec::new() });
        }
        failpoint::pass("push.taken").await;
        let mut received = Received {
            report: Report { pack: Ok(()), refs: Vec::new() },
            said: Vec::new(),
            deployments: Vec::new(),
        };
        for command in &request.commands {
            let done = self.move_ref(actor, project, &repository, command, &received).await;
            let outcome = match done {
                Ok(Done::Said(text)) => {
                    received.said.push(text);
                    Ok(())
                }
                Ok(Done::Deployed(deployment)) => {
                    received.deployments.push(*deployment);
                    Ok(())
                }
                Err(why) => Err(why),
            };
            received.report.refs.push((command.name.clone(), outcome));
        }
        if let Some(other) = project.source.git_url.as_ref()
            && *other != pushed_to(&project.id)
            && !received.deployments.is_empty()
        {
            let said = format!(
                "The project's source stays {other}: what is pushed there next is deployed over this."
            );
            received.said.push(said);
        }
        self.told_of(project);
        let packs = repository.packs().await.unwrap_or(0);
        drop(repository);
        if packs >= MANY {
            let (repositories, id) = (self.repositories.clone(), project.id.clone());
            let stopping = self.stopping.clone();
            // Nobody waits for it, and the next push begins it again when it is cut off.
            tokio::spawn(async move { repositories.repack(&id, stopping).await });
        }
        Ok(received)
    }

    /// Does what one command asks for.
    async fn move_ref(
        &self,
        actor: &Actor,
        project: &Project,
        repository: &PushedTo,
        command: &Command,
        so_far: &Received,
    ) -> Result<Done, String> {
        let named = named(&command.name)?;
        let Some(new) = &command.new else {
            return self.remove_ref(actor, project, command, &named).await;
        };
        if command.old.is_none() {
            let all = self.pushed_refs(project).await.map_err(|error| reason(&error))?;
            if all.len() >= MOST_REFS {
                return Err(format!("a repository has at most {MOST_REFS} branches and tags"));
            }
        }
        let branch = match named {
            Named::Branch(branch) => branch,
            Named::Tag(tag) => {
                if !repository.has(new).await.map_err(|error| error.to_string())? {
                    return Err("what it names is missing".to_owned());
                }
                let kept = self.keep_ref(actor, project, command).await;
                kept.map_err(|error| reason(&error))?;
                return Ok(Done::Said(format!(
                    "The tag `{tag}` is kept. Only branches are deployed."
                )));
            }
        };
        let message = repository.message(new).await.map_err(|error| error.to_string())?;
        let message = message.ok_or("a branch is at a commit, and this is none that is here")?;
        let changes = match &command.old {
            Some(old) if !project.source.watch_paths.is_empty() => {
                repository.changes(old, new).await.map_err(|error| error.to_string())?
            }
            _ => Changes::Unknown,
        };
        let push = Push {
            branch: branch.to_owned(),
            commit: Some(new.clone()),
            message,
            changes,
            default_branch: None,
        };
        let decided = if so_far.deployments.len() < MOST_CHANGES {
            push::decide(Rules::default(), project, &push).map_err(|why| ignored(why, project))
        } else {
            Err(format!("a push deploys at most {MOST_CHANGES} branches"))
        };
        match decided {
            Ok(target) => {
                let deployed = self.deploy_ref(actor, project, command, branch, target).await;
                deployed.map(|one| Done::Deployed(Box::new(one))).map_err(|error| reason(&error))
            }
            Err(why) => {
                let kept = self.keep_ref(actor, project, command).await;
                kept.map_err(|error| reason(&error))?;
                Ok(Done::Said(format!("`{branch}` is kept and not deployed: {why}.")))
            }
        }
    }

    async fn remove_ref(
        &self,
        actor: &Actor,
        project: &Project,
        command: &Command,
        named: &Named<'_>,
    ) -> Result<Done, String> {
        let missing = || "it is not there".to_owned();
        if command.old.is_none() {
            return Err(missing());
        }
        if let Named::Branch(branch) = named {
            // First what hangs on it: cut off in between, the branch is still there and is deleted again.
            let closed = self.close_branch(actor, project, branch).await;
            closed.map_err(|error| reason(&error))?;
        }
        let removed = self.keep_ref(actor, project, command).await;
        removed.map_err(|error| reason(&error))?;
        Ok(Done::Said(match named {
            Named::Branch(branch) => {
                format!("The branch `{branch}` is deleted, and its previews with it.")
            }
            Named::Tag(tag) => format!("The tag `{tag}` is deleted."),
        }))
    }

    /// Moves a ref and deploys nothing.
    async fn keep_ref(
        &self,
        actor: &Actor,
        project: &Project,
        command: &Command,
    ) -> Result<(), AppError> {
        let (actor, owner, command) = (actor.clone(), project.clone(), command.clone());
        let now = self.clock.now();
        self.db.write(move |c| moved(c, &actor, &owner, &command, None, now)).await
    }

    /// Moves a branch and deploys its commit.
    async fn deploy_ref(
        &self,
        actor: &Actor,
        project: &Project,
        command: &Command,
        branch: &str,
        target: Target,
    ) -> Result<Deployment, AppError> {
        let replaced = Arc::new(Mutex::new(Vec::new()));
        let within: Within = {
            let (app, actor, owner) = (self.clone(), actor.clone(), project.clone());
            let (command, replaced) = (command.clone(), replaced.clone());
            let production = (target == Target::Production).then(|| branch.to_owned());
            Arc::new(move |c: &Connection, deployment: &Deployment| {
                let now = deployment.created_at;
                moved(c, &actor, &owner, &command, production.as_deref(), now)?;
                let ended = app.replace_queued(c, &actor, &owner, deployment)?;
                // Tried again, it starts anew.
                *replaced.lock().unwrap_or_else(PoisonError::into_inner) = ended;
                Ok(())
            })
        };
        let new = NewDeployment {
            git_url: Some(pushed_to(&project.id)),
            branch: Some(branch.to_owned()),
            commit_sha: command.new.clone(),
            target: Some(target.as_str().to_owned()),
            trigger: Some(Trigger::GitPush),
            ..NewDeployment::default()
        };
        let none = Problems::default();
        let accepted = self.accept_deployment(actor, project.clone(), new, none, within).await?;
        let ended = std::mem::take(&mut *replaced.lock().unwrap_or_else(PoisonError::into_inner));
        self.end_canceled(project, &ended).await;
        Ok(accepted)
    }

    /// The log of a deployment that a push has made, as it comes, and whether whoever pushed may read it.
    pub fn push_log(
        &self,
        actor: &Actor,
        deployment: &DeploymentId,
    ) -> (BoxStream<'static, LogLine>, bool) {
        let lines = self.logs.follow(LogName::Build(deployment.clone()), 0);
        (lines, require_scope(actor, Action::LogsRead).is_ok())
    }

    /// How a deployment stands that a push has made.
    ///
    /// # Errors
    /// It was deleted, or the database cannot be read.
    pub async fn pushed_deployment(
        &self,
        id: &DeploymentId,
    ) -> Result<(Deployment, Project), AppError> {
        let wanted = id.clone();
        let found = self.db.read(move |c| -> Result<_, DbError> {
            let Some(deployment) = db::deployments::find(c, &wanted)? else { return Ok(None) };
            let project = db::projects::find(c, &deployment.project_id)?;
            Ok(project.map(|project| (deployment, project)))
        });
        found.await?.ok_or_else(|| AppError::not_found("deployment", id.as_str()))
    }

    /// Completes when something happens to a deployment, or may have.
    pub async fn change_of(
        changes: &mut tokio::sync::broadcast::Receiver<Change>,
        id: &DeploymentId,
    ) {
        loop {
            match changes.recv().await {
                Ok(Change::Deployment(_, _, changed)) if changed == *id => return,
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}

/// Answers that no ref was moved, once the client has sent everything.
async fn refused(
    request: &PushRequest,
    reader: &mut Reader,
    why: &str,
) -> Result<Received, PackRefused> {
    reader.discard(READ_ON).await?;
    let refs = request.commands.iter().map(|one| (one.name.clone(), Err(why.to_owned())));
    let report = Report { pack: Ok(()), refs: refs.collect() };
    Ok(Received { report, said: Vec::new(), deployments: Vec::new() })
}
