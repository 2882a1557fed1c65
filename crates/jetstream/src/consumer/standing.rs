//! Where a consumer stands, in the words in which servers tell each other: for snapshots, and for what comes from elsewhere.

use martlet_events::WallTime;

use super::dead_letters::{Letter, MAX_REASON, Reason};
use super::progress::{Position, Progress, ProgressError, Waits};
use super::{Consumer, wait_of};
use crate::config::{ConsumerConfig, StreamConfig};
use crate::out::Now;

const NANOS_PER_MILLI: u64 = 1_000_000;

/// A place in a consumer's deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// As the consumer counts.
    pub consumer_seq: u64,
    /// As the stream counts.
    pub stream_seq: u64,
}

/// A message that waits for acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unacknowledged {
    /// Its sequence.
    pub seq: u64,
    /// The consumer's sequence of its first delivery.
    pub consumer_seq: u64,
    /// When it was delivered last.
    pub delivered_at: WallTime,
}

/// A dead letter that nobody has said to have. No other server has such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message's sequence.
    pub seq: u64,
    /// How often it was delivered.
    pub deliveries: u64,
    /// When it died, in milliseconds since 1970.
    pub died: u64,
    /// What the subscriber said that gave it up; `None` if it was delivered as often as it may be.
    pub terminated: Option<String>,
}

/// Where a consumer stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// The last delivery.
    pub delivered: Place,
    /// All up to this are acknowledged.
    pub ack_floor: Place,
    /// What waits for acknowledgement, in the order of the stream.
    pub pending: Vec<Unacknowledged>,
    /// Sequences in order, and a number: of what waits, how often it was delivered again; of what does not wait and was
    /// delivered as often as it may be, how often that was.
    pub redelivered: Vec<(u64, u64)>,
    /// Dead letters that wait, in the order of the stream.
    pub letters: Vec<DeadLetter>,
}

impl DeadLetter {
    fn of(seq: u64, letter: &Letter) -> Self {
        let terminated = match &letter.reason {
            Reason::Exhausted => None,
            Reason::Terminated(words) => Some(String::from_utf8_lossy(words).into_owned()),
        };
        Self { seq, deliveries: u64::from(letter.deliveries), died: letter.died, terminated }
    }

    fn letter(&self) -> Letter {
        let reason = match &self.terminated {
            None => Reason::Exhausted,
            Some(words) => Reason::Terminated(words.as_bytes()[..words.len().min(MAX_REASON)].into()),
        };
        Letter::new(u32::try_from(self.deliveries).unwrap_or(u32::MAX), reason, self.died)
    }
}

impl Standing {
    /// The same as the log has it. What does not go together is left out.
    fn progress(&self, config: &ConsumerConfig) -> Progress {
        let delivered = self.delivered.stream_seq;
        let floor_seq = self.ack_floor.stream_seq.min(delivered);
        let again =
            |seq: u64| self.redelivered.binary_search_by_key(&seq, |of| of.0).ok().map(|at| self.redelivered[at].1);
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let mut waits: Vec<Waits> = Vec::with_capacity(self.pending.len());
        for of in &self.pending {
            if of.seq > delivered || waits.last().is_some_and(|last| last.seq >= of.seq) {
                continue;
            }
            let deliveries = small(again(of.seq).unwrap_or(0).saturating_add(1));
            let wait = u64::try_from(wait_of(config, deliveries).as_nanos()).unwrap_or(u64::MAX);
            let deadline = of.delivered_at.as_nanos().saturating_add(wait) / NANOS_PER_MILLI;
            waits.push(Waits { seq: of.seq, cseq: of.consumer_seq.max(1), deliveries, deadline });
        }
        let waits_still = |seq: u64| waits.binary_search_by_key(&seq, |of| of.seq).is_ok();
        let mut spent: Vec<(u64, u32)> = Vec::new();
        for &(seq, times) in &self.redelivered {
            let is_new = spent.last().is_none_or(|last| last.0 < seq);
            if config.max_deliver > 0 && times > 0 && seq <= delivered && is_new && !waits_still(seq) {
                spent.push((seq, small(times)));
            }
        }
        let mut letters: Vec<(u64, Option<Letter>)> = Vec::new();
        for of in &self.letters {
            let is_new = letters.last().is_none_or(|last| last.0 < of.seq);
            if of.seq > 0 && of.seq <= delivered && is_new && !waits_still(of.seq) {
                letters.push((of.seq, Some(of.letter())));
            }
        }
        Progress {
            position: Position {
                next: delivered.saturating_add(1),
                delivered,
                consumer_seq: self.delivered.consumer_seq.saturating_add(1),
                floor_seq,
                floor_consumer_seq: self.ack_floor.consumer_seq.min(self.delivered.consumer_seq),
                resume: 0,
                passed_over: 0,
            },
            waits,
            spent,
            letters,
            is_whole: true,
            ..Progress::default()
        }
    }
}

