//! `PUB` and `HPUB` as every client library writes them, in one pass.
//!
//! Upper case, single spaces, CRLF. Anything else is declined with `None`, including everything that is wrong: the general
//! path alone decides what is an error.

use super::{ParseLimits, PublishHead, Step, with_payload};

/// The step, if the input starts with a complete and plain publish control line.
#[inline]
pub(super) fn publish(input: &[u8], limits: ParseLimits) -> Option<Step<'_>> {
    match input {
        [b'P', b'U', b'B', b' ', ..] => headless(input, limits),
        [b'H', b'P', b'U', b'B', b' ', ..] => with_headers(input, limits),
        _ => None,
    }
}

#[inline]
fn headless(input: &[u8], limits: ParseLimits) -> Option<Step<'_>> {
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
    finish(input, limits, ARGS, size.end, head)
}

#[inline]
fn with_headers(input: &[u8], limits: ParseLimits) -> Option<Step<'_>> {
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
    finish(input, limits, ARGS, size.end, head)
}

#[inline]
fn finish<'a>(
    input: &'a [u8],
    limits: ParseLimits,
    args: usize,
    end: usize,
    head: PublishHead<'a>,
) -> Option<Step<'a>> {
    if end - args > limits.max_control_line {
        return None;
    }
    Some(with_payload(input, head, end + 2))
}

/// A number on the wire and where its digits end.
#[derive(Clone, Copy)]
struct Size {
    value: usize,
    end: usize,
}

/// The size at `at`, if it ends the line.
#[inline]
fn last_size(input: &[u8], at: usize) -> Option<Size> {
    let size = digits(input, at)?;
    if let [b'\r', b'\n', ..] = input.get(size.end..)? { Some(size) } else { None }
}

/// The header size at `at` and the total size behind it, if they end the line.
#[inline]
fn last_two_sizes(input: &[u8], at: usize) -> Option<(Size, Size)> {
    let header = digits(input, at)?;
    if input.get(header.end) == Some(&b' ') { Some((header, last_size(input, header.end + 1)?)) } else { None }
}

/// One to nine digits from `at`.
#[inline]
fn digits(input: &[u8], at: usize) -> Option<Size> {
    let text = input.get(at..)?;
    let mut value = 0;
    for (len, byte) in text.iter().enumerate().take(10) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return if len == 0 { None } else { Some(Size { value, end: at + len }) };
        }
        value = value * 10 + usize::from(digit);
    }
    None
}

/// The non-empty run of bytes above space from `start`, and where the next word begins behind the one space that ends it.
#[inline]
fn word(input: &[u8], start: usize) -> Option<(&[u8], usize)> {
    let rest = input.get(start..)?;
    let len = blank_or_control(rest)?;
    if len == 0 || rest[len] != b' ' { None } else { Some((&rest[..len], start + len + 1)) }
}

/// Where the first byte up to and including space is. Eight bytes at a time: subjects are short, but not that short.
#[inline]
fn blank_or_control(bytes: &[u8]) -> Option<usize> {
    const LANES: u64 = u64::from_ne_bytes([1; 8]);
    const TOP: u64 = LANES << 7;
    const ABOVE_SPACE: u64 = LANES * (b' ' as u64 + 1);
    let (chunks, tail) = bytes.as_chunks::<8>();
    for (index, chunk) in chunks.iter().enumerate() {
        let lanes = u64::from_le_bytes(*chunk);
        // The lowest top bit left standing is in the first lane that had to borrow, which is exact; higher ones may be false.
        let found = lanes.wrapping_sub(ABOVE_SPACE) & !lanes & TOP;
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let len = chunks.len() * 8;
    tail.iter().position(|&byte| byte <= b' ').map(|at| len + at)
}
