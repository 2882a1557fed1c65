//! Values of a type: what each kind of option accepts, and what is said about the rest.

use std::time::Duration;

use super::Decoder;
use crate::duration;
use crate::lang::{Kind, Value};

/// What a `timeout` in seconds should stay below (CFG-013).
const HIGH_TIMEOUT: Duration = Duration::from_mins(1);

impl Decoder<'_> {
    pub(super) fn string(&mut self, name: &str, value: &Value) -> Option<String> {
        match &value.kind {
            Kind::String(text) => Some(text.clone()),
            _ => self.findings.wrong_type(name, "a string", value),
        }
    }

    /// A string, or nothing when it is empty.
    pub(super) fn text(&mut self, name: &str, value: &Value) -> Option<String> {
        self.string(name, value).filter(|text| !text.is_empty())
    }

    pub(super) fn boolean(&mut self, name: &str, value: &Value) -> Option<bool> {
        match value.kind {
            Kind::Bool(value) => Some(value),
            _ => self.findings.wrong_type(name, "a boolean (true or false)", value),
        }
    }

    pub(super) fn integer(&mut self, name: &str, value: &Value) -> Option<i64> {
        match value.kind {
            Kind::Integer(number) => Some(number),
            _ => self.findings.wrong_type(name, "an integer", value),
        }
    }

    /// An integer that fits `T`.
    pub(super) fn number<T: TryFrom<i64>>(&mut self, name: &str, value: &Value) -> Option<T> {
        let number = self.integer(name, value)?;
        let fits = T::try_from(number).ok();
        if fits.is_none() {
            let reason = if number < 0 { "value can not be negative" } else { "value is too big" };
            self.findings.error(&value.span, format!("{name} {reason}: {number}"));
        }
        fits
    }

    /// An integer that fits `T`, and nothing when it is zero: zero stands for the default.
    pub(super) fn number_or_default<T: TryFrom<i64>>(&mut self, name: &str, value: &Value) -> Option<T> {
        let zero = matches!(value.kind, Kind::Integer(0));
        self.number(name, value).filter(|_| !zero)
    }

    /// A limit where zero and below mean none.
    pub(super) fn limit_or_none<T: TryFrom<i64> + Default>(&mut self, name: &str, value: &Value) -> Option<T> {
        match value.kind {
            Kind::Integer(..=0) => Some(T::default()),
            _ => self.number(name, value),
        }
    }

    /// A size in bytes up to 2 GiB, where zero stands for the default.
    // spec: CFG-051 CFG-052
    pub(super) fn size32(&mut self, name: &str, value: &Value) -> Option<u32> {
        let size = self.number_or_default::<i32>(name, value)?;
        let fits = u32::try_from(size).ok();
        if fits.is_none() {
            self.findings.error(&value.span, format!("{name} value can not be negative: {size}"));
        }
        fits
    }

    /// A duration string, or seconds as an integer with a warning. Zero stands for the default.
    // spec: CFG-010
    pub(super) fn duration(&mut self, name: &str, value: &Value) -> Option<Duration> {
        let nanos = match &value.kind {
            Kind::String(_) => return self.duration_string(name, value),
            Kind::Integer(seconds) => {
                let reason = format!("{name} should be converted to a duration");
                self.findings.warn_field(name, &value.span, &reason);
                seconds.saturating_mul(1_000_000_000)
            }
            _ => return self.findings.wrong_type(name, "a duration such as \"2m\" or \"500ms\"", value),
        };
        self.positive(name, value, nanos)
    }

    /// A duration that has to be a string. Zero stands for the default.
    // spec: CFG-011
    pub(super) fn duration_string(&mut self, name: &str, value: &Value) -> Option<Duration> {
        let nanos = self.signed_duration(name, value)?;
        self.positive(name, value, nanos)
    }

    /// Nanoseconds of a duration string.
    pub(super) fn signed_duration(&mut self, name: &str, value: &Value) -> Option<i64> {
        let Kind::String(text) = &value.kind else {
            return self.findings.wrong_type(name, "a duration string such as \"2m\" or \"500ms\"", value);
        };
        match duration::parse(text) {
            Ok(nanos) => Some(nanos),
            Err(error) => {
                self.findings.error(&value.span, format!("error parsing {name}: {error}"));
                None
            }
        }
    }

    fn positive(&mut self, name: &str, value: &Value, nanos: i64) -> Option<Duration> {
        match u64::try_from(nanos) {
            Ok(0) => None,
            Ok(nanos) => Some(Duration::from_nanos(nanos)),
            Err(_) => {
                self.findings.error(&value.span, format!("{name} can not be negative"));
                None
            }
        }
    }

    /// Seconds as an integer, a number or a duration string. Zero stands for the default.
    // spec: CFG-012 CFG-013
    pub(super) fn timeout(&mut self, block: &str, value: &Value) -> Option<Duration> {
        let (seconds, shown) = match &value.kind {
            #[expect(clippy::cast_precision_loss, reason = "a timeout of 2^53 seconds is refused all the same")]
            Kind::Integer(seconds) => (*seconds as f64, seconds.to_string()),
            Kind::Float(seconds) => (*seconds, seconds.to_string()),
            Kind::String(text) => match duration::parse(text) {
                #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a timeout")]
                Ok(nanos) => (nanos as f64 / 1e9, text.clone()),
                Err(error) => {
                    self.findings.error(&value.span, format!("error parsing {block} config, 'timeout' {error}"));
                    return None;
                }
            },
            _ => {
                let found = value.described();
                self.findings.error(
                    &value.span,
                    format!("error parsing {block} config, 'timeout' wrong type: expected seconds or a duration, got {found}"),
                );
                return None;
            }
        };
        let Ok(timeout) = Duration::try_from_secs_f64(seconds) else {
            self.findings.error(&value.span, format!("error parsing {block} config, 'timeout' can not be {shown}"));
            return None;
        };
        if block.ends_with("authorization") && timeout > HIGH_TIMEOUT {
            let reason = format!(
                "timeout of {shown} ({seconds:.6} seconds) is high, consider keeping it under 60 seconds. \
                 possibly caused by unquoted duration; use '1m' instead of 1m, for example"
            );
            self.findings.warn_field("timeout", &value.span, &reason);
        }
        Some(timeout).filter(|timeout| !timeout.is_zero())
    }

    /// A port alone, or `host:port`.
    // spec: CFG-014
    pub(super) fn listen(&mut self, name: &str, value: &Value) -> Option<(String, i32)> {
        let refused = match &value.kind {
            Kind::Integer(_) => return self.number(name, value).map(|port| (String::new(), port)),
            Kind::String(text) => match split_host_port(text) {
                Some((host, port)) => match port.parse() {
                    Ok(port) => return Some((host.to_owned(), port)),
                    Err(_) => format!("could not parse port {port:?}"),
                },
                None => format!("could not parse address string {text:?}, expected \"host:port\" or a port"),
            },
            _ => format!("{name:?}: expected port or host:port, got {}", value.described()),
        };
        self.findings.error(&value.span, refused);
        None
    }

    /// A string, or an array of strings.
    pub(super) fn strings(&mut self, name: &str, value: &Value) -> Option<Vec<String>> {
        match &value.kind {
            Kind::String(text) => Some(vec![text.clone()]),
            Kind::Array(_) => self.string_array(name, value),
            _ => self.findings.wrong_type(name, "a string or an array of strings", value),
        }
    }

    /// An array of strings.
    pub(super) fn string_array(&mut self, name: &str, value: &Value) -> Option<Vec<String>> {
        let items = self.array(name, value)?;
        let strings: Vec<_> = items.iter().filter_map(|item| self.string(name, item)).collect();
        (strings.len() == items.len()).then_some(strings)
    }

    pub(super) fn array<'v>(&mut self, name: &str, value: &'v Value) -> Option<&'v [Value]> {
        match &value.kind {
            Kind::Array(items) => Some(items),
            _ => self.findings.wrong_type(name, "an array", value),
        }
    }

    /// Puts `found` into `place` if there is something to put.
    pub(super) fn set<T>(place: &mut T, found: Option<T>) {
        if let Some(found) = found {
            *place = found;
        }
    }
}

/// Host and port of `host:port` or `[v6]:port`.
fn split_host_port(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once("]:")?;
        return (!port.contains(['[', ']', ':']) && !host.contains(['[', ']'])).then_some((host, port));
    }
    let (host, port) = text.split_once(':')?;
    (!port.contains([':', '[', ']']) && !host.contains(['[', ']'])).then_some((host, port))
}
