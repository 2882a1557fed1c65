use serde_json::Value;

use super::*;
use crate::api::ApiError;
use crate::api::body::{ConsumerBody, StreamConfigBody};
use crate::api::json::{self, Strictness, time};
use crate::config::{ConsumerConfig, External, SubjectTransform};

/// The field, if there is one.
fn some<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.get(name).filter(|value| !value.is_null())
}

fn number(value: &Value, name: &str) -> u64 {
    some(value, name).map_or(0, |number| number.as_u64().unwrap())
}

fn text(value: &Value, name: &str) -> String {
    some(value, name).map_or("", |text| text.as_str().unwrap()).to_owned()
}

fn flag(value: &Value, name: &str) -> bool {
    some(value, name).is_some_and(|flag| flag.as_bool().unwrap())
}

fn moment(value: &Value, name: &str) -> Option<WallTime> {
    some(value, name).map(|text| time::parse(text.as_str().unwrap()).unwrap()).filter(|time| time.as_nanos() > 0)
}

fn span(value: &Value, name: &str) -> Duration {
    Duration::from_nanos(number(value, name))
}

fn list<T>(value: &Value, name: &str, read: impl Fn(&Value) -> T) -> Vec<T> {
    some(value, name).map(|list| list.as_array().unwrap().iter().map(read).collect()).unwrap_or_default()
}

fn names(value: &Value, name: &str) -> Vec<String> {
    list(value, name, |name| name.as_str().unwrap().to_owned())
}

fn stream_config(value: &Value) -> StreamConfig {
    let json = value.to_string();
    json::decode::<StreamConfigBody>(json.as_bytes(), Strictness::Lenient).unwrap().into_config()
}

fn consumer_config(value: &Value) -> ConsumerConfig {
    let json = value.to_string();
    json::decode::<ConsumerBody>(json.as_bytes(), Strictness::Lenient).unwrap().into_config()
}

fn state(value: &Value) -> StreamState {
    let subjects = some(value, "subjects").and_then(Value::as_object).into_iter().flatten();
    StreamState {
        messages: number(value, "messages"),
        bytes: number(value, "bytes"),
        first_seq: number(value, "first_seq"),
        first_time: moment(value, "first_ts"),
        last_seq: number(value, "last_seq"),
        last_time: moment(value, "last_ts"),
        num_subjects: number(value, "num_subjects"),
        subjects: subjects.map(|(name, count)| (name.clone(), count.as_u64().unwrap())).collect(),
        num_deleted: number(value, "num_deleted"),
        deleted: list(value, "deleted", |seq| seq.as_u64().unwrap()),
        lost: None,
        consumers: number(value, "consumer_count"),
    }
}

fn source(value: &Value) -> SourceInfo {
    let active = value["active"].as_i64().unwrap();
    SourceInfo {
        name: text(value, "name"),
        external: some(value, "external")
            .map(|external| External { api: text(external, "api"), deliver: text(external, "deliver") }),
        lag: number(value, "lag"),
        seq: number(value, "seq"),
        active: u64::try_from(active).ok().map(Duration::from_nanos),
        error: None,
        filter_subject: text(value, "filter_subject"),
        subject_transforms: list(value, "subject_transforms", |transform| SubjectTransform {
            src: text(transform, "src"),
            dest: text(transform, "dest"),
        }),
    }
}

fn cluster(value: &Value) -> ClusterInfo {
    ClusterInfo { leader: text(value, "leader"), ..ClusterInfo::default() }
}

fn stream(value: &Value) -> StreamInfo {
    StreamInfo {
        config: stream_config(&value["config"]),
        created: moment(value, "created").unwrap(),
        state: state(&value["state"]),
        domain: text(value, "domain"),
        cluster: some(value, "cluster").map(cluster),
        mirror: some(value, "mirror").map(source),
        sources: list(value, "sources", source),
        alternates: Vec::new(),
        now: moment(value, "ts").unwrap(),
    }
}

fn sequence(value: &Value) -> SequenceInfo {
    SequenceInfo {
        consumer: number(value, "consumer_seq"),
        stream: number(value, "stream_seq"),
        last_active: moment(value, "last_active"),
    }
}

