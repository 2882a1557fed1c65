//! What the passes over files make of any bytes. For the fuzzer alone.

use super::checkpoint::{Checkpoint, PREFIX, finish};
use super::segment::{self, HEADER, SegmentHeader};
use super::summary;
pub(crate) use super::summary::probe::summary;
use super::survey::survey;
use super::walk::{Expected, Item, Source, for_each_record};
use crate::codec::checksum;
use crate::frame::{self, Fact, Packer, mend, read_header};

pub(crate) fn frame(bytes: &[u8]) -> usize {
    let unpacker = Packer::default().unpacker(1);
    let mut expected =
        Expected { salt: 0, index: 1, compacted: Some(u64::MAX), missing: 0, unpacker: unpacker.clone() };
    let segment = [&[0; HEADER as usize], bytes].concat();
    let end = survey(&segment, &mut expected, &mut |_| true);
    assert!(end <= segment.len());
    let Ok(header) = read_header(bytes, 0) else { return 0 };
    let (mut records, mut last) = (0, 0);
    for is_whole in [true, false] {
        let source = Source { salt: 0, from: HEADER, unpacker: unpacker.clone() };
        for_each_record(bytes, (0, &header), &source, is_whole, |item| match item {
            Item::Fact(fact, at) => {
                assert!(at < bytes.len());
                if let Fact::Remove { ranges, .. } = fact {
                    assert!(ranges.iter().all(|range| range.start() <= range.end()));
                }
                records += 1;
            }
            Item::Hole(from, to) => {
                assert!(from < to);
                last = to;
            }
        });
    }
    assert!(last <= header.frame_len().max(bytes.len()));
    records
}

pub(crate) fn checkpoint(body: &[u8]) {
    let mut bytes = [&[0; PREFIX], body].concat();
    finish(&mut bytes, *b"MartChk\x01");
    if let Ok(checkpoint) = Checkpoint::decode(&bytes, None) {
        let again = checkpoint.encode(None);
        assert_eq!(Checkpoint::decode(&again, None).as_ref(), Ok(&checkpoint));
    }
}

/// No sequence in files that are sealed is larger: whatever is lost counts, and takes its time, as many messages as it may be.
const FAR: u64 = 1 << 16;

/// Makes a file's checksums right.
pub(crate) fn seal(name: &str, bytes: &mut [u8]) {
    if segment::number_of(name).is_some() {
        seal_segment(bytes);
    } else if summary::number_of(name).is_some() {
        summary::probe::seal(bytes);
    } else if let Some((magic, _)) = bytes.split_first_chunk().filter(|_| bytes.len() >= PREFIX) {
        let magic = *magic;
        finish(bytes, magic);
        if Checkpoint::decode(bytes, None).is_ok_and(|checkpoint| checkpoint.state.last_seq > FAR) {
            bytes[0] ^= 1;
        }
    }
}

/// Frames follow each other for as long as they could be some.
fn seal_segment(bytes: &mut [u8]) {
    const SUM: usize = HEADER as usize - 4;
    let Some((header, mut rest)) = bytes.split_first_chunk_mut::<{ HEADER as usize }>() else { return };
    let sum = checksum(0, &header[..SUM]);
    header[SUM..].copy_from_slice(&sum.to_le_bytes());
    let Ok(says) = SegmentHeader::decode(header) else { return };
    if says.compacted.map_or(says.last_seq, |compacted| compacted.last_seq) > FAR {
        header[0] ^= 1;
    }
    let mut chain = says.previous;
    while let Some(header) = mend(rest, says.salt, chain) {
        if is_far(rest, &header, says.salt) {
            rest[0] ^= 1;
        }
        chain = header.sum;
        rest = rest.get_mut(header.frame_len()..).unwrap_or_default();
    }
}

fn is_far(bytes: &[u8], header: &frame::Header, salt: u32) -> bool {
    let source = Source { salt, from: HEADER, unpacker: Packer::default().unpacker(1) };
    let mut last = header.base_seq;
    for_each_record(bytes, (0, header), &source, true, |item| match item {
        Item::Fact(Fact::Message(message), _) => last = last.max(message.seq),
        Item::Fact(Fact::Skip { through: seq } | Fact::Erased { seq }, _) => last = last.max(seq),
        Item::Fact(..) | Item::Hole(..) => {}
    });
    last > FAR
}
