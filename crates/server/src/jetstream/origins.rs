//! The streams that a stream copies from: what it wants done for them is done here, in the stream's account.
//!
//! Invariant: requests and subscriptions are like anybody's, so that imports, domains and links apply to them by themselves.

use martlet_broker::internal::Scope;
use martlet_jetstream::stream::{Action, Stream};
use martlet_jetstream::{Now, Out, Outgoing};

use super::actor::StreamActor;
use super::inbox::What;
use super::listen;

/// Takes whatever actions wait.
// spec: JS-113
pub(super) fn act(actor: &StreamActor, stream: &mut Stream, now: Now, out: &mut dyn Out) {
    while let Some(action) = stream.next_action() {
        match action {
            Action::Listen { key, subject } => {
                // What is asked now may be answered from another cluster, sooner than that hears who listens.
                actor.account.note_recent(&subject, now.time);
                actor.listen(&subject, What::Origin(key), Scope::Everywhere);
            }
            Action::Ignore { subject } => actor.ignore(&subject),
            Action::Send { subject, reply, headers, payload } => {
                let (subject, reply) = (&*subject, &*reply);
                let sent = Outgoing { subject, reply, headers: &headers, payload: &payload, ..Outgoing::default() };
                if out.publish(&sent) == 0 {
                    stream.nobody_heard(reply, now, out);
                }
            }
            Action::AnswerFor { origin } => {
                for pattern in listen::for_direct_gets(&origin) {
                    actor.listen(pattern.as_bytes(), What::MirroredGet, Scope::Everywhere);
                }
            }
            Action::AnswerNoMore { origin } => {
                for pattern in listen::for_direct_gets(&origin) {
                    actor.ignore(pattern.as_bytes());
                }
            }
            Action::Tell(what) => {
                log::warn!("Stream '{} > {}': {what}", actor.account.name(), actor.name);
            }
        }
    }
}
