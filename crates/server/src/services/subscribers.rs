//! How many subscribers a subject has: for someone who looks for them, and for another server that is asked.
//!
//! Where other servers have connections of the account too, they are asked, and whoever answers in time is added.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use martlet_broker::account::Account;
use martlet_broker::interest::Target;
use martlet_broker::json;
use martlet_broker::subscription::Subscription;
use martlet_monitor::body::Body;
use martlet_net::clock;
use martlet_proto::headers;
use martlet_subject as subject;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::{Request, Services};

/// How long other servers may take.
const PATIENCE: Duration = Duration::from_millis(500);
/// Sums that may be open; beyond, only what is here is counted.
const MAX_OPEN: usize = 256;

/// Sums that other servers are asked to add to.
#[derive(Debug, Default)]
pub(super) struct Sums {
    open: HashMap<u64, Sum>,
    last: u64,
}

#[derive(Debug)]
struct Sum {
    reply: Box<[u8]>,
    count: u64,
    /// Answers that are still to come.
    missing: usize,
}

/// What another server is asked.
#[derive(Serialize)]
struct Question<'a> {
    acc: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
}

/// Where answers of other servers to the server that is called `id` go.
pub(super) fn inbox(id: &str, last: &str) -> String {
    format!("$SYS._INBOX.{id}.{last}")
}

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
    pub(super) fn count_for_client(self: &Arc<Self>, request: &Request) {
        let Some(account) = self.asking_account(request) else { return };
        let body = String::from_utf8_lossy(&request.payload);
        let mut words = body.trim().split(' ');
        let (subject, queue) = (words.next().unwrap_or_default(), words.next());
        let count = count(&account, subject.as_bytes(), queue.map(str::as_bytes));
        let (servers, _) = self.broker.servers.of_account(account.name());
        let sum = Sum { reply: request.reply.clone(), count: count as u64, missing: servers };
        match self.open(sum) {
            Ok(number) => {
                let queue = queue.map(|queue| BASE64.encode(queue.as_bytes()));
                self.ask_others(number, &Question { acc: account.name(), subject, queue });
            }
            Err(sum) => self.tell(&sum),
        }
    }

    /// Opens a sum and gives its number, unless nobody is to add to it or too many are open.
    fn open(&self, sum: Sum) -> Result<u64, Sum> {
        let mut sums = self.sums.lock();
        if sum.missing == 0 || sums.open.len() >= MAX_OPEN {
            return Err(sum);
        }
        sums.last += 1;
        let number = sums.last;
        sums.open.insert(number, sum);
        Ok(number)
    }

    fn ask_others(self: &Arc<Self>, number: u64, question: &Question<'_>) {
        let reply = inbox(&self.broker.identity().id, &number.to_string());
        if let Some(system) = &self.broker.site().about().system_account {
            let to = (b"$SYS.REQ.ACCOUNT.NSUBS".as_slice(), reply.as_bytes());
            self.broker.publish_internal(system, to, (b"", &json::to_vec(question)), clock::now());
        }
        let services = self.clone();
        Handle::current().spawn(async move {
            sleep(PATIENCE).await;
            let late = services.sums.lock().open.remove(&number);
            if let Some(sum) = late {
                services.tell(&sum);
            }
        });
    }

    /// Another server has answered.
    pub(super) fn add(&self, request: &Request) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let number = request.subject.rsplit(|byte| *byte == b'.').next().and_then(|last| text(last).parse().ok());
        let Some(number) = number else { return };
        let complete = {
            let mut sums = self.sums.lock();
            let Some(sum) = sums.open.get_mut(&number) else { return };
            sum.count += text(&request.payload).parse::<u32>().map_or(0, u64::from);
            sum.missing -= 1;
            if sum.missing == 0 { sums.open.remove(&number) } else { None }
        };
        if let Some(sum) = complete {
            self.tell(&sum);
        }
    }

    fn tell(&self, sum: &Sum) {
        self.publish(&sum.reply, b"", sum.count.to_string().as_bytes());
    }

    /// The account whose subscribers are meant: that of the one who asks.
    fn asking_account(&self, request: &Request) -> Option<Arc<Account>> {
        if request.headers.is_empty() {
            return self.broker.system_account();
        }
        let origin: Origin = serde_json::from_slice(headers::get(&request.headers, b"Nats-Request-Info")?).ok()?;
        match (origin.svc.as_str(), origin.acc.as_str()) {
            ("", "") => self.broker.system_account(),
            ("", account) | (account, _) => self.broker.accounts.get(account),
        }
    }

    /// `$SYS.REQ.ACCOUNT.NSUBS`: asked by a server that adds up. One that has nobody in the account says nothing, and nor
    /// does the one that asks.
    // spec: CLU-093
    pub(super) fn count_for_another(&self, request: &Request) {
        if request.reply.starts_with(inbox(&self.broker.identity().id, "").as_bytes()) {
            return;
        }
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
        Target::Service(_) | Target::Internal(_) | Target::Remote(_) => None,
    }
}
