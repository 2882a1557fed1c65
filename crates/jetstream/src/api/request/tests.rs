use super::*;

/// Subject, body and headers (a character for each byte), and what came of it: nothing; `+` for an answer, with a code if
/// it was an error that needs streams to be found; the code and the words of a fault of the request; or the whole answer.
type Recorded = (String, String, String, Option<String>);

fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

#[test]
fn requests_are_refused_as_they_always_were() {
    // spec: JS-015 JS-021 JS-022 JS-023 JS-033
    // spec: JS-004 JS-005 JS-006 JS-007 JS-010 JS-037 JS-038 JS-370 JS-371 JS-439 JS-460 JS-490 JS-492 JS-516 JS-518 JS-519
    let mut wrong = Vec::new();
    for line in include_str!("../testdata/requests.jsonl").lines() {
        let (subject, body, headers, answer): Recorded = serde_json::from_str(line).unwrap();
        let (body, mut headers) = (bytes(&body), bytes(&headers));
        if !headers.is_empty() {
            headers = [b"NATS/1.0\r\n", &headers[..], b"\r\n\r\n"].concat();
        }
        let setting = Setting { is_enabled: true, ..Setting::default() };
        let refusal = match parse(&subject, &headers, &body, setting) {
            Parsed::Refused(endpoint, error) => Some((endpoint, error)),
            Parsed::Request(
                endpoint,
                Request::ConsumerReset(_, _, Err(error)) | Request::StreamSnapshot(_, Err(error)),
            ) if answer.as_ref().is_none_or(|answer| !answer.starts_with('+')) => Some((endpoint, error)),
            Parsed::Request(..) => {
                if !answer.is_some_and(|answer| answer.starts_with('+')) {
                    wrong.push(format!("not refused: {line}"));
                }
                continue;
            }
            Parsed::Nobody => None,
        };
        let said = refusal.map(|(endpoint, error)| match &answer {
            Some(answer) if answer.starts_with('{') => String::from_utf8(endpoint.refuse(&error)).unwrap(),
            _ => format!("{} {}", error.err_code, error.description),
        });
        if said != answer {
            wrong.push(format!("{said:?}: {line}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_account_without_jetstream_says_so_when_it_is_its_turn() {
    let parse = |subject, headers: &[u8], body: &[u8]| match parse(subject, headers, body, Setting::default()) {
        Parsed::Refused(_, error) => error.err_code,
        _ => 0,
    };
    let level = b"NATS/1.0\r\nNats-Required-Api-Level: 6\r\n\r\n";
    for (subject, headers, body, err_code) in [
        ("INFO", &b""[..], &b""[..], 10_039),
        ("INFO", level, b"", 10_185),
        ("STREAM.CREATE.A", b"", b"x", 10_039),
        ("CONSUMER.CREATE.A", b"", b"x", 10_025),
        ("CONSUMER.CREATE.A", level, b"", 10_185),
        ("CONSUMER.CREATE.A", b"", b"", 10_039),
        ("CONSUMER.INFO.A.b", b"", b"x", 10_038),
        ("CONSUMER.INFO.A.b", b"", b"", 10_039),
        ("CONSUMER.PAUSE.A.b", b"", b"{x", 10_025),
        ("CONSUMER.PAUSE.A.b", b"", b"", 10_039),
        ("CONSUMER.UNPIN.A.b", b"", br#"{"group":"x y"}"#, 10_162),
        ("CONSUMER.UNPIN.A.b", b"", br#"{"group":"x"}"#, 10_039),
    ] {
        assert_eq!(parse(subject, headers, body), err_code, "{subject}");
    }
}

#[test]
fn what_is_asked_is_what_the_subject_and_the_body_say() {
    let setting = Setting { is_enabled: true, ..Setting::default() };
    let request = |subject: &str, body: &str| match parse(subject, b"", body.as_bytes(), setting) {
        Parsed::Request(_, request) => request,
        other => panic!("{other:?}"),
    };
    let names = StreamNamesBody { offset: Int(0), subject: "a".to_owned() };
    assert_eq!(request("STREAM.LIST", r#"{"offset":-4,"subject":"a"}"#), Request::StreamList(names));
    let Request::ConsumerCreate(create) =
        request("CONSUMER.CREATE.S.c.a.*", r#"{"stream_name":"S","config":{"filter_subject":"a.*"}}"#)
    else {
        panic!()
    };
    assert_eq!((&*create.stream, create.name.as_deref(), &*create.body.config.name), ("S", Some("c"), "c"));
    let purge = PurgeBody { seq: 0, filter: "x".to_owned(), keep: 2 };
    assert_eq!(request("STREAM.PURGE.S", r#"{"filter":"x","keep":2}"#), Request::StreamPurge("S".to_owned(), purge));
}
