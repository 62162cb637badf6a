//! Sockets: listening, one thread per core, and who answers a request.

mod body;
mod client_io;
mod connection;
mod dispatch;
mod edge;
mod framing;
mod listen;
mod multiplex;
mod socket;
mod thread;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use self::dispatch::ControlPlane;
use self::edge::Edge;
use self::thread::Setup;
use crate::proxy;
use crate::routing::table::Routes;
use crate::tls::acceptor::Acceptor;
use crate::tls::store::Certificates;

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
    /// Open connections per thread; at the cap new ones get 503 and are closed.
    pub connections_per_thread: usize,
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
            connections_per_thread: 20_000,
            proxy: proxy::Options::default(),
        }
    }
}

/// A running server. Dropping it ends the threads without waiting for running requests.
pub struct Server {
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    stop: watch::Sender<Option<Duration>>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Binds and starts the threads. Returns once connections are accepted.
    ///
    /// # Errors
    ///
    /// An address cannot be bound (the message names the setting), there is no randomness, the access log cannot
    /// be opened, or a thread cannot be started.
    pub fn start(options: Options) -> io::Result<Self> {
        let count = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let listeners = listen::listen(options.listen, count, "ORBITRA_LISTEN")?;
        let address = match listeners.first() {
            Some(listener) => listener.local_addr()?,
            None => options.listen,
        };
        let (tls_address, tls_listeners) = match options.tls {
            Some(tls) => listen_tls(tls, count)?,
            None => (None, Vec::new()),
        };
        let mut tls_listeners = tls_listeners.into_iter();
        let shared = proxy::Shared::new(options.proxy, options.routes)?;
        let control = ControlPlane {
            router: options.router,
            runtime: options.control,
            is_host: options.is_control_host,
        };
        let (stop, stopped) = watch::channel(None);
        let mut server = Self { address, tls_address, stop, threads: Vec::with_capacity(count) };
        for (number, listener) in listeners.into_iter().enumerate() {
            let setup = Setup {
                listener,
                tls: tls_listeners.next(),
                shared: shared.clone(),
                control: control.clone(),
                cap: options.connections_per_thread,
                stop: stopped.clone(),
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

    /// Accepts nothing new, closes idle connections and tunnels, lets running requests finish
    /// for up to `grace`, then ends the threads.
    pub async fn shutdown(self, grace: Duration) {
        // Fails when no thread is left, and then there is nothing to stop.
        let _ = self.stop.send(Some(grace));
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
fn listen_tls(tls: Tls, count: usize) -> io::Result<Listening> {
    let listeners = listen::listen(tls.listen, count, "ORBITRA_LISTEN_TLS")?;
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
