//! Users by nkey, and trusted proxies.

use data_encoding::{BASE64, BASE64URL_NOPAD};

use super::*;
use crate::AuthError;
use crate::nkey::{KeyPair, NkeyError, Prefix};

const NONCE: &[u8] = b"PXoWU7zWAMt75FY";

fn pair(prefix: Prefix, byte: u8) -> KeyPair {
    KeyPair::from_random(prefix, [byte; 32])
}

fn signed(pair: &KeyPair) -> String {
    BASE64URL_NOPAD.encode(&pair.sign(NONCE))
}

#[test]
fn an_nkey_is_proved_by_signing_the_nonce() {
    // spec: SEC-011 SEC-012 SEC-013 SEC-085 SEC-086 CORE-024
    let (own, other) = (pair(Prefix::User, 1), pair(Prefix::User, 2));
    let key = own.public();
    let mut options = Options { accounts: vec![account("A", vec![nkey_user(&key)])], ..Default::default() };
    options.authorization.users = vec![user("u", "p")];
    let users = directory(&options);
    assert!(users.nonce_required() && users.auth_required());
    let base = Request { nonce: NONCE, nkey: &key, ..request() };
    let standard = BASE64.encode(&own.sign(NONCE));
    let earlier = BASE64URL_NOPAD.encode(&own.sign(b"an older nonce!"));
    let stranger = other.public();
    for (request, expected) in [
        (Request { sig: &signed(&own), ..base }, welcome("A", &key)),
        (Request { sig: &standard, ..base }, welcome("A", &key)),
        (Request { sig: &signed(&other), ..base }, Err(Reason::SignatureWrong)),
        (Request { sig: &earlier, ..base }, Err(Reason::SignatureWrong)),
        (Request { sig: "AA", ..base }, Err(Reason::SignatureMalformed)),
        (Request { sig: "no base64!", ..base }, Err(Reason::SignatureMalformed)),
        (base, Err(Reason::SignatureMissing)),
        (Request { nkey: &stranger, sig: &signed(&other), ..base }, Err(Reason::UnknownNkey)),
        // An nkey is looked at before a name.
        (Request { nkey: &stranger, user: "u", pass: "p", ..base }, Err(Reason::UnknownNkey)),
        (Request { nkey: "", user: "u", pass: "p", ..base }, welcome("$G", "u")),
        (Request { nkey: "", ..base }, Err(Reason::NoCredentials)),
    ] {
        assert_eq!(told(&users, &request), expected, "{request:?}");
    }
    let identity = decide(&users, &Request { sig: &signed(&own), ..base }).expect("proved");
    assert_eq!(identity.nkey.as_deref(), Some(&*key));
}

#[test]
fn nkey_users_have_connection_types_too() {
    // spec: SEC-013
    let own = pair(Prefix::User, 1);
    let key = own.public();
    let restricted = User { connection_types: only(ConnectionType::Websocket), ..nkey_user(&key) };
    let users = directory(&with_users(vec![restricted]));
    let sig = signed(&own);
    let base = Request { nonce: NONCE, nkey: &key, sig: &sig, ..request() };
    assert_eq!(told(&users, &base), Err(Reason::ConnectionType));
    assert_eq!(told(&users, &Request { kind: ConnectionType::Websocket, ..base }), welcome("$G", &key));
}

#[test]
fn the_no_auth_user_may_be_known_by_nkey() {
    // spec: SEC-008 CORE-015
    let key = pair(Prefix::User, 1).public();
    let options = Options { no_auth_user: Some(key.clone()), ..with_users(vec![nkey_user(&key)]) };
    let users = directory(&options);
    assert!(!users.admits_without_connect(STANDARD), "one by nkey needs CONNECT");
    assert!(!users.info_auth_required());
    for (request, expected) in [
        (request(), welcome("$G", &key)),
        (Request { nkey: &key, ..request() }, welcome("$G", &key)),
        (Request { user: "x", ..request() }, Err(Reason::NoCredentials)),
    ] {
        assert_eq!(told(&users, &request), expected, "{request:?}");
    }
}

#[test]
fn trusted_proxies_vouch_for_their_clients() {
    // spec: SEC-075
    let (proxy, stranger) = (pair(Prefix::Server, 1), pair(Prefix::Server, 2));
    let required = User { proxy_required: true, ..user("required", "p") };
    let options = Options {
        trusted_proxies: vec![pair(Prefix::Server, 9).public(), proxy.public()],
        ..with_users(vec![required, user("free", "p")])
    };
    let trusting = directory(&options);
    assert!(trusting.nonce_required());
    let (good, bad, standard) = (signed(&proxy), signed(&stranger), BASE64.encode(&proxy.sign(NONCE)));
    let base = Request { nonce: NONCE, user: "required", pass: "p", ..request() };
    for (request, expected) in [
        (Request { proxy_sig: &good, ..base }, welcome("$G", "required")),
        (base, Err(Reason::ProxyRequired)),
        (Request { proxy_sig: &bad, ..base }, Err(Reason::ProxyNotTrusted)),
        (Request { proxy_sig: &standard, ..base }, Err(Reason::ProxyNotTrusted)),
        (Request { proxy_sig: "?", ..base }, Err(Reason::ProxyNotTrusted)),
        (Request { user: "free", ..base }, welcome("$G", "free")),
        (Request { user: "free", proxy_sig: &bad, ..base }, Err(Reason::ProxyNotTrusted)),
    ] {
        assert_eq!(told(&trusting, &request), expected, "{request:?}");
    }
    let identity = decide(&trusting, &Request { proxy_sig: &good, ..base }).expect("vouched for");
    assert_eq!(identity.proxy.as_deref(), Some(&*proxy.public()));
    // Where none are trusted a proxy's word is not looked at.
    let trusting_none = directory(&Options { trusted_proxies: vec![], ..options });
    assert_eq!(told(&trusting_none, &Request { user: "free", proxy_sig: &bad, ..base }), welcome("$G", "free"));
}

#[test]
fn the_single_user_may_need_a_proxy() {
    // spec: SEC-075 CFG-102
    let proxy = pair(Prefix::Server, 1);
    let authorization = Authorization {
        user: Some("u".into()),
        password: Some("p".into()),
        proxy_required: true,
        ..Default::default()
    };
    let options = Options { authorization, trusted_proxies: vec![proxy.public()], ..Default::default() };
    let base = Request { nonce: NONCE, user: "u", pass: "p", ..request() };
    assert_eq!(told(&directory(&options), &base), Err(Reason::ProxyRequired));
    assert_eq!(told(&directory(&options), &Request { proxy_sig: &signed(&proxy), ..base }), welcome("$G", "u"));
}

#[test]
fn keys_that_are_none_are_refused() {
    let account_key = pair(Prefix::Account, 1).public();
    let wrong_kind = NkeyError::Kind { expected: Prefix::User, found: Prefix::Account };
    assert_eq!(
        Directory::new(&with_users(vec![nkey_user(&account_key)])).err(),
        Some(AuthError::UserNkey { key: account_key, source: wrong_kind })
    );
    let options = Options { trusted_proxies: vec!["nonsense".into()], ..Default::default() };
    assert_eq!(
        Directory::new(&options).err(),
        Some(AuthError::ProxyKey { key: "nonsense".into(), source: NkeyError::Encoding })
    );
}

#[test]
fn an_embedder_may_ask_for_nonces_always() {
    // spec: SEC-011
    let mut options = Options::default();
    options.switches.always_enable_nonce = true;
    assert!(directory(&options).nonce_required());
}
