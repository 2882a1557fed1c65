//! What monitoring sees: numbers of now, and what is wrong.
//!
//! Invariant: nothing changes here, and a stream is held only for as long as it takes to copy what is wanted of it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use martlet_broker::batch::Batch;
use martlet_config::options::{JetStream as Block, Sync};
use martlet_disk::{Syncer, Waits};
use martlet_events::WallTime;
use martlet_jetstream::Now;
use martlet_jetstream::api::answer::{ConsumerInfo, SequenceInfo};
use martlet_jetstream::api::json::encode;
use martlet_jetstream::api::request::API_LEVEL;
use martlet_jetstream::config::Storage;
use martlet_jetstream::stream::Stream;
use martlet_monitor::snapshot::{
    ConsumerSnapshot, DiskWaits, Document, Found, JetStreamAccount, JetStreamSettings, JetStreamSnapshot,
    JetStreamTotals, JetStreamUsage, JetStreamWant, QueueSnapshot, Reached, StreamFault, StreamSnapshot,
};
use martlet_net::clock;

use super::actor::StreamActor;
use super::registry::Registry;
use super::{JetStream, Shared, now};

/// What cannot be done with a stream that was not found whole at start.
const NOT_RECOVERED: &str = "could not be recovered";
/// What cannot be done with one whose store has failed.
const FENCED: &str = "takes no more messages";
/// What cannot be done with one that met a state that cannot be.
const BROKEN: &str = "takes and gives no more messages";

impl JetStream {
    /// The server's settings and numbers.
    pub(crate) fn snapshot(&self, block: &Block) -> JetStreamSnapshot {
        let registries = self.enabled();
        let mut usage = usage(&self.shared.usage);
        for registry in &registries {
            usage.api_total += registry.total.load(Relaxed);
            usage.api_errors += registry.errors.load(Relaxed);
        }
        JetStreamSnapshot {
            settings: settings(block, &self.shared),
            usage,
            accounts: registries.len() as u64,
            api_level: API_LEVEL.unsigned_abs(),
            disk_waits: waits(&self.shared.syncer),
        }
    }

    /// How much there is of streams.
    pub(crate) fn totals(&self) -> JetStreamTotals {
        let mut totals = JetStreamTotals::default();
        for actor in self.enabled().iter().flat_map(|registry| registry.actors()) {
            let _ = actor.look(|stream| {
                let state = stream.state();
                totals.streams += 1;
                totals.consumers += stream.public_consumers().count() as u64;
                totals.messages += state.messages;
                totals.bytes += state.bytes;
            });
        }
        totals
    }

    /// The accounts that may have streams, by name.
    pub(crate) fn account_names(&self) -> Vec<String> {
        self.enabled().iter().map(|registry| registry.account.name().to_string()).collect()
    }

    /// One of them.
    pub(crate) fn account(&self, name: &str, want: JetStreamWant) -> Option<JetStreamAccount> {
        let registry = self.registry(name)?;
        let limits = registry.limits()?;
        let bound = |most: i64| u64::try_from(most).unwrap_or(u64::MAX);
        let used = usage(&registry.usage);
        let mut actors = if want.streams { registry.actors() } else { Vec::new() };
        actors.truncate(want.most_streams);
        let mut left = want.most_consumers;
        let look = |actor: &Arc<StreamActor>| {
            let stream = look(actor, &self.shared, JetStreamWant { most_consumers: left, ..want })?;
            left -= stream.listed.len().min(left);
            Some(stream)
        };
        Some(JetStreamAccount {
            account: name.to_owned(),
            name_tag: name.to_owned(),
            usage: JetStreamUsage {
                reserved_memory: bound(limits.max_memory),
                reserved_storage: bound(limits.max_storage),
                api_total: registry.total.load(Relaxed),
                api_errors: registry.errors.load(Relaxed),
                ..used
            },
            streams: actors.iter().filter_map(look).collect(),
        })
    }

