//! The `cluster` block.

use super::Decoder;
use super::links::Link;
use super::tls::TlsUse;
use crate::lang::{Span, Value};
use crate::options::{Cluster, Compression, LinkPermissions, PermissionSubject, Permissions, ROUTE_MAX_PING_INTERVAL};

/// A `cluster` block as far as it is read.
#[derive(Default)]
struct Block {
    cluster: Cluster,
    /// `permissions` inside `authorization`, as it was written long ago.
    deprecated: Option<LinkPermissions>,
}

impl Decoder<'_> {
    // spec: CFG-084 CFG-146
    pub(super) fn cluster(&mut self, value: &Value) {
        let Some(map) = self.map("cluster", value) else { return };
        let mut block = Block::default();
        let before = self.findings.errors.len();
        self.entries(map, |decoder, key, value| {
            decoder.cluster_place(key, value, &mut block.cluster)
                || decoder.cluster_security(key, value, &mut block)
                || decoder.cluster_routes(key, value, &mut block.cluster)
                || decoder.cluster_timing(key, value, &mut block.cluster)
        });
        let Block { mut cluster, deprecated } = block;
        cluster.permissions = cluster.permissions.or(deprecated);
        let other = map.iter().find(|entry| !entry.key.eq_ignore_ascii_case("name"));
        if let Some(other) = other.filter(|_| !cluster.listens() && self.findings.errors.len() == before) {
            let reason = "nothing says where the cluster listens; set \"listen\", \"port\" or --cluster";
            self.findings.no_effect(&other.key, &other.value.span, reason);
        }
        self.options.cluster = (!map.is_empty()).then_some(cluster);
    }

    /// What the cluster is called and where it is.
    fn cluster_place(&mut self, key: &str, value: &Value, cluster: &mut Cluster) -> bool {
        match key {
            "name" => self.options.cluster_name = self.link_name(value, "cluster name cannot contain spaces"),
            // spec: CFG-147
            "listen" => {
                if let Some((host, port)) = self.listen(key, value) {
                    Self::set_listener(&mut cluster.host, host);
                    cluster.port = port;
                }
            }
            "host" | "net" => {
                let host = self.string(key, value).unwrap_or_default();
                Self::set_listener(&mut cluster.host, host);
            }
            "port" => {
                let port = self.number(key, value);
                Self::set(&mut cluster.port, port);
            }
            // spec: CFG-152
            "cluster_advertise" | "advertise" => cluster.advertise = self.text(key, value),
            // spec: CFG-153
            "no_advertise" => {
                let on = self.boolean(key, value);
                Self::set(&mut cluster.no_advertise, on);
            }
            _ => return false,
        }
        true
    }

    /// A name without blanks, since it is written between them; `refused` says so.
    pub(super) fn link_name(&mut self, value: &Value, refused: &str) -> Option<String> {
        let name = self.text("name", value)?;
        if name.contains(' ') {
            self.findings.error(&value.span, refused);
            return None;
        }
        Some(name)
    }

    pub(super) fn set_listener(place: &mut String, host: String) {
        if !host.is_empty() {
            *place = host;
        }
    }

    /// Who may be part of it.
    fn cluster_security(&mut self, key: &str, value: &Value, block: &mut Block) -> bool {
        match key {
            // spec: CFG-148 CFG-103
            "authorization" => {
                let (login, permissions) = self.link_login(Link::Cluster, value);
                block.cluster.login = login;
                if let Some(permissions) = permissions {
                    block.deprecated = self.link_permissions(&value.span, permissions);
                    let reason = "setting \"permissions\" within cluster authorization block is deprecated";
                    self.findings.warn_field(key, &value.span, reason);
                }
            }
            // spec: CFG-149 SEC-042
            "permissions" => {
                if let Some(permissions) = self.permissions(value) {
                    block.cluster.permissions = self.link_permissions(&value.span, permissions);
                }
            }
            // spec: CFG-151
            "tls" => {
                block.cluster.tls = self.tls_block(value, TlsUse::Mesh);
                if block.cluster.tls.as_ref().is_some_and(|tls| tls.insecure) {
                    self.findings.insecure(&value.span, "routes");
                }
            }
            _ => return false,
        }
        true
    }

    /// Permissions between servers: no queues, and no replies that come and go.
    fn link_permissions(&mut self, span: &Span, permissions: Permissions) -> Option<LinkPermissions> {
        if permissions.allow_responses.is_some() {
            self.findings.error(span, "Cluster permissions do not support dynamic responses");
            return None;
        }
        let export = &permissions.subscribe;
        let lists = [("allow", export.allow.as_deref().unwrap_or_default()), ("deny", export.deny.as_slice())];
        for (list, subjects) in lists {
            for subject in subjects {
                if let PermissionSubject { subject, queue: Some(queue) } = subject {
                    let text = format!("cluster export {list}: subject \"{subject} {queue}\" is not a valid subject");
                    self.findings.error(span, text);
                    return None;
                }
            }
        }
        Some(LinkPermissions { import: permissions.publish, export: permissions.subscribe })
    }

    /// How its servers are connected.
    fn cluster_routes(&mut self, key: &str, value: &Value, cluster: &mut Cluster) -> bool {
        match key {
            // spec: CFG-150
            "routes" => cluster.routes = self.link_urls(key, "route", value),
            // spec: CFG-154
            "connect_retries" => {
                let retries = self.limit_or_none(key, value);
                Self::set(&mut cluster.connect_retries, retries);
            }
            // spec: CFG-155
            "connect_backoff" => {
                let on = self.boolean(key, value);
                Self::set(&mut cluster.connect_backoff, on);
            }
            // spec: CFG-156
            "pool_size" => {
                let size = self.number_or_default(key, value);
                Self::set(&mut cluster.pool_size, size);
            }
            // spec: CFG-157
            "accounts" => cluster.accounts = self.strings(key, value).unwrap_or_default(),
            // spec: CFG-158
            "compression" => {
                let mode = self.compression(key, &Compression::S2Fast, value);
                Self::set(&mut cluster.compression, mode);
            }
            _ => return false,
        }
        true
    }

    fn cluster_timing(&mut self, key: &str, value: &Value, cluster: &mut Cluster) -> bool {
        match key {
            // spec: CFG-159
            "ping_interval" => {
                let interval = self.duration(key, value);
                if interval.is_some_and(|interval| interval > ROUTE_MAX_PING_INTERVAL) {
                    let text = "Cluster 'ping_interval' will reset to 30s which is the max for routes";
                    self.findings.warn(&value.span, text);
                }
                cluster.ping_interval = interval.map(|interval| interval.min(ROUTE_MAX_PING_INTERVAL));
            }
            // spec: CFG-160
            "ping_max" => cluster.ping_max = self.number_or_default(key, value),
            // spec: CFG-161
            "write_deadline" => cluster.write_deadline = self.duration(key, value),
            // spec: CFG-162
            "write_timeout" => {
                let policy = self.write_timeout(key, value);
                Self::set(&mut cluster.write_timeout, policy);
            }
            _ => return false,
        }
        true
    }
}
