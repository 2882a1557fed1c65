//! The contract's own examples: what came of each is read from the contract.

use super::*;

/// A stream that is asked for.
#[rustfmt::skip]
const CREATE: &[(&str, &str)] = &[
    // spec: JS-372
    ("JS-372", r#"{"name":"A","subjects":["a..b"]}"#),
    // spec: JS-373
    ("JS-373", r#"{"name":"A","subjects":["x.a","x.a"]}"#),
    // spec: JS-374
    ("JS-374", r#"{"name":"A","subjects":["x.*","x.a"]}"#),
    // spec: JS-375
    ("JS-375", r#"{"name":"A","subjects":[">"]}"#),
    // spec: JS-376
    ("JS-376", r#"{"name":"A","subjects":[">"],"no_ack":true}"#),
    // spec: JS-377
    ("JS-377", r#"{"name":"A","subjects":["$JS.API.>"]}"#),
    // spec: JS-378
    ("JS-378", r#"{"name":"A","subjects":["$JS.EVENT.ADVISORY.>"]}"#),
    // spec: JS-379
    ("JS-379", r#"{"name":"A","subjects":["$SYS.>"]}"#),
    // spec: JS-380
    ("JS-380", r#"{"name":"A","subjects":["$KV.x.>"]}"#),
    // spec: JS-381
    ("JS-381", r#"{"name":"A","num_replicas":3}"#),
    // spec: JS-382
    ("JS-382", r#"{"name":"A","num_replicas":6}"#),
    // spec: JS-383
    ("JS-383", r#"{"name":"A","num_replicas":-1}"#),
    // spec: JS-384
    ("JS-384", r#"{"name":"A","max_age":1000000}"#),
    // spec: JS-385
    ("JS-385", r#"{"name":"A","max_age":-1}"#),
    // spec: JS-386
    ("JS-386", r#"{"name":"A","max_age":1000000000,"duplicate_window":2000000000}"#),
    // spec: JS-387
    ("JS-387", r#"{"name":"A","duplicate_window":1000000}"#),
    // spec: JS-388
    ("JS-388", r#"{"name":"A","duplicate_window":-1}"#),
    // spec: JS-389
    ("JS-389", r#"{"name":"A","retention":"bogus"}"#),
    // spec: JS-390
    ("JS-390", r#"{"name":"A","storage":"bogus"}"#),
    // spec: JS-391
    ("JS-391", r#"{"name":"A","discard":"bogus"}"#),
    // spec: JS-392
    ("JS-392", r#"{"name":"A","compression":"bogus"}"#),
    // spec: JS-393
    ("JS-393", r#"{"name":"A","persist_mode":"bogus"}"#),
    // spec: JS-394
    ("JS-394", r#"{"name":"A","discard_new_per_subject":true}"#),
    // spec: JS-395
    ("JS-395", r#"{"name":"A","discard_new_per_subject":true,"discard":"new"}"#),
    // spec: JS-396
    ("JS-396", r#"{"name":"A","deny_purge":true,"allow_rollup_hdrs":true}"#),
    // spec: JS-397
    ("JS-397", r#"{"name":"A","allow_msg_counter":true,"discard":"new"}"#),
    // spec: JS-398
    ("JS-398", r#"{"name":"A","allow_msg_counter":true,"allow_msg_ttl":true}"#),
    // spec: JS-399
    ("JS-399", r#"{"name":"A","allow_msg_counter":true,"allow_msg_schedules":true}"#),
    // spec: JS-400
    ("JS-400", r#"{"name":"A","allow_msg_counter":true,"retention":"workqueue"}"#),
    // spec: JS-401
    ("JS-401", r#"{"name":"A","allow_msg_schedules":true,"discard":"new"}"#),
    // spec: JS-402
    ("JS-402", r#"{"name":"A","allow_msg_schedules":true,"pedantic":true}"#),
    // spec: JS-403
    ("JS-403", r#"{"name":"A","subject_delete_marker_ttl":500000000}"#),
    // spec: JS-404
    ("JS-404", r#"{"name":"A","subject_delete_marker_ttl":-1}"#),
    // spec: JS-405
    ("JS-405", r#"{"name":"A","persist_mode":"async","storage":"memory"}"#),
    // spec: JS-406
    ("JS-406", r#"{"name":"A","persist_mode":"async","allow_atomic":true}"#),
    // spec: JS-407
    ("JS-407", r#"{"name":"A","mirror":{"name":"O"},"subjects":["m"]}"#),
    // spec: JS-408
    ("JS-408", r#"{"name":"A","mirror":{"name":"O"},"sources":[{"name":"P"}]}"#),
    // spec: JS-409
    ("JS-409", r#"{"name":"A","mirror":{"name":"O"},"first_seq":2}"#),
    // spec: JS-410
    ("JS-410", r#"{"name":"A","mirror":{"name":"O"},"allow_msg_counter":true}"#),
    // spec: JS-411
    ("JS-411", r#"{"name":"A","mirror":{"name":"O"},"allow_atomic":true}"#),
    // spec: JS-412
    ("JS-412", r#"{"name":"A","mirror":{"name":"O"},"allow_batched":true}"#),
    // spec: JS-413
    ("JS-413", r#"{"name":"A","mirror":{"name":"O"},"allow_msg_schedules":true}"#),
    // spec: JS-414
    ("JS-414", r#"{"name":"A","mirror":{"name":"a.b"}}"#),
    // spec: JS-415
    ("JS-415", r#"{"name":"A","mirror":{"name":"O","filter_subject":"x","subject_transforms":[{"src":"x","dest":"y"}]}}"#),
    // spec: JS-416
    ("JS-416", r#"{"name":"A","mirror":{"name":"O","subject_transforms":[{"src":"x.*","dest":"y.$1"},{"src":"x.a","dest":"z"}]}}"#),
    // spec: JS-417
    ("JS-417", r#"{"name":"A","mirror":{"name":"O"},"subject_delete_marker_ttl":1000000000}"#),
    // spec: JS-418
    ("JS-418", r#"{"name":"A","mirror":{"name":"O","external":{"api":"$JS.API","deliver":""}}}"#),
    // spec: JS-419
    ("JS-419", r#"{"name":"A","mirror":{"name":"O","external":{"api":"$JS.x.API","deliver":"d.*"}}}"#),
    // spec: JS-420
    ("JS-420", r#"{"name":"A","sources":[{"name":"O"},{"name":"O"}]}"#),
    // spec: JS-421
    ("JS-421", r#"{"name":"A","sources":[{"name":"a.b"}]}"#),
    // spec: JS-422
    ("JS-422", r#"{"name":"A","sources":[{"name":"O"}],"allow_msg_schedules":true}"#),
    // spec: JS-423
    ("JS-423", r#"{"name":"A","sources":[{"name":"O","filter_subject":"x","subject_transforms":[{"src":"x","dest":"y"}]}]}"#),
    // spec: JS-424
    ("JS-424", r#"{"name":"A","sources":[{"name":"O","consumer":{"name":"c","deliver_subject":"d.*"}}]}"#),
    // spec: JS-425
    ("JS-425", r#"{"name":"A","sources":[{"name":"O","subject_transforms":[{"src":"x.*","dest":"{{nope(1)}}"}]}]}"#),
    // spec: JS-426
    ("JS-426", r#"{"name":"A","subject_transform":{"src":"x.*","dest":"{{wildcard(3)}}"}}"#),
    // spec: JS-427
    ("JS-427", r#"{"name":"A","subject_transform":{"src":"x..a","dest":"y"}}"#),
    // spec: JS-428
    ("JS-428", r#"{"name":"A","subjects":["x.>"],"republish":{"src":">","dest":"x.a"}}"#),
    // spec: JS-429
    ("JS-429", r#"{"name":"A","republish":{"src":"x.>","dest":"y"}}"#),
    // spec: JS-430
    ("JS-430", r#"{"name":"A","placement":{"preferred":"x"}}"#),
    // spec: JS-431
    ("JS-431", r#"{"name":"A","description":"LONG4097"}"#),
    // spec: JS-432
    ("JS-432", r#"{"name":"A","metadata":{"a":"LONG131072"}}"#),
    // spec: JS-433
    ("JS-433", r#"{"name":"LONG256"}"#),
    // spec: JS-434
    ("JS-434", r#"{"name":"A","foo":1}"#),
    // spec: JS-435
    ("JS-435", r#"{"name":"A","max_consumers":-5,"pedantic":true}"#),
    // spec: JS-436
    ("JS-436", r#"{"name":"A","max_msgs":-5}"#),
    // spec: JS-437
    ("JS-437", r#"{"name":"A","mirror":{"name":"A"}}"#),
    // spec: JS-438
    ("JS-438", r#"{"name":"A","sources":[{"name":"A"}]}"#),
    // spec: JS-439
    ("JS-439", r#"{"name":"A","sealed":true}"#),
    // spec: JS-440
    ("JS-440", r#"{"name":"A","template_owner":"x"}"#),
    // spec: JS-441
    ("JS-441", r#"{"name":"A","first_seq":10}"#),
    // spec: JS-456
    ("JS-456", r#"{"name":"A","subjects":["o.x"]}"#),
];

/// A stream as it is, and as it is asked to be.
#[rustfmt::skip]
const UPDATE: &[(&str, &str, &str)] = &[
    // spec: JS-442
    ("JS-442", r#"{"name":"A"}"#, r#"{"name":"A"}"#),
    // spec: JS-443
    ("JS-443", r#"{"name":"A"}"#, r#"{"name":"B"}"#),
    // spec: JS-444
    ("JS-444", r#"{"name":"A"}"#, r#"{"name":"A","storage":"memory"}"#),
    // spec: JS-445
    ("JS-445", r#"{"name":"A"}"#, r#"{"name":"A","retention":"workqueue"}"#),
    // spec: JS-446
    ("JS-446", r#"{"name":"A"}"#, r#"{"name":"A","retention":"interest"}"#),
    // spec: JS-447
    ("JS-447", r#"{"name":"A","retention":"interest"}"#, r#"{"name":"A","retention":"interest","allow_msg_counter":true}"#),
    // spec: JS-448
    ("JS-448", r#"{"name":"A"}"#, r#"{"name":"A","mirror":{"name":"O"}}"#),
    // spec: JS-449
    ("JS-449", r#"{"name":"A"}"#, r#"{"name":"A","deny_delete":true}"#),
    // spec: JS-450
    ("JS-450", r#"{"name":"A","deny_delete":true}"#, r#"{"name":"A"}"#),
    // spec: JS-451
    ("JS-451", r#"{"name":"A"}"#, r#"{"name":"A","persist_mode":"async"}"#),
    // spec: JS-452
    ("JS-452", r#"{"name":"A"}"#, r#"{"name":"A","sealed":true}"#),
    // spec: JS-453
    ("JS-453", "sealed", r#"{"name":"A"}"#),
    // spec: JS-454
    ("JS-454", r#"{"name":"A"}"#, r#"{"name":"A","num_replicas":3}"#),
    // spec: JS-457
    ("JS-457", "", r#"{"name":"A"}"#),
];

/// A consumer that is asked for: on a stream, by a subject.
#[rustfmt::skip]
const CONSUMER: &[(&str, &str, &str, &str)] = &[
    // spec: JS-461
    ("JS-461", "S", "CONSUMER.CREATE.S", r#"{"stream_name":"S","config":{"name":"b.c"}}"#),
    // spec: JS-462
    ("JS-462", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"ack_policy":"x"}}"#),
    // spec: JS-463
    ("JS-463", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"deliver_policy":"x"}}"#),
    // spec: JS-464
    ("JS-464", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"replay_policy":"x"}}"#),
    // spec: JS-465
    ("JS-465", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"ack_policy":"explicit","ack_wait":-1}}"#),
    // spec: JS-466
    ("JS-466", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"backoff":[-1]}}"#),
    // spec: JS-467
    ("JS-467", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"backoff":[1000000000,2000000000],"max_deliver":1}}"#),
    // spec: JS-468
    ("JS-468", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"deliver_subject":"d","max_waiting":5}}"#),
    // spec: JS-469
    ("JS-469", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"deliver_subject":"d.*"}}"#),
    // spec: JS-470
    ("JS-470", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"deliver_subject":"s.x"}}"#),
    // spec: JS-471
    ("JS-471", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"deliver_subject":"a..b"}}"#),
    // spec: JS-472
    ("JS-472", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"deliver_subject":"d","max_ack_pending":5}}"#),
    // spec: JS-473
    ("JS-473", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"deliver_subject":"d","idle_heartbeat":1000000}}"#),
    // spec: JS-474
    ("JS-474", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"idle_heartbeat":1000000000}}"#),
    // spec: JS-475
    ("JS-475", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"flow_control":true}}"#),
    // spec: JS-476
    ("JS-476", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"rate_limit_bps":1000}}"#),
    // spec: JS-477
    ("JS-477", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"deliver_subject":"d","flow_control":true}}"#),
    // spec: JS-478
    ("JS-478", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"max_expires":1}}"#),
    // spec: JS-479
    ("JS-479", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"filter_subject":"s.a","filter_subjects":["s.b"]}}"#),
    // spec: JS-480
    ("JS-480", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"filter_subjects":["s.*","s.a"]}}"#),
    // spec: JS-481
    ("JS-481", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"filter_subjects":[""]}}"#),
    // spec: JS-482
    ("JS-482", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"filter_subject":"zz"}}"#),
    // spec: JS-483
    ("JS-483", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"filter_subject":"a..b"}}"#),
    // spec: JS-484
    ("JS-484", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"opt_start_seq":3}}"#),
    // spec: JS-485
    ("JS-485", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"deliver_policy":"last","opt_start_time":"2020-01-01T00:00:00Z"}}"#),
    // spec: JS-486
    ("JS-486", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"deliver_policy":"by_start_sequence"}}"#),
    // spec: JS-487
    ("JS-487", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"deliver_policy":"by_start_time"}}"#),
    // spec: JS-488
    ("JS-488", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"deliver_policy":"last_per_subject"}}"#),
    // spec: JS-489
    ("JS-489", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"sample_freq":"x"}}"#),
    // spec: JS-490
    ("JS-490", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"num_replicas":3}}"#),
    // spec: JS-491
    ("JS-491", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"num_replicas":-1}}"#),
    // spec: JS-492
    ("JS-492", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"durable_name":"d"}}"#),
    // spec: JS-493
    ("JS-493", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"priority_policy":"overflow"}}"#),
    // spec: JS-494
    ("JS-494", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"priority_groups":["g"]}}"#),
    // spec: JS-495
    ("JS-495", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"priority_policy":"overflow","priority_groups":["a b"]}}"#),
    // spec: JS-496
    ("JS-496", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"priority_policy":"overflow","priority_groups":[""]}}"#),
    // spec: JS-497
    ("JS-497", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"priority_policy":"overflow","priority_groups":["g"],"deliver_subject":"d"}}"#),
    // spec: JS-498
    ("JS-498", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"priority_timeout":1000000000}}"#),
    // spec: JS-499
    ("JS-499", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"priority_policy":"overflow","priority_groups":["g","h"]}}"#),
    // spec: JS-500
    ("JS-500", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"ack_policy":"flow_control"}}"#),
    // spec: JS-501
    ("JS-501", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"ack_policy":"flow_control","deliver_subject":"d"}}"#),
    // spec: JS-502
    ("JS-502", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"ack_policy":"flow_control","deliver_subject":"d","ack_wait":1000000000}}"#),
    // spec: JS-503
    ("JS-503", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"ack_policy":"flow_control","deliver_subject":"d","max_deliver":3}}"#),
    // spec: JS-504
    ("JS-504", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"direct":true}}"#),
    // spec: JS-505
    ("JS-505", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"direct":true,"deliver_subject":"d","durable_name":"c"}}"#),
    // spec: JS-506
    ("JS-506", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"max_batch":-1},"pedantic":true}"#),
    // spec: JS-507
    ("JS-507", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"S","config":{"foo":1}}"#),
    // spec: JS-508
    ("JS-508", "W", "CONSUMER.CREATE.W.c", r#"{"stream_name":"W","config":{}}"#),
    // spec: JS-509
    ("JS-509", "W", "CONSUMER.CREATE.W.c", r#"{"stream_name":"W","config":{"ack_policy":"all"}}"#),
    // spec: JS-510
    ("JS-510", "W", "CONSUMER.CREATE.W.c", r#"{"stream_name":"W","config":{"ack_policy":"explicit","deliver_policy":"last"}}"#),
    // spec: JS-511
    ("JS-511", "W", "CONSUMER.CREATE.W.c", r#"{"stream_name":"W","config":{"ack_policy":"explicit"}}"#),
    // spec: JS-512
    ("JS-512", "W2", "CONSUMER.CREATE.W.c", r#"{"stream_name":"W","config":{"ack_policy":"explicit"}}"#),
    // spec: JS-513
    ("JS-513", "L", "CONSUMER.CREATE.L.c", r#"{"stream_name":"L","config":{"ack_policy":"explicit","max_ack_pending":51}}"#),
    // spec: JS-514
    ("JS-514", "L", "CONSUMER.CREATE.L.c", r#"{"stream_name":"L","config":{"ack_policy":"explicit","inactive_threshold":11000000000}}"#),
    // spec: JS-515
    ("JS-515", "L", "CONSUMER.CREATE.L.c", r#"{"stream_name":"L","config":{"ack_policy":"explicit"}}"#),
    // spec: JS-516
    ("JS-516", "S", "CONSUMER.CREATE.S.c", r#"{"stream_name":"T"}"#),
    // spec: JS-518
    ("JS-518", "S", "CONSUMER.CREATE.S", r#"{"stream_name":"S","config":{"durable_name":"d"}}"#),
    // spec: JS-519
    ("JS-519", "S", "CONSUMER.DURABLE.CREATE.S.d", r#"{"stream_name":"S","config":{}}"#),
];

/// What the contract says: `OK`, or `err_code/code` and the words in backticks.
fn expected(row: &str) -> &'static str {
    let contract = include_str!("../../../../../../docs/spec/04-jetstream.md");
    let line = contract.lines().find(|line| line.contains(&format!("**{row}**"))).unwrap();
    line.split_once(" → ").unwrap().1
}

fn said(result: Result<(), ApiError>) -> String {
    result
        .map_or_else(|error| format!("{}/{} `{}`", error.err_code, error.code, error.description), |()| "OK".to_owned())
}

/// Texts of a length that no table should hold.
fn lengthen(json: &str) -> String {
    [4097, 131_072, 256]
        .into_iter()
        .fold(json.to_owned(), |json, length| json.replace(&format!("LONG{length}"), &"x".repeat(length)))
}

fn account() -> Account {
    let mut account = Account::default();
    for body in [
        r#"{"name":"O","subjects":["o.>"]}"#,
        r#"{"name":"S","subjects":["s.>"]}"#,
        r#"{"name":"W","subjects":["w.>"],"retention":"workqueue"}"#,
        r#"{"name":"L","subjects":["l.>"],"consumer_limits":{"max_ack_pending":50,"inactive_threshold":10000000000}}"#,
    ] {
        account.add(&serde_json::from_str(body).unwrap()).unwrap();
    }
    account
}

fn asked(subject: &str, body: &str) -> Result<Request, ApiError> {
    let setting = Setting { is_enabled: true, ..Setting::default() };
    match parse(subject, b"", body.as_bytes(), setting) {
        Parsed::Request(_, request) => Ok(request),
        Parsed::Refused(_, error) => Err(error),
        Parsed::Nobody => panic!("{subject}"),
    }
}

#[test]
fn streams_that_are_asked_for() {
    for (row, body) in CREATE {
        let account = if *row == "JS-456" { account() } else { Account::default() };
        let body = lengthen(body);
        let name = serde_json::from_str::<Value>(&body).unwrap()["name"].as_str().unwrap().to_owned();
        let result = match asked(&format!("STREAM.CREATE.{name}"), &body) {
            Ok(Request::StreamCreate(body)) => create_stream(&body, &account).map(drop),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        };
        assert_eq!(said(result), expected(row), "{row}");
    }
}

#[test]
fn streams_that_are_asked_to_be_otherwise() {
    for (row, before, body) in UPDATE {
        let mut account = account();
        if *before == "sealed" {
            account.add(&serde_json::json!({"name": "A"})).unwrap();
            account.streams.get_mut("A").unwrap().sealed = true;
        } else if !before.is_empty() {
            account.add(&serde_json::from_str(before).unwrap()).unwrap();
        }
        let Ok(Request::StreamUpdate(name, body)) = asked("STREAM.UPDATE.A", body) else { panic!("{row}") };
        assert_eq!(said(update_stream(&name, &body, &account, []).map(drop)), expected(row), "{row}");
    }
}

#[test]
fn a_stream_that_is_asked_for_again() {
    // spec: JS-455
    let mut account = account();
    let body = serde_json::json!({"name": "A", "metadata": {"_nats.ver": "x", "_nats.req.level": "7"}});
    account.add(&body).unwrap();
    assert_eq!(create_stream(&stream_body(&body), &account), Ok(Created::Same));
    let other = stream_body(&serde_json::json!({"name": "A", "max_msgs": 1}));
    assert_eq!(said(create_stream(&other, &account).map(drop)), expected("JS-455"));
}

#[test]
fn consumers_that_are_asked_for() {
    let first = serde_json::json!({"stream_name": "W", "config": {"ack_policy": "explicit", "name": "first"}});
    for (row, place, subject, body) in CONSUMER {
        let account = account();
        let mut there = BTreeMap::new();
        if *place == "W2" {
            let config = join(&account, "W", &there, "CONSUMER.CREATE.W.first", &first).unwrap();
            there.insert("first".to_owned(), config);
        }
        let result = join(&account, &place[..1], &there, subject, &serde_json::from_str(body).unwrap());
        assert_eq!(said(result.map(drop)), expected(row), "{row}");
    }
}
