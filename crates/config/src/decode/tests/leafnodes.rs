//! The `leafnodes` block.

use std::time::Duration;

use super::{USER_NKEY, check, errors, options, warnings};
use crate::Options;
use crate::options::{
    Compression, HandshakeFirst, LeafAuthorization, LeafNodes, LeafRemote, LeafUser, LeafVersion, LinkUrl, Secret, Tls,
    WriteTimeout,
};

const SEED: &str = "SUAKYRHVIOREXV7EUZTBHUHL7NUMHPMAS7QMDU3GTIUWEI5LDNOXD43IZY";

fn url(text: &str) -> LinkUrl {
    LinkUrl::parse(text).expect(text)
}

/// Checks that the block sets exactly what `set` sets.
fn leafnodes(text: &str, set: impl FnOnce(&mut LeafNodes)) {
    check(&format!("leafnodes {{ {text} }}"), |options: &mut Options| {
        set(options.leafnodes.insert(LeafNodes::default()));
    });
}

/// Checks that what stands beside the URL of a remote sets exactly what `set` sets.
fn remote(text: &str, set: impl FnOnce(&mut LeafRemote)) {
    leafnodes(&format!("remotes: [ {{ url: 'nats://h', {text} }} ]"), |leafnodes| {
        let mut remote = LeafRemote { urls: vec![url("nats://h:7422")], ..LeafRemote::default() };
        set(&mut remote);
        leafnodes.remotes.push(remote);
    });
}

#[test]
fn every_option_of_the_listener_is_read() {
    // spec: CFG-168 CFG-170 CFG-334 CFG-335 CFG-336 CFG-344 CFG-345 CFG-346 CFG-347 CFG-348 CFG-349 CFG-350 CFG-351
    // spec: CFG-352 CFG-353 CFG-084 CFG-138
    check("leafnodes {}", |_| {});
    check("leaf {}", |_| {});
    leafnodes("listen: 'h:1'", |l| (l.host, l.port) = ("h".into(), 1));
    leafnodes("host: h, port: -1", |l| (l.host, l.port) = ("h".into(), -1));
    leafnodes("net: h", |l| l.host = "h".into());
    leafnodes("advertise: 'a:1'", |l| l.advertise = Some("a:1".into()));
    leafnodes("leafnode_advertise: a", |l| l.advertise = Some("a".into()));
    leafnodes("no_advertise: true", |l| l.no_advertise = true);
    leafnodes("tls { handshake_first: '300ms', verify: true }", |l| {
        let handshake_first = HandshakeFirst::Fallback(Duration::from_millis(300));
        l.tls = Some(Tls { verify: true, handshake_first, ..Tls::default() });
    });
    for (text, mode) in [("on", Compression::s2_auto()), ("off", Compression::Off), ("fast", Compression::S2Fast)] {
        leafnodes(&format!("compression: {text}"), |l| l.compression = mode);
    }
    let second = Duration::from_secs(1);
    for name in ["reconnect", "reconnect_delay", "reconnect_interval"] {
        leafnodes(&format!("{name}: '5s'"), |l| l.reconnect = 5 * second);
    }
    leafnodes("dial_timeout: '4s'", |l| l.dial_timeout = 4 * second);
    leafnodes("isolate: true", |l| l.isolate = true);
    leafnodes("isolate_leafnode_interest: true", |l| l.isolate = true);
    leafnodes("write_deadline: '3s'", |l| l.write_deadline = Some(3 * second));
    leafnodes("write_timeout: retry", |l| l.write_timeout = WriteTimeout::Retry);
    for name in ["min_version", "minimum_version"] {
        let version = LeafVersion { major: 2, minor: 10, patch: 3 };
        leafnodes(&format!("{name}: '2.10.3'"), |l| l.min_version = Some(version));
    }
    let defaults = options("leaf { port: 1 }").leafnodes.expect("leaf nodes");
    assert_eq!((&*defaults.host, defaults.reconnect, defaults.dial_timeout), ("0.0.0.0", second, second));
    assert_eq!(defaults.compression, Compression::s2_auto());
}

