//! Those who are dialled and do not answer.

use std::net::TcpListener;

use martlet_broker::peer::Kind;
use martlet_net::{Dial, DialError, Origin};

use crate::support::{Node, Script, terms, whom};

fn failure(whom: Dial) -> DialError {
    let node = Node::new(Script::default());
    let (dialling, _) = node.dial(whom, terms(Kind::Route, Origin::Dialled(None)));
    dialling.outcome().expect_err("nobody is there")
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let error = failure(whom(address));
    assert_eq!(error.to_string(), format!("dial tcp {address}: connect: connection refused"));
}

#[test]
fn names_without_addresses() {
    let address = "127.0.0.1:1".parse().expect("an address");
    let nowhere = Dial { host: "..".into(), ..whom(address) };
    let error = failure(nowhere);
    assert!(matches!(&error, DialError::Lookup { host, .. } if host == ".."), "{error}");
    let own = Dial { avoid: vec![address], ..whom(address) };
    assert_eq!(
        failure(own).to_string(),
        "lookup 127.0.0.1: none of its addresses may be tried, all are this server's own"
    );
}

#[test]
fn a_name_is_tried_until_one_of_its_addresses_answers() {
    // Where localhost is also ::1, nobody listens there.
    let node = Node::new(Script::default());
    let (address, _accepted) = node.listen(terms(Kind::Route, Origin::Accepted(None)));
    for shuffled in [false, true] {
        let whom = Dial { host: "localhost".into(), shuffled, ..whom(address) };
        let (_dialling, mut dialled) = node.dial(whom, terms(Kind::Route, Origin::Dialled(None)));
        assert_eq!(dialled.line(), "HELLO");
    }
}
