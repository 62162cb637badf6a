//! Where an application listens, when nothing answers where it should.

use std::net::IpAddr;

use super::ended::WRITTEN;
use super::{Cause, Diagnosis, Output};

/// The sockets of a container, read from the host.
#[derive(Clone, Copy, Debug)]
pub struct Sockets<'a> {
    /// Port the application was told.
    pub told: u16,
    /// Whether the project's settings say the port.
    pub fixed: bool,
    /// Addresses and ports its processes listen on.
    pub listening: &'a [(IpAddr, u16)],
    pub output: Output<'a>,
}

impl Sockets<'_> {
    /// Ports that are open to the project's network.
    pub fn open_ports(&self) -> Vec<u16> {
        let open = self.listening.iter().filter(|(ip, _)| !ip.is_loopback());
        let mut ports: Vec<_> = open.map(|(_, port)| *port).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }
}

/// Why nobody answers on the port.
pub fn nobody(sockets: &Sockets<'_>) -> Diagnosis {
    wrong_port(sockets)
        .or_else(|| loopback(sockets))
        .or_else(|| sockets.output.recognised_by(&WRITTEN))
        .unwrap_or_else(|| nothing(sockets))
}

fn wrong_port(sockets: &Sockets<'_>) -> Option<Diagnosis> {
    let open = sockets.open_ports();
    let first = *open.first()?;
    let hint = if sockets.fixed {
        format!("Set the project's port to {first}, or clear it: then the port is found.")
    } else {
        format!("Set the project's port to {first}, or listen on the variable `PORT` alone.")
    };
    let found = Diagnosis::new(Cause::WrongPort, hint);
    Some(sockets.listening.iter().fold(found, with_socket))
}

fn loopback(sockets: &Sockets<'_>) -> Option<Diagnosis> {
    if sockets.listening.is_empty() {
        return None;
    }
    let found = Diagnosis::new(
        Cause::BoundToLoopback,
        "Listen on `0.0.0.0` (or `::`) instead of `localhost`, and on the variable `PORT`.",
    );
    Some(sockets.listening.iter().fold(found, with_socket))
}

fn nothing(sockets: &Sockets<'_>) -> Diagnosis {
    let told = sockets.told;
    let found = Diagnosis::new(
        Cause::NothingListens,
        format!(
            "Let the application listen on `0.0.0.0` and the variable `PORT` ({told} here). If it is \
             only slow to start, raise the health check's grace period."
        ),
    );
    match sockets.output.lines.last() {
        Some(line) => found.shown_by(line),
        None => found.shown_by("It wrote nothing and listens nowhere."),
    }
}

fn with_socket(found: Diagnosis, (ip, port): &(IpAddr, u16)) -> Diagnosis {
    let address = std::net::SocketAddr::new(*ip, *port);
    found.shown_by(&format!("listens on {address}"))
}
