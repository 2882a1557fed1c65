//! The command line, as tables.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::options::{Cluster, HandshakeFirst, JetStream, LinkLogin, LinkUrl, Options, Secret, Syslog, Tls};

fn parsed(args: &[&str]) -> Parsed {
    parse(args).unwrap_or_else(|error| panic!("{args:?}: {error}"))
}

fn applied(args: &[&str], mut options: Options) -> Options {
    parsed(args).overlay.apply(&mut options).unwrap_or_else(|error| panic!("{args:?}: {error}"));
    options
}

fn from_nothing(args: &[&str]) -> Options {
    applied(args, Options::default())
}

#[test]
fn one_dash_or_two_and_the_value_after_equals_or_separate() {
    // spec: CORE-146 CLI-002
    for args in [
        &["-p", "-1"][..],
        &["--p", "-1"],
        &["-p=-1"],
        &["--port=-1"],
        &["-port", "-1"],
        &["-p", "4222", "-p", "-1"], // the last one wins
        &["--port", "0x7", "-p", "-0b1"],
    ] {
        assert_eq!(from_nothing(args).port, -1, "{args:?}");
    }
}

#[test]
fn a_switch_takes_its_value_after_equals_only() {
    // spec: CORE-146
    assert!(from_nothing(&["-D"]).log.debug);
    assert!(!from_nothing(&["-D=false"]).log.debug);
    assert!(!from_nothing(&["-T=f"]).log.time);
    // The word is not the switch's value, and no command either.
    let error = parse(&["-D", "false"]).expect_err("a word");
    assert_eq!(error, FlagError::Refused(r#"unrecognized command: "false""#.into()));
}

#[test]
fn every_flag_sets_its_option() {
    // spec: CORE-147 CORE-150 CLI-002
    let options = from_nothing(&[
        "-a",
        "127.0.0.1",
        "-p",
        "4333",
        "-n",
        "one",
        "-P",
        "/run/s.pid",
        "-m",
        "8222",
        "-ms",
        "8443",
        "--client_advertise",
        "a.b:1",
        "--ports_file_dir",
        "/tmp",
        "--user",
        "u",
        "--pass",
        "p",
        "--auth",
        "t",
        "--cluster_name",
        "c",
    ]);
    assert_eq!(options.host, "127.0.0.1");
    assert_eq!(options.port, 4333);
    assert_eq!(options.server_name.as_deref(), Some("one"));
    assert_eq!(options.pid_file.as_deref(), Some(Path::new("/run/s.pid")));
    assert_eq!((options.monitoring.http_port, options.monitoring.https_port), (8222, 8443));
    assert_eq!(options.client_advertise.as_deref(), Some("a.b:1"));
    assert_eq!(options.ports_file_dir.as_deref(), Some(Path::new("/tmp")));
    assert_eq!(options.authorization.user.as_deref(), Some("u"));
    assert_eq!(options.authorization.password.as_deref(), Some("p"));
    assert_eq!(options.authorization.token.as_deref(), Some("t"));
    assert_eq!(options.cluster_name.as_deref(), Some("c"));
    for (names, value) in [(&["--addr", "--net"][..], "::1"), (&["--name", "--server_name"], "x")] {
        for name in names {
            let options = from_nothing(&[name, value]);
            assert!(options.host == value || options.server_name.as_deref() == Some(value), "{name}");
        }
    }
}

#[test]
fn logging_flags() {
    // spec: CORE-148 CFG-028 CFG-029 CFG-030
    // debug, trace, trace_verbose
    for (args, expected) in [
        (&["-D"][..], (true, false, false)),
        (&["--debug"], (true, false, false)),
        (&["-V"], (false, true, false)),
        (&["--trace"], (false, true, false)),
        (&["-DV"], (true, true, false)),
        (&["-VV"], (false, true, true)),
        (&["-DVV"], (true, true, true)),
        (&["-DV=false", "-D", "-V"], (false, false, false)), // the combined one wins
        (&["-DVV", "-VV=false"], (true, false, false)),
    ] {
        let log = from_nothing(args).log;
        assert_eq!((log.debug, log.trace, log.trace_verbose), expected, "{args:?}");
    }
    let log = from_nothing(&["-l", "x.log", "--log_size_limit", "4096", "--max_traced_msg_len=7", "--logtime_utc"]).log;
    assert_eq!(log.file.as_deref(), Some(Path::new("x.log")));
    assert_eq!((log.file_size_limit, log.max_traced_msg_len, log.time, log.time_utc), (4096, 7, true, true));
    let remote = || Some(Syslog::Remote("udp://h:1".into()));
    for (args, syslog) in [
        (&["-s"][..], Some(Syslog::Local)),
        (&["--syslog"], Some(Syslog::Local)),
        (&["-r", "udp://h:1"], remote()),
        (&["-s", "--remote_syslog=udp://h:1"], remote()),
        (&["-s=false"], None),
    ] {
        assert_eq!(from_nothing(args).log.syslog, syslog, "{args:?}");
    }
}

#[test]
fn flags_win_over_the_file_even_when_they_say_no() {
    // spec: CFG-018 CFG-019
    let mut file = Options { port: 5000, host: "10.0.0.1".into(), ..Options::default() };
    file.log.debug = true;
    file.log.syslog = Some(Syslog::Local);
    file.pid_file = Some("file.pid".into());
    let options = applied(&["-D=false", "-p", "6000", "-s=false", "-P="], file.clone());
    assert_eq!(options.port, 6000);
    assert_eq!(options.host, "10.0.0.1", "not spoken of");
    assert!(!options.log.debug);
    assert_eq!(options.log.syslog, None);
    assert_eq!(options.pid_file, None);
    let options = applied(&["-p", "0", "-a", ""], file);
    assert_eq!((options.port, options.host.as_str()), (4222, "0.0.0.0"), "the default is back");
}

#[test]
fn tls_flags_replace_the_block_of_the_file() {
    // spec: CORE-151 CFG-143
    let file_tls = Tls {
        cipher_suites: vec!["X".into()],
        pinned_certs: vec!["aa".into()],
        handshake_first: HandshakeFirst::On,
        ..Tls::default()
    };
    let file = || Options { tls: Some(file_tls.clone()), ..Options::default() };
    let pair = ["--tlscert", "c.pem", "--tlskey", "k.pem"];
    let tls = applied(&pair, file()).tls.expect("on");
    assert_eq!(tls.certificates[0].cert_file, Path::new("c.pem"));
    assert_eq!(tls.certificates[0].key_file, Path::new("k.pem"));
    assert!(tls.cipher_suites.is_empty() && !tls.verify);
    assert_eq!((tls.pinned_certs, tls.handshake_first), (file_tls.pinned_certs.clone(), HandshakeFirst::On));
    let tls = from_nothing(&[&pair[..], &["--tlsverify", "--tlscacert", "ca.pem"]].concat()).tls.expect("on");
    assert!(tls.verify);
    assert_eq!(tls.ca_file.as_deref(), Some(Path::new("ca.pem")));
    assert_eq!(applied(&[&pair[..], &["--tls=false"]].concat(), file()).tls, None);
    assert_eq!(applied(&[], file()).tls, Some(file_tls.clone()));
    for (args, message) in [
        (&["--tls"][..], "TLS Server certificate must be present and valid"),
        (&["--tlscert", "x"], "TLS Server private key must be present and valid"),
        (&["--tlsverify=false"], "TLS Server certificate must be present and valid"),
    ] {
        assert_eq!(parse(args), Err(FlagError::Refused(message.into())), "{args:?}");
    }
}

#[test]
fn what_is_asked_for() {
    // spec: CORE-153 CORE-154 CORE-156 CLI-001
    let signal = |command: &str, target: &str| Action::Signal { command: command.into(), target: target.into() };
    for (args, action) in [
        (&[][..], Action::Run),
        (&["-v"], Action::Version),
        (&["--version", "-h"], Action::Version),
        (&["version"], Action::Version),
        (&["VERSION", "more"], Action::Version),
        (&["-h", "-c", "x"], Action::Help),
        (&["--help"], Action::Help),
        (&["help"], Action::Help),
        (&["--", "help"], Action::Help),
        (&["--help_tls"], Action::HelpTls),
        (&["-t", "-c", "x"], Action::TestConfig),
        (&["-sl", "reload"], signal("reload", "")),
        (&["-sl=ldm=12*"], signal("ldm", "12*")),
        (&["--signal", "stop=/run/s.pid", "-t"], signal("stop", "/run/s.pid")),
        (&["-h=false"], Action::Run),
    ] {
        assert_eq!(parsed(args).action, action, "{args:?}");
    }
    assert_eq!(parsed(&["--config", "a.conf"]).config.as_deref(), Some(Path::new("a.conf")));
    assert_eq!(parsed(&["-c", ""]).config, None);
}

#[test]
fn broken_flags_are_told_with_the_usage() {
    // spec: CORE-155
    for (args, message) in [
        (&["--nope"][..], "flag provided but not defined: -nope"),
        (&["-p", "abc"], r#"invalid value "abc" for flag -p: parse error"#),
        (&["-p="], r#"invalid value "" for flag -p: parse error"#),
        (&["-m", "4294967296"], r#"invalid value "4294967296" for flag -http_port: value out of range"#),
        (&["-p", "99999999999999999999"], r#"invalid value "99999999999999999999" for flag -p: value out of range"#),
        (&["--log_size_limit", "1k"], r#"invalid value "1k" for flag -log_size_limit: parse error"#),
        (&["-p"], "flag needs an argument: -p"),
        (&["-D=maybe"], r#"invalid boolean value "maybe" for -D: parse error"#),
        (&["---x"], "bad flag syntax: ---x"),
        (&["-=x"], "bad flag syntax: -=x"),
    ] {
        assert_eq!(parse(args), Err(FlagError::Usage(message.into())), "{args:?}");
    }
}

#[test]
fn refusals_name_what_cannot_be_done() {
    // spec: CORE-149 CORE-152 CORE-154 CORE-156 CORE-158 CORE-141
    for (args, message) in [
        (&["-"][..], r#"unrecognized command: "-""#),
        (&["foo", "bar"], r#"unrecognized command: "foo""#),
        (&["-t"], "must specify [-c, --config] option to check configuration file syntax"),
        (&["-sl", "quit=1=2=3"], "invalid signal parameters: [2 3]"),
        (&["--cluster", "nats://a@h:1"], "expected cluster password to be set"),
        (&["--cluster", "nats://127.0.0.1"], "address 127.0.0.1: missing port in address"),
        (
            &["--cluster", "localhost:-1"],
            r#"error parsing cluster url ["localhost:-1"]: it has no host; expected something like nats://host:port"#,
        ),
        (
            &["--routes", "nats://a:1,nats://u:s3cret@b:x"],
            r#"error parsing route url ["nats://xxxxx@b:x"]: it is no URL; expected something like nats://host:port"#,
        ),
    ] {
        assert_eq!(parse(args), Err(FlagError::Refused(message.into())), "{args:?}");
    }
    let error = parse(&["--profile", "6060"]).expect_err("--profile").to_string();
    let expected = "\"--profile\" is not supported by this version of Martlet yet; remove the ";
    assert!(error.starts_with(expected) && error.ends_with(" to start without it"), "{error}");
}

#[test]
fn the_cluster_flags_win_over_the_file() {
    // spec: CORE-152 CORE-158 CFG-018
    let url = |text: &str| LinkUrl::parse(text).expect(text);
    let login = |user: &str, password| LinkLogin {
        user: Some(user.into()),
        password: Some(Secret::new(password)),
        timeout: Some(Duration::from_secs(9)),
    };
    let file = Cluster {
        host: "h".into(),
        port: 6222,
        login: login("file", "f"),
        routes: vec![url("nats://file:1")],
        advertise: Some("file:1".into()),
        connect_retries: 7,
        ..Cluster::default()
    };
    let anyone = LinkLogin { timeout: file.login.timeout, ..LinkLogin::default() };
    let with = |set: &dyn Fn(&mut Cluster)| {
        let mut cluster = file.clone();
        set(&mut cluster);
        cluster
    };
    for (args, expected) in [
        (&["-p", "1"][..], file.clone()),
        (&["--cluster", "nats://u:p@a:7"], with(&|c| (c.host, c.port, c.login) = ("a".into(), 7, login("u", "p")))),
        // Who the file let in is not who the flag lets in.
        (
            &["--cluster_listen", "nats://[::1]:-1"],
            with(&|c| (c.host, c.port, c.login) = ("::1".into(), -1, anyone.clone())),
        ),
        (&["--cluster", "nats://:-1"], with(&|c| (c.host, c.port, c.login) = ("0.0.0.0".into(), -1, anyone.clone()))),
        (&["--cluster="], with(&|c| c.port = 0)),
        (&["--routes", "nats://a:1, nats://b:2"], with(&|c| c.routes = vec![url("nats://a:1"), url("nats://b:2")])),
        (&["--routes="], with(&|c| c.routes.clear())),
        (&["--cluster_advertise", "a"], with(&|c| c.advertise = Some("a".into()))),
        (&["--cluster_advertise="], with(&|c| c.advertise = None)),
        (&["--no_advertise"], with(&|c| c.no_advertise = true)),
        (&["--connect_retries", "3"], with(&|c| c.connect_retries = 3)),
        (&["--connect_retries", "-3"], with(&|c| c.connect_retries = 0)),
    ] {
        let options = Options { cluster: Some(file.clone()), ..Options::default() };
        assert_eq!(applied(args, options).cluster, Some(expected), "{args:?}");
    }
    let alone = from_nothing(&["--cluster", "nats://h:1", "--routes", "nats://a:1"]).cluster;
    let expected = Cluster { host: "h".into(), port: 1, routes: vec![url("nats://a:1")], ..Cluster::default() };
    assert_eq!(alone, Some(expected));
    assert_eq!(from_nothing(&["--cluster=", "--routes="]).cluster, None);
}

#[test]
fn routes_need_a_cluster() {
    // spec: CORE-157
    let refused = FlagError::Refused("solicited routes require cluster capabilities, e.g. --cluster".into());
    let clustered = || Options { cluster: Some(Cluster { port: 1, ..Cluster::default() }), ..Options::default() };
    for (args, mut options) in [
        (&["--routes", "nats://a:1"][..], Options::default()),
        (&["--routes", "nats://a:1", "--cluster="], clustered()),
    ] {
        assert_eq!(parsed(args).overlay.apply(&mut options), Err(refused.clone()), "{args:?}");
    }
    applied(&["--routes", "nats://a:1"], clustered());
}

#[test]
fn off_is_never_refused() {
    // spec: CLI-002
    let parsed = parsed(&["-js=false", "--cluster", "", "--routes=", "--profile=0", "-sd", "/data"]);
    assert_eq!(parsed.action, Action::Run);
}

#[test]
fn streams_are_switched_on_and_off_and_have_a_place() {
    // spec: CORE-149
    let of = |args: &[&str], from: Options| applied(args, from).jetstream;
    assert_eq!(of(&["-sd", "/data"], Options::default()), None);
    let on = of(&["-js", "-sd", "/data"], Options::default()).expect("it is on");
    assert_eq!(on.store_dir, Some("/data".into()));
    let file = || Options {
        jetstream: Some(JetStream { store_dir: Some("/file".into()), strict: false, ..JetStream::default() }),
        ..Options::default()
    };
    let kept = of(&["-js"], file()).expect("it is on");
    assert_eq!((kept.store_dir, kept.strict), (Some("/file".into()), false));
    assert_eq!(of(&["-sd", "/data"], file()).expect("it is on").store_dir, Some("/data".into()));
    assert_eq!(of(&["-js=false"], file()), None);
}

#[test]
fn help_tells_of_every_flag() {
    // spec: CORE-147 CORE-148 CORE-149 CORE-150 CORE-151 CORE-152 CORE-153
    let help = usage("nats-server");
    assert!(help.starts_with("\nUsage: nats-server [options]\n"));
    let words: Vec<&str> = help.split(|c: char| c.is_whitespace() || c == ',').collect();
    for (_, _, names) in known::KNOWN {
        for name in *names {
            let told = words.contains(&format!("-{name}").as_str()) || words.contains(&format!("--{name}").as_str());
            assert!(told, "-{name}");
        }
    }
    assert!(tls_help().contains("cert_file"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    /// Whatever is typed is parsed or refused, and what is refused is not empty.
    #[test]
    fn any_words_are_survived(args in proptest::collection::vec("-{0,3}[a-zA-Z_]{0,4}=?[0-9a-z:@*]{0,4}", 0..5)) {
        if let Err(error) = parse(&args) {
            proptest::prop_assert!(!error.to_string().is_empty());
        }
    }

    /// Numbers are read in every notation.
    #[test]
    fn numbers_survive_their_notations(port in -1..=65_535i32) {
        let sign = if port < 0 { "-" } else { "" };
        let size = port.unsigned_abs();
        for text in [format!("{port}"), format!("{sign}0x{size:x}"), format!("{sign}0o{size:o}"), format!("{sign}0b{size:b}")] {
            let expected = if port == 0 { 4222 } else { port };
            proptest::prop_assert_eq!(from_nothing(&["-p", &text]).port, expected);
        }
    }
}
