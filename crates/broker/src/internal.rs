//! How the server's own services listen: like any subscriber, on subjects of an account.

use std::fmt;
use std::sync::{Arc, Weak};

use crate::account::Account;
use crate::interest::Target;
use crate::local_task::LocalTasks;
use crate::peer::Peer;
use crate::trace::Claim;

/// A message for one of the server's own services.
#[derive(Debug, Clone, Copy)]
pub struct InternalMessage<'a> {
    /// The account it was published in.
    pub account: &'a str,
    /// The subject that a subscriber sees.
    pub subject: &'a [u8],
    /// Where an answer goes; empty for none.
    pub reply: &'a [u8],
    /// The header section; empty for none.
    pub headers: &'a [u8],
    /// The message without its headers.
    pub payload: &'a [u8],
    /// Who published it, where that was a client.
    pub from: Option<&'a Peer>,
    /// Its trace, if it asked for one.
    pub trace: Option<&'a Claim>,
}

/// A service's handler. It runs on the publisher's thread: take a copy and return. What is to be done then is left as a local task,
/// or done by another thread.
pub(crate) type Handler = Box<dyn Fn(&InternalMessage<'_>, &mut LocalTasks) + Send + Sync>;

/// Who may ask a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Clients of every server.
    Everywhere,
    /// Clients of this server: other servers are not told that anybody listens.
    ThisServer,
    /// Clients of every server, in the account from which that of the service imports a stream.
    Exporter,
}

/// A subscription of one of the server's own services.
pub struct InternalSubscription {
    /// The pattern listened on.
    pub subject: Box<[u8]>,
    /// Its number among the server's own, as lists of subscriptions show it.
    pub sid: Box<str>,
    /// Who hears of it.
    pub scope: Scope,
    /// It says what becomes of messages that are traced, and takes those that are only traced for what they are. Others
    /// do not get these.
    pub follows_traces: bool,
    /// What happens to messages.
    pub handler: Handler,
}

impl fmt::Debug for InternalSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InternalSubscription({})", String::from_utf8_lossy(&self.subject))
    }
}

/// What stands for a service in an account that exports to its own.
type Shadow = (Weak<Account>, Arc<InternalSubscription>);

/// A service that listens in an account, and in those from which that imports streams that it listens on.
#[derive(Debug)]
pub struct Listening {
    subscription: Arc<InternalSubscription>,
    shadows: Vec<Shadow>,
}

impl Listening {
    /// What it listens on.
    pub fn subject(&self) -> &[u8] {
        &self.subscription.subject
    }
}

impl Account {
    /// Has a service listen to what is published here, and to what is imported.
    // spec: SEC-046
    pub fn listen(&self, service: InternalSubscription) -> Listening {
        let subscription = Arc::new(service);
        let mut listening = Listening { subscription, shadows: Vec::new() };
        self.add(&listening.subscription.subject, Target::Internal(listening.subscription.clone()));
        self.renew_imports(&mut listening);
        listening
    }

    /// The service listens no longer.
    pub fn ignore(&self, listening: Listening) {
        self.remove(&listening.subscription.subject, &Target::Internal(listening.subscription.clone()));
        lift(listening.shadows);
    }

    /// Other streams may be imported than before: to be called after a reload. What stays imported is never missing.
    pub fn renew_imports(&self, listening: &mut Listening) {
        let mut old = std::mem::take(&mut listening.shadows);
        if self.imports_streams() {
            for import in &self.rules().streams {
                if let (Some(shadow), Some(exporter)) =
                    (import.shadow_of_internal(&listening.subscription), import.exporter.upgrade())
                {
                    let shadow = Arc::new(shadow);
                    let new = Target::Internal(shadow.clone());
                    let stands_like = |(of, old): &Shadow| of.ptr_eq(&import.exporter) && old.subject == shadow.subject;
                    match old.iter().position(stands_like) {
                        Some(at) => {
                            let before = Target::Internal(old.swap_remove(at).1);
                            exporter.interest.replace(&shadow.subject, &before, new);
                        }
                        None => exporter.add(&shadow.subject, new),
                    }
                    listening.shadows.push((import.exporter.clone(), shadow));
                }
            }
        }
        lift(old);
    }
}

fn lift(shadows: Vec<Shadow>) {
    for (exporter, shadow) in shadows {
        if let Some(exporter) = exporter.upgrade() {
            exporter.remove(&shadow.subject, &Target::Internal(shadow.clone()));
        }
    }
}
