//! What the server tells a service, or a measurement of it, about a client or a leaf node (SEC-049, SEC-050).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::link::Link;
use crate::peer::{Kind, Peer};
use crate::site::Site;

/// A client as a service sees it. Without `share` only its account and round-trip time are told.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ClientInfo<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    start: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    host: Cow<'a, str>,
    #[serde(skip_serializing_if = "is_zero")]
    id: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    acc: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    svc: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    user: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    lang: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    ver: Cow<'a, str>,
    #[serde(skip_serializing_if = "is_zero")]
    rtt: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    server: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    cluster: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    name_tag: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    kind: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    client_type: Cow<'a, str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl<'a> ClientInfo<'a> {
    /// What is told of `peer`, who is in `account`; everything if it is `shared`.
    pub(crate) fn of(peer: Option<&Peer>, account: &'a str, shared: bool, site: &Site) -> Self {
        let mut info = Self { acc: account.into(), ..Self::default() };
        let Some(peer) = peer else { return info };
        info.rtt = peer.rtt().map_or(0, |rtt| u64::try_from(rtt.as_nanos()).unwrap_or(u64::MAX));
        if shared {
            let d = peer.description();
            info.start = site.wall(peer.started).to_string().into();
            info.id = peer.cid();
            for (field, text) in [
                (&mut info.host, &d.ip),
                (&mut info.user, &d.user),
                (&mut info.name, &d.name),
                (&mut info.lang, &d.lang),
                (&mut info.ver, &d.version),
            ] {
                *field = text.clone().into();
            }
            if peer.kind() == Kind::Leaf {
                info.kind = "Leafnode".into();
            } else {
                info.kind = "Client".into();
                info.client_type = "nats".into();
            }
            info.add_server(site, None);
        }
        info
    }

    /// Adds where the client is connected: here, or at the leaf node that the request comes from.
    pub(crate) fn add_server(&mut self, site: &Site, from: Option<&Link>) {
        let about = site.about();
        self.server = from.map_or_else(|| about.name.clone(), Link::name).into();
        self.cluster = about.cluster.clone().unwrap_or_default().into();
    }

    /// Its account goes by another name where this is told.
    pub(crate) fn rename_account(&mut self, name: &'a str) {
        self.acc = name.into();
    }

    /// Names the account that passes the request on.
    pub(crate) fn pass_on(&mut self, account: &'a str) {
        self.svc = account.into();
    }

    /// Its account.
    pub(crate) fn account(&self) -> &str {
        &self.acc
    }

    /// The account that passes the request on, if one does.
    pub(crate) fn service(&self) -> &str {
        &self.svc
    }

    /// Its user.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// What its user is called.
    pub(crate) fn name_tag(&self) -> &str {
        &self.name_tag
    }

    /// Its round-trip time in nanoseconds; 0 before the first is known.
    pub(crate) fn rtt(&self) -> u64 {
        self.rtt
    }
}
