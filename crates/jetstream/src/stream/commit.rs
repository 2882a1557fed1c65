//! Writing, syncing, applying, and answering: the way of a group after admission.
//!
//! Invariant: nobody is told of anything that is not committed, and groups are committed in the order in which they were
//! admitted.

use std::io::Write as _;

use martlet_events::WallTime;
use martlet_store::{Filter, ReadError, Record, StoreError};

use super::change::Done;
use super::group::{Answer, Draft, Effect, Group};
use super::origin::say_what_stands;
use super::{Durability, GROUP_BYTES, MAX_FLUSHES_IN_FLIGHT, Stream, admit};
use crate::api::ApiError;
use crate::api::answer::Ack;
use crate::out::{Now, Out, Outgoing};

impl Stream {
    /// Writes what was admitted. What need not wait for the disk is committed at once; for the rest there is a
    /// [`Stream::sync_job`]. While enough waits for the disk already, nothing happens: call again when that is done.
    pub fn flush(&mut self, now: Now, out: &mut dyn Out) {
        self.now = now;
        if self.flushes.len() >= MAX_FLUSHES_IN_FLIGHT {
            return;
        }
        self.write_progress();
        self.close_group();
        let before = self.store.appended();
        while let Some(mut group) = self.waiting.pop_front() {
            if let Err(error) = self.append(&mut group) {
                self.waiting.push_front(group);
                self.give_up_waiting(&error, out);
                break;
            }
            self.in_flight.push_back(group);
        }
        let appended = self.store.appended();
        if appended > before {
            self.flushes.push_back(appended);
        }
        let through = match self.options.durability {
            Durability::Always => self.store.durable(),
            Durability::OnCommitOfWrite => appended,
        };
        self.commit_through(through, out);
    }

    /// A sync job is done. What has become durable is committed; after a failure nothing is, ever.
    pub fn synced(&mut self, through: u64, result: Result<(), std::io::Error>, now: Now, out: &mut dyn Out) {
        self.now = now;
        match self.store.synced(through, result) {
            Ok(()) => self.commit_through(self.store.durable(), out),
            Err(error) => {
                self.close_group();
                let waiting = std::mem::replace(&mut self.waiting, std::mem::take(&mut self.in_flight));
                self.waiting.extend(waiting);
                self.flushes.clear();
                self.give_up_waiting(&error, out);
            }
        }
    }

    /// Why something was not written since this was last asked.
    pub fn take_refusal(&mut self) -> Option<StoreError> {
        self.refused.take()
    }

    /// Whether something was admitted that is not written.
    pub(crate) fn has_to_flush(&self) -> bool {
        !self.current.is_empty() || !self.waiting.is_empty() || self.live.consumers.is_any_urgent()
    }

    /// Whether a flush would write something at once: what has come to stand may have had consequences.
    pub fn can_flush(&self) -> bool {
        self.has_to_flush() && self.flushes.len() < MAX_FLUSHES_IN_FLIGHT
    }

    /// Whether everything admitted stands.
    pub(super) fn is_idle(&self) -> bool {
        self.current.is_empty() && self.waiting.is_empty() && self.in_flight.is_empty()
    }

    /// Bytes admitted that do not stand yet.
    pub(super) fn waiting_bytes(&self) -> usize {
        let waiting: usize = self.waiting.iter().map(|group| group.bytes.len()).sum();
        waiting + self.current.bytes.len()
    }

    /// What is admitted from now on is another entry.
    pub(super) fn close_group(&mut self) {
        if !self.current.is_empty() {
            let next = self.spare.pop().unwrap_or_default();
            self.waiting.push_back(std::mem::replace(&mut self.current, next));
        }
    }

    fn append(&mut self, group: &mut Group) -> Result<(), StoreError> {
        if group.drafts.is_empty() {
            return Ok(());
        }
        let mut records = reuse(std::mem::take(&mut self.records));
        records.extend(group.drafts.iter().map(|draft| group.record(draft)));
        let number = self.store.append(&records);
        self.records = reuse(records);
        group.number = number?;
        Ok(())
    }

    fn commit_through(&mut self, through: u64, out: &mut dyn Out) {
        while self.in_flight.front().is_some_and(|group| group.number <= through || group.is_lazy()) {
            let Some(group) = self.in_flight.pop_front() else { break };
            self.commit(&group, out);
            self.recycle(group);
        }
        while self.flushes.front().is_some_and(|&last| last <= through) {
            self.flushes.pop_front();
        }
        if self.in_flight.is_empty() {
            // What else is not durable, nobody waits for.
            self.flushes.clear();
        }
        self.after_commit(out);
    }

