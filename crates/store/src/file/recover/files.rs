//! The files that opening finds, and how it leaves them.

use std::sync::Arc;

use super::super::checkpoint::len_of;
use super::super::compact;
use super::super::open::{Damage, OpenError, Options};
use super::super::segment::{HEADER, Segment, SegmentHeader, name_of, number_of};
use super::super::survey::read_what_there_is;
use super::super::{subjects, summary};
use super::Recovery;
use crate::frame::{MARKER, read_header};

/// What a clean stop left once, for all segments.
const OLD_SUMMARY: &str = "summary";

impl Recovery<'_> {
    /// The numbers of the segments that should be there. Those that a checkpoint has given up go, if they still are.
    pub(super) fn segment_numbers(&mut self, names: &[String]) -> Result<Vec<u64>, OpenError> {
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
        numbers.sort_unstable();
        let known = self.checkpoint.as_ref().map(|checkpoint| (checkpoint.next_number, checkpoint.segments.clone()));
        let (next, mut wanted) = known.unwrap_or((1, Vec::new()));
        let is_given_up = |number: &&u64| **number < next && wanted.binary_search(number).is_err();
        for &number in numbers.iter().filter(is_given_up) {
            self.log.disk.remove(&name_of(number)).map_err(OpenError::io("remove a file"))?;
            self.log.mark_names_dirty();
        }
        for name in names.iter().filter(|name| *name == compact::NAME) {
            self.log.disk.remove(name).map_err(OpenError::io("remove a file"))?;
        }
        // Segments begun since then have all numbers up to the last one's; of those that are missing the first stands for all.
        let mut expected = next;
        for &number in numbers.iter().filter(|number| **number >= next) {
            wanted.extend((number > expected).then_some(expected));
            wanted.push(number);
            expected = number + 1;
        }
        self.log.next_number = wanted.last().map_or(next, |last| (last + 1).max(next));
        Ok(wanted)
    }

    /// Finds out the log's own number.
    pub(super) fn salt(&mut self, numbers: &[u64], options: &Options<'_>) -> Result<(), OpenError> {
        if self.checkpoint.is_some() {
            return Ok(());
        }
        let mut found = None;
        for &number in numbers {
            let loaded = self.load(number, HEADER as usize)?;
            found = found.or_else(|| SegmentHeader::decode(&loaded?.0).ok().map(|header| header.salt));
        }
        self.log.salt = found.unwrap_or(options.salt);
        self.log.chain = self.log.salt;
        Ok(())
    }

    /// The last entry that is known to have been durable: frames say so, and those at the end say most.
    pub(super) fn find_durable(&self, numbers: &[u64]) -> Result<u64, OpenError> {
        let mut known = self.known_durable;
        for &number in numbers.iter().rev() {
            if self.is_covered(number) {
                break;
            }
            let bytes = match self.load(number, usize::MAX) {
                Ok(Some((bytes, _))) => bytes,
                Err(error) if self.is_last(number) => return Err(error),
                Ok(None) | Err(_) => continue,
            };
            let first = SegmentHeader::decode(&bytes).map_or(u64::MAX, |header| header.first_index);
            let mut at = HEADER as usize;
            while at < bytes.len() {
                match read_header(&bytes[at..], self.log.salt) {
                    Ok(header) => {
                        known = known.max(header.synced);
                        at += header.frame_len();
                    }
                    Err(_) => match memchr::memchr(MARKER, &bytes[at + 1..]) {
                        Some(skip) => at += 1 + skip,
                        None => break,
                    },
                }
            }
            if first <= known {
                break;
            }
        }
        Ok(known)
    }

    /// The first bytes of a segment's file, and how many it has; `None` if it is not there.
    pub(super) fn load(&self, number: u64, len: usize) -> Result<Option<(Vec<u8>, u64)>, OpenError> {
        let name = name_of(number);
        let file = match self.log.disk.open(&name) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::io(&format!("open {name}"))(error)),
        };
        let read = || {
            let file_len = file.len()?;
            let mut bytes = vec![0; len_of(file_len).min(len)];
            let read = file.read_at(&mut bytes, 0)?;
            bytes.truncate(read);
            Ok((bytes, file_len))
        };
        read().map(Some).map_err(OpenError::io(&format!("read {name}")))
    }

    /// All of a segment's file; `None` if it is not there. What the disk does not give of one that others follow is damage; at the end of
    /// the log it is not known what is there, and nothing may be built on that.
    pub(super) fn load_all(&mut self, number: u64) -> Result<Option<Vec<u8>>, OpenError> {
        let error = match self.load(number, usize::MAX) {
            Ok(loaded) => return Ok(loaded.map(|(bytes, _)| bytes)),
            Err(error) if self.is_last(number) => return Err(error),
            Err(error) => error,
        };
        let name = name_of(number);
        let Ok((file, len)) = self.log.disk.open(&name).and_then(|file| file.len().map(|len| (file, len))) else {
            return Err(error);
        };
        let (bytes, failed) =
            read_what_there_is(&*file, len_of(len)).map_err(OpenError::io(&format!("read {name}")))?;
        if let Some(failed) = failed {
            self.damage.push(Damage { what: format!("{name} cannot be read: {failed}"), seqs: None });
        }
        Ok(Some(bytes))
    }

    fn is_last(&self, number: u64) -> bool {
        number + 1 >= self.log.next_number
    }

    /// Makes the files what the log is, and durable.
    pub(super) fn tidy(&mut self, numbers: &[u64]) -> Result<(), OpenError> {
        let io = OpenError::io;
        if let Some((position, at)) = self.cut {
            let keeps = at > 0;
            if keeps {
                let segment = &mut self.log.segments[position];
                (segment.end, segment.allocated) = (at, u64::from(at));
            }
            let first_gone = match self.log.segments.get(position) {
                Some(segment) if keeps => segment.header.number + 1,
                _ => self.log.segments.last().map_or(numbers[0], |segment| segment.header.number + 1),
            };
            for &number in numbers.iter().filter(|number| **number >= first_gone) {
                match self.log.disk.remove(&name_of(number)) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(io("remove a file")(error));
                    }
                    _ => self.log.mark_names_dirty(),
                }
            }
            if keeps {
                let file = Arc::clone(self.log.file(&self.log.segments[position]).map_err(io("open a file"))?);
                file.truncate(u64::from(at)).map_err(io("cut a file"))?;
            }
        }
        let last = self.log.segments.len().saturating_sub(1);
        for (position, segment) in self.log.segments.iter_mut().enumerate() {
            let is_in_clear = self.log.packer.vault.is_some() && segment.seen.get_mut().clear > 0;
            segment.is_sealed |= position < last || self.ends_in_damage || is_in_clear;
            segment.seen.get_mut().points.shrink();
        }
        self.log.appended = self.expected - 1;
        self.log.last_seq = self.lost.last_seq.max(self.index.last_seq());
        self.log.chain = self.chain.unwrap_or(self.log.salt);
        self.index.set_unreadable(self.unreadable.iter().map(|unreadable| unreadable.messages).sum());
        // A process that was killed may have left what only the system's memory has: before anything is built on it,
        // it has to be durable.
        for segment in self.log.segments.iter().filter(|segment| segment.last_index > self.known_durable) {
            self.log.file(segment).and_then(|file| file.sync()).map_err(io("sync a file"))?;
        }
        let is_known = |segment: &&Segment| segment.summary.get() == 0 || self.cut.is_some();
        if let Some(segment) = self.log.segments.last().filter(is_known) {
            self.log.file(segment).and_then(|file| file.sync()).map_err(io("sync a file"))?;
            self.log.disk.sync_names().map_err(io("sync the names of files"))?;
        }
        self.log.durable = self.log.appended;
        Ok(())
    }
    /// Removes what says nothing any more: summaries that do not belong to their segments, and what earlier versions left.
    pub(super) fn remove_remains(&mut self, names: &[String]) -> Result<(), OpenError> {
        for name in names {
            let is_of_no_use = match summary::number_of(name) {
                Some(number) => {
                    let position = self.log.position(number);
                    position.is_none_or(|position| self.log.segments[position].summary.get() == 0)
                }
                None => (name == subjects::NAME && !self.has_subjects) || name == OLD_SUMMARY,
            };
            if is_of_no_use {
                self.log.disk.remove(name).map_err(OpenError::io("remove a file"))?;
                self.log.mark_names_dirty();
            }
        }
        Ok(())
    }
}
