//! A small HTTP client, and on top of it the API as a program uses it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use super::git_server::Repository;

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

/// One request on a connection of its own. `Err` is a failure of the transport.
pub async fn send(port: u16, request: Request<Full<Bytes>>) -> Result<Answer, String> {
    let exchange = async {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
        let io = TokioIo::new(stream.map_err(|error| format!("connect: {error}"))?);
        let connection = hyper::client::conn::http1::handshake(io).await;
        let (mut sender, driver) = connection.map_err(|error| format!("handshake: {error}"))?;
        tokio::spawn(driver);
        let response = sender.send_request(request).await.map_err(|error| format!("{error:?}"))?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| format!("body: {error}"))?.to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    };
    let limit = Duration::from_secs(90);
    tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| Err("no answer".to_owned()))
}

/// A visitor's `GET`.
pub async fn try_visit(port: u16, host: &str, path: &str) -> Result<Answer, String> {
    let request = Request::get(path).header("host", host).body(Full::default()).unwrap();
    send(port, request).await
}

/// The host name of a URL.
pub fn host_of(url: &str) -> String {
    url::Url::parse(url).unwrap().host_str().unwrap().to_owned()
}

/// The API with a key.
#[derive(Clone)]
pub struct Api {
    pub port: u16,
    pub key: String,
}

impl Api {
    /// Any call, with its status and its JSON.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let answer = self.try_call(method, path, body, None).await;
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Any call, perhaps with an `Idempotency-Key`. `Err` is a failure of the transport.
    pub async fn try_call(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        once: Option<&str>,
    ) -> Result<(u16, Value), String> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("host", "127.0.0.1")
            .header("authorization", format!("Bearer {}", self.key));
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        if let Some(once) = once {
            request = request.header("idempotency-key", once);
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let answer = send(self.port, request.body(Full::new(body)).unwrap()).await?;
        let body = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        Ok((answer.status.as_u16(), body))
    }

    /// A call that succeeds.
    pub async fn done(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.call(method, path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    pub async fn get(&self, path: &str) -> Value {
        self.done("GET", path, None).await
    }

    /// Makes a project with these settings beside its name. Answers its id.
    pub async fn project(&self, name: &str, settings: Value) -> String {
        let regions = self.get("/regions").await;
        let mut body = settings;
        body["name"] = name.into();
        body["region"] = regions["data"][0]["id"].clone();
        text(&self.done("POST", "/projects", Some(body)).await, "id")
    }

    /// Asks for a deployment with these fields beside its repository. Answers its id.
    pub async fn deploy(&self, project: &str, repository: &Repository, fields: Value) -> String {
        let mut body = fields;
        body["git_url"] = repository.url.clone().into();
        let path = format!("/projects/{project}/deployments");
        text(&self.done("POST", &path, Some(body)).await, "id")
    }

    /// Sends an archive to be deployed. Answers its id.
    pub async fn upload(&self, project: &str, archive: Vec<u8>) -> String {
        let request = Request::post(format!("/api/v1/projects/{project}/uploads"))
            .header("host", "127.0.0.1")
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/gzip")
            .body(Full::new(Bytes::from(archive)));
        let answer = send(self.port, request.unwrap()).await.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.body);
        text(&serde_json::from_str(&answer.body).unwrap(), "id")
    }

    /// Asks for a deployment with these fields. Answers its id.
    pub async fn deploy_with(&self, project: &str, fields: Value) -> String {
        let path = format!("/projects/{project}/deployments");
        text(&self.done("POST", &path, Some(fields)).await, "id")
    }

    /// Waits until a deployment is not being built any more.
    pub async fn finished(&self, id: &str) -> Value {
        for _ in 0..8 {
            let deployment = self.get(&format!("/deployments/{id}?wait=30")).await;
            if deployment["status"] != "building" {
                return deployment;
            }
        }
        panic!("{id} does not end:\n{}", self.log(id).await);
    }

    /// Waits until a deployment is live.
    pub async fn live(&self, id: &str) -> Value {
        let deployment = self.finished(id).await;
        let status = &deployment["status"];
        assert_eq!(status, "live", "{}\n{}", deployment["error"], self.log(id).await);
        deployment
    }

    /// Waits until a deployment is over and not live. Answers its error.
    pub async fn failure(&self, id: &str) -> Value {
        let deployment = self.finished(id).await;
        assert_eq!(deployment["status"], "failed", "{}", self.log(id).await);
        deployment["error"].clone()
    }

    /// Deploys and waits until it is live.
    pub async fn deploy_live(&self, project: &str, repository: &Repository) -> Value {
        let id = self.deploy(project, repository, json!({})).await;
        self.live(&id).await
    }

    /// A project's deployments, the newest first, as (id, status).
    pub async fn statuses(&self, project: &str) -> Vec<(String, String)> {
        let list = self.get(&format!("/projects/{project}/deployments")).await;
        let list = list.as_array().cloned().or_else(|| list["data"].as_array().cloned());
        let list = list.unwrap_or_default();
        list.iter().map(|one| (text(one, "id"), text(one, "status"))).collect()
    }

    /// The lines of a build log.
    pub async fn log(&self, id: &str) -> String {
        let page = self.get(&format!("/deployments/{id}/logs?limit=1000")).await;
        let lines = page["data"].as_array().cloned().unwrap_or_default();
        lines.iter().map(|line| text(line, "message")).collect::<Vec<_>>().join("\n")
    }
}

/// A field that is a text.
pub fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no text {field} in {value}")).to_owned()
}
