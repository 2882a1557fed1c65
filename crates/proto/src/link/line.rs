//! Lines between servers by all the rules: any case, any blanks, either line end, and what to say about the rest.
//!
//! A line is read as a client's is (see `parse::line`): a verb, blanks, and arguments up to the newline, the first argument byte
//! taken whatever it is. Which verbs there are depends on the kind of link: the `L` verbs are not for gateways. On a leaf link
//! the `R` verbs mean the same as the `L` verbs.
//!
//! In these ways this is stricter than the reference, which no server that speaks the protocol can notice: `PUB`, `HPUB`, `SUB`,
//! `UNSUB` and `Au` are no verbs here; an `LS-` of a leaf with too many words is refused and not ignored; blanks before the
//! arguments and what follows `PING` are no longer than a line may be.

use memchr::{memchr, memrchr};

use super::words::{Args, Queues, is_blank, number, size};
use super::{LinkError, LinkHead, LinkKind, LinkLimits, LinkOp, LinkReason, LinkStep, with_payload};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Message { origin: bool, headers: bool },
    Sub { origin: bool },
    Unsub { origin: bool },
    AccountSub,
    AccountUnsub,
    Connect,
    Info,
    Err,
    Ping,
    Pong,
    Ok,
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

// spec: CLU-025 CLU-026 CLU-027 CLU-045 CLU-055
const VERBS: [(&str, Verb, Tail); 15] = [
    ("RMSG", Verb::Message { origin: false, headers: false }, Tail::BlankThenArguments),
    ("HMSG", Verb::Message { origin: false, headers: true }, Tail::BlankThenArguments),
    ("LMSG", Verb::Message { origin: true, headers: true }, Tail::BlankThenArguments),
    ("RS+", Verb::Sub { origin: false }, Tail::BlankThenArguments),
    ("RS-", Verb::Unsub { origin: false }, Tail::BlankThenArguments),
    ("LS+", Verb::Sub { origin: true }, Tail::BlankThenArguments),
    ("LS-", Verb::Unsub { origin: true }, Tail::BlankThenArguments),
    ("A+", Verb::AccountSub, Tail::BlankThenArguments),
    ("A-", Verb::AccountUnsub, Tail::BlankThenArguments),
    ("PING", Verb::Ping, Tail::Ignored),
    ("PONG", Verb::Pong, Tail::Ignored),
    ("INFO", Verb::Info, Tail::Arguments),
    ("CONNECT", Verb::Connect, Tail::Arguments),
    ("+OK", Verb::Ok, Tail::Ignored),
    ("-ERR", Verb::Err, Tail::BlankThenArguments),
];

pub(super) fn parse<'a>(input: &'a [u8], limits: &LinkLimits) -> Result<LinkStep<'a>, LinkError> {
    let Some((name, verb, tail)) = verb(input, limits.kind)? else { return Ok(LinkStep::Incomplete) };
    let rest = &input[name.len()..];
    if tail == Tail::Ignored {
        return ignored_tail(verb, rest, name.len(), limits);
    }
    let blanks = rest.iter().take_while(|&&byte| is_blank(byte)).count();
    if tail == Tail::BlankThenArguments && blanks == 0 && !rest.is_empty() {
        return Err(LinkError::UnknownOperation);
    }
    within(blanks, limits)?;
    let Some((args, newline)) = arguments(&rest[blanks..], limits)? else { return Ok(LinkStep::Incomplete) };
    let used = name.len() + blanks + newline + 1;
    let op = match verb {
        Verb::Message { origin, headers } => {
            return Ok(with_payload(input, message(name, args, origin, headers, limits)?, used));
        }
        Verb::Sub { origin } => subscribe(name, args, origin, limits)?,
        Verb::Unsub { origin } => unsubscribe(name, args, origin, limits)?,
        Verb::AccountSub => LinkOp::AccountSub(args),
        Verb::AccountUnsub => LinkOp::AccountUnsub(args),
        Verb::Connect => LinkOp::Connect(args),
        Verb::Info => LinkOp::Info(args),
        Verb::Err => LinkOp::Err(args),
        Verb::Ping => LinkOp::Ping,
        Verb::Pong => LinkOp::Pong,
        Verb::Ok => LinkOp::Ok,
    };
    Ok(LinkStep::Op { op, used })
}

/// The verb at the front; `None` while the input is the beginning of one.
fn verb(input: &[u8], kind: LinkKind) -> Result<Option<(&'static str, Verb, Tail)>, LinkError> {
    let mut possible = false;
    for (name, verb, tail) in VERBS {
        if kind == LinkKind::Gateway && name.starts_with('L') {
            continue;
        }
        let shared = input.len().min(name.len());
        if input[..shared].eq_ignore_ascii_case(&name.as_bytes()[..shared]) {
            if shared == name.len() {
                return Ok(Some((name, verb, tail)));
            }
            possible = true;
        }
    }
    if possible { Ok(None) } else { Err(LinkError::UnknownOperation) }
}

/// `PING`, `PONG` and `+OK`: whatever stands before the newline is passed over, but not without end.
fn ignored_tail(
    verb: Verb,
    rest: &[u8],
    after_verb: usize,
    limits: &LinkLimits,
) -> Result<LinkStep<'static>, LinkError> {
    let newline = memchr(b'\n', rest);
    within(newline.unwrap_or(rest.len()), limits)?;
    let Some(newline) = newline else { return Ok(LinkStep::Incomplete) };
    let op = match verb {
        Verb::Ping => LinkOp::Ping,
        Verb::Pong => LinkOp::Pong,
        _ => LinkOp::Ok,
    };
    Ok(LinkStep::Op { op, used: after_verb + newline + 1 })
}

