//! Who there is: the users, the token, and those who need say nothing.
//!
//! Invariant: immutable. A reload builds a new directory, and [`Directory::renew`] says what the identities
//! that the old one gave are worth in the new one.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use martlet_config::options::{self, ConnectionType, ConnectionTypes, Credentials, Options};

use crate::error::AuthError;
use crate::nkey::{Prefix, PublicKey};
use crate::outcome::{Identity, Origin};
use crate::permissions::Permissions;
use crate::secret::Secret;
use crate::{DEFAULT_SYSTEM_ACCOUNT, GLOBAL_ACCOUNT};

/// How connections are shown that need no user because only the system account has any (SEC-009).
const IMPLICIT_USER: &str = "nats-implicit";

/// Everything that is known about who may connect.
#[derive(Debug)]
pub struct Directory {
    pub(crate) users: HashMap<Box<str>, Arc<Entry>, RandomState>,
    pub(crate) nkeys: HashMap<Box<str>, Arc<Entry>, RandomState>,
    pub(crate) simple: Option<Simple>,
    pub(crate) no_auth_user: Option<NoAuthUser>,
    pub(crate) proxies: Vec<PublicKey>,
    /// Users of the TLS listener are taken from certificates.
    pub(crate) tls_map: bool,
    pub(crate) global: Arc<str>,
    always_nonce: bool,
}

/// One user.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    pub(crate) proof: Proof,
    pub(crate) account: Arc<str>,
    pub(crate) permissions: Option<Arc<Permissions>>,
    pub(crate) connection_types: Option<ConnectionTypes>,
    pub(crate) proxy_required: bool,
}

/// How a user proves who it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    Password(Secret),
    Nkey(PublicKey),
}

/// The single user, or the token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Simple {
    /// Set for a user, not for a token.
    pub(crate) user: Option<Box<str>>,
    pub(crate) secret: Secret,
    pub(crate) proxy_required: bool,
}

/// The user of those who say nothing.
#[derive(Debug)]
pub(crate) struct NoAuthUser {
    pub(crate) name: Box<str>,
    /// Nobody configured it.
    implicit: bool,
}

impl Entry {
    pub(crate) fn allows(&self, kind: ConnectionType) -> bool {
        self.connection_types.is_none_or(|types| types.contains(kind))
    }
}

impl Directory {
    /// Builds the directory that `options` describe.
    pub fn new(options: &Options) -> Result<Self, AuthError> {
        let mut directory = Self {
            users: HashMap::default(),
            nkeys: HashMap::default(),
            simple: simple(&options.authorization),
            no_auth_user: None,
            proxies: trusted_proxies(options)?,
            tls_map: options.tls.as_ref().is_some_and(|tls| tls.map),
            global: GLOBAL_ACCOUNT.into(),
            always_nonce: options.switches.always_enable_nonce,
        };
        let global = directory.global.clone();
        let authorization = &options.authorization;
        directory.add_users(&authorization.users, authorization.default_permissions.as_ref(), &global)?;
        for account in &options.accounts {
            let name = account.name.as_str().into();
            directory.add_users(&account.users, account.default_permissions.as_ref(), &name)?;
        }
        directory.no_auth_user = directory.choose_no_auth_user(options)?;
        Ok(directory)
    }

    /// Whether a connection has to say who it is before anything else.
    #[must_use]
    pub fn auth_required(&self) -> bool {
        !self.users.is_empty() || !self.nkeys.is_empty() || self.simple.is_some()
    }

    /// `auth_required` of the first INFO: not when a configured user stands in for those who say nothing.
    // spec: CORE-025
    #[must_use]
    pub fn info_auth_required(&self) -> bool {
        self.auth_required() && self.no_auth_user.as_ref().is_none_or(|user| user.implicit)
    }

    /// Whether INFO carries a nonce.
    // spec: SEC-011 CORE-024
    #[must_use]
    pub fn nonce_required(&self) -> bool {
        self.always_nonce || !self.nkeys.is_empty() || !self.proxies.is_empty()
    }

    /// Whether a connection whose first line is no CONNECT may be asked about with an empty request.
    // spec: CORE-015
    #[must_use]
    pub fn admits_without_connect(&self, kind: ConnectionType) -> bool {
        let Some(no_auth_user) = &self.no_auth_user else {
            return !self.auth_required();
        };
        // Only a user by name; one by nkey needs CONNECT.
        self.users.get(&no_auth_user.name).is_some_and(|entry| !entry.proxy_required && entry.allows(kind))
    }

    /// What an identity from an older directory is worth here: itself renewed, or nothing if its user is gone,
    /// proves itself otherwise or may not connect this way any more.
    // spec: SEC-041
    #[must_use]
    pub fn renew(&self, old: &Identity, kind: ConnectionType, older: &Self) -> Option<Identity> {
        if old.proxy.as_ref().is_some_and(|key| self.proxies.iter().all(|trusted| trusted.text() != key)) {
            return None;
        }
        let entry = match &old.origin {
            Origin::Open => return (!self.auth_required()).then(|| old.clone()),
            Origin::Simple => return (self.simple == older.simple).then(|| old.clone()),
            Origin::Entry(entry) => entry,
        };
        let found = self.users.get(&*entry.name).or_else(|| self.nkeys.get(&*entry.name))?;
        let same = found.proof == entry.proof && found.allows(kind) && (!found.proxy_required || old.proxy.is_some());
        same.then(|| Identity {
            account: found.account.clone(),
            permissions: found.permissions.clone(),
            origin: Origin::Entry(found.clone()),
            ..old.clone()
        })
    }

