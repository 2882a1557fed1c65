//! Replies that `allow_responses` lends: each message delivered with a reply subject gives leave to publish there.
//!
//! Invariant: what is remembered stays within [`MAX_BYTES`]. At the bound the older half of the grants is
//! forgotten, so that a responder which never answers cannot make the server grow.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use martlet_config::options::ResponsePermission;
use martlet_events::Time;

use super::Permissions;

/// Grants made between two cleanings at most.
const PRUNE_AFTER_GRANTS: u32 = 4_096;

/// Time between two cleanings, when grants are made.
const PRUNE_AFTER: Duration = Duration::from_secs(1);

/// Most bytes remembered of one connection's grants.
const MAX_BYTES: usize = 8 << 20;

/// What one grant costs beside its subject, about.
const GRANT_OVERHEAD: usize = 64;

/// One connection's grants.
#[derive(Debug)]
pub struct Replies {
    permissions: Arc<Permissions>,
    rule: ResponsePermission,
    grants: HashMap<Box<[u8]>, Grant, RandomState>,
    bytes: usize,
    since_prune: u32,
    last_prune: Time,
}

#[derive(Debug)]
struct Grant {
    at: Time,
    used: i64,
}

impl Grant {
    fn is_spent(&self, rule: ResponsePermission) -> bool {
        rule.max > 0 && self.used >= rule.max
    }

    fn is_expired(&self, rule: ResponsePermission, now: Time) -> bool {
        !rule.expires.is_zero() && now.since(self.at) > rule.expires
    }
}

impl Replies {
    /// A tracker for a connection with `permissions`, if they have `allow_responses`.
    #[must_use]
    pub fn new(permissions: &Arc<Permissions>) -> Option<Self> {
        let rule = permissions.responses()?;
        Some(Self {
            permissions: permissions.clone(),
            rule,
            grants: HashMap::default(),
            bytes: 0,
            since_prune: 0,
            last_prune: Time::ORIGIN,
        })
    }

    /// A message with a reply subject was delivered.
    // spec: SEC-039
    pub fn on_delivered(&mut self, reply: &[u8], now: Time) {
        // As on the reference, a reply subject seen again first uses up what it has before it starts afresh.
        if reply.is_empty() || self.permissions.may_publish(reply) || self.may_reply(reply, now) {
            return;
        }
        if self.grants.insert(reply.into(), Grant { at: now, used: 0 }).is_none() {
            self.bytes += cost(reply);
        }
        self.since_prune += 1;
        if self.since_prune > PRUNE_AFTER_GRANTS || now.since(self.last_prune) > PRUNE_AFTER || self.bytes > MAX_BYTES {
            self.prune(now);
        }
    }

    /// Whether a message may be published to `subject` on the strength of a grant; uses one reply of it.
    // spec: SEC-039
    pub fn may_reply(&mut self, subject: &[u8], now: Time) -> bool {
        let Some(grant) = self.grants.get_mut(subject) else {
            return false;
        };
        if grant.is_spent(self.rule) || grant.is_expired(self.rule, now) {
            self.grants.remove(subject);
            self.bytes -= cost(subject);
            return false;
        }
        grant.used += 1;
        true
    }

    fn prune(&mut self, now: Time) {
        let rule = self.rule;
        self.retain(|grant| !grant.is_spent(rule) && !grant.is_expired(rule, now));
        if self.bytes > MAX_BYTES {
            let mut ages: Vec<Time> = self.grants.values().map(|grant| grant.at).collect();
            let middle = ages.len() / 2;
            let median = *ages.select_nth_unstable(middle).1;
            self.retain(|grant| grant.at > median);
        }
        self.since_prune = 0;
        self.last_prune = now;
    }

    fn retain(&mut self, keep: impl Fn(&Grant) -> bool) {
        let bytes = &mut self.bytes;
        self.grants.retain(|subject, grant| {
            let kept = keep(grant);
            if !kept {
                *bytes -= cost(subject);
            }
            kept
        });
        if self.grants.capacity() > 8 * self.grants.len().max(64) {
            self.grants.shrink_to_fit();
        }
    }
}

fn cost(subject: &[u8]) -> usize {
    subject.len() + GRANT_OVERHEAD
}

#[cfg(test)]
mod tests;
