//! A consumer: what is delivered to whom, what is not acknowledged yet, who waits.
//!
//! It belongs to its stream, which calls it: nothing here is shared. What has to survive a restart it gives as a delta of
//! progress, which the stream writes as a note.

use martlet_events::Time;
use martlet_store::Store;

use crate::config::{ConsumerConfig, StreamConfig};
use crate::out::{Now, Out};

/// What a consumer sees of its stream and the world while it works.
pub struct Context<'a> {
    /// The time.
    pub now: Now,
    /// The stream.
    pub stream: &'a StreamConfig,
    /// Its messages.
    pub store: &'a dyn Store,
    /// Messages up to this sequence may be delivered: they are durable.
    pub ready: u64,
    /// Where deliveries go.
    pub out: &'a mut dyn Out,
    /// The domain, for events; empty for none.
    pub domain: &'a str,
}

/// What a stream has to do after a consumer has worked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Messages acknowledged, terminated or given up that a work queue removes, and a stream with interest may.
    pub settled: Vec<u64>,
}

/// A consumer.
#[derive(Debug)]
pub struct Consumer {
    /// What it is configured to be.
    pub config: ConsumerConfig,
}

/// The planned face of a consumer; its room is `consumer`'s.
impl Consumer {
    /// When it wants to be called, if nothing happens before.
    pub fn deadline(&self) -> Option<Time> {
        None
    }
}
