//! What an entry looks like: the reference's text line, or one JSON object.

use std::fmt::{self, Write as _};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use log::kv::{Error, Key, Value, VisitSource};
use log::{Level, Record};
use martlet_config::options::LogOptions;

use super::FATAL;

/// The level of an entry, as lines show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Fatal,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Label {
    pub(super) fn of(record: &Record<'_>) -> Self {
        match record.level() {
            Level::Error if record.target() == FATAL => Self::Fatal,
            Level::Error => Self::Error,
            Level::Warn => Self::Warn,
            Level::Info => Self::Info,
            Level::Debug => Self::Debug,
            Level::Trace => Self::Trace,
        }
    }

    /// Its three letters, its name in JSON and its colour.
    fn shown(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Fatal => ("FTL", "fatal", "31"),
            Self::Error => ("ERR", "error", "31"),
            Self::Warn => ("WRN", "warn", "0;93"),
            Self::Info => ("INF", "info", "32"),
            Self::Debug => ("DBG", "debug", "36"),
            Self::Trace => ("TRC", "trace", "33"),
        }
    }
}

/// The zone of this machine. The file that says it is read by itself: to find out the zone's name, which no line shows, all names
/// there are would be gathered and kept.
fn local_zone() -> TimeZone {
    let told = std::env::var_os("TZ").is_some();
    let file = (!told).then(|| std::fs::read("/etc/localtime").ok()).flatten();
    file.and_then(|data| TimeZone::tzif("Local", &data).ok()).unwrap_or_else(TimeZone::system)
}

/// How lines are written.
pub(super) struct Style {
    pid: u32,
    time: bool,
    zone: TimeZone,
    colours: bool,
    json: bool,
}

impl Style {
    pub(super) fn new(options: &LogOptions, colours: bool) -> Self {
        Self {
            pid: std::process::id(),
            time: options.time,
            // spec: CFG-033
            zone: if options.time_utc { TimeZone::UTC } else { local_zone() },
            colours,
            json: options.json,
        }
    }

    /// The whole line with its end. `bare` leaves out what the receiver adds itself.
    pub(super) fn line(&self, label: Label, message: &str, record: Option<&Record<'_>>, bare: bool) -> String {
        let now = Timestamp::now().to_zoned(self.zone.clone());
        let mut line = String::with_capacity(message.len() + 64);
        // Writing to a string does not fail.
        let _ = match (self.json, bare) {
            (true, _) => self.json_start(&mut line, &now, label, bare),
            (false, true) => Ok(()),
            (false, false) => self.text_start(&mut line, &now, label),
        };
        if self.json {
            line.push_str(&json_text(message));
        } else {
            line.push_str(message);
        }
        if let Some(record) = record {
            let pairs = record.key_values();
            // The visitors answer no error of their own.
            let _ =
                if self.json { pairs.visit(&mut JsonPairs(&mut line)) } else { pairs.visit(&mut TextPairs(&mut line)) };
        }
        if self.json {
            line.push('}');
        }
        line.push('\n');
        line
    }

    /// All of a text line but the text.
    // spec: CORE-163
    fn text_start(&self, line: &mut String, now: &Zoned, label: Label) -> fmt::Result {
        let (letters, _, colour) = label.shown();
        write!(line, "[{}] ", self.pid)?;
        if self.time {
            let (year, month, day) = (now.year(), now.month(), now.day());
            let (hour, minute, second) = (now.hour(), now.minute(), now.second());
            let micros = now.subsec_nanosecond() / 1_000;
            write!(line, "{year:04}/{month:02}/{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06} ")?;
        }
        if self.colours { write!(line, "[\x1b[{colour}m{letters}\x1b[0m] ") } else { write!(line, "[{letters}] ") }
    }

    /// A JSON line up to its message.
    fn json_start(&self, line: &mut String, now: &Zoned, label: Label, bare: bool) -> fmt::Result {
        let (_, name, _) = label.shown();
        line.push('{');
        if self.time && !bare {
            let stamp = now.strftime("%Y-%m-%dT%H:%M:%S%.6f");
            write!(line, r#""time":"{stamp}{}","#, offset(now))?;
        }
        write!(line, r#""level":"{name}","pid":{},"message":"#, self.pid)
    }
}

/// The zone's offset as RFC 3339 writes it.
pub(super) fn offset(now: &Zoned) -> String {
    if now.offset().is_zero() { "Z".into() } else { now.strftime("%:z").to_string() }
}

/// The text of an entry, without its pairs.
pub(super) fn message(record: &Record<'_>) -> String {
    match record.args().as_str() {
        Some(text) => text.to_owned(),
        None => record.args().to_string(),
    }
}

struct TextPairs<'a>(&'a mut String);

impl<'kvs> VisitSource<'kvs> for TextPairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let text = value.to_string();
        let plain =
            !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "\"=".contains(c));
        // Writing to a string does not fail.
        let _ = if plain { write!(self.0, " {key}={text}") } else { write!(self.0, " {key}={text:?}") };
        Ok(())
    }
}

struct JsonPairs<'a>(&'a mut String);

impl<'kvs> VisitSource<'kvs> for JsonPairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let key = match key.as_str() {
            taken @ ("time" | "level" | "pid" | "message") => json_text(&format!("field.{taken}")),
            key => json_text(key),
        };
        let value = if let Some(flag) = value.to_bool() {
            flag.to_string()
        } else if let Some(number) = value.to_u64() {
            number.to_string()
        } else if let Some(number) = value.to_i64() {
            number.to_string()
        } else if let Some(number) = value.to_f64().filter(|number| number.is_finite()) {
            number.to_string()
        } else {
            json_text(&value.to_string())
        };
        // Writing to a string does not fail.
        let _ = write!(self.0, ",{key}:{value}");
        Ok(())
    }
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
