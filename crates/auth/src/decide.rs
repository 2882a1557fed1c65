//! One request against the directory.
//!
//! The order is the field's: a proxy's word first, then the nkey, then the user by certificate or by name,
//! then the token or the single user. The first that applies decides.

use std::sync::Arc;

use martlet_config::options::ConnectionType;

use crate::directory::{Directory, Entry, Proof, Simple};
use crate::dn::{Name, domain_components};
use crate::nkey::{SignatureError, decode_proxy_signature, decode_signature};
use crate::outcome::{Check, Identity, Origin, Outcome, Reason};
use crate::request::{Label, PeerNames, Request};
use crate::secret::{Compared, Secret};

/// How a user came to be chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chosen {
    /// The request names it.
    Named,
    /// The request names nobody, and this is `no_auth_user`.
    ByDefault,
    /// The certificate names it.
    ByCertificate,
}

impl Directory {
    /// Who the sender of `request` is.
    // spec: CORE-038
    pub fn authenticate(&self, request: &Request<'_>) -> Outcome {
        self.decide(request).unwrap_or_else(Outcome::Denied)
    }

    fn decide(&self, request: &Request<'_>) -> Result<Outcome, Reason> {
        let proxy = self.vouching_proxy(request)?;
        // spec: CORE-037
        if request.new_account || !request.account.is_empty() {
            return Err(Reason::AccountDesignation);
        }
        if !self.auth_required() {
            return Ok(Outcome::Accepted(self.anyone(request, proxy, Origin::Open)));
        }
        if let Some(entry) = self.by_nkey(request)? {
            return self.prove_nkey(request, entry, proxy);
        }
        if let Some((entry, chosen)) = self.by_user(request)? {
            return self.prove_password(request, entry, chosen, proxy);
        }
        match &self.simple {
            Some(simple) => self.prove_simple(request, simple, proxy),
            None => Err(Reason::NoCredentials),
        }
    }

    /// The trusted proxy whose signature the request carries; `None` if it carries none or none are trusted.
    // spec: SEC-075
    pub(crate) fn vouching_proxy(&self, request: &Request<'_>) -> Result<Option<Arc<str>>, Reason> {
        if request.proxy_sig.is_empty() || self.proxies.is_empty() {
            return Ok(None);
        }
        let signature = decode_proxy_signature(request.proxy_sig).map_err(|_| Reason::ProxyNotTrusted)?;
        let signer = self.proxies.iter().find(|key| key.verify(request.nonce, &signature).is_ok());
        signer.map(|key| Some(key.text().clone())).ok_or(Reason::ProxyNotTrusted)
    }

    // spec: SEC-008 SEC-013
    fn by_nkey(&self, request: &Request<'_>) -> Result<Option<&Arc<Entry>>, Reason> {
        if self.nkeys.is_empty() {
            return Ok(None);
        }
        let (name, chosen) = match &self.no_auth_user {
            _ if !request.nkey.is_empty() => (request.nkey, Chosen::Named),
            Some(user) if says_nothing(request) => (&*user.name, Chosen::ByDefault),
            _ => return Ok(None),
        };
        match self.nkeys.get(name) {
            Some(entry) if entry.allows(request.kind) => Ok(Some(entry)),
            Some(_) => Err(Reason::ConnectionType),
            None if chosen == Chosen::ByDefault => Ok(None), // it may be a user by name
            None => Err(Reason::UnknownNkey),
        }
    }

    fn by_user(&self, request: &Request<'_>) -> Result<Option<(&Arc<Entry>, Chosen)>, Reason> {
        if self.users.is_empty() {
            return Ok(None);
        }
        if self.maps(request.kind) {
            let names = request.certificate.ok_or(Reason::CertificateMissing)?;
            let entry = self.by_certificate(names, request.kind).ok_or(Reason::CertificateUnmapped)?;
            return Ok(Some((entry, Chosen::ByCertificate)));
        }
        let (name, chosen) = match &self.no_auth_user {
            _ if !request.user.is_empty() => (request.user, Chosen::Named),
            Some(user) if says_nothing(request) => (&*user.name, Chosen::ByDefault),
            _ => return Ok(None),
        };
        match self.users.get(name) {
            Some(entry) if entry.allows(request.kind) => Ok(Some((entry, chosen))),
            Some(_) => Err(Reason::ConnectionType),
            None if chosen == Chosen::ByDefault => Ok(None),
            None => Err(Reason::UnknownUser),
        }
    }

    /// Whether the listener of such connections takes users from certificates. In-process ones come to the
    /// same door, without a certificate.
    fn maps(&self, kind: ConnectionType) -> bool {
        self.tls_map && matches!(kind, ConnectionType::Standard | ConnectionType::InProcess)
    }

    /// The user that a certificate names: by alternative names, then by its subject, most exact first.
    // spec: SEC-064
    fn by_certificate(&self, peer: &PeerNames, kind: ConnectionType) -> Option<&Arc<Entry>> {
        let named = |name: &str| self.users.get(name).filter(|entry| entry.allows(kind));
        let alternative = [&peer.emails, &peer.dns_names, &peer.uris];
        let with_domain = || {
            let domain = domain_components(&peer.rdns)?;
            named(&format!("{},{domain}", peer.subject))
        };
        alternative
            .into_iter()
            .flatten()
            .find_map(|name| named(name))
            .or_else(|| self.by_subject(peer, kind))
            .or_else(with_domain)
            .or_else(|| named(&peer.subject))
    }

