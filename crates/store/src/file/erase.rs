//! Messages that were removed for good: their bytes are overwritten.
//!
//! That is done where a durable checkpoint knows that they are gone, since entries that are applied again must find what was there; and
//! until it is done, each checkpoint lists them. What stands in a block goes with its segment, which is written anew without it.
//!
//! Invariant: nothing but such messages is written over.

use std::io;
use std::sync::Arc;

use super::FileStore;
use super::segment::Segment;
use super::survey::offset;
use crate::disk::{File, is_passing};
use crate::frame::{MAX_HEADER, Origin, erase, parse_header};
use crate::store::StoreError;

/// How many messages are overwritten at once, and synced together.
const TOGETHER: usize = 256;

/// A message that can be overwritten where it is.
struct Place {
    /// The number of its segment.
    segment: u64,
    /// Where a frame begins, its own or one before.
    frame: u32,
    /// Where its record does.
    at: u32,
    /// The bytes it takes.
    len: usize,
}

/// Where a message is.
enum Whereabouts {
    At(Place),
    /// In a block, with others that would be lost if writing were cut off, or in a segment that is to be written anew; or it cannot be
    /// read now.
    Later,
    Nowhere,
}

impl FileStore {
    /// Segments in which something is to be overwritten and stands in a block are to be written anew without it.
    pub(super) fn mark_unwanted(&mut self) {
        let mut unwanted = Vec::new();
        for &seq in &self.erase {
            let position = self.log.segments.partition_point(|segment| segment.last_seq < seq);
            let may_be_in_block = |segment: &Segment| segment.seen.borrow().has_blocks && !segment.is_unwanted;
            if self.log.segments.get(position).is_some_and(may_be_in_block) {
                self.view().message(seq, &mut |found| {
                    if found.record.is_empty() {
                        unwanted.push(position);
                    }
                });
            }
        }
        for position in unwanted {
            self.log.segments[position].is_unwanted = true;
            if position + 1 == self.log.segments.len() {
                self.log.seal_last();
            }
        }
    }

    /// Overwrites some of what is to be; whether there is more to do.
    pub(super) fn overwrite_erased(&mut self) -> Result<bool, StoreError> {
        if self.erasing == 0 || !self.slots.is_durable(&self.log) {
            return Ok(false);
        }
        let count = self.erasing.min(TOGETHER);
        let seqs: Vec<u64> = self.erase.drain(..count).collect();
        self.erasing -= count;
        // Segments with what is in blocks are written anew; until then, or until it can be read, the next checkpoints keep it.
        let mut later = match self.overwrite(&seqs) {
            Err(error) if is_passing(&error) => seqs,
            overwritten => overwritten.map_err(|error| self.log.fence("overwrite a message beside", &error))?,
        };
        self.erase.append(&mut later);
        Ok(self.erasing > 0)
    }

    /// Overwrites messages, and gives those that cannot be where they are, or not now.
    fn overwrite(&mut self, seqs: &[u64]) -> io::Result<Vec<u64>> {
        let (mut places, mut later) = (Vec::new(), Vec::new());
        for &seq in seqs {
            match self.whereabouts(seq) {
                Whereabouts::At(place) => places.push(place),
                Whereabouts::Later => later.push(seq),
                Whereabouts::Nowhere => {}
            }
        }
        places.sort_by_key(|place| (place.segment, place.at));
        for places in places.chunk_by(|a, b| a.segment == b.segment) {
            self.overwrite_in(places[0].segment, places)?;
        }
        Ok(later)
    }

    fn whereabouts(&self, seq: u64) -> Whereabouts {
        let position = self.log.segments.partition_point(|segment| segment.last_seq < seq);
        let Some(segment) = self.log.segments.get(position) else { return Whereabouts::Nowhere };
        if segment.is_unwanted || (self.log.packer.vault.is_some() && segment.seen.borrow().clear > 0) {
            return Whereabouts::Later;
        }
        let Some(point) = segment.seen.borrow().points.before(seq) else { return Whereabouts::Nowhere };
        let (view, mut found) = (self.view(), Whereabouts::Nowhere);
        view.message(seq, &mut |message| {
            let (frame, len) = (point.frame, message.record.len());
            let place = Place { segment: segment.header.number, frame, at: message.at, len };
            found = if len == 0 { Whereabouts::Later } else { Whereabouts::At(place) };
        });
        if view.has_seen_all().is_err() { Whereabouts::Later } else { found }
    }

    /// Overwrites messages of one segment, and makes that durable.
    fn overwrite_in(&mut self, number: u64, places: &[Place]) -> io::Result<()> {
        let Some(position) = self.log.position(number) else { return Ok(()) };
        // Their subjects are no one's business either.
        self.log.drop_summary(position, true)?;
        self.summarise_again(number);
        let segment = &self.log.segments[position];
        let file = Arc::clone(self.log.file(segment)?);
        let mut record = Vec::new();
        for place in places {
            let Some(origin) = self.origin_at(segment, place.frame, place.at, &*file)? else { continue };
            record.resize(place.len, 0);
            let read = file.read_at(&mut record, u64::from(place.at))?;
            if erase(&mut record[..read], &origin).is_some() {
                file.write_at(&[&record], u64::from(place.at))?;
                self.log.tails.overwrite(number, place.at, &record);
            }
        }
        self.windows.forget(number);
        file.sync()
    }

    /// What the records of the frame in which `at` is count from.
    fn origin_at(&self, segment: &Segment, mut frame: u32, at: u32, file: &dyn File) -> io::Result<Option<Origin>> {
        let mut bytes = [0; MAX_HEADER];
        while frame < segment.end {
            let len = file.read_at(&mut bytes, u64::from(frame))?;
            let Some(header) = parse_header(&bytes[..len]) else { return Ok(None) };
            let end = frame + offset(header.frame_len());
            if at < end {
                return Ok(Some(header.origin(self.log.salt)));
            }
            frame = end;
        }
        Ok(None)
    }
}
