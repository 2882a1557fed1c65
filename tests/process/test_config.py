"""Which configurations are accepted, and where a refusal points to; the reference is asked the same each time."""

from __future__ import annotations

import re

import pytest

from harness.server import run_to_end

# Every line is a configuration of its own; `|` stands for a line end.
GRAMMAR = r"""
port: 4222
port = 4222
port 4222
port:4222,debug:true
port: 4222; debug: true
{ port: 4222, debug: on }
{ "port": 4222, 'debug': false }
"port" = 4222
# comment|port: 4222 # another|// third|debug: true // fourth
server_name: "a b"
server_name: 'it'
server_name: "q\"u\\o\tte\x41"
server_name: "bad \q escape"
server_name: a/b-c.d:e@f
server_name: (|block|text|)
debug: TRUE|trace: No|logtime: OFF
debug: yes please
max_payload: 1k
max_payload: 1kb
max_payload: 1KiB
max_payload: 1Ki
max_payload: 2m
max_pending: 1g
max_pending: 1GB
max_pending: 1tb
max_payload: 1x
max_payload: 1.5
max_connections: 100,
ping_interval: "2m"
ping_interval: 2m
ping_interval: 2
ping_interval: "2"
ping_interval: "1h30m10s"
ping_interval: "fast"
write_deadline: 10s
server_tags: [a, b, "c"]
server_tags: [a|b|c|]
server_tags: [a, b,]
server_tags: a
server_tags: []
server_tags: [a b]
listen: 4222
listen: "127.0.0.1:4222"
listen: 127.0.0.1:4222
listen: "127.0.0.1"
listen: "[::1]:4222"
listen: true
authorization { user: a, password: b }
authorization: { user: a, password: b }
authorization {| user: a| password: b|}
authorization { user: a, password: b
authorization  user: a, password: b }
authorization { user: a, user: b, password: c }
authorization { token: a, user: b, password: c }
authorization { token: a, users: [ { user: b, password: c } ] }
authorization { users: [ { user: b, password: c }, { user: b, password: d } ] }
authorization { users: [ { password: c } ] }
authorization { users: [ { user: b } ] }
authorization { users: { user: b, password: c } }
authorization { users: [ { nkey: UCNGL4W5QX66CFX6A6DCBVDH5VOHMI7B2UZZU7TXAUQQSI2JPHULCKBR } ] }
authorization { users: [ { nkey: UCNGL } ] }
authorization { users: [ { nkey: UCNGL4W5QX66CFX6A6DCBVDH5VOHMI7B2UZZU7TXAUQQSI2JPHULCKBR, user: a } ] }
authorization { users: [ { user: b, pass: c, permissions: { publish: "a b" } } ] }
authorization { users: [ { user: b, pass: c, permissions: { subscribe: "a b" } } ] }
authorization { users: [ { user: b, pass: c, permissions: { subscribe: "a b c" } } ] }
authorization { users: [ { user: b, pass: c, permissions: { publish: { allow: [ a, b ], deny: c } } } ] }
authorization { users: [ { user: b, pass: c, permissions: { publish: { alow: [ a ] } } } ] }
authorization { users: [ { user: b, pass: c, permissions: { publish: "a..b" } } ] }
authorization { users: [ { user: b, pass: c, permissions: { allow_responses: { max: 5, ttl: "1m" } } } ] }
authorization { users: [ { user: b, pass: c, permissions: { allow_responses: { max: 5, ttl: 60 } } } ] }
authorization { users: [ { user: b, pass: c, permissions: { allow_responses: maybe } } ] }
authorization { users: [ { user: b, pass: c, connection_types: [ STANDARD, mqtt ] } ] }
authorization { users: [ { user: b, pass: c, connection_types: [ NONSENSE ] } ] }
authorization { timeout: 5, user: a, password: b }
authorization { timeout: "5s", user: a, password: b }
authorization { timeout: 0.5, user: a, password: b }
authorization { timeout: 500, user: a, password: b }
authorization { nonsense: 5 }
PW = secret|authorization { user: a, password: $PW }
authorization { user: a, password: $NOT_THERE_AT_ALL }
A = $B|B = $A|port: $A
PW = outer|authorization { PW = inner, user: a, password: $PW }
authorization { user: a, password: $2a$04$uNoSsjEA6OnjO5MpsmGOzemY2A2t2/AIju6/pkfQsP4kapuoF/qVq }
authorization { user: a, password: $2b$04$uNoSsjEA6OnjO5MpsmGOzemY2A2t2/AIju6/pkfQsP4kapuoF/qVq }
foo: 1
foo: 1|bar: 2
FOO = 1
foo = 1|max_payload: $foo
accounts { A: {}, B: {} }
accounts { A, B }
accounts: [ A, B ]
accounts { $G: {} }
accounts { A { users: [ { user: a, password: b } ], nonsense: 1 } }
accounts { A { exports: [ { stream: "a.>" } ] }, B { imports: [ { stream: { account: A, subject: "a.b" } } ] } }
accounts { A { exports: [ { stream: "a.>" } ] }, B { imports: [ { stream: { account: A, subject: "z" } } ] } }
accounts { A { exports: [ { stream: "a.>" } ] }, B { imports: [ { stream: { account: C, subject: "a" } } ] } }
accounts { A { exports: [ { stream: "a.>", accounts: [ Z ] } ] } }
accounts { A { exports: [ { stream: "a", service: "b" } ] } }
accounts { A { exports: [ { service: "a", response_type: stream } ] } }
accounts { A { exports: [ { service: "a", response_type: many } ] } }
accounts { A { exports: [ { stream: "a", response_type: stream } ] } }
accounts { A { exports: [ { service: "a", threshold: "1s", response_type: stream } ] } }
accounts { A { exports: [ { service: "a.*", account_token_position: 2 } ] } }
accounts { A { exports: [ { service: "a.*", account_token_position: 1 } ] } }
accounts { A { exports: [ { service: "a", latency: { sampling: 50%, subject: lat } } ] } }
accounts { A { exports: [ { service: "a", latency: { sampling: 500%, subject: lat } } ] } }
accounts { A { exports: [ { service: "a" } ] }, B { imports: [ { service: { account: A, subject: a }, to: b }, { service: { account: A, subject: a }, to: b } ] } }
accounts { A { exports: [ { stream: "a.*" } ] }, B { imports: [ { stream: { account: A, subject: "a.*" }, to: "b.$1" } ] } }
accounts { A { exports: [ { stream: "a.*" } ] }, B { imports: [ { stream: { account: A, subject: "a.*" }, to: "b.$2" } ] } }
accounts { A { exports: [ { stream: "a.*" } ] }, B { imports: [ { stream: { account: A, subject: "a.*" }, to: b, prefix: c } ] } }
accounts { A { limits: { max_connections: 5, max_subs: 5, max_payload: 1k, max_leafs: 1 } } }
accounts { A { limits: { nonsense: 5 } } }
accounts { A { mappings: { a: b } } }
accounts { A { msg_trace: { dest: t, sampling: 50 } } }
accounts { A { msg_trace: { sampling: 50 } } }
accounts { A { users: [ { user: a, password: a } ] }, B { users: [ { user: a, password: b } ] } }
mappings: { a: b, "c.*": "d.$1" }
mappings: { "c.*": "d.$2" }
mappings: { "c.*": "d" }
mappings: { "c.*": "d.{{nonsense(1)}}" }
mappings: { "c.*": "d.{{partition(5,1)}}" }
mappings: { "c.*": "d.{{partition(5,2)}}" }
mappings: { "c.*": "d.{{wildcard()}}" }
mappings: { "c.*": "d.{{splitfromleft(1)}}" }
mappings: { "c.*": "d.{{wildcard(1,2)}}" }
mappings: { "c.*": "d.{{split(1,.)}}" }
mappings: { "c.>": "d" }
mappings: { "c": "d.>" }
mappings: { "c": "d.*" }
mappings: { "a..b": "d" }
mappings: { a: [ { destination: b, weight: 50% }, { destination: c, weight: 50 } ] }
mappings: { a: [ { destination: b, weight: 60% }, { destination: c, weight: 50 } ] }
mappings: { a: [ { destination: b, weight: 50% }, { destination: b, weight: 20 } ] }
mappings: { a: [ { destination: b } ] }
mappings: { a: [ { destination: b, weight: 5, cluster: x } ] }
tls { cert_file: "a" }
tls { key_file: "a" }
tls { nonsense: 1 }
tls { cipher_suites: [] }
tls { cipher_suites: [ "NOPE" ] }
tls { curve_preferences: [ "NOPE" ] }
tls { min_version: "1.1" }
tls { pinned_certs: [ "abc" ] }
http: 8222
http: "localhost:8222"
http_port: 8222|https_port: 8223
monitor_port: -1
http_base_path: monitoring
lame_duck_duration: "10s"
lame_duck_duration: "30s"
lame_duck_duration: 30
lame_duck_duration: "60s"|lame_duck_grace_period: "70s"
lame_duck_grace_period: "-1s"
max_sub_tokens: 300
max_sub_tokens: 16
max_control_line: 4kb
max_traced_msg_len: 100
server_metadata: { a: b, c: d }
server_metadata: { a: 1 }
server_metadata: [ a ]
write_timeout: close
write_timeout: retry
write_timeout: default
write_timeout: maybe
no_auth_user: nobody
system_account: SYS|accounts { SYS: {} }
no_system_account: true
connect_error_reports: 5|reconnect_error_reports: 5
disable_sublist_cache: true
prof_port: 0
logfile: "x.log"|logfile_size_limit: 100mb|logfile_max_num: 3
syslog: false|remote_syslog: "udp://localhost:514"
pid_file: "x"|ports_file_dir: "/tmp"
proxy_protocol: true
host: "127.0.0.1"|port: -1
net: 127.0.0.1
host: 5
monitor_port: 8222|http_base_path: /a
https_port: -1
trace_verbose: true|trace_headers: true|logtime: false
disable_sublist_cache: false|no_sublist_cache: true
no_header_support: true
prof_block_rate: 5
max_conn: 5|max_subs: 5|max_subscription_tokens: 5
log_file: "x"|log_size_limit: 5|log_max_num: 5
no_sys_acc: true
accounts {A{users: []}}
accounts { A { default_permissions: { publish: a } , users: [ { user: a, pass: b } ] } }
accounts { A { users: [ { user: a, pass: b } ] } }|authorization { user: x, password: y }
accounts { A { users: [ { user: a, pass: b } ] } }|authorization { token: y }
accounts { A { users: [ { user: a, pass: b } ] } }|no_auth_user: a
accounts { A { nkey: ABC } }
authorization { users: [ { user: b, pass: c, permission: { pub: a, sub: b } } ] }
authorization { users: [ { user: b, pass: c, authorization: { import: a, export: b } } ] }
authorization { users: [ { user: b, pass: c, proxy_required: true } ] }
authorization { users: [ { user: b, pass: c, permissions: { sub: "a >" } } ] }
authorization { users: [ { user: b, pass: c, permissions: { sub: "a b..c" } } ] }
authorization { users: [ { user: b, pass: c, permissions: { pub: 5 } } ] }
authorization { users: [ { user: b, pass: c, permissions: [ a ] } ] }
authorization { default_permissions: { publish: a }, users: [ { user: b, pass: c } ] }
proxies { trusted: [ { key: UCNGL4W5QX66CFX6A6DCBVDH5VOHMI7B2UZZU7TXAUQQSI2JPHULCKBR } ] }
proxies { trusted: [ { key: nonsense } ] }
tls { certs: [] }
tls { verify_cert_and_check_known_urls: true }
tls { handshake_first: maybe }
tls { timeout: "2s" }
tls { verify: 5 }
write_timeout: 5
connect_error_reports: x
max_sub_tokens: 0
lame_duck_grace_period: 10
feature_flags: { a: 1 }
feature_flags: { a: true, b: false }
server_name: ""
client_advertise: "no port here:x"
allow_non_tls: true
include "missing.conf"
include 'other.inc'
include other.inc|port: 1
authorization { include 'users.inc' }
max_closed_clients: 5
port: 4222|}
port: 4222|]
port
: 5
port: [
port: "unclosed
port: 'unclosed
server_name: (|never closed
port: {}|debug: []
date: 2026-01-02T03:04:05Z
float: 1.5
port: 99999999999999999999
port: 0x10
"""

