//! What the API reads.

use std::collections::BTreeMap;

use martlet_store::{Filter, State};

use super::Stream;
use crate::api::ApiError;
use crate::api::answer::{
    ConsumerInfo, Lost, Page, PriorityGroup, SequenceInfo, StoredMessage, StreamInfo, StreamState,
};
use crate::api::body::{MsgGetBody, StreamInfoBody};
use crate::consumer::{Consumer, Info, Sequences};
use crate::out::{Now, Out};

/// Subjects of one answer.
const MAX_SUBJECTS: usize = 100_000;
/// Sequences of one answer that are gone, or cannot be read.
const MAX_SEQUENCES: usize = 1_000_000;

impl Stream {
    /// What it holds.
    pub fn state(&self) -> State {
        self.store.state()
    }

    /// What it is and holds.
    // spec: JS-059
    pub fn info(&self, now: Now) -> StreamInfo {
        StreamInfo {
            config: self.live.config.clone(),
            created: self.live.created,
            state: self.shown_state(),
            domain: self.options.domain.clone(),
            cluster: None,
            mirror: self.mirror_info(now.time),
            sources: self.sources_info(now.time),
            alternates: Vec::new(),
            now: now.wall,
        }
    }

    /// What it is and holds, with the details that are asked for, and the page of subjects that is in it.
    // spec: JS-008 JS-020
    pub fn info_with(&self, body: &StreamInfoBody, now: Now) -> (StreamInfo, Page) {
        let mut info = self.info(now);
        if body.deleted_details {
            self.store.for_each_deleted(&mut |range| {
                let room = MAX_SEQUENCES - info.state.deleted.len();
                info.state.deleted.extend(range.take(room));
                info.state.deleted.len() < MAX_SEQUENCES
            });
        }
        if body.subjects_filter.is_empty() {
            return (info, Page::default());
        }
        let mut total = 0;
        let first = usize::try_from(body.offset.0).unwrap_or(0);
        let mut subjects = BTreeMap::new();
        self.store.for_each_subject(body.subjects_filter.as_bytes(), &mut |subject, state| {
            if total >= first && subjects.len() < MAX_SUBJECTS {
                subjects.insert(String::from_utf8_lossy(subject).into_owned(), state.messages);
            }
            total += 1;
            true
        });
        info.state.subjects = subjects;
        let page = if total > 0 { Page { total, offset: first, limit: MAX_SUBJECTS } } else { Page::default() };
        (info, page)
    }

    fn shown_state(&self) -> StreamState {
        let state = self.store.state();
        let unreadable = self.store.unreadable();
        let lost = || Lost {
            msgs: unreadable.iter().flat_map(|range| range.seqs.clone()).take(MAX_SEQUENCES).collect(),
            bytes: 0,
        };
        let skipped = self.skipped.filter(|(seq, _)| *seq == state.last_seq);
        let last_time = skipped.map(|(_, time)| time).or(state.last_time);
        StreamState {
            messages: state.messages,
            bytes: state.bytes,
            // Nothing was ever first.
            first_seq: if state.last_seq == 0 { 0 } else { state.first_seq },
            first_time: self.store.first_time(),
            last_seq: state.last_seq,
            last_time,
            num_subjects: state.subjects,
            subjects: BTreeMap::new(),
            num_deleted: state.deleted,
            deleted: Vec::new(),
            lost: (!unreadable.is_empty()).then(lost),
            consumers: self.live.consumers.shown() as u64,
        }
    }

    /// What a consumer says of itself.
    // spec: JS-097
    pub fn consumer_info(&mut self, name: &str, now: Now, out: &mut dyn Out) -> Option<ConsumerInfo> {
        self.now = now;
        let info = self.with_consumer(self.live.consumers.key(name)?, out, Consumer::info)?;
        Some(self.shown_consumer(self.consumer(name)?, info, now))
    }

