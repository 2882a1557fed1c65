//! Whether another server is let in: by the one user that links have.

use std::sync::Arc;

use martlet_config::options::LinkLogin;

use crate::outcome::{Check, Identity, Origin, Outcome, Reason};
use crate::request::Label;
use crate::secret::{Compared, Secret};

/// Whether a server that calls itself `user` is let in.
// spec: CLU-012
pub fn admit_link(login: &LinkLogin, user: &str, password: &str) -> Outcome {
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
}