ASKED = 40
CONFIGS = [line for line in GRAMMAR.strip().splitlines() if line]
FILES = {"other.inc": "debug: true\n", "users.inc": "user: a\npassword: b\n"}
UNKNOWN = re.compile(r'\w+\.(?:conf|inc):\d+:\d+: unknown field "[^"]*"|Parse error on line \d+')


def check(binary, directory):
    """The answer of `-t`: exit status, digest, and the places of unknown fields and of what cannot be read.

    Other refusals of the reference often point to the start of the file; a server may know better.
    """
    done = run_to_end(binary, "-t", "-c", "test.conf", cwd=directory)
    digest = re.search(r"sha256:[0-9a-f]{64}", done.stderr)
    return done.returncode, digest and digest[0], tuple(sorted(UNKNOWN.findall(done.stderr))), done.stderr


@pytest.fixture
def both(binary, reference, tmp_path):
    """Asks both servers about a configuration."""

    def ask(text: str):
        (tmp_path / "test.conf").write_text(text)
        for name, content in FILES.items():
            (tmp_path / name).write_text(content)
        return check(binary, tmp_path), check(reference, tmp_path)

    return ask


def agree(text, both):
    """Fails unless both servers say the same of a configuration.

    Some answers of the reference depend on the order in which it meets the keys: any of its answers will do.
    """
    mine, theirs = [], []
    for _ in range(ASKED):
        for answers, answer in zip((mine, theirs), both(text.replace("|", "\n") + "\n"), strict=True):
            answers.append(answer)
        if {answer[:3] for answer in mine} & {answer[:3] for answer in theirs}:
            return
    pytest.fail(f"{mine[0][3]}\nthe reference:\n{theirs[0][3]}", pytrace=False)


