//! The `cluster` block.

use std::time::Duration;

use super::{check, errors, options, warnings};
use crate::Options;
use crate::options::{
    Cluster, Compression, LinkLogin, LinkPermissions, LinkUrl, PermissionSubject, Secret, SubjectPermission, Tls,
    WriteTimeout,
};

fn url(text: &str) -> LinkUrl {
    LinkUrl::parse(text).expect(text)
}

fn subjects(names: &[&str]) -> Vec<PermissionSubject> {
    names.iter().map(|name| PermissionSubject { subject: (*name).into(), queue: None }).collect()
}

/// Checks that what stands in the block beside its port sets exactly what `set` sets.
fn cluster(text: &str, set: impl FnOnce(&mut Cluster)) {
    check(&format!("cluster {{ port: 6222, {text} }}"), |options: &mut Options| {
        let cluster = options.cluster.insert(Cluster { port: 6222, ..Cluster::default() });
        set(cluster);
    });
}

#[test]
fn an_empty_block_is_none_and_defaults_are_those_of_the_reference() {
    // spec: CFG-084 CFG-147 CFG-153 CFG-154 CFG-155 CFG-156 CFG-158
    check("cluster {}", |_| {});
    let read = options("cluster { port: -1 }").cluster.expect("a cluster");
    assert_eq!((&*read.host, read.port, read.pool_size), ("0.0.0.0", -1, 3));
    assert_eq!((read.connect_retries, read.connect_backoff, read.no_advertise), (0, false, false));
    assert_eq!((read.compression, read.write_timeout), (Compression::Accept, WriteTimeout::Default));
}

#[test]
fn where_and_who_it_is() {
    // spec: CFG-146 CFG-147 CFG-152 CFG-153
    cluster("host: '::1'", |c| c.host = "::1".into());
    cluster("net: h", |c| c.host = "h".into());
    cluster("host: ''", |_| {});
    cluster("listen: 'h:7'", |c| (c.host, c.port) = ("h".into(), 7));
    cluster("listen: -1", |c| c.port = -1);
    cluster("advertise: 'a:1'", |c| c.advertise = Some("a:1".into()));
    cluster("cluster_advertise: a", |c| c.advertise = Some("a".into()));
    cluster("no_advertise: true", |c| c.no_advertise = true);
    check("cluster { name: c, port: 1 }", |o| {
        o.cluster_name = Some("c".into());
        o.cluster = Some(Cluster { port: 1, ..Cluster::default() });
    });
}

#[test]
fn how_its_servers_are_connected() {
    // spec: CFG-150 CFG-154 CFG-155 CFG-156 CFG-157
    cluster("routes: ['nats://a:1', 'nats-route://u:p@b:2']", |c| {
        c.routes = vec![url("nats://a:1"), url("nats-route://u:p@b:2")];
    });
    cluster("connect_retries: 5", |c| c.connect_retries = 5);
    cluster("connect_retries: -5", |_| {});
    cluster("connect_backoff: true", |c| c.connect_backoff = true);
    cluster("pool_size: 9", |c| c.pool_size = 9);
    cluster("pool_size: -1", |c| c.pool_size = -1);
    cluster("pool_size: 0", |_| {});
    cluster("accounts: [A, B]", |c| c.accounts = vec!["A".into(), "B".into()]);
    cluster("accounts: A", |c| c.accounts = vec!["A".into()]);
}

#[test]
fn the_system_account_has_a_route_of_its_own() {
    // spec: CFG-157
    for (text, pinned) in [
        ("cluster { port: 1 }", &["$SYS"][..]),
        ("cluster { port: 1, accounts: [A] }", &["A", "$SYS"]),
        ("cluster { port: 1, accounts: [S, A] }, accounts { S {} }, system_account: S", &["S", "A"]),
        ("cluster { port: 1 }, no_system_account: true", &[]),
        ("cluster { port: 1, pool_size: -1 }", &[]),
        ("cluster { accounts: [A] }", &[]),
    ] {
        assert_eq!(options(text).pinned_accounts(), pinned, "{text}");
    }
}