    /// A user whose name is the subject, part by part; failing that, one with the parts in another order.
    fn by_subject(&self, peer: &PeerNames, kind: ConnectionType) -> Option<&Arc<Entry>> {
        let subject = Name::of_certificate(&peer.rdns)?;
        let parsed = |entry: &Arc<Entry>| Name::parse(&entry.name);
        let allowed = || self.users.values().filter(|entry| entry.allows(kind));
        allowed()
            .find(|entry| parsed(entry).is_some_and(|name| name.equals(&subject)))
            .or_else(|| allowed().find(|entry| parsed(entry).is_some_and(|name| name.equals_in_any_order(&subject))))
    }

    // spec: SEC-012
    fn prove_nkey(
        &self,
        request: &Request<'_>,
        entry: &Arc<Entry>,
        proxy: Option<Arc<str>>,
    ) -> Result<Outcome, Reason> {
        require_proxy(entry.proxy_required, proxy.as_ref())?;
        // The user of those who say nothing may also be named, without proof.
        if !self.is_no_auth_user(entry) {
            let Proof::Nkey(key) = &entry.proof else {
                return Err(Reason::UnknownNkey);
            };
            if request.sig.is_empty() {
                return Err(Reason::SignatureMissing);
            }
            decode_signature(request.sig).and_then(|signature| key.verify(request.nonce, &signature))?;
        }
        Ok(Outcome::Accepted(identity(request, entry, proxy)))
    }

    fn prove_password(
        &self,
        request: &Request<'_>,
        entry: &Arc<Entry>,
        chosen: Chosen,
        proxy: Option<Arc<str>>,
    ) -> Result<Outcome, Reason> {
        require_proxy(entry.proxy_required, proxy.as_ref())?;
        let Proof::Password(secret) = &entry.proof else {
            return Err(Reason::UnknownUser);
        };
        if chosen == Chosen::ByDefault {
            // A bcrypt hash cannot be lent: the reference offers it as the password, which never fits.
            return match secret {
                Secret::Bcrypt(_) => Err(Reason::NoAuthUserBcrypt),
                _ => Ok(Outcome::Accepted(identity(request, entry, proxy))),
            };
        }
        // Without a password it is the certificate that proves a user, so there has to be one.
        if chosen == Chosen::Named && secret.is_empty() && self.is_mapped(entry) && !self.is_no_auth_user(entry) {
            return Err(Reason::CertificateRequired);
        }
        let identity = identity(request, entry, proxy);
        compare(secret, request.pass, Reason::WrongPassword, identity)
    }

    // spec: SEC-001
    fn prove_simple(&self, request: &Request<'_>, simple: &Simple, proxy: Option<Arc<str>>) -> Result<Outcome, Reason> {
        require_proxy(simple.proxy_required, proxy.as_ref())?;
        let identity = self.anyone(request, proxy, Origin::Simple);
        match &simple.user {
            None => compare(&simple.secret, request.auth_token, Reason::WrongToken, identity),
            Some(_) if says_nothing(request) => Err(Reason::NoCredentials),
            Some(user) if **user != *request.user => Err(Reason::UnknownUser),
            Some(_) => compare(&simple.secret, request.pass, Reason::WrongPassword, identity),
        }
    }

    fn is_no_auth_user(&self, entry: &Entry) -> bool {
        self.no_auth_user.as_ref().is_some_and(|user| *user.name == *entry.name)
    }

    /// An identity that rests on no user: shown as what CONNECT said.
    fn anyone(&self, request: &Request<'_>, proxy: Option<Arc<str>>, origin: Origin) -> Identity {
        let label = request.label();
        Identity { account: self.global.clone(), label, nkey: None, permissions: None, proxy, origin }
    }
}

impl From<SignatureError> for Reason {
    fn from(error: SignatureError) -> Self {
        match error {
            SignatureError::Malformed => Self::SignatureMalformed,
            SignatureError::Wrong => Self::SignatureWrong,
        }
    }
}

/// Whether CONNECT has none of the credentials that keep `no_auth_user` away. An nkey does not, where no user has one.
// spec: SEC-008
fn says_nothing(request: &Request<'_>) -> bool {
    request.user.is_empty() && request.pass.is_empty() && request.auth_token.is_empty()
}

// spec: SEC-075
fn require_proxy(required: bool, proxy: Option<&Arc<str>>) -> Result<(), Reason> {
    if required && proxy.is_none() { Err(Reason::ProxyRequired) } else { Ok(()) }
}

fn identity(request: &Request<'_>, entry: &Arc<Entry>, proxy: Option<Arc<str>>) -> Identity {
    let nkey = matches!(entry.proof, Proof::Nkey(_)).then(|| entry.name.clone());
    let label = match &nkey {
        Some(key) => Label::Nkey(key.clone()),
        // An nkey that CONNECT mentions is shown first even where nobody asked for it, as on the reference.
        None if !request.nkey.is_empty() => request.label(),
        None => Label::User(entry.name.clone()),
    };
    Identity {
        account: entry.account.clone(),
        label,
        nkey,
        permissions: entry.permissions.clone(),
        proxy,
        origin: Origin::Entry(entry.clone()),
    }
}

fn compare(secret: &Secret, offered: &str, refusal: Reason, identity: Identity) -> Result<Outcome, Reason> {
    match secret.compare(offered.as_bytes()) {
        Compared::Equal => Ok(Outcome::Accepted(identity)),
        Compared::Different => Err(refusal),
        Compared::Costly(hash) => {
            Ok(Outcome::Costly(Check { hash, offered: offered.as_bytes().into(), refusal, identity }))
        }
    }
}

#[cfg(test)]
mod tests;
