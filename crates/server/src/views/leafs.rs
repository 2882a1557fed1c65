//! Other servers, as far as this one is connected to them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use martlet_broker::interest::Target;
use martlet_broker::link::Link;
use martlet_cluster::leaf::Summary;
use martlet_config::options::LinkUrl;
use martlet_monitor::snapshot::{LeafListener, LeafRemoteSettings, LeafSettings, LeafSnapshot};

use super::View;
use super::gateways::TLS_TIMEOUT;

impl View {
    pub(super) fn leaf_links(&self, subjects: bool) -> Vec<LeafSnapshot> {
        let all = self.others.leafs.leafs.list();
        let shown = all.iter().map(|summary| {
            let subjects = if subjects { self.subjects(&summary.account, &summary.link) } else { Vec::new() };
            LeafSnapshot { subjects, ..of_leaf(summary) }
        });
        shown.collect()
    }

    pub(super) fn leaf_settings(&self) -> LeafSettings {
        let links = &self.others.leafs;
        let own = links.leafs.own();
        let options = &own.options;
        let tls = options.tls.as_ref();
        let listener = links.port.map(|port| LeafListener {
            host: options.host.clone(),
            port,
            auth_timeout: options.authorization.connect_timeout(tls),
            tls_timeout: tls.map_or(TLS_TIMEOUT, |tls| tls.timeout),
            tls: tls.is_some(),
            tls_verify: tls.is_some_and(|tls| tls.verify || tls.map),
            cert_not_after: links.cert_not_after(),
        });
        let remotes = options.remotes.iter().map(|remote| LeafRemoteSettings {
            account: remote.account().to_owned(),
            tls_timeout: remote.tls.as_ref().map(|tls| tls.timeout),
            urls: remote.urls.iter().map(LinkUrl::address).collect(),
            deny_exports: remote.deny_exports.clone(),
            deny_imports: remote.deny_imports.clone(),
        });
        LeafSettings { listener, remotes: remotes.collect() }
    }

    /// What another server wants in an account.
    fn subjects(&self, account: &str, link: &Arc<Link>) -> Vec<String> {
        let mut subjects = Vec::new();
        if let Some(account) = self.broker.accounts.get(account) {
            account.interest.for_each_pattern(|pattern, target| {
                if matches!(target, Target::Remote(remote) if Arc::ptr_eq(&remote.link, link)) {
                    subjects.push(String::from_utf8_lossy(pattern).into_owned());
                }
            });
        }
        subjects
    }
}

fn of_leaf(summary: &Summary) -> LeafSnapshot {
    let peer = &summary.link.peer;
    let (about, sent) = (peer.description(), peer.outbox.totals());
    LeafSnapshot {
        cid: peer.cid(),
        name: summary.known.name.clone(),
        is_spoke: summary.is_spoke,
        is_isolated: summary.link.isolated,
        account: summary.account.to_string(),
        ip: about.ip.clone(),
        port: about.port,
        rtt: peer.rtt(),
        in_msgs: peer.counters.in_msgs.load(Relaxed),
        out_msgs: sent.messages,
        in_bytes: peer.counters.in_bytes.load(Relaxed),
        out_bytes: sent.bytes,
        pending: sent.pending,
        subscriptions: peer.counters.subscriptions.load(Relaxed),
        subjects: Vec::new(),
        compression: summary.known.compression.to_owned(),
        proxy: about.proxy.clone(),
    }
}
