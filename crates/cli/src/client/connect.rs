//! From settings to a connection that can confirm what the server has taken.
//!
//! The client library offers no round trip of its own (its flush ends at the socket), so a session confirms by a
//! message to itself: when it comes back, the server has processed everything sent before it. A server that does not
//! permit that message refuses it in the same order, which confirms just as well.

use std::error::Error as _;
use std::path::Path;
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, ServerAddr, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::error::CliError;
use super::settings::{Credentials, Settings, TlsFiles};

/// Messages that may wait to be shown or counted; beyond that they are dropped, and a person is told.
const SUBSCRIPTION_CAPACITY: usize = 1 << 20;

/// One connection, and what the server says on it beside messages.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    events: mpsc::UnboundedReceiver<Event>,
    timeout: Duration,
    probe: Option<(String, Subscriber)>,
    /// The last probe that the server refused; it may complain about one twice.
    refused: Option<String>,
    away: bool,
}

/// Connects, or says what is in the way.
pub(crate) async fn connect(settings: &Settings) -> Result<Session, CliError> {
    let addresses: Vec<ServerAddr> = settings
        .servers
        .iter()
        .map(|url| url.parse().map_err(|e: std::io::Error| CliError::Url { url: url.clone(), reason: e.to_string() }))
        .collect::<Result<_, _>>()?;
    let (tell, events) = mpsc::unbounded_channel();
    let mut options = with_credentials(ConnectOptions::new(), &settings.credentials)?
        .name(&settings.name)
        .connection_timeout(settings.timeout)
        .request_timeout(Some(settings.timeout))
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .event_callback(move |event| {
            let tell = tell.clone();
            async move {
                // The session may be over: then nobody needs to know.
                let _ = tell.send(event);
            }
        });
    options = with_tls(options, &settings.tls)?;
    if let Some(prefix) = &settings.inbox_prefix {
        options = options.custom_inbox_prefix(prefix);
    }
    let client = options.connect(addresses).await.map_err(|error| explain(&error, settings))?;
    Ok(Session { client, events, timeout: settings.timeout, probe: None, refused: None, away: false })
}

fn with_credentials(options: ConnectOptions, credentials: &Credentials) -> Result<ConnectOptions, CliError> {
    Ok(match credentials {
        Credentials::None => options,
        Credentials::Password { user, password } => options.user_and_password(user.clone(), password.clone()),
        Credentials::Token(token) => options.token(token.clone()),
        Credentials::CredsFile(path) => {
            let text = read("--creds", path)?;
            options.credentials(&text).map_err(|_| CliError::KeyFile {
                option: "--creds",
                path: path.display().to_string(),
                problem: "no user JWT with an nkey seed",
            })?
        }
        Credentials::NkeyFile(path) => {
            let text = read("--nkey", path)?;
            let seed = text.lines().map(str::trim).find(|line| line.starts_with("SU"));
            let seed =
                seed.filter(|seed| nkeys::KeyPair::from_seed(seed).is_ok()).ok_or_else(|| CliError::KeyFile {
                    option: "--nkey",
                    path: path.display().to_string(),
                    problem: "no user nkey seed (a line that starts with SU)",
                })?;
            options.nkey(seed.to_owned())
        }
        Credentials::Jwt { jwt, seed } => {
            let key = nkeys::KeyPair::from_seed(seed).map_err(|_| CliError::KeyFile {
                option: "--context",
                path: "its user_seed".to_owned(),
                problem: "no user nkey seed",
            })?;
            let key = std::sync::Arc::new(key);
            options.jwt(jwt.clone(), move |nonce| {
                let key = key.clone();
                async move { key.sign(&nonce).map_err(async_nats::AuthError::new) }
            })
        }
    })
}

fn with_tls(mut options: ConnectOptions, tls: &TlsFiles) -> Result<ConnectOptions, CliError> {
    for (option, path) in [("--tlscert", &tls.cert), ("--tlskey", &tls.key), ("--tlsca", &tls.ca)] {
        if let Some(path) = path {
            read(option, path)?;
        }
    }
    if let Some(ca) = &tls.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let Some((cert, key)) = tls.cert.as_ref().zip(tls.key.as_ref()) {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    if tls.first {
        options = options.tls_first();
    }
    Ok(options.require_tls(tls.required()))
}

fn read(option: &'static str, path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|source| CliError::Unreadable {
        option,
        path: path.display().to_string(),
        source,
    })
}

fn explain(error: &ConnectError, settings: &Settings) -> CliError {
    let servers = settings.servers.join(", ");
    let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation => {
            CliError::Unauthorized { servers, credentials: settings.credentials.describe() }
        }
        ConnectErrorKind::TimedOut => CliError::ConnectTimeout { servers, after: settings.timeout },
        ConnectErrorKind::Tls => CliError::Tls { servers, reason },
        ConnectErrorKind::Io if is_tls(error) || settings.tls.required() && reason.contains("eof") => {
            CliError::Tls { servers, reason }
        }
        ConnectErrorKind::Io => match reason.strip_prefix("nats: ") {
            Some(said) => CliError::Refused { servers, reason: said.trim_matches('\'').to_owned() },
            None => CliError::Unreachable { servers, reason },
        },
        ConnectErrorKind::ServerParse => CliError::Url { url: servers, reason },
        ConnectErrorKind::Dns => CliError::Unreachable { servers, reason },
        ConnectErrorKind::Authentication | ConnectErrorKind::MaxReconnects => {
            CliError::Refused { servers, reason: error.to_string() }
        }
    }
}

