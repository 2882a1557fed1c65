//! Options of the top level.

use std::time::Duration;

use super::{check, errors, options, warnings};
use crate::options::{Mapping, Options, Syslog, WriteTimeout};

type Set = fn(&mut Options);

/// Snippets that have to come out alike: aliases, other spellings, explicit defaults.
fn check_all(cases: &[(&[&str], Set)]) {
    for (texts, set) in cases {
        for text in *texts {
            check(text, set);
        }
    }
}

#[test]
fn where_the_server_listens_and_who_it_is() {
    // spec: CFG-014 CFG-023 CFG-024 CFG-025 CFG-026 CFG-027 CFG-069 CFG-070 CLI-014
    check_all(&[
        (&["listen: 127.0.0.1:4333", "listen: '127.0.0.1:4333'", "host: 127.0.0.1, port: 4333"], |o| {
            o.host = "127.0.0.1".into();
            o.port = 4333;
        }),
        (&["listen: 4333", "listen: ':4333'", "port: 4333", "PORT: 4333"], |o| o.port = 4333),
        (&["listen: '[::1]:4222'", "net: '::1'", "host: ::1"], |o| o.host = "::1".into()),
        (&["port: -1", "listen: -1", "listen: 0.0.0.0:-1"], |o| o.port = -1),
        (&["port: 0", "host: ''"], |_| {}),
        (&["client_advertise: 'a.example:4222'"], |o| o.client_advertise = Some("a.example:4222".into())),
        (&["server_name: abc"], |o| o.server_name = Some("abc".into())),
        (&["server_tags: [A, b, a, ' B ']", "server_tags: [a, b]"], |o| {
            o.server_tags = vec!["a".into(), "b".into()];
        }),
        (&["server_tags: One"], |o| o.server_tags = vec!["one".into()]),
        (&["server_metadata { Key: value }"], |o| {
            o.server_metadata.insert("Key".into(), "value".into());
        }),
    ]);
}

#[test]
fn names_have_no_spaces() {
    // spec: CFG-027
    assert_eq!(errors("server_name: 'a b'"), "t.conf:1:0: server name cannot contain spaces");
}

#[test]
fn limits() {
    // spec: CFG-048 CFG-049 CFG-050 CFG-051 CFG-052 CFG-053 CFG-055 CFG-092
    check_all(&[
        (&["max_connections: 5", "max_conn: 5"], |o| o.limits.max_connections = 5),
        (&["max_connections: 0", "max_connections: -1"], |o| o.limits.max_connections = -1),
        (&["max_subscriptions: 5", "max_subs: 5"], |o| o.limits.max_subscriptions = 5),
        (&["max_subs: 0", "max_subs: -1"], |_| {}),
        (&["max_sub_tokens: 16", "max_subscription_tokens: 16"], |o| o.limits.max_sub_tokens = 16),
        (&["max_control_line: 8k"], |o| o.limits.max_control_line = 8_000),
        (&["max_payload: 64KB"], |o| o.limits.max_payload = 65_536),
        (&["max_payload: 0", "max_control_line: 0", "max_pending: 0", "max_closed_clients: 0"], |_| {}),
        (&["max_pending: 128MiB"], |o| o.limits.max_pending = 134_217_728),
        (&["max_closed_clients: 3"], |o| o.limits.max_closed_clients = 3),
    ]);
}

#[test]
fn limits_out_of_range() {
    // spec: CFG-050 CFG-051 CFG-052
    for (text, message) in [
        ("max_payload: 2147483648", "max_payload value is too big: 2147483648"),
        ("max_control_line: 3g", "max_control_line value is too big: 3000000000"),
        ("max_payload: -1", "max_payload value can not be negative: -1"),
        ("max_pending: -1", "max_pending value can not be negative: -1"),
        ("max_sub_tokens: 256", "max_sub_tokens value is too big: 256"),
        ("max_sub_tokens: -1", "max_sub_tokens value can not be negative: -1"),
        ("max_sub_tokens: 0", "max_sub_tokens value must be 1 to 255; leave it out for no limit"),
        ("ping_max: -1", "ping_max value can not be negative: -1"),
    ] {
        assert_eq!(errors(text), format!("t.conf:1:0: {message}"));
    }
}

