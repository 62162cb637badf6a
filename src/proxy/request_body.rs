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
    /// `None` for a request without a body.
    upload: Option<Upload>,
}

#[derive(Debug)]
struct Upload {
    incoming: Incoming,
    client: Rc<Client>,
    /// How long the upstream may take nothing.
    limit: Ticks,
    /// How long the client may send nothing.
    patience: Ticks,
}

impl RequestBody {
    /// The body of a request that `client` is sending.
    pub fn new(incoming: Incoming, client: &Rc<Client>, limits: &Limits) -> Self {
        if incoming.is_end_stream() {
            return Self::empty();
        }
        client.uploading.set(true);
        let (limit, patience) = (limits.first_byte, limits.client_body);
        Self { upload: Some(Upload { incoming, client: Rc::clone(client), limit, patience }) }
    }

    /// No body.
    pub fn empty() -> Self {
        Self { upload: None }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(upload) = &mut self.upload else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(&mut upload.incoming).poll_frame(cx);
        let watch = &upload.client.watch;
        match polled {
            // The upstream is asked to take this; the limit runs until it asks for more.
            Poll::Ready(Some(Ok(frame))) => {
                upload.came();
                watch.arm(Wait::Upload, upload.limit);
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
                Poll::Ready(end)
            }
            // Now it is the client that keeps us waiting.
            Poll::Pending => {
                watch.disarm(Wait::Upload);
                if upload.client.multiplexed {
                    watch.arm_once(Wait::ClientRead, upload.patience);
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.upload.as_ref().is_none_or(|upload| upload.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
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
