//! `CONNECT` for a trace log: the same text without the secrets.
//!
//! The text is not decoded, since a trace is most wanted when it cannot be. Values after `pass…`, `auth_token…`, `nkey`, `sig`
//! and `proxy_sig` are replaced, and when in doubt rather too much than too little.
//!
//! Invariant: a field that [`crate::Connect`] would read as one of these never shows its value.

use std::borrow::Cow;

/// What stands in place of a secret.
const REDACTED: &[u8] = b"[REDACTED]";

/// Names of secrets; whatever else the word holds, as in `password`.
const PREFIXES: [&[u8]; 2] = [b"auth_token", b"pass"];

/// Names of secrets as whole words.
const WORDS: [&[u8]; 3] = [b"proxy_sig", b"nkey", b"sig"];

/// The arguments of `CONNECT` as they may be logged.
// spec: CORE-139
pub fn connect(args: &[u8]) -> Cow<'_, [u8]> {
    if hides_names(args) {
        return Cow::Borrowed(REDACTED);
    }
    let mut redacted = Vec::new();
    let mut kept = 0; // everything before is in `redacted` already
    let mut at = 0;
    while at < args.len() {
        let Some(start) = value_of_secret(args, at) else {
            at += 1;
            continue;
        };
        let end = value_end(args, start);
        redacted.extend_from_slice(&args[kept..start]);
        redacted.extend_from_slice(REDACTED);
        kept = end;
        at = end.max(at + 1);
    }
    if kept == 0 {
        return Cow::Borrowed(args);
    }
    redacted.extend_from_slice(&args[kept..]);
    Cow::Owned(redacted)
}

/// Whether letters of names may be written in a way that only a decoder would recognise: as escapes, or as the two letters
/// outside ASCII that equal one inside it when case does not count. No client library does so.
fn hides_names(args: &[u8]) -> bool {
    let escaped = memchr::memmem::find_iter(args, b"\\u").any(|at| {
        let digits = args[at + 2..].get(..4).unwrap_or_default().to_ascii_lowercase();
        matches!(digits.as_slice(), [b'0', b'0', b'4'..=b'7', _] | b"017f" | b"212a")
    });
    escaped || [&b"\xc5\xbf"[..], b"\xe2\x84\xaa"].iter().any(|letter| memchr::memmem::find(args, letter).is_some())
}

/// Where the value starts, if the name of a secret stands at `at`.
fn value_of_secret(args: &[u8], at: usize) -> Option<usize> {
    let rest = &args[at..];
    let starts_with = |name: &&&[u8]| rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    if let Some(name) = PREFIXES.iter().find(starts_with) {
        let word = &rest[name.len()..];
        let longest = word.iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
        return (0..=longest).find_map(|len| assigned(args, at + name.len() + len));
    }
    let name = WORDS.iter().find(starts_with)?;
    let inside_word = at > 0 && (args[at - 1].is_ascii_alphanumeric() || args[at - 1] == b'_');
    if inside_word { None } else { assigned(args, at + name.len()) }
}

/// Where the value starts, if an assignment stands at `at`: the quote that ends the name, a colon or equals sign, the quote
/// that begins the value, and blanks between.
fn assigned(args: &[u8], at: usize) -> Option<usize> {
    let at = skip_blanks(args, skip_quote(args, at));
    if !matches!(args.get(at), Some(b':' | b'=')) {
        return None;
    }
    Some(skip_quote(args, skip_blanks(args, at + 1)))
}

fn skip_quote(args: &[u8], at: usize) -> usize {
    at + usize::from(args.get(at) == Some(&b'"'))
}

