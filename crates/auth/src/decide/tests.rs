//! Who gets in: tables of requests against small directories, each as observed on the reference.

mod certificates;
mod nkeys;
mod passwords;
mod reload;

use martlet_config::options::{Account, Authorization, ConnectionType, ConnectionTypes, Credentials, Options, User};

use crate::{Directory, Identity, Outcome, Reason, Request};

const STANDARD: ConnectionType = ConnectionType::Standard;

fn user(name: &str, password: &str) -> User {
    let credentials = Credentials::Password { user: name.into(), password: password.into() };
    User { credentials, permissions: None, connection_types: None, proxy_required: false }
}

fn nkey_user(key: &str) -> User {
    User { credentials: Credentials::Nkey(key.into()), ..user("", "") }
}

#[expect(clippy::unnecessary_wraps, reason = "as users have it")]
fn only(kind: ConnectionType) -> Option<ConnectionTypes> {
    let mut types = ConnectionTypes::default();
    types.insert(kind);
    Some(types)
}

fn with_users(users: Vec<User>) -> Options {
    Options { authorization: Authorization { users, ..Default::default() }, ..Default::default() }
}

fn account(name: &str, users: Vec<User>) -> Account {
    Account { name: name.into(), users, ..Default::default() }
}

fn directory(options: &Options) -> Directory {
    Directory::new(options).expect("valid options")
}

fn request() -> Request<'static> {
    Request::new(STANDARD)
}

/// Runs costly checks on the spot.
fn decide(directory: &Directory, request: &Request<'_>) -> Result<Identity, Reason> {
    match directory.authenticate(request) {
        Outcome::Accepted(identity) => Ok(identity),
        Outcome::Denied(reason) => Err(reason),
        Outcome::Costly(check) => check.verify(),
    }
}

/// The account and the name shown, or the reason.
fn told(directory: &Directory, request: &Request<'_>) -> Result<(String, String), Reason> {
    decide(directory, request).map(|identity| (identity.account.to_string(), identity.label.authorized_user().into()))
}

#[expect(clippy::unnecessary_wraps, reason = "to be compared with what was told")]
fn welcome(account: &str, name: &str) -> Result<(String, String), Reason> {
    Ok((account.into(), name.into()))
}
