//! Requests that are answered by messages, or by a status line where nothing else can be said: pull requests and direct
//! gets. Unknown fields are passed over, whatever the server's strictness.

use super::body::MsgGetBody;
use super::json::read::fields;
use super::json::{self, Int, Nanos};

/// The status of a request that asks for what this server cannot do.
// spec: JS-007
pub const REQUIRED_API_LEVEL: &str = "412 Required Api Level";
/// The status of a direct get that asks for nothing.
pub const EMPTY: &str = "408 Empty Request";
/// The status of a direct get that is no JSON.
pub(crate) const MALFORMED: &str = "408 Malformed Request";
/// The status of a direct get that contradicts itself.
pub const BAD: &str = "408 Bad Request";

/// What a pull request asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PullBody {
    /// How long it waits; zero for as long as its client does.
    pub expires: Nanos,
    /// How many messages.
    pub batch: Int,
    /// How many bytes; 0 for any number.
    pub max_bytes: Int,
    /// It does not wait.
    pub no_wait: bool,
    /// How often it wants to hear that it waits.
    pub idle_heartbeat: Nanos,
    /// Its group.
    pub group: String,
    /// It only counts when so many messages are still to be delivered.
    pub min_pending: i64,
    /// It only counts when so many messages wait for acknowledgement.
    pub min_ack_pending: i64,
    /// Who is pinned.
    pub id: String,
    /// Who goes first: from 0 to 9.
    pub priority: Int,
    /// Whether more than a number was said.
    pub is_object: bool,
}

fields! { PullBody: "" {
    "expires" => expires, "batch" => batch, "max_bytes" => max_bytes, "no_wait" => no_wait,
    "idle_heartbeat" => idle_heartbeat, "group" => group, "min_pending" => min_pending,
    "min_ack_pending" => min_ack_pending, "id" => id, "priority" => priority,
} }

/// Reads a pull request. The error is what follows `Bad Request - ` in the status line.
///
/// Whatever is neither a number nor an object asks for one message.
// spec: JS-107 JS-110
pub(crate) fn parse_pull(body: &[u8]) -> Result<PullBody, String> {
    let body = body.trim_ascii();
    if body.first() != Some(&b'{') {
        let number = std::str::from_utf8(body).ok().and_then(|number| number.parse().ok());
        return Ok(PullBody { batch: Int(number.unwrap_or(1)), ..PullBody::default() });
    }
    let pull: PullBody = json::decode_whole(body)?;
    if pull.idle_heartbeat > Nanos(0) && pull.idle_heartbeat.0.saturating_mul(2) > pull.expires.0 {
        return Err("heartbeat value too large".to_owned());
    }
    Ok(PullBody { is_object: true, ..pull })
}

