//! Reports and refusals, against what the reference prints.

use std::time::Duration;

use super::*;
use crate::options::{Account, CertificatePair, Credentials, User, WriteTimeout};

mod jetstream;
mod links;

const ALWAYS: [&str; 2] = ["Reloaded: authorization users", "Reloaded: accounts"];

fn options(edit: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    edit(&mut options);
    options
}

fn reports(old: &Options, new: &Options) -> Vec<String> {
    let changes = diff(old, new).unwrap_or_else(|error| panic!("{error}"));
    changes.iter().filter_map(Change::report).collect()
}

/// The report of an edit to the default options, without the lines that are always there.
fn report(edit: impl FnOnce(&mut Options)) -> Vec<String> {
    let mut reports = reports(&Options::default(), &options(edit));
    reports.retain(|line| !ALWAYS.contains(&line.as_str()));
    reports
}

fn refusal(edit: impl FnOnce(&mut Options)) -> String {
    diff(&Options::default(), &options(edit)).expect_err("fixed").to_string()
}

fn password(user: &str) -> User {
    user_by(Credentials::Password { user: user.into(), password: "p".into() })
}

fn user_by(credentials: Credentials) -> User {
    User { credentials, permissions: None, connection_types: None, proxy_required: false }
}

#[test]
fn without_a_change_users_and_accounts_are_taken_on_again() {
    // spec: CFG-430 CFG-445 CFG-464
    assert_eq!(reports(&Options::default(), &Options::default()), ALWAYS);
    let account = options(|o| o.accounts.push(Account { name: "A".into(), ..Account::default() }));
    assert_eq!(reports(&Options::default(), &account), ALWAYS);
    let digest = options(|o| o.config_digest = "sha256:00".into());
    assert_eq!(reports(&Options::default(), &digest), ALWAYS, "the digest alone is no change");
}

type Edit = fn(&mut Options);

#[test]
fn what_a_running_server_takes_on_is_reported() {
    let cases: &[(Edit, &[&str])] = &[
        // spec: CFG-433 CFG-052
        (|o| o.limits.max_payload = 2000, &["Reloaded: max_payload = 2000"]),
        // spec: CFG-436 CFG-048
        (|o| o.limits.max_connections = 10, &["Reloaded: max_connections = 10"]),
        (|o| o.limits.max_connections = 0, &["Reloaded: max_connections = -1"]),
        // spec: CFG-440 CFG-058
        (|o| o.timing.write_deadline = Duration::from_secs(5), &["Reloaded: write_deadline = 5s"]),
        // spec: CFG-442 CFG-028
        (|o| o.log.debug = true, &["Reloaded: debug = true"]),
        // spec: CFG-445 CFG-069
        (|o| o.server_tags = vec!["a".into()], &["Reloaded: tags"]),
        // spec: CFG-446 CFG-070
        (|o| drop(o.server_metadata.insert("a".into(), "b".into())), &["Reloaded: metadata"]),
        // spec: CFG-473 CFG-056
        (|o| o.timing.ping_interval = Duration::from_mins(1), &["Reloaded: ping_interval = 1m0s"]),
        // spec: CFG-475 CFG-031
        (
            |o| (o.log.trace, o.log.trace_headers) = (true, true),
            &["Reloaded: trace = true", "Reloaded: trace_headers = true"],
        ),
        // spec: CFG-030
        (
            |o| (o.log.trace, o.log.trace_verbose) = (true, true),
            &["Reloaded: trace = true", "Reloaded: trace_verbose = true"],
        ),
        // spec: CFG-479 CFG-032 CFG-033
        (|o| o.log.time_utc = true, &["Reloaded: logtime_utc = true"]),
        (|o| o.log.time = false, &["Reloaded: logtime = false"]),
        // spec: CFG-480 CFG-039
        (|o| o.pid_file = Some("/path/to/server.pid".into()), &["Reloaded: pid_file = /path/to/server.pid"]),
        // spec: CFG-040
        (|o| o.ports_file_dir = Some("/tmp".into()), &["Reloaded: ports_file_dir = /tmp"]),
        // spec: CFG-481 CFG-067 CFG-068
        (|o| o.timing.connect_error_reports = 7, &["Reloaded: connect_error_reports = 7"]),
        (|o| o.timing.reconnect_error_reports = 4, &["Reloaded: reconnect_error_reports = 4"]),
        // spec: CFG-057
        (|o| o.timing.ping_max = 5, &["Reloaded: ping_max = 5"]),
        // spec: CFG-051
        (|o| o.limits.max_control_line = 5000, &["Reloaded: max_control_line = 5000"]),
        // spec: CFG-054
        (|o| o.log.max_traced_msg_len = 7, &["Reloaded: max_traced_msg_len = 7"]),
        // spec: CFG-034 CFG-037 CFG-038
        (|o| o.log.file = Some("b.log".into()), &["Reloaded: log_file = b.log"]),
        (|o| o.log.syslog = Some(Syslog::Local), &["Reloaded: syslog = true"]),
        (|o| o.log.syslog = Some(Syslog::Remote("udp://h:1".into())), &["Reloaded: remote_syslog = udp://h:1"]),
        (|o| o.log.json = true, &["Reloaded: log_format = json"]),
        // spec: CFG-064
        (|o| o.switches.no_fast_producer_stall = true, &["Reloaded: fast producers will not be stalled"]),
        // spec: CFG-026
        (|o| o.client_advertise = Some("1.2.3.4:99".into()), &["Reload: client_advertise = 1.2.3.4:99"]),
        // spec: CFG-216 CFG-217 CFG-218 CFG-219
        (|o| o.authorization.user = Some("a".into()), &["Reloaded: authorization username"]),
        (|o| o.authorization.password = Some("a".into()), &["Reloaded: authorization password"]),
        (|o| o.authorization.token = Some("a".into()), &["Reloaded: authorization token"]),
        (|o| o.authorization.timeout = Some(Duration::from_millis(1500)), &["Reloaded: authorization timeout = 1.5"]),
        // spec: CFG-461
        (|o| o.cluster_name = Some("c".into()), &["Reloaded: cluster"]),
    ];
    for (edit, expected) in cases {
        assert_eq!(report(edit), *expected);
    }
}

