//! The functions that subjects, bodies and header values may call: `{{Count}}`, `{{Random 10 100}}` …
//!
//! What is not one of them stays as it was written, so that bodies with braces of their own pass unharmed.

use jiff::Zoned;

const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// What the functions answer for one message.
#[derive(Debug)]
pub(crate) struct Values<'a> {
    /// Number of the message, from 1.
    pub(crate) count: u64,
    /// The time.
    pub(crate) now: Zoned,
    /// The request being answered; empty when there is none.
    pub(crate) request: &'a [u8],
}

impl Values<'_> {
    /// Values of message `count`, now.
    pub(crate) fn now(count: u64) -> Self {
        Self { count, now: Zoned::now(), request: b"" }
    }

    /// Replaces the calls in `text`.
    pub(crate) fn render(&self, text: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("{{") {
            let (before, call) = rest.split_at(start);
            out.extend_from_slice(before.as_bytes());
            let Some(end) = call.find("}}") else {
                rest = call;
                break;
            };
            match self.call(&call[2..end]) {
                Some(value) => out.extend_from_slice(&value),
                None => out.extend_from_slice(&call.as_bytes()[..end + 2]),
            }
            rest = &call[end + 2..];
        }
        out.extend_from_slice(rest.as_bytes());
        out
    }

    /// As [`Self::render`], where only text will do.
    pub(crate) fn render_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.render(text)).into_owned()
    }

    fn call(&self, call: &str) -> Option<Vec<u8>> {
        let mut words = call.split_whitespace();
        let name = words.next()?;
        let arguments: Vec<&str> = words.collect();
        let text = match (name.trim_start_matches('.'), arguments.as_slice()) {
            ("Count" | "Cnt", []) => self.count.to_string(),
            ("Time", []) => self.now.strftime("%-I:%M%p").to_string(),
            ("TimeStamp", []) => self.now.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            ("Unix", []) => self.now.timestamp().as_second().to_string(),
            ("UnixNano", []) => self.now.timestamp().as_nanosecond().to_string(),
            ("ID", []) => random_text(22),
            ("Request", []) => return Some(self.request.to_vec()),
            ("Random", [min, max]) => {
                let (min, max): (usize, usize) = (min.parse().ok()?, max.parse().ok()?);
                (min <= max && max <= 1 << 20).then(|| random_text(fastrand::usize(min..=max)))?
            }
            _ => return None,
        };
        Some(text.into_bytes())
    }
}

fn random_text(length: usize) -> String {
    (0..length).map(|_| char::from(ALPHANUMERIC[fastrand::usize(..ALPHANUMERIC.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values<'static> {
        let now = "2026-03-01T15:04:05.000000006+01:00[+01:00]".parse().unwrap();
        Values { count: 7, now, request: b"ping" }
    }

    #[test]
    fn calls_are_replaced_and_all_else_stays() {
        let cases = [
            ("", ""),
            ("plain", "plain"),
            ("n {{Count}} of {{ Cnt }}", "n 7 of 7"),
            ("{{Time}}", "3:04PM"),
            ("{{TimeStamp}}", "2026-03-01T15:04:05+01:00"),
            ("{{Unix}}/{{UnixNano}}", "1772373845/1772373845000000006"),
            ("got {{.Request}}", "got ping"),
            ("{{Unknown}} {{Count 1}} {{}} {{Random 9}}", "{{Unknown}} {{Count 1}} {{}} {{Random 9}}"),
            ("open {{Count", "open {{Count"),
            ("{\"a\": {\"b\": {}}}", "{\"a\": {\"b\": {}}}"),
            ("ünï {{Count}} ✓", "ünï 7 ✓"),
        ];
        for (text, expected) in cases {
            assert_eq!(values().render_text(text), expected, "{text}");
        }
    }

    #[test]
    fn random_texts_have_the_length_asked_for() {
        for _ in 0..200 {
            let text = values().render_text("{{Random 3 5}}");
            assert!((3..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric()), "{text}");
        }
        assert_eq!(values().render_text("{{ID}}").len(), 22);
        for refused in ["{{Random 5 3}}", "{{Random 0 99999999999}}"] {
            assert_eq!(values().render_text(refused), refused);
        }
    }
}
