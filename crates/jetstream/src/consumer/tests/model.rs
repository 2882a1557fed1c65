//! Random lives of a consumer, followed by a simple model: nothing is delivered twice before its wait is over, everything
//! is acknowledged or delivered again, the numbers are right, and restarts lose nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const WAIT: Duration = Duration::from_secs(2);
const MAX_DELIVER: u32 = 3;
/// Progress writes waits that end almost at the same time as one.
const GRAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
enum Step {
    Publish { is_wanted: bool },
    Fetch { batch: u8, no_wait: bool },
    Answer { pick: u8, payload: &'static str },
    Pass(u16),
    Remove { pick: u8, why: bool },
    Progress,
    Snapshot,
    Restart { is_crash: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<bool>().prop_map(|is_wanted| Step::Publish { is_wanted }),
        4 => (1..6_u8, any::<bool>()).prop_map(|(batch, no_wait)| Step::Fetch { batch, no_wait }),
        8 => (any::<u8>(), prop::sample::select(vec!["", "", "", "-NAK", "-NAK 700ms", "+WPI", "+TERM"]))
            .prop_map(|(pick, payload)| Step::Answer { pick, payload }),
        4 => (1..1_500_u16).prop_map(Step::Pass),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(pick, why)| Step::Remove { pick, why }),
        2 => Just(Step::Progress),
        1 => Just(Step::Snapshot),
        2 => any::<bool>().prop_map(|is_crash| Step::Restart { is_crash }),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Waits { deliveries: u32, until: Time, is_refused: bool },
    Done,
    Spent,
}

struct Model {
    world: World,
    states: BTreeMap<u64, State>,
    /// What has been delivered: `deliveries.seq.consumer_seq`.
    delivered: Vec<(u64, String)>,
    snapshot: Vec<u8>,
    deltas: Vec<Vec<u8>>,
    /// What is known to be done by what is written.
    written: BTreeMap<u64, State>,
}

impl Model {
    fn new() -> Self {
        let config = ConsumerConfig {
            ack_wait: WAIT,
            max_deliver: i64::from(MAX_DELIVER),
            max_ack_pending: 6,
            filter_subjects: vec!["s.*".into(), "t".into()],
            ..pull()
        };
        let mut world = World::with(config, &[]);
        let mut snapshot = Vec::new();
        world.consumer.as_mut().unwrap().snapshot(&mut snapshot);
        let (states, written) = (BTreeMap::new(), BTreeMap::new());
        Self { world, states, delivered: Vec::new(), snapshot, deltas: Vec::new(), written }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Publish { is_wanted } => {
                let seq = self.world.publish(if is_wanted { "s.x" } else { "u.x" }, "m");
                if is_wanted {
                    self.states.insert(seq, State::New);
                }
                self.world.deliver();
            }
            Step::Fetch { batch, no_wait } => {
                self.world.pull("inb", &format!("{{\"batch\":{batch},\"no_wait\":{no_wait}}}"));
                self.world.deliver();
            }
            Step::Answer { pick, payload } => self.answer(pick, payload),
            Step::Pass(millis) => self.pass(ms(u64::from(millis))),
            Step::Remove { pick, why } => {
                let Some(&seq) = self.world.store.messages.keys().nth(usize::from(pick % 8)) else { return };
                self.world.remove(seq, if why { Removal::Purged } else { Removal::Limit });
                self.states.remove(&seq);
            }
            Step::Progress => self.progress(),
            Step::Snapshot => {
                self.snapshot.clear();
                self.world.consumer.as_ref().unwrap().snapshot(&mut self.snapshot);
                self.deltas.clear();
                self.written = self.states.clone();
            }
            Step::Restart { is_crash } => self.restart(is_crash),
        }
        self.follow();
        self.compare();
    }

    fn pass(&mut self, span: Duration) {
        let end = self.world.now.time + span;
        loop {
            let due = self.world.consumer.as_ref().and_then(Consumer::deadline).filter(|&due| due <= end);
            self.world.sleep(due.unwrap_or(end).since(self.world.now.time));
            self.world.act(Consumer::tick);
            self.world.deliver();
            self.world.expect_rest();
            self.follow();
            if due.is_none() {
                return;
            }
        }
    }

    fn progress(&mut self) {
        let mut delta = Vec::new();
        if self.world.consumer.as_mut().unwrap().progress(&mut delta) {
            self.deltas.push(delta);
        }
        self.written = self.states.clone();
    }

    fn answer(&mut self, pick: u8, payload: &str) {
        if self.delivered.is_empty() {
            return;
        }
        let at = self.delivered.len() - 1 - usize::from(pick) % self.delivered.len().min(12);
        let (seq, delivery) = self.delivered[at].clone();
        self.world.ack(&delivery, "", payload);
        let now = self.world.now.time;
        let Some(state) = self.states.get_mut(&seq) else { return };
        let number: u64 = delivery.rsplit('.').next().unwrap().parse().unwrap();
        let consumer = self.world.consumer.as_ref().unwrap();
        let known = consumer.floor.consumer_seq + 1..=consumer.next_delivery;
        if payload.starts_with("-NAK") && !known.contains(&number) {
            return; // From before a crash that took this delivery back.
        }
        match (*state, payload) {
            (State::Waits { .. } | State::Spent, "" | "+TERM") => *state = State::Done,
            (State::Waits { deliveries, until, .. }, "-NAK") => {
                *state = State::Waits { deliveries, until, is_refused: true };
            }
            (State::Waits { deliveries, .. }, "-NAK 700ms") => {
                *state = State::Waits { deliveries, until: now + ms(700), is_refused: false };
            }
            (State::Waits { deliveries, until, is_refused: false }, "+WPI") if until > now => {
                *state = State::Waits { deliveries, until: now + WAIT, is_refused: false };
            }
            _ => {}
        }
        self.world.deliver();
    }

