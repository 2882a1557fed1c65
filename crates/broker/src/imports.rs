//! Subjects that cross accounts.
//!
//! A stream import puts a [`Shadow`] of each matching local subscription into the exporter's interest; a service import
//! puts a [`ServiceImport`] into the importer's. Routing meets both like any other target.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use martlet_config::options::{Export, ExportKind, Latency, ResponseType};
use martlet_subject::{Transform, TransformError, identity_dest, result_pattern};

use crate::account::Account;
use crate::internal::{InternalMessage, InternalSubscription, Scope};
use crate::link::RemoteSubscription;
use crate::local_task::LocalTasks;
use crate::subscription::Subscription;

/// A stream import of one account.
#[derive(Debug)]
pub struct StreamImport {
    /// Where the messages come from.
    pub exporter: Weak<Account>,
    /// The exporter's name.
    pub exporter_name: Arc<str>,
    /// The pattern in the exporter.
    pub from: Box<[u8]>,
    /// The pattern in the importer.
    pub local: Box<[u8]>,
    /// From the exporter's subject to the importer's; `None` where they are the same.
    to_local: Option<Arc<Transform>>,
    to_exporter: Option<Transform>,
    /// Whether message traces may follow.
    pub allow_trace: bool,
}

impl StreamImport {
    /// Messages that `exporter` has on `from` appear under `to`, whose wildcards stand for `from`'s in order.
    pub fn new(exporter: &Arc<Account>, from: &str, to: &str, allow_trace: bool) -> Result<Self, TransformError> {
        let (to_local, to_exporter) = if from == to {
            (None, None)
        } else {
            let there = Transform::import(from, &identity_dest(to))?;
            let back = there.reverse();
            (Some(Arc::new(there)), back)
        };
        Ok(Self {
            exporter: Arc::downgrade(exporter),
            exporter_name: exporter.name().clone(),
            from: from.as_bytes().into(),
            local: result_pattern(to).into_bytes().into(),
            to_local,
            to_exporter,
            allow_trace,
        })
    }

    /// The exporter's pattern of what of this import `local` selects, if it selects any.
    fn pattern_there(&self, local: &[u8]) -> Option<Vec<u8>> {
        let wanted = intersect(local, &self.local)?;
        let Some(transform) = &self.to_exporter else { return Some(wanted) };
        let mut pattern = Vec::new();
        transform.apply(&wanted, &mut |_| 0, &mut pattern).then_some(pattern)
    }

    /// What stands in the exporter for a leaf node's interest in the importer, if the import concerns it.
    pub fn shadow_of_leaf(&self, remote: &RemoteSubscription) -> Option<RemoteSubscription> {
        let pattern = self.pattern_there(remote.subject())?;
        let queue = remote.queue().map(|queue| (queue, remote.weight()));
        let import = RemoteImport { to_local: self.to_local.clone() };
        let mut shadow = RemoteSubscription::new(remote.link.clone(), &pattern, queue, remote.origin());
        shadow.import = Some(import);
        Some(shadow)
    }

    /// What stands in the exporter for a service of the server that listens in the importer, if the import concerns it.
    pub(crate) fn shadow_of_internal(&self, service: &Arc<InternalSubscription>) -> Option<InternalSubscription> {
        let pattern = self.pattern_there(&service.subject)?;
        let (to_local, service) = (self.to_local.clone(), service.clone());
        let (sid, allow_trace) = (service.sid.clone(), self.allow_trace);
        let follows_traces = allow_trace && service.follows_traces;
        let handler = Box::new(move |message: &InternalMessage<'_>, tasks: &mut LocalTasks| {
            let local = there(to_local.as_deref(), message.subject);
            let subject = local.as_deref().unwrap_or(message.subject);
            let trace = message.trace.filter(|_| allow_trace);
            (service.handler)(&InternalMessage { subject, trace, ..*message }, tasks);
        });
        Some(InternalSubscription { subject: pattern.into(), sid, scope: Scope::Exporter, follows_traces, handler })
    }

    /// The shadow of a local subscription, with its pattern in the exporter, if the import concerns it.
    pub fn shadow(&self, subscription: &Arc<Subscription>) -> Option<Shadow> {
        let pattern = self.pattern_there(subscription.subject())?;
        Some(Shadow {
            subscription: subscription.clone(),
            exporter: self.exporter.clone(),
            pattern: pattern.into(),
            to_local: self.to_local.clone(),
            allow_trace: self.allow_trace,
        })
    }
}

/// A subscription's stand-in in an account that exports to its own.
#[derive(Debug)]
pub struct Shadow {
    /// Whose messages these are.
    pub subscription: Arc<Subscription>,
    /// The account it stands in.
    pub exporter: Weak<Account>,
    /// Its pattern there.
    pub pattern: Box<[u8]>,
    to_local: Option<Arc<Transform>>,
    /// Whether message traces may follow.
    pub allow_trace: bool,
}

/// How a leaf node sees messages of an account that exports to its own.
#[derive(Debug)]
pub(crate) struct RemoteImport {
    to_local: Option<Arc<Transform>>,
}