#[test]
fn the_name_comes_from_the_gateway_too() {
    // spec: CFG-146
    for (text, name) in [
        ("cluster { port: 1 }", None),
        ("cluster { name: c, port: 1 }", Some("c")),
        ("gateway { name: g, port: 1 }", Some("g")),
    ] {
        assert_eq!(options(text).settled_cluster_name(), name, "{text}");
    }
}

#[test]
fn its_timing() {
    // spec: CFG-159 CFG-160 CFG-161 CFG-162 CFG-059
    let second = Duration::from_secs(1);
    cluster("ping_interval: '10s'", |c| c.ping_interval = Some(10 * second));
    cluster("ping_max: 5", |c| c.ping_max = Some(5));
    cluster("write_deadline: '5s'", |c| c.write_deadline = Some(5 * second));
    cluster("write_timeout: close", |c| c.write_timeout = WriteTimeout::Close);
    cluster("write_timeout: retry", |c| c.write_timeout = WriteTimeout::Retry);
    cluster("write_timeout: default", |_| {});
    assert_eq!(
        warnings("cluster { port: 1, ping_interval: '31s' }"),
        "t.conf:1:19: Cluster 'ping_interval' will reset to 30s which is the max for routes"
    );
    let capped = super::read("cluster { port: 1, ping_interval: '31s' }").expect("a warning only");
    assert_eq!(capped.options.cluster.and_then(|cluster| cluster.ping_interval), Some(30 * second));
}

#[test]
fn what_is_unset_is_the_servers() {
    // spec: CFG-148 CFG-159 CFG-160
    let seconds = Duration::from_secs;
    for (text, ping, connect) in [
        ("cluster { port: 1 }", (seconds(30), 2), seconds(2)),
        ("cluster { port: 1, tls { timeout: 4 } }, ping_interval: '9s', ping_max: 5", (seconds(9), 5), seconds(5)),
        (
            "cluster { port: 1, ping_interval: '3s', ping_max: 7, authorization { timeout: 6 }, tls {} }",
            (seconds(3), 7),
            seconds(6),
        ),
    ] {
        let options = options(text);
        let cluster = options.cluster.as_ref().expect("a cluster");
        assert_eq!(cluster.ping(&options.timing), ping, "{text}");
        assert_eq!(cluster.login.connect_timeout(cluster.tls.as_ref()), connect, "{text}");
    }
}