    /// Requests that wait, of all accounts.
    // spec: CLU-110
    pub(crate) fn queues(&self) -> [QueueSnapshot; 2] {
        let mut sums = [0, 0];
        for registry in self.enabled() {
            let [changes, infos] = registry.requests.waiting();
            sums = [sums[0] + changes, sums[1] + infos];
        }
        let queue = |name: &str, pending| QueueSnapshot { name: name.to_owned(), pending, in_progress: 0 };
        [queue("JetStream API queue", sums[0]), queue("JetStream API info queue", sums[1])]
    }

    /// Whether an account may have streams.
    pub(crate) fn is_enabled(&self, account: &str) -> bool {
        self.registry(account).is_some_and(|registry| registry.limits().is_some())
    }

    /// What there is of a stream and its consumer; whoever is empty is not looked for.
    pub(crate) fn find(&self, account: &str, stream: &str, consumer: &str) -> Found {
        let Some(registry) = self.registry(account).filter(|registry| registry.limits().is_some()) else {
            return Found::NoAccount;
        };
        if stream.is_empty() {
            return Found::All;
        }
        let has = registry
            .actor(stream)
            .ok()
            .and_then(|actor| actor.look(|stream| consumer.is_empty() || stream.consumer(consumer).is_some()));
        match has {
            None => Found::NoStream,
            Some(false) => Found::NoConsumer,
            Some(true) => Found::All,
        }
    }

    /// Streams that cannot be used as they should.
    pub(crate) fn faults(&self) -> Vec<StreamFault> {
        let mut faults = Vec::new();
        for registry in self.enabled() {
            let account = registry.account.name();
            let fault = |stream: &str, what, why: String| StreamFault {
                account: account.to_string(),
                stream: stream.to_owned(),
                what,
                why,
            };
            faults.extend(registry.unrecovered().iter().map(|(name, why)| fault(name, NOT_RECOVERED, why.clone())));
            for actor in registry.actors() {
                if actor.is_broken() {
                    faults.push(fault(&actor.name, BROKEN, "it met a state that cannot be".to_owned()));
                } else if let Some(why) =
                    actor.look(|stream| stream.store().fenced().map(ToString::to_string)).flatten()
                {
                    faults.push(fault(&actor.name, FENCED, why));
                }
            }
        }
        faults
    }

    fn registry(&self, account: &str) -> Option<Arc<Registry>> {
        self.registries.read().get(account).cloned()
    }

    /// Accounts that may have streams, by name.
    fn enabled(&self) -> Vec<Arc<Registry>> {
        let mut registries: Vec<_> = self.registries.read().values().cloned().collect();
        registries.retain(|registry| registry.limits().is_some());
        registries.sort_unstable_by(|a, b| a.account.name().cmp(b.account.name()));
        registries
    }
}

fn settings(block: &Block, shared: &Shared) -> JetStreamSettings {
    let limits = &block.limits;
    // The reference shows its default beside `sync_always`.
    let (sync_always, sync_interval) = match block.sync {
        Sync::Always => (true, Duration::from_mins(2)),
        Sync::Every(interval) => (false, interval),
    };
    JetStreamSettings {
        max_memory: shared.usage.most(Storage::Memory).unwrap_or_default(),
        max_storage: shared.usage.most(Storage::File).unwrap_or_default(),
        is_bounded: block.max_memory.is_some_and(|most| most > 0) && block.max_file.is_some_and(|most| most > 0),
        store_dir: shared.layout.root().display().to_string(),
        sync_interval,
        sync_always,
        domain: shared.domain.clone(),
        strict: block.strict,
        max_request_batch: limits.max_request_batch.unwrap_or_default(),
        max_ack_pending: limits.max_ack_pending.unwrap_or_default(),
        max_duplicate_window: limits.duplicate_window.unwrap_or_default(),
        max_batch_inflight_per_stream: limits.batch_max_inflight_per_stream.unwrap_or_default(),
        max_batch_inflight_total: limits.batch_max_inflight_total.unwrap_or_default(),
        max_batch_size: limits.batch_max_msgs.unwrap_or_default(),
        max_batch_timeout: limits.batch_timeout.unwrap_or_default(),
        default_max_consumers: limits.default_max_consumers.map_or(-1, |most| i64::try_from(most).unwrap_or(i64::MAX)),
    }
}

