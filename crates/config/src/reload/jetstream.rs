//! What changed of `jetstream`: it may be turned on and off, bounds may grow, everything else is read once, when it starts.

use std::time::Duration;

use super::{Change, NotReloadable, fixed, push_if};
use crate::duration;
use crate::options::{JetStream, Options, Secret, Sync};

// spec: CFG-184 CFG-185 CFG-186 CFG-187 CFG-188 CFG-189 CFG-190 CFG-197 CFG-198 CFG-199 CFG-200 CFG-205 CFG-209
pub(super) fn jetstream(old: &Options, new: &Options, changes: &mut Vec<Change>) -> Result<(), NotReloadable> {
    let (before, after) = match (&old.jetstream, &new.jetstream) {
        (None, None) => return Ok(()),
        (Some(before), Some(after)) => (before, after),
        (_, after) => {
            changes.push(Change::JetStream(after.is_some()));
            return Ok(());
        }
    };
    if before.store_dir != after.store_dir {
        return Err(NotReloadable::JetStream("jetstream storage directory"));
    }
    fixed("JetStreamDomain", &before.domain, &after.domain, String::clone)?;
    fixed("JetStreamStrict", &before.strict, &after.strict, bool::to_string)?;
    let hidden = |key: &Option<Secret>| if key.is_some() { "[REDACTED]" } else { "" }.to_owned();
    fixed("JetStreamKey", &before.key, &after.key, hidden)?;
    fixed("JetStreamOldKey", &before.prev_key, &after.prev_key, hidden)?;
    fixed("JetStreamCipher", &before.cipher, &after.cipher, |cipher| format!("{cipher:?}"))?;
    sync(before.sync, after.sync)?;
    let interval = |interval: &Duration| duration::format(*interval);
    fixed("JetStreamScrubInterval", &before.scrub_interval, &after.scrub_interval, interval)?;
    queues(before, after)?;
    for (before, after, change) in [
        (before.max_memory, after.max_memory, Change::JetStreamMaxMemory as fn(u64) -> Change),
        (before.max_file, after.max_file, Change::JetStreamMaxFile),
    ] {
        match (before, after) {
            (before, after) if before == after => {}
            (Some(before), Some(after)) if before < after => changes.push(change(after)),
            (Some(_), Some(_)) => {
                return Err(NotReloadable::JetStream("decreasing jetstream max memory and store"));
            }
            _ => return Err(NotReloadable::JetStream("changing jetstream max memory or store from or to dynamic")),
        }
    }
    push_if(changes, before.limits != after.limits, Change::JetStreamLimits);
    Ok(())
}

fn sync(before: Sync, after: Sync) -> Result<(), NotReloadable> {
    let always = |sync| sync == Sync::Always;
    fixed("SyncAlways", &always(before), &always(after), bool::to_string)?;
    let interval = |sync| match sync {
        Sync::Always => Duration::ZERO,
        Sync::Every(interval) => interval,
    };
    fixed("SyncInterval", &interval(before), &interval(after), |interval| duration::format(*interval))
}

fn queues(before: &JetStream, after: &JetStream) -> Result<(), NotReloadable> {
    let number = |number: &u64| number.to_string();
    fixed("StreamMaxBufferedSize", &before.max_buffered_size, &after.max_buffered_size, number)?;
    fixed("JetStreamMaxConcurrentIO", &before.max_concurrent_io, &after.max_concurrent_io, usize::to_string)?;
    fixed("StreamMaxBufferedMsgs", &before.max_buffered_msgs, &after.max_buffered_msgs, number)?;
    let limit = usize::to_string;
    fixed("JetStreamRequestQueueLimit", &before.request_queue_limit, &after.request_queue_limit, limit)?;
    let limit = |options: &JetStream| options.info_queue_limit.unwrap_or(options.request_queue_limit);
    fixed("JetStreamInfoQueueLimit", &limit(before), &limit(after), usize::to_string)
}
