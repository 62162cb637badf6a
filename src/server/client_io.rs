//! A client's socket, with its time limits and the second look at its requests.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Connections;
use super::frames::{Flood, Frames};
use super::framing::{Doubt, Framing, Phase};
use super::pace::{Kind, Ticket};
use super::socket::Socket;
use crate::proxy::{Client, Core, Ticks, Wait};

/// How long a connection keeps its buffers between two requests.
const MOMENT: Duration = Duration::from_millis(250);

/// What is written as one piece, in bytes.
const SMALL: usize = 1024;
/// Bytes after which a connection lets others go first, in a tick of the clock.
const BURST: usize = 128 * 1024;
/// For how many bytes a frame counts: each can be a request, or the end of one.
const A_FRAME: usize = 4 * 1024;
/// Bytes with frames that are read at a time, because the library works through all that it has.
const FRAMES: usize = 2 * 1024;

/// What the socket knows and the requests' handling needs.
#[derive(Debug, Default)]
pub struct Link {
    framing: RefCell<Framing>,
    requests: Cell<u64>,
    /// Requests under way, where the connection can have several.
    streams: Cell<Option<usize>>,
    /// The tick until which it may rest between two requests; 0 while it does not.
    until: Cell<u32>,
    /// Its frames, unless it is one that is believed.
    frames: RefCell<Option<Box<Frames>>>,
}

impl Link {
    /// Counts a request in and tells what is doubtful about it.
    pub fn next_request(&self) -> Option<Doubt> {
        let number = self.requests.get();
        self.requests.set(number + 1);
        self.framing.borrow().doubt(number)
    }

    /// The connection is HTTP/2, whose frames the library follows.
    pub fn multiplex(&self, frames: Option<Frames>) {
        self.stop_following();
        self.streams.set(Some(0));
        self.frames.replace(frames.map(Box::new));
    }

    /// Counts a request of many in.
    pub fn open_stream(&self) {
        self.streams.update(|open| open.map(|open| open + 1));
    }

    /// Counts a request of many out.
    pub fn close_stream(&self) {
        self.streams.update(|open| open.map(|open| open.saturating_sub(1)));
    }

    /// Whether no request is under way on a connection that can have several.
    pub fn is_idle(&self) -> bool {
        self.streams.get() == Some(0)
    }

    /// Whether more requests are under way than so many.
    pub fn has_more_streams_than(&self, count: usize) -> bool {
        self.streams.get().is_some_and(|open| open > count)
    }

    /// Whether nothing was asked since the last answer.
    pub fn is_between(&self) -> bool {
        self.until.get() > 0
    }

    /// The connection is HTTP no more.
    pub fn stop_following(&self) {
        self.framing.borrow_mut().stop();
    }

    /// Whether the client may still be sending something nobody reads.
    pub fn has_unread_input(&self) -> bool {
        self.framing.borrow().phase() != Phase::Between
    }
}

/// A client's socket.
#[derive(Debug)]
pub struct ClientIo {
    stream: Socket,
    link: Rc<Link>,
    core: Rc<Core>,
    client: Rc<Client>,
    /// Bytes moved in this tick since it let others go first.
    moved: usize,
    tick: u32,
    ticket: Ticket,
    in_head: bool,
    tunnel: bool,
}

impl ClientIo {
    /// A socket that was just accepted.
    pub fn new(stream: Socket, link: &Rc<Link>, shared: &Connections, client: &Rc<Client>) -> Self {
        Self {
            stream,
            link: Rc::clone(link),
            core: Rc::clone(&shared.core),
            client: Rc::clone(client),
            moved: 0,
            tick: 0,
            ticket: Ticket::new(&shared.pace, Kind::Bulk),
            in_head: false,
            tunnel: false,
        }
    }

    /// From here on the bytes are opaque and may pause for as long as they like.
    pub fn into_tunnel(mut self) -> Self {
        self.link.stop_following();
        self.client.watch.disarm(Wait::ClientRead);
        self.tunnel = true;
        self
    }

    /// Ends the connection so that the client cannot take it for a proper end.
    pub fn reset(self) {
        self.stream.reset();
    }

