//! Which plane answers a request.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use tokio::runtime::Handle;
use tower::ServiceExt;

use super::body::Body;
use super::client_io::Link;
use super::edge::Transport;
use super::framing::Doubt;
use crate::model::peer::{PeerAddr, PlainHttp};
use crate::proxy::error_page::{self, Problem};
use crate::proxy::{self, Client, Core, headers, host, resolve};
use crate::tls::challenges;
use crate::web::api;

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
    /// How the connection's bytes come.
    pub transport: Rc<Transport>,
    /// The control plane.
    pub control: Rc<ControlPlane>,
}

type Answering = Pin<Box<dyn Future<Output = Response<Body>>>>;

/// The requests of an HTTP/1.1 connection, one after the other.
pub struct InTurn(pub Rc<Dispatch>);

impl Service<Request<Incoming>> for InTurn {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Certain;

    fn call(&self, request: Request<Incoming>) -> Certain {
        let doubt = match self.0.link.next_request() {
            Some(Doubt::Length) => Some(Problem::BadRequest),
            Some(Doubt::TooLong) => Some(Problem::HeadTooLarge),
            None => None,
        };
        Certain(match doubt {
            Some(problem) => self.0.refused(problem, &request),
            None => self.0.answer(request, &self.0.client),
        })
    }
}

/// An answer that comes in any case.
pub struct Certain(Answering);

impl Future for Certain {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl Dispatch {
    /// Answers a request of `client`, which is the connection or one stream of it.
    pub fn answer(&self, request: Request<Incoming>, client: &Rc<Client>) -> Answering {
        let host =
            check(&request).and_then(|()| host::of(&request).map_err(|_| Problem::BadRequest));
        let host = match host {
            Ok(host) => host,
            Err(problem) => return self.refused(problem, &request),
        };
        if self.transport.is_misdirected(&host) {
            return self.refused(Problem::Misdirected, &request);
        }
        if let Some(response) = self.transport.challenge(request.uri().path()) {
            return ready(response);
        }
        let core = Rc::clone(&self.core);
        if (self.control.is_host)(&host) {
            let mut plain = None;
            if let Transport::Plain(Some(edge)) = &*self.transport
                && !self.client.peer.ip().to_canonical().is_loopback()
            {
                // A redirect would hide that a key has travelled in the clear.
                if !request.headers().contains_key(AUTHORIZATION)
                    || !api::claims(request.uri().path())
                {
                    return ready(edge.redirect(&host, &request));
                }
                plain = Some(PlainHttp);
            }
            drop(host);
            let control = Rc::clone(&self.control);
            let peer = PeerAddr(self.client.peer);
            let transport = Rc::clone(&self.transport);
            return Box::pin(async move {
                let mut response = to_control(&core, &control, peer, plain, request).await;
                transport.mark(&mut response);
                response
            });
        }
        if let Some(edge) = self.transport.secure_side(&host)
            && !request.uri().path().starts_with(challenges::PATH)
        {
            return ready(edge.redirect(&host, &request));
        }
        // What applications never get; the control plane has its own answer to it.
        if *request.method() == Method::TRACE
            || matches!(request.method().as_str(), "TRACK" | "DEBUG")
        {
            return self.refused(Problem::MethodRefused, &request);
        }
        let found = resolve::resolve(&core.routes, &host);
        drop(host);
        let client = Rc::clone(client);
        let transport = Rc::clone(&self.transport);
        Box::pin(async move {
            let response = proxy::handle(core, client, request, found).await;
            let mut response = response.map(Body::Proxy);
            transport.mark(&mut response);
            response
        })
    }

    /// The answer to a request that names two hosts.
    pub fn refuse_request(&self) -> Response<Body> {
        refuse(&self.core, Problem::BadRequest, None)
    }

    fn refused<B>(&self, problem: Problem, request: &Request<B>) -> Answering {
        ready(refuse(&self.core, problem, request.headers().get(ACCEPT)))
    }
}

fn ready(response: Response<Body>) -> Answering {
    Box::pin(std::future::ready(response))
}

/// What every request must meet, whoever answers.
fn check<B>(request: &Request<B>) -> Result<(), Problem> {
    if *request.method() == Method::CONNECT {
        return Err(Problem::MethodRefused);
    }
    if !headers::framing_is_plain(request.headers()) {
        return Err(Problem::BadRequest);
    }
    Ok(())
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
    plain: Option<PlainHttp>,
    request: Request<Incoming>,
) -> Response<Body> {
    let accept = request.headers().get(ACCEPT).cloned();
    let mut request = request.map(axum::body::Body::new);
    request.extensions_mut().insert(peer);
    if let Some(plain) = plain {
        request.extensions_mut().insert(plain);
    }
    let answering = control.router.clone().oneshot(request);
    match control.runtime.spawn(answering).await {
        Ok(Ok(response)) => response.map(Body::Control),
        Ok(Err(never)) => match never {},
        Err(_) => refuse(core, Problem::Internal, accept.as_ref()),
    }
}
