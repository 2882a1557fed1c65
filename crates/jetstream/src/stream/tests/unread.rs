//! What cannot be read now, and can be later.

use super::*;
use crate::config::Retention;

impl Scene {
    /// Nothing can be read any more, or everything again.
    fn unread(&mut self, is_out: bool) {
        self.disk.lock().unwrap().is_out = is_out;
    }
}

#[test]
fn who_asks_for_a_message_is_told_to_ask_again() {
    // spec: JS-023 JS-083
    let mut scene = Scene::new(|config| config.allow_direct = true);
    scene.ask("s.a", &[], "x");
    scene.unread(true);
    let wanted = MsgGetBody { seq: 1, ..MsgGetBody::default() };
    let error = scene.stream.message(&wanted, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("it cannot be read now, and may be asked for again"), "{error}");
    scene.out.lines.clear();
    scene.stream.direct_get(&wanted, b"r", &mut scene.out);
    let told = "r NATS/1.0 500 it cannot be read now, and may be asked for again: there are no more files||";
    assert_eq!(scene.out.lines, [told]);
    scene.unread(false);
    assert!(scene.stream.message(&wanted, &mut Vec::new()).is_ok());
}

#[test]
fn interest_is_looked_into_again() {
    // spec: JS-039
    let mut scene = Scene::new(|config| config.retention = Retention::Interest);
    scene.add_consumer(consumers::consumer("c", "")).unwrap();
    scene.ask("s.a", &[], "");
    scene.ask("s.b", &[], "");
    let acks = scene.pull("c", 10);
    scene.unread(true);
    for ack in acks {
        scene.ack(&ack, "");
    }
    scene.flush();
    scene.pass(Duration::from_secs(3));
    scene.unread(false);
    assert_eq!(scene.kept(), ["1 s.a", "2 s.b"], "somebody may want them");
    scene.pass(Duration::from_secs(2));
    assert_eq!(scene.kept(), [""; 0]);
}

#[test]
fn what_is_old_goes_when_it_can_be_read() {
    // spec: JS-068
    let mut scene = Scene::new(|config| config.max_age = Duration::from_secs(5));
    scene.unread(true);
    scene.ask("s.a", &[], "");
    scene.pass(Duration::from_secs(3));
    scene.unread(false);
    assert_eq!(scene.kept(), ["1 s.a"]);
    scene.pass(Duration::from_secs(4));
    assert_eq!(scene.kept(), [""; 0]);
}

#[test]
fn a_schedule_waits_until_it_can_be_read() {
    // spec: JS-070
    let mut scene = Scene::new(|config| {
        config.allow_msg_schedules = true;
        config.allow_rollup_hdrs = true;
    });
    scene.ask("s.in", &[("Nats-Schedule", "@at 2026-11-29T00:00:03Z"), ("Nats-Schedule-Target", "s.out")], "x");
    scene.unread(true);
    scene.pass(Duration::from_secs(6));
    scene.unread(false);
    assert_eq!(scene.kept(), ["1 s.in"]);
    scene.pass(Duration::from_secs(2));
    assert_eq!(scene.kept(), ["2 s.out"]);
}

#[test]
fn nobody_counts_from_what_cannot_be_read() {
    // spec: JS-069
    let mut scene = Scene::new(|config| config.allow_msg_counter = true);
    scene.ask("s.a", &[("Nats-Incr", "5")], "");
    scene.unread(true);
    let refused = scene.ask("s.a", &[("Nats-Incr", "1")], "");
    assert!(refused.contains(r#""err_code":10077"#) && refused.contains("cannot be read now"), "{refused}");
    scene.unread(false);
    assert_eq!(scene.ask("s.a", &[("Nats-Incr", "1")], ""), r#"{"stream":"S","seq":2,"val":"6"}"#);
}
