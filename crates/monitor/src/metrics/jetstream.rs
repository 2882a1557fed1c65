//! The numbers of streams and consumers, under the names and with the labels that the exporter for the reference gives them.
//!
//! The exporter puts its prefix in front of `stream_…` and `consumer_…`; without one, where other names begin with `gnatsd`,
//! these begin with `jetstream`. So do they here.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Names;
use super::text::{Kind, Text, Value};
use crate::Monitor;
use crate::snapshot::{ConsumerSnapshot, JetStreamAccount, JetStreamTotals, JetStreamWant, StreamSnapshot};
use crate::views::{JetStreamVarz, Timestamp};

/// Streams that have series of their own.
pub(super) const MOST_STREAMS: usize = 512;
/// Consumers that have series of their own.
pub(super) const MOST_CONSUMERS: usize = 1024;
/// Accounts that have series of their own.
const MOST_ACCOUNTS: usize = 256;

type Labels<'a> = Vec<(&'static str, &'a str)>;

/// What is shown, and with which labels.
struct Shown<'a> {
    system: &'a str,
    server: Labels<'a>,
    accounts: &'a [JetStreamAccount],
}

/// All of them; nothing but that it is off where `JetStream` is.
// spec: CLI-012 CLU-108
pub(super) fn write(text: &mut Text, monitor: &Monitor, names: &Names<'_>) {
    let (server, identity) = (monitor.server(), monitor.server().identity());
    let (found, cluster) = (server.jetstream(), server.settings().cluster_name);
    let accounts = if found.is_some() { accounts(monitor) } else { Vec::new() };
    let of = found.as_ref().map(|found| found.settings.clone()).unwrap_or_default();
    let system = if names.prefix == "gnatsd" { "jetstream" } else { names.prefix };
    let shown = Shown {
        system,
        server: vec![
            names.server[0],
            ("server_name", &identity.name),
            ("cluster", &cluster),
            ("domain", &of.domain),
            ("meta_leader", ""),
            ("is_meta_leader", "true"),
        ],
        accounts: &accounts,
    };
    let totals = if found.is_some() { server.jetstream_totals() } else { JetStreamTotals::default() };
    for (field, help, value) in [
        ("jetstream_disabled", "1 if there are no streams here.", u64::from(found.is_none())),
        ("max_memory", "Most bytes of streams in memory.", of.max_memory),
        ("max_storage", "Most bytes of streams in files.", of.max_storage),
        ("total_streams", "Streams.", totals.streams),
        ("total_consumers", "Consumers.", totals.consumers),
        ("total_messages", "Messages in streams.", totals.messages),
        ("total_message_bytes", "Bytes of messages in streams.", totals.bytes),
    ] {
        text.family(&format!("{system}_server_{field}"), Kind::Gauge, help).sample(&shown.server, value);
    }
    if let Some(found) = found {
        varz(text, names, &found.into());
        shown.write(text);
        own(text, &accounts);
        omitted(text, &totals, &accounts);
        let faults = server.stream_faults().len() as u64;
        let help = "Streams that could not be recovered, or take no more messages.";
        text.family("martlet_jetstream_faults", Kind::Gauge, help).sample(&[], faults);
    }
}

/// As many streams and consumers as may have series of their own, by account.
fn accounts(monitor: &Monitor) -> Vec<JetStreamAccount> {
    let mut want = JetStreamWant {
        streams: true,
        consumers: true,
        config: false,
        most_streams: MOST_STREAMS,
        most_consumers: MOST_CONSUMERS,
    };
    let mut accounts = Vec::new();
    for name in monitor.server().jetstream_accounts().iter().take(MOST_ACCOUNTS) {
        let Some(account) = monitor.server().jetstream_account(name, want) else { continue };
        want.most_streams -= account.streams.len().min(want.most_streams);
        want.most_consumers -= listed(&account).min(want.most_consumers);
        accounts.push(account);
    }
    accounts
}

fn listed(account: &JetStreamAccount) -> usize {
    account.streams.iter().map(|stream| stream.listed.len()).sum()
}

