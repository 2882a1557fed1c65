//! Assembly: options in, a running server out; and the process around it.
//!
//! | module | what lives there |
//! |---|---|
//! | `server` | threads, listeners, the order of start and stop |
//! | `identity` | the keys and versions a server tells |
//! | `process` | command line, signals, files: the server as a program |

mod identity;
pub mod process;
mod server;

pub use server::{Server, StartError};
