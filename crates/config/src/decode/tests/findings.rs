//! How findings are collected and shown.

use super::{errors, read, warnings};
use crate::{MemorySource, load, parse_str};

#[test]
fn an_empty_file_is_only_warned_about() {
    // spec: CFG-001 CFG-002
    for text in ["", "# nothing\n", "{}"] {
        assert_eq!(warnings(text), "t.conf: config has no values or is empty", "{text:?}");
        assert!(read(text).expect("accepted").has_warnings());
    }
}

#[test]
fn all_errors_are_collected_in_the_order_of_the_file() {
    // spec: CFG-003
    assert_eq!(
        errors("zz 1\nport abc\nauthorization {\n  users [ {user a, pas b}, {} ]\n yy 2 }\nxx 3"),
        "t.conf:1:0: unknown field \"zz\"\n\
         t.conf:2:1: \"port\" must be an integer, got the string \"abc\"\n\
         t.conf:4:20: unknown field \"pas\"\n\
         t.conf:4:28: User entry requires a user\n\
         t.conf:5:2: unknown field \"yy\"\n\
         t.conf:6:1: unknown field \"xx\""
    );
}

#[test]
fn warnings_come_before_errors() {
    // spec: CFG-002
    assert_eq!(
        errors("zz 1\nping_interval 5"),
        "t.conf:2:1: invalid use of field \"ping_interval\": ping_interval should be converted to a duration\n\
         t.conf:1:0: unknown field \"zz\""
    );
}

#[test]
fn wrong_types_are_told_in_words() {
    // spec: CFG-007
    for (text, message) in [
        ("port: abc", "\"port\" must be an integer, got the string \"abc\""),
        ("port: 1.5", "\"port\" must be an integer, got the number 1.5"),
        ("port: yes", "\"port\" must be an integer, got the boolean true"),
        ("host: 5", "\"host\" must be a string, got the integer 5"),
        ("host: 2024-01-02T03:04:05Z", "\"host\" must be a string, got the date 2024-01-02T03:04:05Z"),
        ("debug: 'true'", "\"debug\" must be a boolean (true or false), got the string \"true\""),
        ("allow_non_tls: {}", "\"allow_non_tls\" must be a boolean (true or false), got a map"),
        ("server_tags: {}", "\"server_tags\" must be a string or an array of strings, got a map"),
        ("server_metadata: []", "\"server_metadata\" must be a map, got an array"),
        ("authorization: 5", "\"authorization\" must be a map, got the integer 5"),
        ("accounts: 5", "\"accounts\" must be an array of names or a map, got the integer 5"),
        ("tls: true", "\"tls\" must be a map, got the boolean true"),
        ("mappings: x", "\"mappings\" must be a map, got the string \"x\""),
        ("feature_flags: 5", "\"feature_flags\" must be a map, got the integer 5"),
        ("ping_interval: []", "\"ping_interval\" must be a duration such as \"2m\" or \"500ms\", got an array"),
    ] {
        assert_eq!(errors(text), format!("t.conf:1:0: {message}"));
    }
}

#[test]
fn a_used_variable_need_not_be_an_option() {
    // spec: CORE-181
    assert_eq!(read("p 4333\nport $p").expect("accepted").options.port, 4333);
    assert_eq!(errors("p 4333\nq 1\nport $p"), "t.conf:2:1: unknown field \"q\"");
    read("accounts { common {a b}, A { users [ {user u, permissions {p x, publish $p}} ] } x $common }\ny $x")
        .expect_err("x itself is used, y is not");
}

#[test]
fn findings_in_included_files_name_those() {
    let source = MemorySource::new().file("d/t.conf", "include 'x.conf'").file("d/x.conf", "\nport x");
    let errors = load("d/t.conf".as_ref(), &source).expect_err("a wrong type");
    assert_eq!(errors.to_string(), "d/x.conf:2:1: \"port\" must be an integer, got the string \"x\"");
}

#[test]
fn a_file_is_remembered_with_its_digest() {
    // spec: CFG-009
    let loaded = read("port: 4333").expect("accepted").options;
    assert_eq!(loaded.config_file.as_deref(), Some("t.conf".as_ref()));
    let digest = "sha256:5942f6739f1572892ba80b954eee212713f172258629e16936dfeeae8e2eb80d";
    assert_eq!(loaded.config_digest, digest);
    let text = parse_str("port: 4333", "text", &MemorySource::new()).expect("accepted").options;
    assert_eq!((text.config_file, text.config_digest.as_str()), (None, digest));
}

#[test]
fn a_parse_error_is_one_error() {
    // spec: CORE-184
    assert_eq!(
        errors("port [1 ?"),
        "Parse error on line 1: 'Expected an array value terminator \",\" or an array terminator \"]\", but got '?' instead.' (in t.conf, line 1, column 9)"
    );
}
