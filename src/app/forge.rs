//! The forge that a project's code comes from: which one it is, and the token that it is told with.

use serde_json::json;
use url::Url;

use super::journal::{self, Deed};
use super::may::Action;
use super::terms::Terms;
use super::{App, AppError};
use crate::db;
use crate::db::forges::StoredForge;
use crate::model::actor::Actor;
use crate::model::audit;
use crate::model::event;
use crate::model::forge::{
    Forge, ForgeKind, LONGEST_TOKEN, LONGEST_URL, api_of, kind_of, repository_of,
};
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::timestamp::Timestamp;

/// Statuses that were given up are told when a new token comes within this time, in milliseconds.
const TOLD_AGAIN: i64 = 24 * 3_600_000;

/// A forge to set. A field that was sent with a wrong type is `None` and stands in the problems.
#[derive(Clone, Default)]
pub struct NewForge {
    /// Follows from the source's host where everybody knows it.
    pub kind: Option<String>,
    /// Follows from the source and the kind.
    pub api_url: Option<String>,
    /// One that is not sent stays, as long as the address does.
    pub token: Option<String>,
}

/// A forge with the name of the repository on it.
#[derive(Clone, Debug)]
pub struct ShownForge {
    pub forge: Forge,
    /// `acme/web`; `None` when the project's source is no repository of a forge.
    pub repository: Option<String>,
}

impl App {
    /// The forge of a project.
    ///
    /// # Errors
    /// There is no project that this actor sees, or it has no forge.
    pub async fn forge(&self, actor: &Actor, project: &str) -> Result<ShownForge, AppError> {
        let project = self.project_for(actor, Action::ProjectsRead, project).await?;
        let stored = self.stored_forge(&project).await?;
        let stored = stored.ok_or_else(|| missing(&project))?;
        Ok(self.forge_shown(&project, stored.forge))
    }

    async fn stored_forge(&self, project: &Project) -> Result<Option<StoredForge>, AppError> {
        let id = project.id.clone();
        Ok(self.db.read(move |c| db::forges::find(c, &id)).await?)
    }

    fn forge_shown(&self, project: &Project, forge: Forge) -> ShownForge {
        let url = project.source.git_url.as_deref().and_then(|url| self.egress.git_url(url).ok());
        ShownForge { forge, repository: url.as_ref().and_then(repository_of) }
    }

    /// Sets the forge of a project. From the next deployment on it is told of the commits.
    ///
    /// # Errors
    /// `Invalid`, or there is no project that this actor sees.
    pub async fn set_forge(
        &self,
        actor: &Actor,
        project: &str,
        new: NewForge,
        mut problems: Problems,
        terms: &Terms<()>,
    ) -> Result<ShownForge, AppError> {
        let project = self.project_for(actor, Action::ProjectsWrite, project).await?;
        let before = self.stored_forge(&project).await?;
        terms.admit(self, Some(before.as_ref().map_or(0, |stored| stored.forge.revision))).await?;
        let url = project.source.git_url.as_deref().and_then(|url| self.egress.git_url(url).ok());
        let known = url.as_ref().and_then(|url| kind_of(&url.host()));
        let kind = match new.kind.as_deref() {
            Some(word) => ForgeKind::parse(word),
            None => before.as_ref().map(|stored| stored.forge.kind).or(known),
        };
        if new.kind.is_some() && kind.is_none() {
            problems.unknown_value("kind", ForgeKind::ALL.iter().map(|kind| kind.as_str()));
        } else if kind.is_none() {
            problems.require("kind", None::<&()>);
        }
        let kept =
            before.as_ref().filter(|stored| new.kind.is_none() || Some(stored.forge.kind) == kind);
        let api_url = match (&new.api_url, kept, kind, &url) {
            (Some(sent), ..) => self.checked_api(sent, &mut problems),
            (None, Some(kept), ..) => Some(kept.forge.api_url.clone()),
            (None, None, Some(kind), Some(url)) => Some(api_of(kind, url)),
            _ => None,
        };
        if api_url.is_none() && new.api_url.is_none() {
            problems.require("api_url", None::<&()>);
        }
        let stays = before
            .as_ref()
            .filter(|stored| Some(&stored.forge.api_url) == api_url.as_ref())
            .map(|stored| stored.token.clone());
        match &new.token {
            Some(token) => check_token(token, &mut problems),
            None if stays.is_none() => problems.require("token", None::<&()>),
            None => {}
        }
        AppError::check(problems)?;
        let (Some(kind), Some(api_url)) = (kind, api_url) else {
            return Err(AppError::Internal("a forge without an address".to_owned()));
        };
        let identity = db::forges::identity(&project.id, &api_url);
        let sealed = new.token.as_ref().map(|token| self.secrets.seal(&identity, token.as_bytes()));
        let Some(token) = sealed.or(stays) else {
            return Err(AppError::Internal("a forge without a token".to_owned()));
        };
        let now = self.clock.now();
        let old = before.map(|stored| stored.forge);
        let forge = Forge {
            project_id: project.id.clone(),
            kind,
            api_url,
            trouble: None,
            told_at: old.as_ref().and_then(|old| old.told_at),
            created_at: old.as_ref().map_or(now, |old| old.created_at),
            revision: old.as_ref().map_or(0, |old| old.revision) + 1,
        };
        let mut changes = audit::changes(&told(old.as_ref()), &told(Some(&forge)));
        if new.token.is_some() {
            changes["source.forge.token"] = json!({ "from": old.map(|_| "***"), "to": "***" });
        }
        let shown = self.forge_shown(&project, forge.clone());
        let (actor, owner) = (actor.clone(), project.clone());
        self.db
            .write(move |c| -> Result<(), AppError> {
                let missing = || AppError::not_found("project", owner.id.as_str());
                let project = db::projects::find(c, &owner.id)?.ok_or_else(missing)?;
                db::forges::set(c, &StoredForge { forge, token })?;
                let since = Timestamp(now.0 - TOLD_AGAIN);
                db::commit_statuses::again(c, &project.id, since, now)?;
                let data = event::project_changed(&project, &["source.forge"]);
                let deed = Deed::to_project("project.updated", &project, data);
                Ok(journal::write(c, &actor, deed.changing(changes), now)?)
            })
            .await?;
        self.told_of(&project);
        Ok(shown)
    }

