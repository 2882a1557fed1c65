//! Direct get: messages that go straight to whoever asks.
// spec: JS-082 JS-083 JS-084 JS-085

use martlet_events::WallTime;
use martlet_store::{Filter, Message, ReadError};

use super::Stream;
use super::commit::{about, header, number};
use crate::out::{Out, Outgoing};

/// What is asked for, as the request says it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectGet {
    /// The sequence, or the first; 0 for none given.
    pub seq: u64,
    /// The last of these subjects; empty for none given.
    pub last_by_subj: String,
    /// The next of these subjects; empty for none given.
    pub next_by_subj: String,
    /// How many messages; 0 for one, and no end.
    pub batch: u64,
    /// About how many bytes; 0 for as many as may wait for a client.
    pub max_bytes: u64,
    /// The earliest time.
    pub start_time: Option<WallTime>,
    /// The last of each of these subjects.
    pub multi_last: Vec<String>,
    /// The last sequence that counts; 0 for any.
    pub up_to_seq: u64,
    /// The last time that counts.
    pub up_to_time: Option<WallTime>,
    /// Without headers.
    pub no_hdr: bool,
}

/// The most subjects that `multi_last` may come to.
const MAX_SUBJECTS: usize = 1024;
/// What may wait for a client, if nothing else is said.
const MAX_PENDING_BYTES: u64 = 64 << 20;

impl DirectGet {
    fn is_empty(&self) -> bool {
        self.seq == 0
            && self.last_by_subj.is_empty()
            && self.next_by_subj.is_empty()
            && self.multi_last.is_empty()
            && self.start_time.is_none()
    }

    fn is_contradictory(&self) -> bool {
        let (seq, time) = (self.seq > 0, self.start_time.is_some());
        let (last, next, multi) =
            (!self.last_by_subj.is_empty(), !self.next_by_subj.is_empty(), !self.multi_last.is_empty());
        seq && (last || time)
            || last && (time || next || multi || self.batch > 0)
            || next && multi
            || self.up_to_seq > 0 && self.up_to_time.is_some()
    }

    fn max_bytes(&self) -> u64 {
        if self.max_bytes == 0 { MAX_PENDING_BYTES } else { self.max_bytes }
    }
}

impl Stream {
    /// Answers a request of `DIRECT.GET.<stream>`.
    pub fn direct_get(&self, request: &DirectGet, reply: &[u8], out: &mut dyn Out) {
        if request.is_empty() {
            status(reply, "408 Empty Request", out);
        } else if request.is_contradictory() {
            status(reply, "408 Bad Request", out);
        } else if request.multi_last.is_empty() {
            self.direct_get_batch(request, reply, out);
        } else {
            self.direct_get_multi(request, reply, out);
        }
    }

    /// Answers a request of `DIRECT.GET.<stream>.<subject>`.
    pub fn direct_get_last(&self, subject: &str, request: &DirectGet, reply: &[u8], out: &mut dyn Out) {
        let plain = DirectGet { no_hdr: request.no_hdr, max_bytes: request.max_bytes, ..DirectGet::default() };
        if subject.is_empty() || *request != plain {
            return status(reply, "408 Bad Request", out);
        }
        self.direct_get_batch(&DirectGet { last_by_subj: subject.to_owned(), ..plain }, reply, out);
    }

    fn direct_get_batch(&self, request: &DirectGet, reply: &[u8], out: &mut dyn Out) {
        let mut seq = request.start_time.map_or(request.seq, |time| self.store.first_since(time));
        let pattern = if request.next_by_subj.is_empty() { ">" } else { &request.next_by_subj };
        let filter = Filter::new([pattern.as_bytes()]);
        let is_batch = request.batch > 0;
        let mut pending = if is_batch { self.store.count(&filter, seq, false) } else { 0 };
        let (mut last, mut bytes) = (0, 0);
        let (mut buffer, mut block) = (Vec::new(), Vec::new());
        for sent in 0..request.batch.max(1) {
            let message = match self.direct_next(request, &filter, seq, &mut buffer) {
                Ok(Some(message)) => message,
                Ok(None) if sent > 0 && request.batch > 1 => break,
                Ok(None) => return status(reply, "404 Message Not Found", out),
                Err(error) => return unreadable(reply, &error, out),
            };
            pending = pending.saturating_sub(1);
            self.direct_send(&message, request.no_hdr, is_batch.then_some((pending, last)), reply, &mut block, out);
            (last, seq) = (message.seq, message.seq + 1);
            bytes += (message.subject.len() + message.headers.len() + message.payload.len()) as u64;
            if bytes >= request.max_bytes() {
                break;
            }
        }
        if is_batch {
            end(reply, pending, last, None, &mut block, out);
        }
    }

