//! What servers say to each other: one operation at the front of a buffer, as on routes, gateways and leaf nodes.
//!
//! [`parse_link`] keeps no state and is used like [`crate::parse()`]: the caller hands it everything not yet consumed, keeps the
//! bytes on [`LinkStep::Incomplete`], and reads a large body straight into a buffer of its own on [`LinkStep::Payload`].
//! [`encode`] appends what is said back; [`Info`](crate::Info), [`LinkConnect`] and [`LeafConnect`] are the documents of the
//! handshake.
//!
//! Nearly all traffic is well-formed `RMSG`, `HMSG` and `LMSG` in upper case; `fast` reads those in one pass and declines
//! everything else, which `line` then decides with all its rules.
//!
//! Invariant: the answer depends on the input and the limits only. Subjects, queues and accounts are the bytes as sent, never
//! empty, and not checked further: a server is trusted to send what it means, but not to send sense.

mod connect;
pub mod encode;
mod fast;
mod gateway_command;
mod line;
#[cfg(test)]
mod tests;
mod words;

use thiserror::Error;

pub use connect::{LeafConnect, LinkConnect};
pub use gateway_command::GatewayCommand;

use crate::parse::payload_trailer_ok;
pub use words::Queues;

/// What is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// A server of the same cluster.
    Route,
    /// A server of another cluster.
    Gateway,
    /// A leaf node, or the hub of one.
    Leaf,
}

/// Whether the lines of a route name their account. Gateways always do and leaf nodes never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineAccount {
    /// They do: the route is shared.
    Named,
    /// They do not: the route is one account's own.
    // spec: CLU-191
    Omitted,
}

/// What the parser has to know of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkLimits {
    /// What is at the other end.
    pub kind: LinkKind,
    /// `max_control_line` as configured; lines between servers may be [`LinkLimits::LINE_FACTOR`] times as long.
    pub max_control_line: usize,
    /// Whether lines of a route name their account.
    pub account: LineAccount,
    /// Whether `LS-` of a route names the origin, as peers do that say `lnocu`.
    pub unsub_names_origin: bool,
}

impl LinkLimits {
    /// How much longer than a client's a line may be.
    // spec: CLU-029
    pub(crate) const LINE_FACTOR: usize = 16;

    /// Limits of a link of this kind whose peer is current and whose lines name their account.
    pub const fn new(kind: LinkKind, max_control_line: usize) -> Self {
        Self { kind, max_control_line, account: LineAccount::Named, unsub_names_origin: true }
    }

    /// The longest accepted argument part of a line.
    #[inline]
    const fn longest_line(&self) -> usize {
        self.max_control_line.saturating_mul(Self::LINE_FACTOR)
    }

    #[inline]
    const fn names_account(&self) -> bool {
        match self.kind {
            LinkKind::Route => matches!(self.account, LineAccount::Named),
            LinkKind::Gateway => true,
            LinkKind::Leaf => false,
        }
    }
}

/// What the front of the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkStep<'a> {
    /// A whole operation.
    Op {
        /// The operation.
        op: LinkOp<'a>,
        /// The bytes of the input that belong to it.
        used: usize,
    },
    /// A message whose control line is complete and valid, but whose body and the CRLF after it are not all here yet.
    Payload {
        /// The control line.
        head: LinkHead<'a>,
        /// The bytes of the control line, with its line end; the body begins there.
        used: usize,
    },
    /// A message whose body is here but not followed by CRLF. The head comes first: a caller who would have refused it
    /// (larger than a leaf node may send) refuses it for that; otherwise this is [`LinkError::UnknownOperation`].
    BadTrailer {
        /// The control line.
        head: LinkHead<'a>,
    },
    /// More bytes are needed.
    Incomplete,
}

