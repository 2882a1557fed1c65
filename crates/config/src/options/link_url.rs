//! Addresses of other servers, as routes, gateways and leaf nodes write them.
//!
//! What is accepted is what Go's `net/url` accepts and a connection can use: `//host` at least. Printing one never
//! shows who logs in with it.

use std::fmt;
use std::net::Ipv6Addr;

use thiserror::Error;

use super::Secret;

/// Where another server is reached: `scheme://user:password@host:port`. Printed without what proves who one is.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkUrl {
    /// In lower case: `nats`, `nats-route`, `nats-leaf`, `tls`, …; empty when none is written.
    pub scheme: String,
    /// The user that is named, decoded; alone it may be a token.
    pub user: Option<String>,
    /// The password beside it, decoded.
    pub password: Option<Secret>,
    /// A name or an address; IPv6 without brackets. Never empty.
    pub host: String,
    /// The port, if one is written; leaf node remotes always have one (7422 by default).
    pub port: Option<u16>,
    /// What follows the address: nothing, or a path and a query.
    pub path: String,
}

/// Why a text is no address of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LinkUrlError {
    /// It is no URL.
    #[error("it is no URL; expected something like nats://host:port")]
    Malformed,
    /// It is a URL, without a host.
    #[error("it has no host; expected something like nats://host:port")]
    NoHost,
    /// More than one colon outside of brackets.
    #[error("it has too many colons; write an IPv6 address in brackets")]
    Colons,
    /// The port does not exist.
    #[error("its port is above 65535")]
    Port,
}

impl LinkUrl {
    /// Reads an address; blanks around it do not matter.
    pub fn parse(text: &str) -> Result<Self, LinkUrlError> {
        let url = Self::parse_listen(text)?;
        if url.host.is_empty() { Err(LinkUrlError::NoHost) } else { Ok(url) }
    }

    /// Reads an address to listen on, which need not have a host.
    pub(crate) fn parse_listen(text: &str) -> Result<Self, LinkUrlError> {
        let text = text.trim();
        if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return Err(LinkUrlError::Malformed);
        }
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        unescape(fragment)?;
        let (scheme, rest) = split_scheme(text)?;
        let Some(rest) = rest.strip_prefix("//") else {
            let first = rest.split(['/', '?']).next().unwrap_or_default();
            let colon = scheme.is_empty() && first.contains(':');
            return Err(if colon { LinkUrlError::Malformed } else { LinkUrlError::NoHost });
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        unescape(path.split('?').next().unwrap_or_default())?;
        let (login, address) = match authority.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, authority),
        };
        let (user, password) = match login {
            Some(login) => split_login(login)?,
            None => (None, None),
        };
        let (host, port) = split_address(address)?;
        Ok(Self { scheme: scheme.to_ascii_lowercase(), user, password, host, port, path: path.into() })
    }

    /// `host:port` to dial, IPv6 in brackets; without the colon when no port is written.
    #[must_use]
    pub fn address(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }

    /// Whether the scheme asks for TLS by itself.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self.scheme.as_str(), "tls" | "wss")
    }

    /// Whether the scheme asks for WebSocket.
    #[must_use]
    pub(crate) fn is_websocket(&self) -> bool {
        matches!(self.scheme.as_str(), "ws" | "wss")
    }
}

/// A text that should have been an address, without what may be a password in it.
pub(crate) fn redacted(text: &str) -> String {
    let text = text.trim();
    match (text.split_once("//"), text.rsplit_once('@')) {
        (Some((scheme, rest)), Some((_, address))) if rest.contains('@') => format!("{scheme}//xxxxx@{address}"),
        (_, Some((_, address))) => format!("xxxxx@{address}"),
        _ => text.into(),
    }
}

/// The scheme without its colon, and the rest. A text that does not start with a letter has none.
fn split_scheme(text: &str) -> Result<(&str, &str), LinkUrlError> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    match text.find(|c| !is_part(c)) {
        Some(0) if text.starts_with(':') => Err(LinkUrlError::Malformed),
        Some(end) if text[end..].starts_with(':') => {
            if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
                Ok((&text[..end], &text[end + 1..]))
            } else {
                Err(LinkUrlError::Malformed)
            }
        }
        _ => Ok(("", text)),
    }
}

fn split_login(login: &str) -> Result<(Option<String>, Option<Secret>), LinkUrlError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
    if !login.chars().all(is_allowed) {
        return Err(LinkUrlError::Malformed);
    }
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(Secret::new(unescape(password)?))),
        None => (login, None),
    };
    Ok((Some(unescape(user)?), password))
}

fn split_address(address: &str) -> Result<(String, Option<u16>), LinkUrlError> {
    let (host, port) = if let Some(rest) = address.strip_prefix('[') {
        let (host, port) = rest.rsplit_once(']').ok_or(LinkUrlError::Malformed)?;
        let ip = host.split_once("%25").map_or(host, |(ip, _)| ip);
        ip.parse::<Ipv6Addr>().map_err(|_| LinkUrlError::Malformed)?;
        (host.replace("%25", "%"), port)
    } else {
        let (host, port) = address.split_at(address.rfind(':').unwrap_or(address.len()));
        (unescape_host(host)?, port)
    };
    let digits = match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits,
        None if port.is_empty() => "",
        _ => return Err(LinkUrlError::Malformed),
    };
    if host.contains(':') && !address.starts_with('[') {
        return Err(LinkUrlError::Colons);
    }
    let port = if digits.is_empty() { None } else { Some(digits.parse().map_err(|_| LinkUrlError::Port)?) };
    Ok((host, port))
}

