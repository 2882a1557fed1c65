//! PROXY preambles: an answer, once given, stands whatever follows, and no shorter input had given another.

use martlet_proto::proxy_protocol::{MAX_LEN, Preamble, decode};

/// What a connection begins with.
pub(crate) fn check(data: &[u8]) {
    let answer = decode(data);
    match answer {
        Ok(Preamble::Incomplete) => assert!(data.len() < MAX_LEN),
        Ok(Preamble::Local { used } | Preamble::Proxied { used, .. }) => {
            assert!(used <= data.len());
            assert_eq!(decode(&data[..used]), answer);
            for len in [0, 5, 6, used / 2, used - 1] {
                assert_eq!(decode(&data[..len]), Ok(Preamble::Incomplete));
            }
        }
        Ok(Preamble::Absent) | Err(_) => {}
    }
    if answer != Ok(Preamble::Incomplete) {
        assert_eq!(decode(&[data, b"\r\nmore"].concat()), answer);
    }
}
