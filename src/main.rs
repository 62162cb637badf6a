//! Parses arguments and runs the command.

use std::process::ExitCode;

use clap::Parser;
use orbitra::cli::{self, Arguments};

/// Most pools of memory of the C library. It would make one for nearly every thread, and what was freed in one is of no
/// use to the others.
#[cfg(target_env = "gnu")]
const POOLS: libc::c_int = 2;

#[cfg(target_env = "gnu")]
#[allow(unsafe_code)]
fn limit_pools() {
    // SAFETY: it sets a number, and no other thread exists yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, POOLS);
    }
}

fn main() -> ExitCode {
    #[cfg(target_env = "gnu")]
    limit_pools();
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
