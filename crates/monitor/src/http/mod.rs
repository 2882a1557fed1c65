//! The monitoring listener: HTTP/1 with or without TLS.
//!
//! A monitoring client may be slow or hostile. What it can cost is bounded by [`Limits`]: connections, the size of a
//! request's head, the time for it and for the whole exchange, and how many large answers exist at once.
//!
//! Large views are built on the runtime that [`serve`] runs on: give it one of its own, not a loop that carries clients.

mod answer;
mod body;
mod connection;
mod debug;
mod index;
mod path;
mod reply;
mod target;

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Monitor;
use connection::Connection;

/// Asked for the TLS of every new connection, so that a reload takes effect at once.
pub type TlsProvider = Arc<dyn Fn() -> Arc<ServerConfig> + Send + Sync>;

/// How a listener answers.
#[derive(Clone, Default)]
pub struct HttpOptions {
    /// `http_base_path`: empty, or starting with `/` and not ending with it.
    pub base_path: String,
    /// User and password asked of every request but a plain `/healthz`, which probes cannot send credentials to.
    pub basic_auth: Option<(String, String)>,
    /// TLS; plain without it.
    pub tls: Option<TlsProvider>,
    /// What a client can cost.
    pub limits: Limits,
}

/// What monitoring clients can cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; more wait in the system's backlog.
    pub connections: usize,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Time to shake hands, and to send a request's head, also the next one on the same connection.
    pub head_time: Duration,
    /// Time from a request to the last byte of its answer.
    pub exchange_time: Duration,
    /// Answers above 1 MiB, being made or sent, at once.
    pub large_answers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            head_bytes: 16 * 1024,
            head_time: Duration::from_secs(10),
            exchange_time: Duration::from_mins(1),
            large_answers: 4,
        }
    }
}

/// How long connections may finish what they are doing when the listener stops.
const GRACE: Duration = Duration::from_secs(1);

/// Pause after a failed accept, which usually means that descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers on `listener` until `shutdown` resolves; then gives open exchanges a second to finish.
// spec: CLU-098 CLU-114
pub async fn serve(
    listener: TcpListener,
    monitor: Arc<Monitor>,
    options: HttpOptions,
    shutdown: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(options.limits.connections));
    let large = Arc::new(Semaphore::new(options.limits.large_answers));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let options = Arc::new(options);
    let mut connections = JoinSet::new();
    let accept = async {
        loop {
            while connections.try_join_next().is_some() {}
            let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes the semaphore");
            match listener.accept().await {
                Ok((stream, _)) => {
                    let connection = Connection {
                        monitor: Arc::clone(&monitor),
                        options: Arc::clone(&options),
                        large: Arc::clone(&large),
                        stopped: stopped.clone(),
                    };
                    connections.spawn(async move {
                        connection.run(stream).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    log::warn!(target: crate::logging::LIMITED, "monitoring: cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = shutdown => {}
        () = accept => {}
    }
    drop(listener);
    let _ = stop.send(true);
    let finished = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, finished).await;
}

#[cfg(test)]
mod tests;
