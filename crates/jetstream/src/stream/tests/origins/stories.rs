//! One rule each.

use super::*;
use crate::config::{Discard, External, SourceConsumer, SubjectTransform};

const SOON: Duration = Duration::from_millis(200);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_mirror_has_what_its_origin_has() {
    // spec: JS-052 JS-113
    let mut world = World::mirror();
    for subject in ["o.a", "o.b", "o.c"] {
        world.origin.put(subject);
    }
    world.origin.messages.remove(&2);
    world.pass(SOON);
    world.settle();
    assert_eq!(world.kept(), ["1 o.a", "3 o.c"]);
    let (now, mut buffer) = (world.scene().now, Vec::new());
    let stored = world.stream().store().get(3, &mut buffer).unwrap().unwrap();
    assert_eq!(stored.time, WallTime::from_nanos(START + 3), "the origin's time");
    let mirror = world.stream().info(now).mirror.unwrap();
    assert_eq!((mirror.lag, mirror.active), (0, Some(Duration::ZERO)));
}

#[test]
fn what_is_asked_of_an_origin() {
    // spec: JS-053 JS-113
    let ask = |change: fn(&mut Source), is_mirror: bool| {
        let mut world = World::new(|config| {
            let mut source = Source { name: "O".into(), ..Source::default() };
            change(&mut source);
            if is_mirror {
                (config.subjects, config.mirror) = (vec![], Some(source));
            } else {
                config.sources = vec![source];
            }
        });
        world.pass(SOON);
        world.asked().concat()
    };
    let transform = |src: &str| SubjectTransform { src: src.into(), dest: "t".into() };
    let mirror = ask(|_| {}, true);
    let (subject, rest) = mirror.split_once(' ').unwrap();
    assert_eq!(subject, "$JS.API.CONSUMER.CREATE.O");
    assert!(rest.starts_with("NATS/1.0|Nats-Required-Api-Level: 4||{\"stream_name\":\"O\",\"config\":{"), "{rest}");
    for wanted in [
        r#""name":"JS_MIRROR_"#,
        r#""deliver_policy":"all""#,
        r#""deliver_subject":"$JS.M."#,
        r#""ack_policy":"none""#,
        r#""flow_control":true"#,
        r#""idle_heartbeat":1000000000"#,
        r#""direct":true,"sourcing":true"#,
        r#""inactive_threshold":10000000000"#,
        r#""metadata":{"_nats.mirror.acc":"A","_nats.mirror.stream":"S"}"#,
    ] {
        assert!(rest.contains(wanted), "{wanted} in {rest}");
    }
    let filtered = ask(|source| (source.filter_subject, source.opt_start_seq) = ("o.a".into(), 5), false);
    let (subject, rest) = filtered.split_once(' ').unwrap();
    assert!(subject.starts_with("$JS.API.CONSUMER.CREATE.O.JS_SRC_") && subject.ends_with(".o.a"), "{subject}");
    assert!(rest.contains("Level: 5|Nats-Stream-Identity: ||"), "{rest}");
    assert!(rest.contains(r#""deliver_policy":"by_start_sequence","opt_start_seq":5"#), "{rest}");
    assert!(rest.contains(r#""filter_subject":"o.a""#) && rest.contains(r#""deliver_subject":"$JS.S."#), "{rest}");
    let external =
        ask(|source| source.external = Some(External { api: "$JS.hub.API".into(), deliver: "d.e.".into() }), false);
    assert!(external.starts_with("$JS.hub.API.CONSUMER.CREATE.O "), "{external}");
    assert!(external.contains(r#""deliver_subject":"d.e.S."#), "{external}");
    let many = {
        let mut world = World::new(|config| {
            let transforms = vec![transform("a"), transform("b")];
            config.sources = vec![Source { name: "O".into(), subject_transforms: transforms, ..Source::default() }];
        });
        world.pass(SOON);
        world.asked().concat()
    };
    assert!(many.contains(r#""filter_subjects":["a","b"]"#), "{many}");
}

#[test]
fn a_source_says_where_its_messages_come_from() {
    // spec: JS-081 JS-053
    let mut world = World::new(|config| {
        let transform = SubjectTransform { src: "o.*".into(), dest: "t.{{wildcard(1)}}".into() };
        let source = Source { name: "O".into(), subject_transforms: vec![transform], ..Source::default() };
        config.sources = vec![source];
    });
    world.scene().ask("s.own", &[], "");
    world.origin.put("o.a");
    world.pass(SOON);
    world.settle();
    assert_eq!(world.kept(), ["1 s.own", "2 t.a"]);
    let wanted = "t.a NATS/1.0|Nats-Stream-Source: O 1 o.* t.{{wildcard(1)}} o.a identity||1";
    assert_eq!(world.scene().message(2), wanted);
}

#[test]
fn an_origin_is_told_what_stands_and_not_before() {
    // spec: JS-113 JS-104
    let mut world = World::source();
    world.scene = world.scene.take().map(Scene::slow);
    world.pass(SOON);
    world.send(None);
    world.origin.put("o.a");
    let (message, question) = (world.origin.deliver(), world.origin.question());
    world.send(message);
    world.send(question);
    world.scene().flush();
    assert_eq!(world.scene().told(), [""; 0], "nothing is durable yet");
    world.scene().sync();
    assert_eq!(world.scene().told(), ["fc1 NATS/1.0|Nats-Last-Consumer: 1|Nats-Last-Stream: 1||"]);
    let question = world.origin.question();
    world.send(question);
    assert_eq!(world.scene().told(), ["fc2 NATS/1.0|Nats-Last-Consumer: 1|Nats-Last-Stream: 1||"], "at once");
    let stalled = world.origin.heartbeat("\r\nNats-Consumer-Stalled: fc3");
    world.send(stalled);
    assert_eq!(world.scene().told().len(), 1, "a stalled consumer is answered, too");
}

#[test]
fn an_origin_that_is_not_there_is_asked_again_and_again() {
    // spec: JS-115
    let mut world = World::source();
    world.origin.refuses = Some("stream not found");
    let mut times = Vec::new();
    for second in 0..200 {
        world.pass(seconds(1));
        world.send(None);
        times.extend(world.asked().iter().map(|_| second));
    }
    let gaps: Vec<i32> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.len() >= 8 && gaps.windows(2).all(|pair| pair[0] <= pair[1] || pair[0] >= 32), "{gaps:?}");
    assert_eq!((gaps[0], gaps.iter().max()), (4, Some(&32)), "{gaps:?}");
    assert_eq!(world.error(), "stream not found (10059)");
    assert_eq!(world.warned, ["'O' cannot be copied: stream not found (10059); it is tried again"], "said once");
    world.origin.refuses = None;
    world.origin.put("o.a");
    world.live(seconds(40));
    assert_eq!((world.kept(), world.error()), (vec!["1 o.a".to_owned()], String::new()));
}

#[test]
fn a_request_that_nobody_hears_is_not_waited_for() {
    // spec: JS-115
    let mut world = World::mirror();
    world.is_cut_off = true;
    world.pass(SOON);
    assert_eq!(world.error(), "nobody serves requests for its messages here (10029)");
    assert!(world.listening.is_empty());
    world.is_cut_off = false;
    world.origin.put("o.a");
    world.live(seconds(6));
    assert_eq!((world.kept(), world.error()), (vec!["1 o.a".to_owned()], String::new()));
}

#[test]
fn older_servers_are_asked_for_less() {
    // spec: JS-113
    for (level, wanted) in [(5, 1), (4, 2), (3, 3)] {
        let mut world = World::source();
        world.origin.level = level;
        world.origin.put("o.a");
        world.pass(SOON);
        world.settle();
        assert_eq!(world.kept(), ["1 o.a"], "level {level}");
        let asked = world.asked();
        assert_eq!(asked.len(), wanted, "{asked:?}");
        assert_eq!(asked.last().unwrap().contains("\"sourcing\":true"), level >= 4, "{asked:?}");
    }
}

#[test]
fn what_is_missing_is_asked_for_again() {
    // spec: JS-113 JS-115
    let mut world = World::source();
    world.pass(SOON);
    world.send(None);
    for _ in 0..5 {
        world.origin.put("o");
    }
    let first = world.origin.deliver();
    let lost = world.origin.deliver();
    let third = world.origin.deliver();
    world.send(first.clone());
    world.send(first);
    world.send(third);
    drop(lost);
    world.asked();
    world.live(seconds(5));
    let asked = world.asked();
    assert!(asked.len() == 1 && asked[0].contains(r#""opt_start_seq":2"#), "{asked:?}");
    assert!(asked[0].contains("Nats-Stream-Identity: identity|"), "{asked:?}");
    assert_eq!(world.kept(), ["1 o", "2 o", "3 o", "4 o", "5 o"]);
    // The last one is missed by a heartbeat only.
    world.origin.put("o");
    world.origin.deliver();
    world.live(seconds(5));
    assert_eq!(world.kept().len(), 6);
}

#[test]
fn what_is_on_its_way_to_the_disk_is_not_asked_for_again() {
    // spec: JS-113 JS-115
    let mut world = World::source();
    world.pass(SOON);
    world.settle();
    world.scene = world.scene.take().map(Scene::slow);
    for _ in 0..3 {
        world.origin.put("o");
    }
    let (first, lost, third) = (world.origin.deliver(), world.origin.deliver(), world.origin.deliver());
    world.send(first);
    world.scene().flush();
    world.send(third);
    drop(lost);
    world.asked();
    // The disk takes its time.
    world.scene().wait(seconds(3));
    let Scene { stream, out, now, .. } = world.scene();
    stream.tick(*now, out);
    world.run_tasks();
    let asked = world.asked();
    assert!(asked.len() == 1 && asked[0].contains(r#""opt_start_seq":2"#), "{asked:?}");
    world.settle();
    world.live(seconds(1));
    assert_eq!(world.kept(), ["1 o", "2 o", "3 o"]);
}

#[test]
fn an_origin_that_falls_silent_is_asked_anew() {
    // spec: JS-115
    let mut world = World::mirror();
    world.live(seconds(1));
    assert_eq!(world.asked().len(), 1);
    world.pass(seconds(9));
    assert_eq!(world.asked().len(), 0);
    world.pass(seconds(3));
    assert_eq!(world.asked().len(), 1);
    world.pass(seconds(9));
    world.wire.clear();
    world.pass(seconds(3));
    assert_eq!(world.error(), "nobody has answered the request for its messages (10029)");
}

#[test]
fn positions_survive_whatever_happens_to_the_messages() {
    // spec: JS-114 JS-115
    let mut world = World::source();
    world.pass(SOON);
    world.settle();
    world.scene().ask("s.a", &[("Nats-Msg-Id", "id")], "");
    // A message that was there already is not kept, and yet it has come.
    world.origin.put("o");
    let mut duplicate = world.origin.deliver().unwrap();
    duplicate.headers = block(&[("Nats-Msg-Id", "id")]);
    world.send(Some(duplicate));
    world.write();
    assert_eq!(world.kept(), ["1 s.a"]);
    world.crash();
    world.asked();
    world.pass(SOON);
    assert!(world.asked().concat().contains(r#""opt_start_seq":2"#));
    world.send(None);
    // One that was purged has come, too.
    world.origin.put("o");
    world.settle();
    let now = world.scene().now;
    world.stream().purge(&PurgeBody::default(), now, 7).unwrap();
    world.write();
    world.stream().checkpoint().unwrap();
    world.crash();
    world.asked();
    world.pass(SOON);
    assert!(world.asked().concat().contains(r#""opt_start_seq":3"#));
}

#[test]
fn an_origin_that_was_created_anew_is_copied_from_its_beginning() {
    // spec: JS-115 NEW-036
    let mut world = World::source();
    world.origin.put("o.old");
    world.origin.put("o.old");
    world.live(seconds(1));
    world.origin = Origin { identity: "anew".into(), ..Origin::new() };
    world.origin.put("o.new");
    world.pass(seconds(15));
    world.settle();
    assert_eq!(world.kept(), ["1 o.old", "2 o.old", "3 o.new"]);
    assert!(world.scene().message(3).contains("O 1 > > o.new anew"));
    world.origin.put("o.new");
    world.crash();
    world.live(seconds(1));
    assert_eq!(world.kept(), ["1 o.old", "2 o.old", "3 o.new", "4 o.new"]);
}

#[test]
fn what_cannot_be_kept_now_comes_again() {
    // spec: JS-115
    let mut world = World::new(|config| {
        config.sources = vec![Source { name: "O".into(), ..Source::default() }];
        (config.discard, config.max_msgs) = (Discard::New, 2);
    });
    for _ in 0..3 {
        world.origin.put("o");
    }
    world.live(seconds(1));
    assert_eq!(world.kept(), ["1 o", "2 o"]);
    assert_eq!(world.error(), "maximum messages exceeded (10077)");
    let now = world.scene().now;
    world.stream().delete_message(1, true, now, 7).unwrap();
    world.write();
    world.live(seconds(5));
    assert_eq!(world.kept(), ["2 o", "3 o"]);
    assert_eq!(world.error(), "");
    // A disk that is full is no different.
    world.origin.put("o");
    world.stream().delete_message(2, true, now, 8).unwrap();
    world.write();
    world.scene().disk.lock().unwrap().is_full = true;
    world.live(seconds(3));
    assert_eq!(world.kept(), ["3 o"]);
    world.scene().disk.lock().unwrap().is_full = false;
    world.live(seconds(3));
    assert_eq!(world.kept(), ["3 o", "4 o"]);
}

#[test]
fn a_durable_consumer_is_set_back_and_has_to_acknowledge() {
    // spec: JS-054 JS-113
    let mut world = World::new(|config| {
        let consumer = Some(SourceConsumer { name: "c".into(), deliver_subject: "durable".into() });
        config.sources = vec![Source { name: "O".into(), consumer, ..Source::default() }];
    });
    world.origin.put("o");
    world.pass(SOON);
    world.settle();
    assert_eq!(
        world.asked(),
        ["$JS.API.CONSUMER.RESET.O.c NATS/1.0|Nats-Required-Api-Level: 5|Nats-Stream-Identity: ||"]
    );
    assert_eq!(world.kept(), ["1 o"]);
    assert!(world.scene().message(1).contains("Nats-Stream-Source: O:C="));
    assert!(world.listening.contains_key("durable"));
    let (mut out, now) = (Told::default(), world.scene().now);
    world.stream().leave_origins(&mut out);
    world.run_tasks();
    assert_eq!(world.asked(), [""; 0], "somebody else's consumer stays");
    assert_eq!(world.stream().info(now).sources, []);
}

#[test]
fn answers_that_do_not_arrive_are_told_of() {
    // spec: JS-369 NEW-048
    let mut world = World::source();
    world.live(seconds(1));
    for _ in 0..5 {
        let stalled = world.origin.heartbeat("\r\nNats-Consumer-Stalled: fc1");
        world.send(stalled);
    }
    assert_eq!(world.error(), "stream source consumer stalled on flow control (10228)");
    world.origin.put("o");
    world.settle();
    assert_eq!(world.error(), "");
}

#[test]
fn a_mirror_that_is_given_up_goes_on_by_itself() {
    // spec: JS-052 NEW-005 JS-082
    let mut world = World::new(|config| {
        (config.subjects, config.mirror_direct) = (vec![], true);
        config.mirror = Some(Source { name: "O".into(), ..Source::default() });
    });
    world.origin.put("s.a");
    world.live(seconds(1));
    assert_eq!(world.answered_for, ["+O"]);
    let config = StreamConfig { mirror: None, subjects: vec!["s.>".into()], ..world.stream().config().clone() };
    let now = world.scene().now;
    world.stream().update(config, now, 9);
    world.asked();
    world.write();
    assert_eq!(world.answered_for, ["+O", "-O"]);
    assert_eq!(world.asked(), ["$JS.API.CONSUMER.DELETE.O.c1 "]);
    assert!(world.listening.is_empty());
    assert_eq!(world.scene().ask("s.b", &[], ""), r#"{"stream":"S","seq":2}"#);
    assert_eq!(world.stream().info(now).mirror, None);
}
