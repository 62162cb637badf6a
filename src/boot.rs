//! The composition root: builds every part, knows the start order and the stop order.

mod certificates;
mod forges;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use certificates::revoke_certificate;
use tokio::sync::watch;

use crate::app::{App, Parts};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, DataDir, DataDirError, Lock, kernel_log};
use crate::crypto::secret_box::SecretBox;
use crate::crypto::{random, token};
use crate::db::{self, Db, DbError};
use crate::docker::bollard::Bollard;
use crate::docker::{ContainerEngine, EngineError};
use crate::egress::lookup::LookupFailed;
use crate::egress::{Client, EgressError, Policy, PolicyError};
use crate::events::Bus;
use crate::git::libgit::{LibGit, Limits};
use crate::git::pushed::Repositories;
use crate::logs::{LogStore, Retention};
use crate::notify;
use crate::pipeline::{self, Pipeline, RunningState};
use crate::routing::publisher::Publisher;
use crate::routing::table::Routes;
use crate::server::{self, Server};
use crate::task::{Signal, Tasks};
use crate::tls::dns::DnsError;
use crate::tls::issuance::NotRevoked;
use crate::tls::keeper::Keeper;
use crate::tls::store::{Certificates, NoFallback};
use crate::web;

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
    let data = DataDir::open(&config.data)?;
    let secrets = SecretBox::new(&data.key(random::bytes())?);
    let db = Db::open(&data.path("orbitra.db"))?;
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
        sweep: Signal::default(),
        measured: watch::Sender::default(),
        traffic: OnceLock::new(),
        stopping: tasks.stopping(),
    });
    Ok(Instance { app, name, tasks, data })
}

