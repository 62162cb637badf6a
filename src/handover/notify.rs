//! What a service manager is told (`sd_notify`, <https://www.freedesktop.org/software/systemd/man/sd_notify.html>).

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The way to the service manager, when there is one that wants to be told.
#[derive(Clone, Debug, Default)]
pub struct Manager(Option<SocketAddr>);

impl Manager {
    /// Reads `NOTIFY_SOCKET`: a path, or a name with `@` before it.
    pub fn from_environment(environment: impl Fn(&str) -> Option<String>) -> Self {
        let address = environment("NOTIFY_SOCKET").and_then(|text| match text.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name).ok(),
            None => SocketAddr::from_pathname(text).ok(),
        });
        Self(address)
    }

    /// This process answers requests.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// This process is about to end.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// The service is another process from now on. Only its present one is believed.
    pub fn main_process(&self, process: u32) {
        self.tell(&format!("MAINPID={process}"));
    }

    fn tell(&self, text: &str) {
        let Some(address) = &self.0 else { return };
        let told = UnixDatagram::unbound()
            .and_then(|socket| socket.send_to_addr(text.as_bytes(), address));
        if let Err(error) = told {
            tracing::warn!(%error, "the service manager could not be told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_hears_who_serves() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let heard = UnixDatagram::bind(&path).unwrap();
        let manager = Manager::from_environment(|_| Some(path.to_str().unwrap().to_owned()));
        manager.ready();
        manager.main_process(7);
        let mut buffer = [0; 64];
        for expected in ["READY=1", "MAINPID=7"] {
            let length = heard.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], expected.as_bytes());
        }
        // Without one nothing happens.
        Manager::from_environment(|_| None).ready();
    }
}
