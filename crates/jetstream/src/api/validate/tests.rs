use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::api::body::StreamBody;
use crate::api::json::{Strictness, decode, encode};
use crate::config::StreamConfig;

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

#[test]
fn big() {
    let server = ServerLimits {
        duplicate_window: Duration::from_mins(1),
        max_ack_pending: 500,
        max_request_batch: 10,
        default_max_consumers: 3,
        ..ServerLimits::default()
    };
    let limits = AccountLimits {
        max_memory: 1000,
        max_storage: 100_000,
        max_streams: 3,
        max_consumers: 4,
        max_bytes_required: true,
        memory_max_stream_bytes: 500,
        storage_max_stream_bytes: 50_000,
        max_ack_pending: 300,
    };
    let mut wrong = Vec::new();
    for (file, limits, server) in [
        ("streams", AccountLimits::default(), ServerLimits::default()),
        ("limits", limits, server.clone()),
        ("limits3", limits, server),
    ] {
        let Ok(text) = std::fs::read_to_string(format!("/tmp/jsapi/{file}_big.jsonl")) else { continue };
        wrong.extend(run_streams(&text, limits, &server));
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
}
