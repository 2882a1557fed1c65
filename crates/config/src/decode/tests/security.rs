//! Who may connect and what they may do.

use std::time::Duration;

use super::{USER_NKEY, check, errors, options, read, warnings};
use crate::options::{
    ConnectionType, ConnectionTypes, Credentials, PermissionSubject, Permissions, ResponsePermission, User,
};

fn user(text: &str) -> User {
    let text = format!("authorization {{ users: [ {{ {text} }} ] }}");
    options(&text).authorization.users.pop().expect("a user")
}

fn permissions(text: &str) -> Permissions {
    user(&format!("user: u, permissions: {{ {text} }}")).permissions.expect("permissions")
}

fn password(user: &str, password: &str) -> Credentials {
    Credentials::Password { user: user.into(), password: password.into() }
}

fn subjects(list: &[&str]) -> Vec<PermissionSubject> {
    list.iter()
        .map(|entry| match entry.split_once(' ') {
            Some((subject, queue)) => PermissionSubject { subject: subject.into(), queue: Some(queue.into()) },
            None => PermissionSubject { subject: (*entry).into(), queue: None },
        })
        .collect()
}

#[test]
fn single_users_and_tokens() {
    // spec: CFG-079 CFG-095 CFG-102 CFG-216 CFG-217 CFG-218 CFG-223
    for text in ["user: a, pass: b", "username: a, password: b"] {
        check(&format!("authorization {{ {text} }}"), |o| {
            o.authorization.user = Some("a".into());
            o.authorization.password = Some("b".into());
        });
    }
    check("authorization { token: t, proxy_required: true }", |o| {
        o.authorization.token = Some("t".into());
        o.authorization.proxy_required = true;
    });
    check("authorization {}", |_| {});
    check("authorization { user: '', token: t }", |o| o.authorization.token = Some("t".into()));
}

#[test]
fn timeouts() {
    // spec: CFG-012 CFG-013 CFG-098 CFG-219 NEW-018
    for (text, seconds) in [("5", 5.0), ("0.25", 0.25), ("'1m'", 60.0), ("'500ms'", 0.5)] {
        check(&format!("authorization {{ timeout: {text} }}"), |o| {
            o.authorization.timeout = Some(Duration::from_secs_f64(seconds));
        });
    }
    check("authorization { timeout: 0 }", |_| {});
    assert_eq!(
        warnings("authorization { timeout: 1m }"),
        "t.conf:1:16: invalid use of field \"timeout\": timeout of 1000000 (1000000.000000 seconds) is high, consider \
         keeping it under 60 seconds. possibly caused by unquoted duration; use '1m' instead of 1m, for example"
    );
    assert_eq!(warnings("authorization { timeout: 60 }"), "");
}

#[test]
fn what_excludes_each_other() {
    // spec: CFG-096 CFG-097 CFG-120
    for (text, message) in [
        ("authorization { user: a, token: b }", "1:0: Cannot have a user/pass and token"),
        ("authorization { pass: a, token: b }", "1:0: Cannot have a user/pass and token"),
        ("authorization { user: a, users: [] }", "1:0: Can not have a single user/pass and a users array"),
        ("authorization { token: a, users: [] }", "1:0: Can not have a token and a users array"),
        (
            "accounts { A { users [ {user u} ] } }\nauthorization { user: a }",
            "1:15: Can not have a single user/pass and accounts",
        ),
        (
            "authorization { token: a }\naccounts { A { users [ {user u} ] } }",
            "2:16: Can not have a token and accounts",
        ),
    ] {
        assert_eq!(errors(text), format!("t.conf:{message}"), "{text}");
    }
    options("authorization { user: a, pass: b }\naccounts { A { users: [] } }");
}

#[test]
fn users_are_known_by_name_or_key() {
    // spec: CFG-099 CFG-105 CFG-106 CFG-109 CFG-220 CFG-224 CFG-225 CFG-226 CFG-229
    assert_eq!(user("user: a, pass: b").credentials, password("a", "b"));
    assert_eq!(user("username: a, password: $2a$11$x").credentials, password("a", "$2a$11$x"));
    assert_eq!(user("user: a").credentials, password("a", ""));
    assert_eq!(user(&format!("nkey: {USER_NKEY}")).credentials, Credentials::Nkey(USER_NKEY.into()));
    assert!(user("user: a, proxy_required: true").proxy_required);
    let many = options("authorization { users: [ {user: a}, {user: b} ] }").authorization.users;
    assert_eq!(many.len(), 2);
}

