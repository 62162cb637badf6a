//! The command line: `serve`, `admin` and `plan` work on this machine.

mod admin;
mod plan;
mod serve;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::app::AppError;
use crate::boot::BootError;
use crate::builder::DetectError;
use crate::config::{Config, Flags};

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
        Command::Serve { data, listen } => {
            serve::run(Config::load(&Flags { data, listen }, environment)?)
        }
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Admin { data, command } => {
            admin::run(Config::load(&Flags { data, listen: None }, environment)?, command)
        }
    }
}
