//! What there will be when everything proposed stands.

use martlet_store::Filter;
use martlet_subject::matches;

use super::Stream;
use super::group::Group;
use crate::api::ApiError;

impl Stream {
    /// What is proposed, the newest first.
    pub(super) fn proposals(&self) -> impl Iterator<Item = &Group> {
        std::iter::once(&self.current).chain(self.waiting.iter().rev()).chain(self.in_flight.iter().rev())
    }

    /// The sequence of the last message of a subject, or of any that a pattern selects; 0 for none.
    pub(super) fn last_of(&self, subject: &[u8]) -> u64 {
        if martlet_subject::is_valid_literal(subject) {
            self.last_of_literal(subject)
        } else {
            self.last_of_pattern(subject)
        }
    }

    fn last_of_literal(&self, subject: &[u8]) -> u64 {
        for (newer, group) in self.proposals().enumerate() {
            if let Some(proposed) = group.subject(subject) {
                let last = proposed.last;
                return if self.is_taken(subject, last, newer) { 0 } else { last };
            }
        }
        let Some(state) = self.store.subject(subject) else { return 0 };
        let mut last = state.last;
        while last > 0 && self.proposals().any(|group| group.removes(last)) {
            last = self.store.last(&Filter::new([subject]), last - 1).unwrap_or(0);
        }
        if self.is_taken(subject, last, usize::MAX) { 0 } else { last }
    }

    fn last_of_pattern(&self, pattern: &[u8]) -> u64 {
        let proposed = self.proposals().enumerate().flat_map(|(newer, group)| {
            let subjects = group.subjects().filter(|(subject, _)| matches(pattern, subject));
            subjects.map(
                move |(subject, proposed)| if self.is_taken(subject, proposed.last, newer) { 0 } else { proposed.last },
            )
        });
        let proposed = proposed.max().unwrap_or(0);
        proposed.max(self.store.last(&Filter::new([pattern]), u64::MAX).unwrap_or(0))
    }

    /// Whether one of the newest groups purges a message.
    fn is_taken(&self, subject: &[u8], seq: u64, newer: usize) -> bool {
        self.proposals().take(newer).any(|group| group.purges(subject, seq))
    }

    /// How many messages a subject will have, for as far as bounds need it.
    pub(super) fn messages_of(&self, subject: &[u8]) -> u64 {
        let mut proposed = 0;
        for group in self.proposals() {
            if let Some(subject) = group.subject(subject) {
                proposed += subject.added;
                if subject.rolled_up {
                    return proposed;
                }
            }
        }
        proposed + self.store.subject(subject).map_or(0, |state| state.messages)
    }

    /// Looks at the headers and the payload of the last message of a subject, unless there is one that cannot be read.
    pub(super) fn with_last<T>(
        &self,
        subject: &[u8],
        look: impl FnOnce(Option<(&[u8], &[u8])>) -> T,
    ) -> Result<T, ApiError> {
        for (newer, group) in self.proposals().enumerate() {
            if let Some(proposed) = group.subject(subject) {
                let is_taken = self.is_taken(subject, proposed.last, newer);
                return Ok(look(if is_taken { None } else { group.last_message(proposed) }));
            }
        }
        let last = self.last_of(subject);
        let mut buffer = Vec::new();
        match self.store.get(last, &mut buffer) {
            Ok(Some(message)) if last > 0 => Ok(look(Some((message.headers, message.payload)))),
            Ok(_) => Ok(look(None)),
            Err(error) => Err(ApiError::stream_store_failed(error.to_string())),
        }
    }

    /// Messages and bytes that there will be.
    pub(super) fn totals(&self) -> (u64, u64) {
        let state = self.store.state();
        let (messages, size) = self.proposals().fold((0, 0), |sum, group| (sum.0 + group.messages, sum.1 + group.size));
        (state.messages.saturating_add_signed(messages), state.bytes.saturating_add_signed(size))
    }
}
