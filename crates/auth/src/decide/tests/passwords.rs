//! Users by name, the single user, the token, and those who say nothing.

use martlet_config::options::{PermissionSubject, Permissions, SubjectPermission};

use super::*;
use crate::AuthError;

/// "secret", cost 4.
const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

fn simple(user: Option<&str>, password: Option<&str>, token: Option<&str>) -> Options {
    let authorization = Authorization {
        user: user.map(Into::into),
        password: password.map(Into::into),
        token: token.map(Into::into),
        ..Default::default()
    };
    Options { authorization, ..Default::default() }
}

fn publish_only(subject: &str) -> Permissions {
    let allow = Some(vec![PermissionSubject { subject: subject.into(), queue: None }]);
    Permissions { publish: SubjectPermission { allow, deny: Vec::new() }, ..Default::default() }
}

#[test]
fn nobody_is_asked_where_nobody_is_configured() {
    // spec: CORE-037
    let open = directory(&Options::default());
    assert!(!open.auth_required() && !open.info_auth_required() && !open.nonce_required());
    assert!(open.admits_without_connect(STANDARD));
    for (request, expected) in [
        (request(), welcome("$G", "")),
        (Request { user: "a", pass: "p", ..request() }, welcome("$G", "a")),
        (Request { auth_token: "t", ..request() }, welcome("$G", "[REDACTED]")),
        (Request { auth_token: "t", nkey: "N", user: "a", ..request() }, welcome("$G", "N")),
        (Request { account: "A", ..request() }, Err(Reason::AccountDesignation)),
        (Request { new_account: true, ..request() }, Err(Reason::AccountDesignation)),
    ] {
        assert_eq!(told(&open, &request), expected, "{request:?}");
    }
}

#[test]
fn users_are_known_by_name_and_belong_to_accounts() {
    // spec: SEC-004 SEC-005 SEC-079 SEC-080 SEC-081 SEC-082 SEC-083 SEC-084 CORE-037 CORE-038
    let mut options = with_users(vec![user("g", "p")]);
    options.accounts = vec![account("A", vec![user("a", "p")]), account("B", vec![user("b", "")])];
    let users = directory(&options);
    assert!(users.auth_required() && users.info_auth_required() && !users.nonce_required());
    assert!(!users.admits_without_connect(STANDARD));
    for (request, expected) in [
        (Request { user: "g", pass: "p", ..request() }, welcome("$G", "g")),
        (Request { user: "a", pass: "p", ..request() }, welcome("A", "a")),
        (Request { user: "b", ..request() }, welcome("B", "b")),
        (Request { user: "a", pass: "p", nkey: "x", ..request() }, welcome("A", "x")),
        (Request { user: "a", pass: "wrong", ..request() }, Err(Reason::WrongPassword)),
        (Request { user: "a", ..request() }, Err(Reason::WrongPassword)),
        (Request { user: "z", pass: "p", ..request() }, Err(Reason::UnknownUser)),
        (Request { auth_token: "p", ..request() }, Err(Reason::NoCredentials)),
        (Request { user: "a", pass: "p", account: "A", ..request() }, Err(Reason::AccountDesignation)),
        (request(), Err(Reason::NoCredentials)),
    ] {
        assert_eq!(told(&users, &request), expected, "{request:?}");
    }
    assert_eq!(Reason::CLIENT_TEXT, "Authorization Violation");
}

#[test]
fn bcrypt_is_work_for_another_thread() {
    // spec: SEC-002 SEC-087
    fn sent<T: Send + 'static>(value: T) -> T {
        value
    }
    let users = directory(&with_users(vec![user("a", BCRYPT)]));
    for (pass, right) in [("secret", true), ("wrong", false), (BCRYPT, false)] {
        let Outcome::Costly(check) = users.authenticate(&Request { user: "a", pass, ..request() }) else {
            panic!("a bcrypt comparison on the caller's thread");
        };
        let name = sent(check).verify().map(|identity| identity.label.authorized_user().to_owned());
        assert_eq!(name, if right { Ok("a".to_owned()) } else { Err(Reason::WrongPassword) }, "{pass}");
    }
    let token = directory(&simple(None, None, Some(BCRYPT)));
    assert_eq!(told(&token, &Request { auth_token: "secret", ..request() }), welcome("$G", "[REDACTED]"));
    assert_eq!(told(&token, &Request { auth_token: "x", ..request() }), Err(Reason::WrongToken));
    let broken = directory(&with_users(vec![user("a", "$2b$04$no hash at all")]));
    assert_eq!(told(&broken, &Request { user: "a", pass: "x", ..request() }), Err(Reason::WrongPassword));
}

