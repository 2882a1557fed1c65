//! Features of later versions: every key of them is known and checked, and then the feature is refused by name.
//!
//! To build one of them, delete its line in [`FEATURES`] and write a decoder.
//!
//! Invariant: a file that uses such a feature never starts a server that merely lacks it.

mod schema;
mod tables;

use schema::{Field, Shape};

use super::Decoder;
use super::tls::TlsUse;
use crate::lang::{Kind, Map, Value};

/// A feature that has no decoder yet.
struct Feature {
    /// What it is called in this table and in the refusal; the last element is the key.
    name: &'static str,
    /// Its keys at the top level of a file; none for what belongs to another block.
    keys: &'static [&'static str],
    /// What it looks like.
    shape: Shape,
    /// Whether this value only says that the feature is not wanted.
    off: fn(&Value) -> bool,
}

/// Every feature that is refused, with the first row that describes it.
#[rustfmt::skip]
const FEATURES: &[Feature] = &[
    // row: CFG-178 …
    Feature { name: "websocket", keys: &["websocket", "ws"], shape: Shape::Map(tables::WEBSOCKET), off: is_empty },
    // row: CFG-182 …
    Feature { name: "mqtt", keys: &["mqtt"], shape: Shape::Map(tables::MQTT), off: is_empty },
    // row: CFG-206
    Feature { name: "jetstream.tpm", keys: &[], shape: Shape::Map(tables::JETSTREAM_TPM), off: is_empty },
    // row: CFG-072
    Feature { name: "default_js_domain", keys: &["default_js_domain"], shape: Shape::TextMap, off: is_empty },
    // row: CFG-086
    Feature { name: "operator", keys: &["operator", "operators", "roots", "root", "root_operators", "root_operator"], shape: Shape::Texts, off: is_empty },
    // row: CFG-087
    Feature { name: "trusted", keys: &["trusted", "trusted_keys"], shape: Shape::Keys(crate::nkey::Role::Operator), off: is_empty },
    // row: CFG-211
    Feature { name: "resolver", keys: &["resolver", "account_resolver", "accounts_resolver"], shape: Shape::TextOr(tables::RESOLVER), off: never },
    // row: CFG-089
    Feature { name: "resolver_tls", keys: &["resolver_tls"], shape: Shape::Tls, off: never },
    // row: CFG-090
    Feature { name: "resolver_preload", keys: &["resolver_preload"], shape: Shape::TextMap, off: is_empty },
    // row: CFG-091
    Feature { name: "resolver_pinned_accounts", keys: &["resolver_pinned_accounts"], shape: Shape::Texts, off: is_empty },
    // row: CFG-076
    Feature { name: "default_sentinel", keys: &["default_sentinel"], shape: Shape::Text, off: is_empty },
    // row: CFG-116
    Feature { name: "auth_callout", keys: &[], shape: Shape::Map(tables::AUTH_CALLOUT), off: never },
    // row: CFG-357
    Feature { name: "leafnodes.credentials", keys: &[], shape: Shape::Text, off: is_empty },
    // row: CFG-176
    Feature { name: "leafnodes.proxy", keys: &[], shape: Shape::Map(tables::LEAF_PROXY), off: is_empty },
    // row: CFG-144
    Feature { name: "ocsp", keys: &["ocsp"], shape: Shape::BoolOr(tables::OCSP), off: ocsp_is_never },
    // row: CFG-145
    Feature { name: "ocsp_cache", keys: &["ocsp_cache"], shape: Shape::BoolOr(tables::OCSP_CACHE), off: ocsp_cache_is_none },
    // row: CFG-139
    Feature { name: "tls.ocsp_peer", keys: &[], shape: Shape::BoolOr(tables::OCSP_PEER), off: ocsp_peer_is_off },
    // row: CFG-140
    Feature { name: "tls.cert_store", keys: &[], shape: Shape::OneOf(&["WindowsCurrentUser", "WindowsLocalMachine"]), off: never },
];

