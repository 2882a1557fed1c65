//! `PUB` and `HPUB` as every client library writes them, in one pass.
//!
//! Upper case, single spaces, CRLF. Anything else is declined with `None`, including everything that is wrong: the general
//! path alone decides what is an error.

#![expect(clippy::inline_always, reason = "calls cost more than what most of these do, and each message passes them")]

use super::{ParseLimits, PublishHead, WholePublish};
use crate::scan::word;

/// The publish at the front of the input, if all of it is here and plain.
pub(super) fn whole(input: &[u8], limits: ParseLimits) -> Option<WholePublish<'_>> {
    let line = control_line(input, limits)?;
    with_body(input, &line)
}

/// The same for `PUB subject size` alone: the shape with the least to carry about.
#[inline(always)]
pub(super) fn bare(input: &[u8], limits: ParseLimits) -> Option<WholePublish<'_>> {
    const ARGS: usize = 4;
    if input.first_chunk::<ARGS>() != Some(b"PUB ") {
        return None;
    }
    let (subject, at) = word(input, ARGS)?;
    let size = last_size(input, at)?;
    let head = PublishHead {
        subject,
        reply: None,
        header_len: None,
        header_text: &[],
        size: size.value,
        size_text: input.get(at..size.end)?,
    };
    if size.end - ARGS > limits.max_control_line {
        return None;
    }
    with_body(input, &Line { head, sizes: at, end: size.end + 2 })
}

#[inline(always)]
fn with_body<'a>(input: &'a [u8], line: &Line<'a>) -> Option<WholePublish<'a>> {
    let rest = input.get(line.end..)?;
    let (body, [b'\r', b'\n', ..]) = rest.split_at_checked(line.head.size)? else { return None };
    let used = line.end + body.len() + 2;
    Some(WholePublish { head: line.head, body, verbatim: input.get(line.sizes..used)?, used })
}

/// A control line, where its sizes begin and where its payload does.
struct Line<'a> {
    head: PublishHead<'a>,
    sizes: usize,
    end: usize,
}

#[inline(always)]
fn control_line(input: &[u8], limits: ParseLimits) -> Option<Line<'_>> {
    match input {
        [b'P', b'U', b'B', b' ', ..] => headless(input, limits),
        [b'H', b'P', b'U', b'B', b' ', ..] => with_headers(input, limits),
        _ => None,
    }
}

#[inline(always)]
fn headless(input: &[u8], limits: ParseLimits) -> Option<Line<'_>> {
    const ARGS: usize = 4;
    let (subject, at) = word(input, ARGS)?;
    let (reply, size, at) = if let Some(size) = last_size(input, at) {
        (None, size, at)
    } else {
        let (reply, at) = word(input, at)?;
        (Some(reply), last_size(input, at)?, at)
    };
    let head = PublishHead {
        subject,
        reply,
        header_len: None,
        header_text: &[],
        size: size.value,
        size_text: input.get(at..size.end)?,
    };
    (size.end - ARGS <= limits.max_control_line).then_some(Line { head, sizes: at, end: size.end + 2 })
}

#[inline(always)]
fn with_headers(input: &[u8], limits: ParseLimits) -> Option<Line<'_>> {
    const ARGS: usize = 5;
    let (subject, at) = word(input, ARGS)?;
    let (reply, sizes, at) = if let Some(sizes) = last_two_sizes(input, at) {
        (None, sizes, at)
    } else {
        let (reply, at) = word(input, at)?;
        (Some(reply), last_two_sizes(input, at)?, at)
    };
    let (header, size) = sizes;
    if header.value > size.value {
        return None;
    }
    let head = PublishHead {
        subject,
        reply,
        header_len: Some(header.value),
        header_text: input.get(at..header.end)?,
        size: size.value,
        size_text: input.get(header.end + 1..size.end)?,
    };
    // Headers of no bytes are none, and neither is their size.
    let sizes = if header.value > 0 { at } else { header.end + 1 };
    (size.end - ARGS <= limits.max_control_line).then_some(Line { head, sizes, end: size.end + 2 })
}

/// A number on the wire and where its digits end.
#[derive(Clone, Copy)]
struct Size {
    value: usize,
    end: usize,
}

/// The size at `at`, if it ends the line.
#[inline(always)]
fn last_size(input: &[u8], at: usize) -> Option<Size> {
    let size = digits(input, at)?;
    if let [b'\r', b'\n', ..] = input.get(size.end..)? { Some(size) } else { None }
}

/// The header size at `at` and the total size behind it, if they end the line.
#[inline(always)]
fn last_two_sizes(input: &[u8], at: usize) -> Option<(Size, Size)> {
    let header = digits(input, at)?;
    if input.get(header.end) == Some(&b' ') { Some((header, last_size(input, header.end + 1)?)) } else { None }
}

/// One to nine digits from `at`.
#[inline(always)]
fn digits(input: &[u8], at: usize) -> Option<Size> {
    let mut end = at;
    let mut value = 0;
    while let Some(digit) = input.get(end).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9) {
        if end - at == 9 {
            return None;
        }
        value = value * 10 + usize::from(digit);
        end += 1;
    }
    (end > at).then_some(Size { value, end })
}
