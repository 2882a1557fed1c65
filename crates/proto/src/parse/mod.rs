//! What a client says: one operation at the front of a buffer.
//!
//! [`parse`] keeps no state. The caller hands it everything not yet consumed; when the answer is [`Step::Incomplete`] it keeps
//! the bytes, reads more, and asks again with the longer buffer. How the peer's bytes were cut into reads therefore cannot
//! change what is understood. A publish whose payload is still on its way is answered with [`Step::Payload`], so that a caller
//! can refuse it before the payload arrives, or read a large payload straight into a buffer of its own.
//!
//! Nearly all traffic is well-formed `PUB` and `HPUB` in upper case; [`fast`] reads those in one pass and declines everything
//! else, which [`line`] then decides with all its rules.
//!
//! Invariant: the answer depends on the input and the limits only; errors appear at the first byte that makes them certain.

mod fast;
mod line;
#[cfg(test)]
mod tests;

use thiserror::Error;

/// The limits that the parser itself keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseLimits {
    /// Longest accepted argument part of a control line (`max_control_line`), without the verb and the line end.
    pub max_control_line: usize,
}

impl Default for ParseLimits {
    fn default() -> Self {
        Self { max_control_line: 4096 }
    }
}

/// What the front of the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// A whole operation.
    Op {
        /// The operation.
        op: ClientOp<'a>,
        /// The bytes of the input that belong to it.
        used: usize,
    },
    /// A publish whose control line is complete and valid, but whose payload and the CRLF after it are not all here yet.
    Payload {
        /// The control line.
        head: PublishHead<'a>,
        /// The bytes of the control line, with its line end; the payload begins there.
        used: usize,
    },
    /// A publish whose payload is here but not followed by CRLF. The head comes first: a caller who would have refused it (too
    /// large, headers not allowed) refuses it for that; otherwise this is [`ParseError::UnknownOperation`].
    BadTrailer {
        /// The control line.
        head: PublishHead<'a>,
    },
    /// More bytes are needed.
    Incomplete,
}

/// One operation of a client. Subjects, queue names and sids are the bytes as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientOp<'a> {
    /// `CONNECT` with its JSON, not yet looked at.
    Connect(&'a [u8]),
    /// `PING`.
    Ping,
    /// `PONG`.
    Pong,
    /// `PUB` or `HPUB`: the control line, then headers and payload together, without the CRLF that ends them.
    Publish(PublishHead<'a>, &'a [u8]),
    /// `SUB`.
    Sub {
        /// What to subscribe to.
        subject: &'a [u8],
        /// The queue group, if one was named.
        queue: Option<&'a [u8]>,
        /// The client's name for the subscription.
        sid: &'a [u8],
    },
    /// `UNSUB`.
    Unsub {
        /// The subscription's name.
        sid: &'a [u8],
        /// Messages after which to end it, counted from its creation; `None` ends it now, as zero and unreadable numbers do.
        max: Option<u64>,
    },
    /// `INFO` with valid JSON, which means nothing from a client.
    Info,
    /// `+OK`, which means nothing from a client.
    Ok,
    /// `-ERR`: the client gives up; log the text and close.
    Err(&'a [u8]),
}

/// The control line of `PUB` or `HPUB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishHead<'a> {
    /// Where to publish.
    pub subject: &'a [u8],
    /// Where to answer.
    pub reply: Option<&'a [u8]>,
    /// Bytes of the payload that are headers; `None` for `PUB`. Never more than `size`.
    pub header_len: Option<usize>,
    /// The digits of `header_len` as sent, empty for `PUB`: leading zeros are passed on to subscribers.
    pub header_text: &'a [u8],
    /// Bytes of headers and payload together, without the CRLF after them.
    pub size: usize,
    /// The digits of `size` as sent.
    pub size_text: &'a [u8],
}

impl PublishHead<'_> {
    /// Whether subscribers get an `HMSG`: an `HPUB` with a header size of zero is delivered as a plain `MSG`.
    // spec: CORE-060
    #[inline]
    pub const fn has_headers(&self) -> bool {
        matches!(self.header_len, Some(1..))
    }
}

