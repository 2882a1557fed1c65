//! A subject's messages: the next, the last, all of them. By summaries, where they are not near.

use std::ops::RangeInclusive;

use super::read::positions;
use super::segment::Segment;
use super::summary::{Entries, Summary};
use super::view::View;
use crate::index::Heads;

/// So many messages are looked at before a summary is read: that takes as long.
const NEAR: u64 = 64;

/// What is known of a subject in a segment.
enum Posted {
    /// Its messages, gone or not.
    Here(Entries<Vec<u8>>),
    Nowhere,
    /// The segment has to be read.
    Unknown,
}

impl View<'_> {
    /// The first message within `seqs` with just this subject.
    pub(super) fn first_within(&self, subject: &[u8], seqs: RangeInclusive<u64>) -> Option<u64> {
        let (from, to) = seqs.into_inner();
        let far = from.saturating_add(NEAR);
        let near = self.scan_for(subject, from..=to.min(far - 1));
        if near.is_some() || far > to {
            return near;
        }
        positions(&self.log.segments, &(far..=to)).find_map(|position| {
            let segment = &self.log.segments[position];
            let within = far.max(segment.after_seq() + 1)..=to.min(segment.last_seq);
            match self.posted(segment, subject) {
                Posted::Here(entries) => entries.seqs().find(|seq| within.contains(seq)),
                Posted::Nowhere => None,
                Posted::Unknown => self.scan_for(subject, within),
            }
        })
    }

    /// The last message within `seqs` with just this subject.
    pub(super) fn last_within(&self, subject: &[u8], seqs: RangeInclusive<u64>) -> Option<u64> {
        let (from, to) = seqs.into_inner();
        let far = to.saturating_sub(NEAR);
        let near = self.scan_back_for(subject, from.max(far + 1)..=to);
        if near.is_some() || far < from {
            return near;
        }
        positions(&self.log.segments, &(from..=far)).rev().find_map(|position| {
            let segment = &self.log.segments[position];
            let within = from.max(segment.after_seq() + 1)..=far.min(segment.last_seq);
            match self.posted(segment, subject) {
                Posted::Here(entries) => entries.seqs().filter(|seq| within.contains(seq)).last(),
                Posted::Nowhere => None,
                Posted::Unknown => self.scan_back_for(subject, within),
            }
        })
    }

    /// Tells of the messages within `seqs` with just this subject.
    pub(super) fn each_within(&self, subject: &[u8], seqs: RangeInclusive<u64>, f: &mut dyn FnMut(u64)) {
        for position in positions(&self.log.segments, &seqs) {
            let segment = &self.log.segments[position];
            let within = (*seqs.start()).max(segment.after_seq() + 1)..=(*seqs.end()).min(segment.last_seq);
            match self.posted(segment, subject) {
                Posted::Here(entries) => entries.seqs().filter(|seq| within.contains(seq)).for_each(&mut *f),
                Posted::Nowhere => {}
                Posted::Unknown => self.scan(within, &mut |head| {
                    if head.subject == subject {
                        f(head.seq);
                    }
                    true
                }),
            }
        }
    }

    fn scan_for(&self, subject: &[u8], seqs: RangeInclusive<u64>) -> Option<u64> {
        let mut found = None;
        self.scan(seqs, &mut |head| {
            found = (head.subject == subject).then_some(head.seq);
            found.is_none()
        });
        found
    }

    fn scan_back_for(&self, subject: &[u8], seqs: RangeInclusive<u64>) -> Option<u64> {
        let mut found = None;
        self.scan_back(seqs, &mut |head| {
            found = (head.subject == subject).then_some(head.seq);
            found.is_none()
        });
        found
    }

    fn posted(&self, segment: &Segment, subject: &[u8]) -> Posted {
        let (log, number) = (self.log, segment.header.number);
        if segment.summary.get() == 0 || log.spoilt.borrow().iter().any(|(spoilt, _)| *spoilt == number) {
            return Posted::Unknown;
        }
        let summary = Summary::open(&*log.disk, number, log.salt, log.packer.vault.clone());
        match summary.and_then(|summary| summary.find(subject, segment.after_seq())) {
            Ok(Some(entries)) => Posted::Here(entries),
            Ok(None) => Posted::Nowhere,
            Err(fault) => {
                log.spoilt_summary(number, fault);
                Posted::Unknown
            }
        }
    }
}
