//! Direct get: messages that go straight to whoever asks.
// spec: JS-082 JS-083 JS-084 JS-085

use std::mem::take;

use martlet_store::{Filter, Message, ReadError};

use super::Stream;
use super::commit::{about, header, number};
use crate::api::body::MsgGetBody;
use crate::out::{Out, Outgoing};

/// The most subjects that `multi_last` may come to.
const MAX_SUBJECTS: usize = 1024;
/// What may wait for a client, if nothing else is said.
const MAX_PENDING_BYTES: i64 = 64 << 20;

/// Whether nothing is asked for.
fn is_empty(request: &MsgGetBody) -> bool {
    request.seq == 0
        && request.last_by_subj.is_empty()
        && request.next_by_subj.is_empty()
        && request.multi_last.is_empty()
        && request.start_time.is_none()
}

fn is_contradictory(request: &MsgGetBody) -> bool {
    let (seq, time) = (request.seq > 0, request.start_time.is_some());
    let (last, next) = (!request.last_by_subj.is_empty(), !request.next_by_subj.is_empty());
    let multi = !request.multi_last.is_empty();
    seq && (last || time)
        || last && (time || next || multi || request.batch.0 > 0)
        || next && multi
        || request.up_to_seq > 0 && request.up_to_time.is_some()
}

/// Counts what is sent, up to about as many bytes as were asked for.
struct Meter {
    left: i64,
}

impl Meter {
    fn new(request: &MsgGetBody) -> Self {
        Self { left: if request.max_bytes.0 == 0 { MAX_PENDING_BYTES } else { request.max_bytes.0 } }
    }

    /// Whether that was enough.
    fn count(&mut self, message: &Message<'_>) -> bool {
        let bytes = message.subject.len() + message.headers.len() + message.payload.len();
        self.left = self.left.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.left <= 0
    }
}

impl Stream {
    /// Answers a request of `DIRECT.GET` for the last message of a subject.
    pub fn direct_get_last(&mut self, subject: &[u8], reply: &[u8], out: &mut dyn Out) {
        let (mut buffer, mut block) = (take(&mut self.scratch.message), take(&mut self.scratch.headers));
        match self.last_applied(subject).map_or(Ok(None), |seq| self.store.get(seq, &mut buffer)) {
            Ok(Some(message)) => self.direct_send(&message, false, None, reply, &mut block, out),
            Ok(None) => status(reply, "404 Message Not Found", out),
            Err(error) => unreadable(reply, &error, out),
        }
        (self.scratch.message, self.scratch.headers) = (buffer, block);
    }

    /// Answers a request of `DIRECT.GET`, by its body; a subject behind the stream's name is in there as `last_by_subj`.
    pub fn direct_get(&self, request: &MsgGetBody, reply: &[u8], out: &mut dyn Out) {
        if is_empty(request) {
            status(reply, "408 Empty Request", out);
        } else if is_contradictory(request) {
            status(reply, "408 Bad Request", out);
        } else if request.multi_last.is_empty() {
            self.direct_get_batch(request, reply, out);
        } else {
            self.direct_get_multi(request, reply, out);
        }
    }

    fn direct_get_batch(&self, request: &MsgGetBody, reply: &[u8], out: &mut dyn Out) {
        let mut seq = request.start_time.map_or(request.seq, |time| self.store.first_since(time));
        let pattern = if request.next_by_subj.is_empty() { ">" } else { &request.next_by_subj };
        let filter = Filter::new([pattern.as_bytes()]);
        let is_batch = request.batch.0 != 0;
        let most = if is_batch { request.batch.0.max(0) } else { 1 };
        let mut pending = if is_batch { self.store.count(&filter, seq, false) } else { 0 };
        let (mut last, mut meter) = (0, Meter::new(request));
        let (mut buffer, mut block) = (Vec::new(), Vec::new());
        for sent in 0..most {
            let message = match self.direct_next(request, &filter, seq, &mut buffer) {
                Ok(Some(message)) => message,
                Ok(None) if sent > 0 => break,
                Ok(None) => return status(reply, "404 Message Not Found", out),
                Err(error) => return unreadable(reply, &error, out),
            };
            pending = pending.saturating_sub(1);
            self.direct_send(&message, request.no_hdr, is_batch.then_some((pending, last)), reply, &mut block, out);
            (last, seq) = (message.seq, message.seq + 1);
            if meter.count(&message) {
                break;
            }
        }
        if is_batch {
            end(reply, pending, last, None, &mut block, out);
        }
    }

    fn direct_next<'b>(
        &self,
        request: &MsgGetBody,
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
        if request.batch.0 > 0 || !request.next_by_subj.is_empty() {
            return self.store.next(filter, seq, buffer);
        }
        self.store.get(seq, buffer)
    }

    fn direct_get_multi(&self, request: &MsgGetBody, reply: &[u8], out: &mut dyn Out) {
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
        let Some(mut seqs) = self.last_of_each(&request.multi_last, up_to) else {
            return status(reply, "413 Too Many Results", out);
        };
        if seqs.is_empty() {
            return status(reply, "404 No Results", out);
        }
        seqs.retain(|&seq| seq >= request.seq);
        let (mut last, mut meter) = (0, Meter::new(request));
        let (mut buffer, mut block) = (Vec::new(), Vec::new());
        let mut pending = seqs.len() as u64;
        let most = usize::try_from(request.batch.0).ok().filter(|&most| most > 0).unwrap_or(usize::MAX);
        for seq in seqs.into_iter().take(most) {
            let message = match self.store.get(seq, &mut buffer) {
                Ok(Some(message)) => message,
                Ok(None) => return status(reply, "404 Message Not Found", out),
                Err(error) => return unreadable(reply, &error, out),
            };
            pending -= 1;
            self.direct_send(&message, false, Some((pending, last)), reply, &mut block, out);
            last = seq;
            if meter.count(&message) {
                break;
            }
        }
        end(reply, pending, last, Some(up_to), &mut block, out);
    }

    /// The last message of each subject that one of `patterns` selects, from `from` up to `up_to`, in order; `None` for
    /// too many.
    fn last_of_each(&self, patterns: &[String], up_to: u64) -> Option<Vec<u64>> {
        let mut seqs = Vec::new();
        for pattern in patterns {
            self.store.for_each_subject(pattern.as_bytes(), &mut |subject, state| {
                let last = if state.last <= up_to {
                    Some(state.last)
                } else {
                    self.store.last(&Filter::new([subject]), up_to)
                };
                seqs.extend(last.filter(|&last| last > 0));
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