    /// Forgets the forge of a project with its token. It is told nothing more.
    ///
    /// # Errors
    /// There is no project that this actor sees, or it has no forge.
    pub async fn remove_forge(
        &self,
        actor: &Actor,
        project: &str,
        terms: &Terms<()>,
    ) -> Result<(), AppError> {
        let project = self.project_for(actor, Action::ProjectsWrite, project).await?;
        let before = self.stored_forge(&project).await?.ok_or_else(|| missing(&project))?;
        terms.admit(self, Some(before.forge.revision)).await?;
        let (actor, owner, now) = (actor.clone(), project.clone(), self.clock.now());
        self.db
            .write(move |c| -> Result<(), AppError> {
                if !db::forges::remove(c, &owner.id)? {
                    return Err(missing(&owner));
                }
                let changes = audit::changes(&told(Some(&before.forge)), &told(None));
                let data = event::project_changed(&owner, &["source.forge"]);
                let deed = Deed::to_project("project.updated", &owner, data);
                Ok(journal::write(c, &actor, deed.changing(changes), now)?)
            })
            .await?;
        self.told_of(&project);
        Ok(())
    }

    /// The address of an API in its normal form, when it may be reached.
    fn checked_api(&self, sent: &str, problems: &mut Problems) -> Option<String> {
        let field = "api_url";
        if sent.len() > LONGEST_URL {
            problems.invalid(field, "too_long", format!("At most {LONGEST_URL} bytes."));
            return None;
        }
        let url = Url::parse(sent).ok().filter(|url| {
            let bare = url.username().is_empty() && url.password().is_none();
            let plain = sent.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
            bare && plain && url.query().is_none() && url.fragment().is_none() && url.has_host()
        });
        let Some(url) = url else {
            let message = "The address of an API, such as `https://git.example.com/api/v1`.";
            problems.invalid(field, "format", message);
            return None;
        };
        let scheme =
            url.scheme() == "https" || (url.scheme() == "http" && self.egress.allow_http());
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or(0);
        if !scheme
            || self.egress.check_host(&host).and(self.egress.check_port(&host, port)).is_err()
        {
            let message = "This address may not be reached from this server.";
            problems.invalid(field, "url_not_allowed", message);
            return None;
        }
        Some(url.as_str().trim_end_matches('/').to_owned())
    }
}

fn missing(project: &Project) -> AppError {
    AppError::not_found("forge", project.id.as_str())
}

fn told(forge: Option<&Forge>) -> serde_json::Value {
    match forge {
        None => json!({}),
        Some(forge) => json!({
            "source.forge.kind": forge.kind.as_str(), "source.forge.api_url": forge.api_url,
        }),
    }
}

/// Notes what is wrong with a token; never the token.
fn check_token(token: &str, problems: &mut Problems) {
    if token.is_empty() {
        problems.invalid("token", "too_short", "At least 1 character.");
    } else if token.len() > LONGEST_TOKEN {
        problems.invalid("token", "too_long", format!("At most {LONGEST_TOKEN} characters."));
    } else if !token.bytes().all(|b| b.is_ascii_graphic()) {
        let message = "A token of printable ASCII characters without blanks.";
        problems.invalid("token", "format", message);
    }
}