fn skip_blanks(args: &[u8], at: usize) -> usize {
    let rest = args.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Where the value that starts at `start` ends: in quotes at the quote that closes it, else before the next field.
fn value_end(args: &[u8], start: usize) -> usize {
    let value = &args[start..];
    let quoted = start > 0 && args[start - 1] == b'"';
    let mut escaped = false;
    let len = value.iter().position(|&byte| {
        let ends = match byte {
            b'\r' | b'\n' => true,
            b'"' => !escaped,
            b',' | b'}' => !quoted,
            _ => false,
        };
        escaped = byte == b'\\' && !escaped;
        ends
    });
    start + len.unwrap_or(value.len())
}

#[cfg(test)]
mod tests {
    use super::connect;

    #[test]
    fn secrets_do_not_show() {
        // spec: CORE-139
        for (args, shown) in [
            (r#"{"verbose":false,"user":"u"}"#, r#"{"verbose":false,"user":"u"}"#),
            (r#"{"user":"u","pass":"secret","name":"n"}"#, r#"{"user":"u","pass":"[REDACTED]","name":"n"}"#),
            (
                r#"{"auth_token" : "t" , "sig":"s","nkey":"n","proxy_sig":"p","jwt":"j"}"#,
                r#"{"auth_token" : "[REDACTED]" , "sig":"[REDACTED]","nkey":"[REDACTED]","proxy_sig":"[REDACTED]","jwt":"j"}"#,
            ),
            (r#"{"password":"x"}"#, r#"{"password":"[REDACTED]"}"#),
            (r#"{"pass":12}"#, r#"{"pass":[REDACTED]}"#),
            (r#"{"pass":"","nkey":""}"#, r#"{"pass":"[REDACTED]","nkey":"[REDACTED]"}"#),
            ("{pass=foo}", "{pass=[REDACTED]}"),
            (r#"{"user":"pass","x":1}"#, r#"{"user":"pass","x":[REDACTED]}"#),
            (r#"{"signature":"x","nkey1":"y","design":"z"}"#, r#"{"signature":"x","nkey1":"y","design":"z"}"#),
            (r#"{"my sig":"x"}"#, r#"{"my sig":"[REDACTED]"}"#),
            ("{\"sig\"\t:\"q\"}", "{\"sig\"\t:\"[REDACTED]\"}"),
            // Where the reference shows a part, we do not.
            (r#"{"pass":"sec,r}et","user":"u"}"#, r#"{"pass":"[REDACTED]","user":"u"}"#),
            (r#"{"pass":"sec\"ret\\","user":"u"}"#, r#"{"pass":"[REDACTED]","user":"u"}"#),
            (r#"{"PASS":"secret"}"#, r#"{"PASS":"[REDACTED]"}"#),
            (r#"{"pass":"secret"#, r#"{"pass":"[REDACTED]"#),
            (r#"{"p\u0061ss":"secret"}"#, "[REDACTED]"),
            (r#"{"pa\u017fs":"secret"}"#, "[REDACTED]"),
            ("{\"pa\u{17f}\u{17f}\":\"secret\"}", "[REDACTED]"),
            ("{\"n\u{212a}ey\":\"secret\"}", "[REDACTED]"),
            (r#"{"name":"caf\u00e9"}"#, r#"{"name":"caf\u00e9"}"#),
            ("{\"pass\":", "{\"pass\":[REDACTED]"),
        ] {
            assert_eq!(String::from_utf8_lossy(&connect(args.as_bytes())), shown);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_secret_of_a_valid_document_shows(secret in "\\PC{1,12}", name in proptest::sample::select(vec!["pass", "auth_token", "sig", "nkey", "proxy_sig"])) {
            let json = serde_json::json!({ "a": 1, name: format!("<<{secret}>>"), "z": true }).to_string();
            let shown = connect(json.as_bytes()).into_owned();
            let shown = String::from_utf8(shown).expect("text stays text");
            proptest::prop_assert!(!shown.contains("<<") && !shown.contains(">>"), "{}", shown);
        }

        #[test]
        fn nothing_makes_it_panic(bytes in proptest::collection::vec(proptest::sample::select(&b"pas sig\"\\:=,}\r"[..]), 0..60)) {
            connect(&bytes);
        }
    }
}
