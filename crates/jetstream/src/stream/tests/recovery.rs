//! The power goes and comes back.

use super::*;

#[test]
fn what_was_answered_is_there_again_and_what_was_not_may_be_gone() {
    let mut scene = Scene::new(|config| config.max_msgs = 3);
    scene.ask("s.a", &[("Nats-Msg-Id", "a")], "");
    let mut scene = scene.slow();
    scene.ask("s.b", &[("Nats-Msg-Id", "b")], "");
    scene.send("s.c", &[("Nats-Msg-Id", "c")], "");
    scene.flush();
    let mut scene = scene.crash();
    assert_eq!(scene.kept(), ["1 s.a", "2 s.b"]);
    assert_eq!(scene.stream.config().max_msgs, 3);
    assert_eq!(scene.stream.created(), WallTime::from_nanos(START));
    assert_eq!(scene.ask("s.b", &[("Nats-Msg-Id", "b")], ""), r#"{"stream":"S","seq":2,"duplicate": true}"#);
    let headers = [("Nats-Msg-Id", "c"), ("Nats-Expected-Last-Msg-Id", "b")];
    assert_eq!(scene.ask("s.c", &headers, ""), r#"{"stream":"S","seq":3}"#);
}

#[test]
fn a_stream_may_begin_anywhere() {
    let mut scene = Scene::new(|config| config.first_seq = 10);
    assert_eq!(scene.ask("s.a", &[], ""), r#"{"stream":"S","seq":10}"#);
    let mut scene = scene.crash();
    assert_eq!(scene.ask("s.a", &[], ""), r#"{"stream":"S","seq":11}"#);
}

#[test]
fn an_update_counts_from_when_it_stands() {
    let mut scene = Scene::new(|_| {});
    for subject in ["s.a", "s.b", "s.c"] {
        scene.ask(subject, &[], "");
    }
    let mut config = scene.stream.config().clone();
    config.max_msgs = 1;
    let mut scene = scene.slow();
    scene.stream.update(config, scene.now, 9);
    scene.flush();
    assert_eq!(scene.stream.config().max_msgs, -1);
    scene.sync();
    assert_eq!((scene.stream.config().max_msgs, scene.kept().len()), (1, 1));
    assert_eq!(scene.crash().stream.config().max_msgs, 1);
}

#[test]
fn a_checkpoint_holds_what_the_log_need_not_say_again() {
    let mut scene = Scene::new(|config| (config.allow_msg_schedules, config.allow_rollup_hdrs) = (true, true));
    scene.ask("s.a", &[("Nats-Msg-Id", "a")], "");
    scene.ask("s.in", &[("Nats-Schedule", "@every 5s"), ("Nats-Schedule-Target", "s.out")], "");
    let state = scene.stream.state_to_keep();
    let mut again = Live::recovery(scene.now);
    martlet_store::Observer::restored(&mut again, &state);
    assert_eq!(super::note::save(&again, (2, b"")), state);
    assert_eq!((again.find_id(b"a"), again.config.allow_msg_schedules), (Some(1), true));
    for len in 0..state.len() {
        let mut torn = Live::recovery(scene.now);
        martlet_store::Observer::restored(&mut torn, &state[..len]);
        assert!(torn.end_recovery(scene.now).is_err(), "cut at {len}");
    }
}

#[test]
fn a_checkpoint_says_nothing_of_what_is_on_its_way() {
    // spec: JS-065
    let mut scene = Scene::new(|_| {});
    scene.ask("s.a", &[("Nats-Msg-Id", "a")], "");
    let mut scene = scene.slow();
    scene.send("s.b", &[("Nats-Msg-Id", "b")], "");
    for _ in 0..2 {
        let mut again = Live::recovery(scene.now);
        martlet_store::Observer::restored(&mut again, &scene.stream.state_to_keep());
        assert_eq!((again.find_id(b"a"), again.find_id(b"b"), &*again.last_id), (Some(1), None, &b"a"[..]));
        scene.flush();
    }
    scene.sync();
    let mut again = Live::recovery(scene.now);
    martlet_store::Observer::restored(&mut again, &scene.stream.state_to_keep());
    assert_eq!((again.find_id(b"b"), &*again.last_id), (Some(2), &b"b"[..]));
}

#[test]
fn a_log_that_says_nothing_is_no_stream() {
    let now = Now::default();
    let store = || Box::new(Naive::new(Shared::default()));
    let out = &mut Told::default();
    let made = Stream::recover(Recovery::recovery(now), store(), Options::default(), now, out);
    assert_eq!(made.err(), Some(NoteError::Nothing));
    let mut newer = Recovery::recovery(now);
    martlet_store::Observer::noted(&mut newer, 1, &[9, 0, 0]);
    assert_eq!(
        Stream::recover(newer, store(), Options::default(), now, out).err(),
        Some(NoteError::Version { kind: 1, version: 9 })
    );
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(kind in 0_u8..8, bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        let mut live = Recovery::recovery(Now::default());
        martlet_store::Observer::noted(&mut live, kind, &bytes);
        martlet_store::Observer::restored(&mut live, &bytes);
    }
}