@pytest.mark.parametrize("text", CONFIGS)
def test_what_is_accepted(text, both):
    # spec: CFG-001 CFG-003 CFG-004 CFG-005 CFG-008 CFG-009 CFG-010 CFG-011 CFG-012 CFG-013 CFG-014 CFG-016
    # spec: CORE-170 CORE-171 CORE-172 CORE-173 CORE-174 CORE-175 CORE-176 CORE-177 CORE-178 CORE-179 CORE-180
    # spec: CORE-181 CORE-182 CORE-183 CORE-184 CORE-112 CORE-124 CFG-097 CFG-099 CFG-110 CFG-112 CFG-113 CFG-127
    # spec: CFG-006 CFG-007 CFG-023 CFG-024 CFG-025 CFG-030 CFG-037 CFG-038 CFG-043 CFG-044 CFG-045 CFG-059 CFG-062
    # spec: CFG-063 CFG-067 CFG-068 CFG-070 CFG-071 CFG-074 CFG-098 CFG-107 CFG-109 CFG-111 CFG-120 CFG-130
    # spec: CFG-134 CFG-135 CFG-138 CORE-105 CLI-013 CLI-014 SEC-003
    # spec: CFG-096 CFG-106 CFG-108 CFG-114 CFG-117 CFG-118 CFG-119 CFG-121 CFG-122 CFG-125 CFG-126 CFG-128 CFG-141
    agree(text, both)


