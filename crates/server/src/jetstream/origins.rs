//! The streams that a stream copies from: what it wants done for them is done here, in the stream's account.
//!
//! Invariant: requests and subscriptions are like anybody's, so that imports, domains and links apply to them by themselves.

use martlet_broker::internal::Scope;
use martlet_jetstream::stream::{Errand, Stream};
use martlet_jetstream::{Now, Out, Outgoing};

use super::cell::Cell;
use super::inbox::What;
use super::listen;

/// Runs whatever errands wait.
// spec: JS-113
pub(super) fn run_errands(cell: &Cell, stream: &mut Stream, now: Now, out: &mut dyn Out) {
    while let Some(errand) = stream.next_errand() {
        match errand {
            Errand::Listen { key, subject } => cell.listen(&subject, What::Origin(key), Scope::Everywhere),
            Errand::Ignore { subject } => cell.ignore(&subject),
            Errand::Send { subject, reply, headers, payload } => {
                let (subject, reply) = (&*subject, &*reply);
                let sent = Outgoing { subject, reply, headers: &headers, payload: &payload, ..Outgoing::default() };
                if out.publish(&sent) == 0 {
                    stream.nobody_heard(reply, now, out);
                }
            }
            Errand::AnswerFor { origin } => {
                for pattern in listen::for_direct_gets(&origin) {
                    cell.listen(pattern.as_bytes(), What::MirroredGet, Scope::Everywhere);
                }
            }
            Errand::AnswerNoMore { origin } => {
                for pattern in listen::for_direct_gets(&origin) {
                    cell.ignore(pattern.as_bytes());
                }
            }
            Errand::Tell(what) => {
                log::warn!("Stream '{} > {}': {what}", cell.account.name(), cell.name);
            }
        }
    }
}
