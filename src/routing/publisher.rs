//! Derives the route table from the database and publishes it. Never told what changed: it reads
//! everything, so that there is one way a table comes to be.

use std::collections::HashMap;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::requests::Application;
use super::table::{Entry, Notice, Route, RouteTable, Routes, StaticSite};
use super::upstream::Upstream;
use crate::db::routes::{DeploymentRoute, ProjectRoute};
use crate::db::{self, Db, DbError};
use crate::model::deployment::RunState;
use crate::model::hostname;
use crate::model::ids::DeploymentId;
use crate::model::site_rules::{FILE_LIMIT, SiteRules};
use crate::model::transition::State;

/// Publishes tables. Clones share the upstreams they made.
#[derive(Clone)]
pub struct Publisher {
    db: Db,
    routes: Routes,
    /// Directory of the static sites, one below it per deployment.
    sites: PathBuf,
    base_domain: String,
    upstreams: Arc<Mutex<HashMap<DeploymentId, Arc<Upstream>>>>,
    known_sites: Arc<Mutex<HashMap<DeploymentId, Arc<StaticSite>>>>,
    /// One publication at a time: an older table must not replace a newer one.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Publisher {
    /// A publisher of this database's routes.
    pub fn new(db: Db, routes: Routes, sites: PathBuf, base_domain: String) -> Self {
        Self {
            db,
            routes,
            sites,
            base_domain,
            upstreams: Arc::default(),
            known_sites: Arc::default(),
            turn: Arc::default(),
        }
    }

    /// Reads the database and publishes what it says. Returns once requests see it.
    ///
    /// # Errors
    /// The database cannot be read; the old table stays.
    pub async fn publish(&self) -> Result<(), DbError> {
        let _turn = self.turn.lock().await;
        let (projects, deployments, gone) = self
            .db
            .read(|c| -> Result<_, DbError> {
                Ok((
                    db::routes::projects(c)?,
                    db::routes::deployments(c)?,
                    db::removals::gone_hosts(c)?,
                ))
            })
            .await?;
        self.routes.publish(self.table(&projects, &deployments, gone));
        Ok(())
    }

    /// Where a deployment's requests go now; kept by deployment, so that a new table counts the same requests in flight.
    pub fn upstream(&self, deployment: &DeploymentId) -> Option<Arc<Upstream>> {
        self.upstreams.lock().unwrap_or_else(PoisonError::into_inner).get(deployment).cloned()
    }

    fn table(
        &self,
        projects: &[ProjectRoute],
        deployments: &[DeploymentRoute],
        gone: Vec<String>,
    ) -> RouteTable {
        let mut upstreams = self.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = HashMap::new();
        let mut by_id = HashMap::new();
        let mut table = RouteTable::default();
        for host in gone {
            let entry =
                Entry { route: Route::Notice(Notice::Removed), noindex: true, application: None };
            table.hosts.insert(host.into(), entry);
        }
        for deployment in deployments {
            let route = match address_of(deployment) {
                Some(address) => {
                    let upstream = upstreams
                        .get(&deployment.id)
                        .filter(|known| known.address() == address && !known.is_retired())
                        .cloned()
                        .unwrap_or_else(|| Upstream::new(deployment.id.to_string(), address));
                    kept.insert(deployment.id.clone(), upstream.clone());
                    Route::Upstream(upstream)
                }
                None => self.without_container(deployment),
            };
            // The upstream stays known, so that its requests can finish.
            let rests = deployment.paused && deployment.state == State::Ready;
            let route = if rests { Route::Notice(Notice::Paused) } else { route };
            let application = Application::new(deployment.project.clone(), deployment.id.clone());
            by_id.insert(&deployment.id, (route.clone(), application.clone()));
            let entry = Entry { route, noindex: true, application: Some(application) };
            table.hosts.insert(deployment.hostname.as_str().into(), entry);
        }
        for project in projects {
            let live = project.live.as_ref().and_then(|live| by_id.get(live));
            let route = match &project.live {
                _ if project.paused => Route::Notice(Notice::Paused),
                Some(_) => live.map_or(Route::Notice(Notice::Failed), |(route, _)| route.clone()),
                None => Route::Notice(match project.latest {
                    Some(state) if state.unfinished() => Notice::Building,
                    Some(State::Failed) => Notice::Failed,
                    _ => Notice::NotReady,
                }),
            };
            let host = hostname::of_project(&project.name, &self.base_domain);
            table.hosts.insert(
                host.into(),
                Entry {
                    route,
                    noindex: false,
                    application: live.map(|(_, application)| application.clone()),
                },
            );
        }
        *upstreams = kept;
        let mut sites = self.known_sites.lock().unwrap_or_else(PoisonError::into_inner);
        sites.retain(|id, _| by_id.contains_key(id));
        table
    }

    /// A site as it was found when it was first routed: its files never change.
    fn site(&self, deployment: &DeploymentRoute) -> Arc<StaticSite> {
        let mut known = self.known_sites.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(site) = known.get(&deployment.id) {
            return site.clone();
        }
        let root = self.sites.join(deployment.id.as_str());
        let text = |name: &str| read_bounded(&root.join(name)).unwrap_or_default();
        let (rules, _) = SiteRules::parse(&text("_redirects"), &text("_headers"));
        let site = Arc::new(StaticSite { root, single_page: deployment.fallback, rules });
        known.insert(deployment.id.clone(), site.clone());
        site
    }

    fn without_container(&self, deployment: &DeploymentRoute) -> Route {
        match (deployment.state, deployment.run_state) {
            (State::Ready, RunState::Files) => Route::Static(self.site(deployment)),
            (State::Ready, RunState::Stopped | RunState::Paused) => {
                Route::Asleep(deployment.id.clone())
            }
            (State::Ready, _) => Route::Notice(Notice::Stopped),
            (State::Failed | State::Crashed, _) => Route::Notice(Notice::Failed),
            (State::Canceled, _) => Route::Notice(Notice::Stopped),
            (State::Removed, _) => Route::Notice(Notice::Removed),
            _ => Route::Notice(Notice::Building),
        }
    }
}

/// A text file's content, as far as it is read.
fn read_bounded(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_LIMIT).read_to_string(&mut text)?;
    Ok(text)
}

/// Where a ready deployment's container listens.
fn address_of(deployment: &DeploymentRoute) -> Option<SocketAddr> {
    let serves = deployment.state == State::Ready && deployment.run_state == RunState::Running;
    serves.then(|| deployment.address.as_ref()?.parse().ok()).flatten()
}