impl Consumer {
    /// Where it stands.
    pub fn standing(&self, now: Now) -> Standing {
        let delivered_at = |of: &Waits| {
            let wait = wait_of(&self.config, of.deliveries).as_nanos();
            let deadline = u128::from(of.deadline) * u128::from(NANOS_PER_MILLI);
            let nanos = deadline.checked_sub(wait).and_then(|nanos| u64::try_from(nanos).ok());
            nanos.map_or(now.wall, WallTime::from_nanos)
        };
        let waits: Vec<Waits> = self.pending.iter().map(|entry| Waits::of(entry, now)).collect();
        let again = waits.iter().filter(|of| of.deliveries > 1).map(|of| (of.seq, u64::from(of.deliveries) - 1));
        let spent = self.spent.iter().map(|(&seq, &times)| (seq, u64::from(times)));
        let mut redelivered: Vec<(u64, u64)> = again.chain(spent).collect();
        redelivered.sort_unstable();
        let unacknowledged =
            |of: &Waits| Unacknowledged { seq: of.seq, consumer_seq: of.cseq, delivered_at: delivered_at(of) };
        Standing {
            delivered: Place { consumer_seq: self.next_delivery - 1, stream_seq: self.delivered },
            ack_floor: Place { consumer_seq: self.floor.consumer_seq, stream_seq: self.floor.seq },
            pending: waits.iter().map(unacknowledged).collect(),
            redelivered,
            letters: self.waiting_letters().map(|(seq, letter)| DeadLetter::of(seq, letter)).collect(),
        }
    }

    /// A consumer that stands there. [`Self::resume`] may follow.
    pub(crate) fn standing_at(
        standing: &Standing,
        config: ConsumerConfig,
        created: WallTime,
        stream: &StreamConfig,
        now: Now,
    ) -> Result<Self, ProgressError> {
        let mut snapshot = Vec::new();
        standing.progress(&config).encode(&mut snapshot);
        Self::restore(config, created, stream, now, &snapshot)
    }

    /// The sequences of what waits for acknowledgement, in order.
    pub(crate) fn waiting_seqs(&self) -> Vec<u64> {
        self.pending.iter().map(|entry| entry.seq).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use martlet_events::Time;
    use proptest::prelude::*;

    use super::*;
    use crate::config::AckPolicy;

    fn config() -> ConsumerConfig {
        ConsumerConfig {
            name: "c".into(),
            ack_policy: AckPolicy::Explicit,
            ack_wait: Duration::from_secs(30),
            max_deliver: 3,
            ..ConsumerConfig::default()
        }
    }

    fn now() -> Now {
        Now { time: Time::ORIGIN + Duration::from_mins(1), wall: WallTime::from_nanos(1_800_000_000_000_000_000) }
    }

    fn at(standing: &Standing) -> Result<Consumer, ProgressError> {
        Consumer::standing_at(standing, config(), WallTime::default(), &StreamConfig::default(), now())
    }

    #[test]
    fn what_a_consumer_tells_is_where_another_begins() {
        // spec: JS-123
        let seconds_ago = |seconds: u64| WallTime::from_nanos(now().wall.as_nanos() - seconds * 1_000_000_000);
        let letter = |seq, terminated: Option<&str>| DeadLetter {
            seq,
            deliveries: 3,
            died: 1_800_000_000_000,
            terminated: terminated.map(str::to_owned),
        };
        let waits =
            |seq, consumer_seq, seconds| Unacknowledged { seq, consumer_seq, delivered_at: seconds_ago(seconds) };
        let standing = Standing {
            delivered: Place { consumer_seq: 9, stream_seq: 22 },
            ack_floor: Place { consumer_seq: 1, stream_seq: 2 },
            pending: vec![waits(7, 2, 10), waits(12, 6, 29)],
            redelivered: vec![(3, 3), (12, 1)],
            letters: vec![letter(3, None), letter(5, Some("no use"))],
        };
        let consumer = at(&standing).expect("it goes together");
        assert_eq!(consumer.standing(now()), standing);
        assert_eq!(consumer.numbers(now()).num_ack_pending, 2);
        assert_eq!(consumer.numbers(now()).num_redelivered, 2);
    }

    proptest! {
        #[test]
        fn what_does_not_go_together_does_no_harm(
            numbers in proptest::array::uniform4(any::<u64>()),
            pending in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 0..20),
            redelivered in proptest::collection::vec((0..50_u64, any::<u64>()), 0..20),
            letters in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<Option<String>>()), 0..20),
        ) {
            let standing = Standing {
                delivered: Place { consumer_seq: numbers[0], stream_seq: numbers[1] },
                ack_floor: Place { consumer_seq: numbers[2], stream_seq: numbers[3] },
                pending: pending
                    .into_iter()
                    .map(|(seq, consumer_seq, nanos)| {
                        Unacknowledged { seq, consumer_seq, delivered_at: WallTime::from_nanos(nanos) }
                    })
                    .collect(),
                redelivered,
                letters: letters
                    .into_iter()
                    .map(|(seq, deliveries, terminated)| DeadLetter { seq, deliveries, died: deliveries, terminated })
                    .collect(),
            };
            if let Ok(consumer) = at(&standing) {
                let said = consumer.standing(now());
                prop_assert!(said.pending.is_sorted_by_key(|of| of.seq));
                prop_assert!(said.letters.is_sorted_by_key(|of| of.seq));
                prop_assert!(said.ack_floor.stream_seq <= said.delivered.stream_seq);
            }
        }
    }
}
