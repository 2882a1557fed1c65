//! What is read.

use super::*;
use crate::api::body::StreamInfoBody;
use crate::api::json::Int;

fn filled() -> Scene {
    let mut scene = Scene::new(|_| {});
    for (subject, headers, payload) in
        [("s.a", &[][..], "m1"), ("s.a", &[("A", "1")][..], "m2"), ("s.b", &[], "m3"), ("s.c", &[], "m4")]
    {
        scene.ask(subject, headers, payload);
        scene.wait(Duration::from_secs(1));
    }
    scene
}

fn time(seconds: u64) -> WallTime {
    WallTime::from_nanos(START + seconds * 1_000_000_000)
}

fn answers(scene: &mut Scene, request: &MsgGetBody) -> Vec<String> {
    scene.stream.direct_get(request, b"r", &mut scene.out);
    scene.told().into_iter().map(|line| line[2..].to_owned()).collect()
}

#[test]
fn one_message() {
    // spec: JS-083 JS-084 JS-622 JS-623 JS-625 JS-629 JS-630 JS-631
    let mut scene = filled();
    let first = "NATS/1.0|Nats-Stream: S|Nats-Subject: s.a|Nats-Sequence: 1|Nats-Time-Stamp: 2026-11-29T00:00:00Z||m1";
    let last = "NATS/1.0|Nats-Stream: S|Nats-Subject: s.c|Nats-Sequence: 4|Nats-Time-Stamp: 2026-11-29T00:00:03Z||m4";
    let with_headers =
        "NATS/1.0|A: 1|Nats-Stream: S|Nats-Subject: s.a|Nats-Sequence: 2|Nats-Time-Stamp: 2026-11-29T00:00:01Z||m2";
    let missing = "NATS/1.0 404 Message Not Found||";
    let bad = "NATS/1.0 408 Bad Request||";
    let nothing = MsgGetBody::default;
    for (request, expected) in [
        (nothing(), "NATS/1.0 408 Empty Request||"),
        (MsgGetBody { batch: Int(3), ..nothing() }, "NATS/1.0 408 Empty Request||"),
        (MsgGetBody { seq: 1, ..nothing() }, first),
        (MsgGetBody { seq: 1, no_hdr: true, ..nothing() }, "m1"),
        (MsgGetBody { seq: 9, ..nothing() }, missing),
        (MsgGetBody { last_by_subj: "s.a".into(), ..nothing() }, with_headers),
        (MsgGetBody { last_by_subj: "s.>".into(), ..nothing() }, last),
        (MsgGetBody { last_by_subj: "s.x".into(), ..nothing() }, missing),
        (MsgGetBody { next_by_subj: "s.*".into(), ..nothing() }, first),
        (MsgGetBody { next_by_subj: "s.a".into(), seq: 2, ..nothing() }, with_headers),
        (MsgGetBody { next_by_subj: "s.a".into(), seq: 3, ..nothing() }, missing),
        (MsgGetBody { start_time: Some(time(3)), ..nothing() }, last),
        (MsgGetBody { seq: 1, last_by_subj: "s.a".into(), ..nothing() }, bad),
        (MsgGetBody { seq: 1, start_time: Some(time(1)), ..nothing() }, bad),
        (MsgGetBody { last_by_subj: "s.a".into(), batch: Int(1), ..nothing() }, bad),
        (MsgGetBody { multi_last: vec!["s.a".into()], up_to_seq: 1, up_to_time: Some(time(1)), ..nothing() }, bad),
    ] {
        assert_eq!(answers(&mut scene, &request), [expected], "{request:?}");
    }
}

#[test]
fn the_last_of_a_subject() {
    // spec: JS-083 JS-630
    let mut scene = filled();
    let last = |subject: &str, no_hdr| MsgGetBody { last_by_subj: subject.into(), no_hdr, ..MsgGetBody::default() };
    assert_eq!(answers(&mut scene, &last("s.x", false)), ["NATS/1.0 404 Message Not Found||"]);
    scene.stream.direct_get(&last("s.b", true), b"r", &mut scene.out);
    assert_eq!(scene.told(), ["r m3"]);
}

#[test]
fn many_messages() {
    // spec: JS-084 JS-626
    let mut scene = filled();
    let short = |lines: Vec<String>| -> Vec<String> {
        lines.into_iter().map(|line| line.split("Nats-Num-Pending").skip(1).collect()).collect()
    };
    let batch =
        |batch, max_bytes| MsgGetBody { seq: 1, batch: Int(batch), max_bytes: Int(max_bytes), ..MsgGetBody::default() };
    assert_eq!(
        short(answers(&mut scene, &batch(2, 0))),
        [": 3|Nats-Last-Sequence: 0||m1", ": 2|Nats-Last-Sequence: 1||m2", ": 2|Nats-Last-Sequence: 2||",]
    );
    assert_eq!(short(answers(&mut scene, &batch(9, 0))).last().unwrap(), ": 0|Nats-Last-Sequence: 4||");
    assert_eq!(answers(&mut scene, &batch(9, 1)).len(), 2);
    let none = MsgGetBody { next_by_subj: "s.x".into(), batch: Int(2), ..MsgGetBody::default() };
    assert_eq!(answers(&mut scene, &none), ["NATS/1.0 404 Message Not Found||"]);
}

