//! Who this server is and what time it is, for messages that the server publishes itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;
use martlet_config::Options;
use martlet_events::{Time, WallTime};
use parking_lot::RwLock;
use serde::Serialize;

use crate::account;
use crate::gateway::SuperCluster;
use crate::json;
use crate::settings::Identity;

/// What the reference can be told to do otherwise, with its defaults.
const FEATURE_FLAGS: [(&str, bool); 4] = [
    ("js_ack_fc_v2", false),
    ("js_api_reply_v2", false),
    ("js_raft_delete_range", true),
    ("js_snapshot_sources", false),
];

/// Who this server is and what time it is.
#[derive(Debug, Default)]
pub struct Site {
    /// The wall clock at [`Time::ORIGIN`].
    origin: AtomicU64,
    published: AtomicU64,
    about: RwLock<Arc<About>>,
    /// The cluster's name, where its members have settled on one.
    cluster: RwLock<Option<String>>,
    super_cluster: OnceLock<SuperCluster>,
    /// What accounts are called at the hubs that they are connected to, where that is not the same.
    at_hubs: RwLock<HashMap<Box<str>, Arc<str>>>,
    renames: AtomicBool,
}

/// What a server tells of itself; replaced as a whole by a reload.
#[derive(Debug, Default, Clone)]
pub struct About {
    /// Its name.
    pub name: String,
    /// The address it listens on.
    pub host: String,
    /// Its public nkey.
    pub id: String,
    /// Its cluster's name.
    pub cluster: Option<String>,
    /// The reference version it is compatible with.
    pub version: &'static str,
    /// `server_tags`.
    pub tags: Vec<String>,
    /// `server_metadata`.
    pub metadata: BTreeMap<String, String>,
    /// `feature_flags` with their defaults.
    pub feature_flags: BTreeMap<String, bool>,
    /// Whether it keeps streams.
    pub jetstream: bool,
    /// The domain they are in; empty for none.
    pub domain: String,
    /// The system account's name; without one the server publishes no events.
    pub system_account: Option<Arc<str>>,
}

/// The `server` part of an event.
#[derive(Debug, Serialize)]
pub struct ServerInfo<'a> {
    name: &'a str,
    host: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    domain: &'a str,
    ver: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    feature_flags: &'a BTreeMap<String, bool>,
    jetstream: bool,
    flags: u32,
    seq: u64,
    #[serde(serialize_with = "json::as_text")]
    time: WallTime,
}

impl About {
    fn new(identity: &Identity, options: &Options) -> Self {
        let feature_flags = FEATURE_FLAGS
            .into_iter()
            .map(|(name, default)| (name.to_owned(), options.feature_flags.get(name).copied().unwrap_or(default)));
        Self {
            name: identity.name.clone(),
            host: options.host.clone(),
            id: identity.id.clone(),
            cluster: options.cluster_name.clone(),
            version: identity.version,
            tags: options.server_tags.clone(),
            metadata: options.server_metadata.clone(),
            feature_flags: feature_flags.collect(),
            jetstream: options.jetstream.is_some(),
            domain: options.jetstream.as_ref().map(|jetstream| jetstream.domain.clone()).unwrap_or_default(),
            system_account: (!options.switches.no_system_account)
                .then(|| options.system_account.as_deref().unwrap_or(account::SYSTEM).into()),
        }
    }

    /// Whether `account` is the system account.
    pub fn is_system(&self, account: &str) -> bool {
        self.system_account.as_deref() == Some(account)
    }
}

impl Site {
    /// The site of a server with these options.
    pub fn new(identity: &Identity, options: &Options) -> Self {
        let site = Self::default();
        site.renew(identity, options);
        site
    }

    /// Puts other options in force.
    pub fn renew(&self, identity: &Identity, options: &Options) {
        let mut about = About::new(identity, options);
        if let Some(name) = &*self.cluster.read() {
            about.cluster = Some(name.clone());
        }
        *self.about.write() = Arc::new(about);
    }

    /// The cluster's name, from now on.
    pub(crate) fn set_cluster(&self, name: &str) {
        *self.cluster.write() = Some(name.to_owned());
        let mut about = self.about.write();
        *about = Arc::new(About { cluster: Some(name.to_owned()), ..(**about).clone() });
    }

    /// This server's cluster is one of several from now on. Said once, before there are clients.
    pub fn join_super_cluster(&self, cluster: &str) {
        let server = self.about().id.clone();
        self.super_cluster.get_or_init(|| SuperCluster::new(cluster, &server));
    }

    /// The clusters beside this server's own, if it has gateways.
    #[inline]
    pub fn super_cluster(&self) -> Option<&SuperCluster> {
        self.super_cluster.get()
    }

    /// `account` is connected to a hub, where it is called `there`. That stays known when the connection is gone.
    pub fn set_name_at_hub(&self, account: &str, there: &str) {
        let mut names = self.at_hubs.write();
        if account == there || there.is_empty() {
            names.remove(account);
        } else {
            names.insert(account.into(), there.into());
        }
        self.renames.store(!names.is_empty(), Relaxed);
    }

    /// What `account` is called at its hub, if that is another name.
    pub(crate) fn name_at_hub(&self, account: &str) -> Option<Arc<str>> {
        self.at_hubs.read().get(account).cloned()
    }

    /// Whether any account is called otherwise at its hub.
    #[inline]
    pub(crate) fn renames(&self) -> bool {
        self.renames.load(Relaxed)
    }

    /// What the server tells of itself now.
    pub fn about(&self) -> Arc<About> {
        self.about.read().clone()
    }

    /// Tells the wall clock's reading at [`Time::ORIGIN`].
    pub fn set_origin(&self, origin: WallTime) {
        self.origin.store(origin.as_nanos(), Relaxed);
    }

    /// The wall clock at `time`.
    pub fn wall(&self, time: Time) -> WallTime {
        WallTime::from_nanos(self.origin.load(Relaxed).saturating_add(time.as_nanos()))
    }

    /// The `server` part of an event published at `now`, with the next sequence number.
    pub fn server_info<'a>(&self, about: &'a About, now: Time) -> ServerInfo<'a> {
        ServerInfo {
            name: &about.name,
            host: &about.host,
            id: &about.id,
            cluster: about.cluster.as_deref(),
            domain: &about.domain,
            ver: about.version,
            tags: &about.tags,
            metadata: &about.metadata,
            feature_flags: &about.feature_flags,
            jetstream: about.jetstream,
            // What it can: keep streams.
            flags: u32::from(about.jetstream),
            seq: self.published.fetch_add(1, Relaxed) + 1,
            time: self.wall(now),
        }
    }
}
