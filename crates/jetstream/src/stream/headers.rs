//! What the headers of a publisher ask for, read in one pass.
//!
//! Invariant: of several headers of one name the first counts, and what cannot be parsed stays as it is until it is asked for.

use std::time::Duration;

use crate::span;

/// Headers that mean something to a stream; empty and absent are the same.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Asked<'a> {
    pub(super) msg_id: &'a [u8],
    pub(super) expected_stream: &'a [u8],
    pub(super) expected_last_seq: &'a [u8],
    pub(super) expected_subject_seq: &'a [u8],
    pub(super) expected_subject: &'a [u8],
    pub(super) expected_last_id: &'a [u8],
    pub(super) rollup: &'a [u8],
    pub(super) ttl: &'a [u8],
    pub(super) increment: &'a [u8],
    pub(super) schedule: &'a [u8],
    /// An empty time zone is none that exists, so that it is told from one that is not there.
    pub(super) time_zone: Option<&'a [u8]>,
    pub(super) schedule_target: &'a [u8],
    pub(super) schedule_source: &'a [u8],
    pub(super) schedule_ttl: &'a [u8],
    pub(super) schedule_rollup: &'a [u8],
    pub(super) schedule_next: &'a [u8],
    pub(super) scheduler: &'a [u8],
    pub(super) batch_id: &'a [u8],
    pub(super) batch_seq: &'a [u8],
    pub(super) batch_commit: Option<&'a [u8]>,
    pub(super) stream_source: &'a [u8],
    pub(super) api_level: &'a [u8],
    pub(super) request_info: &'a [u8],
}

pub(super) const MSG_ID: &[u8] = b"Nats-Msg-Id";
pub(super) const TTL: &[u8] = b"Nats-TTL";
pub(super) const ROLLUP: &[u8] = b"Nats-Rollup";
pub(super) const SCHEDULE: &[u8] = b"Nats-Schedule";
pub(super) const SCHEDULER: &[u8] = b"Nats-Scheduler";
pub(super) const SCHEDULE_NEXT: &[u8] = b"Nats-Schedule-Next";
pub(super) const REQUEST_INFO: &[u8] = b"Nats-Request-Info";
pub(super) const API_LEVEL: &[u8] = b"Nats-Required-Api-Level";

impl<'a> Asked<'a> {
    /// What `block` asks for.
    pub(super) fn parse(block: &'a [u8]) -> Self {
        let mut asked = Self::default();
        if block.is_empty() {
            return asked;
        }
        for (name, value) in lines(block) {
            let Some(rest) = name.strip_prefix(b"Nats-") else { continue };
            let slot = match rest {
                b"Msg-Id" => &mut asked.msg_id,
                b"Expected-Stream" => &mut asked.expected_stream,
                b"Expected-Last-Sequence" => &mut asked.expected_last_seq,
                b"Expected-Last-Subject-Sequence" => &mut asked.expected_subject_seq,
                b"Expected-Last-Subject-Sequence-Subject" => &mut asked.expected_subject,
                b"Expected-Last-Msg-Id" => &mut asked.expected_last_id,
                b"Rollup" => &mut asked.rollup,
                b"TTL" => &mut asked.ttl,
                b"Incr" => &mut asked.increment,
                b"Schedule" => &mut asked.schedule,
                b"Schedule-Target" => &mut asked.schedule_target,
                b"Schedule-Source" => &mut asked.schedule_source,
                b"Schedule-TTL" => &mut asked.schedule_ttl,
                b"Schedule-Rollup" => &mut asked.schedule_rollup,
                b"Schedule-Next" => &mut asked.schedule_next,
                b"Scheduler" => &mut asked.scheduler,
                b"Batch-Id" => &mut asked.batch_id,
                b"Batch-Sequence" => &mut asked.batch_seq,
                b"Stream-Source" => &mut asked.stream_source,
                b"Required-Api-Level" => &mut asked.api_level,
                b"Request-Info" => &mut asked.request_info,
                b"Schedule-Time-Zone" => {
                    asked.time_zone.get_or_insert(value);
                    continue;
                }
                b"Batch-Commit" => {
                    asked.batch_commit.get_or_insert(value);
                    continue;
                }
                _ => continue,
            };
            if slot.is_empty() {
                *slot = value;
            }
        }
        asked
    }
}

