//! The `jetstream` blocks.

use std::time::Duration;

use super::{errors, options, read};
use crate::options::{AccountJetStream, Cipher, JetStream, JetStreamLimits, Secret, Sync};

fn jetstream(text: &str) -> Option<JetStream> {
    options(text).jetstream
}

#[test]
fn on_and_off() {
    // spec: CFG-084 CFG-184 CFG-245
    for text in
        ["jetstream: true", "jetstream: enabled", "jetstream: Enable", "jetstream {}", "jetstream { enabled: true }"]
    {
        assert_eq!(jetstream(text), Some(JetStream::default()), "{text}");
    }
    for text in ["jetstream: false", "jetstream: disabled", "jetstream { enabled: false, max_mem: 1G }"] {
        assert_eq!(jetstream(text), None, "{text}");
        assert_eq!(read(text).expect("it is right").warnings, [], "{text}");
    }
}

#[test]
fn everything_of_a_server() {
    // spec: CFG-185 CFG-186 CFG-187 CFG-188 CFG-189 CFG-190 CFG-191 CFG-192 CFG-193 CFG-197 CFG-198 CFG-199 CFG-200 CFG-204 CFG-205 CFG-207
    // spec: CFG-412 CFG-413 CFG-414 CFG-415 CFG-416 CFG-417 CFG-418 CFG-419 CFG-420
    let of = jetstream(
        "jetstream { store: d, max_mem: 1G, max_file_store: '10G', domain: hub, strict: false, sync: '30s', scrub_interval: '24h', ek: s3cret, prev_key: old, cipher: AES
           max_buffered_size: '1M', max_buffered_msgs: 5, request_queue_limit: 6, info_queue_limit: 7, max_concurrent_io: 8
           limits { max_ack_pending: 1, max_request_batch: 2, duplicate_window: '3s', default_max_consumers: -1
             batch { max_inflight_per_stream: 4, max_inflight_total: 5, max_msgs: 6, timeout: '7s' } } }",
    );
    let limits = JetStreamLimits {
        max_ack_pending: Some(1),
        max_request_batch: Some(2),
        duplicate_window: Some(Duration::from_secs(3)),
        default_max_consumers: None,
        batch_max_inflight_per_stream: Some(4),
        batch_max_inflight_total: Some(5),
        batch_max_msgs: Some(6),
        batch_timeout: Some(Duration::from_secs(7)),
    };
    let wanted = JetStream {
        store_dir: Some("d".into()),
        max_memory: Some(1_000_000_000),
        max_file: Some(10 << 30),
        domain: "hub".into(),
        strict: false,
        sync: Sync::Every(Duration::from_secs(30)),
        scrub_interval: Duration::from_hours(24),
        key: Some(Secret::new("s3cret")),
        prev_key: Some(Secret::new("old")),
        cipher: Cipher::Aes,
        max_buffered_size: 1 << 20,
        max_buffered_msgs: 5,
        request_queue_limit: 6,
        info_queue_limit: Some(7),
        max_concurrent_io: 8,
        limits,
    };
    assert_eq!(of, Some(wanted));
    assert_eq!(jetstream("jetstream { sync_interval: always }").map(|of| of.sync), Some(Sync::Always));
    assert_eq!(jetstream("jetstream { key: '', cipher: chachapoly }").map(|of| of.key), Some(None));
    assert_eq!(jetstream("jetstream {}, store_dir: d").and_then(|of| of.store_dir), Some("d".into()));
    assert_eq!(jetstream("jetstream { max_mem: -1, max_file: -1 }"), Some(JetStream::default()));
}

#[test]
fn what_means_nothing_to_one_server_is_said() {
    // spec: CFG-193 CFG-194 CFG-195 CFG-196 CFG-201 CFG-202 CFG-203
    for (key, value) in [
        ("cipher", "aes"),
        ("prev_key", "k"),
        ("extension_hint", "will_extend"),
        ("unique_tag", "t"),
        ("max_outstanding_catchup", "1MB"),
        ("meta_compact", "5"),
        ("meta_compact_size", "1MB"),
        ("meta_compact_sync", "true"),
        ("limits", "{ max_ha_assets: 1 }"),
    ] {
        let text = format!("jetstream {{ {key}: {value} }}");
        let warnings = read(&text).unwrap_or_else(|errors| panic!("{text}: {errors}")).warnings;
        assert_eq!(warnings.len(), 1, "{text}");
        assert!(warnings[0].text.contains("has no effect"), "{text}: {}", warnings[0]);
    }
}

#[test]
fn what_an_account_may_use() {
    // spec: CFG-123 CFG-124 CFG-253 CFG-254 CFG-255 CFG-256 CFG-257 CFG-258 CFG-259 CFG-260 CFG-261
    let of = |text: &str| options(&format!("accounts {{ A {{ jetstream: {text} }} }}")).accounts.remove(0).jetstream;
    assert_eq!(of("enabled"), Some(AccountJetStream::default()));
    assert_eq!(of("false"), None);
    let wanted = AccountJetStream {
        max_memory: Some(1_000_000_000),
        max_store: Some(5),
        max_streams: Some(1),
        max_consumers: Some(2),
        max_bytes_required: true,
        memory_max_stream_bytes: Some(3),
        store_max_stream_bytes: Some(4),
        max_ack_pending: Some(6),
    };
    let text = "{ max_mem: 1G, disk: 5, streams: 1, consumers: 2, max_bytes: true, mem_max_stream_bytes: 3
        disk_max_stream_bytes: 4, max_ack_pending: 6 }";
    assert_eq!(of(text), Some(wanted));
    assert_eq!(of("{ max_mem: -1, streams: -1 }"), Some(AccountJetStream::default()));
}

#[test]
fn mistakes_have_their_place() {
    // spec: CFG-003 CFG-015 CFG-085 CFG-188 CFG-465
    for (text, message) in [
        ("jetstream { max_mem: '5X' }", "1:12: max_mem: sizes defined as strings must end in K, M, G, T, got \"5X\""),
        ("jetstream { max_mem: 'xG' }", "1:12: max_mem: \"xG\" is not a size"),
        (
            "jetstream { max_mem: true }",
            "1:12: \"max_mem\" must be a size in bytes or a string such as \"10G\", got the boolean true",
        ),
        (
            "jetstream { limits { duplicate_window: 5 } }",
            "1:21: \"duplicate_window\" must be a duration string such as",
        ),
        ("jetstream: nope", "1:0: Expected 'enabled' or 'disabled' for string value, got 'nope'"),
        ("jetstream: 5", "1:0: \"jetstream\" must be a boolean, \"enabled\", \"disabled\" or a map, got the integer 5"),
        (
            "jetstream { domain: 'a.b' }",
            "1:12: jetstream domain \"a.b\" is not valid: it can not contain '.', '*', '>'",
        ),
        ("jetstream { store_dir: a }, store_dir: b", "1:28: Duplicate 'store_dir' configuration"),
        ("jetstream { max_concurrent_io: 2 }", "1:12: max_concurrent_io must be between 4 and 8192, got 2"),
        ("jetstream { scrub_interval: '10ms' }", "1:12: scrub_interval must be at least 1s, or 0 for never"),
        ("jetstream { nope: 2 }", "1:12: unknown field \"nope\""),
        (
            "accounts { A { jetstream: on_bad } }",
            "1:15: Expected 'enabled' or 'disabled' for string value, got 'on_bad'",
        ),
    ] {
        let found = errors(text);
        assert!(found.lines().any(|line| line.starts_with(&format!("t.conf:{message}"))), "{text}: {found}");
    }
}
