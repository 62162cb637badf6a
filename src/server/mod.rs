//! Sockets: listening, one thread per core, and who answers a request.

mod body;
mod client_io;
mod connection;
mod crowd;
mod dispatch;
mod edge;
mod frames;
mod framing;
mod gate;
mod listen;
pub mod metrics;
mod multiplex;
mod pace;
mod socket;
mod thread;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use self::crowd::Crowd;
use self::dispatch::ControlPlane;
use self::edge::Edge;
pub use self::gate::Gate;
use self::thread::Setup;
pub use self::thread::{Farewell, Phase, Relayed};
use crate::proxy;
use crate::routing::table::Routes;
use crate::tls::acceptor::Acceptor;
use crate::tls::store::Certificates;

/// How long a connection without a request is kept when the server stops.
const IDLE: Duration = Duration::from_millis(500);

/// What a server needs to start.
pub struct Options {
    /// Where to listen; port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// The TLS side; without it there is none.
    pub tls: Option<Tls>,
    /// How many threads serve connections; 0 means one per core.
    pub threads: usize,
    /// The newest routes.
    pub routes: Routes,
    /// Answers requests for the control plane's hosts, on `control`.
    pub router: axum::Router,
    /// The runtime that runs the control plane.
    pub control: tokio::runtime::Handle,
    /// Whether a host name (lower case, no port, no trailing dot) belongs to the control plane.
    /// Called for every request, so it must be cheap.
    pub is_control_host: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Sockets that listen already, from the process before or from a service manager. Those whose address is not
    /// wanted are closed.
    pub inherited: Vec<TcpListener>,
    /// Requests that the process before passes on.
    pub relayed: Option<UnboundedReceiver<Relayed>>,
    /// What it does at first.
    pub phase: Phase,
    /// Open connections per thread; at the cap new ones get 503 and are closed.
    pub connections_per_thread: usize,
    /// Open connections of one address, where it is not that of a proxy that is believed; those of an IPv6 /64 count
    /// together. More are refused with 429, and over TLS closed.
    pub connections_per_address: usize,
    /// Whether HTTP/2 without TLS is spoken with those who begin with it (RFC 9113 section 3.3).
    pub h2c: bool,
    /// Time limits and log of the proxy.
    pub proxy: proxy::Options,
}

/// The TLS side of a server.
pub struct Tls {
    /// Where to listen; port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// The port that visitors reach it at.
    pub port: u16,
    /// What is served.
    pub certificates: Certificates,
}

impl Options {
    /// Options with the usual limits; `control` is the runtime this is called in.
    ///
    /// # Panics
    ///
    /// When called outside a tokio runtime.
    pub fn new(
        listen: SocketAddr,
        routes: Routes,
        router: axum::Router,
        is_control_host: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            listen,
            tls: None,
            threads: 0,
            routes,
            router,
            control: tokio::runtime::Handle::current(),
            is_control_host: Arc::new(is_control_host),
            inherited: Vec::new(),
            relayed: None,
            phase: Phase::Accepting,
            connections_per_thread: 20_000,
            connections_per_address: usize::MAX,
            h2c: false,
            proxy: proxy::Options::default(),
        }
    }
}

