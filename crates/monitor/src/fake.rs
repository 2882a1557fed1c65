//! A server of plain values for tests, modelled on what the reference showed with two accounts and a few clients.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Observe;
use crate::snapshot::*;

pub(crate) const ID: &str = "NDKL6X34Q5SI4EOFQ5ZLEZCJAIWOXH2K6VOUJ6FV2X7L6AATVDRJTIHK";

/// 2026-11-22T09:18:00Z.
pub(crate) fn epoch() -> SystemTime {
    UNIX_EPOCH + Duration::from_mins(29_922_318)
}

pub(crate) struct Fake {
    pub(crate) health: Health,
    pub(crate) tls: Option<TlsSettings>,
    pub(crate) open: Vec<(ConnStats, ConnDetail)>,
    /// Ids whose details are asked for too late.
    pub(crate) gone: Vec<u64>,
    pub(crate) closed: Vec<Arc<ClosedConn>>,
    pub(crate) accounts: Vec<&'static str>,
    pub(crate) subs: Vec<SubSnapshot>,
    pub(crate) routes: Vec<RouteSnapshot>,
    /// With `JetStream` on: what accounts have.
    pub(crate) streams: Option<Vec<JetStreamAccount>>,
    pub(crate) faults: Vec<StreamFault>,
}

impl Default for Fake {
    fn default() -> Self {
        let sub = |account: &str, subject: &str, queue: &str, sid: &str, max, cid| SubSnapshot {
            account: account.into(),
            account_tag: account.into(),
            subject: subject.into(),
            queue: queue.into(),
            sid: sid.into(),
            msgs: 1,
            max,
            cid,
        };
        let subs =
            vec![sub("A", "svc.x", "q", "1", 0, 7), sub("A", "zz.*", "", "2", 5, 7), sub("B", "st.>", "", "1", 0, 8)];
        Self {
            health: Health::Ready,
            tls: None,
            open: vec![conn(7, "a", "A", &subs[..2]), conn(8, "b", "B", &subs[2..])],
            gone: Vec::new(),
            closed: vec![closed(9, "b", "B", "Client Closed"), closed(10, "b", "", "Authentication Failure")],
            accounts: vec!["SYS", "$G", "A", "B"],
            subs,
            routes: Vec::new(),
            streams: None,
            faults: Vec::new(),
        }
    }
}