/// Reads a direct get, by the body alone or for the subject behind the stream's name. The error is the status.
// spec: JS-083
pub fn parse_direct_get(body: &[u8], subject: Option<&str>) -> Result<MsgGetBody, &'static str> {
    let mut get = MsgGetBody::default();
    if !body.is_empty() {
        get = json::decode_whole(body).map_err(|_| MALFORMED)?;
    }
    let (seq, time) = (get.seq > 0, get.start_time.is_some());
    let (last, next, multi) = (!get.last_by_subj.is_empty(), !get.next_by_subj.is_empty(), !get.multi_last.is_empty());
    let Some(subject) = subject else {
        let is_batch = get.batch > Int(0);
        let is_contradiction = (seq && (last || time))
            || (last && (time || next || is_batch || multi))
            || (next && multi)
            || (get.up_to_seq > 0 && get.up_to_time.is_some());
        return match seq || last || next || multi || time {
            false => Err(EMPTY),
            true if is_contradiction => Err(BAD),
            true => Ok(get),
        };
    };
    let has_more = get.batch != Int(0) || get.up_to_seq > 0 || get.up_to_time.is_some();
    if subject.is_empty() || seq || last || next || multi || time || has_more {
        return Err(BAD);
    }
    subject.clone_into(&mut get.last_by_subj);
    Ok(get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pull_requests() {
        // spec: JS-107
        for (body, expected) in [
            (&b""[..], Ok(1)),
            (b"7", Ok(7)),
            (b" 7\r\n", Ok(7)),
            (b"+7", Ok(7)),
            (b"x", Ok(1)),
            (b"[1]", Ok(1)),
            (b"\xff", Ok(1)),
            (b" {\"batch\":3,\"zz\":1}\n", Ok(3)),
            (b"{}", Ok(0)),
            (b"{\"idle_heartbeat\":1,\"expires\":2}", Ok(0)),
            (b"{\"idle_heartbeat\":1,\"expires\":1}", Err("heartbeat value too large")),
            (b"{\"idle_heartbeat\":1}", Err("heartbeat value too large")),
            (b"{x", Err("invalid character 'x' looking for beginning of object key string")),
            (b"{\"batch\":5", Err("unexpected end of JSON input")),
            (b"{\"no_wait\":true} x", Err("invalid character 'x' after top-level value")),
            (b"{\"batch\":\"x\"}", Err("json: cannot unmarshal string into Go struct field .batch of type int")),
            (b"{\"BATCH\":1.5}", Err("json: cannot unmarshal number 1.5 into Go struct field .BATCH of type int")),
            (b"{\"id\":1}", Err("json: cannot unmarshal number into Go struct field .id of type string")),
            (
                b"{\"expires\":[]}",
                Err("json: cannot unmarshal array into Go struct field .expires of type time.Duration"),
            ),
        ] {
            let batch = parse_pull(body).map(|pull| pull.batch.0);
            assert_eq!(batch, expected.map_err(str::to_owned), "{}", body.escape_ascii());
        }
        let pull = parse_pull(br#"{"group":"g","min_pending":1,"min_ack_pending":2,"id":"i","priority":3}"#).unwrap();
        assert!(pull.is_object);
        assert_eq!((&*pull.group, pull.min_pending, pull.min_ack_pending), ("g", 1, 2));
        assert_eq!((&*pull.id, pull.priority), ("i", Int(3)));
    }

    #[test]
    fn direct_gets() {
        // spec: JS-083
        for (body, expected) in [
            ("", Some(EMPTY)),
            ("{}", Some(EMPTY)),
            ("null", Some(EMPTY)),
            (" ", Some(MALFORMED)),
            ("x", Some(MALFORMED)),
            ("[1]", Some(MALFORMED)),
            (r#"{"zz":1}"#, Some(EMPTY)),
            (r#"{"zz":1,"seq":1}"#, None),
            (r#"{"seq":"x"}"#, Some(MALFORMED)),
            (r#"{"seq":-1}"#, Some(MALFORMED)),
            (r#"{"seq":1} x"#, Some(MALFORMED)),
            (r#"{"seq":0,"batch":1}"#, Some(EMPTY)),
            (r#"{"seq":1,"last_by_subj":"x"}"#, Some(BAD)),
            (r#"{"last_by_subj":"x","batch":1}"#, Some(BAD)),
            (r#"{"next_by_subj":"x","multi_last":["y"]}"#, Some(BAD)),
            (r#"{"multi_last":["a"],"seq":1}"#, None),
            (r#"{"multi_last":["a"],"up_to_seq":1,"up_to_time":"2020-01-01T00:00:00Z"}"#, Some(BAD)),
            (r#"{"next_by_subj":"x","start_time":"2020-01-01T00:00:00Z","batch":5}"#, None),
        ] {
            assert_eq!(parse_direct_get(body.as_bytes(), None).err(), expected, "{body}");
        }
        for (body, expected) in [
            ("", None),
            ("{}", None),
            (r#"{"no_hdr":true}"#, None),
            ("x", Some(MALFORMED)),
            (r#"{"seq":1}"#, Some(BAD)),
        ] {
            let get = parse_direct_get(body.as_bytes(), Some("a.b"));
            assert_eq!(get.as_ref().err().copied(), expected, "{body}");
            assert!(get.is_err() || get.is_ok_and(|get| get.last_by_subj == "a.b"));
        }
    }
}