#[test]
fn who_may_connect() {
    // spec: CFG-169 CFG-337 CFG-338 CFG-339 CFG-340 CFG-341 CFG-342 CFG-343
    let check = |text: &str, auth| leafnodes(&format!("authorization {{ {text} }}"), |l| l.authorization = auth);
    check(
        "user: u, password: p, account: A, timeout: 3, proxy_required: true",
        LeafAuthorization {
            user: Some("u".into()),
            password: Some(Secret::new("p")),
            account: Some("A".into()),
            timeout: Some(Duration::from_secs(3)),
            proxy_required: true,
            ..LeafAuthorization::default()
        },
    );
    let nkey = LeafAuthorization { nkey: Some(USER_NKEY.into()), ..LeafAuthorization::default() };
    check(&format!("nkey: {USER_NKEY}"), nkey);
    let user = LeafUser { user: "u".into(), password: Secret::new("p"), account: None, proxy_required: false };
    let other = LeafUser { user: "v".into(), account: Some("A".into()), proxy_required: true, ..LeafUser::default() };
    check(
        "users: [ {user: u, pass: p}, {username: v, account: A, proxy_required: true} ]",
        LeafAuthorization { users: vec![user, other], ..LeafAuthorization::default() },
    );
}

#[test]
fn every_option_of_a_remote_is_read() {
    // spec: CFG-172 CFG-356 CFG-358 CFG-359 CFG-360 CFG-361 CFG-362 CFG-363 CFG-367 CFG-368 CFG-369 CFG-370 CFG-371
    // spec: CFG-372 CFG-373
    let second = Duration::from_secs(1);
    remote("", |_| {});
    remote("account: A", |r| r.account = Some("A".into()));
    remote("local: A", |r| r.account = Some("A".into()));
    remote(&format!("nkey: {SEED}"), |r| r.seed = Some(Secret::new(SEED)));
    remote(&format!("seed: {SEED}"), |r| r.seed = Some(Secret::new(SEED)));
    remote("tls { ca_file: ca.pem, timeout: 5, first: true }", |r| {
        r.tls = Some(Tls {
            ca_file: Some("ca.pem".into()),
            timeout: 5 * second,
            handshake_first: HandshakeFirst::On,
            ..Tls::default()
        });
    });
    // No certificate is refused for not being one of these, as the warning says.
    let pins = format!("tls {{ pinned_certs: ['{}'] }}", "0".repeat(64));
    remote(&pins, |r| r.tls = Some(Tls::default()));
    remote("hub: true", |r| r.hub = true);
    remote("deny_imports: a, deny_export: [b, 'c.>']", |r| {
        (r.deny_imports, r.deny_exports) = (vec!["a".into()], vec!["b".into(), "c.>".into()]);
    });
    remote("deny_exports: []", |_| {});
    remote("no_randomize: true", |r| r.no_randomize = true);
    remote("dont_randomize: true", |r| r.no_randomize = true);
    remote("isolate: true", |r| r.isolate = true);
    remote("request_isolation: true", |r| r.request_isolation = true);
    remote("compression: s2_best", |r| r.compression = Compression::S2Best);
    remote("compression: true", |r| r.compression = Compression::s2_auto());
    remote("first_info_timeout: '5s'", |r| r.first_info_timeout = 5 * second);
    remote("dial_timeout: '5s'", |r| r.dial_timeout = Some(5 * second));
    remote("disabled: true", |r| r.disabled = true);
    remote("ignore_discovered_servers: true", |r| r.ignore_discovered_servers = true);
}

