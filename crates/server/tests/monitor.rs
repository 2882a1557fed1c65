//! The monitoring pages of a server that runs, with clients that send and receive.

#![expect(clippy::unwrap_used, reason = "what is missing here fails the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use martlet_config::{MemorySource, Options};
use martlet_server::Server;
use martlet_server::process::Running;
use serde_json::{Value, json};

/// What the global account may ask the system account, and on what.
const ASKED: [(&str, &str); 4] = [
    ("$SYS.REQ.ACCOUNT.PING.CONNZ", "1"),
    ("$SYS.REQ.ACCOUNT.PING.STATZ", "3"),
    ("$SYS.REQ.SERVER.PING.CONNZ", "2"),
    ("$SYS.REQ.USER.INFO", "4"),
];

/// What the server itself listens for without a configuration: [`ASKED`], the same of the system account's users, 45
/// services, and 6 on which other servers tell of themselves.
const OWN: u64 = 4 + 1 + 45 + 6;

/// Two accounts that trade with each other, as in the reference's own answers below.
const TRADERS: &str = r#"
    server_tags: [a, b]
    accounts {
      A {
        users = [{user: a, password: a}]
        exports = [
          {service: "svc.x", latency: {subject: lat.x, sampling: 50}}
          {stream: "st.>", accounts: [B]}
        ]
        mappings = {
          foo: [{destination: bar, weight: 40}, {destination: baz, weight: 10}, {destination: qux, weight: 50, cluster: east}]
          "one.*": "two.$1"
        }
      }
      B {
        users = [{user: b, password: b}]
        imports = [
          {service: {account: A, subject: "svc.x"}, to: "my.x"}
          {stream: {account: A, subject: "st.>"}, prefix: pre}
        ]
      }
    }
"#;

fn start(config: &str) -> Server {
    let mut options = martlet_config::parse_str(config, "test.conf", &MemorySource::new()).unwrap().options;
    options.host = "127.0.0.1".into();
    options.port = -1;
    options.monitoring.http_port = -1;
    Server::start(&options).unwrap()
}

/// A client that speaks the protocol by hand.
struct Client {
    lines: BufReader<TcpStream>,
    cid: u64,
    port: u16,
}

impl Client {
    fn connect(server: &Server, connect: &Value) -> Self {
        let stream = TcpStream::connect(server.client_address().unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let port = stream.local_addr().unwrap().port();
        let mut client = Self { lines: BufReader::new(stream), cid: 0, port };
        let info: Value = serde_json::from_str(client.line().strip_prefix("INFO ").unwrap()).unwrap();
        client.cid = info["client_id"].as_u64().unwrap();
        client.say(&format!("CONNECT {connect}"));
        client
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().into()
    }

    /// Sends and waits until it has been worked through; what came meanwhile.
    fn say(&mut self, lines: &str) -> Vec<String> {
        let text = format!("{lines}\nPING\n").trim_start().replace('\n', "\r\n");
        self.lines.get_mut().write_all(text.as_bytes()).unwrap();
        let mut heard = Vec::new();
        loop {
            match self.line().as_str() {
                "PONG" => return heard,
                "" => panic!("the server hung up after {heard:?}"),
                other => heard.push(other.to_owned()),
            }
        }
    }
}

/// The status and the body of a page.
fn page(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.into())
}

