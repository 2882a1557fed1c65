//! A stream against one that does everything at once: whatever waits for the disk, whenever the power goes, what was answered
//! is what would have been answered, and is there.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What happens to a stream.
#[derive(Debug, Clone)]
enum Step {
    Publish { subject: u8, id: Option<u8>, expected: Expected, rolls_up: bool },
    Purge { subject: Option<u8> },
    Delete { seq: u64 },
    Flush,
    Sync,
    Crash,
}

#[derive(Debug, Clone, Copy)]
enum Expected {
    Nothing,
    /// The last sequence, off by so much.
    Last(u64),
    /// The last sequence of the subject, off by so much.
    OfSubject(u64),
}

/// The naive stream.
#[derive(Debug, Clone, Default)]
struct Model {
    messages: BTreeMap<u64, String>,
    last: u64,
    ids: BTreeMap<String, u64>,
}

const PER_SUBJECT: usize = 3;

impl Model {
    fn last_of(&self, subject: &str) -> u64 {
        self.messages.iter().rev().find(|(_, own)| *own == subject).map_or(0, |(seq, _)| *seq)
    }

    fn publish(&mut self, subject: &str, headers: &[(&str, String)]) -> String {
        let header = |name: &str| headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str());
        let wrong = |last: u64| error(400, 10071, &format!("wrong last sequence: {last}"));
        let of_subject = self.last_of(subject);
        if header("Nats-Expected-Last-Subject-Sequence").is_some_and(|seq| seq != of_subject.to_string()) {
            return wrong(of_subject);
        }
        if header("Nats-Expected-Last-Sequence").is_some_and(|seq| seq != self.last.to_string()) {
            return wrong(self.last);
        }
        if let Some(seq) = header("Nats-Msg-Id").and_then(|id| self.ids.get(id)) {
            return format!(r#"{{"stream":"S","seq":{seq},"duplicate": true}}"#);
        }
        self.last += 1;
        if let Some(id) = header("Nats-Msg-Id") {
            self.ids.insert(id.into(), self.last);
        }
        if header("Nats-Rollup").is_some() {
            self.messages.retain(|_, own| own != subject);
        }
        self.messages.insert(self.last, subject.into());
        let of: Vec<u64> = self.messages.iter().filter(|(_, own)| *own == subject).map(|(seq, _)| *seq).collect();
        for seq in &of[..of.len().saturating_sub(PER_SUBJECT)] {
            self.messages.remove(seq);
        }
        format!(r#"{{"stream":"S","seq":{}}}"#, self.last)
    }

    fn kept(&self) -> Vec<String> {
        self.messages.iter().map(|(seq, subject)| format!("{seq} {subject}")).collect()
    }
}

/// A stream, what would have been by now, and what was by every flush that is not durable.
struct Pair {
    scene: Scene,
    /// Everything that was asked for.
    wanted: Model,
    expected: Vec<String>,
    /// The model by number of entries in the log.
    by_entry: BTreeMap<u64, Model>,
}

impl Pair {
    fn new() -> Self {
        let mut scene = Scene::new(|config| {
            (config.allow_rollup_hdrs, config.max_msgs_per_subject) = (true, i64::try_from(PER_SUBJECT).unwrap());
        });
        scene.disk.lock().unwrap().has_to_sync = true;
        scene.out.lines.clear();
        let by_entry = BTreeMap::from([(scene.stream.store().appended(), Model::default())]);
        Self { scene, wanted: Model::default(), expected: Vec::new(), by_entry }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Publish { subject, id, expected, rolls_up } => self.publish(*subject, *id, *expected, *rolls_up),
            Step::Purge { subject } => {
                let filter = subject.map_or(String::new(), |subject| format!("s.{subject}"));
                self.wanted.messages.retain(|_, own| !filter.is_empty() && *own != filter);
                let purging = PurgeBody { filter, ..PurgeBody::default() };
                self.scene.stream.purge(&purging, self.scene.now, NOBODY).unwrap();
            }
            Step::Delete { seq } => {
                // A message that only its publisher's answer would tell of is not known to anybody.
                if self.scene.stream.delete_message(*seq, false, self.scene.now, NOBODY).is_ok() {
                    self.wanted.messages.remove(seq);
                }
            }
            Step::Flush => {
                self.scene.flush();
                if !self.scene.stream.has_to_flush() {
                    self.by_entry.insert(self.scene.stream.store().appended(), self.wanted.clone());
                }
            }
            Step::Sync => self.scene.sync(),
            Step::Crash => self.crash(),
        }
    }

