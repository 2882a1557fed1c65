//! Connections, open and closed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use martlet_broker::Peer;
use martlet_broker::account::Account;
use martlet_broker::interest::Target;
use martlet_broker::peer::{Description, TlsDescription};
use martlet_broker::registry::{Closed, KeptSubscription};
use martlet_broker::subscription::Subscription;
use martlet_events::Time;
use martlet_monitor::snapshot::{
    ClosedConn, ClosedList, ConnDetail, ConnFilter, ConnKind, ConnList, ConnStats, ConnType, PeerCert, SubSnapshot,
    TlsSnapshot, Want,
};
use martlet_net::clock;

use super::View;

impl View {
    pub(super) fn open_connections(&self, filter: &ConnFilter) -> Option<ConnList> {
        let account = match &filter.account {
            Some(name) => Some(self.broker.accounts.get(name)?),
            None => None,
        };
        let is_in = |peer: &Peer| account.as_ref().is_none_or(|account| is_of(peer, account));
        let mut open = self.broker.registry.all();
        open.retain(|peer| is_in(peer));
        let total = open.len();
        if let Some(cid) = filter.cid {
            open.retain(|peer| peer.cid() == cid);
        } else {
            let interested = account.as_deref().zip(filter.subject.as_deref()).map(|(a, s)| interested(a, s));
            open.retain(|peer| {
                interested.as_ref().is_none_or(|cids| cids.contains(&peer.cid())) && admits(filter, peer)
            });
        }
        Some(ConnList { total, admitted: open.iter().map(|peer| stats(peer)).collect() })
    }

    pub(super) fn details(&self, cids: &[u64], want: Want) -> Vec<ConnDetail> {
        let peers = self.broker.registry.find(cids);
        let mut subscriptions = if want.subscriptions { subscriptions(&peers) } else { HashMap::new() };
        let detail = |peer: &Arc<Peer>| {
            let account = peer.account();
            let account = account.as_ref().map_or("", |account| account.name());
            let subscriptions = subscriptions.remove(&peer.cid()).unwrap_or_default();
            ConnDetail { subscriptions, ..describe(peer.cid(), &peer.description(), account, want.auth) }
        };
        peers.iter().map(detail).collect()
    }

    pub(super) fn closed_connections(&self, filter: &ConnFilter) -> ClosedList {
        let mut all = self.broker.closed.all();
        all.retain(|closed| filter.account.as_deref().is_none_or(|account| *account == *closed.account));
        let total = all.len();
        all.retain(|closed| match filter.cid {
            Some(cid) => closed.cid == cid,
            None => {
                filter.admits(&closed.description.user, "")
                    && filter.subject.as_deref().is_none_or(|wanted| had_interest(closed, wanted))
            }
        });
        ClosedList { total, admitted: all.iter().map(|closed| Arc::new(of_closed(closed))).collect() }
    }
}

fn is_of(peer: &Peer, account: &Arc<Account>) -> bool {
    peer.account().is_some_and(|of| Arc::ptr_eq(&of, account))
}

/// Whether the filter's user is this connection's; asked only where it matters.
fn admits(filter: &ConnFilter, peer: &Peer) -> bool {
    (filter.user.is_none() && filter.mqtt_client.is_none()) || filter.admits(&peer.description().user, "")
}

/// The connections with a subscription in `account` that can match what `subject` can.
fn interested(account: &Account, subject: &str) -> HashSet<u64> {
    let mut cids = HashSet::new();
    account.interest.for_each_overlapping(subject.as_bytes(), |target| {
        if let Target::Subscription(subscription) = target {
            cids.insert(subscription.peer.cid());
        }
    });
    cids
}

fn had_interest(closed: &Closed, subject: &str) -> bool {
    let overlaps = |kept: &KeptSubscription| martlet_subject::overlaps(kept.subject.as_bytes(), subject.as_bytes());
    closed.subscriptions.texts.iter().any(overlaps)
}

/// The numbers of one open connection.
fn stats(peer: &Peer) -> ConnStats {
    let (counters, out) = (&peer.counters, peer.outbox.totals());
    let last = Time::from_nanos(counters.last_activity.load(Relaxed)).max(peer.started);
    ConnStats {
        last_activity: clock::wall(last),
        rtt: peer.rtt().unwrap_or_default(),
        pending_bytes: out.pending as u64,
        in_msgs: counters.in_msgs.load(Relaxed),
        in_bytes: counters.in_bytes.load(Relaxed),
        out_msgs: out.messages,
        out_bytes: out.bytes,
        stalls: counters.stalls.load(Relaxed),
        subscriptions: counters.subscriptions.load(Relaxed),
        ..ConnStats::new(peer.cid(), clock::wall(peer.started))
    }
}