/// Names and values, as [`martlet_proto::headers::iter`] gives them; quicker for many short lines.
fn lines(block: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = block;
    let mut is_first = true;
    std::iter::from_fn(move || {
        loop {
            let mut end = memchr::memchr(b'\n', rest)?;
            while end == 0 || rest[end - 1] != b'\r' {
                end += 1 + memchr::memchr(b'\n', &rest[end + 1..])?;
            }
            let line = &rest[..end - 1];
            rest = &rest[end + 1..];
            if std::mem::take(&mut is_first) {
                continue;
            }
            if line.is_empty() {
                return None;
            }
            if let Some(colon) = memchr::memchr(b':', line) {
                return Some((&line[..colon], line[colon + 1..].trim_ascii_start()));
            }
        }
    })
}

/// A number in digits alone.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// An expected sequence: one that is no number matches none.
pub(super) fn expected(text: &[u8]) -> u64 {
    number(text).filter(|&number| i64::try_from(number).is_ok()).unwrap_or(u64::MAX)
}

/// How long a message stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ttl {
    /// As the stream says.
    None,
    /// This many seconds.
    Seconds(u64),
    /// For ever, whatever the stream says.
    Never,
}

/// The value of `Nats-TTL`: seconds, a duration of a second at least, or `never`; `None` for nonsense.
// spec: JS-068
pub(super) fn ttl(text: &[u8]) -> Option<Ttl> {
    if text.is_empty() {
        return Some(Ttl::None);
    }
    if text.eq_ignore_ascii_case(b"never") {
        return Some(Ttl::Never);
    }
    if let Some(nanos) = span::parse(text) {
        let span = Duration::from_nanos(u64::try_from(nanos).ok()?);
        return (span >= Duration::from_secs(1)).then_some(Ttl::Seconds(span.as_secs()));
    }
    let seconds = number(text).filter(|&seconds| i64::try_from(seconds).is_ok())?;
    Some(if seconds == 0 { Ttl::None } else { Ttl::Seconds(seconds) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_message_stays() {
        // spec: JS-068 JS-556 JS-557 JS-558
        for (text, expected) in [
            ("", Some(Ttl::None)),
            ("0", None),
            ("1", Some(Ttl::Seconds(1))),
            ("90", Some(Ttl::Seconds(90))),
            ("1s", Some(Ttl::Seconds(1))),
            ("1500ms", Some(Ttl::Seconds(1))),
            ("1m30s", Some(Ttl::Seconds(90))),
            ("1.5h", Some(Ttl::Seconds(5400))),
            ("999ms", None),
            ("0s", None),
            ("-1", None),
            ("-5s", None),
            ("zz", None),
            ("5x", None),
            ("1.s", Some(Ttl::Seconds(1))),
            (".s", None),
            ("never", Some(Ttl::Never)),
            ("NEVER", Some(Ttl::Never)),
            ("9999999999999999999", None),
        ] {
            assert_eq!(ttl(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn lines_are_those_of_the_protocol() {
        for block in [
            "",
            "NATS/1.0",
            "NATS/1.0\r\n\r\n",
            "NATS/1.0\r\nA: 1\r\nno colon\r\nB:2:3\r\n\r\nC: 4\r\n",
            "NATS/1.0 503\nA: 1\r\nB: x\ny\r\nC: 1\r\r\n\n\r\nD: 2",
        ] {
            let block = block.as_bytes();
            assert!(lines(block).eq(martlet_proto::headers::iter(block)), "{block:?}");
        }
    }

    #[test]
    fn the_first_of_a_name_counts_and_others_do_not_matter() {
        let asked = Asked::parse(b"NATS/1.0\r\nA: 1\r\nNats-Msg-Id: a\r\nNats-Msg-Id: b\r\nnats-rollup: sub\r\n\r\n");
        assert_eq!((asked.msg_id, asked.rollup), (&b"a"[..], &b""[..]));
    }
}
