//! What the body of a pull request says.

use std::time::Duration;

use super::json;

/// A pull request's body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PullBody {
    /// How many messages; less than one counts as one.
    pub(super) batch: i64,
    /// How many bytes; 0 for any.
    pub(super) max_bytes: i64,
    /// How long it waits, in nanoseconds; 0 for ever.
    pub(super) expires: i64,
    /// It ends when nothing more is there.
    pub(super) no_wait: bool,
    /// How often it is told that it still waits; zero for never.
    pub(super) idle_heartbeat: Duration,
    /// Who of several goes first; `None` where the body cannot say.
    pub(super) priority: Option<Priority>,
}

/// What a request says of its priority.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Priority {
    /// The group.
    pub(super) group: String,
    /// Wait until this many are pending.
    pub(super) min_pending: i64,
    /// Wait until this many are not acknowledged.
    pub(super) min_ack_pending: i64,
    /// The pin.
    pub(super) id: String,
    /// The lowest goes first.
    pub(super) rank: i64,
}

impl PullBody {
    /// Reads nothing, a number, or an object; anything else asks for one message.
    // spec: JS-107 JS-110
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        let body = body.trim_ascii();
        if body.first() == Some(&b'{') {
            return Self::parse_object(body);
        }
        let batch = std::str::from_utf8(body).ok().and_then(|text| text.parse().ok()).unwrap_or(1);
        Ok(Self { batch, ..Self::default() })
    }

    fn parse_object(body: &[u8]) -> Result<Self, String> {
        let mut pull = Self::default();
        let mut of = Priority::default();
        let mut heartbeat = 0;
        // The first wrong type is told, but the rest is still read: a syntax error comes before it.
        json::fields(body, &mut |name, value| {
            let name = name.to_ascii_lowercase();
            match &*name {
                b"expires" => value.integer("expires", "time.Duration", &mut pull.expires),
                b"batch" => value.integer("batch", "int", &mut pull.batch),
                b"max_bytes" => value.integer("max_bytes", "int", &mut pull.max_bytes),
                b"no_wait" => value.boolean("no_wait", &mut pull.no_wait),
                b"idle_heartbeat" => value.integer("idle_heartbeat", "time.Duration", &mut heartbeat),
                b"group" => value.text("group", &mut of.group),
                b"min_pending" => value.integer("min_pending", "int64", &mut of.min_pending),
                b"min_ack_pending" => value.integer("min_ack_pending", "int64", &mut of.min_ack_pending),
                b"id" => value.text("id", &mut of.id),
                b"priority" => value.integer("priority", "int", &mut of.rank),
                _ => Ok(()),
            }
        })?;
        if heartbeat > 0 {
            if heartbeat.saturating_mul(2) > pull.expires {
                return Err("heartbeat value too large".to_owned());
            }
            pull.idle_heartbeat = Duration::from_nanos(heartbeat.unsigned_abs());
        }
        pull.priority = Some(of);
        Ok(pull)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(batch: i64) -> PullBody {
        PullBody { batch, ..PullBody::default() }
    }

    fn with(batch: i64) -> PullBody {
        PullBody { batch, priority: Some(Priority::default()), ..PullBody::default() }
    }

    // spec: JS-107 JS-110
    #[test]
    fn bodies_are_read() {
        let second = Duration::from_secs(1);
        for (body, expected) in [
            ("", batch(1)),
            (" \n", batch(1)),
            ("5", batch(5)),
            ("-5", batch(-5)),
            ("five", batch(1)),
            ("\"5\"", batch(1)),
            ("{}", with(0)),
            ("{\"BATCH\":3,\"foo\":[1,{\"a\":null}]}", with(3)),
            ("{\"batch\":null,\"no_wait\":true}", PullBody { no_wait: true, ..with(0) }),
            (
                "{\"expires\":2000000000,\"idle_heartbeat\":1000000000,\"max_bytes\":9}",
                PullBody { expires: 2_000_000_000, idle_heartbeat: second, max_bytes: 9, ..with(0) },
            ),
        ] {
            assert_eq!(PullBody::parse(body.as_bytes()), Ok(expected), "{body}");
        }
        let body = br#"{"batch":1,"group":"a\u0062","min_pending":1,"min_ack_pending":2,"id":"x","priority":3}"#;
        let of = Priority { group: "ab".into(), min_pending: 1, min_ack_pending: 2, id: "x".into(), rank: 3 };
        assert_eq!(PullBody::parse(body).unwrap().priority, Some(of));
    }

    // spec: JS-110 JS-603
    #[test]
    fn what_cannot_be_read_is_said_in_known_words() {
        for (body, expected) in [
            (r#"{"expires":1,"idle_heartbeat":1}"#, "heartbeat value too large"),
            (r#"{"batch":"x"}"#, "json: cannot unmarshal string into Go struct field .batch of type int"),
            (r#"{"batch":1.5}"#, "json: cannot unmarshal number 1.5 into Go struct field .batch of type int"),
            (
                r#"{"expires":"5s"}"#,
                "json: cannot unmarshal string into Go struct field .expires of type time.Duration",
            ),
            (r#"{"no_wait":1}"#, "json: cannot unmarshal number into Go struct field .no_wait of type bool"),
            (r#"{"group":5}"#, "json: cannot unmarshal number into Go struct field .group of type string"),
            (r#"{"batch":1"#, "unexpected end of JSON input"),
            (r#"{"batch":1}}"#, "invalid character '}' after top-level value"),
            (r#"{"batch" 1}"#, "invalid character '1' after object key"),
            (r#"{"batch":1 "x":1}"#, "invalid character '\"' after object key:value pair"),
            (r#"{"batch":tru}"#, "invalid character '}' in literal true (expecting 'e')"),
            (r#"{"batch":1,}"#, "invalid character '}' looking for beginning of object key string"),
            (r#"{"batch":01}"#, "invalid character '1' after object key:value pair"),
            (r"{x", "invalid character 'x' looking for beginning of object key string"),
            (
                r#"{"batch":99999999999999999999}"#,
                "json: cannot unmarshal number 99999999999999999999 into Go struct field .batch of type int",
            ),
        ] {
            assert_eq!(PullBody::parse(body.as_bytes()), Err(expected.to_owned()), "{body}");
        }
    }
}