/// A running server. Dropping it ends the threads without waiting for running requests.
pub struct Server {
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    gate: Gate,
    phase: watch::Sender<Phase>,
    /// What the process after this one gets a copy of.
    listeners: Vec<TcpListener>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Binds and starts the threads. Returns once connections are accepted.
    ///
    /// # Errors
    ///
    /// An address cannot be bound (the message names the setting), there is no randomness, the access log cannot
    /// be opened, or a thread cannot be started.
    pub fn start(mut options: Options) -> io::Result<Self> {
        let mut count = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let mut inherited = std::mem::take(&mut options.inherited);
        let plain = listen::inherit(&mut inherited, options.listen)?;
        count = count.max(plain.len());
        let secure = match &options.tls {
            Some(tls) => listen::inherit(&mut inherited, tls.listen)?,
            None => Vec::new(),
        };
        count = count.max(secure.len());
        drop(inherited);
        let listeners = match plain.len() {
            0 => listen::listen(options.listen, count, "ORBITRA_LISTEN")?,
            _ => listen::share(plain, count)?,
        };
        let address = match listeners.first() {
            Some(listener) => listener.local_addr()?,
            None => options.listen,
        };
        let (tls_address, tls_listeners) = match options.tls {
            Some(tls) => listen_tls(tls, secure, count)?,
            None => (None, Vec::new()),
        };
        let copies = listeners.iter().chain(tls_listeners.iter().map(|(listener, _)| listener));
        let copies = copies.map(TcpListener::try_clone).collect::<io::Result<_>>()?;
        let mut tls_listeners = tls_listeners.into_iter();
        let exempt = options.proxy.trusted_proxies.clone();
        let crowd = Crowd::new(options.connections_per_address, exempt);
        let shared = proxy::Shared::new(options.proxy, options.routes)?;
        let control = ControlPlane {
            gate: Gate::new(options.router),
            runtime: options.control,
            is_host: options.is_control_host,
        };
        let (phase, wanted) = watch::channel(options.phase);
        let mut server = Self {
            address,
            tls_address,
            gate: control.gate.clone(),
            phase,
            listeners: copies,
            threads: Vec::with_capacity(count),
        };
        for (number, listener) in listeners.into_iter().enumerate() {
            let setup = Setup {
                listener,
                tls: tls_listeners.next(),
                shared: shared.clone(),
                control: control.clone(),
                cap: options.connections_per_thread,
                crowd: Arc::clone(&crowd),
                h2c: options.h2c,
                phase: wanted.clone(),
                // One thread is enough for the few there are.
                relayed: options.relayed.take(),
            };
            let (started, starting) = mpsc::sync_channel(1);
            let thread =
                std::thread::Builder::new().name(format!("proxy-{number}")).spawn(move || {
                    setup.run(|result| {
                        // The receiver waits right below.
                        let _ = started.send(result);
                    });
                })?;
            server.threads.push(thread);
            starting.recv().map_err(io::Error::other)??;
        }
        Ok(server)
    }

    /// Where the server listens, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where the TLS side listens, with the real port.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// The way to the control plane.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The sockets it listens on.
    pub fn listeners(&self) -> &[TcpListener] {
        &self.listeners
    }

    /// Accepts connections, where it did not from the start.
    pub fn accept(&self) {
        self.phase.send_replace(Phase::Accepting);
    }

    /// Accepts nothing new, closes idle connections a moment later and tunnels at once, lets running requests finish
    /// for up to `grace`, then ends the threads.
    pub async fn shutdown(mut self, grace: Duration) {
        // First of all: what comes in while only the copies are open is reset with them.
        self.listeners.clear();
        let farewell = Farewell { idle: IDLE.min(grace), tunnels: Duration::ZERO, requests: grace };
        self.leave(farewell);
        self.ended().await;
    }

    /// Accepts nothing new, and ends as it is told.
    pub fn leave(&self, farewell: Farewell) {
        self.phase.send_replace(Phase::Leaving(farewell));
    }

    /// A way to tell it that it is to end sooner: as with [`Server::shutdown`].
    pub fn hurry(&self) -> impl Fn() + Send + use<> {
        let phase = self.phase.clone();
        move || {
            phase.send_if_modified(|phase| {
                let Phase::Leaving(Farewell { requests, .. }) = *phase else { return false };
                *phase = Phase::Leaving(Farewell { idle: IDLE, tunnels: Duration::ZERO, requests });
                true
            });
        }
    }

    /// Waits for the end of its threads, which are to have been told.
    pub async fn ended(self) {
        // As long as one of them is open, connections come in that nobody takes.
        drop(self.listeners);
        let threads = self.threads;
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a proxy thread ended with a panic");
                }
            }
        });
        let _ = joined.await;
    }
}

type Listening = (Option<SocketAddr>, Vec<(TcpListener, Edge)>);

/// Listeners for TLS, one a thread; all of them share tickets and sessions.
fn listen_tls(tls: Tls, inherited: Vec<TcpListener>, count: usize) -> io::Result<Listening> {
    let listeners = match inherited.len() {
        0 => listen::listen(tls.listen, count, "ORBITRA_LISTEN_TLS")?,
        _ => listen::share(inherited, count)?,
    };
    let address = listeners.first().map(TcpListener::local_addr).transpose()?;
    let acceptor = Acceptor::new(&tls.certificates).map_err(io::Error::other)?;
    // A port that the system chose is known only now.
    let port = match (tls.port, address) {
        (0, Some(address)) => address.port(),
        (port, _) => port,
    };
    let edge = Edge { acceptor, certificates: tls.certificates, port };
    Ok((address, listeners.into_iter().map(|listener| (listener, edge.clone())).collect()))
}
