//! Subscriptions and the numbers of interest.

use std::sync::Arc;

use martlet_broker::account::Account;
use martlet_broker::interest::Target;
use martlet_broker::link::RemoteSubscription;
use martlet_broker::subscription::Subscription;
use martlet_monitor::snapshot::{InterestStats, SubRef};

use super::View;

impl View {
    pub(super) fn each_subscription(&self, account: Option<&str>, visit: &mut dyn FnMut(SubRef<'_>)) {
        for account in self.named(account) {
            account.interest.for_each(|target| show(&account, target, visit));
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

/// Shows one target. What the server itself listens for has no id and no connection.
fn show(account: &Account, target: &Target, visit: &mut dyn FnMut(SubRef<'_>)) {
    match target {
        Target::Subscription(own) => client(account.name(), own.subject(), own, visit),
        Target::Shadow(shadow) => {
            // It counts for the account that imports.
            let importer = shadow.subscription.peer.account();
            let importer = importer.as_ref().map_or("", |account| account.name());
            client(importer, &shadow.pattern, &shadow.subscription, visit);
        }
        Target::Service(import) => own(account.name(), &import.local, visit),
        Target::Internal(service) => own(account.name(), &service.subject, visit),
        Target::Remote(remote) => visit(SubRef {
            account: account.name(),
            account_tag: account.name(),
            subject: &String::from_utf8_lossy(remote.subject()),
            queue: &String::from_utf8_lossy(remote.queue().unwrap_or_default()),
            sid: &sid_of(account, remote),
            msgs: 0,
            max: 0,
            cid: remote.link.peer.cid(),
        }),
    }
}

/// What another server wants is told apart by what it said: the account, the subject and the queue group.
fn sid_of(account: &Account, remote: &RemoteSubscription) -> String {
    let text = String::from_utf8_lossy;
    let mut sid = match &remote.link.account {
        None => format!("{} {}", account.name(), text(remote.subject())),
        Some(_) => text(remote.subject()).into_owned(),
    };
    if let Some(queue) = remote.queue() {
        sid.push(' ');
        sid.push_str(&text(queue));
    }
    sid
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

fn own(account: &str, subject: &[u8], visit: &mut dyn FnMut(SubRef<'_>)) {
    let subject = &String::from_utf8_lossy(subject);
    visit(SubRef { account, account_tag: account, subject, queue: "", sid: "", msgs: 0, max: 0, cid: 0 });
}
