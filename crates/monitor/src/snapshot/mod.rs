//! The values a server hands to the monitor: standard types, owned, one moment in time.
//!
//! Invariant: nothing here knows how it will be shown.

mod account;
mod conn;
mod document;
mod jetstream;
mod leaf;
mod link;
mod server;
mod subs;

pub use account::{
    AccountSnapshot, AccountTraffic, Direction, ExportKind, ExportSnapshot, ImportSnapshot, LatencySnapshot,
    MappingSnapshot, MappingTarget, Traffic,
};
pub use conn::{
    ClosedConn, ClosedList, ConnDetail, ConnFilter, ConnKind, ConnList, ConnStats, ConnType, PeerCert, TlsSnapshot,
    Want,
};
pub use document::Document;
pub use jetstream::{
    ConsumerSnapshot, DiskWaits, Found, JetStreamAccount, JetStreamSettings, JetStreamSnapshot, JetStreamTotals,
    JetStreamUsage, JetStreamWant, Reached, StreamFault, StreamSnapshot,
};
pub use leaf::LeafSnapshot;
pub use link::{
    ComebackSnapshot, GatewayAccount, GatewayList, GatewaySnapshot, LinkPermission, LinkSnapshot, RouteList,
    RouteSnapshot,
};
pub use server::{
    ByKind, ClusterSettings, GatewaySettings, Health, Identity, LeafListener, LeafRemoteSettings, LeafSettings, Listen,
    LoopSnapshot, QueueSnapshot, ServerCounters, ServerSettings, TlsSettings,
};
pub use subs::{InterestStats, SubRef, SubSnapshot};
