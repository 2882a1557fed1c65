//! Real files for stores, and the threads that sync them.
//!
//! | module | what lives there |
//! |---|---|
//! | `files` | a directory as a [`martlet_store::Disk`] |
//! | `syncer` | syncs of different streams side by side |
//! | `space` | how much there is |

mod files;
mod space;
mod syncer;

pub use files::Directory;
pub use space::free_bytes;
pub use syncer::{Syncer, Waits};
