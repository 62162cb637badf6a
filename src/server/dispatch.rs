//! Which plane answers a request.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use axum::Router;
use http::header::ACCEPT;
use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use tokio::runtime::Handle;
use tower::ServiceExt;

use super::body::Body;
use super::client_io::Link;
use super::framing::Doubt;
use crate::model::peer::PeerAddr;
use crate::proxy::error_page::{self, Problem};
use crate::proxy::{self, Client, Core, headers, host, resolve};

/// The way to the control plane.
#[derive(Clone)]
pub struct ControlPlane {
    /// Its URLs.
    pub router: Router,
    /// The runtime it runs on.
    pub runtime: Handle,
    /// Whether a host name is its own.
    pub is_host: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

/// Answers the requests of one connection.
pub struct Dispatch {
    /// The thread's part of the data plane.
    pub core: Rc<Core>,
    /// The connection.
    pub client: Rc<Client>,
    /// The connection's socket.
    pub link: Rc<Link>,
    /// The control plane.
    pub control: Rc<ControlPlane>,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>>>>;

impl Service<Request<Incoming>> for Dispatch {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let host =
            self.check(&request).and_then(|()| host::of(&request).map_err(|_| Problem::BadRequest));
        let host = match host {
            Ok(host) => host,
            Err(problem) => {
                let accept = request.headers().get(ACCEPT);
                let response = refuse(&self.core, problem, accept);
                return Box::pin(std::future::ready(Ok(response)));
            }
        };
        let core = Rc::clone(&self.core);
        if (self.control.is_host)(&host) {
            drop(host);
            let control = Rc::clone(&self.control);
            let peer = PeerAddr(self.client.peer);
            return Box::pin(async move { Ok(to_control(&core, &control, peer, request).await) });
        }
        // What applications never get; the control plane has its own answer to it.
        if *request.method() == Method::TRACE
            || matches!(request.method().as_str(), "TRACK" | "DEBUG")
        {
            let response = refuse(&core, Problem::MethodRefused, request.headers().get(ACCEPT));
            return Box::pin(std::future::ready(Ok(response)));
        }
        let found = resolve::resolve(&core.routes, &host);
        drop(host);
        let client = Rc::clone(&self.client);
        Box::pin(async move {
            let response = proxy::handle(core, client, request, found).await;
            Ok(response.map(Body::Proxy))
        })
    }
}

impl Dispatch {
    /// What every request must meet, whoever answers.
    fn check(&self, request: &Request<Incoming>) -> Result<(), Problem> {
        match self.link.next_request() {
            Some(Doubt::Length) => return Err(Problem::BadRequest),
            Some(Doubt::TooLong) => return Err(Problem::HeadTooLarge),
            None => {}
        }
        if *request.method() == Method::CONNECT {
            return Err(Problem::MethodRefused);
        }
        if !headers::framing_is_plain(request.headers()) {
            return Err(Problem::BadRequest);
        }
        Ok(())
    }
}

fn refuse(core: &Core, problem: Problem, accept: Option<&HeaderValue>) -> Response<Body> {
    error_page::answer(problem, accept, core.references.next()).map(Body::Proxy)
}

/// Runs the request on the control plane's threads: a slow page there never holds up this
/// thread's visitors. A client that leaves does not stop it, so no write is left half-done.
async fn to_control(
    core: &Core,
    control: &ControlPlane,
    peer: PeerAddr,
    request: Request<Incoming>,
) -> Response<Body> {
    let accept = request.headers().get(ACCEPT).cloned();
    let mut request = request.map(axum::body::Body::new);
    request.extensions_mut().insert(peer);
    let answering = control.router.clone().oneshot(request);
    match control.runtime.spawn(answering).await {
        Ok(Ok(response)) => response.map(Body::Control),
        Ok(Err(never)) => match never {},
        Err(_) => refuse(core, Problem::Internal, accept.as_ref()),
    }
}
