//! Links as they are without anything above TCP.

use martlet_broker::peer::Kind;
use martlet_net::Origin;
use martlet_proto::ClosedReason;

use crate::support::{Event, Node, Script, Shape, body_line, terms, whom};

#[test]
fn two_ends_talk_until_one_has_enough() {
    let (ours, theirs) = (Node::new(Script::default()), Node::new(Script::default()));
    let (address, mut accepted) = theirs.listen(terms(Kind::Route, Origin::Accepted(None)));
    let (dialling, mut dialled) = ours.dial(whom(address), terms(Kind::Route, Origin::Dialled(None)));
    assert_eq!(dialled.line(), "HELLO");
    dialled.say("SAY one\r\nSAY two\r\n");
    assert_eq!((accepted.line(), accepted.line()), ("SAY one".into(), "SAY two".into()));
    assert_eq!((dialled.line(), dialled.line()), ("SAID one".into(), "SAID two".into()));

    let (near, far) = (dialled.facts.expect("made"), accepted.facts.expect("made"));
    assert_eq!((near.dialled, near.remote, far.dialled), (true, address, false));
    assert_ne!(near.nonce, far.nonce);
    let label = dialled.peer().label();
    assert_eq!(label, format!("127.0.0.1:{} - rid:1", address.port()));

    let registry = &ours.broker.registry;
    assert_eq!((registry.links().len(), registry.len(), registry.total()), (1, 0, 0), "links are no clients");
    accepted.say("QUIT\r\n");
    assert_eq!(dialled.ended(), (vec!["QUIT".into()], ClosedReason::DuplicateRoute));
    assert_eq!(dialling.outcome().expect("it was up"), ClosedReason::DuplicateRoute);
    assert_eq!(accepted.ended().1, ClosedReason::ClientClosed);
    assert!(ours.broker.registry.links().is_empty() && theirs.broker.registry.links().is_empty());
}

#[test]
fn large_bodies_have_buffers_of_their_own() {
    let node = Node::new(Script::default());
    let (address, mut accepted) = node.listen(terms(Kind::Gateway, Origin::Accepted(None)));
    let (_dialling, mut dialled) = node.dial(whom(address), terms(Kind::Gateway, Origin::Dialled(None)));
    let large: Vec<u8> = (0..3_000_000).map(|_| fastrand::u8(..)).collect();
    dialled.say([body_line(b"small"), body_line(&large), b"SAY on\r\n".to_vec()].concat());
    assert_eq!(accepted.body(), (b"small".to_vec(), Shape::WithItsLine));
    let (body, shape) = accepted.body();
    assert!(body == large && shape == Shape::OnItsOwn);
    assert_eq!(accepted.line(), "SAY on");
    assert_eq!(dialled.body().0, b"small");
    assert!(dialled.body().0 == large);
    assert_eq!(dialled.line(), "SAID on");
}

#[test]
fn a_driver_has_its_timer() {
    let node = Node::new(Script::default());
    let (address, mut accepted) = node.listen(terms(Kind::Route, Origin::Accepted(None)));
    let (_dialling, mut dialled) = node.dial(whom(address), terms(Kind::Route, Origin::Dialled(None)));
    dialled.say("TIMER\r\n");
    assert_eq!(accepted.line(), "TIMER");
    assert!(matches!(accepted.next(), Event::Tick));
}

#[test]
fn whoever_waits_for_a_link_hears_of_the_end_of_its_server() {
    let (ours, theirs) = (Node::new(Script::default()), Node::new(Script::default()));
    let (address, _accepted) = theirs.listen(terms(Kind::Route, Origin::Accepted(None)));
    let (dialling, mut dialled) = ours.dial(whom(address), terms(Kind::Route, Origin::Dialled(None)));
    assert_eq!(dialled.line(), "HELLO");
    dialled.close(ClosedReason::ServerShutdown);
    assert_eq!(dialling.outcome().expect("it was up"), ClosedReason::ServerShutdown);
    theirs.stop();
}
