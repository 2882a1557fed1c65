//! `PUB` and `HPUB` as every client library writes them, in one pass.
//!
//! Upper case, single spaces, CRLF. Anything else is declined with `None`, including everything that is wrong: the general
//! path alone decides what is an error.

use super::{ParseLimits, PublishHead, Step, size, with_payload};

/// The step, if the input starts with a complete and plain publish control line.
#[inline]
pub(super) fn publish<'a>(input: &'a [u8], limits: ParseLimits) -> Option<Step<'a>> {
    match input {
        [b'P', b'U', b'B', b' ', ..] => headless(input, limits),
        [b'H', b'P', b'U', b'B', b' ', ..] => with_headers(input, limits),
        _ => None,
    }
}

#[inline]
fn headless<'a>(input: &'a [u8], limits: ParseLimits) -> Option<Step<'a>> {
    const ARGS: usize = 4;
    let (subject, at) = word(input, ARGS)?;
    let (second, at) = word_after(input, at, b' ')?;
    let (reply, size_text, end) = if input[at] == b'\r' {
        (None, second, at)
    } else {
        let (third, at) = word_after(input, at, b' ')?;
        (Some(second), third, at)
    };
    finish(
        input,
        limits,
        ARGS,
        end,
        PublishHead { subject, reply, header_len: None, header_text: &[], size: size(size_text)?, size_text },
    )
}

#[inline]
fn with_headers<'a>(input: &'a [u8], limits: ParseLimits) -> Option<Step<'a>> {
    const ARGS: usize = 5;
    let (subject, at) = word(input, ARGS)?;
    let (second, at) = word_after(input, at, b' ')?;
    let (third, at) = word_after(input, at, b' ')?;
    let (reply, header_text, size_text, end) = if input[at] == b'\r' {
        (None, second, third, at)
    } else {
        let (fourth, at) = word_after(input, at, b' ')?;
        (Some(second), third, fourth, at)
    };
    let header_len = size(header_text)?;
    let size = size(size_text)?;
    if header_len > size {
        return None;
    }
    finish(
        input,
        limits,
        ARGS,
        end,
        PublishHead { subject, reply, header_len: Some(header_len), header_text, size, size_text },
    )
}

#[inline]
fn finish<'a>(
    input: &'a [u8],
    limits: ParseLimits,
    args: usize,
    end: usize,
    head: PublishHead<'a>,
) -> Option<Step<'a>> {
    if input.get(end..end + 2)? != b"\r\n" || end - args > limits.max_control_line {
        return None;
    }
    Some(with_payload(input, head, end + 2))
}

/// The word after the separator at `at`.
#[inline]
fn word_after(input: &[u8], at: usize, separator: u8) -> Option<(&[u8], usize)> {
    if input[at] == separator { word(input, at + 1) } else { None }
}

/// The non-empty run of bytes above space from `start`, and the place of the byte that ends it.
#[inline]
fn word(input: &[u8], start: usize) -> Option<(&[u8], usize)> {
    let rest = input.get(start..)?;
    let len = rest.iter().position(|&byte| byte <= b' ')?;
    if len == 0 { None } else { Some((&rest[..len], start + len)) }
}
