//! Two connected ends inside the process: what a socket is for a client in the same program.
//!
//! Invariant: each direction holds at most `CAPACITY` bytes; a full one blocks its writer.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes in flight in one direction.
pub(crate) const CAPACITY: usize = 256 * 1024;

#[derive(Debug, Default)]
struct Direction {
    bytes: VecDeque<u8>,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Direction {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() && !self.closed {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = self.bytes.read(buffer)?;
        wake(&mut self.writer);
        Ok(n)
    }

    fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut written = 0;
        for part in parts {
            let n = part.len().min(CAPACITY - self.bytes.len());
            self.bytes.extend(&part[..n]);
            written += n;
        }
        if written == 0 && parts.iter().any(|p| !p.is_empty()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        wake(&mut self.reader);
        Ok(written)
    }

    fn close(&mut self) {
        self.closed = true;
        wake(&mut self.reader);
        wake(&mut self.writer);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// One end.
#[derive(Debug)]
pub struct PipeEnd {
    incoming: Arc<Mutex<Direction>>,
    outgoing: Arc<Mutex<Direction>>,
}

/// Two connected ends.
pub fn pipe() -> (PipeEnd, PipeEnd) {
    let (a, b) = (Arc::<Mutex<Direction>>::default(), Arc::<Mutex<Direction>>::default());
    (PipeEnd { incoming: a.clone(), outgoing: b.clone() }, PipeEnd { incoming: b, outgoing: a })
}

impl PipeEnd {
    pub(crate) fn poll_read_ready(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let mut d = self.incoming.lock();
        if d.bytes.is_empty() && !d.closed {
            d.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    pub(crate) fn poll_write_ready(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let mut d = self.outgoing.lock();
        if d.bytes.len() >= CAPACITY && !d.closed {
            d.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.incoming.lock().read(buffer)
    }

    pub(crate) fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.outgoing.lock().write(parts)
    }

    /// Ends both directions.
    pub fn close(&self) {
        self.incoming.lock().close();
        self.outgoing.lock().close();
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        self.close();
    }
}

impl AsyncRead for PipeEnd {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.poll_read_ready(cx))?;
        let n = self.try_read(buffer.initialize_unfilled())?;
        buffer.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PipeEnd {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        std::task::ready!(self.poll_write_ready(cx))?;
        Poll::Ready(self.try_write_vectored(&[IoSlice::new(bytes)]))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}
