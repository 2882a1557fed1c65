//! `$SYS.REQ.USER.INFO`: every user may ask who it is and what it may do.
//!
//! Each account imports it as a service from the system account, where the server answers.

use std::sync::{Arc, Weak};
use std::time::Duration;

use martlet_config::Options;
use martlet_config::options::{PermissionSubject, Permissions, SubjectPermission};
use martlet_events::Time;
use serde::Serialize;

use crate::accounts::AccountError;
use crate::broker::Broker;
use crate::interest::Target;
use crate::internal::{InternalMessage, InternalSubscription};
use crate::json;
use crate::peer::Peer;
use crate::site::ServerInfo;

/// Where it is asked, in every account.
pub(crate) const SUBJECT: &str = "$SYS.REQ.USER.INFO";
/// Where it is answered, in the system account.
const PATTERN: &[u8] = b"$SYS.REQ.USER.*.INFO";

/// The subject in the system account for those who ask in `account`.
pub(crate) fn subject_of(account: &str) -> String {
    format!("$SYS.REQ.USER.{account}.INFO")
}

#[derive(Serialize)]
struct Answer<'a> {
    server: ServerInfo<'a>,
    data: UserInfo<'a>,
}

#[derive(Serialize)]
struct UserInfo<'a> {
    user: &'a str,
    account: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    account_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Allowed>,
}

#[derive(Serialize)]
struct Allowed {
    publish: Subjects,
    subscribe: Subjects,
    #[serde(skip_serializing_if = "Option::is_none")]
    responses: Option<Replies>,
}

#[derive(Serialize)]
struct Subjects {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allow: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deny: Vec<String>,
}

#[derive(Serialize)]
struct Replies {
    max: i64,
    ttl: u64,
}

impl From<&Permissions> for Allowed {
    fn from(permissions: &Permissions) -> Self {
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self {
            publish: (&permissions.publish).into(),
            subscribe: (&permissions.subscribe).into(),
            responses: permissions.allow_responses.map(|r| Replies { max: r.max, ttl: nanos(r.expires) }),
        }
    }
}

impl From<&SubjectPermission> for Subjects {
    fn from(subjects: &SubjectPermission) -> Self {
        let text = |entry: &PermissionSubject| match &entry.queue {
            Some(queue) => format!("{} {queue}", entry.subject),
            None => entry.subject.clone(),
        };
        let texts = |list: &[PermissionSubject]| list.iter().map(text).collect();
        Self { allow: texts(subjects.allow.as_deref().unwrap_or_default()), deny: texts(&subjects.deny) }
    }
}

impl Broker {
    /// Answers users who ask who they are, if there is a system account; `options` are those in force. `clock` tells the time.
    // spec: CLU-092
    pub fn serve_user_info(self: &Arc<Self>, options: &Options, clock: fn() -> Time) -> Result<(), AccountError> {
        self.accounts.offer_user_info();
        self.accounts.configure(options)?;
        let Some(system) = self.settings().0.system_account.as_deref().and_then(|name| self.accounts.get(name)) else {
            return Ok(());
        };
        let broker = Arc::downgrade(self);
        let handler = Box::new(move |asked: &InternalMessage<'_>| answer(&broker, asked, clock()));
        let service = InternalSubscription { subject: PATTERN.into(), handler };
        system.add(PATTERN, Target::Internal(Arc::new(service)));
        Ok(())
    }
}

fn answer(broker: &Weak<Broker>, asked: &InternalMessage<'_>, now: Time) {
    let Some((broker, peer)) = broker.upgrade().zip(asked.from).filter(|_| !asked.reply.is_empty()) else { return };
    let body = describe(&broker, peer, now);
    broker.publish_internal(asked.account, (asked.reply, b""), (b"", &body), now);
}

fn describe(broker: &Broker, peer: &Peer, now: Time) -> Vec<u8> {
    let (about, account, known) = (broker.site().about(), peer.account(), peer.description());
    let account = account.as_ref().map_or("", |account| account.name());
    let permissions = peer.permissions();
    json::to_vec(&Answer {
        server: broker.site().server_info(&about, now),
        data: UserInfo {
            user: &known.user,
            account,
            account_name: account,
            permissions: permissions.as_ref().map(|permissions| permissions.source().into()),
        },
    })
}
