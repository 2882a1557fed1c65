//! The command line: the reference's flags with the reference's rules, in; what to do and what to override, out.
//!
//! The rules are those of Go's `flag` package, which every script around these servers relies on: one dash or
//! two, `-flag=value` or `-flag value`, switches that take a value only after `=`, the last one wins.
//!
//! Invariant: nothing is read or printed here. A flag that this version cannot honour is refused by its name.

mod cluster;
mod known;
mod overlay;
mod usage;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use thiserror::Error;

use known::{Flag, Kind};
pub use overlay::Overlay;
pub use usage::{tls_help, usage};

/// What a command line asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// What to do.
    pub action: Action,
    /// `-c`: the configuration file.
    pub config: Option<PathBuf>,
    /// What the flags set; [`Overlay::apply`] it over the file, at start and at every reload.
    pub overlay: Overlay,
}

/// What the process is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Be a server.
    Run,
    /// Print the version.
    Version,
    /// Print [`usage`].
    Help,
    /// Print [`tls_help`].
    HelpTls,
    /// Send a signal to a running server.
    Signal {
        /// `stop`, `quit`, `term`, `reopen`, `reload` or `ldm`; not checked yet.
        command: String,
        /// A process id, a prefix of one and `*`, the path of a pid file, or empty for the one that runs.
        target: String,
    },
    /// Parse the configuration file and say whether it is valid.
    TestConfig,
}

/// Why a command line is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FlagError {
    /// It breaks the rules of flags: the message goes to standard error, the usage to standard output, and the
    /// exit status is 0, as the reference has it.
    // spec: CORE-155
    #[error("{0}")]
    Usage(String),
    /// It is well formed and cannot be done: exit status 1.
    #[error("{0}")]
    Refused(String),
}

/// A value, read by the kind of its flag.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Switch(bool),
    Number(i64),
    Text(String),
}

/// Every flag that was given, in order, and the first word that is none.
#[derive(Debug, Default)]
struct Given {
    flags: Vec<(Flag, Value)>,
    word: Option<String>,
}

impl Given {
    fn last(&self, flag: Flag) -> Option<&Value> {
        self.flags.iter().rev().find(|(given, _)| *given == flag).map(|(_, value)| value)
    }

    fn switch(&self, flag: Flag) -> Option<bool> {
        self.last(flag).map(|value| matches!(value, Value::Switch(true)))
    }

    fn number(&self, flag: Flag) -> Option<i64> {
        match self.last(flag)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    fn text(&self, flag: Flag) -> Option<&str> {
        match self.last(flag)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads the arguments that follow the program's name.
///
/// # Errors
/// [`FlagError`], which also says with which status to leave.
// spec: CLI-002
pub fn parse<S: AsRef<str>>(args: &[S]) -> Result<Parsed, FlagError> {
    let given = collect(args)?;
    let config = given.text(Flag::Config).filter(|path| !path.is_empty()).map(PathBuf::from);
    let action = action(&given, config.is_some())?;
    let mut parsed = Parsed { action, config, overlay: Overlay::default() };
    if parsed.action == Action::Run {
        refuse_unsupported(&given)?;
        parsed.overlay = Overlay::from_flags(&given)?;
    }
    Ok(parsed)
}

/// Go's flag rules.
// spec: CORE-146
fn collect<S: AsRef<str>>(args: &[S]) -> Result<Given, FlagError> {
    let mut given = Given::default();
    let mut args = args.iter().map(AsRef::as_ref);
    while let Some(arg) = args.next() {
        if arg == "--" {
            given.word = args.next().map(str::to_owned);
            break;
        }
        if arg.len() < 2 || !arg.starts_with('-') {
            given.word = Some(arg.to_owned());
            break;
        }
        let body = arg.strip_prefix("--").unwrap_or(&arg[1..]);
        if body.starts_with(['-', '=']) {
            return Err(FlagError::Usage(format!("bad flag syntax: {arg}")));
        }
        let (name, inline) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (body, None),
        };
        let Some((flag, kind)) = known::find(name) else {
            return Err(FlagError::Usage(format!("flag provided but not defined: -{name}")));
        };
        let value = match (kind, inline) {
            (Kind::Switch, None) => Value::Switch(true),
            (Kind::Switch, Some(text)) => Value::Switch(switch(name, text)?),
            (Kind::Number | Kind::Text, inline) => {
                let Some(text) = inline.or_else(|| args.next()) else {
                    return Err(FlagError::Usage(format!("flag needs an argument: -{name}")));
                };
                if kind == Kind::Number { Value::Number(number(name, text)?) } else { Value::Text(text.to_owned()) }
            }
        };
        given.flags.push((flag, value));
    }
    Ok(given)
}

fn switch(name: &str, text: &str) -> Result<bool, FlagError> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(FlagError::Usage(format!("invalid boolean value {text:?} for -{name}: parse error"))),
    }
}

