//! An address that clients are told instead of the one listened on: `host[:port]`, IPv6 hosts in brackets.

use thiserror::Error;

/// Why a text is no address to advertise. The texts are those of other servers, since people search their logs for them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AdvertiseError {
    /// An opening bracket only.
    #[error("address {0}: missing ']' in address")]
    Unclosed(String),
    /// Something other than a port after the bracket.
    #[error("address {0}: unexpected characters after ']'")]
    AfterBracket(String),
    /// An IPv6 address without brackets.
    #[error("address {0}: too many colons in address")]
    Colons(String),
    /// No number after the colon.
    #[error("strconv.Atoi: parsing {0:?}: invalid syntax")]
    Port(String),
}

/// Host and port of `value`; without a port, or with none above 0, the port is `listening`.
// spec: CFG-026
pub fn parse(value: &str, listening: u16) -> Result<(&str, i64), AdvertiseError> {
    let (host, port) = if let Some(rest) = value.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(|| AdvertiseError::Unclosed(value.into()))?;
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err(AdvertiseError::AfterBracket(value.into())),
        }
    } else {
        match value.split_once(':') {
            None => (value, None),
            Some((_, port)) if port.contains(':') => return Err(AdvertiseError::Colons(value.into())),
            Some((host, port)) => (host, Some(port)),
        }
    };
    let port = match port.map(str::trim) {
        None => 0,
        Some(port) => port.parse::<i64>().map_err(|_| AdvertiseError::Port(port.into()))?,
    };
    Ok((host, if port > 0 { port } else { listening.into() }))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_port_is_the_one_listened_on_unless_told() {
        // spec: CFG-026
        for (value, expected) in [
            ("host", ("host", 4222)),
            ("host:1", ("host", 1)),
            ("host:0", ("host", 4222)),
            ("host:-1", ("host", 4222)),
            ("[::1]", ("::1", 4222)),
            ("[::1]:7", ("::1", 7)),
        ] {
            assert_eq!(parse(value, 4222), Ok(expected), "{value}");
        }
        for value in ["host:", "host:x", "::1", "[::1", "[::1]7"] {
            assert!(parse(value, 4222).is_err(), "{value}");
        }
    }
}
