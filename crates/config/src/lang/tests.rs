//! The language, construct by construct, as the reference reads it.

mod bounds;
mod errors;
mod properties;

use std::path::Path;

use super::{Kind, Map, parse_file, parse_text};
use crate::source::MemorySource;

/// The tree as JSON, for short expectations; dates are strings marked by `@`.
fn json(kind: &Kind) -> serde_json::Value {
    match kind {
        Kind::String(text) => text.as_str().into(),
        Kind::Bool(value) => (*value).into(),
        Kind::Integer(number) => (*number).into(),
        Kind::Float(number) => (*number).into(),
        Kind::DateTime(time) => format!("@{}", time.as_str()).into(),
        Kind::Array(items) => items.iter().map(|item| json(&item.kind)).collect(),
        Kind::Map(map) => tree(map),
    }
}

fn tree(map: &Map) -> serde_json::Value {
    map.iter().map(|entry| (entry.key.clone(), json(&entry.value.kind))).collect::<serde_json::Map<_, _>>().into()
}

fn environment() -> MemorySource {
    MemorySource::new()
        .variable("NUM", "5")
        .variable("WORDS", "\"a b\"")
        .variable("LIST", "[\"x\", $NUM ]")
        .variable("EMPTY", "")
        .variable("SELF", "$SELF")
        .variable("PING", "$PONG")
        .variable("PONG", "$PING")
        .variable("BROKEN", "\"abc")
        .variable("TWO", "a\nb")
        .variable("PASSWORD", "$2a$11$abc")
}

/// Checks that `text` is the tree that `expected` is as JSON.
fn check(text: &str, expected: &str) {
    let parsed = match parse_text(text, "t.conf", &environment()) {
        Ok(map) => tree(&map),
        Err(error) => panic!("{text:?}: {error}"),
    };
    let expected: serde_json::Value = serde_json::from_str(expected).expect(expected);
    assert_eq!(parsed, expected, "{text:?}");
}

