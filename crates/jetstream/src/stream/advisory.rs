//! What a stream tells everybody of itself.
// spec: JS-139 JS-141

use martlet_store::Damage;

use super::{Changed, Stream};
use crate::api::json::ToJson;
use crate::out::{Out, Outgoing, unique};

/// Why a batch came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Abandoned {
    /// Nothing came for too long.
    Timeout,
    /// It had too many messages.
    Large,
    /// A message is missing.
    Incomplete,
    /// It asks for what this server cannot do.
    Unsupported,
}

impl Abandoned {
    fn word(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Large => "large",
            Self::Incomplete => "incomplete",
            Self::Unsupported => "unsupported",
        }
    }
}

impl Stream {
    /// Tells that the stream was created or updated.
    pub(super) fn announce(&mut self, changed: &Changed, out: &mut dyn Out) {
        match changed {
            Changed::Created => self.announce_action("CREATED", "create", out),
            Changed::Updated => self.announce_action("UPDATED", "modify", out),
            _ => {}
        }
    }

    /// Tells that the stream is there: to be called by whoever brings it from elsewhere.
    pub fn announce_creation(&mut self, out: &mut dyn Out) {
        self.announce(&Changed::Created, out);
    }

    /// Tells that the stream is deleted, and its consumers with it: to be called by whoever deletes it, before that.
    pub fn announce_deletion(&self, out: &mut dyn Out) {
        for name in self.consumers() {
            self.announce_consumer("DELETED", "delete", name, out);
        }
        self.announce_action("DELETED", "delete", out);
    }

    /// Tells that a consumer came or went.
    pub(super) fn announce_consumer(&self, word: &str, action: &str, name: &str, out: &mut dyn Out) {
        let stream = &self.live.config.name;
        let subject = format!("$JS.EVENT.ADVISORY.CONSUMER.{word}.{stream}.{name}");
        if !out.is_wanted(subject.as_bytes()) {
            return;
        }
        let mut event = self.event("consumer_action", out);
        field("stream", stream, &mut event);
        field("consumer", name, &mut event);
        field("action", action, &mut event);
        self.end_event(event, &subject, out);
    }

    fn announce_action(&self, word: &str, action: &str, out: &mut dyn Out) {
        let subject = format!("$JS.EVENT.ADVISORY.STREAM.{word}.{}", self.live.config.name);
        if !out.is_wanted(subject.as_bytes()) {
            return;
        }
        let mut event = self.event("stream_action", out);
        field("stream", &self.live.config.name, &mut event);
        field("action", action, &mut event);
        self.end_event(event, &subject, out);
    }

    /// Tells that an atomic batch came to nothing.
    // spec: JS-073
    pub(super) fn announce_abandoned(&self, batch: &[u8], why: Abandoned, out: &mut dyn Out) {
        let subject = format!("$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.{}", self.live.config.name);
        if !out.is_wanted(subject.as_bytes()) {
            return;
        }
        let mut event = self.event("stream_batch_abandoned", out);
        field("stream", &self.live.config.name, &mut event);
        if !self.options.domain.is_empty() {
            field("domain", &self.options.domain, &mut event);
        }
        field("batch", &String::from_utf8_lossy(batch), &mut event);
        field("reason", why.word(), &mut event);
        event.push(b'}');
        out.publish(&Outgoing { subject: subject.as_bytes(), payload: &event, ..Outgoing::default() });
    }

    /// Tells of messages that cannot be read. The reference has no such event.
    pub(super) fn announce_damage(&self, damage: &Damage, out: &mut dyn Out) {
        let subject = format!("$JS.EVENT.ADVISORY.STREAM.UNREADABLE.{}", self.live.config.name);
        let Some(seqs) = damage.seqs.as_ref().filter(|_| out.is_wanted(subject.as_bytes())) else { return };
        let mut event = self.event("stream_unreadable", out);
        field("stream", &self.live.config.name, &mut event);
        for (name, seq) in [("first_seq", seqs.start()), ("last_seq", seqs.end())] {
            event.extend_from_slice(format!(",\"{name}\":{seq}").as_bytes());
        }
        field("reason", &damage.what, &mut event);
        self.end_event(event, &subject, out);
    }

    fn event(&self, kind: &str, out: &mut dyn Out) -> Vec<u8> {
        let mut event = b"{\"type\":".to_vec();
        put(&format!("io.nats.jetstream.advisory.v1.{kind}"), &mut event);
        field("id", &unique(out), &mut event);
        field("timestamp", &self.now.wall.to_string(), &mut event);
        event
    }

    fn end_event(&self, mut event: Vec<u8>, subject: &str, out: &mut dyn Out) {
        if !self.options.domain.is_empty() {
            field("domain", &self.options.domain, &mut event);
        }
        event.push(b'}');
        out.publish(&Outgoing { subject: subject.as_bytes(), payload: &event, ..Outgoing::default() });
    }
}

fn put(text: &str, event: &mut Vec<u8>) {
    text.to_json(event);
}

fn field(name: &str, value: &str, event: &mut Vec<u8>) {
    event.push(b',');
    put(name, event);
    event.push(b':');
    put(value, event);
}
