//! Where a stream listens: its subjects, direct gets, acknowledgements, pull requests.

use martlet_broker::internal::Scope;
use martlet_jetstream::StreamConfig;

use super::cell::Cell;
use super::inbox::What;

/// Listens for everything of a stream.
// spec: JS-034 JS-082 JS-100 JS-104
pub(super) fn open(cell: &Cell, config: &StreamConfig) {
    let name = &config.name;
    for subject in &config.subjects {
        cell.listen(subject.as_bytes(), What::Message, Scope::Everywhere);
    }
    for pattern in for_consumers(name) {
        cell.listen(pattern.as_bytes(), What::ForConsumer, Scope::Everywhere);
    }
    if config.allow_direct {
        for pattern in for_direct_gets(name) {
            cell.listen(pattern.as_bytes(), What::DirectGet, Scope::Everywhere);
        }
    }
}

/// Listens where another configuration says.
pub(super) fn change(cell: &Cell, old: &StreamConfig, new: &StreamConfig) {
    for subject in old.subjects.iter().filter(|subject| !new.subjects.contains(subject)) {
        cell.ignore(subject.as_bytes());
    }
    for subject in new.subjects.iter().filter(|subject| !old.subjects.contains(subject)) {
        cell.listen(subject.as_bytes(), What::Message, Scope::Everywhere);
    }
    if old.allow_direct != new.allow_direct {
        for pattern in for_direct_gets(&new.name) {
            if new.allow_direct {
                cell.listen(pattern.as_bytes(), What::DirectGet, Scope::Everywhere);
            } else {
                cell.ignore(pattern.as_bytes());
            }
        }
    }
}

/// Acknowledgements in both forms, and answers to flow control.
fn for_consumers(stream: &str) -> [String; 3] {
    [format!("$JS.ACK.{stream}.>"), format!("$JS.ACK.*.*.{stream}.>"), format!("$JS.FC.{stream}.>")]
}

fn for_direct_gets(stream: &str) -> [String; 2] {
    [format!("$JS.API.DIRECT.GET.{stream}"), format!("$JS.API.DIRECT.GET.{stream}.>")]
}

/// Where pull requests of a consumer come.
pub(super) fn pull_requests(stream: &str, consumer: &str) -> String {
    format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}")
}
