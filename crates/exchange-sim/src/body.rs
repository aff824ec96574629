//! Response bodies that arrive whole, slowly, or incomplete.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use ttm_kernel::{BoxFuture, Runtime};

const DRIP_BYTES: usize = 16;
const DRIP_PAUSE: Duration = Duration::from_secs(1);

/// The bytes of a response and how they are sent.
pub(crate) struct Body {
    rest: Bytes,
    manner: Manner,
}

enum Manner {
    Whole,
    Cut { missing: u64, flushed: bool },
    Drip { runtime: Arc<dyn Runtime>, pause: Option<BoxFuture<'static, ()>> },
}

impl Body {
    /// Sends everything at once.
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self { rest: bytes.into(), manner: Manner::Whole }
    }

    /// Announces the whole length, sends half, and fails.
    pub(crate) fn cut(mut bytes: Bytes) -> Self {
        let sent = bytes.split_to(bytes.len() / 2);
        Self { rest: sent, manner: Manner::Cut { missing: bytes.len() as u64, flushed: false } }
    }

    /// Sends a few bytes per second.
    pub(crate) fn drip(bytes: Bytes, runtime: Arc<dyn Runtime>) -> Self {
        Self { rest: bytes, manner: Manner::Drip { runtime, pause: None } }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        let mut next = this.rest.len();
        match &mut this.manner {
            Manner::Cut { flushed, .. } if this.rest.is_empty() => {
                if *flushed {
                    return Poll::Ready(Some(Err(io::Error::other("truncated by a fault"))));
                }
                // hyper flushes its buffer when the body is pending, but not after an error.
                *flushed = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Manner::Whole | Manner::Cut { .. } => {}
            Manner::Drip { runtime, pause } => {
                if let Some(pause) = pause {
                    ready!(pause.as_mut().poll(cx));
                }
                *pause = Some(runtime.sleep_until(runtime.now() + DRIP_PAUSE));
                next = next.min(DRIP_BYTES);
            }
        }
        if next == 0 {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(this.rest.split_to(next)))))
    }

    fn size_hint(&self) -> SizeHint {
        let missing = match self.manner {
            Manner::Cut { missing, .. } => missing,
            Manner::Whole | Manner::Drip { .. } => 0,
        };
        SizeHint::with_exact(self.rest.len() as u64 + missing)
    }
}