    /// Whether a certificate can stand for this user.
    /// Whether the user of `identity` is still among the users, whatever its credentials are now.
    #[must_use]
    pub fn knows(&self, identity: &Identity) -> bool {
        match &identity.origin {
            Origin::Open | Origin::Simple => true,
            Origin::Entry(entry) => self.users.contains_key(&*entry.name) || self.nkeys.contains_key(&*entry.name),
        }
    }

    pub(crate) fn is_mapped(&self, entry: &Entry) -> bool {
        self.tls_map && entry.allows(ConnectionType::Standard)
    }

    fn add_users(
        &mut self,
        users: &[options::User],
        defaults: Option<&options::Permissions>,
        account: &Arc<str>,
    ) -> Result<(), AuthError> {
        let defaults = defaults.map(|permissions| Arc::new(Permissions::compile(permissions)));
        for user in users {
            let (name, proof) = credentials(&user.credentials)?;
            let own = user.permissions.as_ref().map(|permissions| Arc::new(Permissions::compile(permissions)));
            self.add(Entry {
                name,
                proof,
                account: account.clone(),
                permissions: own.or_else(|| defaults.clone()),
                connection_types: user.connection_types,
                proxy_required: user.proxy_required,
            })?;
        }
        Ok(())
    }

    fn add(&mut self, entry: Entry) -> Result<(), AuthError> {
        let names = match entry.proof {
            Proof::Password(_) => &mut self.users,
            Proof::Nkey(_) => &mut self.nkeys,
        };
        let name = entry.name.clone();
        match names.insert((&*name).into(), Arc::new(entry)) {
            None => Ok(()),
            Some(_) => Err(AuthError::DuplicateUser { name: name.to_string() }),
        }
    }

    // spec: SEC-008
    fn choose_no_auth_user(&mut self, options: &Options) -> Result<Option<NoAuthUser>, AuthError> {
        let Some(name) = options.no_auth_user.as_deref().filter(|name| !name.is_empty()) else {
            return self.implicit_no_auth_user(options);
        };
        if self.users.is_empty() && self.nkeys.is_empty() {
            return Err(AuthError::NoAuthUserWithoutUsers { name: name.into() });
        }
        if !self.users.contains_key(name) && !self.nkeys.contains_key(name) {
            return Err(AuthError::UnknownNoAuthUser { name: name.into() });
        }
        Ok(Some(NoAuthUser { name: name.into(), implicit: false }))
    }

    /// Giving the system account users must not lock everyone else out of a server that asks nobody.
    // spec: SEC-009
    fn implicit_no_auth_user(&mut self, options: &Options) -> Result<Option<NoAuthUser>, AuthError> {
        let system = options.system_account.as_deref().unwrap_or(DEFAULT_SYSTEM_ACCOUNT);
        let only_system = matches!(options.accounts.as_slice(), [account] if account.name == system);
        if !only_system || options.authorization != options::Authorization::default() {
            return Ok(None);
        }
        self.add(Entry {
            name: IMPLICIT_USER.into(),
            proof: Proof::Password(Secret::Unclaimable),
            account: self.global.clone(),
            permissions: None,
            connection_types: None,
            proxy_required: false,
        })?;
        Ok(Some(NoAuthUser { name: IMPLICIT_USER.into(), implicit: true }))
    }
}

fn credentials(credentials: &Credentials) -> Result<(Arc<str>, Proof), AuthError> {
    match credentials {
        Credentials::Password { user, password } => {
            Ok((user.as_str().into(), Proof::Password(Secret::parse(password))))
        }
        Credentials::Nkey(text) => {
            let key = PublicKey::parse_as(text, Prefix::User)
                .map_err(|source| AuthError::UserNkey { key: text.clone(), source })?;
            Ok((key.text().clone(), Proof::Nkey(key)))
        }
    }
}

// spec: SEC-001
fn simple(authorization: &options::Authorization) -> Option<Simple> {
    let (user, secret) = match (&authorization.token, &authorization.user) {
        (Some(token), _) if !token.is_empty() => (None, token.as_str()),
        (_, Some(user)) if !user.is_empty() => {
            (Some(user.as_str().into()), authorization.password.as_deref().unwrap_or_default())
        }
        _ => return None,
    };
    Some(Simple { user, secret: Secret::parse(secret), proxy_required: authorization.proxy_required })
}

// spec: SEC-075
fn trusted_proxies(options: &Options) -> Result<Vec<PublicKey>, AuthError> {
    let parse = |key: &String| PublicKey::parse(key).map_err(|source| AuthError::ProxyKey { key: key.clone(), source });
    options.trusted_proxies.iter().map(parse).collect()
}
