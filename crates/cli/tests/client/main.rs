//! The client commands of the built binary, each against a running server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod support;
mod tls;

use std::io::Write;
use std::process::Stdio;

use support::{Server, martlet, read, run};

#[test]
fn what_is_published_is_shown_to_subscribers() {
    let server = Server::start("");
    let pretty = server.spawn(&["sub", "greet.>", "--count", "2"], "Subscribing on greet.>");
    let raw = server.spawn(&["sub", "greet.*", "other", "--raw", "--count", "3"], "");
    let headers = server.spawn(&["sub", "greet.a", "--headers-only", "--count", "1"], "Subscribing");
    server.await_interest("other");
    let sent =
        server.run(&["pub", "greet.{{Count}}", "hi {{Count}}", "--count", "2", "-H", "N:{{Count}}", "--reply", "r"]);
    assert!(sent.stderr.contains("Published 4 bytes to \"greet.2\""), "{sent:?}");
    sent.ok();
    server.run(&["pub", "greet.a", "x", "-H", "B:2", "-H", "A:1", "-q"]).ok();
    let expected = "[#1] Received on \"greet.1\" with reply \"r\"\nN: 1\n\nhi 1\n\n\
                    [#2] Received on \"greet.2\" with reply \"r\"\nN: 2\n\nhi 2\n\n";
    assert_eq!(pretty.end().ok(), expected);
    assert_eq!(raw.end().ok(), "probe\nhi 1\nhi 2\n");
    assert_eq!(headers.end().ok(), "[#1] Received on \"greet.a\"\nA: 1\nB: 2\n\n");
}

