//! One monitoring connection: its handshake, its exchanges, and the clock that ends it.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::HttpOptions;
use super::answer::{Asked, answer, can_be_large};
use super::body::Guarded;
use super::reply::Reply;
use super::target::Escaped;
use crate::Monitor;

/// Answers above this size take one of the places for large ones until they are sent.
const LARGE: usize = 1024 * 1024;

/// How often a connection looks at its clock.
const TICK: Duration = Duration::from_secs(1);

/// Header fields of a request.
const MOST_HEADERS: usize = 64;

/// What a connection shares with its listener.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) monitor: Arc<Monitor>,
    pub(super) options: Arc<HttpOptions>,
    pub(super) large: Arc<Semaphore>,
    pub(super) stopped: watch::Receiver<bool>,
}

/// When the exchange in progress began, if there is one.
#[derive(Clone, Default)]
struct Exchange(Arc<Mutex<Option<Instant>>>);

impl Exchange {
    fn set(&self, began: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = began;
    }

    fn lasts(&self) -> Duration {
        let began = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        began.map_or(Duration::ZERO, |began| began.elapsed())
    }
}

/// Dropped when the last piece of an answer has been handed over.
struct Sending {
    exchange: Exchange,
    _place: Option<OwnedSemaphorePermit>,
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.exchange.set(None);
    }
}

impl Connection {
    /// Serves the connection to its end. What goes wrong on it is the client's affair.
    pub(super) async fn run(self, stream: TcpStream) {
        let connections = &self.monitor.requests().connections;
        connections.fetch_add(1, Ordering::Relaxed);
        match &self.options.tls {
            None => self.exchanges(stream).await,
            Some(provider) => {
                let handshake = TlsAcceptor::from(provider()).accept(stream);
                match tokio::time::timeout(self.options.limits.head_time, handshake).await {
                    Ok(Ok(stream)) => self.exchanges(stream).await,
                    Ok(Err(error)) => log::debug!("monitoring: TLS handshake error: {error}"),
                    Err(_) => log::debug!("monitoring: TLS handshake took too long"),
                }
            }
        }
        connections.fetch_sub(1, Ordering::Relaxed);
    }

    async fn exchanges(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let exchange = Exchange::default();
        let service = service_fn(|request| self.exchange(request, exchange.clone()));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.options.limits.head_time)
            .max_buf_size(self.options.limits.head_bytes)
            .max_headers(MOST_HEADERS)
            .half_close(true)
            .title_case_headers(true)
            .serve_connection(TokioIo::new(Escaped::new(stream)), service);
        let mut connection = pin!(connection);
        let mut stopped = self.stopped.clone();
        let mut tick = tokio::time::interval(TICK);
        let mut stopping = false;
        loop {
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        log::debug!("monitoring: {error}");
                    }
                    return;
                }
                _ = stopped.wait_for(|&stopped| stopped), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                _ = tick.tick() => {
                    if exchange.lasts() > self.options.limits.exchange_time {
                        self.monitor.requests().timed_out.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                }
            }
        }
    }

    async fn exchange(
        &self,
        request: Request<Incoming>,
        exchange: Exchange,
    ) -> Result<Response<Guarded<Sending>>, Infallible> {
        exchange.set(Some(Instant::now()));
        let mut place = None;
        if can_be_large(request.uri().path()) {
            place = Some(Arc::clone(&self.large).acquire_owned().await.expect("nobody closes the semaphore"));
        }
        let authorization = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let reply = answer(
            &self.monitor,
            &self.options,
            &Asked {
                get: request.method() == Method::GET,
                path: request.uri().path(),
                query: request.uri().query(),
                authorization,
            },
        );
        let place = place.filter(|_| reply.body.len() > LARGE);
        Ok(into_response(reply, Sending { exchange, _place: place }))
    }
}

fn into_response(reply: Reply, sending: Sending) -> Response<Guarded<Sending>> {
    let mut response = Response::new(Guarded::new(reply.body, sending));
    *response.status_mut() = StatusCode::from_u16(reply.status).expect("replies have the codes of HTTP");
    for (name, value) in reply.headers {
        // A location repeats what the client sent, which came as a valid path.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}