/// An account with as many streams, each with as many consumers.
pub(crate) fn account(name: &str, streams: usize, consumers: usize) -> JetStreamAccount {
    let consumer = |number: usize| ConsumerSnapshot {
        name: format!("c{number}"),
        description: "it \"pulls\"".into(),
        created: epoch() + Duration::from_millis(1_500),
        config: None,
        is_direct: number % 2 == 1,
        delivered: Reached { consumer_seq: 7, stream_seq: 9, last_active: Some(epoch()) },
        ack_floor: Reached { consumer_seq: 5, stream_seq: 6, last_active: None },
        num_ack_pending: 2,
        num_redelivered: 1,
        num_waiting: 3,
        num_pending: 11,
        dead_letters: Some(4),
        passed_over: 0,
        push_bound: false,
        pause_remaining: Duration::ZERO,
        now: epoch(),
        groups: vec![("g".into(), String::new(), None)],
    };
    let stream = |number: usize| StreamSnapshot {
        name: format!("S{number}"),
        created: epoch(),
        leader: "inv <1>".into(),
        config: Some(Document::read(br#"{"name":"S","max_msgs":-1,"deny":false}"#)),
        messages: 20,
        bytes: 800,
        first_seq: 1,
        first_time: Some(epoch()),
        last_seq: 20,
        last_time: None,
        subjects: 4,
        deleted: 0,
        lost: Vec::new(),
        consumers: consumers as u64,
        listed: (0..consumers).map(consumer).collect(),
        mirror: None,
        sources: Vec::new(),
        max_msgs: -1,
        max_bytes: 5_000,
    };
    JetStreamAccount {
        account: name.into(),
        name_tag: name.into(),
        usage: JetStreamUsage {
            storage: 800,
            reserved_memory: u64::MAX,
            reserved_storage: 9_000,
            ..Default::default()
        },
        streams: (0..streams).map(stream).collect(),
    }
}

/// A route whose numbers all follow from its own.
pub(crate) fn route(cid: u64, remote: &str) -> RouteSnapshot {
    RouteSnapshot {
        link: LinkSnapshot {
            cid,
            ip: "127.0.0.1".into(),
            port: 6222,
            start: epoch(),
            last_activity: epoch(),
            rtt: Duration::from_millis(cid),
            pending: usize::try_from(cid).expect("a small id"),
            in_msgs: cid * 10,
            out_msgs: cid * 20,
            in_bytes: cid * 100,
            out_bytes: cid * 200,
            subscriptions: 0,
            list: Vec::new(),
        },
        remote_id: format!("N{remote}"),
        remote_name: remote.into(),
        did_solicit: false,
        is_configured: false,
        import: None,
        export: None,
        account: String::new(),
        compression: "off".into(),
    }
}

/// An open connection whose numbers all follow from its id.
pub(crate) fn conn(cid: u64, user: &str, account: &str, subs: &[SubSnapshot]) -> (ConnStats, ConnDetail) {
    let start = epoch() + Duration::from_secs(cid);
    let stats = ConnStats {
        last_activity: start + Duration::from_millis(5),
        rtt: Duration::from_nanos(313_400),
        in_msgs: cid * 10,
        in_bytes: cid * 100,
        out_msgs: cid,
        out_bytes: cid * 7,
        pending_bytes: cid % 3,
        subscriptions: u32::try_from(subs.len()).expect("few subscriptions"),
        ..ConnStats::new(cid, start)
    };
    let detail = ConnDetail {
        cid,
        conn_type: Some(ConnType::Nats),
        ip: "127.0.0.1".into(),
        port: 32_000 + u16::try_from(cid % 1_000).expect("below a thousand"),
        lang: "python3".into(),
        version: "2.16.0".into(),
        user: user.into(),
        account: account.into(),
        name_tag: account.into(),
        subscriptions: subs.to_vec(),
        ..ConnDetail::default()
    };
    (stats, detail)
}

pub(crate) fn closed(cid: u64, user: &str, account: &str, reason: &str) -> Arc<ClosedConn> {
    let (stats, detail) = conn(cid, user, account, &[]);
    let stop = stats.start + Duration::from_secs(60 + cid);
    Arc::new(ClosedConn { stats, detail, stop, reason: reason.into() })
}

impl Observe for Fake {
    fn jetstream(&self) -> Option<JetStreamSnapshot> {
        let accounts = self.streams.as_ref()?.len() as u64;
        let settings = JetStreamSettings {
            max_storage: 1_000_000,
            store_dir: "/data".into(),
            sync_always: true,
            default_max_consumers: -1,
            ..JetStreamSettings::default()
        };
        Some(JetStreamSnapshot { settings, accounts, api_level: 5, ..JetStreamSnapshot::default() })
    }

    fn jetstream_totals(&self) -> JetStreamTotals {
        let mut totals = JetStreamTotals::default();
        for stream in self.streams.iter().flatten().flat_map(|account| &account.streams) {
            totals.streams += 1;
            totals.consumers += stream.consumers;
            totals.messages += stream.messages;
            totals.bytes += stream.bytes;
        }
        totals
    }

    fn jetstream_accounts(&self) -> Vec<String> {
        self.streams.iter().flatten().map(|account| account.account.clone()).collect()
    }

    fn jetstream_account(&self, account: &str, want: JetStreamWant) -> Option<JetStreamAccount> {
        let mut found = self.streams.iter().flatten().find(|of| of.account == account)?.clone();
        found.streams.truncate(if want.streams { want.most_streams } else { 0 });
        let mut left = if want.consumers { want.most_consumers } else { 0 };
        for stream in &mut found.streams {
            stream.listed.truncate(left);
            left -= stream.listed.len();
            stream.config = stream.config.take().filter(|_| want.config);
        }
        Some(found)
    }

    fn find_stream(&self, account: &str, stream: &str, consumer: &str) -> Found {
        let Some(account) = self.streams.iter().flatten().find(|of| of.account == account) else {
            return Found::NoAccount;
        };
        let found = account.streams.iter().find(|of| of.name == stream);
        match found {
            None if stream.is_empty() => Found::All,
            None => Found::NoStream,
            Some(of) if consumer.is_empty() || of.listed.iter().any(|of| of.name == consumer) => Found::All,
            Some(_) => Found::NoConsumer,
        }
    }

    fn stream_faults(&self) -> Vec<StreamFault> {
        self.faults.clone()
    }

    fn routes(&self, _listed: bool) -> RouteList {
        RouteList { routes: self.routes.clone(), ..RouteList::default() }
    }

    fn comebacks(&self) -> Vec<ComebackSnapshot> {
        let of = |kind, name: &str, again| ComebackSnapshot { kind, name: name.into(), again };
        vec![of("route", "n2", 4), of("leafnode", "l1", 0)]
    }

    fn identity(&self) -> Identity {
        Identity {
            id: ID.into(),
            name: "inv <1>".into(),
            version: "2.15.1".into(),
            proto: 1,
            git_commit: "b2fd3ef".into(),
            system_account: "SYS".into(),
        }
    }

    fn settings(&self) -> ServerSettings {
        ServerSettings {
            auth_required: true,
            tls: self.tls,
            max_connections: 65_536,
            max_subscriptions: 0,
            ping_interval: Duration::from_mins(2),
            ping_max: 2,
            auth_timeout: Duration::from_secs(2),
            tls_timeout: Duration::from_millis(2_500),
            max_control_line: 4_096,
            max_payload: 1_048_576,
            max_pending: 67_108_864,
            write_deadline: Duration::from_secs(10),
            write_timeout: String::new(),
            http_base_path: String::new(),
            start: epoch(),
            config_load_time: epoch(),
            config_digest: "sha256:60f7".into(),
            tags: vec!["a".into(), "b".into()],
            metadata: [("k".into(), "v".into())].into(),
            feature_flags: [("js_ack_fc_v2".into(), false)].into(),
            trusted_proxies: Some(vec!["UC7H".into()]),
            cluster_name: String::new(),
            cluster: None,
            gateway: None,
            leaf: LeafSettings::default(),
        }
    }

    fn listen(&self) -> Listen {
        Listen {
            host: "0.0.0.0".into(),
            port: 4222,
            http_host: "127.0.0.1".into(),
            http_port: 8222,
            ..Listen::default()
        }
    }

    fn counters(&self) -> ServerCounters {
        ServerCounters {
            connections: self.open.len() as u64,
            total_connections: 4,
            in_msgs: 3,
            slow_consumers: ByKind { clients: 2, routes: 1, ..ByKind::default() },
            stale_connections: ByKind { clients: 5, ..ByKind::default() },
            stalled_clients: 6,
            subscriptions: 72,
            ..ServerCounters::default()
        }
    }

    fn health(&self) -> Health {
        self.health.clone()
    }

    fn connections(&self, filter: &ConnFilter) -> Option<ConnList> {
        let of_account = |detail: &ConnDetail| filter.account.as_ref().is_none_or(|account| *account == detail.account);
        let rows: Vec<_> = self.open.iter().filter(|(_, detail)| of_account(detail)).collect();
        let admitted = rows.iter().filter(|(stats, detail)| match filter.cid {
            Some(cid) => stats.cid == cid,
            None => filter.admits(&detail.user, &detail.mqtt_client),
        });
        Some(ConnList { total: rows.len(), admitted: admitted.map(|(stats, _)| *stats).collect() })
    }

    fn connection_details(&self, cids: &[u64], _want: Want) -> Vec<ConnDetail> {
        assert!(!cids.is_empty(), "nothing is asked for");
        let there = |cid| cids.contains(&cid) && !self.gone.contains(&cid);
        self.open.iter().filter(|(stats, _)| there(stats.cid)).map(|(_, detail)| detail.clone()).collect()
    }

    fn closed(&self, filter: &ConnFilter) -> ClosedList {
        let of_account =
            |conn: &ClosedConn| filter.account.as_ref().is_none_or(|account| *account == conn.detail.account);
        let rows: Vec<_> = self.closed.iter().filter(|conn| of_account(conn)).collect();
        let admitted = rows.iter().filter(|conn| match filter.cid {
            Some(cid) => conn.stats.cid == cid,
            None => filter.admits(&conn.detail.user, &conn.detail.mqtt_client),
        });
        ClosedList { total: rows.len(), admitted: admitted.map(|conn| Arc::clone(conn)).collect() }
    }

    fn visit_subscriptions(&self, account: Option<&str>, visit: &mut dyn FnMut(SubRef<'_>)) {
        for sub in self.subs.iter().filter(|sub| account.is_none_or(|account| account == sub.account)) {
            visit(SubRef {
                account: &sub.account,
                account_tag: &sub.account_tag,
                subject: &sub.subject,
                queue: &sub.queue,
                sid: &sub.sid,
                msgs: sub.msgs,
                max: sub.max,
                cid: sub.cid,
            });
        }
    }

    fn interest(&self, account: Option<&str>) -> InterestStats {
        let one = InterestStats {
            subscriptions: 3,
            cached: 2,
            inserts: 4,
            removes: 1,
            matches: 24,
            cache_hits: 5,
            max_fanout: 1,
            total_fanout: 1,
        };
        let mut sum = InterestStats::default();
        for _ in self.accounts.iter().filter(|name| account.is_none_or(|account| account == **name)) {
            sum += one;
        }
        sum
    }

    fn accounts(&self) -> Vec<String> {
        self.accounts.iter().map(|&name| name.into()).collect()
    }

    fn account(&self, name: &str) -> Option<AccountSnapshot> {
        self.accounts.contains(&name).then(|| AccountSnapshot {
            name: name.into(),
            updated: Some(epoch()),
            is_system: name == "SYS",
            clients: 1,
            mappings: vec![MappingSnapshot {
                source: "foo".into(),
                targets: vec![MappingTarget { subject: "baz".into(), weight: 20, cluster: String::new() }],
            }],
            exports: vec![ExportSnapshot {
                subject: "svc.>".into(),
                kind: ExportKind::Service,
                response_type: "Singleton".into(),
                latency: Some(LatencySnapshot { sampling: 50, subject: "lat.A".into() }),
                approved_accounts: vec!["B".into()],
                ..ExportSnapshot::default()
            }],
            imports: vec![ImportSnapshot {
                subject: "st.>".into(),
                account: "A".into(),
                local_subject: "p.st.>".into(),
                ..ImportSnapshot::default()
            }],
            responses: vec![ImportSnapshot {
                subject: "r.1".into(),
                account: "B".into(),
                local_subject: "_R_.X".into(),
                kind: ExportKind::Service,
                tracking: true,
                ..ImportSnapshot::default()
            }],
            name_tag: name.into(),
            interest: self.interest(Some(name)),
            ..AccountSnapshot::default()
        })
    }

    fn account_traffic(&self, name: &str) -> Option<AccountTraffic> {
        self.accounts.contains(&name).then(|| AccountTraffic {
            account: name.into(),
            name_tag: name.into(),
            connections: self.open.iter().filter(|(_, detail)| detail.account == name).count() as u64,
            subscriptions: 3,
            received: Direction { all: Traffic { msgs: 1, bytes: 2 }, ..Direction::default() },
            ..AccountTraffic::default()
        })
    }

    fn queues(&self) -> Vec<QueueSnapshot> {
        [("SendQ", 0), ("System \"recvQ\"", 3)]
            .map(|(name, pending)| QueueSnapshot { name: name.into(), pending, in_progress: 0 })
            .into()
    }

    fn loops(&self) -> Vec<LoopSnapshot> {
        vec![LoopSnapshot { connections: 2, pending_bytes: 3, read_batches: 9 }; 2]
    }
}
