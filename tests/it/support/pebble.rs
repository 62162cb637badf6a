//! A real authority for tests: pebble, which does not trust anybody and asks the name server it is told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use serde_json::json;
use tempfile::TempDir;

use super::tls::Authority;
use super::until::until;

/// A running pebble; ends when dropped.
pub struct Pebble {
    process: Mutex<Child>,
    directory: TempDir,
}

/// What Orbitra has to know before pebble runs.
pub struct Place {
    directory: TempDir,
    port: u16,
}

impl Place {
    /// A place for a pebble at this port.
    pub fn new(port: u16) -> Self {
        let authority = Authority::new();
        let issued = authority.issue(&["127.0.0.1"]);
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text);
        write("root.pem", &authority.pem()).unwrap();
        write("chain.pem", &issued.chain).unwrap();
        write("key.pem", &issued.key).unwrap();
        Self { directory, port }
    }

    /// The URL of its directory.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.port)
    }

    /// The root of its own certificate.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("root.pem")
    }

    /// Where it listens, and the chain and the key that it serves.
    pub fn identity(&self) -> (SocketAddr, String, String) {
        let read = |name: &str| std::fs::read_to_string(self.directory.path().join(name)).unwrap();
        (SocketAddr::from(([127, 0, 0, 1], self.port)), read("chain.pem"), read("key.pem"))
    }

    /// Starts it. It looks at these ports, and rejects this share of good nonces.
    pub async fn start(self, http: u16, tls: u16, dns: SocketAddr, reject: u32) -> Pebble {
        let path = |name: &str| self.directory.path().join(name);
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{}", self.port),
            "managementListenAddress": "127.0.0.1:0",
            "certificate": path("chain.pem"),
            "privateKey": path("key.pem"),
            "httpPort": http,
            "tlsPort": tls,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        }});
        std::fs::write(path("config.json"), config.to_string()).unwrap();
        let log = std::fs::File::create(path("log")).unwrap();
        let process = Command::new("pebble")
            .arg("-config")
            .arg(path("config.json"))
            .args(["-dnsserver", &dns.to_string()])
            .env("PEBBLE_VA_ALWAYS_VALID", "0")
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", reject.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("pebble is needed: apt-get install pebble, or ./test.sh");
        let port = self.port;
        let pebble = Pebble { process: Mutex::new(process), directory: self.directory };
        until("pebble listens", async || {
            assert!(
                pebble.process.lock().unwrap().try_wait().unwrap().is_none(),
                "{}",
                pebble.log()
            );
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        pebble
    }
}

impl Pebble {
    /// Ends it.
    pub fn stop(&self) {
        let mut process = self.process.lock().unwrap();
        let _ = process.kill();
        let _ = process.wait();
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("--- pebble\n{}", self.log());
        }
    }
}
