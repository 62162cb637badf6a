//! A body from either plane.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::gate::Passing;
use crate::proxy;

/// An answer's body.
#[allow(
    clippy::large_enum_variant,
    reason = "a box for each answer of the proxy is an allocation more"
)]
pub enum Body {
    /// From the proxy.
    Proxy(proxy::Body),
    /// From the control plane.
    Control(Passing),
}

/// Why a body ended early.
pub type Fault = Box<dyn Error + Send + Sync>;

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        match &mut *self {
            Self::Proxy(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(Fault::from))),
            Self::Control(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(Fault::from))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Proxy(body) => body.is_end_stream(),
            Self::Control(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Proxy(body) => body.size_hint(),
            Self::Control(body) => body.size_hint(),
        }
    }
}
