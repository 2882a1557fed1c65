//! What the system account offers to every account, and how the server's own services listen in it.
//!
//! Every account may ask who its users are, and for its own connections and numbers: it imports these as services. What
//! answers are subscriptions like any other, so that requests come from other servers as they do from this one's clients.

use std::sync::Arc;
use std::time::Duration;

use martlet_config::Options;
use martlet_config::options::{Export, ExportKind, ResponseType};

use crate::account::{GLOBAL, SYSTEM};
use crate::accounts::AccountError;
use crate::broker::Broker;
use crate::interest::Target;
use crate::internal::InternalSubscription;

/// A service that every account imports.
pub(crate) struct Offer {
    /// Where it is asked.
    pub(crate) local: &'static str,
    before: &'static str,
    after: &'static str,
    /// Whether it is told who asks.
    pub(crate) share: bool,
    /// Whether the system account imports it too, from itself.
    pub(crate) of_system: bool,
}

impl Offer {
    const fn about_account(local: &'static str, after: &'static str) -> Self {
        Self { local, before: "$SYS.REQ.ACCOUNT.", after, share: false, of_system: false }
    }

    /// Where it is answered for those who ask in `account`.
    pub(crate) fn subject_of(&self, account: &str) -> String {
        if self.local == STREAM_API {
            return STREAM_API.into();
        }
        format!("{}{account}{}", self.before, self.after)
    }
}

/// What every account imports.
// spec: CLU-091 CLU-092
pub(crate) const OFFERS: [Offer; 4] = [
    Offer::about_account("$SYS.REQ.ACCOUNT.PING.CONNZ", ".CONNZ"),
    Offer::about_account("$SYS.REQ.SERVER.PING.CONNZ", ".CONNZ"),
    Offer::about_account("$SYS.REQ.ACCOUNT.PING.STATZ", ".STATZ"),
    Offer { local: "$SYS.REQ.USER.INFO", before: "$SYS.REQ.USER.", after: ".INFO", share: true, of_system: true },
];

/// The streams of other servers, for accounts that use any.
// spec: CFG-123
pub(crate) const STREAMS: Offer =
    Offer { local: STREAM_API, before: STREAM_API, after: "", share: true, of_system: false };

/// Where streams are asked for.
pub(crate) const STREAM_API: &str = "$JS.API.>";

/// Whether `subject` asks streams by the domain that they are in: `$JS.domain.API.`
// spec: JS-002 JS-137
pub fn names_domain(subject: &[u8]) -> bool {
    let Some(rest) = subject.strip_prefix(b"$JS.") else { return false };
    memchr::memchr(b'.', rest).is_some_and(|at| rest[at + 1..].starts_with(b"API."))
}

/// Whether `account` uses streams: it says so, or there is no other account to say anything. Somebody has to have them:
/// this server, or those that it is linked to.
pub fn uses_streams(options: &Options, account: &str) -> bool {
    let linked = options.clustered().is_some() || options.gateway.is_some() || options.leafnodes.is_some();
    let system = options.system_account.as_deref().unwrap_or(SYSTEM);
    let configured = options.accounts.iter().find(|of| of.name == account);
    (linked || options.jetstream.is_some())
        && configured.map_or_else(
            || account == GLOBAL && options.accounts.iter().all(|of| of.name == system),
            |of| of.jetstream.is_some(),
        )
}

/// What the system account exports, unless it is configured to.
pub(crate) fn exports() -> [Export; 5] {
    let service = |subject: &str, response, account_token_position| Export {
        subject: subject.into(),
        kind: ExportKind::Service { response, threshold: Duration::from_mins(2), latency: None },
        accounts: None,
        account_token_position,
        allow_trace: false,
    };
    [
        // Of several servers, each answers; and nobody asks for another account.
        service("$SYS.REQ.ACCOUNT.*.CONNZ", ResponseType::Stream, 4),
        service("$SYS.REQ.ACCOUNT.*.STATZ", ResponseType::Stream, 4),
        service("$SYS.DEBUG.SUBSCRIBERS", ResponseType::Singleton, 0),
        service("$SYS.REQ.USER.*.INFO", ResponseType::Singleton, 0),
        service(STREAM_API, ResponseType::Singleton, 0),
    ]
}

impl Broker {
    /// Has every account import what the system account offers, from this configuration on; `options` are those in force.
    pub fn offer_services(&self, options: &Options) -> Result<(), AccountError> {
        self.accounts.offer_services();
        self.accounts.configure(options)
    }

    /// Listens in the system account, if there is one. Gives who listens.
    pub fn listen(&self, service: InternalSubscription) -> Option<Arc<InternalSubscription>> {
        let service = Arc::new(service);
        self.system_account()?.add(&service.subject, Target::Internal(service.clone()));
        Some(service)
    }

    /// Listens no longer.
    pub fn ignore(&self, service: &Arc<InternalSubscription>) {
        if let Some(system) = self.system_account() {
            system.remove(&service.subject, &Target::Internal(service.clone()));
        }
    }
}
