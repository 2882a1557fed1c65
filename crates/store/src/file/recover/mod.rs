//! Opening: from checkpoint and segments to where the log was.
//!
//! What is damaged and may have been durable is *unreadable*; what cannot have been, and looks like a write that was cut
//! off, is no part of the log. Entries up to the checkpoint only say what is where; those behind it are applied again.

mod adopt;
mod files;

use std::cell::RefCell;
use std::sync::Arc;

use super::checkpoint::{self, Checkpoint, Slots};
use super::keys;
use super::log::Log;
use super::open::{Damage, OpenError, Options};
use super::read::Windows;
use super::segment::{HEADER, Segment, SegmentHeader, name_of};
use super::survey::{Event, Lost, describe, offset, survey};
use super::view::View;
use super::walk::Expected;
use crate::disk::Disk;
use crate::frame::{Fact, Header, Packer};
use crate::index::Index;
use crate::record::Message;
use crate::store::{Observer, Unreadable};

/// What opening works on.
pub(super) struct Recovery<'o> {
    pub log: Log,
    pub windows: Windows,
    pub index: Index,
    pub unreadable: Vec<Unreadable>,
    pub found: RefCell<Vec<Unreadable>>,
    pub damage: Vec<Damage>,
    pub checkpoint: Option<Checkpoint>,
    pub slots: Slots,
    /// Messages whose bytes are still to be overwritten.
    pub erase: Vec<u64>,
    /// Segments whose files are missing or something else.
    pub spoilt: Vec<u64>,
    /// Whether it is known what subjects had at the checkpoint.
    pub has_subjects: bool,
    observer: &'o mut dyn Observer,
    /// Entries up to this one were durable for certain.
    known_durable: u64,
    /// The next entry.
    expected: u64,
    /// The checksum of the header before it, if that is known.
    chain: Option<u32>,
    lost: Lost,
    /// Messages that the last damaged entry is known to have had, and has not given.
    missing: u64,
    /// Where the log has to be cut: a segment's position, and a place in it.
    cut: Option<(usize, u32)>,
    /// Whether the last segment ends in something that must not be written over.
    ends_in_damage: bool,
}

impl<'o> Recovery<'o> {
    /// Reads everything.
    pub(super) fn run(
        disk: Arc<dyn Disk>,
        options: &Options<'_>,
        observer: &'o mut dyn Observer,
    ) -> Result<Self, OpenError> {
        let names = disk.list().map_err(OpenError::io("list the files"))?;
        let mut damage = Vec::new();
        let vault = keys::open(&*disk, &names, options.encryption.as_ref(), &mut damage)?;
        let (best, spoilt) =
            checkpoint::load(&*disk, &names, vault.as_deref()).map_err(OpenError::io("read the checkpoint"))?;
        let mut recovery = Self::begin(disk, options, best, observer);
        recovery.log.packer.vault = vault;
        recovery.damage = damage;
        recovery.restore_limits(options);
        if let Some(checkpoint) = recovery.checkpoint.as_ref().filter(|checkpoint| !checkpoint.owner.is_empty()) {
            recovery.observer.restored(&checkpoint.owner);
        }
        for spoilt in spoilt {
            recovery.damage.push(Damage { what: format!("{} {}", spoilt.file, spoilt.why), seqs: None });
        }
        let numbers = recovery.segment_numbers(&names)?;
        recovery.restore_subjects(options);
        recovery.salt(&numbers, options)?;
        recovery.known_durable = recovery.find_durable(&numbers)?;
        if recovery.checkpoint.is_none() && recovery.known_durable > 0 {
            let what = "checkpoint.0 and checkpoint.1 cannot be read: what was kept in them is lost".to_owned();
            recovery.damage.push(Damage { what, seqs: None });
        }
        for &number in &numbers {
            if recovery.cut.is_none() && !recovery.adopt(number) {
                recovery.segment(number)?;
            }
        }
        recovery.end();
        recovery.tidy(&numbers)?;
        recovery.remove_remains(&names)?;
        Ok(recovery)
    }

