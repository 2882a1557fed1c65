//! What a connection is called in the log: `10.0.0.1:5555 - cid:7 - "v1.2:python:me" - "ACCOUNT/user:bob"` (CORE-138).
//!
//! The address is always there; what the client told about itself, and its account and user, once they are known.

use std::fmt::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

use crate::peer::{Description, Kind, Peer};

impl Peer {
    /// The connection's name in logs.
    // spec: CORE-138
    pub fn label(&self) -> String {
        let (known, account) = (self.description(), self.account());
        // Servers are known by where they are.
        let (known, account) = if self.kind().is_link() {
            (Arc::new(Description { ip: known.ip.clone(), port: known.port, ..Description::default() }), None)
        } else {
            (known, account)
        };
        let mut label = String::with_capacity(64);
        compose(
            &mut label,
            (letter(self.kind()), self.cid()),
            &known,
            account.as_ref().map(|account| &**account.name()),
        )
        .expect("writing to a string does not fail");
        label
    }
}

/// What stands before `id:`.
fn letter(kind: Kind) -> char {
    match kind {
        Kind::Client => 'c',
        Kind::Route => 'r',
        Kind::Gateway => 'g',
        Kind::Leaf => 'l',
    }
}

fn compose(out: &mut String, (letter, cid): (char, u64), known: &Description, account: Option<&str>) -> fmt::Result {
    match known.ip.parse() {
        Ok(IpAddr::V6(ip)) => write!(out, "[{ip}]:{}", known.port)?,
        Ok(IpAddr::V4(ip)) => write!(out, "{ip}:{}", known.port)?,
        Err(_) => out.push_str("pipe"),
    }
    write!(out, " - {letter}id:{cid}")?;
    let version = if known.version.is_empty() { String::new() } else { format!("v{}", known.version) };
    // A version and a language stand without a separator between them only where one of them is missing.
    let told: Vec<_> = [&version, &known.lang, &known.name].into_iter().filter(|part| !part.is_empty()).collect();
    if let [first, rest @ ..] = told.as_slice() {
        let text = rest.iter().fold(String::from(*first), |text, part| text + ":" + part);
        write!(out, " - {text:?}")?;
    }
    match (account, user(known)) {
        (Some(account), Some(user)) => write!(out, " - {:?}", format!("{account}/{user}")),
        _ => Ok(()),
    }
}

/// Nobody, where nobody had to say who they are.
fn user(known: &Description) -> Option<String> {
    match (known.nkey.as_str(), known.user.as_str()) {
        ("", "") => None,
        ("", TOKEN) => Some("token".into()),
        ("", user) => Some(format!("user:{user}")),
        (nkey, _) => Some(format!("nkey:{nkey}")),
    }
}

/// The user of somebody with a token, as [`martlet_auth::Label::authorized_user`] has it.
const TOKEN: &str = "[REDACTED]";

#[cfg(test)]
mod tests {
    use super::*;

    fn label(known: &Description, account: Option<&str>) -> String {
        let mut label = String::new();
        compose(&mut label, ('c', 7), known, account).expect("it is a string");
        label
    }

    #[test]
    fn a_client_is_called_by_what_it_told() {
        // spec: CORE-138
        for (version, lang, name, expected) in [
            ("", "", "", ""),
            ("", "", "me", r#" - "me""#),
            ("", "python", "", r#" - "python""#),
            ("1.2", "", "", r#" - "v1.2""#),
            ("", "python", "me", r#" - "python:me""#),
            ("1.2", "", "me", r#" - "v1.2:me""#),
            ("1.2", "python", "", r#" - "v1.2:python""#),
            ("1.2", "python", "me", r#" - "v1.2:python:me""#),
            ("", "", "a \"b\"\nc", r#" - "a \"b\"\nc""#),
        ] {
            let known = Description {
                version: version.into(),
                lang: lang.into(),
                name: name.into(),
                ip: "10.0.0.1".into(),
                port: 5555,
                ..Description::default()
            };
            assert_eq!(label(&known, None), format!("10.0.0.1:5555 - cid:7{expected}"));
        }
    }

    #[test]
    fn account_and_user_follow_once_they_are_known() {
        // spec: CORE-138
        for (nkey, user, account, expected) in [
            ("", "", Some("$G"), ""),
            ("", "bob", None, ""),
            ("", "bob", Some("A"), r#" - "A/user:bob""#),
            ("UABC", "UABC", Some("A"), r#" - "A/nkey:UABC""#),
            ("", "[REDACTED]", Some("$G"), r#" - "$G/token""#),
        ] {
            let known =
                Description { nkey: nkey.into(), user: user.into(), ip: "::1".into(), ..Description::default() };
            assert_eq!(label(&known, account), format!("[::1]:0 - cid:7{expected}"));
        }
        assert_eq!(label(&Description::default(), None), "pipe - cid:7");
    }
}
