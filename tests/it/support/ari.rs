//! Stands before pebble and adds what it lacks: when a certificate is to be renewed (RFC 9773).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::pebble::Place;
use super::tls::connect;
use crate::tls::trusting_anybody;

/// An authority that says when; ends when dropped.
pub struct Ari {
    pub address: SocketAddr,
    said: Arc<Mutex<Said>>,
    task: JoinHandle<()>,
}

/// What it says, and what it was told.
#[derive(Default)]
struct Said {
    /// Begin and end of the window, in seconds from now; without one it fails.
    window: Option<(i64, i64)>,
    /// Certificates it was asked about.
    asked: Vec<String>,
    /// What each order said that it replaces.
    replaced: Vec<Option<String>>,
}

impl Ari {
    /// Stands before the pebble of this place, which need not run yet.
    pub async fn start(place: &Place) -> Self {
        let (pebble, chain, key) = place.identity();
        let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let said = Arc::new(Mutex::new(Said::default()));
        let shared = said.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, said) = (acceptor.clone(), shared.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let answer = service_fn(move |request| {
                        let said = said.clone();
                        async move {
                            Ok::<_, hyper::Error>(answer(request, &said, pebble, address).await)
                        }
                    });
                    let _ =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        });
        Self { address, said, task }
    }

    /// The URL of its directory.
    pub fn url(&self) -> String {
        format!("https://{}/dir", self.address)
    }

    /// Certificates are to be renewed between these two, in seconds from now; or it fails when it is asked.
    pub fn set(&self, window: Option<(i64, i64)>) {
        self.said.lock().unwrap().window = window;
    }

    /// Certificates it was asked about.
    pub fn asked(&self) -> Vec<String> {
        self.said.lock().unwrap().asked.clone()
    }

    /// What each order said that it replaces.
    pub fn replaced(&self) -> Vec<Option<String>> {
        self.said.lock().unwrap().replaced.clone()
    }
}

impl Drop for Ari {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    request: Request<Incoming>,
    said: &Mutex<Said>,
    pebble: SocketAddr,
    own: SocketAddr,
) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    if let Some(certificate) = path.strip_prefix("/renewal/") {
        let mut said = said.lock().unwrap();
        said.asked.push(certificate.to_owned());
        return renewal(said.window);
    }
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let replaced = (path == "/order-plz").then(|| replaces(&body));
    // The host stays, so that the authority's own URLs lead here.
    let stream = connect(pebble, "127.0.0.1", trusting_anybody()).await.unwrap();
    let (mut sender, driver) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(driver);
    let response = sender.send_request(Request::from_parts(parts, Full::new(body))).await.unwrap();
    let (mut parts, body) = response.into_parts();
    let mut body = body.collect().await.unwrap().to_bytes();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(TRANSFER_ENCODING);
    let change = |body: &Bytes, change: &dyn Fn(&mut Value)| {
        let mut json: Value = serde_json::from_slice(body).unwrap();
        change(&mut json);
        Bytes::from(json.to_string())
    };
    if path == "/dir" {
        body = change(&body, &|json| json["renewalInfo"] = json!(format!("https://{own}/renewal")));
    }
    if let Some(replaced) = replaced.filter(|_| parts.status.is_success()) {
        body = change(&body, &|json| {
            if let Some(certificate) = &replaced {
                json["replaces"] = json!(certificate);
            }
        });
        said.lock().unwrap().replaced.push(replaced);
    }
    Response::from_parts(parts, Full::new(body))
}

fn renewal(window: Option<(i64, i64)>) -> Response<Full<Bytes>> {
    let answer =
        Response::builder().header(RETRY_AFTER, "7200").header(CONTENT_TYPE, "application/json");
    let Some((from, to)) = window else {
        let failed = answer.status(StatusCode::INTERNAL_SERVER_ERROR);
        return failed.body(Full::from("{}")).unwrap();
    };
    let now = jiff::Timestamp::now().as_second();
    let at = |seconds: i64| jiff::Timestamp::from_second(now + seconds).unwrap().to_string();
    let info = json!({"suggestedWindow": {"start": at(from), "end": at(to)}});
    answer.body(Full::from(info.to_string())).unwrap()
}

/// What a signed order says that it replaces.
fn replaces(body: &[u8]) -> Option<String> {
    let jws: Value = serde_json::from_slice(body).ok()?;
    let payload = URL_SAFE_NO_PAD.decode(jws["payload"].as_str()?).ok()?;
    let order: Value = serde_json::from_slice(&payload).ok()?;
    order["replaces"].as_str().map(str::to_owned)
}
