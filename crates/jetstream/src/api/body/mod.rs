//! What requests say, as they say it: numbers may be out of any bounds, and things that exclude each other may both be there.
//!
//! Invariant: a body has no defaults but nothing at all; `validate` makes a configuration of it.

mod consumer;
mod other;
mod stream;

pub use consumer::{Action, ConsumerBody, ConsumerCreateBody, DeliverKind};
pub(crate) use other::StreamListBody;
pub use other::{
    ConsumersBody, LostBody, MsgDeleteBody, MsgGetBody, PauseBody, PurgeBody, ResetBody, RestoreBody, SnapshotBody,
    StateBody, StreamInfoBody, StreamNamesBody, UnpinBody,
};
pub use stream::{ConsumerLimitsBody, SourceBody, StreamBody, StreamConfigBody};
