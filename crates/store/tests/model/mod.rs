//! Any store against a naive one: random entries, applied in steps, then every question that can be asked.
//!
//! A store's test file says `mod model;`, describes itself in a [`Kit`] and calls [`check`] and [`check_everywhere`].

mod naive;
mod steps;

use martlet_events::WallTime;
use martlet_store::{Discarded, Filter, Message, Observer, Store};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use naive::{Event, Fact, Model};
use steps::{Ask, Case, Step, Writer};

/// Closes a store and opens what it has left.
pub(crate) type Reopen = dyn Fn(Box<dyn Store>) -> Box<dyn Store>;

/// A kind of store.
pub(crate) struct Kit<'k> {
    /// Makes an empty one whose first sequence is given.
    pub(crate) make: &'k dyn Fn(u64) -> Box<dyn Store>,
    /// How it counts a message's bytes.
    pub(crate) size: fn(&Message<'_>) -> u64,
    /// Closes it and opens it again, if it can; everything is applied before.
    pub(crate) reopen: Option<&'k Reopen>,
    /// How many random cases there are.
    pub(crate) cases: u32,
    /// Of how many sequences one is asked from, where it says everywhere.
    pub(crate) stride: usize,
}

/// Compares a store with the naive one.
pub(crate) fn check(kit: &Kit<'_>) {
    let config = Config { cases: kit.cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&steps::cases(), |case| run(kit, &case)).unwrap_or_else(|failure| panic!("{failure}"));
}

/// Asks everything of streams in which some subjects are rare, from every sequence.
pub(crate) fn check_everywhere(kit: &Kit<'_>) {
    rare_among_few(kit);
    rare_among_many(kit);
}

fn rare_among_few(kit: &Kit<'_>) {
    let (mut writer, mut pair) = (Writer::new(1, 12), Pair::new(kit, 1));
    for _ in 0..4 {
        let facts = writer.sparse(100);
        let holes = writer.holes(17, 3);
        pair.append(facts).and_then(|()| pair.append(vec![holes])).expect("it is written");
    }
    pair.apply(usize::MAX).and_then(|()| pair.compare_all()).expect("both hold the same");
    for patterns in [&["a"][..], &["x.b.c"], &["none"], &["*.b.*"], &["k.>"], &["a", "a.*"], &["*.>", "a.b", "ab"], &[]]
    {
        pair.ask_everywhere(patterns);
    }
    let last = pair.model.last_seq;
    for before in (1..last).step_by(5).chain([last, last + 1]) {
        let filter = (before % 3 == 0).then(|| b"*.b.*".to_vec());
        pair.append(vec![Fact::Purge { filter, before, keep: 3 }]).expect("it is written");
        pair.apply(1).and_then(|()| pair.compare_all()).expect("both hold the same");
    }
}

/// Here neither the next messages nor a few of the subjects say where the next one is.
fn rare_among_many(kit: &Kit<'_>) {
    let (mut writer, mut pair) = (Writer::new(1, 600), Pair::new(kit, 1));
    pair.append(writer.of_each(400)).and_then(|()| pair.append(writer.sparse(900))).expect("it is written");
    pair.append(writer.of_each(8)).and_then(|()| pair.append(writer.sparse(900))).expect("it is written");
    pair.apply(usize::MAX).and_then(|()| pair.compare_all()).and_then(|()| pair.reopen()).expect("both hold the same");
    for patterns in [&["*.*.c"][..], &["ab", "*.*.c"], &["*"], &["*.300"]] {
        pair.ask_everywhere(patterns);
    }
}

#[derive(Default)]
struct Recorder(Vec<Event>);

impl Observer for Recorder {
    fn added(&mut self, message: &Message<'_>, size: u64) {
        self.0.push(Event::Added { seq: message.seq, size });
    }

    fn removed(&mut self, message: &Discarded<'_>) {
        let Discarded { seq, subject, size, why, is_last_of_subject } = *message;
        self.0.push(Event::Removed { seq, subject: subject.to_vec(), size, why, is_last_of_subject });
    }

    fn noted(&mut self, kind: u8, bytes: &[u8]) {
        self.0.push(Event::Noted { kind, bytes: bytes.to_vec() });
    }
}

/// A store, the naive one, and what has been written and not been applied.
struct Pair<'k> {
    kit: &'k Kit<'k>,
    store: Box<dyn Store>,
    model: Model,
    told: Recorder,
    waiting: Vec<Vec<Fact>>,
    limits: martlet_store::Limits,
}

fn run(kit: &Kit<'_>, case: &Case) -> Result<(), TestCaseError> {
    let mut pair = Pair::new(kit, case.first_seq);
    pair.compare_state()?;
    let mut writer = Writer::new(case.first_seq, case.subjects);
    for step in &case.steps {
        match step {
            Step::Append(records) => pair.append(writer.facts(records))?,
            Step::Apply(entries) => pair.apply(*entries)?,
            Step::Limits(limits) => {
                pair.limits = *limits;
                pair.store.set_limits(*limits, &mut pair.told);
                pair.model.set_limits(*limits);
            }
            Step::Reopen => pair.reopen()?,
            Step::Ask(ask) => pair.ask(ask)?,
        }
        pair.compare_state()?;
    }
    pair.apply(usize::MAX)?;
    pair.compare_all()
}

impl<'k> Pair<'k> {
    fn new(kit: &'k Kit<'k>, first_seq: u64) -> Self {
        let (store, model) = ((kit.make)(first_seq), Model::new(first_seq, kit.size));
        let (told, waiting, limits) = Default::default();
        Self { kit, store, model, told, waiting, limits }
    }

