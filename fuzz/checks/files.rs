//! Files of another server: any bytes are read without panic, and what is read of a block goes together.

use martlet_archive::files::{self, Index, MasterKey, Meta, Record, Records, Shelf};
use martlet_archive::{Item, Sink};

use crate::reference;

struct Ascending(u64);

impl Sink for Ascending {
    type Error = std::convert::Infallible;

    fn item(&mut self, item: Item<'_>) -> Result<(), Self::Error> {
        if let Item::Message(message) = item {
            assert!(message.seq > self.0, "{} behind {}", message.seq, self.0);
            self.0 = message.seq;
        }
        Ok(())
    }
}

/// The first byte chooses the file, the rest is in it.
pub(crate) fn check(data: &[u8]) {
    let Some((&kind, data)) = data.split_first() else { return };
    match kind {
        0 => drop(files::consumer_state(data)),
        1 => drop(index(data)),
        2 => drop(Meta::read(data)),
        3 => drop(MasterKey::new(b"key", "A").stream("S", data)),
        // An index and two blocks, behind the lengths of the first two.
        5 => {
            let Some((&[index, more_index, block, more_block], rest)) = data.split_first_chunk() else { return };
            let len = |low, high| usize::from(u16::from_le_bytes([low, high]));
            let (index, rest) = rest.split_at(len(index, more_index).min(rest.len()));
            shelf(index, rest.split_at(len(block, more_block).min(rest.len())));
        }
        _ => {
            let Ok(mut bytes) = files::unpack(data.to_vec()) else { return };
            for is_right in [false, true] {
                if is_right {
                    reference::seal_block("S", 1, &mut bytes);
                }
                records(&bytes);
                shelf(b"", (&bytes, b""));
            }
        }
    }
}

/// What an index says, with its checksum behind it.
fn index(content: &[u8]) -> Option<Index> {
    let mut signed = [content, &[0; 8]].concat();
    reference::seal("S", &mut signed);
    Index::read("S", &signed, None).ok()
}

fn records(bytes: &[u8]) {
    let mut end = 0;
    for (at, record) in Records::new("S", 1, bytes) {
        assert!(at >= end && at < bytes.len());
        end = at;
        if let Ok(Record::Message(message)) = record {
            assert!(message.subject.len() + message.headers.len() + message.payload.len() < bytes.len());
        }
    }
}

/// Two blocks, and an index that ends as the last of them does.
fn shelf(says: &[u8], (first, second): (&[u8], &[u8])) {
    let (mut shelf, mut told, mut end) = (Shelf::new("S"), Ascending(0), [0; 8]);
    for (number, bytes) in [(1, first), (2, second)] {
        let mut bytes = bytes.to_vec();
        reference::seal_block("S", number, &mut bytes);
        let Ok(()) = shelf.block(number, &bytes, &mut told);
        end = bytes.last_chunk().copied().unwrap_or_default();
    }
    let mut says = says.to_vec();
    if let Some(last) = says.last_chunk_mut() {
        *last = end;
    }
    let contents = shelf.end(index(&says).as_ref());
    assert!(contents.gone.is_sorted_by_key(|range| *range.start()));
    assert!(contents.last_seq >= told.0);
}
