//! The content of a request on its way to an application.

use std::io;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Method, request};
use http_body::{Body as _, Frame};
use tokio::net::TcpStream;

use super::head;
use super::output::Output;
use crate::proxy::headers::Added;
use crate::proxy::request_body::RequestBody;

/// How the application is told where the content ends.
#[derive(Clone, Copy, Debug)]
enum Framing {
    /// Bytes that are left.
    Length(u64),
    Chunked,
}

/// Content that was not sent to its end.
#[derive(Debug)]
pub struct Upload {
    body: RequestBody,
    framing: Framing,
}

/// Why no more is sent.
#[derive(Debug)]
pub enum Stop {
    /// The application takes nothing more. It may have said why.
    Closed,
    /// The visitor's content does not come to its end, and must not look as if it did.
    Cut,
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

impl Upload {
    /// Writes the head, and takes the body on where there is one.
    pub fn begin(
        output: &mut Output,
        parts: &request::Parts,
        added: &Added<'_>,
        body: RequestBody,
    ) -> Result<Option<Self>, Stop> {
        let text = output.text();
        head::write(text, parts, added);
        let length = parts.headers.get(CONTENT_LENGTH);
        let length = length.map(|length| head::number(length.as_bytes()));
        let framing = match length {
            _ if added.chunked => Framing::Chunked,
            Some(length) => Framing::Length(length.ok_or(Stop::Cut)?),
            None if body.is_end_stream() => {
                // The least that a method with content has (RFC 9110 section 8.6).
                if matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) {
                    head::field(text, CONTENT_LENGTH.as_str(), b"0");
                }
                Framing::Length(0)
            }
            None => {
                head::field(text, TRANSFER_ENCODING.as_str(), b"chunked");
                Framing::Chunked
            }
        };
        text.extend_from_slice(b"\r\n");
        if body.is_end_stream() {
            return match framing {
                Framing::Length(0) => Ok(None),
                Framing::Length(_) => Err(Stop::Cut),
                Framing::Chunked => {
                    text.extend_from_slice(b"0\r\n\r\n");
                    Ok(None)
                }
            };
        }
        Ok(Some(Self { body, framing }))
    }

    /// The body, with what was taken off it and not sent.
    pub fn into_body(self, unsent: Bytes) -> RequestBody {
        self.body.put_back(unsent)
    }

    /// Adds a frame to the output.
    fn push(&mut self, output: &mut Output, frame: Frame<Bytes>) -> Result<(), Stop> {
        match (&mut self.framing, frame.into_data()) {
            (_, Ok(data)) if data.is_empty() => {}
            (Framing::Length(left), Ok(data)) => {
                *left = left.checked_sub(data.len() as u64).ok_or(Stop::Cut)?;
                output.content(data);
            }
            (Framing::Chunked, Ok(data)) => {
                // Writing to memory does not fail.
                let _ = write!(output.text(), "{:x}\r\n", data.len());
                output.content(data);
                output.end_line();
            }
            (Framing::Chunked, Err(frame)) => {
                let text = output.text();
                text.extend_from_slice(b"0\r\n");
                for (name, value) in frame.into_trailers().iter().flatten() {
                    head::field(text, name.as_str(), value.as_bytes());
                }
                text.extend_from_slice(b"\r\n");
                self.framing = Framing::Length(0);
            }
            // There is no place for trailers.
            (Framing::Length(_), Err(_)) => {}
        }
        Ok(())
    }

    /// Ends the content.
    fn end(self, output: &mut Output) -> Result<(), Stop> {
        match self.framing {
            Framing::Length(0) => Ok(()),
            Framing::Length(_) => Err(Stop::Cut),
            Framing::Chunked => {
                output.text().extend_from_slice(b"0\r\n\r\n");
                Ok(())
            }
        }
    }
}

/// Sends what there is: the head together with the first content, where that has come.
pub fn poll_send(
    upload: &mut Option<Upload>,
    output: &mut Output,
    socket: &mut TcpStream,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Stop>> {
    loop {
        let mut waits = false;
        while output.takes_more()
            && let Some(sending) = upload
        {
            match Pin::new(&mut sending.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => sending.push(output, frame)?,
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(Stop::Cut)),
                Poll::Ready(None) => {
                    if let Some(sent) = upload.take() {
                        sent.end(output)?;
                    }
                }
                Poll::Pending => {
                    waits = true;
                    break;
                }
            }
        }
        ready!(output.poll_write(socket, cx))?;
        if waits {
            return Poll::Pending;
        }
        if upload.is_none() {
            return Poll::Ready(Ok(()));
        }
    }
}
