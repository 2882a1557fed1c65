mod rows;

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::api::body::{ConsumerBody, ConsumerCreateBody, StreamBody};
use crate::api::json::{Int, Strictness, decode, encode};
use crate::api::request::{Parsed, Request, Setting, parse};
use crate::config::{ConsumerConfig, StreamConfig};

/// An account, as far as validation sees it.
#[derive(Default)]
struct Account {
    streams: BTreeMap<String, StreamConfig>,
    limits: AccountLimits,
    server: ServerLimits,
}

impl Surroundings for Account {
    fn stream(&self, name: &str) -> Option<&StreamConfig> {
        self.streams.get(name)
    }

    fn streams(&self) -> Box<dyn Iterator<Item = &StreamConfig> + '_> {
        Box::new(self.streams.values())
    }

    fn limits(&self, _: u32) -> Option<&AccountLimits> {
        Some(&self.limits)
    }

    fn server(&self) -> &ServerLimits {
        &self.server
    }
}

fn stream_body(json: &Value) -> StreamBody {
    decode(json.to_string().as_bytes(), Strictness::Strict).unwrap()
}

impl Account {
    fn add(&mut self, body: &Value) -> Result<StreamConfig, ApiError> {
        let body = stream_body(body);
        let sealed = || invalid("stream configuration for create can not be sealed");
        require(!body.config.sealed, sealed)?;
        let direct = || invalid("stream has no mirror but does have mirror direct");
        require(!body.config.mirror_direct || body.config.mirror.is_some(), direct)?;
        let config = match create_stream(&body, self)? {
            Created::New(config) => *config,
            Created::Same => self.streams[&body.config.name].clone(),
        };
        self.streams.insert(config.name.clone(), config.clone());
        Ok(config)
    }
}

/// What came of a case: the configuration as it is answered, or codes and words.
fn outcome(result: Result<StreamConfig, ApiError>) -> Value {
    match result {
        Ok(mut config) => {
            config.metadata = crate::api::answer::with_server_metadata(&config.metadata, "2.15.1");
            Value::String(String::from_utf8(encode(&config)).unwrap())
        }
        Err(error) => serde_json::json!([error.err_code, error.code, error.description]),
    }
}

/// Runs recorded cases: the first line has the streams that are there, every other line what is asked and what came of it.
fn run_streams(recorded: &str, limits: AccountLimits, server: &ServerLimits) -> Vec<String> {
    let mut lines = recorded.lines();
    let setup: Vec<Value> = serde_json::from_str(lines.next().unwrap()).unwrap();
    let mut wrong = Vec::new();
    for line in lines {
        let mut account = Account { limits, server: server.clone(), ..Account::default() };
        for body in &setup {
            account.add(body).unwrap();
        }
        let (kind, before, body, expected): (String, Value, Value, Value) = serde_json::from_str(line).unwrap();
        if !before.is_null() {
            account.add(&before).unwrap();
        }
        let result =
            if kind == "update" { update_stream("A", &stream_body(&body), &account, []) } else { account.add(&body) };
        let outcome = outcome(result);
        if outcome != expected {
            wrong.push(format!("{body}\n  after {before}\n  is {outcome}\n  not {expected}"));
        }
    }
    wrong
}

/// The account and the server that the cases with limits were recorded on.
fn narrow() -> (AccountLimits, ServerLimits) {
    let limits = AccountLimits {
        max_memory: 1000,
        max_storage: 100_000,
        max_streams: 3,
        max_consumers: 4,
        max_ack_pending: 300,
        memory_max_stream_bytes: 500,
        storage_max_stream_bytes: 50_000,
        max_bytes_required: true,
    };
    let server = ServerLimits {
        duplicate_window: Duration::from_mins(1),
        max_ack_pending: 500,
        max_request_batch: 10,
        default_max_consumers: 3,
        ..ServerLimits::default()
    };
    (limits, server)
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong[..wrong.len().min(10)].join("\n"));
}

#[test]
fn streams_become_what_they_always_became_and_hear_first_what_they_always_heard_first() {
    // spec: JS-018 JS-039 JS-040 JS-041 JS-042 JS-043 JS-044 JS-045 JS-046 JS-047 JS-048 JS-049 JS-050 JS-051 JS-052
    // spec: JS-053 JS-054 JS-055 JS-057 JS-058 NEW-002 NEW-005
    let recorded = include_str!("../testdata/streams.jsonl");
    assert_none(&run_streams(recorded, AccountLimits::default(), &ServerLimits::default()));
}

#[test]
fn streams_take_no_more_than_there_is() {
    // spec: JS-056
    let (limits, server) = narrow();
    assert_none(&run_streams(include_str!("../testdata/streams_limits.jsonl"), limits, &server));
}

