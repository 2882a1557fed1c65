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