/// What only Martlet tells of streams and consumers: series only where there is something to tell.
fn own(text: &mut Text, accounts: &[JetStreamAccount]) {
    let help = "Messages of a stream that cannot be read; at most a million are counted.";
    let mut family = text.family("martlet_stream_unreadable_messages", Kind::Gauge, help);
    let streams = || accounts.iter().flat_map(|account| account.streams.iter().map(move |stream| (account, stream)));
    for (account, stream) in streams().filter(|(_, stream)| !stream.lost.is_empty()) {
        let labels = [("account", account.account.as_str()), ("stream_name", stream.name.as_str())];
        family.sample(&labels, stream.lost.len() as u64);
    }
    let numbers: [ConsumerNumber; 2] = [
        ("passed_over_messages", "Messages that a consumer passed over, since they could not be read.", |of| {
            (of.passed_over > 0).then(|| of.passed_over.into())
        }),
        ("dead_letters_waiting", "Dead letters of a consumer that wait for somebody to have them.", |of| {
            of.dead_letters.map(Value::from)
        }),
    ];
    for (field, help, number) in numbers {
        let mut family = text.family(&format!("martlet_consumer_{field}"), Kind::Gauge, help);
        for (account, stream) in streams() {
            for consumer in &stream.listed {
                let [account, stream] = [("account", &account.account), ("stream_name", &stream.name)];
                let labels = [account, stream, ("consumer_name", &consumer.name)].map(|(name, of)| (name, of.as_str()));
                if let Some(number) = number(consumer) {
                    family.sample(&labels, number);
                }
            }
        }
    }
}

/// How many have no series of their own.
fn omitted(text: &mut Text, totals: &JetStreamTotals, accounts: &[JetStreamAccount]) {
    let streams = accounts.iter().map(|account| account.streams.len() as u64).sum();
    let consumers = accounts.iter().map(|account| listed(account) as u64).sum();
    let help = "Streams and consumers that have no series of their own here.";
    let mut family = text.family("martlet_jetstream_omitted", Kind::Gauge, help);
    family.sample(&[("kind", "stream")], totals.streams.saturating_sub(streams));
    family.sample(&[("kind", "consumer")], totals.consumers.saturating_sub(consumers));
}

/// The numbers that are in `/varz`.
fn varz(text: &mut Text, names: &Names<'_>, of: &JetStreamVarz) {
    let (config, stats) = (of.config.clone().unwrap_or_default(), of.stats.unwrap_or_default());
    let (gauge, counter) = (Kind::Gauge, Kind::Counter);
    for (field, kind, help, value) in [
        ("config_max_memory", gauge, "Most bytes of streams in memory.", config.max_memory),
        ("config_max_storage", gauge, "Most bytes of streams in files.", config.max_storage),
        ("stats_memory", gauge, "Bytes of streams in memory.", stats.memory),
        ("stats_storage", gauge, "Bytes of streams in files.", stats.storage),
        ("stats_reserved_memory", gauge, "Bytes in memory set aside for streams.", stats.reserved_memory),
        ("stats_reserved_storage", gauge, "Bytes in files set aside for streams.", stats.reserved_storage),
        ("stats_accounts", gauge, "Accounts that may have streams.", stats.accounts),
        ("stats_ha_assets", gauge, "Streams and consumers with replicas.", stats.ha_assets),
        ("stats_api_total", counter, "Requests to the API.", stats.api.total),
        ("stats_api_errors", counter, "Requests to the API that were refused.", stats.api.errors),
    ] {
        names.one(text, "varz_jetstream", field, kind, help, value);
    }
}

type AccountNumber = (&'static str, &'static str, fn(&JetStreamAccount) -> Value);
type StreamNumber = (&'static str, &'static str, fn(&StreamSnapshot) -> Value);
type ConsumerNumber = (&'static str, &'static str, fn(&ConsumerSnapshot) -> Option<Value>);

const ACCOUNT: [AccountNumber; 4] = [
    ("max_memory", "Most bytes of the account's streams in memory; -1 is no bound.", |of| {
        bound(of.usage.reserved_memory)
    }),
    ("max_storage", "Most bytes of the account's streams in files; -1 is no bound.", |of| {
        bound(of.usage.reserved_storage)
    }),
    ("memory_used", "Bytes of the account's streams in memory.", |of| of.usage.memory.into()),
    ("storage_used", "Bytes of the account's streams in files.", |of| of.usage.storage.into()),
];

