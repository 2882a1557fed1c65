//! One other cluster: where its servers are, and what is known of the connection to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use martlet_broker::link::Link;
use martlet_config::options::{LinkUrl, RemoteGateway};
use martlet_proto::Info;
use parking_lot::Mutex;

/// How much of an account's interest another cluster has told.
// spec: CLU-050
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: it gets what it has not objected to.
    Optimistic,
    /// It is telling.
    Transitioning,
    /// Everything.
    InterestOnly,
}

impl Mode {
    /// The mode as monitoring shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Optimistic => "Optimistic",
            Self::Transitioning => "Transitioning",
            Self::InterestOnly => "Interest-Only",
        }
    }
}

/// An account as it is known over one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountMode {
    /// Its name.
    pub name: String,
    /// How much of its interest was told.
    pub mode: Mode,
}

/// What is known of a connection to another cluster.
#[derive(Debug)]
pub(crate) struct Outbound {
    pub(super) link: Arc<Link>,
    /// The other server.
    pub(super) id: String,
    pub(super) server_name: String,
    pub(super) modes: Mutex<BTreeMap<String, Mode>>,
}

impl Outbound {
    pub(super) fn new(link: Arc<Link>, info: &Info) -> Self {
        Self { link, id: info.server_id.clone(), server_name: info.server_name.clone(), modes: Mutex::default() }
    }

    pub(super) fn mode(&self, account: &str) -> Option<Mode> {
        self.modes.lock().get(account).copied()
    }

    pub(super) fn set_mode(&self, account: &str, mode: Mode) {
        self.modes.lock().insert(account.to_owned(), mode);
    }

    pub(super) fn modes(&self) -> Vec<AccountMode> {
        self.modes.lock().iter().map(|(name, mode)| AccountMode { name: name.clone(), mode: *mode }).collect()
    }
}

/// Another cluster.
#[derive(Debug)]
pub(super) struct Remote {
    /// As configured; heard of if `None`.
    pub(super) configured: Option<RemoteGateway>,
    /// Its servers, configured or heard of.
    urls: Vec<LinkUrl>,
    pub(super) outbound: Option<Arc<Outbound>>,
}

/// Servers known of one cluster: whoever is told of more is being flooded.
const URLS: usize = 1024;

impl Remote {
    pub(super) fn configured(remote: &RemoteGateway) -> Self {
        Self { urls: remote.urls.clone(), configured: Some(remote.clone()), outbound: None }
    }

    /// A cluster with these servers; `None` if there is none among them.
    pub(super) fn heard_of(urls: &[String]) -> Option<Self> {
        let mut remote = Self { configured: None, urls: Vec::new(), outbound: None };
        remote.add(urls);
        (!remote.urls.is_empty()).then_some(remote)
    }

    /// There are these servers, too.
    pub(super) fn add(&mut self, addresses: &[String]) {
        for address in addresses {
            if self.urls.len() < URLS
                && !self.urls.iter().any(|url| url.address() == *address)
                && let Ok(url) = LinkUrl::parse(&format!("nats://{address}"))
            {
                self.urls.push(url);
            }
        }
    }

    /// There are these servers and those configured, and no others.
    pub(super) fn update(&mut self, addresses: &[String]) {
        self.urls = self.configured.as_ref().map(|remote| remote.urls.clone()).unwrap_or_default();
        self.add(addresses);
    }

    pub(super) fn urls(&self) -> &[LinkUrl] {
        &self.urls
    }

    /// The addresses as others are told of them.
    pub(super) fn addresses(&self) -> Vec<String> {
        self.urls.iter().map(LinkUrl::address).collect()
    }

    /// Whether it has a `tls` block of its own.
    pub(super) fn has_tls(&self) -> bool {
        self.configured.as_ref().is_some_and(|remote| remote.tls.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> LinkUrl {
        LinkUrl::parse(text).expect("a URL")
    }

    fn texts(addresses: &[&str]) -> Vec<String> {
        addresses.iter().map(|&a| a.to_owned()).collect()
    }

    #[test]
    fn servers_come_and_go_and_those_configured_stay() {
        // spec: CLU-043 CFG-166
        let configured = RemoteGateway { name: "B".into(), urls: vec![url("nats://u:p@a:1")], tls: None };
        let mut remote = Remote::configured(&configured);
        remote.add(&texts(&["a:1", "b:2", "[::1]:3", "b:2", "no address at all"]));
        assert_eq!(remote.addresses(), ["a:1", "b:2", "[::1]:3"]);
        assert_eq!(remote.urls()[0].user.as_deref(), Some("u"), "what is configured logs in");
        remote.update(&texts(&["c:4"]));
        assert_eq!(remote.addresses(), ["a:1", "c:4"]);
        assert!(Remote::heard_of(&[]).is_none());
        let many: Vec<_> = (0..2 * URLS).map(|n| format!("h:{n}")).collect();
        assert_eq!(Remote::heard_of(&many).map(|remote| remote.urls.len()), Some(URLS));
    }

    #[test]
    fn modes_by_their_names() {
        // spec: CLU-050
        let names = [Mode::Optimistic, Mode::Transitioning, Mode::InterestOnly].map(Mode::as_str);
        assert_eq!(names, ["Optimistic", "Transitioning", "Interest-Only"]);
    }
}
