//! The server's log: where entries go and what a line looks like.
//!
//! The rest of the server writes through the macros of the `log` crate and knows nothing of this room:
//!
//! - levels are `error!`, `warn!`, `info!`, `debug!` and `trace!` (what clients send and get);
//! - `target: "fatal"` marks an error that ends the process, `[FTL]`;
//! - `target: "limited"` marks an entry that may repeat: the same text is written once a minute;
//! - key-value pairs are appended as `key=value`, or become fields of a JSON line.
//!
//! Invariant: logging never fails and never panics. What cannot be written (a full disk, a closed pipe, a syslog
//! that went away) is counted, and told in one line when writing works again.

mod file;
mod limit;
mod line;
mod sink;
mod syslog;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use log::{Level, LevelFilter, Log, Metadata, Record};
use martlet_config::options::LogOptions;
use thiserror::Error;

use limit::Limiter;
use line::{Label, Style};
use sink::Sink;

/// The target of an entry that ends the process.
pub const FATAL: &str = "fatal";

/// The target of an entry that is written once a minute however often it comes.
pub const LIMITED: &str = "limited";

/// Why the log cannot be set up. The logger stays as it was.
#[derive(Debug, Error)]
pub enum LogError {
    /// The file cannot be opened for appending.
    #[error("error opening file: open {}: {source}", path.display())]
    File {
        /// `logfile`
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The syslog cannot be reached.
    #[error("error connecting to syslog at {address:?}: {source}")]
    Syslog {
        /// Where it was looked for.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// `remote_syslog` is no URL that is understood.
    #[error(
        "error invalid network type in syslog address {0:?}: expected udp://host:port, tcp://host:port or unix://path"
    )]
    SyslogAddress(String),
    /// The program that embeds the server has a logger of its own.
    #[error("this process has another logger already")]
    Taken,
}

/// The logger. There may be several; [`install`] makes one the process's own.
pub struct Logger {
    /// The name the program was called by, for syslog.
    tag: String,
    debug: AtomicBool,
    trace: AtomicBool,
    off: AtomicBool,
    limiter: Limiter,
    state: Mutex<State>,
}

/// Changed options, and what they need open already.
pub struct Prepared {
    options: LogOptions,
    /// `None` to keep the one in use.
    sink: Option<Sink>,
}

struct State {
    options: LogOptions,
    style: Style,
    sink: Sink,
    /// Entries that could not be written, and why the last one could not.
    lost: Option<(u64, io::Error)>,
}

static INSTALLED: OnceLock<Logger> = OnceLock::new();

/// Sends the process's log where `options` say; again, if it is installed already.
///
/// # Errors
/// When that place cannot be written to, or another logger was installed by somebody else.
pub fn install(options: &LogOptions, tag: &str) -> Result<&'static Logger, LogError> {
    if let Some(logger) = INSTALLED.get() {
        logger.reconfigure(options)?;
        return Ok(logger);
    }
    let logger = Logger::new(options, tag)?;
    let logger = INSTALLED.get_or_init(|| logger);
    log::set_logger(logger).map_err(|_| LogError::Taken)?;
    log::set_max_level(max_level(options));
    Ok(logger)
}

/// The process's logger, if [`install`] made one.
pub fn installed() -> Option<&'static Logger> {
    INSTALLED.get()
}

/// Whether entries go to a terminal somebody may be reading.
pub fn to_terminal(options: &LogOptions) -> bool {
    options.file.is_none() && options.syslog.is_none() && !options.off && io::IsTerminal::is_terminal(&io::stderr())
}

impl Logger {
    /// A logger as `options` say. `tag` is the name the program was called by.
    pub fn new(options: &LogOptions, tag: &str) -> Result<Self, LogError> {
        let sink = Sink::open(options, tag)?;
        Ok(Self::with_sink(options, tag, sink))
    }

    fn with_sink(options: &LogOptions, tag: &str, sink: Sink) -> Self {
        let style = Style::new(options, sink.colours());
        let logger = Self {
            tag: tag.to_owned(),
            debug: AtomicBool::new(false),
            trace: AtomicBool::new(false),
            off: AtomicBool::new(false),
            limiter: Limiter::default(),
            state: Mutex::new(State { options: options.clone(), style, sink, lost: None }),
        };
        logger.set_levels(options);
        logger.state().rotate_if_full();
        logger
    }

    /// Takes on changed options. An open file that is still wanted stays open.
    ///
    /// # Errors
    /// When the new place cannot be written to; then the old one stays.
    pub fn reconfigure(&self, options: &LogOptions) -> Result<(), LogError> {
        self.adopt(self.prepare(options)?);
        Ok(())
    }

