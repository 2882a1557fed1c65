//! Users taken from client certificates (`verify_and_map`).

use martlet_config::options::Tls;

use super::*;
use crate::{Attribute, PeerNames};

const CN: &str = "2.5.4.3";
const O: &str = "2.5.4.10";
const DC: &str = "0.9.2342.19200300.100.1.25";

fn mapping(users: Vec<User>) -> Directory {
    directory(&Options { tls: Some(Tls { verify: true, map: true, ..Tls::default() }), ..with_users(users) })
}

fn subject(text: &str, rdns: &[(&str, &str)]) -> PeerNames {
    let rdn = |(oid, value): &(&str, &str)| vec![Attribute { oid: (*oid).into(), value: (*value).into() }];
    PeerNames { subject: text.into(), rdns: rdns.iter().map(rdn).collect(), ..PeerNames::default() }
}

#[test]
fn names_are_tried_from_mail_to_subject() {
    // spec: SEC-064
    let peer = PeerNames {
        emails: vec!["first@x".into(), "mail@x".into()],
        dns_names: vec!["dns.x".into()],
        uris: vec!["spiffe://x".into()],
        ..subject("CN=a,O=acme", &[(O, "acme"), (CN, "a")])
    };
    let names = ["mail@x", "dns.x", "spiffe://x", "CN=a, O=acme", "O=acme,CN=a"];
    for first in 0..names.len() {
        let users = names[first..].iter().rev().map(|name| user(name, "")).collect();
        let expected = welcome("$G", names[first]);
        assert_eq!(told(&mapping(users), &Request { certificate: Some(&peer), ..request() }), expected);
    }
}

#[test]
fn a_subject_can_be_matched_as_text_with_and_without_its_domain() {
    // spec: SEC-064
    let unknown_type = subject("CN=a", &[(CN, "a"), ("1.2.3", "x")]);
    let domain = subject("CN=a", &[(DC, "org"), (DC, "acme"), (CN, "a"), ("1.2.3", "x")]);
    for (peer, name) in [(&unknown_type, "CN=a"), (&domain, "CN=a,DC=org,DC=acme"), (&domain, "CN=a")] {
        let users = mapping(vec![user(name, "")]);
        assert_eq!(told(&users, &Request { certificate: Some(peer), ..request() }), welcome("$G", name));
    }
}

#[test]
fn only_the_certificate_counts() {
    // spec: SEC-064
    let peer = subject("CN=a", &[(CN, "a")]);
    let stranger = subject("CN=b", &[(CN, "b")]);
    let users = mapping(vec![user("CN=a", "p"), user("named", "p")]);
    let base = Request { certificate: Some(&peer), ..request() };
    for (request, expected) in [
        (Request { pass: "p", ..base }, welcome("$G", "CN=a")),
        (Request { user: "named", pass: "p", ..base }, welcome("$G", "CN=a")),
        (base, Err(Reason::WrongPassword)), // a mapped user with a password has to know it
        (Request { certificate: Some(&stranger), ..base }, Err(Reason::CertificateUnmapped)),
        (Request { certificate: None, user: "named", pass: "p", ..base }, Err(Reason::CertificateMissing)),
    ] {
        assert_eq!(told(&users, &request), expected, "{request:?}");
    }
}

#[test]
fn a_user_known_by_certificate_is_not_open_to_those_without() {
    // spec: SEC-064
    let users = mapping(vec![user("CN=a", "")]);
    let through_websocket = Request { user: "CN=a", ..Request::new(ConnectionType::Websocket) };
    assert_eq!(told(&users, &through_websocket), Err(Reason::CertificateRequired));
}

#[test]
fn users_that_may_not_connect_this_way_are_passed_over() {
    // spec: SEC-064 SEC-074
    let peer = PeerNames { emails: vec!["a@x".into()], ..subject("CN=a", &[(CN, "a")]) };
    let elsewhere = User { connection_types: only(ConnectionType::Websocket), ..user("a@x", "") };
    let users = mapping(vec![elsewhere, user("CN=a", "")]);
    assert_eq!(told(&users, &Request { certificate: Some(&peer), ..request() }), welcome("$G", "CN=a"));
}
