use martlet_config::options::{Permissions as Source, SubjectPermission};

use super::*;

const START: Time = Time::from_nanos(1_000_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

fn answering(max: i64, expires: Duration) -> Replies {
    let source = Source { allow_responses: Some(ResponsePermission { max, expires }), ..Source::default() };
    Replies::new(&Arc::new(Permissions::compile(&source))).expect("allow_responses is set")
}

#[test]
fn one_reply_to_where_it_was_asked_for() {
    // spec: SEC-039 SEC-098
    let rule = ResponsePermission::default();
    let mut replies = answering(rule.max, rule.expires);
    replies.on_delivered(b"_INBOX.a", START);
    assert!(!replies.may_reply(b"other", START));
    assert!(replies.may_reply(b"_INBOX.a", START));
    assert!(!replies.may_reply(b"_INBOX.a", START));
}

#[test]
fn as_many_replies_as_configured_and_for_as_long() {
    // spec: SEC-039
    let mut three = answering(3, SECOND);
    three.on_delivered(b"r", START);
    let answers: Vec<bool> = (0..4).map(|_| three.may_reply(b"r", START + SECOND)).collect();
    assert_eq!(answers, [true, true, true, false]);

    let mut late = answering(3, SECOND);
    late.on_delivered(b"r", START);
    assert!(!late.may_reply(b"r", START + SECOND + Duration::from_nanos(1)));

    let mut endless = answering(-1, Duration::ZERO);
    endless.on_delivered(b"r", START);
    assert!((0..1_000).all(|_| endless.may_reply(b"r", START + 1_000_000 * SECOND)));
}

#[test]
fn every_request_asks_anew() {
    // spec: SEC-039
    let mut replies = answering(1, SECOND);
    for _ in 0..3 {
        replies.on_delivered(b"r", START);
        assert!(replies.may_reply(b"r", START));
    }
    // Asked twice before the first answer: the second delivery uses the grant up, as on the reference.
    replies.on_delivered(b"r", START);
    replies.on_delivered(b"r", START);
    assert!(!replies.may_reply(b"r", START));
}

#[test]
fn nothing_is_remembered_of_what_may_be_published_anyway() {
    // spec: SEC-039
    let publish = SubjectPermission {
        allow: Some(vec![martlet_config::options::PermissionSubject { subject: "ok.>".into(), queue: None }]),
        deny: Vec::new(),
    };
    let source = Source { publish, allow_responses: Some(ResponsePermission::default()), ..Source::default() };
    let mut replies = Replies::new(&Arc::new(Permissions::compile(&source))).expect("allow_responses is set");
    replies.on_delivered(b"ok.a", START);
    replies.on_delivered(b"", START);
    assert!(replies.grants.is_empty());
    assert!(Replies::new(&Arc::new(Permissions::compile(&Source::default()))).is_none());
}

#[test]
fn spent_and_expired_grants_are_forgotten() {
    // spec: SEC-039
    let mut replies = answering(1, SECOND);
    for i in 0..100 {
        let reply = format!("r.{i}");
        replies.on_delivered(reply.as_bytes(), START);
        assert!(replies.may_reply(reply.as_bytes(), START));
    }
    assert_eq!(replies.grants.len(), 100);
    replies.on_delivered(b"later", START + 2 * SECOND);
    assert_eq!(replies.grants.len(), 1);
    assert_eq!(replies.bytes, cost(b"later"));

    let mut busy = answering(1, 60 * SECOND);
    busy.on_delivered(b"first", START);
    assert!(busy.may_reply(b"first", START));
    for i in 0..=PRUNE_AFTER_GRANTS {
        busy.on_delivered(format!("r.{i}").as_bytes(), START);
    }
    assert!(!busy.grants.contains_key(&b"first"[..]), "a spent grant outlived {PRUNE_AFTER_GRANTS} others");
}

#[test]
fn a_responder_that_never_answers_costs_a_bounded_amount() {
    let mut replies = answering(1, Duration::from_hours(1));
    let mut now = START;
    for i in 0..200_000_u32 {
        now += Duration::from_micros(1);
        replies.on_delivered(format!("_INBOX.abcdefghijklmnopqrstuv.{i}").as_bytes(), now);
        assert!(replies.bytes <= MAX_BYTES);
    }
    let counted: usize = replies.grants.keys().map(|subject| cost(subject)).sum();
    assert_eq!(replies.bytes, counted);
    assert!(replies.may_reply(b"_INBOX.abcdefghijklmnopqrstuv.199999", now), "the newest is remembered");
    assert!(!replies.may_reply(b"_INBOX.abcdefghijklmnopqrstuv.0", now), "the oldest is forgotten");
}