#[test]
fn users_that_are_none() {
    // spec: CFG-099 CFG-106 CFG-110 CFG-220 CFG-226
    for (text, message) in [
        ("[ {password: b} ]", "1:26: User entry requires a user"),
        ("[ {user: ''} ]", "1:26: User entry requires a user"),
        ("[ {nkey: UABC} ]", "1:26: Not a valid public nkey for a user"),
        (
            "[ {nkey: ABJHLOVMPA4CI6R5KLNGOB4GSLNIY7IOUPAJC4YFNDLQVIOBYQGUWVLA} ]",
            "1:26: Not a valid public nkey for a user",
        ),
        ("5", "1:16: Expected users field to be an array, got the integer 5"),
        ("[ x ]", "1:25: Expected user entry to be a map/struct, got the string \"x\""),
        ("[ {user: a}, {user: a} ]", "1:37: Duplicate user \"a\" detected"),
    ] {
        assert_eq!(errors(&format!("authorization {{ users: {text} }}")), format!("t.conf:{message}"), "{text}");
    }
    let twice = format!("authorization {{ users: [ {{nkey: {USER_NKEY}, user: a}} ] }}");
    assert_eq!(errors(&twice), "t.conf:1:26: Nkey users do not take usernames or passwords");
    assert_eq!(
        errors("authorization { users: [ {user: a} ] }\naccounts { A { users: [ {user: a} ] } }"),
        "t.conf:2:26: Duplicate user \"a\" detected"
    );
    let nkey = format!("[ {{nkey: {USER_NKEY}}} ]");
    assert_eq!(
        errors(&format!("accounts {{ A {{ users: {nkey} }}\nB {{ users: {nkey} }} }}")),
        format!("t.conf:2:15: Duplicate nkey \"{USER_NKEY}\" detected")
    );
}

#[test]
fn connection_types() {
    // spec: CFG-108 CFG-228
    let mut two = ConnectionTypes::default();
    two.insert(ConnectionType::Standard);
    two.insert(ConnectionType::MqttWs);
    for key in ["allowed_connection_types", "connection_types", "clients"] {
        assert_eq!(user(&format!("user: a, {key}: [standard, MQTT_WS]")).connection_types, Some(two));
    }
    for (name, kind) in [
        ("STANDARD", ConnectionType::Standard),
        ("websocket", ConnectionType::Websocket),
        ("Leafnode", ConnectionType::Leafnode),
        ("LEAFNODE_WS", ConnectionType::LeafnodeWs),
        ("mqtt", ConnectionType::Mqtt),
        ("MQTT_WS", ConnectionType::MqttWs),
        ("inprocess", ConnectionType::InProcess),
    ] {
        let mut one = ConnectionTypes::default();
        one.insert(kind);
        assert_eq!(user(&format!("user: a, clients: {name}")).connection_types, Some(one));
    }
    assert_eq!(user("user: a, clients: []").connection_types, None);
    assert_eq!(
        errors("authorization { users: [ {user: a, clients: [standard, foo, bar]} ] }"),
        "t.conf:1:35: invalid connection types [\"FOO\" \"BAR\"]"
    );
}

#[test]
fn permissions_in_every_form() {
    // spec: CFG-107 CFG-111 CFG-112 CFG-227 CFG-230 CFG-231
    for key in ["permission", "permissions", "authorization"] {
        assert!(user(&format!("user: u, {key}: {{ pub: a }}")).permissions.is_some());
    }
    for key in ["pub", "publish", "import"] {
        for value in ["'a.>'", "['a.>']", "{ allow: 'a.>' }", "{ allow: ['a.>'], deny: [] }"] {
            let read = permissions(&format!("{key}: {value}"));
            assert_eq!(read.publish.allow, Some(subjects(&["a.>"])), "{key}: {value}");
            assert_eq!((read.publish.deny.len(), read.subscribe), (0, Permissions::default().subscribe));
        }
    }
    for key in ["sub", "subscribe", "export"] {
        let read = permissions(&format!("{key}: {{ deny: [a, b.*] }}"));
        assert_eq!((read.subscribe.allow, read.subscribe.deny), (None, subjects(&["a", "b.*"])));
    }
    // Nothing listed is nothing restricted (observed on 2.15.1).
    for value in ["{}", "[]", "{ allow: [] }", "{ deny: [] }"] {
        assert_eq!(permissions(&format!("publish: {value}, sub: {value}")), Permissions::default(), "{value}");
    }
}

