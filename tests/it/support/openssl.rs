//! An authority of the tests' own that is OpenSSL: with a database of what it signed, and a responder that tells of it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::tls::Issued;

const SETTINGS: &str = "[ca]
default_ca = here
[here]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
default_days = 30
policy = any
unique_subject = no
[any]
commonName = supplied
[plain]
basicConstraints = CA:FALSE
[answers]
basicConstraints = CA:FALSE
extendedKeyUsage = OCSPSigning
";

/// The authority. Its files are gone with it.
pub struct OpenSsl {
    files: TempDir,
}

/// A responder that runs; ends when dropped.
pub struct Responder(Child);

impl Drop for Responder {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl OpenSsl {
    pub fn new() -> Self {
        let made = Self { files: tempfile::tempdir().unwrap() };
        for (name, content) in [("index.txt", ""), ("serial", "4242424201\n"), ("ca.cnf", SETTINGS)]
        {
            std::fs::write(made.path(name), content).unwrap();
        }
        made.key_and("req -x509 -subj /CN=Tests -days 30 -out ca.pem", "ca");
        made
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("openssl");
        command.current_dir(&self.files).args(line.split_whitespace()).stdin(Stdio::null());
        command
    }

    /// Runs `openssl` with these arguments beside its files.
    pub fn run(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {line}: {error}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn key_and(&self, line: &str, name: &str) {
        self.run(&format!(
            "{line} -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key"
        ));
    }

    /// Becomes an authority of another name.
    pub fn key_of_another_name(&self) {
        self.key_and("req -x509 -subj /CN=Others -days 30 -out ca.pem", "ca");
    }

    /// Signs a certificate that is called `name` here, with extensions of that section.
    pub fn sign(&self, name: &str, section: &str) {
        self.key_and(&format!("req -new -subj /CN={name} -out {name}.csr"), name);
        self.run(&format!(
            "ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca.key -extensions {section} -in {name}.csr -out {name}.pem"
        ));
    }

    /// Signs one for a host that names a responder at this port, and says more of itself.
    pub fn issue(&self, name: &str, host: &str, port: u16, more: &str) -> Issued {
        let section = format!(
            "[{name}]\nbasicConstraints = CA:FALSE\nsubjectAltName = DNS:{host}\n\
             authorityInfoAccess = OCSP;URI:http://127.0.0.1:{port}/\n{more}\n"
        );
        std::fs::write(self.path("ca.cnf"), format!("{}{section}", self.read("ca.cnf"))).unwrap();
        self.sign(name, name);
        Issued {
            chain: self.read(&format!("{name}.pem")) + &self.read("ca.pem"),
            key: self.read(&format!("{name}.key")),
        }
    }

    /// Revokes it.
    pub fn revoke(&self, name: &str) {
        self.run(&format!("ca -config ca.cnf -cert ca.pem -keyfile ca.key -revoke {name}.pem"));
    }

    /// What its responder answers to these bytes, signed by this certificate of its own. `more` is arguments.
    pub fn answer(&self, request: &[u8], signer: &str, more: &str) -> Vec<u8> {
        std::fs::write(self.path("request"), request).unwrap();
        self.run(&format!(
            "ocsp -index index.txt -CA ca.pem -rsigner {signer}.pem -rkey {signer}.key -reqin request -respout answer {more}"
        ));
        std::fs::read(self.path("answer")).unwrap()
    }

    /// Starts its responder, whose answers hold for a day, and waits until it listens.
    pub fn respond(&self, port: u16) -> Responder {
        let line = format!(
            "ocsp -port {port} -index index.txt -CA ca.pem -rsigner ca.pem -rkey ca.key -ndays 1"
        );
        let mut command = self.command(&line);
        let responder = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut responder = Responder(responder.unwrap());
        // Who finds nobody there does not ask again so soon.
        while !is_listened_to(port) {
            assert!(responder.0.try_wait().unwrap().is_none(), "the responder has ended");
            std::thread::sleep(Duration::from_millis(5));
        }
        responder
    }

    /// What a client is shown that trusts this authority and asks for the answer; `None` when it does not accept it.
    pub fn accepted(&self, port: u16, host: &str) -> Option<Shown> {
        let line = format!(
            "s_client -connect 127.0.0.1:{port} -servername {host} -CAfile ca.pem -status -verify_return_error -verify_hostname {host}"
        );
        let output = self.command(&line).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() || !said.contains("Verify return code: 0 (ok)") {
            return None;
        }
        let answer = said.lines().find_map(|line| line.trim().strip_prefix("Cert Status: "));
        let none = said.contains("OCSP response: no response sent");
        assert_eq!(answer.is_none(), none, "{said}");
        // Before it may be the one that signed the answer.
        let own = said.find("\nServer certificate\n").unwrap();
        let begin = own + said[own..].find("-----BEGIN").unwrap();
        let end = begin + said[begin..].find("-----END").unwrap();
        Some(Shown { certificate: said[begin..end].to_owned(), answer: answer.map(str::to_owned) })
    }

    /// The same of one that has to accept it.
    pub fn shown(&self, port: u16, host: &str) -> Shown {
        self.accepted(port, host).expect("a certificate that is accepted")
    }

    /// Whether it is this one.
    pub fn is(&self, shown: &Shown, name: &str) -> bool {
        self.read(&format!("{name}.pem")).starts_with(&shown.certificate)
    }
}

/// Whether somebody listens on this port, of whichever address: proc_net_tcp(5). A connection to find out would be one
/// that the responder answers first.
fn is_listened_to(port: u16) -> bool {
    let port = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().any(|table| {
        let table = std::fs::read_to_string(table).unwrap_or_default();
        table.lines().any(|line| {
            let columns: Vec<_> = line.split_whitespace().collect();
            columns.len() > 3 && columns[1].ends_with(&port) && columns[3] == "0A"
        })
    })
}

/// What a server shows of itself.
#[derive(Debug)]
pub struct Shown {
    certificate: String,
    /// `good`, as its authority's responder has it.
    pub answer: Option<String>,
}
