//! Another server: the connection to it, and what it wants.
//!
//! Routing and interest know links by this face only; how they come about, and what is said on them, is the `cluster`
//! crate's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::gateway::{Hash, Optimism};
use crate::imports::RemoteImport;
use crate::link_rules::LinkRules;
use crate::peer::{Control, Peer};
use martlet_proto::ClosedReason;

/// What the other server is to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A member of the same cluster.
    Route,
    /// A server of another cluster.
    Gateway,
    /// The hub that this server is a leaf node of.
    Hub,
    /// A leaf node of this server.
    Spoke,
}

impl Role {
    /// Whether the link is one between a hub and a leaf node.
    pub fn is_leaf(self) -> bool {
        matches!(self, Self::Hub | Self::Spoke)
    }
}

/// Replies on their way between clusters.
const GATEWAY_REPLIES: &[u8] = b"_GR_.";

/// The connection to another server.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that the other side can or cannot do")]
pub struct Link {
    /// The connection.
    pub peer: Arc<Peer>,
    /// What the other server is to this one.
    pub role: Role,
    /// The only account that it carries, whose name its lines leave out then (CLU-017).
    pub account: Option<Arc<str>>,
    /// The cluster on the other side of a leaf node link: what came from there never goes back there (CLU-066).
    pub cluster: Option<Box<[u8]>>,
    /// Whether the other side takes messages that name the leaf node's cluster they came from (`lnoc`).
    pub takes_origins: bool,
    /// Whether interest that ends names that cluster too (`lnocu`).
    pub unsub_origins: bool,
    /// Whether the other side of a leaf node link is not told what other leaf nodes of this server want (CLU-060).
    pub isolated: bool,
    /// What may pass over a leaf node link, or to and from another cluster.
    pub rules: Option<LinkRules>,
    /// The other server's name; by that of the connection if it is empty.
    pub server_name: String,
    /// Whether the other side reports what becomes of traced messages there.
    pub traces: bool,
    /// The short name of the other member of the cluster.
    pub server: Hash,
    /// What the other cluster does not want, where it gets everything else.
    pub optimism: Option<Optimism>,
}

impl Link {
    /// A link of this role over a connection, that carries all accounts.
    pub fn new(peer: Arc<Peer>, role: Role) -> Self {
        Self {
            peer,
            role,
            account: None,
            cluster: None,
            takes_origins: false,
            unsub_origins: false,
            isolated: false,
            rules: None,
            server_name: String::new(),
            traces: true,
            server: Hash::default(),
            optimism: None,
        }
    }

    /// What the other server is called.
    pub(crate) fn name(&self) -> String {
        if self.server_name.is_empty() { self.peer.description().name.clone() } else { self.server_name.clone() }
    }

    /// Whether the other side may have a report of a trace published under this subject.
    pub(crate) fn may_bring(&self, destination: &[u8]) -> bool {
        if destination.starts_with(GATEWAY_REPLIES) {
            return false;
        }
        match &self.rules {
            Some(rules) => rules.may_take(destination, || false),
            None => !self.peer.is_restricted() || self.peer.permissions().is_none_or(|p| p.may_publish(destination)),
        }
    }

    /// Queues protocol lines behind everything already said to the other side, and has them written. A link that has not
    /// taken its share of what waits already is closed.
    pub fn say(&self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        let pending = self.peer.outbox.push(lines);
        if pending > self.peer.max_pending() && !self.peer.is_closing() {
            self.peer.request(Control::Close(ClosedReason::SlowConsumerPendingBytes, None));
            self.peer.outbox.close();
        }
        self.peer.wire().wake();
    }
}

/// Something that another server wants.
#[derive(Debug)]
pub struct RemoteSubscription {
    /// Who wants it.
    pub link: Arc<Link>,
    /// Subject, queue group and origin cluster, one after the other.
    text: Box<[u8]>,
    subject_len: u32,
    queue_len: u32,
    weight: AtomicU32,
    /// It stands in an account that exports to the leaf node's own.
    pub(crate) import: Option<RemoteImport>,
}

impl RemoteSubscription {
    /// What `link` wants: a subject, for a queue group with so many members or for all, perhaps for a leaf node's cluster.
    pub fn new(link: Arc<Link>, subject: &[u8], queue: Option<(&[u8], u32)>, origin: Option<&[u8]>) -> Self {
        let (queue, weight) = queue.unwrap_or((b"", 1));
        let length = |part: &[u8]| u32::try_from(part.len()).expect("a control line is shorter than 4 GiB");
        Self {
            link,
            text: [subject, queue, origin.unwrap_or_default()].concat().into_boxed_slice(),
            subject_len: length(subject),
            queue_len: length(queue),
            weight: AtomicU32::new(weight),
            import: None,
        }
    }

    fn queue_end(&self) -> usize {
        (self.subject_len + self.queue_len) as usize
    }

    /// The bytes of subject, queue group and origin together.
    #[expect(clippy::len_without_is_empty, reason = "a subject is never empty")]
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// The pattern wanted.
    pub fn subject(&self) -> &[u8] {
        &self.text[..self.subject_len as usize]
    }

    /// The queue group it is wanted for.
    pub fn queue(&self) -> Option<&[u8]> {
        let queue = &self.text[self.subject_len as usize..self.queue_end()];
        (!queue.is_empty()).then_some(queue)
    }

    /// The leaf node's cluster on whose behalf a member of this cluster wants it.
    pub fn origin(&self) -> Option<&[u8]> {
        let origin = &self.text[self.queue_end()..];
        (!origin.is_empty()).then_some(origin)
    }

    /// Members of the queue group on the other side; 1 outside queue groups.
    pub fn weight(&self) -> u32 {
        self.weight.load(Relaxed)
    }

    /// Puts another number of members in force and gives the one before.
    pub(crate) fn set_weight(&self, weight: u32) -> u32 {
        self.weight.swap(weight, Relaxed)
    }
}
