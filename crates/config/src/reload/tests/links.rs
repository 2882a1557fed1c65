//! Clusters, gateways and leaf nodes, from file to file as an operator changes them.

use super::{ALWAYS, reports};
use crate::options::{LinkUrl, Options};
use crate::reload::{Change, ClusterChange, LeafChange, LeafRemoteChange, carry_over, diff};
use crate::{MemorySource, parse_str};

fn read(text: &str) -> Options {
    parse_str(text, "t.conf", &MemorySource::new()).unwrap_or_else(|errors| panic!("{text}: {errors}")).options
}

/// What is reported besides the lines that are always there.
fn report(old: &str, new: &str) -> Vec<String> {
    let mut lines = reports(&read(old), &read(new));
    lines.retain(|line| !ALWAYS.contains(&line.as_str()));
    lines
}

fn changes(old: &str, new: &str) -> Vec<Change> {
    let mut changes = diff(&read(old), &read(new)).unwrap_or_else(|error| panic!("{old} => {new}: {error}"));
    changes.retain(|change| !matches!(change, Change::Users | Change::Accounts));
    changes
}

fn refusal(old: &str, new: &str) -> String {
    diff(&read(old), &read(new)).expect_err(new).to_string()
}

const CLUSTER: &str = "cluster { port: 6222, name: a }";
const LEAF: &str = "leaf { port: 7422 }";

#[test]
fn what_a_running_cluster_takes_on() {
    // spec: CFG-146 CFG-148 CFG-149 CFG-150 CFG-151 CFG-152 CFG-153 CFG-154 CFG-155 CFG-158 CFG-159 CFG-160 CFG-161
    // spec: CFG-162 CFG-460 CFG-461 CFG-462 CFG-463
    assert_eq!(report(CLUSTER, CLUSTER), [""; 0]);
    for text in [
        "name: b",
        "name: a, authorization { user: u, password: p }",
        "name: a, permissions { import: x }",
        "name: a, tls {}",
        "name: a, advertise: 'h:1'",
        "name: a, no_advertise: true",
        "name: a, connect_retries: 3",
        "name: a, connect_backoff: true",
        "name: a, pool_size: 5",
        "name: a, compression: s2_fast",
        "name: a, ping_interval: '5s'",
        "name: a, ping_max: 5",
        "name: a, write_deadline: '5s'",
        "name: a, write_timeout: close",
        "pool_size: 3",
    ] {
        let new = format!("cluster {{ port: 6222, {text} }}");
        assert_eq!(report(CLUSTER, &new), ["Reloaded: cluster"], "{text}");
        assert_eq!(report(&new, CLUSTER), ["Reloaded: cluster"], "{text}");
    }
    assert_eq!(report("", "cluster { name: a }"), ["Reloaded: cluster"]);
    // The files of the same options may hold something else.
    let tls = "cluster { port: 6222, tls {} }";
    assert_eq!(report(tls, tls), ["Reloaded: cluster"]);
}

#[test]
fn what_the_server_does_about_it() {
    // spec: CFG-146 CFG-149 CFG-156 CFG-157 CFG-158 CFG-294
    let strings = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let none = ClusterChange::default;
    let pin = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    for (text, expected) in [
        ("name: b", ClusterChange { name: Some("b".into()), ..none() }),
        ("no_advertise: true", none()),
        ("name: a, permissions { export: x }", ClusterChange { permissions: true, ..none() }),
        ("name: a, compression: best", ClusterChange { compression: true, ..none() }),
        ("name: a, pool_size: 7", ClusterChange { pool_size: true, ..none() }),
        ("name: a, accounts: [A]", ClusterChange { accounts_added: strings(&["A"]), ..none() }),
        // Without a pool the system account has no route of its own either.
        ("name: a, pool_size: -1", ClusterChange { pool_size: true, accounts_removed: strings(&["$SYS"]), ..none() }),
        ("name: a, tls {}", ClusterChange { tls: true, ..none() }),
        (
            &format!("name: a, tls {{ pinned_certs: ['{pin}'] }}"),
            ClusterChange { tls: true, pinned_certs: true, ..none() },
        ),
    ] {
        let new = format!("cluster {{ port: 6222, {text} }}, accounts {{ A {{}} }}");
        assert_eq!(changes(CLUSTER, &new), [Change::Cluster(Box::new(expected))], "{text}");
    }
    // Another system account has the route instead, and a gateway's name is the cluster's.
    let system = "cluster { port: 6222, name: a, accounts: [A] }, accounts { A {} }, no_system_account: true";
    let without = "cluster { port: 6222, name: a }, no_system_account: true";
    let removed = ClusterChange { accounts_removed: strings(&["A"]), ..none() };
    assert_eq!(changes(system, without), [Change::Cluster(Box::new(removed))]);
}

