//! Groups of pull requests.

use super::*;
use crate::config::PriorityPolicy;

fn grouped(policy: PriorityPolicy) -> ConsumerConfig {
    ConsumerConfig {
        priority_groups: vec!["g".into()],
        priority_policy: policy,
        priority_timeout: Duration::from_secs(1),
        ..pull()
    }
}

// spec: JS-109 JS-608 JS-609 JS-610 JS-611 JS-612
#[test]
fn what_does_not_fit_the_policy_is_refused() {
    for (policy, body, error) in [
        (PriorityPolicy::None, r#"{"group":"g","min_pending":1}"#, "Not a Overflow Priority consumer"),
        (PriorityPolicy::PinnedClient, r#"{"group":"g","min_ack_pending":1}"#, "Not a Overflow Priority consumer"),
        (PriorityPolicy::Overflow, r#"{"group":"g","id":"x"}"#, "Not a Pinned Client Priority consumer"),
        (PriorityPolicy::PinnedClient, r#"{"group":"g","priority":10}"#, "Priority must be between 0 and 9"),
        (PriorityPolicy::Prioritized, r#"{"group":"g","priority":-1}"#, "Priority must be between 0 and 9"),
        (PriorityPolicy::PinnedClient, "{}", "Priority Group missing"),
        (PriorityPolicy::Overflow, r#"{"group":"h"}"#, "Invalid Priority Group"),
    ] {
        let mut world = World::with(grouped(policy), &[]);
        assert_eq!(world.fetch(body), [format!("inb NATS/1.0 400 Bad Request - {error}||")], "{body}");
    }
}

// spec: JS-111 JS-617 JS-618 JS-139
#[test]
fn one_client_gets_everything() {
    let mut world = World::with(grouped(PriorityPolicy::PinnedClient), &["m1", "m2", "m3"]);
    world.listen_to_events();
    let lines = world.fetch(r#"{"batch":1,"group":"g"}"#);
    let id = world.info().priority_groups[0].pinned.clone().unwrap().0;
    assert_eq!(id.len(), 22);
    assert!(lines[0].starts_with("$JS.EVENT.ADVISORY.CONSUMER.PINNED.S.c {"));
    assert!(lines[0].contains(r#""type":"io.nats.jetstream.advisory.v1.consumer_group_pinned","#));
    let end = format!(r#","account":"A","stream":"S","consumer":"c","group":"g","pinned_id":"{id}"}}"#);
    assert!(lines[0].ends_with(&end), "{lines:?}");
    assert!(lines[1].ends_with(&format!(" NATS/1.0|Nats-Pin-Id: {id}|| m1")), "{lines:?}");
    assert_eq!(world.fetch(r#"{"group":"g","id":"other"}"#), ["inb NATS/1.0 423 Nats-Pin-Id mismatch||"]);
    assert_eq!(world.fetch(r#"{"batch":1,"group":"g"}"#), [""; 0]);
    assert_eq!(world.fetch(&format!(r#"{{"batch":1,"group":"g","id":"{id}"}}"#)).len(), 1);
    // It stays silent, and the one that waits is next.
    world.pass(ms(999));
    assert_eq!(world.lines(), [""; 0]);
    world.pass(ms(1));
    let lines = world.lines();
    let end = r#","account":"A","stream":"S","consumer":"c","group":"g","reason":"timeout"}"#;
    assert!(lines[0].starts_with("$JS.EVENT.ADVISORY.CONSUMER.UNPINNED.S.c {") && lines[0].ends_with(end), "{lines:?}");
    assert!(lines[1].starts_with("$JS.EVENT.ADVISORY.CONSUMER.PINNED.S.c {"));
    assert!(lines[2].ends_with("|| m3"), "{lines:?}");
    let next = world.info().priority_groups[0].pinned.clone().unwrap().0;
    assert_ne!(next, id);
    world.act(|consumer, ctx| consumer.unpin(ctx, "g"));
    assert!(world.lines()[0].ends_with(r#","reason":"admin"}"#));
    assert_eq!(world.info().priority_groups[0].pinned, None);
    // An old pin is no longer good.
    world.publish("s.x", "m4");
    let lines = world.fetch(&format!(r#"{{"batch":2,"group":"g","id":"{next}"}}"#));
    assert_eq!(lines, ["inb NATS/1.0 423 Nats-Wrong-Pin-Id|Nats-Pending-Messages: 2|Nats-Pending-Bytes: 0||"]);
}

// spec: JS-111
#[test]
fn who_does_not_listen_is_not_pinned() {
    let mut world = World::with(grouped(PriorityPolicy::PinnedClient), &["m1"]);
    world.pull("gone", r#"{"batch":1,"group":"g"}"#);
    assert_eq!(world.fetch(r#"{"batch":1,"group":"g"}"#).len(), 1);
}

// spec: JS-112
#[test]
fn others_get_messages_when_many_are_there() {
    let mut world = World::with(grouped(PriorityPolicy::Overflow), &["m1", "m2"]);
    assert_eq!(world.fetch(r#"{"batch":9,"group":"g","min_pending":3}"#), [""; 0]);
    world.publish("s.x", "m3");
    world.deliver();
    assert_eq!(deliveries(&world.lines()), ["1.1.1 2 m1"]);
    let mut world = World::with(grouped(PriorityPolicy::Overflow), &["m1", "m2", "m3"]);
    assert_eq!(world.fetch(r#"{"batch":9,"group":"g","min_ack_pending":1}"#), [""; 0]);
    world.pull("r.a", r#"{"batch":1,"group":"g"}"#);
    world.deliver();
    let to: Vec<String> = world.lines().iter().map(|line| line[..3].to_owned()).collect();
    assert_eq!(to, ["r.a", "inb", "inb"]);
}

// spec: JS-112
#[test]
fn the_lowest_priority_goes_first() {
    let mut world = World::with(grouped(PriorityPolicy::Prioritized), &[]);
    for (reply, priority, batch) in [("r.a", 2, 2), ("r.b", 1, 2), ("r.c", 1, 1), ("r.d", 0, 1)] {
        world.pull(reply, &format!(r#"{{"batch":{batch},"group":"g","priority":{priority}}}"#));
    }
    for _ in 0..6 {
        world.publish("s.x", "m");
    }
    world.deliver();
    let to: Vec<String> = world.lines().iter().map(|line| line[..3].to_owned()).collect();
    assert_eq!(to, ["r.d", "r.b", "r.c", "r.b", "r.a", "r.a"]);
}
