//! Control lines by all the rules: any case, any blanks, either line end, and what to say about the rest.
//!
//! A line is a verb, blanks, and arguments up to the newline. The first argument byte is taken whatever it is, so that a
//! newline right after `SUB ` belongs to the arguments; the reference server reads lines this way and so do we.
//!
//! In two ways this is stricter than the reference, so that an unfinished line never costs more memory than a long one:
//! blanks before the arguments, and what follows `PING`, may be no longer than `max_control_line`. And `HMSG` is refused at
//! its second byte like the other verbs of servers; the reference reads the line and refuses what follows it.

use memchr::{memchr, memrchr};

use super::{ClientOp, ParseError, ParseLimits, PublishHead, SilentReason, Step, size, with_payload};
use crate::info::Info;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Connect,
    Ping,
    Pong,
    Pub,
    Hpub,
    Sub,
    Unsub,
    Info,
    Ok,
    Err,
}

/// What follows a verb.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// A blank, then arguments.
    BlankThenArguments,
    /// Arguments, with or without a blank before them.
    Arguments,
    /// Nothing that anyone reads.
    Ignored,
}

// spec: CORE-001 CORE-004 CORE-005
const VERBS: [(&[u8], Verb, Tail); 10] = [
    (b"PUB", Verb::Pub, Tail::BlankThenArguments),
    (b"HPUB", Verb::Hpub, Tail::BlankThenArguments),
    (b"SUB", Verb::Sub, Tail::BlankThenArguments),
    (b"UNSUB", Verb::Unsub, Tail::BlankThenArguments),
    (b"PING", Verb::Ping, Tail::Ignored),
    (b"PONG", Verb::Pong, Tail::Ignored),
    (b"CONNECT", Verb::Connect, Tail::Arguments),
    (b"INFO", Verb::Info, Tail::Arguments),
    (b"+OK", Verb::Ok, Tail::Ignored),
    (b"-ERR", Verb::Err, Tail::BlankThenArguments),
];

pub(super) fn parse(input: &[u8], limits: ParseLimits) -> Result<Step<'_>, ParseError> {
    let Some((verb, tail, after_verb)) = verb(input)? else { return Ok(Step::Incomplete) };
    let rest = &input[after_verb..];
    if tail == Tail::Ignored {
        return ignored_tail(verb, rest, after_verb, limits);
    }
    let blanks = rest.iter().take_while(|&&byte| is_blank(byte)).count();
    if tail == Tail::BlankThenArguments && blanks == 0 && !rest.is_empty() {
        return Err(ParseError::UnknownOperation); // spec: CORE-006 CORE-007
    }
    within(blanks, limits)?;
    let Some((args, newline)) = arguments(&rest[blanks..], limits)? else { return Ok(Step::Incomplete) };
    let used = after_verb + blanks + newline + 1;
    let op = match verb {
        Verb::Pub => return Ok(with_payload(input, publish(args)?, used)),
        Verb::Hpub => return Ok(with_payload(input, publish_with_headers(args)?, used)),
        Verb::Sub => subscribe(args)?,
        Verb::Unsub => unsubscribe(args)?,
        Verb::Connect => ClientOp::Connect(args),
        Verb::Info if Info::from_json(args).is_err() => return Err(ParseError::Silent(SilentReason::BadInfo)),
        Verb::Info => ClientOp::Info,
        Verb::Err => ClientOp::Err(args),
        Verb::Ping => ClientOp::Ping,
        Verb::Pong => ClientOp::Pong,
        Verb::Ok => ClientOp::Ok,
    };
    Ok(Step::Op { op, used })
}

/// The verb at the front and where it ends; `None` while the input is the beginning of one.
fn verb(input: &[u8]) -> Result<Option<(Verb, Tail, usize)>, ParseError> {
    let mut possible = false;
    for (name, verb, tail) in VERBS {
        let shared = input.len().min(name.len());
        if input[..shared].eq_ignore_ascii_case(&name[..shared]) {
            if shared == name.len() {
                return Ok(Some((verb, tail, shared)));
            }
            possible = true;
        }
    }
    if possible { Ok(None) } else { Err(ParseError::UnknownOperation) }
}

/// `PING`, `PONG` and `+OK`: whatever stands before the newline is passed over, but not without end.
fn ignored_tail(verb: Verb, rest: &[u8], after_verb: usize, limits: ParseLimits) -> Result<Step<'static>, ParseError> {
    let newline = memchr(b'\n', rest);
    within(newline.unwrap_or(rest.len()), limits)?;
    let Some(newline) = newline else { return Ok(Step::Incomplete) };
    let op = match verb {
        Verb::Ping => ClientOp::Ping,
        Verb::Pong => ClientOp::Pong,
        _ => ClientOp::Ok,
    };
    Ok(Step::Op { op, used: after_verb + newline + 1 })
}

