//! Subscriptions and the numbers of interest.

use std::collections::HashMap;
use std::sync::Arc;

use martlet_broker::account::Account;
use martlet_broker::imports::ServiceImport;
use martlet_broker::interest::Target;
use martlet_broker::subscription::Subscription;
use martlet_monitor::snapshot::{InterestStats, SubRef};

use super::View;

impl View {
    pub(super) fn each_subscription(&self, account: Option<&str>, visit: &mut dyn FnMut(SubRef<'_>)) {
        for account in self.named(account) {
            let rules = account.rules();
            let numbers = rules.services.iter().map(Arc::as_ptr).zip(1..).collect();
            account.interest.for_each(|target| show(&account, &numbers, target, visit));
        }
    }

    pub(super) fn interest_of(&self, account: Option<&str>) -> InterestStats {
        let mut sum = InterestStats::default();
        for account in self.named(account) {
            sum += stats(&account);
        }
        sum
    }

    /// The account of that name, or all.
    fn named(&self, account: Option<&str>) -> Vec<Arc<Account>> {
        match account {
            Some(name) => self.broker.accounts.get(name).into_iter().collect(),
            None => self.broker.accounts.all(),
        }
    }
}

pub(super) fn stats(account: &Account) -> InterestStats {
    let stats = account.interest.stats();
    InterestStats {
        subscriptions: stats.subscriptions,
        cached: stats.cached,
        inserts: stats.inserts,
        removes: stats.removes,
        matches: stats.matches,
        cache_hits: stats.cache_hits,
        max_fanout: stats.max_fanout,
        total_fanout: stats.total_fanout,
    }
}

/// The imports of one account, numbered in their order.
type Numbers = HashMap<*const ServiceImport, u32>;

/// Shows one target. What the server itself listens for has a number of its own and no connection.
fn show(account: &Account, numbers: &Numbers, target: &Target, visit: &mut dyn FnMut(SubRef<'_>)) {
    match target {
        Target::Subscription(own) => client(account.name(), own.subject(), own, visit),
        Target::Shadow(shadow) => {
            // It counts for the account that imports.
            let importer = shadow.subscription.peer.account();
            let importer = importer.as_ref().map_or("", |account| account.name());
            client(importer, &shadow.pattern, &shadow.subscription, visit);
        }
        Target::Service(import) => {
            let sid = numbers.get(&Arc::as_ptr(import)).map_or_else(String::new, u32::to_string);
            own(account.name(), &import.local, &sid, import.requests(), visit);
        }
        Target::Internal(service) => own(account.name(), &service.subject, &service.sid, 0, visit),
        // What other servers want is theirs to show.
        Target::Remote(_) => {}
    }
}

fn client(account: &str, subject: &[u8], of: &Subscription, visit: &mut dyn FnMut(SubRef<'_>)) {
    visit(SubRef {
        account,
        account_tag: account,
        subject: &String::from_utf8_lossy(subject),
        queue: &String::from_utf8_lossy(of.queue().unwrap_or_default()),
        sid: &String::from_utf8_lossy(of.sid()),
        msgs: of.delivered(),
        max: of.max(),
        cid: of.peer.cid(),
    });
}

fn own(account: &str, subject: &[u8], sid: &str, msgs: u64, visit: &mut dyn FnMut(SubRef<'_>)) {
    let subject = &String::from_utf8_lossy(subject);
    visit(SubRef { account, account_tag: account, subject, queue: "", sid, msgs, max: 0, cid: 0 });
}
