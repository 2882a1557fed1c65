//! What the blocks of links between servers share: addresses, logins, compression.

use std::collections::HashSet;
use std::time::Duration;

use super::Decoder;
use crate::duration;
use crate::lang::{Kind, Map, Value};
use crate::options::{Compression, LinkLogin, LinkUrl, Permissions, Secret, WriteTimeout, redacted};

/// The most round-trip times that `s2_auto` tells apart, less one.
const MAX_THRESHOLDS: usize = 4;

/// Whose `authorization` allows one user and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Cluster,
    Gateway,
}

impl Decoder<'_> {
    /// An array of addresses; `kind` is what messages call them.
    // spec: CFG-017
    pub(super) fn link_urls(&mut self, name: &str, kind: &str, value: &Value) -> Vec<LinkUrl> {
        let mut seen = HashSet::new();
        let mut urls = Vec::new();
        for item in self.array(name, value).unwrap_or_default() {
            if let Kind::String(text) = &item.kind
                && !seen.insert(text)
            {
                self.findings.warn_field(&redacted(text), &item.span, &format!("Duplicate {kind} entry detected"));
                continue;
            }
            urls.extend(self.link_url(name, kind, item));
        }
        urls
    }

    /// One address.
    pub(super) fn link_url(&mut self, name: &str, kind: &str, value: &Value) -> Option<LinkUrl> {
        let text = self.string(name, value)?;
        match LinkUrl::parse(&text) {
            Ok(url) => Some(url),
            Err(reason) => {
                let text = format!("error parsing {kind} url [{:?}]: {reason}", redacted(&text));
                self.findings.error(&value.span, text);
                None
            }
        }
    }

    /// `authorization` of a cluster or gateway, and the permissions that do not belong there any more.
    // spec: CFG-103 CFG-104 CFG-216 CFG-221
    pub(super) fn link_login(&mut self, link: Link, value: &Value) -> (LinkLogin, Option<Permissions>) {
        let (mut login, mut permissions) = (LinkLogin::default(), None);
        let Some(map) = self.map("authorization", value) else { return (login, permissions) };
        self.entries(map, |decoder, key, value| {
            match key {
                "user" | "username" => login.user = decoder.text(key, value),
                "pass" | "password" => login.password = decoder.text(key, value).map(Secret::new),
                "timeout" => login.timeout = decoder.timeout("authorization", value),
                "default_permission" | "default_permissions" | "permissions" => {
                    permissions = decoder.permissions(value);
                    if link == Link::Gateway {
                        decoder.findings.no_effect(key, &value.span, "gateways have no permissions");
                    }
                }
                "token" => {
                    if decoder.text(key, value).is_some() {
                        decoder.one_user_only(link, value, "does not support tokens");
                    }
                }
                "users" => decoder.one_user_only(link, value, "does not allow multiple users"),
                "auth_callout" | "auth_hook" => decoder.one_user_only(link, value, "does not support callouts"),
                "proxy_required" => {
                    if decoder.boolean(key, value) == Some(true) {
                        decoder.findings.no_effect(key, &value.span, "servers do not connect through proxies");
                    }
                }
                _ => return false,
            }
            true
        });
        (login, permissions)
    }

    fn one_user_only(&mut self, link: Link, value: &Value, what: &str) {
        self.findings.error(&value.span, format!("{link:?} authorization {what}"));
    }

    /// What a write past its deadline leads to.
    // spec: CFG-059 CFG-162
    pub(super) fn write_timeout(&mut self, name: &str, value: &Value) -> Option<WriteTimeout> {
        match self.string(name, value)?.as_str() {
            "default" => Some(WriteTimeout::Default),
            "close" => Some(WriteTimeout::Close),
            "retry" => Some(WriteTimeout::Retry),
            _ => {
                self.findings.error(&value.span, "write_timeout must be 'default', 'close' or 'retry'");
                None
            }
        }
    }

    /// A boolean, a mode, or a map of a mode and its thresholds. `on` is what switching it on means here.
    // spec: CFG-158 CFG-163 CFG-348 CFG-369
    pub(super) fn compression(&mut self, name: &str, on: &Compression, value: &Value) -> Option<Compression> {
        match &value.kind {
            Kind::Bool(true) => Some(on.clone()),
            Kind::Bool(false) => Some(Compression::Off),
            Kind::String(mode) => self.compression_mode(mode, on, value),
            Kind::Map(map) => self.compression_map(map, on),
            _ => self.findings.wrong_type(name, "a boolean, a mode such as \"s2_fast\", or a map", value),
        }
    }

    fn compression_mode(&mut self, mode: &str, on: &Compression, value: &Value) -> Option<Compression> {
        Some(match mode.to_ascii_lowercase().as_str() {
            "on" | "enabled" | "true" => on.clone(),
            "off" | "disabled" | "false" => Compression::Off,
            "not supported" | "not_supported" => Compression::NotSupported,
            "accept" => Compression::Accept,
            "auto" | "s2_auto" => Compression::s2_auto(),
            "fast" | "s2_fast" => Compression::S2Fast,
            "better" | "s2_better" => Compression::S2Better,
            "best" | "s2_best" => Compression::S2Best,
            _ => {
                self.findings.error(&value.span, format!("unsupported compression mode {mode:?}"));
                return None;
            }
        })
    }

    fn compression_map(&mut self, map: &Map, on: &Compression) -> Option<Compression> {
        let (mut mode, mut thresholds) = (None, None);
        self.entries(map, |decoder, key, value| {
            match key {
                "mode" => {
                    let text = decoder.string(key, value);
                    mode = text.and_then(|text| decoder.compression_mode(&text, on, value));
                }
                "rtt_thresholds" | "thresholds" | "rtts" | "rtt" => {
                    thresholds =
                        decoder.thresholds(key, value).map(|times| (key.to_owned(), times, value.span.clone()));
                }
                _ => return false,
            }
            true
        });
        match (&mode, thresholds) {
            (Some(Compression::S2Auto(_)), Some((_, times, _))) if !times.is_empty() => {
                Some(Compression::S2Auto(times))
            }
            (Some(Compression::S2Auto(_)) | None, Some((_, times, _))) if times.is_empty() => mode,
            (_, Some((key, _, span))) => {
                self.findings.no_effect(&key, &span, "it belongs to the mode s2_auto");
                mode
            }
            (_, None) => mode,
        }
    }

    /// Round-trip times: at most four in ascending order; zeros among them leave a level out, zeros at the end nothing.
    // spec: CFG-164
    fn thresholds(&mut self, name: &str, value: &Value) -> Option<Vec<Duration>> {
        let mut nanos = Vec::new();
        for item in self.array(name, value)? {
            nanos.push(self.signed_duration(name, item)?);
        }
        let times: Vec<_> = nanos.iter().map(|&time| Duration::from_nanos(u64::try_from(time).unwrap_or(0))).collect();
        let used = times.iter().rposition(|time| !time.is_zero()).map_or(0, |last| last + 1);
        let set: Vec<_> = times.iter().filter(|time| !time.is_zero()).collect();
        let shown = || {
            let times: Vec<_> = times.iter().map(|time| duration::format(*time)).collect();
            format!("[{}]", times.join(" "))
        };
        let refused = if !set.is_sorted() {
            format!("RTT threshold values {} should be in ascending order", shown())
        } else if used > MAX_THRESHOLDS {
            format!("compression mode \"s2_auto\" should have no more than 4 RTT thresholds: {}", shown())
        } else if used == 0 && !times.is_empty() {
            "compression mode \"s2_auto\" requires at least one RTT threshold".into()
        } else {
            return Some(times[..used].to_vec());
        };
        self.findings.error(&value.span, refused);
        None
    }
}