/// Why the connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseError {
    /// Say `-ERR 'Unknown Protocol Operation'` and close.
    #[error("unknown protocol operation")]
    UnknownOperation,
    /// Say `-ERR 'maximum control line exceeded'` and close.
    #[error("control line of {len} bytes or more is longer than max_control_line ({max})")]
    ControlLineTooLong {
        /// Bytes seen so far.
        len: usize,
        /// The limit in force.
        max: usize,
    },
    /// Close without a word to the client.
    #[error("{0}")]
    Silent(SilentReason),
}

/// What to write into the log about a connection that is closed without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SilentReason {
    /// Too few or too many arguments.
    #[error("{verb} takes {expected} arguments, not {found}")]
    ArgumentCount {
        /// The operation.
        verb: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What it got.
        found: usize,
    },
    /// A size that is no number of one to nine digits.
    #[error("{verb} with a size that is not a number of one to nine digits")]
    BadSize {
        /// The operation.
        verb: &'static str,
    },
    /// A header size that is no number of one to nine digits.
    #[error("HPUB with a header size that is not a number of one to nine digits")]
    BadHeaderSize,
    /// More headers than message.
    #[error("HPUB with a header size of {header} in a message of {total} bytes")]
    HeaderLargerThanTotal {
        /// The header size.
        header: usize,
        /// The total size.
        total: usize,
    },
    /// `INFO` whose JSON cannot be read.
    #[error("INFO with invalid JSON")]
    BadInfo,
}

/// A publish that is all here, in the way client libraries write it: upper case, single blanks, CRLF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholePublish<'a> {
    /// The control line.
    pub head: PublishHead<'a>,
    /// Headers and payload together, without the CRLF that ends them.
    pub body: &'a [u8],
    /// What subscribers read as it was sent, in one piece: the size (of headers too, if there are any), CRLF, body, CRLF.
    pub verbatim: &'a [u8],
    /// The bytes of the input that belong to it.
    pub used: usize,
}

/// Reads the publish at the front of `input`, if all of it is here and in the usual spelling. `None` says nothing about the
/// input: ask [`parse`].
pub fn parse_whole_publish<'a>(input: &'a [u8], limits: &ParseLimits) -> Option<WholePublish<'a>> {
    fast::whole(input, *limits)
}

/// The same for messages with neither reply nor headers, to be inlined where most of them pass.
#[inline]
pub fn parse_bare_publish<'a>(input: &'a [u8], limits: &ParseLimits) -> Option<WholePublish<'a>> {
    fast::bare(input, *limits)
}

/// Reads the operation at the front of `input`.
// spec: CORE-016
#[inline]
pub fn parse<'a>(input: &'a [u8], limits: &ParseLimits) -> Result<Step<'a>, ParseError> {
    match fast::whole(input, *limits) {
        Some(WholePublish { head, body, used, .. }) => Ok(Step::Op { op: ClientOp::Publish(head, body), used }),
        None => line::parse(input, *limits),
    }
}

/// Whether the two bytes after a payload are the CRLF that must be there, for callers who read a large payload themselves.
/// With fewer than two bytes it says whether they can still become it.
// spec: CORE-011
pub(crate) fn payload_trailer_ok(trailer: &[u8]) -> bool {
    match trailer {
        [] | [b'\r'] => true,
        [first, second, ..] => *first == b'\r' && *second == b'\n',
        [_] => false,
    }
}

/// The step for a publish whose control line ends at `used`.
#[inline]
fn with_payload<'a>(input: &'a [u8], head: PublishHead<'a>, used: usize) -> Step<'a> {
    let end = used + head.size;
    match input.get(end..) {
        Some([b'\r', b'\n', ..]) => Step::Op { op: ClientOp::Publish(head, &input[used..end]), used: end + 2 },
        Some(trailer) if !payload_trailer_ok(trailer) => Step::BadTrailer { head },
        _ => Step::Payload { head, used },
    }
}

/// A size as the protocol writes it: one to nine digits.
// spec: CORE-009
#[inline]
fn size(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    let mut value = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + usize::from(digit);
    }
    Some(value)
}
