//! Many consumers: what each is told, and what it only hears of later, comes to the same.

use proptest::prelude::*;

use super::*;
use crate::config::{AckPolicy, ConsumerConfig, Retention};

/// What consumers want.
const FILTERS: [&[&str]; 5] = [&[], &["s.1"], &["s.1", "s.2"], &["s.*.x"], &["s.1", "s.*.x"]];
const SUBJECTS: [&str; 5] = ["s.1", "s.2", "s.3", "s.1.x", "s.2.x"];

fn config(name: &str, filter: &[&str], ack_policy: AckPolicy) -> ConsumerConfig {
    ConsumerConfig {
        durable: name.into(),
        name: name.into(),
        ack_policy,
        ack_wait: Duration::from_secs(30),
        max_waiting: 512,
        max_ack_pending: 1000,
        filter_subjects: filter.iter().map(|pattern| (*pattern).to_owned()).collect(),
        ..ConsumerConfig::default()
    }
}

impl Scene {
    fn add(&mut self, config: ConsumerConfig) {
        let name = config.name.clone();
        self.stream.create_consumer(&name, config, self.now, 2, &mut self.out).unwrap();
        self.flush();
        self.stream.next_done().unwrap().result.unwrap();
    }

    /// What a consumer says it has not delivered.
    fn says(&self, name: &str) -> u64 {
        self.stream.consumer_numbers(name, self.now).unwrap().num_pending
    }

    /// What it has not delivered.
    fn has(&self, name: &str) -> u64 {
        let consumer = self.stream.consumer(name).unwrap();
        self.stream.store().count(consumer.filter(), consumer.next(), false)
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// So many messages of a subject.
    Publish(usize, u64),
    Delete(u64),
    Purge(usize),
    Pull(usize),
    Update(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..SUBJECTS.len(), 1..300_u64).prop_map(|(subject, number)| Step::Publish(subject, number)),
        3 => (1..1500_u64).prop_map(Step::Delete),
        1 => (0..SUBJECTS.len()).prop_map(Step::Purge),
        3 => (0..2 * FILTERS.len()).prop_map(Step::Pull),
        1 => (0..2 * FILTERS.len(), 0..FILTERS.len()).prop_map(|(of, filter)| Step::Update(of, filter)),
    ]
}

fn take(scene: &mut Scene, step: &Step) {
    let name = |of: &usize| format!("c{of}");
    match step {
        Step::Publish(subject, number) => {
            (0..*number).for_each(|_| scene.send(SUBJECTS[*subject], &[], ""));
        }
        Step::Delete(seq) => {
            let _ = scene.stream.delete_message(*seq, false, scene.now, NOBODY);
        }
        Step::Purge(subject) => {
            let purging = PurgeBody { filter: SUBJECTS[*subject].into(), ..PurgeBody::default() };
            scene.stream.purge(&purging, scene.now, NOBODY).unwrap();
        }
        Step::Pull(of) => {
            let body = br#"{"batch":7,"no_wait":true}"#;
            assert!(scene.stream.pull(&name(of), b"p", b"", body, scene.now, &mut scene.out));
        }
        Step::Update(of, filter) => {
            let there = scene.stream.consumer(&name(of)).unwrap().config().ack_policy;
            scene.stream.update_consumer(config(&name(of), FILTERS[*filter], there), scene.now, NOBODY).unwrap();
        }
    }
    scene.flush();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whoever_rests_has_counted_right_when_it_is_asked(steps in prop::collection::vec(step(), 1..40)) {
        let mut scene = Scene::new(|config| config.max_msgs = 900);
        for (at, filter) in FILTERS.iter().enumerate() {
            scene.add(config(&format!("c{at}"), filter, AckPolicy::None));
            scene.add(config(&format!("c{}", at + FILTERS.len()), filter, AckPolicy::Explicit));
        }
        for step in &steps {
            take(&mut scene, step);
            for of in 0..2 * FILTERS.len() {
                let name = format!("c{of}");
                prop_assert_eq!(scene.says(&name), scene.has(&name), "{} after {:?}", name, step);
            }
        }
    }
}

#[test]
fn a_message_that_is_not_wanted_any_more_is_not_waited_for_when_it_goes() {
    let mut scene = Scene::new(|_| {});
    scene.add(config("c0", &["s.1"], AckPolicy::Explicit));
    take(&mut scene, &Step::Publish(0, 1));
    take(&mut scene, &Step::Pull(0));
    take(&mut scene, &Step::Update(0, 3));
    let waits = |scene: &Scene| scene.stream.consumer_numbers("c0", scene.now).unwrap().num_ack_pending;
    assert_eq!(waits(&scene), 1);
    take(&mut scene, &Step::Delete(1));
    assert_eq!(waits(&scene), 0);
}

#[test]
fn consumers_of_a_work_queue_share_nothing() {
    // spec: JS-091
    let mut scene = Scene::new(|config| config.retention = Retention::WorkQueue);
    scene.add(config("a", &["s.1", "s.2"], AckPolicy::Explicit));
    let mut code = |name: &str, filter: &[&str]| {
        let created =
            scene.stream.create_consumer(name, config(name, filter, AckPolicy::Explicit), scene.now, 2, &mut scene.out);
        created.err().map_or(0, |error| error.err_code)
    };
    assert_eq!(code("b", &[]), 10099);
    assert_eq!(code("b", &["s.*"]), 10100);
    assert_eq!(code("b", &["s.3", "s.2"]), 10100);
    assert_eq!(code("b", &["s.*.x"]), 0);
    assert_eq!(code("c", &["s.1.x"]), 10100, "one that is on its way has its part already");
}

#[test]
fn nothing_is_due_for_consumers_that_nobody_asks() {
    let mut scene = Scene::new(|config| config.duplicate_window = Duration::ZERO);
    scene.add(config("a", &["s.1"], AckPolicy::Explicit));
    scene.add(config("b", &[], AckPolicy::Explicit));
    take(&mut scene, &Step::Publish(0, 300));
    scene.pass(Duration::from_secs(1));
    assert_eq!(scene.stream.deadline(), None);
    take(&mut scene, &Step::Publish(0, 1));
    assert_eq!(scene.stream.deadline(), None);
    assert_eq!((scene.says("a"), scene.says("b")), (301, 301));
}
