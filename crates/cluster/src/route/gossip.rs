//! Passing on who is there, and making sense of what others pass on.

use martlet_config::options::{Cluster, LinkLogin, LinkUrl};
use martlet_proto::Info;
use martlet_proto::link::encode;

use crate::orders::Dialled;

/// Whoever hears of a server connects there, and passes on nothing.
pub(super) const DEFAULT: u8 = 0;
/// The receiver passes nothing on.
pub(super) const DISABLED: u8 = 1;
/// The receiver passes it on though it has only heard of the server itself.
pub(super) const OVERRIDE: u8 = 2;

/// What is passed on about a server that has joined.
// spec: CLU-021 CLU-022
pub(super) struct Gossip {
    default: Vec<u8>,
    disabled: Vec<u8>,
    overriding: Vec<u8>,
    dialled: Option<bool>,
}

impl Gossip {
    /// About the server that `info` came from, over a connection dialled like that; `None` if nothing is to be said.
    pub(super) fn about(info: &Info, dialled: Option<&Dialled>) -> Option<Self> {
        let heard_only = dialled.is_some_and(|d| !d.explicit && d.gossip != OVERRIDE);
        if heard_only || info.gossip_mode == DISABLED {
            return None;
        }
        let line = |gossip_mode| {
            let mut line = Vec::new();
            let info = Info { nonce: String::new(), gossip_mode, ..info.clone() };
            encode::forwarded_info(&mut line, &info);
            line
        };
        Some(Self {
            default: line(DEFAULT),
            disabled: line(DISABLED),
            overriding: line(OVERRIDE),
            dialled: dialled.map(|d| d.explicit),
        })
    }

    /// The line for a member whose connection was dialled like that.
    pub(super) fn line(&self, to: Option<&Dialled>) -> &[u8] {
        match self.dialled {
            None if to.is_some_and(|d| d.explicit) => &self.overriding,
            None => &self.disabled,
            Some(true) => &self.overriding,
            Some(false) => &self.default,
        }
    }
}

/// Whether a server that is told of is configured here, and so is connected to anyway.
pub(super) fn is_configured(options: &Cluster, info: &Info) -> bool {
    let told = |host: &str| {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        format!("{host}:{}", info.port).to_lowercase()
    };
    let seen = parse(&info.ip).map(|url| told(&url.host));
    let named = told(&info.host);
    options.routes.iter().any(|url| {
        let address = url.address().to_lowercase();
        address == named || seen.as_ref() == Some(&address)
    })
}

/// Where a server that is told of is connected to.
pub(super) fn url_of(info: &Info, login: &LinkLogin) -> Option<LinkUrl> {
    let mut url = parse(&info.ip)?;
    if info.auth_required {
        url.user.clone_from(&login.user);
        url.password.clone_from(&login.password);
    }
    Some(url)
}

/// `nats-route://host:port/`, as servers write it.
fn parse(text: &str) -> Option<LinkUrl> {
    let (scheme, rest) = text.split_once("://")?;
    let rest = rest.split('/').next().unwrap_or_default();
    let (host, port) = rest.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let (user, password, path) = (None, None, String::new());
    Some(LinkUrl { scheme: scheme.to_owned(), user, password, host, port: Some(port.parse().ok()?), path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(host: &str, ip: &str) -> Info {
        Info { host: host.into(), port: 6222, ip: ip.into(), nonce: "secret".into(), ..Info::default() }
    }

    fn url(text: &str) -> LinkUrl {
        parse(text).expect("a URL")
    }

    #[test]
    fn who_is_told_what() {
        // spec: CLU-021 CLU-022
        let dialled = |explicit, gossip| Dialled { url: url("nats-route://a:1"), explicit, account: None, gossip };
        let (configured, heard) = (dialled(true, DEFAULT), dialled(false, DEFAULT));
        let mode = |gossip: &Gossip, to: Option<&Dialled>| {
            let line = String::from_utf8(gossip.line(to).to_vec()).expect("text");
            assert!(!line.contains("secret"));
            let at = line.find("\"gossip_mode\":").map(|at| line.as_bytes()[at + 14] - b'0');
            at.unwrap_or(DEFAULT)
        };
        let about = |dialled| Gossip::about(&info("h", ""), dialled);
        assert!(about(Some(&heard)).is_none(), "what was heard is not passed on");
        let told_to = dialled(false, OVERRIDE);
        let told = about(Some(&told_to)).expect("but for being told to");
        assert_eq!(mode(&told, None), DEFAULT);
        let accepted = about(None).expect("passed on");
        assert_eq!(mode(&accepted, Some(&configured)), OVERRIDE);
        assert_eq!(mode(&accepted, Some(&heard)), DISABLED);
        assert_eq!(mode(&accepted, None), DISABLED);
        let own = about(Some(&configured)).expect("passed on");
        assert_eq!(mode(&own, None), OVERRIDE);
        let silenced = Info { gossip_mode: DISABLED, ..info("h", "") };
        assert!(Gossip::about(&silenced, None).is_none());
    }

    #[test]
    fn what_is_configured_is_known_by_either_address() {
        // spec: CLU-021
        let options = Cluster { routes: vec![url("nats://Host:6222"), url("nats://[::1]:6222")], ..Cluster::default() };
        assert!(is_configured(&options, &info("host", "nats-route://10.0.0.1:6222/")));
        assert!(is_configured(&options, &info("0.0.0.0", "nats-route://[::1]:6222/")));
        assert!(!is_configured(&options, &info("0.0.0.0", "nats-route://10.0.0.1:6222/")));
        assert_eq!(parse("10.0.0.1:6222"), None);
        assert_eq!(parse("nats-route://a:99999/"), None);
    }
}
