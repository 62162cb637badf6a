//! `orbitra serve`: runs until SIGTERM or SIGINT; a second one ends it at once. Or until another version takes over.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, getpriority_process, kill_process, setpriority_process};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use super::CliError;
use crate::boot::{Leaving, Orbitra, Upgraded, take_over};
use crate::config::Config;
use crate::handover::command::{self, Asked, Reply};
use crate::handover::notify::Manager;

/// Threads of the control plane. Few, because visitors are served by threads of their own.
const CONTROL_THREADS: usize = 2;
/// How far they stand behind visitors when all cores are busy, in steps of niceness (`setpriority(2)`; on Linux it is of a
/// thread).
const BEHIND: i32 = 15;
/// How long a thread for file work and reads of the database waits for more. They are woken in turn: with the usual ten
/// seconds the little that is done all the time would keep as many of them as were ever needed.
const IDLE_THREAD: Duration = Duration::from_secs(1);

/// How this program is started again with the same flags.
pub(super) fn arguments(data: Option<&Path>, listen: Option<&str>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["serve".into(), "--successor".into()];
    if let Some(data) = data {
        arguments.extend(["--data".into(), data.into()]);
    }
    if let Some(listen) = listen {
        arguments.extend(["--listen".into(), listen.into()]);
    }
    arguments
}

pub(super) fn run(
    config: Config,
    inherited: Vec<TcpListener>,
    arguments: Vec<OsString>,
    successor: bool,
) -> Result<(), CliError> {
    let messages = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let levels: Targets = config.log.trim().parse().map_err(std::io::Error::other)?;
    tracing_subscriber::registry().with(messages.with_filter(levels)).init();
    // Of this thread, which starts those of the data plane and whoever takes over.
    let behind = getpriority_process(None).unwrap_or(0) + BEHIND;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_keep_alive(IDLE_THREAD)
        .on_thread_start(move || {
            // Without it everything goes on, only less evenly.
            let _ = setpriority_process(None, behind);
        })
        .enable_all()
        .build()?;
    runtime.block_on(serve(config, inherited, &arguments, successor))
}

async fn serve(
    config: Config,
    inherited: Vec<TcpListener>,
    arguments: &[OsString],
    successor: bool,
) -> Result<(), CliError> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let dashboard = config.hosts.dashboard_url();
    let data = config.data.clone();
    let mut orbitra = match successor {
        true => take_over(config).await?,
        false => Orbitra::start(config, inherited).await?,
    };
    // Before anybody hears that this process is ready: it may be asked for an upgrade at once.
    let (listening, mut requests) = listen(&data);
    let manager = Manager::from_environment(|name| std::env::var(name).ok());
    manager.ready();
    tracing::info!(address = %orbitra.local_addr(), %dashboard, "Orbitra is running");
    if orbitra.app.needs_set_up().await? {
        tracing::info!(
            "nobody administrates this server yet; get the link with `orbitra admin setup-link`"
        );
    }
    loop {
        let asked = tokio::select! {
            () = wait(&mut terminate, &mut interrupt) => break,
            Some(asked) = requests.recv() => asked,
        };
        match upgrade(orbitra, &asked, arguments).await {
            Ok(leaving) => {
                drop(listening);
                return finish(leaving, (&mut terminate, &mut interrupt)).await;
            }
            Err(Some(same)) => orbitra = same,
            // A service manager starts it again.
            Err(None) => std::process::exit(1),
        }
    }
    manager.stopping();
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

/// Where requests for an upgrade come from; nowhere when there can be no socket.
fn listen(data: &Path) -> (Option<JoinHandle>, mpsc::Receiver<Asked>) {
    match command::listen(data) {
        Ok((task, requests)) => (Some(JoinHandle(task)), requests),
        Err(error) => {
            tracing::warn!(%error, "`orbitra upgrade` will not find this process");
            (None, mpsc::channel(1).1)
        }
    }
}

/// A task that ends when this is dropped.
struct JoinHandle(tokio::task::JoinHandle<()>);

impl Drop for JoinHandle {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Lets another version take over, and tells whoever asked for it. Without, the one before serves on.
async fn upgrade(
    orbitra: Orbitra,
    asked: &Asked,
    arguments: &[OsString],
) -> Result<Leaving, Option<Orbitra>> {
    tracing::info!(binary = %asked.upgrade.binary.display(), "another version is to take over");
    let replies = asked.replies.clone();
    let step = move |text: &str| {
        tracing::info!("{text}");
        let _ = replies.send(Reply::Step(text.to_owned()));
    };
    match orbitra.upgrade(&asked.upgrade, arguments, step).await {
        Ok((leaving, Upgraded { version, process })) => {
            tracing::info!(version, process, "another process serves; this one finishes and ends");
            let _ = asked.replies.send(Reply::Done { version, process });
            Ok(leaving)
        }
        Err((same, error)) => {
            tracing::error!(%error, "the version before serves on");
            let _ = asked.replies.send(Reply::Failed(error.to_string()));
            Err(same)
        }
    }
}

/// Finishes what visitors asked this process for. A signal is meant for the one that serves.
async fn finish(
    leaving: Leaving,
    (terminate, interrupt): (&mut Signal, &mut Signal),
) -> Result<(), CliError> {
    let process = i32::try_from(leaving.process()).ok().and_then(Pid::from_raw);
    let stopping = leaving.stopping();
    let mut finishing = std::pin::pin!(leaving.finish());
    tokio::select! {
        () = &mut finishing => {}
        () = wait(terminate, interrupt) => {
            stopping.cancel();
            if let Some(process) = process {
                let _ = kill_process(process, rustix::process::Signal::TERM);
            }
            tokio::select! {
                () = &mut finishing => {}
                () = wait(terminate, interrupt) => std::process::exit(1),
            }
        }
    }
    tracing::info!("stopped");
    Ok(())
}

async fn wait(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
