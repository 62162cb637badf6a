//! The composition root: builds every part, knows the start order and the stop order.

mod certificates;
mod control;
mod forges;
mod leaving;
mod other;
mod successor;
mod upgrade;

use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

pub use self::certificates::revoke_certificate;
use self::control::Control;
pub use self::leaving::Leaving;
use self::successor::Before;
pub use self::successor::take_over;
pub use self::upgrade::{NotUpgraded, Upgraded};
use crate::app::{App, Parts};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, DataDir, DataDirError, Lock, kernel_log};
use crate::crypto::secret_box::SecretBox;
use crate::crypto::{random, token};
use crate::db::{self, Db, DbError};
use crate::docker::bollard::Bollard;
use crate::docker::{ContainerEngine, EngineError};
use crate::egress::lookup::LookupFailed;
use crate::egress::{EgressError, Policy, PolicyError};
use crate::events::Bus;
use crate::git::libgit::Limits;
use crate::git::pushed::Repositories;
use crate::logs::{LogStore, Retention};
use crate::routing::publisher::Publisher;
use crate::routing::table::Routes;
use crate::server::{self, Phase, Relayed, Server};
use crate::task::{Signal, Tasks};
use crate::tls::dns::DnsError;
use crate::tls::issuance::NotRevoked;
use crate::tls::store::{Certificates, NoFallback};
use crate::web;

/// What the database's check of the key is sealed for.
const CHECK: &str = "meta/key_check";

/// How long running requests may take when the process stops.
const STOP_GRACE: Duration = Duration::from_secs(30);

