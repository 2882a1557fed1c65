//! Headers as a command line gives them (`-H Name:value`) and as messages carry them.

use std::str::FromStr;

use async_nats::header::{HeaderMap, HeaderName, HeaderValue};

use super::error::CliError;
use super::template::Values;

/// Reads `NAME:VALUE` texts; values may call template functions. No headers at all is `None`.
pub(crate) fn parse(headers: &[String], values: &Values<'_>) -> Result<Option<HeaderMap>, CliError> {
    let mut map = HeaderMap::new();
    for header in headers {
        let error = |reason| CliError::Header { header: header.clone(), reason };
        let (name, value) = header.split_once(':').ok_or_else(|| error("it has no colon"))?;
        let name = name.trim();
        if name.is_empty() {
            return Err(error("the name is empty"));
        }
        let name = HeaderName::from_str(name)
            .map_err(|_| error("a name holds printable ASCII characters without spaces and colons"))?;
        let value = values.render_text(value.trim());
        let value = HeaderValue::from_str(&value).map_err(|_| error("a value holds no line breaks"))?;
        map.append(name, value);
    }
    Ok(if map.is_empty() { None } else { Some(map) })
}

/// The headers' pairs, sorted by name so that output does not change from run to run.
pub(crate) fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = headers
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| (name.to_string(), value.to_string())))
        .collect();
    // Stable: the values of one name keep their order.
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(headers: &[&str]) -> Result<Vec<(String, String)>, CliError> {
        let headers: Vec<String> = headers.iter().map(ToString::to_string).collect();
        parse(&headers, &Values::now(3)).map(|map| map.as_ref().map_or_else(Vec::new, pairs))
    }

    #[test]
    fn headers_are_names_and_values() {
        let pairs = parsed(&["b: two", "A:1", "b:http://x:{{Count}}", "Empty:"]).unwrap();
        let expected = [("A", "1"), ("Empty", ""), ("b", "two"), ("b", "http://x:3")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(parsed(&[]).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_header_is_named() {
        for header in ["nothing", ":value", " : v", "a b:c", "a:b\r\nc", "ä:b"] {
            let error = parsed(&[header]).unwrap_err().to_string();
            assert!(error.contains(&format!("{header:?}")), "{error}");
        }
    }
}
