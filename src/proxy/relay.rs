//! Requests that only the process that has taken over can answer: those that wait for a change it makes, and those for
//! the control plane. Each goes over a connection of its own, and what comes back is passed on as it is.

use std::net::SocketAddr;
use std::rc::Rc;

use http::header::{CONNECTION, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, Request, Response, Version};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::asked::Asked;
use super::body::Body;
use super::client::Client;
use super::core::Core;
use super::error_page::Problem;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Lets the other process answer.
pub async fn answer(
    core: &Core,
    client: &Rc<Client>,
    request: Request<Incoming>,
) -> Response<Body> {
    let asked = Asked::by(&request);
    match send(core, client, request).await {
        Some(response) => response,
        // It is gone as well, and will be back.
        None => asked.answer(Problem::Elsewhere, core.references.next()),
    }
}

async fn send(
    core: &Core,
    client: &Rc<Client>,
    mut request: Request<Incoming>,
) -> Option<Response<Body>> {
    let successor = core.routes.successor()?;
    let socket = successor
        .connect(SocketAddr::new(client.visitor(), client.peer.port()), client.is_secure())
        .ok()?;
    socket.set_nonblocking(true).ok()?;
    let socket = UnixStream::from_std(socket).ok()?;
    let (mut sender, driver) = http1::handshake(TokioIo::new(socket)).await.ok()?;
    tokio::task::spawn_local(async move {
        // Errors reach whoever waits for the answer.
        let _ = driver.await;
    });
    *request.version_mut() = Version::HTTP_11;
    // A tunnel does not go through here.
    for name in [CONNECTION, KEEP_ALIVE, UPGRADE] {
        request.headers_mut().remove(name);
    }
    let (mut parts, incoming) = sender.send_request(request).await.ok()?.into_parts();
    for name in [CONNECTION, KEEP_ALIVE, TRANSFER_ENCODING] {
        parts.headers.remove(name);
    }
    let mut response = Response::new(Body::relayed(incoming));
    *response.status_mut() = parts.status;
    *response.headers_mut() = parts.headers;
    Some(response)
}
