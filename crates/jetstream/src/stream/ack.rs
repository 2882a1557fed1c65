//! Answers to publishers, byte by byte as the reference writes them.
// spec: JS-062 JS-063

use crate::api::ApiError;

/// The beginning of an acknowledgement, up to the sequence.
pub(super) fn prefix(stream: &str, domain: &str) -> Vec<u8> {
    let mut into = b"{\"stream\":".to_vec();
    string(stream, &mut into);
    if !domain.is_empty() {
        into.extend_from_slice(b",\"domain\":");
        string(domain, &mut into);
    }
    into.extend_from_slice(b",\"seq\":");
    into
}

/// The end of a refusal, behind the error.
pub(super) fn suffix_of_refusal(stream: &str) -> Vec<u8> {
    let mut into = b",\"stream\":".to_vec();
    string(stream, &mut into);
    into.extend_from_slice(b",\"seq\":0}");
    into
}

/// A message is kept.
pub(super) fn kept(prefix: &[u8], seq: u64, into: &mut Vec<u8>) {
    into.extend_from_slice(prefix);
    into.extend_from_slice(itoa::Buffer::new().format(seq).as_bytes());
    into.push(b'}');
}

/// A message was there already. The space is the reference's.
pub(super) fn duplicate(prefix: &[u8], seq: u64, into: &mut Vec<u8>) {
    kept(prefix, seq, into);
    into.pop();
    into.extend_from_slice(b",\"duplicate\": true}");
}

/// The bytes around a counter's value.
pub(super) const COUNTER_OVERHEAD: usize = br#"{"val":""}"#.len();

/// The payload of a counter.
pub(super) fn counter_value(value: &str, into: &mut Vec<u8>) {
    into.extend_from_slice(b"{\"val\":\"");
    into.extend_from_slice(value.as_bytes());
    into.extend_from_slice(b"\"}");
}

/// A counter counted to `value`.
pub(super) fn counted(prefix: &[u8], seq: u64, value: &[u8], into: &mut Vec<u8>) {
    kept(prefix, seq, into);
    into.pop();
    into.extend_from_slice(b",\"val\":\"");
    into.extend_from_slice(value);
    into.extend_from_slice(b"\"}");
}

/// A batch ended.
pub(super) fn batch(prefix: &[u8], seq: u64, id: &[u8], count: u64, into: &mut Vec<u8>) {
    kept(prefix, seq, into);
    add_batch(id, count, into);
}

/// Adds to an answer that it is for a batch.
pub(super) fn add_batch(id: &[u8], count: u64, into: &mut Vec<u8>) {
    into.pop();
    into.extend_from_slice(b",\"batch\":");
    string(&String::from_utf8_lossy(id), into);
    into.extend_from_slice(b",\"count\":");
    into.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
    into.push(b'}');
}

/// A message is refused.
pub(super) fn refused(suffix: &[u8], error: &ApiError, into: &mut Vec<u8>) {
    into.extend_from_slice(b"{\"error\":");
    self::error(error, into);
    into.extend_from_slice(suffix);
}

/// An error as JSON.
pub(super) fn error(error: &ApiError, into: &mut Vec<u8>) {
    into.extend_from_slice(b"{\"code\":");
    into.extend_from_slice(itoa::Buffer::new().format(error.code).as_bytes());
    into.extend_from_slice(b",\"err_code\":");
    into.extend_from_slice(itoa::Buffer::new().format(error.err_code).as_bytes());
    into.extend_from_slice(b",\"description\":");
    string(&error.description, into);
    into.push(b'}');
}

/// A string as JSON, escaped as Go's encoder does.
pub(super) fn string(text: &str, into: &mut Vec<u8>) {
    into.push(b'"');
    for c in text.chars() {
        match c {
            '"' => into.extend_from_slice(b"\\\""),
            '\\' => into.extend_from_slice(b"\\\\"),
            '\n' => into.extend_from_slice(b"\\n"),
            '\r' => into.extend_from_slice(b"\\r"),
            '\t' => into.extend_from_slice(b"\\t"),
            '\u{8}' => into.extend_from_slice(b"\\b"),
            '\u{c}' => into.extend_from_slice(b"\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                into.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
            }
            c => into.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    into.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_as_the_reference_writes_them() {
        // spec: JS-062 JS-063
        let text = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut into = Vec::new();
            write(&mut into);
            String::from_utf8(into).unwrap()
        };
        let plain = prefix("S", "");
        assert_eq!(text(&|into| kept(&plain, 7, into)), r#"{"stream":"S","seq":7}"#);
        assert_eq!(text(&|into| kept(&prefix("S", "hub"), 7, into)), r#"{"stream":"S","domain":"hub","seq":7}"#);
        assert_eq!(text(&|into| duplicate(&plain, 7, into)), r#"{"stream":"S","seq":7,"duplicate": true}"#);
        assert_eq!(text(&|into| counted(&plain, 7, b"-3", into)), r#"{"stream":"S","seq":7,"val":"-3"}"#);
        assert_eq!(text(&|into| batch(&plain, 7, b"b", 2, into)), r#"{"stream":"S","seq":7,"batch":"b","count":2}"#);
        let error = ApiError { code: 400, err_code: 10071, description: "a \"<b>\"".into() };
        assert_eq!(
            text(&|into| refused(&suffix_of_refusal("S"), &error, into)),
            r#"{"error":{"code":400,"err_code":10071,"description":"a \"\u003cb\u003e\""},"stream":"S","seq":0}"#
        );
    }
}
