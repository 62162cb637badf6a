//! Visitors who were let in because they are signed in to the dashboard. Requests look into memory alone; whoever comes in
//! is written down a moment later (`app/visits.rs`), so that a restart sends nobody away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::config::Hosts;
use crate::model::ids::{ProjectId, UserId};
use crate::task::Signal;

/// Where, at a host, a browser shows the token that the dashboard gave it.
pub const PATH: &str = "/.orbitra/sign-in";
/// The dashboard's page that gives it.
pub const PAGE: &str = "/dashboard/visit";
/// How long a visitor is let in, until the dashboard is asked again.
pub const LASTS: Duration = Duration::from_secs(4 * 3600);
/// How long a token may be on its way from the dashboard to the host.
const ON_ITS_WAY: Duration = Duration::from_secs(60);
/// Tokens on their way, and visitors, at the same time.
const MOST_WAITING: usize = 10_000;
const MOST_OPEN: usize = 50_000;

/// What stands before a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wall {
    /// Whoever may see this project is let in.
    pub project: ProjectId,
    /// The dashboard's page, with its origin.
    pub page: Arc<str>,
    /// Everything is https.
    pub secure: bool,
}

impl Wall {
    /// Before the hosts of a project.
    pub fn new(project: ProjectId, hosts: &Hosts) -> Self {
        let page = format!("{}{PAGE}", hosts.dashboard_url()).into();
        Self { project, page, secure: hosts.secure() }
    }

    /// The name of the visitors' cookie. With https the browser itself sees to it that it belongs to this host alone.
    pub fn cookie(&self) -> &'static str {
        if self.secure { "__Host-orbitra-visit" } else { "orbitra-visit" }
    }
}

/// Somebody at a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    pub host: String,
    pub project: ProjectId,
    pub user: UserId,
    /// The hash of the id of the session at the dashboard, which the visit ends with.
    pub session: [u8; 32],
}

#[derive(Debug)]
struct Waiting {
    visit: Visit,
    /// Where the browser goes on.
    path: String,
    until: Instant,
}

/// Somebody who was let in, as it is written down.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The hash of the cookie's value.
    pub cookie: [u8; 32],
    pub visit: Visit,
    pub until: Instant,
}

#[derive(Debug)]
struct Open {
    visit: Visit,
    until: Instant,
}

/// All visits. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Visits(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// By the hash of the token; used once.
    waiting: Mutex<HashMap<[u8; 32], Waiting>>,
    /// By the hash of the cookie's value.
    open: RwLock<HashMap<[u8; 32], Open>>,
    /// Who has come in and is not written down yet.
    unkept: Mutex<Vec<Kept>>,
    came: Signal,
}

impl Visits {
    /// Somebody is on the way to a host with a token of this hash. False when too many are.
    pub fn expect(&self, token: [u8; 32], visit: Visit, path: String) -> bool {
        let now = Instant::now();
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MOST_WAITING {
            waiting.retain(|_, one| one.until > now);
        }
        let room = waiting.len() < MOST_WAITING;
        if room {
            waiting.insert(token, Waiting { visit, path, until: now + ON_ITS_WAY });
        }
        room
    }

    /// Takes a token, which is used up by it, and lets whoever sends a cookie of this hash in. Answers where to go on.
    pub fn open(
        &self,
        token: &[u8; 32],
        host: &str,
        project: &ProjectId,
        cookie: [u8; 32],
    ) -> Option<String> {
        let now = Instant::now();
        let found = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(token)?;
        let Waiting { visit, path, until } = found;
        if until <= now || visit.host != host || visit.project != *project {
            return None;
        }
        let mut open = self.0.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MOST_OPEN {
            open.retain(|_, one| one.until > now);
        }
        if open.len() >= MOST_OPEN {
            return None;
        }
        let until = now + LASTS;
        open.insert(cookie, Open { visit: visit.clone(), until });
        drop(open);
        self.keep_later([Kept { cookie, visit, until }]);
        self.0.came.wake();
        Some(path)
    }

    /// These are to be written down with the next round; those that are too many are not, and come in over the dashboard
    /// after a restart.
    pub fn keep_later(&self, visits: impl IntoIterator<Item = Kept>) {
        let mut unkept = self.0.unkept.lock().unwrap_or_else(PoisonError::into_inner);
        unkept.extend(visits);
        unkept.truncate(MOST_OPEN);
    }

