//! The `gateway` block.

use std::time::Duration;

use super::{check, errors, options, warnings};
use crate::Options;
use crate::options::{Gateway, LinkLogin, LinkUrl, RemoteGateway, Secret, Tls, WriteTimeout};

/// Checks that what stands in the block beside its name and port sets exactly what `set` sets.
fn gateway(text: &str, set: impl FnOnce(&mut Gateway)) {
    check(&format!("gateway {{ name: g, port: 7222, {text} }}"), |options: &mut Options| {
        set(options.gateway.insert(Gateway { name: "g".into(), port: 7222, ..Gateway::default() }));
    });
}

#[test]
fn every_option_is_read() {
    // spec: CFG-165 CFG-318 CFG-319 CFG-320 CFG-321 CFG-322 CFG-323 CFG-324 CFG-325 CFG-326 CFG-327 CFG-328 CFG-329
    // spec: CFG-084 CFG-142
    check("gateway {}", |_| {});
    gateway("listen: 'h:1'", |g| (g.host, g.port) = ("h".into(), 1));
    gateway("listen: -1", |g| g.port = -1);
    gateway("host: h", |g| g.host = "h".into());
    gateway("net: h", |g| g.host = "h".into());
    gateway("authorization { username: u, pass: p, timeout: 3 }", |g| {
        g.login = LinkLogin {
            user: Some("u".into()),
            password: Some(Secret::new("p")),
            timeout: Some(Duration::from_secs(3)),
        };
    });
    gateway("tls { verify_cert_and_check_known_urls: true }", |g| {
        g.tls = Some(Tls { verify: true, check_known_urls: true, ..Tls::default() });
    });
    gateway("advertise: 'a:1'", |g| g.advertise = Some("a:1".into()));
    gateway("connect_retries: 4", |g| g.connect_retries = 4);
    gateway("connect_backoff: true", |g| g.connect_backoff = true);
    gateway("reject_unknown: true", |g| g.reject_unknown = true);
    gateway("reject_unknown_cluster: true", |g| g.reject_unknown = true);
    gateway("write_deadline: '3s'", |g| g.write_deadline = Some(Duration::from_secs(3)));
    gateway("write_timeout: close", |g| g.write_timeout = WriteTimeout::Close);
    let defaults = options("gateway { name: g, port: -1 }").gateway.expect("a gateway");
    assert_eq!((&*defaults.host, defaults.port, defaults.connect_retries), ("0.0.0.0", -1, 0));
}

#[test]
fn other_clusters_by_name() {
    // spec: CFG-166 CFG-330 CFG-331 CFG-332 CFG-333
    let url = |text| LinkUrl::parse(text).expect(text);
    let remote = |name: &str, urls| RemoteGateway { name: name.into(), urls, tls: None };
    gateway("gateways: [ {name: h, url: 'nats://a:1'}, {name: i, urls: ['nats://b:1', 'nats://c:1']}, {} ]", |g| {
        let urls = vec![url("nats://b:1"), url("nats://c:1")];
        g.remotes = vec![remote("h", vec![url("nats://a:1")]), remote("i", urls), remote("", vec![])];
    });
    gateway("gateways: [ {name: h, urls: ['nats://a:1'], url: 'nats://b:1', tls {}} ]", |g| {
        let tls = Some(Tls { verify: true, ..Tls::default() });
        g.remotes = vec![RemoteGateway { tls, ..remote("h", vec![url("nats://a:1"), url("nats://b:1")]) }];
    });
}

#[test]
fn mistakes_have_their_place() {
    // spec: CFG-003 CFG-017 CFG-104 CFG-318 CFG-331
    for (text, message) in [
        ("name: 'a b'", "1:10: gateway name cannot contain spaces"),
        ("compression: on", "1:10: unknown field \"compression\""),
        ("authorization { users: [] }", "1:26: Gateway authorization does not allow multiple users"),
        ("authorization { token: t }", "1:26: Gateway authorization does not support tokens"),
        ("authorization { auth_hook {} }", "1:26: Gateway authorization does not support callouts"),
        ("gateways: 5", "1:10: \"gateways\" must be an array, got the integer 5"),
        ("gateways: [ 5 ]", "1:22: Expected gateway entry to be a map/struct, got the integer 5"),
        ("gateways: [ {nam: x} ]", "1:23: unknown field \"nam\""),
        (
            "gateways: [ {url: 'nats://h:x'} ]",
            "1:23: error parsing gateway url [\"nats://h:x\"]: it is no URL; expected something like nats://host:port",
        ),
    ] {
        assert_eq!(errors(&format!("gateway {{ {text} }}")), format!("t.conf:{message}"), "{text}");
    }
}

#[test]
fn what_should_be_mended_is_told() {
    // spec: CFG-017 CFG-287
    for (text, message) in [
        (
            "gateways: [ {urls: ['nats://a:1', 'nats://a:1']} ]",
            "1:45: invalid use of field \"nats://a:1\": Duplicate gateway entry detected",
        ),
        ("advertise: a", "1:10: \"advertise\" has no effect: the gateway has neither a name nor a port"),
        (
            "authorization { permissions { import: a } }",
            "1:26: \"permissions\" has no effect: gateways have no permissions",
        ),
        (
            "tls { insecure: true }",
            "1:10: TLS certificate chain and hostname of solicited gateways will not be verified. DO NOT USE IN PRODUCTION!",
        ),
        (
            "gateways: [ { tls { insecure: true } } ]",
            "1:24: TLS certificate chain and hostname of solicited gateways will not be verified. DO NOT USE IN PRODUCTION!",
        ),
    ] {
        // A gateway without a name is none at all; that is told first.
        let found = warnings(&format!("gateway {{ {text} }}"));
        assert!(found.lines().any(|line| line == format!("t.conf:{message}")), "{text}: {found}");
    }
}