# Values without a meaning that the reference takes without a word: refused on purpose, with the place.
STRICTER = {
    "max_payload: -5": r"test\.conf:1:0: .*max_payload",
    "reconnect_error_reports: -1": r"test\.conf:1:0: .*reconnect_error_reports",
    "mappings: { a: [ { weight: 5 } ] }": r"test\.conf:1:\d+: .*destination",
}


@pytest.mark.martlet_only
@pytest.mark.parametrize("text", STRICTER)
def test_what_has_no_meaning_is_refused(text, binary, tmp_path):
    # spec: CFG-052 CFG-068 CFG-128
    (tmp_path / "test.conf").write_text(text + "\n")
    status, _, _, said = check(binary, tmp_path)
    assert status == 1
    assert re.search(STRICTER[text], said), said


def test_every_fault_is_listed(binary, tmp_path):
    # spec: CFG-003 CORE-145
    (tmp_path / "test.conf").write_text('foo: 1\nmax_payload: 5\nbar { a: 1 }\nauthorization { nonsense: 1 }\n')
    status, _, _, text = check(binary, tmp_path)
    assert status == 1
    for place, name in (("1:0", "foo"), ("3:1", "bar"), ("4:17", "nonsense")):
        assert f'test.conf:{place}: unknown field "{name}"' in text


