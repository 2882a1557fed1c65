//! What is said about text that is no configuration.

use std::path::Path;

use super::environment;
use crate::lang::{parse_file, parse_text};
use crate::source::MemorySource;

fn refusal(text: &str) -> String {
    match parse_text(text, "t.conf", &environment()) {
        Ok(map) => panic!("{text:?} was accepted: {map:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn syntax_errors_name_the_line_and_what_was_expected() {
    // spec: CORE-184
    for (text, reason, place) in [
        ("a =\n", "Expected value but found new line", "1:4"),
        ("a 1 2", "Expected a top-level value to end with a new line, comment or EOF, but got '2' instead.", "1:5"),
        ("a it's", "Expected a top-level value to end with a new line, comment or EOF, but got 's' instead.", "1:6"),
        (
            "{ a 1 2 }",
            "Expected a block-level value to end with a new line, comment or EOF, but got '2' instead.",
            "1:7",
        ),
        (
            "a [1 ? ]",
            "Expected an array value terminator \",\" or an array terminator \"]\", but got '?' instead.",
            "1:6",
        ),
        (
            "a [1",
            "Expected an array value terminator \",\" or an array terminator \"]\", but got 'EOF' instead.",
            "1:5",
        ),
        ("a [1,,2]", "Unexpected array value terminator ','.", "1:6"),
        ("a {b 1 ? }", "Expected a map value terminator \",\" or a map terminator \"}\", but got '?' instead.", "1:8"),
        ("a {b 1", "Expected a map value terminator \",\" or a map terminator \"}\", but got 'EOF' instead.", "1:7"),
        ("a {b , c 1}", "Unexpected map value terminator \",\".", "1:6"),
        ("a {b: }", "Expected a value for 'b', but got '}' instead.", "1:7"),
        ("a {\n", "Unexpected EOF processing map.", "2:1"),
        ("a {b", "Unexpected EOF processing map key.", "1:5"),
        ("a { ] }", "Unexpected array end ']' processing map.", "1:5"),
        (": 1", "Unexpected key separator ':'", "1:1"),
        ("a {= 1}", "Unexpected key separator '='", "1:4"),
        ("\"a 1", "Unexpected EOF processing quoted key.", "1:5"),
        ("a 'b", "Unexpected EOF in a quoted string.", "1:5"),
        ("a \"b", "Unexpected EOF in a quoted string.", "1:5"),
        ("a (\n b )\n", "Unexpected EOF processing block.", "3:1"),
        ("/ 1", "Unexpected '/'; a comment starts with '//' or '#'", "1:1"),
        ("a .5", "Floats must start with a digit", "1:3"),
        ("a -.5", "Floats must start with a digit, not '.'.", "1:4"),
        ("a -x", "Expected a digit but got 'x'.", "1:4"),
        ("a 5.x", "Floats must have a digit after the '.', but got 'x' instead.", "1:5"),
        ("a 10-1", "All ISO8601 dates must be in full Zulu form.", "1:5"),
        ("a 2024-1", "Expected digit in ISO8601 datetime, but found 'EOF' instead.", "1:9"),
        ("a 2024-01x", "Expected '-' in ISO8601 datetime, but found 'x' instead.", "1:10"),
        ("a 5kbb", "Expected a number with one of the units k, kb, ki, kib (or m, g, t, p, e), but got '5kbb'", "1:3"),
        (
            "a \"\\q\"",
            "Invalid escape character 'q'. Only the following escape characters are allowed: \\xXX, \\t, \\n, \\r, \\\", \\\\.",
            "1:5",
        ),
        ("a \"\\x+1\"", "Expected two hexadecimal digits after '\\x', but got '+1'", "1:8"),
        ("a \"\\x4\n\"", "Expected two hexadecimal digits after '\\x', but hit end of line", "1:7"),
        ("a \"\\xff\"", "Expected valid UTF-8 after replacing the \\xXX escapes", "1:8"),
        ("include 5", "Expected include value but found start of a number", "1:9"),
        ("include [a]", "Expected include value but found start of an array", "1:9"),
        ("include {a}", "Expected include value but found start of a map", "1:9"),
        ("include (a)", "Expected include value but found start of a block", "1:9"),
        ("include \n", "Expected include value but found new line", "1:9"),
        ("include 'a", "Unexpected EOF in quoted include", "1:11"),
    ] {
        let (line, column) = place.split_once(':').expect("line and column");
        let expected = format!("Parse error on line {line}: '{reason}' (in t.conf, line {line}, column {column})");
        assert_eq!(refusal(text), expected, "{text:?}");
    }
}

#[test]
fn a_key_needs_a_value() {
    // spec: CORE-184
    assert_eq!(refusal("a 1\n bcd \n"), "config is invalid (t.conf:3:1): the key \"bcd\" has no value");
}

#[test]
fn numbers_and_dates_that_do_not_exist() {
    // spec: CORE-174
    for (text, message) in [
        ("a 9223372036854775808", "integer '9223372036854775808' is out of the range (in t.conf, line 1, column 3)"),
        ("a 99999999eb", "integer '99999999eb' is out of the range (in t.conf, line 1, column 3)"),
        (
            "a 2023-02-29T00:00:00Z",
            "expected Zulu formatted DateTime, but got '2023-02-29T00:00:00Z' (in t.conf, line 1, column 3)",
        ),
        (
            "a 2023-13-01T00:00:00Z",
            "expected Zulu formatted DateTime, but got '2023-13-01T00:00:00Z' (in t.conf, line 1, column 3)",
        ),
        (
            "a 2023-01-01T24:00:00Z",
            "expected Zulu formatted DateTime, but got '2023-01-01T24:00:00Z' (in t.conf, line 1, column 3)",
        ),
    ] {
        assert_eq!(refusal(text), message);
    }
}

#[test]
fn variables_that_lead_nowhere() {
    // spec: CORE-179
    for (text, message) in [
        ("a 1\nb $NOPE", "variable reference for 'NOPE' on line 2 can not be found (in t.conf, line 2, column 3)"),
        ("a $a", "variable reference for 'a' on line 1 can not be found (in t.conf, line 1, column 3)"),
        ("m {x 1}\na $x", "variable reference for 'x' on line 2 can not be found (in t.conf, line 2, column 3)"),
        (
            "a $2b$11$abc",
            "variable reference for '2b$11$abc' on line 1 can not be found (in t.conf, line 1, column 3); \
             if this is a bcrypt hash, put it in quotes",
        ),
        (
            "a $SELF",
            "variable reference for 'SELF' on line 1 could not be parsed: variable reference for 'SELF' on line 1 \
             could not be parsed: variable reference cycle for 'SELF' (in $SELF, line 1, column 1) (in t.conf, line 1, column 3)",
        ),
        (
            "a $TWO",
            "variable reference for 'TWO' on line 1 could not be parsed: Parse error on line 2: \
             'Expected one value and nothing after it' (in $TWO, line 2, column 1) (in t.conf, line 1, column 3)",
        ),
    ] {
        assert_eq!(refusal(text), message);
    }
    assert!(refusal("a $PING").contains("variable reference cycle for 'PING'"));
    assert!(refusal("a $BROKEN").contains("Unexpected EOF in a quoted string."));
}

#[test]
fn includes_that_cannot_be_read() {
    // spec: CORE-182
    let source = MemorySource::new()
        .file("a.conf", "x 1\ninclude 'nope.conf'")
        .file("loop.conf", "include 'back.conf'")
        .file("back.conf", "include 'loop.conf'")
        .file("bad.conf", "include 'syntax.conf'")
        .file("syntax.conf", "\n a [")
        .file("latin.conf", b"a 1\nb \xe9\n".to_vec())
        .file("nul.conf", "a 1\n\0");
    for (file, message) in [
        ("missing.conf", "open missing.conf: no such file or directory"),
        (
            "a.conf",
            "error parsing include file 'nope.conf', open nope.conf: no such file or directory (in a.conf, line 2, column 9)",
        ),
        (
            "loop.conf",
            "error parsing include file 'back.conf', error parsing include file 'loop.conf', loop.conf includes itself \
             (in back.conf, line 1, column 9) (in loop.conf, line 1, column 9)",
        ),
        (
            "bad.conf",
            "error parsing include file 'syntax.conf', Parse error on line 2: 'Expected an array value terminator \",\" \
             or an array terminator \"]\", but got 'EOF' instead.' (in syntax.conf, line 2, column 5) (in bad.conf, line 1, column 9)",
        ),
        ("latin.conf", "open latin.conf: latin.conf: line 2 is not valid UTF-8"),
        ("nul.conf", "open nul.conf: nul.conf: line 2 holds a NUL byte"),
    ] {
        let error = parse_file(Path::new(file), &source).expect_err(file);
        assert_eq!(error.to_string(), message);
    }
}
