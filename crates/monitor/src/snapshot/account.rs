//! Accounts: what they are, and what went through them.

use std::time::SystemTime;

use super::InterestStats;

/// Everything about one account.
#[derive(Debug, Clone, PartialEq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of its own")]
pub struct AccountSnapshot {
    /// Its name, or public key.
    pub name: String,
    /// When it was last set up or changed.
    pub updated: Option<SystemTime>,
    /// It is the system account.
    pub is_system: bool,
    /// Its JWT has expired.
    pub expired: bool,
    /// Some of its imports could not be made.
    pub incomplete: bool,
    /// It may have streams.
    pub has_jetstream: bool,
    /// Leaf nodes connected here.
    pub leafnodes: u64,
    /// Clients connected here.
    pub clients: u64,
    /// Its mappings.
    pub mappings: Vec<MappingSnapshot>,
    /// What it exports, services first.
    pub exports: Vec<ExportSnapshot>,
    /// What it imports, streams first.
    pub imports: Vec<ImportSnapshot>,
    /// Its JWT; empty without one.
    pub jwt: String,
    /// Public key that issued the JWT.
    pub issuer_key: String,
    /// What it calls itself.
    pub name_tag: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its interest.
    pub interest: InterestStats,
    /// Replies to services that are awaited now.
    pub responses: Vec<ImportSnapshot>,
}

/// One mapped subject.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MappingSnapshot {
    /// What is mapped.
    pub source: String,
    /// To what, in the order of cumulative weight.
    pub targets: Vec<MappingTarget>,
}

/// One target of a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MappingTarget {
    /// Where to.
    pub subject: String,
    /// In percent, as counted up to and with this target.
    pub weight: u8,
    /// Only in this cluster; empty is everywhere.
    pub cluster: String,
}

/// What is exported or imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExportKind {
    /// Messages.
    #[default]
    Stream,
    /// Requests and their replies.
    Service,
}

/// Measuring of a service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LatencySnapshot {
    /// Percent of the requests; 0 is those whose headers ask for it.
    pub sampling: u8,
    /// Where the results go.
    pub subject: String,
}

/// An export.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportSnapshot {
    /// What is exported.
    pub subject: String,
    /// As what.
    pub kind: ExportKind,
    /// `Singleton`, `Stream` or `Chunked`; for services.
    pub response_type: String,
    /// An activation token is needed.
    pub token_required: bool,
    /// Measuring, for services.
    pub latency: Option<LatencySnapshot>,
    /// Accounts that may import it; empty is everyone.
    pub approved_accounts: Vec<String>,
}

/// An import, or an awaited reply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportSnapshot {
    /// The subject in the exporting account.
    pub subject: String,
    /// The exporting account.
    pub account: String,
    /// The subject in the importing account.
    pub local_subject: String,
    /// As what.
    pub kind: ExportKind,
    /// It does not work: the export is missing or not allowed.
    pub invalid: bool,
    /// The requestor is told to the service.
    pub share: bool,
    /// This reply is being measured.
    pub tracking: bool,
    /// Measuring, for services.
    pub latency: Option<LatencySnapshot>,
}

/// What went through an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountTraffic {
    /// Its name, or public key.
    pub account: String,
    /// What it calls itself.
    pub name_tag: String,
    /// Clients connected here.
    pub connections: u64,
    /// Leaf nodes connected here.
    pub leafnodes: u64,
    /// Its subscriptions.
    pub subscriptions: u64,
    /// To its connections.
    pub sent: Direction,
    /// From its connections.
    pub received: Direction,
    /// Its slow consumers.
    pub slow_consumers: u64,
}

/// Traffic in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Direction {
    /// All of it.
    pub all: Traffic,
    /// Through gateways.
    pub gateways: Traffic,
    /// Through routes.
    pub routes: Traffic,
    /// Through leaf nodes.
    pub leafs: Traffic,
}

/// Messages and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Messages.
    pub msgs: u64,
    /// Bytes of them.
    pub bytes: u64,
}
