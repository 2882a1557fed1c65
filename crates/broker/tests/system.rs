//! What the system account offers to the others, who gets it, and how services listen there.

mod support;

use std::sync::Arc;

use martlet_broker::internal::{InternalMessage, InternalSubscription, Scope};
use martlet_broker::local_task::LocalTasks;
use parking_lot::Mutex;
use support::World;

const ACCOUNTS: &str = r#"
    accounts {
        A { users [ { user: a, password: pw } ] }
        D { }
        "B.C" { users [ { user: b, password: pw } ] }
        SYS { users [ { user: s, password: pw } ] EXPORTS }
    }
    system_account: SYS
"#;

/// A server whose system account exports `exports`, with its offers in force.
fn world(exports: &str) -> World {
    let config = ACCOUNTS.replace("EXPORTS", exports);
    let world = World::new(&config);
    world.broker().offer_services(&support::options(&config)).expect("the configuration is in force already");
    world
}

/// Listens on `pattern` and notes the subjects that requests come on.
fn heard(world: &World, pattern: &str) -> Arc<Mutex<Vec<String>>> {
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let noted = heard.clone();
    let handler = move |asked: &InternalMessage<'_>, _: &mut LocalTasks| {
        let told = asked.headers.windows(4).any(|name| name == b"user");
        let shared = if told { " shared" } else { "" };
        noted.lock().push(format!("{}{shared}", String::from_utf8_lossy(asked.subject)));
    };
    let listening = world.broker().listen(InternalSubscription {
        subject: pattern.as_bytes().into(),
        sid: "1".into(),
        scope: Scope::Everywhere,
        follows_traces: false,
        handler: Box::new(handler),
    });
    assert!(listening.is_some());
    heard
}

/// The subjects in the account `name` on which something is imported.
fn imports(world: &World, name: &str) -> Vec<String> {
    let account = world.broker().accounts.get(name).expect("it is configured");
    account.rules().services.iter().map(|service| String::from_utf8_lossy(&service.local).into_owned()).collect()
}

#[test]
fn every_account_asks_about_itself() {
    // spec: CLU-091 CLU-092
    let world = world("");
    let heard = heard(&world, "$SYS.REQ.>");
    for user in ["a", "s"] {
        let client = world.user(user);
        for subject in
            ["ACCOUNT.PING.CONNZ", "SERVER.PING.CONNZ", "ACCOUNT.PING.STATZ", "USER.INFO", "SERVER.PING.VARZ"]
        {
            client.ask(&format!("PUB $SYS.REQ.{subject} back 0\r\n\r\n"));
        }
    }
    let of_account = ["ACCOUNT.A.CONNZ", "ACCOUNT.A.CONNZ", "ACCOUNT.A.STATZ", "USER.A.INFO shared"];
    let of_system = ["ACCOUNT.PING.CONNZ", "SERVER.PING.CONNZ", "ACCOUNT.PING.STATZ", "USER.INFO"];
    let wanted = of_account.into_iter().chain(of_system).chain(["USER.SYS.INFO shared", "SERVER.PING.VARZ"]);
    assert_eq!(*heard.lock(), wanted.map(|subject| format!("$SYS.REQ.{subject}")).collect::<Vec<_>>());
}

#[test]
fn an_account_that_cannot_be_a_token_asks_for_nothing() {
    // spec: CLU-091
    let world = world("");
    assert_eq!(imports(&world, "B.C"), Vec::<String>::new());
    assert_eq!(imports(&world, "SYS"), ["$SYS.REQ.USER.INFO"]);
    assert_eq!(imports(&world, "$G").len(), 4);
}

#[test]
fn what_is_configured_to_be_exported_is_offered_on_its_terms() {
    // spec: CLU-091
    let world = world(r#", exports [ { service: "$SYS.REQ.ACCOUNT.>", accounts: [ D ] } ]"#);
    assert_eq!(imports(&world, "A"), ["$SYS.REQ.USER.INFO"]);
    assert_eq!(imports(&world, "D").len(), 4);
    let system = world.broker().accounts.get("SYS").expect("it is configured");
    let mut exported: Vec<_> = system.rules().exports.iter().map(|export| export.subject.clone()).collect();
    exported.sort();
    assert_eq!(exported, ["$SYS.DEBUG.SUBSCRIBERS", "$SYS.REQ.ACCOUNT.>", "$SYS.REQ.USER.*.INFO"]);
}

#[test]
fn a_service_hears_what_its_account_imports() {
    // spec: SEC-046
    let config = r#"
        accounts {
            A { users [ { user: a, password: pw } ], exports [ { stream: "feed.>" }, { stream: plain }, { service: "feed.x" } ] }
            B { imports [ { stream: { account: A, subject: "feed.>" }, prefix: from }, { stream: { account: A, subject: plain } } ] }
            C { users [ { user: c, password: pw } ], imports [ { service: { account: A, subject: "feed.x" } } ] }
        }
    "#;
    let world = World::new(config);
    let account = world.broker().accounts.get("B").expect("it is configured");
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let listen = |pattern: &str| {
        let noted = heard.clone();
        account.listen(InternalSubscription {
            subject: pattern.as_bytes().into(),
            sid: "1".into(),
            scope: Scope::Everywhere,
            follows_traces: false,
            handler: Box::new(move |message: &InternalMessage<'_>, _: &mut LocalTasks| {
                noted.lock().push(String::from_utf8_lossy(message.subject).into_owned());
            }),
        })
    };
    let mut listening = listen("from.feed.*");
    let plain = listen("plain");
    let (a, c) = (world.user("a"), world.user("c"));
    let publish = |subject: &str| drop(a.ask(&format!("PUB {subject} 0\r\n\r\n")));
    for subject in ["feed.x", "feed.x.y", "other", "plain"] {
        publish(subject);
    }
    // What comes in for a service does not leave again as a stream.
    c.ask("PUB feed.x 0\r\n\r\n");
    assert_eq!(*heard.lock(), ["from.feed.x", "plain"]);
    account.renew_imports(&mut listening);
    publish("feed.x");
    assert_eq!(heard.lock().len(), 3, "once, as before");
    account.ignore(listening);
    account.ignore(plain);
    publish("feed.x");
    publish("plain");
    assert_eq!(heard.lock().len(), 3);
}
