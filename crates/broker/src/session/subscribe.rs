//! SUB and UNSUB: a connection's own subscriptions.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use martlet_auth::Subscribe;
use martlet_proto::errors::ErrorText;
use martlet_subject as subject;

use super::Session;
use crate::account::Account;
use crate::batch::Batch;
use crate::imports::Shadow;
use crate::interest::Target;
use crate::registry::{KeptSubscription, KeptSubscriptions};
use crate::subscription::Subscription;

/// The queue group that only the server may join (CORE-048).
const SYSTEM_QUEUE: &[u8] = b"_sys_";

/// A subscription with its stand-ins in accounts that export to its own.
#[derive(Debug)]
struct Entry {
    subscription: Arc<Subscription>,
    shadows: Option<Box<Shadows>>,
}

type Shadows = Vec<Arc<Shadow>>;

/// A connection's subscriptions by sid.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    own: HashTable<Entry>,
    hasher: RandomState,
}

impl Subscriptions {
    /// How many there are, and the texts of at most `most` of them.
    pub(super) fn describe(&self, most: usize) -> KeptSubscriptions {
        let texts = self.own.iter().take(most).map(|e| KeptSubscription::of(&e.subscription)).collect();
        KeptSubscriptions { count: u32::try_from(self.own.len()).unwrap_or(u32::MAX), texts }
    }
}

impl Session {
    pub(super) fn subscribe(&mut self, wanted: &[u8], queue: Option<&[u8]>, sid: &[u8], batch: &mut Batch) {
        let Some(account) = self.account.clone() else { return };
        let verdict = match &self.permissions {
            None => Subscribe::Allowed,
            Some(permissions) => permissions.may_subscribe(wanted, queue),
        };
        // spec: CORE-048 CORE-077
        if verdict == Subscribe::Denied || queue == Some(SYSTEM_QUEUE) {
            return self.refuse_subscription(wanted, queue, sid, batch);
        }
        let limits = &self.settings.limits;
        // spec: CORE-050
        if limits.max_sub_tokens > 0 && subject::token_count(wanted) > usize::from(limits.max_sub_tokens) {
            return self.send_error(&ErrorText::TooManyTokens(wanted), batch);
        }
        // spec: CORE-049
        if self.is_at_subscription_limit(&account) {
            log::error!("{} - maximum subscriptions exceeded", self.label());
            return self.send_error(&ErrorText::MaxSubscriptions, batch);
        }
        let hash = self.subscriptions.hasher.hash_one(sid);
        // One that has had all it wanted is gone for the client, though nobody has come to remove it yet.
        let known = self.subscriptions.own.find(hash, |e| e.subscription.sid() == sid);
        let is_over = known.map(|e| e.subscription.is_over());
        if is_over == Some(true) {
            self.forget_subscription(sid);
        }
        // spec: CORE-047
        if is_over != Some(false) {
            // spec: CORE-046
            if !subject::is_valid_pattern(wanted) {
                return self.send_error(&ErrorText::InvalidSubject, batch);
            }
            let filtered = verdict == Subscribe::AllowedFiltered;
            let subscription = Arc::new(Subscription::new(self.peer.clone(), wanted, sid, queue, filtered));
            let shadows = cast_shadows(&account, &subscription, None);
            account.note_recent(wanted, batch.now);
            account.add(wanted, Target::Subscription(subscription.clone()));
            let hasher = &self.subscriptions.hasher;
            let entry = Entry { subscription, shadows };
            self.subscriptions.own.insert_unique(hash, entry, |e| hasher.hash_one(e.subscription.sid()));
            self.peer.counters.subscriptions.fetch_add(1, Relaxed);
        }
        self.send_ok(batch);
    }

    /// Tells a client that it may not subscribe to this.
    #[cold]
    fn refuse_subscription(&self, wanted: &[u8], queue: Option<&[u8]>, sid: &[u8], batch: &mut Batch) {
        let [subject, sid] = [wanted, sid].map(String::from_utf8_lossy);
        let group = queue.map(|queue| format!(" Queue: \"{}\",", String::from_utf8_lossy(queue))).unwrap_or_default();
        log::error!("{} - Subscription Violation - Subject \"{subject}\",{group} SID {sid}", self.label());
        let text = match queue {
            Some(queue) => ErrorText::QueueViolation { subject: wanted, queue },
            None => ErrorText::SubscribeViolation(wanted),
        };
        self.send_error(&text, batch);
    }

    fn is_at_subscription_limit(&self, account: &Account) -> bool {
        let server = self.settings.limits.max_subscriptions;
        let open = self.subscriptions.own.len();
        (server > 0 && open >= server as usize)
            || account.rules().limits.max_subscriptions.is_some_and(|max| open >= max as usize)
    }

