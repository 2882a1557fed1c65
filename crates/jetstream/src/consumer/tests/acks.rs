//! Acknowledgements and deliveries again.

use super::*;
use crate::config::Retention;

fn fetched(config: ConsumerConfig, count: usize) -> World {
    let messages: Vec<String> = (1..=count).map(|n| format!("m{n}")).collect();
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    let mut world = World::with(config, &messages);
    world.fetch(&count.to_string());
    world
}

// spec: JS-101
#[test]
fn the_floor_follows_what_is_acknowledged_without_a_gap() {
    let mut world = fetched(pull(), 4);
    world.ack("1.2.2", "", "");
    assert_eq!(world.numbers(), "4/4 0/0 3 0 0");
    world.ack("1.1.1", "", "+ACK");
    assert_eq!(world.numbers(), "4/4 2/2 2 0 0");
    world.ack("1.4.4", "", "+OK");
    world.ack("1.3.3", "", "");
    assert_eq!(world.numbers(), "4/4 4/4 0 0 0");
}

// spec: JS-101
#[test]
fn answers_to_acknowledgements_wait_for_the_disk() {
    let mut world = fetched(pull(), 3);
    let outcome = world.ack("1.1.1", "inb", "");
    assert_eq!(outcome.confirm.as_slice(), [Box::from(&b"inb"[..])]);
    assert!(outcome.must_be_durable() && outcome.settled.is_empty());
    // Once more, in case the first answer was lost; and a termination.
    assert!(world.ack("1.1.1", "inb", "").must_be_durable());
    assert!(world.ack("1.2.2", "inb", "+TERM").must_be_durable());
    assert_eq!(world.lines(), [""; 0]);
    // Others change nothing that must survive.
    for payload in ["-NAK", "+WPI", "-NAK 1s", "what?"] {
        assert!(!world.ack("1.3.3", "inb", payload).must_be_durable());
        assert_eq!(world.lines(), ["inb"], "{payload}");
    }
}

// spec: JS-101
#[test]
fn what_was_never_delivered_is_not_acknowledged() {
    let mut world = fetched(pull(), 2);
    world.publish("s.x", "m3");
    let outcome = world.ack("1.3.3", "inb", "");
    assert!(!outcome.must_be_durable());
    assert_eq!(world.numbers(), "2/2 0/0 2 0 1");
    world.ack("1.3.3", "inb", "-NAK");
    world.ack("1.0.3", "inb", "-NAK");
    assert_eq!(world.lines(), ["inb"]);
    assert!(world.ack("1.0.3", "inb", "").must_be_durable());
    assert_eq!(deliveries(&world.fetch("5")), ["1.3.3 0 m3"]);
}

// spec: JS-101 JS-102 JS-139 JS-141
#[test]
fn what_is_refused_is_delivered_again() {
    let mut world = fetched(pull(), 3);
    world.listen_to_events();
    assert!(world.ack("1.2.2", "", "-NAK").more);
    let lines = world.lines();
    let (subject, json) = lines[0].split_once(' ').unwrap();
    assert_eq!(subject, "$JS.EVENT.ADVISORY.CONSUMER.MSG_NAKED.S.c");
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["id"].as_str().unwrap().len(), 22);
    let expected = r#"{"type":"io.nats.jetstream.advisory.v1.nak","id":ID,"timestamp":"1970-01-01T00:16:40Z","stream":"S","consumer":"c","consumer_seq":2,"stream_seq":2,"deliveries":1}"#;
    assert_eq!(lines[0][subject.len() + 1..], expected.replace("ID", &json["id"].to_string()));
    world.publish("s.x", "m4");
    assert_eq!(deliveries(&world.fetch("2")), ["2.2.4 1 m2", "1.4.5 0 m4"]);
    assert_eq!(world.numbers(), "5/4 0/0 4 1 0");
}

// spec: JS-101 JS-102
#[test]
fn what_is_refused_may_have_to_wait() {
    let mut world = fetched(pull(), 1);
    assert!(!world.ack("1.1.1", "", "-NAK {\"delay\": 500000000}").more);
    world.pull("inb", "1");
    world.pass(ms(499));
    assert_eq!(world.lines(), [""; 0]);
    world.pass(ms(1));
    assert_eq!(deliveries(&world.lines()), ["2.1.2 0 m1"]);
}

// spec: JS-101 JS-102
#[test]
fn waits_end_in_order_and_can_be_made_longer() {
    let mut world = fetched(ConsumerConfig { ack_wait: Duration::from_secs(1), ..pull() }, 3);
    world.pull("inb", "9");
    world.sleep(ms(600));
    world.ack("1.2.2", "", "+WPI");
    world.pass(ms(400));
    assert_eq!(deliveries(&world.lines()), ["2.1.4 0 m1", "2.3.5 0 m3"]);
    world.pass(ms(600));
    assert_eq!(deliveries(&world.lines()), ["2.2.6 0 m2"]);
    world.pass(ms(400));
    assert_eq!(deliveries(&world.lines()), ["3.1.7 0 m1", "3.3.8 0 m3"]);
}

