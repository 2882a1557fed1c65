//! The body of an answer, handed over in pieces, so that what a slow reader holds is counted until the last of them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

/// One piece; as much as is worth a write.
const PIECE: usize = 64 * 1024;

/// A body with something to drop when it has been sent.
pub(super) struct Guarded<G> {
    rest: Bytes,
    guard: Option<G>,
}

impl<G> Guarded<G> {
    pub(super) fn new(body: Vec<u8>, guard: G) -> Self {
        Self { rest: body.into(), guard: Some(guard) }
    }
}

impl<G: Unpin> Body for Guarded<G> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            this.guard = None;
            return Poll::Ready(None);
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
