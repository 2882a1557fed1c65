use std::sync::Arc;

use martlet_config::options::{PermissionSubject, ResponsePermission, SubjectPermission};
use proptest::prelude::*;

use super::*;

/// `"subject"` or `"subject queue"`.
fn entry(text: &str) -> PermissionSubject {
    match text.split_once(' ') {
        Some((subject, queue)) => PermissionSubject { subject: subject.into(), queue: Some(queue.into()) },
        None => PermissionSubject { subject: text.into(), queue: None },
    }
}

fn entries(texts: &[&str]) -> Vec<PermissionSubject> {
    texts.iter().map(|text| entry(text)).collect()
}

fn rule(allow: Option<&[&str]>, deny: &[&str]) -> SubjectPermission {
    SubjectPermission { allow: allow.map(entries), deny: entries(deny) }
}

fn subscribing(allow: Option<&[&str]>, deny: &[&str]) -> Permissions {
    Permissions::compile(&options::Permissions { subscribe: rule(allow, deny), ..Default::default() })
}

/// User `a` of the observed rows.
fn observed() -> Permissions {
    Permissions::compile(&options::Permissions {
        publish: rule(Some(&["ok.>", "req.*"]), &["ok.secret.>"]),
        subscribe: rule(Some(&["ok.>", "q.x grp", "_INBOX.>"]), &["ok.deny.*"]),
        allow_responses: None,
    })
}

#[test]
fn publishing_as_observed() {
    // spec: SEC-036 SEC-089 SEC-090
    let permissions = observed();
    for (subject, allowed) in [
        ("ok.a", true),
        ("ok.a.b", true),
        ("req.x", true),
        ("req.x.y", false),
        ("zz", false),
        ("ok", false),
        ("ok.secret.x", false),
        ("ok.secret", true),
        ("ok..a", false), // a subject with an empty token matches no entry
        ("ok.", false),
        ("", false),
    ] {
        assert_eq!(permissions.may_publish(subject.as_bytes()), allowed, "{subject:?}");
    }
}

#[test]
fn subscribing_as_observed() {
    // spec: SEC-037 SEC-038 SEC-091 SEC-092 SEC-093 SEC-094 SEC-095
    use Subscribe::{Allowed, AllowedFiltered, Denied};
    let permissions = observed();
    for (subject, queue, answer) in [
        ("zz", None, Denied),
        ("zz", Some("grp"), Denied),
        ("q.x", None, Denied),
        ("q.x", Some("grp"), Allowed),
        ("q.x", Some("other"), Denied),
        ("ok.a", None, Allowed),
        ("ok.a", Some("any"), Allowed),
        ("ok.*", None, Allowed),
        ("ok.>", None, AllowedFiltered),
        ("ok.deny.x", None, Denied),
        ("ok.deny.*", None, Denied),
        ("ok.*.x", None, AllowedFiltered),
        (">", None, Denied),
        ("_INBOX.*", None, Allowed),
    ] {
        assert_eq!(
            permissions.may_subscribe(subject.as_bytes(), queue.map(str::as_bytes)),
            answer,
            "{subject} {queue:?}"
        );
    }
    assert!(permissions.may_receive(b"ok.a", None));
    assert!(!permissions.may_receive(b"ok.deny.x", None));
    assert!(permissions.may_receive(b"ok.deny.x.y", None));
}

