//! Every text that may follow `-ERR`.
//!
//! Clients compare these texts, some of them letter by letter, so they are collected here and nowhere else.
//! Names in them are the bytes the client sent, quoted; see [`Quoted`].

use std::fmt::{self, Write};

use crate::closed::ClosedReason;

/// A text to be sent after `-ERR`.
// spec: CORE-070 CORE-071 CORE-072 CORE-073 CORE-074 CORE-075 CORE-076 CORE-077 CORE-078 CORE-079 CORE-080
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorText<'a> {
    /// Bytes that are no operation.
    UnknownProtocolOperation,
    /// Credentials missing, wrong or not allowed here.
    AuthorizationViolation,
    /// No CONNECT in time.
    AuthenticationTimeout,
    /// The user's credentials ran out.
    UserAuthenticationExpired,
    /// The account's claims ran out.
    AccountAuthenticationExpired,
    /// The user's credentials were revoked.
    UserAuthenticationRevoked,
    /// `max_connections` of the server.
    MaxConnections,
    /// `max_connections` of the account.
    MaxAccountConnections,
    /// `max_subscriptions`; the connection stays open.
    MaxSubscriptions,
    /// `max_payload`.
    MaxPayload,
    /// `max_control_line`.
    MaxControlLine,
    /// Pings unanswered.
    StaleConnection,
    /// Plain text where TLS is demanded.
    TlsRequired,
    /// A malformed subject in SUB; the connection stays open.
    InvalidSubject,
    /// A malformed or wildcard subject in a pedantic PUB; the connection stays open.
    InvalidPublishSubject,
    /// CONNECT with a protocol number that does not exist.
    InvalidClientProtocol,
    /// CONNECT with `no_responders` on a connection without headers.
    NoRespondersRequiresHeaders,
    /// Publishing there is not allowed; the connection stays open.
    PublishViolation(&'a [u8]),
    /// Publishing with that reply is not allowed; the connection stays open.
    ReplyViolation(&'a [u8]),
    /// Subscribing there is not allowed; the connection stays open.
    SubscribeViolation(&'a [u8]),
    /// Subscribing there in that queue group is not allowed; the connection stays open.
    QueueViolation {
        /// What was subscribed to.
        subject: &'a [u8],
        /// The queue group.
        queue: &'a [u8],
    },
    /// More tokens than `max_sub_tokens`; the connection stays open.
    TooManyTokens(&'a [u8]),
    /// A reload took the permission of an existing subscription, which is gone; the connection stays open.
    SubscriptionRevoked {
        /// What was subscribed to.
        subject: &'a [u8],
        /// The queue group, if any.
        queue: Option<&'a [u8]>,
        /// The subscription's name.
        sid: &'a [u8],
    },
    /// A client on the port for routes.
    RoutePort,
    /// A client on the port for gateways.
    GatewayPort,
    /// A client on the port for leaf nodes.
    LeafNodePort,
    /// Too many TLS handshakes per second.
    ConnectionThrottling,
    /// The account could not take the connection; what refuses the connection itself follows.
    FailedAccountRegistration,
}

impl ErrorText<'_> {
    /// The reason the connection closes for after this text; `None` when it stays open.
    pub const fn closes(&self) -> Option<ClosedReason> {
        Some(match self {
            Self::UnknownProtocolOperation => ClosedReason::ProtocolViolation,
            Self::AuthorizationViolation => ClosedReason::AuthenticationViolation,
            Self::AuthenticationTimeout => ClosedReason::AuthenticationTimeout,
            Self::UserAuthenticationExpired | Self::AccountAuthenticationExpired => ClosedReason::AuthenticationExpired,
            Self::UserAuthenticationRevoked => ClosedReason::Revocation,
            Self::MaxConnections | Self::ConnectionThrottling => ClosedReason::MaxConnectionsExceeded,
            Self::MaxAccountConnections => ClosedReason::MaxAccountConnectionsExceeded,
            Self::MaxPayload => ClosedReason::MaxPayloadExceeded,
            Self::MaxControlLine => ClosedReason::MaxControlLineExceeded,
            Self::StaleConnection => ClosedReason::StaleConnection,
            Self::TlsRequired => ClosedReason::TlsHandshakeError,
            Self::InvalidClientProtocol => ClosedReason::BadClientProtocolVersion,
            Self::NoRespondersRequiresHeaders => ClosedReason::NoRespondersRequiresHeaders,
            Self::RoutePort | Self::GatewayPort | Self::LeafNodePort => ClosedReason::WrongPort,
            Self::MaxSubscriptions
            | Self::FailedAccountRegistration
            | Self::InvalidSubject
            | Self::InvalidPublishSubject
            | Self::PublishViolation(_)
            | Self::ReplyViolation(_)
            | Self::SubscribeViolation(_)
            | Self::QueueViolation { .. }
            | Self::TooManyTokens(_)
            | Self::SubscriptionRevoked { .. } => return None,
        })
    }
}

impl fmt::Display for ErrorText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::UnknownProtocolOperation => "Unknown Protocol Operation",
            Self::AuthorizationViolation => "Authorization Violation",
            Self::AuthenticationTimeout => "Authentication Timeout",
            Self::UserAuthenticationExpired => "User Authentication Expired",
            Self::AccountAuthenticationExpired => "Account Authentication Expired",
            Self::UserAuthenticationRevoked => "User Authentication Revoked",
            Self::MaxConnections => "maximum connections exceeded",
            Self::MaxAccountConnections => "maximum account active connections exceeded",
            Self::MaxSubscriptions => "maximum subscriptions exceeded",
            Self::MaxPayload => "Maximum Payload Violation",
            Self::MaxControlLine => "maximum control line exceeded",
            Self::StaleConnection => "Stale Connection",
            Self::TlsRequired => "Secure Connection - TLS Required",
            Self::InvalidSubject => "Invalid Subject",
            Self::InvalidPublishSubject => "Invalid Publish Subject",
            Self::InvalidClientProtocol => "invalid client protocol",
            Self::NoRespondersRequiresHeaders => "no responders requires headers support",
            Self::RoutePort => "attempted to connect to route port",
            Self::GatewayPort => "attempted to connect to gateway port",
            Self::LeafNodePort => "attempted to connect to leaf node port",
            Self::ConnectionThrottling => "Connection throttling is active. Please try again later.",
            Self::FailedAccountRegistration => "Failed Account Registration",
            Self::PublishViolation(subject) => {
                return write!(f, "Permissions Violation for Publish to {}", Quoted(subject));
            }
            Self::ReplyViolation(reply) => {
                return write!(f, "Permissions Violation for Publish with Reply of {}", Quoted(reply));
            }
            Self::SubscribeViolation(subject) => return subscription(f, subject, None),
            Self::QueueViolation { subject, queue } => return subscription(f, subject, Some(queue)),
            Self::TooManyTokens(subject) => {
                subscription(f, subject, None)?;
                ", too many tokens"
            }
            Self::SubscriptionRevoked { subject, queue, sid } => {
                subscription(f, subject, *queue)?;
                return write!(f, " (sid {})", Quoted(sid));
            }
        };
        f.write_str(text)
    }
}

