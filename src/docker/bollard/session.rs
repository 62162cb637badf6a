//! The side channel of a build: BuildKit asks it for secrets.
//!
//! bollard opens such a session by itself, but without secrets, and never closes it: every build
//! would leave a connection and its tasks behind. This one ends when it is dropped.

use std::collections::HashMap;
use std::pin::Pin;

use bollard::health::health_check_response::ServingStatus;
use bollard::health::health_server::{Health, HealthServer};
use bollard::health::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};
use bollard::moby::buildkit::secrets::v1::secrets_server::{Secrets, SecretsServer};
use bollard::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use bytes::Bytes;
use futures_util::Stream;
use http::{Method, Request, StatusCode, header};
use http_body_util::Empty;
use hyper_util::rt::TokioExecutor;
use hyper_util::service::TowerToHyperService;
use tokio::task::JoinSet;
use tonic::service::Routes;
use tonic::{Response, Status};

use super::endpoint::Endpoint;
use super::errors::chain;
use crate::docker::EngineError;

/// An open session. Its connection closes when it is dropped.
pub struct Session {
    _tasks: JoinSet<()>,
}

impl Session {
    /// Opens the session `id` that answers with these secrets.
    pub async fn open(
        endpoint: &Endpoint,
        id: &str,
        secrets: Vec<(String, Vec<u8>)>,
    ) -> Result<Self, EngineError> {
        let unreachable = |error: &dyn std::error::Error| EngineError::Unreachable(chain(error));
        let connection = endpoint.connect().await.map_err(|e| unreachable(&e))?;
        let (mut sender, driver) =
            hyper::client::conn::http1::handshake(connection).await.map_err(|e| unreachable(&e))?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // An error here ends the session, and the build says so.
            driver.with_upgrades().await.ok();
        });

        let request = Request::builder()
            .method(Method::POST)
            .uri("/session")
            .header(header::HOST, "docker")
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "h2c")
            .header("X-Docker-Expose-Session-Uuid", id)
            .header(
                "X-Docker-Expose-Session-Grpc-Method",
                "/moby.buildkit.secrets.v1.Secrets/GetSecret",
            )
            .body(Empty::<Bytes>::new())
            .map_err(|e| unreachable(&e))?;
        let response = sender.send_request(request).await.map_err(|e| unreachable(&e))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let status = response.status();
            return Err(EngineError::Refused(format!(
                "a build session was answered with {status}"
            )));
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(|e| unreachable(&e))?;
        let services = Routes::new(HealthServer::new(Alive))
            .add_service(SecretsServer::new(Values(secrets.into_iter().collect())))
            .prepare();
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