#[test]
fn queue_groups_are_named_by_patterns_too() {
    // spec: SEC-038
    use Subscribe::{Allowed, AllowedFiltered, Denied};
    let permissions = subscribing(Some(&["bar.>", "q.* g.*", "lit"]), &["bar.x.*", "bar.q g1", "bar.w.* v.>"]);
    for (subject, queue, answer) in [
        ("q.a", Some("g.1"), Allowed),
        ("q.a", Some("h"), Denied),
        ("q.*", Some("g.1"), Allowed),
        ("lit", Some("any"), Allowed),
        ("bar.q", Some("g1"), Denied),
        ("bar.q", Some("g2"), Allowed),
        ("bar.q", None, Allowed),
        ("bar.*", Some("g1"), AllowedFiltered),
        ("bar.*", Some("g2"), Allowed),
        ("bar.*", None, Allowed),
        ("bar.w.1", Some("v.1.2"), Denied),
        ("bar.w.1", Some("v"), Allowed),
        ("bar.x.>", None, Denied),
        ("bar.*.y", None, AllowedFiltered),
    ] {
        assert_eq!(
            permissions.may_subscribe(subject.as_bytes(), queue.map(str::as_bytes)),
            answer,
            "{subject} {queue:?}"
        );
    }
    assert!(!permissions.may_receive(b"bar.q", Some(b"g1")));
    assert!(permissions.may_receive(b"bar.q", Some(b"g2")));
    assert!(permissions.may_receive(b"bar.q", None));
}

#[test]
fn a_named_group_narrows_a_plain_entry() {
    // spec: SEC-038
    let permissions = subscribing(Some(&["a.*", "a.b g"]), &[]);
    assert_eq!(permissions.may_subscribe(b"a.b", Some(b"h")), Subscribe::Denied);
    assert_eq!(permissions.may_subscribe(b"a.b", Some(b"g")), Subscribe::Allowed);
    assert_eq!(permissions.may_subscribe(b"a.b", None), Subscribe::Allowed);
    assert_eq!(permissions.may_subscribe(b"a.c", Some(b"h")), Subscribe::Allowed);
}

#[test]
fn a_subscription_that_reaches_further_than_its_allow_is_filtered() {
    // spec: SEC-037
    let permissions = subscribing(Some(&["a.*"]), &[]);
    assert_eq!(permissions.may_subscribe(b"a.*", None), Subscribe::Allowed);
    assert_eq!(permissions.may_subscribe(b"a.>", None), Subscribe::AllowedFiltered);
    assert!(permissions.may_receive(b"a.b", None));
    assert!(!permissions.may_receive(b"a.b.c", None));
}

#[test]
fn without_lists_everything_is_allowed_and_an_empty_list_allows_nothing() {
    // spec: SEC-036
    let open = Permissions::compile(&options::Permissions::default());
    assert!(open.may_publish(b"any.thing"));
    assert_eq!(open.may_subscribe(b">", None), Subscribe::Allowed);
    let closed = Permissions::compile(&options::Permissions {
        publish: rule(Some(&[]), &[]),
        subscribe: rule(Some(&[]), &[]),
        allow_responses: None,
    });
    assert!(!closed.may_publish(b"any.thing"));
    assert_eq!(closed.may_subscribe(b"a", None), Subscribe::Denied);
}

#[test]
fn allow_responses_forbids_all_other_publishing() {
    // spec: CFG-115 SEC-039
    let answering = |publish| {
        let allow_responses = Some(ResponsePermission { max: 0, ..ResponsePermission::default() });
        Permissions::compile(&options::Permissions { publish, allow_responses, ..Default::default() })
    };
    let only = answering(SubjectPermission::default());
    assert!(!only.may_publish(b"other"));
    assert_eq!(only.responses().map(|rule| rule.max), Some(1));
    assert!(answering(rule(Some(&["other"]), &[])).may_publish(b"other"));
    assert_eq!(Permissions::compile(&options::Permissions::default()).responses(), None);
}

/// What subjects and patterns are made of; few tokens, so that they meet.
fn pattern() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec!["a", "b", "*"]);
    (prop::collection::vec(token, 1..4), any::<bool>()).prop_map(|(mut tokens, rest)| {
        if rest {
            tokens.pop();
            tokens.push(">");
        }
        tokens.join(".")
    })
}

fn queue() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop::sample::select(vec!["g", "h", "g.1"]).prop_map(str::to_owned))
}

fn list() -> impl Strategy<Value = Vec<PermissionSubject>> {
    let queue = prop::option::of(prop::sample::select(vec!["g", "h", "g.*", ">"]).prop_map(str::to_owned));
    prop::collection::vec((pattern(), queue).prop_map(|(subject, queue)| PermissionSubject { subject, queue }), 0..5)
}

