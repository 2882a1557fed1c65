//! What the flags set, kept to be laid over the file again at every reload.

use std::path::PathBuf;

use super::cluster::ClusterOverlay;
use super::known::Flag;
use super::{FlagError, Given};
use crate::options::{CertificatePair, Options, Syslog, Tls};

/// The options that were given on the command line. They win over the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overlay {
    host: Option<String>,
    port: Option<i32>,
    server_name: Option<String>,
    client_advertise: Option<String>,
    http_port: Option<i32>,
    https_port: Option<i32>,
    pid_file: Option<String>,
    ports_file_dir: Option<String>,
    cluster_name: Option<String>,
    user: Option<String>,
    password: Option<String>,
    token: Option<String>,
    jetstream: Option<bool>,
    store_dir: Option<String>,
    cluster: ClusterOverlay,
    log: LogOverlay,
    tls: TlsOverlay,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct LogOverlay {
    debug: Option<bool>,
    trace: Option<bool>,
    trace_verbose: Option<bool>,
    time: Option<bool>,
    time_utc: Option<bool>,
    file: Option<String>,
    file_size_limit: Option<u64>,
    max_traced_msg_len: Option<usize>,
    syslog: Option<bool>,
    remote_syslog: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default)]
enum TlsOverlay {
    /// No flag spoke of TLS.
    #[default]
    Keep,
    /// `--tls=false`.
    Off,
    /// The flags say what certificates to use.
    Replace { pair: CertificatePair, ca_file: Option<PathBuf>, verify: bool },
}

impl Overlay {
    pub(super) fn from_flags(given: &Given) -> Result<Self, FlagError> {
        let text = |flag| given.text(flag).map(str::to_owned);
        Ok(Self {
            host: text(Flag::Addr),
            port: port(given, Flag::Port, "port")?,
            server_name: text(Flag::Name),
            client_advertise: text(Flag::ClientAdvertise),
            http_port: port(given, Flag::HttpPort, "http_port")?,
            https_port: port(given, Flag::HttpsPort, "https_port")?,
            pid_file: text(Flag::Pid),
            ports_file_dir: text(Flag::PortsFileDir),
            cluster_name: text(Flag::ClusterName),
            user: text(Flag::User),
            password: text(Flag::Pass),
            token: text(Flag::Auth),
            jetstream: given.switch(Flag::JetStream),
            store_dir: text(Flag::StoreDir),
            cluster: ClusterOverlay::from_flags(given)?,
            log: LogOverlay::from_flags(given),
            tls: TlsOverlay::from_flags(given)?,
        })
    }

    /// Overrides what `options` has from the file with what the command line said.
    ///
    /// A flag given with an empty value or 0 takes the file's value away, so that the default is back.
    ///
    /// # Errors
    /// [`FlagError::Refused`] when the flags make no sense with the file.
    // spec: CFG-018 CFG-019 CLI-002
    pub fn apply(&self, options: &mut Options) -> Result<(), FlagError> {
        let defaults = Options::default();
        if let Some(host) = &self.host {
            options.host = if host.is_empty() { defaults.host } else { host.clone() };
        }
        if let Some(port) = self.port {
            options.port = if port == 0 { defaults.port } else { port };
        }
        set_text(&mut options.server_name, self.server_name.as_ref());
        set_text(&mut options.client_advertise, self.client_advertise.as_ref());
        set_text(&mut options.pid_file, self.pid_file.as_ref());
        set_text(&mut options.ports_file_dir, self.ports_file_dir.as_ref());
        set_text(&mut options.cluster_name, self.cluster_name.as_ref());
        set(&mut options.monitoring.http_port, self.http_port);
        set(&mut options.monitoring.https_port, self.https_port);
        set_text(&mut options.authorization.user, self.user.as_ref());
        set_text(&mut options.authorization.password, self.password.as_ref());
        set_text(&mut options.authorization.token, self.token.as_ref());
        self.apply_streams(options);
        self.log.apply(options);
        self.tls.apply(options);
        self.cluster.apply(options)
    }
}

impl Overlay {
    // spec: CORE-149
    fn apply_streams(&self, options: &mut Options) {
        match self.jetstream {
            Some(true) => drop(options.jetstream.get_or_insert_default()),
            Some(false) => options.jetstream = None,
            None => {}
        }
        if let Some(jetstream) = &mut options.jetstream {
            set_text(&mut jetstream.store_dir, self.store_dir.as_ref());
        }
    }
}

