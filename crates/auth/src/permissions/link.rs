//! Permissions as links between a hub and its leaf nodes ask for them.

use super::Permissions;
use super::pattern::{has_wildcard, is_well_formed};

impl Permissions {
    /// Whether a message may be sent; what begins with `free` needs not be allowed, but must not be denied.
    #[must_use]
    pub fn may_publish_over_link(&self, subject: &[u8], free: &[u8]) -> bool {
        if !subject.starts_with(free) {
            return self.may_publish(subject);
        }
        !(is_well_formed(subject) && self.publish.deny.selects(subject))
    }

    /// Whether interest may be told. Unlike a client's, a pattern is told as soon as some of it is allowed: messages are
    /// filtered one by one.
    // spec: CLU-057
    #[must_use]
    pub fn may_ask(&self, pattern: &[u8], free: &[u8]) -> bool {
        let overlaps = |pattern| has_wildcard(pattern) && is_well_formed(pattern);
        let allowed = pattern.starts_with(free)
            || self
                .subscribe_allow
                .as_ref()
                .is_none_or(|allow| allow.admits(pattern, None) || overlaps(pattern) && allow.plain.overlaps(pattern));
        allowed && !self.subscribe_deny.refuses(pattern, None)
    }

    /// Whether `subject` is denied to subscriptions in `queue`, or in none.
    #[must_use]
    pub fn is_denied(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        self.subscribe_deny.refuses(subject, queue)
    }
}
