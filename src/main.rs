//! Parses arguments and runs the command.

use std::process::ExitCode;

use clap::Parser;
use orbitra::cli::{self, Arguments};

fn main() -> ExitCode {
    // Whatever this process makes is for its owner alone, from the moment it exists.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    match cli::run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in error.lines() {
                eprintln!("orbitra: {line}");
            }
            ExitCode::from(error.exit_code())
        }
    }
}