    fn commit(&mut self, group: &Group, out: &mut dyn Out) {
        if group.number > 0 {
            self.live.purged = 0;
            self.store.apply(group.number, &mut self.live);
            self.tell_of_purges(group);
            if group.expires {
                self.age.expired(self.now.wall);
            }
            if self.live.has_new_configuration {
                self.put_configuration_in_force();
                self.follow_origins(out);
                // Bounds that were in force before are not in the log. A store that cannot keep this says so when it is
                // written to next.
                let _ = self.checkpoint();
            }
        }
        let mut answer = std::mem::take(&mut self.scratch.answer);
        for effect in &group.effects {
            match effect {
                Effect::Answer { reply, answer: what } => {
                    let payload = self.write_answer(group, what, &mut answer);
                    out.publish(&Outgoing { subject: group.get(reply), payload, ..Outgoing::default() });
                }
                Effect::Republish { draft, last_of_subject } => self.republish(group, *draft, *last_of_subject, out),
                Effect::Changed(place) => self.finish(&group.changes[*place], out),
                Effect::Stands { reply, delivered, seq } => {
                    say_what_stands(group.get(reply), *delivered, *seq, out);
                }
                Effect::Fast { reply, id, batch_seq, seq } => {
                    self.fast_stands(group, (reply, id), (*batch_seq, *seq), out);
                }
            }
        }
        self.scratch.answer = answer;
    }

    /// Consumers need not look at what was purged of the subjects they want.
    fn tell_of_purges(&mut self, group: &Group) {
        for draft in &group.drafts {
            if let Draft::Purge { filter, .. } = draft {
                let first = self.store.state().first_seq;
                match filter.as_ref().map(|filter| group.get(filter)) {
                    Some(filter) => self.live.consumers.purged_of(filter, first, self.first_of(filter)),
                    None => self.live.consumers.purged(first),
                }
            }
        }
    }

    /// The first message with such a subject, or the next that may come.
    fn first_of(&self, pattern: &[u8]) -> u64 {
        let filter = Filter::new([pattern]);
        let first = match filter.literal() {
            Some(subject) => self.store.subject(subject).map(|there| there.first),
            None => match self.store.next(&filter, 0, &mut Vec::new()) {
                Ok(found) => found.map(|message| message.seq),
                Err(ReadError::Unreadable(range)) => Some(*range.seqs.start()),
                Err(ReadError::NotNow(_)) => Some(self.store.state().first_seq),
            },
        };
        first.unwrap_or(self.store.state().last_seq + 1)
    }

    fn write_answer<'a>(&self, group: &'a Group, answer: &Answer, into: &'a mut Vec<u8>) -> &'a [u8] {
        into.clear();
        let text = |span| std::str::from_utf8(group.get(span)).unwrap_or_default();
        let none = Ack::default();
        let (seq, ack) = match answer {
            Answer::Kept(seq) => (seq, none),
            Answer::Duplicate(seq) => (seq, Ack { duplicate: true, ..none }),
            Answer::Counted(seq, count) => (seq, Ack { value: text(count), ..none }),
            Answer::Batch(seq, id, size) => (seq, Ack { batch: Some((text(id), *size)), ..none }),
            Answer::Ready(bytes) => return group.get(bytes),
        };
        self.shape.ack.write(into, *seq, ack);
        into
    }

    // spec: JS-055 JS-079
    fn republish(&mut self, group: &Group, draft: usize, last: u64, out: &mut dyn Out) {
        let Draft::Message { seq, time, subject, headers, payload, .. } = &group.drafts[draft] else { return };
        let Some(transform) = &self.shape.republish else { return };
        let (subject, payload) = (group.get(subject), group.get(payload));
        let dest = &mut self.scratch.subject;
        dest.clear();
        let mut roll = |ceiling: u32| admit::roll(out, ceiling);
        if !transform.apply(subject, &mut roll, dest) || !martlet_subject::is_valid_literal(dest) {
            return;
        }
        let headers_only = self.live.config.republish.as_ref().is_some_and(|republish| republish.headers_only);
        let block = &mut self.scratch.message;
        block.clear();
        about(block, group.get(headers), &self.live.config.name, subject, *seq, *time);
        header(block, b"Nats-Last-Sequence", |into| number(last, into));
        if headers_only {
            header(block, b"Nats-Msg-Size", |into| number(payload.len() as u64, into));
        }
        block.extend_from_slice(b"\r\n");
        let payload = if headers_only { b"" } else { payload };
        out.publish(&Outgoing { subject: dest, headers: block, payload, ..Outgoing::default() });
    }

