//! The `jetstream` blocks: of the server, and of accounts.

use std::path::PathBuf;
use std::time::Duration;

use super::Decoder;
use crate::lang::{Kind, Map, Value};
use crate::options::{AccountJetStream, Cipher, JetStream, JetStreamLimits, Secret, Sync};

/// Files are read no oftener.
const SHORTEST_SCRUB: Duration = Duration::from_secs(1);
/// What only servers need that keep one stream together.
pub(super) const OF_CLUSTERS: &str = "streams are kept by this server alone";

impl Decoder<'_> {
    // spec: CFG-084 CFG-245
    pub(super) fn jetstream(&mut self, value: &Value) {
        let map = match &value.kind {
            Kind::Bool(on) => return self.options.jetstream = on.then(JetStream::default),
            Kind::String(text) => {
                self.options.jetstream = self.switched(value, text).filter(|on| *on).map(|_| JetStream::default());
                return;
            }
            Kind::Map(map) => map,
            _ => return self.findings.wrong_type("jetstream", SWITCH, value).unwrap_or_default(),
        };
        let (mut jetstream, mut on) = (JetStream::default(), true);
        self.entries(map, |decoder, key, value| {
            // spec: CFG-184
            if matches!(key, "enabled" | "enable") {
                on = decoder.boolean(key, value).unwrap_or(true);
                return true;
            }
            decoder.jetstream_store(key, value, &mut jetstream)
                || decoder.jetstream_queues(key, value, &mut jetstream)
                || decoder.jetstream_without_effect(key, value)
        });
        self.check_encryption(map, &jetstream);
        self.options.jetstream = on.then_some(jetstream);
    }

    /// `enabled` and `disabled` as words.
    fn switched(&mut self, value: &Value, text: &str) -> Option<bool> {
        match text.to_ascii_lowercase().as_str() {
            "enabled" | "enable" => Some(true),
            "disabled" | "disable" => Some(false),
            _ => {
                let reason = format!("Expected 'enabled' or 'disabled' for string value, got '{text}'");
                self.findings.error(&value.span, reason);
                None
            }
        }
    }

    /// Where and how messages are kept.
    fn jetstream_store(&mut self, key: &str, value: &Value, jetstream: &mut JetStream) -> bool {
        match key {
            // spec: CFG-185
            "store_dir" | "store" | "storedir" => self.store_dir(key, value),
            // spec: CFG-186
            "max_memory_store" | "max_mem_store" | "max_mem" => jetstream.max_memory = self.store_size(key, value),
            // spec: CFG-187
            "max_file_store" | "max_file" => jetstream.max_file = self.store_size(key, value),
            // spec: CFG-188
            "domain" => {
                let domain = self.string(key, value).unwrap_or_default();
                if domain.contains(['.', '*', '>', ' ']) {
                    let text = format!("jetstream domain {domain:?} is not valid: it can not contain '.', '*', '>'");
                    self.findings.error(&value.span, text);
                }
                jetstream.domain = domain;
            }
            // spec: CFG-189
            "strict" => {
                let strict = self.boolean(key, value);
                Self::set(&mut jetstream.strict, strict);
            }
            // spec: CFG-190
            "sync_interval" | "sync" => {
                let sync = self.sync_interval(key, value);
                Self::set(&mut jetstream.sync, sync);
            }
            // Martlet's own.
            "scrub_interval" => {
                let interval = self.duration(key, value);
                if interval.is_some_and(|of| !of.is_zero() && of < SHORTEST_SCRUB) {
                    self.findings.error(&value.span, format!("{key} must be at least 1s, or 0 for never"));
                }
                Self::set(&mut jetstream.scrub_interval, interval);
            }
            // spec: CFG-191
            "key" | "ek" | "encryption_key" => jetstream.key = self.encryption_key(key, value),
            // spec: CFG-192
            "prev_key" | "prev_ek" | "prev_encryption_key" => jetstream.prev_key = self.encryption_key(key, value),
            // spec: CFG-193
            "cipher" => {
                self.check_word(key, &["chacha", "chachapoly", "aes"], value);
                let is_aes = matches!(&value.kind, Kind::String(text) if text.eq_ignore_ascii_case("aes"));
                jetstream.cipher = if is_aes { Cipher::Aes } else { Cipher::ChaCha };
            }
            // row: CFG-206
            "tpm" => self.later_option("jetstream.tpm", value),
            _ => return false,
        }
        true
    }

    /// A key; an empty one is none.
    fn encryption_key(&mut self, key: &str, value: &Value) -> Option<Secret> {
        self.string(key, value).filter(|text| !text.is_empty()).map(Secret::new)
    }

    /// What is about encryption, where there is none.
    fn check_encryption(&mut self, map: &Map, jetstream: &JetStream) {
        if jetstream.key.is_some() {
            return;
        }
        for entry in map.iter() {
            if matches!(&*entry.key.to_ascii_lowercase(), "cipher" | "prev_key" | "prev_ek" | "prev_encryption_key") {
                self.findings.no_effect(&entry.key, &entry.value.span, "nothing is encrypted without a key");
            }
        }
    }

    /// The directory may be set in two places, but once.
    // spec: CFG-085
    pub(super) fn store_dir(&mut self, key: &str, value: &Value) {
        let Some(dir) = self.text(key, value) else { return };
        if self.store_dir.is_some() {
            self.findings.error(&value.span, "Duplicate 'store_dir' configuration");
        }
        self.store_dir = Some(PathBuf::from(dir));
    }

    /// What may wait, and the bounds of streams and consumers.
    fn jetstream_queues(&mut self, key: &str, value: &Value, jetstream: &mut JetStream) -> bool {
        match key {
            // spec: CFG-197
            "max_buffered_size" => {
                let size = self.store_size(key, value);
                Self::set(&mut jetstream.max_buffered_size, size);
            }
            // spec: CFG-198
            "max_buffered_msgs" => {
                let messages = self.number_or_default(key, value);
                Self::set(&mut jetstream.max_buffered_msgs, messages);
            }
            // spec: CFG-199
            "request_queue_limit" => {
                let limit = self.number_or_default(key, value);
                Self::set(&mut jetstream.request_queue_limit, limit);
            }
            // spec: CFG-200
            "info_queue_limit" => jetstream.info_queue_limit = self.number_or_default(key, value),
            // spec: CFG-204
            "max_concurrent_io" => {
                let number = self.integer(key, value);
                match number.map(usize::try_from) {
                    Some(Ok(number)) if (4..=8192).contains(&number) => jetstream.max_concurrent_io = number,
                    Some(_) => {
                        let text = format!("{key} must be between 4 and 8192, got {}", number.unwrap_or_default());
                        self.findings.error(&value.span, text);
                    }
                    None => {}
                }
            }
            // spec: CFG-205
            "limits" => {
                if let Some(map) = self.map(key, value) {
                    self.jetstream_limits(map, &mut jetstream.limits);
                }
            }
            _ => return false,
        }
        true
    }

    // spec: CFG-207 CFG-412 CFG-413 CFG-414 CFG-415 CFG-416
    fn jetstream_limits(&mut self, map: &Map, limits: &mut JetStreamLimits) {
        self.entries(map, |decoder, key, value| {
            match key {
                "max_ack_pending" => limits.max_ack_pending = decoder.bound(key, value),
                "max_request_batch" => limits.max_request_batch = decoder.bound(key, value),
                "duplicate_window" => limits.duplicate_window = decoder.duration_string(key, value),
                "default_max_consumers" => match &value.kind {
                    Kind::Integer(0) => {}
                    _ => limits.default_max_consumers = decoder.bound(key, value),
                },
                "max_ha_assets" => {
                    let _ = decoder.integer(key, value);
                    decoder.findings.no_effect(key, &value.span, OF_CLUSTERS);
                }
                "batch" => {
                    if let Some(map) = decoder.map(key, value) {
                        decoder.batch_limits(map, limits);
                    }
                }
                _ => return false,
            }
            true
        });
    }

    // spec: CFG-417 CFG-418 CFG-419 CFG-420
    fn batch_limits(&mut self, map: &Map, limits: &mut JetStreamLimits) {
        self.entries(map, |decoder, key, value| {
            match key {
                "max_inflight_per_stream" => limits.batch_max_inflight_per_stream = decoder.bound(key, value),
                "max_inflight_total" => limits.batch_max_inflight_total = decoder.bound(key, value),
                "max_msgs" => limits.batch_max_msgs = decoder.bound(key, value),
                "timeout" => limits.batch_timeout = decoder.duration_string(key, value),
                _ => return false,
            }
            true
        });
    }

    /// What is known and checked, and means nothing to a server on its own.
    fn jetstream_without_effect(&mut self, key: &str, value: &Value) -> bool {
        let reason = match key {
            // spec: CFG-194
            "extension_hint" => {
                self.check_word(key, &["will_extend", "no_extend"], value);
                OF_CLUSTERS
            }
            // spec: CFG-195
            "unique_tag" => {
                drop(self.string(key, value));
                OF_CLUSTERS
            }
            // spec: CFG-196 CFG-202
            "max_outstanding_catchup" | "meta_compact_size" => {
                let _ = self.store_size(key, value);
                OF_CLUSTERS
            }
            // spec: CFG-201
            "meta_compact" => {
                let _ = self.integer(key, value);
                OF_CLUSTERS
            }
            // spec: CFG-203
            "meta_compact_sync" => {
                let _ = self.boolean(key, value);
                OF_CLUSTERS
            }
            _ => return false,
        };
        self.findings.no_effect(key, &value.span, reason);
        true
    }

    /// `always`, or a duration.
    fn sync_interval(&mut self, key: &str, value: &Value) -> Option<Sync> {
        if matches!(&value.kind, Kind::String(text) if text.eq_ignore_ascii_case("always")) {
            return Some(Sync::Always);
        }
        self.duration(key, value).map(Sync::Every)
    }

    /// A bound where zero and below are none.
    fn bound(&mut self, key: &str, value: &Value) -> Option<u64> {
        self.integer(key, value).and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0)
    }

    /// Bytes, or a string such as `"10G"`; nothing for less than none.
    // spec: CFG-015
    fn store_size(&mut self, key: &str, value: &Value) -> Option<u64> {
        self.check_size(key, value);
        match &value.kind {
            Kind::Integer(bytes) => u64::try_from(*bytes).ok(),
            Kind::String(text) => {
                let unit = text.bytes().last()?;
                let shift = 10 * (1 + b"KMGT".iter().position(|known| *known == unit)?);
                let number: i64 = text[..text.len() - 1].parse().ok()?;
                u64::try_from(number).ok()?.checked_shl(u32::try_from(shift).ok()?)
            }
            _ => None,
        }
    }

    /// What an account may use; whether it may use anything.
    // spec: CFG-123 CFG-124
    pub(super) fn account_jetstream(&mut self, value: &Value) -> Option<AccountJetStream> {
        match &value.kind {
            Kind::Bool(on) => on.then(AccountJetStream::default),
            Kind::String(text) => self.switched(value, text).filter(|on| *on).map(|_| AccountJetStream::default()),
            Kind::Map(map) => {
                let mut limits = AccountJetStream::default();
                self.entries(map, |decoder, key, value| decoder.account_jetstream_limit(key, value, &mut limits));
                Some(limits)
            }
            _ => self.findings.wrong_type("jetstream", SWITCH, value),
        }
    }

    // spec: CFG-253 CFG-254 CFG-255 CFG-256 CFG-257 CFG-258 CFG-259 CFG-260 CFG-261
    fn account_jetstream_limit(&mut self, key: &str, value: &Value, limits: &mut AccountJetStream) -> bool {
        match key {
            "max_memory" | "max_mem" | "mem" | "memory" => limits.max_memory = self.account_size(key, value),
            "max_store" | "max_file" | "max_disk" | "store" | "disk" => {
                limits.max_store = self.account_size(key, value);
            }
            "max_streams" | "streams" => limits.max_streams = self.account_size(key, value),
            "max_consumers" | "consumers" => limits.max_consumers = self.account_size(key, value),
            "max_bytes_required" | "max_stream_bytes" | "max_bytes" => {
                let on = self.boolean(key, value);
                Self::set(&mut limits.max_bytes_required, on);
            }
            "mem_max_stream_bytes" | "memory_max_stream_bytes" => {
                limits.memory_max_stream_bytes = self.bound(key, value);
            }
            "disk_max_stream_bytes" | "store_max_stream_bytes" => {
                limits.store_max_stream_bytes = self.bound(key, value);
            }
            "max_ack_pending" => limits.max_ack_pending = self.bound(key, value),
            "cluster_traffic" => {
                self.check_word(key, &["system", "owner"], value);
                self.findings.no_effect(key, &value.span, OF_CLUSTERS);
            }
            _ => return false,
        }
        true
    }

    /// A bound where less than zero is none.
    fn account_size(&mut self, key: &str, value: &Value) -> Option<u64> {
        self.integer(key, value).and_then(|number| u64::try_from(number).ok())
    }
}

const SWITCH: &str = "a boolean, \"enabled\", \"disabled\" or a map";
