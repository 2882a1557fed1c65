//! Taking on a changed configuration file, and what the process leaves behind at the end.

use log::{error, info, warn};
use martlet_config::Options;
use martlet_config::flags::Parsed;
use martlet_config::reload::{Change, carry_over, diff};
use martlet_monitor::logging;

use super::Running;
use super::files::{self, PortsFile};
use super::load;
use super::notify::Notifier;

/// The options in force, and where new ones come from.
pub(super) struct Reloader {
    parsed: Parsed,
    current: Options,
    ports_file: PortsFile,
    notifier: Notifier,
}

impl Reloader {
    pub(super) fn new(parsed: Parsed, current: Options, ports_file: PortsFile, notifier: Notifier) -> Self {
        Self { parsed, current, ports_file, notifier }
    }

    /// Reads the file again and has `server` take it on, or leaves everything as it is and says why.
    // spec: CFG-020 CFG-021
    pub(super) fn reload(&mut self, server: &dyn Running) -> Result<(), String> {
        self.notifier.reloading();
        let result = self.take_on(server);
        match &result {
            Ok(()) => {
                let digest = &self.current.config_digest;
                let digest = if digest.is_empty() { String::new() } else { format!(" ({digest})") };
                info!("Reloaded server configuration{digest}");
            }
            Err(error) => error!("Failed to reload server configuration: {error}"),
        }
        self.notifier.ready();
        result
    }

    fn take_on(&mut self, server: &dyn Running) -> Result<(), String> {
        if self.parsed.config.is_none() {
            return Err("can only reload config when a file is provided using -c or --config".into());
        }
        let loaded = load::read(&self.parsed, &load::Machine)?;
        let mut new = loaded.options;
        carry_over(&self.current, &mut new);
        load::check(&new)?;
        let changes = diff(&self.current, &new).map_err(|error| error.to_string())?;
        load::check_system_account(&new)?;
        // What can fail of a new log fails here, before the server has taken on anything.
        let logger = logging::installed().filter(|_| changes.iter().any(|change| matches!(change, Change::Logging(_))));
        let log = logger.map(|logger| logger.prepare(&new.log)).transpose().map_err(|error| error.to_string())?;
        server.reload(&new, &changes)?;
        for warning in loaded.warnings.lines().chain(loaded.notices.iter().map(String::as_str)) {
            warn!("{warning}");
        }
        for change in &changes {
            self.move_files(change, server);
            if let Some(report) = change.report() {
                info!("{report}");
            }
        }
        // The old log says where the new one is.
        if let (Some(logger), Some(log)) = (logger, log) {
            logger.adopt(log);
        }
        self.current = new;
        Ok(())
    }

    // spec: CFG-039 CFG-040
    fn move_files(&self, change: &Change, server: &dyn Running) {
        match change {
            Change::PidFile(Some(path)) => {
                if let Err(error) = files::write_pid(path) {
                    error!("Failed to write pidfile: {error}");
                }
            }
            Change::PortsFileDir { old, new } => {
                self.ports_file.remove(old.as_deref());
                self.ports_file.write(new.as_deref(), &server.listening());
            }
            _ => {}
        }
    }

    /// The server is told to stop.
    pub(super) fn stopping(&self) {
        self.notifier.stopping();
    }

    /// The server has stopped. The pid file stays, as the reference has it.
    // spec: CORE-144 CORE-159
    pub(super) fn clean_up(&self) {
        self.ports_file.remove(self.current.ports_file_dir.as_deref());
    }

    #[cfg(test)]
    pub(super) fn current(&self) -> &Options {
        &self.current
    }
}