    /// Opens what changed options need and goes on as before, until [`Logger::adopt`].
    ///
    /// # Errors
    /// When the new place cannot be written to.
    pub fn prepare(&self, options: &LogOptions) -> Result<Prepared, LogError> {
        let state = self.state();
        let before = &state.options;
        let same_place = before.file == options.file
            && before.syslog == options.syslog
            && before.off == options.off
            && before.file_size_limit == options.file_size_limit
            && before.file_max_num == options.file_max_num;
        let sink = if same_place { None } else { Some(Sink::open(options, &self.tag)?) };
        Ok(Prepared { options: options.clone(), sink })
    }

    /// Goes on with what [`Logger::prepare`] made.
    pub fn adopt(&self, Prepared { options, sink }: Prepared) {
        let mut state = self.state();
        if let Some(sink) = sink {
            state.sink = sink;
        }
        state.style = Style::new(&options, state.sink.colours());
        self.set_levels(&options);
        if INSTALLED.get().is_some_and(|installed| std::ptr::eq(installed, self)) {
            log::set_max_level(max_level(&options));
        }
        state.options = options;
        state.rotate_if_full();
    }

    /// Opens the log file again, after somebody moved it away.
    pub fn reopen(&self) {
        let mut state = self.state();
        let Some(path) = state.options.file.clone() else {
            state.note(Label::Info, "File log re-open ignored, not a file logger");
            return;
        };
        match Sink::open(&state.options, &self.tag) {
            Ok(sink) => {
                state.sink = sink;
                state.note(Label::Info, "File log re-opened");
            }
            Err(error) => {
                let text =
                    format!("File log re-open of {} failed, still writing to the old one: {error}", path.display());
                state.note(Label::Error, &text);
            }
        }
    }

    fn set_levels(&self, options: &LogOptions) {
        self.debug.store(options.debug, Relaxed);
        self.trace.store(options.trace, Relaxed);
        self.off.store(options.off, Relaxed);
    }

    /// A panic elsewhere while the lock was held leaves a usable state behind.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the macros of `log` let through to the logger; `trace` without `debug` is sorted out by the logger.
fn max_level(options: &LogOptions) -> LevelFilter {
    match options {
        LogOptions { off: true, .. } => LevelFilter::Off,
        LogOptions { trace: true, .. } => LevelFilter::Trace,
        LogOptions { debug: true, .. } => LevelFilter::Debug,
        _ => LevelFilter::Info,
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        if self.off.load(Relaxed) {
            return false;
        }
        // What libraries have to say below an error is about their insides, and a peer may provoke it at will.
        let target = metadata.target();
        let ours = target.starts_with("martlet") || target == FATAL || target == LIMITED;
        match metadata.level() {
            Level::Error => true,
            Level::Warn | Level::Info => ours,
            Level::Debug => ours && self.debug.load(Relaxed),
            Level::Trace => ours && self.trace.load(Relaxed),
        }
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let message = line::message(record);
        // spec: CORE-169
        if record.target() == LIMITED && !self.limiter.allow(record.level(), &message, Instant::now()) {
            return;
        }
        self.state().write(Label::of(record), &message, record);
    }

    fn flush(&self) {}
}

impl State {
    fn write(&mut self, label: Label, message: &str, record: &Record<'_>) {
        let line = self.style.line(label, message, Some(record), self.sink.frames_itself());
        self.put(label, &line);
        self.rotate_if_full();
    }

    /// An entry of the logger itself.
    fn note(&mut self, label: Label, message: &str) {
        let line = self.style.line(label, message, None, self.sink.frames_itself());
        self.put(label, &line);
    }

    fn put(&mut self, label: Label, line: &str) {
        match (self.sink.write(label, line), self.lost.take()) {
            (Ok(()), None) => {}
            (Ok(()), Some((count, error))) => {
                let text = format!("{count} log entries could not be written: {error}");
                let line = self.style.line(Label::Warn, &text, None, self.sink.frames_itself());
                if let Err(error) = self.sink.write(Label::Warn, &line) {
                    self.lost = Some((count, error));
                }
            }
            (Err(error), lost) => {
                let count = lost.map_or(0, |(count, _)| count);
                self.lost = Some((count + 1, error));
            }
        }
    }

    // spec: CORE-164
    fn rotate_if_full(&mut self) {
        if let Sink::File(file) = &mut self.sink
            && file.is_full()
        {
            for (label, text) in file.rotate() {
                self.note(label, &text);
            }
        }
    }
}
