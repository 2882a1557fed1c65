//! The cluster's flags, laid over the `cluster` block of the file.

use super::known::Flag;
use super::overlay::{set, set_text};
use super::{FlagError, Given};
use crate::options::{Cluster, LinkLogin, LinkUrl, LinkUrlError, Options, Secret, redacted};

/// What the flags say of the cluster.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct ClusterOverlay {
    listen: Option<Listen>,
    routes: Option<Vec<LinkUrl>>,
    advertise: Option<String>,
    no_advertise: Option<bool>,
    connect_retries: Option<u32>,
}

/// `--cluster`
#[derive(Debug, Clone, PartialEq)]
enum Listen {
    /// It is empty: there is no cluster, whatever the file says.
    Off,
    /// Where, and who may connect.
    At { host: String, port: i32, login: LinkLogin },
}

impl ClusterOverlay {
    // spec: CORE-152
    pub(super) fn from_flags(given: &Given) -> Result<Self, FlagError> {
        Ok(Self {
            listen: given.text(Flag::Cluster).map(listen).transpose()?,
            routes: given.text(Flag::Routes).map(routes).transpose()?,
            advertise: given.text(Flag::ClusterAdvertise).map(str::to_owned),
            no_advertise: given.switch(Flag::NoAdvertise),
            connect_retries: given.number(Flag::ConnectRetries).map(|count| {
                // As in the file, below zero is none.
                u32::try_from(count.max(0)).unwrap_or(u32::MAX)
            }),
        })
    }

    /// Overrides what the file says of the cluster.
    ///
    /// # Errors
    /// Routes are asked for, and neither the file nor the flags say where the cluster listens.
    // spec: CFG-018 CORE-157
    pub(super) fn apply(&self, options: &mut Options) -> Result<(), FlagError> {
        if *self == Self::default() {
            return Ok(());
        }
        let unset = Cluster::default();
        let mut cluster = options.cluster.take().unwrap_or_else(|| unset.clone());
        match &self.listen {
            None => {}
            Some(Listen::Off) => cluster.port = 0,
            Some(Listen::At { host, port, login }) => {
                cluster.host = if host.is_empty() { unset.host.clone() } else { host.clone() };
                cluster.port = *port;
                cluster.login = LinkLogin { timeout: cluster.login.timeout, ..login.clone() };
            }
        }
        if let Some(routes) = &self.routes {
            if !routes.is_empty() && !cluster.listens() {
                let message = "solicited routes require cluster capabilities, e.g. --cluster";
                return Err(FlagError::Refused(message.into()));
            }
            cluster.routes.clone_from(routes);
        }
        set_text(&mut cluster.advertise, self.advertise.as_ref());
        set(&mut cluster.no_advertise, self.no_advertise);
        set(&mut cluster.connect_retries, self.connect_retries);
        options.cluster = (cluster != unset).then_some(cluster);
        Ok(())
    }
}

/// `nats://user:password@host:port`; a port of -1 asks for a free one.
// spec: CORE-158
fn listen(text: &str) -> Result<Listen, FlagError> {
    if text.is_empty() {
        return Ok(Listen::Off);
    }
    // No URL has such a port.
    let (address, random) = match text.strip_suffix(":-1") {
        Some(address) => (format!("{address}:0"), true),
        None => (text.to_owned(), false),
    };
    let url = LinkUrl::parse_listen(&address).map_err(|reason| refused("cluster", text, reason))?;
    let Some(port) = url.port else {
        return Err(FlagError::Refused(format!("address {}: missing port in address", url.address())));
    };
    let login = match (url.user, url.password) {
        (None, _) => LinkLogin::default(),
        (Some(_), None) => return Err(FlagError::Refused("expected cluster password to be set".into())),
        (Some(user), password) => LinkLogin {
            user: Some(user).filter(|user| !user.is_empty()),
            password: password.filter(|password| *password != Secret::default()),
            timeout: None,
        },
    };
    Ok(Listen::At { host: url.host, port: if random { -1 } else { port.into() }, login })
}

/// Addresses between commas; an empty text takes those of the file away.
fn routes(text: &str) -> Result<Vec<LinkUrl>, FlagError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    text.split(',').map(|url| LinkUrl::parse(url).map_err(|reason| refused("route", url, reason))).collect()
}

fn refused(kind: &str, text: &str, reason: LinkUrlError) -> FlagError {
    FlagError::Refused(format!("error parsing {kind} url [{:?}]: {reason}", redacted(text)))
}
