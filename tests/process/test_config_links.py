"""Which clusters, gateways and leaf nodes are accepted; the reference is asked the same each time."""

from __future__ import annotations

import re

import pytest

from harness.server import run_to_end
from process.test_config import agree, both, check  # noqa: F401

# Every line is a configuration of its own.
GRAMMAR = r"""
cluster {}
cluster: 5
cluster { name: 5 }
cluster { name: "a b" }
cluster { listen: x }
cluster { listen: "h:x" }
cluster { listen: 70000 }
cluster { port: 1, host: h }
cluster { port: -5 }
cluster { port: 1, routes: [ "nats://a:1", "nats://a:1" ] }
cluster { port: 1, routes: [ "nats://a:1", 5 ] }
cluster { port: 1, routes: "nats://a:1" }
cluster { port: 1, routes: [ "127.0.0.1:6222" ] }
cluster { port: 1, routes: [ "nats://h" ] }
cluster { port: 1, routes: [ "nats://h:" ] }
cluster { port: 1, routes: [ "nats://h:x" ] }
cluster { port: 1, routes: [ "nats://h:-1" ] }
cluster { port: 1, routes: [ "nats://u:p@h:1/path?q=1" ] }
cluster { port: 1, routes: [ "nats://u:p%zz@h:1" ] }
cluster { port: 1, routes: [ "nats://u@v:p@h:1" ] }
cluster { port: 1, routes: [ "nats://u:p w@h:1" ] }
cluster { port: 1, routes: [ "nats://h h:1" ] }
cluster { port: 1, routes: [ "nats://[::1]:1" ] }
cluster { port: 1, routes: [ "nats://[::1:1" ] }
cluster { port: 1, routes: [ " nats://h:1 " ] }
cluster { port: 1, routes: [ "://h:1" ] }
cluster { port: 1, routes: [ "//h:1" ] }
cluster { port: 1, routes: [ "1nats://h:1" ] }
cluster { port: 1, routes: [ "na_ts://h:1" ] }
cluster { port: 1, routes: [ "nats://h%41:1" ] }
cluster { port: 1, routes: [ "nats://h:1#frag" ] }
cluster { port: 1, routes: [ "nats://h:1#%zz" ] }
cluster { port: 1, routes: [ "nats://h:1/%zz" ] }
cluster { port: 1, authorization { user: a, password: b, timeout: 5 } }
cluster { port: 1, authorization { user: a, password: b, timeout: 90 } }
cluster { port: 1, authorization { user: a, password: b, timeout: "x" } }
cluster { port: 1, authorization { users: [] } }
cluster { port: 1, authorization { users: [ {user: a, password: b} ] } }
cluster { port: 1, authorization { token: t } }
cluster { port: 1, authorization { token: "" } }
cluster { port: 1, authorization { nkey: x } }
cluster { port: 1, authorization { proxy_required: true } }
cluster { port: 1, authorization { permissions { import: a, export: b } } }
cluster { port: 1, authorization { permissions { import: a, export: b } }, permissions { import: c } }
cluster { port: 1, authorization { default_permissions { import: a, export: "b q" } } }
cluster { port: 1, permissions { import: a, export: b } }
cluster { port: 1, permissions { import: { allow: [a, b], deny: c }, export: ["x.>"] } }
cluster { port: 1, permissions { import: "a q" } }
cluster { port: 1, permissions { export: "a q" } }
cluster { port: 1, permissions { import: [] } }
cluster { port: 1, permissions { publish: a, subscribe: b } }
cluster { port: 1, permissions { allow_responses: true } }
cluster { port: 1, permissions { allow_responses: false } }
cluster { port: 1, permissions: 5 }
cluster { port: 1, permissions { nope: 5 } }
cluster { port: 1, accounts: [A, A] }
cluster { port: 1, accounts: A }
cluster { port: 1, accounts: [A], pool_size: -1 }
cluster { port: 1, pool_size: 0 }
cluster { port: 1, connect_retries: -3 }
cluster { port: 1, compression: on }
cluster { port: 1, compression: "on" }
cluster { port: 1, compression: "not supported" }
cluster { port: 1, compression: 5 }
cluster { port: 1, compression: { mode: s2_auto, rtt_thresholds: ["x"] } }
cluster { port: 1, compression: { mode: s2_auto, rtt_thresholds: 5 } }
cluster { port: 1, compression: { mode: s2_auto, rtt_thresholds: "10ms" } }
cluster { port: 1, compression: { rtt_thresholds: ["1ms"] } }
cluster { port: 1, compression: { nope: 5 } }
cluster { port: 1, compression: { mode: fast, rtts: ["1ms"] } }
cluster { port: 1, ping_interval: "10s", ping_max: 3 }
cluster { port: 1, ping_interval: "1m" }
cluster { port: 1, ping_interval: 10 }
cluster { port: 1, write_deadline: "5s", write_timeout: close }
cluster { port: 1, write_timeout: maybe }
cluster { port: 1, no_advertise: 5 }
cluster { port: 1, advertise: "h:1:2" }
cluster { port: 1, cluster_advertise: "h:1" }
cluster { port: 1, tls { verify: true } }
cluster { port: 1, tls {} }
cluster { port: 1, tls { nope: 1 } }
cluster { port: 1, tls { handshake_first: true } }
cluster { port: 1, tls { cert_file: none } }
cluster { port: 1, nope: 1 }
cluster { port: 1, NOPE = 1, pool_size: $NOPE }
cluster { port: 1, authorization: 5 }
gateway {}
gateway: 5
gateway { name: "a b", port: 1 }
gateway { port: 1 }
gateway { name: a }
gateway { name: a, port: 1, gateways: 5 }
gateway { name: a, port: 1, gateways: [ 5 ] }
gateway { name: a, port: 1, gateways: [ {} ] }
gateway { name: a, port: 1, gateways: [ {name: b} ] }
gateway { name: a, port: 1, gateways: [ {name: b, url: "nats://h:1"}, {name: c, urls: ["nats://h:1", "nats://h:1"]} ] }
gateway { name: a, port: 1, gateways: [ {name: b, url: "nats://h:x"} ] }
gateway { name: a, port: 1, gateways: [ {name: b, url: ["nats://h:1"]} ] }
gateway { name: a, port: 1, gateways: [ {name: b, urls: "nats://h:1"} ] }
gateway { name: a, port: 1, gateways: [ {name: b, url: "nats://h:1", nope: 1} ] }
gateway { name: a, port: 1, gateways: [ {name: b, url: "nats://h:1"}, {name: b, url: "nats://h:1"} ] }
gateway { name: a, port: 1, authorization { users: [] } }
gateway { name: a, port: 1, authorization { token: t } }
gateway { name: a, port: 1, authorization { user: a, password: b, permissions { import: a } } }
gateway { name: a, port: 1, reject_unknown: true, reject_unknown_cluster: false }
gateway { name: a, port: 1, connect_backoff: true, connect_retries: 3, advertise: h }
gateway { name: a, port: 1, tls { verify_cert_and_check_known_urls: true } }
gateway { name: a, port: 1, write_deadline: 5 }
gateway { name: a, port: 1, compression: on }
gateway { name: a, port: 1, nope: 1 }
leafnodes {}
leaf {}
leaf: 5
leaf { port: 1, listen: "h:1" }
leaf { port: 1, authorization { user: a, password: b } }
leaf { port: 1, authorization { user: a, password: b, users: [ {user: c, password: d} ] } }
leaf { port: 1, authorization { users: [ {user: c, password: d}, {user: c, password: d} ] } }
leaf { port: 1, authorization { users: [ {password: d} ] } }
leaf { port: 1, authorization { users: [ {user: c, password: d, account: X} ] } }
leaf { port: 1, authorization { users: [ {user: c, nope: d} ] } }
leaf { port: 1, authorization { users: [ {user: c, nkey: UCNGL4W5QX66CFX6A6DCBVDH5VOHMI7B2UZZU7TXAUQQSI2JPHULCKBR} ] } }
leaf { port: 1, authorization { users: 5 } }
leaf { port: 1, authorization { users: [ 5 ] } }
leaf { port: 1, authorization { nkey: UCNGL4W5QX66CFX6A6DCBVDH5VOHMI7B2UZZU7TXAUQQSI2JPHULCKBR } }
leaf { port: 1, authorization { nkey: nope } }
leaf { port: 1, authorization { nkey: UCNGL4W5QX66CFX6A6DCBVDH5VOHMI7B2UZZU7TXAUQQSI2JPHULCKBR, users: [ {user: c} ] } }
leaf { port: 1, authorization { token: t } }
leaf { port: 1, authorization { timeout: 90 } }
leaf { port: 1, authorization { timeout: "x" } }
leaf { port: 1, authorization { timeout: true } }
leaf { port: 1, authorization { account: X, proxy_required: true } }
leaf { port: 1, min_version: "2.7.0" }
leaf { port: 1, min_version: "2.8.0" }
leaf { port: 1, min_version: "v2.9.0-rc1" }
leaf { port: 1, min_version: "2.9" }
leaf { port: 1, min_version: "x" }
leaf { port: 1, min_version: "2.9.x" }
leaf { port: 1, min_version: "" }
leaf { port: 1, min_version: "10.0.0" }
leaf { port: 1, min_version: "a2.9.0" }
leaf { port: 1, min_version: "2.9.0.1" }
leaf { port: 1, min_version: 5 }
leaf { port: 1, reconnect: 5 }
leaf { port: 1, reconnect: "x" }
leaf { port: 1, reconnect_interval: "5s", dial_timeout: "2s" }
leaf { port: 1, tls { verify_cert_and_check_known_urls: true } }
leaf { port: 1, tls { handshake_first: auto } }
leaf { port: 1, nope: 1 }
leaf { remotes: 5 }
leaf { remotes: [ 5 ] }
leaf { remotes: [ {}, {} ] }
leaf { remotes: [ {url: "nats://h"}, {url: "nats://h"} ] }
leaf { remotes: [ {url: "nats://h"}, {url: "nats://h", account: X} ] }
leaf { remotes: [ {url: "nats://u:p@h"}, {url: "nats://u:p@h"} ] }
leaf { remotes: [ {url: "nats://h", seed: SUAKYRHVIOREXV7EUZTBHUHL7NUMHPMAS7QMDU3GTIUWEI5LDNOXD43IZY}, {url: "nats://h", nkey: SUAKYRHVIOREXV7EUZTBHUHL7NUMHPMAS7QMDU3GTIUWEI5LDNOXD43IZY} ] }
leaf { remotes: [ {url: "nats://h", seed: nope} ] }
leaf { remotes: [ {url: "nats://h", seed: SUAKYRHVIOREXV7EUZTBHUHL7NUMHPMAS7QMDU3GTIUWEI5LDNOXD43IZY, credentials: c} ] }
leaf { remotes: [ {url: 5} ] }
leaf { remotes: [ {urls: "nats://h"} ] }
leaf { remotes: [ {url: ["nats://h", "nats://h"]} ] }
leaf { remotes: [ {url: "nats://h:x"} ] }
leaf { remotes: [ {url: "nats://h", urls: ["nats://i"]} ] }
leaf { remotes: [ {url: "nats://h", deny_imports: a, deny_exports: [b, "c.>"]} ] }
leaf { remotes: [ {url: "nats://h", deny_imports: "a q"} ] }
leaf { remotes: [ {url: "nats://h", deny_exports: ["a..b"]} ] }
leaf { remotes: [ {url: "nats://h", deny_exports: 5} ] }
leaf { remotes: [ {url: "nats://h", deny_exports: []} ] }
leaf { remotes: [ {url: "nats://h", ws_compress: true, ws_no_masking: true} ] }
leaf { remotes: [ {url: "nats://h", js_cluster_migrate: true} ] }
leaf { remotes: [ {url: "nats://h", js_cluster_migrate: {leader_migrate_delay: "5s"}} ] }
leaf { remotes: [ {url: "nats://h", js_cluster_migrate: {nope: "5s"}} ] }
leaf { remotes: [ {url: "nats://h", js_cluster_migrate: 5} ] }
leaf { remotes: [ {url: "nats://h", compression: on, first_info_timeout: 5, dial_timeout: "5s", disabled: true} ] }
leaf { remotes: [ {url: "nats://h", isolate: true, request_isolation: true, hub: true, ignore_discovered_servers: true, no_randomize: true} ] }
leaf { remotes: [ {url: "nats://h", proxy: { url: "ftp://p:1" }} ] }
leaf { remotes: [ {url: "nats://h", tls {}} ] }
leaf { remotes: [ {url: "tls://h"} ] }
leaf { remotes: [ {url: "nats://h", tls {insecure: true, verify: true, timeout: 5}} ] }
leaf { remotes: [ {url: "nats://h", tls {cert_file: none, key_file: none}} ] }
leaf { remotes: [ {url: "nats://h", nope: 1} ] }
"""