/// One operation of another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkOp<'a> {
    /// `INFO` with its JSON, not yet looked at.
    Info(&'a [u8]),
    /// `CONNECT` with its JSON, not yet looked at.
    Connect(&'a [u8]),
    /// `PING`.
    Ping,
    /// `PONG`.
    Pong,
    /// `+OK`, which means nothing.
    Ok,
    /// `-ERR` with its text.
    Err(&'a [u8]),
    /// `RS+` or `LS+`: interest.
    Sub {
        /// The leaf cluster whose interest it is, on a route.
        origin: Option<&'a [u8]>,
        /// The account, if the line names one.
        account: Option<&'a [u8]>,
        /// The pattern.
        subject: &'a [u8],
        /// The queue group.
        queue: Option<&'a [u8]>,
        /// How many members the group has there, 1 without a group; what is no number, and zero, is 1.
        weight: u32,
    },
    /// `RS-` or `LS-`: no more interest.
    Unsub {
        /// The leaf cluster whose interest it was, on a route, if the peer names it.
        origin: Option<&'a [u8]>,
        /// The account, if the line names one.
        account: Option<&'a [u8]>,
        /// The pattern.
        subject: &'a [u8],
        /// The queue group.
        queue: Option<&'a [u8]>,
    },
    /// `A+`: interest in an account again. Means something on gateways only.
    AccountSub(&'a [u8]),
    /// `A-`: no interest in an account. Means something on gateways only.
    AccountUnsub(&'a [u8]),
    /// `RMSG`, `HMSG` or `LMSG`: the control line, then headers and payload together, without the CRLF that ends them.
    Message(LinkHead<'a>, &'a [u8]),
}

/// The control line of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkHead<'a> {
    /// The leaf cluster the message comes from, on a route.
    pub origin: Option<&'a [u8]>,
    /// The account, if the line names one.
    pub account: Option<&'a [u8]>,
    /// Where it was published.
    pub subject: &'a [u8],
    /// Where to answer.
    pub reply: Option<&'a [u8]>,
    /// The queue groups that are to be served. With a reply they stand behind `+`, without one behind `|`.
    pub queues: Queues<'a>,
    /// Bytes of the body that are headers, if the line says. Never more than `size`.
    pub header_len: Option<usize>,
    /// The digits of `header_len` as sent, else empty.
    pub header_text: &'a [u8],
    /// Bytes of headers and payload together, without the CRLF after them.
    pub size: usize,
    /// The digits of `size` as sent.
    pub size_text: &'a [u8],
}

impl LinkHead<'_> {
    /// Whether the message has headers: a header size of zero is none.
    #[inline]
    pub const fn has_headers(&self) -> bool {
        matches!(self.header_len, Some(1..))
    }
}

/// Why the connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LinkError {
    /// Say `-ERR 'Unknown Protocol Operation'` and close.
    #[error("unknown protocol operation")]
    UnknownOperation,
    /// Say `-ERR 'maximum control line exceeded'` and close.
    #[error("line of {len} bytes or more is longer than {max}, which is max_control_line times {factor}", factor = LinkLimits::LINE_FACTOR)]
    ControlLineTooLong {
        /// Bytes seen so far.
        len: usize,
        /// The limit in force.
        max: usize,
    },
    /// Close without a word to the peer.
    #[error("{0}")]
    Silent(LinkReason),
}

/// What to write into the log about a link that is closed without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LinkReason {
    /// Too few or too many arguments.
    #[error("{verb} with {found} arguments")]
    ArgumentCount {
        /// The operation.
        verb: &'static str,
        /// What it got.
        found: usize,
    },
    /// More words than a message without queue groups has, and no `+` or `|` among them.
    #[error("{verb} with queue groups, but without + or | before them")]
    BadIndicator {
        /// The operation.
        verb: &'static str,
    },
    /// A size that is no number of one to nine digits.
    #[error("{verb} with a size that is not a number of one to nine digits")]
    BadSize {
        /// The operation.
        verb: &'static str,
    },
    /// A header size that is no number of one to nine digits.
    #[error("{verb} with a header size that is not a number of one to nine digits")]
    BadHeaderSize {
        /// The operation.
        verb: &'static str,
    },
    /// More headers than message.
    #[error("{verb} with a header size of {header} in a message of {total} bytes")]
    HeaderLargerThanTotal {
        /// The operation.
        verb: &'static str,
        /// The header size.
        header: usize,
        /// The total size.
        total: usize,
    },
}

/// Reads the operation at the front of `input`.
#[inline]
pub fn parse_link<'a>(input: &'a [u8], limits: &LinkLimits) -> Result<LinkStep<'a>, LinkError> {
    match fast::message(input, limits) {
        Some((head, used)) => Ok(with_payload(input, head, used)),
        None => line::parse(input, limits),
    }
}

/// The step for a message whose control line ends at `used`.
#[inline]
fn with_payload<'a>(input: &'a [u8], head: LinkHead<'a>, used: usize) -> LinkStep<'a> {
    let end = used + head.size;
    match input.get(end..) {
        Some([b'\r', b'\n', ..]) => LinkStep::Op { op: LinkOp::Message(head, &input[used..end]), used: end + 2 },
        Some(trailer) if !payload_trailer_ok(trailer) => LinkStep::BadTrailer { head },
        _ => LinkStep::Payload { head, used },
    }
}