impl Decoder<'_> {
    /// A top-level key of a later feature.
    pub(super) fn later_feature(&mut self, key: &str, value: &Value) -> bool {
        let Some(feature) = FEATURES.iter().find(|feature| feature.keys.contains(&key)) else { return false };
        self.refuse(feature, value);
        true
    }

    /// An option inside a block that belongs to a later feature.
    pub(super) fn later_option(&mut self, name: &str, value: &Value) {
        let feature = FEATURES.iter().find(|feature| feature.name == name);
        self.refuse(feature.expect("callers name a feature of the table, and a test calls each of them"), value);
    }

    fn refuse(&mut self, feature: &Feature, value: &Value) {
        self.check(feature.name, &feature.shape, value);
        if (feature.off)(value) {
            return;
        }
        let what = if matches!(value.kind, Kind::Map(_)) { "the block" } else { "it" };
        let name = feature.name.rsplit('.').next().unwrap_or(feature.name);
        let text =
            format!("{name:?} is not supported by this version of Martlet yet; remove {what} to start without it");
        self.findings.error(&value.span, text);
    }

    /// Checks a value against the shape its feature wants.
    fn check(&mut self, name: &str, shape: &Shape, value: &Value) {
        match shape {
            Shape::Bool => drop(self.boolean(name, value)),
            Shape::Integer => drop(self.integer(name, value)),
            Shape::Text => drop(self.string(name, value)),
            Shape::Texts => drop(self.strings(name, value)),
            Shape::List => drop(self.string_array(name, value)),
            Shape::Duration => drop(self.duration(name, value)),
            Shape::DurationText => drop(self.signed_duration(name, value)),
            Shape::Seconds => drop(self.timeout(name, value)),
            Shape::Listen => drop(self.listen(name, value)),
            Shape::Tls => drop(self.tls_block(value, TlsUse::Later)),
            Shape::Keys(role) => self.check_keys(name, *role, value),
            Shape::OneOf(words) => self.check_word(name, words, value),
            Shape::TextMap => {
                for entry in self.map(name, value).into_iter().flat_map(Map::iter) {
                    self.string(&entry.key, &entry.value);
                }
            }
            Shape::Map(fields) => {
                if let Some(map) = self.map(name, value) {
                    self.check_fields(fields, map);
                }
            }
            Shape::BoolOr(fields) => match &value.kind {
                Kind::Map(map) => self.check_fields(fields, map),
                Kind::Bool(_) => {}
                _ => drop(self.findings.wrong_type::<()>(name, "a boolean or a map", value)),
            },
            Shape::TextOr(fields) => match &value.kind {
                Kind::Map(map) => self.check_fields(fields, map),
                Kind::String(_) => {}
                _ => drop(self.findings.wrong_type::<()>(name, "a string or a map", value)),
            },
        }
    }

    fn check_fields(&mut self, fields: &[Field], map: &Map) {
        self.entries(map, |decoder, key, value| {
            let field = fields.iter().find(|field| field.names.contains(&key));
            if let Some(field) = field {
                decoder.check(key, &field.shape, value);
            }
            field.is_some()
        });
    }

    /// Bytes, or a string such as `"10G"`.
    // spec: CFG-015
    pub(super) fn check_size(&mut self, name: &str, value: &Value) {
        match &value.kind {
            Kind::Integer(_) => {}
            Kind::String(text) if text.is_empty() => {}
            Kind::String(text) => {
                let number = text.strip_suffix(['K', 'M', 'G', 'T']);
                match number.map(str::parse::<i64>) {
                    Some(Ok(_)) => {}
                    Some(Err(_)) => self.findings.error(&value.span, format!("{name}: {text:?} is not a size")),
                    None => {
                        let reason = "sizes defined as strings must end in K, M, G, T";
                        self.findings.error(&value.span, format!("{name}: {reason}, got {text:?}"));
                    }
                }
            }
            _ => {
                self.findings.wrong_type::<()>(name, "a size in bytes or a string such as \"10G\"", value);
            }
        }
    }

    fn check_keys(&mut self, name: &str, role: crate::nkey::Role, value: &Value) {
        for key in self.strings(name, value).unwrap_or_default() {
            if crate::nkey::role(&key) != Some(role) {
                let kind = format!("{role:?}").to_ascii_lowercase();
                self.findings.error(&value.span, format!("{name} {key:?} is not a valid public {kind} nkey"));
            }
        }
    }

    pub(super) fn check_word(&mut self, name: &str, words: &[&str], value: &Value) {
        let Some(text) = self.string(name, value) else { return };
        if !words.iter().any(|word| word.eq_ignore_ascii_case(&text)) {
            self.findings.error(&value.span, format!("{name} must be one of {}, got {text:?}", words.join(", ")));
        }
    }
}

fn never(_: &Value) -> bool {
    false
}

fn is_empty(value: &Value) -> bool {
    match &value.kind {
        Kind::Map(map) => map.is_empty(),
        Kind::Array(items) => items.is_empty(),
        Kind::String(text) => text.is_empty(),
        _ => false,
    }
}

/// The value of a key that is written in any case.
fn field<'v>(map: &'v Map, names: &[&str]) -> Option<&'v Kind> {
    map.iter().find(|entry| names.contains(&entry.key.to_ascii_lowercase().as_str())).map(|entry| &entry.value.kind)
}

fn ocsp_is_never(value: &Value) -> bool {
    match &value.kind {
        Kind::Bool(on) => !on,
        Kind::Map(map) => {
            matches!(field(map, &["mode"]), Some(Kind::String(mode)) if mode.eq_ignore_ascii_case("never"))
        }
        _ => false,
    }
}

fn ocsp_cache_is_none(value: &Value) -> bool {
    match &value.kind {
        Kind::Bool(on) => !on,
        Kind::Map(map) => {
            matches!(field(map, &["type"]), Some(Kind::String(kind)) if kind.eq_ignore_ascii_case("none"))
        }
        _ => false,
    }
}

fn ocsp_peer_is_off(value: &Value) -> bool {
    match &value.kind {
        Kind::Bool(on) => !on,
        Kind::Map(map) => !matches!(field(map, &["verify"]), Some(Kind::Bool(true))),
        _ => false,
    }
}