#[test]
fn compression_in_all_its_spellings() {
    // spec: CFG-158 CFG-163 CFG-164
    let ms = |times: &[u64]| Compression::S2Auto(times.iter().map(|ms| Duration::from_millis(*ms)).collect());
    for (text, mode) in [
        ("true", Compression::S2Fast),
        ("on", Compression::S2Fast),
        ("'on'", Compression::S2Fast),
        ("enabled", Compression::S2Fast),
        ("false", Compression::Off),
        ("'OFF'", Compression::Off),
        ("disabled", Compression::Off),
        ("accept", Compression::Accept),
        ("'not supported'", Compression::NotSupported),
        ("not_supported", Compression::NotSupported),
        ("fast", Compression::S2Fast),
        ("s2_fast", Compression::S2Fast),
        ("better", Compression::S2Better),
        ("s2_better", Compression::S2Better),
        ("best", Compression::S2Best),
        ("s2_best", Compression::S2Best),
        ("auto", ms(&[10, 50, 100])),
        ("s2_auto", ms(&[10, 50, 100])),
        ("{ mode: s2_auto }", ms(&[10, 50, 100])),
        ("{ mode: s2_auto, rtt_thresholds: [] }", ms(&[10, 50, 100])),
        ("{ mode: auto, thresholds: ['1ms', '2ms'] }", ms(&[1, 2])),
        ("{ mode: auto, rtts: ['0', '2ms', '-1s', '4ms'] }", ms(&[0, 2, 0, 4])),
        ("{ mode: auto, rtt: ['1ms', '2ms', '3ms', '4ms', '0'] }", ms(&[1, 2, 3, 4])),
        ("{ mode: best, rtt: ['1ms'] }", Compression::S2Best),
        ("{ rtt: ['1ms'] }", Compression::Accept),
        ("{}", Compression::Accept),
    ] {
        cluster(&format!("compression: {text}"), |c| c.compression = mode);
    }
    for (text, reason) in [
        ("zip", "unsupported compression mode \"zip\""),
        ("{ mode: zip }", "unsupported compression mode \"zip\""),
        ("s2_uncompressed", "unsupported compression mode \"s2_uncompressed\""),
        ("5", "\"compression\" must be a boolean, a mode such as \"s2_fast\", or a map, got the integer 5"),
        ("{ nope: 5 }", "unknown field \"nope\""),
        ("{ rtt: ['x'] }", "error parsing rtt: time: invalid duration \"x\""),
        ("{ rtt: ['10ms', '5ms'] }", "RTT threshold values [10ms 5ms] should be in ascending order"),
        (
            "{ rtt: ['1ms', '2ms', '3ms', '4ms', '5ms'] }",
            "compression mode \"s2_auto\" should have no more than 4 RTT thresholds: [1ms 2ms 3ms 4ms 5ms]",
        ),
        ("{ rtt: ['0s'] }", "compression mode \"s2_auto\" requires at least one RTT threshold"),
    ] {
        let found = errors(&format!("cluster {{ port: 1, compression: {text} }}"));
        assert!(found.starts_with("t.conf:1:") && found.ends_with(reason), "{text}: {found}");
    }
}

#[test]
fn who_may_be_part_of_it() {
    // spec: CFG-148 CFG-151 CFG-103 CFG-142 CFG-216 CFG-286
    cluster("authorization { user: u, password: p, timeout: 1.5 }", |c| {
        c.login = LinkLogin {
            user: Some("u".into()),
            password: Some(Secret::new("p")),
            timeout: Some(Duration::from_millis(1_500)),
        };
    });
    cluster("authorization { token: '' }", |_| {});
    cluster("tls {}", |c| c.tls = Some(Tls { verify: true, ..Tls::default() }));
    cluster("tls { verify: false, verify_cert_and_check_known_urls: true }", |c| {
        c.tls = Some(Tls { verify: true, check_known_urls: true, ..Tls::default() });
    });
    for (text, message) in [
        ("users: []", "1:35: Cluster authorization does not allow multiple users"),
        ("token: t", "1:35: Cluster authorization does not support tokens"),
        ("auth_callout {}", "1:35: Cluster authorization does not support callouts"),
        ("nkey: x", "1:35: unknown field \"nkey\""),
        ("timeout: x", "1:35: error parsing authorization config, 'timeout' time: invalid duration \"x\""),
    ] {
        assert_eq!(errors(&format!("cluster {{ port: 1, authorization {{ {text} }} }}")), format!("t.conf:{message}"));
    }
}