/// Checks that the key belongs to the database and answers the instance's name; makes both at the first start.
async fn identify(db: &Db, secrets: &SecretBox, data: &DataDir) -> Result<String, BootError> {
    const CHECK: &str = "meta/key_check";
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

/// A running Orbitra.
pub struct Orbitra {
    pub app: App,
    server: Server,
    tasks: Tasks,
    /// Held for as long as this instance runs.
    lock: Lock,
}

impl Orbitra {
    /// Starts everything on the engine the settings name.
    ///
    /// # Errors
    /// See [`BootError`].
    pub async fn start(config: Config) -> Result<Self, BootError> {
        let lock = DataDir::open(&config.data)?.lock()?;
        if let Some(process) = lock.cut_off() {
            say_why(process);
        }
        let instance = open(&config, Clock::System).await?;
        let engine = Bollard::connect(config.docker_host.as_deref(), instance.name.clone())?;
        Self::start_with(config, instance, Arc::new(engine), lock).await
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
        let Instance { app, name, tasks, data } = instance;
        // It is fresh: nobody has set another one.
        let _ = app.engine.set(engine.clone());
        let routes = Routes::default();
        let _ = app.traffic.set(routes.traffic().clone());
        let sites = data.path("sites");
        let hosts = config.hosts.clone();
        let (table, keep) = (routes.clone(), config.keep_assets);
        let publisher = Publisher::new(app.db.clone(), table, sites.clone(), hosts, keep);
        // Before the first connection is accepted: what served before the restart serves at once.
        publisher.publish().await?;
        app.load_rate_windows().await?;
        app.clean_uploads().await;
        if let Err(error) = app.load_settings().await {
            tracing::error!(%error, "the settings that were chosen could not be read");
        }
        let hosts = config.hosts.clone();
        let mut options =
            server::Options::new(config.listen, routes.clone(), web::router(&app), move |host| {
                hosts.is_control(host)
            });
        let certificates = Certificates::new()?;
        let keeper = Keeper::new(
            app.db.clone(),
            app.clock.clone(),
            app.secrets.clone(),
            certificates.clone(),
        );
        // As the routes: with its first connection it has what it had before.
        keeper.publish().await?;
        options.tls = config.listen_tls.map(|listen| server::Tls {
            listen,
            port: config.hosts.https_port().unwrap_or(listen.port()),
            certificates: certificates.clone(),
        });
        options.proxy = proxy_options(&config, data.path("logs/access").as_path());
        let server = Server::start(options)?;
        let limits = Limits { received_bytes: config.git_size_limit, ..Limits::default() };
        let client = Client::new(app.egress.clone())?;
        let fetcher = LibGit::new(data.path("mirrors"), client, limits)
            .with_known_hosts(data.path("known_hosts"))
            .with_pushed(app.repositories.clone());
        let pipeline = Pipeline::new(pipeline::Parts {
            db: app.db.clone(),
            clock: app.clock.clone(),
            secrets: app.secrets.clone(),
            bus: app.bus.clone(),
            logs: app.logs.clone(),
            hosts: config.hosts.clone(),
            egress: app.egress.clone(),
            engine,
            fetcher: Arc::new(fetcher),
            publisher: publisher.clone(),
            routes,
            instance: name,
            sites,
            uploads: app.uploads_directory(),
            network_pool: config.network_pool,
            build_memory: config.build_memory,
            build_cpu_millis: config.build_cpu_millis,
            room: pipeline::Room {
                memory: config.build_memory_free,
                disk: config.disk_floor,
                budget: config.disk_budget,
                preview_age: config.preview_age.map(|age| age.as_millis() as u64),
                data: config.data.clone(),
            },
            drain: config.drain,
            idle: pipeline::Idle { pause_after: config.sleep_after, stop_after: config.stop_after },
            signal: app.pipeline.clone(),
            sweep: app.sweep.clone(),
            measured: app.measured.clone(),
            tasks: tasks.clone(),
            state: RunningState::new(config.build_concurrency),
        });
        send_webhooks(&app, &tasks)?;
        start_tasks(&app, &publisher, &keeper, &tasks);
        forges::tell(&app, &tasks)?;
        certificates::look_at_domains(&app, &certificates, &tasks)?;
        pipeline.start();
        Ok(Self { app, server, tasks, lock })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> std::net::SocketAddr {
        self.server.local_addr()
    }

    /// Where it listens for TLS.
    pub fn tls_addr(&self) -> Option<std::net::SocketAddr> {
        self.server.tls_addr()
    }

    /// Stops: no new connections, running requests finish, tasks end, logs are written out. Applications run on.
    pub async fn stop(self) {
        // Tasks are told first, so that streams which wait for them end within the grace.
        let tasks = self.tasks.clone();
        tokio::join!(self.server.shutdown(STOP_GRACE), tasks.stop(STOP_GRACE));
        self.app.store_key_uses().await;
        self.app.store_rate_windows().await;
        self.app.logs.flush().await;
        self.lock.release();
    }
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
        access_log: config.access_log.then(|| access_log.to_owned()),
        ..crate::proxy::Options::default()
    }
}

/// Sends events to webhooks, first those that the last run left.
fn send_webhooks(app: &App, tasks: &Tasks) -> Result<(), EgressError> {
    let engine = notify::Engine::new(notify::Parts {
        db: app.db.clone(),
        clock: app.clock.clone(),
        secrets: app.secrets.clone(),
        bus: app.bus.clone(),
        client: Client::connecting_within(app.egress.clone(), notify::CONNECT)?,
        schedule: app.config.webhook_schedule.as_slice().into(),
        timeout: app.config.webhook_timeout,
        tasks: tasks.clone(),
    });
    engine.start();
    Ok(())
}

fn start_tasks(app: &App, publisher: &Publisher, keeper: &Keeper, tasks: &Tasks) {
    let publisher = publisher.clone();
    tasks.periodic(app.routes.clone(), Duration::from_secs(60), move || {
        let publisher = publisher.clone();
        async move {
            if let Err(error) = publisher.publish().await {
                tracing::error!(%error, "the routes could not be published");
            }
        }
    });
    let keeper = keeper.clone();
    tasks.periodic(app.certificates.clone(), Duration::from_secs(60), move || {
        let keeper = keeper.clone();
        async move {
            if let Err(error) = keeper.publish().await {
                tracing::error!(%error, "the certificates could not be read");
            }
        }
    });
    let keys = app.clone();
    tasks.periodic(Signal::default(), Duration::from_secs(5), move || {
        let app = keys.clone();
        async move {
            app.store_key_uses().await;
            app.store_rate_windows().await;
        }
    });
    let sessions = app.clone();
    tasks.periodic(Signal::default(), Duration::from_secs(3600), move || {
        let app = sessions.clone();
        async move {
            let now = app.clock.now();
            app.forget_old_answers().await;
            app.forget_old_events().await;
            app.forget_old_keys().await;
            app.forget_old_lines().await;
            app.forget_old_uploads().await;
            app.forget_old_removals().await;
            if let Err(error) = app.db.write(move |c| db::sessions::delete_expired(c, now)).await {
                tracing::warn!(%error, "expired sessions could not be removed");
            }
        }
    });
}