impl LogOverlay {
    // spec: CORE-148
    fn from_flags(given: &Given) -> Self {
        let mut log = Self {
            debug: given.switch(Flag::Debug),
            trace: given.switch(Flag::Trace),
            trace_verbose: None,
            time: given.switch(Flag::LogTime),
            time_utc: given.switch(Flag::LogTimeUtc),
            file: given.text(Flag::LogFile).map(str::to_owned),
            file_size_limit: given.number(Flag::LogSizeLimit).map(|limit| u64::try_from(limit).unwrap_or(0)),
            max_traced_msg_len: given.number(Flag::MaxTracedMsgLen).map(|len| usize::try_from(len).unwrap_or(0)),
            syslog: given.switch(Flag::Syslog),
            remote_syslog: given.text(Flag::RemoteSyslog).map(str::to_owned),
        };
        // The combined ones win over the single ones, wherever they stand.
        if let Some(on) = given.switch(Flag::DebugTrace) {
            (log.debug, log.trace) = (Some(on), Some(on));
        }
        if let Some(on) = given.switch(Flag::DebugTraceVerbose) {
            (log.debug, log.trace, log.trace_verbose) = (Some(on), Some(on), Some(on));
        }
        if let Some(on) = given.switch(Flag::TraceVerbose) {
            (log.trace, log.trace_verbose) = (Some(on), Some(on));
        }
        log
    }

    fn apply(&self, options: &mut Options) {
        let log = &mut options.log;
        set(&mut log.debug, self.debug);
        set(&mut log.trace, self.trace);
        set(&mut log.trace_verbose, self.trace_verbose);
        set(&mut log.time, self.time);
        set(&mut log.time_utc, self.time_utc);
        set(&mut log.file_size_limit, self.file_size_limit);
        set(&mut log.max_traced_msg_len, self.max_traced_msg_len);
        set_text(&mut log.file, self.file.as_ref());
        match self.syslog {
            Some(true) if log.syslog.is_none() => log.syslog = Some(Syslog::Local),
            Some(false) if log.syslog == Some(Syslog::Local) => log.syslog = None,
            _ => {}
        }
        match self.remote_syslog.as_deref() {
            None => {}
            Some("") => log.syslog = log.syslog.take().filter(|syslog| *syslog == Syslog::Local),
            Some(address) => log.syslog = Some(Syslog::Remote(address.to_owned())),
        }
    }
}

impl TlsOverlay {
    // spec: CORE-151
    fn from_flags(given: &Given) -> Result<Self, FlagError> {
        let on = given.switch(Flag::Tls);
        if on == Some(false) {
            return Ok(Self::Off);
        }
        let others = [Flag::TlsCert, Flag::TlsKey, Flag::TlsCaCert, Flag::TlsVerify];
        if on.is_none() && others.iter().all(|flag| given.last(*flag).is_none()) {
            return Ok(Self::Keep);
        }
        let path = |flag| given.text(flag).filter(|path| !path.is_empty()).map(PathBuf::from);
        let need = |flag, message: &str| path(flag).ok_or_else(|| FlagError::Refused(message.into()));
        let cert_file = need(Flag::TlsCert, "TLS Server certificate must be present and valid")?;
        let key_file = need(Flag::TlsKey, "TLS Server private key must be present and valid")?;
        Ok(Self::Replace {
            pair: CertificatePair { cert_file, key_file },
            ca_file: path(Flag::TlsCaCert),
            verify: given.switch(Flag::TlsVerify) == Some(true),
        })
    }

    /// The flags replace whom the server is and whom it trusts; how patient it is stays the file's.
    // spec: CFG-143
    fn apply(&self, options: &mut Options) {
        match self {
            Self::Keep => {}
            Self::Off => options.tls = None,
            Self::Replace { pair, ca_file, verify } => {
                let file = options.tls.take().unwrap_or_default();
                options.tls = Some(Tls {
                    certificates: vec![pair.clone()],
                    ca_file: ca_file.clone(),
                    verify: *verify,
                    map: file.map,
                    timeout: file.timeout,
                    connection_rate_limit: file.connection_rate_limit,
                    pinned_certs: file.pinned_certs,
                    handshake_first: file.handshake_first,
                    ..Tls::default()
                });
            }
        }
    }
}

/// Whether it is a port at all is [`crate::validate`]'s part, as for one from the file.
fn port(given: &Given, flag: Flag, name: &str) -> Result<Option<i32>, FlagError> {
    let out_of_range =
        |number| FlagError::Usage(format!("invalid value \"{number}\" for flag -{name}: value out of range"));
    given.number(flag).map(|number| i32::try_from(number).map_err(|_| out_of_range(number))).transpose()
}

pub(super) fn set<T: Copy>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

pub(super) fn set_text<T: From<String>>(slot: &mut Option<T>, value: Option<&String>) {
    if let Some(value) = value {
        *slot = if value.is_empty() { None } else { Some(T::from(value.clone())) };
    }
}