#[test]
fn consumers_become_what_they_always_became_and_hear_first_what_they_always_heard_first() {
    // spec: JS-027 JS-058 JS-087 JS-088 JS-089 JS-090 JS-091 JS-093 JS-094 JS-095 JS-096 JS-098 NEW-004
    let recorded = include_str!("../testdata/consumers.jsonl");
    assert_none(&run_consumers(recorded, AccountLimits::default(), &ServerLimits::default()));
}

#[test]
fn consumers_take_no_more_than_there_is() {
    let (limits, server) = narrow();
    assert_none(&run_consumers(include_str!("../testdata/consumers_limits.jsonl"), limits, &server));
}

/// Runs recorded cases: stream, consumers that are there, subject, what is asked, what came of it.
fn run_consumers(recorded: &str, limits: AccountLimits, server: &ServerLimits) -> Vec<String> {
    let mut lines = recorded.lines();
    let mut account = Account { limits, server: server.clone(), ..Account::default() };
    let setup: Vec<Value> = serde_json::from_str(lines.next().unwrap()).unwrap();
    for body in &setup {
        account.add(body).unwrap();
    }
    let mut wrong = Vec::new();
    for line in lines {
        let (stream, there, subject, body, expected): (String, Vec<Value>, String, Value, Value) =
            serde_json::from_str(line).unwrap();
        let mut consumers = BTreeMap::new();
        for config in there {
            let name = config["name"].as_str().unwrap().to_owned();
            let create = serde_json::json!({"stream_name": stream, "config": config});
            let config = join(&account, &stream, &consumers, &format!("CONSUMER.CREATE.{stream}.{name}"), &create);
            consumers.insert(name, config.unwrap());
        }
        let outcome = match join(&account, &stream, &consumers, &subject, &body) {
            Ok(mut config) => {
                config.metadata = crate::api::answer::with_server_metadata(&config.metadata, "2.15.1");
                Value::String(String::from_utf8(encode(&config)).unwrap())
            }
            Err(error) => serde_json::json!([error.err_code, error.code, error.description]),
        };
        if outcome != expected {
            wrong.push(format!("{line}\n  is {outcome}"));
        }
    }
    wrong
}

fn join(
    account: &Account,
    stream: &str,
    consumers: &BTreeMap<String, ConsumerConfig>,
    subject: &str,
    body: &Value,
) -> Result<ConsumerConfig, ApiError> {
    let setting = Setting { is_enabled: true, ..Setting::default() };
    let create = match parse(subject, b"", body.to_string().as_bytes(), setting) {
        Parsed::Request(_, Request::ConsumerCreate(create)) => create,
        Parsed::Refused(_, error) => return Err(error),
        other => panic!("{other:?}"),
    };
    let named = |(name, config): (&String, &ConsumerConfig)| ConsumerConfig { name: name.clone(), ..config.clone() };
    let there: Vec<ConsumerConfig> = consumers.iter().map(named).collect();
    let joining = Joining {
        stream: &account.streams[stream],
        consumers: &&*there,
        account: Some(&account.limits),
        server: &account.server,
        is_wanted: &|_| false,
        new_name: &|| "new".to_owned(),
    };
    join_consumer(&create.body, &joining).map(|joined| match joined {
        Joined::New { config, .. } | Joined::Changed { config, .. } => *config,
    })
}

#[test]
fn a_stream_may_be_full_of_consumers() {
    // spec: JS-127 NEW-045
    let mut account = Account::default();
    account.server.default_max_consumers = 2;
    account.add(&serde_json::json!({"name": "A"})).unwrap();
    account.add(&serde_json::json!({"name": "B", "max_consumers": 3})).unwrap();
    for (stream, most) in [("A", 2), ("B", 3)] {
        let mut there = BTreeMap::new();
        for number in 0.. {
            let body = serde_json::json!({"stream_name": stream});
            match join(&account, stream, &there, &format!("CONSUMER.CREATE.{stream}.c{number}"), &body) {
                Ok(config) => _ = there.insert(format!("c{number}"), config),
                Err(error) => {
                    assert_eq!((error, number), (ApiError::maximum_consumers_limit(), most));
                    break;
                }
            }
        }
    }
    assert_eq!(account.streams["A"].max_consumers, -1, "it still says that there is no bound");
}

#[test]
fn consumers_of_replicated_streams_have_as_many_replicas_where_acknowledgements_remove() {
    // spec: JS-092
    let mut account =
        Account { server: ServerLimits { is_clustered: true, ..ServerLimits::default() }, ..Account::default() };
    account.add(&serde_json::json!({"name": "L", "num_replicas": 3})).unwrap();
    account.add(&serde_json::json!({"name": "I", "num_replicas": 3, "retention": "interest"})).unwrap();
    for (stream, replicas, err_code) in
        [("L", 0, 0), ("L", 1, 0), ("L", 5, 10_126), ("I", 0, 0), ("I", 1, 10_134), ("I", 3, 0), ("I", 4, 10_126)]
    {
        let body = ConsumerBody { num_replicas: Int(replicas), ..ConsumerBody::default() };
        let result = check_consumer(&body, false, &account.streams[stream], &account.limits, &account.server);
        assert_eq!(result.map_or_else(|error| error.err_code, |_| 0), err_code, "{stream} {replicas}");
    }
}