#[test]
fn the_last_of_many_subjects() {
    // spec: JS-084 JS-085 JS-627 JS-628
    let mut scene = filled();
    let of = |subjects: &[&str]| MsgGetBody {
        multi_last: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
        ..MsgGetBody::default()
    };
    let all = answers(&mut scene, &of(&["s.a", "s.*"]));
    assert!(all[0].ends_with("Nats-Num-Pending: 2|Nats-Last-Sequence: 0||m2"), "{all:?}");
    assert!(all[2].ends_with("Nats-Num-Pending: 0|Nats-Last-Sequence: 3||m4"), "{all:?}");
    assert_eq!(all[3], "NATS/1.0 204 EOB|Nats-Num-Pending: 0|Nats-Last-Sequence: 4|Nats-UpTo-Sequence: 4||");
    let early = answers(&mut scene, &MsgGetBody { up_to_seq: 1, ..of(&["s.a"]) });
    assert!(early[0].ends_with("m1") && early[1].ends_with("Nats-UpTo-Sequence: 1||"), "{early:?}");
    let by_time = answers(&mut scene, &MsgGetBody { up_to_time: Some(time(1)), ..of(&["s.a"]) });
    assert!(by_time[0].ends_with("m1"), "{by_time:?}");
    for none in [of(&["s.x"]), MsgGetBody { up_to_time: Some(time(0)), ..of(&["s.a"]) }] {
        assert_eq!(answers(&mut scene, &none), ["NATS/1.0 404 No Results||"]);
    }
    for subject in 0..1100 {
        scene.send_from("", &format!("s.many.{subject}"), &[], "");
    }
    scene.flush();
    assert_eq!(answers(&mut scene, &of(&["s.many.*"])), ["NATS/1.0 413 Too Many Results||"]);
}

#[test]
fn one_message_for_the_api() {
    // spec: JS-023 JS-538 JS-539 JS-540
    let scene = filled();
    let get = |wanted: MsgGetBody| {
        scene.stream.message(&wanted, &mut Vec::new()).map(|message| message.seq).map_err(|error| error.err_code)
    };
    let nothing = MsgGetBody::default;
    for (wanted, expected) in [
        (nothing(), Err(10003)),
        (MsgGetBody { seq: 2, ..nothing() }, Ok(2)),
        (MsgGetBody { seq: 99, ..nothing() }, Err(10037)),
        (MsgGetBody { last_by_subj: "s.a".into(), ..nothing() }, Ok(2)),
        (MsgGetBody { last_by_subj: "s.x".into(), ..nothing() }, Err(10037)),
        (MsgGetBody { next_by_subj: "s.*".into(), seq: 3, ..nothing() }, Ok(3)),
        (MsgGetBody { next_by_subj: "s.a".into(), start_time: Some(time(1)), ..nothing() }, Ok(2)),
        (MsgGetBody { start_time: Some(time(2)), ..nothing() }, Ok(3)),
        (MsgGetBody { seq: 1, start_time: Some(time(2)), ..nothing() }, Err(10003)),
        (MsgGetBody { seq: 1, last_by_subj: "s.a".into(), ..nothing() }, Err(10003)),
        (MsgGetBody { next_by_subj: "s.a".into(), last_by_subj: "s.a".into(), ..nothing() }, Err(10003)),
    ] {
        assert_eq!(get(wanted.clone()), expected, "{wanted:?}");
    }
}

#[test]
fn what_a_stream_says_of_itself() {
    // spec: JS-008 JS-020 JS-059
    let mut scene = filled();
    scene.stream.delete_message(2, true, scene.now, NOBODY).unwrap();
    scene.flush();
    let info = scene.stream.info(scene.now);
    assert_eq!((info.created, info.now), (WallTime::from_nanos(START), scene.now.wall));
    let state = &info.state;
    assert_eq!((state.messages, state.first_seq, state.last_seq, state.num_subjects), (3, 1, 4, 3));
    assert_eq!((state.num_deleted, state.deleted.len(), state.subjects.len(), &state.lost), (1, 0, 0, &None));
    let body = StreamInfoBody { deleted_details: true, subjects_filter: "s.*".into(), offset: Int(1) };
    let (info, page) = scene.stream.info_with(&body, scene.now);
    assert_eq!(info.state.deleted, [2]);
    assert_eq!(info.state.subjects.into_iter().collect::<Vec<_>>(), [("s.b".into(), 1), ("s.c".into(), 1)]);
    assert_eq!(page, crate::api::answer::Page::of(3, 1, 100_000).0);
}

#[test]
fn a_question_waits_for_what_came_before_it() {
    // spec: JS-020 JS-023
    let mut scene = Scene::new(|_| {}).slow();
    assert!(!scene.stream.when_settled(7), "there is nothing to wait for");
    scene.send("s.a", &[], "one");
    assert!(scene.stream.when_settled(7));
    scene.flush();
    assert_eq!((scene.stream.next_done(), scene.stream.state().messages), (None, 0));
    scene.send("s.a", &[], "two");
    assert!(scene.stream.when_settled(8));
    scene.sync();
    let settled = |ticket| Some(Done { ticket, result: Ok(Changed::Settled) });
    assert_eq!((scene.stream.next_done(), scene.stream.state().messages), (settled(7), 1));
    scene.flush();
    scene.sync();
    assert_eq!((scene.stream.next_done(), scene.stream.state().messages), (settled(8), 2));
    // If nothing of it will ever stand, that is an answer, too.
    scene.send("s.a", &[], "three");
    assert!(scene.stream.when_settled(9));
    scene.flush();
    scene.fail_sync();
    assert!(scene.stream.next_done().is_some_and(|done| done.ticket == 9 && done.result.is_err()));
}
