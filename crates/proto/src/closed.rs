//! Why a connection ended, in the words of the monitoring pages and of disconnect events.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a connection was closed.
        // spec: CORE-082
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ClosedReason {
            $($(#[$doc])* $name,)*
        }

        impl ClosedReason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The text in `connz` and in disconnect events.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

reasons! {
    /// The peer hung up.
    ClientClosed = "Client Closed",
    /// No CONNECT in time.
    AuthenticationTimeout = "Authentication Timeout",
    /// Credentials refused.
    AuthenticationViolation = "Authentication Failure",
    /// TLS could not be agreed.
    TlsHandshakeError = "TLS Handshake Failure",
    /// More unsent bytes than `max_pending`.
    SlowConsumerPendingBytes = "Slow Consumer (Pending Bytes)",
    /// A write took longer than `write_deadline`.
    SlowConsumerWriteDeadline = "Slow Consumer (Write Deadline)",
    /// A write failed.
    WriteError = "Write Error",
    /// A read failed.
    ReadError = "Read Error",
    /// The peer reported an error with `-ERR`.
    ParseError = "Parse Error",
    /// Pings unanswered.
    StaleConnection = "Stale Connection",
    /// The peer does not speak the protocol.
    ProtocolViolation = "Protocol Violation",
    /// CONNECT asked for a protocol that does not exist.
    BadClientProtocolVersion = "Bad Client Protocol Version",
    /// A client on a port for routes, gateways or leaf nodes.
    WrongPort = "Incorrect Port",
    /// `max_connections` of the account.
    MaxAccountConnectionsExceeded = "Maximum Account Connections Exceeded",
    /// `max_connections` of the server.
    MaxConnectionsExceeded = "Maximum Connections Exceeded",
    /// A message larger than `max_payload`.
    MaxPayloadExceeded = "Maximum Message Payload Exceeded",
    /// A control line longer than `max_control_line`.
    MaxControlLineExceeded = "Maximum Control Line Exceeded",
    /// `max_subscriptions` of the account.
    MaxSubscriptionsExceeded = "Maximum Subscriptions Exceeded",
    /// A second route to the same server.
    DuplicateRoute = "Duplicate Route",
    /// The route left the configuration.
    RouteRemoved = "Route Removed",
    /// This server stops.
    ServerShutdown = "Server Shutdown",
    /// The credentials' time is over.
    AuthenticationExpired = "Authentication Expired",
    /// The peer looked for another gateway.
    WrongGateway = "Wrong Gateway",
    /// The account is unknown.
    MissingAccount = "Missing Account",
    /// The credentials were revoked.
    Revocation = "Credentials Revoked",
    /// A connection inside the server ended.
    InternalClient = "Internal Client",
    /// Headers where none are allowed.
    MsgHeaderViolation = "Message Header Violation",
    /// CONNECT asked for no-responders without headers.
    NoRespondersRequiresHeaders = "No Responders Requires Headers",
    /// Two names for one cluster.
    ClusterNameConflict = "Cluster Name Conflict",
    /// The remote leaf node is connected already.
    DuplicateRemoteLeafnodeConnection = "Duplicate Remote LeafNode Connection",
    /// The MQTT client id is in use.
    DuplicateClientId = "Duplicate Client ID",
    /// Another server has this name.
    DuplicateServerName = "Duplicate Server Name",
    /// The peer is too old.
    MinimumVersionRequired = "Minimum Version Required",
    /// A leaf node in a cluster of the same name as ours.
    ClusterNamesIdentical = "Cluster Names Identical",
    /// An operator closed it.
    Kicked = "Kicked",
    /// The proxy's signature is not trusted.
    ProxyNotTrusted = "Proxy Not Trusted",
    /// The user must come through a trusted proxy.
    ProxyRequired = "Proxy Required",
}

impl fmt::Display for ClosedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::ClosedReason;

    #[test]
    fn every_reason_in_the_words_of_the_contract() {
        // spec: CORE-082
        let contract = "Client Closed; Authentication Timeout; Authentication Failure; TLS Handshake Failure; Slow Consumer (Pending Bytes); \
            Slow Consumer (Write Deadline); Write Error; Read Error; Parse Error; Stale Connection; Protocol Violation; Bad Client Protocol \
            Version; Incorrect Port; Maximum Account Connections Exceeded; Maximum Connections Exceeded; Maximum Message Payload Exceeded; \
            Maximum Control Line Exceeded; Maximum Subscriptions Exceeded; Duplicate Route; Route Removed; Server Shutdown; Authentication \
            Expired; Wrong Gateway; Missing Account; Credentials Revoked; Internal Client; Message Header Violation; No Responders Requires \
            Headers; Cluster Name Conflict; Duplicate Remote LeafNode Connection; Duplicate Client ID; Duplicate Server Name; Minimum Version \
            Required; Cluster Names Identical; Kicked; Proxy Not Trusted; Proxy Required";
        let ours: Vec<String> = ClosedReason::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(ours, contract.split("; ").collect::<Vec<_>>());
    }
}