#[test]
fn bounds_for_consumers_must_fit_those_that_are_there() {
    // spec: JS-057
    let mut account = Account::default();
    account.add(&serde_json::json!({"name": "A"})).unwrap();
    let bound = |name, seconds, max_ack_pending| ConsumerBound {
        name,
        inactive_threshold: Duration::from_secs(seconds),
        max_ack_pending,
        dead_letter: None,
    };
    let consumers = [bound("a", 5, 10), bound("b", 20, 10), bound("c", 5, 60)];
    let update = |limits: Value| {
        let body = stream_body(&serde_json::json!({"name": "A", "consumer_limits": limits}));
        update_stream("A", &body, &account, consumers).map(drop)
    };
    assert_eq!(update(serde_json::json!({"max_ack_pending": 60, "inactive_threshold": 20_000_000_000_u64})), Ok(()));
    let error =
        update(serde_json::json!({"max_ack_pending": 50, "inactive_threshold": 10_000_000_000_u64})).unwrap_err();
    assert_eq!((error.err_code, error.code), (10_069, 500));
    assert_eq!(error.description, "change to limits violates consumers: b, c");
}

#[test]
fn whoever_listens_keeps_a_push_consumer_where_it_is() {
    // spec: JS-096
    let mut account = Account::default();
    account.add(&serde_json::json!({"name": "A"})).unwrap();
    let push = |subject: &str| ConsumerCreateBody {
        stream_name: "A".to_owned(),
        config: ConsumerBody { name: "c".to_owned(), deliver_subject: subject.to_owned(), ..ConsumerBody::default() },
        ..ConsumerCreateBody::default()
    };
    let joining = |consumers: &dyn Neighbours,
                   wanted: &'static dyn Fn(&str) -> bool,
                   account: &'_ Account|
     -> Result<Joined, ApiError> {
        let joining = Joining {
            stream: &account.streams["A"],
            consumers,
            account: Some(&account.limits),
            server: &account.server,
            is_wanted: wanted,
            new_name: &String::new,
        };
        join_consumer(&push("e"), &joining)
    };
    let config =
        check_consumer(&push("d").config, false, &account.streams["A"], &account.limits, &account.server).unwrap();
    let there: &[ConsumerConfig] = &[config];
    assert_eq!(joining(&there, &|subject| subject == "d", &account), Err(ApiError::consumer_name_exist()));
    assert!(
        matches!(joining(&there, &|_| false, &account), Ok(Joined::Changed { config, .. }) if config.deliver_subject == "e")
    );
}

#[test]
fn a_stream_is_restored_only_where_there_is_none() {
    // spec: JS-025
    let mut account = Account::default();
    account.add(&serde_json::json!({"name": "A"})).unwrap();
    account.limits.max_storage = 10;
    let restore = |json: Value| {
        restore_stream(&stream_body(&json).config, &account).map(|config| config.sealed).map_err(|error| error.err_code)
    };
    assert_eq!(restore(serde_json::json!({"name": "B", "sealed": true})), Ok(true));
    assert_eq!(restore(serde_json::json!({"name": "A"})), Err(10_130));
    assert_eq!(restore(serde_json::json!({"name": "B", "subjects": ["A"]})), Err(10_065));
    assert_eq!(restore(serde_json::json!({"name": "B", "max_bytes": 11})), Err(10_047));
    assert_eq!(restore(serde_json::json!({"name": "B", "max_age": -1})), Err(10_052));
}

#[test]
fn a_copy_asks_the_stream_it_means() {
    // spec: JS-099
    let block = b"NATS/1.0\r\nNats-Stream-Identity: abc\r\n\r\n";
    for (direct, sourcing, block, expected) in [
        (true, false, &block[..], 10_225),
        (false, true, block, 10_225),
        (false, false, block, 0),
        (true, true, b"", 0),
    ] {
        let body = ConsumerBody { direct, sourcing, ..ConsumerBody::default() };
        assert_eq!(check_identity(&body, block, "abc"), Ok(()));
        let result = check_identity(&body, block, "xyz");
        assert_eq!(result.as_ref().map_or_else(|error| error.err_code, |()| 0), expected, "{direct} {sourcing}");
        assert!(
            result.is_ok() || result.is_err_and(|e| e.description == "consumer's stream identity does not match: xyz")
        );
    }
}