fn consumer(value: &Value) -> ConsumerInfo {
    ConsumerInfo {
        stream: text(value, "stream_name"),
        name: text(value, "name"),
        created: moment(value, "created").unwrap(),
        config: consumer_config(&value["config"]),
        delivered: sequence(&value["delivered"]),
        ack_floor: sequence(&value["ack_floor"]),
        num_ack_pending: number(value, "num_ack_pending"),
        num_redelivered: number(value, "num_redelivered"),
        num_waiting: number(value, "num_waiting"),
        num_pending: number(value, "num_pending"),
        cluster: some(value, "cluster").map(cluster),
        push_bound: flag(value, "push_bound"),
        pause_remaining: span(value, "pause_remaining"),
        now: moment(value, "ts").unwrap(),
        priority_groups: list(value, "priority_groups", |group| PriorityGroup {
            group: text(group, "group"),
            pinned_client_id: text(group, "pinned_client_id"),
            pinned_since: moment(group, "pinned_ts"),
        }),
    }
}

fn page(value: &Value) -> Page {
    let number = |name| usize::try_from(number(value, name)).unwrap();
    Page { total: number("total"), offset: number("offset"), limit: number("limit") }
}

fn account(value: &Value) -> AccountInfo {
    AccountInfo {
        total: Tier {
            memory: number(value, "memory"),
            storage: number(value, "storage"),
            streams: number(value, "streams"),
            consumers: number(value, "consumers"),
            ..Tier::default()
        },
        domain: text(value, "domain"),
        api: ApiStats { total: number(&value["api"], "total"), errors: number(&value["api"], "errors"), inflight: 0 },
        tiers: BTreeMap::new(),
    }
}

/// Writes an answer anew from what it says.
fn rewrite(endpoint: Endpoint, value: &Value) -> Vec<u8> {
    use Endpoint as E;
    let encode = |answer: Answer<'_>| answer.encode(endpoint);
    match endpoint {
        E::AccountInfo => encode(Answer::AccountInfo(&account(value))),
        E::StreamCreate => encode(Answer::StreamCreate { info: &stream(value), did_create: flag(value, "did_create") }),
        E::StreamUpdate => encode(Answer::StreamUpdate(&stream(value))),
        E::StreamInfo => encode(Answer::StreamInfo { info: &stream(value), page: page(value) }),
        E::StreamNames => encode(Answer::StreamNames { names: &names(value, "streams"), page: page(value) }),
        E::StreamList => encode(Answer::StreamList { streams: &list(value, "streams", stream), page: page(value) }),
        E::StreamPurge => encode(Answer::StreamPurge { purged: number(value, "purged") }),
        E::StreamMsgGet => {
            let message = &value["message"];
            let subject = text(message, "subject");
            let bytes = |name| data_of(&text(message, name));
            let (headers, payload) = (bytes("hdrs"), bytes("data"));
            encode(Answer::StreamMsgGet(StoredMessage {
                subject: subject.as_bytes(),
                seq: number(message, "seq"),
                headers: &headers,
                payload: &payload,
                time: moment(message, "time").unwrap(),
            }))
        }
        E::StreamSnapshot => {
            encode(Answer::StreamSnapshot { config: &stream_config(&value["config"]), state: &state(&value["state"]) })
        }
        E::StreamRestore => encode(Answer::StreamRestore { deliver_subject: &text(value, "deliver_subject") }),
        E::ConsumerCreateNamed | E::ConsumerInfo => encode(Answer::Consumer(&consumer(value))),
        E::ConsumerNames => encode(Answer::ConsumerNames { names: &names(value, "consumers"), page: page(value) }),
        E::ConsumerList => {
            encode(Answer::ConsumerList { consumers: &list(value, "consumers", consumer), page: page(value) })
        }
        E::ConsumerPause => encode(Answer::ConsumerPause {
            until: moment(value, "pause_until"),
            remaining: span(value, "pause_remaining"),
        }),
        E::ConsumerReset => encode(Answer::ConsumerReset { info: &consumer(value), seq: number(value, "reset_seq") }),
        E::ConsumerUnpin => encode(Answer::Done),
        _ => encode(Answer::Success),
    }
}