#[test]
fn urls_of_a_remote_have_a_port() {
    // spec: CFG-354 CFG-355 CFG-168
    for (text, expected) in [
        ("url: 'nats://u:p@h'", &["nats://u:p@h:7422"][..]),
        ("url: 'tls://h:1'", &["tls://h:1"]),
        ("urls: 'nats-leaf://h'", &["nats-leaf://h:7422"]),
        ("url: ['nats://h', 'nats://[::1]']", &["nats://h:7422", "nats://[::1]:7422"]),
        ("urls: ['nats://h'], url: 'nats://i'", &["nats://h:7422", "nats://i:7422"]),
    ] {
        let read = options(&format!("leaf {{ remotes: [ {{ {text} }} ] }}")).leafnodes.expect("leaf nodes");
        assert_eq!(read.remotes[0].urls, expected.iter().map(|text| url(text)).collect::<Vec<_>>(), "{text}");
    }
}

#[test]
fn a_remote_is_told_from_others_by_where_for_whom_and_as_whom() {
    // spec: CFG-173
    options("leaf { remotes: [ {url: 'nats://h'}, {url: 'nats://h', account: A}, {url: 'nats://h:1'} ] }");
    options(&format!("leaf {{ remotes: [ {{url: 'nats://h'}}, {{url: 'nats://h', seed: {SEED}}} ] }}"));
    for (text, name) in [
        ("url: 'nats://u:s3cret@h'", "urls=[\"nats://u:xxxxx@h:7422\"], account=\"$G\"".to_owned()),
        ("url: ['nats://h', 'nats://i'], account: A", {
            "urls=[\"nats://h:7422\" \"nats://i:7422\"], account=\"A\"".to_owned()
        }),
        (&format!("url: 'nats://h', nkey: {SEED}"), {
            "urls=[\"nats://h:7422\"], account=\"$G\", nkey=\"[REDACTED]\"".to_owned()
        }),
    ] {
        let found = errors(&format!("leaf {{ remotes: [ {{ {text} }}, {{ {text}, hub: true }} ] }}"));
        assert!(found.ends_with(&format!("duplicate remote {name}")), "{found}");
    }
}

#[test]
fn mistakes_have_their_place_and_no_secrets() {
    // spec: CFG-003 CFG-131 CFG-169 CFG-347 CFG-355 CFG-358
    for (text, message) in [
        ("nope: 1", "1:7: unknown field \"nope\""),
        ("min_version: '2.7.9'", "1:7: the minimum version should be at least 2.8.0"),
        ("min_version: '2.9'", "1:7: invalid leafnode's minimum version: invalid semver"),
        ("min_version: '2.9.+1'", "1:7: invalid leafnode's minimum version: invalid semver"),
        ("min_version: '2.9.0.1'", "1:7: invalid leafnode's minimum version: invalid semver"),
        (
            "tls { verify_cert_and_check_known_urls: true }",
            "1:13: verify_cert_and_check_known_urls not supported in this context",
        ),
        ("authorization { nkey: nope }", "1:23: Not a valid public nkey for leafnode authorization"),
        ("authorization { token: t }", "1:23: unknown field \"token\""),
        (
            "authorization { timeout: x }",
            "1:23: error parsing leafnode authorization config, 'timeout' time: invalid duration \"x\"",
        ),
        ("authorization { users: 5 }", "1:23: Expected users field to be an array, got the integer 5"),
        ("authorization { users: [ 5 ] }", "1:32: Expected user entry to be a map/struct, got the integer 5"),
        ("authorization { user: u, users: [ {user: v} ] }", "1:7: can not have a single user/pass and a users array"),
        (
            "authorization { users: [ {user: v}, {user: v} ] }",
            "1:7: duplicate user \"v\" detected in leafnode authorization",
        ),
        ("remotes: 5", "1:7: \"remotes\" must be an array, got the integer 5"),
        ("remotes: [ 5 ]", "1:18: Expected remote leafnode entry to be a map/struct, got the integer 5"),
        ("remotes: [ {account: A} ]", "1:18: the remote leafnode has no url"),
        ("remotes: [ {url: 5} ]", "1:19: Expected remote leafnode url to be an array or string, got the integer 5"),
        ("remotes: [ {url: 'nats://h', seed: 's3cret'} ]", "1:36: Remote leafnode nkey is not a valid seed of a user"),
        ("remotes: [ {url: 'nats://h', deny_imports: 'a q'} ]", "1:36: subject \"a q\" is not a valid subject"),
        (
            "remotes: [ {url: 'nats://h', js_cluster_migrate: 5} ]",
            "1:36: Expected boolean or map for jetstream_cluster_migrate, got the integer 5",
        ),
    ] {
        assert_eq!(errors(&format!("leaf {{ {text} }}")), format!("t.conf:{message}"), "{text}");
    }
    let both = format!("authorization {{ nkey: {USER_NKEY}, users: [ {{user: v}} ] }}");
    let found = errors(&format!("leaf {{ {both} }}"));
    assert_eq!(found, "t.conf:1:7: can not have a single nkey and a users array");
}

