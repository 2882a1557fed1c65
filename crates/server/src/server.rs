//! The assembly: options in, a running server out.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::available_parallelism;

use martlet_broker::{Broker, BrokerError};
use martlet_config::Options;
use martlet_net::{Clients, Loops, PipeEnd};
use thiserror::Error;
use tokio::runtime::Runtime;

use crate::identity;

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration contradicts itself.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// An address cannot be listened on.
    #[error("Error listening on {what} port {address}: {source}; is another server running there?")]
    Listen {
        /// Whose address.
        what: &'static str,
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The system gives no threads or runtime.
    #[error("the system has no resources for event loops: {0}")]
    Loops(io::Error),
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    broker: Arc<Broker>,
    clients: Arc<Clients>,
    address: Option<SocketAddr>,
    /// Listening and housekeeping; clients run on loops of their own.
    runtime: Runtime,
}

impl Server {
    /// Starts a server.
    pub fn start(options: &Options) -> Result<Self, StartError> {
        let listener = if options.dont_listen { None } else { Some(bind("client", &options.host, options.port)?) };
        let address = listener.as_ref().and_then(|l| l.local_addr().ok());
        let port = address.map_or(0, |a| a.port());
        let broker = Arc::new(Broker::new(identity::of(options), options, port, Vec::new())?);
        let loops = Arc::new(Loops::start(available_parallelism().map_or(1, usize::from)).map_err(StartError::Loops)?);
        let clients = Arc::new(Clients::new(broker.clone(), loops));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .thread_name("martlet-main")
            .build()
            .map_err(StartError::Loops)?;
        if let Some(listener) = listener {
            let clients = clients.clone();
            runtime.spawn(async move {
                if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                    martlet_net::listen(listener, clients).await;
                }
            });
        }
        Ok(Self { broker, clients, address, runtime })
    }

    /// Where clients connect.
    pub fn client_address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// A client connection without a socket.
    pub fn connect(&self) -> PipeEnd {
        self.clients.connect()
    }
}

fn bind(what: &'static str, host: &str, port: i32) -> Result<TcpListener, StartError> {
    let port = u16::try_from(port.max(0)).unwrap_or(0);
    let address = format!("{}:{port}", if host.contains(':') { format!("[{host}]") } else { host.to_owned() });
    let listen = || {
        let listener = TcpListener::bind(&address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    listen().map_err(|source| StartError::Listen { what, address: address.clone(), source })
}
