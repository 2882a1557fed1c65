//! The `martlet` binary: a server by default, a client when the first word is a client command, and the one who takes over
//! another server's streams when it is `import`.
//!
//! Called as `nats-server` it is always the server, so that it can take that program's place under its name. A first
//! word `nats-server` or `martlet` is the name it is called by: in an image without a shell this binary is the entry
//! point, and people write the whole command after it.
//! Owns nothing but this choice.

mod client;
mod import;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

#[cfg(not(unix))]
compile_error!("Martlet runs on Linux, and on macOS for development");

/// See `docs/decisions/0004-allocator.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    while args.get(1).is_some_and(|word| word == "nats-server" || word == "martlet") {
        args.remove(0);
    }
    let called_as = args.first().and_then(|name| Path::new(name).file_stem());
    let is_replacement = called_as.is_some_and(|name| name == "nats-server");
    if !is_replacement && import::is_import(&args) {
        return import::main(args);
    }
    if !is_replacement && client::is_client(&args) {
        return client::main(args);
    }
    let wants_help = args.get(1).is_some_and(|word| ["help", "--help", "-help", "-h"].iter().any(|help| word == help));
    let ended = martlet_server::main(args);
    if wants_help && !is_replacement {
        client::print_overview();
    }
    ended
}