CONFIGS = [line for line in GRAMMAR.strip().splitlines() if line]


@pytest.mark.parametrize("text", CONFIGS)
def test_what_is_accepted(text, both):  # noqa: F811
    # spec: CFG-017 CFG-059 CFG-084 CFG-103 CFG-104 CFG-131 CFG-138 CFG-146 CFG-147 CFG-148 CFG-149 CFG-150 CFG-151
    # spec: CFG-152 CFG-153 CFG-154 CFG-155 CFG-156 CFG-157 CFG-158 CFG-159 CFG-160 CFG-161 CFG-162 CFG-163 CFG-165
    # spec: CFG-166 CFG-168 CFG-169 CFG-170 CFG-172 CFG-173 CFG-216 CFG-221 CFG-286 CFG-318 CFG-331 CFG-339 CFG-343
    # spec: CFG-347 CFG-355 CFG-358 CFG-361 NEW-006 NEW-020 NEW-027 NEW-030
    agree(text, both)


# What the reference takes at first, to fail when it starts or to try in vain for ever: refused with the place.
STRICTER = {
    'cluster { port: 1, routes: [ "localhost:6222" ] }': r"test\.conf:1:30: .*it has no host",
    'cluster { port: 1, routes: [ "h" ] }': r"test\.conf:1:30: .*it has no host",
    'cluster { port: 1, routes: [ "nats://h:70000" ] }': r"test\.conf:1:30: .*its port is above 65535",
    'cluster { port: 1, routes: [ "nats://::1:1" ] }': r"test\.conf:1:30: .*IPv6 address in brackets",
    "cluster { port: 1, pool_size: 100000000000 }": r"test\.conf:1:19: pool_size value is too big",
    "cluster { port: 1, compression: zip }": r'test\.conf:1:19: unsupported compression mode "zip"',
    'cluster { port: 1, compression: { mode: s2_auto, rtts: ["10ms", "5ms"] } }': (
        r"test\.conf:1:49: RTT threshold values \[10ms 5ms\] should be in ascending order"
    ),
    "cluster { port: 1, ping_max: -3 }": r"test\.conf:1:19: ping_max value can not be negative",
    "leaf { port: 1, compression: zip }": r'test\.conf:1:16: unsupported compression mode "zip"',
    "leaf { remotes: [ {account: A} ] }": r"test\.conf:1:18: the remote leafnode has no url",
    'leaf { remotes: [ {url: "nats://h"}, {url: "nats://h:7422"} ] }': r"test\.conf:1:37: duplicate remote",
    'leaf { remotes: [ {url: "nats://h", creds: c} ] }': r'test\.conf:1:36: "credentials" is not supported',
    'leaf { remotes: [ {url: "ws://h"} ] }': r'test\.conf:1:19: .*"ws" is not supported',
    'leaf { remotes: [ {url: "nats://h", proxy: { url: "http://p:1" }} ] }': r'test\.conf:1:36: "proxy" is not supp',
}


