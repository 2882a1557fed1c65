//! What is counted for consumers that want the same and are at rest: once for all of them.
//!
//! They differ in where they are: a message that goes is missed by those that have not come to it. So each place at which one rests counts
//! what goes between it and the next place, and what somebody has missed is the sum of what was counted from its place on.

use std::collections::BTreeMap;

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Resting {
    /// Messages that came.
    added: u64,
    /// By the first message that those who rest there have not come to.
    places: BTreeMap<u64, Place>,
}

#[derive(Debug, Default)]
struct Place {
    resting: usize,
    /// Messages that went, from here up to the next place.
    removed: u64,
}

/// Since when somebody rests, as the counts were then.
#[derive(Debug)]
pub(super) struct Rest {
    at: u64,
    added: u64,
    removed: u64,
}

/// Messages that came and went meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Missed {
    pub(super) added: u64,
    pub(super) removed: u64,
}

impl Resting {
    /// A message came.
    pub(super) fn added(&mut self) {
        self.added += 1;
    }

    /// A message went.
    pub(super) fn removed(&mut self, seq: u64) {
        if let Some((_, place)) = self.places.range_mut(..=seq).next_back() {
            place.removed += 1;
        }
    }

    /// Somebody comes to rest who has not come to message `at`, nor to any behind it.
    pub(super) fn lie_down(&mut self, at: u64) -> Rest {
        self.places.entry(at).or_default().resting += 1;
        Rest { at, added: self.added, removed: self.removed_from(at) }
    }

    /// What somebody has missed up to now.
    pub(super) fn missed(&self, rest: &Rest) -> Missed {
        Missed { added: self.added - rest.added, removed: self.removed_from(rest.at) - rest.removed }
    }

    /// Somebody rests no longer; what was missed.
    pub(super) fn get_up(&mut self, rest: &Rest) -> Missed {
        let missed = self.missed(rest);
        if let Some(place) = self.places.get_mut(&rest.at) {
            place.resting -= 1;
            if place.resting == 0 {
                let removed = place.removed;
                self.places.remove(&rest.at);
                if let Some((_, before)) = self.places.range_mut(..rest.at).next_back() {
                    before.removed += removed;
                }
            }
        }
        missed
    }

    fn removed_from(&self, at: u64) -> u64 {
        self.places.range(at..).map(|(_, place)| place.removed).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        LieDown(u64),
        GetUp(prop::sample::Index),
        Added,
        Removed(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..20_u64).prop_map(Step::LieDown),
            any::<prop::sample::Index>().prop_map(Step::GetUp),
            Just(Step::Added),
            (0..20_u64).prop_map(Step::Removed),
        ]
    }

    proptest! {
        #[test]
        fn everybody_hears_what_came_and_what_went_from_its_place_on(steps in prop::collection::vec(step(), 0..200)) {
            let mut resting = Resting::default();
            // Who rests, and what each would have counted.
            let mut sleepers: Vec<(Rest, Missed)> = Vec::new();
            for step in steps {
                match step {
                    Step::LieDown(at) => sleepers.push((resting.lie_down(at), Missed::default())),
                    Step::GetUp(_) if sleepers.is_empty() => {}
                    Step::GetUp(which) => {
                        let (rest, expected) = sleepers.swap_remove(which.index(sleepers.len()));
                        prop_assert_eq!(resting.get_up(&rest), expected);
                    }
                    Step::Added => {
                        resting.added();
                        for (_, missed) in &mut sleepers {
                            missed.added += 1;
                        }
                    }
                    Step::Removed(seq) => {
                        resting.removed(seq);
                        for (_, missed) in sleepers.iter_mut().filter(|(rest, _)| rest.at <= seq) {
                            missed.removed += 1;
                        }
                    }
                }
                for (rest, expected) in &sleepers {
                    prop_assert_eq!(&resting.missed(rest), expected);
                }
            }
            for (rest, _) in &sleepers {
                resting.get_up(rest);
            }
            prop_assert!(resting.places.is_empty());
        }
    }
}
