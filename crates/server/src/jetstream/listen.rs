//! Where a stream listens: its subjects, direct gets, acknowledgements, pull requests.

use martlet_broker::internal::Scope;
use martlet_jetstream::{StreamConfig, dead_letter};

use super::actor::StreamActor;
use super::inbox::What;

/// Listens for everything of a stream.
// spec: JS-034 JS-082 JS-100 JS-104
pub(super) fn open(actor: &StreamActor, config: &StreamConfig) {
    let name = &config.name;
    for subject in &config.subjects {
        actor.listen(subject.as_bytes(), What::Message, Scope::Everywhere);
    }
    for (pattern, what) in for_consumers(name) {
        actor.listen(pattern.as_bytes(), what, Scope::Everywhere);
    }
    if dead_letter::of(&config.metadata).is_some() {
        actor.listen(dead_letter::receipts(name, None).as_bytes(), What::DeadLetter, Scope::Everywhere);
    }
    if config.allow_direct {
        for pattern in for_direct_gets(name) {
            actor.listen(pattern.as_bytes(), What::DirectGet, Scope::Everywhere);
        }
    }
}

/// Listens where another configuration says.
pub(super) fn change(actor: &StreamActor, old: &StreamConfig, new: &StreamConfig) {
    for subject in old.subjects.iter().filter(|subject| !new.subjects.contains(subject)) {
        actor.ignore(subject.as_bytes());
    }
    for subject in new.subjects.iter().filter(|subject| !old.subjects.contains(subject)) {
        actor.listen(subject.as_bytes(), What::Message, Scope::Everywhere);
    }
    let receipts = dead_letter::receipts(&new.name, None);
    match [old, new].map(|config| dead_letter::of(&config.metadata).is_some()) {
        [false, true] => actor.listen(receipts.as_bytes(), What::DeadLetter, Scope::Everywhere),
        [true, false] => actor.ignore(receipts.as_bytes()),
        _ => {}
    }
    if old.allow_direct != new.allow_direct {
        for pattern in for_direct_gets(&new.name) {
            if new.allow_direct {
                actor.listen(pattern.as_bytes(), What::DirectGet, Scope::Everywhere);
            } else {
                actor.ignore(pattern.as_bytes());
            }
        }
    }
}

/// Acknowledgements in both forms, and answers to flow control.
fn for_consumers(stream: &str) -> [(String, What); 4] {
    [
        (format!("$JS.ACK.{stream}.>"), What::Ack),
        (format!("$JS.ACK.*.*.{stream}.>"), What::Ack),
        (format!("$JS.FC.{stream}.>"), What::FlowControl),
        (format!("$JS.FC.*.*.{stream}.>"), What::FlowControl),
    ]
}

/// The consumer that a pull request is for.
pub(super) fn consumer_of_pull<'s>(stream: &str, subject: &'s [u8]) -> Option<&'s str> {
    let name = subject.strip_prefix(b"$JS.API.CONSUMER.MSG.NEXT.")?.strip_prefix(stream.as_bytes())?;
    std::str::from_utf8(name.strip_prefix(b".")?).ok()
}

/// The consumer that an answer to flow control is for: behind the stream's name.
pub(super) fn consumer_of_flow<'s>(stream: &str, subject: &'s [u8]) -> Option<&'s str> {
    let mut tokens = martlet_subject::tokens(subject).skip(2);
    let found = tokens.by_ref().take(3).any(|token| token == stream.as_bytes());
    let name = tokens.next().filter(|_| found)?;
    std::str::from_utf8(name).ok()
}

/// Where direct gets of a stream come.
pub(super) fn for_direct_gets(stream: &str) -> [String; 2] {
    [format!("$JS.API.DIRECT.GET.{stream}"), format!("$JS.API.DIRECT.GET.{stream}.>")]
}

/// Where pull requests of a consumer come.
pub(super) fn pull_requests(stream: &str, consumer: &str) -> String {
    format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}")
}
