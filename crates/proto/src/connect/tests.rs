//! The tables hold what the reference server was seen to accept and refuse.

use super::{Connect, SubjectPermission};
use crate::json::JsonError;

fn read(json: &str) -> Connect {
    Connect::from_json(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"))
}

#[test]
fn every_field() {
    // spec: CORE-032
    let connect = read(
        r#"{"echo":false,"verbose":false,"pedantic":false,"tls_required":true,"nkey":"N","jwt":"J","sig":"S","auth_token":"T","user":"U",
        "pass":"P","name":"me","lang":"rust","version":"1.2","protocol":1,"account":"A","new_account":true,"headers":true,
        "no_responders":true,"import":{"allow":["a","b"]},"export":{"deny":["c"]},"remote_account":"R","proxy_sig":"X"}"#,
    );
    let expected = Connect {
        echo: false,
        verbose: false,
        pedantic: false,
        tls_required: true,
        nkey: "N".into(),
        jwt: "J".into(),
        sig: "S".into(),
        auth_token: "T".into(),
        user: "U".into(),
        pass: "P".into(),
        name: "me".into(),
        lang: "rust".into(),
        version: "1.2".into(),
        protocol: 1,
        account: "A".into(),
        new_account: true,
        headers: true,
        no_responders: true,
        import: Some(SubjectPermission { allow: vec!["a".into(), "b".into()], deny: vec![] }),
        export: Some(SubjectPermission { allow: vec![], deny: vec!["c".into()] }),
        remote_account: "R".into(),
        proxy_sig: "X".into(),
    };
    assert!(connect == expected, "{connect:?}");
    let mut written = Vec::new();
    connect.write_json(&mut written);
    assert!(Connect::from_json(&written) == Ok(expected), "what is written is read");
}

#[test]
fn what_is_absent_keeps_its_default() {
    // spec: CORE-033
    let connect = read("{}");
    assert!(connect.verbose && connect.pedantic && connect.echo);
    assert!(!connect.headers && !connect.no_responders && !connect.tls_required && !connect.new_account);
    assert_eq!((connect.protocol, connect.user.as_str()), (0, ""));
    assert!(connect == Connect::default() && read(" null ") == connect);
}

