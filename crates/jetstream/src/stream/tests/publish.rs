//! Messages come one by one.

use super::*;

#[test]
fn a_publisher_is_answered_when_its_message_is_durable() {
    // spec: JS-062 JS-064
    let mut scene = Scene::new(|_| {}).slow();
    scene.send("s.a", &[], "one");
    scene.send_from("", "s.b", &[], "two");
    assert_eq!(scene.told(), [""; 0], "nothing is written");
    scene.flush();
    assert_eq!(scene.told(), [""; 0], "nothing is durable");
    assert_eq!(scene.kept(), [""; 0]);
    scene.sync();
    assert_eq!(scene.told(), [r#"r {"stream":"S","seq":1}"#]);
    assert_eq!(scene.kept(), ["1 s.a", "2 s.b"]);
}

#[test]
fn what_need_not_be_durable_is_answered_at_once() {
    let options = Options { durability: Durability::OnCommitOfWrite, domain: "hub".into(), ..Options::default() };
    let mut scene = Scene::with(options, |_| {}).slow();
    scene.send("s.a", &[], "one");
    scene.flush();
    assert_eq!(scene.told(), [r#"r {"stream":"S","domain":"hub","seq":1}"#]);
    scene.sync();
    assert_eq!(scene.told(), [""; 0]);
}

#[test]
fn two_flushes_wait_for_the_disk_while_the_next_is_admitted() {
    let mut scene = Scene::new(|_| {}).slow();
    for round in 1..=4 {
        scene.send(&format!("s.{round}"), &[], "");
        scene.flush();
    }
    assert_eq!(scene.stream.store().appended(), 3, "the configuration and two");
    assert!(scene.stream.has_to_flush());
    scene.sync();
    assert_eq!(scene.told().len(), 2);
    scene.flush();
    scene.sync();
    assert_eq!(scene.told().len(), 2);
    assert_eq!(scene.kept().len(), 4);
}

#[test]
fn nobody_is_answered_where_nobody_is_to_be() {
    // spec: JS-064
    let mut scene = Scene::new(|config| config.no_ack = true);
    assert_eq!(scene.ask("s.a", &[], ""), "");
    assert_eq!(scene.ask("s.a", &[("Nats-Expected-Stream", "Z")], ""), "");
    assert_eq!(scene.kept(), ["1 s.a"]);
}

#[test]
fn what_a_publisher_expects_is_held_against_what_is_and_what_will_be() {
    // spec: JS-066 JS-549 JS-550 JS-551 JS-552 JS-553
    let mut scene = Scene::new(|_| {});
    let (wrong_last, no_seq) = (
        |seq| error(400, 10071, &format!("wrong last sequence: {seq}")),
        error(400, 10193, "missing sequence for expected last sequence per subject"),
    );
    assert_eq!(
        scene.ask("s.a", &[("Nats-Expected-Stream", "Z")], ""),
        error(400, 10060, "expected stream does not match")
    );
    assert_eq!(scene.ask("s.a", &[("Nats-Expected-Last-Sequence", "99")], ""), wrong_last(0));
    assert_eq!(scene.ask("s.a", &[("Nats-Expected-Last-Sequence", "zz")], ""), wrong_last(0));
    assert_eq!(scene.ask("s.a", &[("Nats-Expected-Last-Msg-Id", "zz")], ""), error(400, 10070, "wrong last msg ID: "));
    assert_eq!(scene.ask("s.a", &[("Nats-Expected-Last-Subject-Sequence", "99")], ""), wrong_last(0));
    assert_eq!(scene.ask("s.a", &[("Nats-Expected-Last-Subject-Sequence-Subject", "s.b")], ""), no_seq);
    assert_eq!(
        scene.ask("s.a", &[("Nats-Expected-Last-Subject-Sequence", "0"), ("Nats-Msg-Id", "m")], ""),
        r#"{"stream":"S","seq":1}"#
    );
    assert_eq!(
        scene.ask("s.b", &[("Nats-Expected-Last-Sequence", "1"), ("Nats-Expected-Last-Msg-Id", "m")], ""),
        r#"{"stream":"S","seq":2}"#
    );

    let mut scene = scene.slow();
    let on = |subject: &'static str, seq: &'static str| {
        [("Nats-Expected-Last-Subject-Sequence-Subject", subject), ("Nats-Expected-Last-Subject-Sequence", seq)]
    };
    scene.send_from("1", "s.a", &on("s.a", "1"), "");
    scene.send_from("2", "s.a", &on("s.a", "1"), "");
    scene.flush();
    scene.send_from("3", "s.a", &on("s.a", "3"), "");
    scene.send_from("4", "s.c", &on("s.*", "4"), "");
    scene.send_from("5", "s.c", &on("s.b", "2"), "");
    scene.send_from("6", "s.c", &[("Nats-Expected-Last-Sequence", "6")], "");
    scene.flush();
    scene.sync();
    assert_eq!(
        scene.told(),
        [
            r#"1 {"stream":"S","seq":3}"#.into(),
            format!("2 {}", wrong_last(3)),
            r#"3 {"stream":"S","seq":4}"#.into(),
            r#"4 {"stream":"S","seq":5}"#.into(),
            r#"5 {"stream":"S","seq":6}"#.into(),
            r#"6 {"stream":"S","seq":7}"#.into(),
        ]
    );
}

#[test]
fn a_purge_on_its_way_is_seen_by_those_who_come_after_it() {
    // spec: JS-066 JS-021
    let mut scene = Scene::new(|_| {});
    scene.ask("s.a", &[], "");
    scene.ask("s.b", &[], "");
    let mut scene = scene.slow();
    scene.stream.purge(&PurgeBody { filter: "s.a".into(), ..PurgeBody::default() }, scene.now, 7).unwrap();
    scene.send_from("1", "s.a", &[("Nats-Expected-Last-Subject-Sequence", "1")], "");
    scene.send_from("2", "s.b", &[("Nats-Expected-Last-Subject-Sequence", "2")], "");
    scene.flush();
    scene.sync();
    let refused = error(400, 10071, "wrong last sequence: 0");
    assert_eq!(scene.told(), [format!("1 {refused}"), r#"2 {"stream":"S","seq":3}"#.into()]);
    assert_eq!(scene.stream.next_done(), Some(Done { ticket: 7, result: Ok(Changed::Purged(1)) }));
    assert_eq!(scene.kept(), ["2 s.b", "3 s.b"]);
}

#[test]
fn a_purge_beyond_the_last_moves_the_stream() {
    // spec: JS-021
    let mut scene = Scene::new(|_| {});
    scene.ask("s.a", &[], "");
    let up_to = |seq| PurgeBody { seq, ..PurgeBody::default() };
    scene.stream.purge(&up_to(20), scene.now, 7).unwrap();
    scene.flush();
    assert_eq!(scene.stream.next_done(), Some(Done { ticket: 7, result: Ok(Changed::Purged(1)) }));
    let state = scene.stream.state();
    assert_eq!((state.first_seq, state.last_seq), (20, 19));
    assert_eq!(scene.ask("s.a", &[], ""), r#"{"stream":"S","seq":20}"#);
    scene.stream.purge(&PurgeBody { filter: "s.*".into(), ..up_to(40) }, scene.now, 8).unwrap();
    scene.stream.purge(&up_to(5), scene.now, 9).unwrap();
    assert_eq!(scene.ask("s.a", &[], ""), r#"{"stream":"S","seq":21}"#);
    assert_eq!(scene.stream.purge(&up_to(u64::MAX), scene.now, 10), Err(crate::api::ApiError::bad_request()));
}

#[test]
fn an_id_counts_once_within_the_window() {
    // spec: JS-065
    let mut scene = Scene::new(|config| config.duplicate_window = Duration::from_secs(5));
    let id = [("Nats-Msg-Id", "a")];
    assert_eq!(scene.ask("s.a", &id, ""), r#"{"stream":"S","seq":1}"#);
    assert_eq!(scene.ask("s.b", &id, ""), r#"{"stream":"S","seq":1,"duplicate": true}"#);
    scene.wait(Duration::from_secs(5));
    assert_eq!(scene.ask("s.c", &id, ""), r#"{"stream":"S","seq":2}"#);
}

#[test]
fn a_duplicate_is_answered_when_the_first_is_durable_and_not_if_that_is_lost() {
    // spec: JS-065
    let mut scene = Scene::new(|_| {}).slow();
    let id = [("Nats-Msg-Id", "a")];
    scene.send_from("1", "s.a", &id, "");
    scene.flush();
    scene.send_from("2", "s.a", &id, "");
    scene.flush();
    assert_eq!(scene.told(), [""; 0]);
    scene.sync();
    assert_eq!(scene.told(), [r#"1 {"stream":"S","seq":1}"#, r#"2 {"stream":"S","seq":1,"duplicate": true}"#]);

    scene.disk.lock().unwrap().is_full = true;
    scene.send_from("3", "s.a", &[("Nats-Msg-Id", "b")], "");
    scene.send_from("4", "s.a", &[("Nats-Msg-Id", "b")], "");
    scene.flush();
    let full = error(503, 10023, "insufficient resources");
    assert_eq!(scene.told(), [format!("3 {full}"), format!("4 {full}")]);
    scene.disk.lock().unwrap().is_full = false;
    assert_eq!(scene.ask("s.a", &[("Nats-Msg-Id", "b")], ""), r#"{"stream":"S","seq":2}"#, "as if it had not come");
}

#[test]
fn a_failed_sync_ends_it() {
    // spec: JS-122
    let mut scene = Scene::new(|_| {}).slow();
    scene.send_from("1", "s.a", &[], "");
    scene.flush();
    scene.send_from("2", "s.a", &[], "");
    scene.fail_sync();
    let why = "syncing the log: the disk is gone; the stream takes no more messages until the server is started again";
    let failed = error(503, 10077, why);
    assert_eq!(scene.told(), [format!("1 {failed}"), format!("2 {failed}")]);
    assert_eq!(scene.ask("s.b", &[], ""), failed);
    assert_eq!(scene.kept(), [""; 0]);
}

#[test]
fn rollups_take_what_is_older() {
    // spec: JS-067 JS-554 JS-555
    let mut scene = Scene::new(|config| config.allow_rollup_hdrs = true);
    for subject in ["s.a", "s.b", "s.a"] {
        scene.ask(subject, &[], "");
    }
    scene.ask("s.a", &[("Nats-Rollup", "sub")], "");
    assert_eq!(scene.kept(), ["2 s.b", "4 s.a"]);
    assert_eq!(scene.ask("s.a", &[("Nats-Rollup", "zz")], ""), error(500, 10111, "rollup value invalid: \"zz\""));
    scene.ask("s.c", &[("Nats-Rollup", "ALL")], "");
    assert_eq!(scene.kept(), ["5 s.c"]);
    let mut scene = Scene::new(|_| {});
    assert_eq!(scene.ask("s.a", &[("Nats-Rollup", "sub")], ""), error(500, 10111, "rollup not permitted"));
}

#[test]
fn messages_that_are_too_large_are_refused() {
    // spec: JS-075 JS-589 JS-594
    let mut scene = Scene::new(|config| config.max_msg_size = 20);
    let too_large = error(400, 10054, "message size exceeds maximum allowed");
    assert_eq!(scene.ask("s.a", &[], &"x".repeat(20)), r#"{"stream":"S","seq":1}"#);
    assert_eq!(scene.ask("s.a", &[], &"x".repeat(21)), too_large);
    assert_eq!(scene.ask("s.a", &[("A", "1234")], ""), too_large);
    let mut scene = Scene::new(|_| {});
    let long = "x".repeat(65_520);
    assert_eq!(scene.ask("s.a", &[("A", &long)], ""), error(400, 10097, "header size exceeds maximum allowed of 64k"));
}

#[test]
fn a_full_stream_refuses_where_it_is_to() {
    // spec: JS-075 JS-590 JS-591 JS-592
    let mut scene = Scene::new(|config| (config.discard, config.max_msgs) = (crate::config::Discard::New, 2)).slow();
    for reply in ["1", "2", "3"] {
        scene.send_from(reply, "s.a", &[], "");
    }
    scene.flush();
    scene.sync();
    let full = error(503, 10077, "maximum messages exceeded");
    assert_eq!(
        scene.told(),
        [r#"1 {"stream":"S","seq":1}"#.into(), r#"2 {"stream":"S","seq":2}"#.into(), format!("3 {full}")]
    );
    assert_eq!(scene.ask("s.b", &[], ""), full);

    let mut scene = Scene::new(|config| (config.discard, config.max_bytes) = (crate::config::Discard::New, 70));
    assert_eq!(scene.ask("s.a", &[], ""), r#"{"stream":"S","seq":1}"#);
    assert_eq!(scene.ask("s.a", &[], "12345"), error(503, 10077, "maximum bytes exceeded"));
    assert_eq!(scene.ask("s.a", &[], "1234"), r#"{"stream":"S","seq":2}"#);
}

#[test]
fn a_full_subject_makes_room_or_refuses() {
    // spec: JS-047
    let mut scene = Scene::new(|config| {
        (config.discard, config.max_msgs, config.max_msgs_per_subject) = (crate::config::Discard::New, 2, 1);
    });
    for subject in ["s.a", "s.b", "s.a"] {
        scene.ask(subject, &[], "");
    }
    assert_eq!(scene.kept(), ["2 s.b", "3 s.a"], "the oldest of the subject made room");
    assert_eq!(scene.ask("s.c", &[], ""), error(503, 10077, "maximum messages exceeded"));
    let mut scene = Scene::new(|config| {
        (config.discard, config.discard_new_per_subject, config.max_msgs_per_subject) =
            (crate::config::Discard::New, true, 1);
    });
    scene.ask("s.a", &[], "");
    assert_eq!(scene.ask("s.a", &[], ""), error(503, 10077, "maximum messages per subject exceeded"));
    let mut scene = scene.slow();
    let mut config = scene.stream.config().clone();
    config.allow_rollup_hdrs = true;
    scene.stream.update(config, scene.now, NOBODY);
    scene.flush();
    scene.sync();
    assert_eq!(scene.ask("s.a", &[("Nats-Rollup", "sub")], ""), r#"{"stream":"S","seq":2}"#);
    assert_eq!(scene.kept(), ["2 s.a"]);
}

#[test]
fn a_rollup_on_its_way_makes_room_in_its_subject() {
    // spec: JS-047 JS-067
    let mut scene = Scene::new(|config| {
        (config.discard, config.discard_new_per_subject) = (crate::config::Discard::New, true);
        (config.max_msgs_per_subject, config.allow_rollup_hdrs) = (2, true);
    })
    .slow();
    scene.send_from("1", "s.a", &[], "");
    scene.send_from("2", "s.a", &[("Nats-Rollup", "sub")], "");
    scene.flush();
    scene.send_from("3", "s.a", &[], "");
    scene.send_from("4", "s.a", &[], "");
    scene.flush();
    scene.sync();
    let full = error(503, 10077, "maximum messages per subject exceeded");
    assert_eq!(
        scene.told(),
        [
            r#"1 {"stream":"S","seq":1}"#.into(),
            r#"2 {"stream":"S","seq":2}"#.into(),
            r#"3 {"stream":"S","seq":3}"#.into(),
            format!("4 {full}"),
        ]
    );
}

#[test]
fn the_oldest_go_where_they_are_to() {
    let mut scene = Scene::new(|config| config.max_msgs = 2);
    for subject in ["s.a", "s.b", "s.c"] {
        scene.ask(subject, &[], "");
    }
    assert_eq!(scene.kept(), ["2 s.b", "3 s.c"]);
}

#[test]
fn subjects_are_transformed_before_anything_looks_at_them() {
    let mut scene = Scene::new(|config| {
        config.subject_transform =
            Some(crate::config::SubjectTransform { src: "s.*.x".into(), dest: "t.{{wildcard(1)}}".into() });
    });
    scene.ask("s.1.x", &[], "");
    scene.ask("s.2", &[], "");
    scene.ask("s.1.x", &[("Nats-Expected-Last-Subject-Sequence", "1")], "");
    assert_eq!(scene.kept(), ["1 t.1", "2 s.2", "3 t.1"]);
}

#[test]
fn what_is_kept_is_published_again() {
    // spec: JS-055 JS-079
    let republish = |headers_only| crate::config::Republish { src: "s.>".into(), dest: "again.>".into(), headers_only };
    let mut scene = Scene::new(|config| config.republish = Some(republish(false)));
    scene.send("s.a", &[], "one");
    scene.send("s.a", &[("A", "1")], "two");
    scene.flush();
    let time = "2026-11-29T00:00:00Z";
    assert_eq!(
        scene.told(),
        [
            format!(
                "again.a NATS/1.0|Nats-Stream: S|Nats-Subject: s.a|Nats-Sequence: 1|Nats-Time-Stamp: {time}|Nats-Last-Sequence: 0||one"
            ),
            r#"r {"stream":"S","seq":1}"#.into(),
            format!(
                "again.a NATS/1.0|A: 1|Nats-Stream: S|Nats-Subject: s.a|Nats-Sequence: 2|Nats-Time-Stamp: {time}|Nats-Last-Sequence: 1||two"
            ),
            r#"r {"stream":"S","seq":2}"#.into(),
        ]
    );
    let mut scene = Scene::new(|config| config.republish = Some(republish(true)));
    scene.send_from("", "s.a", &[], "four");
    scene.flush();
    assert_eq!(
        scene.told(),
        [format!(
            "again.a NATS/1.0|Nats-Stream: S|Nats-Subject: s.a|Nats-Sequence: 1|Nats-Time-Stamp: {time}|Nats-Last-Sequence: 0|Nats-Msg-Size: 4||"
        )]
    );
}

#[test]
fn what_servers_add_on_the_way_is_not_kept() {
    let mut scene = Scene::new(|_| {});
    scene.ask("s.a", &[("Nats-Request-Info", "{}"), ("A", "1")], "x");
    scene.ask("s.a", &[("Nats-Request-Info", "{}")], "x");
    let headers = b"NATS/1.0 503 Nobody\r\nA: 1\r\n\r\n";
    let incoming = Incoming { subject: b"s.a", headers, ..Incoming::default() };
    scene.stream.publish(scene.now, &incoming, &mut scene.out);
    scene.flush();
    assert_eq!(scene.message(3), "s.a NATS/1.0|A: 1||");
    assert_eq!(scene.message(1), "s.a NATS/1.0|A: 1||x");
    assert_eq!(scene.message(2), "s.a x");
    assert_eq!(
        scene.ask("s.a", &[("Nats-Stream-Source", "x")], ""),
        error(400, 10227, "message stream source header is not allowed")
    );
}

#[test]
fn counters_count() {
    // spec: JS-069 JS-560 JS-561 JS-562 JS-563 JS-564 JS-565 JS-566
    let mut scene = Scene::new(|config| config.allow_msg_counter = true);
    assert_eq!(scene.ask("s.a", &[], ""), error(400, 10169, "message counter increment is missing"));
    assert_eq!(scene.ask("s.a", &[("Nats-Incr", "1")], "x"), error(400, 10170, "message counter has payload"));
    assert_eq!(scene.ask("s.a", &[("Nats-Incr", "x")], ""), error(400, 10171, "message counter increment is invalid"));
    let both = [("Nats-Incr", "1"), ("Nats-Rollup", "sub")];
    assert_eq!(scene.ask("s.a", &both, ""), error(400, 10171, "message counter increment is invalid"));
    assert_eq!(scene.ask("s.a", &[("Nats-Incr", "+5")], ""), r#"{"stream":"S","seq":1,"val":"5"}"#);
    assert_eq!(scene.ask("s.a", &[("Nats-Incr", "-2")], ""), r#"{"stream":"S","seq":2,"val":"3"}"#);
    assert_eq!(scene.message(2), r#"s.a NATS/1.0|Nats-Incr: -2||{"val":"3"}"#);
    let mut scene = scene.slow();
    scene.send_from("1", "s.a", &[("Nats-Incr", "10")], "");
    scene.send_from("2", "s.a", &[("Nats-Incr", "10")], "");
    scene.flush();
    scene.sync();
    assert_eq!(scene.told(), [r#"1 {"stream":"S","seq":3,"val":"13"}"#, r#"2 {"stream":"S","seq":4,"val":"23"}"#]);
    let mut scene = Scene::new(|_| {});
    assert_eq!(scene.ask("s.a", &[("Nats-Incr", "1")], ""), error(400, 10168, "message counters is disabled"));
}

#[test]
fn a_sealed_stream_takes_nothing_and_gives_nothing_away() {
    // spec: JS-075 JS-458
    let mut scene = Scene::new(|_| {});
    scene.ask("s.a", &[], "");
    scene.stream.seal(scene.now, 2);
    scene.flush();
    let sealed = error(400, 10109, "invalid operation on sealed stream");
    assert_eq!(scene.ask("s.a", &[], ""), sealed);
    assert_eq!(scene.stream.purge(&PurgeBody::default(), scene.now, 3).unwrap_err().err_code, 10109);
    assert_eq!(scene.stream.delete_message(1, true, scene.now, 3).unwrap_err().err_code, 10109);
}

#[test]
fn what_is_done_is_announced() {
    // spec: JS-139 JS-141
    let options = Options { domain: "hub".into(), ..Options::default() };
    let mut scene = Scene::with(options, |_| {});
    let config = scene.stream.config().clone();
    scene.stream.update(config, scene.now, 2);
    scene.flush();
    assert_eq!(
        scene.told(),
        [concat!(
            r#"$JS.EVENT.ADVISORY.STREAM.UPDATED.S {"type":"io.nats.jetstream.advisory.v1.stream_action","#,
            r#""id":"3000000000040000000000","timestamp":"2026-11-29T00:00:00Z","stream":"S","action":"modify","domain":"hub"}"#,
        )]
    );
    assert_eq!(scene.stream.next_done(), Some(Done { ticket: 2, result: Ok(Changed::Updated) }));
}

#[test]
fn messages_are_deleted_one_by_one() {
    // spec: JS-022 JS-184 JS-541
    for (storage, words) in [
        (crate::config::Storage::File, ["no message found", "sequence 2 not found", "stream store EOF"]),
        (crate::config::Storage::Memory, ["sequence 0 not found", "sequence 2 not found", "sequence 99 not found"]),
    ] {
        let mut scene = Scene::new(|config| config.storage = storage);
        for subject in ["s.a", "s.b", "s.c"] {
            scene.ask(subject, &[], "");
        }
        scene.stream.delete_message(2, false, scene.now, 5).unwrap();
        assert_eq!(scene.stream.delete_message(2, false, scene.now, 6).unwrap_err().err_code, 10043, "on its way");
        scene.flush();
        assert_eq!(scene.stream.next_done(), Some(Done { ticket: 5, result: Ok(Changed::Deleted) }));
        assert_eq!(scene.kept(), ["1 s.a", "3 s.c"]);
        for (seq, words) in [0, 2, 99].into_iter().zip(words) {
            assert_eq!(scene.stream.delete_message(seq, false, scene.now, 6).unwrap_err().description, words);
        }
    }
    let mut scene = Scene::new(|config| (config.deny_delete, config.deny_purge) = (true, true));
    scene.ask("s.a", &[], "");
    assert_eq!(scene.stream.delete_message(1, true, scene.now, 6).unwrap_err().err_code, 10057);
    assert_eq!(scene.stream.purge(&PurgeBody::default(), scene.now, 6).unwrap_err().err_code, 10110);
}

#[test]
fn what_the_account_and_the_server_may_have() {
    // spec: JS-077 JS-143
    let mut scene = Scene::new(|_| {});
    scene.stream.set_room(Room { account: 80, ..Room::default() });
    assert_eq!(scene.ask("s.a", &[], "12345"), r#"{"stream":"S","seq":1}"#);
    assert_eq!(scene.ask("s.a", &[], "1234567890"), error(400, 10002, "resource limits exceeded for account"));
    assert_eq!(scene.ask("s.a", &[], "123456789"), r#"{"stream":"S","seq":2}"#);
    scene.stream.set_room(Room { server: 1, ..Room::default() });
    assert_eq!(scene.ask("s.a", &[], ""), r#"{"stream":"S","seq":3}"#);
    assert_eq!(scene.ask("s.a", &[], ""), error(503, 10023, "insufficient resources"));
}

#[test]
fn whoever_comes_while_too_much_waits_is_sent_away() {
    // spec: JS-078
    let options = Options { max_waiting: 100, ..Options::default() };
    let mut scene = Scene::with(options, |_| {}).slow();
    for reply in ["1", "2", "3", "4"] {
        scene.send_from(reply, "s.a", &[], &"x".repeat(60));
        scene.flush();
    }
    let refused = error(429, 10167, "too many requests");
    assert_eq!(scene.told(), [format!("4 NATS/1.0 429 Too Many Requests||{refused}")]);
    scene.sync();
    scene.flush();
    scene.send_from("5", "s.a", &[], "");
    scene.flush();
    scene.sync();
    assert_eq!(scene.told().len(), 4);
}

#[test]
fn a_stream_may_move_between_threads() {
    fn moves<T: Send>(_: &T) {}
    moves(&Scene::new(|_| {}).stream);
}
