//! Handshakes all the time, while certificates change.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;

use super::listener::trusting_anybody;
use crate::support::tls::connect;
use crate::support::until::until;

/// Handshakes at the same time.
const CLIENTS: usize = 4;

#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub count: usize,
    pub failures: Vec<String>,
    /// How often each certificate was shown, by its serial number.
    pub certificates: BTreeMap<String, usize>,
}

impl Seen {
    fn note(&mut self, shown: std::io::Result<TlsStream<TcpStream>>) {
        self.count += 1;
        match shown {
            Ok(stream) => {
                let chain = stream.get_ref().1.peer_certificates().unwrap().to_vec();
                let (_, own) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
                *self.certificates.entry(own.raw_serial_as_string()).or_default() += 1;
            }
            Err(error) => self.failures.push(error.to_string()),
        }
    }
}

/// Clients who begin a handshake as soon as they have ended one.
pub struct Handshakes {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Handshakes {
    pub fn begin(address: SocketAddr, host: &'static str) -> Self {
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let clients = (0..CLIENTS).map(|_| {
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    // No session is kept, so that each shows a certificate.
                    let shown = connect(address, host, trusting_anybody()).await;
                    seen.lock().unwrap().note(shown);
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            })
        });
        let clients = clients.collect();
        Self { seen, stop, clients }
    }

    /// So far.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// Ends once another certificate than the first is shown, and again and again; answers what was seen.
    pub async fn until_another(self) -> Seen {
        until("another certificate is shown", async || {
            let seen = self.seen();
            let shown = seen.certificates.values().filter(|count| **count >= CLIENTS);
            (shown.count() > 1).then_some(())
        })
        .await;
        self.end().await
    }

    pub async fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
        self.seen.lock().unwrap().clone()
    }
}