#[test]
fn what_cannot_be_yet_is_refused_by_name() {
    // A remote without its credentials would connect as somebody else.
    for (text, name, what) in [
        ("url: 'nats://h', credentials: 'a.creds'", "\"credentials\"", "it"),
        ("url: 'nats://h', creds: 'a.creds'", "\"credentials\"", "it"),
        ("url: 'nats://h', proxy { url: 'http://p', timeout: '1s' }", "\"proxy\"", "the block"),
        ("url: 'wss://h'", "leafnode url \"wss://h\": \"wss\"", "the remote"),
        ("urls: ['nats://h', 'ws://h']", "leafnode url \"ws://h\": \"ws\"", "the remote"),
    ] {
        let found = errors(&format!("leaf {{ remotes: [ {{ {text} }} ] }}"));
        let expected =
            format!("{name} is not supported by this version of Martlet yet; remove {what} to start without it");
        assert!(found.ends_with(&expected) && found.starts_with("t.conf:1:"), "{text}: {found}");
    }
}

#[test]
fn what_should_be_mended_or_means_nothing_is_told() {
    // spec: CFG-013 CFG-017 CFG-287 CFG-364 CFG-365 CFG-366
    for (text, message) in [
        ("url: ['nats://h', 'nats://h']", "1:39: invalid use of field \"nats://h\": Duplicate leafnode entry detected"),
        (
            "url: 'nats://h', ws_compress: true",
            "1:37: \"ws_compress\" has no effect: no remote is connected to by WebSocket",
        ),
        (
            "url: 'nats://h', websocket_no_masking: true",
            "1:37: \"websocket_no_masking\" has no effect: no remote is connected to by WebSocket",
        ),
        (
            "url: 'nats://h', jetstream_cluster_migrate { leader_migrate_delay: '5s' }",
            "1:37: \"jetstream_cluster_migrate\" has no effect: streams are kept by this server alone",
        ),
        (
            "url: 'nats://h', tls { insecure: true }",
            "1:37: TLS certificate chain and hostname of solicited leafnodes will not be verified. DO NOT USE IN PRODUCTION!",
        ),
        (
            "url: 'nats://h', tls { verify: true }",
            "1:43: \"verify\" has no effect: a server that connects always verifies whom it connects to",
        ),
        ("url: 'nats://h', js_cluster_migrate: false, ws_no_masking: false", ""),
    ] {
        let expected = if message.is_empty() { String::new() } else { format!("t.conf:{message}") };
        assert_eq!(warnings(&format!("leaf {{ remotes: [ {{ {text} }} ] }}")), expected, "{text}");
    }
    assert!(warnings("leaf { authorization { timeout: 90 } }").contains("timeout of 90 (90.000000 seconds) is high"));
    assert!(warnings("leaf { tls { insecure: true } }").contains("\"insecure\" has no effect"));
}
