//! A stream's log: what is written, what of it is durable, what is there, what is deleted and what cannot be read.
//!
//! | module | what lives there |
//! |---|---|
//! | `file` | the store in files: segments, checkpoints, the way back from them |
//! | `frame`, `codec` | an entry as it stands on disk |
//! | `sim` | a disk in memory that loses power, tears writes and fills up, for tests; one that does nothing of it, for measurements |
//! | `index` | the applied state that every store keeps: subjects, counters, deletions, expiries, limits |
//! | `disk` | the trait of a disk, and of its files |
//! | `journal` | what many streams add, made durable by one sync |
//! | `memory` | a store that lives as long as the process |
//! | `seal` | encryption of what is kept |
//! | `probe` | decoders for the fuzzer |
//! | `record` | what a log consists of: messages and the few facts that cannot be derived |
//! | `store` | the trait of a store, in a file or in memory |
//!
//! A log grows in four steps. *Appended*: one entry of records is written, nobody sees it. *Durable*: it has been synced.
//! *Committed*: its owner says that it stands. *Applied*: it is part of what can be read. Appending and applying go in order.
//!
//! Invariant: no file, clock or thread is here. Files come through [`Disk`]; syncing is a job handed out.

mod codec;
pub mod disk;
mod file;
mod frame;
pub mod index;
pub mod journal;
pub mod memory;
#[doc(hidden)]
pub mod probe;
pub mod record;
mod seal;
pub mod sim;
pub mod store;

pub use disk::{Disk, File, SyncJob};
pub use file::{Damage, FileStore, OpenError, Opened, Options};
pub use journal::{Journal, JournaledDisk};
pub use memory::MemoryStore;
pub use record::{Message, NEVER, Purge, Record};
pub use seal::{Cipher, Encryption};
pub use store::{
    Discarded, Filter, Limits, Observer, ReadError, Removal, State, Store, StoreError, SubjectState, Unreadable,
};