    fn publish(&mut self, subject: u8, id: Option<u8>, expected: Expected, rolls_up: bool) {
        let subject = format!("s.{subject}");
        let mut headers = Vec::new();
        match expected {
            Expected::Nothing => {}
            Expected::Last(off) => headers.push(("Nats-Expected-Last-Sequence", (self.wanted.last + off).to_string())),
            Expected::OfSubject(off) => {
                let last = self.wanted.last_of(&subject) + off;
                headers.push(("Nats-Expected-Last-Subject-Sequence", last.to_string()));
            }
        }
        headers.extend(id.map(|id| ("Nats-Msg-Id", id.to_string())));
        headers.extend(rolls_up.then(|| ("Nats-Rollup", "sub".to_owned())));
        let answer = self.wanted.publish(&subject, &headers);
        self.expected.push(format!("r {answer}"));
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.scene.send(&subject, &headers, "");
    }

    /// The power goes: what was answered is what was expected, and nothing of it is lost.
    fn crash(&mut self) {
        self.check_answers();
        let durable = self.scene.disk.lock().unwrap().durable;
        let there = self.by_entry.range(..=durable).next_back().map(|(_, model)| model.clone()).unwrap();
        let scene = std::mem::replace(&mut self.scene, Scene::new(|_| {}));
        self.scene = scene.crash();
        self.scene.out.lines.clear();
        self.expected.clear();
        // A flush that is cut short leaves what was whole before it; only whole flushes are compared.
        if self.scene.stream.store().appended() == *self.by_entry.range(..=durable).next_back().unwrap().0 {
            assert_eq!(self.scene.kept(), there.kept());
            self.wanted = there;
        } else {
            self.adopt();
        }
        self.by_entry = BTreeMap::from([(self.scene.stream.store().appended(), self.wanted.clone())]);
    }

    /// Takes what there is for what is wanted.
    fn adopt(&mut self) {
        let kept = self.scene.kept();
        let pairs = kept.iter().map(|line| line.split_once(' ').unwrap());
        self.wanted.messages = pairs.map(|(seq, subject)| (seq.parse().unwrap(), subject.to_owned())).collect();
        self.wanted.last = self.scene.stream.state().last_seq;
        let last = self.wanted.last;
        self.wanted.ids.retain(|_, seq| *seq <= last);
    }

    fn check_answers(&mut self) {
        let told = self.scene.told();
        assert_eq!(told, self.expected[..told.len()]);
        self.expected.drain(..told.len());
    }

    /// In the end everything stands.
    fn end(mut self) {
        while self.scene.stream.has_to_flush()
            || self.scene.stream.store().durable() < self.scene.stream.store().appended()
        {
            self.scene.flush();
            self.scene.sync();
        }
        self.check_answers();
        assert_eq!(self.expected, [""; 0]);
        assert_eq!(self.scene.kept(), self.wanted.kept());
        let scene = self.scene.crash();
        assert_eq!(scene.kept(), self.wanted.kept());
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let expected = prop_oneof![
        4 => Just(Expected::Nothing),
        1 => (0_u64..2).prop_map(Expected::Last),
        2 => (0_u64..2).prop_map(Expected::OfSubject),
    ];
    let publish = (0_u8..3, proptest::option::weighted(0.3, 0_u8..4), expected, proptest::bool::weighted(0.1));
    let publish =
        publish.prop_map(|(subject, id, expected, rolls_up)| Step::Publish { subject, id, expected, rolls_up });
    let step = prop_oneof![
        12 => publish,
        1 => proptest::option::of(0_u8..3).prop_map(|subject| Step::Purge { subject }),
        1 => (1_u64..20).prop_map(|seq| Step::Delete { seq }),
        4 => Just(Step::Flush),
        3 => Just(Step::Sync),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn a_stream_is_one_that_does_everything_at_once(steps in steps()) {
        let mut pair = Pair::new();
        for step in &steps {
            pair.step(step);
        }
        pair.end();
    }
}
