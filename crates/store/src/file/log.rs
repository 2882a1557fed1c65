//! The log as it is written: entries go one behind the other into segments, and files are handed out to be synced.
//!
//! Invariant: an entry is in the log whole or not at all, and after a write or a sync has failed nothing is added any more.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::compact::overwrite;
use super::read::positions;
use super::segment::{HEADER, Segment, SegmentHeader, name_of};
use super::summary;
use super::tail::Tails;
use crate::disk::{Disk, File, SyncJob, is_passing};
use crate::frame::{self, MAX_BODY, Packer, Place, Site};
use crate::record::Record;
use crate::store::StoreError;

/// The first bytes set aside for a segment; then twice as many each time, so that a quiet stream stays small.
const FIRST_STEP: u64 = 256 << 10;
/// What a file grows by when the disk has not got more.
const PAGE: u64 = 4096;

/// The log's files, and what of them is durable.
#[derive(Debug)]
pub(crate) struct Log {
    pub disk: Arc<dyn Disk>,
    /// The log's own number.
    pub salt: u32,
    /// Where a segment is sealed.
    pub segment_bytes: u64,
    /// In order of their numbers; entries are added to the last one.
    pub segments: Vec<Segment>,
    /// The number for the next segment.
    pub next_number: u64,
    /// How entries are packed.
    pub packer: Packer,
    /// Segments whose summaries were found to be damaged, and what is wrong with them.
    pub spoilt: RefCell<Vec<(u64, &'static str)>>,
    /// What was written lately.
    pub tails: Tails,
    /// The last entry written.
    pub appended: u64,
    /// The last entry known to be durable.
    pub durable: u64,
    /// The last sequence in use.
    pub last_seq: u64,
    /// The checksum of the last frame's header.
    pub chain: u32,
    fenced: Option<StoreError>,
    dirty: Vec<Arc<dyn File>>,
    are_names_dirty: bool,
    /// Jobs handed out, in order.
    jobs: VecDeque<Job>,
    /// The generation of the checkpoint written last.
    pub generation: u64,
    /// The generation of the last checkpoint known to be durable.
    pub durable_generation: u64,
}

/// A job handed out.
#[derive(Debug)]
struct Job {
    through: u64,
    generation: u64,
    is_done: bool,
}

impl Log {
    /// An empty log.
    pub(crate) fn new(disk: Arc<dyn Disk>, salt: u32, segment_bytes: u64) -> Self {
        Self {
            disk,
            salt,
            segment_bytes,
            segments: Vec::new(),
            next_number: 1,
            packer: Packer::default(),
            spoilt: RefCell::default(),
            tails: Tails::default(),
            appended: 0,
            durable: 0,
            last_seq: 0,
            chain: salt,
            fenced: None,
            dirty: Vec::new(),
            are_names_dirty: false,
            jobs: VecDeque::new(),
            generation: 0,
            durable_generation: 0,
        }
    }