    // spec: CORE-051 CORE-052
    pub(super) fn unsubscribe(&mut self, sid: &[u8], max: Option<u64>, batch: &mut Batch) {
        let hash = self.subscriptions.hasher.hash_one(sid);
        if let Some(entry) = self.subscriptions.own.find(hash, |e| e.subscription.sid() == sid) {
            entry.subscription.set_max(max.unwrap_or(0));
            // Asked after the maximum is set: a delivery meanwhile is either counted here or sees the maximum.
            if max.is_none_or(|max| max <= entry.subscription.delivered()) {
                self.forget_subscription(sid);
            }
        }
        self.send_ok(batch);
    }

    /// Withdraws a subscription that has had its last message, unless it is gone and its sid another's already.
    pub(super) fn forget_expired(&mut self, subscription: &Subscription) {
        let hash = self.subscriptions.hasher.hash_one(subscription.sid());
        let known = self.subscriptions.own.find(hash, |e| e.subscription.sid() == subscription.sid());
        if known.is_some_and(|e| e.subscription.is_over()) {
            self.forget_subscription(subscription.sid());
        }
    }

    /// Withdraws one subscription.
    pub(super) fn forget_subscription(&mut self, sid: &[u8]) {
        let hash = self.subscriptions.hasher.hash_one(sid);
        if let Ok(found) = self.subscriptions.own.find_entry(hash, |e| e.subscription.sid() == sid) {
            let (entry, _) = found.remove();
            self.withdraw(&entry);
        }
    }

    /// Withdraws every subscription.
    pub(super) fn drop_all_subscriptions(&mut self) {
        let mut own: Vec<_> = std::mem::take(&mut self.subscriptions.own).into_iter().collect();
        // In the order they came in, more or less: what was made together lies together, here and in the trie.
        own.sort_unstable_by_key(|entry| Arc::as_ptr(&entry.subscription));
        for entry in own {
            self.withdraw(&entry);
        }
    }

    fn withdraw(&self, entry: &Entry) {
        let Some(account) = &self.account else { return };
        let subscription = &entry.subscription;
        if let Some(log) = self.settings.protocol_log {
            log.unsubscribed(&self.peer, subscription.sid());
        }
        account.remove(subscription.subject(), &Target::Subscription(subscription.clone()));
        lift_shadows(entry.shadows.as_deref());
        self.peer.counters.subscriptions.fetch_sub(1, Relaxed);
    }

    /// After a reload: removes what is no longer allowed and casts shadows anew.
    // spec: CORE-078 SEC-041
    pub(super) fn review_subscriptions(&mut self, batch: &mut Batch) {
        let Some(account) = self.account.clone() else { return };
        let mut revoked = Vec::new();
        for entry in &mut self.subscriptions.own {
            let subscription = &entry.subscription;
            let verdict = match &self.permissions {
                None => Subscribe::Allowed,
                Some(permissions) => permissions.may_subscribe(subscription.subject(), subscription.queue()),
            };
            let filtered = verdict == Subscribe::AllowedFiltered;
            if verdict == Subscribe::Denied {
                lift_shadows(entry.shadows.take().as_deref());
                revoked.push(subscription.clone());
                continue;
            }
            if filtered != subscription.is_filtered() {
                let renewed = Arc::new(subscription.with_filter(filtered));
                let (old, new) = (Target::Subscription(subscription.clone()), Target::Subscription(renewed.clone()));
                account.interest.replace(subscription.subject(), &old, new);
                entry.subscription = renewed;
            }
            entry.shadows = cast_shadows(&account, &entry.subscription, entry.shadows.take());
        }
        for subscription in revoked {
            let (subject, queue, sid) = (subscription.subject(), subscription.queue(), subscription.sid());
            self.send_error(&ErrorText::SubscriptionRevoked { subject, queue, sid }, batch);
            self.forget_subscription(sid);
        }
    }
}

/// Puts a subscription's stand-ins into the accounts that its own imports streams from, in the place of the `old` ones where
/// these stood for the same: messages meanwhile meet one or the other. The old ones that no import wants any more go.
fn cast_shadows(
    account: &Account,
    subscription: &Arc<Subscription>,
    old: Option<Box<Shadows>>,
) -> Option<Box<Shadows>> {
    let mut old = old.map_or_else(Vec::new, |old| *old);
    let mut shadows = Vec::new();
    if account.imports_streams() {
        let rules = account.rules();
        for import in &rules.streams {
            if let (Some(shadow), Some(exporter)) = (import.shadow(subscription), import.exporter.upgrade()) {
                let shadow = Arc::new(shadow);
                let new = Target::Shadow(shadow.clone());
                match old.iter().position(|old| old.stands_like(&shadow)) {
                    Some(at) => {
                        exporter.interest.replace(&shadow.pattern, &Target::Shadow(old.swap_remove(at)), new);
                    }
                    None => exporter.add(&shadow.pattern, new),
                }
                shadows.push(shadow);
            }
        }
    }
    lift_shadows(Some(&old));
    (!shadows.is_empty()).then(|| Box::new(shadows))
}

fn lift_shadows(shadows: Option<&Shadows>) {
    for shadow in shadows.into_iter().flatten() {
        if let Some(exporter) = shadow.exporter.upgrade() {
            exporter.remove(&shadow.pattern, &Target::Shadow(shadow.clone()));
        }
    }
}
