//! Tables against a map; summaries are tested with the stores they belong to.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::table::{Entries, Merge, Piece};

/// What a table says.
fn read(table: &[u8], base: u64) -> BTreeMap<Vec<u8>, Vec<u64>> {
    let (mut entries, mut found) = (Entries::new(table, base), BTreeMap::new());
    while entries.advance() {
        let seqs: Vec<u64> = entries.seqs().collect();
        let posts = entries.posts();
        assert_eq!((posts.first, posts.last, posts.count), (seqs[0], seqs[seqs.len() - 1], seqs.len() as u64));
        assert_eq!(posts.is_run(), posts.last - posts.first + 1 == posts.count);
        assert!(found.insert(entries.subject().to_vec(), seqs).is_none());
    }
    assert!(entries.is_at_end());
    found
}

proptest! {
    #[test]
    fn pieces_merged_are_a_map_of_subjects(
        base in 0..u64::MAX / 2,
        pieces in prop::collection::vec(prop::collection::vec(("[ab]{1,3}(\\.[a-c]{0,2})?", 1..400_u64), 0..40), 0..6),
    ) {
        let (mut seq, mut tables, mut wanted) = (base, Vec::new(), BTreeMap::<Vec<u8>, Vec<u64>>::new());
        for messages in pieces {
            let mut piece = Piece::default();
            for (subject, gap) in messages {
                // Mostly one follows the other.
                seq += if gap > 300 { gap } else { 1 };
                piece.push(subject.as_bytes(), seq);
                wanted.entry(subject.into_bytes()).or_default().push(seq);
            }
            tables.push(piece.into_table(base));
        }
        let (mut merge, mut out, mut before) = (Merge::new(tables, base), Vec::new(), Vec::new());
        while let Some(posting) = merge.next() {
            posting.write(&mut out, &mut before, base);
        }
        prop_assert_eq!(read(&out, base), wanted);
    }

    #[test]
    fn whatever_the_bytes_are_reading_ends(bytes in prop::collection::vec(any::<u8>(), 0..200), base: u64) {
        let mut entries = Entries::new(&bytes[..], base);
        while entries.advance() {
            // A run may be as long as it says.
            for seq in entries.seqs().take(1000) {
                prop_assert!(entries.posts().first <= seq && seq <= entries.posts().last);
            }
        }
    }
}

#[test]
fn what_is_dense_takes_a_byte_for_each_message() {
    let mut piece = Piece::default();
    for seq in 1..=10_000 {
        piece.push([&b"a"[..], b"b"][usize::from(seq % 7 == 0)], seq);
    }
    let table = piece.into_table(0);
    assert!(table.len() < 10_100, "{} bytes", table.len());
    let mut piece = Piece::default();
    for seq in 1..=10_000 {
        piece.push(b"only", seq);
    }
    let table = piece.into_table(0);
    assert!(table.len() < 20, "{} bytes", table.len());
}
