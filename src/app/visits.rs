//! People who are signed in here and look at a project's site behind its wall.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::may::Action;
use super::{App, AppError};
use crate::crypto::token;
use crate::db::visits::StoredVisit;
use crate::db::{self, DbError};
use crate::model::actor::Actor;
use crate::routing::table::Routes;
use crate::routing::visits::{Kept, LASTS, PATH, Visit};

/// Longest path somebody is led back to, in bytes.
const LONGEST: usize = 2_000;

impl App {
    /// The data plane that lets visitors in; set when the process serves.
    pub fn serve_with(&self, routes: Routes) {
        let _ = self.memory().routes.set(routes);
    }

    /// Lets somebody into a host of a project that they may see, and answers the address at which the browser goes on.
    /// `session` is the hash of the session's id.
    ///
    /// # Errors
    /// There is no such host, or they may not see its project.
    pub async fn begin_visit(
        &self,
        actor: &Actor,
        session: [u8; 32],
        host: &str,
        path: &str,
    ) -> Result<String, AppError> {
        let host = host.to_ascii_lowercase();
        let missing = || AppError::not_found("site", &host);
        let routes = self.memory().routes.get().ok_or_else(missing)?;
        // Only hosts that are routed: nothing leads anywhere else from here.
        let wall = {
            let table = routes.load();
            let entry = table.get(&host).ok_or_else(missing)?;
            entry.policy.as_ref().and_then(|policy| policy.wall.clone())
        };
        let path = if is_path(path) { path } else { "/" };
        let origin = self.hosts.url_of(&host);
        let Some(wall) = wall else { return Ok(format!("{origin}{path}")) };
        let project = self.project_for(actor, Action::ProjectsRead, wall.project.as_str()).await;
        let project = match project {
            Err(AppError::NotFound { .. }) => return Err(missing()),
            other => other?.id,
        };
        let secret = token::new_opaque();
        let visit = Visit { host, project, user: actor.user_id.clone(), session };
        if !routes.visits().expect(token::hash(&secret), visit, path.to_owned()) {
            return Err(AppError::Unavailable {
                reason: "maintenance",
                message: "Too many people sign in at the same time. Try again in a minute.",
            });
        }
        Ok(format!("{origin}{PATH}?token={secret}"))
    }

    /// Ends the visits of a session that was ended.
    pub fn end_visits(&self, session: &[u8; 32]) {
        if let Some(routes) = self.memory().routes.get() {
            routes.visits().retain(|visit| visit.session != *session);
        }
    }

    /// Ends the visits of those who are signed out, suspended, or may not see the project any more.
    pub async fn check_visits(&self) {
        let Some(routes) = self.memory().routes.get() else { return };
        let mut known: HashMap<([u8; 32], String), bool> = HashMap::new();
        for visit in routes.visits().all() {
            let key = (visit.session, visit.project.to_string());
            if known.contains_key(&key) {
                continue;
            }
            match self.may_visit(&visit).await {
                Ok(may) => drop(known.insert(key, may)),
                Err(error) => return tracing::warn!(?error, "visits could not be checked"),
            }
        }
        known.retain(|_, may| !*may);
        if known.is_empty() {
            return;
        }
        let ended = |visit: &Visit| known.contains_key(&(visit.session, visit.project.to_string()));
        let over: Vec<Visit> = routes.visits().all().into_iter().filter(ended).collect();
        routes.visits().retain(|visit| !ended(visit));
        let forgotten = self.db.write(move |c| -> Result<(), DbError> {
            over.iter().try_for_each(|one| db::visits::delete_of(c, &one.session, &one.project))
        });
        if let Err(error) = forgotten.await {
            tracing::warn!(%error, "visits that ended could not be forgotten");
        }
    }

    /// Lets in whom the process before had let in, as far as they still may.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn load_visits(&self) -> Result<(), DbError> {
        let Some(routes) = self.memory().routes.get() else { return Ok(()) };
        let now = self.clock.now();
        let stored = self.db.read(move |c| db::visits::all(c, now)).await?;
        let begun = Instant::now();
        let kept = stored.into_iter().map(|stored| Kept {
            cookie: stored.cookie,
            until: begun + Duration::from_millis(stored.expires_at.millis_since(now)).min(LASTS),
            visit: Visit {
                host: stored.host,
                project: stored.project,
                user: stored.user,
                session: stored.session,
            },
        });
        routes.visits().restore(kept);
        self.check_visits().await;
        Ok(())
    }

    /// Writes down who was let in. What cannot be written now is tried again.
    pub async fn store_visits(&self) {
        let Some(routes) = self.memory().routes.get() else { return };
        let (taken, now) = (routes.visits().take_unkept(), self.clock.now());
        if taken.is_empty() {
            return;
        }
        let begun = Instant::now();
        let stored: Vec<StoredVisit> = taken
            .iter()
            .map(|kept| StoredVisit {
                cookie: kept.cookie,
                host: kept.visit.host.clone(),
                project: kept.visit.project.clone(),
                user: kept.visit.user.clone(),
                session: kept.visit.session,
                expires_at: now.plus(kept.until.saturating_duration_since(begun)),
            })
            .collect();
        let written = self.db.write(move |c| -> Result<(), DbError> {
            stored.iter().try_for_each(|visit| db::visits::insert(c, visit))
        });
        if let Err(error) = written.await {
            tracing::warn!(%error, "visits could not be stored");
            routes.visits().keep_later(taken);
        }
    }

    async fn may_visit(&self, visit: &Visit) -> Result<bool, AppError> {
        let (session, now) = (visit.session, self.clock.now());
        if self.db.read(move |c| db::sessions::load(c, &session, now)).await?.is_none() {
            return Ok(false);
        }
        let Some((actor, _)) = self.session_actor(&visit.user).await? else { return Ok(false) };
        let project = visit.project.as_str();
        match self.project_for(&actor, Action::ProjectsRead, project).await {
            Ok(_) => Ok(true),
            Err(AppError::NotFound { .. } | AppError::Forbidden { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }
}

/// A path of the same host, as a browser reads it.
fn is_path(path: &str) -> bool {
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    path.starts_with('/') && !path.starts_with("//") && plain && path.len() <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::is_path;

    #[test]
    fn a_path_leads_nowhere_else() {
        for good in ["/", "/a/b?c=d&e", "/a//b", "/%2f%2fevil.test"] {
            assert!(is_path(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "//evil.test",
            "/\\evil.test",
            "/a\r\nb",
            "/\t/evil.test",
            "https://evil.test",
            "/ä",
        ] {
            assert!(!is_path(bad), "{bad:?}");
        }
    }
}
