//! However the network cuts what a client sends, the answers are the same.

use proptest::prelude::*;

use crate::support::World;

/// One client's words of every kind, and a large message that has a buffer of its own when it is cut.
fn conversation() -> Vec<u8> {
    let large = "abcdefgh".repeat(700);
    format!(
        "CONNECT {{\"verbose\":true,\"pedantic\":true,\"headers\":true,\"no_responders\":true,\"protocol\":1}}\r\n\
         PING\r\nSUB a.* 1\r\nsub b q 2\nPUB a.b 5\r\nhello\r\nHPUB a.c in 12 14\r\nNATS/1.0\r\n\r\nhi\r\n\
         UNSUB 2 1\r\nPUB b 0\r\n\r\nPUB b 0\r\n\r\nSUB in 3\r\nPUB nobody in 0\r\n\r\nSUB a..b 9\r\n\
         PUB a.large {}\r\n{large}\r\nUNSUB 1\r\nPUB a.b 1\r\nx\r\nPONG\r\nPING\r\nNONSENSE\r\n",
        large.len()
    )
    .into_bytes()
}

fn answers(sizes: &[usize]) -> (String, bool) {
    let client = World::new("").open();
    client.received();
    client.send_in_pieces(&conversation(), sizes);
    (client.received(), client.closed().is_some())
}

#[test]
fn in_one_piece_and_byte_by_byte() {
    // spec: CORE-016
    let whole = answers(&[]);
    assert!(whole.1 && whole.0.ends_with("PONG\r\n-ERR 'Unknown Protocol Operation'\r\n"), "{}", whole.0);
    assert_eq!(answers(&vec![1; conversation().len()]), whole);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_pieces_of_any_size(sizes in prop::collection::vec(1_usize..600, 0..60)) {
        // spec: CORE-016
        prop_assert_eq!(answers(&sizes), answers(&[]));
    }
}
