//! What waits to be written to an application.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

/// A buffer that grew beyond this, in bytes, is given up after the request.
const LARGEST_KEPT: usize = 4 * 1024;
const LINE_END: &[u8] = b"\r\n";

/// Text, content, and the end of a line, in this order; each may be missing.
#[derive(Debug, Default)]
pub struct Output {
    text: Vec<u8>,
    /// How much of the text was written.
    written: usize,
    content: Bytes,
    end: &'static [u8],
    /// Whether anything was written since the request began.
    begun: bool,
}

impl Output {
    /// Begins anew.
    pub fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(LARGEST_KEPT);
        self.written = 0;
        self.content = Bytes::new();
        self.end = &[];
        self.begun = false;
    }

    /// Whether any byte of the request is on its way.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether everything was written.
    pub fn is_empty(&self) -> bool {
        self.written == self.text.len() && self.content.is_empty() && self.end.is_empty()
    }

    /// Whether there is no content yet, so that text and content can be added.
    pub fn takes_more(&self) -> bool {
        self.content.is_empty() && self.end.is_empty()
    }

    /// The text, to add to.
    pub fn text(&mut self) -> &mut Vec<u8> {
        if self.written == self.text.len() {
            self.text.clear();
            self.written = 0;
        }
        &mut self.text
    }

    /// Adds content.
    pub fn content(&mut self, content: Bytes) {
        self.content = content;
    }

    /// Ends the content's line, as chunks have it.
    pub fn end_line(&mut self) {
        self.end = LINE_END;
    }

    /// Forgets what was not written.
    pub fn drop_rest(&mut self) {
        self.written = self.text.len();
        self.content = Bytes::new();
        self.end = &[];
    }

    /// Content of which nothing was written.
    pub fn take_content(&mut self) -> Bytes {
        std::mem::take(&mut self.content)
    }

    /// Writes all of it.
    pub fn poll_write(
        &mut self,
        socket: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let socket = Pin::new(&mut *socket);
            let text = &self.text[self.written..];
            let length = if self.content.is_empty() && self.end.is_empty() {
                ready!(socket.poll_write(cx, text))?
            } else {
                let slices =
                    [IoSlice::new(text), IoSlice::new(&self.content), IoSlice::new(self.end)];
                ready!(socket.poll_write_vectored(cx, &slices))?
            };
            if length == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.wrote(length);
        }
        Poll::Ready(Ok(()))
    }

    fn wrote(&mut self, length: usize) {
        self.begun = true;
        let text = length.min(self.text.len() - self.written);
        self.written += text;
        let content = (length - text).min(self.content.len());
        self.content.advance(content);
        self.end = &self.end[length - text - content..];
    }
}
