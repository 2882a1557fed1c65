//! The client commands' arguments, named as the official command names them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{bench, duration, jetstream, number, server};

/// Shown at the end of every help page.
const EXIT_CODES: &str =
    "Exit status: 0 done, 1 failed (refused, no reply, not found …), 2 wrong use, 130 interrupted.";

/// What the client side of `martlet` accepts.
#[derive(Debug, Parser)]
#[command(
    name = "martlet",
    version,
    about = "Publish, subscribe, request and measure against any NATS-compatible server",
    after_help = EXIT_CODES,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How to reach the server; every command takes these, before or after its name.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    /// Server URLs, separated by commas [default: the local server, port 4222]
    #[arg(short, long, global = true, env = "NATS_URL", value_name = "URL", hide_env_values = true)]
    pub(crate) server: Option<String>,
    /// User name, or a token when no password is given
    #[arg(long, global = true, env = "NATS_USER", value_name = "USER", hide_env_values = true)]
    pub(crate) user: Option<String>,
    /// Password
    #[arg(long, global = true, env = "NATS_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// Credentials file
    #[arg(long, global = true, env = "NATS_CREDS", value_name = "FILE", hide_env_values = true)]
    pub(crate) creds: Option<PathBuf>,
    /// File with an nkey seed
    #[arg(long, global = true, env = "NATS_NKEY", value_name = "FILE", hide_env_values = true)]
    pub(crate) nkey: Option<PathBuf>,
    /// Client certificate
    #[arg(long, global = true, env = "NATS_CERT", value_name = "FILE", hide_env_values = true)]
    pub(crate) tlscert: Option<PathBuf>,
    /// Key of the client certificate
    #[arg(long, global = true, env = "NATS_KEY", value_name = "FILE", hide_env_values = true)]
    pub(crate) tlskey: Option<PathBuf>,
    /// Certificates of the authorities to trust
    #[arg(long, global = true, env = "NATS_CA", value_name = "FILE", hide_env_values = true)]
    pub(crate) tlsca: Option<PathBuf>,
    /// Start TLS before the server's greeting
    #[arg(long, global = true, env = "NATS_TLS_FIRST", hide_env_values = true)]
    pub(crate) tlsfirst: bool,
    /// How long to wait for the server and for replies
    #[arg(long, global = true, env = "NATS_TIMEOUT", value_name = "DURATION", default_value = "5s",
          value_parser = duration::parse, hide_env_values = true)]
    pub(crate) timeout: Duration,
    /// Name shown in the server's monitoring
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) connection_name: Option<String>,
    /// Prefix of the subjects that replies come to
    #[arg(long, global = true, value_name = "PREFIX")]
    pub(crate) inbox_prefix: Option<String>,
    /// Domain of the JetStream to use
    #[arg(long, global = true, value_name = "DOMAIN")]
    pub(crate) js_domain: Option<String>,
    /// What the subjects of JetStream's requests begin with [default: $JS.API]
    #[arg(long, global = true, value_name = "PREFIX")]
    pub(crate) js_api_prefix: Option<String>,
    /// Context to use instead of the selected one
    #[arg(long, global = true, env = "NATS_CONTEXT", value_name = "NAME", hide_env_values = true)]
    pub(crate) context: Option<String>,
    /// Use no context, not even the selected one
    #[arg(long, global = true)]
    pub(crate) no_context: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publish a message
    #[command(visible_alias = "publish", after_help = TEMPLATES)]
    Pub(PubArgs),
    /// Subscribe and show what arrives
    #[command(visible_alias = "subscribe")]
    Sub(SubArgs),
    /// Send a request and show the replies
    #[command(visible_alias = "request", after_help = TEMPLATES)]
    Req(ReqArgs),
    /// Answer requests
    #[command(after_help = TEMPLATES)]
    Reply(ReplyArgs),
    /// Measure the round trip to the server
    Rtt(RttArgs),
    /// Measure throughput and latency
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Ask the monitoring port of a server whether it is well; for health checks of containers
    Healthz(HealthzArgs),
    /// Look at all servers of a cluster, of other clusters and at leaf nodes
    #[command(subcommand, visible_alias = "srv", after_help = server::SYSTEM_USER)]
    Server(server::ServerCommand),
    /// Keep messages in streams, and look at them
    #[command(subcommand, visible_alias = "str")]
    Stream(Box<jetstream::StreamCommand>),
    /// Read streams through consumers
    #[command(subcommand, visible_alias = "con")]
    Consumer(Box<jetstream::ConsumerCommand>),
    /// Keep values under keys, in buckets
    #[command(subcommand, visible_alias = "kvs")]
    Kv(Box<jetstream::KvCommand>),
    /// Keep files and other large things, in buckets
    #[command(subcommand, visible_alias = "obj")]
    Object(Box<jetstream::ObjectCommand>),
    /// Back up all streams of an account, and restore them
    #[command(subcommand, visible_alias = "acct")]
    Account(jetstream::AccountCommand),
}