// spec: JS-128
fn waits(of: &Syncer<Batch>) -> DiskWaits {
    let Waits { waiting, waits, total, longest } = of.waits();
    DiskWaits { waiting, waits, total, longest }
}

fn usage(of: &super::Usage) -> JetStreamUsage {
    JetStreamUsage {
        memory: of.used(Storage::Memory),
        storage: of.used(Storage::File),
        reserved_memory: of.reserved(Storage::Memory),
        reserved_storage: of.reserved(Storage::File),
        ..JetStreamUsage::default()
    }
}

/// What is wanted of a stream. It is held while its numbers are copied, and no longer.
fn look(actor: &StreamActor, shared: &Shared, want: JetStreamWant) -> Option<StreamSnapshot> {
    let now = now(clock::now());
    let (info, consumers) = actor.look(|stream| (stream.info(now), consumers(stream, now, want)))?;
    let state = info.state;
    Some(StreamSnapshot {
        created: system(info.created),
        leader: shared.server_name(),
        messages: state.messages,
        bytes: state.bytes,
        first_seq: state.first_seq,
        first_time: state.first_time.map(system),
        last_seq: state.last_seq,
        last_time: state.last_time.map(system),
        subjects: state.num_subjects,
        deleted: state.num_deleted,
        lost: state.lost.map(|lost| lost.msgs).unwrap_or_default(),
        consumers: state.consumers,
        listed: consumers.into_iter().map(|consumer| shown(consumer, want)).collect(),
        max_msgs: info.config.max_msgs,
        max_bytes: info.config.max_bytes,
        config: want.config.then(|| Document::read(&encode(&info.config))),
        mirror: info.mirror.as_ref().map(|mirror| Document::read(&encode(mirror))),
        sources: info.sources.iter().map(|source| Document::read(&encode(source))).collect(),
        name: info.config.name,
    })
}

/// What consumers say of themselves, and what only Martlet tells: dead letters that wait, messages passed over.
type Told = (ConsumerInfo, Option<u64>, u64);

fn consumers(stream: &Stream, now: Now, want: JetStreamWant) -> Vec<Told> {
    if !want.consumers {
        return Vec::new();
    }
    let told = |name: &str| {
        let consumer = stream.consumer(name)?;
        let letters = consumer.dead_letters().map(|letters| letters as u64);
        Some((stream.consumer_numbers(name, now)?, letters, consumer.passed_over()))
    };
    stream.consumers().filter_map(told).take(want.most_consumers).collect()
}

fn shown((of, dead_letters, passed_over): Told, want: JetStreamWant) -> ConsumerSnapshot {
    let reached = |at: SequenceInfo| Reached {
        consumer_seq: at.consumer,
        stream_seq: at.stream,
        last_active: at.last_active.map(system),
    };
    let groups = of.priority_groups.into_iter();
    ConsumerSnapshot {
        created: system(of.created),
        delivered: reached(of.delivered),
        ack_floor: reached(of.ack_floor),
        num_ack_pending: of.num_ack_pending,
        num_redelivered: of.num_redelivered,
        num_waiting: of.num_waiting,
        num_pending: of.num_pending,
        dead_letters,
        passed_over,
        push_bound: of.push_bound,
        pause_remaining: of.pause_remaining,
        now: system(of.now),
        groups: groups.map(|of| (of.group, of.pinned_client_id, of.pinned_since.map(system))).collect(),
        is_direct: of.config.direct,
        config: want.config.then(|| Document::read(&encode(&of.config))),
        description: of.config.description,
        name: of.name,
    }
}

fn system(time: WallTime) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(time.as_nanos())
}