    /// Writes an entry; gives its number.
    pub(crate) fn append(&mut self, records: &[Record<'_>]) -> Result<u64, StoreError> {
        if let Some(error) = &self.fenced {
            return Err(error.clone());
        }
        let bound = frame::encoded_bound(records);
        if bound > MAX_BODY {
            return Err(StoreError::Full { what: "an entry of more than 1 GiB".to_owned() });
        }
        if self.packer.vault.is_some() {
            // What is encrypted is bound to its place.
            self.make_room(bound)?;
        }
        let index = self.appended + 1;
        let place = Place {
            salt: self.salt,
            term: 0,
            index,
            synced: self.durable,
            previous: self.chain,
            last_seq: self.last_seq,
            site: self.segments.last().map_or(Site { segment: 0, at: 0 }, Segment::site_of_next),
        };
        let scratch = self.tails.scratch();
        let start = scratch.len();
        let chain = frame::encode(scratch, &place, records, &mut self.packer);
        let len = scratch.len() - start;
        if let Err(error) = self.write(len) {
            self.tails.drop_frame();
            return Err(error);
        }
        let segment = self.segments.last_mut().expect("it was written to one");
        segment.end += u32::try_from(len).expect("bodies are below MAX_BODY");
        segment.last_index = index;
        segment.chain = chain;
        self.last_seq = last_seq(records).unwrap_or(self.last_seq).max(self.last_seq);
        segment.last_seq = self.last_seq;
        (self.appended, self.chain) = (index, chain);
        Ok(index)
    }

    /// Writes the frame that was built in the tail.
    fn write(&mut self, len: usize) -> Result<(), StoreError> {
        self.make_room(len as u64)?;
        if let Err(error) = self.drop_summary(self.segments.len() - 1, false) {
            return Err(self.fence("remove a summary beside", &error));
        }
        let segment = self.segments.last_mut().expect("room was made in one");
        let at = segment.end;
        let bytes = self.tails.place_frame(segment.header.number, at);
        let file = Arc::clone(segment.file.get().expect("what is written to is open"));
        match file.write_at(&[bytes], u64::from(at)) {
            Ok(()) => {
                self.mark_dirty(&file);
                Ok(())
            }
            Err(error) if is_full(&error) => Err(self.take_back(&file, at)),
            Err(error) => Err(self.fence("write to", &error)),
        }
    }

    /// The disk was full in the midst of a frame: what is there of it goes.
    fn take_back(&mut self, file: &Arc<dyn File>, at: u32) -> StoreError {
        // Synced at once: if the cut were lost with the power and later frames not, old bytes would stand behind them.
        if let Err(error) = file.truncate(u64::from(at)).and_then(|()| file.sync()) {
            return self.fence("cut", &error);
        }
        let segment = self.segments.last_mut().expect("it was written to");
        segment.allocated = u64::from(at);
        StoreError::Full { what: segment.name() }
    }

    /// Sees to it that the last segment is open and has room for a frame.
    fn make_room(&mut self, len: u64) -> Result<(), StoreError> {
        let has_room = |segment: &Segment| {
            !segment.is_sealed && (segment.end == HEADER || u64::from(segment.end) + len <= self.segment_bytes)
        };
        if !self.segments.last().is_some_and(has_room) {
            return self.begin_segment(len);
        }
        let segment = self.segments.last().expect("there is one with room");
        let (end, allocated) = (u64::from(segment.end) + len, segment.allocated);
        if segment.file.get().is_some() && end <= allocated {
            return Ok(());
        }
        let name = segment.name();
        let file = match self.file(segment).map(Arc::clone) {
            Ok(file) => file,
            Err(error) if is_full(&error) => return Err(no_room(&name, &error)),
            Err(error) => return Err(self.fence("open", &error)),
        };
        let allocated = self.allocate(&file, &name, end, allocated)?;
        self.segments.last_mut().expect("there is one").allocated = allocated;
        Ok(())
    }

    fn allocate(&mut self, file: &Arc<dyn File>, name: &str, need: u64, have: u64) -> Result<u64, StoreError> {
        if need <= have {
            return Ok(have);
        }
        let step = (have * 2).max(FIRST_STEP).min(self.segment_bytes).max(need);
        let least = need.next_multiple_of(PAGE);
        for len in [step, least] {
            match file.allocate(len) {
                Ok(()) => {
                    self.mark_dirty(file);
                    return Ok(len);
                }
                Err(error) if is_full(&error) => {}
                Err(error) => return Err(self.fence("allocate", &error)),
            }
        }
        // What a disk did of it before it was full, it should not keep; if it does, no harm is done.
        let _ = file.truncate(have);
        Err(StoreError::Full { what: name.to_owned() })
    }

    /// Begins a new segment with room for `len` bytes.
    fn begin_segment(&mut self, len: u64) -> Result<(), StoreError> {
        let header = SegmentHeader {
            salt: self.salt,
            previous: self.chain,
            number: self.next_number,
            first_index: self.appended + 1,
            last_seq: self.last_seq,
            compacted: None,
        };
        let name = name_of(header.number);
        let file = match self.disk.create(&name) {
            Ok(file) => file,
            Err(error) if is_full(&error) => return Err(no_room(&name, &error)),
            Err(error) => return Err(self.fence("create", &error)),
        };
        let allocated = match self.allocate(&file, &name, u64::from(HEADER) + len, 0) {
            Ok(allocated) => allocated,
            Err(error) => return Err(self.give_up(&name, &file, error)),
        };
        if let Err(error) = file.write_at(&[&header.encode()], 0) {
            let error =
                if is_full(&error) { StoreError::Full { what: name.clone() } } else { self.fence("write to", &error) };
            return Err(self.give_up(&name, &file, error));
        }
        self.seal_last();
        self.are_names_dirty = true;
        self.next_number += 1;
        let mut segment = Segment::new(header);
        segment.allocated = allocated;
        segment.file.set(file).expect("it is new");
        self.segments.push(segment);
        Ok(())
    }

    /// A file could not be begun: it goes again, so that its name is free.
    fn give_up(&mut self, name: &str, file: &Arc<dyn File>, error: StoreError) -> StoreError {
        self.dirty.retain(|dirty| !Arc::ptr_eq(dirty, file));
        match self.disk.remove(name) {
            Ok(()) => error,
            Err(error) => self.fence("remove", &error),
        }
    }

    /// Nothing is added to the last segment any more.
    pub(crate) fn seal_last(&mut self) {
        let Some(segment) = self.segments.last_mut() else { return };
        segment.is_sealed = true;
        // Zeros behind the end do no harm: whether they could be given back does not matter.
        if segment.allocated > u64::from(segment.end)
            && let Some(file) = segment.file.get().cloned()
            && file.truncate(u64::from(segment.end)).is_ok()
        {
            segment.allocated = u64::from(segment.end);
            self.mark_dirty(&file);
        }
    }

    /// A segment's summary was found to be damaged, or gone. One that cannot be read now is left alone.
    pub(crate) fn spoilt_summary(&self, number: u64, fault: summary::Fault) {
        let why = match fault {
            summary::Fault::Missing => "is missing",
            summary::Fault::Damaged(why) => why,
            summary::Fault::NotNow => return,
        };
        self.spoilt.borrow_mut().push((number, why));
    }

    /// A segment's summary does not count any more, and goes; not a byte of it stays where it says what must not be known.
    pub(crate) fn drop_summary(&mut self, position: usize, is_secret: bool) -> io::Result<()> {
        let segment = &self.segments[position];
        let len = segment.summary.get();
        if len == 0 {
            return Ok(());
        }
        let name = summary::name_of(segment.header.number);
        let file = if is_secret { self.disk.open(&name).map(Some) } else { Ok(None) };
        if let Err(error) = &file
            && is_passing(error)
        {
            return file.map(drop);
        }
        segment.summary.set(0);
        if let Ok(Some(file)) = file {
            overwrite(&*file, u64::from(len))?;
        }
        match self.disk.remove(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => self.mark_names_dirty(),
        }
        Ok(())
    }

    /// A file has to be synced with the next job.
    pub(crate) fn mark_dirty(&mut self, file: &Arc<dyn File>) {
        if !self.dirty.iter().any(|dirty| Arc::ptr_eq(dirty, file)) {
            self.dirty.push(Arc::clone(file));
        }
    }

    /// Names have to be synced with the next job.
    pub(crate) fn mark_names_dirty(&mut self) {
        self.are_names_dirty = true;
    }

    /// What to sync; `None` if all is durable, or will be when jobs are done that are out.
    pub(crate) fn sync_job(&mut self) -> Option<SyncJob> {
        if (self.dirty.is_empty() && !self.are_names_dirty) || self.fenced.is_some() {
            return None;
        }
        let names = std::mem::take(&mut self.are_names_dirty).then(|| Arc::clone(&self.disk));
        self.jobs.push_back(Job { through: self.appended, generation: self.generation, is_done: false });
        Some(SyncJob { through: self.appended, files: std::mem::take(&mut self.dirty), names })
    }

    /// A job is done.
    pub(crate) fn synced(&mut self, through: u64, result: io::Result<()>) -> Result<(), StoreError> {
        if let Err(error) = result {
            return Err(self.fence("sync", &error));
        }
        if let Some(job) = self.jobs.iter_mut().find(|job| job.through == through && !job.is_done) {
            job.is_done = true;
        }
        // A job speaks for what was written since the one before it: it counts when that is done, too.
        while let Some(job) = self.jobs.pop_front_if(|job| job.is_done) {
            self.durable = self.durable.max(job.through);
            self.durable_generation = self.durable_generation.max(job.generation);
        }
        self.fenced.clone().map_or(Ok(()), Err)
    }

    /// Why nothing can be written.
    pub(crate) fn fenced(&self) -> Option<&StoreError> {
        self.fenced.as_ref()
    }

    /// Nothing can be written any more.
    // spec: JS-122
    pub(crate) fn fence(&mut self, did: &str, error: &dyn ToString) -> StoreError {
        let what = match self.segments.last() {
            Some(segment) => format!("cannot {did} {}", segment.name()),
            None => format!("cannot {did} the log"),
        };
        let error = StoreError::Failed { what, error: error.to_string() };
        self.fenced.get_or_insert(error).clone()
    }

    /// The place of a segment.
    pub(crate) fn position(&self, number: u64) -> Option<usize> {
        self.segments.binary_search_by_key(&number, |segment| segment.header.number).ok()
    }

    /// The numbers of the segments that have sequences of `seqs`.
    pub(crate) fn numbers_within(&self, seqs: &RangeInclusive<u64>) -> Vec<u64> {
        positions(&self.segments, seqs).map(|position| self.segments[position].header.number).collect()
    }

    /// The open file of a segment.
    pub(crate) fn file<'s>(&self, segment: &'s Segment) -> io::Result<&'s Arc<dyn File>> {
        if let Some(file) = segment.file.get() {
            return Ok(file);
        }
        let file = self.disk.open(&segment.name())?;
        Ok(segment.file.get_or_init(|| file))
    }
}

/// Whether there was no room, or is not for now: not what is done has failed, it has to wait.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge) || is_passing(error)
}

/// There is no room in or for a file.
fn no_room(name: &str, error: &io::Error) -> StoreError {
    StoreError::Full { what: if is_passing(error) { format!("{name}: {error}") } else { name.to_owned() } }
}

/// The last sequence that records use.
fn last_seq(records: &[Record<'_>]) -> Option<u64> {
    records.iter().rev().find_map(|record| match record {
        Record::Message(message) => Some(message.seq),
        Record::Skip { through } => Some(*through),
        _ => None,
    })
}