    fn restart(&mut self, is_crash: bool) {
        if !is_crash {
            self.progress();
        }
        let config = self.world.consumer.as_ref().unwrap().config.clone();
        let mut consumer =
            Consumer::restore(config, BEGIN.wall, &self.world.stream, self.world.now, &self.snapshot).unwrap();
        for delta in &self.deltas {
            consumer.apply(delta).unwrap();
        }
        self.world.consumer = Some(consumer);
        // What was removed meanwhile is told again by the store.
        let gone = (1..=self.world.store.last_seq).filter(|seq| !self.world.store.messages.contains_key(seq));
        for seq in gone.collect::<Vec<_>>() {
            self.world.consumer.as_mut().unwrap().removed(seq, b"s.x", Removal::Removed);
        }
        self.world.act(Consumer::resume);
        let consumer = self.world.consumer.as_ref().unwrap();
        for (seq, state) in &mut self.states {
            let before = *state;
            *state = match consumer.pending.get(*seq) {
                Some(entry) => {
                    let until = if is_crash { entry.deadline } else { Time::ORIGIN };
                    State::Waits { deliveries: entry.deliveries, until, is_refused: false }
                }
                None if consumer.spent.contains_key(seq) => State::Spent,
                None if *seq >= consumer.next => State::New,
                None => State::Done,
            };
            match (before, &mut *state) {
                // A wait is as long as before, almost.
                (State::Waits { until: before, deliveries: n, .. }, State::Waits { until, deliveries, .. })
                    if !is_crash =>
                {
                    *until = before - GRAIN;
                    assert_eq!(n, *deliveries, "{seq}");
                }
                (before, State::Waits { .. } | State::New | State::Spent) if is_crash => {
                    let written = self.written.get(seq);
                    assert!(before != State::Done || written != Some(&State::Done), "{seq} came back");
                }
                (before, after) => assert_eq!(before, *after, "{seq}"),
            }
        }
        self.world.deliver();
    }

    /// Takes in what was delivered.
    fn follow(&mut self) {
        for line in self.world.lines() {
            let Some((_, reply)) = line.split_once("reply $JS.ACK.S.c.") else { continue };
            let tokens: Vec<&str> = reply.split(['.', ' ']).collect();
            let [deliveries, seq, _] = [0, 1, 2].map(|at| tokens[at].parse::<u64>().unwrap());
            let state = self.states.get_mut(&seq).expect("what is delivered is there");
            let now = self.world.now.time;
            match *state {
                State::New => assert_eq!(deliveries, 1, "{line}"),
                State::Waits { deliveries: before, until, is_refused } => {
                    assert_eq!(deliveries, u64::from(before) + 1, "{line}");
                    assert!(is_refused || until <= now, "{line}: too early");
                    assert!(before < MAX_DELIVER, "{line}");
                }
                other => panic!("{line} was {other:?}"),
            }
            let deliveries = u32::try_from(deliveries).unwrap();
            *state = State::Waits { deliveries, until: now + WAIT, is_refused: false };
            self.delivered.push((seq, tokens[..3].join(".")));
        }
        // When the last wait is over, a message is given up as soon as its turn comes.
        let now = self.world.now.time;
        for (seq, state) in &mut self.states {
            if let State::Waits { deliveries: MAX_DELIVER, until, is_refused } = *state
                && (is_refused || until <= now)
                && self.world.consumer.as_ref().unwrap().spent.contains_key(seq)
            {
                *state = State::Spent;
            }
        }
    }

    fn compare(&mut self) {
        let count = |is: fn(&State) -> bool| self.states.values().filter(|state| is(state)).count() as u64;
        let new = count(|state| *state == State::New);
        let waits = count(|state| matches!(state, State::Waits { .. }));
        let again = count(|state| matches!(state, State::Waits { deliveries: 2.., .. } | State::Spent));
        let info = self.world.info();
        assert_eq!((info.num_pending, info.num_ack_pending, info.num_redelivered), (new, waits, again));
        assert!(waits <= 6);
        assert!(info.ack_floor.stream_seq <= info.delivered.stream_seq);
        for (&seq, state) in &self.states {
            let needs = self.world.consumer.as_ref().unwrap().needs(seq, b"s.x");
            assert_eq!(needs, *state != State::Done, "{seq} {state:?}");
        }
    }

    /// Whoever fetches and acknowledges for long enough has got everything.
    fn finish(&mut self) {
        for _ in 0..40 {
            self.step(&Step::Fetch { batch: 5, no_wait: true });
            for at in 0..self.delivered.len() {
                let (seq, delivery) = self.delivered[at].clone();
                self.world.ack(&delivery, "", "");
                if let Some(state @ (State::Waits { .. } | State::Spent)) = self.states.get_mut(&seq) {
                    *state = State::Done;
                }
            }
            self.step(&Step::Pass(1_000));
        }
        assert!(self.states.values().all(|state| matches!(state, State::Done | State::Spent)), "{:?}", self.states);
        let info = self.world.info();
        assert_eq!((info.num_pending, info.num_ack_pending), (0, 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn a_consumer_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..120)) {
        let mut model = Model::new();
        for step in &steps {
            model.step(step);
        }
        model.finish();
    }
}
