//! The process around a server: command line, configuration file, log, signals, pid and ports files, systemd.
//!
//! [`main`] does it all; [`run`] is the part after the command line. The server itself is behind [`Running`], so
//! that everything here is tested without one.
//!
//! Invariant: one thread, the one that called [`run`], acts on signals and requests, one after the other. A server
//! is reloaded, put into lame duck mode and stopped from there and nowhere else.

mod banner;
mod events;
mod files;
mod load;
pub(crate) mod machine;
mod notify;
mod reload;
mod send;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use log::{error, warn};
use martlet_config::Options;
use martlet_config::flags::{self, Action, FlagError, Overlay, Parsed};
use martlet_config::options::JetStream;
use martlet_config::reload::Change;
use martlet_monitor::logging;
use serde::Serialize;
use thiserror::Error;

use crate::identity::COMPATIBLE_VERSION;
pub use events::Controls;
use events::{Ended, Events};
use files::PortsFile;
pub use load::load;
use notify::Notifier;
use reload::Reloader;

/// Martlet's own version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A server that runs.
pub trait Running: Send + Sync + 'static {
    /// Its name.
    fn name(&self) -> String;

    /// Its id.
    fn id(&self) -> String;

    /// Where it listens. Asked when it is ready, and after a reload that moves the ports file.
    fn listening(&self) -> Listening;

    /// Takes on `options`, all of it or, with an error, nothing. `changes` say what is new in them.
    fn reload(&self, options: &Options, changes: &[Change]) -> Result<(), String>;

    /// Begins to send its clients away, and stops when they are gone. Returns at once.
    fn lame_duck(&self);

    /// Whether it is sending its clients away.
    fn is_lame_duck(&self) -> bool;

    /// Begins to stop. Returns at once.
    fn shutdown(&self);

    /// Waits until it has stopped.
    fn wait(&self);
}

/// Where a server listens; as JSON it is the content of the ports file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Listening {
    /// `host:port` of the client listener, the host as it was configured.
    #[serde(skip)]
    pub clients: Option<String>,
    /// URLs for clients.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nats: Vec<String>,
    /// URLs for monitoring.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub monitoring: Vec<String>,
    /// URLs for other servers of the cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cluster: Vec<String>,
    /// URLs for profiles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub profile: Vec<String>,
    /// URLs for WebSocket clients.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub websocket: Vec<String>,
}

/// Why a server did not start. The process leaves with status 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StartError {
    /// The options cannot be used: told on standard error, as errors of the file are.
    #[error("{0}")]
    Options(String),
    /// The machine would not let it, a port is taken for example: logged as fatal.
    #[error("{0}")]
    Fatal(String),
}

/// What the program was called by.
#[derive(Debug, Clone)]
struct Called {
    /// `nats-server` when called by that name, `martlet` otherwise.
    program: &'static str,
    /// The base name of the executable or of the link to it.
    base: String,
}

impl Called {
    fn new(argv0: &str) -> Self {
        let base = Path::new(argv0).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let program = if base.trim_end_matches(".exe") == "nats-server" { "nats-server" } else { "martlet" };
        Self { program, base: if base.is_empty() { program.into() } else { base } }
    }

    /// Whoever starts `martlet` and says nothing else tries it: streams are part of what there is to see.
    fn at_first_try(&self, parsed: &Parsed, mut options: Options) -> Options {
        if self.program == "martlet" && parsed.config.is_none() && parsed.overlay == Overlay::default() {
            options.jetstream = Some(JetStream { store_dir: Some("martlet-data".into()), ..JetStream::default() });
        }
        options
    }

    /// The line that `--version` prints.
    // spec: CLI-001 CORE-153
    fn version(&self) -> String {
        if self.program == "nats-server" {
            format!("nats-server: v{COMPATIBLE_VERSION}")
        } else {
            format!("martlet: v{VERSION} (NATS-compatible, nats-server v{COMPATIBLE_VERSION})")
        }
    }

    /// `nats-server: MESSAGE` on standard error, and the status of a failure.
    // spec: CORE-145
    fn fail(&self, message: impl std::fmt::Display) -> ExitCode {
        tell(&mut std::io::stderr(), &format!("{}: {message}\n", self.program));
        ExitCode::FAILURE
    }
}

