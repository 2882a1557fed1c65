//! Short names: a few letters and digits that stand for whatever is called something, the same on every server.

use sha2::{Digest, Sha256};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A short name of so many characters for whatever is called `name`.
// spec: CLU-046
pub fn short_name<const LEN: usize>(name: &str) -> [u8; LEN] {
    let digest = Sha256::digest(name);
    std::array::from_fn(|at| DIGITS[usize::from(digest[at]) % DIGITS.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_those_of_every_server() {
        // spec: CLU-046
        assert_eq!(&short_name::<6>("A"), b"NUmM6c");
        assert_eq!(&short_name::<8>("A"), b"NUmM6cRx");
    }
}