impl RemoteImport {
    /// The subject that the leaf node sees for one `published` in the exporter; `None` where it is the same.
    pub(crate) fn local_subject(&self, published: &[u8]) -> Option<Box<[u8]>> {
        there(self.to_local.as_deref(), published)
    }
}

fn there(to_local: Option<&Transform>, published: &[u8]) -> Option<Box<[u8]>> {
    let mut local = Vec::new();
    to_local?.apply(published, &mut |_| 0, &mut local).then(|| local.into_boxed_slice())
}

impl Shadow {
    /// Whether both stand in the same place.
    pub(crate) fn stands_like(&self, other: &Self) -> bool {
        self.exporter.ptr_eq(&other.exporter) && self.pattern == other.pattern
    }

    /// The subject that the subscriber sees for one `published` in the exporter; `None` where it is the same.
    pub fn local_subject(&self, published: &[u8]) -> Option<Box<[u8]>> {
        there(self.to_local.as_deref(), published)
    }
}

/// A service of another account that one account may ask.
#[derive(Debug)]
pub struct ServiceImport {
    /// Who asks.
    pub importer: Weak<Account>,
    /// Who asks, by name.
    pub importer_name: Arc<str>,
    /// Who answers.
    pub exporter: Weak<Account>,
    /// Who answers, by name.
    pub exporter_name: Arc<str>,
    /// The pattern in the importer.
    pub local: Box<[u8]>,
    /// The pattern in the exporter.
    pub to: Box<[u8]>,
    transform: Option<Transform>,
    /// Whether the exporter sees who asked (SEC-049).
    pub share: bool,
    /// How many replies a request has.
    pub response: ResponseType,
    /// How long they may take.
    pub threshold: Duration,
    /// Latency measurements.
    pub latency: Option<Latency>,
    /// Whether message traces may follow.
    pub allow_trace: bool,
    requests: AtomicU64,
}

impl ServiceImport {
    /// Requests that `importer` has on `local` go to `exporter` on `to`, whose wildcards stand for `local`'s in order.
    pub fn new(
        importer: &Arc<Account>,
        local: &str,
        exporter: &Arc<Account>,
        to: &str,
    ) -> Result<Self, TransformError> {
        let pattern = result_pattern(local);
        let transform = if local == to { None } else { Some(Transform::import_request(local, to)?) };
        Ok(Self {
            importer: Arc::downgrade(importer),
            importer_name: importer.name().clone(),
            exporter: Arc::downgrade(exporter),
            exporter_name: exporter.name().clone(),
            local: pattern.into_bytes().into(),
            to: to.as_bytes().into(),
            transform,
            share: false,
            response: ResponseType::Singleton,
            threshold: Duration::from_mins(2),
            latency: None,
            allow_trace: false,
            requests: AtomicU64::new(0),
        })
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Counts a request.
    pub(crate) fn count(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    /// Takes on the terms on which the service is exported.
    pub(crate) fn take_terms(&mut self, export: &Export) {
        self.allow_trace = export.allow_trace;
        if let ExportKind::Service { response, threshold, latency } = &export.kind {
            self.response = *response;
            self.threshold = *threshold;
            self.latency.clone_from(latency);
        }
    }

    /// The subject in the exporter, appended to `out`, for one `published` in the importer.
    pub(crate) fn exporter_subject(&self, published: &[u8], out: &mut Vec<u8>) -> bool {
        match &self.transform {
            None => out.extend_from_slice(published),
            Some(transform) => return transform.apply(published, &mut |_| 0, out),
        }
        true
    }
}

/// The pattern of what two patterns have in common.
pub(crate) fn intersect(a: &[u8], b: &[u8]) -> Option<Vec<u8>> {
    let (mut left, mut right) = (a.split(|c| *c == b'.'), b.split(|c| *c == b'.'));
    let mut common: Vec<&[u8]> = Vec::new();
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Some(common.join(&b'.')),
            (Some(b">"), Some(token)) => {
                common.push(token);
                common.extend(right);
                return Some(common.join(&b'.'));
            }
            (Some(token), Some(b">")) => {
                common.push(token);
                common.extend(left);
                return Some(common.join(&b'.'));
            }
            (Some(b"*"), Some(token)) | (Some(token), Some(b"*")) => common.push(token),
            (Some(x), Some(y)) if x == y => common.push(x),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intersections() {
        for (a, b, common) in [
            ("a.b", "a.b", Some("a.b")),
            ("a.*", "*.b", Some("a.b")),
            (">", "a.*.c", Some("a.*.c")),
            ("a.>", "a.*.c", Some("a.*.c")),
            ("a.*.c", "a.>", Some("a.*.c")),
            ("a.*", "a.>", Some("a.*")),
            ("a.>", "a", None),
            ("a.b", "a.c", None),
            ("a.*", "a.b.c", None),
            (">", ">", Some(">")),
        ] {
            let found = intersect(a.as_bytes(), b.as_bytes());
            assert_eq!(found.as_deref(), common.map(str::as_bytes), "{a} and {b}");
        }
    }
}