#[test]
fn the_single_user_and_the_token() {
    // spec: SEC-001
    let single = directory(&simple(Some("u"), Some("p"), None));
    let token = directory(&simple(None, None, Some("t")));
    for (directory, request, expected) in [
        (&single, Request { user: "u", pass: "p", ..request() }, welcome("$G", "u")),
        (&single, Request { user: "u", pass: "x", ..request() }, Err(Reason::WrongPassword)),
        (&single, Request { user: "x", pass: "p", ..request() }, Err(Reason::UnknownUser)),
        (&single, request(), Err(Reason::NoCredentials)),
        (&token, Request { auth_token: "t", ..request() }, welcome("$G", "[REDACTED]")),
        (&token, Request { auth_token: "t", user: "z", ..request() }, welcome("$G", "z")),
        (&token, Request { auth_token: "x", ..request() }, Err(Reason::WrongToken)),
        (&token, Request { pass: "t", ..request() }, Err(Reason::WrongToken)),
    ] {
        assert_eq!(told(directory, &request), expected, "{request:?}");
    }
}

#[test]
fn those_who_say_nothing_become_the_no_auth_user() {
    // spec: SEC-008 CORE-015 CORE-025
    let options = Options { no_auth_user: Some("a".into()), ..with_users(vec![user("a", "p"), user("b", "q")]) };
    let lending = directory(&options);
    assert!(lending.auth_required() && !lending.info_auth_required());
    assert!(lending.admits_without_connect(STANDARD));
    for (request, expected) in [
        (request(), welcome("$G", "a")),
        (Request { nkey: "x", ..request() }, welcome("$G", "x")),
        (Request { sig: "x", ..request() }, welcome("$G", "a")),
        (Request { user: "b", pass: "q", ..request() }, welcome("$G", "b")),
        (Request { user: "a", ..request() }, Err(Reason::WrongPassword)),
        (Request { auth_token: "x", ..request() }, Err(Reason::NoCredentials)),
        (Request { pass: "p", ..request() }, Err(Reason::NoCredentials)),
    ] {
        assert_eq!(told(&lending, &request), expected, "{request:?}");
    }
}

#[test]
fn a_no_auth_user_that_may_not_connect_this_way_is_ignored() {
    // spec: SEC-008 CORE-015
    let restricted = User { connection_types: only(ConnectionType::Websocket), ..user("a", "p") };
    let proxied = User { proxy_required: true, ..user("a", "p") };
    for (user, reason) in [
        (restricted, Reason::ConnectionType),
        (proxied, Reason::ProxyRequired),
        (user("a", BCRYPT), Reason::NoAuthUserBcrypt),
    ] {
        let options = Options { no_auth_user: Some("a".into()), ..with_users(vec![user]) };
        let directory = directory(&options);
        assert_eq!(told(&directory, &request()), Err(reason));
        assert_eq!(directory.admits_without_connect(STANDARD), reason == Reason::NoAuthUserBcrypt, "{reason}");
    }
}

#[test]
fn users_of_the_system_account_alone_lock_nobody_out() {
    // spec: SEC-009
    let system = |name: &str| account(name, vec![user("s", "s")]);
    let options = Options { accounts: vec![system("$SYS")], ..Default::default() };
    let implicit = directory(&options);
    assert!(implicit.auth_required() && implicit.info_auth_required(), "INFO still says so");
    assert!(implicit.admits_without_connect(STANDARD));
    for (request, expected) in [
        (request(), welcome("$G", "nats-implicit")),
        (Request { user: "s", pass: "s", ..request() }, welcome("$SYS", "s")),
        (Request { user: "a", pass: "p", ..request() }, Err(Reason::UnknownUser)),
        (Request { user: "nats-implicit", ..request() }, Err(Reason::WrongPassword)),
        (Request { user: "nats-implicit", pass: "implicit", ..request() }, Err(Reason::WrongPassword)),
    ] {
        assert_eq!(told(&implicit, &request), expected, "{request:?}");
    }

    let named = Options { system_account: Some("X".into()), accounts: vec![system("X")], ..Default::default() };
    assert_eq!(told(&directory(&named), &request()), welcome("$G", "nats-implicit"));
    let unnamed = Options { accounts: vec![system("X")], ..Default::default() };
    let another = Options { accounts: vec![system("$SYS"), account("A", vec![])], ..Default::default() };
    let timeout = Some(std::time::Duration::from_secs(1));
    let block = Options { authorization: Authorization { timeout, ..Default::default() }, ..options };
    for options in [unnamed, another, block] {
        assert_eq!(told(&directory(&options), &request()), Err(Reason::NoCredentials), "{options:?}");
    }
}