    /// Takes who is to be written down.
    pub fn take_unkept(&self) -> Vec<Kept> {
        std::mem::take(&mut self.0.unkept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Wakes when somebody is to be written down.
    pub fn came(&self) -> Signal {
        self.0.came.clone()
    }

    /// Lets in whom a process before has let in.
    pub fn restore(&self, visits: impl IntoIterator<Item = Kept>) {
        let mut open = self.0.open.write().unwrap_or_else(PoisonError::into_inner);
        for Kept { cookie, visit, until } in visits {
            if open.len() < MOST_OPEN {
                open.entry(cookie).or_insert(Open { visit, until });
            }
        }
    }

    /// Whether a cookie of this hash lets in at this host.
    pub fn admits(&self, cookie: &[u8; 32], host: &str, project: &ProjectId) -> bool {
        let open = self.0.open.read().unwrap_or_else(PoisonError::into_inner);
        open.get(cookie).is_some_and(|one| {
            one.visit.host == host && one.visit.project == *project && one.until > Instant::now()
        })
    }

    /// Everybody who is let in or on the way.
    pub fn all(&self) -> Vec<Visit> {
        let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = waiting.values().map(|one| one.visit.clone()).collect();
        drop(waiting);
        let open = self.0.open.read().unwrap_or_else(PoisonError::into_inner);
        all.extend(open.values().map(|one| one.visit.clone()));
        all
    }

    /// Ends the others.
    pub fn retain(&self, keep: impl Fn(&Visit) -> bool) {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, one| keep(&one.visit));
        drop(waiting);
        let now = Instant::now();
        let mut open = self.0.open.write().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, one| one.until > now && keep(&one.visit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(host: &str, session: u8) -> Visit {
        Visit {
            host: host.to_owned(),
            project: ProjectId::from_random([1; 10]),
            user: UserId::from_random([1; 10]),
            session: [session; 32],
        }
    }

    #[test]
    fn a_token_is_good_once_and_for_its_host_and_project() {
        let (visits, project) = (Visits::default(), ProjectId::from_random([1; 10]));
        let expect = |token: u8| {
            assert!(visits.expect([token; 32], visit("a.test", 1), format!("/{token}")));
        };
        let open = |token: u8, host: &str, cookie: u8| {
            visits.open(&[token; 32], host, &project, [cookie; 32])
        };
        expect(1);
        assert_eq!(open(1, "a.test", 10).as_deref(), Some("/1"));
        assert_eq!(open(1, "a.test", 11), None, "used");
        assert_eq!(open(2, "a.test", 11), None, "unknown");
        expect(3);
        assert_eq!(open(3, "b.test", 12), None, "another host");
        assert_eq!(open(3, "a.test", 12), None, "used up by that");
        expect(4);
        let other = ProjectId::from_random([2; 10]);
        assert_eq!(visits.open(&[4; 32], "a.test", &other, [13; 32]), None);
        let admits = |cookie: u8, host: &str| visits.admits(&[cookie; 32], host, &project);
        assert!(admits(10, "a.test"));
        assert!(!admits(10, "b.test") && !admits(11, "a.test") && !admits(12, "a.test"));
        assert!(!visits.admits(&[10; 32], "a.test", &other));
        visits.retain(|visit| visit.session != [1; 32]);
        assert!(!admits(10, "a.test") && visits.all().is_empty());
    }

    #[test]
    fn who_has_come_in_is_written_down_once_and_let_in_by_the_next_process() {
        let (visits, project) = (Visits::default(), ProjectId::from_random([1; 10]));
        assert!(visits.expect([1; 32], visit("a.test", 1), "/".to_owned()));
        visits.open(&[1; 32], "a.test", &project, [10; 32]).expect("a token that is known");
        let kept = visits.take_unkept();
        assert_eq!((kept.len(), visits.take_unkept().len()), (1, 0));
        let next = Visits::default();
        next.restore(kept.clone());
        assert!(next.admits(&[10; 32], "a.test", &project));
        assert!(next.take_unkept().is_empty());
        let over = Kept { cookie: [11; 32], until: Instant::now(), ..kept[0].clone() };
        next.restore([over]);
        assert!(!next.admits(&[11; 32], "a.test", &project));
    }

    #[test]
    fn a_flood_of_tokens_has_an_end() {
        let visits = Visits::default();
        for number in 0..MOST_WAITING {
            let mut token = [0; 32];
            token[..8].copy_from_slice(&(number as u64).to_le_bytes());
            assert!(visits.expect(token, visit("a.test", 1), "/".to_owned()));
        }
        assert!(!visits.expect([255; 32], visit("a.test", 1), "/".to_owned()));
    }
}
