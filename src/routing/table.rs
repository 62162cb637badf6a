//! The route table: built by the control plane, read by the proxy, replaced as a whole.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use tokio::sync::watch;

use super::hold::Hold;
use super::policy::Policy;
use super::requests::{Application, Requests};
use super::sleeper::Sleeper;
use super::successor::Successor;
use super::traffic::Traffic;
use super::upstream::Upstream;
use super::visits::Visits;
use crate::model::ids::DeploymentId;
use crate::model::site_rules::SiteRules;
use crate::model::timestamp::Timestamp;
use crate::task::Signal;

/// What answers the requests for one host name.
#[derive(Clone, Debug)]
pub enum Route {
    /// A process that speaks HTTP.
    Upstream(Arc<Upstream>),
    /// A directory of files.
    Static(Arc<StaticSite>),
    /// A deployment that sleeps; a request wakes it and waits.
    Asleep(Asleep),
    /// What answered stops, and what will answer starts; requests wait for it.
    Held(Arc<Hold>),
    /// A page of the proxy's own that says why nothing answers.
    Notice(Notice),
    /// Another host answers.
    Redirect(Arc<Redirect>),
}

/// Where the requests for a host go on to.
#[derive(Debug)]
pub struct Redirect {
    /// Scheme, host and, where it is not the scheme's own, port.
    pub origin: String,
    /// 301, 302, 307 or 308.
    pub code: u16,
}

/// A deployment that sleeps.
#[derive(Clone, Debug)]
pub struct Asleep {
    pub sleeper: Arc<Sleeper>,
    /// Crawlers and monitors wake it as well: it is live, or its project wants it.
    pub for_all: bool,
}

/// What had a host before and still has the files that its pages ask for.
#[derive(Clone, Debug)]
pub struct Kept {
    pub route: Route,
    /// From then on it is not asked any more.
    pub until: Timestamp,
}

/// A site served by the proxy itself from a directory.
#[derive(Clone, Debug)]
pub struct StaticSite {
    /// The directory; nothing outside it is ever opened, symbolic links are not followed.
    pub root: PathBuf,
    /// Answer a page load that names no file with `/200.html`, or else `/index.html`, and status 200,
    /// for applications that route in the browser.
    pub single_page: bool,
    /// What its `_redirects` and `_headers` say.
    pub rules: SiteRules,
}

/// Why a known host name has nothing that could answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// No deployment has succeeded yet, and none is under way.
    NotReady,
    /// The first deployment is under way.
    Building,
    /// The deployment failed.
    Failed,
    /// The deployment was stopped.
    Stopped,
    /// The owner paused the site.
    Paused,
    /// The deployment was removed and does not come back.
    Removed,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What answers.
    pub route: Route,
    /// Answers carry `X-Robots-Tag: noindex`: every URL that is not the production URL.
    pub noindex: bool,
    /// Whose requests these are; `None` when nobody would be told of them.
    pub application: Option<Arc<Application>>,
    /// What its project has set for its visitors.
    pub policy: Option<Arc<Policy>>,
    /// Deployments that had this host a short time ago, the last one first; `None` when there was none.
    pub kept: Option<Arc<[Kept]>>,
}

/// Every host name that is routed.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    /// Keys are lower case, without port and without a trailing dot.
    pub hosts: HashMap<Box<str>, Entry>,
    /// Hosts with one label more than the key, where none is in `hosts`.
    pub wildcards: HashMap<Box<str>, Entry>,
}

impl RouteTable {
    /// The entry of a host name that is already in the form of the keys.
    pub fn get(&self, host: &str) -> Option<&Entry> {
        self.hosts.get(host).or_else(|| self.wildcards.get(host.split_once('.')?.1))
    }

    /// Routes a host name, which may start with `*.`.
    pub fn insert(&mut self, name: &str, entry: Entry) {
        match name.strip_prefix("*.") {
            Some(parent) => self.wildcards.insert(parent.into(), entry),
            None => self.hosts.insert(name.into(), entry),
        };
    }
}

/// A handle to the newest table. Cloning it is cheap; all clones see every publication.
#[derive(Clone, Debug)]
pub struct Routes {
    newest: Arc<ArcSwap<RouteTable>>,
    /// Counts publications, for those who wait for a change.
    version: Arc<watch::Sender<u64>>,
    /// Deployments that requests want awake.
    wanted: Arc<Mutex<HashSet<DeploymentId>>>,
    wake: Signal,
    requests: Requests,
    traffic: Traffic,
    visits: Visits,
    successor: Arc<ArcSwapOption<Successor>>,
}

impl Default for Routes {
    fn default() -> Self {
        Self::new(RouteTable::default())
    }
}

impl Routes {
    /// A handle to a table.
    pub fn new(table: RouteTable) -> Self {
        Self {
            newest: Arc::new(ArcSwap::from_pointee(table)),
            version: Arc::new(watch::Sender::new(0)),
            wanted: Arc::default(),
            wake: Signal::default(),
            requests: Requests::default(),
            traffic: Traffic::default(),
            visits: Visits::default(),
            successor: Arc::default(),
        }
    }

    /// The newest table. Takes no lock; do not keep the guard across an `await`.
    pub fn load(&self) -> Guard<Arc<RouteTable>> {
        self.newest.load()
    }

    /// Replaces the table. Requests that resolve from now on see the new one.
    pub fn publish(&self, table: RouteTable) {
        self.traffic.set_hosts(table.hosts.len());
        self.newest.store(Arc::new(table));
        self.version.send_modify(|version| *version += 1);
    }

    /// Tells of every publication from now on.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// From now on another process answers what waits here for a change, and whatever would.
    pub fn pass_on(&self, successor: Option<Successor>) {
        self.successor.store(successor.map(Arc::new));
        self.version.send_modify(|version| *version += 1);
    }

    /// Who has taken over.
    pub fn successor(&self) -> Option<Arc<Successor>> {
        self.successor.load_full()
    }

    /// What the data plane counts.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Visitors who were let in.
    pub fn visits(&self) -> &Visits {
        &self.visits
    }

    /// Every deployment that is routed, once.
    pub fn applications(&self) -> Vec<Arc<Application>> {
        let table = self.load();
        let entries = table.hosts.values().chain(table.wildcards.values());
        let mut seen = HashSet::new();
        let mut all: Vec<_> = entries.filter_map(|entry| entry.application.clone()).collect();
        all.retain(|one| seen.insert(Arc::as_ptr(&one.meters)));
        all
    }

    /// The way requests take into the runtime logs.
    pub fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Asks for a sleeping deployment to be woken; many requests for one count once.
    pub fn want(&self, deployment: &DeploymentId) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.insert(deployment.clone());
        self.wake.wake();
    }

    /// Deployments that were asked for since the last time.
    pub fn take_wanted(&self) -> HashSet<DeploymentId> {
        std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Woken whenever a deployment is asked for.
    pub fn wake_signal(&self) -> Signal {
        self.wake.clone()
    }
}