const TEMPLATES: &str = "Subject, body and header values may hold {{Count}}, {{Time}}, {{TimeStamp}}, {{Unix}}, {{UnixNano}}, \
{{ID}} and {{Random MIN MAX}}; a reply also {{Request}}.";

/// When a body from standard input is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SendOn {
    /// One message with everything up to the end
    Eof,
    /// One message per line
    Newline,
}

/// `pub`.
#[derive(Debug, Args)]
pub(crate) struct PubArgs {
    /// Subject to publish to
    pub(crate) subject: String,
    /// Body; read from standard input when that is a pipe or file and no body is given
    pub(crate) body: Option<String>,
    /// Subject that replies should go to
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) reply: Option<String>,
    /// Header as NAME:VALUE; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME:VALUE")]
    pub(crate) headers: Vec<String>,
    /// How many messages to send
    #[arg(long, default_value = "1", value_parser = number::parse_count)]
    pub(crate) count: u64,
    /// Pause between messages
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) sleep: Option<Duration>,
    /// Read the body from standard input even when it is a terminal
    #[arg(long)]
    pub(crate) force_stdin: bool,
    /// When a body from standard input is complete
    #[arg(long, value_enum, default_value_t = SendOn::Eof)]
    pub(crate) send_on: SendOn,
    /// Say nothing when all is well
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// `sub`.
#[derive(Debug, Args)]
pub(crate) struct SubArgs {
    /// Subjects to subscribe to; wildcards are * and >
    #[arg(required = true)]
    pub(crate) subjects: Vec<String>,
    /// Queue group to join
    #[arg(long, value_name = "GROUP")]
    pub(crate) queue: Option<String>,
    /// Stop after this many messages
    #[arg(long, value_parser = number::parse_count)]
    pub(crate) count: Option<u64>,
    /// Show bodies only
    #[arg(short, long)]
    pub(crate) raw: bool,
    /// Show headers without bodies
    #[arg(long)]
    pub(crate) headers_only: bool,
    /// Write each message as a JSON file into this folder; "-" writes them to standard output, ended by a zero byte
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) dump: Option<PathBuf>,
}

/// `req`.
#[derive(Debug, Args)]
pub(crate) struct ReqArgs {
    /// Subject to send the request to
    pub(crate) subject: String,
    /// Body; read from standard input when that is a pipe or file and no body is given
    pub(crate) body: Option<String>,
    /// Show bodies of replies only
    #[arg(short, long)]
    pub(crate) raw: bool,
    /// Header as NAME:VALUE; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME:VALUE")]
    pub(crate) headers: Vec<String>,
    /// How many requests to send
    #[arg(long, default_value = "1", value_parser = number::parse_count)]
    pub(crate) count: u64,
    /// How many replies to wait for; 0 takes all that come before the timeout
    #[arg(long, default_value = "1", value_parser = number::parse_count)]
    pub(crate) replies: u64,
    /// How long to wait for each further reply
    #[arg(long, default_value = "300ms", value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) reply_timeout: Duration,
    /// Read the body from standard input even when it is a terminal
    #[arg(long)]
    pub(crate) force_stdin: bool,
}

/// `reply`.
#[derive(Debug, Args)]
pub(crate) struct ReplyArgs {
    /// Subject to answer on
    pub(crate) subject: String,
    /// Body of the reply; without one the request is echoed
    #[arg(conflicts_with = "echo")]
    pub(crate) body: Option<String>,
    /// Send back what was received
    #[arg(long)]
    pub(crate) echo: bool,
    /// Queue group to join
    #[arg(short, long, value_name = "GROUP", default_value = "NATS-RPLY-22")]
    pub(crate) queue: String,
    /// Header as NAME:VALUE; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME:VALUE")]
    pub(crate) headers: Vec<String>,
    /// Stop after this many requests
    #[arg(long, value_parser = number::parse_count)]
    pub(crate) count: Option<u64>,
}

/// `healthz`.
#[derive(Debug, Args)]
pub(crate) struct HealthzArgs {
    /// Where the server listens for monitoring, without TLS
    #[arg(default_value = "http://127.0.0.1:8222", value_name = "URL")]
    pub(crate) url: String,
}

/// `rtt`.
#[derive(Debug, Args)]
pub(crate) struct RttArgs {
    /// How many round trips to average
    #[arg(default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) iterations: u32,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn connection_options_may_stand_before_and_after_the_command() {
        for line in ["martlet -s nats://x pub a b", "martlet pub a b -s nats://x", "martlet pub --server nats://x a b"]
        {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.connection.server.as_deref(), Some("nats://x"), "{line}");
            let Command::Pub(args) = cli.command else { panic!("{line}") };
            assert_eq!((args.subject.as_str(), args.body.as_deref()), ("a", Some("b")), "{line}");
        }
    }

    #[test]
    fn wrong_values_are_named() {
        for (line, value) in [
            ("martlet pub a --count many", "many"),
            ("martlet rtt 0", "0"),
            ("martlet rtt --timeout soon", "soon"),
            ("martlet bench pub a --size big", "big"),
        ] {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err().to_string();
            assert!(error.contains(value), "{error}");
        }
    }
}
