//! The `gateway` block.

use super::Decoder;
use super::links::Link;
use super::tls::TlsUse;
use crate::lang::{Kind, Value};
use crate::options::{Gateway, RemoteGateway};

impl Decoder<'_> {
    // spec: CFG-165 CFG-084
    pub(super) fn gateway(&mut self, value: &Value) {
        let Some(map) = self.map("gateway", value) else { return };
        let mut gateway = Gateway::default();
        let before = self.findings.errors.len();
        self.entries(map, |decoder, key, value| {
            decoder.gateway_place(key, value, &mut gateway) || decoder.gateway_links(key, value, &mut gateway)
        });
        if !gateway.name.is_empty() || gateway.port != 0 {
            self.options.gateway = Some(gateway);
        } else if let Some(entry) = map.iter().next().filter(|_| self.findings.errors.len() == before) {
            self.findings.no_effect(&entry.key, &entry.value.span, "the gateway has neither a name nor a port");
        }
    }

    /// What this cluster is called, where it is, and who may connect.
    fn gateway_place(&mut self, key: &str, value: &Value, gateway: &mut Gateway) -> bool {
        match key {
            // spec: CFG-318
            "name" => {
                let name = self.link_name(value, "gateway name cannot contain spaces");
                Self::set(&mut gateway.name, name);
            }
            // spec: CFG-319
            "listen" => {
                if let Some((host, port)) = self.listen(key, value) {
                    Self::set_listener(&mut gateway.host, host);
                    gateway.port = port;
                }
            }
            // spec: CFG-320
            "host" | "net" => {
                let host = self.string(key, value).unwrap_or_default();
                Self::set_listener(&mut gateway.host, host);
            }
            // spec: CFG-321
            "port" => {
                let port = self.number(key, value);
                Self::set(&mut gateway.port, port);
            }
            // spec: CFG-322 CFG-104
            "authorization" => gateway.login = self.link_login(Link::Gateway, value).0,
            // spec: CFG-323
            "tls" => {
                gateway.tls = self.tls_block(value, TlsUse::Mesh);
                if gateway.tls.as_ref().is_some_and(|tls| tls.insecure) {
                    self.findings.insecure(&value.span, "gateways");
                }
            }
            // spec: CFG-324
            "advertise" => gateway.advertise = self.text(key, value),
            _ => return false,
        }
        true
    }

    /// Which clusters it is connected to, and how.
    fn gateway_links(&mut self, key: &str, value: &Value, gateway: &mut Gateway) -> bool {
        match key {
            // spec: CFG-325
            "connect_retries" => {
                let retries = self.limit_or_none(key, value);
                Self::set(&mut gateway.connect_retries, retries);
            }
            // spec: CFG-326
            "connect_backoff" => {
                let on = self.boolean(key, value);
                Self::set(&mut gateway.connect_backoff, on);
            }
            // spec: CFG-327
            "reject_unknown_cluster" | "reject_unknown" => {
                let on = self.boolean(key, value);
                Self::set(&mut gateway.reject_unknown, on);
            }
            // spec: CFG-328
            "write_deadline" => gateway.write_deadline = self.duration(key, value),
            // spec: CFG-329
            "write_timeout" => {
                let policy = self.write_timeout(key, value);
                Self::set(&mut gateway.write_timeout, policy);
            }
            // spec: CFG-166
            "gateways" => {
                for item in self.array(key, value).unwrap_or_default() {
                    gateway.remotes.extend(self.remote_gateway(item));
                }
            }
            _ => return false,
        }
        true
    }

    // spec: CFG-330 CFG-331 CFG-332 CFG-333
    fn remote_gateway(&mut self, value: &Value) -> Option<RemoteGateway> {
        let Kind::Map(map) = &value.kind else {
            let text = format!("Expected gateway entry to be a map/struct, got {}", value.described());
            self.findings.error(&value.span, text);
            return None;
        };
        let mut remote = RemoteGateway { name: String::new(), urls: Vec::new(), tls: None };
        self.entries(map, |decoder, key, value| {
            match key {
                "name" => {
                    let name = decoder.string(key, value);
                    Self::set(&mut remote.name, name);
                }
                "url" => remote.urls.extend(decoder.link_url(key, "gateway", value)),
                "urls" => remote.urls = decoder.link_urls(key, "gateway", value),
                "tls" => {
                    remote.tls = decoder.tls_block(value, TlsUse::Mesh);
                    if remote.tls.as_ref().is_some_and(|tls| tls.insecure) {
                        decoder.findings.insecure(&value.span, "gateways");
                    }
                }
                _ => return false,
            }
            true
        });
        Some(remote)
    }
}