// spec: JS-088 JS-102
#[test]
fn waits_become_longer_by_the_schedule() {
    let backoff = vec![ms(100), ms(300)];
    let mut world = fetched(ConsumerConfig { backoff, ack_wait: ms(100), ..pull() }, 1);
    world.pull("inb", "9");
    for (wait, delivery) in [(100, "2.1.2"), (300, "3.1.3"), (300, "4.1.4")] {
        world.pass(ms(wait - 1));
        assert_eq!(world.lines(), [""; 0]);
        world.pass(ms(1));
        assert_eq!(deliveries(&world.lines()), [format!("{delivery} 0 m1")]);
    }
}

// spec: JS-103
#[test]
fn what_was_delivered_often_enough_is_given_up() {
    let mut world = fetched(ConsumerConfig { max_deliver: 2, ack_wait: ms(100), ..pull() }, 2);
    world.stream.retention = Retention::WorkQueue;
    world.listen_to_events();
    world.pull("inb", "9");
    world.pass(ms(100));
    assert_eq!(deliveries(&world.lines()), ["2.1.3 0 m1", "2.2.4 0 m2"]);
    world.ack("2.2.4", "", "");
    world.lines();
    world.pass(ms(200));
    let lines = world.lines();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.S.c {"), "{lines:?}");
    assert!(lines[0].ends_with(r#","stream":"S","consumer":"c","stream_seq":1,"deliveries":2}"#), "{lines:?}");
    assert_eq!(world.numbers(), "4/2 0/0 0 1 0");
    assert!(world.act(|consumer, _| consumer.needs(1, b"s.x")));
    assert!(!world.act(|consumer, _| consumer.needs(2, b"s.x")));
    // A late acknowledgement is good.
    world.ack("2.1.3", "", "");
    assert_eq!(world.numbers(), "4/2 0/0 0 0 0");
    assert!(!world.act(|consumer, _| consumer.needs(1, b"s.x")));
}

// spec: JS-103
#[test]
fn what_may_be_delivered_once_is_given_up_without_a_request() {
    let mut world = fetched(ConsumerConfig { max_deliver: 1, ack_wait: ms(100), ..pull() }, 1);
    world.listen_to_events();
    world.pass(ms(100));
    assert_eq!(world.lines().len(), 1);
    assert_eq!(world.numbers(), "1/1 0/0 0 0 0");
}

// spec: JS-101 JS-139
#[test]
fn what_is_terminated_is_done() {
    let mut world = fetched(pull(), 1);
    world.listen_to_events();
    world.ack("1.1.1", "", "+TERM bad \"<thing>\"");
    let lines = world.lines();
    assert!(lines[0].starts_with("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.S.c {"));
    assert!(lines[0].contains(r#""type":"io.nats.jetstream.advisory.v1.terminated","#));
    let end = r#","consumer_seq":1,"stream_seq":1,"deliveries":1,"reason":"bad \"\u003cthing\u003e\""}"#;
    assert!(lines[0].ends_with(end), "{lines:?}");
    assert_eq!(world.numbers(), "1/1 1/1 0 0 0");
}

// spec: JS-101
#[test]
fn an_acknowledgement_may_ask_for_more() {
    let mut world = fetched(pull(), 1);
    world.publish("s.x", "m2");
    world.publish("s.x", "m3");
    assert!(world.ack("1.1.1", "inb", "+NXT 2").more);
    world.deliver();
    assert_eq!(deliveries(&world.lines()), ["1.2.2 1 m2", "1.3.3 0 m3"]);
    world.ack("1.2.2", "inb", "+NXT {\"batch\":1,\"no_wait\":true}");
    assert_eq!(world.lines(), ["inb NATS/1.0 404 No Messages||"]);
    assert_eq!(world.numbers(), "3/3 2/2 1 0 0");
}

// spec: JS-102
#[test]
fn one_acknowledgement_may_be_for_all_before() {
    let mut world = World::new();
    world.stream.retention = Retention::WorkQueue;
    for _ in 0..5 {
        world.publish("s.x", "m");
    }
    world.start(ConsumerConfig { ack_policy: AckPolicy::All, ..pull() });
    world.fetch("5");
    assert_eq!(world.ack("1.3.3", "inb", "").settled.as_slice(), [1, 2, 3]);
    assert_eq!(world.numbers(), "5/5 3/3 2 0 0");
    let again = world.ack("1.2.2", "inb", "");
    assert!(again.settled.is_empty() && again.confirm.len() == 1);
    assert_eq!(world.ack("1.5.5", "", "").settled.as_slice(), [4, 5]);
    assert_eq!(world.numbers(), "5/5 5/5 0 0 0");
}

// spec: JS-102
#[test]
fn an_acknowledgement_for_all_before_counts_whichever_delivery_it_names() {
    let mut world = fetched(ConsumerConfig { ack_policy: AckPolicy::All, ..pull() }, 3);
    world.ack("1.1.1", "", "-NAK");
    world.fetch("1");
    world.ack("2.1.4", "", "");
    assert_eq!(world.numbers(), "4/3 4/1 2 0 0");
    world.ack("1.3.3", "", "");
    assert_eq!(world.numbers(), "4/3 4/3 0 0 0");
}

// spec: JS-102
#[test]
fn without_acknowledgements_a_delivery_is_enough() {
    let mut world = World::new();
    world.stream.retention = Retention::WorkQueue;
    world.publish("s.x", "m");
    world.publish("s.x", "m");
    world.start(ConsumerConfig { ack_policy: AckPolicy::None, ..pull() });
    world.pull("inb", "5");
    assert_eq!(world.deliver().settled.as_slice(), [1, 2]);
    assert_eq!(world.numbers(), "2/2 2/2 0 0 0");
}

// spec: JS-101 JS-102
#[test]
fn a_work_queue_is_told_what_is_done() {
    let mut world = World::new();
    world.stream.retention = Retention::WorkQueue;
    world.publish("s.x", "m");
    world.publish("s.x", "m");
    world.start(pull());
    world.fetch("5");
    assert_eq!(world.ack("1.2.2", "", "").settled.as_slice(), [2]);
    assert_eq!(world.ack("1.2.2", "", "").settled.as_slice(), [0; 0]);
    assert_eq!(world.ack("1.1.1", "", "+TERM").settled.as_slice(), [1]);
}

// spec: JS-087
#[test]
fn so_many_may_wait_for_acknowledgement() {
    let mut world = World::with(ConsumerConfig { max_ack_pending: 2, ..pull() }, &["m1", "m2", "m3"]);
    assert_eq!(world.fetch("{\"batch\":9,\"no_wait\":true}").len(), 2);
    assert_eq!(world.info().num_waiting, 1);
    assert!(world.ack("1.1.1", "", "").more);
    world.deliver();
    assert_eq!(deliveries(&world.lines()), ["1.3.3 0 m3"]);
}

// spec: JS-106 JS-140
#[test]
fn acknowledgements_are_measured() {
    let mut world = fetched(ConsumerConfig { sample_freq: "100%".into(), ..pull() }, 1);
    world.listen_to_events();
    world.sleep(ms(704));
    world.ack("1.1.1", "", "");
    let lines = world.lines();
    assert!(lines[0].starts_with("$JS.EVENT.METRIC.CONSUMER.ACK.S.c {"));
    assert!(lines[0].contains(r#""type":"io.nats.jetstream.metric.v1.consumer_ack","#));
    let end = r#","consumer_seq":1,"stream_seq":1,"ack_time":704000000,"deliveries":1}"#;
    assert!(lines[0].ends_with(end), "{lines:?}");
}

// spec: JS-102 JS-139
#[test]
fn what_goes_from_the_stream_no_longer_waits() {
    let mut world = fetched(pull(), 3);
    world.listen_to_events();
    world.publish("s.x", "m4");
    world.ack("1.1.1", "", "-NAK");
    world.lines();
    world.remove(1, Removal::Removed);
    world.remove(2, Removal::Limit);
    world.remove(4, Removal::Limit);
    assert_eq!(world.numbers(), "3/3 2/2 1 0 0");
    let lines = world.lines();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].ends_with(r#""stream_seq":1,"deliveries":1,"reason":"Unacknowledged message was deleted"}"#));
    world.remove(3, Removal::Purged);
    world.act(|consumer, _| consumer.purged(5));
    assert_eq!(world.numbers(), "3/4 3/4 0 0 0");
    assert_eq!(world.lines(), [""; 0]);
}

// spec: JS-021 JS-097
#[test]
fn a_purge_counts_what_was_passed_as_delivered_and_what_is_gone_as_done() {
    let mut world = World::with(ConsumerConfig { filter_subjects: vec!["s.b".into()], ..pull() }, &[]);
    for subject in ["s.a", "s.a", "s.b", "s.a"] {
        world.publish(subject, "m");
    }
    world.fetch(r#"{"batch":2,"expires":1000000000}"#);
    assert_eq!(world.numbers(), "1/3 0/0 1 0 0");
    world.act(|consumer, _| consumer.purged(2));
    assert_eq!(world.numbers(), "1/4 0/1 1 0 0");
}
