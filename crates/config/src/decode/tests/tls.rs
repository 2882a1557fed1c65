//! `tls` blocks.

use std::time::Duration;

use super::{errors, options, warnings};
use crate::options::{CertificatePair, HandshakeFirst, Tls, TlsVersion};

const HASH: &str = "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd";

fn tls(text: &str) -> Tls {
    options(&format!("tls {{ {text} }}")).tls.expect("a block")
}

fn pair(cert: &str, key: &str) -> CertificatePair {
    CertificatePair { cert_file: cert.into(), key_file: key.into() }
}

#[test]
fn an_empty_block_has_defaults() {
    // spec: CFG-080 CFG-133 CFG-135 CFG-288
    assert_eq!(tls(""), Tls::default());
    assert_eq!(tls("timeout: 0"), Tls::default());
    assert_eq!(Tls::default().timeout, Duration::from_secs(2));
}

#[test]
fn certificates() {
    // spec: CFG-129 CFG-130 CFG-280 CFG-281 CFG-282 CFG-283 CLI-013
    let single = tls("cert_file: cert.pem, key_file: 'key.pem', ca_file: ca.pem");
    assert_eq!(single.certificates, [pair("cert.pem", "key.pem")]);
    assert_eq!(single.ca_file.as_deref(), Some("ca.pem".as_ref()));
    for key in ["certs", "certificates"] {
        let many = tls(&format!(
            "{key}: [ {{cert_file: cert.pem, key_file: key.pem}}, {{cert_file: other.pem, key_file: other.key}} ]"
        ));
        assert_eq!(many.certificates, [pair("cert.pem", "key.pem"), pair("other.pem", "other.key")]);
    }
}

#[test]
fn certificates_that_do_not_fit() {
    // spec: CFG-130 CFG-141 CFG-283
    for (text, message) in [
        ("cert_file: cert.pem", "1:0: missing 'key_file' in TLS configuration"),
        ("key_file: key.pem", "1:0: missing 'cert_file' in TLS configuration"),
        (
            "cert_file: cert.pem, certs: [ {cert_file: cert.pem, key_file: key.pem} ]",
            "1:0: error parsing tls config, cannot combine 'cert_file' option with 'certs' option",
        ),
        (
            "certs: [ {cert_file: cert.pem} ]",
            "1:15: error parsing certificates config: both 'cert_file' and 'key_file' options are required",
        ),
        (
            "certs: [ {cert_file: cert.pem, Key_file: key.pem} ]",
            "1:37: error parsing tls certs config, unknown field \"Key_file\"",
        ),
        (
            "cert_file: gone.pem, key_file: key.pem",
            "1:0: error parsing X509 certificate/key pair: open gone.pem: no such file or directory",
        ),
        ("ca_file: gone.pem", "1:0: open gone.pem: no such file or directory"),
        ("cert_file: 5", "1:6: error parsing tls config, expected 'cert_file' to be filename, got the integer 5"),
    ] {
        assert!(errors(&format!("tls {{ {text} }}")).contains(&format!("t.conf:{message}")), "{text}");
    }
}

#[test]
fn switches() {
    // spec: CFG-131 CFG-132 CFG-284 CFG-285 CFG-286 CFG-287
    assert!(tls("verify: true").verify);
    let mapped = tls("verify_and_map: true, verify: false");
    assert!(mapped.verify && mapped.map);
    let unmapped = tls("verify: true, verify_and_map: false");
    assert!(unmapped.verify && !unmapped.map);
    assert!(!tls("verify_cert_and_check_known_urls: false").verify);
    assert_eq!(
        errors("tls { verify_cert_and_check_known_urls: true }"),
        "t.conf:1:6: verify_cert_and_check_known_urls not supported in this context"
    );
    assert!(tls("insecure: true").insecure);
    assert_eq!(
        warnings("tls { insecure: true }"),
        "t.conf:1:6: \"insecure\" has no effect: a listener verifies nobody it connects to"
    );
    assert_eq!(
        errors("tls { verify: 5 }"),
        "t.conf:1:6: error parsing tls config, expected 'verify' to be a boolean, got the integer 5"
    );
}

#[test]
fn parameters() {
    // spec: CFG-012 CFG-133 CFG-134 CFG-135 CFG-136 CFG-137 CFG-288 CFG-289 CFG-290 CFG-291 CFG-292 CFG-293 CFG-294 NEW-011
    for (text, seconds) in
        [("timeout: 3", 3.0), ("timeout: 0.5", 0.5), ("timeout: '1500ms'", 1.5), ("timeout: 0.0001", 0.0001)]
    {
        assert_eq!(tls(text).timeout, Duration::from_secs_f64(seconds), "{text}");
    }
    assert_eq!(tls("cipher_suites: [TLS_AES_128_GCM_SHA256]").cipher_suites, ["TLS_AES_128_GCM_SHA256"]);
    assert!(tls("allow_insecure_cipher_suites: true").allow_insecure_cipher_suites);
    assert_eq!(tls("curve_preferences: [X25519, CurveP256]").curve_preferences, ["X25519", "CurveP256"]);
    assert_eq!(tls("min_version: '1.2'").min_version, TlsVersion::V1_2);
    assert_eq!(tls("min_version: '1.3'").min_version, TlsVersion::V1_3);
    assert_eq!(tls("connection_rate_limit: 7").connection_rate_limit, 7);
    assert_eq!(tls(&format!("pinned_certs: ['{}']", HASH.to_uppercase())).pinned_certs, [HASH]);
}

