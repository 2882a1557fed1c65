//! One end of a connection's protocol, as an event loop drives it.
//!
//! A [`Session`](crate::Session) is the end of a client's; links between servers have theirs. Whoever owns the socket brings
//! bytes, time and requests to a [`Driver`] and does what its [`Next`] says; what a driver has to say goes into the
//! caller's [`Batch`].
//!
//! Invariant: a driver knows no socket, and what drives it knows no protocol.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use martlet_auth::{Check, Identity, PeerNames, Reason};
use martlet_config::options::WriteTimeout;
use martlet_events::Time;
use martlet_proto::ClosedReason;
pub use martlet_proto::s2::Level;

use crate::batch::Batch;
use crate::peer::{Peer, TlsDescription};

/// What the owner of the connection has to do next.
#[derive(Debug)]
pub enum Next {
    /// Bring more bytes, behind those not used.
    Read,
    /// The bytes not used are a control line of `line` bytes and the beginning of a body of `body` bytes, CRLF included:
    /// gather the body and call [`Driver::on_large`].
    Large {
        /// Length of the control line.
        line: usize,
        /// Length of the body with its CRLF.
        body: usize,
    },
    /// Verify this away from the event loop, then call [`Driver::on_verified`]; read nothing meanwhile.
    Verify(Box<Check>),
    /// Write everything said so far in the clear, begin TLS, as client or server depending on who dialled, and call
    /// [`Driver::on_secured`]. The peer can have said nothing in the clear behind what was used.
    Secure,
    /// Write everything said so far as it is, then call [`Driver::on_compressed`]: from there on what is written goes out
    /// compressed, and what is read, the bytes not used among it, is taken apart. Nobody else may have anything to say to
    /// this peer in between. Asked for again it changes the level at once and is not answered.
    Compress(Level),
    /// Write what is pending, except after errors of the connection itself, then call [`Driver::end`].
    Close(ClosedReason),
}

/// How far a call got.
#[derive(Debug)]
pub struct Progress {
    /// Bytes of the input that are dealt with.
    pub used: usize,
    /// What comes next.
    pub next: Next,
}

/// What a TLS handshake found out.
#[derive(Debug, Clone, Default)]
pub struct Secured {
    /// What was agreed on.
    pub tls: TlsDescription,
    /// The names in the peer's certificate, if it showed one.
    pub names: Option<PeerNames>,
}

/// How long a peer may take to accept what is written to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteRules {
    /// `write_deadline`.
    pub deadline: Duration,
    /// `write_timeout`; what [`WriteTimeout::Default`] means depends on the kind of connection, see
    /// [`Kind::write_timeout`](crate::peer::Kind::write_timeout).
    pub timeout: WriteTimeout,
}

/// One end of a connection's protocol, as an event loop drives it.
pub trait Driver: Send + 'static {
    /// The connection as others see it.
    fn peer(&self) -> &Arc<Peer>;

    /// The connection's name in logs.
    fn label(&self) -> String {
        self.peer().label()
    }

    /// How patiently it is written to, as of now.
    fn write_rules(&self) -> WriteRules;

    /// The connection is there: says the first word where that is this end's to say.
    fn open(&mut self, batch: &mut Batch) -> Next;

    /// Works through `input`: everything received and not used so far.
    fn on_bytes(&mut self, input: &[u8], batch: &mut Batch) -> Progress;

    /// The body of a [`Next::Large`] message is here, CRLF included.
    fn on_large(&mut self, line: &[u8], body: &Bytes, batch: &mut Batch) -> Next;

    /// Something was left for it by others ([`Peer::take_requests`]).
    fn on_wake(&mut self, batch: &mut Batch) -> Next;

    /// The time of [`Driver::due`] has come, or it is just time to look.
    fn on_timer(&mut self, batch: &mut Batch) -> Next;

    /// When [`Driver::on_timer`] is to be called next.
    fn due(&self) -> Time;

    /// The answer to [`Next::Verify`] is here.
    fn on_verified(&mut self, result: Result<Identity, Reason>, batch: &mut Batch) -> Next;

    /// The answer to [`Next::Secure`] is here; a handshake that fails ends the connection instead. Called before
    /// [`Driver::open`] where TLS comes first.
    fn on_secured(&mut self, found: Secured, batch: &mut Batch) -> Next {
        let _ = (found, batch);
        Next::Read
    }

    /// The answer to the first [`Next::Compress`] is here.
    fn on_compressed(&mut self, batch: &mut Batch) -> Next {
        let _ = batch;
        Next::Read
    }

    /// The connection is over: leaves no trace of it but the record of why.
    fn end(&mut self, reason: ClosedReason, now: Time);
}
