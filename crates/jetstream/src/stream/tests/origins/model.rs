//! Whatever is lost, repeated or mixed up on the wire, and whenever the power goes: in the end every message of the origin
//! has been copied once, in order.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, Copy)]
enum Step {
    Put,
    Delete(u64),
    Deliver,
    Lose,
    Repeat,
    Swap,
    Arrive,
    Ask,
    Beat,
    Own,
    Write,
    FillDisk,
    Crash,
    Wait(u64),
    Anew,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Put),
        1 => (1..20_u64).prop_map(Step::Delete),
        12 => Just(Step::Deliver),
        1 => Just(Step::Lose),
        1 => Just(Step::Repeat),
        1 => Just(Step::Swap),
        12 => Just(Step::Arrive),
        2 => Just(Step::Ask),
        2 => Just(Step::Beat),
        2 => Just(Step::Own),
        4 => Just(Step::Write),
        1 => Just(Step::FillDisk),
        1 => Just(Step::Crash),
        3 => (1..4_000_u64).prop_map(Step::Wait),
        1 => Just(Step::Anew),
    ]
}

impl World {
    fn take(&mut self, step: Step, is_mirror: bool) {
        match step {
            Step::Put => self.origin.put("s.o"),
            // What has not been delivered may never be.
            Step::Delete(seq) => drop(self.origin.messages.remove(&seq)),
            Step::Deliver => self.wire.extend(self.origin.deliver()),
            Step::Lose => drop(self.wire.pop_front()),
            Step::Repeat => self.wire.extend(self.wire.front().cloned()),
            Step::Swap if self.wire.len() > 1 => self.wire.swap(0, 1),
            Step::Arrive => {
                if let Some(letter) = self.wire.pop_front() {
                    self.hand_over(&letter);
                }
            }
            Step::Ask => self.wire.extend(self.origin.question()),
            Step::Beat => self.wire.extend(self.origin.heartbeat("")),
            Step::Own if !is_mirror => self.scene().send("s.own", &[], "own"),
            Step::Write => self.write(),
            Step::FillDisk => self.scene().disk.lock().unwrap().is_full = true,
            Step::Crash => self.crash(),
            Step::Wait(millis) => self.pass(Duration::from_millis(millis)),
            Step::Anew if !is_mirror => {
                let identity = format!("{}x", self.origin.identity);
                self.origin = Origin { identity, ..Origin::new() };
            }
            Step::Swap | Step::Own | Step::Anew => {}
        }
    }

    /// What has been copied: identities and sequences.
    fn copied(&mut self) -> Vec<(String, u64)> {
        let state = self.stream().state();
        let copied = |seq| {
            let message = self.scene().message(seq);
            let (_, of) = message.split_once("Nats-Stream-Source: O ")?;
            let (seq, rest) = of.split_once(' ')?;
            let identity = rest.split('|').next()?.rsplit(' ').next()?;
            Some((identity.to_owned(), seq.parse().unwrap()))
        };
        (1..=state.last_seq).filter_map(copied).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_message_of_a_source_is_copied_once_and_in_order(steps in prop::collection::vec(step(), 1..200)) {
        // spec: JS-113 JS-115
        let mut world = World::source();
        world.scene = world.scene.take().map(Scene::slow);
        for step in steps {
            world.take(step, false);
        }
        world.scene().disk.lock().unwrap().is_full = false;
        world.live(Duration::from_mins(5));
        let copied = world.copied();
        // Of each stream of that name, those that were there to the end.
        prop_assert!(copied.windows(2).all(|pair| pair[0].0 != pair[1].0 || pair[0].1 < pair[1].1), "{:?}", copied);
        let last = world.origin.identity.clone();
        let of_last: Vec<u64> = copied.iter().filter(|(of, _)| *of == last).map(|(_, seq)| *seq).collect();
        let missing: Vec<u64> = world.origin.messages.keys().copied().filter(|seq| !of_last.contains(seq)).collect();
        prop_assert!(missing.is_empty(), "{:?} of {:?}", missing, copied);
    }

    #[test]
    fn a_mirror_is_what_its_origin_is(steps in prop::collection::vec(step(), 1..200)) {
        // spec: JS-052 JS-113
        let mut world = World::mirror();
        world.scene = world.scene.take().map(Scene::slow);
        for step in steps {
            world.take(step, true);
        }
        world.scene().disk.lock().unwrap().is_full = false;
        world.live(Duration::from_mins(5));
        let kept = world.kept();
        for (seq, (subject, _)) in world.origin.messages.clone() {
            let line = format!("{seq} {subject}");
            prop_assert!(kept.contains(&line), "{} in {:?}", line, kept);
            let wanted = format!("s.o {seq}");
            prop_assert_eq!(world.scene().message(seq), wanted);
        }
    }
}
