//! The assembly: options in, a running server out.
//!
//! Owns the threads, the listeners and the order of start and stop. Clients run on the event loops; accepting and
//! housekeeping have a runtime of their own, and so has monitoring, so that a large page never delays a message.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use martlet_broker::{Broker, BrokerError};
use martlet_config::options::Tls;
use martlet_config::{Options, ValidationError};
use martlet_events::Time;
use martlet_monitor::Monitor;
use martlet_net::tls::{self, RateLimiter, TlsError};
use martlet_net::{Clients, Links, Loops, PipeEnd, TlsPolicy, clock};
use parking_lot::{Mutex, RwLock};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::jetstream::{JetStream, JetStreamError, Switch};
use crate::links::Prepared;
use crate::monitoring::Monitoring;
use crate::process::Controls;
use crate::services::{Queues, Services};
use crate::views::{InForce, Others, View};
use crate::{events, identity};

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Options do not go together.
    #[error(transparent)]
    Invalid(#[from] ValidationError),
    /// The configuration contradicts itself.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// A `tls` block cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Streams cannot be kept.
    #[error(transparent)]
    JetStream(#[from] JetStreamError),
    /// Clients cannot be listened for.
    #[error("Error listening on port: {address}, \"{why}\"", address = .0.address, why = .0)]
    Clients(ListenError),
    /// Members of the cluster cannot be listened for.
    #[error("Error listening on router port: {0}")]
    Routes(ListenError),
    /// Leaf nodes cannot be listened for.
    #[error("Error listening on leafnode port: {0}")]
    Leafs(ListenError),
    /// Other clusters cannot be listened for.
    #[error("Error listening on gateway port: {0}")]
    Gateways(ListenError),
    /// `advertise` of a block is no address.
    #[error("Error setting INFO with advertise value of {value} in {block}, err={reason}")]
    Advertise {
        /// The block.
        block: &'static str,
        /// The address.
        value: String,
        /// What is wrong with it.
        reason: martlet_config::advertise::AdvertiseError,
    },
    /// Monitoring cannot be listened for.
    #[error("Can't start monitoring: can't listen to the monitor port: {0}")]
    Monitoring(ListenError),
    /// `https_port` without a `tls` block.
    #[error("https_port needs a tls block for its certificate")]
    NoMonitoringTls,
    /// The system gives no threads or runtime.
    #[error("the system has no resources for event loops: {0}")]
    Loops(io::Error),
}

/// Why an address cannot be listened on.
#[derive(Debug, Error)]
#[error("listen tcp {address}: {}", reason(.source))]
pub struct ListenError {
    /// The address.
    pub address: String,
    source: io::Error,
}

/// What people look for in a log, in the words of every other server; the system's own words for the rest.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "bind: address already in use".into(),
        io::ErrorKind::AddrNotAvailable => "bind: cannot assign requested address".into(),
        io::ErrorKind::PermissionDenied => "bind: permission denied".into(),
        _ => error.to_string(),
    }
}

/// A running server. It stops when it is dropped.
#[derive(Debug)]
pub struct Server {
    pub(crate) broker: Arc<Broker>,
    pub(crate) options: Arc<RwLock<InForce>>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) others: Others,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) monitoring: Option<Monitoring>,
    pub(crate) jetstream: Switch,
    pub(crate) phase: watch::Sender<Phase>,
    /// Kept until the last connection has ended.
    loops: Arc<Loops>,
    runtime: Option<Runtime>,
}

/// How far a server is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It takes clients.
    Open,
    /// It takes no more clients and sends those it has away.
    LameDuck,
    /// It closes everything.
    Stopping,
    /// Nothing is left.
    Stopped,
}

impl Server {
    /// Starts a server; it serves when this returns.
    pub fn start(options: &Options) -> Result<Self, StartError> {
        martlet_config::validate(options)?;
        martlet_config::validate_system_account(options)?;
        Self::start_in(options, None)
    }