/// A failed handshake reaches us as an I/O error that wraps the TLS library's.
fn is_tls(error: &ConnectError) -> bool {
    let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    io.and_then(std::io::Error::get_ref)
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<async_nats::rustls::Error>)
}

impl Session {
    /// Waits until the server has taken everything sent so far. Answers the round trip's time.
    pub(crate) async fn confirm(&mut self) -> Result<Duration, CliError> {
        let lost = |error: &dyn std::error::Error| CliError::Lost { reason: error.to_string() };
        let (inbox, mut replies) = if let Some(probe) = self.probe.take() {
            probe
        } else {
            let inbox = self.client.new_inbox();
            let replies = self.client.subscribe(inbox.clone()).await.map_err(|e| lost(&e))?;
            (inbox, replies)
        };
        let start = Instant::now();
        self.client.publish(inbox.clone(), Bytes::new()).await.map_err(|e| lost(&e))?;
        let deadline = tokio::time::sleep(self.timeout);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                biased;
                event = self.events.recv() => match event {
                    Some(Event::ServerError(error)) => {
                        let reason = server_text(&error);
                        if self.is_about_old_probe(&reason) {
                            continue;
                        }
                        if reason.contains(&inbox) {
                            // Refusing the probe itself is an answer, and it comes in order.
                            self.refused = Some(inbox);
                            return Ok(start.elapsed());
                        }
                        return Err(CliError::Server { reason });
                    }
                    Some(Event::Disconnected | Event::Closed) | None => {
                        return Err(CliError::Lost { reason: "it closed the connection".to_owned() });
                    }
                    Some(_) => {}
                },
                reply = replies.next() => {
                    if reply.is_none() {
                        return Err(CliError::Lost { reason: "the connection was closed".to_owned() });
                    }
                    let elapsed = start.elapsed();
                    self.hear_refusals().await?;
                    self.probe = Some((inbox, replies));
                    return Ok(elapsed);
                }
                () = &mut deadline => return Err(CliError::Unconfirmed { after: self.timeout }),
            }
        }
    }

    /// Refusals reach us through a task of the client library, messages do not: a refusal that came before a message
    /// may be seen after it. On the single thread that commands run on, that task has had its turn after a yield.
    pub(crate) async fn hear_refusals(&mut self) -> Result<(), CliError> {
        for _ in 0..2 {
            tokio::task::yield_now().await;
        }
        self.refusal()
    }

    /// Waits a moment for refusals that are under way between threads.
    pub(crate) async fn settle(&mut self) -> Result<(), CliError> {
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.refusal()
    }

    fn is_about_old_probe(&self, reason: &str) -> bool {
        self.refused.as_ref().is_some_and(|inbox| reason.contains(inbox))
    }

    /// The first refusal that has arrived and was not yet reported.
    fn refusal(&mut self) -> Result<(), CliError> {
        while let Ok(event) = self.events.try_recv() {
            if let Event::ServerError(error) = event {
                let reason = server_text(&error);
                if !self.is_about_old_probe(&reason) {
                    return Err(CliError::Server { reason });
                }
            }
        }
        Ok(())
    }

    /// Whether messages were dropped on this side because nobody took them in time.
    pub(crate) fn has_dropped(&mut self) -> bool {
        std::iter::from_fn(|| self.events.try_recv().ok()).any(|event| matches!(event, Event::SlowConsumer(_)))
    }

    /// The next thing a person should hear about while a command runs on.
    pub(crate) async fn news(&mut self) -> String {
        loop {
            return match self.events.recv().await {
                Some(Event::Connected) if std::mem::take(&mut self.away) => "Connected again".to_owned(),
                Some(Event::Disconnected) => {
                    self.away = true;
                    "Disconnected; trying to connect again".to_owned()
                }
                Some(Event::LameDuckMode) => "The server is about to shut down".to_owned(),
                Some(Event::SlowConsumer(_)) => "Too slow: messages are being dropped here".to_owned(),
                Some(Event::ServerError(error)) => {
                    let reason = server_text(&error);
                    if self.is_about_old_probe(&reason) {
                        continue;
                    }
                    format!("Server error: {reason}")
                }
                Some(Event::ClientError(error)) => format!("Client error: {error}"),
                Some(Event::Connected | Event::Draining | Event::Closed) => continue,
                None => std::future::pending().await,
            };
        }
    }

    /// Sends what is left and closes.
    pub(crate) async fn close(self) {
        // A connection that is gone needs no farewell.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.client.flush()).await;
        let _ = self.client.drain().await;
    }
}

fn server_text(error: &async_nats::ServerError) -> String {
    let text = error.to_string();
    text.strip_prefix("nats: ").unwrap_or(&text).trim_matches('\'').to_owned()
}