/// The arguments and the place of the newline after them; `None` while there is none within the limit.
// spec: CORE-002 CORE-012 CORE-013
fn arguments(rest: &[u8], limits: ParseLimits) -> Result<Option<(&[u8], usize)>, ParseError> {
    let Some(after_first) = rest.get(1..) else { return Ok(None) };
    let newline = memchr(b'\n', after_first);
    let line = &after_first[..newline.unwrap_or(after_first.len())];
    // A carriage return anywhere behind the first byte costs the line its last byte, normally that carriage return.
    let len = 1 + line.len() - usize::from(memrchr(b'\r', line).is_some());
    within(len, limits)?;
    Ok(newline.map(|newline| (&rest[..len], newline + 1)))
}

fn within(len: usize, limits: ParseLimits) -> Result<(), ParseError> {
    let max = limits.max_control_line;
    if len > max { Err(ParseError::ControlLineTooLong { len, max }) } else { Ok(()) }
}

// spec: CORE-008 CORE-014
fn publish(args: &[u8]) -> Result<PublishHead<'_>, ParseError> {
    const VERB: &str = "PUB";
    let (subject, reply, size_text) = match split::<3>(args, is_blank) {
        ([subject, size, _], 2) => (subject, None, size),
        ([subject, reply, size], 3) => (subject, Some(reply), size),
        (_, found) => return Err(count(VERB, "2 or 3", found)),
    };
    let size = size(size_text).ok_or(ParseError::Silent(SilentReason::BadSize { verb: VERB }))?;
    Ok(PublishHead { subject, reply, header_len: None, header_text: &[], size, size_text })
}

fn publish_with_headers(args: &[u8]) -> Result<PublishHead<'_>, ParseError> {
    const VERB: &str = "HPUB";
    let (subject, reply, header_text, size_text) = match split::<4>(args, is_blank) {
        ([subject, header, size, _], 3) => (subject, None, header, size),
        ([subject, reply, header, size], 4) => (subject, Some(reply), header, size),
        (_, found) => return Err(count(VERB, "3 or 4", found)),
    };
    let header = size(header_text).ok_or(ParseError::Silent(SilentReason::BadHeaderSize))?;
    let total = size(size_text).ok_or(ParseError::Silent(SilentReason::BadSize { verb: VERB }))?;
    if header > total {
        return Err(ParseError::Silent(SilentReason::HeaderLargerThanTotal { header, total }));
    }
    Ok(PublishHead { subject, reply, header_len: Some(header), header_text, size: total, size_text })
}

// spec: CORE-045
fn subscribe(args: &[u8]) -> Result<ClientOp<'_>, ParseError> {
    match split::<3>(args, is_space) {
        ([subject, sid, _], 2) => Ok(ClientOp::Sub { subject, queue: None, sid }),
        ([subject, queue, sid], 3) => Ok(ClientOp::Sub { subject, queue: Some(queue), sid }),
        (_, found) => Err(count("SUB", "2 or 3", found)),
    }
}

// spec: CORE-051
fn unsubscribe(args: &[u8]) -> Result<ClientOp<'_>, ParseError> {
    match split::<2>(args, is_space) {
        ([sid, _], 1) => Ok(ClientOp::Unsub { sid, max: None }),
        ([sid, max], 2) => {
            let max = size(max).filter(|&max| max > 0).map(|max| max as u64);
            Ok(ClientOp::Unsub { sid, max })
        }
        (_, found) => Err(count("UNSUB", "1 or 2", found)),
    }
}

fn count(verb: &'static str, expected: &'static str, found: usize) -> ParseError {
    ParseError::Silent(SilentReason::ArgumentCount { verb, expected, found })
}

/// The first `N` words and how many there are in all.
// spec: CORE-003
fn split<const N: usize>(args: &[u8], separates: impl Fn(u8) -> bool) -> ([&[u8]; N], usize) {
    let mut words: [&[u8]; N] = [&[]; N];
    let mut found = 0;
    for word in args.split(|&byte| separates(byte)).filter(|word| !word.is_empty()) {
        if let Some(slot) = words.get_mut(found) {
            *slot = word;
        }
        found += 1;
    }
    (words, found)
}

/// What separates the verb from its arguments, and the arguments of a publish.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What separates the arguments of `SUB` and `UNSUB`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
