//! The scrub: everything that is not written to any more is read once within a period, so that damage is found before somebody needs
//! what is damaged.
//!
//! One segment is due at a time, and is looked through with its summary in pieces, so that nobody waits for all of it. Where something
//! is not as it was written, the whole segment is looked through at once: what is wrong with it has to be known from there on. What
//! cannot be read now is left, and is due again next.
//!
//! Invariant: nothing is changed here but what is known of files.

use martlet_events::WallTime;

use super::pieces::Pieces;
use super::read::Fault;
use super::recover::alive;
use super::segment::{HEADER, Segment};
use super::summary::Summary;
use super::survey::{check_header, examine};
use super::{Damage, FileStore};
use crate::disk::is_passing;

/// Bytes of a summary that make a piece of work.
const PIECE: u32 = 128 << 10;

/// What is to be looked through cannot be read now.
pub(super) struct NotNow;

/// A segment being looked through.
#[derive(Debug)]
pub(super) struct Scrubbing {
    /// Its number.
    pub number: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Header,
    Segment(Pieces),
    /// The place in the summary to go on at.
    Summary(u32),
}

impl FileStore {
    /// Looks some of what is due through; whether there is more.
    pub(super) fn scrub(&mut self, now: WallTime) -> bool {
        if self.scrubbing.is_none() {
            self.scrubbing = self.next_to_scrub(now);
        }
        let Some(scrubbing) = self.scrubbing.take() else { return false };
        let number = scrubbing.number;
        match self.log.position(number).map(|position| self.look(position, scrubbing.stage)) {
            Some(Ok(stage)) => self.scrubbing = stage.map(|stage| Scrubbing { number, stage }),
            Some(Err(NotNow)) => self.scrubbed = (number.saturating_sub(1), now),
            None => {}
        }
        self.after_change();
        self.scrubbing.is_some()
    }

    /// The next sealed segment, when it is time.
    fn next_to_scrub(&mut self, now: WallTime) -> Option<Scrubbing> {
        let period = self.scrub_every()?;
        let (number, last) = self.scrubbed;
        let mut sealed = self.log.segments.iter().filter(|segment| segment.is_sealed);
        if last == WallTime::default() {
            // Streams that are opened together do not all read at once, and one that is often opened anew is read everywhere.
            let share =
                |of: u64| u64::try_from((u128::from(of) * u128::from(self.scrub_chance)) >> u32::BITS).unwrap_or(0);
            let place = usize::try_from(share(sealed.clone().count() as u64)).unwrap_or(0);
            let first = sealed.map(|segment| segment.header.number).nth(place).unwrap_or_default();
            let since = now.as_nanos().saturating_sub(share(period)).max(1);
            self.scrubbed = (first.saturating_sub(1), WallTime::from_nanos(since));
            return None;
        }
        if now.as_nanos().saturating_sub(last.as_nanos()) < period {
            return None;
        }
        let next = sealed.clone().find(|segment| segment.header.number > number).or_else(|| sealed.next());
        let number = next.map(|segment| segment.header.number);
        self.scrubbed = (number.unwrap_or(0), now);
        number.map(|number| Scrubbing { number, stage: Stage::Header })
    }

    /// Looks a piece of a segment or of its summary through; what comes next, if anything.
    fn look(&mut self, position: usize, stage: Stage) -> Result<Option<Stage>, NotNow> {
        let segment = &self.log.segments[position];
        let looked = match stage {
            Stage::Header => self.look_at_header(segment).map(|()| Stage::Segment(Pieces::new())),
            Stage::Segment(mut pieces) => pieces
                .next(&self.log, segment, &mut |_| {})
                .map(|()| if pieces.is_over(segment) { Stage::Summary(0) } else { Stage::Segment(pieces) }),
            Stage::Summary(at) => return Ok(self.look_at_summary(segment, at).map(Stage::Summary)),
        };
        match looked {
            Ok(next) => Ok(Some(next)),
            Err(Fault::NotNow(_)) => Err(NotNow),
            Err(Fault::Damaged) => self.look_through(position).map(|()| None),
        }
    }

    fn look_at_header(&self, segment: &Segment) -> Result<(), Fault> {
        let mut bytes = [0; HEADER as usize];
        let read = self.log.file(segment).and_then(|file| file.read_at(&mut bytes, 0));
        check_header(&bytes[..read.map_err(Fault::of)?], segment).map_err(|_| Fault::Damaged)
    }

    /// Looks some of a segment's summary through; where it goes on, if it does.
    fn look_at_summary(&self, segment: &Segment, at: u32) -> Option<u32> {
        if segment.summary.get() == 0 {
            return None;
        }
        let number = segment.header.number;
        let opened = Summary::open(&*self.log.disk, number, self.log.salt, self.log.packer.vault.clone());
        match opened.and_then(|summary| summary.verify(segment.after_seq(), at, PIECE)) {
            Ok(next) => next,
            Err(fault) => {
                self.log.spoilt_summary(number, fault);
                None
            }
        }
    }

    /// Finds out all that is wrong with a segment and its summary, at once.
    pub(super) fn look_through(&mut self, position: usize) -> Result<(), NotNow> {
        let (mut found, segment) = (Vec::new(), &self.log.segments[position]);
        let mut harmless = match examine(&self.log, segment, &mut found) {
            Ok(harmless) => harmless,
            Err(error) if is_passing(&error) => return Err(NotNow),
            Err(error) => {
                // It is not known to be damaged: the next time it is looked through again.
                let what = format!("{} cannot be opened: {error}", segment.name());
                self.damage.push(Damage { what, seqs: None });
                return Ok(());
            }
        };
        let mut at = Some(0);
        while let Some(from) = at {
            at = self.look_at_summary(segment, from);
        }
        let number = segment.header.number;
        harmless.extend(found.iter().filter(|lost| alive(&self.index, &lost.seqs) == 0).map(|lost| lost.why.clone()));
        self.found.get_mut().append(&mut found);
        if !harmless.is_empty() {
            // The next start reads the segment, and says so, too.
            self.forget_summary(number);
        }
        self.damage.extend(harmless.into_iter().map(|what| Damage { what, seqs: None }));
        Ok(())
    }

    /// How long after a segment, in nanoseconds, the next one is looked through; `None` if none is.
    fn scrub_every(&self) -> Option<u64> {
        let sealed = self.log.segments.iter().filter(|segment| segment.is_sealed).count() as u64;
        let period = u64::try_from(self.scrub_period.as_nanos()).unwrap_or(u64::MAX);
        period.checked_div(sealed).filter(|_| period > 0)
    }

    /// When the next segment is looked through.
    pub(super) fn scrub_due(&self) -> Option<WallTime> {
        let every = self.scrub_every()?;
        Some(WallTime::from_nanos(self.scrubbed.1.as_nanos().saturating_add(every)))
    }
}