#[test]
fn pings_deadlines_and_reports() {
    // spec: CFG-010 CFG-056 CFG-057 CFG-058 CFG-059 CFG-067 CFG-068
    check_all(&[
        (&["ping_interval: '1m30s'", "ping_interval: 90s"], |o| o.timing.ping_interval = Duration::from_secs(90)),
        (&["ping_interval: '0s'", "write_deadline: '0'", "ping_max: 0", "write_timeout: default"], |_| {}),
        (&["ping_max: 5"], |o| o.timing.ping_max = 5),
        (&["write_deadline: '500ms'"], |o| o.timing.write_deadline = Duration::from_millis(500)),
        (&["write_timeout: close"], |o| o.timing.write_timeout = WriteTimeout::Close),
        (&["write_timeout: retry"], |o| o.timing.write_timeout = WriteTimeout::Retry),
        (&["connect_error_reports: 7"], |o| o.timing.connect_error_reports = 7),
        (&["reconnect_error_reports: 7"], |o| o.timing.reconnect_error_reports = 7),
    ]);
    assert_eq!(errors("write_timeout: no"), "t.conf:1:0: \"write_timeout\" must be a string, got the boolean false");
    assert_eq!(errors("write_timeout: x"), "t.conf:1:0: write_timeout must be 'default', 'close' or 'retry'");
    assert_eq!(errors("write_deadline: '-1s'"), "t.conf:1:0: write_deadline can not be negative");
}

#[test]
fn whole_seconds_are_durations_with_a_warning() {
    // spec: CFG-005 CFG-010
    let loaded = super::read("ping_interval: 5\nwrite_deadline: 2m").expect("accepted");
    assert_eq!(loaded.options.timing.ping_interval, Duration::from_secs(5));
    assert!(loaded.has_warnings());
    assert_eq!(
        warnings("ping_interval: 5\nwrite_deadline: 2m"),
        "t.conf:1:0: invalid use of field \"ping_interval\": ping_interval should be converted to a duration\n\
         t.conf:2:1: invalid use of field \"write_deadline\": write_deadline should be converted to a duration"
    );
}

#[test]
fn lame_duck() {
    // spec: CFG-011 CFG-060 CFG-061
    check_all(&[
        (&["lame_duck_duration: '30s'", "lame_duck_duration: 30s"], |o| {
            o.timing.lame_duck_duration = Duration::from_secs(30);
        }),
        (&["lame_duck_grace_period: '1s'"], |o| o.timing.lame_duck_grace_period = Duration::from_secs(1)),
    ]);
    for (text, message) in [
        ("lame_duck_duration: '29s'", "invalid lame_duck_duration of 29s, minimum is 30 seconds"),
        ("lame_duck_duration: '-1m'", "invalid lame_duck_duration of -60000000000ns, minimum is 30 seconds"),
        ("lame_duck_duration: x", "error parsing lame_duck_duration: time: invalid duration \"x\""),
        (
            "lame_duck_duration: 30",
            "\"lame_duck_duration\" must be a duration string such as \"2m\" or \"500ms\", got the integer 30",
        ),
        ("lame_duck_grace_period: '-1s'", "invalid lame_duck_grace_period, needs to be positive"),
    ] {
        assert_eq!(errors(text), format!("t.conf:1:0: {message}"));
    }
}

#[test]
fn switches() {
    // spec: CFG-062 CFG-063 CFG-064 CFG-065 CFG-074 CFG-081
    check_all(&[
        (&["no_header_support: true"], |o| o.switches.no_header_support = true),
        (&["disable_sublist_cache: on", "no_sublist_cache: yes"], |o| o.switches.disable_sublist_cache = true),
        (&["no_fast_producer_stall: true"], |o| o.switches.no_fast_producer_stall = true),
        (&["proxy_protocol: true"], |o| o.switches.proxy_protocol = true),
        (&["allow_non_tls: true"], |o| o.switches.allow_non_tls = true),
        (&["no_system_account: true", "no_system: true", "no_sys_acc: true"], |o| {
            o.switches.no_system_account = true;
        }),
        (&["no_header_support: false", "allow_non_tls: off"], |_| {}),
    ]);
}

#[test]
fn monitoring() {
    // spec: CFG-043 CFG-044 CFG-045 CFG-046 CFG-047
    check_all(&[
        (&["http: 8222", "http: ':8222'", "http_port: 8222", "monitor_port: 8222"], |o| {
            o.monitoring.http_port = 8222;
        }),
        (&["http: localhost:8222"], |o| {
            o.monitoring.host = "localhost".into();
            o.monitoring.http_port = 8222;
        }),
        (&["https: 8443", "https_port: 8443"], |o| o.monitoring.https_port = 8443),
        (&["http_base_path: '/a/'"], |o| o.monitoring.base_path = "/a/".into()),
        (&["http_base_path: ''"], |_| {}),
        (&["http_user: u, http_password: p", "http_password: p\nhttp_user: u"], |o| {
            o.monitoring.basic_auth = Some(("u".into(), "p".into()));
        }),
    ]);
    for (text, place) in [("port: 1\nhttp_user: u", "2:1"), ("http_password: p", "1:0")] {
        assert_eq!(
            errors(text),
            format!(
                "t.conf:{place}: \"http_user\" and \"http_password\" belong together: set both, or none to leave \
                 monitoring open"
            )
        );
    }
}

