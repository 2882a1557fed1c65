//! The `leafnodes` block: its listener, and who may connect there.

use std::collections::HashSet;

use super::Decoder;
use super::tls::TlsUse;
use crate::lang::{Kind, Span, Value};
use crate::nkey;
use crate::options::{Compression, LeafAuthorization, LeafNodes, LeafUser, LeafVersion, Secret};

/// The first version that says which it is.
const OLDEST_VERSION: LeafVersion = LeafVersion { major: 2, minor: 8, patch: 0 };

impl Decoder<'_> {
    // spec: CFG-084 CFG-168
    pub(super) fn leafnodes(&mut self, value: &Value) {
        let Some(map) = self.map("leafnodes", value) else { return };
        let mut leafnodes = LeafNodes::default();
        self.entries(map, |decoder, key, value| {
            decoder.leaf_place(key, value, &mut leafnodes)
                || decoder.leaf_security(key, value, &mut leafnodes)
                || decoder.leaf_links(key, value, &mut leafnodes)
        });
        self.options.leafnodes = (!map.is_empty()).then_some(leafnodes);
    }

    /// Where leaf nodes connect.
    fn leaf_place(&mut self, key: &str, value: &Value, leafnodes: &mut LeafNodes) -> bool {
        match key {
            // spec: CFG-334
            "listen" => {
                if let Some((host, port)) = self.listen(key, value) {
                    Self::set_listener(&mut leafnodes.host, host);
                    leafnodes.port = port;
                }
            }
            // spec: CFG-335
            "host" | "net" => {
                let host = self.string(key, value).unwrap_or_default();
                Self::set_listener(&mut leafnodes.host, host);
            }
            // spec: CFG-336
            "port" => {
                let port = self.number(key, value);
                Self::set(&mut leafnodes.port, port);
            }
            // spec: CFG-345
            "leafnode_advertise" | "advertise" => leafnodes.advertise = self.text(key, value),
            // spec: CFG-346
            "no_advertise" => {
                let on = self.boolean(key, value);
                Self::set(&mut leafnodes.no_advertise, on);
            }
            _ => return false,
        }
        true
    }

    /// Who may connect.
    fn leaf_security(&mut self, key: &str, value: &Value, leafnodes: &mut LeafNodes) -> bool {
        match key {
            // spec: CFG-169
            "authorization" => leafnodes.authorization = self.leaf_authorization(value),
            // spec: CFG-344
            "tls" => leafnodes.tls = self.tls_block(value, TlsUse::Leafnodes),
            // spec: CFG-347
            "min_version" | "minimum_version" => leafnodes.min_version = self.leaf_version(key, value),
            _ => return false,
        }
        true
    }

    /// How leaf nodes are connected, and where this server is one.
    fn leaf_links(&mut self, key: &str, value: &Value, leafnodes: &mut LeafNodes) -> bool {
        match key {
            // spec: CFG-172
            "remotes" => leafnodes.remotes = self.leaf_remotes(value),
            // spec: CFG-170 CFG-348
            "compression" => {
                let mode = self.compression(key, &Compression::s2_auto(), value);
                Self::set(&mut leafnodes.compression, mode);
            }
            // spec: CFG-349
            "reconnect" | "reconnect_delay" | "reconnect_interval" => {
                let interval = self.duration("reconnect", value);
                Self::set(&mut leafnodes.reconnect, interval);
            }
            // spec: CFG-350
            "dial_timeout" => {
                let timeout = self.duration(key, value);
                Self::set(&mut leafnodes.dial_timeout, timeout);
            }
            // spec: CFG-351
            "isolate_leafnode_interest" | "isolate" => {
                let on = self.boolean(key, value);
                Self::set(&mut leafnodes.isolate, on);
            }
            // spec: CFG-352
            "write_deadline" => leafnodes.write_deadline = self.duration(key, value),
            // spec: CFG-353
            "write_timeout" => {
                let policy = self.write_timeout(key, value);
                Self::set(&mut leafnodes.write_timeout, policy);
            }
            _ => return false,
        }
        true
    }

    // spec: CFG-337 CFG-338 CFG-339 CFG-340 CFG-341 CFG-342
    fn leaf_authorization(&mut self, value: &Value) -> LeafAuthorization {
        let mut auth = LeafAuthorization::default();
        let Some(map) = self.map("authorization", value) else { return auth };
        self.entries(map, |decoder, key, value| {
            match key {
                "user" | "username" => auth.user = decoder.text(key, value),
                "pass" | "password" => auth.password = decoder.text(key, value).map(Secret::new),
                "nkey" => auth.nkey = decoder.leaf_nkey(key, value),
                "account" => auth.account = decoder.text(key, value),
                "timeout" => auth.timeout = decoder.timeout("leafnode authorization", value),
                "proxy_required" => auth.proxy_required = decoder.boolean(key, value).unwrap_or_default(),
                "users" => auth.users = decoder.leaf_users(value),
                _ => return false,
            }
            true
        });
        self.check_leaf_users(&value.span, &auth);
        auth
    }

    fn leaf_nkey(&mut self, name: &str, value: &Value) -> Option<String> {
        let key = self.string(name, value)?;
        if nkey::role(&key) == Some(nkey::Role::User) {
            return Some(key);
        }
        self.findings.error(&value.span, "Not a valid public nkey for leafnode authorization");
        None
    }

    // spec: CFG-343
    fn leaf_users(&mut self, value: &Value) -> Vec<LeafUser> {
        let Kind::Array(items) = &value.kind else {
            let text = format!("Expected users field to be an array, got {}", value.described());
            self.findings.error(&value.span, text);
            return Vec::new();
        };
        items.iter().filter_map(|item| self.leaf_user(item)).collect()
    }

    fn leaf_user(&mut self, value: &Value) -> Option<LeafUser> {
        let Kind::Map(map) = &value.kind else {
            let text = format!("Expected user entry to be a map/struct, got {}", value.described());
            self.findings.error(&value.span, text);
            return None;
        };
        let mut user = LeafUser::default();
        self.entries(map, |decoder, key, value| {
            match key {
                "user" | "username" => user.user = decoder.string(key, value).unwrap_or_default(),
                "pass" | "password" => {
                    user.password = decoder.string(key, value).map(Secret::new).unwrap_or_default();
                }
                "account" => user.account = decoder.text(key, value),
                "proxy_required" => user.proxy_required = decoder.boolean(key, value).unwrap_or_default(),
                _ => return false,
            }
            true
        });
        Some(user)
    }

    fn check_leaf_users(&mut self, span: &Span, auth: &LeafAuthorization) {
        if auth.users.is_empty() {
            return;
        }
        if auth.user.is_some() {
            self.findings.error(span, "can not have a single user/pass and a users array");
        } else if auth.nkey.is_some() {
            self.findings.error(span, "can not have a single nkey and a users array");
        }
        let mut names = HashSet::new();
        for user in &auth.users {
            if !names.insert(&user.user) {
                let text = format!("duplicate user {:?} detected in leafnode authorization", user.user);
                self.findings.error(span, text);
            }
        }
    }

    fn leaf_version(&mut self, name: &str, value: &Value) -> Option<LeafVersion> {
        let text = self.string(name, value)?;
        let refused = match version(&text) {
            Some(version) if version >= OLDEST_VERSION => return Some(version),
            Some(_) => format!("the minimum version should be at least {OLDEST_VERSION}"),
            None => "invalid leafnode's minimum version: invalid semver".into(),
        };
        self.findings.error(&value.span, refused);
        None
    }
}

/// `2.8.0`
fn version(text: &str) -> Option<LeafVersion> {
    let mut numbers = text.split('.').map(|number| {
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        number.parse().ok().filter(|_| digits)
    });
    let (major, minor, patch) = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(LeafVersion { major, minor, patch })
}