#[test]
fn routes_come_and_go() {
    // spec: CFG-150
    let with = |routes: &str| format!("cluster {{ port: 6222, name: a, routes: [{routes}] }}");
    let (a, b) = (with("'nats://a:1', 'nats://b:1'"), with("'nats://b:1', 'nats://a:1'"));
    assert_eq!(changes(&a, &b), [], "the order means nothing");
    let url = |text: &str| LinkUrl::parse(text).expect(text);
    let expected = Change::Routes { added: vec![url("nats://u:p@b:1")], removed: vec![url("nats://b:1")] };
    assert_eq!(changes(&a, &with("'nats://a:1', 'nats://u:p@b:1'")), [expected]);
    assert_eq!(report(&a, CLUSTER), ["Reloaded: cluster routes"]);
}

#[test]
fn what_only_a_restart_can_change_of_a_cluster() {
    // spec: CFG-147 CFG-152 CFG-157 CFG-460
    for (new, message) in [
        ("cluster { port: 6223, name: a }", "config reload not supported for cluster port: old=6222, new=6223"),
        (
            "cluster { host: h, port: 6222, name: a }",
            "config reload not supported for cluster host: old=0.0.0.0, new=h",
        ),
        ("", "config reload not supported for cluster port: old=6222, new=0"),
        (
            "cluster { port: 6222, name: a, advertise: 'h:1:2' }",
            "invalid Cluster.Advertise value of h:1:2, err=address h:1:2: too many colons in address",
        ),
        (
            "cluster { port: 6222, name: a, accounts: [A] }",
            "unable to add account \"A\" to the list of dedicated routes: account missing",
        ),
    ] {
        assert_eq!(refusal(CLUSTER, new), message, "{new}");
    }
}

#[test]
fn a_gateway_stays_what_it_is_but_for_its_certificates() {
    // spec: CFG-323 CFG-333 CFG-318 CFG-324 CFG-325 CFG-326 CFG-327 CFG-328 CFG-329 CFG-330 CFG-331
    let old = "gateway { name: a, port: 7222 }";
    let refused = |field: &str| format!("config reload not supported for Gateway: field {field}");
    for (text, message) in [
        ("name: a, port: 7223", "\"Port\": old=7222, new=7223"),
        ("name: a, port: 7222, host: h", "\"Host\": old=0.0.0.0, new=h"),
        ("name: a, port: 7222, authorization { user: u }", "\"Username\": old=, new=u"),
        ("name: a, port: 7222, authorization { password: p }", "\"Password\": old=, new=[REDACTED]"),
        ("name: a, port: 7222, authorization { timeout: 5 }", "\"AuthTimeout\": old=2, new=5"),
        ("name: a, port: 7222, tls { timeout: 1, verify_and_map: true }", "\"TLSTimeout\": old=2, new=1"),
        (
            "name: a, port: 7222, authorization { timeout: 2 }, tls { verify_and_map: true }",
            "\"TLSMap\": old=false, new=true",
        ),
        ("name: a, port: 7222, advertise: h", "\"Advertise\": old=, new=h"),
        ("name: a, port: 7222, connect_retries: 5", "\"ConnectRetries\": old=0, new=5"),
        ("name: a, port: 7222, connect_backoff: true", "\"ConnectBackoff\": old=false, new=true"),
        (
            "name: a, port: 7222, gateways: [ {name: b, url: 'nats://u:p@h:1'} ]",
            "\"Gateways\": old=[], new=[b [\"nats://u:xxxxx@h:1\"]]",
        ),
        ("name: a, port: 7222, reject_unknown: true", "\"RejectUnknown\": old=false, new=true"),
        ("name: a, port: 7222, write_deadline: '5s'", "\"WriteDeadline\": old=0s, new=5s"),
        ("name: a, port: 7222, write_timeout: retry", "\"WriteTimeout\": old=, new=retry"),
    ] {
        assert_eq!(refusal(old, &format!("gateway {{ {text} }}")), refused(message), "{text}");
    }
    assert_eq!(refusal(old, ""), refused("\"Name\": old=a, new="));
    assert_eq!(changes(old, old), []);
    let remotes = |list: &str| format!("gateway {{ name: a, port: 7222, gateways: [{list}] }}");
    let (b, c) = ("{name: b, url: 'nats://b:1'}", "{name: c, url: 'nats://c:1'}");
    assert_eq!(changes(&remotes(&format!("{b}, {c}")), &remotes(&format!("{c}, {b}"))), []);
    let tls = "gateway { name: a, port: 7222, authorization { timeout: 2 }, tls {} }";
    assert_eq!(changes(old, tls), [Change::GatewayTls { pinned_certs: false }]);
    assert_eq!(report(old, tls), [""; 0]);
}