fn get(server: &Server, path: &str) -> Value {
    let (status, body) = page(server.monitoring_address().unwrap(), path);
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Asks again until the answer is as wanted: a connection that closes takes a moment to be gone.
fn get_until(server: &Server, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let answer = get(server, path);
        if wanted(&answer) {
            return answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{path}: {answer:#}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What is written counts as pending until whoever wrote it has come back.
fn all_written(connz: &Value) -> bool {
    connz["connections"].as_array().unwrap().iter().all(|conn| conn["pending_bytes"] == 0)
}

/// Whether every field of `expected` is in `actual`; lists are compared item by item.
#[track_caller]
fn assert_has(actual: &Value, expected: &Value) {
    match expected {
        Value::Object(fields) => {
            for (name, value) in fields {
                assert!(actual.get(name).is_some(), "{name} is missing in {actual:#}");
                assert_has(&actual[name], value);
            }
        }
        Value::Array(items) => {
            assert_eq!(actual.as_array().map(Vec::len), Some(items.len()), "{actual:#} is not {expected:#}");
            items.iter().zip(actual.as_array().unwrap()).for_each(|(expected, actual)| assert_has(actual, expected));
        }
        other => assert_eq!(actual, other),
    }
}

/// A subscriber to `foo.*` and `work` (queue `q`), and a publisher that has sent it two messages of five bytes.
fn pair(server: &Server) -> (Client, Client) {
    let told = json!({"name": "sub <1>", "lang": "raw", "version": "0.1", "verbose": false});
    let mut subscriber = Client::connect(server, &told);
    subscriber.say("SUB foo.* 1\nSUB work q 22\nUNSUB 22 7");
    let mut publisher = Client::connect(server, &json!({"verbose": false}));
    publisher.say("PUB foo.bar 5\nhello\nPUB work 5\nhello\nPUB nobody 2\nhi");
    let heard = subscriber.say("");
    assert_eq!(heard, ["MSG foo.bar 1 5", "hello", "MSG work 22 5", "hello"]);
    (subscriber, publisher)
}

#[test]
fn varz_is_the_server_and_what_went_through_it() {
    // spec: CLU-101 CLI-010 NEW-026
    let server = start("server_tags: [a, b]\nfeature_flags: {js_ack_fc_v2: true, unheard_of: true}");
    let (_subscriber, publisher) = pair(&server);
    let address = server.client_address().unwrap();
    let counted = json!({
        "total_connections": 2, "in_msgs": 3, "in_bytes": 12, "in_client_msgs": 3, "in_client_bytes": 12,
        "out_msgs": 2, "out_bytes": 10, "out_client_msgs": 2, "out_client_bytes": 10,
    });
    let varz = get(&server, "/varz");
    assert_has(&varz, &counted);
    assert_has(
        &varz,
        &json!({
            "version": "2.15.1", "proto": 1, "host": "127.0.0.1", "port": address.port(), "max_connections": 65536,
            "ping_interval": 120_000_000_000_u64, "ping_max": 2, "http_host": "127.0.0.1",
            "http_port": -1, "https_port": 0, "auth_timeout": 2,
            "max_control_line": 4096, "max_payload": 1_048_576, "max_pending": 67_108_864, "tls_timeout": 2,
            "write_deadline": 10_000_000_000_u64, "connections": 2, "slow_consumers": 0, "stale_connections": 0,
            "subscriptions": 2 + OWN, "system_account": "$SYS", "tags": ["a", "b"],
            "feature_flags": {
                "js_ack_fc_v2": true, "js_api_reply_v2": false, "js_raft_delete_range": true,
                "js_snapshot_sources": false,
            },
        }),
    );
    assert_eq!(varz["feature_flags"].as_object().unwrap().len(), 4, "flags that nobody knows are left out");
    assert!(varz["server_id"].as_str().is_some_and(|id| id.len() == 56 && id.starts_with('N')), "{varz:#}");
    assert_eq!(varz["server_name"], varz["server_id"]);
    assert!(varz["config_digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(varz["start"], varz["config_load_time"]);
    // What went through a connection stays in the totals when it is gone.
    drop(publisher);
    let varz = get_until(&server, "/varz", |varz| varz["connections"] == 1);
    assert_has(&varz, &counted);
}

#[test]
fn a_reload_is_seen_at_once() {
    // spec: CLU-101
    let server = start("");
    let before = get(&server, "/varz");
    let mut options = Options { port: -1, server_tags: vec!["new".into()], ..Options::default() };
    options.limits.max_payload = 1000;
    server.reload(&options, &[]).unwrap();
    let after = get(&server, "/varz");
    assert_has(&after, &json!({"max_payload": 1000, "tags": ["new"], "start": before["start"]}));
    assert!(after["config_load_time"].as_str() > before["config_load_time"].as_str());
}

#[test]
fn connz_shows_open_connections() {
    // spec: CLU-102 CLU-124
    let server = start("");
    let (subscriber, publisher) = pair(&server);
    let connz = get_until(&server, "/connz?subs=detail&auth=1", all_written);
    assert_has(&connz, &json!({"num_connections": 2, "total": 2, "offset": 0, "limit": 1024}));
    let [first, second] = connz["connections"].as_array().unwrap().as_slice() else { panic!("{connz:#}") };
    assert_has(
        first,
        &json!({
            "cid": subscriber.cid, "kind": "Client", "type": "nats", "ip": "127.0.0.1", "port": subscriber.port,
            "pending_bytes": 0, "in_msgs": 0, "in_bytes": 0, "out_msgs": 2, "out_bytes": 10, "subscriptions": 2,
            "name": "sub <1>", "lang": "raw", "version": "0.1",
        }),
    );
    assert_has(second, &json!({"cid": publisher.cid, "in_msgs": 3, "in_bytes": 12, "out_msgs": 0, "subscriptions": 0}));
    assert!(second.get("subscriptions_list_detail").is_none(), "{second:#}");
    let mut details = first["subscriptions_list_detail"].as_array().unwrap().clone();
    details.sort_by_key(|sub| sub["sid"].as_str().map(str::to_owned));
    let cid = subscriber.cid;
    let expected = json!([
        {"subject": "foo.*", "sid": "1", "msgs": 1, "cid": cid},
        {"subject": "work", "qgroup": "q", "sid": "22", "msgs": 1, "max": 7, "cid": cid},
    ]);
    assert_eq!(Value::Array(details), expected);
    // Of one connection, of none, and a page.
    let one = get(&server, &format!("/connz?cid={}", publisher.cid));
    assert_has(&one, &json!({"num_connections": 1, "total": 2, "limit": 1, "connections": [{"cid": publisher.cid}]}));
    assert_has(&get(&server, "/connz?cid=999"), &json!({"num_connections": 0, "connections": []}));
    let page = get(&server, "/connz?sort=msgs_to&limit=1&offset=1");
    assert_has(&page, &json!({"num_connections": 1, "total": 2, "connections": [{"cid": publisher.cid}]}));
}

#[test]
fn connz_filters_by_account_and_user() {
    // spec: CLU-102 CLU-161
    let server = start(TRADERS);
    let a = Client::connect(&server, &json!({"user": "a", "pass": "a", "verbose": false}));
    let b = Client::connect(&server, &json!({"user": "b", "pass": "b", "verbose": false}));
    let of_a = json!({"cid": a.cid, "authorized_user": "a", "account": "A", "name_tag": "A"});
    let of_b = json!({"cid": b.cid, "authorized_user": "b", "account": "B", "name_tag": "B"});
    for (filter, total, connections) in [
        ("", 2, json!([of_a, of_b])),
        ("&acc=A", 1, json!([of_a])),
        ("&user=b", 2, json!([of_b])),
        ("&acc=A&user=b", 1, json!([])),
        ("&acc=$G", 0, json!([])),
        ("&acc=nobody", 0, Value::Null),
    ] {
        let connz = get(&server, &format!("/connz?auth=1{filter}"));
        assert_has(&connz, &json!({"total": total, "connections": connections}));
    }
}

#[test]
fn connz_remembers_closed_connections() {
    // spec: CLU-102 CLU-128
    let server = start("");
    let (subscriber, mut publisher) = pair(&server);
    let (cid, port) = (subscriber.cid, subscriber.port);
    drop(subscriber);
    publisher.lines.get_mut().write_all(b"WHAT\r\n").unwrap();
    let closed = get_until(&server, "/connz?state=closed&subs=1", |connz| connz["total"] == 2);
    assert_has(&closed["connections"][0], &json!({"cid": cid, "port": port, "reason": "Client Closed"}));
    assert_has(&closed["connections"][0], &json!({"out_msgs": 2, "out_bytes": 10, "name": "sub <1>"}));
    assert_has(&closed["connections"][1], &json!({"cid": publisher.cid, "reason": "Protocol Violation", "in_msgs": 3}));
    let mut subjects: Vec<_> = closed["connections"][0]["subscriptions_list"].as_array().unwrap().clone();
    subjects.sort_by_key(ToString::to_string);
    assert_eq!(subjects, ["foo.*", "work"]);
    assert_eq!(closed["connections"][0]["subscriptions"], 2, "as many as it had, although they are gone");
    let mut keen = Client::connect(&server, &json!({"verbose": false}));
    keen.say(&(0..100).map(|n| format!("SUB many.{n} {n}")).collect::<Vec<_>>().join("\n"));
    let path = format!("/connz?state=closed&cid={}", keen.cid);
    drop(keen);
    let closed = get_until(&server, &path, |connz| connz["num_connections"] == 1);
    assert_eq!(closed["connections"][0]["subscriptions"], 100, "more than are remembered");
    let closed = &get(&server, "/connz?state=closed&limit=1")["connections"][0];
    assert!(closed["stop"].as_str() > closed["start"].as_str());
    let by_reason = get(&server, "/connz?state=closed&sort=reason");
    assert_eq!(by_reason["connections"][0]["reason"], "Client Closed");
    assert_has(&get(&server, &format!("/connz?state=all&cid={cid}")), &json!({"connections": [{"cid": cid}]}));
}

#[test]
fn subsz_shows_interest() {
    // spec: CLU-106 CLU-133
    let server = start("");
    let (subscriber, mut publisher) = pair(&server);
    let cid = subscriber.cid;
    // A subject is worth remembering when it comes again.
    publisher.say("PUB foo.bar 1\nx\nPUB foo.bar 1\nx");
    let subsz = get(&server, "/subsz?subs=1&test=foo.bar");
    let found = json!({"account": "$G", "account_tag": "$G", "subject": "foo.*", "sid": "1", "msgs": 3, "cid": cid});
    assert_has(&subsz, &json!({"num_subscriptions": 2 + OWN, "num_inserts": 2 + OWN, "num_removes": 0, "total": 1}));
    assert_eq!(subsz["subscriptions_list"], json!([found]));
    assert!(subsz["num_cache"].as_u64() >= Some(1) && subsz["num_matches"].as_u64() >= Some(3), "{subsz:#}");
    assert_eq!(subsz["max_fanout"], 1);
    assert!(get(&server, "/subsz").get("subscriptions_list").is_none());
    drop(subscriber);
    let after = get_until(&server, "/subsz?subs=1&acc=$G", |subsz| subsz["total"] == 4);
    assert_has(&after, &json!({"num_inserts": 6, "num_removes": 2}));
    let mut own: Vec<_> = after["subscriptions_list"].as_array().unwrap().iter().collect();
    own.sort_by_key(|sub| sub["subject"].as_str());
    for (sub, (subject, sid)) in own.into_iter().zip(ASKED) {
        assert_has(sub, &json!({"account": "$G", "subject": subject, "sid": sid, "msgs": 0}));
    }
}

#[test]
fn subscriptions_that_cross_accounts_are_shown_where_they_listen() {
    // spec: CLU-106
    let server = start(TRADERS);
    let mut b = Client::connect(&server, &json!({"user": "b", "pass": "b", "verbose": false}));
    b.say("SUB pre.st.* 1");
    let there = get(&server, "/subsz?subs=1&acc=A&test=st.1");
    let shadow = json!({"account": "B", "subject": "st.*", "sid": "1", "cid": b.cid});
    assert_has(&there, &json!({"total": 1, "subscriptions_list": [shadow]}));
    let here = get(&server, "/subsz?subs=1&acc=B&test=my.x");
    assert_has(&here, &json!({"total": 1, "subscriptions_list": [{"account": "B", "subject": "my.x", "msgs": 0}]}));
}

#[test]
fn accountz_describes_accounts_as_the_reference_does() {
    // spec: CLU-107 CLU-146
    let server = start(TRADERS);
    let mut names = get(&server, "/accountz")["accounts"].as_array().unwrap().clone();
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, ["$G", "$SYS", "A", "B"]);
    let _client = Client::connect(&server, &json!({"user": "a", "pass": "a", "verbose": false}));
    let a = get(&server, "/accountz?acc=A");
    assert_has(
        &a,
        &json!({"system_account": "$SYS", "account_detail": {
            "account_name": "A", "expired": false, "complete": true, "jetstream_enabled": false,
            "leafnode_connections": 0, "client_connections": 1, "name_tag": "A",
        }}),
    );
    let detail = &a["account_detail"];
    assert_eq!(
        detail["mappings"],
        json!({
            "foo": [
                {"subject": "baz", "weight": 10}, {"subject": "bar", "weight": 50}, {"subject": "foo", "weight": 100},
                {"subject": "qux", "weight": 50, "cluster": "east"}, {"subject": "foo", "weight": 100, "cluster": "east"},
            ],
            "one.*": [{"subject": "two.$1", "weight": 100}],
        })
    );
    assert_eq!(
        detail["exports"],
        json!([
            {"subject": "svc.x", "type": "service", "response_type": "Singleton",
             "service_latency": {"sampling": 50, "results": "lat.x"}},
            {"subject": "st.>", "type": "stream", "approved_accounts": ["B"]},
        ])
    );
    let b = get(&server, "/accountz?acc=B");
    let mut imports = b["account_detail"]["imports"].as_array().unwrap().clone();
    imports.retain(|import| import["account"] == "A");
    assert_eq!(
        Value::Array(imports),
        json!([
            {"subject": "st.>", "account": "A", "local_subject": "pre.st.>", "type": "stream", "invalid": false,
             "share": false, "tracking": false},
            {"subject": "svc.x", "account": "A", "to": "my.x", "local_subject": "my.x", "type": "service",
             "invalid": false, "share": false, "tracking": false,
             "latency": {"sampling": 50, "results": "lat.x"}},
        ])
    );
    assert_has(&get(&server, "/accountz?acc=$SYS"), &json!({"account_detail": {"is_system": true}}));
    let (status, body) = page(server.monitoring_address().unwrap(), "/accountz?acc=NOPE");
    assert_eq!((status, body.trim_end()), (400, "Account NOPE does not exist"));
}

#[test]
fn an_awaited_reply_is_shown() {
    // spec: CLU-107
    let server = start(TRADERS);
    let mut a = Client::connect(&server, &json!({"user": "a", "pass": "a", "verbose": false}));
    a.say("SUB svc.x 1");
    let mut b = Client::connect(&server, &json!({"user": "b", "pass": "b", "verbose": false}));
    b.say("SUB back 1\nPUB my.x back 2\nhi");
    let shown = get(&server, "/accountz?acc=A");
    let responses = shown["account_detail"]["responses"].as_object().unwrap();
    let [(token, reply)] = responses.iter().collect::<Vec<_>>()[..] else { panic!("{shown:#}") };
    assert!(token.starts_with("_R_."), "{token}");
    let expected = json!({"subject": "back", "account": "B", "to": token, "local_subject": token, "type": 2});
    assert_has(reply, &expected);
}

#[test]
fn accstatz_counts_by_account() {
    // spec: CLU-107 CLU-150
    let server = start(TRADERS);
    let mut a = Client::connect(&server, &json!({"user": "a", "pass": "a", "verbose": false}));
    let mut b = Client::connect(&server, &json!({"user": "b", "pass": "b", "verbose": false}));
    b.say("SUB pre.st.* 1");
    a.say("PUB st.1 3\nabc\nPUB elsewhere 1\nx");
    b.say("");
    let counted = |stats: &Value, account: &str| {
        let mut all = stats["account_statz"].as_array().unwrap().iter();
        all.find(|of| of["acc"] == account).cloned()
    };
    let stats = get(&server, "/accstatz");
    let of_a = counted(&stats, "A").unwrap();
    assert_has(&of_a, &json!({"name": "A", "conns": 1, "total_conns": 1, "leafnodes": 0, "slow_consumers": 0}));
    assert_has(&of_a, &json!({"received": {"msgs": 2, "bytes": 4}, "sent": {"msgs": 0, "bytes": 0}}));
    let of_b = counted(&stats, "B").unwrap();
    assert_has(&of_b, &json!({"received": {"msgs": 0}, "sent": {"msgs": 1, "bytes": 3, "routes": {"msgs": 0}}}));
    assert_eq!(counted(&stats, "$G"), None, "nobody is connected there");
    assert_has(&counted(&get(&server, "/accstatz?unused=1"), "$G").unwrap(), &json!({"conns": 0}));
    drop(b);
    let after = get_until(&server, "/accstatz?unused=1", |stats| counted(stats, "B").unwrap()["conns"] == 0);
    assert_has(&counted(&after, "B").unwrap(), &json!({"sent": {"msgs": 1, "bytes": 3}}));
}

#[test]
fn healthz_says_whether_clients_are_taken() {
    // spec: CLU-109
    let server = start("lame_duck_grace_period: 1s\nlame_duck_duration: 30s");
    let address = server.monitoring_address().unwrap();
    let _client = Client::connect(&server, &json!({"verbose": false}));
    assert_eq!(page(address, "/healthz"), (200, r#"{"status":"ok"}"#.into()));
    server.lame_duck();
    let (status, body) = page(address, "/healthz");
    let refused = r#"{"status":"error","error":"failed to be ready for connections after 1ms: server"}"#;
    assert_eq!((status, body.as_str()), (500, refused));
}

#[test]
fn metrics_are_the_same_numbers() {
    // spec: CLU-101
    let server = start("");
    let (_subscriber, publisher) = pair(&server);
    let read = || {
        let (status, text) = page(server.monitoring_address().unwrap(), "/metrics");
        assert_eq!(status, 200);
        text
    };
    let sum = |text: &str, name: &str| -> f64 {
        let of_name = |line: &&str| line.starts_with(name) && line[name.len()..].starts_with([' ', '{']);
        let samples: Vec<_> = text.lines().filter(of_name).collect();
        assert!(!samples.is_empty(), "{name} is missing in\n{text}");
        samples.iter().map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    };
    get_until(&server, "/connz", all_written);
    let text = read();
    for (name, value) in [
        ("nats_varz_in_msgs", 3.0),
        ("nats_varz_in_bytes", 12.0),
        ("nats_varz_out_msgs", 2.0),
        ("nats_varz_connections", 2.0),
        ("nats_healthz_status", 0.0),
        ("nats_connz_subscriptions", 2.0),
        ("nats_subsz_num_subscriptions", 58.0),
        ("nats_accstatz_received_messages", 3.0),
        ("nats_accstatz_sent_bytes", 10.0),
        ("martlet_accounts", 2.0),
        ("martlet_loop_connections", 2.0),
        ("martlet_loop_pending_bytes", 0.0),
    ] {
        assert!((sum(&text, name) - value).abs() < f64::EPSILON, "{name} is not {value} in\n{text}");
    }
    // CONNECT, SUB, PUB and PING came in at least three reads.
    assert!(sum(&text, "martlet_loop_read_batches_total") >= 3.0, "{text}");
    drop(publisher);
    get_until(&server, "/varz", |varz| varz["connections"] == 1);
    let text = read();
    assert!((sum(&text, "nats_varz_in_msgs") - 3.0).abs() < f64::EPSILON, "{text}");
    assert!(sum(&text, "nats_connz_in_msgs").abs() < f64::EPSILON, "a sum over open connections\n{text}");
}

#[test]
fn users_may_ask_who_they_are() {
    // spec: CLU-092
    let server = start(
        r#"
        server_name: fixed
        accounts {
          A {
            users = [
              {user: a, password: a}
              {user: p, password: p, permissions: {
                publish: {allow: ["foo", "$SYS.REQ.>"], deny: "bar"}, subscribe: ["q.* grp", ">"]
                allow_responses: {max: 3, expires: "5s"}
              }}
            ]
          }
          SYS { users = [{user: s, password: s}] }
        }
        system_account: SYS
        "#,
    );
    // As the reference answered.
    let permissions = r#","permissions":{"publish":{"allow":["foo","$SYS.REQ.\u003e"],"deny":["bar"]},"subscribe":{"allow":["q.* grp","\u003e"]},"responses":{"max":3,"ttl":5000000000}}"#;
    for (user, account, permissions) in [("a", "A", ""), ("p", "A", permissions), ("s", "SYS", "")] {
        let mut client = Client::connect(&server, &json!({"user": user, "pass": user, "verbose": false}));
        client.say("SUB back 1");
        client.lines.get_mut().write_all(b"PUB $SYS.REQ.USER.INFO back 0\r\n\r\n").unwrap();
        let (control, body) = (client.line(), client.line());
        assert_eq!(control, format!("MSG back 1 {}", body.len()));
        let (before, data) = body.split_once(r#","data":"#).unwrap();
        let expected =
            format!(r#"{{"user":"{user}","account":"{account}","account_name":"{account}"{permissions}}}}}"#);
        assert_eq!(data, expected);
        let told: Value = serde_json::from_str(&format!("{before}}}")).unwrap();
        assert_has(
            &told["server"],
            &json!({"name": "fixed", "host": "127.0.0.1", "ver": "2.15.1", "jetstream": false}),
        );
        // Without a reply subject there is nothing to say: what comes next is the answer to what is asked next.
        client.say("PUB $SYS.REQ.USER.INFO 0\n\nSUB next 2");
        client.lines.get_mut().write_all(b"PUB $SYS.REQ.USER.INFO next 0\r\n\r\n").unwrap();
        assert!(client.line().starts_with("MSG next 2 "));
    }
}
