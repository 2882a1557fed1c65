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