#[test]
fn what_a_running_leaf_node_listener_takes_on() {
    // spec: CFG-171 CFG-344 CFG-348
    assert_eq!(changes(LEAF, LEAF), []);
    for (old, new, expected) in [
        ("", "compression: s2_fast", &["Reloaded: LeafNode Compression value is: {s2_fast []}"][..]),
        (
            "",
            "compression { mode: auto, rtts: ['1ms', '20ms'] }",
            &["Reloaded: LeafNode Compression value is: {s2_auto [1ms 20ms]}"],
        ),
        ("", "authorization { timeout: 2 }, tls {}", &[]),
        (
            "tls { first: on }",
            "tls { first: auto }",
            &[
                "Reloaded: LeafNode TLS HandshakeFirst value is: true",
                "Reloaded: LeafNode TLS HandshakeFirstFallback value is: 50ms",
            ],
        ),
        (
            "tls { first: on }",
            "tls { first: off }",
            &[
                "Reloaded: LeafNode TLS HandshakeFirst value is: false",
                "Reloaded: LeafNode TLS HandshakeFirstFallback value is: 0s",
            ],
        ),
        (
            "authorization { users: [ {user: a, password: b}, {user: c} ] }",
            "authorization { users: [ {user: c}, {user: a, password: b} ] }",
            &[],
        ),
    ] {
        let block = |text: &str| format!("leaf {{ port: 7422, {text} }}");
        assert_eq!(report(&block(old), &block(new)), expected, "{new}");
    }
    let tls = "leaf { port: 7422, tls {} }";
    assert_eq!(changes(tls, tls), [Change::Leaf(LeafChange::Tls)]);
}

#[test]
fn what_only_a_restart_can_change_of_a_leaf_node_listener() {
    // spec: CFG-171 CFG-334 CFG-335 CFG-336 CFG-337 CFG-338 CFG-341 CFG-343 CFG-345 CFG-346 CFG-347 CFG-349 CFG-350
    // spec: CFG-351 CFG-352 CFG-353 CFG-453 CFG-455
    for (text, message) in [
        ("port: 7423", "\"Port\": old=7422, new=7423"),
        ("port: 7422, host: h", "\"Host\": old=0.0.0.0, new=h"),
        ("port: 7422, authorization { user: u }", "\"Username\": old=, new=u"),
        ("port: 7422, authorization { password: p }", "\"Password\": old=, new=[REDACTED]"),
        ("port: 7422, authorization { account: A }", "\"Account\": old=, new=A"),
        ("port: 7422, authorization { timeout: 5 }", "\"AuthTimeout\": old=2, new=5"),
        ("port: 7422, authorization { proxy_required: true }", "\"ProxyRequired\": old=false, new=true"),
        ("port: 7422, authorization { users: [ {user: a}, {user: b} ] }", "\"Users\": old=[], new=[a b]"),
        ("port: 7422, tls { timeout: 5 }", "\"AuthTimeout\": old=2, new=6"),
        ("port: 7422, advertise: h", "\"Advertise\": old=, new=h"),
        ("port: 7422, no_advertise: true, isolate: true", "\"NoAdvertise\": old=false, new=true"),
        ("port: 7422, reconnect: '3s'", "\"ReconnectInterval\": old=1s, new=3s"),
        ("port: 7422, write_deadline: '3s'", "\"WriteDeadline\": old=0s, new=3s"),
        ("port: 7422, write_timeout: retry", "\"WriteTimeout\": old=, new=retry"),
        ("port: 7422, min_version: '2.9.0'", "\"MinVersion\": old=, new=2.9.0"),
        ("port: 7422, isolate: true", "\"IsolateLeafnodeInterest\": old=false, new=true"),
        ("port: 7422, dial_timeout: '3s'", "\"DialTimeout\": old=1s, new=3s"),
    ] {
        let expected = format!("config reload not supported for LeafNode: field {message}");
        assert_eq!(refusal(LEAF, &format!("leaf {{ {text} }}")), expected, "{text}");
    }
}