@pytest.mark.martlet_only
@pytest.mark.parametrize("text", STRICTER)
def test_what_cannot_work_is_refused(text, binary, tmp_path):
    # spec: CFG-150 CFG-156 CFG-160 CFG-163 CFG-164 CFG-173 CFG-355
    (tmp_path / "test.conf").write_text(text + "\n")
    status, _, _, said = check(binary, tmp_path)
    assert status == 1
    assert re.search(STRICTER[text], said), said


# What does not go together is told at start only, in the same words.
START = {
    "gateway { port: -1 }": "gateway has no name",
    "gateway { name: a }": 'gateway "a" has no port specified (select -1 for random port)',
    "gateway { name: a, port: -1, gateways: [ {} ] }": "gateway in the list 0 has no name",
    "gateway { name: a, port: -1, gateways: [ {name: b} ] }": 'gateway "b" has no URL',
    "gateway { name: a, port: -1 }, cluster { name: b }": (
        "cluster name conflicts between cluster and gateway definitions"
    ),
    "gateway { name: a, port: -1 }, leaf { port: -1 }": (
        "leaf nodes and gateways (both being defined) require a system account to also be configured"
    ),
    "cluster { port: -1, accounts: [A, A] }": 'found duplicate account name "A" in pinned accounts list ["A" "A"',
    "cluster { port: -1, accounts: [A], pool_size: -1 }": (
        "pool_size cannot be negative if pinned accounts are specified"
    ),
    "cluster { port: -1, compression: zip }": 'unsupported compression mode "zip"',
    "cluster { port: -1, compression: s2_uncompressed }": 'unsupported compression mode "s2_uncompressed"',
    "leaf { port: -1, authorization { account: X } }": (
        'cannot find local account "X" specified in leafnode authorization'
    ),
    "leaf { port: -1, authorization { users: [ {user: a, account: X} ] } }": (
        'cannot find local account "X" specified in leafnode authorization'
    ),
    'leaf { remotes: [ {url: "nats://127.0.0.1:1", account: X} ] }': (
        'cannot find local account "X" specified in leafnode remote'
    ),
    'no_system_account: true, leaf { port: -1, authorization { account: "$SYS" } }': (
        'cannot find local account "$SYS" specified in leafnode authorization'
    ),
}


@pytest.mark.parametrize("text", START)
def test_what_keeps_a_server_from_starting(text, binary, tmp_path):
    # spec: CFG-146 CFG-156 CFG-157 CFG-163 CFG-165 CFG-166 CFG-167 CFG-169 CFG-318 CFG-321 CFG-330 CFG-340 CFG-356
    (tmp_path / "test.conf").write_text(text + "\n")
    done = run_to_end(binary, "-c", "test.conf", "-a", "127.0.0.1", "-p", "-1", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert START[text] in done.stderr
