//! A real name server that answers for one zone and takes signed changes: BIND.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use orbitra::egress::dns_update::DnsUpdates;
use orbitra::egress::lookup::Lookup;
use tempfile::TempDir;

use super::until::until;

/// The zone.
pub const ZONE: &str = "example.org";
/// Name of the key that may change it.
pub const KEY: &str = "orbitra";
/// The key's secret.
pub const SECRET: &str = "b3JiaXRyYS10ZXN0cy1vbmx5LW9yYml0cmEtdGVzdHM=";

/// A running BIND; ends when dropped.
pub struct Bind {
    pub address: SocketAddr,
    process: Child,
    directory: TempDir,
}

impl Bind {
    /// Starts one at this port, whose zone has these lines beside its own: every name in it leads to this machine.
    pub async fn start(port: u16, lines: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let zone = format!(
            "$ORIGIN {ZONE}.\n$TTL 1\n@ SOA ns hostmaster 1 3600 600 86400 1\n@ NS ns\n@ A 127.0.0.1\n* A 127.0.0.1\n\
             *.apps A 127.0.0.1\nns A 127.0.0.1\n{lines}\n"
        );
        std::fs::write(path("zone"), zone).unwrap();
        let config = format!(
            "options {{ directory \"{}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
             recursion no; pid-file none; session-keyfile none; dnssec-validation no; }};\ncontrols {{ }};\n\
             key \"{KEY}\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
             zone \"{ZONE}\" {{ type primary; file \"zone\"; update-policy {{ grant {KEY} zonesub TXT; }}; }};\n",
            directory.path().display()
        );
        std::fs::write(path("named.conf"), config).unwrap();
        let log = std::fs::File::create(path("log")).unwrap();
        let process = Command::new("named")
            .args(["-g", "-4", "-n", "1", "-c", &path("named.conf")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("named is needed: apt-get install bind9, or ./test.sh");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let bind = Self { address, process, directory };
        let lookup = bind.lookup();
        until("the name server answers", async || {
            lookup.zone(ZONE).await.ok().map(|zone| assert_eq!(zone, ZONE))
        })
        .await;
        bind
    }

    /// Asks it.
    pub fn lookup(&self) -> Lookup {
        Lookup::new(&[self.address]).unwrap()
    }

    /// Changes it.
    pub fn updates(&self) -> DnsUpdates {
        DnsUpdates::new(self.address, Some((KEY, SECRET))).unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Bind {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- named\n{}", self.log());
        }
    }
}