#[test]
fn reports_come_in_the_order_of_the_reference() {
    // spec: CFG-430
    let many = options(|o| {
        o.timing.ping_max = 5;
        o.limits.max_control_line = 5000;
        o.limits.max_connections = 9;
        o.timing.reconnect_error_reports = 4;
        o.log.time = false;
        o.log.debug = true;
        o.log.max_traced_msg_len = 7;
    });
    let expected = [
        "Reloaded: debug = true",
        "Reloaded: logtime = false",
        "Reloaded: max_connections = 9",
        "Reloaded: authorization users",
        "Reloaded: accounts",
        "Reloaded: ping_max = 5",
        "Reloaded: max_control_line = 5000",
        "Reloaded: max_traced_msg_len = 7",
        "Reloaded: reconnect_error_reports = 4",
    ];
    assert_eq!(reports(&Options::default(), &many), expected);
}

#[test]
fn what_needs_a_restart_is_refused_by_name() {
    let cases: &[(Edit, &str)] = &[
        // spec: CFG-431 CFG-023 CFG-025
        (|o| o.port = 39779, "Port: old=4222, new=39779"),
        // spec: CFG-432 CFG-027
        (|o| o.server_name = Some("zz".into()), "ServerName: old=, new=zz"),
        // spec: CFG-024
        (|o| o.host = "::1".into(), "Host: old=0.0.0.0, new=::1"),
        // spec: CFG-435 CFG-053
        (|o| o.limits.max_pending = 134_217_728, "MaxPending: old=67108864, new=134217728"),
        // spec: CFG-437 CFG-049
        (|o| o.limits.max_subscriptions = 10, "MaxSubs: old=0, new=10"),
        // spec: CFG-050
        (|o| o.limits.max_sub_tokens = 5, "MaxSubTokens: old=0, new=5"),
        // spec: CFG-438 CFG-060
        (|o| o.timing.lame_duck_duration = Duration::from_mins(3), "LameDuckDuration: old=2m0s, new=3m0s"),
        // spec: CFG-061
        (|o| o.timing.lame_duck_grace_period = Duration::from_secs(5), "LameDuckGracePeriod: old=10s, new=5s"),
        // spec: CFG-439 CFG-059
        (|o| o.timing.write_timeout = WriteTimeout::Retry, "WriteTimeout: old=, new=retry"),
        (|o| o.timing.write_timeout = WriteTimeout::Close, "WriteTimeout: old=, new=close"),
        // spec: CFG-441 CFG-043 CFG-044 CFG-045 CFG-046
        (|o| o.monitoring.http_port = 39778, "HTTPPort: old=0, new=39778"),
        (|o| o.monitoring.https_port = 39778, "HTTPSPort: old=0, new=39778"),
        (|o| o.monitoring.host = "localhost".into(), "HTTPHost: old=0.0.0.0, new=localhost"),
        // spec: CFG-047
        (|o| o.monitoring.base_path = "/a/b".into(), "HTTPBasePath: old=, new=/a/b"),
        // The password is told to nobody.
        (|o| o.monitoring.basic_auth = Some(("u".into(), "secret".into())), "HTTPUser: old=, new=u"),
        // spec: CFG-443 CFG-035 CFG-036
        (|o| o.log.file_size_limit = 1_000_000, "LogSizeLimit: old=0, new=1000000"),
        (|o| o.log.file_max_num = 3, "LogMaxFiles: old=0, new=3"),
        // spec: CFG-444 CFG-071
        (
            |o| o.feature_flags = [("js_ack_fc_v2".into(), true), ("z".into(), false)].into(),
            "FeatureFlags: old=map[], new=map[js_ack_fc_v2:true z:false]",
        ),
        // spec: CFG-467 CFG-075
        (|o| o.no_auth_user = Some("a".into()), "NoAuthUser: old=, new=a"),
        // spec: CFG-468 CFG-073 CFG-074
        (|o| o.system_account = Some("A".into()), "SystemAccount: old=, new=A"),
        (|o| o.switches.no_system_account = true, "NoSystemAccount: old=false, new=true"),
        // spec: CFG-472 CFG-055
        (|o| o.limits.max_closed_clients = 5, "MaxClosedClients: old=10000, new=5"),
        // spec: CFG-474 CFG-041
        (|o| o.monitoring.prof_port = 39790, "ProfPort: old=0, new=39790"),
        // spec: CFG-476 CFG-063
        (|o| o.switches.disable_sublist_cache = true, "NoSublistCache: old=false, new=true"),
        // spec: CFG-477 CFG-065
        (|o| o.switches.proxy_protocol = true, "ProxyProtocol: old=false, new=true"),
        // spec: CFG-062
        (|o| o.switches.no_header_support = true, "NoHeaderSupport: old=false, new=true"),
        // spec: CFG-081
        (|o| o.switches.allow_non_tls = true, "AllowNonTLS: old=false, new=true"),
        // spec: CFG-223
        (|o| o.authorization.proxy_required = true, "ProxyRequired: old=false, new=true"),
        // spec: CFG-285
        (|o| o.tls = Some(Tls { map: true, ..Tls::default() }), "TLSMap: old=false, new=true"),
        // spec: CFG-293
        (|o| o.tls = Some(Tls { connection_rate_limit: 5, ..Tls::default() }), "TLSRateLimit: old=0, new=5"),
    ];
    for (edit, expected) in cases {
        assert_eq!(refusal(edit), format!("config reload not supported for {expected}"));
    }
}

