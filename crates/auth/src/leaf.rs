//! Whether a leaf node is let in: by the listener's own users where it has any, else as clients are.

use std::sync::Arc;

use martlet_config::options::{LeafAuthorization, LeafUser};

use crate::GLOBAL_ACCOUNT;
use crate::directory::Directory;
use crate::nkey::{PublicKey, decode_signature};
use crate::outcome::{Identity, Origin, Outcome, Reason};
use crate::request::{Label, PeerNames, Request};
use crate::secret::{Compared, Secret};

/// The one who connects as `user`, by the rules of the listener.
struct Known<'a> {
    user: &'a str,
    password: &'a str,
    account: Option<&'a str>,
    proxy_required: bool,
}

impl Directory {
    /// Who the leaf node that sends `request` is, on a listener with these users of its own. With `mapped` they are taken
    /// from certificates.
    // spec: CLU-064 CFG-169
    pub fn admit_leaf(&self, own: &LeafAuthorization, mapped: bool, request: &Request<'_>) -> Outcome {
        self.decide_leaf(own, mapped, request).unwrap_or_else(Outcome::Denied)
    }

    fn decide_leaf(&self, own: &LeafAuthorization, mapped: bool, request: &Request<'_>) -> Result<Outcome, Reason> {
        if let Some(user) = &own.user {
            let password = own.password.as_ref().map_or("", |password| password.expose());
            let (account, proxy_required) = (own.account.as_deref(), own.proxy_required);
            return self.prove_leaf(&Known { user, password, account, proxy_required }, request.user, request);
        }
        if let Some(nkey) = &own.nkey {
            return self.prove_leaf_nkey(own, nkey, request);
        }
        if !own.users.is_empty() {
            let user = if mapped {
                by_certificate(&own.users, request.certificate.ok_or(Reason::CertificateMissing)?)
                    .ok_or(Reason::CertificateUnmapped)?
            } else {
                own.users.iter().find(|user| user.user == request.user).ok_or(Reason::UnknownUser)?
            };
            let proxy_required = own.proxy_required || user.proxy_required;
            let (account, password) = (user.account.as_deref(), user.password.expose());
            let name = if mapped { &user.user } else { request.user };
            return self.prove_leaf(&Known { user: &user.user, password, account, proxy_required }, name, request);
        }
        if !self.auth_required() {
            let proxy = self.vouching_proxy(request)?;
            let account = own.account.as_deref().unwrap_or(GLOBAL_ACCOUNT);
            return Ok(Outcome::Accepted(identity(account, request.label(), None, proxy, Origin::Open)));
        }
        Ok(self.authenticate(request))
    }

    fn prove_leaf(&self, known: &Known<'_>, name: &str, request: &Request<'_>) -> Result<Outcome, Reason> {
        let proxy = self.vouching_proxy(request)?;
        if known.proxy_required && proxy.is_none() {
            return Err(Reason::ProxyRequired);
        }
        if known.user != name {
            return Err(Reason::UnknownUser);
        }
        let label = Label::User(known.user.into());
        let identity = identity(known.account.unwrap_or(GLOBAL_ACCOUNT), label, None, proxy, Origin::Simple);
        match Secret::parse(known.password).compare(request.pass.as_bytes()) {
            Compared::Equal => Ok(Outcome::Accepted(identity)),
            Compared::Different => Err(Reason::WrongPassword),
            Compared::Costly(hash) => Ok(Outcome::Costly(crate::Check {
                hash,
                offered: request.pass.as_bytes().into(),
                refusal: Reason::WrongPassword,
                identity,
            })),
        }
    }

    fn prove_leaf_nkey(&self, own: &LeafAuthorization, nkey: &str, request: &Request<'_>) -> Result<Outcome, Reason> {
        let proxy = self.vouching_proxy(request)?;
        if own.proxy_required && proxy.is_none() {
            return Err(Reason::ProxyRequired);
        }
        if request.nkey != nkey {
            return Err(Reason::UnknownNkey);
        }
        if request.sig.is_empty() {
            return Err(Reason::SignatureMissing);
        }
        let key = PublicKey::parse(nkey).map_err(|_| Reason::UnknownNkey)?;
        decode_signature(request.sig).and_then(|signature| key.verify(request.nonce, &signature))?;
        let (label, account) = (Label::Nkey(nkey.into()), own.account.as_deref().unwrap_or(GLOBAL_ACCOUNT));
        Ok(Outcome::Accepted(identity(account, label, Some(nkey.into()), proxy, Origin::Simple)))
    }
}

/// The user that a certificate names, most exact first.
fn by_certificate<'a>(users: &'a [LeafUser], names: &PeerNames) -> Option<&'a LeafUser> {
    let alternative = [&names.emails, &names.dns_names, &names.uris];
    let mut all = alternative.into_iter().flatten().chain(std::iter::once(&names.subject));
    all.find_map(|name| users.iter().find(|user| user.user == *name))
}

fn identity(account: &str, label: Label, nkey: Option<Arc<str>>, proxy: Option<Arc<str>>, origin: Origin) -> Identity {
    Identity { account: account.into(), label, nkey, permissions: None, proxy, origin }
}

