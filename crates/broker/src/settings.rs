//! What sessions read of the configuration; replaced as a whole by a reload.

use std::sync::Arc;
use std::time::Duration;

use martlet_auth::Directory;
use martlet_config::options::{Limits, Switches, Timing};
use martlet_config::{Options, advertise};
use martlet_proto::{API_LEVEL, Info, ParseLimits};

use crate::account;
use crate::broker::BrokerError;
use crate::protocol_log::ProtocolLog;

/// Who this server is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its public nkey.
    pub id: String,
    /// Its public curve key.
    pub xkey: String,
    /// Its name.
    pub name: String,
    /// The reference version it is compatible with.
    pub version: &'static str,
    /// The commit it was built from.
    pub git_commit: &'static str,
    /// What INFO says it was built with.
    pub built_with: &'static str,
}

impl Identity {
    /// What INFO says of the server to everyone; the rest depends on who asks.
    pub fn info(&self) -> Info {
        Info {
            server_id: self.id.clone(),
            server_name: self.name.clone(),
            version: self.version.into(),
            git_commit: self.git_commit.into(),
            go: self.built_with.into(),
            ..Info::default()
        }
    }
}

/// What sessions read of the configuration.
#[derive(Debug)]
pub struct Settings {
    /// Limits of connections and messages.
    pub limits: Limits,
    /// Pings and deadlines.
    pub timing: Timing,
    /// Behaviour switches.
    pub switches: Switches,
    /// How control lines are read.
    pub parse: ParseLimits,
    /// INFO without what differs from connection to connection.
    pub info: Info,
    /// Who may connect.
    pub directory: Directory,
    /// How long a client may take to authenticate.
    pub auth_timeout: Duration,
    /// The cluster's name, for scoped mappings.
    pub cluster: Option<String>,
    /// The system account's name; none with `no_system_account`.
    pub system_account: Option<Arc<str>>,
    /// How protocol lines go to the trace log, if they do.
    pub protocol_log: Option<ProtocolLog>,
}

impl Settings {
    /// The settings of `options` for a server listening on `port`.
    pub fn new(options: &Options, identity: &Identity, port: u16) -> Result<Self, BrokerError> {
        let directory = Directory::new(options)?;
        let tls = options.tls.as_ref();
        // spec: CFG-098
        let auth_timeout = options.authorization.timeout.unwrap_or_else(|| match tls {
            Some(tls) => tls.timeout + Duration::from_secs(1),
            None => Duration::from_secs(2),
        });
        // spec: CFG-026
        let (host, told_port) = match &options.client_advertise {
            Some(value) => advertise::parse(value, port)
                .map_err(|reason| BrokerError::Advertise { value: value.clone(), reason })?,
            None => (&*options.host, port.into()),
        };
        let plain_too = options.switches.allow_non_tls;
        let info = Info {
            proto: 1,
            host: host.to_owned(),
            port: told_port,
            headers: !options.switches.no_header_support,
            auth_required: directory.info_auth_required(),
            tls_required: tls.is_some() && !plain_too,
            tls_verify: tls.is_some_and(|t| t.verify),
            tls_available: tls.is_some() && plain_too,
            max_payload: i32::try_from(options.limits.max_payload).unwrap_or(i32::MAX),
            jetstream: options.jetstream.is_some(),
            domain: options.jetstream.as_ref().map(|jetstream| jetstream.domain.clone()).unwrap_or_default(),
            // spec: CORE-022
            api_lvl: API_LEVEL,
            xkey: identity.xkey.clone(),
            ..identity.info()
        };
        let system_account = (!options.switches.no_system_account)
            .then(|| options.system_account.as_deref().unwrap_or(account::SYSTEM).into());
        Ok(Self {
            parse: ParseLimits { max_control_line: options.limits.max_control_line as usize },
            limits: options.limits.clone(),
            timing: options.timing.clone(),
            switches: options.switches.clone(),
            info,
            directory,
            auth_timeout,
            cluster: options.cluster_name.clone(),
            system_account,
            protocol_log: ProtocolLog::new(&options.log),
        })
    }
}
