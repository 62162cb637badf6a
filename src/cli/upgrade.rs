//! `orbitra upgrade`: another version takes over from the one that runs.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::CliError;
use crate::handover::command::{self, Reply, Upgrade};

pub(super) fn run(
    data: &Path,
    binary: Option<PathBuf>,
    seconds: u64,
    settings: bool,
) -> Result<(), CliError> {
    let binary = match binary {
        Some(path) => path,
        None => std::env::current_exe()?,
    };
    let shown = binary.display().to_string();
    let binary = binary
        .canonicalize()
        .map_err(|error| CliError::Usage(format!("`{shown}` cannot be read: {error}.")))?;
    let environment = settings
        .then(|| std::env::vars().filter(|(name, _)| name.starts_with("ORBITRA_")).collect());
    let wanted = Upgrade { binary, seconds, environment };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = command::ask(data, &wanted, |step| eprintln!("{step}"));
    match runtime.block_on(asked) {
        Ok(Reply::Done { version, process }) => {
            eprintln!("Version {version} serves as process {process}.");
            println!("{process}");
            Ok(())
        }
        Ok(Reply::Step(reason) | Reply::Failed(reason)) => Err(CliError::NotUpgraded(reason)),
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            Err(CliError::Usage(format!("No Orbitra runs on {}.", data.display())))
        }
        Err(error) => Err(error.into()),
    }
}
