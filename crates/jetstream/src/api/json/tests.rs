use super::*;
use crate::api::body::{ConsumerCreateBody, StreamBody};
use crate::config::Retention;

/// Subject, body (a character for each byte) and fault, as the reference answered.
fn recorded(lines: &str) -> impl Iterator<Item = (String, Vec<u8>, String)> {
    lines.lines().map(|line| {
        let (subject, body, fault): (String, String, String) = serde_json::from_str(line).unwrap();
        (subject, body.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect(), fault)
    })
}

fn fault(subject: &str, body: &[u8], strictness: Strictness) -> String {
    let error = if subject.starts_with("STREAM") {
        decode::<StreamBody>(body, strictness).err()
    } else {
        decode::<ConsumerCreateBody>(body, strictness).err()
    };
    error.map(|error| error.description.into_owned()).unwrap_or_default()
}

#[test]
fn faults_have_the_words_that_people_know() {
    // spec: JS-005 JS-389 JS-390 JS-391 JS-392 JS-393 JS-434 JS-440 JS-462 JS-463 JS-464 JS-507
    for (subject, body, expected) in recorded(include_str!("../testdata/faults_strict.jsonl")) {
        assert_eq!(fault(&subject, &body, Strictness::Strict), expected, "{subject} {}", body.escape_ascii());
    }
}

#[test]
fn a_lenient_server_passes_over_what_it_does_not_know() {
    // spec: NEW-001
    for (subject, body, expected) in recorded(include_str!("../testdata/faults_lenient.jsonl")) {
        assert_eq!(fault(&subject, &body, Strictness::Lenient), expected, "{subject} {}", body.escape_ascii());
    }
    let body = decode::<StreamBody>(br#"{"name":"A","foo":1}"#, Strictness::Lenient).unwrap();
    assert_eq!(body.config.name, "A");
}

#[test]
fn depth_is_bounded() {
    for (depth, expected) in [
        (10_000, "invalid JSON: json: cannot unmarshal array into Go value of type server.StreamConfigRequest"),
        (10_001, "invalid JSON: exceeded max depth at offset 10001"),
    ] {
        let body = ["[".repeat(depth), "]".repeat(depth)].concat();
        assert_eq!(fault("STREAM", body.as_bytes(), Strictness::Strict), expected);
    }
}

#[test]
fn what_is_said_twice_is_laid_over_what_was_said_before() {
    let body = br#" {"NAME":"A","max_msgs":null,"retention":"interest","Metadata":{"a":"1","b":null}}
        {"mirror":{"name":"B","opt_start_time":"2020-02-03T04:05:06.123456789123+05:00"},"sources":[null,{"name":"C"}]}
        {"mirror":{"opt_start_seq":4},"metadata":{"c":"\u00e9\ud83d\ude00\ud83d"},"\u017fealed":true,"subjects":["x",null]}null"#;
    let body = decode::<StreamBody>(body, Strictness::Strict).unwrap().config;
    assert_eq!((&*body.name, body.max_msgs, body.retention, body.sealed), ("A", 0, Retention::Interest, true));
    assert_eq!(body.subjects, ["x", ""]);
    let metadata: Vec<_> = body.metadata.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(metadata, [("a", "1"), ("b", ""), ("c", "é😀\u{fffd}")]);
    let mirror = body.mirror.unwrap();
    assert_eq!((&*mirror.name, mirror.opt_start_seq), ("B", 4));
    assert_eq!(mirror.opt_start_time.unwrap().to_string(), "2020-02-02T23:05:06.123456789Z");
    assert_eq!(
        body.sources.iter().map(|source| source.as_ref().map(|source| &*source.name)).collect::<Vec<_>>(),
        [None, Some("C")]
    );
}

#[test]
fn text_is_written_so_that_it_can_stand_in_a_page() {
    // spec: JS-009
    let text = "a>b<c&\"\\\u{8}\u{c}\n\r\t\0\u{1f}\u{7f}\u{2028}é";
    let json = r#""a\u003eb\u003cc\u0026\"\\\b\f\n\r\t\u0000\u001f"#.to_owned() + "\u{7f}\\u2028é\"";
    assert_eq!(String::from_utf8(encode(text)).unwrap(), json);
}

#[test]
fn a_time_that_is_none_is_quoted_byte_by_byte() {
    // spec: JS-005
    let error = decode::<StreamBody>("{\"mirror\":{\"opt_start_time\":\"é\u{2028}<\"}}".as_bytes(), Strictness::Strict);
    let quoted = r#""\xc3\xa9\xe2\x80\xa8<""#;
    let wanted = format!(
        r#"invalid JSON: parsing time {quoted} as "2006-01-02T15:04:05Z07:00": cannot parse {quoted} as "2006" (10025)"#
    );
    assert_eq!(error.unwrap_err().to_string(), wanted);
}

proptest::proptest! {
    #[test]
    fn a_value_ends_where_another_decoder_ends_it(
        body in proptest::collection::vec(proptest::sample::select(&b"{}[]\":,\\u01e-.trfalsn \xc3"[..]), 0..24),
    ) {
        let ours = super::scan::value_end(&body, super::scan::skip_space(&body, 0)).is_ok_and(|end| scan::after_top_level(&body, end).is_ok());
        let text = String::from_utf8_lossy(&body);
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        // The other one looks at pairs of surrogates.
        proptest::prop_assert!(ours == theirs || text.contains("\\u"), "{}", text);
        let _ = (decode::<StreamBody>(&body, Strictness::Strict), decode::<StreamBody>(&body, Strictness::Lenient));
    }
}
