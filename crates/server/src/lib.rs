//! Assembly: options in, a running server out; and the process around it.
//!
//! | module | what lives there |
//! |---|---|
//! | `server` | threads, listeners, the order of start and stop |
//! | `running` | reload, lame duck, shutdown |
//! | `monitoring`, `views` | the monitoring listeners; what they may see |
//! | `events` | what the system account hears, as it happens |
//! | `services` | what operators ask of the server through the system account |
//! | `identity` | the keys and versions a server tells |
//! | `jetstream` | streams; what another server has kept of them ([`import`]) |
//! | `process` | command line, signals, files: the server as a program |
//!
//! # In another program
//!
//! ```
//! use martlet_server::{Options, Server};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Options are built here, or come from a file: `martlet_server::load("server.conf")?`.
//! let options = Options { host: "127.0.0.1".into(), port: -1, ..Options::default() };
//! // It serves when `start` returns.
//! let server = Server::start(&options)?;
//! assert!(server.client_address().is_some());
//!
//! // A connection without a socket: the client protocol over `AsyncRead` and `AsyncWrite`.
//! let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! runtime.block_on(async {
//!     let mut client = server.connect();
//!     client.write_all(b"CONNECT {\"verbose\":false}\r\nSUB greet 1\r\nPUB greet 5\r\nhello\r\n").await?;
//!     let mut seen = String::new();
//!     while !seen.contains("MSG greet 1 5\r\nhello\r\n") {
//!         let mut bytes = [0; 4096];
//!         let n = client.read(&mut bytes).await?;
//!         seen.push_str(std::str::from_utf8(&bytes[..n])?);
//!     }
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! })?;
//! // Returns when every connection has ended; to drop the server does not wait for that.
//! server.stop();
//! # Ok(())
//! # }
//! ```

mod events;
mod identity;
mod jetstream;
mod links;
mod monitoring;
pub mod process;
mod running;
mod server;
mod services;
mod views;

pub use jetstream::import;
pub use martlet_config::Options;
pub use process::load;
pub use server::{Server, StartError};

use std::ffi::OsString;
use std::process::ExitCode;

use martlet_broker::BrokerError;

/// The server as a program: `args` begin with the name it was called by.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let start = |options: Options, controls| Server::start_in(&options, Some(controls));
    process::main(args, |options, controls| start(options, controls).map_err(|error| start_error(&error)))
}

fn start_error(error: &StartError) -> process::StartError {
    match error {
        StartError::Broker(BrokerError::Advertise { .. })
        | StartError::Clients(_)
        | StartError::JetStream(_)
        | StartError::Routes(_)
        | StartError::Leafs(_)
        | StartError::Gateways(_)
        | StartError::Advertise { .. }
        | StartError::Monitoring(_)
        | StartError::Loops(_) => process::StartError::Fatal(error.to_string()),
        StartError::Invalid(_) | StartError::Broker(_) | StartError::Tls(_) | StartError::NoMonitoringTls => {
            process::StartError::Options(error.to_string())
        }
    }
}
