//! A stream's configuration as flags give it.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value as Json, json};

use super::super::quantity::{Overlay, age, byte_limit, limit, nanos, pair};
use super::origin::OriginFlags;
use crate::client::error::CliError;

/// The name of a policy on the command line and in the API.
macro_rules! policies {
    ($(#[$doc:meta])* $name:ident { $($(#[$option:meta])* $variant:ident = $wire:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
        pub(in crate::client::jetstream) enum $name { $($(#[$option])* $variant),+ }

        impl From<$name> for Json {
            fn from(policy: $name) -> Self {
                match policy { $($name::$variant => $wire),+ }.into()
            }
        }
    };
}
pub(in crate::client::jetstream) use policies;

policies! {
    /// Where messages are kept.
    Storage {
        #[value(alias = "f")]
        File = "file",
        #[value(aliases = ["m", "mem"])]
        Memory = "memory",
    }
}

policies! {
    /// How long messages are kept.
    Retention {
        Limits = "limits",
        Interest = "interest",
        #[value(aliases = ["workqueue", "workq"])]
        Work = "workqueue",
    }
}

policies! {
    /// What goes when a limit is reached.
    Discard { Old = "old", New = "new" }
}

policies! {
    /// How messages are stored.
    Compression { None = "none", S2 = "s2" }
}

policies! {
    /// Whether a message is stored before it is acknowledged.
    PersistMode { Default = "default", Async = "async" }
}

// spec: CLI-017
/// Everything that can be said of a stream; `=false` or `--no-…` turns a switch off.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Configuration")]
pub(super) struct StreamFlags {
    /// Subjects whose messages are stored, separated by commas
    #[arg(long, value_name = "SUBJECTS", value_delimiter = ',')]
    subjects: Vec<String>,
    /// A word on what it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Where messages are kept
    #[arg(long, value_enum)]
    storage: Option<Storage>,
    /// How messages are stored
    #[arg(long, value_enum)]
    compression: Option<Compression>,
    #[command(flatten)]
    placement: PlacementFlags,
    /// How long messages are kept
    #[arg(long, value_enum)]
    retention: Option<Retention>,
    /// What goes when a limit is reached: old messages, or new ones
    #[arg(long, value_enum)]
    discard: Option<Discard>,
    /// With --discard new and --max-msgs-per-subject: refuse by subject, too
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    discard_per_subject: Option<bool>,
    /// The age at which messages go; -1 for never
    #[arg(long, value_name = "DURATION", value_parser = age, allow_hyphen_values = true)]
    max_age: Option<u64>,
    /// The most bytes that are kept; -1 for no limit
    #[arg(long, value_name = "SIZE", value_parser = byte_limit, allow_hyphen_values = true)]
    max_bytes: Option<i64>,
    /// The most consumers there may be; -1 for no limit
    #[arg(long, value_name = "COUNT", value_parser = limit, allow_hyphen_values = true)]
    max_consumers: Option<i64>,
    /// The largest message that is taken; -1 for no limit
    #[arg(long, value_name = "SIZE", value_parser = byte_limit, allow_hyphen_values = true)]
    max_msg_size: Option<i64>,
    /// The most messages that are kept; -1 for no limit
    #[arg(long, value_name = "COUNT", value_parser = limit, allow_hyphen_values = true)]
    max_msgs: Option<i64>,
    /// The most messages that are kept of each subject; -1 for no limit
    #[arg(long, value_name = "COUNT", value_parser = limit, allow_hyphen_values = true)]
    max_msgs_per_subject: Option<i64>,
    /// How long a message id is remembered
    #[arg(long, value_name = "DURATION", value_parser = age, allow_hyphen_values = true)]
    dupe_window: Option<u64>,
    /// Acknowledge what is published
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ack: Option<bool>,
    /// Let a published message replace all others of its subject
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    allow_rollup: Option<bool>,
    /// Let nobody remove single messages
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    deny_delete: Option<bool>,
    /// Let nobody purge
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    deny_purge: Option<bool>,
    /// Let any server that has a copy answer who gets messages
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    allow_direct: Option<bool>,
    /// Let mirrors answer who gets messages
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    allow_mirror_direct: Option<bool>,
    /// Let messages have an age limit of their own
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    allow_msg_ttl: Option<bool>,
    /// Leave a marker of this age where the last message of a subject expired
    #[arg(long, value_name = "DURATION", value_parser = nanos)]
    subject_del_markers_ttl: Option<u64>,
    /// Take batches that are stored whole or not at all
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    allow_batch: Option<bool>,
    /// Take batches that are acknowledged as they come
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    allow_fast_batch: Option<bool>,
    /// Let subjects be counters
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    allow_counter: Option<bool>,
    /// Take messages that are to be published later
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    allow_schedules: Option<bool>,
    /// Whether a message is stored before it is acknowledged
    #[arg(long, value_enum)]
    persist_mode: Option<PersistMode>,
    /// The sequence of the first message
    #[arg(long = "first-sequence", value_name = "SEQ")]
    first_sequence: Option<u64>,
    /// Subjects that are changed before messages are stored
    #[arg(long, value_name = "PATTERN", requires = "transform_destination")]
    transform_source: Option<String>,
    /// What they become
    #[arg(long, value_name = "PATTERN", requires = "transform_source")]
    transform_destination: Option<String>,
    /// Subjects that are published again once stored
    #[arg(long, value_name = "PATTERN", requires = "republish_destination")]
    republish_source: Option<String>,
    /// What they are published as
    #[arg(long, value_name = "PATTERN", requires = "republish_source")]
    republish_destination: Option<String>,
    /// Publish again without bodies
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          requires = "republish_source")]
    republish_headers: Option<bool>,
    /// How long consumers may be idle at most
    #[arg(long, value_name = "DURATION", value_parser = nanos)]
    limit_consumer_inactive: Option<u64>,
    /// How many messages a consumer may leave unacknowledged at most
    #[arg(long, value_name = "COUNT")]
    limit_consumer_max_pending: Option<u64>,
    /// Something to remember with it; NAME= forgets; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    #[command(flatten)]
    origins: OriginFlags,
}

impl StreamFlags {
    /// Puts what is given over `config`.
    pub(super) fn apply(&self, config: &mut Map<String, Json>) {
        config.put_list("subjects", &self.subjects);
        config.put("description", self.description.clone());
        config.put("storage", self.storage);
        config.put("compression", self.compression);
        config.put("retention", self.retention);
        self.apply_limits(config);
        self.apply_switches(config);
        config.put("persist_mode", self.persist_mode);
        config.put("first_seq", self.first_sequence);
        self.origins.apply(config);
        let pair =
            |src: &Option<String>, dest: &Option<String>| Some(json!({"src": src.as_ref()?, "dest": dest.as_ref()?}));
        config.put("subject_transform", pair(&self.transform_source, &self.transform_destination));
        config.put(
            "republish",
            pair(&self.republish_source, &self.republish_destination).map(|mut republish| {
                republish["headers_only"] = self.republish_headers.unwrap_or(false).into();
                republish
            }),
        );
        self.placement.apply(config);
        config.put_pairs("metadata", &self.metadata);
    }

    fn apply_limits(&self, config: &mut Map<String, Json>) {
        config.put("discard", self.discard);
        config.put("max_age", self.max_age);
        config.put("max_bytes", self.max_bytes);
        config.put("max_consumers", self.max_consumers);
        config.put("max_msg_size", self.max_msg_size);
        config.put("max_msgs", self.max_msgs);
        config.put("max_msgs_per_subject", self.max_msgs_per_subject);
        config.put("duplicate_window", self.dupe_window);
        config.put("subject_delete_marker_ttl", self.subject_del_markers_ttl);
        let mut limits = match config.get("consumer_limits") {
            Some(Json::Object(limits)) => limits.clone(),
            _ => Map::new(),
        };
        limits.put("inactive_threshold", self.limit_consumer_inactive);
        limits.put("max_ack_pending", self.limit_consumer_max_pending);
        config.put("consumer_limits", (!limits.is_empty()).then_some(limits));
    }

    fn apply_switches(&self, config: &mut Map<String, Json>) {
        config.put("no_ack", self.ack.map(|ack| !ack));
        config.put("discard_new_per_subject", self.discard_per_subject);
        config.put("allow_rollup_hdrs", self.allow_rollup);
        config.put("deny_delete", self.deny_delete);
        config.put("deny_purge", self.deny_purge);
        config.put("allow_direct", self.allow_direct);
        config.put("mirror_direct", self.allow_mirror_direct);
        config.put("allow_msg_ttl", self.allow_msg_ttl);
        config.put("allow_atomic", self.allow_batch);
        config.put("allow_batched", self.allow_fast_batch);
        config.put("allow_msg_counter", self.allow_counter);
        config.put("allow_msg_schedules", self.allow_schedules);
    }
}

/// On how many servers a stream is, and on which.
#[derive(Debug, Default, Clone, Args)]
pub(in crate::client::jetstream) struct PlacementFlags {
    /// Servers that have a copy each
    #[arg(long, value_name = "COUNT")]
    replicas: Option<u64>,
    /// Only on servers with these tags
    #[arg(long = "tag", visible_alias = "tags", value_name = "TAG", value_delimiter = ',')]
    tags: Vec<String>,
    /// Only on servers of this cluster
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
}

impl PlacementFlags {
    /// Puts what is given over `config`.
    pub(in crate::client::jetstream) fn apply(&self, config: &mut Map<String, Json>) {
        config.put("num_replicas", self.replicas);
        let mut placement = match config.get("placement") {
            Some(Json::Object(placement)) => placement.clone(),
            _ => Map::new(),
        };
        placement.put("cluster", self.cluster.as_deref());
        placement.put_list("tags", &self.tags);
        config.put("placement", (!placement.is_empty()).then_some(placement));
    }
}

/// A configuration from the file of `--config`, or none of it.
pub(in crate::client::jetstream) fn from_file(path: Option<&PathBuf>) -> Result<Map<String, Json>, CliError> {
    let Some(path) = path else { return Ok(Map::new()) };
    let text = std::fs::read_to_string(path).map_err(|source| CliError::Unreadable {
        option: "--config",
        path: path.display().to_string(),
        source,
    })?;
    parsed(path, &text)
}

/// The configuration in `text`: alone, or the `config` of what `info --json` shows.
fn parsed(path: &Path, text: &str) -> Result<Map<String, Json>, CliError> {
    let wrong = |reason| CliError::File { option: "--config", path: path.display().to_string(), reason };
    let mut json: Json = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let inner = json.get_mut("config").filter(|config| config.is_object()).map(Json::take);
    match inner.unwrap_or(json) {
        Json::Object(config) => Ok(config),
        _ => Err(wrong("it holds no JSON object".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        flags: StreamFlags,
    }

    /// The configuration that `line` makes of `config`.
    fn applied(line: &str, config: Json) -> Json {
        let flags = Line::try_parse_from(["x"].into_iter().chain(line.split_whitespace())).unwrap().flags;
        let Json::Object(mut config) = config else { panic!("{config}") };
        flags.apply(&mut config);
        config.into()
    }

    #[test]
    fn flags_become_the_fields_of_the_api() {
        for (line, expected) in [
            ("", json!({})),
            ("--subjects a,b.> --subjects c", json!({"subjects": ["a", "b.>", "c"]})),
            (
                "--storage mem --retention work --discard new",
                json!({"storage": "memory", "retention": "workqueue", "discard": "new"}),
            ),
            (
                "--storage f --retention workq --compression s2",
                json!({"storage": "file", "retention": "workqueue", "compression": "s2"}),
            ),
            (
                "--max-msgs -1 --max-bytes 1GiB --max-msg-size=-1",
                json!({"max_msgs": -1, "max_bytes": 1 << 30, "max_msg_size": -1}),
            ),
            (
                "--max-age 1d --dupe-window 2m",
                json!({"max_age": 86_400_000_000_000_u64, "duplicate_window": 120_000_000_000_u64}),
            ),
            ("--max-age=-1", json!({"max_age": 0})),
            (
                "--ack=false --deny-delete --allow-direct=false",
                json!({"no_ack": true, "deny_delete": true, "allow_direct": false}),
            ),
            ("--allow-batch --allow-counter", json!({"allow_atomic": true, "allow_msg_counter": true})),
            (
                "--replicas 3 --tags ssd,eu --cluster c",
                json!({"num_replicas": 3, "placement": {"cluster": "c", "tags": ["ssd", "eu"]}}),
            ),
            (
                "--mirror A --origin-domain hub --origin-filter a.* --origin-start 7",
                json!({"mirror": {
                    "name": "A", "external": {"api": "$JS.hub.API", "deliver": ""},
                    "filter_subject": "a.*", "opt_start_seq": 7,
                }}),
            ),
            (
                "--source A --origin-api B.API --origin-deliver B.to",
                json!({"sources": [{"name": "A", "external": {"api": "B.API", "deliver": "B.to"}}]}),
            ),
            ("--no-mirror", json!({"mirror": null})),
            ("--mirror A", json!({"mirror": {"name": "A"}})),
            ("--source A --source B", json!({"sources": [{"name": "A"}, {"name": "B"}]})),
            (
                "--transform-source a.* --transform-destination b.{{wildcard(1)}}",
                json!({"subject_transform": {"src": "a.*", "dest": "b.{{wildcard(1)}}"}}),
            ),
            (
                "--republish-source > --republish-destination r.> --republish-headers",
                json!({"republish": {"src": ">", "dest": "r.>", "headers_only": true}}),
            ),
            ("--limit-consumer-max-pending 7", json!({"consumer_limits": {"max_ack_pending": 7}})),
            ("--metadata a=1 --metadata b=", json!({"metadata": {"a": "1"}})),
        ] {
            assert_eq!(applied(line, json!({})), expected, "{line}");
        }
    }

    #[test]
    fn an_edit_keeps_what_is_not_given() {
        let before = json!({
            "name": "A", "max_msgs": 7, "tomorrow": {"x": 1}, "placement": {"cluster": "c"},
            "consumer_limits": {"inactive_threshold": 5}, "metadata": {"k": "v"},
        });
        let mut expected = before.clone();
        expected["max_msgs"] = json!(9);
        expected["placement"]["tags"] = json!(["t"]);
        expected["consumer_limits"]["max_ack_pending"] = json!(3);
        expected["metadata"]["l"] = json!("w");
        let line = "--max-msgs 9 --tag t --limit-consumer-max-pending 3 --metadata l=w";
        assert_eq!(applied(line, before), expected);
    }

    #[test]
    fn wrong_values_are_named() {
        for (line, value) in [
            ("--max-msgs many", "many"),
            ("--max-bytes big", "big"),
            ("--max-age soon", "soon"),
            ("--storage tape", "tape"),
            ("--metadata alone", "alone"),
            ("--deny-purge=perhaps", "perhaps"),
            ("--transform-source a", "--transform-destination"),
        ] {
            let error = Line::try_parse_from(["x"].into_iter().chain(line.split(' '))).unwrap_err().to_string();
            assert!(error.contains(value), "{error}");
        }
    }

    #[test]
    fn a_file_holds_a_configuration_or_what_info_shows() {
        let path = Path::new("s.json");
        assert_eq!(parsed(path, r#"{"name":"A"}"#).unwrap()["name"], "A");
        assert_eq!(parsed(path, r#"{"config":{"name":"A"},"state":{}}"#).unwrap()["name"], "A");
        for wrong in ["[]", "{", "1"] {
            let error = parsed(path, wrong).unwrap_err().to_string();
            assert!(error.contains("--config: s.json"), "{error}");
        }
    }
}