#[test]
fn bodies_come_from_standard_input() {
    let server = Server::start("");
    let sub = server.spawn(&["sub", "in", "--count", "3"], "Subscribing");
    for (args, input) in
        [(&["pub", "in"][..], "one\ntwo {{Count}}"), (&["pub", "in", "--send-on", "newline"], "a\nb\n")]
    {
        let mut child = server.martlet(args).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
    let shown = sub.end().ok();
    for part in ["one\ntwo {{Count}}\n\n", "[#2] Received on \"in\"\na\n\n", "[#3] Received on \"in\"\nb\n\n"] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn dumps_are_files_or_a_stream_of_json() {
    let server = Server::start("");
    let folder = server.home.join("dump");
    std::fs::create_dir(&folder).unwrap();
    let to_files = server.spawn(&["sub", "d1", "--count", "1", "--dump", folder.to_str().unwrap()], "");
    let to_stdout = server.spawn(&["sub", "d2", "--count", "2", "--dump", "-"], "");
    server.await_interest("d1");
    server.await_interest("d2");
    server.run(&["pub", "d2", "hi"]).ok();
    to_files.end().ok();
    let dumped: serde_json::Value = serde_json::from_str(&read(&folder.join("1.json"))).unwrap();
    assert_eq!((&dumped["Subject"], &dumped["Data"]), (&"d1".into(), &"cHJvYmU=".into()));
    let text = to_stdout.end().ok();
    let last = r#"{"Subject":"d2","Reply":"","Header":null,"Data":"aGk=","Sub":null}"#;
    assert_eq!(text.split_terminator('\0').nth(1), Some(last), "{text:?}");
}

#[test]
fn requests_are_answered() {
    let server = Server::start("");
    let given = server.spawn(&["reply", "svc.given", "re: {{Request}}", "-H", "K:v", "--count", "2"], "Listening on");
    let echo =
        server.spawn(&["reply", "svc.echo", "--count", "1"], "Listening on \"svc.echo\" in group \"NATS-RPLY-22\"");
    assert_eq!(server.run(&["req", "svc.given", "ping", "--raw"]).ok(), "re: ping\n");
    let shown = server.run(&["req", "svc.given", "ping"]);
    assert!(shown.stderr.contains("Sending request on \"svc.given\""), "{shown:?}");
    assert!(shown.stderr.contains("Received with rtt "), "{shown:?}");
    assert_eq!(shown.ok(), "K: v\n\nre: ping\n\n");
    assert_eq!(server.run(&["req", "svc.echo", "x", "-H", "A:1"]).ok(), "A: 1\nNATS-Reply-Counter: 0\n\nx\n\n");
    assert!(given.end().ok().contains("ping\n\n"));
    echo.end().ok();
}

#[test]
fn several_replies_can_be_waited_for() {
    let server = Server::start("");
    let repliers: Vec<_> = ["a", "b"]
        .map(|name| server.spawn(&["reply", "many", name, "--queue", name], "Listening"))
        .into_iter()
        .collect();
    let sorted = |text: String| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(server.run(&["req", "many", "", "--raw", "--replies", "2"]).ok()), ["a", "b"]);
    assert_eq!(sorted(server.run(&["req", "many", "", "-r", "--replies", "0", "--timeout", "500ms"]).ok()), ["a", "b"]);
    drop(repliers);
}

#[test]
fn requests_without_an_answer_fail_and_say_why() {
    let server = Server::start("");
    server.run(&["req", "nobody", "x"]).failed(1, &["no responders", "\"nobody\""]);
    let silent = server.spawn(&["sub", "silent"], "Subscribing");
    server.run(&["req", "silent", "x", "--timeout", "200ms"]).failed(1, &["no reply", "\"silent\"", "200ms"]);
    let ended = silent.interrupt();
    assert!(ended.stderr.contains("Received 1 messages"), "{ended:?}");
    ended.ok();
}

#[test]
fn connections_that_fail_say_what_to_do() {
    run(martlet(&["-s", "127.0.0.1:1", "pub", "a", "b"])).failed(1, &["nats://127.0.0.1:1", "refused", "--server"]);
    run(martlet(&["-s", "http://x", "pub", "a", "b"])).failed(1, &["\"http://x\"", "nats://HOST:PORT"]);
    run(martlet(&["--creds", "/no/such", "rtt"])).failed(1, &["--creds", "/no/such"]);
    run(martlet(&["--context", "gone", "rtt"])).failed(1, &["\"gone\"", "--no-context"]);
    run(martlet(&["pub"])).failed(2, &["SUBJECT"]);
    run(martlet(&["bench", "pub", "x", "--msgs", "0"])).failed(2, &["--msgs"]);
    let server = Server::start("");
    server.run(&["pub", "a b", "x"]).failed(1, &["\"a b\"", "publish to"]);
    server.run(&["pub", "a", "x", "-H", "nonsense"]).failed(1, &["\"nonsense\"", "NAME:VALUE"]);
}

#[test]
fn credentials_come_from_options_environment_and_contexts() {
    let server = Server::start("authorization { users = [ { user: derek, password: s3cret } ] }");
    server.run(&["rtt"]).failed(1, &["Authorization Violation", "without credentials", "--user"]);
    server.run(&["rtt", "--user", "derek", "--password", "no"]).failed(1, &["user \"derek\""]);
    server.run(&["rtt", "--user", "derek", "--password", "s3cret"]).ok();
    let mut by_environment = server.martlet(&["rtt"]);
    by_environment.env("NATS_USER", "derek").env("NATS_PASSWORD", "s3cret");
    run(by_environment).ok();
    server.run(&["rtt", "-s", &server.url.replace("://", "://derek:s3cret@")]).ok();

    let contexts = server.home.join(".config/nats/context");
    std::fs::create_dir_all(&contexts).unwrap();
    let context = format!(r#"{{"url":"{}","user":"derek","password":"s3cret","socks_proxy":"x"}}"#, server.url);
    std::fs::write(contexts.join("mine.json"), context).unwrap();
    let with_context = |args: &[&str]| {
        let mut command = martlet(args);
        command.env("HOME", &server.home);
        run(command)
    };
    let ended = with_context(&["rtt", "--context", "mine"]);
    assert!(ended.stderr.contains("\"socks_proxy\" is not supported"), "{ended:?}");
    ended.ok();
    std::fs::write(server.home.join(".config/nats/context.txt"), "mine").unwrap();
    with_context(&["rtt"]).ok();
    with_context(&["rtt", "--no-context", "-s", &server.url]).failed(1, &["Authorization Violation"]);
}

#[test]
fn what_the_server_does_not_permit_fails() {
    let permissions = "permissions { publish: [\"open\", \"_INBOX.>\"], subscribe: [\"open\", \"_INBOX.>\"] }";
    let server = Server::start(&format!("authorization {{ users = [ {{ user: u, password: p, {permissions} }} ] }}"));
    let login = ["--user", "u", "--password", "p"];
    let run = |args: &[&str]| server.run(&[args, &login].concat());
    run(&["pub", "open", "x"]).ok();
    run(&["pub", "closed", "x"]).failed(1, &["Permissions Violation for Publish to \"closed\""]);
    run(&["sub", "closed"]).failed(1, &["Permissions Violation for Subscription to \"closed\""]);
    run(&["req", "closed", "x", "--timeout", "300ms"]).failed(1, &["Permissions Violation"]);
    run(&["pub", "open", "x", "--inbox-prefix", "other"]).ok();
    run(&["bench", "pub", "closed", "--msgs", "10"]).failed(1, &["Permissions Violation"]);
    run(&["bench", "sub", "closed", "--msgs", "10"]).failed(1, &["Permissions Violation"]);
}

#[test]
fn the_round_trip_is_measured() {
    let server = Server::start("server_name: there");
    let text = server.run(&["rtt", "3"]).ok();
    assert!(text.starts_with(&format!("{}: ", server.url)) && text.contains("\"there\""), "{text}");
}

#[test]
fn an_interrupted_publisher_says_how_far_it_came() {
    let server = Server::start("");
    let endless = server.spawn(&["pub", "x", "y", "--count", "1000000", "--sleep", "1ms"], "");
    std::thread::sleep(std::time::Duration::from_millis(700));
    endless.interrupt().failed(130, &["interrupted", "Published "]);
}

#[test]
fn throughput_is_measured_and_exported() {
    let server = Server::start("");
    let (csv, json) = (server.home.join("out.csv"), server.home.join("out.json"));
    let (csv_arg, json_arg) = (csv.to_str().unwrap(), json.to_str().unwrap());
    let sub = server.spawn(
        &["bench", "sub", "b", "--msgs", "5,000", "--clients", "2", "--json", json_arg, "--no-progress"],
        "Waiting for 10,000 messages",
    );
    let sent =
        ["bench", "pub", "b", "--msgs", "5000", "--clients", "3", "--size", "16", "--batch", "500", "--csv", csv_arg];
    let text = server.run(&sent).ok();
    assert!(text.contains("client    3:") && text.contains("5,000 messages"), "{text}");
    assert!(sub.end().ok().contains("10,000 messages"));
    let lines = read(&csv);
    assert_eq!(lines.lines().count(), 5, "{lines}");
    assert!(lines.lines().last().unwrap().starts_with("total,5000,80000,"), "{lines}");
    let value: serde_json::Value = serde_json::from_str(&read(&json)).unwrap();
    assert_eq!(value["total"]["messages"], 10_000);
    assert_eq!(value["total"]["bytes"], 160_000);
    assert_eq!(value["clients"][0]["messages"], 5_000);
}

#[test]
fn a_queue_group_shares_the_measured_messages() {
    let server = Server::start("");
    let sub = server.spawn(
        &["bench", "sub", "q", "--msgs", "3000", "--clients", "3", "--queue", "g"],
        "Waiting for 3,000 messages",
    );
    server.run(&["bench", "pub", "q", "--msgs", "3000"]).ok();
    assert!(sub.end().ok().contains("3,000 messages"));
}

#[test]
fn request_latency_is_measured() {
    let server = Server::start("");
    let asked = ["bench", "request", "r", "--msgs", "2000", "--clients", "2", "--inflight", "8"];
    server.run(&asked).failed(1, &["no responders on \"r\"", "--responders"]);
    let text = server.run(&[&asked[..], &["--responders", "2"]].concat()).ok();
    for part in ["2,000 messages", "p50 ", "p99.9 ", "max ", "up to "] {
        assert!(text.contains(part), "{text}");
    }
    let paced = server.run(&["bench", "request", "r", "--msgs", "50", "--rate", "500", "--responders", "1"]).ok();
    assert!(paced.contains("50 messages in"), "{paced}");
}

#[test]
fn an_interrupted_measurement_is_reported() {
    let server = Server::start("");
    let endless = server.spawn(&["bench", "pub", "x", "--msgs", "1000000", "--rate", "1000"], "Publishing");
    std::thread::sleep(std::time::Duration::from_millis(700));
    let ended = endless.interrupt();
    assert!(ended.stdout.contains("stopped after "), "{ended:?}");
    ended.failed(130, &["interrupted"]);
}

#[test]
fn help_lists_the_commands() {
    for args in [&["pub", "--help"][..], &["help", "pub"]] {
        let text = run(martlet(args)).ok();
        assert!(text.contains("--header") && text.contains("--server"), "{text}");
    }
}

#[test]
fn only_system_users_see_the_servers() {
    // spec: CLI-016
    let users = "SYS { users: [ { user: sys, password: sys } ] }, APP { users: [ { user: app, password: app } ] }";
    let server = Server::start(&format!("accounts {{ {users} }}\nsystem_account: SYS"));
    for args in [&["server", "ls"][..], &["server", "info"], &["server", "ping"], &["server", "report", "routes"]] {
        let ended = server.run(&[args, &["--user", "app", "--password", "app"]].concat());
        ended.failed(1, &["user \"app\"", "system account", "--context"]);
    }
    run(martlet(&["server"])).failed(2, &["report", "system account"]);
    run(martlet(&["server", "ls", "--sort", "age"])).failed(2, &["age", "uptime"]);
}

#[test]
fn a_health_check_asks_the_monitoring_port() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    run(martlet(&["healthz", &url])).failed(1, &[&url, "refused"]);
    let server = Server::start(&format!("http: \"127.0.0.1:{port}\""));
    assert_eq!(server.run(&["healthz", &url]).ok(), "{\"status\":\"ok\"}\n");
    server.run(&["healthz", &format!("{url}/base")]).failed(1, &["status 404"]);
    run(martlet(&["healthz", "127.0.0.1:8222"])).failed(2, &["\"127.0.0.1:8222\"", "http://HOST:PORT"]);
}

#[test]
fn the_first_word_may_be_the_name_it_is_called_by() {
    // spec: CLI-001
    for args in [&["nats-server", "--version"][..], &["martlet", "nats-server", "--version"]] {
        assert!(run(martlet(args)).ok().starts_with("nats-server: v"), "{args:?}");
    }
    run(martlet(&["martlet", "pub"])).failed(2, &["SUBJECT"]);
    run(martlet(&["nats-server", "pub", "a", "b"])).failed(1, &["pub"]);
}
