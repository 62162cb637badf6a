//! Derives the route table from the database and publishes it. Never told what changed: it reads
//! everything, so that there is one way a table comes to be.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::hold::Hold;
use super::meter::Meters;
use super::policy::Policy;
use super::replica::{Place, Replica};
use super::requests::Application;
use super::rows::Rows;
use super::sleeper::Sleeper;
use super::table::{Asleep, Entry, Kept, Notice, Redirect, Route, RouteTable, Routes, StaticSite};
use super::upstream::Upstream;
use super::visits::Wall;
use crate::config::Hosts;
use crate::db::replicas::Serving;
use crate::db::routes::{DeploymentRoute, ProjectRoute, Replaced};
use crate::db::{self, Connection, Db, DbError};
use crate::model::deployment::RunState;
use crate::model::domain_name::is_related;
use crate::model::hostname;
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::proxy_settings::{ProxySettings, SignIn};
use crate::model::site_rules::{FILE_LIMIT, SiteRules};
use crate::model::timestamp::Timestamp;
use crate::model::transition::State;

/// Deployments of one project whose hashed files are still served after they were replaced.
const KEPT: usize = 8;

/// Publishes tables. Clones share the upstreams they made.
#[derive(Clone)]
pub struct Publisher {
    db: Db,
    routes: Routes,
    /// Directory of the static sites, one below it per deployment.
    sites: PathBuf,
    hosts: Hosts,
    /// How long hashed files of a replaced deployment are served.
    keep_assets: Duration,
    upstreams: Arc<Mutex<HashMap<DeploymentId, Arc<Upstream>>>>,
    sleepers: Arc<Mutex<HashMap<DeploymentId, Arc<Sleeper>>>>,
    meters: Arc<Mutex<HashMap<DeploymentId, Arc<Meters>>>>,
    known_sites: Arc<Mutex<HashMap<DeploymentId, Arc<StaticSite>>>>,
    /// Deployments whose requests wait.
    holds: Arc<Mutex<HashMap<DeploymentId, Arc<Hold>>>>,
    /// One publication at a time: an older table must not replace a newer one.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Publisher {
    /// A publisher of this database's routes.
    pub fn new(
        db: Db,
        routes: Routes,
        sites: PathBuf,
        hosts: Hosts,
        keep_assets: Duration,
    ) -> Self {
        Self {
            db,
            routes,
            sites,
            hosts,
            keep_assets,
            upstreams: Arc::default(),
            sleepers: Arc::default(),
            meters: Arc::default(),
            known_sites: Arc::default(),
            holds: Arc::default(),
            turn: Arc::default(),
        }
    }

    /// The same publisher on another connection to the database: it knows the same upstreams.
    pub fn on(&self, db: Db) -> Self {
        Self { db, ..self.clone() }
    }

    /// Reads the database and publishes what it says. Returns once requests see it.
    ///
    /// # Errors
    /// The database cannot be read; the old table stays.
    pub async fn publish(&self) -> Result<(), DbError> {
        let _turn = self.turn.lock().await;
        let keep = self.keep_assets;
        let read = move |c: &Connection| -> Result<_, DbError> {
            Ok((Rows::read(c, keep)?, db::holds::all(c)?))
        };
        let (rows, holds) = self.db.read(read).await?;
        self.hold(holds.into_iter().map(|hold| hold.from));
        self.routes.publish(self.table(rows));
        Ok(())
    }

    /// Where a deployment's requests go now; kept by deployment, so that a new table counts the same requests in flight.
    pub fn upstream(&self, deployment: &DeploymentId) -> Option<Arc<Upstream>> {
        self.upstreams.lock().unwrap_or_else(PoisonError::into_inner).get(deployment).cloned()
    }

    /// Something has happened to this container: where there are others, they are asked first until it is known what.
    /// Answers whether requests go there at all.
    pub fn suspect(&self, container: &str) -> bool {
        self.each_of(container, Replica::fails)
    }

    /// Nobody reaches this container any more; requests on their way there turn round. To be followed by a publication
    /// without it.
    pub fn lose(&self, container: &str) {
        self.each_of(container, Replica::lose);
    }

    fn each_of(&self, container: &str, act: impl Fn(&Replica)) -> bool {
        let upstreams = self.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        let replicas = upstreams.values().flat_map(|upstream| upstream.replicas());
        let own = replicas.filter(|replica| replica.place().container == container);
        own.inspect(|replica| act(replica)).count() > 0
    }