#[test]
fn what_may_pass() {
    // spec: CFG-149 CFG-221 CFG-103 SEC-042
    let permissions = |allow: Option<&[&str]>, deny: &[&str], export: Option<&[&str]>| LinkPermissions {
        import: SubjectPermission { allow: allow.map(subjects), deny: subjects(deny) },
        export: SubjectPermission { allow: export.map(subjects), deny: Vec::new() },
    };
    cluster("permissions { import: a, export: [b, 'c.>'] }", |c| {
        c.permissions = Some(permissions(Some(&["a"]), &[], Some(&["b", "c.>"])));
    });
    cluster("permissions { publish { allow: a, deny: b } }", |c| {
        c.permissions = Some(permissions(Some(&["a"]), &["b"], None));
    });
    // Inside `authorization` they are out of date, and give way.
    let within = "cluster { port: 1, authorization { permissions { import: a } }";
    let deprecated = "t.conf:1:19: invalid use of field \"authorization\": \
                      setting \"permissions\" within cluster authorization block is deprecated";
    for (text, import) in [(format!("{within} }}"), "a"), (format!("{within}, permissions {{ import: b }} }}"), "b")] {
        assert_eq!(warnings(&text), deprecated);
        let cluster = super::read(&text).expect("a warning only").options.cluster.expect("a cluster");
        assert_eq!(cluster.permissions, Some(permissions(Some(&[import]), &[], None)), "{text}");
    }
    for (text, message) in [
        ("{ allow_responses: true }", "1:19: Cluster permissions do not support dynamic responses"),
        ("{ export: 'a q' }", "1:19: cluster export allow: subject \"a q\" is not a valid subject"),
        ("{ export { deny: 'a q' } }", "1:19: cluster export deny: subject \"a q\" is not a valid subject"),
        ("{ import: 'a q' }", "1:33: subject \"a q\" is not a valid subject"),
        ("{ nope: 5 }", "1:33: Unknown field \"nope\" parsing permissions"),
    ] {
        assert_eq!(errors(&format!("cluster {{ port: 1, permissions {text} }}")), format!("t.conf:{message}"));
    }
}

#[test]
fn mistakes_have_their_place_and_no_secrets() {
    // spec: CFG-003 CFG-017 CFG-147 CFG-150 CFG-162
    for (text, message) in [
        ("nope: 1", "1:19: unknown field \"nope\""),
        ("name: 'a b'", "1:19: cluster name cannot contain spaces"),
        ("listen: 'h:x'", "1:19: could not parse port \"x\""),
        ("pool_size: 100000000000", "1:19: pool_size value is too big: 100000000000"),
        ("ping_max: -3", "1:19: ping_max value can not be negative: -3"),
        ("ping_interval: '-1s'", "1:19: ping_interval can not be negative"),
        ("write_timeout: maybe", "1:19: write_timeout must be 'default', 'close' or 'retry'"),
        ("routes: 'nats://a:1'", "1:19: \"routes\" must be an array, got the string \"nats://a:1\""),
        (
            "routes: ['nats://u:s3cret@h:x']",
            "1:29: error parsing route url [\"nats://xxxxx@h:x\"]: it is no URL; expected something like nats://host:port",
        ),
        (
            "routes: ['localhost:6222']",
            "1:29: error parsing route url [\"localhost:6222\"]: it has no host; expected something like nats://host:port",
        ),
    ] {
        assert_eq!(errors(&format!("cluster {{ port: 1, {text} }}")), format!("t.conf:{message}"), "{text}");
    }
    assert_eq!(errors("cluster: 5"), "t.conf:1:0: \"cluster\" must be a map, got the integer 5");
}

#[test]
fn what_should_be_mended_is_told() {
    // spec: CFG-017 CFG-287 CFG-010
    for (text, message) in [
        (
            "port: 1, routes: ['nats://u:p@a:1', 'nats://u:p@a:1']",
            "1:47: invalid use of field \"nats://xxxxx@a:1\": Duplicate route entry detected",
        ),
        (
            "port: 1, tls { insecure: true }",
            "1:19: TLS certificate chain and hostname of solicited routes will not be verified. DO NOT USE IN PRODUCTION!",
        ),
        (
            "port: 1, tls { handshake_first: true }",
            "1:25: \"handshake_first\" has no effect: routes and gateways begin with INFO",
        ),
        (
            "port: 1, authorization { proxy_required: true }",
            "1:35: \"proxy_required\" has no effect: servers do not connect through proxies",
        ),
        (
            "port: 1, compression { mode: fast, rtt: ['1ms'] }",
            "1:45: \"rtt\" has no effect: it belongs to the mode s2_auto",
        ),
        (
            "name: c, routes: ['nats://a:1']",
            "1:19: \"routes\" has no effect: nothing says where the cluster listens; set \"listen\", \"port\" or --cluster",
        ),
    ] {
        assert_eq!(warnings(&format!("cluster {{ {text} }}")), format!("t.conf:{message}"), "{text}");
    }
}
