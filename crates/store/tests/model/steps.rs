//! Random histories of a stream.

use martlet_events::WallTime;
use martlet_store::Limits;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::naive::{Fact, Kept};

/// A history.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) first_seq: u64,
    /// How many subjects there are at most.
    pub(crate) subjects: u16,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Append(Vec<Draft>),
    Apply(usize),
    Limits(Limits),
    Reopen,
    Ask(Ask),
}

/// A question; `at` is how far into the stream, of 65,535.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) filter: Vec<Vec<u8>>,
    pub(crate) at: u16,
}

/// A record without what only its writer knows: sequences and times.
#[derive(Debug, Clone)]
pub(crate) enum Draft {
    Messages(Vec<DraftMessage>),
    Skip(u64),
    Remove { ranges: Vec<(u16, u64)>, erase: bool },
    Purge { filter: Option<Vec<u8>>, before: Option<u16>, keep: u64 },
    Expire { after: u64, max_age: Option<u64> },
    Note(u8, Vec<u8>),
}

#[derive(Debug, Clone)]
pub(crate) struct DraftMessage {
    subject: u16,
    headers: usize,
    payload: usize,
    after: u64,
    gap: u64,
    ttl: Option<u64>,
}

/// A sequence (or a time) some way into the stream, or just beyond.
pub(crate) fn at(share: u16, last: u64) -> u64 {
    (last + 2) * u64::from(share) / u64::from(u16::MAX)
}

fn subject(nth: u16) -> Vec<u8> {
    match nth {
        0 => "a".into(),
        1 => "a.b".into(),
        2 => "a.b.c".into(),
        3 => "ab".into(),
        4 => "x.b.c".into(),
        _ if nth.is_multiple_of(3) => format!("k.b.{nth}").into_bytes(),
        _ => format!("k.{nth}").into_bytes(),
    }
}

fn pattern() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => (0_u16..8).prop_map(subject),
        2 => (0_u16..600).prop_map(subject),
        3 => prop::sample::select(vec!["a.*", "a.>", "*.b.*", "*", "k.*", "k.b.>", "*.*", "x.>", "none.*"])
            .prop_map(|pattern| pattern.as_bytes().to_vec()),
        1 => Just(b">".to_vec()),
    ]
}

fn message() -> impl Strategy<Value = DraftMessage> {
    let gap = prop_oneof![20 => Just(0_u64), 1 => 1_u64..5, 1 => 1_000_u64..10_000];
    let ttl = option::weighted(0.15, prop_oneof![9 => 0_u64..60, 1 => Just(u64::MAX)]);
    let payload = prop_oneof![6 => 0_usize..40, 1 => 0_usize..6_000];
    (any::<u16>(), prop_oneof![2 => Just(0), 1 => 0_usize..30], payload, 0_u64..4, gap, ttl).prop_map(
        |(subject, headers, payload, after, gap, ttl)| DraftMessage { subject, headers, payload, after, gap, ttl },
    )
}

