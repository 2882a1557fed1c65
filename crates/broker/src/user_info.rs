//! `$SYS.REQ.USER.INFO`: every user may ask who it is and what it may do.
//!
//! Who asks is told by the import that brings the request to the system account; what it may do, by its connection.

use std::time::Duration;

use martlet_auth::Permissions as Known;
use martlet_config::options::{PermissionSubject, Permissions, SubjectPermission};
use martlet_events::Time;
use martlet_proto::headers;
use serde::Serialize;

use crate::broker::Broker;
use crate::client_info::ClientInfo;
use crate::json;
use crate::request_info;
use crate::site::ServerInfo;

#[derive(Serialize)]
struct Answer<'a> {
    server: ServerInfo<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<UserInfo<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<BadRequest>,
}

#[derive(Serialize)]
struct BadRequest {
    code: u16,
}

#[derive(Serialize)]
struct UserInfo<'a> {
    user: &'a str,
    account: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    account_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    user_name: &'a str,
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
    /// What a user is told whose request came with these headers, from a connection with these permissions.
    // spec: CLU-092
    pub fn user_info(&self, headers: &[u8], permissions: Option<&Known>, now: Time) -> Vec<u8> {
        let about = self.site().about();
        let asks = self.who_asks(headers);
        let account_name =
            asks.as_ref().and_then(|info| self.accounts.get(info.account())).map(|account| account.name().clone());
        json::to_vec(&Answer {
            server: self.site().server_info(&about, now),
            data: asks.as_ref().map(|info| UserInfo {
                user: info.user(),
                account: info.account(),
                // An account of a configuration file calls itself by its name.
                account_name: account_name.as_deref().unwrap_or_default(),
                user_name: info.name_tag(),
                permissions: permissions.map(|permissions| permissions.source().into()),
            }),
            error: if asks.is_some() { None } else { Some(BadRequest { code: 400 }) },
        })
    }

    /// Who asks: nobody in particular if the request did not cross accounts, `None` if nobody knows.
    fn who_asks<'h>(&self, headers: &'h [u8]) -> Option<ClientInfo<'h>> {
        if headers.is_empty() {
            return Some(ClientInfo::default());
        }
        let info: ClientInfo<'h> =
            serde_json::from_slice(headers::get(headers, request_info::HEADER.as_bytes())?).ok()?;
        let account = if info.service().is_empty() { info.account() } else { info.service() };
        (account.is_empty() || self.accounts.get(account).is_some()).then_some(info)
    }
}