START = {
    "max_payload above max_pending": "max_payload: 100\nmax_pending: 10\n",
    "http and https": 'http: "127.0.0.1:-1"\nhttps: "127.0.0.1:-1"\n',
    "no_auth_user that is nobody": "no_auth_user: nobody\n",
    "short lame duck": 'lame_duck_duration: "10s"\n',
    "grace above the duration": 'lame_duck_duration: "60s"\nlame_duck_grace_period: "70s"\n',
    "unknown field": "foo: 1\n",
    "weights above a hundred": "mappings: { a: [ { dest: b, weight: 60 }, { dest: c, weight: 60 } ] }\n",
    "a cycle of service imports": """accounts {
      A { exports: [ { service: a } ], imports: [ { service: { account: B, subject: a } } ] }
      B { exports: [ { service: a } ], imports: [ { service: { account: A, subject: a } } ] }
    }\n""",
    "an import of a private export": """accounts {
      A { exports: [ { stream: s, accounts: [ B ] } ] }, B {}
      C { imports: [ { stream: { account: A, subject: s } } ] }
    }\n""",
    "a missing certificate": 'tls { cert_file: "none.pem", key_file: "none.key" }\n',
}


@pytest.mark.parametrize("kind", START)
def test_what_keeps_a_server_from_starting(kind, binary, tmp_path):
    # spec: CFG-004 CFG-093 CFG-094 CFG-060 CFG-061 CORE-145 CORE-112 SEC-048 SEC-051 CFG-075
    (tmp_path / "test.conf").write_text(START[kind])
    done = run_to_end(binary, "-c", "test.conf", "-a", "127.0.0.1", "-p", "-1", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stderr.strip()


def test_warnings_do_not_keep_a_server_from_starting(start):
    # spec: CFG-002 CFG-010
    server = start("ping_interval: 30\n")
    assert re.search(r"ping_interval should be converted to a duration", server.log())


def test_an_empty_file_does(start):
    # spec: CFG-001
    server = start("")
    server.connect().handshake()
    assert re.search(r"config has no values or is empty", server.log())


def test_includes_and_variables_from_the_environment(start, tmp_path):
    # spec: CORE-179 CORE-182 CORE-181
    (tmp_path / "server0").mkdir()
    (tmp_path / "server0" / "inc").mkdir()
    (tmp_path / "server0" / "inc" / "auth.conf").write_text("WHO = me\nuser: $WHO\npassword: $PASS\ninclude 'more.conf'\n")
    (tmp_path / "server0" / "inc" / "more.conf").write_text("timeout: 3\n")
    server = start("authorization { include 'inc/auth.conf' }\n", env={"PASS": '"a b"'})
    server.connect().handshake(user="me", **{"pass": "a b"})
