//! Snapshots and restores that are under way, and what they have in common.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use martlet_broker::account::Account;
use martlet_broker::interest::Target;
use martlet_broker::internal::{InternalMessage, InternalSubscription, Scope};
use martlet_broker::local_task::LocalTasks;
use martlet_jetstream::api::json::{Object, Verbatim};
use martlet_net::clock;
use martlet_proto::headers;
use parking_lot::Mutex;

use super::Shared;
use super::registry::{Registry, Served};
use super::workers::Actor;

/// How many an account may have under way: each holds some memory.
const MOST: usize = 64;

/// What an account has under way.
#[derive(Default)]
pub(super) struct Transfers(Mutex<BTreeMap<u64, Arc<dyn Actor>>>);

impl fmt::Debug for Transfers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transfers({})", self.0.lock().len())
    }
}

impl Transfers {
    /// Whether there is room for one more; if not, why.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.0.lock().len() < MOST {
            return Ok(());
        }
        Err(format!("{MOST} snapshots and restores of this account are under way; try again when one has ended"))
    }

    pub(super) fn begin(&self, number: u64, transfer: Arc<dyn Actor>) {
        self.0.lock().insert(number, transfer);
    }

    pub(super) fn end(&self, number: u64) {
        // Not dropped under the lock: it may have much to tidy up.
        let ended = self.0.lock().remove(&number);
        drop(ended);
    }

    /// Gives all of them up.
    pub(super) fn clear(&self) {
        let ended = std::mem::take(&mut *self.0.lock());
        drop(ended);
    }
}

/// A subscription that ends when this is dropped.
pub(super) struct Listening {
    account: Arc<Account>,
    pattern: Box<[u8]>,
    target: Target,
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listening({})", String::from_utf8_lossy(&self.pattern))
    }
}

impl Listening {
    pub(super) fn on(
        registry: &Registry,
        pattern: &str,
        handler: impl Fn(&InternalMessage<'_>) + Send + Sync + 'static,
    ) -> Self {
        let sid = format!("{}", registry.shared.next_sid()).into();
        let subject: Box<[u8]> = pattern.as_bytes().into();
        let subscription = InternalSubscription {
            subject: subject.clone(),
            sid,
            scope: Scope::Everywhere,
            follows_traces: false,
            handler: Box::new(move |message: &InternalMessage<'_>, _: &mut LocalTasks| handler(message)),
        };
        let target = Target::Internal(Arc::new(subscription));
        registry.account.add(&subject, target.clone());
        Self { account: registry.account.clone(), pattern: subject, target }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.account.remove(&self.pattern, &self.target);
    }
}

/// Tells everybody in the account of a snapshot or restore: `WORD` is the last token of the event's subject before the
/// stream, and its type is the same in small letters.
// spec: JS-139 JS-141
pub(super) fn announce(
    registry: &Registry,
    served: &Served,
    (word, stream): (&str, &str),
    fields: impl FnOnce(&mut Object<'_>),
    error: Option<&str>,
) {
    let subject = format!("$JS.EVENT.ADVISORY.STREAM.{word}.{stream}");
    if !registry.account.interest.is_wanted(subject.as_bytes()) {
        return;
    }
    let client = headers::get(&served.asked.headers, b"Nats-Request-Info").unwrap_or(b"{}");
    let mut event = Vec::new();
    Object::write(&mut event, |o| {
        o.field("type", &*format!("io.nats.jetstream.advisory.v1.{}", word.to_ascii_lowercase()));
        o.field("id", &*Shared::unique()).field("timestamp", &clock::wall_now()).field("stream", stream);
        fields(o);
        o.field("client", &Verbatim(client)).some("domain", &*registry.shared.domain);
        o.some("error", error.unwrap_or_default());
    });
    let account = registry.account.name();
    registry.shared.broker.publish_internal(account, (subject.as_bytes(), b""), (b"", &event), clock::now());
}
