//! What can go wrong in a client command, said so that a person knows what to do next.

use std::io;
use std::time::Duration;

use thiserror::Error;

use super::context::ContextError;
use super::duration::human;

/// A client command's failure. [`CliError::exit_code`] is what the process ends with.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    #[error(
        "cannot reach {servers}: {reason}; check that a server listens there (`martlet` starts one on port 4222), or name \
         another with --server, NATS_URL or --context"
    )]
    Unreachable { servers: String, reason: String },
    #[error(
        "{servers} refused {credentials}: Authorization Violation; check them, or give others with --user and --password, \
         --creds, --nkey or --context"
    )]
    Unauthorized { servers: String, credentials: String },
    #[error("{servers} refused the connection: {reason}")]
    Refused { servers: String, reason: String },
    #[error(
        "TLS with {servers} failed: {reason}; check that the server speaks TLS, that --tlsca holds its authority, and \
         whether it wants --tlsfirst or a client certificate (--tlscert, --tlskey)"
    )]
    Tls { servers: String, reason: String },
    #[error("no answer from {servers} within {}; check the address, try --tlsfirst if it starts with TLS, or wait longer with --timeout", human(*after))]
    ConnectTimeout { servers: String, after: Duration },
    #[error("{url:?} is no server URL: {reason}; write nats://HOST:PORT or tls://HOST:PORT")]
    Url { url: String, reason: String },
    #[error("the server went away: {reason}")]
    Lost { reason: String },
    #[error("the server did not confirm within {}; it may be stalled: try again, or wait longer with --timeout", human(*after))]
    Unconfirmed { after: Duration },
    #[error("the server refused it: {reason}")]
    Server { reason: String },
    #[error("no responders are available on {subject:?}: nothing subscribes to it; start one with `martlet reply`")]
    NoResponders { subject: String },
    #[error("no reply on {subject:?} within {}; wait longer with --timeout", human(*after))]
    NoReply { subject: String, after: Duration },
    #[error("{subject:?} is no subject to {purpose}: {reason}")]
    Subject { subject: String, purpose: &'static str, reason: String },
    #[error("header {header:?} is not NAME:VALUE: {reason}")]
    Header { header: String, reason: &'static str },
    #[error("the message of {size} bytes is larger than the server's max_payload of {limit} bytes")]
    TooLarge { size: usize, limit: usize },
    #[error("{option}: cannot read {path}: {source}")]
    Unreadable { option: &'static str, path: String, source: io::Error },
    #[error("{option}: {path} holds {problem}")]
    KeyFile { option: &'static str, path: String, problem: &'static str },
    #[error("{first} needs {second} too")]
    Pair { first: &'static str, second: &'static str },
    #[error(transparent)]
    Context(#[from] ContextError),
    #[error("cannot write {what}: {source}")]
    Write { what: String, source: io::Error },
    #[error("cannot read standard input: {source}")]
    Stdin { source: io::Error },
    #[error(
        "nobody answers {user} on {subject:?}: servers answer users of the system account only; give one with --user and \
         --password, --creds, --nkey or --context"
    )]
    NotSystem { subject: String, user: String },
    #[error("no server answers to the name or id {name:?}{}; `martlet server ls` lists those there are", in_cluster(cluster.as_deref()))]
    NoServer { name: String, cluster: Option<String> },
    #[error("no server knows account {account:?}; `martlet server report accounts --unused` lists those there are")]
    NoAccount { account: String },
    #[error("server {server:?} refused {subject}: {reason}")]
    Service { server: String, subject: String, reason: String },
    #[error("the answer to {subject} is not what servers say: {source}")]
    Answer { subject: String, source: serde_json::Error },
    #[error(
        "{silent} of {known} known servers did not answer; what is shown lacks them: try again, or wait longer with --timeout"
    )]
    Silent { silent: usize, known: usize },
    #[error("cannot {doing}: {description} (code {code}, err_code {err_code}){hint}")]
    Api { doing: String, description: String, code: u64, err_code: u64, hint: String },
    #[error(
        "nobody answers on {prefix}: JetStream is not there for this account; start the server with -js, give other credentials, or \
         check --js-domain and --js-api-prefix"
    )]
    NoJetStream { prefix: String },
    #[error("cannot {doing}: {reason}")]
    Failed { doing: String, reason: String },
    #[error("{name:?} is no {kind} name: {reason}")]
    Name { kind: &'static str, name: String, reason: &'static str },
    #[error("{option}: {path} is not what it should be: {reason}")]
    File { option: &'static str, path: String, reason: String },
    #[error("nothing was done: {0} Nobody said yes; answer \"y\", or give --force")]
    Refusal(String),
    #[error("{url} is not well: {reason}")]
    Unhealthy { url: String, reason: String },
    #[error("some servers did not answer every time")]
    Lossy,
    #[error("cannot start: {source}")]
    Start { source: io::Error },
    #[error("{0}")]
    Usage(String),
    #[error("the measurement failed: {0}")]
    Bench(String),
    #[error("interrupted")]
    Interrupted,
    /// Whoever read our output has gone: nothing is left to say.
    #[error("output closed")]
    OutputClosed,
}

fn in_cluster(cluster: Option<&str>) -> String {
    cluster.map(|cluster| format!(" in cluster {cluster:?}")).unwrap_or_default()
}

impl CliError {
    /// The process's exit status; the list is in the help text.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Interrupted => 130,
            Self::OutputClosed => 0,
            _ => 1,
        }
    }
}