/// Decimal, or with the prefix `0x`, `0o`, `0b` or a bare `0` for octal; underscores after a prefix.
fn number(name: &str, text: &str) -> Result<i64, FlagError> {
    let invalid = |why| FlagError::Usage(format!("invalid value {text:?} for flag -{name}: {why}"));
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(hex) = lower.strip_prefix("0x") {
        (16, hex.replace('_', ""))
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (2, binary.replace('_', ""))
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (8, octal.replace('_', ""))
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, lower.replace('_', ""))
    } else {
        (10, lower)
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(invalid("parse error"));
    }
    let magnitude = i128::from_str_radix(&digits, radix).map_err(|_| invalid("value out of range"))?;
    i64::try_from(if negative { -magnitude } else { magnitude }).map_err(|_| invalid("value out of range"))
}

/// What is to be done; the first that was asked for, in the reference's order.
fn action(given: &Given, has_config: bool) -> Result<Action, FlagError> {
    // spec: CORE-153 CLI-001
    if given.switch(Flag::Version) == Some(true) {
        return Ok(Action::Version);
    }
    if given.switch(Flag::Help) == Some(true) {
        return Ok(Action::Help);
    }
    if given.switch(Flag::HelpTls) == Some(true) {
        return Ok(Action::HelpTls);
    }
    // spec: CORE-154
    if let Some(word) = &given.word {
        return match word.to_lowercase().as_str() {
            "version" => Ok(Action::Version),
            "help" => Ok(Action::Help),
            _ => Err(FlagError::Refused(format!("unrecognized command: {word:?}"))),
        };
    }
    // spec: CORE-141
    if let Some(signal) = given.text(Flag::Signal).filter(|signal| !signal.is_empty()) {
        let mut parts = signal.split('=');
        let command = parts.next().unwrap_or_default().to_owned();
        let target = parts.next().unwrap_or_default().to_owned();
        let more: Vec<_> = parts.collect();
        if !more.is_empty() {
            return Err(FlagError::Refused(format!("invalid signal parameters: [{}]", more.join(" "))));
        }
        return Ok(Action::Signal { command, target });
    }
    if given.switch(Flag::TestConfig) == Some(true) {
        // spec: CORE-156
        if !has_config {
            let message = "must specify [-c, --config] option to check configuration file syntax";
            return Err(FlagError::Refused(message.into()));
        }
        return Ok(Action::TestConfig);
    }
    Ok(Action::Run)
}

/// Features of later versions: known, and refused by the name they were asked by.
fn refuse_unsupported(given: &Given) -> Result<(), FlagError> {
    // In the words that refuse a feature in the file.
    let refuse = |name: &str, what: &str| {
        Err(FlagError::Refused(format!(
            "{name:?} is not supported by this version of Martlet yet; remove {what} to start without it"
        )))
    };
    if given.number(Flag::Profile).is_some_and(|port| port != 0) {
        return refuse("--profile", "the flag");
    }
    Ok(())
}
