//! Where a word of a control line ends, for the fast paths of both parsers.

#![expect(
    clippy::inline_always,
    reason = "calls cost more than what these do, and each message passes them several times"
)]

/// The non-empty run of bytes above space from `start`, and where the next word begins behind the one space that ends it.
#[inline(always)]
pub(crate) fn word(input: &[u8], start: usize) -> Option<(&[u8], usize)> {
    let rest = input.get(start..)?;
    let len = blank_or_control(rest)?;
    if len == 0 || rest[len] != b' ' { None } else { Some((&rest[..len], start + len + 1)) }
}

/// Where the first byte up to and including space is. Eight bytes at a time: subjects are short, but not that short.
#[inline(always)]
fn blank_or_control(bytes: &[u8]) -> Option<usize> {
    const LANES: u64 = u64::from_ne_bytes([1; 8]);
    const TOP: u64 = LANES << 7;
    const ABOVE_SPACE: u64 = LANES * (b' ' as u64 + 1);
    let (chunks, tail) = bytes.as_chunks::<8>();
    for (index, chunk) in chunks.iter().enumerate() {
        let lanes = u64::from_le_bytes(*chunk);
        // The lowest top bit left standing is in the first lane that had to borrow, which is exact; higher ones may be false.
        let found = lanes.wrapping_sub(ABOVE_SPACE) & !lanes & TOP;
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let len = chunks.len() * 8;
    tail.iter().position(|&byte| byte <= b' ').map(|at| len + at)
}
