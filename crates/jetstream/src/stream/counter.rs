//! Counters: messages that say by how much a subject's number grows.
//!
//! Invariant: numbers are decimal digits of any length, never rounded and never cut.
// spec: JS-069

use std::cmp::Ordering;
use std::collections::BTreeMap;

use martlet_proto::headers;

use super::Stream;
use super::admit::{Origin, Plan, Proposal};
use crate::api::ApiError;

const SOURCES: &[u8] = b"Nats-Counter-Sources";
const INCREMENT: &[u8] = b"Nats-Incr";

/// What each origin has counted to: by its name, then by its subject.
type Sources = BTreeMap<String, BTreeMap<String, String>>;

/// A whole number of any size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    is_negative: bool,
    /// The digits, as characters, without leading zeros; none for zero.
    digits: Vec<u8>,
}

impl Number {
    /// Zero.
    pub(super) const ZERO: Self = Self { is_negative: false, digits: Vec::new() };

    /// Digits with or without a sign.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (is_negative, digits) = match text.split_first()? {
            (b'-', rest) => (true, rest),
            (b'+', rest) => (false, rest),
            _ => (false, text),
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        Some(Self::from_digits(is_negative, digits))
    }

    fn from_digits(is_negative: bool, digits: &[u8]) -> Self {
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        let digits = digits[zeros..].to_vec();
        Self { is_negative: is_negative && !digits.is_empty(), digits }
    }

    /// The sum.
    pub(super) fn plus(&self, other: &Self) -> Self {
        if self.is_negative == other.is_negative {
            return Self::from_digits(self.is_negative, &sum(&self.digits, &other.digits));
        }
        match self.magnitude(other) {
            Ordering::Less => Self::from_digits(other.is_negative, &difference(&other.digits, &self.digits)),
            _ => Self::from_digits(self.is_negative, &difference(&self.digits, &other.digits)),
        }
    }

    /// The difference.
    fn minus(&self, other: &Self) -> Self {
        self.plus(&Self::from_digits(!other.is_negative, &other.digits))
    }

    fn magnitude(&self, other: &Self) -> Ordering {
        self.digits.len().cmp(&other.digits.len()).then_with(|| self.digits.cmp(&other.digits))
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_negative {
            f.write_str("-")?;
        }
        f.write_str(if self.digits.is_empty() { "0" } else { std::str::from_utf8(&self.digits).unwrap_or("0") })
    }
}

/// The digits of two numbers from the lowest on, as values; zeros where one has ended.
fn columns<'a>(a: &'a [u8], b: &'a [u8]) -> impl Iterator<Item = (u8, u8)> + 'a {
    let digit = |digits: &[u8], place: usize| {
        digits.len().checked_sub(place + 1).and_then(|at| digits.get(at)).map_or(0, |digit| digit - b'0')
    };
    (0..a.len().max(b.len())).map(move |place| (digit(a, place), digit(b, place)))
}

fn sum(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let mut digits: Vec<u8> = columns(a, b)
        .map(|(x, y)| {
            let column = x + y + carry;
            carry = column / 10;
            b'0' + column % 10
        })
        .collect();
    digits.push(b'0' + carry);
    digits.reverse();
    digits
}

/// `a` is not smaller.
fn difference(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut digits: Vec<u8> = columns(a, b)
        .map(|(x, y)| {
            let column = x + 10 - y - borrow;
            borrow = u8::from(column < 10);
            b'0' + column % 10
        })
        .collect();
    digits.reverse();
    digits
}

/// The bytes around a counter's value.
pub(super) const OVERHEAD: usize = br#"{"val":""}"#.len();

/// Writes the payload of a counter.
pub(super) fn write_value(value: &str, into: &mut Vec<u8>) {
    into.extend_from_slice(b"{\"val\":\"");
    into.extend_from_slice(value.as_bytes());
    into.extend_from_slice(b"\"}");
}

impl Stream {
    /// By how much a message asks to count.
    // spec: JS-560 JS-562 JS-565 JS-566
    pub(super) fn check_increment(&self, message: &Proposal<'_>) -> Result<Option<Number>, ApiError> {
        let asked = message.asked;
        if asked.increment.is_empty() {
            return Ok(None);
        }
        let increment = Number::parse(asked.increment).ok_or_else(ApiError::message_incr_invalid)?;
        if message.origin != Origin::Client {
            return Ok(Some(increment));
        }
        if !self.live.config.allow_msg_counter {
            return Err(ApiError::message_incr_disabled());
        }
        if !message.payload.is_empty() {
            return Err(ApiError::message_incr_payload());
        }
        let others = [
            asked.rollup,
            asked.expected_stream,
            asked.expected_last_id,
            asked.expected_subject,
            asked.expected_last_seq,
            asked.expected_subject_seq,
        ];
        if others.iter().all(|header| header.is_empty()) {
            Ok(Some(increment))
        } else {
            Err(ApiError::message_incr_invalid())
        }
    }

