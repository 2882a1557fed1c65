//! Where and how to log.

use std::path::PathBuf;

/// Where and how to log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "these are switches")]
pub struct LogOptions {
    /// `debug`.
    pub debug: bool,
    /// `trace`.
    pub trace: bool,
    /// `trace_verbose`: the system account's traffic too.
    pub trace_verbose: bool,
    /// `trace_headers`: headers of traced messages, without payloads.
    pub trace_headers: bool,
    /// `max_traced_msg_len` in bytes; 0 is no limit.
    pub max_traced_msg_len: usize,
    /// `logtime`.
    pub time: bool,
    /// `logtime_utc`.
    pub time_utc: bool,
    /// `logfile`; standard error when unset.
    pub file: Option<PathBuf>,
    /// `logfile_size_limit` in bytes; 0 never rotates.
    pub file_size_limit: u64,
    /// `logfile_max_num`: rotated files kept; 0 keeps all.
    pub file_max_num: usize,
    /// `syslog`, `remote_syslog`.
    pub syslog: Option<Syslog>,
    /// Martlet's own `log_format: json`: one JSON object a line.
    pub json: bool,
    /// Nothing is logged (embedding only).
    pub off: bool,
}

/// Which syslog to write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Syslog {
    /// The machine's own.
    Local,
    /// `udp://host:port`, `tcp://host:port` or `unix://path`.
    Remote(String),
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            debug: false,
            trace: false,
            trace_verbose: false,
            trace_headers: false,
            max_traced_msg_len: 0,
            time: true,
            time_utc: false,
            file: None,
            file_size_limit: 0,
            file_max_num: 0,
            syslog: None,
            json: false,
            off: false,
        }
    }
}
