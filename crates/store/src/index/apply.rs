//! What records and limits do to the index.

use std::ops::RangeInclusive;

use martlet_events::WallTime;

use super::{Entry, Heads, Index, Recent};
use crate::record::{NEVER, Purge, Record};
use crate::store::{Discarded, Filter, Limits, Observer, Removal, SubjectState};

impl Index {
    /// What any record does but a message, which takes [`Self::add`], then [`Self::enforce`]: it may stand where the store
    /// is to take others from.
    pub fn apply<H: Heads + ?Sized>(&mut self, record: &Record<'_>, heads: &mut H, observer: &mut dyn Observer) {
        match record {
            Record::Message(_) => debug_assert!(false, "a message is added"),
            Record::Skip { through } => self.skip(*through),
            Record::Remove { ranges, erase } => {
                for range in *ranges {
                    self.remove_within(range.clone(), *erase, heads, observer);
                }
            }
            Record::Purge(purge) => self.purge(purge, heads, observer),
            Record::Expire { now, before } => self.expire(*now, *before, heads, observer),
            Record::Note { kind, bytes } => observer.noted(*kind, bytes),
        }
    }

    /// Messages with these sequences go, if they are there.
    // spec: JS-022
    pub(crate) fn remove_within<H: Heads + ?Sized>(
        &mut self,
        range: RangeInclusive<u64>,
        erase: bool,
        heads: &mut H,
        observer: &mut dyn Observer,
    ) {
        let mut from = *range.start();
        while let Some(seq) = self.next_any(from).filter(|seq| seq <= range.end()) {
            let through = heads.lost_through(seq).map(|through| through.min(*range.end()));
            if let Some(through) = through {
                self.remove_lost(seq..=through, u64::MAX, Removal::Removed, observer);
            } else {
                self.remove(seq, Removal::Removed, erase, heads, observer);
            }
            from = through.unwrap_or(seq).saturating_add(1);
        }
    }

    /// Puts bounds in force; who is over one goes.
    pub fn set_limits<H: Heads + ?Sized>(&mut self, limits: Limits, heads: &mut H, observer: &mut dyn Observer) {
        let before = std::mem::replace(&mut self.limits, limits);
        let (was, is) = (before.max_msgs_per_subject, limits.max_msgs_per_subject);
        if is > 0 && (was == 0 || is < was) {
            self.enforce_subjects(is, heads, observer);
        }
        self.enforce_totals(heads, observer);
    }

    /// What goes because a message of this subject has been added just now.
    pub fn enforce<H: Heads + ?Sized>(&mut self, subject: &[u8], heads: &mut H, observer: &mut dyn Observer) {
        let (max, recent) = (self.limits.max_msgs_per_subject, self.recent.take());
        // Mostly it is one too many, and known which.
        let is_known = |entry: &Entry| entry.messages() <= max.saturating_add(1) && !entry.first_is_bound();
        match recent.filter(|recent| is_known(&recent.entry)) {
            _ if max == 0 => {}
            Some(recent) if recent.entry.messages() <= max => {}
            Some(recent) => self.enforce_recent(subject, &recent, heads, observer),
            None => {
                while let Some(first) = self.first_over(subject, max, heads) {
                    if !self.remove(first, Removal::Limit, false, heads, observer) {
                        break;
                    }
                }
            }
        }
        self.enforce_totals(heads, observer);
    }

    /// The first message of a subject goes, as it has one too many since the recent one. If the recent one is then the only
    /// one, its size is kept; if the size of the first one was kept so, that need not be read.
    fn enforce_recent<H: Heads + ?Sized>(
        &mut self,
        subject: &[u8],
        recent: &Recent,
        heads: &mut H,
        observer: &mut dyn Observer,
    ) {
        let SubjectState { first: seq, last, messages } = recent.entry.bounds();
        let size = recent.size_before.filter(|_| self.unreadable == 0 && !self.has_lost && self.is_there(seq));
        if let Some(size) = size {
            let gone = Discarded { seq, subject, size, why: Removal::Limit, is_last_of_subject: false };
            self.take(gone, (None, Some(last)), observer);
            heads.forget(seq, false);
        } else {
            self.remove(seq, Removal::Limit, false, heads, observer);
        }
        if messages == 2
            && let (Some(size), Some(entry)) = (recent.size, self.subjects.get_mut(subject))
        {
            entry.get_mut().set_size(last, size);
        }
    }