#[test]
fn keys_and_values_in_every_style() {
    // spec: CORE-170 CORE-171 CLI-013
    for text in [
        "port 4222\nhost a",
        "port: 4222, host: a",
        "port = 4222; host = a",
        "port:4222\nhost=a",
        "'port' 4222\n\"host\" : 'a'",
        "\"port\": 4222, \"host\": \"a\"",
        "{\"port\": 4222, \"host\": \"a\"}",
        "{\n port 4222\n host a\n}",
        "{ { port 4222\n host a } }",
        "{ port 4222 }\n{ host a }",
        "{ port 4222\nhost a\n",
        "port\n\n4222\nhost\ta",
        "port 4222 }\nhost a\n}",
        "port 4222 / \nhost a",
    ] {
        check(text, r#"{"port": 4222, "host": "a"}"#);
    }
}

#[test]
fn comments_stand_anywhere_between() {
    // spec: CORE-172
    check(
        "# one\n// two\nport 4222 # three\nhost a // four\ntags [ # five\n a # six\n b, // seven\n]\n\
         map { # eight\n a: b # nine\n c: d // ten\n}",
        r#"{"port": 4222, "host": "a", "tags": ["a", "b"], "map": {"a": "b", "c": "d"}}"#,
    );
    // Inside a word they are letters.
    check("url http://a//b#c", r#"{"url": "http://a//b#c"}"#);
}

#[test]
fn bare_words_may_be_booleans() {
    // spec: CORE-173
    check(
        "a true, b yes, c on, d TRUE, e False, f NO, g Off",
        r#"{"a": true, "b": true, "c": true, "d": true, "e": false, "f": false, "g": false}"#,
    );
    check("a 'true', b \"yes\", c ontario", r#"{"a": "true", "b": "yes", "c": "ontario"}"#);
}

#[test]
fn numbers_have_units() {
    // spec: CFG-016 CORE-174 CLI-013
    for (text, expected) in [
        ("0", "0"),
        ("-1", "-1"),
        ("8k", "8000"),
        ("8K", "8000"),
        ("8kb", "8192"),
        ("8ki", "8192"),
        ("8KiB", "8192"),
        ("64MB", "67108864"),
        ("64MiB", "67108864"),
        ("2m", "2000000"),
        ("1Gb", "1073741824"),
        ("1g", "1000000000"),
        ("1tb", "1099511627776"),
        ("1t", "1000000000000"),
        ("1p", "1000000000000000"),
        ("1pib", "1125899906842624"),
        ("1e", "1000000000000000000"),
        ("1eb", "1152921504606846976"),
        ("-2k", "-2000"),
        ("1.5", "1.5"),
        ("-0.25", "-0.25"),
        ("2024-02-29T23:59:59Z", "\"@2024-02-29T23:59:59Z\""),
    ] {
        check(&format!("a {text}"), &format!("{{\"a\": {expected}}}"));
        check(&format!("{{\"a\": [{text},{text} ]}}"), &format!("{{\"a\": [{expected}, {expected}]}}"));
        check(&format!("m {{a: {text}}}"), &format!("{{\"m\": {{\"a\": {expected}}}}}"));
    }
}

#[test]
fn words_may_start_with_digits() {
    // spec: CORE-175
    for word in ["127.0.0.1", "127.0.0.1:4222", "0.0.0.0:-1", "10s", "1m5s", "5abc", "0x10", "1e5", "8kx", "3:30"] {
        check(&format!("a {word}"), &format!("{{\"a\": \"{word}\"}}"));
    }
    // The byte after the digits is taken as it is, whatever it means elsewhere.
    check(r"a = 2\b;b = 127\0.0.1", r#"{"a":"2\\b","b":"127\\0.0.1"}"#);
    check("a = 1'\nb = [2' , 3\\n]", r#"{"a":"1'","b":["2'","3\\n"]}"#);
    check(r"a = 1x\tb", r#"{"a":"1x\tb"}"#);
}

#[test]
fn strings_of_every_kind() {
    // spec: CORE-176
    check(r#"a "x\ty\n\r\"\\\x41""#, "{\"a\": \"x\\ty\\n\\r\\\"\\\\A\"}");
    check(r"a x\ty\x41", "{\"a\": \"x\\tyA\"}");
    check(r"a 'x\ty'", r#"{"a": "x\\ty"}"#);
    check("a \"\\xc3\\xa9\"", "{\"a\": \"\u{e9}\"}");
    check("a it'\nb: ::1", r#"{"a": "it", "b": "::1"}"#);
    check("a \"two\nlines\"", r#"{"a": "two\nlines"}"#);
    check("a =", r#"{"a": ""}"#);
    check("a null", r#"{"a": "null"}"#);
}

#[test]
fn blocks_of_text_end_with_a_bracket_on_its_line() {
    // spec: CORE-177
    check("a (\n one)\n two\n)\nb c", r#"{"a": "\n one)\n two\n", "b": "c"}"#);
    check("m { a: (\n one\n)\n }", r#"{"m": {"a": "\n one\n"}}"#);
    check("a (\r\n one\r\n)\r\nb c", r#"{"a": "\r\n one\r\n", "b": "c"}"#);
    check("a (\n one\n)", r#"{"a": "\n one\n"}"#);
}

#[test]
fn arrays_and_maps_nest() {
    // spec: CORE-178
    check("a []\nb {}", r#"{"a": [], "b": {}}"#);
    check("a [1, 2, 3,]", r#"{"a": [1, 2, 3]}"#);
    check("a [\n x\n y\n]", r#"{"a": ["x", "y"]}"#);
    check("a [[1, 2], {b: 3}]", r#"{"a": [[1, 2], {"b": 3}]}"#);
    check("m {a 1, b 2; c 3\n d 4}", r#"{"m": {"a": 1, "b": 2, "c": 3, "d": 4}}"#);
    check("m {a\n=\n1}", r#"{"m": {"a": 1}}"#);
    // A brace needs a blank before it.
    // spec: CFG-006
    check("A{users: 1}", r#"{"A{users": 1}"#);
}

#[test]
fn variables_come_from_maps_around_then_from_the_environment() {
    // spec: CORE-179
    check("x 1\na $x", r#"{"x": 1, "a": 1}"#);
    check("x {y 1}\na $x", r#"{"x": {"y": 1}, "a": {"y": 1}}"#);
    check("x 1\nm {x 2, a $x, n {b $x}}", r#"{"x": 1, "m": {"x": 2, "a": 2, "n": {"b": 2}}}"#);
    check("x 1\nm [$x, {a: $x}]", r#"{"x": 1, "m": [1, {"a": 1}]}"#);
    check("a $NUM, b $WORDS, c $LIST, d $EMPTY", r#"{"a": 5, "b": "a b", "c": ["x", 5], "d": ""}"#);
    check("NUM 7\na $NUM", r#"{"NUM": 7, "a": 7}"#);
    check("a '$x', b \"$x\"", r#"{"a": "$x", "b": "$x"}"#);
}

#[test]
fn a_bare_bcrypt_hash_is_no_variable() {
    // spec: CORE-180
    check("a $2a$11$abc./", r#"{"a": "$2a$11$abc./"}"#);
    check("a $PASSWORD", r#"{"a": "$2a$11$abc"}"#);
}

#[test]
fn what_a_variable_refers_to_is_marked() {
    // spec: CORE-181
    let map = parse_text("x 1\ny 2\na $x", "t.conf", &environment()).expect("valid");
    let marked = |key| map.get(key).expect("present").used_as_variable;
    assert!(marked("x"));
    assert!(!marked("y"));
    assert!(!marked("a"));
}

#[test]
fn includes_are_relative_to_the_including_file() {
    // spec: CORE-182
    let source = MemorySource::new()
        .file("conf/main.conf", "a 1\ninclude 'sub/one.conf'\nm { include \"./two.conf\" }\nb $x")
        .file("conf/sub/one.conf", "x 5\ninclude ../two.conf; y 6")
        .file("conf/two.conf", "z { deep true }");
    let map = parse_file(Path::new("conf/main.conf"), &source).expect("valid");
    assert_eq!(tree(&map).to_string(), r#"{"a":1,"b":5,"m":{"z":{"deep":true}},"x":5,"y":6,"z":{"deep":true}}"#);
    let place = |key| map.get(key).expect("present").span.to_string();
    assert_eq!(place("y"), "conf/sub/one.conf:2:22");
    assert_eq!(place("z"), "conf/two.conf:1:0");
    // Only a word before a blank is the keyword.
    check("'include' x\nm {include: y}", r#"{"include": "x", "m": {"include": "y"}}"#);
}

#[test]
fn the_last_of_equal_keys_wins() {
    // spec: CORE-183
    check("a 1\na 2\nm {b 1, b 2}", r#"{"a": 2, "m": {"b": 2}}"#);
}

#[test]
fn places_count_from_one() {
    let map = parse_text("a 1\n  b [x,\n 'y']\n\"c\" 2", "t.conf", &environment()).expect("valid");
    let place = |key| map.get(key).expect("present").span.to_string();
    assert_eq!([place("a"), place("b"), place("c")], ["t.conf:1:0", "t.conf:2:3", "t.conf:4:2"]);
    let Some(Kind::Array(items)) = map.get("b").map(|b| &b.kind) else { panic!("an array") };
    assert_eq!(items.iter().map(|item| item.span.to_string()).collect::<Vec<_>>(), ["t.conf:2:6", "t.conf:3:3"]);
}
