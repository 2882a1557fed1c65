//! The arguments of a request: a query string, and values out of it with the errors that users know.
//!
//! A pair that cannot be decoded is passed over, and of several pairs with one name the first counts.

use std::borrow::Cow;

/// A value that does not say what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    /// Not one of the words for true and false.
    #[error("Error decoding boolean for '{name}': strconv.ParseBool: parsing {}: invalid syntax", quoted(.value))]
    Bool {
        /// The argument.
        name: &'static str,
        /// What it said.
        value: String,
    },
    /// Not a number, or too large a one.
    #[error("Error decoding int for '{name}': strconv.Atoi: parsing {}: {problem}", quoted(.value))]
    Int {
        /// The argument.
        name: &'static str,
        /// What it said.
        value: String,
        /// What is wrong with it.
        problem: NumberProblem,
    },
    /// Not a number without a sign, or too large a one.
    #[error("Error decoding uint64 for '{name}': strconv.ParseUint: parsing {}: {problem}", quoted(.value))]
    Uint {
        /// The argument.
        name: &'static str,
        /// What it said.
        value: String,
        /// What is wrong with it.
        problem: NumberProblem,
    },
    /// Not a state of connections: `open`, `closed`, `any` or `all`.
    #[error("Error decoding state for {0}")]
    State(String),
}

/// What is wrong with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NumberProblem {
    /// It has other characters.
    #[error("invalid syntax")]
    Syntax,
    /// It does not fit.
    #[error("value out of range")]
    Range,
}

/// A decoded query string.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// Decodes what stands after the `?`.
    pub(crate) fn parse(text: &'a str) -> Self {
        let pairs = text
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.contains(';'))
            .filter_map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decode(name, Plus::Space)?, decode(value, Plus::Space)?))
            })
            .collect();
        Self { pairs }
    }

    /// The text of `name`; empty without one.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// True or false; false without one.
    // spec: CLU-113
    pub(crate) fn bool(&self, name: &'static str) -> Result<bool, QueryError> {
        match self.text(name) {
            "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
            value => Err(QueryError::Bool { name, value: value.into() }),
        }
    }

    /// A number with or without a sign; 0 without one.
    pub(crate) fn int(&self, name: &'static str) -> Result<i64, QueryError> {
        let value = self.text(name);
        let digits = value.strip_prefix(['+', '-']).unwrap_or(value);
        match (value, problem(digits)) {
            ("", _) => Ok(0),
            (_, Some(problem)) => Err(QueryError::Int { name, value: value.into(), problem }),
            (value, None) => {
                value.parse().map_err(|_| QueryError::Int { name, value: value.into(), problem: NumberProblem::Range })
            }
        }
    }

    /// A number without a sign; 0 without one.
    pub(crate) fn uint(&self, name: &'static str) -> Result<u64, QueryError> {
        let value = self.text(name);
        match (value, problem(value)) {
            ("", _) => Ok(0),
            (_, Some(problem)) => Err(QueryError::Uint { name, value: value.into(), problem }),
            (value, None) => {
                value.parse().map_err(|_| QueryError::Uint { name, value: value.into(), problem: NumberProblem::Range })
            }
        }
    }
}

fn problem(digits: &str) -> Option<NumberProblem> {
    let fine = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (!fine).then_some(NumberProblem::Syntax)
}

/// What a plus sign stands for: a space in a query, itself in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plus {
    Space,
    Plus,
}

/// Undoes percent-encoding; `None` if it is broken. Bytes that are no UTF-8 become replacement characters.
pub(crate) fn decode(text: &str, plus: Plus) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| byte == b'%' || (byte == b'+' && plus == Plus::Space)) {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                u8::try_from(high * 16 + low).expect("two hex digits make a byte")
            }
            b'+' if plus == Plus::Space => b' ',
            byte => byte,
        });
    }
    Some(Cow::Owned(String::from_utf8_lossy(&decoded).into_owned()))
}

/// The text in double quotes, so that a user sees where it ends.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_ascii_control() => {
                use std::fmt::Write as _;
                let _ = write!(out, "\\x{:02x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_users_know() {
        // spec: CLU-113 CLU-121 CLU-123 CLU-125
        let syntax = "invalid syntax";
        for (text, error) in [
            ("b=x", format!("Error decoding boolean for 'b': strconv.ParseBool: parsing \"x\": {syntax}")),
            ("b=%22x%0a", format!("Error decoding boolean for 'b': strconv.ParseBool: parsing \"\\\"x\\n\": {syntax}")),
            ("b=yes", format!("Error decoding boolean for 'b': strconv.ParseBool: parsing \"yes\": {syntax}")),
        ] {
            assert_eq!(Query::parse(text).bool("b").unwrap_err().to_string(), error);
        }
        for (value, problem) in [
            ("x", syntax),
            ("1_0", syntax),
            ("-", syntax),
            ("%207", syntax),
            ("1.5", syntax),
            ("99999999999999999999", "value out of range"),
        ] {
            let shown = value.replace("%20", " ");
            let text = format!("n={value}");
            let query = Query::parse(&text);
            assert_eq!(
                query.int("n").unwrap_err().to_string(),
                format!("Error decoding int for 'n': strconv.Atoi: parsing \"{shown}\": {problem}")
            );
            assert_eq!(
                query.uint("n").unwrap_err().to_string(),
                format!("Error decoding uint64 for 'n': strconv.ParseUint: parsing \"{shown}\": {problem}")
            );
        }
        assert!(Query::parse("n=-1").uint("n").is_err());
    }

    #[test]
    fn values_are_read() {
        let query = Query::parse("a=1&b=&c=-5&d=%2B7&e=x+y%21&a=2&f&%zz=1&g=%z&h=1;i=2&&j=True");
        assert_eq!(query.bool("a"), Ok(true));
        assert_eq!(query.bool("b"), Ok(false));
        assert_eq!(query.bool("j"), Ok(true));
        assert_eq!(query.int("c"), Ok(-5));
        assert_eq!(query.int("d"), Ok(7));
        assert_eq!(query.text("e"), "x y!");
        for absent in ["f", "g", "h", "i", "%zz", "zz"] {
            assert_eq!(query.text(absent), "", "{absent}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]
        #[test]
        fn any_query_can_be_read(text in ".{0,64}") {
            let query = Query::parse(&text);
            let _ = (query.bool("a"), query.int("a"), query.uint("a"));
        }

        #[test]
        fn what_was_encoded_is_decoded(text in ".{0,32}") {
            let hex = data_encoding::HEXUPPER.encode(text.as_bytes());
            let digits: Vec<char> = hex.chars().collect();
            let encoded: String = digits.chunks(2).flat_map(|pair| ['%', pair[0], pair[1]]).collect();
            proptest::prop_assert_eq!(decode(&encoded, Plus::Space).unwrap(), text);
        }
    }
}