fn data_of(base64: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in base64.bytes().filter(|letter| *letter != b'=') {
        let digit = LETTERS.iter().position(|other| *other == letter).unwrap();
        (bits, count) = (bits << 6 | u32::try_from(digit).unwrap(), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

#[test]
fn answers_are_written_byte_by_byte_as_they_always_were() {
    // spec: JS-008 JS-009 JS-016 JS-018 JS-020 JS-021 JS-022 JS-023 JS-029 JS-030 JS-031 JS-061 JS-097
    for line in include_str!("../testdata/answers.jsonl").lines() {
        let (subject, answer): (String, String) = serde_json::from_str(line).unwrap();
        let (endpoint, _) = Endpoint::of(&subject).unwrap();
        let value: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(String::from_utf8(rewrite(endpoint, &value)).unwrap(), answer, "{subject}");
    }
}

#[test]
fn acknowledgements_are_written_byte_by_byte_as_they_always_were() {
    // spec: JS-062 JS-063
    for line in include_str!("../testdata/acks.jsonl").lines() {
        let (_, _, answer): (String, String, String) = serde_json::from_str(line).unwrap();
        let value: Value = serde_json::from_str(&answer).unwrap();
        let writer = AckWriter::new(&text(&value, "stream"), &text(&value, "domain"));
        let mut out = Vec::new();
        if let Some(error) = some(&value, "error") {
            let number = |name| u16::try_from(number(error, name)).unwrap();
            let error = ApiError {
                code: number("code"),
                err_code: number("err_code"),
                description: text(error, "description").into(),
            };
            writer.refuse(&mut out, &error);
        } else {
            let (value_of, batch) = (text(&value, "val"), text(&value, "batch"));
            let ack = Ack {
                duplicate: flag(&value, "duplicate"),
                value: &value_of,
                batch: (!batch.is_empty()).then(|| (batch.as_str(), number(&value, "count"))),
            };
            writer.write(&mut out, number(&value, "seq"), ack);
        }
        assert_eq!(String::from_utf8(out).unwrap(), answer);
    }
}

#[test]
fn a_page_ends_where_the_list_does() {
    // spec: JS-008
    for (total, offset, expected) in [(5, 0, 0..4), (5, 3, 3..5), (5, 9, 5..5), (5, -1, 0..4), (0, 0, 0..0)] {
        let (page, range) = Page::of(total, offset, 4);
        assert_eq!((range.clone(), page), (expected, Page { total, offset: range.start, limit: 4 }));
    }
}

#[test]
fn what_only_clusters_and_damaged_streams_say() {
    let info = SourceInfo {
        name: "S".to_owned(),
        error: Some(ApiError::stream_not_found()),
        active: Some(Duration::from_nanos(3)),
        ..SourceInfo::default()
    };
    let cluster = ClusterInfo {
        name: "c".to_owned(),
        raft_group: "g".to_owned(),
        leader: "l".to_owned(),
        leader_since: Some(WallTime::from_nanos(0)),
        system_account: true,
        traffic_account: "A".to_owned(),
        replicas: vec![Peer { name: "n".to_owned(), peer: "p".to_owned(), lag: 2, ..Peer::default() }],
    };
    let tier = AccountInfo {
        api: ApiStats { total: 1, errors: 0, inflight: 1 },
        tiers: BTreeMap::from([("R1".to_owned(), Tier { streams: 2, ..Tier::default() })]),
        ..AccountInfo::default()
    };
    let tiered = String::from_utf8(Answer::AccountInfo(&tier).encode(Endpoint::AccountInfo)).unwrap();
    assert!(tiered.contains(concat!(
        r#""api":{"level":5,"total":1,"errors":0,"inflight":1},"#,
        r#""tiers":{"R1":{"memory":0,"storage":0,"reserved_memory":0,"reserved_storage":0,"streams":2,"#,
    )));
    let lost = StreamState { lost: Some(Lost { msgs: vec![1, 2], bytes: 3 }), ..StreamState::default() };
    for (json, expected) in [
        (
            super::super::json::encode(&info),
            r#"{"name":"S","lag":0,"active":3,"error":{"code":404,"err_code":10059,"description":"stream not found"}}"#,
        ),
        (
            super::super::json::encode(&cluster),
            concat!(
                r#"{"name":"c","raft_group":"g","leader":"l","leader_since":"1970-01-01T00:00:00Z","system_account":true,"#,
                r#""traffic_account":"A","replicas":[{"name":"n","current":false,"active":0,"lag":2,"peer":"p"}]}"#,
            ),
        ),
        (
            super::super::json::encode(&lost),
            concat!(
                r#"{"messages":0,"bytes":0,"first_seq":0,"first_ts":"0001-01-01T00:00:00Z","last_seq":0,"#,
                r#""last_ts":"0001-01-01T00:00:00Z","lost":{"msgs":[1,2],"bytes":3},"consumer_count":0}"#,
            ),
        ),
    ] {
        assert_eq!(String::from_utf8(json).unwrap(), expected);
    }
}