#[test]
fn an_address_to_advertise_is_checked() {
    // spec: CFG-026
    for (value, reason) in [
        ("1.2.3.4:x", r#"strconv.Atoi: parsing "x": invalid syntax"#),
        ("a:b:c", "address a:b:c: too many colons in address"),
        ("[::1", "address [::1: missing ']' in address"),
    ] {
        let message = refusal(|o| o.client_advertise = Some(value.into()));
        assert_eq!(message, format!("invalid ClientAdvertise value of {value}, err={reason}"));
    }
    for value in ["host", "host:1", "[::1]", "[::1]:4222"] {
        assert_eq!(report(|o| o.client_advertise = Some(value.into())).len(), 1, "{value}");
    }
}

fn with_tls(edit: impl FnOnce(&mut Tls)) -> Options {
    let pair = CertificatePair { cert_file: "c.pem".into(), key_file: "k.pem".into() };
    let mut tls = Tls { certificates: vec![pair], ..Tls::default() };
    edit(&mut tls);
    options(|o| o.tls = Some(tls))
}

#[test]
fn tls_comes_goes_and_reads_its_files_again() {
    // spec: CFG-080 CFG-288 CFG-294 CFG-295 CFG-022
    let (off, on) = (Options::default(), with_tls(|_| ()));
    let two = Duration::from_secs(2);
    let cases: Vec<(&Options, Options, &[&str])> = vec![
        (&off, on.clone(), &["Reloaded: authorization timeout = 3", "Reloaded: tls = enabled"]),
        (&on, off.clone(), &["Reloaded: authorization timeout = 2", "Reloaded: tls = disabled"]),
        (&on, on.clone(), &[]),
        (
            &on,
            with_tls(|tls| tls.timeout = two / 4),
            &["Reloaded: authorization timeout = 1.5", "Reloaded: tls timeout = 0.5"],
        ),
        (&on, with_tls(|tls| tls.verify = true), &["Reloaded: tls = enabled"]),
        (&on, with_tls(|tls| tls.pinned_certs.push("ab".into())), &["Reloaded: 1 pinned_certs"]),
        (
            &on,
            with_tls(|tls| tls.handshake_first = HandshakeFirst::Fallback(two * 150)),
            &[
                "Reloaded: Client TLS handshake first: true",
                "Reloaded: Client TLS handshake first fallback delay: 5m0s",
            ],
        ),
    ];
    for (old, new, expected) in cases {
        let mut lines = reports(old, &new);
        lines.retain(|line| !ALWAYS.contains(&line.as_str()));
        assert_eq!(lines, expected);
        // Files may hold a new certificate under the old name.
        let changes = diff(old, &new).expect("reloadable");
        let reads_files =
            changes.iter().any(|c| matches!(c, Change::Tls(TlsChange::Rules { .. } | TlsChange::Certificates)));
        assert!(reads_files, "{changes:?}");
    }
}

#[test]
fn the_user_for_nobody_goes_with_its_user_only() {
    // spec: CFG-075
    let old = options(|o| {
        o.authorization.users = vec![password("a"), password("b")];
        o.no_auth_user = Some("a".into());
    });
    let kept = options(|o| o.authorization.users = vec![password("a")]);
    let gone = options(|o| o.authorization.users = vec![password("b")]);
    assert_eq!(
        diff(&old, &kept).expect_err("a could log in as before").to_string(),
        "config reload not supported for NoAuthUser: old=a, new="
    );
    assert_eq!(reports(&old, &gone), ALWAYS);
}

#[test]
fn the_default_system_account_may_be_left_unsaid() {
    // spec: CFG-073
    let said = options(|o| o.system_account = Some("$SYS".into()));
    assert_eq!(reports(&said, &Options::default()), ALWAYS);
    assert!(diff(&Options::default(), &said).is_err());
}

#[test]
fn nkey_users_are_reported_when_they_change_not_when_they_move() {
    // spec: CFG-079
    let nkey = |key: &str| user_by(Credentials::Nkey(key.into()));
    let ab = options(|o| o.authorization.users = vec![nkey("UA"), nkey("UB")]);
    let ba = options(|o| o.authorization.users = vec![nkey("UB"), nkey("UA")]);
    assert_eq!(reports(&ab, &ba), ALWAYS);
    assert_eq!(reports(&Options::default(), &ab)[0], "Reloaded: authorization nkey users");
}

#[test]
fn proxies_come_and_go() {
    // spec: CFG-066 CFG-214 CFG-471 NEW-051
    let old = options(|o| o.trusted_proxies = vec!["A".into(), "B".into()]);
    let new = options(|o| o.trusted_proxies = vec!["B".into(), "C".into(), "D".into()]);
    assert_eq!(
        reports(&old, &new)[2..],
        [
            r#"Reloaded: proxies trusted keys ["A"] were removed"#,
            r#"Reloaded: proxies trusted keys ["C" "D"] were added"#,
        ]
    );
    assert_eq!(reports(&Options::default(), &old).len(), 3, "from none at all");
}

#[test]
fn chosen_ports_and_embedding_switches_are_carried_over() {
    // spec: CFG-019 CFG-025 CFG-215
    let old = options(|o| {
        o.port = 40_001;
        o.monitoring.http_port = 40_002;
        o.dont_listen = true;
        o.switches.always_enable_nonce = true;
        o.switches.disable_short_first_ping = true;
    });
    for asked in [-1, 0] {
        let mut new = options(|o| {
            o.port = asked;
            o.monitoring.http_port = -1;
        });
        carry_over(&old, &mut new);
        assert_eq!(new, old);
    }
    let mut fresh = options(|o| o.monitoring.http_port = -1);
    carry_over(&Options::default(), &mut fresh);
    assert!(diff(&Options::default(), &fresh).is_err(), "monitoring does not begin at a reload");
}

#[test]
fn logging_changes_are_told_from_others() {
    let logging = |edit: Edit| {
        let changes = diff(&Options::default(), &options(edit)).expect("reloadable");
        changes.iter().any(|change| matches!(change, Change::Logging(_)))
    };
    assert!(logging(|o| o.log.file = Some("x".into())));
    assert!(logging(|o| o.log.trace_headers = true));
    assert!(!logging(|o| o.limits.max_payload = 1));
}

#[test]
fn seconds_read_as_in_the_reference() {
    // spec: CFG-288
    for (millis, text) in [(0, "0"), (2_000, "2"), (1_500, "1.5"), (50, "0.05")] {
        assert_eq!(format::seconds(Duration::from_millis(millis)), text);
    }
}