/// What is known of a connection beside its numbers and subscriptions.
fn describe(cid: u64, known: &Description, account: &str, auth: bool) -> ConnDetail {
    let mut detail = ConnDetail {
        cid,
        kind: ConnKind::Client,
        conn_type: Some(ConnType::Nats),
        ip: known.ip.clone(),
        port: known.port,
        name: known.name.clone(),
        lang: known.lang.clone(),
        version: known.version.clone(),
        tls: known.tls.as_ref().map(|tls| of_tls(tls, auth)),
        proxy_key: known.proxy.clone(),
        ..ConnDetail::default()
    };
    if auth {
        detail.user.clone_from(&known.user);
        account.clone_into(&mut detail.account);
        // An account of a configuration file calls itself by its name.
        account.clone_into(&mut detail.name_tag);
    }
    detail
}

// spec: SEC-072
fn of_tls(tls: &TlsDescription, certificates: bool) -> TlsSnapshot {
    let shown = if certificates { tls.peer_certs.as_slice() } else { &[] };
    let certificate = |(subject, spki, cert): &(String, String, String)| PeerCert {
        subject: subject.clone(),
        spki_sha256: spki.clone(),
        cert_sha256: cert.clone(),
    };
    TlsSnapshot {
        version: tls.version.clone(),
        cipher_suite: tls.cipher.clone(),
        first: tls.first,
        peer_certs: shown.iter().map(certificate).collect(),
    }
}

/// The subscriptions of `peers`, by connection: one round through the interest of each account they are in.
fn subscriptions(peers: &[Arc<Peer>]) -> HashMap<u64, Vec<SubSnapshot>> {
    let mut accounts: HashMap<u32, (Arc<Account>, HashSet<u64>)> = HashMap::new();
    for peer in peers.iter().filter(|peer| peer.counters.subscriptions.load(Relaxed) > 0) {
        if let Some(account) = peer.account() {
            accounts.entry(account.id()).or_insert_with(|| (account, HashSet::new())).1.insert(peer.cid());
        }
    }
    let mut found: HashMap<u64, Vec<SubSnapshot>> = HashMap::new();
    for (account, wanted) in accounts.values() {
        account.interest.for_each(|target| {
            if let Target::Subscription(subscription) = target
                && wanted.contains(&subscription.peer.cid())
            {
                found.entry(subscription.peer.cid()).or_default().push(of_subscription(subscription, account.name()));
            }
        });
    }
    found
}

fn of_subscription(subscription: &Subscription, account: &str) -> SubSnapshot {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    SubSnapshot {
        account: account.into(),
        account_tag: account.into(),
        subject: text(subscription.subject()),
        queue: subscription.queue().map(text).unwrap_or_default(),
        sid: text(subscription.sid()),
        msgs: subscription.delivered(),
        max: subscription.max(),
        cid: subscription.peer.cid(),
    }
}

fn of_closed(closed: &Closed) -> ClosedConn {
    let account = &*closed.account;
    let of_kept = |kept: &KeptSubscription| SubSnapshot {
        account: account.into(),
        account_tag: account.into(),
        subject: kept.subject.clone(),
        queue: kept.queue.clone().unwrap_or_default(),
        sid: kept.sid.clone(),
        msgs: kept.delivered,
        max: kept.max,
        cid: closed.cid,
    };
    let stats = ConnStats {
        last_activity: clock::wall(closed.last_activity.max(closed.started)),
        rtt: closed.rtt.unwrap_or_default(),
        in_msgs: closed.inbound.0,
        in_bytes: closed.inbound.1,
        out_msgs: closed.out.messages,
        out_bytes: closed.out.bytes,
        pending_bytes: closed.out.pending as u64,
        stalls: closed.stalls,
        subscriptions: closed.subscriptions.count,
        ..ConnStats::new(closed.cid, clock::wall(closed.started))
    };
    ClosedConn {
        stats,
        detail: ConnDetail {
            subscriptions: closed.subscriptions.texts.iter().map(of_kept).collect(),
            ..describe(closed.cid, &closed.description, account, true)
        },
        stop: clock::wall(closed.stopped),
        reason: closed.reason.as_str().into(),
    }
}