    /// What a message counts to.
    // spec: JS-561 JS-563 JS-564
    pub(super) fn count(
        &self,
        message: &Proposal<'_>,
        increment: Option<Number>,
        plan: &mut Plan,
    ) -> Result<(), ApiError> {
        if !self.live.config.allow_msg_counter {
            return Ok(());
        }
        let increment = increment.ok_or_else(ApiError::message_incr_missing)?;
        let (before, sources) = self.with_last(message.subject, |last| match last {
            None => Ok((Number::ZERO, None)),
            Some((block, payload)) => {
                let sources = headers::get(block, SOURCES).map(<[u8]>::to_vec);
                Ok((value(payload).ok_or_else(ApiError::message_counter_broken)?, sources))
            }
        })??;
        let (increment, sources) = if message.asked.stream_source.is_empty() {
            (increment, sources)
        } else {
            let (grown, sources) = counted_elsewhere(message, sources.as_deref())?;
            let block = plan.headers.get_or_insert_with(|| message.headers.to_vec());
            headers::set(block, INCREMENT, grown.to_string().as_bytes());
            (grown, Some(sources))
        };
        let count = before.plus(&increment).to_string();
        if let Some(sources) = sources {
            let block = plan.headers.get_or_insert_with(|| message.headers.to_vec());
            headers::set(block, SOURCES, &sources);
        }
        let len = plan.headers.as_ref().map_or(message.headers.len(), Vec::len) + count.len() + OVERHEAD;
        if len > self.options.max_payload {
            return Err(ApiError::stream_message_exceeds_maximum());
        }
        plan.count = Some(count);
        Ok(())
    }
}

/// By how much the counter of an origin has grown since it was heard of last: its messages say what it counts to, and some
/// may have been missed. With that, what all origins count to now.
// spec: JS-069
fn counted_elsewhere(message: &Proposal<'_>, known: Option<&[u8]>) -> Result<(Number, Vec<u8>), ApiError> {
    let mut sources = match known {
        Some(known) => serde_json::from_slice::<Sources>(known).map_err(|_| ApiError::message_counter_broken())?,
        None => Sources::new(),
    };
    let now = value(message.payload).ok_or_else(ApiError::message_counter_broken)?;
    let source = String::from_utf8_lossy(message.asked.stream_source);
    let mut fields = source.split(' ');
    let origin = fields.next().unwrap_or_default().to_owned();
    let subject = fields.nth(3).map_or_else(|| String::from_utf8_lossy(message.subject).into_owned(), str::to_owned);
    let before = sources.entry(origin).or_default().insert(subject, now.to_string());
    let before = before.and_then(|before| Number::parse(before.as_bytes())).unwrap_or(Number::ZERO);
    let sources = serde_json::to_vec(&sources).map_err(|_| ApiError::message_counter_broken())?;
    Ok((now.minus(&before), sources))
}

/// The number in a counter's payload. One that is no number counts as zero, as in the reference.
fn value(payload: &[u8]) -> Option<Number> {
    #[derive(serde::Deserialize)]
    struct Counter {
        #[serde(default)]
        val: String,
    }
    let counter: Counter = serde_json::from_slice(payload).ok()?;
    Some(Number::parse(counter.val.as_bytes()).unwrap_or(Number::ZERO))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn numbers_of_any_size() {
        // spec: JS-069
        for (a, b, sum) in [
            ("0", "0", "0"),
            ("+5", "-2", "3"),
            ("-5", "2", "-3"),
            ("5", "-5", "0"),
            ("-0", "0", "0"),
            ("0009", "1", "10"),
            ("99999999999999999999999999999999999999999", "1", "100000000000000000000000000000000000000000"),
            ("100000000000000000000000000000000000000000", "-1", "99999999999999999999999999999999999999999"),
            ("-100000000000000000000000000000000000000000", "1", "-99999999999999999999999999999999999999999"),
        ] {
            assert_eq!(number(a).plus(&number(b)).to_string(), sum, "{a} + {b}");
        }
        for nonsense in ["", "+", "-", "x", "1.5", "1e3", "1_000", " 1", "--1"] {
            assert_eq!(Number::parse(nonsense.as_bytes()), None, "{nonsense:?}");
        }
    }

    proptest! {
        #[test]
        fn sums_are_those_of_small_numbers(a in any::<i64>(), b in any::<i64>()) {
            let sum = number(&a.to_string()).plus(&number(&b.to_string()));
            prop_assert_eq!(sum.to_string(), (i128::from(a) + i128::from(b)).to_string());
        }
    }
}