/// The arguments and the place of the newline after them; `None` while there is none within the limit.
fn arguments<'a>(rest: &'a [u8], limits: &LinkLimits) -> Result<Option<(&'a [u8], usize)>, LinkError> {
    let Some(after_first) = rest.get(1..) else { return Ok(None) };
    let newline = memchr(b'\n', after_first);
    let line = &after_first[..newline.unwrap_or(after_first.len())];
    // A carriage return anywhere behind the first byte costs the line its last byte, normally that carriage return.
    let len = 1 + line.len() - usize::from(memrchr(b'\r', line).is_some());
    within(len, limits)?;
    Ok(newline.map(|newline| (&rest[..len], newline + 1)))
}

fn within(len: usize, limits: &LinkLimits) -> Result<(), LinkError> {
    let max = limits.longest_line();
    if len > max { Err(LinkError::ControlLineTooLong { len, max }) } else { Ok(()) }
}

/// Origin and account, which stand before the subject.
struct Prefix<'a> {
    origin: Option<&'a [u8]>,
    account: Option<&'a [u8]>,
    /// The number of the word behind them.
    subject: usize,
}

fn prefix<'a>(args: &Args<'a>, names_origin: bool, limits: &LinkLimits) -> Prefix<'a> {
    let named = limits.names_account();
    Prefix {
        origin: names_origin.then(|| args.word(0)),
        account: named.then(|| args.word(usize::from(names_origin))),
        subject: usize::from(names_origin) + usize::from(named),
    }
}

// spec: CLU-026 CLU-027 CLU-055
fn message<'a>(
    verb: &'static str,
    args: &'a [u8],
    origin: bool,
    headers: bool,
    limits: &LinkLimits,
) -> Result<LinkHead<'a>, LinkError> {
    let leaf = limits.kind == LinkKind::Leaf;
    // `LMSG` is two things: from a leaf a plain message, on a route one with an origin, and then always with a header size.
    let headers = headers && !(leaf && origin);
    let args = Args::new(args);
    let Prefix { origin, account, subject } = prefix(&args, origin && !leaf, limits);
    let sizes = 1 + usize::from(headers);
    let Some(middle) = args.count.checked_sub(subject + 1 + sizes) else {
        return Err(count(verb, args.count));
    };
    let size_at = args.count - 1;
    let after_subject = subject + 1;
    let (reply, queues) = match (middle, args.word(after_subject)) {
        (0, _) => (None, &[][..]),
        (1, reply) => (Some(reply), &[][..]),
        (_, b"+") => (Some(args.word(after_subject + 1)), args.range(after_subject + 2, after_subject + middle)),
        (_, b"|") => (None, args.range(after_subject + 1, after_subject + middle)),
        _ => return Err(LinkError::Silent(LinkReason::BadIndicator { verb })),
    };
    let header_text = if headers { args.word(size_at - 1) } else { &[] };
    let header_len = match (headers, size(header_text)) {
        (false, _) => None,
        (true, None) => return Err(LinkError::Silent(LinkReason::BadHeaderSize { verb })),
        (true, len) => len,
    };
    let size_text = args.word(size_at);
    let total = size(size_text).ok_or(LinkError::Silent(LinkReason::BadSize { verb }))?;
    if let Some(header) = header_len.filter(|&header| header > total) {
        return Err(LinkError::Silent(LinkReason::HeaderLargerThanTotal { verb, header, total }));
    }
    Ok(LinkHead {
        origin,
        account,
        subject: args.word(subject),
        reply,
        queues: Queues::new(queues),
        header_len,
        header_text,
        size: total,
        size_text,
    })
}

// spec: CLU-025 CLU-055
fn subscribe<'a>(
    verb: &'static str,
    args: &'a [u8],
    origin: bool,
    limits: &LinkLimits,
) -> Result<LinkOp<'a>, LinkError> {
    let args = Args::new(args);
    let Prefix { origin, account, subject } = prefix(&args, origin && limits.kind == LinkKind::Route, limits);
    let (queue, weight) = match args.count.checked_sub(subject) {
        Some(1) => (None, 1),
        Some(3) => (Some(args.word(subject + 1)), number(args.word(subject + 2)).unwrap_or(1).max(1)),
        _ => return Err(count(verb, args.count)),
    };
    Ok(LinkOp::Sub { origin, account, subject: args.word(subject), queue, weight })
}

// spec: CLU-025 CLU-055
fn unsubscribe<'a>(
    verb: &'static str,
    args: &'a [u8],
    origin: bool,
    limits: &LinkLimits,
) -> Result<LinkOp<'a>, LinkError> {
    let args = Args::new(args);
    let names_origin = origin && limits.kind == LinkKind::Route && limits.unsub_names_origin;
    let Prefix { origin, account, subject } = prefix(&args, names_origin, limits);
    let queue = match args.count.checked_sub(subject) {
        Some(1) => None,
        Some(2) => Some(args.word(subject + 1)),
        _ => return Err(count(verb, args.count)),
    };
    Ok(LinkOp::Unsub { origin, account, subject: args.word(subject), queue })
}

fn count(verb: &'static str, found: usize) -> LinkError {
    LinkError::Silent(LinkReason::ArgumentCount { verb, found })
}