#[test]
fn remotes_come_and_go_and_some_of_them_changes() {
    // spec: CFG-172 CFG-173 CFG-174 CFG-359 CFG-369 CFG-372 CFG-454 NEW-027
    let remotes = |list: &str| format!("leaf {{ remotes: [ {list} ] }}");
    let one = |text: &str| remotes(&format!("{{url: 'nats://h:1', {text}}}"));
    let name = "urls=[\"nats://h:1\"], account=\"$G\"";
    let line = |what: &str| format!("Reloaded: LeafNode Remote {name} {what}");
    assert_eq!(changes(&one(""), &one("")), []);
    assert_eq!(report(&one(""), &remotes("")), [line("removed")]);
    assert_eq!(report(&remotes(""), &one("")), [""; 0]);
    assert_eq!(
        report(&one(""), &one("compression: best, disabled: true")),
        [line("Compression value is: {s2_best []}"), line("Disabled value is: true"),]
    );
    let first = line("TLS HandshakeFirst value is: true");
    assert_eq!(report(&one("tls {}"), &one("tls { first: true }")), [first]);
    let kinds = |old: &str, new: &str| -> Vec<_> {
        let kind =
            |change| if let Change::Leaf(LeafChange::Remote(_, kind)) = change { kind } else { panic!("{change:?}") };
        changes(old, new).into_iter().map(kind).collect()
    };
    // A remote with a login is another remote.
    let kinds_of_two = kinds(&one(""), &remotes("{url: 'nats://u:p@h:1'}, {url: 'nats://h:1', account: A}"));
    assert_eq!(kinds_of_two, [LeafRemoteChange::Removed, LeafRemoteChange::Added, LeafRemoteChange::Added]);
    assert_eq!(kinds(&one("tls {}"), &one("tls { insecure: true }")), [LeafRemoteChange::Tls]);
    assert_eq!(kinds(&one("tls {}"), &one("tls {}")), [LeafRemoteChange::Tls]);
    for (text, message) in [
        ("hub: true", "\"Hub\": old=false, new=true"),
        ("no_randomize: true", "\"NoRandomize\": old=false, new=true"),
        ("deny_imports: [a, b]", "\"DenyImports\": old=[], new=[a b]"),
        ("deny_exports: a", "\"DenyExports\": old=[], new=[a]"),
        ("first_info_timeout: '5s'", "\"FirstInfoTimeout\": old=1s, new=5s"),
        ("dial_timeout: '5s'", "\"DialTimeout\": old=0s, new=5s"),
        ("isolate: true", "\"LocalIsolation\": old=false, new=true"),
        ("request_isolation: true", "\"RequestIsolation\": old=false, new=true"),
        ("ignore_discovered_servers: true", "\"IgnoreDiscoveredServers\": old=false, new=true"),
        ("tls {}", "\"TLSTimeout\": old=0, new=2"),
    ] {
        let expected = format!("config reload not supported for LeafNode: remote {name}: field {message}");
        assert_eq!(refusal(&one(""), &one(text)), expected, "{text}");
    }
}

#[test]
fn ports_chosen_at_start_are_kept() {
    // spec: CFG-019
    let mut old = read(
        "cluster { port: 1 }, gateway { name: a, port: 2 }, leaf { port: 3 }, system_account: S, accounts { S {} }",
    );
    old.cluster_name = Some("a".into());
    let asked = "cluster { name: a, port: -1 }, gateway { name: a, port: -1 }, leaf { port: -1 }";
    let mut new = read(&format!("{asked}, system_account: S, accounts {{ S {{}} }}"));
    carry_over(&old, &mut new);
    assert_eq!(diff(&old, &new).map(|changes| changes.len()), Ok(2));
}
