//! One thread of the data plane: its runtime, its listener, its connections.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::net::{TcpListener as Listener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::connection::{self, Connections};
use super::crowd::Crowd;
use super::dispatch::ControlPlane;
use super::edge::Edge;
use super::pace::{Kind, Pace};
use crate::proxy::{Core, Shared};

/// Said to a client when the thread has all the connections it may have.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 3\r\n\
    content-length: 0\r\ncache-control: no-store\r\n\r\n";
/// Said to a client whose address has all the connections it may have.
const CROWDED: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\nretry-after: 3\r\n\
    content-length: 0\r\ncache-control: no-store\r\n\r\n";
/// Threads for file reads, per thread of the data plane.
const BLOCKING_THREADS: usize = 8;
/// Steps of tasks after which the sockets are looked at again.
const EVENTS: u32 = 16;
/// The pause after an accept that failed for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(50);

/// What a thread is given.
pub struct Setup {
    /// Its listener.
    pub listener: TcpListener,
    /// Its listener for TLS, with the TLS side.
    pub tls: Option<(TcpListener, Edge)>,
    /// What it shares with the other threads.
    pub shared: Shared,
    /// The control plane.
    pub control: ControlPlane,
    /// The most connections at a time.
    pub cap: usize,
    /// Who has how many, on all threads.
    pub crowd: Arc<Crowd>,
    /// Whether HTTP/2 is spoken without TLS.
    pub h2c: bool,
    /// Whether it is to accept connections, and when it is to end; a closed channel means at once.
    pub phase: watch::Receiver<Phase>,
    /// Connections on which the process before passes requests on.
    pub relayed: Option<mpsc::UnboundedReceiver<Relayed>>,
}

/// What a thread is to do.
#[derive(Clone, Copy, Debug)]
pub enum Phase {
    /// Connections wait in the kernel.
    Waiting,
    Accepting,
    Leaving(Farewell),
}

/// How a server ends, each counted from the beginning of the end.
#[derive(Clone, Copy, Debug)]
pub struct Farewell {
    /// How long a connection without a request is kept: its client may be sending one just now.
    pub idle: Duration,
    /// How long tunnels go on.
    pub tunnels: Duration,
    /// How long requests go on.
    pub requests: Duration,
}

/// A connection on which the process before passes one request on.
#[derive(Debug)]
pub struct Relayed {
    pub stream: UnixStream,
    /// The visitor.
    pub peer: SocketAddr,
    /// Whether the visitor came over TLS.
    pub secure: bool,
}

impl Setup {
    /// Runs the thread to its end. `started` is called once, with what became of the start.
    pub fn run(self, started: impl FnOnce(io::Result<()>)) {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .event_interval(EVENTS)
            .max_blocking_threads(BLOCKING_THREADS)
            .build_local(LocalOptions::default());
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return started(Err(error)),
        };
        runtime.block_on(async {
            match Listeners::new(self.listener, self.tls) {
                Ok(listeners) => {
                    started(Ok(()));
                    let control = Rc::new(self.control);
                    let wanted = (self.phase, self.relayed);
                    let limits = (self.cap, self.crowd);
                    serve(listeners, &self.shared, (control, self.h2c), limits, wanted).await;
                }
                Err(error) => started(Err(error)),
            }
        });
        // A file read that hangs must not keep the process.
        runtime.shutdown_background();
    }
}

/// Where connections come in.
struct Listeners {
    plain: Listener,
    tls: Option<(Listener, Rc<Edge>)>,
}

/// A connection that was accepted.
enum Accepted {
    Plain(TcpStream, SocketAddr),
    Tls(Rc<Edge>, TcpStream, SocketAddr),
}

impl Accepted {
    /// The other end.
    fn peer(&self) -> SocketAddr {
        match self {
            Self::Plain(_, peer) | Self::Tls(_, _, peer) => *peer,
        }
    }
}

impl Listeners {
    fn new(plain: TcpListener, tls: Option<(TcpListener, Edge)>) -> io::Result<Self> {
        let tls = tls.map(|(listener, edge)| {
            Ok::<_, io::Error>((Listener::from_std(listener)?, Rc::new(edge)))
        });
        Ok(Self { plain: Listener::from_std(plain)?, tls: tls.transpose()? })
    }

