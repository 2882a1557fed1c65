//! Why options make no [`crate::Directory`].

use crate::nkey::NkeyError;

/// Options that contradict themselves. Names the value and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// `no_auth_user` without any users.
    #[error("no_auth_user: {name:?} present, but users/nkeys are not defined")]
    NoAuthUserWithoutUsers {
        /// The user named.
        name: String,
    },
    /// `no_auth_user` names nobody.
    #[error("no_auth_user: {name:?} not present as user or nkey in authorization block or account configuration")]
    UnknownNoAuthUser {
        /// The user named.
        name: String,
    },
    /// Two users of one name.
    #[error("duplicate user {name:?} detected; a user belongs to one account and is listed once")]
    DuplicateUser {
        /// The name or nkey listed twice.
        name: String,
    },
    /// A user's nkey is none.
    #[error("user nkey {key:?} is not valid: {source}")]
    UserNkey {
        /// The text given.
        key: String,
        /// What is wrong with it.
        source: NkeyError,
    },
    /// A trusted proxy's key is none.
    #[error("proxy trusted key {key:?} is invalid: {source}")]
    ProxyKey {
        /// The text given.
        key: String,
        /// What is wrong with it.
        source: NkeyError,
    },
}
