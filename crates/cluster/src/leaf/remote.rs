//! One configured remote: the addresses it is reached at, and how it is logged in to.
//!
//! Addresses are tried one after the other. What a connected server tells of others of its cluster is tried before what is
//! configured, unless the remote says otherwise; names and logins are those of the configured addresses then.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use martlet_config::options::{LeafRemote, LinkUrl, Secret};
use parking_lot::Mutex;

/// One configured remote.
#[derive(Debug)]
pub struct Remote {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    options: Arc<LeafRemote>,
    urls: Vec<LinkUrl>,
    current: Option<LinkUrl>,
    /// To wait before the next attempt, because of how the last connection ended.
    delay: Duration,
    /// The name that certificates are for where an address is dialled.
    known_as: Option<String>,
    login: Option<(String, Option<Secret>)>,
    /// The other side has asked for TLS before.
    tls: bool,
    removed: bool,
    /// A connection is there or being made.
    busy: bool,
}

impl Remote {
    pub(super) fn new(options: LeafRemote, dice: &mut fastrand::Rng) -> Self {
        let mut urls = options.urls.clone();
        // spec: CFG-172
        if !options.no_randomize {
            dice.shuffle(&mut urls);
        }
        let known_as = urls.iter().find_map(name_of);
        let login = urls.iter().find_map(|url| Some((url.user.clone()?, url.password.clone())));
        let state = State {
            options: Arc::new(options),
            urls,
            current: None,
            delay: Duration::ZERO,
            known_as,
            login,
            tls: false,
            removed: false,
            busy: false,
        };
        Self { state: Mutex::new(state) }
    }

    /// As configured.
    #[must_use]
    pub fn options(&self) -> Arc<LeafRemote> {
        self.state.lock().options.clone()
    }

    pub(super) fn set_options(&self, options: LeafRemote) {
        self.state.lock().options = Arc::new(options);
    }

    /// Where to connect to now: the address after the one that was tried last.
    #[must_use]
    pub fn next_url(&self) -> LinkUrl {
        let mut state = self.state.lock();
        if state.urls.len() > 1 && state.current.as_ref() == state.urls.first() {
            state.urls.rotate_left(1);
        }
        let url = state.urls.first().cloned().expect("a remote has an address");
        state.current = Some(url.clone());
        url
    }

    /// The name that the certificate of a server at `url` is for.
    #[must_use]
    pub fn server_name(&self, url: &LinkUrl) -> String {
        let known_as = || self.state.lock().known_as.clone();
        name_of(url).or_else(known_as).unwrap_or_else(|| url.host.clone())
    }

    /// Whether it is still to be connected to.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        let state = self.state.lock();
        !state.removed && !state.options.disabled
    }

    pub(super) fn remove(&self) {
        self.state.lock().removed = true;
    }

    /// Whether nothing was being done about it before.
    pub(super) fn begin(&self) -> bool {
        !std::mem::replace(&mut self.state.lock().busy, true)
    }

    /// The last attempt is over and there is to be no other for now.
    pub fn rest(&self) {
        self.state.lock().busy = false;
    }

    /// Whether TLS follows an INFO that asks for it or not.
    pub(super) fn needs_tls(&self, asked: bool) -> bool {
        let mut state = self.state.lock();
        state.tls |= asked;
        state.tls || state.options.tls.is_some()
    }

    /// To wait before the next attempt.
    pub(super) fn set_delay(&self, delay: Duration) {
        self.state.lock().delay = delay;
    }

    pub(super) fn take_delay(&self) -> Duration {
        std::mem::take(&mut self.state.lock().delay)
    }

    /// User and password for `url`; a user without a password is a token, too.
    // spec: CLU-064
    pub(super) fn login(&self, url: &LinkUrl) -> Option<(String, Option<Secret>)> {
        match &url.user {
            Some(user) => Some((user.clone(), url.password.clone())),
            None => self.state.lock().login.clone(),
        }
    }

    /// The addresses of the other side's cluster, `host:port` each, are these now.
    // spec: CLU-063
    pub(super) fn learn(&self, told: &[String]) {
        let mut state = self.state.lock();
        if state.options.ignore_discovered_servers || told.is_empty() {
            return;
        }
        let configured = state.options.urls.clone();
        let found = told.iter().filter_map(|address| discovered(address));
        let new = found.filter(|url| !configured.iter().any(|own| own.address() == url.address()));
        state.urls = new.collect();
        if state.known_as.is_none() {
            state.known_as = state.urls.iter().find_map(name_of);
        }
        state.urls.extend(configured);
    }
}