    /// The same inside of `process`, which can be asked over the network to read its configuration file again.
    pub(crate) fn start_in(options: &Options, process: Option<Controls>) -> Result<Self, StartError> {
        let tls = options.tls.as_ref().map(|tls| policy(tls, options.switches.allow_non_tls)).transpose()?;
        let listener = if options.dont_listen {
            None
        } else {
            Some(bind(&options.host, options.port).map_err(StartError::Clients)?)
        };
        let address = listener.as_ref().and_then(|l| l.local_addr().ok());
        let identity = identity::of(options);
        let broker = Arc::new(Broker::new(identity, options, address.map_or(0, |a| a.port()))?);
        broker.offer_services(options).map_err(BrokerError::from)?;
        broker.site().set_origin(clock::wall_time(clock::wall(Time::ORIGIN)));
        let jetstream = Switch::new(JetStream::start(options, &broker)?);
        let happened = events::notice(&broker);
        let loops = Arc::new(Loops::start(available_parallelism().map_or(1, usize::from)).map_err(StartError::Loops)?);
        let clients = Arc::new(Clients::new(broker.clone(), loops.clone(), tls));
        let links = Arc::new(Links::new(broker.clone(), loops.clone()));
        let client_port = address.map_or(0, |a| a.port());
        let prepared = Prepared::new(options, &broker, &links, client_port)?;
        let others = prepared.others();
        let in_force = Arc::new(RwLock::new(InForce::now(options)));
        let queues = Arc::new(Queues::new());
        let view = View::new(
            broker.clone(),
            loops.clone(),
            clients.clone(),
            in_force.clone(),
            queues.clone(),
            others.clone(),
            address,
        );
        let monitor = Arc::new(Monitor::new(Arc::new(view.with_streams(jetstream.clone()))));
        let monitoring = Monitoring::start(options, &monitor, &clients)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .thread_name("martlet-main")
            .build()
            .map_err(StartError::Loops)?;
        prepared.open(runtime.handle());
        let (phase, _) = watch::channel(Phase::Open);
        if let Some(listener) = listener {
            runtime.spawn(listen_while_open(listener, clients.clone(), phase.subscribe()));
        }
        runtime.spawn(keep_house(broker.clone()));
        runtime.spawn(events::publish(broker.clone(), monitor.clone(), happened));
        let services = Services::new(broker.clone(), monitor, process, &queues);
        runtime.spawn(services.serve(queues));
        Ok(Self {
            broker,
            options: in_force,
            clients,
            others,
            address,
            monitoring,
            jetstream,
            phase,
            loops,
            runtime: Some(runtime),
        })
    }

    /// Where clients connect; `None` with `dont_listen`.
    pub fn client_address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Where monitoring answers over plain HTTP.
    pub fn monitoring_address(&self) -> Option<SocketAddr> {
        self.monitoring.as_ref().and_then(|m| m.http)
    }

    /// Where monitoring answers over HTTPS.
    pub fn monitoring_tls_address(&self) -> Option<SocketAddr> {
        self.monitoring.as_ref().and_then(|m| m.https)
    }

    /// A client connection without a socket. It speaks the client protocol and shares all subjects with the others.
    // spec: CORE-030
    pub fn connect(&self) -> PipeEnd {
        self.clients.connect()
    }

    /// What all connections share.
    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// The event loops.
    pub fn loops(&self) -> &Arc<Loops> {
        &self.loops
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("kept until the server is dropped")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close_all();
        if let Some(jetstream) = self.jetstream.get() {
            jetstream.close();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        self.phase.send_replace(Phase::Stopped);
    }
}

/// The policy of a `tls` block.
pub(crate) fn policy(block: &Tls, allow_plain: bool) -> Result<Arc<TlsPolicy>, TlsError> {
    let limiter = RateLimiter::new(block.connection_rate_limit).map(Mutex::new);
    Ok(Arc::new(TlsPolicy { server: Arc::new(tls::Server::load(block)?), allow_plain, limiter }))
}

async fn listen_while_open(listener: TcpListener, clients: Arc<Clients>, mut phase: watch::Receiver<Phase>) {
    match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => tokio::select! {
            () = martlet_net::listen(listener, clients) => {}
            _ = phase.wait_for(|phase| *phase > Phase::Open) => {}
        },
        Err(error) => log::error!("clients cannot be accepted: {error}"),
    }
}

async fn keep_house(broker: Arc<Broker>) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        broker.sweep(clock::now());
    }
}

/// A listening socket; port -1 is a free one.
pub(crate) fn bind(host: &str, port: i32) -> Result<TcpListener, ListenError> {
    martlet_net::bind(host, port).map_err(|source| {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        ListenError { address: format!("{host}:{}", port.max(0)), source }
    })
}