    fn append(&mut self, facts: Vec<Fact>) -> Result<(), TestCaseError> {
        let records: Vec<_> = facts.iter().map(Fact::as_record).collect();
        let before = self.store.appended();
        prop_assert_eq!(self.store.append(&records).expect("there is room"), before + 1);
        prop_assert_eq!(self.store.appended(), before + 1);
        while let Some(job) = self.store.sync_job() {
            let result = job.run();
            self.store.synced(job.through, result).expect("the disk is well");
        }
        prop_assert_eq!(self.store.durable(), before + 1);
        self.waiting.push(facts);
        Ok(())
    }

    fn apply(&mut self, entries: usize) -> Result<(), TestCaseError> {
        let entries = entries.min(self.waiting.len());
        let through = self.store.applied() + entries as u64;
        self.store.apply(through, &mut self.told);
        prop_assert_eq!(self.store.applied(), through);
        // What has time may be done whenever there is some.
        self.store.maintain(WallTime::from_nanos(1)).expect("the disk is well");
        for fact in self.waiting.drain(..entries).flatten() {
            self.model.apply(&fact);
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), TestCaseError> {
        let Some(reopen) = self.kit.reopen else { return Ok(()) };
        self.apply(usize::MAX)?;
        while self.store.maintain(WallTime::from_nanos(1)).expect("the disk is well") {}
        self.compare_state()?;
        let closed = std::mem::replace(&mut self.store, (self.kit.make)(0));
        self.store = reopen(closed);
        self.store.set_limits(self.limits, &mut self.told);
        self.compare_all()
    }

    fn compare_state(&mut self) -> Result<(), TestCaseError> {
        prop_assert_eq!(std::mem::take(&mut self.told.0), std::mem::take(&mut self.model.events));
        prop_assert_eq!(self.store.state(), self.model.state());
        prop_assert_eq!(self.store.first_time(), self.model.first_time());
        prop_assert_eq!(self.store.next_expiry(), self.model.next_expiry());
        prop_assert!(self.store.fenced().is_none() && self.store.unreadable().is_empty());
        Ok(())
    }

    fn compare_all(&mut self) -> Result<(), TestCaseError> {
        self.compare_state()?;
        let mut buffer = Vec::new();
        for message in &self.model.messages {
            prop_assert_eq!(
                self.store.get(message.seq, &mut buffer).expect("nothing is damaged"),
                Some(message.as_message())
            );
        }
        let mut seq = 0;
        for message in &self.model.messages {
            let found = self.store.next(&Filter::default(), seq, &mut buffer).expect("nothing is damaged");
            prop_assert_eq!(found, Some(message.as_message()));
            seq = message.seq + 1;
        }
        prop_assert_eq!(self.store.next(&Filter::default(), seq, &mut buffer).expect("nothing is damaged"), None);
        self.compare_subjects(b">")?;
        self.compare_deleted()
    }

    fn compare_subjects(&self, pattern: &[u8]) -> Result<(), TestCaseError> {
        let mut found = Vec::new();
        self.store.for_each_subject(pattern, &mut |subject, state| {
            found.push((subject.to_vec(), state));
            true
        });
        prop_assert_eq!(found, self.model.subjects(pattern));
        Ok(())
    }

    fn compare_deleted(&self) -> Result<(), TestCaseError> {
        let mut found = Vec::new();
        self.store.for_each_deleted(&mut |range| {
            found.push(range);
            true
        });
        prop_assert_eq!(found, self.model.deleted());
        Ok(())
    }

    fn ask(&self, ask: &Ask) -> Result<(), TestCaseError> {
        let filter = Filter::new(ask.filter.iter().map(Vec::as_slice));
        self.ask_at(&filter, steps::at(ask.at, self.model.last_seq))?;
        self.ask_at(&filter, u64::MAX)?;
        self.ask_at(&filter, 0)?;
        let last_time = self.model.state().last_time.map_or(9, WallTime::as_nanos);
        let time = WallTime::from_nanos(steps::at(ask.at, last_time));
        prop_assert_eq!(self.store.first_since(time), self.model.first_since(time));
        for pattern in &ask.filter {
            prop_assert_eq!(self.store.subject(pattern), self.model.subject(pattern));
            self.compare_subjects(pattern)?;
        }
        self.compare_deleted()
    }

    fn ask_everywhere(&self, patterns: &[&str]) {
        let filter = Filter::new(patterns.iter().map(|pattern| pattern.as_bytes()));
        for seq in (0..=self.model.last_seq + 2).step_by(self.kit.stride) {
            self.ask_at(&filter, seq).unwrap_or_else(|difference| panic!("{difference}"));
        }
    }

    fn ask_at(&self, filter: &Filter, seq: u64) -> Result<(), TestCaseError> {
        let (store, model, mut buffer) = (&self.store, &self.model, Vec::new());
        let found = store.get(seq, &mut buffer).expect("nothing is damaged");
        prop_assert_eq!(found, model.get(seq).map(|message| message.as_message()));
        let found = store.next(filter, seq, &mut buffer).expect("nothing is damaged");
        prop_assert_eq!(
            found,
            model.next(filter, seq).map(|message| message.as_message()),
            "{:?} from {}",
            filter,
            seq
        );
        prop_assert_eq!(store.last(filter, seq), model.last(filter, seq), "{:?} up to {}", filter, seq);
        for last_only in [false, true] {
            let (found, expected) = (store.count(filter, seq, last_only), model.count(filter, seq, last_only));
            prop_assert_eq!(found, expected, "{:?} from {}, last only: {}", filter, seq, last_only);
        }
        Ok(())
    }
}
