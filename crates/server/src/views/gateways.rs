//! Connections to and from other clusters.

use std::collections::HashMap;
use std::time::Duration;

use martlet_broker::link::Link;
use martlet_cluster::gateway::{AccountMode, Mode};
use martlet_config::options::{LinkUrl, WriteTimeout};
use martlet_monitor::snapshot::{GatewayAccount, GatewayList, GatewaySettings, GatewaySnapshot, SubSnapshot};

use super::View;
use super::links::snapshot;

/// How long a TLS handshake may take where nothing else is said.
pub(super) const TLS_TIMEOUT: Duration = Duration::from_secs(2);

impl View {
    pub(super) fn gateway_list(&self, accounts: bool) -> GatewayList {
        let Some(links) = &self.others.gateways else { return GatewayList::default() };
        let gateways = &links.gateways;
        let (host, port) = gateways.own().place();
        let mut lists = if accounts { self.wanted_by_link() } else { HashMap::new() };
        let mut wanted = |link: &Link| lists.remove(&link.peer.cid()).unwrap_or_default();
        let outbound = gateways.outbound().into_iter().map(|of| {
            let known = if accounts { of.accounts } else { Vec::new() };
            let accounts = with_interest(&of.link, known, wanted(&of.link));
            of_link(&of.link, &of.cluster, of.id, of.is_configured, accounts)
        });
        let outbound = outbound.collect();
        let told = || self.broker.accounts.all().into_iter().filter(|_| accounts);
        let inbound = gateways.inbound().into_iter().map(|of| {
            let account = |name: &str| GatewayAccount {
                name: name.to_owned(),
                mode: Mode::InterestOnly.as_str(),
                objections: 0,
                list: Vec::new(),
            };
            let accounts = told().map(|of| account(of.name())).collect();
            // Whether a cluster is configured is said only of connections that this server made.
            of_link(&of.link, &of.cluster, of.id, false, accounts)
        });
        let inbound = inbound.collect();
        GatewayList { name: gateways.own().name().to_owned(), host: host.to_owned(), port, outbound, inbound }
    }

    pub(super) fn gateway_settings(&self) -> Option<GatewaySettings> {
        let links = self.others.gateways.as_ref()?;
        let gateways = &links.gateways;
        let own = gateways.own();
        let options = &own.options;
        let (_, port) = own.place();
        let remotes = options.remotes.iter().map(|remote| {
            let configured = || remote.urls.iter().map(LinkUrl::address).collect();
            (remote.name.clone(), gateways.addresses(&remote.name).unwrap_or_else(configured))
        });
        Some(GatewaySettings {
            name: options.name.clone(),
            host: options.host.clone(),
            port,
            auth_timeout: options.login.connect_timeout(options.tls.as_ref()),
            tls_timeout: options.tls.as_ref().map_or(TLS_TIMEOUT, |tls| tls.timeout),
            tls: options.tls.is_some(),
            cert_not_after: links.cert_not_after(),
            advertise: options.advertise.clone().unwrap_or_default(),
            connect_retries: options.connect_retries,
            remotes: remotes.collect(),
            reject_unknown: options.reject_unknown,
            write_deadline: options.write_deadline.unwrap_or_default(),
            write_timeout: match options.write_timeout {
                WriteTimeout::Default => String::new(),
                WriteTimeout::Close => "close".into(),
                WriteTimeout::Retry => "retry".into(),
            },
        })
    }
}

fn of_link(
    link: &Link,
    cluster: &str,
    id: String,
    is_configured: bool,
    accounts: Vec<GatewayAccount>,
) -> GatewaySnapshot {
    let about = link.peer.description();
    let (version, cipher) = about.tls.as_ref().map(|tls| (tls.version.clone(), tls.cipher.clone())).unwrap_or_default();
    GatewaySnapshot {
        cluster: cluster.to_owned(),
        link: snapshot(&link.peer, Vec::new()),
        remote_id: id,
        is_configured,
        tls_version: version,
        tls_cipher: cipher,
        accounts,
    }
}

/// Accounts with what is wanted in them.
fn with_interest(link: &Link, known: Vec<AccountMode>, wanted: Vec<SubSnapshot>) -> Vec<GatewayAccount> {
    let mut lists: HashMap<String, Vec<SubSnapshot>> = HashMap::new();
    for sub in wanted {
        lists.entry(sub.account.clone()).or_default().push(sub);
    }
    let account = |of: AccountMode| GatewayAccount {
        list: lists.remove(&of.name).unwrap_or_default(),
        mode: of.mode.as_str(),
        objections: link.optimism.as_ref().map_or(0, |optimism| optimism.objections(&of.name)),
        name: of.name,
    };
    known.into_iter().map(account).collect()
}
