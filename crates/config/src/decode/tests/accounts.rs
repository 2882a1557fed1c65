//! Accounts, and what they share.

use std::time::Duration;

use super::{ACCOUNT_NKEY, errors, options, warnings};
use crate::options::{
    Account, AccountLimits, Destination, Export, ExportKind, Import, ImportKind, Latency, Mapping, ResponseType,
    Sampling, TraceDestination,
};

/// The account `A` of `accounts { A { TEXT }, B {}, C {} }`.
fn account(text: &str) -> Account {
    options(&format!("accounts {{ A {{ {text} }}, B {{}}, C {{}} }}")).accounts.swap_remove(0)
}

fn export(text: &str) -> Export {
    account(&format!("exports: [ {{ {text} }} ]")).exports.swap_remove(0)
}

/// An import of `B` from `A`, which exports everything.
fn import(text: &str) -> Import {
    let text = format!(
        "accounts {{ A {{ exports: [ {{stream: '>'}}, {{service: '>'}} ] }}, B {{ imports: [ {{ {text} }} ] }} }}"
    );
    options(&text).accounts.swap_remove(1).imports.swap_remove(0)
}

/// The refusal of `accounts { TEXT }`, without its place.
fn refusal(text: &str) -> String {
    let found = errors(&format!("accounts {{ {text} }}"));
    found.split_once(": ").map(|(_, message)| message.to_owned()).expect("a place")
}

#[test]
fn names_alone_or_with_a_map() {
    // spec: CFG-006 CFG-078 CFG-117 CFG-118
    for text in ["accounts: [A, B]", "accounts { A {}, B {} }", "ACCOUNTS { A {}\n B {} }"] {
        let names: Vec<_> = options(text).accounts.into_iter().map(|account| account.name).collect();
        assert_eq!(names, ["A", "B"], "{text}");
    }
    assert_eq!(errors("accounts: [A, A]"), "t.conf:1:14: Duplicate Account Entry: A");
    assert_eq!(
        errors("accounts: [A, $x]\n"),
        "variable reference for 'x' on line 1 can not be found (in t.conf, line 1, column 15)"
    );
    assert_eq!(errors("accounts: [A, '$G']"), "t.conf:1:15: \"$G\" is a Reserved Account");
    assert_eq!(errors("accounts { $G {} }"), "t.conf:1:11: \"$G\" is a Reserved Account");
    assert_eq!(errors("accounts { A{users: []} }"), "t.conf:1:11: Expected map entries for accounts");
    assert_eq!(errors("accounts { A { x: 1 } }"), "t.conf:1:15: unknown field \"x\"");
}

#[test]
fn users_keys_and_permissions() {
    // spec: CFG-119 CFG-240 CFG-241 CFG-242
    let read = account(&format!("nkey: {ACCOUNT_NKEY}, users: [ {{user: u}} ], default_permissions: {{ pub: a }}"));
    assert_eq!(read.nkey.as_deref(), Some(ACCOUNT_NKEY));
    assert_eq!(read.users.len(), 1);
    assert!(read.default_permissions.is_some());
    assert_eq!(refusal("A { nkey: x }"), "Not a valid public nkey for an account: the string \"x\"");
}

#[test]
fn limits() {
    // spec: CFG-121 CFG-247 CFG-249 CFG-250 CFG-251 CFG-252
    let all = AccountLimits {
        max_connections: Some(1),
        max_subscriptions: Some(2),
        max_payload: Some(3_000),
        max_leafnodes: Some(0),
    };
    for text in [
        "max_connections: 1, max_subscriptions: 2, max_payload: 3k, max_leafnodes: 0",
        "max_conn: 1, max_subs: 2, max_pay: 3000, max_leafs: -7",
    ] {
        assert_eq!(account(&format!("limits {{ {text} }}")).limits, all);
    }
    assert_eq!(
        account("limits { max_conn: -1, max_subs: -1, max_pay: -1, max_leafs: -1 }").limits,
        AccountLimits::default()
    );
    assert_eq!(refusal("A { limits { x: 1 } }"), "Unknown field \"x\" parsing account limits");
    assert_eq!(warnings("accounts { A { limits { max_leafs: 1 } } }"), "");
}

