//! `RMSG`, `HMSG` and `LMSG` as every server writes them, in one pass.
//!
//! Upper case, single spaces, CRLF. Anything else is declined with `None`, including everything that is wrong: the general
//! path alone decides what is an error.

use super::words::Queues;
use super::{LinkHead, LinkKind, LinkLimits};
use crate::scan::word;

/// Bytes before the arguments: a verb of four letters and a space.
const ARGS: usize = 5;

/// The control line and where the body begins, if the input starts with the complete and plain control line of a message.
#[inline]
pub(super) fn message<'a>(input: &'a [u8], limits: &LinkLimits) -> Option<(LinkHead<'a>, usize)> {
    let [letter, b'M', b'S', b'G', b' ', ..] = input else { return None };
    let leaf = limits.kind == LinkKind::Leaf;
    let (origin, headers) = match letter {
        b'R' => (false, false),
        b'H' => (false, true),
        b'L' if leaf => (false, false),
        b'L' if limits.kind == LinkKind::Route => (true, true),
        _ => return None,
    };
    let (origin, at) = if origin { some(word(input, ARGS)?) } else { (None, ARGS) };
    let (account, at) = if limits.names_account() { some(word(input, at)?) } else { (None, at) };
    let (subject, at) = word(input, at)?;
    let (addresses, sizes) = addresses(input, at, headers)?;
    let head = LinkHead {
        origin,
        account,
        subject,
        reply: addresses.reply,
        queues: Queues::new(addresses.queues),
        header_len: sizes.header.map(|(len, _)| len),
        header_text: sizes.header.map_or(&[][..], |(_, text)| text),
        size: sizes.total,
        size_text: sizes.total_text,
    };
    if sizes.end - ARGS > limits.longest_line() || head.header_len.is_some_and(|header| header > head.size) {
        return None;
    }
    Some((head, sizes.end + 2))
}

#[inline]
fn some<T>((value, at): (T, usize)) -> (Option<T>, usize) {
    (Some(value), at)
}

/// What stands between subject and sizes.
struct Addresses<'a> {
    reply: Option<&'a [u8]>,
    queues: &'a [u8],
}

#[inline]
fn addresses(input: &[u8], at: usize, headers: bool) -> Option<(Addresses<'_>, Sizes<'_>)> {
    if let Some(sizes) = last_sizes(input, at, headers) {
        return Some((Addresses { reply: None, queues: &[] }, sizes));
    }
    let (first, at) = word(input, at)?;
    if let Some(sizes) = last_sizes(input, at, headers) {
        return Some((Addresses { reply: Some(first), queues: &[] }, sizes));
    }
    let (reply, start) = match first {
        b"+" => some(word(input, at)?),
        b"|" => (None, at),
        _ => return None,
    };
    let mut at = start;
    loop {
        if let Some(sizes) = last_sizes(input, at, headers) {
            // Not the space before the sizes.
            let queues = if at > start { &input[start..at - 1] } else { &[] };
            return Some((Addresses { reply, queues }, sizes));
        }
        (_, at) = word(input, at)?;
    }
}

/// The numbers that end the line.
struct Sizes<'a> {
    header: Option<(usize, &'a [u8])>,
    total: usize,
    total_text: &'a [u8],
    /// Where the digits end and CRLF is.
    end: usize,
}

/// The sizes at `at`, if they end the line.
#[inline]
fn last_sizes(input: &[u8], at: usize, headers: bool) -> Option<Sizes<'_>> {
    let (header, at) = if headers {
        let (value, end) = digits(input, at)?;
        if input.get(end) != Some(&b' ') {
            return None;
        }
        (Some((value, &input[at..end])), end + 1)
    } else {
        (None, at)
    };
    let (total, end) = digits(input, at)?;
    if let [b'\r', b'\n', ..] = input.get(end..)? {
        Some(Sizes { header, total, total_text: &input[at..end], end })
    } else {
        None
    }
}

/// The value of one to nine digits from `at`, and where they end.
#[inline]
fn digits(input: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut value = 0;
    for (len, byte) in input.get(at..)?.iter().enumerate().take(10) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return if len == 0 { None } else { Some((value, at + len)) };
        }
        value = value * 10 + usize::from(digit);
    }
    None
}
