use std::time::Duration;

use super::{ValidationError, validate, validate_system_account};
use crate::options::Tls;
use crate::{MemorySource, Options, parse_str};

fn refusal(text: &str) -> String {
    // What is wrong across options is no error of the file: `-t` calls it valid.
    // spec: CFG-004
    let loaded = parse_str(text, "t.conf", &MemorySource::new().file("c.pem", "").file("k.pem", "")).expect(text);
    let found = validate(&loaded.options).and_then(|()| validate_system_account(&loaded.options));
    found.expect_err(text).to_string()
}

#[test]
fn defaults_are_valid() {
    assert_eq!(validate(&Options::default()), Ok(()));
}

#[test]
fn options_that_do_not_go_together() {
    // spec: CFG-004 CFG-046 CFG-044 CFG-061 CFG-073 CFG-075 CFG-093 CFG-094
    for (text, message) in [
        (
            "lame_duck_duration: '30s', lame_duck_grace_period: '30s'",
            "lame duck grace period (30s) should be strictly lower than lame duck duration (30s)",
        ),
        ("max_payload: 100MB", "max_payload (104857600) cannot be higher than max_pending (67108864)"),
        ("http: 8222, https: 8223", "can't specify both HTTP (8222) and HTTPs (8223) ports"),
        ("https: 8223", "TLS cert and key required for HTTPS: add a \"tls\" block"),
        ("port: 65536", "invalid port 65536 for clients: expected -1 (any free port) or 0 to 65535"),
        ("http: -2", "invalid port -2 for monitoring over http: expected -1 (any free port) or 0 to 65535"),
        ("system_account: X", "error resolving system account: account missing: \"X\" is not in \"accounts\""),
        ("no_auth_user: u", "no_auth_user: \"u\" present, but users/nkeys are not defined"),
        (
            "no_auth_user: u, authorization { users [ {user a} ] }",
            "no_auth_user: \"u\" not present as user or nkey in authorization block or account configuration",
        ),
        ("tls {}", "the \"tls\" block has no certificate: set \"cert_file\" and \"key_file\", or \"certs\""),
    ] {
        assert_eq!(refusal(text), message);
    }
}

#[test]
fn links_that_do_not_go_together() {
    // spec: CFG-004 CFG-017 CFG-146 CFG-156 CFG-157 CFG-165 CFG-166 CFG-167 CFG-169 CFG-318 CFG-321 CFG-330 CFG-356
    for (text, message) in [
        ("cluster { port: 70000 }", "invalid port 70000 for routes: expected -1 (any free port) or 0 to 65535"),
        ("gateway { name: a, port: -2 }", "invalid port -2 for gateways: expected -1 (any free port) or 0 to 65535"),
        ("leaf { port: 70000 }", "invalid port 70000 for leaf nodes: expected -1 (any free port) or 0 to 65535"),
        ("gateway { port: -1 }", "gateway has no name"),
        ("gateway { name: a }", "gateway \"a\" has no port specified (select -1 for random port)"),
        ("gateway { name: a, port: -1, gateways: [ {} ] }", "gateway in the list 0 has no name"),
        ("gateway { name: a, port: -1, gateways: [ {name: b} ] }", "gateway \"b\" has no URL"),
        (
            "gateway { name: a, port: -1 }, cluster { name: b }",
            "cluster name conflicts between cluster and gateway definitions",
        ),
        (
            "gateway { name: a, port: -1 }, leaf { port: -1 }",
            "leaf nodes and gateways (both being defined) require a system account to also be configured",
        ),
        ("cluster { accounts: [A], pool_size: -1 }", "pool_size cannot be negative if pinned accounts are specified"),
        (
            "cluster { port: -1, accounts: [A, B, A] }",
            "found duplicate account name \"A\" in pinned accounts list [\"A\" \"B\" \"A\"]",
        ),
        (
            "leaf { authorization { account: X } }",
            "cannot find local account \"X\" specified in leafnode authorization",
        ),
        (
            "leaf { authorization { users: [ {user: a, account: X} ] } }",
            "cannot find local account \"X\" specified in leafnode authorization",
        ),
        (
            "leaf { remotes: [ {url: 'nats://h', account: X} ] }",
            "cannot find local account \"X\" specified in leafnode remote",
        ),
        (
            "no_system_account: true, leaf { authorization { account: $SYS } }",
            "cannot find local account \"$SYS\" specified in leafnode authorization",
        ),
        (
            "cluster { port: -1, tls {} }",
            "the \"tls\" block of \"cluster\" has no certificate: set \"cert_file\" and \"key_file\", or \"certs\"",
        ),
    ] {
        // A name that starts with a dollar is a variable unless it is quoted.
        let text = text.replace("$SYS", "'$SYS'");
        assert_eq!(refusal(&text), message);
    }
}

#[test]
fn links_that_do() {
    // spec: CFG-146 CFG-157 CFG-166 CFG-167 CFG-169
    for text in [
        "cluster { port: -1, accounts: [A, B] }",
        "cluster { tls {} }",
        "cluster { name: a }, gateway { name: a, port: -1 }",
        "gateway { advertise: a }",
        "gateway { name: a, port: -1, gateways: [ {name: a, url: 'nats://h:1'} ] }",
        "gateway { name: a, port: -1 }, leaf { port: -1 }, accounts { S {} }, system_account: S",
        "gateway { name: a, port: -1 }, leaf { remotes: [ {url: 'nats://h'} ] }",
        "leaf { port: -1, authorization { account: '$SYS' }, remotes: [ {url: 'nats://h', account: A} ] }, accounts { A {} }",
    ] {
        let loaded = parse_str(text, "t.conf", &MemorySource::new()).expect(text);
        assert_eq!(validate(&loaded.options), Ok(()), "{text}");
    }
}

#[test]
fn options_that_do() {
    // spec: CFG-073 CFG-075 CFG-093
    for text in [
        "max_payload: 64MiB",
        "no_auth_user: a, authorization { users [ {user a} ] }",
        "no_auth_user: a, accounts { A { users [ {user a} ] } }",
        "system_account: A, accounts: [A]",
        "system_account: '$SYS'",
        "https: 8223, tls { cert_file: c.pem, key_file: k.pem }",
        "port: -1, http: -1",
    ] {
        let source = MemorySource::new().file("c.pem", "").file("k.pem", "");
        let options = parse_str(text, "t.conf", &source).expect(text).options;
        assert_eq!(validate(&options).and_then(|()| validate_system_account(&options)), Ok(()), "{text}");
    }
}

#[test]
fn options_made_in_code_are_looked_at_as_well() {
    // spec: CFG-027 CFG-137
    let named = Options { server_name: Some("a b".into()), ..Options::default() };
    assert_eq!(validate(&named), Err(ValidationError::ServerNameHasSpaces));
    let clustered = Options { cluster_name: Some("a b".into()), ..Options::default() };
    assert_eq!(validate(&clustered), Err(ValidationError::ClusterNameHasSpaces));
    let tls = Tls { pinned_certs: vec!["ABC".into()], ..Tls::default() };
    assert!(matches!(
        validate(&Options { tls: Some(tls), ..Options::default() }),
        Err(ValidationError::PinnedCert(key)) if key == "ABC"
    ));
    let mut hasty = Options::default();
    hasty.timing.lame_duck_duration = Duration::ZERO;
    assert!(matches!(validate(&hasty), Err(ValidationError::LameDuck { .. })));
}
