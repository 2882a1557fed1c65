//! Real files for stores, and the threads that sync them.
//!
//! | module | what lives there |
//! |---|---|
//! | `files` | a directory as a [`martlet_store::Disk`] |
//! | `lock` | a directory that one process has to itself |
//! | `syncer` | syncs of different streams side by side |
//! | `space` | how much there is |

mod files;
mod lock;
mod space;
mod syncer;

pub use files::Directory;
pub use lock::{Lock, LockError};
pub use space::free_bytes;
pub use syncer::{Syncer, Waits};
