//! Users, of the global account and of others.

use std::collections::HashSet;

use super::Decoder;
use crate::lang::{Kind, Span, Value};
use crate::nkey;
use crate::options::{ConnectionType, ConnectionTypes, Credentials, Permissions, User};

/// Whose users are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Authorization,
    Account,
}

/// The names and keys that users log in with, over all accounts.
#[derive(Debug, Default)]
pub(super) struct Logins {
    /// Where `authorization` stands.
    pub(super) authorization: Option<Span>,
    /// Whether it has `users`, be they none.
    pub(super) authorization_lists_users: bool,
    /// Where accounts have users.
    pub(super) account_users: Vec<Span>,
    seen: Vec<(&'static str, String, Span)>,
}

impl Logins {
    /// What is used a second time.
    pub(super) fn duplicates(&self) -> Vec<(&'static str, String, Span)> {
        let mut known = HashSet::new();
        self.seen.iter().filter(|(_, name, _)| !known.insert(name.as_str())).cloned().collect()
    }
}

/// A user entry as far as it is read.
#[derive(Default)]
struct Entry {
    nkey: Option<String>,
    user: Option<String>,
    password: Option<String>,
    permissions: Option<Permissions>,
    connection_types: Option<ConnectionTypes>,
    proxy_required: bool,
}

impl Decoder<'_> {
    /// An array of users.
    // spec: CFG-099
    pub(super) fn users(&mut self, owner: Owner, value: &Value) -> Vec<User> {
        let Kind::Array(items) = &value.kind else {
            let text = format!("Expected users field to be an array, got {}", value.described());
            self.findings.error(&value.span, text);
            return Vec::new();
        };
        let users: Vec<_> = items.iter().filter_map(|item| self.user(item)).collect();
        if owner == Owner::Account && !users.is_empty() {
            self.logins.account_users.push(value.span.clone());
        }
        users
    }

    fn user(&mut self, value: &Value) -> Option<User> {
        let Kind::Map(map) = &value.kind else {
            let text = format!("Expected user entry to be a map/struct, got {}", value.described());
            self.findings.error(&value.span, text);
            return None;
        };
        let mut entry = Entry::default();
        self.entries(map, |decoder, key, value| {
            match key {
                "nkey" => entry.nkey = decoder.text(key, value),
                "user" | "username" => entry.user = decoder.text(key, value),
                "pass" | "password" => entry.password = decoder.text(key, value),
                "permission" | "permissions" | "authorization" => entry.permissions = decoder.permissions(value),
                "allowed_connection_types" | "connection_types" | "clients" => {
                    entry.connection_types = decoder.connection_types(key, value);
                }
                "proxy_required" => entry.proxy_required = decoder.boolean(key, value).unwrap_or_default(),
                _ => return false,
            }
            true
        });
        // What is wrong with the whole entry is said at its key, or where the entry begins.
        let place = map.iter().find(|field| field.key.eq_ignore_ascii_case("nkey")).or_else(|| map.iter().next());
        let place = place.map_or(&value.span, |field| &field.value.span);
        let credentials = self.credentials(place, entry.nkey, entry.user, entry.password)?;
        Some(User {
            credentials,
            permissions: entry.permissions,
            connection_types: entry.connection_types,
            proxy_required: entry.proxy_required,
        })
    }

    // spec: CFG-105 CFG-106 CFG-110
    fn credentials(
        &mut self,
        span: &Span,
        nkey: Option<String>,
        user: Option<String>,
        password: Option<String>,
    ) -> Option<Credentials> {
        let refused = match (nkey, user) {
            (None, None) => "User entry requires a user",
            (None, Some(user)) => {
                self.logins.seen.push(("user", user.clone(), span.clone()));
                return Some(Credentials::Password { user, password: password.unwrap_or_default() });
            }
            (Some(nkey), _) if nkey::role(&nkey) != Some(nkey::Role::User) => "Not a valid public nkey for a user",
            (Some(nkey), None) if password.is_none() => {
                self.logins.seen.push(("nkey", nkey.clone(), span.clone()));
                return Some(Credentials::Nkey(nkey));
            }
            (Some(_), _) => "Nkey users do not take usernames or passwords",
        };
        self.findings.error(span, refused);
        None
    }

    // spec: CFG-108
    fn connection_types(&mut self, name: &str, value: &Value) -> Option<ConnectionTypes> {
        let names = self.strings(name, value)?;
        let mut types = ConnectionTypes::default();
        let mut unknown = Vec::new();
        for name in &names {
            match name.to_ascii_uppercase().as_str() {
                "STANDARD" => types.insert(ConnectionType::Standard),
                "WEBSOCKET" => types.insert(ConnectionType::Websocket),
                "LEAFNODE" => types.insert(ConnectionType::Leafnode),
                "LEAFNODE_WS" => types.insert(ConnectionType::LeafnodeWs),
                "MQTT" => types.insert(ConnectionType::Mqtt),
                "MQTT_WS" => types.insert(ConnectionType::MqttWs),
                "INPROCESS" => types.insert(ConnectionType::InProcess),
                other => unknown.push(format!("{other:?}")),
            }
        }
        if !unknown.is_empty() {
            self.findings.error(&value.span, format!("invalid connection types [{}]", unknown.join(" ")));
        }
        // An empty list restricts nothing.
        (!names.is_empty()).then_some(types)
    }
}