    fn begin(
        disk: Arc<dyn Disk>,
        options: &Options<'_>,
        best: Option<(usize, Checkpoint)>,
        observer: &'o mut dyn Observer,
    ) -> Self {
        let mut log = Log::new(disk, options.salt, options.segment_bytes);
        log.packer = Packer::new(options.compresses);
        let (mut index, mut slots) = (Index::new(options.first_seq), Slots::default());
        let checkpoint = best.map(|(slot, checkpoint)| {
            log.salt = checkpoint.salt;
            log.next_number = checkpoint.next_number;
            (log.generation, log.durable_generation) = (checkpoint.generation, checkpoint.generation);
            slots = Slots::resume(slot, checkpoint.generation);
            index = index_of(&checkpoint);
            checkpoint
        });
        Self {
            log,
            windows: Windows::default(),
            index,
            unreadable: Vec::new(),
            found: RefCell::default(),
            damage: Vec::new(),
            slots,
            erase: checkpoint.as_ref().map(|checkpoint| checkpoint.erase.clone()).unwrap_or_default(),
            spoilt: Vec::new(),
            has_subjects: false,
            observer,
            known_durable: checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.index),
            checkpoint,
            expected: 1,
            chain: None,
            lost: Lost::default(),
            missing: 0,
            cut: None,
            ends_in_damage: false,
        }
    }

    /// The bounds in force where the entries begin that are applied again.
    fn restore_limits(&mut self, options: &Options<'_>) {
        let limits = self.checkpoint.as_ref().map_or(options.limits, |checkpoint| checkpoint.limits);
        // They were kept there, so that nobody goes now.
        let view = &mut View::new(&self.log, &self.windows, &self.found).but_for(&self.unreadable);
        self.index.set_limits(limits, view, self.observer);
    }

    fn segment(&mut self, number: u64) -> Result<(), OpenError> {
        let name = name_of(number);
        let Some(bytes) = self.load_all(number)? else {
            if self.is_unborn(&[]) {
                self.cut = Some((self.log.segments.len(), 0));
                return Ok(());
            }
            self.lost.hole(&name, 0, "is missing");
            self.chain = None;
            self.spoilt.push(number);
            return Ok(());
        };
        let header = match SegmentHeader::decode(&bytes) {
            Ok(header) if header.number == number && header.salt == self.log.salt => Ok(header),
            Ok(_) => Err("is another file"),
            Err(why) => Err(why),
        };
        let is_known = header.is_ok();
        let header = match header {
            // Entries at the end of the segment before never got to the disk: nothing behind them was durable.
            Ok(header) if self.expected > self.known_durable && self.is_gap(&header) => {
                self.cut = Some((self.log.segments.len(), 0));
                return Ok(());
            }
            Ok(header) => {
                self.enter_segment(&header, &name);
                header
            }
            Err(why) => {
                if self.is_unborn(&bytes) {
                    self.cut = Some((self.log.segments.len(), 0));
                    return Ok(());
                }
                self.damage.push(Damage { what: describe(&name, 0, why), seqs: None });
                if why != "has a damaged header" && why != "has no header" {
                    self.lost.hole(&name, 0, why);
                    self.chain = None;
                    self.spoilt.push(number);
                    return Ok(());
                }
                // What is behind the header says itself where it belongs.
                SegmentHeader {
                    salt: self.log.salt,
                    previous: self.chain.unwrap_or(self.log.salt),
                    number,
                    first_index: self.expected,
                    last_seq: self.lost.last_seq,
                    compacted: None,
                }
            }
        };
        let mut segment = Segment::new(header);
        segment.allocated = bytes.len() as u64;
        self.log.seal_last();
        self.log.segments.push(segment);
        self.frames(&bytes, &name, (&header, is_known));
        Ok(())
    }

    /// Whether a segment was begun, and the power went before anything of it was durable.
    fn is_unborn(&self, bytes: &[u8]) -> bool {
        let header = &bytes[..bytes.len().min(HEADER as usize)];
        self.expected > self.known_durable && (header.len() < HEADER as usize || header.iter().all(|byte| *byte == 0))
    }

    /// Entries and sequences go on at a segment's beginning, or something before it is gone.
    fn enter_segment(&mut self, header: &SegmentHeader, name: &str) {
        if self.log.segments.is_empty() && self.lost.hole.is_none() && self.checkpoint.is_some() {
            // What was before has been given up, all of it.
            self.expected = header.first_index;
            self.lost.last_seq = header.last_seq;
            self.chain = Some(header.previous);
            return;
        }
        if self.is_gap(header) {
            self.lost.hole(name, 0, "does not follow the segment before");
        }
        self.expected = self.expected.max(header.first_index);
        self.settle(header.last_seq + 1);
        self.chain = Some(header.previous);
    }

    /// Whether entries are missing before a segment: they are not if a segment was given up there.
    fn is_gap(&self, header: &SegmentHeader) -> bool {
        let before = self.log.segments.last().map_or(0, |segment| segment.header.number);
        header.first_index > self.expected && self.lost.hole.is_none() && before + 1 == header.number
    }

    /// Reads a segment's entries; whether its header says which ones are here, or it is not known.
    fn frames(&mut self, bytes: &[u8], name: &str, (header, is_known): (&SegmentHeader, bool)) {
        let mut expected = Expected {
            salt: self.log.salt,
            index: self.expected,
            compacted: if is_known { header.compacted.map(|compacted| compacted.last_index) } else { Some(u64::MAX) },
            missing: 0,
            unpacker: self.log.packer.unpacker(header.number),
        };
        let mut frame = (0, 0_u64, HEADER as usize);
        let end = survey(bytes, &mut expected, &mut |event| match event {
            Event::Entry { header, at, might_be_torn } => {
                if might_be_torn && header.index > self.known_durable {
                    self.cut = Some((self.log.segments.len() - 1, offset(at)));
                    return false;
                }
                self.enter_frame(name, &header, at);
                frame = (at, header.index, at + header.frame_len());
                true
            }
            Event::Hole { from, to, why, might_be_torn } => {
                if might_be_torn && self.expected > self.known_durable {
                    self.cut = Some((self.log.segments.len() - 1, offset(from)));
                    return false;
                }
                self.hole(name, from, to, why, to <= frame.2);
                true
            }
            Event::Fact(fact, at) => {
                self.fact(frame.1, fact, at, frame.0);
                true
            }
        });
        let segment = self.log.segments.last_mut().expect("it was pushed");
        segment.end = offset(end.max(HEADER as usize));
        segment.last_index = self.expected - 1;
        segment.last_seq = self.lost.last_seq;
        segment.chain = self.chain.unwrap_or(segment.chain);
        if let (Some(compacted), None) = (header.compacted, self.cut) {
            self.expected = compacted.last_index + 1;
            self.settle(compacted.last_seq + 1);
            self.chain = Some(compacted.chain);
            let segment = self.log.segments.last_mut().expect("it was pushed");
            (segment.last_index, segment.last_seq) = (compacted.last_index, compacted.last_seq);
            (segment.chain, segment.is_sealed) = (compacted.chain, true);
        }
        self.ends_in_damage = self.lost.hole.is_some();
    }

    fn enter_frame(&mut self, name: &str, header: &Header, at: usize) {
        if self.chain.is_some_and(|chain| chain != header.previous) {
            let what = describe(name, at, "has an entry that does not follow the one before");
            self.damage.push(Damage { what, seqs: None });
        }
        if self.lost.hole.is_some() {
            // The sequences that its records count from go on where those before it ended.
            self.settle(header.base_seq.max(self.lost.last_seq + 1));
        }
        self.chain = Some(header.sum);
        self.expected = header.index + 1;
        // What an entry has that the checkpoint covers, that one has counted: nothing of it lies behind the last sequence there.
        self.missing = if self.is_new(header.index) { u64::from(header.count) } else { 0 };
        let segment = self.log.segments.last_mut().expect("it was pushed");
        segment.end = offset(at + header.frame_len());
        segment.seen.get_mut().entry(header);
    }

    /// Whether an entry is behind the checkpoint.
    fn is_new(&self, index: u64) -> bool {
        self.checkpoint.as_ref().is_none_or(|checkpoint| index > checkpoint.index)
    }

    fn hole(&mut self, name: &str, from: usize, to: usize, why: &'static str, is_in_frame: bool) {
        self.lost.hole(name, from, why);
        if !is_in_frame {
            self.chain = None;
            // No message takes less than this.
            self.missing = ((to - from) / 16 + 1) as u64;
        }
        let segment = self.log.segments.last().expect("it was pushed");
        segment.seen.borrow_mut().holes.push((offset(from), offset(to)));
    }

    fn fact(&mut self, index: u64, fact: Fact<'_>, at: usize, frame: usize) {
        self.missing = self.missing.saturating_sub(1);
        if let Fact::Message(message) = &fact {
            if message.seq <= self.lost.last_seq {
                return;
            }
            self.settle(message.seq);
            self.lost.last_seq = message.seq;
            let segment = self.log.segments.last_mut().expect("it was pushed");
            segment.last_seq = message.seq;
            segment.seen.borrow_mut().message(message.seq, message.time.as_nanos(), offset(at), offset(frame));
        }
        if let Fact::Skip { through } | Fact::Erased { seq: through } = fact {
            self.settle(through.saturating_add(1).max(self.lost.last_seq + 1));
        }
        if self.is_new(index) {
            let view = &mut View::new(&self.log, &self.windows, &self.found).but_for(&self.unreadable);
            super::apply::fact(&mut self.index, view, &fact, self.observer);
            self.erase.append(&mut view.erase);
        } else if let Fact::Message(message) = &fact {
            self.known(message);
        }
    }

    /// A message that the checkpoint has counted.
    fn known(&mut self, message: &Message<'_>) {
        if !self.index.is_there(message.seq) {
            return;
        }
        if !self.has_subjects {
            let state = crate::store::SubjectState { first: message.seq, last: message.seq, messages: 1 };
            self.index.restore_subject(message.subject, state);
        }
        if let Some(at) = message.expires {
            self.index.restore_expiry(at, message.seq);
        }
    }

    /// Nothing more comes before `seq`: what is lost up to there is unreadable.
    fn settle(&mut self, seq: u64) {
        self.miss(seq);
        let Some((seqs, why)) = self.lost.before(seq) else { return };
        if seqs.is_empty() {
            self.damage.push(Damage { what: why, seqs: None });
            return;
        }
        // Those the checkpoint knew are in the index; those behind it are new to it.
        let known = self.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.state.last_seq);
        let new = (*seqs.start()).max(known + 1)..=*seqs.end();
        if !new.is_empty() {
            self.index.lose(new);
        }
        let messages = alive(&self.index, &seqs);
        // One that was being overwritten when the power went is no damage.
        if messages > 0 || !seqs.clone().all(|seq| self.erase.contains(&seq)) {
            self.damage.push(Damage { what: why.clone(), seqs: (messages > 0).then(|| seqs.clone()) });
        }
        if messages > 0 {
            self.unreadable.push(Unreadable { seqs, messages, why });
        }
    }

    /// Messages that the checkpoint knows to be before `seq` should have been come upon.
    fn miss(&mut self, seq: u64) {
        let Some(checkpoint) = self.checkpoint.as_ref().filter(|_| seq > self.lost.last_seq + 1) else { return };
        let seqs = self.lost.last_seq + 1..=(seq - 1).min(checkpoint.state.last_seq);
        if self.lost.hole.is_none() && alive(&self.index, &seqs) > 0 {
            let name = self.log.segments.last().map_or_else(|| name_of(1), Segment::name);
            self.lost.hole(&name, 0, "has not all messages that it had: they are missing behind what is");
        }
    }

    /// The log ends here.
    fn end(&mut self) {
        let checkpoint = self.checkpoint.as_ref().map(|checkpoint| (checkpoint.index, checkpoint.state.last_seq));
        let (index, last_seq) = checkpoint.unwrap_or_default();
        if self.expected <= index {
            self.lost.hole(&name_of(self.log.next_number.saturating_sub(1)), 0, "ends too early");
            self.expected = index + 1;
            self.missing = 0;
        }
        self.ends_in_damage |= self.lost.hole.is_some();
        let guess = if self.lost.hole.is_some() { self.lost.last_seq + self.missing } else { 0 };
        self.settle(last_seq.max(guess).max(self.lost.last_seq) + 1);
        // What is in use for the log is not used again.
        self.index.skip(self.lost.last_seq);
    }
}

/// What a checkpoint knows of what there is: all but subjects and expiries.
fn index_of(checkpoint: &Checkpoint) -> Index {
    let mut index = Index::restore(&checkpoint.state);
    for range in &checkpoint.deleted {
        index.restore_deleted(range.clone());
    }
    index
}

/// How many messages there are in a range.
pub(super) fn alive(index: &Index, seqs: &std::ops::RangeInclusive<u64>) -> u64 {
    let from = (*seqs.start()).max(index.first_seq());
    let to = (*seqs.end()).min(index.last_seq());
    if from > to { 0 } else { to - from + 1 - index.deleted().count(from..=to) }
}
