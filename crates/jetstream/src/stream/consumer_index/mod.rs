//! All consumers of a stream, found by name, by what they want, and by when something is due for them: whatever happens to the
//! stream costs as much as the consumers that it concerns, however many others there are.
//!
//! Consumers that want the same are a *group*, which is found by subject. Who is told of many messages and does nothing comes to
//! *rest*: it is told no more, its group counts for it, and it hears the sum before it is next called.
//!
//! Invariant: whoever gets hold of a consumer to change it finds it as if it had been told of everything.

mod group;
mod resting;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use martlet_events::Time;
use martlet_store::{Discarded, Filter, Removal};
use martlet_subject::Trie;
use slab::Slab;

use self::group::Group;
use self::resting::Rest;
use super::consumers::Slot;
use crate::consumer::Consumer;

/// Stands for a consumer as long as it is there.
pub(super) type Key = usize;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct ConsumerIndex {
    entries: Slab<Box<Entry>>,
    by_name: BTreeMap<Box<str>, Key>,
    groups: Slab<Group>,
    by_filter: Trie<Key>,
    /// Those that may wait for messages that they wanted once and do not now: they hear of all that go.
    strays: Vec<Key>,
    due: BTreeSet<(Time, Key)>,
    /// Those that may have something to deliver, or to tell. Keys here and in `urgent` may be of consumers that are gone.
    awake: Vec<Key>,
    urgent: Vec<Key>,
    counted: usize,
    shown: usize,
}

#[derive(Debug)]
struct Entry {
    slot: Slot,
    group: Key,
    /// It is not told of messages.
    rest: Option<Rest>,
    /// How often it was told since it was called last.
    told: u32,
    /// When something is due for it, or earlier.
    due: Option<Time>,
    is_awake: bool,
    is_urgent: bool,
}

impl Entry {
    fn wake(&mut self, key: Key, awake: &mut Vec<Key>) {
        if !std::mem::replace(&mut self.is_awake, true) {
            awake.push(key);
        }
    }
}

impl ConsumerIndex {
    /// Finds one by its name.
    pub(super) fn key(&self, name: &str) -> Option<Key> {
        self.by_name.get(name).copied()
    }

    /// One to look at.
    pub(super) fn get(&self, key: Key) -> Option<&Slot> {
        self.entries.get(key).map(|entry| &entry.slot)
    }

    /// The same by its name.
    pub(super) fn find(&self, name: &str) -> Option<&Slot> {
        self.get(self.key(name)?)
    }

