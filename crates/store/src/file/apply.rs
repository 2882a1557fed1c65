//! What an entry does when it is applied, or applied again.

use super::FileStore;
use super::segment::HEADER;
use super::survey::offset;
use super::view::{View, size_of};
use super::walk::{Item, Source, for_each_record};
use crate::frame::{Fact, Header, parse_header};
use crate::index::Index;
use crate::store::Observer;

/// Makes a record part of what there is.
#[inline]
pub(super) fn fact(index: &mut Index, view: &mut View<'_>, fact: &Fact<'_>, observer: &mut dyn Observer) {
    match *fact {
        Fact::Message(ref message) => {
            if message.seq > index.last_seq() {
                let size = size_of(message);
                index.add(message, size);
                observer.added(message, size);
                index.enforce(message.subject, view, observer);
            }
        }
        Fact::Skip { through } | Fact::Erased { seq: through } => index.skip(through),
        Fact::Remove { ranges, erase } => {
            for range in ranges.iter() {
                index.remove_within(range, erase, view, observer);
            }
        }
        Fact::Purge(ref purge) => index.purge(purge, view, observer),
        Fact::Expire { now, before } => index.expire(now, before, view, observer),
        Fact::Block(_) => debug_assert!(false, "a block's records are told one by one"),
        Fact::Note { kind, bytes } => {
            observer.noted(kind, bytes);
            if let Some(limits) = observer.limits() {
                index.set_limits(limits, view, observer);
            }
        }
    }
}

impl FileStore {
    /// Applies the next entry.
    pub(super) fn apply_entry(&mut self, observer: &mut dyn Observer) {
        let (number, at) = self.next_entry();
        let rest;
        let bytes = if let Some(bytes) = self.log.tails.bytes(number, at) {
            bytes
        } else {
            rest = self.read_entry(number, at);
            &rest
        };
        let Some(header) = parse_header(bytes) else {
            self.log.fence("apply what was written to", &"it cannot be read again");
            self.applied = self.log.appended;
            return;
        };
        debug_assert_eq!(header.index, self.applied + 1, "entries are applied in order");
        let mut view = View::new(&self.log, &self.windows, &self.found).but_for(&self.unreadable);
        apply_records(&mut self.index, &mut view, (number, at), (&header, bytes), observer);
        let erase = std::mem::take(&mut view.erase);
        self.erase.extend(erase);
        self.applied = header.index;
        let end = at + offset(header.frame_len());
        self.next = (number, end);
        self.log.tails.applied(number, end);
    }

    /// Where the next entry to apply begins.
    fn next_entry(&self) -> (u64, u32) {
        let (number, at) = self.next;
        match self.log.position(number) {
            Some(position) if at < self.log.segments[position].end => (number, at),
            _ => {
                let behind = self.log.segments.partition_point(|segment| segment.header.number <= number);
                (self.log.segments.get(behind).map_or(number, |segment| segment.header.number), HEADER)
            }
        }
    }

    /// An entry that is not in memory any more.
    fn read_entry(&self, number: u64, at: u32) -> Vec<u8> {
        let Some(segment) = self.log.position(number).map(|position| &self.log.segments[position]) else {
            return Vec::new();
        };
        let mut bytes = vec![0; (segment.end - at.min(segment.end)) as usize];
        let read = self.log.file(segment).and_then(|file| file.read_at(&mut bytes, u64::from(at)));
        bytes.truncate(read.unwrap_or(0));
        bytes
    }
}

fn apply_records(
    index: &mut Index,
    view: &mut View<'_>,
    (number, at): (u64, u32),
    (header, bytes): (&Header, &[u8]),
    observer: &mut dyn Observer,
) {
    let segment = &view.log.segments[view.log.position(number).expect("it was found by its number")];
    segment.seen.borrow_mut().entry(header);
    let source = Source { salt: view.log.salt, from: at, unpacker: view.log.packer.unpacker(number) };
    for_each_record(bytes, (0, header), &source, true, |item| {
        let Item::Fact(fact, from) = item else { return };
        if let Fact::Message(message) = &fact {
            let place = at + offset(from);
            segment.seen.borrow_mut().message(message.seq, message.time.as_nanos(), place, at);
        }
        self::fact(index, view, &fact, observer);
    });
}