fn draft() -> impl Strategy<Value = Draft> {
    prop_oneof![
        8 => vec(message(), 1..12).prop_map(Draft::Messages),
        2 => vec(message(), 30..90).prop_map(Draft::Messages),
        1 => prop_oneof![1_u64..4, 1_u64..20_000].prop_map(Draft::Skip),
        4 => (vec((any::<u16>(), 0_u64..30), 1..8), any::<bool>())
            .prop_map(|(ranges, erase)| Draft::Remove { ranges, erase }),
        1 => (option::of(pattern()), option::of(any::<u16>()), prop_oneof![Just(0_u64), 0_u64..40])
            .prop_map(|(filter, before, keep)| Draft::Purge { filter, before, keep }),
        2 => (0_u64..30, option::of(0_u64..300)).prop_map(|(after, max_age)| Draft::Expire { after, max_age }),
        1 => (any::<u8>(), vec(any::<u8>(), 0..20)).prop_map(|(kind, bytes)| Draft::Note(kind, bytes)),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let bound = |max: u64| prop_oneof![2 => Just(0_u64), 1 => 1_u64..max];
    (bound(200), bound(20_000), bound(5), prop::bool::weighted(0.8)).prop_map(
        |(max_msgs, max_bytes, max_msgs_per_subject, discard_old)| Limits {
            max_msgs,
            max_bytes,
            max_msgs_per_subject,
            discard_old,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => vec(draft(), 0..4).prop_map(Step::Append),
        5 => (0_usize..4).prop_map(Step::Apply),
        1 => limits().prop_map(Step::Limits),
        1 => Just(Step::Reopen),
        6 => (vec(pattern(), 0..4), any::<u16>()).prop_map(|(filter, at)| Step::Ask(Ask { filter, at })),
    ]
}

pub(crate) fn cases() -> impl Strategy<Value = Case> {
    (prop_oneof![Just(0_u64), Just(1), 2_u64..10_000], prop_oneof![1_u16..8, Just(600)], vec(step(), 1..40))
        .prop_map(|(first_seq, subjects, steps)| Case { first_seq, subjects, steps })
}

/// Gives drafts their sequences and times.
pub(crate) struct Writer {
    subjects: u16,
    seq: u64,
    time: u64,
}

impl Writer {
    pub(crate) fn new(first_seq: u64, subjects: u16) -> Self {
        Self { subjects, seq: first_seq.saturating_sub(1), time: 1_000 }
    }

    /// Messages of which the first subjects are rare.
    pub(crate) fn sparse(&mut self, messages: u64) -> Vec<Fact> {
        let rare = |seq: u64| match seq % 131 {
            0 => 0,
            7 => 1,
            40 | 90 if seq < 500 || seq.is_multiple_of(9) => 4,
            near => 8 + u16::try_from(near % 3).expect("below 3"),
        };
        (0..messages).map(|_| self.of(rare(self.seq + 1))).collect()
    }

    /// A message of each of the first subjects.
    pub(crate) fn of_each(&mut self, subjects: u16) -> Vec<Fact> {
        (0..subjects).map(|subject| self.of(subject)).collect()
    }

    fn of(&mut self, subject: u16) -> Fact {
        self.message(&DraftMessage { subject, headers: 0, payload: 300, after: 1, gap: 0, ttl: None })
    }

    /// Removes every `step`th message, and `len` behind it, of the last hundred.
    pub(crate) fn holes(&self, step: usize, len: u64) -> Fact {
        let starts = (self.seq.saturating_sub(100)..self.seq).step_by(step);
        Fact::Remove { ranges: starts.map(|from| from..=from + len).collect(), erase: false }
    }

    pub(crate) fn facts(&mut self, drafts: &[Draft]) -> Vec<Fact> {
        let mut facts = Vec::new();
        for draft in drafts {
            match draft {
                Draft::Messages(messages) => facts.extend(messages.iter().map(|message| self.message(message))),
                Draft::Skip(by) => {
                    self.seq += by;
                    facts.push(Fact::Skip { through: self.seq });
                }
                Draft::Remove { ranges, erase } => {
                    let ranges = ranges.iter().map(|(share, len)| (at(*share, self.seq), len));
                    let ranges = ranges.map(|(from, len)| from..=from + len).collect();
                    facts.push(Fact::Remove { ranges, erase: *erase });
                }
                Draft::Purge { filter, before, keep } => {
                    let before = before.map_or(u64::MAX, |share| at(share, self.seq));
                    facts.push(Fact::Purge { filter: filter.clone(), before, keep: *keep });
                }
                Draft::Expire { after, max_age } => {
                    self.time += after;
                    let before = max_age.map(|age| WallTime::from_nanos(self.time.saturating_sub(age)));
                    facts.push(Fact::Expire { now: WallTime::from_nanos(self.time), before });
                }
                Draft::Note(kind, bytes) => facts.push(Fact::Note { kind: *kind, bytes: bytes.clone() }),
            }
        }
        facts
    }

    fn message(&mut self, draft: &DraftMessage) -> Fact {
        self.seq += 1 + draft.gap;
        self.time += draft.after;
        let fill = u8::try_from(self.seq % 251).expect("below 251");
        Fact::Message(Kept {
            seq: self.seq,
            time: WallTime::from_nanos(self.time),
            subject: subject(draft.subject % self.subjects),
            headers: vec![fill ^ 0x55; draft.headers],
            payload: vec![fill; draft.payload],
            expires: draft.ttl.map(|ttl| WallTime::from_nanos(self.time.saturating_add(ttl))),
        })
    }
}
