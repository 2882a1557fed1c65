//! Where entries go.

use std::io::{self, IsTerminal, Write};

use martlet_config::options::{LogOptions, Syslog as SyslogOption};

use super::LogError;
use super::file::LogFile;
use super::line::Label;
use super::syslog::Syslog;

pub(super) enum Sink {
    /// Nowhere.
    Nothing,
    /// Standard error.
    Stream { out: Box<dyn Write + Send>, colours: bool },
    /// A file.
    File(LogFile),
    /// A syslog, here or elsewhere.
    Syslog(Syslog),
}

impl Sink {
    /// A file wins over a syslog, a syslog over standard error.
    // spec: CFG-034 CFG-037 CFG-038
    pub(super) fn open(options: &LogOptions, tag: &str) -> Result<Self, LogError> {
        if options.off {
            return Ok(Self::Nothing);
        }
        if let Some(path) = &options.file {
            let file = LogFile::open(path, options.file_size_limit, options.file_max_num)
                .map_err(|source| LogError::File { path: path.clone(), source })?;
            return Ok(Self::File(file));
        }
        match &options.syslog {
            Some(SyslogOption::Remote(address)) => Ok(Self::Syslog(Syslog::remote(address, tag)?)),
            Some(SyslogOption::Local) => Ok(Self::Syslog(Syslog::local(tag)?)),
            None => {
                let out = io::stderr();
                let colours = out.is_terminal();
                Ok(Self::Stream { out: Box::new(out), colours })
            }
        }
    }

    pub(super) fn colours(&self) -> bool {
        matches!(self, Self::Stream { colours: true, .. })
    }

    /// Whether time, process and level stand outside the line already.
    pub(super) fn frames_itself(&self) -> bool {
        matches!(self, Self::Syslog(_))
    }

    pub(super) fn write(&mut self, label: Label, line: &str) -> io::Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::Stream { out, .. } => out.write_all(line.as_bytes()),
            Self::File(file) => file.write(line),
            Self::Syslog(syslog) => syslog.write(label, line),
        }
    }
}
