//! What of `jetstream` a reload may change.

use std::time::Duration;

use super::reports;
use crate::options::{Cipher, JetStream, JetStreamLimits, Options, Secret, Sync};
use crate::reload::diff;

fn with(edit: impl FnOnce(&mut JetStream)) -> Options {
    let mut jetstream = JetStream {
        max_memory: Some(100_000_000),
        max_file: Some(100_000_000),
        sync: Sync::Every(Duration::from_mins(2)),
        ..JetStream::default()
    };
    edit(&mut jetstream);
    Options { jetstream: Some(jetstream), ..Options::default() }
}

#[test]
fn bounds_may_grow() {
    // spec: CFG-186 CFG-187 CFG-205 CFG-447 CFG-452 NEW-050
    let report = |edit: fn(&mut JetStream)| reports(&with(|_| {}), &with(edit)).last().cloned().unwrap_or_default();
    assert_eq!(report(|of| of.max_memory = Some(200_000_000)), "Reloaded: JetStream max_mem_store = 190.73 MB");
    assert_eq!(report(|of| of.max_file = Some(200_000_000)), "Reloaded: JetStream max_file_store = 190.73 MB");
    let fewer = JetStreamLimits { default_max_consumers: Some(5), ..JetStreamLimits::default() };
    let old = with(|_| {});
    let new = with(|of| of.limits = fewer);
    assert_eq!(reports(&old, &new).last().map(String::as_str), Some("Reloaded: JetStream limits"));
    assert_eq!(reports(&old, &old).len(), 2, "nothing of it changed");
}

#[test]
fn the_rest_is_read_at_start() {
    // spec: CFG-185 CFG-188 CFG-189 CFG-190 CFG-191 CFG-192 CFG-193 CFG-197 CFG-198 CFG-199 CFG-200 CFG-209 CFG-448 CFG-449 CFG-450 CFG-451
    for (edit, message) in [
        ((|of| of.max_file = Some(1)) as fn(&mut JetStream), "decreasing jetstream max memory and store"),
        (|of| of.max_memory = Some(1), "decreasing jetstream max memory and store"),
        (|of| of.max_memory = None, "changing jetstream max memory or store from or to dynamic"),
        (|of| of.store_dir = Some("x".into()), "jetstream storage directory"),
        (|of| of.domain = "D".into(), "JetStreamDomain: old=, new=D"),
        (|of| of.strict = false, "JetStreamStrict: old=true, new=false"),
        (|of| of.key = Some(Secret::new("k")), "JetStreamKey: old=, new=[REDACTED]"),
        (|of| of.prev_key = Some(Secret::new("k")), "JetStreamOldKey: old=, new=[REDACTED]"),
        (|of| of.cipher = Cipher::Aes, "JetStreamCipher: old=ChaCha, new=Aes"),
        (|of| of.sync = Sync::Always, "SyncAlways: old=false, new=true"),
        (|of| of.sync = Sync::Every(Duration::from_secs(5)), "SyncInterval: old=2m0s, new=5s"),
        (|of| of.scrub_interval = Duration::ZERO, "JetStreamScrubInterval: old=168h0m0s, new=0s"),
        (|of| of.max_buffered_size = 1, "StreamMaxBufferedSize: old=134217728, new=1"),
        (|of| of.max_buffered_msgs = 1, "StreamMaxBufferedMsgs: old=100000, new=1"),
        (|of| of.request_queue_limit = 1, "JetStreamRequestQueueLimit: old=10000, new=1"),
        (|of| of.info_queue_limit = Some(1), "JetStreamInfoQueueLimit: old=10000, new=1"),
    ] {
        let error = diff(&with(|_| {}), &with(edit)).expect_err(message).to_string();
        assert_eq!(error, format!("config reload not supported for {message}"));
    }
}

#[test]
fn it_may_be_turned_on_and_off() {
    // spec: CFG-184
    for (old, new) in [(with(|_| {}), Options::default()), (Options::default(), with(|_| {}))] {
        assert_eq!(reports(&old, &new).last().map(String::as_str), Some("Reloaded: JetStream"));
    }
}
