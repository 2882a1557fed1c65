//! How many subscribers a subject has: for someone who looks for them, and for another server that is asked.

use martlet_broker::account::Account;
use martlet_broker::interest::Target;
use martlet_broker::subscription::Subscription;
use martlet_monitor::body::Body;
use martlet_proto::headers;
use martlet_subject as subject;
use serde::Deserialize;

use super::{Request, Services};

/// Where a request comes from, if it crossed accounts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Origin {
    acc: String,
    svc: String,
}

impl Services {
    /// `$SYS.DEBUG.SUBSCRIBERS`: the body is a subject, and a queue group if there is a second word.
    // spec: CLU-093
    pub(super) fn count_for_client(&self, request: &Request) {
        let Some(account) = self.asking_account(request) else { return };
        let body = String::from_utf8_lossy(&request.payload);
        let mut words = body.trim().split(' ');
        let (subject, queue) = (words.next().unwrap_or_default(), words.next());
        let count = count(&account, subject.as_bytes(), queue.map(str::as_bytes));
        self.publish(&request.reply, b"", count.to_string().as_bytes());
    }

    /// The account whose subscribers are meant: that of the one who asks.
    fn asking_account(&self, request: &Request) -> Option<std::sync::Arc<Account>> {
        if request.headers.is_empty() {
            return self.broker.system_account();
        }
        let origin: Origin = serde_json::from_slice(headers::get(&request.headers, b"Nats-Request-Info")?).ok()?;
        match (origin.svc.as_str(), origin.acc.as_str()) {
            ("", "") => self.broker.system_account(),
            ("", account) | (account, _) => self.broker.accounts.get(account),
        }
    }

    /// `$SYS.REQ.ACCOUNT.NSUBS`: asked by a server that adds up. One that has nobody in the account says nothing.
    // spec: CLU-093
    pub(super) fn count_for_another(&self, request: &Request) {
        let Ok(mut body) = Body::parse(&request.payload, "accNumSubsReq") else { return };
        let (account, subject, queue) = (body.text("acc"), body.text("subject"), body.bytes("queue"));
        let account = self.broker.accounts.get(&account).filter(|account| account.connections() > 0);
        if let (Ok(()), Some(account)) = (body.finish(), account) {
            let count = count(&account, subject.as_bytes(), queue.as_deref());
            self.publish(&request.reply, b"", count.to_string().as_bytes());
        }
    }
}

/// The subscriptions of clients that a message on `wanted` reaches, or that a pattern has inside; only those of a queue
/// group if one is named.
fn count(account: &Account, wanted: &[u8], queue: Option<&[u8]>) -> usize {
    let mut count = 0;
    if subject::is_valid_literal(wanted) {
        account.interest.for_each_match(wanted, |target| count += usize::from(client(target, queue).is_some()));
    } else {
        account.interest.for_each(|target| {
            let inside = client(target, queue).is_some_and(|pattern| subject::is_subset(pattern, wanted));
            count += usize::from(inside);
        });
    }
    count
}

/// The pattern of a client's subscription, in this queue group if one is named.
fn client<'t>(target: &'t Target, queue: Option<&[u8]>) -> Option<&'t [u8]> {
    let in_group = |of: &Subscription| queue.is_none_or(|queue| of.queue() == Some(queue));
    match target {
        Target::Subscription(own) => in_group(own).then(|| own.subject()),
        Target::Shadow(shadow) => in_group(&shadow.subscription).then_some(&*shadow.pattern),
        Target::Service(_) | Target::Internal(_) => None,
    }
}
