//! `tls` blocks.

use std::path::Path;
use std::time::Duration;

use super::Decoder;
use super::tls_names::{is_cipher, is_curve, is_insecure};
use crate::duration;
use crate::lang::{Kind, Map, Span, Value};
use crate::options::{CertificatePair, HandshakeFirst, Tls, TlsVersion};

/// Whose `tls` block it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsUse {
    /// Clients connect to it.
    Clients,
    /// Leaf nodes connect to it.
    Leafnodes,
    /// Servers connect to it, and it to them: routes and gateways.
    Mesh,
    /// It connects as a leaf node.
    LeafRemote,
    /// It belongs to a feature of a later version.
    Later,
}

/// How long `auto` waits for the client to begin (CFG-138).
const AUTO_FALLBACK: Duration = Duration::from_millis(50);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);

/// The single pair of a block, as far as it is read.
#[derive(Default)]
struct Single {
    cert_file: Option<String>,
    key_file: Option<String>,
}

impl Decoder<'_> {
    /// The `tls` block of a listener for clients.
    pub(super) fn tls(&mut self, value: &Value) -> Option<Tls> {
        self.tls_block(value, TlsUse::Clients)
    }

    /// A `tls` block.
    // spec: CFG-129 CFG-131 CFG-136 CFG-142
    pub(super) fn tls_block(&mut self, value: &Value, usage: TlsUse) -> Option<Tls> {
        let map = self.map("tls", value)?;
        let mut tls = Tls { timeout: HANDSHAKE_TIMEOUT, ..Tls::default() };
        let mut single = Single::default();
        let before = self.findings.errors.len();
        for entry in map.iter() {
            let (key, value) = (entry.key.to_ascii_lowercase(), &entry.value);
            self.tls_of_others(&key, value, usage);
            let known = self.tls_files(&key, value, &mut tls, &mut single)
                || self.tls_switches(&key, value, &mut tls, usage)
                || self.tls_parameters(&key, value, &mut tls)
                || self.tls_certificate_store(&key, value);
            if !known {
                self.findings.error(&value.span, format!("error parsing tls config, unknown field {:?}", entry.key));
            }
        }
        if self.findings.errors.len() == before {
            self.check_ciphers(&value.span, &tls);
            self.check_tls_files(&value.span, &mut tls, single);
        }
        if usage == TlsUse::LeafRemote {
            tls.pinned_certs.clear();
        }
        // Servers of a cluster always ask each other for certificates.
        tls.verify |= usage == TlsUse::Mesh;
        Some(tls)
    }

    /// Options that mean something in other `tls` blocks than this one.
    fn tls_of_others(&mut self, key: &str, value: &Value, usage: TlsUse) {
        let reason = match (key, usage) {
            ("handshake_first" | "first" | "immediate", TlsUse::Mesh) => "routes and gateways begin with INFO",
            ("connection_rate_limit", TlsUse::Leafnodes | TlsUse::Mesh | TlsUse::LeafRemote) => {
                "only connections of clients are limited"
            }
            ("verify" | "verify_and_map" | "pinned_certs", TlsUse::LeafRemote) => {
                "a server that connects always verifies whom it connects to"
            }
            _ => return,
        };
        self.findings.no_effect(key, &value.span, reason);
    }

    fn tls_files(&mut self, key: &str, value: &Value, tls: &mut Tls, single: &mut Single) -> bool {
        match key {
            "cert_file" => single.cert_file = self.tls_file(key, value),
            "key_file" => single.key_file = self.tls_file(key, value),
            "ca_file" => tls.ca_file = self.tls_file(key, value).map(Into::into),
            // spec: CFG-130
            "certs" | "certificates" => {
                for item in self.array(key, value).unwrap_or_default() {
                    if let Some(pair) = self.map(key, item).and_then(|map| self.certificate_pair(&item.span, map)) {
                        tls.certificates.push(pair);
                    }
                }
            }
            _ => return false,
        }
        true
    }

    fn tls_file(&mut self, key: &str, value: &Value) -> Option<String> {
        if !matches!(value.kind, Kind::String(_)) {
            let text = format!("error parsing tls config, expected '{key}' to be filename, got {}", value.described());
            self.findings.error(&value.span, text);
        }
        match &value.kind {
            Kind::String(path) if !path.is_empty() => Some(path.clone()),
            _ => None,
        }
    }

    // spec: CFG-283
    fn certificate_pair(&mut self, span: &Span, map: &Map) -> Option<CertificatePair> {
        let mut pair = Single::default();
        for entry in map.iter() {
            match entry.key.as_str() {
                "cert_file" => pair.cert_file = self.tls_file(&entry.key, &entry.value),
                "key_file" => pair.key_file = self.tls_file(&entry.key, &entry.value),
                other => {
                    let text = format!("error parsing tls certs config, unknown field {other:?}");
                    self.findings.error(&entry.value.span, text);
                }
            }
        }
        if let (Some(cert), Some(key)) = (pair.cert_file, pair.key_file) {
            return Some(CertificatePair { cert_file: cert.into(), key_file: key.into() });
        }
        let text = "error parsing certificates config: both 'cert_file' and 'key_file' options are required";
        self.findings.error(span, text);
        None
    }

    fn tls_switches(&mut self, key: &str, value: &Value, tls: &mut Tls, usage: TlsUse) -> bool {
        let known = matches!(
            key,
            "verify"
                | "verify_and_map"
                | "verify_cert_and_check_known_urls"
                | "insecure"
                | "allow_insecure_cipher_suites"
        );
        let on = match value.kind {
            _ if !known => return false,
            Kind::Bool(on) => on,
            _ => {
                let text =
                    format!("error parsing tls config, expected '{key}' to be a boolean, got {}", value.described());
                self.findings.error(&value.span, text);
                return true;
            }
        };
        match key {
            // A later `verify: false` does not take back what `verify_and_map` asks for.
            "verify" => tls.verify = on || tls.map,
            "verify_and_map" => {
                tls.verify |= on;
                tls.map = on;
            }
            "verify_cert_and_check_known_urls" => {
                tls.verify |= on;
                tls.check_known_urls = on;
                if on && usage != TlsUse::Mesh {
                    let text = "verify_cert_and_check_known_urls not supported in this context";
                    self.findings.error(&value.span, text);
                }
            }
            "insecure" => {
                tls.insecure = on;
                if on && matches!(usage, TlsUse::Clients | TlsUse::Leafnodes | TlsUse::Later) {
                    self.findings.no_effect(key, &value.span, "a listener verifies nobody it connects to");
                }
            }
            _ => tls.allow_insecure_cipher_suites = on,
        }
        true
    }

    fn tls_parameters(&mut self, key: &str, value: &Value, tls: &mut Tls) -> bool {
        match key {
            // spec: CFG-133
            "timeout" => tls.timeout = self.timeout("tls", value).unwrap_or(HANDSHAKE_TIMEOUT),
            // spec: CFG-134
            "cipher_suites" => tls.cipher_suites = self.tls_names(key, value, is_cipher, "cipher"),
            "curve_preferences" => tls.curve_preferences = self.tls_names(key, value, is_curve, "curve preference"),
            "min_version" => tls.min_version = self.tls_version(value),
            "connection_rate_limit" => tls.connection_rate_limit = self.limit_or_none(key, value).unwrap_or(0),
            "pinned_certs" => tls.pinned_certs = self.pinned_certs(value),
            "handshake_first" | "first" | "immediate" => tls.handshake_first = self.handshake_first(key, value),
            "ocsp_peer" => self.later_option("tls.ocsp_peer", value),
            _ => return false,
        }
        true
    }

    fn tls_names(&mut self, key: &str, value: &Value, is_known: fn(&str) -> bool, what: &str) -> Vec<String> {
        let items = self.array(key, value);
        if items.is_some_and(<[Value]>::is_empty) {
            self.findings.error(&value.span, format!("error parsing tls config, '{key}' cannot be empty"));
        }
        let mut names = Vec::new();
        for item in items.unwrap_or_default() {
            match self.string(key, item) {
                Some(name) if is_known(&name) => names.push(name),
                Some(name) => self.findings.error(&item.span, format!("unrecognized {what} {name}")),
                None => {}
            }
        }
        names
    }

    // spec: CFG-134 CFG-290
    fn check_ciphers(&mut self, span: &Span, tls: &Tls) {
        let insecure: Vec<_> = tls.cipher_suites.iter().map(String::as_str).filter(|name| is_insecure(name)).collect();
        if !insecure.is_empty() && !tls.allow_insecure_cipher_suites {
            let text = "insecure cipher suites configured without 'allow_insecure_cipher_suites' option set";
            self.findings.error(span, format!("{text}: {}", insecure.join(", ")));
        }
    }

    // spec: CFG-135
    fn tls_version(&mut self, value: &Value) -> TlsVersion {
        let refused = match &value.kind {
            Kind::String(version) => match version.as_str() {
                "1.2" => return TlsVersion::V1_2,
                "1.3" => return TlsVersion::V1_3,
                "1.0" | "1.1" => format!("unsupported TLS version: TLS {version}"),
                _ => format!("unknown version: {version}"),
            },
            _ => format!("'min_version' wrong type: expected \"1.2\" or \"1.3\", got {}", value.described()),
        };
        self.findings.error(&value.span, format!("error parsing tls config: {refused}"));
        TlsVersion::default()
    }

    // spec: CFG-137
    fn pinned_certs(&mut self, value: &Value) -> Vec<String> {
        const WANTED: &str = "hex-encoded sha256 of DER encoded SubjectPublicKeyInfo";
        let Kind::Array(items) = &value.kind else {
            let text = format!("error parsing tls config, expected 'pinned_certs' to be a list of {WANTED}");
            self.findings.error(&value.span, text);
            return Vec::new();
        };
        let mut pinned = Vec::new();
        for item in items {
            let Some(key) = self.string("pinned_certs", item) else { continue };
            let key = key.to_ascii_lowercase();
            if key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit()) {
                pinned.push(key);
            } else {
                let text = format!("error parsing tls config, 'pinned_certs' key {key} does not look like {WANTED}");
                self.findings.error(&item.span, text);
            }
        }
        pinned
    }

    // spec: CFG-138
    fn handshake_first(&mut self, key: &str, value: &Value) -> HandshakeFirst {
        let text = match &value.kind {
            Kind::Bool(true) => return HandshakeFirst::On,
            Kind::Bool(false) => return HandshakeFirst::Off,
            Kind::String(text) => text,
            _ => {
                let text = format!("field {key:?} should be a boolean or a string, got {}", value.described());
                self.findings.error(&value.span, text);
                return HandshakeFirst::Off;
            }
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "on" => HandshakeFirst::On,
            "false" | "off" => HandshakeFirst::Off,
            "auto" | "auto_fallback" => HandshakeFirst::Fallback(AUTO_FALLBACK),
            _ => match duration::parse(text).map(u64::try_from) {
                // Without any time to wait there is nothing to fall back from.
                Ok(Ok(0)) => HandshakeFirst::On,
                Ok(Ok(nanos)) => HandshakeFirst::Fallback(Duration::from_nanos(nanos)),
                _ => {
                    self.findings.error(&value.span, format!("field {key:?}'s value {text:?} is invalid"));
                    HandshakeFirst::Off
                }
            },
        }
    }

    /// Options of the certificate store of Windows.
    // spec: CFG-140
    fn tls_certificate_store(&mut self, key: &str, value: &Value) -> bool {
        match key {
            "cert_store" => self.later_option("tls.cert_store", value),
            "cert_match_by" | "cert_match" => drop(self.string(key, value)),
            "ca_certs_match" => drop(self.strings(key, value)),
            "cert_match_skip_invalid" => drop(self.boolean(key, value)),
            _ => return false,
        }
        if key != "cert_store" {
            self.findings.no_effect(key, &value.span, "it belongs to the certificate store of Windows");
        }
        true
    }

    /// Certificates come in pairs, and their files are there to be read.
    // spec: CFG-141
    fn check_tls_files(&mut self, span: &Span, tls: &mut Tls, single: Single) {
        let text = match (single.cert_file, single.key_file) {
            (Some(_), _) if !tls.certificates.is_empty() => {
                "error parsing tls config, cannot combine 'cert_file' option with 'certs' option"
            }
            (Some(_), None) => "missing 'key_file' in TLS configuration",
            (None, Some(_)) => "missing 'cert_file' in TLS configuration",
            (Some(cert), Some(key)) => {
                tls.certificates.push(CertificatePair { cert_file: cert.into(), key_file: key.into() });
                ""
            }
            (None, None) => "",
        };
        if !text.is_empty() {
            self.findings.error(span, text);
            return;
        }
        for pair in &tls.certificates {
            for file in [&pair.cert_file, &pair.key_file] {
                self.check_readable(span, "error parsing X509 certificate/key pair: ", file);
            }
        }
        if let Some(file) = &tls.ca_file {
            self.check_readable(span, "", file);
        }
    }

    fn check_readable(&mut self, span: &Span, before: &str, file: &Path) {
        if let Err(error) = self.source.read(file) {
            let reason = crate::source::io_reason(&error);
            self.findings.error(span, format!("{before}open {}: {reason}", file.display()));
        }
    }
}