    /// All, by name, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.by_name.values().map(|&key| &self.entries[key].slot)
    }

    /// The keys of all, in the order of their names.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.by_name.values().copied().collect()
    }

    /// How many count, be they there or on their way.
    pub(super) fn counted(&self) -> usize {
        self.counted
    }

    /// How many stand and are shown.
    pub(super) fn shown(&self) -> usize {
        self.shown
    }

    /// Adds one, in the place of the one that has its name.
    pub(super) fn insert(&mut self, slot: Slot) {
        let name: Box<str> = slot.consumer.name().into();
        self.remove(&name);
        self.counted += usize::from(slot.consumer.config().counts());
        self.shown += usize::from(slot.is_shown());
        let entry = Entry { slot, group: 0, rest: None, told: 0, due: None, is_awake: false, is_urgent: false };
        let key = self.entries.insert(Box::new(entry));
        self.by_name.insert(name, key);
        self.join(key);
        self.settle(key);
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, name: &str) -> Option<Slot> {
        let key = self.by_name.remove(name)?;
        self.leave(key);
        self.strays.retain(|&stray| stray != key);
        let entry = self.entries.try_remove(key)?;
        if let Some(due) = entry.due {
            self.due.remove(&(due, key));
        }
        self.counted -= usize::from(entry.slot.consumer.config().counts());
        self.shown -= usize::from(entry.slot.is_shown());
        Some(entry.slot)
    }

    /// Changes one. What it wants stays the same, or [`Self::rejoin`] follows.
    pub(super) fn change<T>(&mut self, key: Key, change: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        self.rouse(key);
        let slot = &mut self.entries.get_mut(key)?.slot;
        let was_shown = slot.is_shown();
        let result = change(slot);
        self.shown = self.shown + usize::from(slot.is_shown()) - usize::from(was_shown);
        self.settle(key);
        Some(result)
    }

    /// Changes all.
    pub(super) fn change_all(&mut self, mut change: impl FnMut(&mut Slot)) {
        for key in self.keys() {
            self.change(key, &mut change);
        }
    }

    /// One may want something else than before.
    pub(super) fn rejoin(&mut self, key: Key) {
        let Some(entry) = self.entries.get(key) else { return };
        if self.groups.get(entry.group).is_some_and(|group| group.filter == *entry.slot.consumer.filter()) {
            return;
        }
        self.rouse(key);
        self.leave(key);
        self.join(key);
    }

    fn join(&mut self, key: Key) {
        let entry = &mut self.entries[key];
        if entry.slot.consumer.is_unsettled() && !self.strays.contains(&key) {
            self.strays.push(key);
        }
        let filter = entry.slot.consumer.filter();
        let same = |group: &Key| self.groups[*group].filter == *filter;
        let like = Group::patterns(filter).next().map_or(&[][..], |pattern| self.by_filter.get(pattern));
        entry.group = like.iter().copied().find(same).unwrap_or_else(|| {
            let group = self.groups.insert(Group::new(filter.clone()));
            Group::patterns(filter).for_each(|pattern| self.by_filter.insert(pattern, group));
            group
        });
        let group = &mut self.groups[entry.group];
        group.members.push(key);
        group.lively.push(key);
    }

    fn leave(&mut self, key: Key) {
        let entry = &mut self.entries[key];
        let group = &mut self.groups[entry.group];
        if let Some(rest) = entry.rest.take() {
            group.resting.get_up(&rest);
        }
        for list in [&mut group.members, &mut group.lively] {
            if let Some(at) = list.iter().position(|&member| member == key) {
                list.swap_remove(at);
            }
        }
        if group.members.is_empty() {
            let group = self.groups.remove(entry.group);
            for pattern in Group::patterns(&group.filter) {
                self.by_filter.remove(pattern, |&other| other == entry.group);
            }
        }
    }

    /// Tells one what it has missed.
    fn rouse(&mut self, key: Key) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if let Some(rest) = entry.rest.take() {
            let group = &mut self.groups[entry.group];
            let missed = group.resting.get_up(&rest);
            group.lively.push(key);
            entry.slot.consumer.missed(missed.added, missed.removed);
        }
    }

    /// One was called, or has changed: finds out when something is due for it. If that is later than what is known, it shows when that
    /// time has come.
    fn settle(&mut self, key: Key) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.told = 0;
        let due = entry.slot.due();
        match (entry.due, due) {
            (Some(known), Some(due)) if due >= known => return,
            (None, None) => return,
            (Some(known), _) => self.due.remove(&(known, key)),
            (None, Some(_)) => false,
        };
        entry.due = due;
        self.due.extend(due.map(|due| (due, key)));
    }

    /// When something may be due.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Those for which something is due; they are called, or [changed](Self::change), afterwards.
    pub(super) fn take_due(&mut self, now: Time) -> Vec<Key> {
        let mut keys = Vec::new();
        while self.next_due().is_some_and(|due| due <= now)
            && let Some((_, key)) = self.due.pop_first()
        {
            keys.push(key);
            if let Some(entry) = self.entries.get_mut(key) {
                entry.due = None;
            }
        }
        keys
    }

    /// There may be something to deliver for one.
    pub(super) fn wake(&mut self, key: Key) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.wake(key, &mut self.awake);
        }
    }

    /// Whether there may be something to deliver.
    pub(super) fn is_any_awake(&self) -> bool {
        !self.awake.is_empty()
    }

    /// Puts those that are awake into `keys`, which is empty, and lets them sleep.
    pub(super) fn take_awake(&mut self, keys: &mut Vec<Key>) {
        std::mem::swap(&mut self.awake, keys);
        for &key in &*keys {
            if let Some(entry) = self.entries.get_mut(key) {
                entry.is_awake = false;
            }
        }
    }

    /// The progress of one is to be written.
    pub(super) fn hurry(&mut self, key: Key) {
        if let Some(entry) = self.entries.get_mut(key)
            && !std::mem::replace(&mut entry.is_urgent, true)
        {
            self.urgent.push(key);
        }
    }

    /// Whether progress is to be written.
    pub(super) fn is_any_urgent(&self) -> bool {
        !self.urgent.is_empty()
    }

    /// Puts those whose progress is to be written into `keys`, which is empty.
    pub(super) fn take_urgent(&mut self, keys: &mut Vec<Key>) {
        std::mem::swap(&mut self.urgent, keys);
        for &key in &*keys {
            if let Some(entry) = self.entries.get_mut(key) {
                entry.is_urgent = false;
            }
        }
    }

    /// A message came.
    pub(super) fn added(&mut self, seq: u64, subject: &[u8]) {
        let Self { entries, groups, by_filter, awake, .. } = self;
        by_filter.for_each_match(subject, |&group| groups[group].added(seq, entries, awake));
    }

    /// Messages went, and who wanted them nobody knows.
    pub(super) fn lost(&mut self, seqs: &RangeInclusive<u64>, why: Removal) {
        for key in self.keys() {
            if self.change(key, |slot| slot.consumer.lost(seqs, why)) == Some(true) {
                self.wake(key);
            }
        }
    }

    /// A message went.
    pub(super) fn removed(&mut self, message: &Discarded<'_>) {
        let Self { entries, groups, by_filter, strays, awake, .. } = self;
        by_filter.for_each_match(message.subject, |&group| groups[group].removed(message, entries, awake));
        strays.retain(|&key| {
            let entry = &mut entries[key];
            let consumer = &mut entry.slot.consumer;
            let is_stray = !consumer.filter().matches(message.subject);
            if is_stray && consumer.removed(message.seq, message.subject, message.why) {
                entry.wake(key, awake);
            }
            entry.slot.consumer.is_unsettled()
        });
    }

    /// Messages went, and nothing before `first` is left. Who is further than that hears nothing of it.
    pub(super) fn purged(&mut self, first: u64) {
        let keys: Vec<Key> = self.entries.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.passes(key, first);
        }
    }

    /// Messages of these subjects went: nothing before `first` is left, and of them nothing before `of_them`. Who wants others, too,
    /// goes on with the first that there is.
    pub(super) fn purged_of(&mut self, pattern: &[u8], first: u64, of_them: u64) {
        let mut keys = Vec::new();
        self.by_filter.for_each_overlapping(pattern, |&group| keys.extend_from_slice(&self.groups[group].members));
        for key in keys {
            let Some(slot) = self.get(key) else { continue };
            let wants_no_others =
                Group::patterns(slot.consumer.filter()).all(|own| martlet_subject::is_subset(own, pattern));
            self.passes(key, if wants_no_others { of_them } else { first });
        }
    }

    fn passes(&mut self, key: Key, seq: u64) {
        if self.get(key).is_some_and(|slot| slot.consumer.is_behind(seq)) {
            self.change(key, |slot| slot.consumer.purged(seq));
        }
    }

    /// Whether anybody wants messages of a subject.
    pub(super) fn wants(&self, subject: &[u8]) -> bool {
        self.by_filter.has_match(subject)
    }

    /// Whether `is` is so for any that wants messages of a subject.
    pub(super) fn is_any(&self, subject: &[u8], is: impl Fn(&Consumer) -> bool) -> bool {
        let mut found = false;
        self.by_filter.for_each_match(subject, |&group| {
            found = found || self.groups[group].members.iter().any(|&key| is(&self.entries[key].slot.consumer));
        });
        found
    }

    /// Whether `is` is so for any that wants some of what a filter selects.
    pub(super) fn overlaps(&self, filter: &Filter, is: impl Fn(&Consumer) -> bool) -> bool {
        let mut found = false;
        for pattern in Group::patterns(filter) {
            self.by_filter.for_each_overlapping(pattern, |&group| {
                found = found || self.groups[group].members.iter().any(|&key| is(&self.entries[key].slot.consumer));
            });
        }
        found
    }

    /// What one has missed up to now: messages that came, and that went.
    pub(super) fn missed(&self, name: &str) -> (u64, u64) {
        let entry = self.key(name).map(|key| &self.entries[key]);
        let missed = entry.and_then(|entry| Some(self.groups[entry.group].resting.missed(entry.rest.as_ref()?)));
        missed.map_or((0, 0), |missed| (missed.added, missed.removed))
    }
}
