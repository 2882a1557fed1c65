//! Whether another server is let in: by the one user that links have, or by its certificate.

use std::sync::Arc;

use martlet_config::options::{LinkLogin, Tls};

use crate::dn::{Name, domain_components};
use crate::outcome::{Check, Identity, Origin, Outcome, Reason};
use crate::request::{Label, PeerNames};
use crate::secret::{Compared, Secret};

/// Whether another server is let in: by the `names` in its certificate, where `tls` says that certificates decide, else by the
/// user and password that it gives.
// spec: CLU-012
pub fn admit_server<'a>(
    tls: Option<&Tls>,
    login: &LinkLogin,
    known_hosts: impl Iterator<Item = &'a str>,
    names: Option<&PeerNames>,
    (user, password): (&str, &str),
) -> Outcome {
    match tls.filter(|tls| tls.map || tls.check_known_urls) {
        Some(tls) => admit_certificate(tls, login.user.as_deref(), known_hosts, names),
        None => admit_link(login, user, password),
    }
}

/// Whether a server that calls itself `user` is let in.
fn admit_link(login: &LinkLogin, user: &str, password: &str) -> Outcome {
    let Some(wanted) = &login.user else { return Outcome::Accepted(identity(Label::Anonymous)) };
    if wanted != user {
        return Outcome::Denied(Reason::UnknownUser);
    }
    let identity = identity(Label::User(user.into()));
    let own = Secret::parse(login.password.as_ref().map_or("", |password| password.expose()));
    match own.compare(password.as_bytes()) {
        Compared::Equal => Outcome::Accepted(identity),
        Compared::Different => Outcome::Denied(Reason::WrongPassword),
        Compared::Costly(hash) => Outcome::Costly(Check {
            hash,
            offered: password.as_bytes().into(),
            refusal: Reason::WrongPassword,
            identity,
        }),
    }
}

/// Whether a server is let in by its certificate, where `tls` says that certificates decide: by the name of the user
/// that is configured, or by that of one of the hosts that this server knows.
// spec: CFG-285 CFG-286
fn admit_certificate<'a>(
    tls: &Tls,
    user: Option<&str>,
    known_hosts: impl Iterator<Item = &'a str>,
    names: Option<&PeerNames>,
) -> Outcome {
    let Some(names) = names else { return Outcome::Denied(Reason::CertificateMissing) };
    if let Some(user) = user.filter(|user| tls.map && is_named(names, user)) {
        return Outcome::Accepted(identity(Label::User(user.into())));
    }
    let is_known = |host: &str| names.dns_names.iter().any(|name| matches(name, host));
    if tls.check_known_urls && { known_hosts }.any(is_known) {
        return Outcome::Accepted(identity(Label::Anonymous));
    }
    Outcome::Denied(Reason::CertificateUnmapped)
}

/// Whether a certificate names that user, in one of the ways in which it names those of clients.
fn is_named(names: &PeerNames, user: &str) -> bool {
    let mut alternative = [&names.emails, &names.dns_names, &names.uris].into_iter().flatten();
    let by_parts = || {
        let (subject, user) = (Name::of_certificate(&names.rdns)?, Name::parse(user)?);
        Some(user.equals(&subject) || user.equals_in_any_order(&subject))
    };
    let with_domain = || domain_components(&names.rdns).map(|domain| format!("{},{domain}", names.subject));
    alternative.any(|name| name == user)
        || by_parts() == Some(true)
        || with_domain().is_some_and(|subject| subject == user)
        || names.subject == user
}

/// Whether a DNS name of a certificate, whose first label may stand for any, is that host.
fn matches(name: &str, host: &str) -> bool {
    let (name, host) = (name.to_lowercase(), host.to_lowercase());
    match name.strip_prefix("*.") {
        Some(rest) => host.split_once('.').is_some_and(|(_, of)| of == rest),
        None => name == host,
    }
}

fn identity(label: Label) -> Identity {
    let account: Arc<str> = Arc::from("");
    Identity { account, label, nkey: None, permissions: None, proxy: None, origin: Origin::Simple }
}

#[cfg(test)]
mod tests {
    use martlet_config::options::Secret;

    use super::*;

    fn login(user: Option<&str>, password: &str) -> LinkLogin {
        let password = Some(Secret::new(password));
        LinkLogin { user: user.map(Into::into), password, timeout: None }
    }

    #[test]
    fn one_user_or_everyone() {
        // spec: CLU-012
        assert!(matches!(admit_link(&login(None, ""), "any", "x"), Outcome::Accepted(_)));
        assert!(matches!(admit_link(&login(Some("r"), "p"), "r", "p"), Outcome::Accepted(_)));
        assert!(matches!(admit_link(&login(Some("r"), "p"), "r", "q"), Outcome::Denied(Reason::WrongPassword)));
        assert!(matches!(admit_link(&login(Some("r"), "p"), "", "p"), Outcome::Denied(Reason::UnknownUser)));
        let hashed = "$2a$04$jsKKIMOTHkOoeHWNeLAICe9zeHbcFhkq8nTkFeWSBwYE3.jUNq5RK";
        assert!(matches!(admit_link(&login(Some("r"), hashed), "r", "p"), Outcome::Costly(_)));
    }

    #[test]
    fn certificates_decide_where_they_are_to() {
        // spec: CLU-012 CFG-285 CFG-286
        let tls = |map, check_known_urls| Tls { map, check_known_urls, verify: true, ..Tls::default() };
        let attribute = |oid: &str, value: &str| vec![crate::Attribute { oid: oid.into(), value: value.into() }];
        let names = PeerNames {
            dns_names: vec!["n1.example.com".into(), "*.other.org".into()],
            subject: "CN=n1,O=acme".into(),
            rdns: vec![attribute("2.5.4.10", "acme"), attribute("2.5.4.3", "n1")],
            ..PeerNames::default()
        };
        let admitted = |tls: &Tls, user: Option<&str>, hosts: &[&str]| {
            matches!(admit_certificate(tls, user, hosts.iter().copied(), Some(&names)), Outcome::Accepted(_))
        };
        for (user, map) in [
            (Some("n1.example.com"), true),
            (Some("CN=n1,O=acme"), true),
            (Some("O=acme, CN=n1"), true),
            (Some("n2.example.com"), false),
            (None, false),
        ] {
            assert_eq!(admitted(&tls(true, false), user, &["n1.example.com"]), map, "{user:?}");
        }
        for (host, known) in [
            ("N1.example.com", true),
            ("n2.example.com", false),
            ("a.other.org", true),
            ("a.b.other.org", false),
            ("other.org", false),
        ] {
            assert_eq!(admitted(&tls(false, true), Some("n1.example.com"), &["x", host]), known, "{host}");
        }
        let nobody = admit_certificate(&tls(true, false), Some("r"), std::iter::empty(), None);
        assert!(matches!(nobody, Outcome::Denied(Reason::CertificateMissing)));
    }
}
