//! Cipher suites and curves by their names in configuration files, and as connection lists show them.

use rustls::crypto::SupportedKxGroup;
use rustls::crypto::aws_lc_rs::{cipher_suite as suites, kx_group as groups};
use rustls::{CipherSuite, ProtocolVersion, SupportedCipherSuite};

use super::TlsError;

/// Cipher suites of TLS 1.3, in order of preference. They are always on offer: no configuration chooses among them.
const TLS13: [(&str, SupportedCipherSuite); 3] = [
    ("TLS_AES_128_GCM_SHA256", suites::TLS13_AES_128_GCM_SHA256),
    ("TLS_AES_256_GCM_SHA384", suites::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", suites::TLS13_CHACHA20_POLY1305_SHA256),
];

/// Cipher suites of TLS 1.2, in order of preference.
const TLS12: [(&str, SupportedCipherSuite); 6] = [
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

/// Names that configuration files may carry, of suites that rustls leaves out on purpose.
const LEFT_OUT: [&str; 4] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
];

/// Likewise, and nobody should want them.
const INSECURE: [&str; 13] = [
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA",
];

/// Key exchanges, in the order they are preferred when none are configured.
const CURVES: [(&str, &dyn SupportedKxGroup); 5] = [
    ("X25519MLKEM768", groups::X25519MLKEM768),
    ("SecP256r1MLKEM768", groups::SECP256R1MLKEM768),
    ("X25519", groups::X25519),
    ("CurveP256", groups::SECP256R1),
    ("CurveP384", groups::SECP384R1),
];

/// Known to configuration files, not to rustls.
const CURVES_LEFT_OUT: [&str; 2] = ["CurveP521", "SecP384r1MLKEM1024"];

/// The suites that `cipher_suites` asks for, in order of preference; the order of the list says nothing.
// spec: SEC-067 CFG-134
pub(super) fn cipher_suites(wanted: &[String], insecure: bool) -> Result<Vec<SupportedCipherSuite>, TlsError> {
    for name in wanted {
        check_cipher(name, insecure)?;
    }
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let tls12 = TLS12.iter().filter(|(name, _)| chosen(name));
    Ok(TLS13.iter().chain(tls12).map(|(_, suite)| *suite).collect())
}

fn check_cipher(name: &str, insecure: bool) -> Result<(), TlsError> {
    let names = || TLS13.iter().chain(&TLS12).map(|(name, _)| *name).collect::<Vec<_>>();
    if names().contains(&name) {
        Ok(())
    } else if INSECURE.contains(&name) && !insecure {
        Err(TlsError::InsecureCipher { name: name.into() })
    } else if LEFT_OUT.contains(&name) || INSECURE.contains(&name) {
        Err(TlsError::UnsupportedCipher { name: name.into(), names: names() })
    } else {
        Err(TlsError::UnknownCipher { name: name.into(), names: names() })
    }
}

/// The key exchanges that `curve_preferences` asks for, in its order.
// spec: SEC-067 CFG-134
pub(super) fn curves(wanted: &[String]) -> Result<Vec<&'static dyn SupportedKxGroup>, TlsError> {
    let names = || CURVES.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    if wanted.is_empty() {
        return Ok(CURVES.iter().map(|(_, group)| *group).collect());
    }
    wanted
        .iter()
        .map(|wanted| match CURVES.iter().find(|(name, _)| name == wanted) {
            Some((_, group)) => Ok(*group),
            None if CURVES_LEFT_OUT.contains(&wanted.as_str()) => {
                Err(TlsError::UnsupportedCurve { name: wanted.clone(), names: names() })
            }
            None => Err(TlsError::UnknownCurve { name: wanted.clone(), names: names() }),
        })
        .collect()
}

/// A cipher suite as connection lists show it (`tls_cipher_suite`).
#[must_use]
pub(crate) fn cipher_name(suite: CipherSuite) -> String {
    let known = TLS13.iter().chain(&TLS12).find(|(_, known)| known.suite() == suite);
    known.map_or_else(|| format!("Unknown [0x{:x}]", u16::from(suite)), |(name, _)| (*name).into())
}

/// A protocol version as connection lists show it (`tls_version`).
#[must_use]
pub(crate) fn version_name(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_2 => "1.2".into(),
        ProtocolVersion::TLSv1_3 => "1.3".into(),
        other => format!("Unknown [0x{:x}]", u16::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn suites_are_chosen_by_name() {
        // spec: SEC-067 CFG-134
        let one = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
        let chosen = cipher_suites(&listed(&[one]), false).expect("supported");
        let names: Vec<_> = chosen.iter().map(|suite| cipher_name(suite.suite())).collect();
        assert_eq!(names, ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", one]);
        assert_eq!(cipher_suites(&[], false).expect("defaults").len(), 9);
    }

    #[test]
    fn what_cannot_be_spoken_is_refused_by_name() {
        // spec: SEC-067 CFG-134
        for (name, insecure, expected) in [
            ("TLS_NONSENSE", false, "unrecognized cipher TLS_NONSENSE; available: TLS_AES_128_GCM_SHA256, "),
            (
                "TLS_RSA_WITH_RC4_128_SHA",
                false,
                "insecure cipher suites configured without 'allow_insecure_cipher_suites' option set: TLS_RSA_WITH_RC4_128_SHA",
            ),
            ("TLS_RSA_WITH_RC4_128_SHA", true, "cipher TLS_RSA_WITH_RC4_128_SHA is not supported"),
            ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", false, "cipher TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA is not supported"),
        ] {
            let told = cipher_suites(&listed(&[name]), insecure).expect_err(name).to_string();
            assert!(told.starts_with(expected), "{told}");
        }
        for (name, expected) in [
            ("P256", "unrecognized curve preference P256; available: X25519MLKEM768, "),
            ("CurveP521", "curve preference CurveP521 is not supported; available: X25519MLKEM768, "),
        ] {
            let told = curves(&listed(&[name])).map(|_| ()).expect_err(name).to_string();
            assert!(told.starts_with(expected), "{told}");
        }
    }

    #[test]
    fn curves_keep_the_order_of_the_list() {
        // spec: SEC-067
        let chosen = curves(&listed(&["CurveP384", "X25519"])).expect("supported");
        let names: Vec<_> = chosen.iter().map(|group| group.name()).collect();
        assert_eq!(names, [rustls::NamedGroup::secp384r1, rustls::NamedGroup::X25519]);
    }

    #[test]
    fn unknown_numbers_are_shown_as_such() {
        // spec: SEC-072
        assert_eq!(cipher_name(CipherSuite::TLS_NULL_WITH_NULL_NULL), "Unknown [0x0]");
        assert_eq!(version_name(ProtocolVersion::TLSv1_2), "1.2");
        assert_eq!(version_name(ProtocolVersion::TLSv1_0), "Unknown [0x301]");
    }
}
