//! Peers that take nothing, or hang up without a word.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use martlet_broker::driver::WriteRules;
use martlet_broker::peer::Kind;
use martlet_config::options::WriteTimeout;
use martlet_net::{Origin, Terms};
use martlet_proto::ClosedReason;

use crate::support::{Event, Node, Script, terms};

/// More than any socket keeps.
const FLOOD: usize = 32 << 20;

fn flooded(script: Script, max_pending: usize) -> (Node, ClosedReason) {
    let node = Node::new(script);
    let terms = Terms { max_pending, ..terms(Kind::Leaf, Origin::Accepted(None)) };
    let (address, mut accepted) = node.listen(terms);
    let _half_open = TcpStream::connect(address).expect("somebody listens");
    accepted.say(vec![b'x'; FLOOD]);
    let (_, reason) = accepted.ended();
    (node, reason)
}

#[test]
fn too_much_waiting_closes_the_link() {
    let (node, reason) = flooded(Script::default(), FLOOD / 2);
    assert_eq!(reason, ClosedReason::SlowConsumerPendingBytes);
    let slow = &node.broker.counters.slow_consumers;
    assert_eq!((slow.leafs.load(Relaxed), slow.clients.load(Relaxed)), (1, 0));
}

#[test]
fn so_does_waiting_too_long() {
    // spec: CFG-059
    for timeout in [WriteTimeout::Default, WriteTimeout::Close] {
        let rules = WriteRules { deadline: Duration::from_millis(50), timeout };
        let (node, reason) = flooded(Script { rules, ..Script::default() }, 2 * FLOOD);
        assert_eq!(reason, ClosedReason::SlowConsumerWriteDeadline);
        let counted = node.broker.counters.slow_consumers.leafs.load(Relaxed);
        let most = if timeout == WriteTimeout::Default { 2 } else { 1 };
        assert!((1..=most).contains(&counted), "what it took may earn it as long again: {counted}");
    }
}

#[test]
fn what_waits_compressed_is_waited_for_no_longer() {
    // spec: CORE-090
    let rules = WriteRules { deadline: Duration::from_millis(50), timeout: WriteTimeout::Close };
    let node = Node::new(Script { rules, ..Script::default() });
    let terms = Terms { max_pending: 2 * FLOOD, ..terms(Kind::Route, Origin::Accepted(None)) };
    let (address, mut accepted) = node.listen(terms);
    let mut half_open = TcpStream::connect(address).expect("somebody listens");
    half_open.write_all(b"COMPRESS\r\n").expect("it takes that");
    while !matches!(accepted.next(), Event::Compressed) {}
    // Noise, as far as blocks of a few hundred kilobytes can see.
    let noise: Vec<u8> = (0..1 << 20).map(|_| fastrand::u8(..)).collect();
    accepted.say(noise.repeat(FLOOD >> 20));
    assert_eq!(accepted.ended().1, ClosedReason::SlowConsumerWriteDeadline);
}

#[test]
fn a_peer_that_is_gone_is_gone() {
    let node = Node::new(Script::default());
    let (address, mut accepted) = node.listen(terms(Kind::Route, Origin::Accepted(None)));
    drop(TcpStream::connect(address).expect("somebody listens"));
    let (_, reason) = accepted.ended();
    assert!(matches!(reason, ClosedReason::ClientClosed | ClosedReason::ReadError), "{reason}");
    assert!(node.broker.registry.links().is_empty());
}
