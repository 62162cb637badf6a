//! The body of an answer on its way to the client.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::access_log::Line;
use super::client::Client;
use super::compress::Compressed;
use super::core::Core;
use super::headers::clean_trailers;
use super::http1::Connection;
use super::multiplex::Shared;
use super::static_site::FileBody;
use super::ticker::Wait;
use crate::routing::requests::Application;
use crate::routing::upstream::Guard;

/// Why a body ended early. The client's connection is cut, so that it cannot take a part for the
/// whole.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The upstream's connection ended or made no sense.
    #[error("the upstream ended in the middle of its answer")]
    Broken,
    /// The upstream sent nothing for too long.
    #[error("the upstream stopped in the middle of its answer")]
    TooSlow,
    /// The upstream was cut at the drain limit.
    #[error("the upstream was stopped")]
    Cut,
    /// A file could not be read.
    #[error("a file could not be read")]
    File(#[from] std::io::Error),
}

/// An answer's body.
#[derive(Debug)]
pub struct Body {
    kind: Kind,
    /// The line of the access log that is written when this ends.
    line: Option<Box<Line>>,
    /// The request in its application's figures.
    measured: Option<Measured>,
}

/// A request that is counted, also when it is cut off.
#[derive(Debug)]
pub struct Measured {
    application: Arc<Application>,
    thread: usize,
    started: Instant,
    status: u16,
    bytes: u64,
}

impl Measured {
    /// A request of an application has begun on this thread.
    pub fn begin(application: &Arc<Application>, thread: usize, started: Instant) -> Self {
        application.meters.begin(thread);
        Self { application: Arc::clone(application), thread, started, status: 0, bytes: 0 }
    }

    /// Notes the answer's status.
    pub fn answered(mut self, status: StatusCode) -> Self {
        self.status = status.as_u16();
        self
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.application.meters.end(self.thread, self.status, micros, self.bytes);
    }
}

#[derive(Debug)]
enum Kind {
    Full(Bytes),
    File(Box<FileBody>),
    Upstream(UpstreamBody),
    /// What the process that has taken over sends.
    Relayed(Incoming),
    /// Another one, compressed.
    Compressed(Box<Compressed>),
}

impl Body {
    /// Bytes that are all there.
    pub fn full(bytes: Bytes) -> Self {
        Self::of(Kind::Full(bytes))
    }

    /// A part of a file.
    pub fn file(file: FileBody) -> Self {
        Self::of(Kind::File(Box::new(file)))
    }

    /// What an upstream sends.
    pub fn upstream(upstream: UpstreamBody) -> Self {
        Self::of(Kind::Upstream(upstream))
    }

    /// What the process that has taken over sends.
    pub fn relayed(incoming: Incoming) -> Self {
        Self::of(Kind::Relayed(incoming))
    }

    /// Another body, compressed.
    pub fn compressed(compressed: Compressed) -> Self {
        Self::of(Kind::Compressed(Box::new(compressed)))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, line: None, measured: None }
    }

    /// Counts the request until the body ends.
    pub fn measure(&mut self, measured: Option<Measured>) {
        self.measured = measured;
    }

    /// Writes this line when the body ends.
    pub fn log(&mut self, line: Option<Box<Line>>) {
        self.line = line;
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = ready!(match &mut this.kind {
            Kind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Kind::File(file) => file.poll_frame(cx),
            Kind::Upstream(upstream) => upstream.poll_frame(cx),
            Kind::Compressed(compressed) => compressed.poll_frame(cx),
            Kind::Relayed(incoming) => Pin::new(incoming)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|_| BodyError::Broken))),
        });
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            if let Some(measured) = &mut this.measured {
                measured.bytes += data.len() as u64;
            }
            if let Some(line) = &mut this.line {
                line.count(data.len());
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(bytes) => bytes.is_empty(),
            Kind::File(file) => file.left() == 0,
            Kind::Upstream(upstream) => upstream.is_end(),
            Kind::Relayed(incoming) => incoming.is_end_stream(),
            Kind::Compressed(compressed) => compressed.is_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::File(file) => SizeHint::with_exact(file.left()),
            Kind::Upstream(upstream) => upstream.size_hint(),
            Kind::Relayed(incoming) => incoming.size_hint(),
            Kind::Compressed(_) => SizeHint::default(),
        }
    }
}

/// What an answer comes on.
#[derive(Debug)]
pub enum Answering {
    /// A connection of its own, which goes back to the pool when the body was read to its end, and only then.
    Alone(Box<Connection>),
    /// One of several on a connection.
    Shared(Box<(Incoming, Shared)>),
    /// Nothing more comes.
    Ended,
}

/// What an upstream sends, and what must live as long as that.
#[derive(Debug)]
pub struct UpstreamBody {
    answering: Answering,
    guard: Guard,
    client: Rc<Client>,
    core: Rc<Core>,
}

impl UpstreamBody {
    /// The body of an answer whose head was read.
    pub fn new(answering: Answering, guard: Guard, client: &Rc<Client>, core: &Rc<Core>) -> Self {
        Self { answering, guard, client: Rc::clone(client), core: Rc::clone(core) }
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let watch = &self.client.watch;
        let polled = match &mut self.answering {
            Answering::Alone(connection) => {
                connection.poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(drop)))
            }
            Answering::Shared(shared) => Pin::new(&mut shared.0)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(drop))),
            Answering::Ended => Poll::Ready(None),
        };
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                watch.disarm(Wait::Upstream);
                Poll::Ready(Some(Ok(match frame.into_trailers() {
                    Ok(mut trailers) => {
                        clean_trailers(&mut trailers);
                        Frame::trailers(trailers)
                    }
                    Err(frame) => frame,
                })))
            }
            Poll::Ready(Some(Err(()))) => self.fail(BodyError::Broken),
            Poll::Ready(None) => {
                watch.disarm(Wait::Upstream);
                self.hand_back();
                Poll::Ready(None)
            }
            Poll::Pending if watch.expired(Wait::Upstream) => self.fail(BodyError::TooSlow),
            Poll::Pending if self.guard.upstream().is_cut() => self.fail(BodyError::Cut),
            Poll::Pending => {
                // A stream of several on its connection may be quiet: the connection itself is watched.
                if matches!(self.answering, Answering::Alone(_)) {
                    let limits = self.core.limits_of(&self.client);
                    watch.arm_once(Wait::Upstream, limits.upstream_body);
                }
                Poll::Pending
            }
        }
    }

    fn is_end(&self) -> bool {
        match &self.answering {
            Answering::Alone(connection) => connection.is_end(),
            Answering::Shared(shared) => shared.0.is_end_stream(),
            Answering::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.answering {
            Answering::Alone(connection) => connection.size_hint(),
            Answering::Shared(shared) => shared.0.size_hint(),
            Answering::Ended => SizeHint::with_exact(0),
        }
    }

    fn fail(&mut self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.answering = Answering::Ended;
        Poll::Ready(Some(Err(error)))
    }

    fn hand_back(&mut self) {
        if let Answering::Alone(connection) =
            std::mem::replace(&mut self.answering, Answering::Ended)
        {
            let now = self.core.ticker.now();
            self.core.pool.put(&self.guard, connection, now);
        }
    }
}

impl Drop for UpstreamBody {
    fn drop(&mut self) {
        self.client.watch.disarm(Wait::Upstream);
        // A body of known length is not polled past its last byte, one without bytes never.
        if self.is_end() {
            self.hand_back();
        }
    }
}
