//! `leafnodes.remotes`: servers that this one is a leaf node of.

use super::Decoder;
use super::tls::TlsUse;
use crate::lang::{Kind, Map, Value};
use crate::nkey;
use crate::options::{Compression, LeafRemote, LinkUrl, Secret};

/// Where leaf nodes listen unless they say otherwise.
const DEFAULT_PORT: u16 = 7422;

impl Decoder<'_> {
    // spec: CFG-172 CFG-173
    pub(super) fn leaf_remotes(&mut self, value: &Value) -> Vec<LeafRemote> {
        let mut remotes: Vec<LeafRemote> = Vec::new();
        for item in self.array("remotes", value).unwrap_or_default() {
            let Kind::Map(map) = &item.kind else {
                let text = format!("Expected remote leafnode entry to be a map/struct, got {}", item.described());
                self.findings.error(&item.span, text);
                continue;
            };
            let before = self.findings.errors.len();
            let remote = self.leaf_remote(map);
            if self.findings.errors.len() > before {
                continue;
            }
            if remote.urls.is_empty() {
                self.findings.error(&item.span, "the remote leafnode has no url");
            } else if remotes.iter().any(|other| other.identity() == remote.identity()) {
                self.findings.error(&item.span, format!("duplicate remote {remote}"));
            } else {
                remotes.push(remote);
            }
        }
        remotes
    }

    fn leaf_remote(&mut self, map: &Map) -> LeafRemote {
        let mut remote = LeafRemote::default();
        self.entries(map, |decoder, key, value| {
            decoder.leaf_remote_place(key, value, &mut remote)
                || decoder.leaf_remote_identity(key, value, &mut remote)
                || decoder.leaf_remote_interest(key, value, &mut remote)
                || decoder.leaf_remote_link(key, value, &mut remote)
                || decoder.leaf_remote_later(key, value)
        });
        remote
    }

    fn leaf_remote_place(&mut self, key: &str, value: &Value, remote: &mut LeafRemote) -> bool {
        match key {
            // spec: CFG-354 CFG-355
            "url" | "urls" => match &value.kind {
                Kind::Array(_) => {
                    remote.urls = self.link_urls(key, "leafnode", value);
                    remote.urls.retain_mut(|url| self.leaf_url(value, url));
                }
                Kind::String(_) => {
                    if let Some(mut url) = self.link_url(key, "leafnode", value)
                        && self.leaf_url(value, &mut url)
                    {
                        remote.urls.push(url);
                    }
                }
                _ => {
                    let text = "Expected remote leafnode url to be an array or string";
                    self.findings.error(&value.span, format!("{text}, got {}", value.described()));
                }
            },
            // spec: CFG-363
            "no_randomize" | "dont_randomize" => {
                let on = self.boolean(key, value);
                Self::set(&mut remote.no_randomize, on);
            }
            // spec: CFG-373
            "ignore_discovered_servers" => {
                let on = self.boolean(key, value);
                Self::set(&mut remote.ignore_discovered_servers, on);
            }
            // spec: CFG-372
            "disabled" => {
                let on = self.boolean(key, value);
                Self::set(&mut remote.disabled, on);
            }
            _ => return false,
        }
        true
    }

    /// Gives an address its port; refuses what this server cannot speak.
    fn leaf_url(&mut self, value: &Value, url: &mut LinkUrl) -> bool {
        if url.is_websocket() {
            let text = format!(
                "leafnode url {url:?}: \"{}\" is not supported by this version of Martlet yet; \
                 remove the remote to start without it",
                url.scheme
            );
            self.findings.error(&value.span, text);
            return false;
        }
        url.port.get_or_insert(DEFAULT_PORT);
        true
    }

    /// For whom and as whom it connects.
    fn leaf_remote_identity(&mut self, key: &str, value: &Value, remote: &mut LeafRemote) -> bool {
        match key {
            // spec: CFG-356
            "account" | "local" => remote.account = self.text(key, value),
            // spec: CFG-358
            "nkey" | "seed" => {
                let seed = self.string(key, value);
                if seed.as_deref().is_some_and(|seed| !nkey::is_user_seed(seed)) {
                    self.findings.error(&value.span, "Remote leafnode nkey is not a valid seed of a user");
                } else {
                    remote.seed = seed.map(Secret::new);
                }
            }
            // spec: CFG-359
            "tls" => {
                remote.tls = self.tls_block(value, TlsUse::LeafRemote);
                if remote.tls.as_ref().is_some_and(|tls| tls.insecure) {
                    self.findings.insecure(&value.span, "leafnodes");
                }
            }
            _ => return false,
        }
        true
    }

    /// What passes.
    fn leaf_remote_interest(&mut self, key: &str, value: &Value, remote: &mut LeafRemote) -> bool {
        match key {
            // spec: CFG-360
            "hub" => {
                let on = self.boolean(key, value);
                Self::set(&mut remote.hub, on);
            }
            // spec: CFG-361
            "deny_imports" | "deny_import" => remote.deny_imports = self.denied(value),
            // spec: CFG-362
            "deny_exports" | "deny_export" => remote.deny_exports = self.denied(value),
            // spec: CFG-367
            "isolate_leafnode_interest" | "isolate" => {
                let on = self.boolean(key, value);
                Self::set(&mut remote.isolate, on);
            }
            // spec: CFG-368
            "request_isolation" => {
                let on = self.boolean(key, value);
                Self::set(&mut remote.request_isolation, on);
            }
            _ => return false,
        }
        true
    }

    fn denied(&mut self, value: &Value) -> Vec<String> {
        let subjects = self.subjects(value, false).unwrap_or_default();
        subjects.into_iter().map(|permission| permission.subject).collect()
    }

    fn leaf_remote_link(&mut self, key: &str, value: &Value, remote: &mut LeafRemote) -> bool {
        match key {
            // spec: CFG-369
            "compression" => {
                let mode = self.compression(key, &Compression::s2_auto(), value);
                Self::set(&mut remote.compression, mode);
            }
            // spec: CFG-370
            "first_info_timeout" => {
                let timeout = self.duration(key, value);
                Self::set(&mut remote.first_info_timeout, timeout);
            }
            // spec: CFG-371
            "dial_timeout" => remote.dial_timeout = self.duration(key, value),
            _ => return false,
        }
        true
    }

    /// What belongs to features of later versions.
    fn leaf_remote_later(&mut self, key: &str, value: &Value) -> bool {
        match key {
            // row: CFG-357
            "credentials" | "creds" => self.later_option("leafnodes.credentials", value),
            // row: CFG-176
            "proxy" => self.later_option("leafnodes.proxy", value),
            // spec: CFG-364 CFG-365
            "ws_compression"
            | "ws_compress"
            | "websocket_compress"
            | "websocket_compression"
            | "ws_no_masking"
            | "websocket_no_masking" => {
                if self.boolean(key, value) == Some(true) {
                    self.findings.no_effect(key, &value.span, "no remote is connected to by WebSocket");
                }
            }
            // spec: CFG-366
            "jetstream_cluster_migrate" | "js_cluster_migrate" => self.leaf_migrate(key, value),
            _ => return false,
        }
        true
    }

    fn leaf_migrate(&mut self, key: &str, value: &Value) {
        match &value.kind {
            Kind::Bool(false) => return,
            Kind::Bool(true) => {}
            Kind::Map(map) => {
                for entry in map.iter().filter(|entry| entry.key == "leader_migrate_delay") {
                    self.duration("leader_migrate_delay", &entry.value);
                }
            }
            _ => {
                let text = format!("Expected boolean or map for jetstream_cluster_migrate, got {}", value.described());
                self.findings.error(&value.span, text);
                return;
            }
        }
        self.findings.no_effect(key, &value.span, super::jetstream::OF_CLUSTERS);
    }
}
