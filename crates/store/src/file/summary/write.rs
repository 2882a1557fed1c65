//! From a segment to its summary. The segment is read a piece at a time, and each piece makes a sorted table; then these are
//! merged, some subjects at a time. Memory is taken by the summary's length.

use std::io;
use std::sync::Arc;

use martlet_events::WallTime;

use super::super::log::{Log, is_full};
use super::super::pieces::Pieces;
use super::super::read::Fault;
use super::super::segment::Segment;
use super::super::survey::offset;
use super::facts::Facts;
use super::table::{Merge, Piece, Posting};
use super::{HEADER, Header, name_of};
use crate::codec::{put_bytes, put_varint};
use crate::frame::Fact;
use crate::record::NEVER;
use crate::seal::Vault;
use crate::store::StoreError;

/// Bytes of the summary that make a piece of work.
const OUTPUT: usize = 32 << 10;
/// Bytes of a block: so much is read for one subject.
const BLOCK: usize = 4 << 10;

/// How far a summary has got.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    More,
    Done,
    /// It cannot be made: something is not as it was written.
    Damaged,
    /// It cannot be made now.
    GivenUp,
}

/// A summary in the making.
#[derive(Debug)]
pub(crate) struct Making {
    /// The segment's number.
    pub number: u64,
    pieces: Pieces,
    /// The last sequence seen: as when a store is opened, a message that is not behind it is none.
    last_seq: u64,
    tables: Vec<Vec<u8>>,
    expiries: Vec<(WallTime, u64)>,
    writing: Option<(Merge, Writer)>,
}

impl Making {
    /// Will make the summary of a segment that nothing is added to any more.
    pub(crate) fn new(number: u64) -> Self {
        let (pieces, last_seq) = (Pieces::new(), 0);
        Self { number, pieces, last_seq, tables: Vec::new(), expiries: Vec::new(), writing: None }
    }

    /// Does a piece of the work.
    pub(crate) fn step(&mut self, log: &mut Log) -> Result<Progress, StoreError> {
        let Some(position) = log.position(self.number) else { return Ok(Progress::GivenUp) };
        if self.writing.is_none() {
            return Ok(self.read(log, position));
        }
        self.write(log, position).or_else(|error| match error {
            error if is_full(&error) => Ok(Progress::GivenUp),
            error => Err(log.fence("write a summary beside", &error)),
        })
    }

    /// Makes a table of the next messages.
    fn read(&mut self, log: &Log, position: usize) -> Progress {
        let segment = &log.segments[position];
        let base = segment.after_seq();
        let table = match self.next_table(log, segment) {
            Ok(table) => table,
            Err(Fault::Damaged) => return Progress::Damaged,
            Err(Fault::NotNow(_)) => return Progress::GivenUp,
        };
        self.tables.push(table);
        if self.pieces.is_over(segment) {
            let header = Header::of(segment, log.salt, log.packer.vault.is_some());
            let writer = Writer::new(header, base, log.packer.vault.clone());
            self.writing = Some((Merge::new(std::mem::take(&mut self.tables), base), writer));
            self.pieces = Pieces::new();
        }
        Progress::More
    }

    /// The table of the next entries.
    fn next_table(&mut self, log: &Log, segment: &Segment) -> Result<Vec<u8>, Fault> {
        let (mut piece, base) = (Piece::default(), segment.after_seq());
        let (last_seq, expiries) = (&mut self.last_seq, &mut self.expiries);
        *last_seq = base.max(*last_seq);
        self.pieces.next(log, segment, &mut |fact| {
            if let Fact::Message(message) = fact
                && message.seq > *last_seq
            {
                *last_seq = message.seq;
                piece.push(message.subject, message.seq);
                expiries.extend(message.expires.filter(|at| *at < NEVER).map(|at| (at, message.seq)));
            }
        })?;
        Ok(piece.into_table(base))
    }

    /// Merges some subjects; when these were the last, all is written.
    fn write(&mut self, log: &mut Log, position: usize) -> io::Result<Progress> {
        let Some((merge, writer)) = &mut self.writing else { return Ok(Progress::More) };
        let enough = writer.out.len() + OUTPUT;
        while writer.out.len() < enough {
            let Some(posting) = merge.next() else { return self.finish(log, position) };
            writer.add(posting);
        }
        Ok(Progress::More)
    }

    fn finish(&mut self, log: &mut Log, position: usize) -> io::Result<Progress> {
        let Some((_, writer)) = self.writing.take() else { return Ok(Progress::GivenUp) };
        let segment = &log.segments[position];
        let facts = Facts::encode(&segment.seen.borrow(), &self.expiries, segment.after_seq());
        let bytes = writer.finish(&facts);
        if segment.allocated > u64::from(segment.end) {
            // It counts for a segment of just this length.
            let file = Arc::clone(log.file(segment)?);
            file.truncate(u64::from(segment.end))?;
            log.segments[position].allocated = u64::from(log.segments[position].end);
            log.mark_dirty(&file);
        }
        let name = name_of(self.number);
        match log.disk.remove(&name) {
            // One that does not count any more.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = log.disk.create(&name)?;
        log.mark_names_dirty();
        if let Err(error) = file.write_at(&[&bytes], 0) {
            let _ = log.disk.remove(&name);
            return Err(error);
        }
        log.mark_dirty(&file);
        log.segments[position].summary.set(offset(bytes.len()));
        Ok(Progress::Done)
    }
}

/// A summary as it is written.
#[derive(Debug)]
struct Writer {
    header: Header,
    base: u64,
    vault: Option<Arc<Vault>>,
    /// The header's place, and all blocks that are full.
    out: Vec<u8>,
    block: Vec<u8>,
    /// The first and the last subject of the block.
    first: Vec<u8>,
    last: Vec<u8>,
    directory: Vec<u8>,
}

impl Writer {
    fn new(header: Header, base: u64, vault: Option<Arc<Vault>>) -> Self {
        let (block, first, last, directory) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { header, base, vault, out: vec![0; HEADER], block, first, last, directory }
    }

    /// Adds the next subject.
    fn add(&mut self, posting: &Posting) {
        if self.block.is_empty() {
            self.first.clone_from(&posting.subject);
            self.last.clear();
        }
        posting.write(&mut self.block, &mut self.last, self.base);
        if self.block.len() >= BLOCK {
            self.end_block();
        }
    }

    fn end_block(&mut self) {
        if self.block.is_empty() {
            return;
        }
        let start = self.out.len();
        self.header.put_part(&mut self.out, &self.block, self.vault.as_deref());
        put_varint(&mut self.directory, (self.out.len() - start) as u64);
        put_bytes(&mut self.directory, &self.first);
        self.block.clear();
    }

    /// All of its bytes.
    fn finish(mut self, facts: &[u8]) -> Vec<u8> {
        self.end_block();
        self.header.directory = offset(self.out.len());
        self.header.put_part(&mut self.out, &self.directory, self.vault.as_deref());
        self.header.facts = offset(self.out.len());
        self.header.put_part(&mut self.out, facts, self.vault.as_deref());
        self.header.len = offset(self.out.len());
        self.out[..HEADER].copy_from_slice(&self.header.encode());
        self.out
    }
}