/// Prints without minding whether anybody listens.
fn tell(out: &mut dyn Write, text: &str) {
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The server as a program: `args` with the name it was called by first, and how to start it.
///
/// `start` gets checked options, and [`Controls`] for requests that come in over the network.
pub fn main<R: Running>(
    args: Vec<OsString>,
    start: impl FnOnce(Options, Controls) -> Result<R, StartError>,
) -> ExitCode {
    let mut texts = Vec::with_capacity(args.len());
    for (n, arg) in args.into_iter().enumerate() {
        match arg.into_string() {
            Ok(text) => texts.push(text),
            Err(arg) if n == 0 => texts.push(arg.to_string_lossy().into_owned()),
            Err(arg) => {
                return Called::new(&texts[0]).fail(format_args!("argument {n}, {}, is not UTF-8", arg.display()));
            }
        }
    }
    let called = Called::new(texts.first().map_or("", String::as_str));
    let parsed = match flags::parse(texts.get(1..).unwrap_or_default()) {
        Ok(parsed) => parsed,
        // spec: CORE-155
        Err(FlagError::Usage(message)) => {
            tell(&mut std::io::stderr(), &format!("{message}\n"));
            tell(&mut std::io::stdout(), &flags::usage(called.program));
            return ExitCode::SUCCESS;
        }
        Err(FlagError::Refused(message)) => return called.fail(message),
    };
    let say = |text: &str| {
        tell(&mut std::io::stdout(), text);
        ExitCode::SUCCESS
    };
    match &parsed.action {
        Action::Version => say(&format!("{}\n", called.version())),
        Action::Help => say(&flags::usage(called.program)),
        Action::HelpTls => say(flags::tls_help()),
        Action::Signal { command, target } => match send::send(called.program, command, target) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => called.fail(error),
        },
        Action::TestConfig => test_config(&called, &parsed),
        Action::Run => run(&called, parsed, start),
    }
}

/// `-t`: the file alone, without the options against each other.
// spec: CFG-004 CFG-005 CFG-008
fn test_config(called: &Called, parsed: &Parsed) -> ExitCode {
    let path = parsed.config.as_deref().unwrap_or(Path::new(""));
    match martlet_config::load(path, &load::Machine) {
        Ok(loaded) if loaded.has_warnings() => called.fail(load::warnings(&loaded)),
        Ok(loaded) => {
            let digest = &loaded.options.config_digest;
            let text = format!("{}: configuration file {} is valid ({digest})\n", called.program, path.display());
            tell(&mut std::io::stderr(), &text);
            ExitCode::SUCCESS
        }
        Err(errors) => called.fail(errors),
    }
}

/// A server from its options to its end.
fn run<R: Running>(
    called: &Called,
    parsed: Parsed,
    start: impl FnOnce(Options, Controls) -> Result<R, StartError>,
) -> ExitCode {
    let configured = load::read(&parsed, &load::Machine).and_then(|read| {
        load::check(&read.options)?;
        load::check_system_account(&read.options)?;
        Ok(read)
    });
    let (mut options, notices) = match configured {
        Ok(configured) => {
            // spec: CFG-002
            tell(&mut std::io::stderr(), &configured.warnings);
            (called.at_first_try(&parsed, configured.options), configured.notices)
        }
        Err(message) => return called.fail(message),
    };
    if let Err(error) = logging::install(&options.log, &called.base) {
        return called.fail(error);
    }
    let events = match Events::new() {
        Ok(events) => events,
        Err(error) => return fatal(format_args!("Could not listen for signals: {error}")),
    };
    banner::starting(called, &options);
    for notice in &notices {
        warn!("{notice}");
    }
    machine::raise_open_files();
    if let Some(path) = &options.pid_file
        && let Err(error) = files::write_pid(path)
    {
        return fatal(format_args!("Could not write pidfile: {error}"));
    }
    let server = match start(options.clone(), events.controls()) {
        Ok(server) => Arc::new(server),
        // Printed, not logged: as an error in the file is.
        Err(StartError::Options(message)) => return called.fail(message),
        Err(StartError::Fatal(message)) => return fatal(message),
    };
    let listening = server.listening();
    settle_port(&mut options, &listening);
    let ports_file = PortsFile::new(&called.base);
    ports_file.write(options.ports_file_dir.as_deref(), &listening);
    banner::ready(&options, parsed.config.is_none(), server.as_ref(), &listening);
    let notifier = Notifier::from_environment();
    notifier.ready();
    let mut reloader = Reloader::new(parsed, options, ports_file, notifier);
    let ended = events.serve(&server, &mut reloader);
    reloader.clean_up();
    match ended {
        Ended::Stopped => ExitCode::SUCCESS,
        Ended::Impatient => ExitCode::FAILURE,
    }
}

/// From now on the chosen port is the port (CFG-019).
fn settle_port(options: &mut Options, listening: &Listening) {
    let chosen = listening.clients.as_deref().and_then(|address| address.rsplit_once(':'));
    if options.port == -1
        && let Some(port) = chosen.and_then(|(_, port)| port.parse().ok())
    {
        options.port = port;
    }
}

/// Logs why the process cannot go on.
// spec: CLI-008
fn fatal(message: impl std::fmt::Display) -> ExitCode {
    error!(target: logging::FATAL, "{message}");
    ExitCode::FAILURE
}
