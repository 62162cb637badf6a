//! Which plane answers a request.

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{ACCEPT, AUTHORIZATION, CONNECTION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::Service;
use tokio::runtime::Handle;
use tower::ServiceExt;

use super::body::Body;
use super::client_io::Link;
use super::edge::Transport;
use super::framing::Doubt;
use super::gate::{self, Gate, Passing};
use crate::model::peer::{PeerAddr, PlainHttp};
use crate::proxy::error_page::{self, Problem};
use crate::proxy::{self, Client, Core, headers, host, relay, resolve};
use crate::tls::challenges;
use crate::web::api;

/// The way to the control plane.
#[derive(Clone)]
pub struct ControlPlane {
    /// The way to its URLs.
    pub gate: Gate,
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
pub struct InTurn {
    pub dispatch: Rc<Dispatch>,
    /// Whether each answer is the connection's last one.
    pub leaving: Rc<Cell<bool>>,
}

impl Service<Request<Incoming>> for InTurn {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Certain;

    fn call(&self, request: Request<Incoming>) -> Certain {
        let doubt = match self.dispatch.link.next_request() {
            Some(Doubt::Length) => Some(Problem::BadRequest),
            Some(Doubt::TooLong) => Some(Problem::HeadTooLarge),
            None => None,
        };
        let answering = match doubt {
            Some(problem) => self.dispatch.refused(problem, &request),
            None => self.dispatch.answer(request, &self.dispatch.client),
        };
        Certain { answering, leaving: Rc::clone(&self.leaving) }
    }
}

/// An answer that comes in any case.
pub struct Certain {
    answering: Answering,
    leaving: Rc<Cell<bool>>,
}

impl Future for Certain {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.answering.as_mut().poll(cx).map(|mut response| {
            // A client that is told so does not send another request, which would meet a closed connection.
            if self.leaving.get() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        })
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
        if client.trusted {
            client.read_forwarded(request.headers(), &core.options.trusted_proxies);
        }
        if (self.control.is_host)(&host) {
            let mut plain = None;
            if let Transport::Plain(Some(edge)) = &*self.transport
                && !client.is_secure()
                && !client.visitor().is_loopback()
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
            let client = Rc::clone(client);
            let transport = Rc::clone(&self.transport);
            return Box::pin(async move {
                let mut response = to_control(&core, &control, &client, plain, request).await;
                transport.mark(&mut response);
                response
            });
        }
        if let Some(edge) = self.transport.secure_side(&host).filter(|_| !client.is_secure())
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
        // It goes from hand to hand.
        let request = Box::new(request);
        let client = Rc::clone(client);
        let transport = Rc::clone(&self.transport);
        Box::pin(async move {
            let response = proxy::handle(core, client, request, found).await;
            let mut response = response.map(Body::Proxy);
            transport.mark(&mut response);
            response
        })
    }

    /// The answer to a request that is none of HTTP/1.1's.
    pub fn refuse_request(&self, problem: Problem) -> Response<Body> {
        refuse(&self.core, problem, None)
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

/// Where a request for the control plane is answered.
enum Way {
    Here(axum::Router, gate::Pass),
    /// By the process that has taken over.
    Elsewhere,
    /// Nobody came in time.
    Nowhere,
}

/// Waits for a control plane, here or in the process that takes over.
async fn enter(core: &Core, control: &ControlPlane, method: &Method) -> Way {
    if let Some((router, pass)) = control.gate.enter(method) {
        return Way::Here(router, pass);
    }
    let waiting = async {
        let mut changes = control.gate.changes();
        loop {
            if let Some((router, pass)) = control.gate.enter(method) {
                return Way::Here(router, pass);
            }
            if core.routes.successor().is_some() {
                return Way::Elsewhere;
            }
            if changes.changed().await.is_err() {
                return Way::Nowhere;
            }
        }
    };
    tokio::time::timeout(gate::HOLD, waiting).await.unwrap_or(Way::Nowhere)
}

/// Runs the request on the control plane's threads: a slow page there never holds up this
/// thread's visitors. A client that leaves does not stop it, so no write is left half-done.
async fn to_control(
    core: &Core,
    control: &ControlPlane,
    client: &Rc<Client>,
    plain: Option<PlainHttp>,
    request: Request<Incoming>,
) -> Response<Body> {
    let accept = request.headers().get(ACCEPT).cloned();
    let (router, pass) = match enter(core, control, request.method()).await {
        Way::Here(router, pass) => (router, pass),
        Way::Elsewhere => return relay::answer(core, client, request).await.map(Body::Proxy),
        Way::Nowhere => return refuse(core, Problem::Unavailable, accept.as_ref()),
    };
    let mut request = request.map(axum::body::Body::new);
    request
        .extensions_mut()
        .insert(PeerAddr(SocketAddr::new(client.visitor(), client.peer.port())));
    if let Some(plain) = plain {
        request.extensions_mut().insert(plain);
    }
    let answering = async move { (router.oneshot(request).await, pass) };
    match control.runtime.spawn(answering).await {
        Ok((Ok(response), pass)) => response.map(|body| Body::Control(Passing::new(body, pass))),
        Ok((Err(never), _)) => match never {},
        Err(_) => refuse(core, Problem::Internal, accept.as_ref()),
    }
}
