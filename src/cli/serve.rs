//! `orbitra serve`: runs until SIGTERM or SIGINT; a second one ends it at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::CliError;
use crate::boot::Orbitra;
use crate::config::Config;

/// Threads of the control plane. Few, because visitors are served by threads of their own.
const CONTROL_THREADS: usize = 2;

pub(super) fn run(config: Config) -> Result<(), CliError> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .enable_all()
        .build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Result<(), CliError> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let dashboard = config.hosts.dashboard_url();
    let orbitra = Orbitra::start(config).await?;
    tracing::info!(address = %orbitra.local_addr(), %dashboard, "Orbitra is running");
    if orbitra.app.needs_set_up().await? {
        tracing::info!(
            "nobody administrates this server yet; get the link with `orbitra admin setup-link`"
        );
    }
    wait(&mut terminate, &mut interrupt).await;
    tracing::info!("stopping: running requests finish first; applications run on");
    tokio::select! {
        () = orbitra.stop() => tracing::info!("stopped"),
        () = wait(&mut terminate, &mut interrupt) => {
            tracing::warn!("stopped at once");
            // Whoever asks twice does not wait for threads that finish their requests.
            std::process::exit(1);
        }
    }
    Ok(())
}

async fn wait(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