#[test]
fn message_traces() {
    // spec: CFG-122 CFG-248
    for key in ["msg_trace", "trace_dest"] {
        for (text, sampling) in [
            ("'t.x'", 100),
            ("{dest: 't.x'}", 100),
            ("{dest: 't.x', sampling: 5}", 5),
            ("{sampling: '50%', dest: 't.x'}", 50),
        ] {
            let expected = TraceDestination { subject: "t.x".into(), sampling };
            assert_eq!(account(&format!("{key}: {text}")).trace, Some(expected), "{key}: {text}");
        }
    }
    assert_eq!(
        warnings("accounts { A { msg_trace: {sampling: 5} } }"),
        "t.conf:1:15: Trace destination sampling ignored since no destination was set"
    );
    for (text, message) in [
        ("'t.*'", "Trace destination \"t.*\" is not valid"),
        ("5", "\"msg_trace\" must be a subject or a map, got the integer 5"),
        ("{dest: t, sampling: 0}", "\"sampling\" is invalid, needs to be [1..100], got the integer 0"),
        ("{dest: t, sampling: '101%'}", "\"sampling\" is invalid, needs to be [1..100], got the string \"101%\""),
        ("{dest: t, x: 1}", "Unknown field \"x\" parsing account message trace \"msg_trace\""),
    ] {
        assert_eq!(refusal(&format!("A {{ msg_trace: {text} }}")), message);
    }
}

#[test]
fn mappings() {
    // spec: CFG-128 CFG-246 CFG-276 CFG-277 CFG-278 CFG-279
    let to = |subject: &str, weight, cluster: Option<&str>| Destination {
        subject: subject.into(),
        weight,
        cluster: cluster.map(Into::into),
    };
    for key in ["mappings", "maps"] {
        let text = format!(
            "{key}: {{ a: b, 'c.*': {{dest: 'd.$1', weight: '30%', cluster: X}}, \
             e: [ {{destination: f, weight: 60}}, {{dest: g, weight: 40}} ] }}"
        );
        let expected = [
            Mapping { source: "a".into(), destinations: vec![to("b", 100, None)] },
            Mapping { source: "c.*".into(), destinations: vec![to("d.$1", 30, Some("X"))] },
            Mapping { source: "e".into(), destinations: vec![to("f", 60, None), to("g", 40, None)] },
        ];
        assert_eq!(account(&text).mappings, expected);
    }
    for (text, message) in [
        ("'a..b': c", "Subject \"a..b\" is not a valid subject"),
        ("a: {weight: 5}", "Missing destination for mapping"),
        ("a: {dest: b}", "Missing weight for mapping destination \"b\""),
        ("a: {dest: b, weight: 101}", "Invalid weight \"101\" for mapping destination, expected 0 to 100"),
        ("a: {dest: b, weight: 'x%'}", "Invalid weight \"x\" for mapping destination, expected 0 to 100"),
        ("a: {dest: b, weight: -1}", "Invalid weight \"-1\" for mapping destination, expected 0 to 100"),
        (
            "a: {dest: b, weight: yes}",
            "\"weight\" must be 0 to 100 or a percentage such as \"50%\", got the boolean true",
        ),
        ("a: {dest: b, weight: 1, x: 1}", "Unknown field \"x\" for mapping destination"),
        ("a: 5", "Expected an entry for the mapping destination, got the integer 5"),
        (
            "a: [ {dest: b, weight: 60}, {dest: c, weight: 50} ]",
            "Error adding mapping for \"a\" : total weight needs to be <= 100",
        ),
        (
            "a: [ {dest: b, weight: 1}, {dest: b, weight: 1} ]",
            "Error adding mapping for \"a\" : duplicate entry for \"b\"",
        ),
        (
            "'a.*': 'b.{{nope(1)}}'",
            "Error adding mapping for \"a.*\" to \"b.{{nope(1)}}\" : invalid mapping destination: unknown function in {{nope(1)}}",
        ),
    ] {
        assert_eq!(refusal(&format!("A {{ mappings: {{ {text} }} }}")), message, "{text}");
    }
}