    /// A subject's first message, if it has more than `max`.
    fn first_over<H: Heads + ?Sized>(&self, subject: &[u8], max: u64, heads: &H) -> Option<u64> {
        let entry = self.subjects.get(subject)?;
        (entry.get().messages() > max).then(|| self.first_of(subject, entry, heads))
    }

    fn enforce_totals<H: Heads + ?Sized>(&mut self, heads: &mut H, observer: &mut dyn Observer) {
        let Limits { max_msgs, max_bytes, discard_old, .. } = self.limits;
        let over = |is: u64, max: u64| max > 0 && is > max;
        while discard_old && self.messages > 0 && (over(self.messages, max_msgs) || over(self.bytes, max_bytes)) {
            if let Some(through) = heads.lost_through(self.first_seq) {
                // What they take in bytes is not known.
                let most = if over(self.bytes, max_bytes) { u64::MAX } else { self.messages - max_msgs };
                self.remove_lost(self.first_seq..=through, most, Removal::Limit, observer);
                continue;
            }
            if !self.remove(self.first_seq, Removal::Limit, false, heads, observer) {
                return;
            }
        }
    }

    /// Takes the first messages of all subjects that have more than `max`, by sequence: in one pass over the stream.
    fn enforce_subjects<H: Heads + ?Sized>(&mut self, max: u64, heads: &mut H, observer: &mut dyn Observer) {
        let mut over = 0;
        self.subjects.for_each(b">", |_, entry| {
            over += entry.get().messages().saturating_sub(max);
            true
        });
        let mut from = self.first_seq;
        while over > 0 && self.messages > 0 {
            let mut next = None;
            heads.scan(from..=self.last_seq, &mut |head| {
                let of_subject = || self.subjects.get(head.subject).map_or(0, |entry| entry.get().messages());
                next = (self.is_there(head.seq) && of_subject() > max).then_some(head.seq);
                next.is_none()
            });
            let Some(seq) = next else { return };
            if !self.remove(seq, Removal::Limit, false, heads, observer) {
                return;
            }
            (from, over) = (seq + 1, over - 1);
        }
    }

    /// Many messages go.
    // spec: JS-021
    pub fn purge<H: Heads + ?Sized>(&mut self, purge: &Purge<'_>, heads: &mut H, observer: &mut dyn Observer) {
        let filter = Filter::new(purge.filter);
        let matching = self.count(&filter, 0, false, heads);
        let beyond = if purge.before > self.last_seq { 0 } else { self.count(&filter, purge.before, false, heads) };
        let mut left = (matching - beyond).saturating_sub(purge.keep);
        let mut from = self.first_seq;
        while left > 0 {
            let Some(seq) = self.next(&filter, from, heads).filter(|seq| *seq < purge.before) else { break };
            let through = heads.lost_through(seq).filter(|_| filter.is_any());
            if let Some(through) = through.map(|through| through.min(purge.before - 1)) {
                left -= self.remove_lost(seq..=through, left, Removal::Purged, observer);
                from = through.saturating_add(1);
                continue;
            }
            self.remove(seq, Removal::Purged, false, heads, observer);
            (from, left) = (seq + 1, left - 1);
        }
        if self.messages == 0 {
            self.first_seq = self.last_seq + 1;
        }
    }

    /// What is due goes: first what has a time of its own, by that time, then what is old, by sequence.
    ///
    /// Times of messages do not fall from one to the next, so that the first young one ends the search.
    pub fn expire<H: Heads + ?Sized>(
        &mut self,
        now: WallTime,
        before: Option<WallTime>,
        heads: &mut H,
        observer: &mut dyn Observer,
    ) {
        while let Some((at, seq)) = self.expiries.pop(now) {
            if !self.remove(seq, Removal::Expired, false, heads, observer) && self.is_there(seq) {
                return self.expiries.push(at, seq);
            }
        }
        let Some(before) = before else { return };
        self.young_from = self.young_from.max(self.first_seq);
        while self.messages > 0 {
            let seq = self.deleted.next_absent(self.young_from);
            if seq > self.last_seq {
                break;
            }
            if let Some(through) = heads.lost_through(seq) {
                self.young_from = through.saturating_add(1);
                continue;
            }
            let (mut is_old, mut stays) = (false, false);
            let readable = heads.head(seq, &mut |head| {
                stays = head.expires == Some(NEVER);
                is_old = head.time < before;
            });
            if !readable && heads.has_missed() {
                break;
            }
            if readable && !stays {
                let has_gone = is_old && self.remove(seq, Removal::Expired, false, heads, observer);
                if !is_old || (!has_gone && self.is_there(seq)) {
                    break;
                }
            }
            self.young_from = seq + 1;
        }
    }
}