/// Names beyond ASCII may be written with percent signs; nothing else in a host may.
fn unescape_host(host: &str) -> Result<String, LinkUrlError> {
    let is_allowed = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:[]<>\"%".contains(c);
    if !host.chars().all(is_allowed) {
        return Err(LinkUrlError::Malformed);
    }
    let plain = unescape(host)?;
    let ascii = |text: &str| text.chars().filter(char::is_ascii).count();
    // What was written as `%41` is one more ASCII letter than before, less the three it took.
    let escapes = host.matches('%').count();
    if ascii(&plain) + 3 * escapes == ascii(host) { Ok(plain) } else { Err(LinkUrlError::Malformed) }
}

/// `%41` is `A`.
fn unescape(text: &str) -> Result<String, LinkUrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or(LinkUrlError::Malformed);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits are a byte"));
    }
    String::from_utf8(bytes).map_err(|_| LinkUrlError::Malformed)
}

impl fmt::Display for LinkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.scheme.is_empty() {
            write!(f, "{}:", self.scheme)?;
        }
        f.write_str("//")?;
        match (&self.user, &self.password) {
            (Some(user), Some(_)) => write!(f, "{user}:xxxxx@")?,
            (Some(_), None) => f.write_str("xxxxx@")?,
            (None, _) => {}
        }
        write!(f, "{}{}", self.address(), self.path)
    }
}

impl fmt::Debug for LinkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::{LinkUrl, LinkUrlError, redacted};
    use crate::options::Secret;

    #[test]
    fn addresses_are_read_as_other_servers_write_them() {
        // spec: CFG-150 CFG-331 CFG-354
        for (text, scheme, user, password, host, port, path) in [
            ("nats://h:1", "nats", None, None, "h", Some(1), ""),
            (" nats-route://h:6222 ", "nats-route", None, None, "h", Some(6222), ""),
            ("TLS://h", "tls", None, None, "h", None, ""),
            ("nats-leaf://h:", "nats-leaf", None, None, "h", None, ""),
            ("//h:1", "", None, None, "h", Some(1), ""),
            ("nats://u:p@h:1", "nats", Some("u"), Some("p"), "h", Some(1), ""),
            ("nats://token@h:1", "nats", Some("token"), None, "h", Some(1), ""),
            ("nats://u%40v:p%3aq@h:1", "nats", Some("u@v"), Some("p:q"), "h", Some(1), ""),
            ("nats://u@v:p@h:1", "nats", Some("u@v"), Some("p"), "h", Some(1), ""),
            ("nats://[::1]:1", "nats", None, None, "::1", Some(1), ""),
            ("nats://[fe80::1%25eth0]:1", "nats", None, None, "fe80::1%eth0", Some(1), ""),
            ("wss://h:1/leaf?a=b#f", "wss", None, None, "h", Some(1), "/leaf?a=b"),
            ("nats://m\u{fc}ller:1", "nats", None, None, "m\u{fc}ller", Some(1), ""),
            ("nats://m%C3%BCller:1", "nats", None, None, "m\u{fc}ller", Some(1), ""),
        ] {
            let url = LinkUrl::parse(text).expect(text);
            let found = (&*url.scheme, url.user.as_deref(), url.password.as_ref().map(Secret::expose));
            assert_eq!(found, (scheme, user, password), "{text}");
            assert_eq!((&*url.host, url.port, &*url.path), (host, port, path), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        // spec: CFG-017 CFG-150
        for (text, error) in [
            ("127.0.0.1:6222", LinkUrlError::Malformed),
            ("nats://h:x", LinkUrlError::Malformed),
            ("nats://h:-1", LinkUrlError::Malformed),
            ("nats://u:p%zz@h:1", LinkUrlError::Malformed),
            ("nats://u:p w@h:1", LinkUrlError::Malformed),
            ("nats://h h:1", LinkUrlError::Malformed),
            ("nats://h%41:1", LinkUrlError::Malformed),
            ("nats://[::1:1", LinkUrlError::Malformed),
            ("nats://[h]:1", LinkUrlError::Malformed),
            ("nats://h:1/%zz", LinkUrlError::Malformed),
            ("nats://h:1#%zz", LinkUrlError::Malformed),
            ("nats://h\t:1", LinkUrlError::Malformed),
            ("://h:1", LinkUrlError::Malformed),
            ("1nats://h:1", LinkUrlError::Malformed),
            ("na_ts://h:1", LinkUrlError::Malformed),
            ("", LinkUrlError::NoHost),
            ("h", LinkUrlError::NoHost),
            ("localhost:6222", LinkUrlError::NoHost),
            ("nats://", LinkUrlError::NoHost),
            ("nats:/h:1", LinkUrlError::NoHost),
            ("nats://:1", LinkUrlError::NoHost),
            ("nats://::1:1", LinkUrlError::Colons),
            ("nats://h:70000", LinkUrlError::Port),
        ] {
            assert_eq!(LinkUrl::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        // spec: CFG-173
        for (text, shown) in [
            ("nats://u:s3cret@h:1", "nats://u:xxxxx@h:1"),
            ("nats://s3cret@[::1]:1/p", "nats://xxxxx@[::1]:1/p"),
            ("//h", "//h"),
        ] {
            let url = LinkUrl::parse(text).expect(text);
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("{shown:?}"));
        }
        assert_eq!(redacted("nats://u:s3@cret@h:x"), "nats://xxxxx@h:x");
        assert_eq!(redacted("u:s3cret@h:1"), "xxxxx@h:1");
        assert_eq!(redacted(" h:1 "), "h:1");
    }
}