#[test]
fn exports() {
    // spec: CFG-011 CFG-125 CFG-244 CFG-262 CFG-263 CFG-264 CFG-265 CFG-266 CFG-267 CFG-268 CFG-269
    let service =
        |response, seconds, latency| ExportKind::Service { response, threshold: Duration::from_secs(seconds), latency };
    let latency = |sampling| Some(Latency { subject: "lat".into(), sampling });
    let plain = Export {
        subject: "a.*".into(),
        kind: ExportKind::Stream,
        accounts: None,
        account_token_position: 0,
        allow_trace: false,
    };
    assert_eq!(export("stream: 'a.*'"), plain);
    assert_eq!(export("stream: 'a.*', accounts: []"), plain);
    let to_two = Some(vec!["B".to_owned(), "C".to_owned()]);
    assert_eq!(export("accounts: [B, C], stream: 'a.*'"), Export { accounts: to_two, ..plain.clone() });
    assert_eq!(
        export("stream: 'a.*', account_token_position: 2"),
        Export { account_token_position: 2, ..plain.clone() }
    );
    for (text, kind) in [
        ("", service(ResponseType::Singleton, 120, None)),
        ("response: single", service(ResponseType::Singleton, 120, None)),
        ("response_type: Singleton", service(ResponseType::Singleton, 120, None)),
        ("response: stream", service(ResponseType::Stream, 120, None)),
        ("response: chunk", service(ResponseType::Chunked, 120, None)),
        ("response: chunked", service(ResponseType::Chunked, 120, None)),
        ("threshold: '5s'", service(ResponseType::Singleton, 5, None)),
        ("response_threshold: '5s'", service(ResponseType::Singleton, 5, None)),
        ("response_max_time: '5s'", service(ResponseType::Singleton, 5, None)),
        ("response_time: '5s'", service(ResponseType::Singleton, 5, None)),
        ("latency: lat", service(ResponseType::Singleton, 120, latency(Sampling::Percent(100)))),
        ("latency: {subject: lat}", service(ResponseType::Singleton, 120, latency(Sampling::Percent(100)))),
        ("latency: {subject: lat, sampling: 5}", service(ResponseType::Singleton, 120, latency(Sampling::Percent(5)))),
        (
            "latency: {subject: lat, sampling: '5%'}",
            service(ResponseType::Singleton, 120, latency(Sampling::Percent(5))),
        ),
        (
            "latency: {subject: lat, sampling: Headers}",
            service(ResponseType::Singleton, 120, latency(Sampling::Headers)),
        ),
    ] {
        assert_eq!(export(&format!("service: 'a.*', {text}")), Export { kind, ..plain.clone() }, "{text}");
    }
    assert!(export("service: a, allow_trace: true").allow_trace);
}

#[test]
fn exports_of_one_subject_are_one() {
    // spec: CFG-125 CFG-264 CFG-265 CFG-266 CFG-267
    let text = "service: a, response: stream, threshold: '9s' }, { service: a, accounts: [A] }, { stream: a }, \
                { service: a, accounts: [B], allow_trace: true";
    let exports =
        options(&format!("accounts {{ A {{ exports: [ {{ {text} }} ] }}, B {{}} }}")).accounts[0].exports.clone();
    let service = Export {
        subject: "a".into(),
        kind: ExportKind::Service { response: ResponseType::Stream, threshold: Duration::from_secs(9), latency: None },
        accounts: Some(vec!["A".into(), "B".into()]),
        account_token_position: 0,
        allow_trace: true,
    };
    let stream = Export { kind: ExportKind::Stream, accounts: None, allow_trace: false, ..service.clone() };
    assert_eq!(exports, [service, stream]);
}

