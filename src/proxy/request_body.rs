//! The body on its way to an upstream.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::client::Client;
use super::core::Limits;
use super::headers::clean_trailers;
use super::ticker::{Ticks, Wait};

/// A client's body, read only as fast as the upstream takes it.
#[derive(Debug)]
pub struct RequestBody {
    /// What was taken off it already and not sent.
    again: Bytes,
    /// `None` for a request without a body, and after its end.
    upload: Option<Box<Upload>>,
}

#[derive(Debug)]
struct Upload {
    incoming: Incoming,
    client: Rc<Client>,
    /// How long the upstream may take nothing, and how long the client may send nothing; `None` for a stream, which may
    /// pause.
    limits: Option<(Ticks, Ticks)>,
    /// Bytes that may still come.
    left: u64,
}

/// Why a body ends early.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The client's connection ended or made no sense.
    #[error("the client ended in the middle of its request")]
    Broken(hyper::Error),
    /// It is larger than the project wants it.
    #[error("the request is too large")]
    TooLarge,
}

impl RequestBody {
    /// The body of a request that `client` is sending.
    pub fn new(incoming: Incoming, client: &Rc<Client>, limits: &Limits) -> Self {
        if incoming.is_end_stream() {
            return Self::empty();
        }
        Self::sent_by(incoming, client, Some((limits.first_byte, limits.client_body)))
    }

    /// The same of one that both ends may keep open for as long as they like.
    pub fn stream(incoming: Incoming, client: &Rc<Client>) -> Self {
        if incoming.is_end_stream() {
            return Self::empty();
        }
        Self::sent_by(incoming, client, None)
    }

    fn sent_by(incoming: Incoming, client: &Rc<Client>, limits: Option<(Ticks, Ticks)>) -> Self {
        client.uploading.set(true);
        Self {
            again: Bytes::new(),
            upload: Some(Box::new(Upload {
                incoming,
                client: Rc::clone(client),
                limits,
                left: u64::MAX,
            })),
        }
    }

    /// The same, of which only so many bytes are passed on.
    pub fn at_most(mut self, bytes: Option<u64>) -> Self {
        if let (Some(upload), Some(bytes)) = (&mut self.upload, bytes) {
            upload.left = bytes;
        }
        self
    }

    /// No body.
    pub fn empty() -> Self {
        Self { again: Bytes::new(), upload: None }
    }

    /// The same, beginning with what was taken off it.
    pub fn put_back(self, again: Bytes) -> Self {
        Self { again, ..self }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        if !self.again.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.again)))));
        }
        let Some(upload) = &mut self.upload else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(&mut upload.incoming).poll_frame(cx);
        let watch = &upload.client.watch;
        match polled {
            // The upstream is asked to take this; the limit runs until it asks for more.
            Poll::Ready(Some(Ok(frame))) => {
                upload.came();
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                let Some(left) = upload.left.checked_sub(length) else {
                    upload.client.oversized.set(true);
                    self.upload = None;
                    return Poll::Ready(Some(Err(UploadError::TooLarge)));
                };
                upload.left = left;
                if let Some((limit, _)) = upload.limits {
                    watch.arm(Wait::Upload, limit);
                }
                Poll::Ready(Some(Ok(match frame.into_trailers() {
                    Ok(mut trailers) => {
                        clean_trailers(&mut trailers);
                        Frame::trailers(trailers)
                    }
                    Err(frame) => frame,
                })))
            }
            Poll::Ready(end) => {
                self.upload = None;
                Poll::Ready(end.map(|end| end.map_err(UploadError::Broken)))
            }
            // Now it is the client that keeps us waiting.
            Poll::Pending => {
                watch.disarm(Wait::Upload);
                if let Some((_, patience)) = upload.limits.filter(|_| upload.client.multiplexed) {
                    watch.arm_once(Wait::ClientRead, patience);
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.again.is_empty()
            && self.upload.as_ref().is_none_or(|upload| upload.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        if !self.again.is_empty() {
            return SizeHint::default();
        }
        self.upload.as_ref().map_or(SizeHint::with_exact(0), |upload| upload.incoming.size_hint())
    }
}

impl Upload {
    /// The client has sent something. Where the connection has no other request its socket tells.
    fn came(&self) {
        if self.client.multiplexed {
            self.client.watch.disarm(Wait::ClientRead);
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.came();
        self.client.uploading.set(false);
        self.client.watch.disarm(Wait::Upload);
    }
}
