//! The monitoring listeners and the thread they run on.

use std::net::SocketAddr;
use std::sync::Arc;

use martlet_config::Options;
use martlet_monitor::Monitor;
use martlet_monitor::http::{HttpOptions, Limits, TlsProvider, serve};
use martlet_net::Clients;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};

use crate::server::{StartError, bind};

/// The running monitoring listeners.
#[derive(Debug)]
pub(crate) struct Monitoring {
    pub(crate) http: Option<SocketAddr>,
    pub(crate) https: Option<SocketAddr>,
    runtime: Option<Runtime>,
}

impl Monitoring {
    /// Starts what the options ask for.
    pub(crate) fn start(
        asked: &Options,
        monitor: &Arc<Monitor>,
        clients: &Arc<Clients>,
    ) -> Result<Option<Self>, StartError> {
        let ports = &asked.monitoring;
        if ports.http_port == 0 && ports.https_port == 0 {
            return Ok(None);
        }
        let host = if ports.host.is_empty() { &asked.host } else { &ports.host };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .thread_name("martlet-monitor")
            .build()
            .map_err(StartError::Loops)?;
        let mut started = Self { http: None, https: None, runtime: None };
        let mut listeners = Vec::new();
        for (port, secure) in [(ports.http_port, false), (ports.https_port, true)] {
            if port != 0 {
                let listener = bind(host, port).map_err(StartError::Monitoring)?;
                let address = listener.local_addr().ok();
                announce(secure, host, address);
                if secure {
                    started.https = address;
                } else {
                    started.http = address;
                }
                listeners.push((listener, secure));
            }
        }
        for (listener, secure) in listeners {
            let http = HttpOptions {
                base_path: ports.root(),
                basic_auth: ports.basic_auth.clone(),
                tls: if secure { Some(provider(clients)?) } else { None },
                limits: Limits::default(),
            };
            let monitor = monitor.clone();
            runtime.spawn(async move {
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => serve(listener, monitor, http, std::future::pending()).await,
                    Err(error) => log::error!("monitoring cannot be served: {error}"),
                }
            });
        }
        started.runtime = Some(runtime);
        Ok(Some(started))
    }
}

// spec: CORE-167
fn announce(secure: bool, host: &str, address: Option<SocketAddr>) {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let port = address.map_or(0, |address| address.port());
    log::info!("Starting {} monitor on {host}:{port}", if secure { "https" } else { "http" });
}

/// The TLS that clients get; what it was last if a reload has switched it off.
fn provider(clients: &Arc<Clients>) -> Result<TlsProvider, StartError> {
    let config = |clients: &Clients| clients.tls().map(|policy| policy.server.config.clone());
    let first = config(clients).ok_or(StartError::NoMonitoringTls)?;
    let last = Mutex::new(first);
    let clients = clients.clone();
    Ok(Arc::new(move || {
        let mut last = last.lock();
        if let Some(now) = config(&clients) {
            *last = now;
        }
        last.clone()
    }))
}

impl Drop for Monitoring {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
