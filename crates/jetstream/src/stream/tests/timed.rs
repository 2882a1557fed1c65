//! What happens by itself.

use super::*;

#[test]
fn messages_go_when_they_are_too_old() {
    let mut scene = Scene::new(|config| config.max_age = Duration::from_secs(10));
    scene.ask("s.a", &[], "");
    scene.wait(Duration::from_secs(5));
    scene.ask("s.b", &[], "");
    scene.pass(Duration::from_millis(4_999));
    assert_eq!(scene.kept(), ["1 s.a", "2 s.b"]);
    scene.pass(Duration::from_millis(101));
    assert_eq!(scene.kept(), ["2 s.b"]);
    scene.pass(Duration::from_secs(6));
    assert_eq!(scene.kept(), [""; 0]);
    scene.pass(Duration::from_secs(200));
    assert_eq!(scene.stream.deadline(), None);
}

#[test]
fn messages_may_have_a_time_of_their_own() {
    // spec: JS-068 JS-556 JS-557 JS-558 JS-559
    let mut scene = Scene::new(|config| (config.allow_msg_ttl, config.max_age) = (true, Duration::from_secs(10)));
    let invalid = error(400, 10165, "invalid per-message TTL");
    assert_eq!(scene.ask("s.a", &[("Nats-TTL", "zz")], ""), invalid);
    assert_eq!(scene.ask("s.a", &[("Nats-TTL", "0")], ""), invalid);
    for (subject, ttl) in [("s.never", "never"), ("s.short", "2s"), ("s.long", "20")] {
        scene.ask(subject, &[("Nats-TTL", ttl)], "");
    }
    scene.ask("s.plain", &[], "");
    scene.pass(Duration::from_secs(3));
    assert_eq!(scene.kept(), ["1 s.never", "3 s.long", "4 s.plain"]);
    scene.pass(Duration::from_secs(8));
    assert_eq!(scene.kept(), ["1 s.never"], "none but that outlives max_age");
    assert_eq!(
        Scene::new(|_| {}).ask("s.a", &[("Nats-TTL", "1s")], ""),
        error(400, 10166, "per-message TTL is disabled")
    );
}

#[test]
fn a_marker_stands_where_the_last_of_a_subject_went() {
    // spec: JS-068 JS-118
    let mut scene = Scene::new(|config| {
        (config.allow_msg_ttl, config.allow_rollup_hdrs) = (true, true);
        (config.max_age, config.subject_delete_marker_ttl) = (Duration::from_secs(10), Duration::from_secs(90));
    });
    scene.ask("s.a", &[], "x");
    scene.ask("s.a", &[], "y");
    scene.pass(Duration::from_secs(11));
    assert_eq!(scene.kept(), ["3 s.a"]);
    assert_eq!(scene.message(3), "s.a NATS/1.0|Nats-Marker-Reason: MaxAge|Nats-TTL: 1m30s|Nats-Rollup: sub||");
    scene.pass(Duration::from_secs(91));
    assert_eq!(scene.kept(), [""; 0], "a marker leaves none");
    scene.ask("s.b", &[("Nats-TTL", "1s")], "");
    assert_eq!(scene.message(4), "s.b NATS/1.0|Nats-TTL: 90||", "no message goes before a marker would");
}

#[test]
fn a_full_disk_is_not_asked_all_the_time() {
    let mut scene = Scene::new(|config| config.max_age = Duration::from_secs(1));
    scene.ask("s.a", &[], "");
    scene.disk.lock().unwrap().is_full = true;
    scene.wait(Duration::from_secs(2));
    scene.stream.tick(scene.now, &mut scene.out);
    assert!(scene.stream.deadline().is_some_and(|due| due > scene.now.time));
    scene.disk.lock().unwrap().is_full = false;
    scene.pass(Duration::from_secs(1));
    assert_eq!(scene.kept(), [""; 0]);
}
