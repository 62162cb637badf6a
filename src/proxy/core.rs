//! What one thread of the data plane owns.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderValue;

use super::access_log::{AccessLog, LogWriter};
use super::client::Client;
use super::multiplex::Connections;
use super::options::Options;
use super::policy::Logins;
use super::pool::Pool;
use super::reference::References;
use super::ticker::{Ticker, Ticks};
use crate::routing::policy::Policy;
use crate::routing::table::Routes;
use crate::routing::upstream;

/// What all threads of the data plane share.
#[derive(Clone, Debug)]
pub struct Shared {
    options: Options,
    routes: Routes,
    /// This instance in `Via`; random, so that two instances in a row are not taken for a loop.
    via: HeaderValue,
    log: Option<LogWriter>,
}

impl Shared {
    /// Opens the access log, if there is to be one.
    ///
    /// # Errors
    ///
    /// The log's file or the thread that writes it cannot be had.
    pub fn new(options: Options, routes: Routes) -> std::io::Result<Self> {
        let name = format!("1.1 orbitra-{:016x}", References::default().number());
        let log = options.access_log.as_deref().map(LogWriter::start).transpose()?;
        Ok(Self {
            options,
            routes,
            via: HeaderValue::try_from(name).unwrap_or(HeaderValue::from_static("1.1 orbitra")),
            log,
        })
    }
}

/// One thread's part of the data plane.
#[derive(Debug)]
pub struct Core {
    /// The thread's number, for what is counted apart.
    pub number: usize,
    /// The limits as configured.
    pub options: Options,
    /// The limits in ticks.
    pub limits: Limits,
    /// The newest routes.
    pub routes: Routes,
    /// Unused upstream connections.
    pub pool: Pool,
    /// Connections to upstreams that speak HTTP/2.
    pub multiplexed: Connections,
    /// The clock and the time limits.
    pub ticker: Ticker,
    /// Logins of visitors that were found to be right.
    pub logins: Logins,
    /// Request references.
    pub references: References,
    /// This instance in `Via`.
    pub via: HeaderValue,
    /// One line a request.
    pub log: AccessLog,
    /// Requests since the last tick.
    pub requests: Cell<u64>,
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Those of the options that are checked on every request, ready for use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `Options::head`.
    pub head: Ticks,
    /// `Options::keep_alive`.
    pub keep_alive: Ticks,
    /// `Options::client_body`.
    pub client_body: Ticks,
    /// `Options::client_write`.
    pub client_write: Ticks,
    /// `Options::first_byte`.
    pub first_byte: Ticks,
    /// `Options::upstream_body`.
    pub upstream_body: Ticks,
}

impl Limits {
    /// These, with what a project has set.
    pub fn with(self, policy: &Policy) -> Self {
        Self {
            first_byte: policy.first_byte.map_or(self.first_byte, Ticks::from),
            upstream_body: policy.idle.map_or(self.upstream_body, Ticks::from),
            ..self
        }
    }
}

impl Core {
    /// The time limits of a client's request.
    pub fn limits_of(&self, client: &Client) -> Limits {
        client.limits.get().unwrap_or(self.limits)
    }

    /// The part of one thread.
    pub fn new(shared: &Shared) -> Rc<Self> {
        let options = shared.options.clone();
        Rc::new(Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            limits: Limits {
                head: options.head.into(),
                keep_alive: options.keep_alive.into(),
                client_body: options.client_body.into(),
                client_write: options.client_write.into(),
                first_byte: options.first_byte.into(),
                upstream_body: options.upstream_body.into(),
            },
            pool: Pool::new(options.upstream_idle_connections, options.upstream_idle.into()),
            multiplexed: Connections::new(options.upstream_idle.into()),
            ticker: Ticker::default(),
            logins: Logins::default(),
            references: References::default(),
            routes: shared.routes.clone(),
            via: shared.via.clone(),
            log: AccessLog::new(shared.log.clone()),
            requests: Cell::new(0),
            options,
        })
    }

    /// The thread's housekeeping: time limits, unused connections, the log. Never returns.
    pub async fn run(&self) {
        let mut cuts = upstream::cuts();
        let mut connections = 0;
        self.ticker
            .run(|now| {
                self.log.flush();
                let traffic = self.routes.traffic();
                traffic.add_requests(self.requests.take());
                let open = self.ticker.watched();
                traffic.change_connections(std::mem::replace(&mut connections, open), open);
                let newest = upstream::cuts();
                if newest != cuts {
                    cuts = newest;
                    self.ticker.wake_all();
                }
                self.pool.sweep(now) | self.multiplexed.sweep(now)
            })
            .await;
    }
}
