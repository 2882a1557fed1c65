//! Files of another server: any bytes are read without panic, and what is read of a block goes together.

use martlet_archive::files::{self, Index, MasterKey, Meta, Record, Records, Shelf};
use martlet_archive::{Item, Sink};
use sha2::{Digest, Sha256};

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
        1 => drop(Index::read("S", &signed("S", data), None)),
        2 => drop(Meta::read(data)),
        3 => drop(MasterKey::new(b"key", "A").stream("S", data)),
        _ => {
            let Ok(bytes) = files::unpack(data.to_vec()) else { return };
            let mut end = 0;
            for (at, record) in Records::new("S", 1, &bytes) {
                assert!(at >= end && at < bytes.len());
                end = at;
                if let Ok(Record::Message(message)) = record {
                    assert!(message.subject.len() + message.headers.len() + message.payload.len() < bytes.len());
                }
            }
            let mut shelf = Shelf::new("S");
            let Ok(()) = shelf.block(1, &bytes, &mut Ascending(0));
            let contents = shelf.end(None);
            assert!(contents.gone.is_sorted_by_key(|range| *range.start()));
        }
    }
}

/// With the checksum of a stream's index behind it, so that what it says is read.
fn signed(stream: &str, content: &[u8]) -> Vec<u8> {
    use highway::{HighwayHash, HighwayHasher, Key};
    let digest = Sha256::digest(stream.as_bytes());
    let word = |at: usize| u64::from_le_bytes(digest[8 * at..8 * at + 8].try_into().expect("eight bytes"));
    let mut hasher = HighwayHasher::new(Key([word(0), word(1), word(2), word(3)]));
    hasher.append(content);
    [content, &hasher.finalize64().to_le_bytes()].concat()
}