    /// The deployment as those see it who wait for it; `None` when it does not sleep.
    pub fn sleeper(&self, deployment: &DeploymentId) -> Option<Arc<Sleeper>> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner).get(deployment).cloned()
    }

    /// Remembers how things stand with every upstream, for [`Tally::lately`](super::tally::Tally::lately).
    pub fn mark(&self) {
        let upstreams = self.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        upstreams.values().for_each(|upstream| upstream.tally().mark());
    }

    /// Lets the requests of these deployments wait, and no others.
    fn hold(&self, held: impl Iterator<Item = DeploymentId>) {
        let mut holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = std::mem::take(&mut *holds);
        *holds = held.map(|id| (id.clone(), known.remove(&id).unwrap_or_default())).collect();
    }

    /// What a deployment has answered, also before this publication.
    fn meters(&self, deployment: &DeploymentId) -> Arc<Meters> {
        let mut all = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(deployment.clone()).or_default())
    }

    fn held(&self, deployment: &DeploymentId) -> Option<Route> {
        let holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        holds.get(deployment).cloned().map(Route::Held)
    }

    fn table(&self, rows: Rows) -> RouteTable {
        let mut table = RouteTable::default();
        let policies: HashMap<_, _> = rows
            .projects
            .iter()
            .filter_map(|project| Some((&project.id, policies(project, &self.hosts)?)))
            .collect();
        let own = |route, application: Option<Arc<Application>>| {
            let project = application.as_ref().map(|one| &one.project);
            let policy = project.and_then(|id| policies.get(id)).map(|(_, own)| own.clone());
            Entry { route, noindex: true, application, policy, kept: None }
        };
        let branches = rows
            .gone_branches
            .iter()
            .map(|label| hostname::of_branch(label, self.hosts.base_domain()));
        for host in rows.gone.into_iter().chain(branches) {
            table.hosts.insert(host.into(), own(Route::Notice(Notice::Removed), None));
        }
        let crawled = rows.projects.iter().filter(|project| project.crawlers);
        let crawled: HashSet<_> = crawled.map(|project| &project.id).collect();
        let names: HashMap<_, _> =
            rows.projects.iter().map(|project| (&project.id, project.name.as_str())).collect();
        let mut found = Found { places: places(&rows.serving), ..Found::default() };
        for deployment in &rows.deployments {
            let for_all = deployment.is_live || crawled.contains(&deployment.project);
            let route = self.route_of(deployment, for_all, &mut found);
            let route = self.held(&deployment.id).unwrap_or(route);
            let name = names.get(&deployment.project).copied().unwrap_or_default();
            let application = Application::new(
                deployment.project.clone(),
                deployment.id.clone(),
                name.to_owned(),
                self.meters(&deployment.id),
            );
            found.by_id.insert(&deployment.id, (route.clone(), application.clone()));
            let host = deployment.hostname.as_str().into();
            table.hosts.insert(host, own(route, Some(application)));
        }
        for (label, deployment) in &rows.branches {
            if let Some((route, application)) = found.by_id.get(deployment) {
                let host = hostname::of_branch(label, self.hosts.base_domain());
                table.hosts.insert(host.into(), own(route.clone(), Some(application.clone())));
            }
        }
        let mut kept = kept(&rows.replaced, &rows.projects, &found, self.keep_assets);
        let ours: HashSet<_> = rows.domains.iter().map(|domain| domain.hostname.as_str()).collect();
        let mut domains: HashMap<_, Vec<_>> = HashMap::new();
        for domain in &rows.domains {
            domains.entry(&domain.project).or_default().push(domain);
        }
        for project in &rows.projects {
            let live = project.live.as_ref().and_then(|live| found.by_id.get(live));
            let route = match &project.live {
                _ if project.paused => Route::Notice(Notice::Paused),
                Some(_) => live.map_or(Route::Notice(Notice::Failed), |(route, _)| route.clone()),
                None => Route::Notice(match project.latest {
                    Some(state) if state.unfinished() => Notice::Building,
                    Some(State::Failed) => Notice::Failed,
                    _ => Notice::NotReady,
                }),
            };
            let host = hostname::of_project(&project.name, self.hosts.base_domain());
            let application = live.map(|(_, application)| application.clone());
            let kept = kept.remove(&project.id).map(Arc::from);
            let policy = policies.get(&project.id).map(|(policy, _)| policy.clone());
            let entry = Entry { route, noindex: false, application, policy, kept };
            for domain in domains.get(&project.id).into_iter().flatten() {
                let entry = match &domain.redirect_to {
                    Some(target) => self.redirect(target, domain.redirect_code, &ours),
                    None => entry.clone(),
                };
                table.insert(&domain.hostname, entry);
            }
            table.hosts.insert(host.into(), entry);
        }
        let mut sites = self.known_sites.lock().unwrap_or_else(PoisonError::into_inner);
        sites.retain(|id, _| found.by_id.contains_key(id));
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        meters.retain(|id, _| found.by_id.contains_key(id));
        *self.upstreams.lock().unwrap_or_else(PoisonError::into_inner) = found.upstreams;
        *self.sleepers.lock().unwrap_or_else(PoisonError::into_inner) = found.sleepers;
        table
    }

    /// To a domain of ours as it is reached, to any other by https.
    fn redirect(&self, target: &str, code: u16, ours: &HashSet<&str>) -> Entry {
        let parent = target.split_once('.').map_or("", |(_, parent)| parent);
        let is_ours = ours.contains(target)
            || ours.contains(format!("*.{parent}").as_str())
            || is_related(target, self.hosts.base_domain());
        let origin = if is_ours { self.hosts.url_of(target) } else { format!("https://{target}") };
        let route = Route::Redirect(Arc::new(Redirect { origin, code }));
        Entry { route, noindex: false, application: None, policy: None, kept: None }
    }

    /// What answers for a deployment. Upstreams and sleepers that were there before go on.
    fn route_of(
        &self,
        deployment: &DeploymentRoute,
        for_all: bool,
        found: &mut Found<'_>,
    ) -> Route {
        let runs = deployment.state == State::Ready && deployment.run_state == RunState::Running;
        let route = match found.places.get(&deployment.id).filter(|_| runs) {
            Some(places) => {
                let known = self.upstream(&deployment.id).filter(|known| !known.is_retired());
                let upstream = match known {
                    Some(known) => known.moved(places),
                    None => {
                        Upstream::speaking(deployment.protocol, deployment.id.to_string(), places)
                    }
                };
                found.upstreams.insert(deployment.id.clone(), upstream.clone());
                Route::Upstream(upstream)
            }
            None => self.without_container(deployment, for_all),
        };
        if let Route::Asleep(asleep) = &route {
            found.sleepers.insert(deployment.id.clone(), asleep.sleeper.clone());
        }
        // The upstream stays known, so that its requests can finish.
        let rests = deployment.paused && deployment.state == State::Ready;
        if rests { Route::Notice(Notice::Paused) } else { route }
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

    fn without_container(&self, deployment: &DeploymentRoute, for_all: bool) -> Route {
        match (deployment.state, deployment.run_state) {
            (State::Ready, RunState::Files) => Route::Static(self.site(deployment)),
            (State::Ready, RunState::Stopped | RunState::Paused) if deployment.rests => {
                Route::Notice(Notice::Stopped)
            }
            (State::Ready, RunState::Stopped | RunState::Paused) => {
                let known = self.sleeper(&deployment.id);
                let sleeper = known.unwrap_or_else(|| Sleeper::new(deployment.id.clone()));
                Route::Asleep(Asleep { sleeper, for_all })
            }
            (State::Ready, _) => Route::Notice(Notice::Stopped),
            (State::Failed | State::Crashed, _) => Route::Notice(Notice::Failed),
            (State::Canceled, _) => Route::Notice(Notice::Stopped),
            (State::Removed, _) => Route::Notice(Notice::Removed),
            _ => Route::Notice(Notice::Building),
        }
    }
}