    /// The same for one who asked for the consumer: as it was before it delivered anything, the first time.
    // spec: JS-027
    pub fn new_consumer_info(&mut self, name: &str, now: Now, out: &mut dyn Out) -> Option<ConsumerInfo> {
        let key = self.live.consumers.key(name)?;
        let initial = self.live.consumers.change(key, |slot| slot.initial.take()).flatten();
        match initial {
            Some(info) => Some(self.shown_consumer(self.consumer(name)?, *info, now)),
            None => self.consumer_info(name, now, out),
        }
    }

    /// The same for one who only looks.
    pub fn consumer_numbers(&self, name: &str, now: Now) -> Option<ConsumerInfo> {
        let consumer = self.consumer(name)?;
        let (added, removed) = self.live.consumers.missed(name);
        let mut info = consumer.numbers(now);
        info.num_pending = (info.num_pending + added).saturating_sub(removed);
        Some(self.shown_consumer(consumer, info, now))
    }

    fn shown_consumer(&self, consumer: &Consumer, info: Info, now: Now) -> ConsumerInfo {
        let sequences = |at: Sequences| SequenceInfo {
            consumer: at.consumer_seq,
            stream: at.stream_seq,
            last_active: at.last_active,
        };
        let groups = info.priority_groups.into_iter().map(|group| {
            let (pinned_client_id, since) = group.pinned.unzip();
            PriorityGroup {
                group: group.group,
                pinned_client_id: pinned_client_id.unwrap_or_default(),
                pinned_since: since,
            }
        });
        let mut config = consumer.config().clone();
        if self.live.consumers.find(consumer.name()).is_some_and(|slot| slot.is_unnamed) {
            config.name.clear();
        }
        ConsumerInfo {
            stream: self.live.config.name.clone(),
            name: consumer.name().to_owned(),
            created: info.created,
            config,
            delivered: sequences(info.delivered),
            ack_floor: sequences(info.ack_floor),
            num_ack_pending: info.num_ack_pending,
            num_redelivered: info.num_redelivered,
            num_waiting: info.num_waiting,
            num_pending: info.num_pending,
            cluster: None,
            push_bound: info.push_bound,
            pause_remaining: info.pause_remaining.unwrap_or_default(),
            now: now.wall,
            priority_groups: groups.collect(),
        }
    }

    /// One message.
    // spec: JS-023 JS-538 JS-539 JS-540
    pub fn message<'b>(&self, wanted: &MsgGetBody, buffer: &'b mut Vec<u8>) -> Result<StoredMessage<'b>, ApiError> {
        let (by_seq, by_time) = (wanted.seq > 0, wanted.start_time.is_some());
        let (by_last, by_next) = (!wanted.last_by_subj.is_empty(), !wanted.next_by_subj.is_empty());
        let is_direct = wanted.batch.0 > 0 || wanted.max_bytes.0 > 0;
        if is_direct
            || !(by_seq || by_last || by_next || by_time)
            || by_seq && (by_last || by_time)
            || by_last && (by_time || by_next)
        {
            return Err(ApiError::bad_request());
        }
        let seq = wanted.start_time.map_or(wanted.seq, |time| self.store.first_since(time));
        let found = if by_next {
            self.store.next(&Filter::new([wanted.next_by_subj.as_bytes()]), seq, buffer)
        } else if by_last {
            match self.last_applied(wanted.last_by_subj.as_bytes()) {
                Some(seq) => self.store.get(seq, buffer),
                None => Ok(None),
            }
        } else {
            self.store.get(seq, buffer)
        };
        match found {
            Ok(Some(message)) => Ok(StoredMessage {
                subject: message.subject,
                seq: message.seq,
                headers: if wanted.no_hdr { b"" } else { message.headers },
                payload: message.payload,
                time: message.time,
            }),
            Ok(None) => Err(ApiError::no_message_found()),
            // Deleted and unreadable are not the same: the reference would say that there is none.
            Err(error) => Err(ApiError::stream_general_error(error.to_string())),
        }
    }

    /// The last message of a subject, or of any that a pattern selects.
    pub(super) fn last_applied(&self, subject: &[u8]) -> Option<u64> {
        if martlet_subject::is_valid_literal(subject) {
            self.store.subject(subject).map(|state| state.last)
        } else {
            self.store.last(&Filter::new([subject]), u64::MAX)
        }
    }
}