/// The host of an address, if it is a name.
fn name_of(url: &LinkUrl) -> Option<String> {
    url.host.parse::<IpAddr>().is_err().then(|| url.host.clone())
}

fn discovered(address: &str) -> Option<LinkUrl> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let (user, password, path) = (None, None, String::new());
    let port = Some(port.parse().ok()?);
    (!host.is_empty()).then(|| LinkUrl { scheme: "nats-leaf".into(), user, password, host, port, path })
}

#[cfg(test)]
mod tests {
    use martlet_config::{MemorySource, parse_str};

    use super::*;

    fn remote(text: &str) -> Remote {
        let text = format!("leafnodes {{ remotes: [ {{ {text} }} ] }}");
        let loaded = parse_str(&text, "t.conf", &MemorySource::new()).expect("a valid remote");
        let remotes = loaded.options.leafnodes.expect("leafnodes").remotes;
        Remote::new(remotes[0].clone(), &mut fastrand::Rng::with_seed(7))
    }

    fn round(remote: &Remote, n: usize) -> Vec<String> {
        (0..n).map(|_| remote.next_url().address()).collect()
    }

    #[test]
    fn addresses_are_tried_in_turn() {
        // spec: CFG-172
        let ordered = remote("urls: ['nats://a:1', 'nats://b:2', 'nats://c:3'], no_randomize: true");
        assert_eq!(round(&ordered, 4), ["a:1", "b:2", "c:3", "a:1"]);
        let orders: std::collections::HashSet<Vec<String>> = (0..50)
            .map(|seed| {
                let urls = remote("urls: ['nats://a:1', 'nats://b:2']").options().as_ref().clone();
                round(&Remote::new(urls, &mut fastrand::Rng::with_seed(seed)), 2)
            })
            .collect();
        assert_eq!(orders.len(), 2, "in any order");
        let single = remote("url: 'nats://a:1'");
        assert_eq!(round(&single, 2), ["a:1", "a:1"]);
    }

    #[test]
    fn what_is_told_comes_before_what_is_configured() {
        // spec: CLU-063
        let told = ["10.0.0.2:7422".to_owned(), "a:1".into(), "[::1]:7".into(), "nonsense".into()];
        let learning = remote("url: 'nats://u:p@a:1'");
        learning.learn(&told);
        assert_eq!(round(&learning, 3), ["10.0.0.2:7422", "[::1]:7", "a:1"]);
        let url = discovered(&told[0]).expect("an address");
        assert_eq!(learning.server_name(&url), "a");
        let login = learning.login(&url).expect("of the configured address");
        assert_eq!((login.0.as_str(), login.1.expect("a password").expose()), ("u", "p"));
        learning.learn(&[]);
        assert_eq!(round(&learning, 3).len(), 3, "nothing told changes nothing");
        let deaf = remote("url: 'nats://a:1', ignore_discovered_servers: true");
        deaf.learn(&told);
        assert_eq!(round(&deaf, 2), ["a:1", "a:1"]);
    }

    #[test]
    fn a_delay_is_waited_once() {
        // spec: CLU-054
        let remote = remote("url: 'nats://a:1'");
        remote.set_delay(Duration::from_secs(30));
        assert_eq!((remote.take_delay().as_secs(), remote.take_delay().as_secs()), (30, 0));
    }
}
