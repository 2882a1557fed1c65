//! The JSON of INFO and CONNECT between servers: no bytes make the reader panic, and what is written back is read the same.

use martlet_proto::{Info, LeafConnect, LinkConnect};

/// The bytes between the verb and the line end.
pub(crate) fn check(data: &[u8]) {
    let mut written = Vec::new();
    if let Ok(info) = Info::from_json(data) {
        info.write_json(&mut written);
        assert_eq!(Info::from_json(&written), Ok(info));
    }
    if let Ok(connect) = LinkConnect::from_json(data) {
        written.clear();
        connect.write_json(&mut written);
        assert_eq!(LinkConnect::from_json(&written), Ok(connect));
    }
    if let Ok(connect) = LeafConnect::from_json(data) {
        written.clear();
        connect.write_json(&mut written);
        assert_eq!(LeafConnect::from_json(&written), Ok(connect));
    }
}