    /// Nothing of what waits will be written: its publishers are told, and it is as if it had not come.
    // spec: JS-077 JS-122
    pub(super) fn give_up_waiting(&mut self, error: &StoreError, out: &mut dyn Out) {
        self.refused = Some(error.clone());
        let error = match error {
            StoreError::Full { .. } => ApiError::insufficient_resources(),
            StoreError::Failed { .. } => ApiError::stream_store_failed(error.to_string()),
        };
        if let Some(first) = self.waiting.front() {
            self.last_seq = first.before.0;
            self.last_id.clear();
            self.last_id.extend_from_slice(&first.before.1);
            self.live.ids.take_back(self.last_seq);
            self.live.schedules.take_back();
            self.live.to_mark.values_mut().for_each(|is_proposed| *is_proposed = false);
        }
        self.age.given_up(self.now.wall);
        while let Some(group) = self.waiting.pop_front() {
            self.give_up(&group, &error, out);
            self.recycle(group);
        }
        self.restart_origins(out);
    }

    fn give_up(&mut self, group: &Group, error: &ApiError, out: &mut dyn Out) {
        if group.drafts.iter().any(|draft| matches!(draft, Draft::Note { kind: super::note::PROGRESS, .. })) {
            // The next delta would follow on one that is not there.
            self.live.consumers.change_all(|slot| slot.needs_snapshot = true);
        }
        let mut refused = Vec::new();
        self.shape.ack.refuse(&mut refused, error);
        for effect in &group.effects {
            match effect {
                Effect::Answer { reply, answer } => {
                    let payload = match answer {
                        Answer::Ready(bytes) => group.get(bytes),
                        _ => &refused,
                    };
                    out.publish(&Outgoing { subject: group.get(reply), payload, ..Outgoing::default() });
                }
                Effect::Changed(place) => {
                    let change = &group.changes[*place];
                    self.give_up_consumer(change);
                    self.done.push_back(Done { ticket: change.ticket, result: Err(error.clone()) });
                }
                Effect::Fast { reply, id, batch_seq, .. } => {
                    self.fast_fails(group, (reply, id), *batch_seq, error, out);
                }
                Effect::Republish { .. } | Effect::Stands { .. } => {}
            }
        }
    }

    fn recycle(&mut self, mut group: Group) {
        // A burst's buffers are not kept for ever.
        if self.spare.len() < 3 && group.bytes.capacity() <= 2 * GROUP_BYTES {
            group.clear();
            self.spare.push(group);
        }
    }
}

/// Begins a header section that says what a message is: its own headers first, and no end yet.
// spec: JS-079 JS-084
pub(super) fn about(into: &mut Vec<u8>, headers: &[u8], stream: &str, subject: &[u8], seq: u64, time: WallTime) {
    match headers.strip_suffix(b"\r\n") {
        Some(headers) if !headers.is_empty() => into.extend_from_slice(headers),
        _ => into.extend_from_slice(martlet_proto::headers::VERSION_LINE),
    }
    header(into, b"Nats-Stream", |into| into.extend_from_slice(stream.as_bytes()));
    header(into, b"Nats-Subject", |into| into.extend_from_slice(subject));
    header(into, b"Nats-Sequence", |into| number(seq, into));
    header(into, b"Nats-Time-Stamp", |into| {
        let _ = write!(into, "{time}");
    });
}

/// Adds a header.
pub(super) fn header(into: &mut Vec<u8>, name: &[u8], value: impl FnOnce(&mut Vec<u8>)) {
    into.extend_from_slice(name);
    into.extend_from_slice(b": ");
    value(into);
    into.extend_from_slice(b"\r\n");
}

/// Writes a number.
pub(super) fn number(number: u64, into: &mut Vec<u8>) {
    into.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// An empty list of records that live elsewhere, in the memory of an old one.
fn reuse<'b>(mut records: Vec<Record<'_>>) -> Vec<Record<'b>> {
    records.clear();
    records.into_iter().map(|_| unreachable!("the list is empty")).collect()
}