/// Every literal subject of the alphabet that the patterns above are made of, and a stranger.
fn universe() -> Vec<String> {
    let mut all: Vec<String> = vec!["a".into(), "b".into(), "c".into()];
    let mut last = all.clone();
    for _ in 0..3 {
        last = last.iter().flat_map(|left| ["a", "b", "c"].map(|right| format!("{left}.{right}"))).collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// The plainest matcher there is: recursion over lists of tokens.
fn naive(pattern: &[&str], subject: &[&str]) -> bool {
    match (pattern, subject) {
        ([], []) | ([">"], [_, ..]) => true,
        ([token, pattern @ ..], [first, subject @ ..]) => (*token == "*" || token == first) && naive(pattern, subject),
        _ => false,
    }
}

fn matches(pattern: &str, subject: &str) -> bool {
    naive(&pattern.split('.').collect::<Vec<_>>(), &subject.split('.').collect::<Vec<_>>())
}

fn names(pattern: Option<&str>, queue: Option<&str>) -> bool {
    match (pattern, queue) {
        (None, _) => true,
        (Some(pattern), Some(queue)) => pattern == queue || matches(pattern, queue),
        (Some(_), None) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn publishing_agrees_with_a_naive_model(allow in prop::option::of(list()), deny in list()) {
        // spec: SEC-036
        let source = SubjectPermission { allow: allow.clone(), deny: deny.clone() };
        let permissions =
            Permissions::compile(&options::Permissions { publish: source, ..Default::default() });
        for subject in universe() {
            let any = |list: &[PermissionSubject]| list.iter().any(|entry| matches(&entry.subject, &subject));
            let expected = allow.as_deref().is_none_or(any) && !any(&deny);
            prop_assert_eq!(permissions.may_publish(subject.as_bytes()), expected, "{}", subject);
        }
    }

    #[test]
    fn what_is_delivered_is_allowed_and_not_denied(
        allow in prop::option::of(list()), deny in list(), wanted in pattern(), queue in queue(),
    ) {
        // spec: SEC-037 SEC-038
        let source = SubjectPermission { allow: allow.clone(), deny: deny.clone() };
        let permissions =
            Permissions::compile(&options::Permissions { subscribe: source, ..Default::default() });
        let group = queue.as_deref();
        let answer = permissions.may_subscribe(wanted.as_bytes(), group.map(str::as_bytes));
        for subject in universe().iter().filter(|subject| matches(&wanted, subject)) {
            let hit = |list: &[PermissionSubject]| {
                list.iter().any(|entry| names(entry.queue.as_deref(), group) && matches(&entry.subject, subject))
            };
            let may = allow.as_deref().is_none_or(hit) && !hit(&deny);
            let received = permissions.may_receive(subject.as_bytes(), group.map(str::as_bytes));
            match answer {
                Subscribe::Denied => {}
                // Unfiltered only if nothing it selects is forbidden.
                Subscribe::Allowed => prop_assert!(may, "{} to {}", subject, wanted),
                Subscribe::AllowedFiltered => prop_assert_eq!(received, may, "{} to {}", subject, wanted),
            }
        }
    }

    #[test]
    fn a_literal_subscription_is_denied_exactly_when_its_subject_is(
        allow in list(), deny in list(), at in 0..120_usize,
    ) {
        // spec: SEC-036
        let source = SubjectPermission { allow: Some(allow.clone()), deny: deny.clone() };
        let permissions =
            Permissions::compile(&options::Permissions { subscribe: source, ..Default::default() });
        let subject = &universe()[at];
        let any = |list: &[PermissionSubject]| {
            list.iter().any(|entry| entry.queue.is_none() && matches(&entry.subject, subject))
        };
        let expected = if any(&allow) && !any(&deny) { Subscribe::Allowed } else { Subscribe::Denied };
        prop_assert_eq!(permissions.may_subscribe(subject.as_bytes(), None), expected, "{}", subject);
    }
}

#[test]
fn permissions_are_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&Arc::new(observed()));
}