/// What a table holds of deployments.
#[derive(Default)]
struct Found<'a> {
    places: HashMap<&'a DeploymentId, Vec<Place>>,
    by_id: HashMap<&'a DeploymentId, (Route, Arc<Application>)>,
    upstreams: HashMap<DeploymentId, Arc<Upstream>>,
    sleepers: HashMap<DeploymentId, Arc<Sleeper>>,
}

/// Who still has files for pages that are open, by project, the last one first.
fn kept<'a>(
    replaced: &[Replaced],
    projects: &'a [ProjectRoute],
    found: &Found<'_>,
    keep: Duration,
) -> HashMap<&'a ProjectId, Vec<Kept>> {
    let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
    let mut all: HashMap<_, Vec<Kept>> = HashMap::new();
    if replaced.is_empty() {
        return all;
    }
    let projects: HashMap<_, _> = projects.iter().map(|project| (&project.id, project)).collect();
    for one in replaced {
        let Some(project) = projects.get(&one.project) else { continue };
        let Some((route, _)) = found.by_id.get(&one.id) else { continue };
        let answers = matches!(route, Route::Static(_) | Route::Upstream(_) | Route::Asleep(_));
        let of_project = all.entry(&project.id).or_default();
        if answers && project.live.as_ref() != Some(&one.id) && of_project.len() < KEPT {
            let until = Timestamp(one.at.0.saturating_add(keep));
            of_project.push(Kept { route: route.clone(), until });
        }
    }
    all.retain(|_, kept| !kept.is_empty());
    all
}

/// A text file's content, as far as it is read.
fn read_bounded(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_LIMIT).read_to_string(&mut text)?;
    Ok(text)
}

/// What a project has set for the visitors of its addresses, and for those of its deployments' own. `None` for nothing.
fn policies(project: &ProjectRoute, hosts: &Hosts) -> Option<(Arc<Policy>, Arc<Policy>)> {
    let settings = &project.proxy;
    let wall = |wanted: bool| wanted.then(|| Wall::new(project.id.clone(), hosts));
    let everywhere = settings.sign_in == SignIn::Everywhere;
    let policy = Policy::of(settings)?.behind(wall(everywhere));
    // Whoever works on the site looks at it there.
    let own = ProxySettings { maintenance: false, ..settings.clone() };
    let own = Policy::of(&own).unwrap_or_else(Policy::nothing);
    let own = own.behind(wall(settings.sign_in != SignIn::Nowhere));
    Some((Arc::new(policy), Arc::new(own)))
}

/// Where the containers of each deployment listen.
fn places(serving: &[Serving]) -> HashMap<&DeploymentId, Vec<Place>> {
    let mut all: HashMap<_, Vec<Place>> = HashMap::new();
    for one in serving {
        let Ok(address) = one.address.parse() else { continue };
        let place = Place { container: one.container.clone(), address };
        all.entry(&one.deployment).or_default().push(place);
    }
    all
}
