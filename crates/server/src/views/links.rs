//! Links to other servers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use martlet_broker::Peer;
use martlet_broker::interest::Target;
use martlet_broker::link::RemoteSubscription;
use martlet_cluster::route::Summary;
use martlet_config::options::{SubjectPermission, WriteTimeout};
use martlet_events::Time;
use martlet_monitor::snapshot::{ClusterSettings, LinkPermission, LinkSnapshot, RouteList, RouteSnapshot, SubSnapshot};
use martlet_net::clock;
use martlet_proto as proto;

use super::View;

impl View {
    pub(super) fn route_list(&self, listed: bool) -> RouteList {
        let Some(of) = &self.others.routes else { return RouteList::default() };
        let own = of.routes.own();
        let mut lists = if listed { self.wanted_by_link() } else { HashMap::new() };
        let permissions = own.options.permissions.as_ref();
        RouteList {
            import: permissions.map(|p| configured(&p.import)),
            export: permissions.map(|p| configured(&p.export)),
            routes: of
                .routes
                .list()
                .into_iter()
                .map(|summary| {
                    let list = lists.remove(&summary.link.peer.cid()).unwrap_or_default();
                    route(summary, list)
                })
                .collect(),
        }
    }

    /// What other servers want, by the number of their link.
    pub(super) fn wanted_by_link(&self) -> HashMap<u64, Vec<SubSnapshot>> {
        let mut lists: HashMap<u64, Vec<SubSnapshot>> = HashMap::new();
        for account in self.broker.accounts.all() {
            account.interest.for_each(|target| {
                if let Target::Remote(remote) = target {
                    let list = lists.entry(remote.link.peer.cid()).or_default();
                    list.push(wanted(account.name(), remote));
                }
            });
        }
        lists
    }

    pub(super) fn cluster_settings(&self) -> Option<ClusterSettings> {
        let of = self.others.routes.as_ref()?;
        let own = of.routes.own();
        let options = &own.options;
        Some(ClusterSettings {
            host: options.host.clone(),
            port: of.address.port(),
            auth_timeout: options.login.connect_timeout(options.tls.as_ref()),
            urls: options.routes.iter().map(martlet_config::options::LinkUrl::address).collect(),
            tls_timeout: options.tls.as_ref().map(|tls| tls.timeout),
            cert_not_after: of.cert_not_after(),
            pool_size: options.pool_size,
            write_deadline: options.write_deadline.unwrap_or_default(),
            write_timeout: match options.write_timeout {
                WriteTimeout::Default => String::new(),
                WriteTimeout::Close => "close".into(),
                WriteTimeout::Retry => "retry".into(),
            },
        })
    }
}

fn route(summary: Summary, list: Vec<SubSnapshot>) -> RouteSnapshot {
    let Summary { link, known, is_solicited, is_configured } = summary;
    RouteSnapshot {
        link: snapshot(&link.peer, list),
        remote_id: known.id,
        remote_name: known.name,
        did_solicit: is_solicited,
        is_configured,
        import: known.import.map(told),
        export: known.export.map(told),
        account: link.account.as_deref().unwrap_or_default().to_owned(),
        compression: known.compression.to_owned(),
    }
}

pub(super) fn snapshot(peer: &Arc<Peer>, list: Vec<SubSnapshot>) -> LinkSnapshot {
    let (known, counters, out) = (peer.description(), &peer.counters, peer.outbox.totals());
    let heard = Time::from_nanos(counters.last_activity.load(Relaxed)).max(peer.started);
    LinkSnapshot {
        cid: peer.cid(),
        ip: known.ip.clone(),
        port: known.port,
        start: clock::wall(peer.started),
        last_activity: clock::wall(heard),
        rtt: peer.rtt().unwrap_or_default(),
        pending: out.pending,
        in_msgs: counters.in_msgs.load(Relaxed),
        out_msgs: out.messages,
        in_bytes: counters.in_bytes.load(Relaxed),
        out_bytes: out.bytes,
        subscriptions: counters.subscriptions.load(Relaxed),
        list,
    }
}

/// What a server wants is named by what it said: the account, where the link carries several, subject and queue group.
fn wanted(account: &str, remote: &RemoteSubscription) -> SubSnapshot {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let named = remote.link.account.is_none().then(|| account.to_owned());
    let words = [named, Some(text(remote.subject())), remote.queue().map(text), remote.origin().map(text)];
    SubSnapshot {
        account: account.to_owned(),
        account_tag: account.to_owned(),
        subject: text(remote.subject()),
        queue: remote.queue().map(text).unwrap_or_default(),
        sid: words.into_iter().flatten().collect::<Vec<_>>().join(" "),
        cid: remote.link.peer.cid(),
        ..SubSnapshot::default()
    }
}

fn told(of: proto::SubjectPermission) -> LinkPermission {
    LinkPermission { allow: of.allow, deny: of.deny }
}

fn configured(of: &SubjectPermission) -> LinkPermission {
    let texts = |list: &[martlet_config::options::PermissionSubject]| list.iter().map(|s| s.subject.clone()).collect();
    LinkPermission { allow: of.allow.as_deref().map(texts).unwrap_or_default(), deny: texts(&of.deny) }
}
