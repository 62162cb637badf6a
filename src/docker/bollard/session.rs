//! The side channel of a build: BuildKit asks it for secrets, and hands it the files that a build results in.
//!
//! bollard opens such a session by itself, but without secrets, and never closes it: every build
//! would leave a connection and its tasks behind. This one ends when it is dropped.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bollard::health::health_check_response::ServingStatus;
use bollard::health::health_server::{Health, HealthServer};
use bollard::health::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};
use bollard::moby::buildkit::secrets::v1::secrets_server::{Secrets, SecretsServer};
use bollard::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use bollard::moby::filesync::v1::BytesMessage;
use bollard::moby::filesync::v1::file_send_server::{FileSend, FileSendServer};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{Method, Request, StatusCode, header};
use http_body_util::Empty;
use hyper_util::rt::TokioExecutor;
use hyper_util::service::TowerToHyperService;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::service::Routes;
use tonic::{Response, Status, Streaming};

use super::endpoint::Endpoint;
use super::errors::unreachable;
use crate::docker::EngineError;

/// An open session. Its connection closes when it is dropped.
pub struct Session {
    _tasks: JoinSet<()>,
}

impl Session {
    /// Opens the session `id` that answers with these secrets and takes the result's files where they are wanted.
    pub async fn open(
        endpoint: &Endpoint,
        id: &str,
        secrets: Vec<(String, Vec<u8>)>,
        export: Option<Export>,
    ) -> Result<Self, EngineError> {
        let connection = endpoint.connect().await.map_err(|e| unreachable(&e))?;
        let (mut sender, driver) =
            hyper::client::conn::http1::handshake(connection).await.map_err(|e| unreachable(&e))?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // An error here ends the session, and the build says so.
            driver.with_upgrades().await.ok();
        });

        let mut request = Request::builder()
            .method(Method::POST)
            .uri("/session")
            .header(header::HOST, "docker")
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "h2c")
            .header("X-Docker-Expose-Session-Uuid", id)
            .header(
                "X-Docker-Expose-Session-Grpc-Method",
                "/moby.buildkit.secrets.v1.Secrets/GetSecret",
            );
        if export.is_some() {
            let method = "/moby.filesync.v1.FileSend/DiffCopy";
            request = request.header("X-Docker-Expose-Session-Grpc-Method", method);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|e| unreachable(&e))?;
        let response = sender.send_request(request).await.map_err(|e| unreachable(&e))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let status = response.status();
            return Err(EngineError::Refused(format!(
                "a build session was answered with {status}"
            )));
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(|e| unreachable(&e))?;
        let mut services = Routes::new(HealthServer::new(Alive))
            .add_service(SecretsServer::new(Values(secrets.into_iter().collect())));
        if let Some(export) = export {
            services = services.add_service(FileSendServer::new(export));
        }
        let services = services.prepare();
        tasks.spawn(async move {
            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(upgraded, TowerToHyperService::new(services))
                .await
                .ok();
        });
        Ok(Self { _tasks: tasks })
    }
}

/// BuildKit asks every few seconds whether the session still lives.
struct Alive;

#[tonic::async_trait]
impl Health for Alive {
    async fn check(
        &self,
        _: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    async fn list(
        &self,
        _: tonic::Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        Err(Status::unimplemented("only Check is offered"))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        _: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("only Check is offered"))
    }
}

/// Secrets by id.
struct Values(HashMap<String, Vec<u8>>);

#[tonic::async_trait]
impl Secrets for Values {
    async fn get_secret(
        &self,
        request: tonic::Request<GetSecretRequest>,
    ) -> Result<Response<GetSecretResponse>, Status> {
        let id = &request.get_ref().id;
        match self.0.get(id) {
            Some(data) => Ok(Response::new(GetSecretResponse { data: data.clone() })),
            None => Err(Status::not_found(format!("there is no secret {id}"))),
        }
    }
}

/// Takes the tar that a build results in.
#[derive(Clone)]
pub struct Export {
    files: mpsc::Sender<Bytes>,
    complete: Arc<AtomicBool>,
}

impl Export {
    /// Hands everything on to `files`.
    pub fn new(files: mpsc::Sender<Bytes>) -> Self {
        Self { files, complete: Arc::default() }
    }

    /// Whether everything has come and was taken.
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::SeqCst)
    }
}

#[tonic::async_trait]
impl FileSend for Export {
    type DiffCopyStream = Pin<Box<dyn Stream<Item = Result<BytesMessage, Status>> + Send>>;

    async fn diff_copy(
        &self,
        request: tonic::Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Self::DiffCopyStream>, Status> {
        let mut parts = request.into_inner();
        while let Some(part) = parts.next().await {
            let sent = self.files.send(part?.data.into()).await;
            sent.map_err(|_| Status::aborted("the files are not wanted any more"))?;
        }
        self.complete.store(true, Ordering::SeqCst);
        Ok(Response::new(stream::empty().boxed()))
    }
}
