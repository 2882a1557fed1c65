//! What decoders make of any bytes, behind the checksums that keep most bytes from them. For the fuzzer alone.

use crate::codec::Reader;
use crate::file::probe as files;
use crate::frame::mend;
use crate::journal::probe as journals;

/// Takes bytes for a frame, whose checksums are made right first, and reads it in every way there is; gives how many
/// records it has.
pub fn frame(bytes: &[u8]) -> usize {
    let mut bytes = bytes.to_vec();
    mend(&mut bytes, 0, 0);
    files::frame(&bytes)
}

/// Takes bytes for a checkpoint's body. If it is one, it reads the same when it has been written again.
pub fn checkpoint(body: &[u8]) {
    files::checkpoint(body);
}

/// Takes bytes for the parts of a segment's summary: a block, the directory, the facts. `base` is the last sequence before.
pub fn summary(parts: [&[u8]; 3], base: u64) {
    files::summary(parts, base);
}

/// Takes bytes for the store's file of that name, and makes all its checksums right: what is in it counts, whatever it says.
pub fn seal(name: &str, bytes: &mut [u8]) {
    files::seal(name, bytes);
}

/// Takes bytes for the two files of a journal, whose checksums are made right first, and replays it.
pub fn journal(files: [&[u8]; 2]) {
    journals::journal(files);
}

/// Takes bytes for numbers as every file has them.
pub fn numbers(bytes: &[u8]) {
    let mut reader = Reader(bytes);
    while let Some(number) = reader.varint() {
        let mut out = Vec::new();
        crate::codec::put_varint(&mut out, number);
        assert_eq!(Reader(&out).varint(), Some(number));
        let _ = reader.bytes();
    }
}
