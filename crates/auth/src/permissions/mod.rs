//! What an identity may do with subjects.
//!
//! Compiled once per user and shared by its connections. Answers are not remembered here: a cache belongs
//! to whoever knows the traffic.
//!
//! Invariant: deny wins, and nothing is delivered that the lists do not allow, also where a subscription
//! was accepted that reaches further than they do.

mod link;
mod pattern;
mod replies;

use martlet_config::options;
use pattern::{Pattern, PatternSet, QueuePattern, has_wildcard, is_well_formed};

pub use replies::Replies;

/// Compiled permissions of a user.
#[derive(Debug)]
pub struct Permissions {
    publish: Publish,
    subscribe_allow: Option<SubscribeSet>,
    subscribe_deny: SubscribeSet,
    responses: Option<options::ResponsePermission>,
    source: options::Permissions,
}

/// Whether a subscription may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscribe {
    /// No.
    Denied,
    /// Yes, and everything it selects may be delivered.
    Allowed,
    /// Yes, but it selects more than may be delivered: ask [`Permissions::may_receive`] for every message.
    AllowedFiltered,
}

#[derive(Debug)]
struct Publish {
    allow: Option<PatternSet>,
    deny: PatternSet,
}

/// Entries for every subscription, and entries for some queue groups.
#[derive(Debug, Default)]
struct SubscribeSet {
    plain: PatternSet,
    queues: Vec<QueuePattern>,
}

impl Permissions {
    /// Compiles what the configuration says.
    // spec: SEC-036 CFG-115
    #[must_use]
    pub fn compile(source: &options::Permissions) -> Self {
        let responses = source.allow_responses.map(|rule| options::ResponsePermission {
            max: if rule.max == 0 { options::ResponsePermission::default().max } else { rule.max },
            ..rule
        });
        let mut allow = source.publish.allow.as_deref().map(publish_set);
        if responses.is_some() {
            // Whoever may answer may publish nothing else, unless it is said.
            allow.get_or_insert_default();
        }
        Self {
            publish: Publish { allow, deny: publish_set(&source.publish.deny) },
            subscribe_allow: source.subscribe.allow.as_deref().map(SubscribeSet::compile),
            subscribe_deny: SubscribeSet::compile(&source.subscribe.deny),
            responses,
            source: source.clone(),
        }
    }

    /// As they were configured, to be shown.
    #[must_use]
    pub fn source(&self) -> &options::Permissions {
        &self.source
    }

    /// Whether a message may be published to `subject`; a refusal may still be lifted by [`Replies::may_reply`].
    // spec: SEC-036
    #[must_use]
    pub fn may_publish(&self, subject: &[u8]) -> bool {
        // A subject with empty tokens matches no entry: an allow list refuses it, a deny list does not.
        let well_formed = is_well_formed(subject);
        self.publish.allow.as_ref().is_none_or(|allow| well_formed && allow.selects(subject))
            && !(well_formed && self.publish.deny.selects(subject))
    }

    /// Whether a subscription to `subject`, in `queue` if there is one, may be made.
    // spec: SEC-036 SEC-037 SEC-038
    #[must_use]
    pub fn may_subscribe(&self, subject: &[u8], queue: Option<&[u8]>) -> Subscribe {
        if !self.subscribe_allow.as_ref().is_none_or(|allow| allow.admits(subject, queue))
            || self.subscribe_deny.refuses(subject, queue)
        {
            return Subscribe::Denied;
        }
        // A literal subscription selects exactly what was just asked about.
        if !has_wildcard(subject) {
            return Subscribe::Allowed;
        }
        let reaches_further = self.subscribe_allow.as_ref().is_some_and(|allow| !allow.covers(subject, queue));
        if reaches_further || self.subscribe_deny.overlaps(subject, queue) {
            Subscribe::AllowedFiltered
        } else {
            Subscribe::Allowed
        }
    }

    /// Whether a message on `subject` may be delivered to a subscription in `queue`, or in none.
    ///
    /// A subscription to `a.>` is accepted where `a.*` is allowed, as other servers do; unlike them, only
    /// what `a.*` selects is delivered.
    // spec: SEC-037
    #[must_use]
    pub fn may_receive(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        self.subscribe_allow.as_ref().is_none_or(|allow| allow.lets_through(subject, queue))
            && !self.subscribe_deny.refuses(subject, queue)
    }

    /// What `allow_responses` says.
    #[must_use]
    pub fn responses(&self) -> Option<options::ResponsePermission> {
        self.responses
    }
}

impl SubscribeSet {
    fn compile(entries: &[options::PermissionSubject]) -> Self {
        let mut set = Self::default();
        for entry in entries {
            match &entry.queue {
                None => set.plain.insert(entry.subject.as_bytes()),
                Some(queue) => set.queues.push(QueuePattern::parse(entry.subject.as_bytes(), queue.as_bytes())),
            }
        }
        set
    }

    /// As an allow list. Where entries name queue groups for this subject, a group must be among them.
    // spec: SEC-038
    fn admits(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        if !is_well_formed(subject) {
            return false;
        }
        let mut named = false;
        if let Some(queue) = queue {
            for entry in self.queues.iter().filter(|entry| entry.subject.selects(subject)) {
                if entry.means(queue) {
                    return true;
                }
                named = true;
            }
        }
        !named && self.plain.selects(subject)
    }

    /// As an allow list at delivery: the group was admitted when the subscription was made.
    fn lets_through(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        is_well_formed(subject)
            && (self.plain.selects(subject) || self.any_queue(queue, |pattern| pattern.selects(subject)))
    }

    /// As a deny list.
    // spec: SEC-037 SEC-038
    fn refuses(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        is_well_formed(subject)
            && (self.plain.selects(subject) || self.any_queue(queue, |pattern| pattern.selects(subject)))
    }

    fn covers(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        self.plain.covers(subject) || self.any_queue(queue, |pattern| pattern.covers(subject))
    }

    fn overlaps(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        self.plain.overlaps(subject) || self.any_queue(queue, |pattern| pattern.overlaps(subject))
    }

    fn any_queue(&self, queue: Option<&[u8]>, fits: impl Fn(&Pattern) -> bool) -> bool {
        queue.is_some_and(|queue| self.queues.iter().any(|entry| fits(&entry.subject) && entry.means(queue)))
    }
}

/// Publishing knows no queue groups; an entry that names one stands for its subject.
fn publish_set(entries: &[options::PermissionSubject]) -> PatternSet {
    let mut set = PatternSet::default();
    for entry in entries {
        set.insert(entry.subject.as_bytes());
    }
    set
}

#[cfg(test)]
mod tests;
