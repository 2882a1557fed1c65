//! What the passes over files make of any bytes. For the fuzzer alone.

use super::checkpoint::{Checkpoint, PREFIX};
use super::segment::HEADER;
pub(crate) use super::summary::probe::summary;
use super::survey::survey;
use super::walk::{Expected, Item, Source, for_each_record};
use crate::frame::{Fact, Packer, read_header};

pub(crate) fn frame(bytes: &[u8]) -> usize {
    let unpacker = Packer::default().unpacker(1);
    let mut expected = Expected { salt: 0, index: 1, is_compacted: true, unpacker: unpacker.clone() };
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
    super::checkpoint::finish(&mut bytes, *b"MartChk\x01");
    if let Ok(checkpoint) = Checkpoint::decode(&bytes, None) {
        let again = checkpoint.encode(None);
        assert_eq!(Checkpoint::decode(&again, None).as_ref(), Ok(&checkpoint));
    }
}
