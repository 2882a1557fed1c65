//! What reading a summary makes of any bytes. For the fuzzer alone.

use super::super::segment::{Segment, SegmentHeader};
use super::super::survey::offset;
use super::{Entries, HEADER, Header, SUM, Summary, name_of, next_block};
use crate::codec::{Reader, checksum, put_bytes, put_varint};
use crate::sim::SimDisk;

/// Takes bytes for a block, the directory and the facts of a summary.
pub(crate) fn summary([block, directory, facts]: [&[u8]; 3], base: u64) {
    let disk = SimDisk::default();
    // The directory may say what it likes, or what is so.
    for is_right in [false, true] {
        let first = {
            let mut entries = Entries::new(block, base);
            entries.advance();
            entries.subject().to_vec()
        };
        let directory = if is_right { directory_of(block.len(), &first) } else { directory.to_vec() };
        disk.set_bytes(&name_of(1), assemble([block, &directory, facts]));
        let opened = Summary::open(&disk, 1, 0, None).expect("its header is right");
        let _ = opened.facts(base);
        let mut seen = Vec::new();
        let all = opened.for_each_block(base, &mut |mut entries| {
            while entries.advance() {
                let posts = entries.posts();
                assert!(base < posts.first && posts.first <= posts.last && posts.count > 0);
                // A run may be as long as it says.
                let seqs: Vec<u64> = entries.seqs().take(1 << 16).collect();
                assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]) && seqs.iter().all(|seq| *seq <= posts.last));
                seen.push((entries.subject().to_vec(), seqs[0]));
            }
        });
        assert_eq!(all.is_ok() && is_right, is_right);
        let is_sorted = seen.windows(2).all(|pair| pair[0].0 < pair[1].0);
        for (subject, first) in seen.iter().filter(|_| is_right && is_sorted).take(8) {
            let found = opened.find(subject, base).ok().flatten().expect("it is there");
            assert_eq!(found.seqs().next(), Some(*first));
        }
    }
}

/// A directory of one block.
fn directory_of(block: usize, first: &[u8]) -> Vec<u8> {
    let mut directory = Vec::new();
    put_varint(&mut directory, (block + SUM) as u64);
    put_bytes(&mut directory, first);
    directory
}

/// A summary of these parts, its checksums right.
fn assemble([block, directory, facts]: [&[u8]; 3]) -> Vec<u8> {
    let header = SegmentHeader { salt: 0, previous: 0, number: 1, first_index: 1, last_seq: 0, compacted: None };
    let mut header = Header::of(&Segment::new(header), 0, false);
    let mut out = vec![0; HEADER];
    header.put_part(&mut out, block, None);
    header.directory = offset(out.len());
    header.put_part(&mut out, directory, None);
    header.facts = offset(out.len());
    header.put_part(&mut out, facts, None);
    header.len = offset(out.len());
    out[..HEADER].copy_from_slice(&header.encode());
    out
}

/// Makes all checksums right of what could be a summary.
pub(crate) fn seal(bytes: &mut [u8]) {
    let Some(header) = bytes.first_chunk_mut::<HEADER>() else { return };
    let sum = checksum(0, &header[..HEADER - SUM]);
    header[HEADER - SUM..].copy_from_slice(&sum.to_le_bytes());
    let Ok(header) = Header::decode(bytes) else { return };
    seal_part(&header, bytes, header.facts, header.len);
    seal_part(&header, bytes, header.directory, header.facts);
    let directory = bytes.get(header.directory as usize..header.facts as usize).unwrap_or_default().to_vec();
    let directory = &directory[..directory.len().saturating_sub(SUM)];
    let (mut reader, mut at) = (Reader(directory), offset(HEADER));
    while let Some((end, _)) = next_block(&mut reader, at) {
        seal_part(&header, bytes, at, end);
        at = end;
    }
}

fn seal_part(header: &Header, bytes: &mut [u8], at: u32, to: u32) {
    let Some(part) = bytes.get_mut(at as usize..to as usize) else { return };
    let Some((content, sum)) = part.split_last_chunk_mut::<SUM>() else { return };
    *sum = checksum(checksum(header.salt, &header.bind(at)), content).to_le_bytes();
}
