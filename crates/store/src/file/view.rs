//! The log as the index sees it: messages, by sequence.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use super::log::Log;
use super::read::{Fault, Found, Then, Windows, positions};
use super::segment::{Segment, name_of};
use super::survey;
use crate::disk::is_passing;
use crate::index::{Head, Heads};
use crate::record::Message;
use crate::store::{ReadError, SubjectState, Unreadable};

/// The log's messages.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub log: &'a Log,
    pub windows: &'a Windows,
    /// Damage that has been found since it was asked for last.
    pub found: &'a RefCell<Vec<Unreadable>>,
    /// What is known not to be readable, in order.
    unreadable: &'a [Unreadable],
    /// Messages whose bytes are to be overwritten.
    pub erase: Vec<u64>,
    /// Why something could not be looked at now, if so: what was found may be wrong.
    missed: RefCell<Option<String>>,
}

/// The bytes of a message as a stream in files counts them.
#[inline]
pub(crate) fn size_of(message: &Message<'_>) -> u64 {
    let headers = if message.headers.is_empty() { 0 } else { message.headers.len() + 4 };
    (30 + message.subject.len() + headers + message.payload.len()) as u64
}

fn head_of<'m>(message: &Message<'m>) -> Head<'m> {
    Head {
        seq: message.seq,
        time: message.time,
        subject: message.subject,
        size: size_of(message),
        expires: message.expires,
        before: None,
        after: None,
    }
}

impl<'a> View<'a> {
    pub(crate) fn new(log: &'a Log, windows: &'a Windows, found: &'a RefCell<Vec<Unreadable>>) -> Self {
        Self { log, windows, found, unreadable: &[], erase: Vec::new(), missed: RefCell::default() }
    }

    /// The same, if it is known what cannot be read.
    pub(crate) fn but_for(self, unreadable: &'a [Unreadable]) -> Self {
        Self { unreadable, ..self }
    }

    /// Tells of the message with a sequence; whether there is one that can be read.
    pub(crate) fn message(&self, seq: u64, f: &mut dyn FnMut(Found<'_>)) -> bool {
        let position = self.log.segments.partition_point(|segment| segment.last_seq < seq);
        let Some(segment) = self.log.segments.get(position).filter(|segment| segment.after_seq() < seq) else {
            return false;
        };
        let mut is_there = false;
        self.scan_segment(segment, seq, seq, &mut |found| {
            is_there = found.message.seq == seq;
            if is_there {
                f(found);
            }
            Then::Stop
        });
        is_there
    }

    /// Tells of a segment's messages from `from` to `to`; damage that comes up is written down and passed over.
    fn scan_segment(&self, segment: &Segment, mut from: u64, to: u64, f: &mut dyn FnMut(Found<'_>) -> Then) -> Then {
        // The second time, damage is known and passed over.
        for _ in 0..2 {
            let mut then = Then::Go;
            let result = self.windows.scan(self.log, segment, from, &mut |found| {
                if found.message.seq > to {
                    return Then::Stop;
                }
                from = found.message.seq + 1;
                then = f(found);
                then
            });
            // What takes no message along is named by the scrub.
            let examined = match result {
                Ok(()) => return then,
                Err(Fault::Damaged) => survey::examine(self.log, segment, &mut self.found.borrow_mut()).map(drop),
                Err(Fault::NotNow(error)) => Err(error),
            };
            match examined {
                Ok(()) => {}
                Err(error) if is_passing(&error) => return self.miss(&segment.name(), &error),
                Err(error) => return self.cannot_read(segment, from, to, &error),
            }
        }
        self.cannot_read(segment, from, to, &"it changes while it is read")
    }

    /// Something cannot be looked at now: nothing is told of what is behind it either.
    pub(super) fn miss(&self, name: &str, error: &dyn ToString) -> Then {
        self.missed.borrow_mut().get_or_insert_with(|| format!("{name}: {}", error.to_string()));
        Then::Stop
    }

    /// Nothing, unless something could not be looked at.
    pub(super) fn has_seen_all(&self) -> Result<(), ReadError> {
        self.missed.borrow().clone().map_or(Ok(()), |why| Err(ReadError::NotNow(why)))
    }

    fn cannot_read(&self, segment: &Segment, from: u64, to: u64, error: &dyn ToString) -> Then {
        let seqs = from.max(segment.after_seq() + 1)..=to.min(segment.last_seq);
        let messages = seqs.end().saturating_sub(*seqs.start()) + 1;
        let why = format!("{}: {}", name_of(segment.header.number), error.to_string());
        self.found.borrow_mut().push(Unreadable { seqs, messages, why });
        Then::Go
    }
}

impl Heads for View<'_> {
    fn head(&self, seq: u64, f: &mut dyn FnMut(&Head<'_>)) -> bool {
        self.message(seq, &mut |found| f(&head_of(&found.message)))
    }

    fn scan(&self, seqs: RangeInclusive<u64>, f: &mut dyn FnMut(&Head<'_>) -> bool) {
        for position in positions(&self.log.segments, &seqs) {
            let then = self.scan_segment(&self.log.segments[position], *seqs.start(), *seqs.end(), &mut |found| {
                if f(&head_of(&found.message)) { Then::Go } else { Then::Stop }
            });
            if then == Then::Stop {
                return;
            }
        }
    }

    fn scan_back(&self, seqs: RangeInclusive<u64>, f: &mut dyn FnMut(&Head<'_>) -> bool) {
        for position in positions(&self.log.segments, &seqs).rev() {
            let segment = &self.log.segments[position];
            let (low, mut to) = ((*seqs.start()).max(segment.after_seq() + 1), (*seqs.end()).min(segment.last_seq));
            let (mut block, mut subjects) = (Vec::new(), Vec::new());
            while low <= to {
                // What is between two points is read forwards, and told backwards.
                let point = segment.seen.borrow().points.before(to);
                let from = point.map_or(low, |point| point.seq.max(low));
                block.clear();
                subjects.clear();
                self.scan_segment(segment, from, to, &mut |found| {
                    let head = head_of(&found.message);
                    block.push((Head { subject: b"", ..head }, subjects.len()));
                    subjects.extend_from_slice(head.subject);
                    Then::Go
                });
                for (head, subject) in block.drain(..).rev() {
                    let head = Head { subject: &subjects[subject..], ..head };
                    if !f(&head) {
                        return;
                    }
                    subjects.truncate(subject);
                }
                to = from - 1;
            }
        }
    }

    fn next_of(&self, subject: &[u8], known: &SubjectState, seqs: RangeInclusive<u64>) -> Option<u64> {
        self.first_within(subject, *seqs.start()..=known.last.min(*seqs.end()))
    }

    fn last_of(&self, subject: &[u8], known: &SubjectState, seqs: RangeInclusive<u64>) -> Option<u64> {
        self.last_within(subject, known.first.max(*seqs.start())..=*seqs.end())
    }

    fn each_of(&self, subject: &[u8], known: &SubjectState, seqs: RangeInclusive<u64>, f: &mut dyn FnMut(u64)) {
        self.each_within(subject, known.first.max(*seqs.start())..=known.last.min(*seqs.end()), f);
    }

    fn lost_through(&self, seq: u64) -> Option<u64> {
        let next = self.unreadable.partition_point(|lost| *lost.seqs.end() < seq);
        self.unreadable.get(next).filter(|lost| lost.seqs.contains(&seq)).map(|lost| *lost.seqs.end())
    }

    fn has_missed(&self) -> bool {
        self.missed.borrow().is_some()
    }

    fn forget(&mut self, seq: u64, erase: bool) {
        if erase {
            self.erase.push(seq);
        }
    }
}