#[cfg(test)]
mod tests {
    use martlet_config::options::{self, ConnectionType, Options};

    use super::*;
    use crate::nkey::{KeyPair, Prefix};

    fn directory(users: &[(&str, &str)]) -> Directory {
        let credentials = |(user, password): &(&str, &str)| options::Credentials::Password {
            user: (*user).into(),
            password: (*password).into(),
        };
        let users = users.iter().map(|of| options::User { credentials: credentials(of), ..user() }).collect();
        let authorization = options::Authorization { users, ..options::Authorization::default() };
        Directory::new(&Options { authorization, ..Options::default() }).expect("valid users")
    }

    fn user() -> options::User {
        options::User {
            credentials: options::Credentials::Nkey(String::new()),
            permissions: None,
            connection_types: None,
            proxy_required: false,
        }
    }

    fn request<'a>(user: &'a str, pass: &'a str) -> Request<'a> {
        Request { user, pass, ..Request::new(ConnectionType::Leafnode) }
    }

    fn told(outcome: &Outcome) -> Result<String, Reason> {
        match outcome {
            Outcome::Accepted(identity) => Ok(identity.account.to_string()),
            Outcome::Denied(reason) => Err(*reason),
            Outcome::Costly(_) => Ok("later".into()),
        }
    }

    #[test]
    fn without_users_anyone_is_in_the_account_of_the_listener() {
        // spec: CFG-169
        let own = LeafAuthorization { account: Some("A".into()), ..LeafAuthorization::default() };
        let open = directory(&[]);
        assert_eq!(told(&open.admit_leaf(&own, false, &request("", ""))), Ok("A".into()));
        assert_eq!(told(&open.admit_leaf(&LeafAuthorization::default(), false, &request("x", "y"))), Ok("$G".into()));
        let closed = directory(&[("u", "p")]);
        assert_eq!(told(&closed.admit_leaf(&own, false, &request("", ""))), Err(Reason::NoCredentials));
        assert_eq!(told(&closed.admit_leaf(&own, false, &request("u", "p"))), Ok("$G".into()), "as clients are");
    }

    #[test]
    fn the_listeners_own_users_come_first() {
        // spec: CFG-169 CLU-064
        let leaf = |user: &str, account: Option<&str>| LeafUser {
            user: user.into(),
            password: options::Secret::new("p"),
            account: account.map(Into::into),
            proxy_required: false,
        };
        let users = LeafAuthorization { users: vec![leaf("a", Some("A")), leaf("b", None)], ..Default::default() };
        let all = directory(&[("u", "p")]);
        assert_eq!(told(&all.admit_leaf(&users, false, &request("a", "p"))), Ok("A".into()));
        assert_eq!(told(&all.admit_leaf(&users, false, &request("b", "p"))), Ok("$G".into()));
        assert_eq!(told(&all.admit_leaf(&users, false, &request("b", "q"))), Err(Reason::WrongPassword));
        assert_eq!(told(&all.admit_leaf(&users, false, &request("u", "p"))), Err(Reason::UnknownUser));
        let names = PeerNames { dns_names: vec!["a".into()], ..PeerNames::default() };
        let shown = Request { certificate: Some(&names), ..request("", "p") };
        assert_eq!(told(&all.admit_leaf(&users, true, &shown)), Ok("A".into()));
        assert_eq!(told(&all.admit_leaf(&users, true, &request("a", "p"))), Err(Reason::CertificateMissing));
        let single = LeafAuthorization {
            user: Some("s".into()),
            password: Some(options::Secret::new("p")),
            account: Some("S".into()),
            ..users
        };
        assert_eq!(told(&all.admit_leaf(&single, false, &request("s", "p"))), Ok("S".into()));
        assert_eq!(told(&all.admit_leaf(&single, false, &request("a", "p"))), Err(Reason::UnknownUser));
        let through = LeafAuthorization { proxy_required: true, ..single };
        assert_eq!(told(&all.admit_leaf(&through, false, &request("s", "p"))), Err(Reason::ProxyRequired));
    }

    #[test]
    fn an_nkey_is_proven_by_its_signature() {
        // spec: CLU-064
        let pair = KeyPair::from_random(Prefix::User, [7; 32]);
        let public = pair.public();
        let own = LeafAuthorization { nkey: Some(public.clone()), ..LeafAuthorization::default() };
        let signature = data_encoding::BASE64URL_NOPAD.encode(&pair.sign(b"nonce"));
        let asked = |nonce: &'static [u8], sig| Request { nonce, nkey: &public, sig, ..request("", "") };
        let all = directory(&[]);
        assert_eq!(told(&all.admit_leaf(&own, false, &asked(b"nonce", &signature))), Ok("$G".into()));
        assert_eq!(told(&all.admit_leaf(&own, false, &asked(b"other", &signature))), Err(Reason::SignatureWrong));
        assert_eq!(told(&all.admit_leaf(&own, false, &asked(b"nonce", ""))), Err(Reason::SignatureMissing));
        assert_eq!(told(&all.admit_leaf(&own, false, &request("", ""))), Err(Reason::UnknownNkey));
    }
}
