//! A connection to an application and the exchange that is under way on it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode, request};
use http_body::{Frame, SizeHint};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::net::TcpStream;
use tokio_util::io::poll_read_buf;

use super::Error;
use super::content::{Content, Step};
use super::head::{self, Answer, Head};
use super::output::Output;
use super::upload::{self, Stop, Upload};
use crate::proxy::headers::Added;
use crate::proxy::request_body::RequestBody;

/// Room for an answer whose length is not known, in bytes.
const ROOM: usize = 8 * 1024;
/// The most that is read at a time, in bytes: more only waits for a visitor who is slower.
const MOST_ROOM: usize = 64 * 1024;
/// Answers before the answer (RFC 9110 section 15.2), in one exchange.
const MOST_EARLY: usize = 16;

/// A connection to an application.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    /// What has come and was not read.
    input: BytesMut,
    output: Output,
    /// What is left of the request's content.
    upload: Option<Upload>,
    method: Method,
    content: Content,
    /// Answers that came before the answer.
    early: usize,
    /// Whether it can carry another request once this one has ended.
    keeps: bool,
}

impl Connection {
    /// A connection that was just opened.
    pub fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            input: BytesMut::new(),
            output: Output::default(),
            upload: None,
            method: Method::GET,
            content: Content::Nothing,
            early: 0,
            keeps: true,
        }
    }

    /// Whether it cannot carry another request: it was closed, its exchange has not ended, or something came that nobody
    /// asked for.
    pub fn is_closed(&self) -> bool {
        if !self.keeps || !self.has_ended() || !self.input.is_empty() {
            return true;
        }
        // What the runtime knows; asks the kernel only when something has happened.
        let mut cx = Context::from_waker(Waker::noop());
        if self.socket.poll_read_ready(&mut cx).is_pending() {
            return false;
        }
        !matches!(self.socket.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether the request was sent and the answer read, both to their ends.
    fn has_ended(&self) -> bool {
        self.content.is_end() && self.upload.is_none() && self.output.is_empty()
    }

    /// The same as `is_closed`, asked of the kernel: a close that has arrived is seen in any case.
    pub fn is_closed_by_now(&self) -> bool {
        let peek = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        self.is_closed() || recv(&self.socket, &mut [0], peek).map(|_| ()) != Err(Errno::AGAIN)
    }

    /// Gives up what an unused connection needs no memory for.
    pub fn rest(&mut self) {
        self.input = BytesMut::new();
        self.output = Output::default();
    }

    /// Begins a request. `poll_head` sends it.
    ///
    /// # Errors
    ///
    /// The request's length is not plain.
    pub fn begin(
        &mut self,
        parts: &request::Parts,
        added: &Added<'_>,
        body: RequestBody,
    ) -> Result<(), Error> {
        self.output.clear();
        self.upload =
            Upload::begin(&mut self.output, parts, added, body).map_err(|_| Error::Broken)?;
        self.method.clone_from(&parts.method);
        self.content = Content::UntilClose;
        self.early = 0;
        Ok(())
    }

    /// The body of a request of which nothing was sent.
    pub fn into_body(mut self) -> RequestBody {
        let unsent = self.output.take_content();
        self.upload.take().map_or_else(RequestBody::empty, |upload| upload.into_body(unsent))
    }

    /// Sends the request and waits for the head of its answer. Answers before that are passed over: a visitor whose library
    /// does not know them takes them for the answer (RFC 8297 section 3), and browsers heed them over HTTP/2 only.
    pub fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, Error>> {
        match self.poll_upload(cx) {
            Some(Stop::Cut) => return Poll::Ready(Err(Error::Broken)),
            Some(Stop::Closed) if !self.output.has_begun() => {
                return Poll::Ready(Err(Error::Unsent));
            }
            _ => {}
        }
        loop {
            while !self.input.is_empty()
                && let Some(Answer { head, content, keeps }) =
                    head::read(&mut self.input, &self.method)?
            {
                let is_last = !head.status.is_informational()
                    || head.status == StatusCode::SWITCHING_PROTOCOLS;
                if is_last {
                    self.content = content;
                    self.keeps &= keeps && head.status != StatusCode::SWITCHING_PROTOCOLS;
                    return Poll::Ready(Ok(head));
                }
                self.early += 1;
                if self.early > MOST_EARLY {
                    return Poll::Ready(Err(Error::Malformed));
                }
            }
            match ready!(self.poll_fill(cx, ROOM)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(Error::Broken)),
                Ok(_) => {}
            }
        }
    }

    /// The next part of the answer's content.
    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if (self.upload.is_some() || !self.output.is_empty())
            && matches!(self.poll_upload(cx), Some(Stop::Cut))
        {
            return Poll::Ready(Some(Err(Error::Broken)));
        }
        loop {
            match self.content.next(&mut self.input) {
                Ok(Step::Frame(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::More) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            let filled = ready!(self.poll_fill(cx, self.room()));
            if let Ok(0) | Err(_) = filled
                && let Err(error) =
                    filled.map_err(|_| Error::Broken).and_then(|_| self.content.close())
            {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    /// Whether the answer has ended.
    pub fn is_end(&self) -> bool {
        self.content.is_end()
    }

    /// How much of the answer's content is left.
    pub fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }

    /// The socket, and what has come of another protocol.
    pub fn socket(&mut self) -> (&mut TcpStream, Bytes) {
        (&mut self.socket, self.input.split().freeze())
    }

    /// Sends what there is of the request. Says why no more will be sent.
    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Option<Stop> {
        let sent = upload::poll_send(&mut self.upload, &mut self.output, &mut self.socket, cx);
        let Poll::Ready(Err(stop)) = sent else { return None };
        self.keeps = false;
        if self.output.has_begun() {
            self.upload = None;
            self.output.drop_rest();
        }
        Some(stop)
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        self.input.reserve(room);
        poll_read_buf(Pin::new(&mut self.socket), cx, &mut self.input)
    }

    /// Room for the next bytes: much of a long answer is read at a time.
    fn room(&self) -> usize {
        match self.content.wanted() {
            // The end of a chunk comes with it.
            Some(left) => usize::try_from(left).unwrap_or(MOST_ROOM).clamp(ROOM, MOST_ROOM),
            None => 2 * ROOM,
        }
    }
}

impl Drop for Connection {
    /// One that is given up within an exchange is reset. Closed in order, its port would be taken for another minute
    /// (TIME-WAIT, RFC 9293 section 3.6.1), and visitors who give up many requests would take all there are.
    fn drop(&mut self) {
        if !self.has_ended() {
            // When this fails the connection is already gone.
            let _ = self.socket.set_zero_linger();
        }
    }
}
