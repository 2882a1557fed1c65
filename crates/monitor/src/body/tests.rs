//! Bodies and what is wrong with them; the texts are the reference's.

use super::*;

fn error(bytes: &[u8]) -> String {
    let read = |bytes| {
        let mut body = Body::parse(bytes, "ConnzEventOptions")?;
        let _ = (body.bool("auth"), body.int("limit"), body.uint("cid"), body.texts("tags"));
        let _ = (body.text_as("sort", "server.SortOpt"), body.int_as("state", "server.ConnState"));
        body.finish()
    };
    read(bytes).map_or_else(|error: BodyError| error.to_string(), |()| String::new())
}

#[test]
fn broken_syntax_is_told_as_users_know_it() {
    // spec: CLU-090
    let value = "looking for beginning of value";
    for (text, wanted) in [
        (" ", "unexpected end of JSON input".to_owned()),
        ("{", "unexpected end of JSON input".into()),
        ("-", "unexpected end of JSON input".into()),
        ("1e+", "unexpected end of JSON input".into()),
        (r#""\u12"#, "unexpected end of JSON input".into()),
        (r#"{"auth":1,"x}"#, "unexpected end of JSON input".into()),
        ("nonsense", "invalid character 'o' in literal null (expecting 'u')".into()),
        ("tRue", "invalid character 'R' in literal true (expecting 'r')".into()),
        ("+1", format!("invalid character '+' {value}")),
        ("[1,]", format!("invalid character ']' {value}")),
        ("é", format!("invalid character 'é' {value}")),
        ("'", format!(r"invalid character '\'' {value}")),
        ("\u{1}", format!(r"invalid character '\x01' {value}")),
        ("\u{85}", format!(r"invalid character '\u0085' {value}")),
        ("\u{a0}", format!(r"invalid character '\u00a0' {value}")),
        ("\u{ad}", format!(r"invalid character '\u00ad' {value}")),
        ("\u{200b}", format!(r"invalid character '\u200b' {value}")),
        ("\u{2028}", format!(r"invalid character '\u2028' {value}")),
        ("\u{e000}", format!(r"invalid character '\ue000' {value}")),
        ("\u{feff}{}", format!(r"invalid character '\ufeff' {value}")),
        ("\u{fffd}", format!("invalid character '\u{fffd}' {value}")),
        ("{}x", "invalid character 'x' after top-level value".into()),
        ("01", "invalid character '1' after top-level value".into()),
        ("[1 2]", "invalid character '2' after array element".into()),
        (r#"{"a":1 2}"#, "invalid character '2' after object key:value pair".into()),
        (r#"{"a" 1}"#, "invalid character '1' after object key".into()),
        (r#"{"a":1,}"#, "invalid character '}' looking for beginning of object key string".into()),
        (r#"{"a":1.}"#, "invalid character '}' in numeric literal".into()),
        ("\"a\n\"", r"invalid character '\n' in string".into()),
        (r#""\x""#, r"invalid escape sequence `\x` in string".into()),
        (r#""\u12""#, r#"invalid escape sequence `\u12"` in string"#.into()),
        (r#""\u00 4""#, r#"invalid escape sequence "\\u00 4" in string"#.into()),
        ("\u{599}", format!("invalid character '\u{599}' {value}")),
        (r#""\`""#, "invalid escape sequence \"\\\\`\" in string".into()),
    ] {
        assert_eq!(error(text.as_bytes()), wanted, "{text}");
    }
    for (bytes, wanted) in [
        (&b"\xc3("[..], format!(r"invalid character '\xc3' {value}")),
        (b"\"\\\xc3\xa9\"", r#"invalid escape sequence "\\\xc3" in string"#.into()),
    ] {
        assert_eq!(error(bytes), wanted, "{bytes:?}");
    }
}

#[test]
fn nesting_has_an_end() {
    assert_eq!(error("[".repeat(10_001).as_bytes()), "exceeded max depth");
    let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(9_999), "]".repeat(9_999));
    assert_eq!(error(deep.as_bytes()), "");
}

#[test]
fn values_of_wrong_types_are_refused_the_first_one_first() {
    // spec: CLU-090
    let field = |rest: &str| format!("json: cannot unmarshal {rest}");
    for (text, wanted) in [
        ("[]", field("array into Go value of type server.ConnzEventOptions")),
        ("1", field("number into Go value of type server.ConnzEventOptions")),
        (r#"{"cid":1.5}"#, field("number 1.5 into Go struct field ConnzEventOptions.cid of type uint64")),
        (r#"{"cid":-1}"#, field("number -1 into Go struct field ConnzEventOptions.cid of type uint64")),
        (r#"{"limit":1e2}"#, field("number 1e2 into Go struct field ConnzEventOptions.limit of type int")),
        (r#"{"auth":{}}"#, field("object into Go struct field ConnzEventOptions.auth of type bool")),
        (r#"{"AUTH":1}"#, field("number into Go struct field ConnzEventOptions.AUTH of type bool")),
        (r#"{"Tags":[1]}"#, field("number into ConnzEventOptions.Tags.0 of type string")),
        (r#"{"sort":1}"#, field("number into Go struct field ConnzEventOptions.sort of type server.SortOpt")),
        (r#"{"state":"open"}"#, field("string into Go struct field ConnzEventOptions.state of type server.ConnState")),
        (r#"{"tags":1}"#, field("number into Go struct field ConnzEventOptions.tags of type []string")),
        (r#"{"tags":["a",{"b":[1,2]}]}"#, field("object into ConnzEventOptions.tags.1 of type string")),
        (r#"{"limit":true,"auth":1}"#, field("bool into Go struct field ConnzEventOptions.limit of type int")),
        (r#"{"auth":1,"limit":true}"#, field("number into Go struct field ConnzEventOptions.auth of type bool")),
        (r#"{"auth":1,"auth":true}"#, field("number into Go struct field ConnzEventOptions.auth of type bool")),
        (r#"{"tags":["x"],"tags":[1]}"#, field("number into ConnzEventOptions.tags.0 of type string")),
        (r#"{"nope":[1,{"auth":1}],"a":{"auth":1}}"#, String::new()),
        ("null", String::new()),
        ("", String::new()),
    ] {
        assert_eq!(error(text.as_bytes()), wanted, "{text}");
    }
}

#[test]
fn values_are_read() {
    let text = r#" {"Auth":true, "limit":-5,"cid":7,"cid":18446744073709551615, "tags":["a",null,"\u0062\n"],
        "sort":null,"user":"x","user":"\ud83d\ude00\ud800-\"","ſtate":2,"acc":"é"} "#;
    let mut body = Body::parse(text.as_bytes(), "X").unwrap();
    assert!(body.bool("auth"));
    assert_eq!((body.int("limit"), body.uint("cid"), body.int("state")), (-5, u64::MAX, 2));
    assert_eq!(body.texts("tags"), ["a", "", "b\n"]);
    assert_eq!(
        (body.text("sort"), body.text("acc"), body.text("user")),
        (String::new(), "é".into(), "😀\u{fffd}-\"".into())
    );
    assert_eq!((body.some_text("user", "string").is_some(), body.some_text("none", "string")), (true, None));
    assert_eq!(body.finish(), Ok(()));
    let mut body = Body::parse(br#"{"a":"c\u0051==","b":"","c":"cQ"}"#, "X").unwrap();
    assert_eq!((body.bytes("a"), body.bytes("b"), body.bytes("d")), (Some(b"q".to_vec()), Some(Vec::new()), None));
    assert_eq!((body.bytes("c"), body.finish().is_err()), (None, true));
    let mut body = Body::parse(br#"{"tags":["a"],"tags":null,"auth":true,"auth":null}"#, "X").unwrap();
    assert_eq!((body.texts("tags").len(), body.bool("auth")), (0, true));
}

proptest::proptest! {
    #[test]
    fn what_one_parser_takes_the_other_takes(text in r#"[\[\]{}:,"\\ux0-9eE.+\-truefalsn \n]{0,24}"#) {
        let taken = !matches!(Body::parse(text.as_bytes(), "X"), Err(BodyError::Syntax(_)));
        let known = text.is_empty() || serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        proptest::prop_assert_eq!(taken, known, "{}", text);
    }

    #[test]
    fn any_bytes_can_be_read(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
        let _ = error(&bytes);
    }

    #[test]
    fn what_was_written_is_read(text in ".{0,32}") {
        let json = serde_json::json!({"a": text}).to_string();
        let mut body = Body::parse(json.as_bytes(), "X").unwrap();
        proptest::prop_assert_eq!(body.text("a"), text);
    }
}