fn subscription(f: &mut fmt::Formatter<'_>, subject: &[u8], queue: Option<&[u8]>) -> fmt::Result {
    write!(f, "Permissions Violation for Subscription to {}", Quoted(subject))?;
    match queue {
        Some(queue) => write!(f, " using queue {}", Quoted(queue)),
        None => Ok(()),
    }
}

/// Bytes from the wire in double quotes. Printable characters stand for themselves, the rest is escaped: `\t`, `\x07`,
/// `\u00ad`, and bytes that are no UTF-8 as `\xff`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for chunk in self.0.utf8_chunks() {
            chunk.valid().chars().try_for_each(|character| quote(f, character))?;
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        f.write_char('"')
    }
}

fn quote(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    match character {
        '"' => f.write_str("\\\""),
        '\\' => f.write_str("\\\\"),
        ' '..='~' => f.write_char(character),
        '\x07' => f.write_str("\\a"),
        '\x08' => f.write_str("\\b"),
        '\x0c' => f.write_str("\\f"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        '\x0b' => f.write_str("\\v"),
        '\0'..='\x7f' => write!(f, "\\x{:02x}", u32::from(character)),
        _ if is_printable(character) => f.write_char(character),
        '\u{80}'..='\u{ffff}' => write!(f, "\\u{:04x}", u32::from(character)),
        _ => write!(f, "\\U{:08x}", u32::from(character)),
    }
}

/// Letters, marks, numbers, punctuation and symbols. The standard library tells them apart only when it escapes a string,
/// and there it also escapes a leading combining mark; hence the letter before it.
fn is_printable(character: char) -> bool {
    let mut bytes = [b'x'; 5];
    let len = 1 + character.encode_utf8(&mut bytes[1..]).len();
    let text = std::str::from_utf8(&bytes[..len]).expect("a letter and a character are UTF-8");
    text.escape_debug().nth(1) == Some(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_whether_the_connection_closes() {
        use ErrorText as E;
        for (error, text, closes) in [
            // spec: CORE-070
            (E::UnknownProtocolOperation, "Unknown Protocol Operation", true),
            // spec: CORE-071
            (E::AuthorizationViolation, "Authorization Violation", true),
            (E::AuthenticationTimeout, "Authentication Timeout", true),
            (E::UserAuthenticationExpired, "User Authentication Expired", true),
            (E::AccountAuthenticationExpired, "Account Authentication Expired", true),
            (E::UserAuthenticationRevoked, "User Authentication Revoked", true),
            // spec: CORE-072
            (E::MaxConnections, "maximum connections exceeded", true),
            (E::MaxAccountConnections, "maximum account active connections exceeded", true),
            (E::MaxSubscriptions, "maximum subscriptions exceeded", false),
            // spec: CORE-073
            (E::MaxPayload, "Maximum Payload Violation", true),
            (E::MaxControlLine, "maximum control line exceeded", true),
            // spec: CORE-074
            (E::StaleConnection, "Stale Connection", true),
            (E::TlsRequired, "Secure Connection - TLS Required", true),
            // spec: CORE-075
            (E::InvalidSubject, "Invalid Subject", false),
            (E::InvalidPublishSubject, "Invalid Publish Subject", false),
            // spec: CORE-076
            (E::InvalidClientProtocol, "invalid client protocol", true),
            (E::NoRespondersRequiresHeaders, "no responders requires headers support", true),
            // spec: CORE-077
            (E::PublishViolation(b"a.b"), "Permissions Violation for Publish to \"a.b\"", false),
            (E::ReplyViolation(b"r"), "Permissions Violation for Publish with Reply of \"r\"", false),
            (E::SubscribeViolation(b"a.>"), "Permissions Violation for Subscription to \"a.>\"", false),
            (
                E::QueueViolation { subject: b"a", queue: b"q" },
                "Permissions Violation for Subscription to \"a\" using queue \"q\"",
                false,
            ),
            // spec: CORE-050
            (E::TooManyTokens(b"a.b.c"), "Permissions Violation for Subscription to \"a.b.c\", too many tokens", false),
            // spec: CORE-078
            (
                E::SubscriptionRevoked { subject: b"a", queue: Some(b"q"), sid: b"7" },
                "Permissions Violation for Subscription to \"a\" using queue \"q\" (sid \"7\")",
                false,
            ),
            (
                E::SubscriptionRevoked { subject: b"a", queue: None, sid: b"7" },
                "Permissions Violation for Subscription to \"a\" (sid \"7\")",
                false,
            ),
            // spec: CORE-079 CLU-006 SEC-100 SEC-101 SEC-102
            (E::RoutePort, "attempted to connect to route port", true),
            (E::GatewayPort, "attempted to connect to gateway port", true),
            (E::LeafNodePort, "attempted to connect to leaf node port", true),
            // spec: CORE-080
            (E::ConnectionThrottling, "Connection throttling is active. Please try again later.", true),
            // spec: CORE-081
            (E::FailedAccountRegistration, "Failed Account Registration", false),
        ] {
            assert_eq!(error.to_string(), text);
            assert_eq!(error.closes().is_some(), closes, "{text}");
        }
        assert_eq!(E::RoutePort.closes(), Some(ClosedReason::WrongPort));
        assert_eq!(E::AuthorizationViolation.closes(), Some(ClosedReason::AuthenticationViolation));
    }

    #[test]
    fn names_are_quoted() {
        // spec: CORE-077
        for (bytes, quoted) in [
            (&b"plain.>"[..], "\"plain.>\""),
            (b"a\"b\\c'd", "\"a\\\"b\\\\c'd\""),
            (b"\x07\x08\x0c\n\r\t\x0b\0\x7f", "\"\\a\\b\\f\\n\\r\\t\\v\\x00\\x7f\""),
            (b"\xff\xc3x\xe2\x82", "\"\\xff\\xc3x\\xe2\\x82\""),
            ("é€\u{1F600}".as_bytes(), "\"é€\u{1F600}\""),
            ("\u{ad}\u{200b}\u{e000}\u{a0}".as_bytes(), "\"\\u00ad\\u200b\\ue000\\u00a0\""),
            ("e\u{301}".as_bytes(), "\"e\u{301}\""),
            ("\u{301}x\u{2028}\u{3000}\u{feff}\u{378}".as_bytes(), "\"\u{301}x\\u2028\\u3000\\ufeff\\u0378\""),
            ("\u{10ffff}\u{fffd}".as_bytes(), "\"\\U0010ffff\u{fffd}\""),
        ] {
            assert_eq!(Quoted(bytes).to_string(), quoted);
        }
    }
}