    /// Bytes came. The limit for a head runs from its first byte, however slowly the rest comes.
    fn received(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.link.streams.get().is_some() {
            let mut frames = self.link.frames.borrow_mut();
            let Some(frames) = frames.as_mut() else { return Ok(()) };
            let count = frames
                .feed(bytes, self.core.ticker.now())
                .map_err(|Flood| io::Error::from(io::ErrorKind::InvalidData))?;
            self.moved += count * A_FRAME;
            return Ok(());
        }
        let mut framing = self.link.framing.borrow_mut();
        let before = framing.phase();
        framing.feed(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        let empty = bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
        if empty && before == Phase::Between && framing.phase() == Phase::Between {
            // Empty lines before a request are passed over (RFC 9112 section 2.2), and gain no time.
            return Ok(());
        }
        self.link.until.set(0);
        let watch = &self.client.watch;
        match framing.phase() {
            Phase::Head if self.in_head => {}
            Phase::Head => {
                self.in_head = true;
                watch.arm(Wait::ClientRead, self.core.limits.head);
            }
            _ => {
                self.in_head = false;
                watch.disarm(Wait::ClientRead);
            }
        }
        Ok(())
    }

    /// Somebody waits for bytes and none are there. (When nobody waits, no limit runs out: a
    /// slow upstream is not the client's fault.)
    fn starved(&self) -> io::Result<()> {
        let watch = &self.client.watch;
        let limits = &self.core.limits;
        if self.link.streams.get().is_some() {
            // Requests have limits of their own; the connection says goodbye when there is none.
            if self.link.is_idle() {
                watch.arm_once(Wait::ClientRead, limits.keep_alive);
            } else {
                watch.disarm(Wait::ClientRead);
            }
            return Ok(());
        }
        if watch.expired(Wait::ClientRead) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let limit = match self.link.framing.borrow().phase() {
            Phase::Content => limits.client_body,
            Phase::Between if self.link.requests.get() > 0 => {
                self.rest();
                return Ok(());
            }
            _ => limits.head,
        };
        watch.arm_once(Wait::ClientRead, limit);
        Ok(())
    }

    /// Between two requests: a moment later the connection rests, until its time is over.
    fn rest(&self) {
        if self.link.until.get() > 0 {
            return;
        }
        let now = self.core.ticker.now();
        let until = self.core.limits.keep_alive.after(now);
        self.link.until.set(until);
        let moment = Ticks::from(MOMENT).after(now);
        self.client.watch.arm_until(Wait::ClientRead, moment.min(until));
    }

    /// Nothing was said yet; there is as long for it as for a head.
    pub fn begin(&self) {
        self.link.until.set(self.core.limits.head.after(self.core.ticker.now()));
    }

    /// Waits for the client to say something; false when the connection is to end first.
    pub async fn rested(&mut self, closing: &Cell<bool>) -> bool {
        let until = self.link.until.get();
        let Self { stream, client, .. } = self;
        client.watch.arm_until(Wait::ClientRead, until);
        let said = poll_fn(|cx| {
            client.watch.wake_with(cx.waker());
            if closing.get() || client.watch.expired(Wait::ClientRead) {
                return Poll::Ready(false);
            }
            stream.poll_readable(cx).map(|readable| readable.is_ok())
        });
        let said = said.await;
        // A client that says nothing after all gains no time by it.
        client.watch.arm_until(Wait::ClientRead, until);
        said
    }

    /// The same before something is read. Who sends a head in crumbs lets others go first before each of them.
    fn poll_turn_to_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.in_head && !self.ticket.waits() {
            // A turn is for what is there, not for a look.
            let _ = ready!(self.stream.poll_readable(cx));
            self.moved = BURST;
            self.tick = self.core.ticker.now();
        }
        self.poll_turn(cx)
    }

    /// Reads a part of the frames that have come.
    fn poll_frames(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining().min(FRAMES);
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        let came = part.filled().len();
        buffer.advance(came);
        Poll::Ready(Ok(()))
    }

    /// Lets others go first when a lot was moved.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = self.core.ticker.now();
        // Whoever moves a little all the time does not wait behind those who move a lot.
        if now != self.tick && !self.ticket.waits() {
            self.tick = now;
            self.moved = 0;
        }
        if self.moved >= BURST {
            ready!(self.ticket.poll_turn(cx));
            self.moved = 0;
        }
        Poll::Ready(())
    }

    fn wrote(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(length)) = &polled {
            self.moved += length;
        }
        let watch = &self.client.watch;
        if let Poll::Ready(Ok(length)) = &polled
            && let Some(frames) = &mut *self.link.frames.borrow_mut()
        {
            frames.wrote(*length);
        }
        if polled.is_ready() {
            watch.disarm(Wait::ClientWrite);
        } else if watch.expired(Wait::ClientWrite) {
            self.stream.abandon();
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        } else {
            watch.arm_once(Wait::ClientWrite, self.core.limits.client_write);
        }
        polled
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = match self.poll_turn_to_read(cx) {
            Poll::Ready(()) if self.link.streams.get().is_some() => self.poll_frames(cx, buffer),
            Poll::Ready(()) => Pin::new(&mut self.stream).poll_read(cx, buffer),
            Poll::Pending if self.ticket.waits() => return Poll::Pending,
            Poll::Pending => Poll::Pending,
        };
        let came = buffer.filled().len() - before;
        self.moved += came;
        if self.tunnel {
            return polled;
        }
        match polled {
            Poll::Ready(Ok(())) => Poll::Ready(self.received(&buffer.filled()[before..])),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => match self.starved() {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
        }
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(cx));
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length: usize = slices.iter().map(|slice| slice.len()).sum();
        if length <= SMALL {
            // To the kernel one short piece is cheaper than several.
            let (mut whole, mut end) = ([0; SMALL], 0);
            for slice in slices {
                whole[end..end + slice.len()].copy_from_slice(slice);
                end += slice.len();
            }
            return self.poll_write(cx, &whole[..length]);
        }
        ready!(self.poll_turn(cx));
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
