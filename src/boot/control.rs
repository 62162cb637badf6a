//! The control plane: use cases, tasks and the pipeline. It can end while the data plane goes on, and be built again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{BootError, STOP_GRACE, certificates, forges};
use crate::app::App;
use crate::config::DataDir;
use crate::db::{self, DbError};
use crate::docker::ContainerEngine;
use crate::egress::{Client, EgressError};
use crate::git::libgit::{LibGit, Limits};
use crate::meter::{self, Meter};
use crate::notify;
use crate::pipeline::{self, Pipeline, RunningState};
use crate::routing::publisher::Publisher;
use crate::routing::table::Routes;
use crate::server::metrics;
use crate::task::{Signal, Tasks};
use crate::tls::keeper::Keeper;
use crate::tls::store::Certificates;

/// Pause between two checks of visits, of which nothing is read while there are none.
const CHECKED_EVERY: Duration = Duration::from_secs(2);

/// A control plane that owns the database.
pub struct Control {
    pub app: App,
    pub tasks: Tasks,
    pub publisher: Publisher,
    keeper: Keeper,
    pipeline: Pipeline,
    meter: Meter,
    routes: Routes,
}

impl Control {
    /// Reads what is stored and publishes it. Nothing runs yet.
    ///
    /// # Errors
    /// The database cannot be read, or a setting cannot be used.
    #[allow(clippy::too_many_arguments)]
    pub async fn build(
        app: App,
        instance: String,
        tasks: Tasks,
        data: &DataDir,
        engine: &Arc<dyn ContainerEngine>,
        publisher: Publisher,
        routes: &Routes,
        certificates: &Certificates,
    ) -> Result<Self, BootError> {
        let config = app.config.clone();
        // It is fresh: nobody has set another one.
        let _ = app.engine.set(engine.clone());
        let _ = app.traffic.set(routes.traffic().clone());
        app.serve_with(routes.clone());
        // Before the first connection is accepted: what served before the restart serves at once.
        publisher.publish().await?;
        app.load_rate_windows().await?;
        app.load_visits().await?;
        app.clean_uploads().await;
        if let Err(error) = app.load_settings().await {
            tracing::error!(%error, "the settings that were chosen could not be read");
        }
        let keeper = Keeper::new(
            app.db.clone(),
            app.clock.clone(),
            app.secrets.clone(),
            certificates.clone(),
        );
        // As the routes: with its first connection it has what it had before.
        keeper.publish().await?;
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
            engine: engine.clone(),
            fetcher: Arc::new(fetcher),
            publisher: publisher.clone(),
            routes: routes.clone(),
            instance,
            sites: data.path("sites"),
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
        let meter = Meter::new(meter::Parts {
            db: app.db.clone(),
            clock: app.clock.clone(),
            engine: engine.clone(),
            routes: routes.clone(),
            signal: app.figures.clone(),
        });
        Ok(Self { app, tasks, publisher, keeper, pipeline, meter, routes: routes.clone() })
    }

    /// Starts the tasks and the pipeline.
    ///
    /// # Errors
    /// The name servers of the settings cannot be used.
    pub fn start(&self, certificates: &Certificates) -> Result<(), BootError> {
        send_webhooks(&self.app, &self.tasks)?;
        start_tasks(&self.app, &self.routes, &self.publisher, &self.keeper, &self.tasks);
        forges::tell(&self.app, &self.tasks)?;
        certificates::look_at_domains(&self.app, certificates, &self.tasks)?;
        if let Some(address) = self.app.config.metrics_listen {
            show_metrics(address, &self.routes, &self.tasks);
        }
        self.meter.start(&self.tasks);
        self.pipeline.start();
        Ok(())
    }

    /// Ends the tasks and the pipeline. What they had begun goes on when somebody starts them again.
    pub async fn end_tasks(&self) {
        self.tasks.stop(STOP_GRACE).await;
    }

    /// Writes down what is only in memory.
    pub async fn store(&self) {
        self.app.store_key_uses().await;
        self.app.store_rate_windows().await;
        self.app.store_visits().await;
        self.meter.look().await;
        self.app.logs.flush().await;
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
        name: app.config.hosts.base_domain().to_owned(),
        dashboard: app.config.hosts.dashboard_url(),
        schedule: app.config.webhook_schedule.as_slice().into(),
        timeout: app.config.webhook_timeout,
        tasks: tasks.clone(),
    });
    engine.start();
    Ok(())
}

/// Shows the figures. The address may be taken for a moment by the process before.
fn show_metrics(address: SocketAddr, routes: &Routes, tasks: &Tasks) {
    let (routes, stopping) = (routes.clone(), tasks.stopping());
    tasks.spawn(async move {
        let show = async {
            loop {
                if let Err(error) = metrics::serve(address, routes.clone()).await {
                    tracing::error!(%error, "the figures cannot be shown");
                }
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        };
        tokio::select! {
            () = show => {}
            () = stopping.cancelled() => {}
        }
    });
}

/// Ends visits soon after what they stand on has gone.
fn check_visits(app: &App, tasks: &Tasks) {
    let (app, stopping) = (app.clone(), tasks.stopping());
    tasks.spawn(async move {
        let mut commits = app.db.commits();
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                changed = commits.changed() => if changed.is_err() { return },
            }
            app.check_visits().await;
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(CHECKED_EVERY) => {}
            }
        }
    });
}

fn start_tasks(app: &App, routes: &Routes, publisher: &Publisher, keeper: &Keeper, tasks: &Tasks) {
    let publisher = publisher.clone();
    tasks.periodic(app.routes.clone(), Duration::from_secs(60), move || {
        let publisher = publisher.clone();
        async move {
            if let Err(error) = publisher.publish().await {
                tracing::error!(%error, "the routes could not be published");
            }
        }
    });
    let (keeper, stapling) = (keeper.clone(), app.stapling.clone());
    tasks.periodic(app.certificates.clone(), Duration::from_secs(60), move || {
        let (keeper, stapling) = (keeper.clone(), stapling.clone());
        async move {
            if let Err(error) = keeper.publish().await {
                tracing::error!(%error, "the certificates could not be read");
            }
            stapling.wake();
        }
    });
    check_visits(app, tasks);
    let visitors = (app.clone(), routes.visits().came());
    tasks.periodic(visitors.1, Duration::from_secs(60), move || {
        let app = visitors.0.clone();
        async move { app.store_visits().await }
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
            app.forget_old_figures().await;
            let removed = app.db.write(move |c| -> Result<(), DbError> {
                db::visits::delete_expired(c, now)?;
                db::sessions::delete_expired(c, now)
            });
            if let Err(error) = removed.await {
                tracing::warn!(%error, "expired sessions could not be removed");
            }
        }
    });
}