#[test]
fn a_second_connect_is_laid_over_the_first() {
    // spec: CORE-039
    let mut connect = read(r#"{"verbose":false,"user":"a","import":{"allow":["x"],"deny":["y"]}}"#);
    connect.update(br#"{"user":"b","import":{"allow":["z"]}}"#).expect("valid");
    assert!(!connect.verbose && connect.pedantic);
    assert_eq!(connect.user, "b");
    assert_eq!(connect.import, Some(SubjectPermission { allow: vec!["z".into()], deny: vec!["y".into()] }));
    connect.update(br#"{"import":null}"#).expect("valid");
    assert_eq!(connect.import, None);
}

#[test]
fn what_the_decoder_forgives() {
    // spec: CORE-034
    for json in [
        r#"{"verbose":false}"#,
        r#"{"VERBOSE":false}"#,
        r#"{"Verbose" : false }"#,
        "{\"verbo\u{17f}e\":false}",
        r#"{"verb\u006fse":false}"#,
        r#"{"verbose":true,"VERBOSE":false}"#,
        r#"{"verbose":false,"verbose":null}"#,
        r#"{"unknown":{"a":[1,2,{"b":null}]},"verbose":false}"#,
        "\n{\"verbose\":false}\r",
    ] {
        assert!(!read(json).verbose, "{json}");
    }
    assert!(read(r#"{"verbose":null}"#).verbose);
    assert_eq!(read(r#"{"user":null}"#).user, "");
    assert_eq!(read(r#"{"protocol":null}"#).protocol, 0);
    assert_eq!(read(r#"{"protocol":1,"protocol": -0 }"#).protocol, 0);
    assert_eq!(read(r#"{"protocol":-9223372036854775808}"#).protocol, i64::MIN);
    assert_eq!(
        read(r#"{"import":{"allow":["x",null]}}"#).import.map(|import| import.allow),
        Some(vec!["x".into(), String::new()])
    );
    let deep = format!(r#"{{"unknown":{}{},"verbose":false}}"#, "[".repeat(2000), "]".repeat(2000));
    assert!(!read(&deep).verbose);
}

#[test]
fn text_that_is_no_unicode_is_replaced() {
    for (json, name) in [
        (&b"{\"name\":\"\xff\xfe\"}"[..], "\u{fffd}\u{fffd}"),
        (b"{\"name\":\"a\xe2\x82b\"}", "a\u{fffd}\u{fffd}b"),
        (br#"{"name":"\ud800x"}"#, "\u{fffd}x"),
        (br#"{"name":"\udc00\ud83d\ude00"}"#, "\u{fffd}\u{1f600}"),
        (b"{\"a\xff\":1,\"name\":\"n\"}", "n"),
    ] {
        let connect = Connect::from_json(json).expect("forgiven");
        assert_eq!(connect.name, name, "{}", json.escape_ascii());
    }
}

#[test]
fn what_closes_the_connection() {
    // spec: CORE-034
    for json in [
        "",
        "{",
        "{}x",
        "{}{}",
        "{'name':1}",
        r#"{"verbose":false,}"#,
        r#"{"unknown":tru}"#,
        r#"{"p":01}"#,
        r#"{"protocol":-}"#,
        "\u{feff}{}",
        "{\"name\":\"a\tb\"}",
        "{\"name\":\"a\u{1}b\"}",
        r#"{"name":"\x"}"#,
        "\r",
    ] {
        assert!(matches!(Connect::from_json(json.as_bytes()), Err(JsonError::Syntax { .. })), "{json:?}");
    }
    for json in [
        "[]",
        "5",
        "\"x\"",
        "true",
        r#"{"verbose":"x"}"#,
        r#"{"verbose":0}"#,
        r#"{"user":5}"#,
        r#"{"user":["x"]}"#,
        r#"{"protocol":1.0}"#,
        r#"{"protocol":1e0}"#,
        r#"{"protocol":-0.0}"#,
        r#"{"protocol":-0e0}"#,
        r#"{"protocol":"1"}"#,
        r#"{"protocol":true}"#,
        r#"{"protocol":99999999999999999999}"#,
        r#"{"import":5}"#,
        r#"{"import":[]}"#,
        r#"{"import":{"allow":"x"}}"#,
        r#"{"import":{"allow":[5]}}"#,
    ] {
        assert!(matches!(Connect::from_json(json.as_bytes()), Err(JsonError::Type { .. })), "{json:?}");
    }
}

#[test]
fn errors_and_debug_output_hold_no_secret() {
    let error = Connect::from_json(br#"{"pass":12345}"#).expect_err("a number is no password");
    assert!(!error.to_string().contains("12345"), "{error}");
    let connect = read(
        r#"{"user":"u","pass":"12345","auth_token":"12345","sig":"12345","nkey":"12345","jwt":"12345","proxy_sig":"12345"}"#,
    );
    assert!(!format!("{connect:?}").contains("12345"));
}

proptest::proptest! {
    #[test]
    fn nothing_makes_it_panic(bytes in proptest::collection::vec(proptest::sample::select(&b"{}[]\":,\\ud8001user nltrfas-.e\xff\t"[..]), 0..40)) {
        let _ = Connect::from_json(&bytes);
    }

    #[test]
    fn what_is_written_is_read(user in "\\PC{0,12}", pass in ".{0,12}", verbose: bool, protocol: i64) {
        let connect = Connect { verbose, user, pass, protocol, ..Connect::default() };
        let mut written = Vec::new();
        connect.write_json(&mut written);
        proptest::prop_assert!(Connect::from_json(&written) == Ok(connect));
    }
}
