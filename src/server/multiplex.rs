//! HTTP/2: many requests on one connection, each with its own time limits.
//!
//! A request is turned into what HTTP/1.1 would have brought, so that everything behind it sees one form. The library
//! hands every stream to an executor as a future that waits for the answer and then sends it; the executor drops the
//! future of a stream whose client sends or takes nothing for too long, which resets that stream alone.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, COOKIE, HOST, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::Service;

use super::body::{Body, Fault};
use super::client_io::Link;
use super::connection::MAX_HEADERS;
use super::dispatch::Dispatch;
use super::pace::{Kind, Pace, Ticket};
use crate::proxy::error_page::Problem;
use crate::proxy::{Client, Ticks, Wait};

/// Requests of a connection that go on at once; more take turns with those of others, at each step: all of them end when
/// the connection does.
const AT_ONCE: usize = 8;

/// Runs the streams of one connection.
#[derive(Clone)]
pub struct Streams {
    /// The client of the stream that is being polled, once it is known.
    current: Rc<RefCell<Option<Rc<Client>>>>,
    pace: Rc<Pace>,
    link: Rc<Link>,
}

impl Streams {
    /// Those of a connection that has just begun.
    pub fn new(pace: &Rc<Pace>, link: &Rc<Link>) -> Self {
        Self { current: Rc::default(), pace: Rc::clone(pace), link: Rc::clone(link) }
    }

    /// Whether each of them is to take turns.
    fn are_many(&self) -> bool {
        self.link.has_more_streams_than(AT_ONCE)
    }
}

impl<F: Future<Output = ()> + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let streams = self.clone();
        let mut stream = Box::pin(stream);
        let mut client: Option<Rc<Client>> = None;
        let turn = Ticket::new(&self.pace, Kind::Stream);
        tokio::task::spawn_local(poll_fn(move |cx| {
            // One that has not begun waits for its turn itself, and is not there any more when it is reset meanwhile.
            if turn.waits() || client.is_some() && streams.are_many() {
                ready!(turn.poll_turn(cx));
            }
            streams.current.replace(client.take());
            let polled = stream.as_mut().poll(cx);
            client = streams.current.take();
            if let Some(client) = &client {
                client.watch.wake_with(cx.waker());
                if client.watch.expired(Wait::ClientRead) || client.watch.expired(Wait::ClientWrite)
                {
                    return Poll::Ready(());
                }
            }
            polled
        }));
    }
}

/// Answers the requests of one HTTP/2 connection.
pub struct Multiplexed {
    pub dispatch: Rc<Dispatch>,
    pub streams: Streams,
}

impl Service<Request<Incoming>> for Multiplexed {
    type Response = Response<StreamBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (dispatch, streams) = (Rc::clone(&self.dispatch), self.streams.clone());
        let open = Open::new(&dispatch.link);
        let waits = streams.are_many();
        Box::pin(async move {
            if waits {
                streams.pace.turn(Kind::Stream).await;
            }
            let core = &dispatch.core;
            let of_all = &dispatch.client;
            let client = Rc::new(Client::of_stream(of_all, core.ticker.watch()));
            streams.current.replace(Some(Rc::clone(&client)));
            let response = match plain(request) {
                Ok(request) => dispatch.answer(request, &client).await,
                Err(problem) => dispatch.refuse_request(problem),
            };
            let limit = core.limits.client_write;
            Ok(response.map(|body| StreamBody { body, client, limit, _open: open }))
        })
    }
}

/// A stream's part in the count of its connection.
struct Open(Rc<Link>);

impl Open {
    fn new(link: &Rc<Link>) -> Self {
        link.open_stream();
        Self(Rc::clone(link))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close_stream();
    }
}

/// The request as HTTP/1.1 would have brought it: origin form, `Host`, one `Cookie` field, and a coding where the
/// content's length is not said (RFC 9113 sections 8.2.3 and 8.3.1).
///
/// # Errors
/// It has more fields than HTTP/1.1 would have been let have, or its two hosts differ.
fn plain(request: Request<Incoming>) -> Result<Request<Incoming>, Problem> {
    let (mut parts, body) = request.into_parts();
    // Crumbs of a cookie become one field.
    let crumbs = parts.headers.get_all(COOKIE).iter().count();
    if parts.headers.len() - crumbs >= MAX_HEADERS {
        return Err(Problem::HeadTooLarge);
    }
    if let Some(authority) = parts.uri.authority() {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Problem::BadRequest)?;
        let differs = |field: &HeaderValue| {
            !field.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
        };
        if parts.headers.get_all(HOST).iter().any(differs) {
            return Err(Problem::BadRequest);
        }
        parts.headers.insert(HOST, host);
        let path = parts.uri.path_and_query().cloned();
        parts.uri = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));
    }
    if crumbs > 1 {
        let crumbs: Vec<_> =
            parts.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        let cookie = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]));
        parts.headers.insert(COOKIE, cookie.map_err(|_| Problem::BadRequest)?);
    }
    if !body.is_end_stream() && !parts.headers.contains_key(CONTENT_LENGTH) {
        parts.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    Ok(Request::from_parts(parts, body))
}

/// An answer's body on a stream, which the client has to take.
pub struct StreamBody {
    body: Body,
    client: Rc<Client>,
    limit: Ticks,
    _open: Open,
}

impl HttpBody for StreamBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        // Nobody asks for more until the client has made room for this.
        match &polled {
            Poll::Ready(Some(Ok(_))) => self.client.watch.arm(Wait::ClientWrite, self.limit),
            _ => self.client.watch.disarm(Wait::ClientWrite),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