const STREAM: [StreamNumber; 8] = [
    ("total_messages", "Messages in a stream.", |of| of.messages.into()),
    ("total_bytes", "Bytes of messages in a stream.", |of| of.bytes.into()),
    ("first_seq", "First sequence of a stream.", |of| of.first_seq.into()),
    ("last_seq", "Last sequence of a stream.", |of| of.last_seq.into()),
    ("consumer_count", "Consumers of a stream.", |of| of.consumers.into()),
    ("subject_count", "Subjects of a stream.", |of| of.subjects.into()),
    ("limit_bytes", "Most bytes of a stream; -1 is no bound.", |of| of.max_bytes.into()),
    ("limit_messages", "Most messages of a stream; -1 is no bound.", |of| of.max_msgs.into()),
];

const CONSUMER: [ConsumerNumber; 10] = [
    ("last_delivery_seconds", "Seconds since a consumer delivered something.", |of| {
        since(of, of.delivered.last_active)
    }),
    ("last_ack_seconds", "Seconds since something was acknowledged.", |of| since(of, of.ack_floor.last_active)),
    ("delivered_consumer_seq", "Deliveries of a consumer.", |of| Some(of.delivered.consumer_seq.into())),
    ("delivered_stream_seq", "Sequence of the stream that a consumer delivered last.", |of| {
        Some(of.delivered.stream_seq.into())
    }),
    ("num_ack_pending", "Messages of a consumer that wait for acknowledgement.", |of| Some(of.num_ack_pending.into())),
    ("num_redelivered", "Messages that a consumer delivered more than once.", |of| Some(of.num_redelivered.into())),
    ("num_waiting", "Pull requests that wait at a consumer.", |of| Some(of.num_waiting.into())),
    ("num_pending", "Messages that a consumer has yet to deliver.", |of| Some(of.num_pending.into())),
    ("ack_floor_stream_seq", "Sequence of the stream up to which all is acknowledged.", |of| {
        Some(of.ack_floor.stream_seq.into())
    }),
    ("ack_floor_consumer_seq", "Deliveries up to which all is acknowledged.", |of| {
        Some(of.ack_floor.consumer_seq.into())
    }),
];

/// Seconds between a time and when it was looked at; nothing for what never was.
fn since(of: &ConsumerSnapshot, last: Option<SystemTime>) -> Option<Value> {
    Some(of.now.duration_since(last?).unwrap_or_default().as_secs_f64().into())
}

fn bound(most: u64) -> Value {
    if most == u64::MAX { Value::Signed(-1) } else { most.into() }
}

impl<'a> Shown<'a> {
    fn write(&self, text: &mut Text) {
        for (field, help, number) in ACCOUNT {
            let mut family = text.family(&format!("{}_account_{field}", self.system), Kind::Gauge, help);
            for account in self.accounts {
                family.sample(&self.account(account), number(account));
            }
        }
        for (field, help, number) in STREAM {
            let mut family = text.family(&format!("{}_stream_{field}", self.system), Kind::Gauge, help);
            for account in self.accounts {
                for stream in &account.streams {
                    family.sample(&self.stream(account, stream), number(stream));
                }
            }
        }
        for (field, help, number) in CONSUMER {
            let mut family = text.family(&format!("{}_consumer_{field}", self.system), Kind::Gauge, help);
            for account in self.accounts {
                for stream in &account.streams {
                    let labels = self.stream(account, stream);
                    for consumer in &stream.listed {
                        let created = whole_seconds(consumer.created);
                        let mut labels = labels.clone();
                        labels.extend([
                            ("consumer_name", consumer.name.as_str()),
                            ("consumer_leader", stream.leader.as_str()),
                            ("is_consumer_leader", "true"),
                            ("consumer_desc", consumer.description.as_str()),
                            ("consumer_created", created.as_str()),
                        ]);
                        if let Some(number) = number(consumer) {
                            family.sample(&labels, number);
                        }
                    }
                }
            }
        }
    }

    fn account(&self, of: &'a JetStreamAccount) -> Labels<'a> {
        let mut labels = self.server.clone();
        let name = of.name_tag.as_str();
        labels.extend([("account", name), ("account_name", name), ("account_id", of.account.as_str())]);
        labels
    }

    fn stream(&self, account: &'a JetStreamAccount, of: &'a StreamSnapshot) -> Labels<'a> {
        let mut labels = self.account(account);
        labels.extend([
            ("stream_name", of.name.as_str()),
            ("stream_leader", of.leader.as_str()),
            ("is_stream_leader", "true"),
        ]);
        labels
    }
}

/// Without what is below a second, as the label is everywhere.
fn whole_seconds(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(UNIX_EPOCH + std::time::Duration::from_secs(since.as_secs())).to_rfc3339()
}
