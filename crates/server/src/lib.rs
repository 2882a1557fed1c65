//! Assembly: options in, a running server out; and the process around it.
//!
//! | module | what lives there |
//! |---|---|
//! | `server` | threads, listeners, the order of start and stop |
//! | `running` | reload, lame duck, shutdown |
//! | `monitoring`, `views` | the monitoring listeners; what they may see |
//! | `events` | what the system account hears, as it happens |
//! | `identity` | the keys and versions a server tells |
//! | `process` | command line, signals, files: the server as a program |

mod events;
mod identity;
mod monitoring;
pub mod process;
mod running;
mod server;
mod views;

pub use server::{Server, StartError};

use std::ffi::OsString;
use std::process::ExitCode;

use martlet_broker::BrokerError;

/// The server as a program: `args` begin with the name it was called by.
pub fn main(args: Vec<OsString>) -> ExitCode {
    process::main(args, |options, _controls| Server::start(&options).map_err(|error| start_error(&error)))
}

fn start_error(error: &StartError) -> process::StartError {
    match error {
        StartError::Broker(BrokerError::Advertise { .. })
        | StartError::Clients(_)
        | StartError::Monitoring(_)
        | StartError::Loops(_) => process::StartError::Fatal(error.to_string()),
        StartError::Broker(_) | StartError::Tls(_) | StartError::NoMonitoringTls => {
            process::StartError::Options(error.to_string())
        }
    }
}