#[test]
fn logging() {
    // spec: CFG-028 CFG-029 CFG-030 CFG-031 CFG-032 CFG-033 CFG-034 CFG-035 CFG-036 CFG-037 CFG-038 CFG-054
    check_all(&[
        (&["debug: true"], |o| o.log.debug = true),
        (&["trace: true", "trace: true\ntrace_verbose: false"], |o| o.log.trace = true),
        (&["trace_verbose: true"], |o| {
            o.log.trace = true;
            o.log.trace_verbose = true;
        }),
        (&["trace_headers: true"], |o| {
            o.log.trace = true;
            o.log.trace_headers = true;
        }),
        (&["logtime: false"], |o| o.log.time = false),
        (&["logtime_utc: true"], |o| o.log.time_utc = true),
        (&["logfile: 'x.log'", "log_file: x.log"], |o| o.log.file = Some("x.log".into())),
        (&["logfile_size_limit: 1MB", "log_size_limit: 1048576"], |o| o.log.file_size_limit = 1_048_576),
        (&["logfile_max_num: 3", "log_max_num: 3"], |o| o.log.file_max_num = 3),
        (&["syslog: true"], |o| o.log.syslog = Some(Syslog::Local)),
        (&["syslog: false", "logfile: ''", "remote_syslog: ''", "log_format: text", "max_traced_msg_len: 0"], |_| {}),
        (&["remote_syslog: 'udp://h:514'", "syslog: true\nremote_syslog: 'udp://h:514'\nsyslog: true"], |o| {
            o.log.syslog = Some(Syslog::Remote("udp://h:514".into()));
        }),
        (&["max_traced_msg_len: 10"], |o| o.log.max_traced_msg_len = 10),
        (&["log_format: json"], |o| o.log.json = true),
    ]);
    assert_eq!(errors("log_format: xml"), "t.conf:1:0: log_format must be 'text' or 'json', got \"xml\"");
}

#[test]
fn other_files() {
    // spec: CFG-039 CFG-040
    check_all(&[
        (&["pidfile: 'x.pid'", "pid_file: x.pid"], |o| o.pid_file = Some("x.pid".into())),
        (&["ports_file_dir: '/tmp'"], |o| o.ports_file_dir = Some("/tmp".into())),
    ]);
}

#[test]
fn accounts_by_name() {
    // spec: CFG-073 CFG-075 CFG-077
    check_all(&[
        (&["system_account: S", "system: S"], |o| o.system_account = Some("S".into())),
        (&["no_auth_user: u"], |o| o.no_auth_user = Some("u".into())),
        (&["mappings { a: b }", "maps { a: b }", "mappings { a: {dest: b, weight: 100} }"], |o| {
            let destination = crate::options::Destination { subject: "b".into(), weight: 100, cluster: None };
            o.mappings = vec![Mapping { source: "a".into(), destinations: vec![destination] }];
        }),
    ]);
    assert_eq!(errors("system_account: 5"), "t.conf:1:0: system account name must be a string");
}

#[test]
fn what_has_no_effect_is_said() {
    // spec: CFG-041 CFG-042 CFG-071 CFG-085
    for (text, message) in [
        ("prof_port: 6060", "1:0: \"prof_port\" has no effect: this server has no Go profiler"),
        ("prof_block_rate: 1", "1:0: \"prof_block_rate\" has no effect: this server has no Go profiler"),
        (
            "feature_flags { some_flag: true }",
            "1:16: \"some_flag\" has no effect: this server has no such feature flag",
        ),
    ] {
        assert_eq!(warnings(text), format!("t.conf:{message}"));
        // It is no reason for `-t` to fail.
        options(text);
    }
    assert_eq!(warnings("prof_port: 0"), "");
    assert_eq!(options("feature_flags { a: true }").feature_flags.get("a"), Some(&true));
    assert_eq!(options("prof_port: 6060").monitoring.prof_port, 6060);
}

#[test]
fn listen_forms_that_are_none() {
    // spec: CFG-014
    for (text, message) in [
        ("listen: localhost", "could not parse address string \"localhost\", expected \"host:port\" or a port"),
        ("listen: '::1:4222'", "could not parse address string \"::1:4222\", expected \"host:port\" or a port"),
        ("listen: '[::1]'", "could not parse address string \"[::1]\", expected \"host:port\" or a port"),
        ("listen: 'a:b'", "could not parse port \"b\""),
        ("http: [1]", "\"http\": expected port or host:port, got an array"),
        ("https: 1.5", "\"https\": expected port or host:port, got the number 1.5"),
    ] {
        assert_eq!(errors(text), format!("t.conf:1:0: {message}"));
    }
}

#[test]
fn a_base_path_may_be_written_in_many_ways() {
    // spec: CFG-047
    for (written, root) in [("a", "/a"), ("/a/", "/a"), ("//b/../a/.", "/a"), ("a/b", "/a/b"), ("/", ""), ("", "")] {
        let monitoring = crate::options::Monitoring { base_path: written.into(), ..Default::default() };
        assert_eq!(monitoring.root(), root, "{written:?}");
    }
}
