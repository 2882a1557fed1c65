//! What an acknowledgement says: its subject, and its payload.

use std::time::Duration;

use crate::api::json::read::fields;
use crate::api::json::{self, Nanos};
use crate::span;

/// What the subject of an acknowledgement says. It is the reply subject of a delivery, and comes back from anybody.
// spec: JS-100
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckSubject<'a> {
    /// The stream.
    pub stream: &'a [u8],
    /// The consumer.
    pub consumer: &'a [u8],
    /// How often the message was delivered.
    pub deliveries: u64,
    /// Its sequence in the stream.
    pub seq: u64,
    /// The consumer's sequence of the delivery.
    pub consumer_seq: u64,
    /// When it was taken in, in nanoseconds.
    pub time: u64,
    /// How many messages were pending.
    pub pending: u64,
}

impl<'a> AckSubject<'a> {
    /// Reads `$JS.ACK.<stream>.<consumer>.<deliveries>.<seq>.<consumer seq>.<time>.<pending>`, and the longer form with
    /// a domain and an account before the stream.
    pub fn parse(subject: &'a [u8]) -> Option<Self> {
        let mut tokens: [&[u8]; 11] = [&[]; 11];
        let mut count = 0;
        for token in subject.split(|&byte| byte == b'.') {
            if let Some(place) = tokens.get_mut(count) {
                *place = token;
            }
            count += 1;
        }
        let at = match count {
            9 => 2,
            11.. => 4,
            _ => return None,
        };
        if tokens[0] != b"$JS" || tokens[1] != b"ACK" {
            return None;
        }
        Some(Self {
            stream: tokens[at],
            consumer: tokens[at + 1],
            deliveries: number(tokens[at + 2])?,
            seq: number(tokens[at + 3])?,
            consumer_seq: number(tokens[at + 4])?,
            time: number(tokens[at + 5])?,
            pending: number(tokens[at + 6])?,
        })
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &digit| {
        if !digit.is_ascii_digit() {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

/// What the payload of an acknowledgement says.
// spec: JS-101
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    /// Done.
    Ack,
    /// Deliver it again: at once, or after a while.
    Nak(Option<Duration>),
    /// Still at work.
    Progress,
    /// Done, and a pull request.
    Next(&'a [u8]),
    /// Never deliver it again, with a reason.
    Term(&'a [u8]),
    /// None of it.
    Unknown,
}

impl<'a> Verdict<'a> {
    pub(super) fn parse(payload: &'a [u8]) -> Self {
        if payload.is_empty() || payload == b"+ACK" || payload == b"+OK" {
            Self::Ack
        } else if let Some(body) = payload.strip_prefix(b"+NXT") {
            Self::Next(body)
        } else if let Some(delay) = payload.strip_prefix(b"-NAK") {
            Self::Nak(nak_delay(delay.trim_ascii()))
        } else if payload == b"+WPI" {
            Self::Progress
        } else if let Some(reason) = payload.strip_prefix(b"+TERM") {
            Self::Term(reason.trim_ascii())
        } else {
            Self::Unknown
        }
    }
}

/// What a refusal may say.
#[derive(Debug, Default)]
struct NakBody {
    delay: Nanos,
}

fields! { NakBody: "" { "delay" => delay } }

/// What cannot be read is no delay. A negative one is over at once.
fn nak_delay(text: &[u8]) -> Option<Duration> {
    let nanos = match text.first()? {
        b'{' => json::decode_whole::<NakBody>(text).ok()?.delay.0,
        _ => span::parse(text)?,
    };
    Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: JS-100
    #[test]
    fn subjects_of_both_forms_are_read() {
        let short = AckSubject::parse(b"$JS.ACK.S.c.2.30.4.1700000000000000000.5").unwrap();
        let long = AckSubject::parse(b"$JS.ACK._.NUmM6cRx.S.c.2.30.4.1700000000000000000.5").unwrap();
        assert_eq!(short, long);
        assert_eq!((short.stream, short.consumer), (&b"S"[..], &b"c"[..]));
        assert_eq!((short.deliveries, short.seq, short.consumer_seq, short.pending), (2, 30, 4, 5));
        let longer = AckSubject::parse(b"$JS.ACK.hub.NUmM6cRx.S.c.2.30.4.1.5.and.more").unwrap();
        assert_eq!((longer.stream, longer.seq), (&b"S"[..], 30));
    }

    // spec: JS-100
    #[test]
    fn other_subjects_are_no_acknowledgements() {
        for subject in [
            "",
            "$JS.ACK",
            "$JS.ACK.S.c.1.1.1.1",
            "$JS.ACK.d.S.c.1.1.1.1.1",
            "$JS.FOO.S.c.1.1.1.1.1",
            "$JS.ACK.S.c.1.x.1.1.1",
            "$JS.ACK.S.c.1..1.1.1",
            "$JS.ACK.S.c.1.-1.1.1.1",
            "$JS.ACK.S.c.1.99999999999999999999.1.1.1",
        ] {
            assert_eq!(AckSubject::parse(subject.as_bytes()), None, "{subject}");
        }
    }

    // spec: JS-101
    #[test]
    fn payloads_are_read() {
        let nanos = |nanos| Verdict::Nak(Some(Duration::from_nanos(nanos)));
        for (payload, verdict) in [
            ("", Verdict::Ack),
            ("+ACK", Verdict::Ack),
            ("+OK", Verdict::Ack),
            ("+ACK ", Verdict::Unknown),
            ("hello", Verdict::Unknown),
            ("+WPI", Verdict::Progress),
            ("-NAK", Verdict::Nak(None)),
            ("-NAK  ", Verdict::Nak(None)),
            ("-NAK 1s500ms", nanos(1_500_000_000)),
            ("-NAK {\"delay\": 250}", nanos(250)),
            ("-NAK {\"Delay\":-5}", nanos(0)),
            ("-NAK {}", nanos(0)),
            ("-NAK {\"delay\":\"1s\"}", Verdict::Nak(None)),
            ("-NAK soon", Verdict::Nak(None)),
            ("+NXT", Verdict::Next(b"")),
            ("+NXT 5", Verdict::Next(b" 5")),
            ("+TERM", Verdict::Term(b"")),
            ("+TERM  too big ", Verdict::Term(b"too big")),
        ] {
            assert_eq!(Verdict::parse(payload.as_bytes()), verdict, "{payload}");
        }
    }
}