    async fn accept(&self) -> io::Result<Accepted> {
        let tls = async {
            match &self.tls {
                Some((listener, edge)) => {
                    Ok::<_, io::Error>((Rc::clone(edge), listener.accept().await?))
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = self.plain.accept() => accepted.map(|(stream, peer)| Accepted::Plain(stream, peer)),
            accepted = tls => accepted.map(|(edge, (stream, peer))| Accepted::Tls(edge, stream, peer)),
        }
    }
}

async fn serve(
    listeners: Listeners,
    shared: &Shared,
    (control, h2c): (Rc<ControlPlane>, bool),
    (cap, crowd): (usize, Arc<Crowd>),
    (mut phase, mut relayed): (watch::Receiver<Phase>, Option<mpsc::UnboundedReceiver<Relayed>>),
) {
    let core = Core::new(shared);
    let connections = Rc::new(Connections {
        core: Rc::clone(&core),
        control,
        h2c,
        pace: Rc::default(),
        edge: listeners.tls.as_ref().map(|(_, edge)| Rc::clone(edge)),
        leaving: Rc::default(),
        closing: Cell::new(false),
        stop: CancellationToken::new(),
    });
    let open = Rc::new(Open::default());
    tokio::task::spawn_local({
        let core = Rc::clone(&core);
        async move { core.run().await }
    });
    tokio::task::spawn_local({
        let pace = Rc::clone(&connections.pace);
        async move { pace.run().await }
    });
    let start = |accepted: Accepted| {
        let admitted = match open.count.get() < cap {
            true => crowd.enter(accepted.peer().ip()).ok_or(CROWDED),
            false => Err(FULL),
        };
        let one_of_many = match admitted {
            Ok(one_of_many) => one_of_many,
            Err(why) => {
                // What speaks TLS would not understand a word.
                if let Accepted::Plain(stream, _) = accepted {
                    let _ = stream.try_write(why);
                }
                return;
            }
        };
        let place = (open.enter(), one_of_many);
        let connections = Rc::clone(&connections);
        // A panic ends this task and with it this connection, and nothing else.
        tokio::task::spawn_local(async move {
            match accepted {
                Accepted::Plain(stream, peer) => connection::serve(connections, stream, peer).await,
                Accepted::Tls(edge, stream, peer) => {
                    connection::serve_tls(connections, edge, stream, peer).await;
                }
            }
            drop(place);
        });
    };
    let farewell = loop {
        let now = *phase.borrow_and_update();
        if let Phase::Leaving(farewell) = now {
            break Some(farewell);
        }
        tokio::select! {
            biased;
            changed = phase.changed() => {
                if changed.is_err() {
                    break None;
                }
            }
            Some(passed) = next(&mut relayed) => {
                let (place, connections) = (open.enter(), Rc::clone(&connections));
                tokio::task::spawn_local(async move {
                    connection::serve_relayed(connections, passed).await;
                    drop(place);
                });
            }
            accepted = accept(&listeners, &connections.pace), if matches!(now, Phase::Accepting) => match accepted {
                Ok(accepted) => start(accepted),
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    };
    // Connections that the kernel has already accepted would be reset with the listener.
    while let Some(Ok(accepted)) = listeners.accept().now_or_never() {
        start(accepted);
    }
    drop(listeners);
    let Some(mut farewell) = farewell else { return };
    let requests = farewell.requests;
    connections.leaving.set(true);
    core.ticker.wake_all();
    let end = async {
        loop {
            let Farewell { idle, tunnels, .. } = farewell;
            let close = async {
                tokio::time::sleep(idle).await;
                connections.closing.set(true);
                core.ticker.wake_all();
            };
            let cut = async {
                tokio::time::sleep(tunnels).await;
                connections.stop.cancel();
            };
            let times = async {
                tokio::join!(close, cut);
                std::future::pending::<()>().await;
            };
            // The newest word counts: the end may have to come sooner.
            let sooner = async {
                match phase.changed().await.map(|()| *phase.borrow_and_update()) {
                    Ok(Phase::Leaving(sooner)) => sooner,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                () = times => {}
                sooner = sooner => farewell = sooner,
            }
        }
    };
    tokio::select! {
        () = open.none() => {}
        () = end => {}
        () = tokio::time::sleep(requests) => {}
    }
}

/// The next connection, when it is its turn.
async fn accept(listeners: &Listeners, pace: &Rc<Pace>) -> io::Result<Accepted> {
    pace.turn(Kind::Arrival).await;
    listeners.accept().await
}

/// The next request that is passed on, where there is a process before.
async fn next(relayed: &mut Option<mpsc::UnboundedReceiver<Relayed>>) -> Option<Relayed> {
    match relayed {
        Some(relayed) => relayed.recv().await,
        None => std::future::pending().await,
    }
}

/// Whether an accept failed because of the connection and not of the listener.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// How many connections are open.
#[derive(Default)]
struct Open {
    count: Cell<usize>,
    left: Notify,
}

impl Open {
    fn enter(self: &Rc<Self>) -> Place {
        self.count.set(self.count.get() + 1);
        Place(Rc::clone(self))
    }

    async fn none(&self) {
        while self.count.get() > 0 {
            self.left.notified().await;
        }
    }
}

/// One open connection's part in the count.
struct Place(Rc<Open>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get() - 1);
        self.0.left.notify_one();
    }
}
