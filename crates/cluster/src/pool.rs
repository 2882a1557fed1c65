//! Which of several connections to a member of the cluster carries an account.

/// The number of the connection, of `size`, that carries the account (CLU-015): the 32-bit FNV-1a hash of its name.
// spec: CLU-015
pub fn index_of(account: &str, size: usize) -> usize {
    if size <= 1 {
        return 0;
    }
    let hash = account.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash as usize % size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_spread_as_the_reference_spreads_them() {
        // spec: CLU-015
        // FNV-1a of "a" is e40c292c, of "foobar" bf9cf968.
        assert_eq!(index_of("a", 1 << 16), 0x292c);
        assert_eq!(index_of("foobar", 1 << 16), 0xf968);
        assert_eq!(index_of("", 3), 0x811c_9dc5 % 3);
        assert_eq!(index_of("A", 1), 0);
        assert_eq!(index_of("A", 0), 0);
    }
}
