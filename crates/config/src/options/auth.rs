//! Who may connect and what they may do (`authorization`, users, permissions).

use std::time::Duration;

/// An `authorization` block.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Authorization {
    /// The single user's name.
    pub user: Option<String>,
    /// The single user's password, plain or bcrypt.
    pub password: Option<String>,
    /// The single token, plain or bcrypt.
    pub token: Option<String>,
    /// `timeout`; when unset 2 s, or the TLS timeout and 1 s (CFG-098).
    pub timeout: Option<Duration>,
    /// `users` of the global account.
    pub users: Vec<User>,
    /// `default_permissions`.
    pub default_permissions: Option<Permissions>,
    /// `proxy_required`, for the single user.
    pub proxy_required: bool,
}

/// One user.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// How it proves who it is.
    pub credentials: Credentials,
    /// What it may do; the default permissions of its account when unset.
    pub permissions: Option<Permissions>,
    /// From what kinds of connection; `None` is all.
    pub connection_types: Option<ConnectionTypes>,
    /// Only through a trusted proxy.
    pub proxy_required: bool,
}

/// How a user proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// By name and password, plain or bcrypt.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// By the private half of this public user nkey.
    Nkey(String),
}

/// A kind of connection, as `allowed_connection_types` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ConnectionType {
    /// A NATS client over TCP.
    Standard = 1,
    /// A NATS client over WebSocket.
    Websocket = 2,
    /// A leaf node.
    Leafnode = 4,
    /// A leaf node over WebSocket.
    LeafnodeWs = 8,
    /// An MQTT client.
    Mqtt = 16,
    /// An MQTT client over WebSocket.
    MqttWs = 32,
    /// In the same process.
    InProcess = 64,
}

/// A set of [`ConnectionType`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionTypes(u8);

impl ConnectionTypes {
    /// Adds one.
    pub fn insert(&mut self, kind: ConnectionType) {
        self.0 |= kind as u8;
    }

    /// Whether `kind` is in the set.
    #[must_use]
    pub fn contains(self, kind: ConnectionType) -> bool {
        self.0 & kind as u8 != 0
    }
}

/// What a user may publish and subscribe to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permissions {
    /// Publishing.
    pub publish: SubjectPermission,
    /// Subscribing.
    pub subscribe: SubjectPermission,
    /// Replies to messages it got.
    pub allow_responses: Option<ResponsePermission>,
}

/// Subjects that are allowed and denied; deny wins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubjectPermission {
    /// `None` allows every subject, an empty list none.
    pub allow: Option<Vec<PermissionSubject>>,
    /// Denied whatever is allowed.
    pub deny: Vec<PermissionSubject>,
}

/// A subject pattern, for subscriptions with an optional queue pattern (`"subject queue"`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionSubject {
    /// A valid pattern.
    pub subject: String,
    /// The queue groups meant; `None` means plain subscriptions and every group.
    pub queue: Option<String>,
}

/// Replies that a user may send to messages it got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponsePermission {
    /// Replies per request; negative is no limit.
    pub max: i64,
    /// How long after the request; zero is no limit.
    pub expires: Duration,
}

impl Default for ResponsePermission {
    fn default() -> Self {
        Self { max: 1, expires: Duration::from_mins(2) }
    }
}
