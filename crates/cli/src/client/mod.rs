//! The client commands: `pub`, `sub`, `req`, `reply`, `rtt`, `bench`, `healthz`, `server`, `stream`, `consumer`, `kv`, `object` and `account`, against any NATS-compatible server.
//!
//! [`is_client`] decides whether a command line is for this room; [`main`] runs it. Options, environment and context
//! files are the official command's, so that what people have set up works unchanged.
//!
//! Invariant: nothing here knows the server's insides; it speaks to servers over the network like any other client.

mod args;
mod bench;
mod body;
mod connect;
mod context;
mod duration;
mod error;
mod header;
mod healthz;
mod jetstream;
mod number;
mod out;
mod page;
mod publish;
mod reply;
mod request;
mod rtt;
mod server;
mod settings;
mod show;
mod stop;
mod subscribe;
mod switches;
mod table;
mod template;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use self::args::{Cli, Command};
use self::error::CliError;
use self::stop::Stop;

/// What a client command can be called by. To build all of them only to see that a server is meant would leave it with a
/// megabyte of memory that it never needs again.
const NAMES: &str = "pub publish sub subscribe req request reply rtt bench healthz server srv stream str consumer con kv kvs \
                     object obj account acct";

/// Whether `args` (with the program's name first) call a client command: the first word that is no connection option,
/// or `help` followed by one.
pub(crate) fn is_client(args: &[OsString]) -> bool {
    if !args.iter().skip(1).any(|word| NAMES.split(' ').any(|name| word == name)) {
        return false;
    }
    let command = Cli::command();
    let names_command = |word: &OsStr| word.to_str().is_some_and(|word| command.find_subcommand(word).is_some());
    let mut words = args.iter().skip(1);
    let mut first = true;
    while let Some(word) = words.next() {
        let Some(text) = word.to_str() else { return false };
        if first && text == "help" {
            return words.next().is_some_and(|word| names_command(word));
        }
        first = false;
        if !text.starts_with('-') {
            return names_command(word);
        }
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let option = command.get_arguments().find(|option| {
            option.get_long().is_some_and(|long| name.strip_prefix("--") == Some(long))
                || option.get_short().is_some_and(|short| name == format!("-{short}"))
        });
        match option {
            Some(option) if option.get_action().takes_values() && value.is_none() => drop(words.next()),
            Some(_) => {}
            None => return false,
        }
    }
    false
}

/// The client commands, a line each, for the page that lists everything `martlet` does.
pub(crate) fn overview() -> String {
    let command = Cli::command();
    let mut lines = vec!["Client commands (martlet COMMAND --help tells more):".to_owned()];
    lines.extend(command.get_subcommands().map(|subcommand| {
        let about = subcommand.get_about().map(ToString::to_string).unwrap_or_default();
        format!("    {:<8} {about}", subcommand.get_name())
    }));
    lines.push(String::new());
    lines.push("    import   Take over the streams of a stopped server".to_owned());
    lines.join("\n") + "\n"
}

/// Prints [`overview`].
pub(crate) fn print_overview() {
    // Whoever closed standard output does not want to read it.
    let _ = out::write(format!("\n{}", overview()).as_bytes());
}

/// Runs the client command in `args` to its end.
pub(crate) fn main(args: Vec<OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(switches::rewritten(args)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output, wrong use to standard error; a closed one is nobody's loss.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    // One thread keeps what the server says in order; only making load is worth more.
    let mut runtime = match cli.command {
        Command::Bench(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let ended = runtime.enable_all().build().map_err(|source| CliError::Start { source }).and_then(|runtime| {
        let ended = runtime.block_on(run(cli));
        // Standard input may still be waited for: leave that thread behind.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !matches!(error, CliError::OutputClosed) {
                out::plain_notice(&format!("martlet: {error}"));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

async fn run(cli: Cli) -> Result<(), CliError> {
    let resolved = settings::resolve(&cli.connection, &|name| std::env::var(name).ok())?;
    for warning in &resolved.warnings {
        out::plain_notice(&format!("martlet: warning: {warning}"));
    }
    let stop = Stop::on_signals()?;
    let settings = resolved.settings;
    match &cli.command {
        Command::Pub(args) => publish::run(args, &settings, &stop).await,
        Command::Sub(args) => subscribe::run(args, &settings, &stop).await,
        Command::Req(args) => request::run(args, &settings, &stop).await,
        Command::Reply(args) => reply::run(args, &settings, &stop).await,
        Command::Rtt(args) => rtt::run(args, &settings, &stop).await,
        Command::Bench(command) => bench::run(command, &settings, &stop).await,
        Command::Healthz(args) => healthz::run(args, settings.timeout).await,
        Command::Server(command) => server::run(command, &settings, &stop).await,
        Command::Stream(command) => jetstream::stream(command, &settings, &stop).await,
        Command::Consumer(command) => jetstream::consumer(command, &settings, &stop).await,
        Command::Kv(command) => jetstream::kv(command, &settings, &stop).await,
        Command::Object(command) => jetstream::object(command, &settings, &stop).await,
        Command::Account(command) => jetstream::account(command, &settings, &stop).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_commands_are_told_from_the_server() {
        let cases = [
            ("", false),
            ("pub a b", true),
            ("publish a b", true),
            ("bench pub x", true),
            ("server ls", true),
            ("server report routes", true),
            ("help server", true),
            ("stream ls", true),
            ("con info A b", true),
            ("-s nats://x pub a", true),
            ("--server=nats://x --no-context --timeout 1s sub >", true),
            ("help pub", true),
            ("help", false),
            ("--help", false),
            ("-c server.conf", false),
            ("--user derek --pass s3cret", false),
            ("--user pub -p 4222", false),
            ("--user pub", false),
            ("-p 4222 pub", false),
            ("-js", false),
            ("server.conf", false),
            ("--version", false),
        ];
        for (line, expected) in cases {
            let args: Vec<OsString> = ["martlet"].into_iter().chain(line.split_whitespace()).map(Into::into).collect();
            assert_eq!(is_client(&args), expected, "{line:?}");
        }
    }

    #[test]
    fn names_are_those_of_all_commands() {
        let cli = Cli::command();
        let of_one = |command: &clap::Command| {
            command.get_all_aliases().chain([command.get_name()]).map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        let mut known: Vec<String> = cli.get_subcommands().flat_map(of_one).collect();
        known.sort();
        let mut names: Vec<&str> = NAMES.split(' ').collect();
        names.sort_unstable();
        assert_eq!(names, known);
    }

    #[test]
    fn the_overview_lists_every_command() {
        let commands = [
            "pub", "sub", "req", "reply", "rtt", "bench", "healthz", "server", "stream", "consumer", "kv", "object",
            "account",
        ];
        for command in commands {
            assert!(overview().contains(&format!("\n    {command} ")), "{command}");
        }
    }
}
