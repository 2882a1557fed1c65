//! Messages whose headers may ask for a trace (CORE-125 to CORE-131).

use martlet_proto::PublishHead;
use martlet_proto::errors::ErrorText;

use super::Session;
use crate::batch::Batch;
use crate::rewritten::Rewritten;
use crate::router::Message;
use crate::trace::{self, Begin, Publisher};

impl Session {
    /// Forwards a message, and publishes its trace if it asks for one and may have it.
    #[cold]
    pub(super) fn forward_traced(&mut self, message: &Message<'_>, batch: &mut Batch) {
        match self.begin_trace(message.headers(), message.subject, message.body.len(), batch) {
            Begin::Untraced => self.forward(message, batch),
            Begin::Dropped => {}
            // spec: CORE-129
            Begin::Denied(destination) => self.refuse_publish(&ErrorText::PublishViolation(&destination), batch),
            // spec: CORE-130
            Begin::Disabled => {
                let rewritten = Rewritten::new(message, &[(trace::DESTINATION, trace::DISABLED.as_bytes())]);
                self.forward(&rewritten.message(message.subject, message.reply), batch);
            }
            Begin::Traced(tracer) => {
                batch.tracer = Some(tracer);
                self.forward(message, batch);
                if let Some(tracer) = batch.tracer.take() {
                    batch.finish_trace(tracer);
                }
            }
        }
    }

    /// Publishes the trace of a message that is refused for its size, if what has been `seen` of it asks for one.
    // spec: CORE-131
    pub(super) fn trace_oversized(&mut self, head: &PublishHead<'_>, seen: &[u8], batch: &mut Batch) {
        let headers = &seen[..head.header_len.unwrap_or(0).min(seen.len())];
        if !trace::is_wanted(headers) {
            return;
        }
        match self.begin_trace(headers, head.subject, head.size, batch) {
            Begin::Traced(mut tracer) => {
                tracer.refused(&"maximum payload exceeded");
                batch.publish_trace(&tracer);
            }
            Begin::Denied(destination) => self.refuse_publish(&ErrorText::PublishViolation(&destination), batch),
            Begin::Untraced | Begin::Disabled | Begin::Dropped => {}
        }
    }

    fn begin_trace(&self, headers: &[u8], subject: &[u8], size: usize, batch: &mut Batch) -> Begin {
        let Some(account) = &self.account else { return Begin::Untraced };
        let at = account.site().wall(batch.now);
        let publisher =
            Publisher { peer: &self.peer, link: None, account, subject, size, at, chance: batch.rng.u8(0..100) };
        trace::begin(headers, &publisher, |destination| {
            !self.is_for_servers(destination)
                && self.permissions.as_ref().is_none_or(|permissions| permissions.may_publish(destination))
        })
    }
}