#[test]
fn queues_belong_to_subscriptions() {
    // spec: CFG-113
    let read = permissions("sub: ['a q', 'b   q.*', c]");
    assert_eq!(read.subscribe.allow, Some(subjects(&["a q", "b q.*", "c"])));
    for (text, message) in [
        ("pub: 'a q'", "subject \"a q\" is not a valid subject"),
        ("sub: 'a b c'", "subject \"a b c\" is not a valid subject"),
        ("sub: 'a..b q'", "subject \"a..b\" is not a valid subject"),
        ("sub: 'a q..r'", "queue \"q..r\" is not a valid queue"),
        ("pub: 'a..b'", "subject \"a..b\" is not a valid subject"),
    ] {
        let text = format!("authorization {{ permissions: {{ {text} }} }}");
        assert_eq!(errors(&text), format!("t.conf:1:31: {message}"), "{text}");
    }
}

#[test]
fn allowed_responses() {
    // spec: CFG-011 CFG-114 CFG-115 CFG-232 CFG-233 CFG-234
    let default = ResponsePermission { max: 1, expires: Duration::from_mins(2) };
    for key in ["allow_responses", "publish_allow_responses"] {
        let read = permissions(&format!("{key}: true"));
        assert_eq!((read.allow_responses, read.publish.allow), (Some(default), Some(Vec::new())));
    }
    let after = permissions("allow_responses: true, publish: a");
    assert_eq!(after.publish.allow, Some(subjects(&["a"])));
    assert_eq!(permissions("allow_responses: true, publish: []").publish.allow, Some(Vec::new()));
    assert_eq!(permissions("allow_responses: false"), Permissions::default());
    for (text, max, seconds) in [
        ("max: 5", 5, 120),
        ("max_msgs: 5", 5, 120),
        ("max_messages: -1", -1, 120),
        ("max_responses: 0", 1, 120),
        ("expires: '5s'", 1, 5),
        ("expiration: '5s'", 1, 5),
        ("ttl: '0s'", 1, 120),
        ("ttl: '-1s'", 1, 0),
    ] {
        let expected = ResponsePermission { max, expires: Duration::from_secs(seconds) };
        assert_eq!(permissions(&format!("allow_responses: {{ {text} }}")).allow_responses, Some(expected), "{text}");
    }
}

#[test]
fn permissions_that_are_none() {
    // spec: CFG-112 CFG-114
    for (text, message) in [
        ("5", "17: Expected permissions to be a map/struct, got the integer 5"),
        ("{ x: 1 }", "32: Unknown field \"x\" parsing permissions"),
        (
            "{ pub: {allow: a, x: b} }",
            "48: Unknown field name \"x\" parsing subject permissions, only 'allow' or 'deny' are permitted",
        ),
        ("{ pub: 5 }", "32: Expected subject permissions to be a subject, or array of subjects, got the integer 5"),
        ("{ pub: [a, 5 ] }", "41: Subject in permissions array must be a string, got the integer 5"),
        (
            "{ allow_responses: 5 }",
            "32: error parsing response permissions, expected a boolean or a map, got the integer 5",
        ),
        (
            "{ allow_responses: {ttl: 5} }",
            "50: \"expires\" must be a duration string such as \"2m\" or \"500ms\", got the integer 5",
        ),
        ("{ allow_responses: {x: 5} }", "50: Unknown field \"x\" parsing permissions"),
    ] {
        let column_and_text = message.split_once(": ").expect("a column");
        let expected = format!("t.conf:1:{}: {}", column_and_text.0, column_and_text.1);
        let found = errors(&format!("authorization {{ permissions: {text} }}"));
        assert_eq!(found.split_once(": ").expect("a place").1, column_and_text.1, "{found} against {expected}");
    }
}

#[test]
fn default_permissions() {
    // spec: CFG-100 CFG-221
    for key in ["default_permission", "default_permissions", "permissions"] {
        let read = options(&format!("authorization {{ {key}: {{ pub: a }}, users: [ {{user: u}} ] }}")).authorization;
        assert_eq!(read.default_permissions.expect("given").publish.allow, Some(subjects(&["a"])));
        assert_eq!(read.users[0].permissions, None);
    }
}

#[test]
fn trusted_proxies() {
    // spec: CFG-066 CFG-214 CFG-429
    for key in ["key", "public_key"] {
        let text = format!("proxies {{ trusted: [ {{{key}: {USER_NKEY}}} ] }}");
        assert_eq!(options(&text).trusted_proxies, [USER_NKEY]);
    }
    for (text, message) in [
        ("proxies { trusted: [ {key: x} ] }", "1:22: invalid proxy key \"x\""),
        ("proxies { trusted: x }", "1:10: \"trusted\" must be an array, got the string \"x\""),
        ("proxies { x: 1 }", "1:10: unknown field \"x\""),
        ("proxies { trusted: [ {x: 1} ] }", "1:22: unknown field \"x\""),
    ] {
        assert_eq!(errors(text), format!("t.conf:{message}"));
    }
    assert!(read("proxies {}").is_ok());
}