#[test]
fn parameters_that_do_not_fit() {
    // spec: CFG-012 CFG-134 CFG-135 CFG-137
    for (text, message) in [
        ("cipher_suites: []", "error parsing tls config, 'cipher_suites' cannot be empty"),
        ("curve_preferences: []", "error parsing tls config, 'curve_preferences' cannot be empty"),
        ("min_version: '1.1'", "error parsing tls config: unsupported TLS version: TLS 1.1"),
        ("min_version: '2'", "error parsing tls config: unknown version: 2"),
        (
            "min_version: 1.2",
            "error parsing tls config: 'min_version' wrong type: expected \"1.2\" or \"1.3\", got the number 1.2",
        ),
        ("timeout: '5x'", "error parsing tls config, 'timeout' time: unknown unit \"x\" in duration \"5x\""),
        ("timeout: -1", "error parsing tls config, 'timeout' can not be -1"),
        ("timeout: []", "error parsing tls config, 'timeout' wrong type: expected seconds or a duration, got an array"),
        (
            "pinned_certs: x",
            "error parsing tls config, expected 'pinned_certs' to be a list of hex-encoded sha256 of DER encoded SubjectPublicKeyInfo",
        ),
        ("nope: 1", "error parsing tls config, unknown field \"nope\""),
    ] {
        assert_eq!(errors(&format!("tls {{ {text} }}")), format!("t.conf:1:6: {message}"));
    }
    assert_eq!(
        errors("tls { pinned_certs: ['ABC'] }"),
        "t.conf:1:22: error parsing tls config, 'pinned_certs' key abc does not look like hex-encoded sha256 of DER \
         encoded SubjectPublicKeyInfo"
    );
}

#[test]
fn ciphers_and_curves_are_known_by_name() {
    // spec: CFG-134 CFG-289 CFG-290 CFG-291
    for (text, message) in [
        ("cipher_suites: [tls_aes_128_gcm_sha256]", "1:22: unrecognized cipher tls_aes_128_gcm_sha256"),
        ("curve_preferences: [CurveP256, x25519]", "1:37: unrecognized curve preference x25519"),
        (
            "cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_RSA_WITH_RC4_128_SHA, TLS_RSA_WITH_AES_128_CBC_SHA]",
            "1:0: insecure cipher suites configured without 'allow_insecure_cipher_suites' option set: \
             TLS_RSA_WITH_RC4_128_SHA, TLS_RSA_WITH_AES_128_CBC_SHA",
        ),
    ] {
        assert_eq!(errors(&format!("tls {{ {text} }}")), format!("t.conf:{message}"));
    }
    let allowed = tls("cipher_suites: [TLS_RSA_WITH_RC4_128_SHA], allow_insecure_cipher_suites: true");
    assert_eq!(allowed.cipher_suites, ["TLS_RSA_WITH_RC4_128_SHA"]);
    assert_eq!(tls("curve_preferences: [X25519MLKEM768]").curve_preferences, ["X25519MLKEM768"]);
}

#[test]
fn handshake_first() {
    // spec: CFG-138 CFG-295
    for key in ["handshake_first", "first", "immediate"] {
        for (value, expected) in [
            ("true", HandshakeFirst::On),
            ("'on'", HandshakeFirst::On),
            ("false", HandshakeFirst::Off),
            ("'off'", HandshakeFirst::Off),
            ("auto", HandshakeFirst::Fallback(Duration::from_millis(50))),
            ("Auto_fallback", HandshakeFirst::Fallback(Duration::from_millis(50))),
            ("'300ms'", HandshakeFirst::Fallback(Duration::from_millis(300))),
            ("'0s'", HandshakeFirst::On),
        ] {
            assert_eq!(tls(&format!("{key}: {value}")).handshake_first, expected, "{key} {value}");
        }
        assert_eq!(
            errors(&format!("tls {{ {key}: nope }}")),
            format!("t.conf:1:6: field \"{key}\"'s value \"nope\" is invalid")
        );
    }
    assert_eq!(
        errors("tls { first: 5 }"),
        "t.conf:1:6: field \"first\" should be a boolean or a string, got the integer 5"
    );
}

#[test]
fn the_certificate_store_of_windows() {
    // spec: CFG-140 CFG-305 CFG-306 CFG-307 CFG-308
    for text in ["cert_match_by: Subject", "cert_match: x", "ca_certs_match: [x]", "cert_match_skip_invalid: true"] {
        let key = text.split(':').next().expect("a key");
        assert_eq!(
            warnings(&format!("tls {{ {text} }}")),
            format!("t.conf:1:6: \"{key}\" has no effect: it belongs to the certificate store of Windows")
        );
    }
}
