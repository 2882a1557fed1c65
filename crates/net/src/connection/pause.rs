//! What a link does between two messages: it begins TLS, or to compress.
//!
//! Invariant: what was said before is out before; what came behind is looked at after.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use martlet_broker::driver::{Level, Secured};
use martlet_broker::{Driver, Next};
use martlet_config::options::HandshakeFirst;
use martlet_proto::ClosedReason;

use super::Connection;
use crate::handshake::{self, HandshakeError, Side};

/// What only links need.
#[derive(Default)]
pub(crate) struct Link {
    /// TLS, where there is to be any.
    side: Option<Arc<Side>>,
    compressed: bool,
    pause: Option<Pause>,
}

/// What comes before more is read.
pub(super) enum Pause {
    /// Write out what was said, then begin TLS.
    Secure,
    /// Shake hands.
    Handshake(Pin<Box<dyn Future<Output = Result<Secured, HandshakeError>> + Send>>),
    /// Write out what was said, then compress.
    Compress(Level),
    /// Look at what came behind.
    Resume,
}

impl<D: Driver> Connection<D> {
    /// The same as a link, encrypted as one of `side` when its driver asks for it.
    pub(crate) fn linked(mut self, side: Option<Arc<Side>>) -> Self {
        self.link = Some(Box::new(Link { side, ..Link::default() }));
        self
    }

    /// The first word, behind a handshake of `side` where that comes `first`.
    // spec: CFG-138
    pub(crate) async fn begin(&mut self, side: Option<&Side>, first: HandshakeFirst) -> Next {
        if let Some(side) = side
            && handshake::comes_first(self.socket(), first).await
        {
            let secured = handshake::secure(self.socket(), side).await.map(|found| found.told(true));
            if let Some(reason) = self.on_shaken(secured) {
                return Next::Close(reason);
            }
        }
        self.open()
    }

    /// Whether something comes before more is looked at.
    pub(super) fn is_paused(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.pause.is_some())
    }

    /// Takes down what the driver asks for; a reason to close if it is not to be had.
    pub(super) fn pause(&mut self, pause: Pause) -> Option<ClosedReason> {
        // Clients have their TLS from the greeting on, and are not compressed.
        let Some(link) = &mut self.link else { return Some(ClosedReason::ProtocolViolation) };
        link.pause = Some(match pause {
            Pause::Compress(level) if link.compressed => {
                self.socket.set_level(level);
                Pause::Resume
            }
            pause => pause,
        });
        None
    }

    /// Does what comes before more is read; the reason if the connection is to close.
    pub(super) fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClosedReason>> {
        while let Some(pause) = self.link.as_mut().and_then(|link| link.pause.take()) {
            let after = match pause {
                Pause::Secure | Pause::Compress(_) if !self.is_written() => {
                    let written = self.poll_said(cx);
                    self.link.as_mut().expect("it is a link").pause = Some(pause);
                    if let Err(reason) = ready!(written) {
                        return Poll::Ready(Some(reason));
                    }
                    None
                }
                Pause::Secure => self.begin_handshake(),
                Pause::Handshake(mut shaking) => match shaking.as_mut().poll(cx) {
                    Poll::Ready(outcome) => self.on_shaken(outcome),
                    Poll::Pending => {
                        self.link.as_mut().expect("it is a link").pause = Some(Pause::Handshake(shaking));
                        return Poll::Pending;
                    }
                },
                Pause::Compress(level) => self.begin_to_compress(level),
                Pause::Resume => self.resume(),
            };
            if after.is_some() {
                return Poll::Ready(after);
            }
        }
        Poll::Ready(None)
    }

    fn is_written(&self) -> bool {
        self.driver.peer().outbox.pending() == 0 && !self.socket.has_records()
    }

    /// Writes until everything said is out.
    fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClosedReason>> {
        self.blocked = true;
        ready!(self.poll_write(cx))?;
        if !self.is_written() {
            // Another thread is at it, and takes its time only as long as the socket has room.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn begin_handshake(&mut self) -> Option<ClosedReason> {
        let link = self.link.as_mut().expect("it is a link");
        let Some(side) = link.side.clone() else { return Some(self.refused(&HandshakeError::NoTls)) };
        // Whatever came in the clear was not said by whom TLS will vouch for.
        if !self.tail.is_empty() {
            return Some(self.refused(&HandshakeError::TooEarly));
        }
        let socket = self.socket.clone();
        let shaking = async move { handshake::secure(&socket, &side).await.map(|found| found.told(false)) };
        link.pause = Some(Pause::Handshake(Box::pin(shaking)));
        None
    }

    fn on_shaken(&mut self, outcome: Result<Secured, HandshakeError>) -> Option<ClosedReason> {
        match outcome {
            Ok(found) => {
                self.look = true;
                let next = self.turn(|driver, batch| driver.on_secured(found, batch));
                self.apply(next)
            }
            Err(error) => Some(self.refused(&error)),
        }
    }

    fn refused(&self, error: &HandshakeError) -> ClosedReason {
        log::error!("{} - {}", self.driver.label(), error.told(self.driver.peer().kind()));
        ClosedReason::TlsHandshakeError
    }

    fn begin_to_compress(&mut self, level: Level) -> Option<ClosedReason> {
        self.link.as_mut().expect("it is a link").compressed = true;
        self.socket.start_compression(level, std::mem::take(&mut self.tail));
        let next = self.turn(Driver::on_compressed);
        self.apply(next)
    }
}