#[test]
fn exports_that_are_none() {
    // spec: CFG-125 CFG-127 CFG-265 CFG-266 CFG-267 CFG-268 CFG-269
    for (text, message) in [
        ("stream: a, service: b", "Detected stream \"a\" but already saw a service"),
        ("accounts: [B]", "An export needs a \"stream\" or a \"service\""),
        ("stream: a, response: single", "Detected response directive on non-service"),
        ("stream: a, threshold: '1s'", "Detected response directive on non-service"),
        ("stream: a, latency: b", "Detected latency directive on non-service"),
        ("stream: a, allow_trace: true", "Detected allow_trace directive on non-service"),
        ("service: a, response: x", "Unknown response type: \"x\""),
        ("service: a, response: single, response_type: stream", "Duplicate response type definition"),
        ("service: a, threshold: '1s', response_time: '1s'", "Duplicate response threshold detected"),
        (
            "service: a, threshold: 5",
            "\"threshold\" must be a duration string such as \"2m\" or \"500ms\", got the integer 5",
        ),
        ("service: a, latency: {sampling: 5}", "Latency subject required, but missing"),
        (
            "service: a, latency: {subject: b, sampling: 0}",
            "\"sampling\" is invalid, needs to be [1..100], got the integer 0",
        ),
        (
            "service: a, latency: 'b.*'",
            "Error adding service latency sampling for \"a\" on subject \"b.*\": invalid publish subject",
        ),
        (
            "service: '>', latency: b",
            "Error adding service latency sampling for \">\" on subject \"b\": invalid publish subject",
        ),
        (
            "service: a, latency: b, response: stream",
            "Error adding service latency sampling for \"a\" on subject \"b\": bad service response type",
        ),
        ("service: 'a.*', account_token_position: 1", "Error adding service export \"a.*\": invalid subject"),
        ("service: 'a.*', account_token_position: 3", "Error adding service export \"a.*\": invalid subject"),
        ("stream: 'a..b'", "Error adding stream export \"a..b\": invalid subject"),
        ("stream: a, accounts: [X]", "\"X\" account not defined for stream export"),
        ("service: a, accounts: [X]", "\"X\" account not defined for service export"),
        ("stream: a, x: 1", "unknown field \"x\""),
    ] {
        assert_eq!(refusal(&format!("A {{ exports: [ {{ {text} }} ] }}")), message, "{text}");
    }
    let without_system = "no_system_account: true\naccounts { A { exports: [ {service: a, latency: b} ] } }";
    assert!(errors(without_system).ends_with("for \"a\": system account not setup"));
}

#[test]
fn imports() {
    // spec: CFG-126 CFG-243 CFG-270 CFG-271 CFG-272 CFG-273 CFG-274 CFG-275
    let stream = |to: Option<&str>, prefix: Option<&str>, allow_trace| ImportKind::Stream {
        to: to.map(Into::into),
        prefix: prefix.map(Into::into),
        allow_trace,
    };
    let service = |to: Option<&str>, share| ImportKind::Service { to: to.map(Into::into), share };
    for (text, kind) in [
        ("stream: {account: A, subject: 'a.*'}", stream(None, None, false)),
        ("stream: {account: A, subject: 'a.*'}, to: 'b.$1'", stream(Some("b.$1"), None, false)),
        ("to: 'b.*', stream: {account: A, subject: 'a.*'}", stream(Some("b.*"), None, false)),
        ("stream: {account: A, subject: 'a.*'}, prefix: p", stream(None, Some("p"), false)),
        ("stream: {account: A, subject: 'a.*'}, allow_trace: true", stream(None, None, true)),
        ("service: {account: A, subject: 'a.*'}", service(None, false)),
        ("service: {account: A, subject: 'a.*'}, to: 'b.$1', share: true", service(Some("b.$1"), true)),
    ] {
        assert_eq!(import(text), Import { account: "A".into(), subject: "a.*".into(), kind }, "{text}");
    }
}

