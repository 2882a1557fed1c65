//! A message of the server's own, compressed as `Accept-Encoding` asks for.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// How a message is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is, without a word.
    Plain,
    /// As it is, because what was asked for is not known.
    Identity,
    /// By gzip.
    Gzip,
    /// By snappy, in the framing format.
    Snappy,
}

impl Encoding {
    /// What `Accept-Encoding` asks for; empty if the header is not there.
    // spec: CORE-128
    pub fn accepted(value: &str) -> Self {
        let value = value.to_lowercase();
        if value.is_empty() {
            Self::Plain
        } else if value.contains("snappy") || value.contains("s2") {
            Self::Snappy
        } else if value.contains("gzip") {
            Self::Gzip
        } else {
            Self::Identity
        }
    }

    /// Headers and payload for `body`.
    pub fn encode(self, body: Vec<u8>) -> (String, Vec<u8>) {
        let (name, payload) = match self {
            Self::Plain => return (String::new(), body),
            Self::Identity => ("identity", body),
            Self::Gzip => ("gzip", gzip(&body)),
            Self::Snappy => ("snappy", snappy(&body)),
        };
        (format!("NATS/1.0\r\nContent-Encoding: {name}\r\n\r\n"), payload)
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes every byte")
}

fn snappy(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    let written = encoder.write_all(bytes);
    written.expect("memory takes every byte");
    encoder.into_inner().expect("memory takes every byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_encoding_wins_and_snappy_comes_first() {
        // spec: CORE-128
        for (asked, encoding) in [
            ("", Encoding::Plain),
            ("gzip", Encoding::Gzip),
            ("GZIP, br", Encoding::Gzip),
            ("gzip, snappy", Encoding::Snappy),
            ("S2", Encoding::Snappy),
            ("br", Encoding::Identity),
        ] {
            assert_eq!(Encoding::accepted(asked), encoding, "{asked}");
        }
    }
}
