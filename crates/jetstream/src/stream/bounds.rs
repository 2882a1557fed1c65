//! What bounds refuse: of the stream, of its subjects, of the account.
//!
//! Where the oldest messages make room, that is the store's to do; here are the bounds at which new ones are refused.

use super::Stream;
use super::admit::{Plan, Proposal, Rollup};
use crate::api::ApiError;

impl Stream {
    /// Whether the account may have so much.
    // spec: JS-143
    pub(super) fn check_room(&self, message: &Proposal<'_>, plan: &Plan) -> Result<(), ApiError> {
        if self.planned_size(message, plan) > self.room.account {
            return Err(ApiError::account_resources_exceeded());
        }
        Ok(())
    }

    /// The bytes of a message, as the store will count them.
    pub(super) fn planned_size(&self, message: &Proposal<'_>, plan: &Plan) -> u64 {
        let block = plan.headers.as_deref().unwrap_or(message.headers);
        self.shape.size(message.subject, block, b"") + payload_len(message, plan) as u64
    }

    // spec: JS-047 JS-075
    pub(super) fn check_bounds(&self, message: &Proposal<'_>, plan: &Plan) -> Result<(), ApiError> {
        let bounds = self.shape.refusing;
        // A rollup makes the room that it needs.
        let per_subject = bounds.max_msgs_per_subject;
        if per_subject > 0 && plan.rollup.is_none() && self.messages_of(message.subject) >= per_subject {
            return Err(ApiError::stream_store_failed("maximum messages per subject exceeded"));
        }
        if bounds.max_msgs == 0 && bounds.max_bytes == 0 {
            return Ok(());
        }
        let (messages, bytes) = self.totals();
        // Where a subject is full its oldest message makes room for the new one.
        let per_subject = self.shape.limits.max_msgs_per_subject;
        let is_replacing = per_subject > 0 && self.messages_of(message.subject) >= per_subject;
        if bounds.max_msgs > 0 && messages >= bounds.max_msgs && !is_replacing {
            return Err(ApiError::stream_store_failed("maximum messages exceeded"));
        }
        let size = self.planned_size(message, plan);
        if bounds.max_bytes > 0 && bytes.saturating_add(size) > bounds.max_bytes {
            let replaced = if is_replacing { self.size_of_first(message.subject) } else { 0 };
            if replaced <= size {
                return Err(ApiError::stream_store_failed("maximum bytes exceeded"));
            }
        }
        Ok(())
    }

    fn size_of_first(&self, subject: &[u8]) -> u64 {
        let Some(state) = self.store.subject(subject) else { return 0 };
        let first =
            self.store.get(state.first, &mut Vec::new()).ok().flatten().map(|m| (m.headers.len(), m.payload.len()));
        first.map_or(0, |(headers, payload)| {
            self.shape.size(subject, if headers == 0 { b"" } else { b"h" }, b"") + (headers + payload) as u64
        })
    }

    /// How many messages and bytes more there will be with a message, as far as bounds that refuse need it.
    pub(super) fn delta(&self, message: &Proposal<'_>, plan: &Plan) -> (i64, i64) {
        let bounds = self.shape.refusing;
        if bounds.max_msgs == 0 && bounds.max_bytes == 0 {
            return (0, 0);
        }
        let size = self.planned_size(message, plan);
        let (mut messages, mut bytes) = (1_i64, i64::try_from(size).unwrap_or(i64::MAX));
        let per_subject = self.shape.limits.max_msgs_per_subject;
        match plan.rollup {
            Some(Rollup::All) => {
                let totals = self.totals();
                messages -= i64::try_from(totals.0).unwrap_or(0);
                bytes -= i64::try_from(totals.1).unwrap_or(0);
            }
            Some(Rollup::Subject) => {
                messages -= i64::try_from(self.messages_of(message.subject)).unwrap_or(0);
                bytes -= i64::try_from(self.size_of_first(message.subject)).unwrap_or(0);
            }
            None if per_subject > 0 && self.messages_of(message.subject) >= per_subject => {
                messages = 0;
                bytes -= i64::try_from(self.size_of_first(message.subject)).unwrap_or(0);
            }
            None => {}
        }
        (messages, bytes)
    }
}

/// The length of a message's payload as it will be kept.
pub(super) fn payload_len(message: &Proposal<'_>, plan: &Plan) -> usize {
    plan.count.as_ref().map_or(message.payload.len(), |count| count.len() + super::counter::OVERHEAD)
}
