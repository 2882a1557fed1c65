//! Features of later versions: known in every detail, and refused by name.

use super::{errors, options, read};

fn refused(name: &str, what: &str) -> String {
    format!("{name:?} is not supported by this version of Martlet yet; remove {what} to start without it")
}

/// A block of a feature with everything it may hold, and its name in the refusal.
const BLOCKS: &[(&str, &str)] = &[
    (
        "websocket",
        "websocket { listen: 8080, host: h, port: 8080, advertise: a, no_tls: true, tls {}, same_origin: true
           origins: [o], handshake_timeout: '2s', compression: true, authentication { user: u, pass: p, timeout: 1 }
           no_auth_user: u, jwt_cookie: c, user_cookie: c, pass_cookie: c, token_cookie: c, headers { X: y }
           ping_interval: '10s' }",
    ),
    (
        "mqtt",
        "mqtt { listen: 1883, host: h, port: 1883, tls {}, authorization { token: t }, no_auth_user: u, ack_wait: '1s'
           js_api_timeout: '1s', max_inflight: 5, js_domain: d, stream_replicas: 3, consumer_replicas: 1
           consumer_memory_storage: true, consumer_auto_cleanup: '1s', reject_qos2_publish: true
           downgrade_qos2_subscribe: true }",
    ),
    ("default_js_domain", "default_js_domain { A: hub }"),
    (
        "resolver",
        "resolver { type: full, dir: d, limit: 5, interval: '1m', timeout: '1s', allow_delete: true, hard_delete: true }",
    ),
    ("resolver_tls", "resolver_tls { ca_file: ca.pem }"),
    ("resolver_preload", "resolver_preload { A: eyJ }"),
    ("ocsp", "ocsp { mode: always, url: 'http://o', urls: ['http://o'] }"),
    ("ocsp_cache", "ocsp_cache { type: local, local_store: d, preserve_revoked: true, save_interval: '5m' }"),
];

#[test]
fn every_option_of_a_later_feature_is_known_and_the_feature_refused() {
    // A file that the reference starts more with must not start less in silence.
    for (name, text) in BLOCKS {
        assert_eq!(errors(text), format!("t.conf:1:0: {}", refused(name, "the block")), "{text}");
    }
}

#[test]
fn scalars_of_later_features_are_refused_too() {
    for (name, text) in [
        ("operator", "operator: 'op.jwt'"),
        ("operator", "root_operators: [eyJ]"),
        ("trusted", "trusted_keys: OBZHGRCTTGHTZQPRMNPZ5ZCVMB6UEW6CBZYKSN4ECVNCTKQIQOCUEYFB"),
        ("resolver", "resolver: MEMORY"),
        ("resolver", "account_resolver: URL(http://r)"),
        ("resolver_pinned_accounts", "resolver_pinned_accounts: [A]"),
        ("default_sentinel", "default_sentinel: eyJ"),
        ("ocsp", "ocsp: true"),
        ("ocsp_cache", "ocsp_cache: true"),
    ] {
        let found = errors(text);
        assert!(found.ends_with(&refused(name, "it")), "{text}: {found}");
    }
}

#[test]
fn later_options_inside_blocks_of_today_are_refused() {
    for (name, what, text) in [
        (
            "auth_callout",
            "the block",
            "authorization { auth_callout { issuer: ABJHLOVMPA4CI6R5KLNGOB4GSLNIY7IOUPAJC4YFNDLQVIOBYQGUWVLA, auth_users: [a], account: A, allowed_accounts: [B] } }",
        ),
        (
            "tpm",
            "the block",
            "jetstream { tpm { keys_file: f, encryption_password: p, srk_password: p, pcr: 1, cipher: aes } }",
        ),
        ("ocsp_peer", "it", "tls { ocsp_peer: true }"),
        (
            "ocsp_peer",
            "the block",
            "tls { ocsp_peer { verify: true, ca_timeout: 2, warn_only: true, unknown_is_good: true } }",
        ),
        ("cert_store", "it", "tls { cert_store: WindowsCurrentUser }"),
    ] {
        let found = errors(text);
        assert!(found.ends_with(&refused(name, what)) && found.starts_with("t.conf:1:"), "{text}: {found}");
    }
}

#[test]
fn what_is_only_switched_off_passes_in_silence() {
    for text in [
        "ocsp: false",
        "ocsp { mode: never }",
        "ocsp_cache: false",
        "ocsp_cache { type: none }",
        "websocket {}",
        "ws {}",
        "mqtt {}",
        "resolver_preload {}",
        "default_js_domain {}",
        "default_sentinel: ''",
        "tls { ocsp_peer: false }",
    ] {
        let loaded = read(text).unwrap_or_else(|errors| panic!("{text}: {errors}"));
        assert_eq!(loaded.warnings, [], "{text}");
    }
}

#[test]
fn a_cluster_name_alone_is_a_name() {
    // spec: CFG-279
    assert_eq!(options("cluster { name: east }").cluster_name.as_deref(), Some("east"));
    assert_eq!(errors("cluster { name: 'a b' }"), "t.conf:1:10: cluster name cannot contain spaces");
}

#[test]
fn mistakes_inside_later_features_keep_their_place() {
    // spec: CFG-003 CFG-015
    for (text, message) in [
        (
            "websocket { tls { verify_cert_and_check_known_urls: true } }",
            "1:18: verify_cert_and_check_known_urls not supported in this context",
        ),
        ("trusted: x", "1:0: trusted \"x\" is not a valid public operator nkey"),
        ("ocsp { mode: x }", "1:7: mode must be one of auto, always, must, never, got \"x\""),
        ("ocsp: 5", "1:0: \"ocsp\" must be a boolean or a map, got the integer 5"),
        ("resolver: 5", "1:0: \"resolver\" must be a string or a map, got the integer 5"),
    ] {
        let found = errors(text);
        assert!(found.lines().any(|line| line.starts_with(&format!("t.conf:{message}"))), "{text}: {found}");
    }
}
