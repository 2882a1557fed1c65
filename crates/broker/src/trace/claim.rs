//! A trace that goes on behind routing: what keeps the message says later what became of it.
//!
//! Invariant: a report is published once, by whoever comes last: routing, or the last of those that have claimed it.

use std::sync::Arc;

use martlet_events::WallTime;
use martlet_proto::headers;
use parking_lot::Mutex;

use super::event::Step;
use super::{DESTINATION, DISABLED, Tracer};
use crate::batch::Batch;

/// What became of a message in a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stored {
    /// When.
    pub at: WallTime,
    /// The stream.
    pub stream: String,
    /// The subject it is kept under; empty if it is not taken in.
    pub subject: String,
    /// Nobody is interested in it.
    pub is_unwanted: bool,
    /// Why it is not taken in; empty if it is.
    pub error: String,
}

#[derive(Debug, Default)]
struct Open {
    claims: usize,
    told: Vec<Stored>,
    /// Once routing has ended.
    tracer: Option<Box<Tracer>>,
}

/// The trace of a message, for those who keep it. See the module's text.
#[derive(Debug, Clone, Default)]
pub struct Claim {
    open: Arc<Mutex<Open>>,
    only: bool,
}

impl Claim {
    pub(super) fn new(only: bool) -> Self {
        Self { only, ..Self::default() }
    }

    /// Whether the message is traced and not kept.
    pub fn only(&self) -> bool {
        self.only
    }

    /// Takes the trace over: [`Batch::tell_trace`] has to follow.
    #[must_use]
    pub fn take(&self) -> Self {
        self.open.lock().claims += 1;
        self.clone()
    }

    /// The headers of the message as they are kept: whoever gets it later is not traced.
    // spec: CORE-130
    pub fn kept_headers(block: &[u8]) -> Vec<u8> {
        let mut block = block.to_vec();
        headers::set(&mut block, DESTINATION.as_bytes(), DISABLED.as_bytes());
        block
    }
}

impl Batch {
    /// Says what became of a message whose trace was taken over.
    // spec: CORE-127
    pub fn tell_trace(&mut self, claim: &Claim, stored: Stored) {
        let mut open = claim.open.lock();
        open.told.push(stored);
        self.end_trace(open);
    }

    /// Routing has ended.
    pub(crate) fn finish_trace(&mut self, tracer: Box<Tracer>) {
        let claim = tracer.claim.clone();
        let mut open = claim.open.lock();
        open.tracer = Some(tracer);
        self.end_trace(open);
    }

    fn end_trace(&mut self, mut open: parking_lot::MutexGuard<'_, Open>) {
        if open.told.len() < open.claims {
            return;
        }
        let Some(mut tracer) = open.tracer.take() else { return };
        let told = std::mem::take(&mut open.told);
        drop(open);
        tracer.event.events.extend(told.into_iter().map(Step::from));
        self.publish_trace(&tracer);
    }
}

impl From<Stored> for Step {
    fn from(of: Stored) -> Self {
        let Stored { at, stream, subject, is_unwanted, error } = of;
        Self::Stream { ts: at, stream, subject, is_unwanted, error }
    }
}
