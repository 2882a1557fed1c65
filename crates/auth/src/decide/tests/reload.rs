//! What identities are worth after a reload.

use super::*;

/// The account that a connection accepted under `before` is in under `after`, if it may stay.
fn renewed(before: &Options, after: &Options, request: &Request<'_>) -> Option<String> {
    let (older, newer) = (directory(before), directory(after));
    let identity = decide(&older, request).expect("accepted before the reload");
    newer.renew(&identity, request.kind, &older).map(|identity| identity.account.to_string())
}

#[test]
fn an_identity_lasts_while_its_user_does() {
    // spec: SEC-041
    let named = Request { user: "a", pass: "p", ..request() };
    let before = with_users(vec![user("a", "p")]);
    let in_account = Options { accounts: vec![account("A", vec![user("a", "p")])], ..Default::default() };
    let restricted = User { connection_types: only(ConnectionType::Mqtt), ..user("a", "p") };
    let proxied = User { proxy_required: true, ..user("a", "p") };
    for (after, expected) in [
        (before.clone(), Some("$G")),
        (with_users(vec![user("a", "p"), user("b", "p")]), Some("$G")),
        (in_account, Some("A")),
        (with_users(vec![user("a", "changed")]), None),
        (with_users(vec![user("b", "p")]), None),
        (with_users(vec![restricted]), None),
        (with_users(vec![proxied]), None),
        (Options::default(), None),
    ] {
        assert_eq!(renewed(&before, &after, &named).as_deref(), expected, "{after:?}");
    }
}

#[test]
fn the_open_door_and_the_single_user_last_while_unchanged() {
    // spec: SEC-041
    let simple = |password: &str| {
        let authorization =
            Authorization { user: Some("u".into()), password: Some(password.into()), ..Default::default() };
        Options { authorization, ..Default::default() }
    };
    let named = Request { user: "u", pass: "p", ..request() };
    assert_eq!(renewed(&simple("p"), &simple("p"), &named).as_deref(), Some("$G"));
    assert_eq!(renewed(&simple("p"), &simple("q"), &named), None);
    assert_eq!(renewed(&Options::default(), &Options::default(), &named).as_deref(), Some("$G"));
    assert_eq!(renewed(&Options::default(), &simple("p"), &named), None);
}