#[test]
fn connection_types_are_kept_to() {
    // spec: SEC-074 SEC-088
    let kinds = [
        ConnectionType::Standard,
        ConnectionType::Websocket,
        ConnectionType::Leafnode,
        ConnectionType::LeafnodeWs,
        ConnectionType::Mqtt,
        ConnectionType::MqttWs,
        ConnectionType::InProcess,
    ];
    for allowed in kinds {
        let restricted = directory(&with_users(vec![User { connection_types: only(allowed), ..user("a", "p") }]));
        for kind in kinds {
            let expected = if kind == allowed { welcome("$G", "a") } else { Err(Reason::ConnectionType) };
            assert_eq!(told(&restricted, &Request { kind, user: "a", pass: "p", ..request() }), expected);
        }
    }
}

#[test]
fn default_permissions_are_for_users_without_their_own() {
    // spec: CFG-100
    let own = User { permissions: Some(publish_only("own")), ..user("own", "p") };
    let nothing = User { permissions: Some(Permissions::default()), ..user("nothing", "p") };
    let account = Account {
        default_permissions: Some(publish_only("account")),
        ..account("A", vec![user("a", "p"), own, nothing])
    };
    let mut options = with_users(vec![user("g", "p")]);
    options.authorization.default_permissions = Some(publish_only("global"));
    options.accounts = vec![account];
    let users = directory(&options);
    for (name, subject, allowed) in [
        ("g", "global", true),
        ("g", "account", false),
        ("a", "account", true),
        ("a", "global", false),
        ("own", "own", true),
        ("own", "account", false),
        ("nothing", "anything", true),
    ] {
        let identity = decide(&users, &Request { user: name, pass: "p", ..request() }).expect(name);
        let permissions = identity.permissions.expect("own or default");
        assert_eq!(permissions.may_publish(subject.as_bytes()), allowed, "{name} to {subject}");
    }
}

#[test]
fn contradictions_are_refused_by_name() {
    // spec: SEC-008 CFG-099
    let name = || "z".to_owned();
    let no_auth = |users| Options { no_auth_user: Some(name()), ..with_users(users) };
    let twice = Options { accounts: vec![account("A", vec![user("z", "p")])], ..with_users(vec![user("z", "q")]) };
    for (options, error) in [
        (no_auth(vec![]), AuthError::NoAuthUserWithoutUsers { name: name() }),
        (no_auth(vec![user("a", "p")]), AuthError::UnknownNoAuthUser { name: name() }),
        (twice, AuthError::DuplicateUser { name: name() }),
    ] {
        assert_eq!(Directory::new(&options).err(), Some(error));
    }
}

#[test]
fn refusals_are_logged_under_the_name_that_was_claimed() {
    // spec: SEC-006
    for (request, log, short) in [
        (Request { user: "X", ..request() }, "User \"X\"", "user:X"),
        (Request { nkey: "UX", user: "X", ..request() }, "Nkey \"UX\"", "nkey:UX"),
        (Request { auth_token: "X", ..request() }, "Token \"[REDACTED]\"", "token"),
        (request(), "User \"N/A\"", ""),
    ] {
        assert_eq!((request.label().to_string().as_str(), request.label().short().as_str()), (log, short));
    }
    let secretive = Request { user: "X", pass: "hunter2", auth_token: "hunter2", ..request() };
    assert!(!format!("{secretive:?}").contains("hunter2"));
}