    fn direct_next<'b>(
        &self,
        request: &DirectGet,
        filter: &Filter,
        seq: u64,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Option<Message<'b>>, ReadError> {
        if !request.last_by_subj.is_empty() {
            return match self.last_applied(request.last_by_subj.as_bytes()) {
                Some(seq) => self.store.get(seq, buffer),
                None => Ok(None),
            };
        }
        if request.batch > 0 || !request.next_by_subj.is_empty() {
            return self.store.next(filter, seq, buffer);
        }
        self.store.get(seq, buffer)
    }

    fn direct_get_multi(&self, request: &DirectGet, reply: &[u8], out: &mut dyn Out) {
        let state = self.store.state();
        let mut up_to = request.up_to_seq;
        if let Some(time) = request.up_to_time {
            let first_after = self.store.first_since(time);
            if first_after <= state.first_seq {
                return status(reply, "404 No Results", out);
            }
            up_to = first_after - 1;
        }
        if up_to == 0 {
            up_to = state.last_seq;
        }
        let Some(seqs) = self.last_of_each(&request.multi_last, request.seq, up_to) else {
            return status(reply, "413 Too Many Results", out);
        };
        if seqs.is_empty() {
            return status(reply, "404 No Results", out);
        }
        let (mut last, mut bytes) = (0, 0);
        let (mut buffer, mut block) = (Vec::new(), Vec::new());
        let mut pending = seqs.len() as u64;
        let most = if request.batch == 0 { usize::MAX } else { usize::try_from(request.batch).unwrap_or(usize::MAX) };
        for seq in seqs.into_iter().take(most) {
            let message = match self.store.get(seq, &mut buffer) {
                Ok(Some(message)) => message,
                Ok(None) => return status(reply, "404 Message Not Found", out),
                Err(error) => return unreadable(reply, &error, out),
            };
            pending -= 1;
            self.direct_send(&message, false, Some((pending, last)), reply, &mut block, out);
            last = seq;
            bytes += (message.subject.len() + message.headers.len() + message.payload.len()) as u64;
            if bytes >= request.max_bytes() {
                break;
            }
        }
        end(reply, pending, last, Some(up_to), &mut block, out);
    }

    /// The last message of each subject that one of `patterns` selects, from `from` up to `up_to`, in order; `None` for
    /// too many.
    fn last_of_each(&self, patterns: &[String], from: u64, up_to: u64) -> Option<Vec<u64>> {
        let mut seqs = Vec::new();
        for pattern in patterns {
            self.store.for_each_subject(pattern.as_bytes(), &mut |subject, state| {
                let last = if state.last <= up_to {
                    Some(state.last)
                } else {
                    self.store.last(&Filter::new([subject]), up_to)
                };
                seqs.extend(last.filter(|&last| last >= from));
                seqs.len() <= 2 * MAX_SUBJECTS
            });
        }
        seqs.sort_unstable();
        seqs.dedup();
        (seqs.len() <= MAX_SUBJECTS).then_some(seqs)
    }

    fn direct_send(
        &self,
        message: &Message<'_>,
        no_hdr: bool,
        batch: Option<(u64, u64)>,
        reply: &[u8],
        block: &mut Vec<u8>,
        out: &mut dyn Out,
    ) {
        block.clear();
        if !no_hdr {
            about(block, message.headers, &self.live.config.name, message.subject, message.seq, message.time);
            if let Some((pending, last)) = batch {
                header(block, b"Nats-Num-Pending", |into| number(pending, into));
                header(block, b"Nats-Last-Sequence", |into| number(last, into));
            }
            block.extend_from_slice(b"\r\n");
        }
        out.publish(&Outgoing { subject: reply, headers: block, payload: message.payload, ..Outgoing::default() });
    }
}

/// Answers with a status alone.
pub(super) fn status(reply: &[u8], text: &str, out: &mut dyn Out) {
    let headers = format!("NATS/1.0 {text}\r\n\r\n");
    out.publish(&Outgoing { subject: reply, headers: headers.as_bytes(), ..Outgoing::default() });
}

/// A message is there, damaged: that is not the same as none, which the reference says.
fn unreadable(reply: &[u8], error: &ReadError, out: &mut dyn Out) {
    status(reply, &format!("500 {}", error.to_string().replace(['\r', '\n'], " ")), out);
}

fn end(reply: &[u8], pending: u64, last: u64, up_to: Option<u64>, block: &mut Vec<u8>, out: &mut dyn Out) {
    block.clear();
    block.extend_from_slice(b"NATS/1.0 204 EOB\r\n");
    header(block, b"Nats-Num-Pending", |into| number(pending, into));
    header(block, b"Nats-Last-Sequence", |into| number(last, into));
    if let Some(up_to) = up_to {
        header(block, b"Nats-UpTo-Sequence", |into| number(up_to, into));
    }
    block.extend_from_slice(b"\r\n");
    out.publish(&Outgoing { subject: reply, headers: block, ..Outgoing::default() });
}
