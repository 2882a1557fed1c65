use clap::Parser;
use serde_json::json;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    new: NewFlags,
    #[command(flatten)]
    flags: ConsumerFlags,
}

fn parsed(line: &str) -> Result<Line, clap::Error> {
    Line::try_parse_from(["x"].into_iter().chain(line.split_whitespace()))
}

/// What `line` makes of a new consumer called `C`, beyond what every one has.
fn made(line: &str) -> Json {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let line = parsed(line).unwrap();
    let mut config = Map::new();
    line.flags.apply(&mut config);
    line.new.apply(&mut config, Some("C"), now).unwrap();
    for (name, usual) in [
        ("name", "C"),
        ("durable_name", "C"),
        ("ack_policy", "explicit"),
        ("deliver_policy", "all"),
        ("replay_policy", "instant"),
    ] {
        if config.get(name).is_some_and(|value| value == usual) {
            config.remove(name);
        }
    }
    config.into()
}

#[test]
fn flags_become_the_fields_of_the_api() {
    for (line, expected) in [
        ("", json!({})),
        ("--pull --ack all --replay original", json!({"ack_policy": "all", "replay_policy": "original"})),
        ("--filter a --wait 30s", json!({"filter_subject": "a", "ack_wait": 30_000_000_000_u64})),
        ("--filter a --filter b,c", json!({"filter_subjects": ["a", "b", "c"]})),
        ("--deliver 7", json!({"deliver_policy": "by_start_sequence", "opt_start_seq": 7})),
        ("--deliver 1h", json!({"deliver_policy": "by_start_time", "opt_start_time": "2025-12-31T23:00:00Z"})),
        ("--deliver subject", json!({"deliver_policy": "last_per_subject"})),
        (
            "--deliver 2026-01-31T12:00:00Z",
            json!({"deliver_policy": "by_start_time", "opt_start_time": "2026-01-31T12:00:00Z"}),
        ),
        (
            "--backoff 1s,1m --max-deliver 5",
            json!({"backoff": [1_000_000_000_u64, 60_000_000_000_u64], "max_deliver": 5}),
        ),
        ("--max-outstanding -1 --sample 50", json!({"max_ack_pending": -1, "sample_freq": "50"})),
        (
            "--target d --deliver-group g --heartbeat 5s --flow-control",
            json!({
                "deliver_subject": "d", "deliver_group": "g", "idle_heartbeat": 5_000_000_000_u64, "flow_control": true,
                "ack_policy": "none",
            }),
        ),
        ("--pause 5m", json!({"pause_until": "2026-01-01T00:05:00Z"})),
        (
            "--pinned-groups a,b --pinned-ttl 1m",
            json!({
                "priority_policy": "pinned_client", "priority_groups": ["a", "b"], "priority_timeout": 60_000_000_000_u64,
            }),
        ),
        ("--memory --headers-only=false", json!({"mem_storage": true, "headers_only": false})),
    ] {
        assert_eq!(made(line), expected, "{line}");
    }
}

#[test]
fn an_ephemeral_consumer_is_not_durable() {
    let mut config = Map::new();
    config.put("durable_name", Some("old"));
    parsed("--ephemeral").unwrap().new.apply(&mut config, None, Timestamp::UNIX_EPOCH).unwrap();
    assert!(!config.contains_key("durable_name") && !config.contains_key("name"), "{config:?}");
}

#[test]
fn an_edit_replaces_one_filter_by_several() {
    let mut config = json!({"filter_subject": "a", "tomorrow": 1}).as_object().cloned().unwrap();
    parsed("--filter b --filter c").unwrap().flags.apply(&mut config);
    assert_eq!(Json::from(config), json!({"filter_subjects": ["b", "c"], "tomorrow": 1}));
}

#[test]
fn wrong_values_are_named() {
    for (line, value) in [
        ("--deliver soon", "soon"),
        ("--ack maybe", "maybe"),
        ("--wait 5", "\"5\""),
        ("--backoff 1s,x", "\"x\""),
        ("--sample 101", "101"),
        ("--deliver-group g", "--target"),
        ("--pull --target d", "--target"),
        ("--pinned-groups a --overflow-groups b", "--overflow-groups"),
    ] {
        let error = parsed(line).unwrap_err().to_string();
        assert!(error.contains(value), "{error}");
    }
}