#[test]
fn imports_that_are_none() {
    // spec: CFG-126 CFG-127 CFG-270 CFG-271 CFG-272 CFG-273 CFG-275
    let stream = "stream: {account: A, subject: 'a.*.*'}";
    let service = "service: {account: A, subject: 'a.*.*'}";
    let exporter = "A { exports: [ {stream: 'a.>'}, {service: 'a.>'} ] }";
    for (text, message) in [
        (format!("{stream}, {service}"), "Detected stream but already saw a service"),
        ("to: x".into(), "An import needs a \"stream\" or a \"service\""),
        ("stream: {account: A}".into(), "Expect an account name and a subject"),
        ("service: {subject: a}".into(), "Expect an account name and a subject"),
        ("stream: a".into(), "\"stream\" must be a map, got the string \"a\""),
        (format!("{stream}, to: x, prefix: y"), "Stream import can not have a 'prefix' and a 'to' property"),
        (format!("{service}, allow_trace: true"), "Detected allow_trace directive on a non-stream"),
        (format!("{stream}, x: 1"), "unknown field \"x\""),
        ("stream: {account: X, subject: a}".into(), "\"X\" account not defined for stream import"),
        ("service: {account: X, subject: a}".into(), "\"X\" account not defined for service import"),
        ("stream: {account: A, subject: b}".into(), "Error adding stream import \"b\": stream import not authorized"),
        (
            "service: {account: A, subject: b}".into(),
            "Error adding service import \"b\": service import not authorized",
        ),
        ("service: {account: A, subject: 'a..b'}".into(), "Error adding service import \"a..b\": invalid subject"),
        (
            format!("{stream}, prefix: 'p.*'"),
            "Error adding stream import \"a.*.*\": stream import prefix can not contain wildcard tokens",
        ),
        (
            format!("{stream}, to: 'b.$2'"),
            "Error adding stream import \"a.*.*\": failed to create mapping transform for stream import subject from \
             \"a.*.*\" to \"b.$2\": invalid mapping destination: not using all of the token wildcard(s) in b.$2",
        ),
    ] {
        assert_eq!(refusal(&format!("{exporter}, B {{ imports: [ {{ {text} }} ] }}")), message, "{text}");
    }
    assert_eq!(
        refusal(&format!("{exporter}, B {{ imports: [ {{{stream}}}, {{{stream}}} ] }}")),
        "Error adding stream import \"a.*.*\": stream import already exists"
    );
    let service = |subject| format!("{{service: {{account: A, subject: {subject}}}, to: x}}");
    assert_eq!(
        refusal(&format!("{exporter}, B {{ imports: [ {}, {} ] }}", service("a.a"), service("a.b"))),
        "Duplicate service import subject \"x\", previously used in import for account \"A\", subject \"a.a\""
    );
}

#[test]
fn private_exports_are_for_those_they_name() {
    // spec: CFG-127 CFG-264 CFG-268
    let shared = |exports: &str, subject: &str| {
        format!(
            "A {{ exports: [ {exports} ] }}, B {{ imports: [ {{service: {{account: A, subject: {subject}}}}} ] }}, C {{}}"
        )
    };
    for (exports, subject, allowed) in [
        ("{service: 'a.>', accounts: [B]}", "a.x", true),
        ("{service: 'a.>', accounts: [C]}", "a.x", false),
        ("{service: 'a.>', accounts: [C]}, {service: 'a.x'}", "a.x", true),
        ("{service: 'a.>'}, {service: 'a.x', accounts: [C]}", "a.x", false),
        // Of one subject there is one export.
        ("{service: 'a.x', accounts: [C]}, {service: 'a.x'}", "a.x", false),
        ("{service: 'a.x'}, {service: 'a.x', accounts: [C]}", "a.x", false),
        ("{service: 'a.x', accounts: [B]}, {service: 'a.x', accounts: [C]}", "a.x", true),
        ("{service: 'a.x', accounts: [C]}, {stream: 'a.x', accounts: [B]}", "a.x", false),
        ("{service: 'a.*', account_token_position: 2}", "a.B", true),
        ("{service: 'a.*', account_token_position: 2}", "a.C", false),
        ("{stream: 'a.x'}", "a.x", false),
        ("{service: 'a.x'}", "'a.>'", false),
    ] {
        let text = shared(exports, subject);
        if allowed {
            options(&format!("accounts {{ {text} }}"));
        } else {
            assert!(refusal(&text).ends_with("service import not authorized"), "{text}");
        }
    }
}

#[test]
fn imports_may_not_form_a_cycle() {
    // spec: CFG-126
    let ring = |kind: &str, names: &[&str]| {
        let account = |at: usize| {
            let (own, other) = (names[at], names[(at + 1) % names.len()]);
            format!("{own} {{ exports: [ {{{kind}: a}} ], imports: [ {{{kind}: {{account: {other}, subject: a}}}} ] }}")
        };
        (0..names.len()).map(account).collect::<Vec<_>>().join("\n")
    };
    for kind in ["stream", "service"] {
        for names in [&["A", "B"][..], &["A", "B", "C"], &["A", "B", "C", "D", "E"]] {
            let message = format!("Error adding {kind} import \"a\": import forms a cycle");
            assert_eq!(refusal(&ring(kind, names)), message, "{names:?}");
        }
        options(&format!(
            "accounts {{ A {{ exports: [ {{{kind}: a}} ] }}, B {{ exports: [ {{{kind}: a}} ], imports: [ {{{kind}: \
             {{account: A, subject: a}}}} ] }}, C {{ imports: [ {{{kind}: {{account: B, subject: a}}}} ] }} }}"
        ));
    }
}
