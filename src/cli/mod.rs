//! The command line: `serve`, `admin` and `plan` work on this machine.

mod admin;
mod plan;
mod serve;
mod upgrade;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::app::AppError;
use crate::boot::BootError;
use crate::builder::DetectError;
use crate::config::{Config, Flags, data_path};
use crate::handover::{activation, detached};

/// A self-hosted deployment platform.
#[derive(Debug, Parser)]
#[command(name = "orbitra", version, disable_help_subcommand = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the platform.
    Serve {
        /// Data directory (ORBITRA_DATA).
        #[arg(long)]
        data: Option<PathBuf>,
        /// HTTP address (ORBITRA_LISTEN).
        #[arg(long)]
        listen: Option<String>,
        /// Take over from the process at the other end of standard input.
        #[arg(long, hide = true)]
        successor: bool,
    },
    /// Let another version of this program take over from the one that runs, without a request that fails.
    Upgrade {
        /// Data directory of the one that runs (ORBITRA_DATA).
        #[arg(long)]
        data: Option<PathBuf>,
        /// The program that takes over; this one without it.
        #[arg(long)]
        binary: Option<PathBuf>,
        /// Seconds in which it has to become ready.
        #[arg(long, default_value_t = 60)]
        timeout: u64,
        /// Take the ORBITRA_ settings from this command's environment, in the place of those of the running process.
        #[arg(long)]
        settings: bool,
    },
    /// Start a program as nobody's child, and tell who it is over standard input.
    #[command(hide = true, name = detached::COMMAND)]
    Detach {
        program: OsString,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Work on the data directory, also while the server runs.
    Admin {
        /// Data directory (ORBITRA_DATA).
        #[arg(long, global = true)]
        data: Option<PathBuf>,
        #[command(subcommand)]
        command: admin::Command,
    },
    /// Show how a folder would be built, without a server.
    Plan(plan::Arguments),
}

/// Why a command ended without doing its work, and the exit code that says so.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Boot(#[from] BootError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Plan(#[from] DetectError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Another version did not take over; the one before serves.
    #[error("{0} Nothing has changed.")]
    NotUpgraded(String),
}

impl CliError {
    /// 1 failure, 2 bad input, 3 already set up, 4 exists already, 5 not found.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Plan(_) | Self::App(AppError::Invalid(_)) => 2,
            Self::App(AppError::Conflict { reason: "set_up_done", .. }) => 3,
            Self::App(AppError::Conflict { .. }) => 4,
            Self::App(AppError::NotFound { .. }) => 5,
            _ => 1,
        }
    }
}

impl CliError {
    /// What to print: every problem of a request, a line each.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::App(AppError::Invalid(problems)) => problems
                .invalid_fields
                .iter()
                .map(|invalid| format!("{}: {}", invalid.field, invalid.message))
                .collect(),
            other => vec![other.to_string()],
        }
    }
}

impl From<crate::config::ConfigError> for CliError {
    fn from(error: crate::config::ConfigError) -> Self {
        Self::Boot(error.into())
    }
}

/// Runs a command.
///
/// # Errors
/// See [`CliError`].
pub fn run(arguments: Arguments) -> Result<(), CliError> {
    let environment = |name: &str| std::env::var(name).ok();
    match arguments.command {
        Command::Serve { data, listen, successor } => {
            // First of all: other descriptors could be taken for them.
            let inherited = activation::take(environment);
            let arguments = serve::arguments(data.as_deref(), listen.as_deref());
            let config = Config::load(&Flags { data, listen }, environment)?;
            serve::run(config, inherited, arguments, successor)
        }
        Command::Upgrade { data, binary, timeout, settings } => {
            let data = data_path(data.as_deref(), environment);
            upgrade::run(&data, binary, timeout, settings)
        }
        Command::Detach { program, arguments } => Ok(detached::leave_behind(&program, &arguments)?),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Admin { data, command } => {
            admin::run(Config::load(&Flags { data, listen: None }, environment)?, command)
        }
    }
}
