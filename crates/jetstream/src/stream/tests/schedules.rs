//! Messages that are published again when their time has come.

use super::*;

fn scheduling() -> Scene {
    Scene::new(|config| {
        (config.allow_msg_schedules, config.allow_rollup_hdrs, config.allow_msg_ttl) = (true, true, true);
    })
}

#[test]
fn a_schedule_fires_again_and_again() {
    // spec: JS-070 JS-071
    let mut scene = scheduling();
    let headers =
        [("Nats-Schedule", "@every 5s"), ("Nats-Schedule-Target", "s.out"), ("Nats-Schedule-TTL", "1m"), ("A", "1")];
    assert_eq!(scene.ask("s.in", &headers, "x"), r#"{"stream":"S","seq":1}"#);
    let own = "s.in NATS/1.0|Nats-Schedule: @every 5s|Nats-Schedule-Target: s.out|Nats-Schedule-TTL: 1m|A: 1|Nats-Rollup: sub||x";
    assert_eq!(scene.message(1), own);
    scene.pass(Duration::from_secs(11));
    assert_eq!(scene.kept(), ["1 s.in", "2 s.out", "3 s.out"]);
    assert_eq!(
        scene.message(3),
        "s.out NATS/1.0|A: 1|Nats-Scheduler: s.in|Nats-Schedule-Next: 2026-11-29T00:00:15Z|Nats-TTL: 1m||x"
    );
    let mut scene = scene.crash();
    scene.pass(Duration::from_secs(5));
    assert_eq!(scene.kept().len(), 4, "it goes on behind a crash");
    let end = [("Nats-Schedule-Next", "purge"), ("Nats-Scheduler", "s.in")];
    scene.ask("s.end", &end, "");
    scene.pass(Duration::from_secs(20));
    assert_eq!(scene.kept(), ["2 s.out", "3 s.out", "4 s.out", "5 s.end"]);
}

#[test]
fn a_schedule_for_once_goes_when_it_has_fired() {
    // spec: JS-070 JS-071
    let mut scene = scheduling();
    scene.ask("s.src", &[("B", "2")], "source");
    let headers = [
        ("Nats-Schedule", "@at 2026-11-29T00:00:03Z"),
        ("Nats-Schedule-Target", "s.out"),
        ("Nats-Schedule-Source", "s.src"),
    ];
    scene.ask("s.in", &headers, "own");
    scene.pass(Duration::from_secs(4));
    assert_eq!(scene.kept(), ["1 s.src", "3 s.out"]);
    assert_eq!(scene.message(3), "s.out NATS/1.0|B: 2|Nats-Scheduler: s.in|Nats-Schedule-Next: purge||source");
    scene.pass(Duration::from_secs(100));
    assert_eq!(scene.kept().len(), 2);
}

#[test]
fn a_subject_has_one_schedule() {
    // spec: JS-070
    let mut scene = scheduling();
    for span in ["@every 5s", "@every 7s"] {
        scene.ask("s.in", &[("Nats-Schedule", span), ("Nats-Schedule-Target", "s.out")], "");
    }
    assert_eq!(scene.kept(), ["2 s.in"]);
    scene.pass(Duration::from_secs(8));
    assert_eq!(scene.kept(), ["2 s.in", "3 s.out"]);
    scene.ask("s.in", &[("Nats-Rollup", "sub")], "no schedule");
    scene.pass(Duration::from_secs(20));
    assert_eq!(scene.kept(), ["3 s.out", "4 s.in"]);
}

#[test]
fn what_is_wrong_with_a_schedule() {
    // spec: JS-567 JS-568 JS-569 JS-570 JS-571 JS-572 JS-573 JS-574 JS-575 JS-576 JS-577 JS-578 JS-579
    let mut scene = scheduling();
    let pattern = error(400, 10189, "message schedules pattern is invalid");
    let target = error(400, 10190, "message schedules target is invalid");
    let scheduler = error(400, 10212, "message schedules invalid scheduler");
    let to = ("Nats-Schedule-Target", "s.o");
    for (headers, expected) in [
        (vec![("Nats-Schedule", "zz"), to], &pattern),
        (vec![("Nats-Schedule", "@every 5s")], &target),
        (vec![("Nats-Schedule", "@every 5s"), ("Nats-Schedule-Target", "s.t")], &target),
        (vec![("Nats-Schedule", "@every 5s"), ("Nats-Schedule-Target", "zz")], &target),
        (vec![("Nats-Schedule", "@every 500ms"), to], &pattern),
        (vec![("Nats-Schedule", "@every 5s"), to, ("Nats-Schedule-Time-Zone", "UTC")], &pattern),
        (
            vec![("Nats-Schedule", "0 0 * * * *"), to, ("Nats-Schedule-Time-Zone", "Nope/X")],
            &error(400, 10223, "message schedules time zone is invalid"),
        ),
        (
            vec![("Nats-Schedule", "0 0 * * * *"), to, ("Nats-Schedule-Time-Zone", "Europe/Paris")],
            &r#"{"stream":"S","seq":1}"#.to_owned(),
        ),
        (vec![("Nats-Schedule", "0 * * * *"), to], &pattern),
        (
            vec![("Nats-Schedule", "@hourly"), to, ("Nats-Rollup", "all")],
            &error(400, 10192, "message schedules invalid rollup"),
        ),
        (
            vec![("Nats-Schedule", "@hourly"), to, ("Nats-Schedule-TTL", "x")],
            &error(400, 10191, "message schedules invalid per-message TTL"),
        ),
        (
            vec![("Nats-Schedule", "@hourly"), to, ("Nats-Schedule-Source", "s.o")],
            &error(400, 10203, "message schedules source is invalid"),
        ),
        (vec![("Nats-Schedule-Next", "purge")], &scheduler),
        (vec![("Nats-Scheduler", "s.x")], &scheduler),
        (vec![("Nats-Schedule-Next", "purge"), ("Nats-Scheduler", "s.u")], &r#"{"stream":"S","seq":2}"#.to_owned()),
    ] {
        assert_eq!(scene.ask("s.t", &headers, ""), *expected, "{headers:?}");
    }
    let disabled = error(400, 10188, "message schedules is disabled");
    assert_eq!(Scene::new(|_| {}).ask("s.t", &[("Nats-Schedule", "@hourly"), to], ""), disabled);
}
