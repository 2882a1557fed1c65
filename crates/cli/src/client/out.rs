//! Standard output for what was asked for, standard error for what is said about it.

use std::io::{self, IsTerminal, Write};

use jiff::Zoned;
use serde::Serialize;

use super::error::CliError;

/// Writes `bytes` to standard output at once. When the reader has gone, says so by [`CliError::OutputClosed`].
pub(crate) fn write(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|source| match source.kind() {
        io::ErrorKind::BrokenPipe => CliError::OutputClosed,
        _ => CliError::Write { what: "to standard output".to_owned(), source },
    })
}

/// `value` as JSON for people and programs alike, with a line break at its end.
pub(crate) fn json(value: &impl Serialize) -> String {
    let mut text =
        serde_json::to_string_pretty(value).expect("texts, numbers and lists of them always have a JSON form");
    text.push('\n');
    text
}

/// `names`, a line each.
pub(crate) fn lines<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().flat_map(|name| [name, "\n"]).collect()
}

/// Says `text` on standard error, after the time of day as the official command does.
pub(crate) fn notice(text: &str) {
    plain_notice(&format!("{} {text}", Zoned::now().strftime("%H:%M:%S")));
}

/// Says `text` on standard error.
pub(crate) fn plain_notice(text: &str) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether a person watches standard error.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Asks on standard error, leaving the line open for the answer.
pub(crate) fn plain_prompt(text: &str) {
    let mut stderr = io::stderr().lock();
    // Nobody is left to answer when standard error is closed.
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}
