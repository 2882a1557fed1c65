//! `martlet import`: a stopped reference server's streams, taken over.
//!
//! Nothing here reads or writes streams: that is the server's.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use martlet_server::import::{self, Import, Outcome, StreamReport};

/// Take over the streams of a stopped server
///
/// Reads DIR, the `store_dir` of a stopped nats-server, and makes Martlet's streams of it in the directory `martlet` beside
/// its `jetstream`. Nothing below `jetstream` is changed. Every message is looked at; a stream in which something is damaged
/// is left out unless `--skip-damaged` is given. Ends with status 1 unless all of every stream was taken over.
#[derive(Debug, Parser)]
#[command(name = "martlet import", bin_name = "martlet import", disable_version_flag = true)]
struct Args {
    /// The server's `store_dir`, or the directory `jetstream` in it
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// Martlet's `store_dir`, if it is to be another
    #[arg(long, value_name = "DIR")]
    store_dir: Option<PathBuf>,
    /// The key in that server's `jetstream` block, if its streams are encrypted
    #[arg(long, value_name = "KEY", env = "MARTLET_IMPORT_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Read and look at everything, and write nothing
    #[arg(long, visible_alias = "verify")]
    dry_run: bool,
    /// Leave out what is damaged, and take over the rest
    #[arg(long)]
    skip_damaged: bool,
    /// Write a report as JSON
    #[arg(short, long)]
    json: bool,
}

/// Whether `args`, with the program's name first, ask for this.
pub(crate) fn is_import(args: &[OsString]) -> bool {
    args.get(1).is_some_and(|word| word == "import")
}

/// Runs the command in `args` to its end.
pub(crate) fn main(mut args: Vec<OsString>) -> ExitCode {
    args.remove(0);
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let is_json = args.json;
    let import = Import {
        from: args.from,
        to: args.store_dir,
        key: args.key,
        dry_run: args.dry_run,
        skip_damaged: args.skip_damaged,
    };
    let mut tell = |report: &StreamReport| {
        if !is_json {
            say(&page(report));
        }
    };
    match import::run(&import, &mut tell) {
        Ok(reports) => {
            say(&if is_json { json(&reports) } else { summary(&reports) });
            ExitCode::from(u8::from(!reports.iter().all(StreamReport::is_whole)))
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr().lock(), "martlet: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes to standard output; whoever closed it does not want to read.
fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

fn json(reports: &[StreamReport]) -> String {
    serde_json::to_string_pretty(reports).expect("texts and numbers have a JSON form") + "\n"
}

/// What is said of one stream.
fn page(report: &StreamReport) -> String {
    let StreamReport { account, stream, messages, consumers, outcome, .. } = report;
    let became = match outcome {
        Outcome::Imported => "imported".to_owned(),
        Outcome::Verified => "can be imported".to_owned(),
        Outcome::Damaged => "left out: it is damaged (see --skip-damaged)".to_owned(),
        Outcome::Failed(why) => format!("left out: {why}"),
    };
    let cipher = report.cipher.as_ref().map(|cipher| format!(", encrypted with {cipher}")).unwrap_or_default();
    let mut page = format!("{account} > {stream}: {messages} messages, {consumers} consumers{cipher}: {became}\n");
    page.extend(report.damage.iter().map(|damage| format!("  damaged: {damage}\n")));
    page.extend(report.notes.iter().map(|note| format!("  note: {note}\n")));
    page
}

fn summary(reports: &[StreamReport]) -> String {
    let whole = reports.iter().filter(|report| report.is_whole()).count();
    let taken = reports.iter().filter(|report| matches!(report.outcome, Outcome::Imported | Outcome::Verified));
    let messages: u64 = taken.map(|report| report.messages).sum();
    let rest = match reports.len() - whole {
        0 => String::new(),
        left => format!("; {left} not, or not all of them"),
    };
    format!("{whole} of {} streams whole, {messages} messages{rest}\n", reports.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_alone_decides() {
        let args = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(is_import(&args("martlet import x")));
        for line in ["martlet", "martlet -c import", "martlet help import", "martlet stream import"] {
            assert!(!is_import(&args(line)), "{line}");
        }
    }
}