/// Orbitra cannot start. Says which setting or file is to be looked at.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Data(#[from] DataDirError),
    #[error("The database in the data directory: {0}")]
    Database(#[from] DbError),
    #[error(
        "The key file `orbitra.key` is not the one this database was made with. Put the right file back."
    )]
    WrongKey,
    #[error("ORBITRA_EGRESS_ALLOW: {0}")]
    Egress(#[from] PolicyError),
    #[error("Outgoing connections: {0}")]
    Client(#[from] EgressError),
    #[error("ORBITRA_DOCKER_HOST: {0}")]
    Engine(#[from] EngineError),
    #[error("ORBITRA_DNS_SERVERS: {0}")]
    Dns(#[from] LookupFailed),
    #[error("ORBITRA_ACME_DNS: {0}")]
    Records(#[from] DnsError),
    #[error("The certificate was not revoked: {0}.")]
    NotRevoked(#[from] NotRevoked),
    #[error(transparent)]
    Tls(#[from] NoFallback),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("The process before has gone before it had handed anything over.")]
    Alone,
}

/// An opened instance: what the operator's commands need, also while a server runs.
pub struct Instance {
    pub app: App,
    /// Name of the instance in the labels on the engine.
    pub name: String,
    tasks: Tasks,
    data: DataDir,
}

/// Opens the data directory, the key and the database.
///
/// # Errors
/// One of them cannot be used.
pub async fn open(config: &Config, clock: Clock) -> Result<Instance, BootError> {
    crate::failpoint::arm(&config.failpoints);
    open_again(config, clock).await
}

/// The same in a process that has done so before.
async fn open_again(config: &Config, clock: Clock) -> Result<Instance, BootError> {
    let data = DataDir::open(&config.data)?;
    let secrets = SecretBox::new(&data.key(random::bytes())?);
    let file = data.path("orbitra.db");
    // On a thread of the control plane: its writer is to stand as far behind visitors.
    let opening = tokio::task::spawn_blocking(move || Db::open(&file));
    let db = opening.await.map_err(std::io::Error::other)??;
    let name = identify(&db, &secrets, &data).await?;
    let tasks = Tasks::default();
    let retention = Retention { age: config.log_age, bytes: config.log_bytes };
    let limits = Limits { received_bytes: config.git_size_limit, ..Limits::default() };
    let app = App::new(Parts {
        db,
        clock,
        secrets: Arc::new(secrets),
        bus: Bus::default(),
        logs: LogStore::open(data.path("logs"), retention)?,
        hosts: config.hosts.clone(),
        config: config.clone(),
        engine: OnceLock::new(),
        egress: Policy::parse(&config.egress_allow, config.egress_allow_http)?,
        repositories: Arc::new(Repositories::new(data.path("repositories"), limits)),
        pipeline: Signal::default(),
        routes: Signal::default(),
        domains: Signal::default(),
        orders: Signal::default(),
        certificates: Signal::default(),
        stapling: Signal::default(),
        figures: Signal::default(),
        sweep: Signal::default(),
        measured: watch::Sender::default(),
        traffic: OnceLock::new(),
        stopping: tasks.stopping(),
    });
    Ok(Instance { app, name, tasks, data })
}

/// Checks that the key belongs to the database and answers the instance's name; makes both at the first start.
async fn identify(db: &Db, secrets: &SecretBox, data: &DataDir) -> Result<String, BootError> {
    let (stored, name) = db
        .read(|c| -> Result<_, DbError> {
            Ok((db::meta::get(c, db::meta::KEY_CHECK)?, db::meta::get(c, db::meta::INSTANCE_ID)?))
        })
        .await?;
    if let Some(stored) = stored {
        let opens =
            token::unhex(&stored).is_some_and(|sealed| secrets.open(CHECK, &sealed).is_ok());
        if !opens {
            return Err(BootError::WrongKey);
        }
    }
    if let Some(name) = name {
        return Ok(name);
    }
    let sealed = token::hex(&secrets.seal(CHECK, b"orbitra"));
    let fresh = token::hex(&random::bytes::<6>());
    let name = db
        .write(move |c| -> Result<String, DbError> {
            // Another process may have been faster.
            if let Some(name) = db::meta::get(c, db::meta::INSTANCE_ID)? {
                return Ok(name);
            }
            db::meta::set(c, db::meta::KEY_CHECK, &sealed)?;
            db::meta::set(c, db::meta::INSTANCE_ID, &fresh)?;
            Ok(fresh)
        })
        .await?;
    // The uninstaller reads it to find what belongs to this instance.
    std::fs::write(data.path("instance"), format!("{name}\n"))?;
    Ok(name)
}

/// A running Orbitra: a data plane, and a control plane that can end before it when another process takes over.
pub struct Orbitra {
    pub app: App,
    control: Control,
    plane: DataPlane,
    config: Config,
    engine: Arc<dyn ContainerEngine>,
    /// Held for as long as this instance runs.
    lock: Lock,
    /// The process that this one has taken over from.
    before: Option<Before>,
}

/// What the visitors meet, and what outlives a control plane.
struct DataPlane {
    server: Server,
    routes: Routes,
    certificates: Certificates,
}

impl Orbitra {
    /// Starts everything on the engine the settings name, on sockets that are open already where there are such.
    ///
    /// # Errors
    /// See [`BootError`].
    pub async fn start(config: Config, inherited: Vec<TcpListener>) -> Result<Self, BootError> {
        let lock = DataDir::open(&config.data)?.lock()?;
        if let Some(process) = lock.cut_off() {
            say_why(process);
        }
        let instance = open(&config, Clock::System).await?;
        let engine = Bollard::connect(config.docker_host.as_deref(), instance.name.clone())?;
        let sockets = Sockets { inherited, ..Sockets::default() };
        let ready = Self::prepare(config, instance, Arc::new(engine), lock, sockets).await?;
        ready.work()?;
        ready.accept();
        Ok(ready)
    }

    /// Starts everything on an engine that is given; the whole-application tests use their own.
    ///
    /// # Errors
    /// See [`BootError`].
    pub async fn start_with(
        config: Config,
        instance: Instance,
        engine: Arc<dyn ContainerEngine>,
        lock: Lock,
    ) -> Result<Self, BootError> {
        let ready = Self::prepare(config, instance, engine, lock, Sockets::default()).await?;
        ready.work()?;
        ready.accept();
        Ok(ready)
    }

    /// Builds everything. No task runs until [`Orbitra::work`], and connections wait until [`Orbitra::accept`].
    async fn prepare(
        config: Config,
        instance: Instance,
        engine: Arc<dyn ContainerEngine>,
        lock: Lock,
        sockets: Sockets,
    ) -> Result<Self, BootError> {
        let routes = Routes::default();
        let certificates = Certificates::new()?;
        let Instance { app, name, tasks, data } = instance;
        let publisher = Publisher::new(
            app.db.clone(),
            routes.clone(),
            data.path("sites"),
            config.hosts.clone(),
            config.keep_assets,
        );
        let control =
            Control::build(app, name, tasks, &data, &engine, publisher, &routes, &certificates)
                .await?;
        let hosts = config.hosts.clone();
        let router = web::router(&control.app);
        let mut options =
            server::Options::new(config.listen, routes.clone(), router, move |host| {
                hosts.is_control(host)
            });
        options.tls = config.listen_tls.map(|listen| server::Tls {
            listen,
            port: config.hosts.https_port().unwrap_or(listen.port()),
            certificates: certificates.clone(),
        });
        options.proxy = proxy_options(&config, data.path("logs/access").as_path());
        options.connections_per_address = config.visitors.connections_per_address;
        options.h2c = config.visitors.h2c;
        options.inherited = sockets.inherited;
        options.relayed = sockets.relayed;
        options.phase = Phase::Waiting;
        let server = Server::start(options)?;
        let plane = DataPlane { server, routes, certificates };
        let app = control.app.clone();
        Ok(Self { app, control, plane, config, engine, lock, before: None })
    }

    /// Starts the tasks.
    fn work(&self) -> Result<(), BootError> {
        self.control.start(&self.plane.certificates)
    }

    /// Accepts connections.
    fn accept(&self) {
        self.plane.server.accept();
    }

    /// Where it listens.
    pub fn local_addr(&self) -> std::net::SocketAddr {
        self.plane.server.local_addr()
    }

    /// Where it listens for TLS.
    pub fn tls_addr(&self) -> Option<std::net::SocketAddr> {
        self.plane.server.tls_addr()
    }

    /// Stops: no new connections, running requests finish, also those of the process before, tasks end, logs are written
    /// out. Applications run on.
    pub async fn stop(self) {
        // Tasks are told first, so that streams which wait for them end within the grace.
        let tasks = self.control.tasks.clone();
        let before = async {
            if let Some(before) = &self.before {
                before.finish(STOP_GRACE).await;
            }
        };
        tokio::join!(self.plane.server.shutdown(STOP_GRACE), tasks.stop(STOP_GRACE), before);
        self.control.store().await;
        self.lock.release();
    }
}

/// Sockets that are open already.
#[derive(Default)]
struct Sockets {
    inherited: Vec<TcpListener>,
    relayed: Option<mpsc::UnboundedReceiver<Relayed>>,
}

/// Says that the process before this one did not end in order, and why if that can be known.
fn say_why(process: u32) {
    let reason = if kernel_log::killed_for_memory(process) {
        "the kernel killed it for lack of memory"
    } else {
        "it was killed, it crashed, or the machine lost power"
    };
    tracing::warn!(process, reason, "the last run did not end in order; what it had begun goes on");
}

fn proxy_options(config: &Config, access_log: &Path) -> crate::proxy::Options {
    crate::proxy::Options {
        requests_per_deployment: config.visitors.requests_per_deployment,
        trusted_proxies: config.visitors.trusted_proxies.clone(),
        access_log: config.access_log.then(|| access_log.to_owned()),
        ..crate::proxy::Options::default()
    }
}
