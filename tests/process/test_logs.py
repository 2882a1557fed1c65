"""What the log says, in which form, and how its files turn over."""

from __future__ import annotations

import re

import pytest

from harness.server import wait_for


def test_times_can_be_left_out_or_be_in_utc(start):
    # spec: CORE-163 CFG-032 CFG-033
    without = start("", flags=["-T=false"])
    assert re.search(rf"^\[{without.process.pid}\] \[INF\] Server is ready$", without.log(), re.MULTILINE)
    utc = start("logtime_utc: true\n", env={"TZ": "Asia/Tokyo"})
    assert re.search(r"^\[\d+\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} \[INF\] Server is ready$", utc.log(), re.MULTILINE)


def test_no_colours_in_a_file(start):
    # spec: CORE-163
    assert "\x1b[" not in start("").log()


def test_the_name_of_a_client(start):
    # spec: CORE-138 CORE-163 CFG-028
    server = start("debug: true\n")
    server.connect().handshake(name="me", lang="python", version="1.2").close()
    server.wait_log(r'\[DBG\] 127\.0\.0\.1:\d+ - cid:\d+ - "v1\.2:python:me" - .*Client connection closed: Client Closed')
    server.wait_log(r"\[DBG\] 127\.0\.0\.1:\d+ - cid:\d+ - Client connection created")


def test_traces(start):
    # spec: CORE-166 CORE-139 CFG-029 CLI-007 NEW-017
    server = start("trace: true\n")
    link = server.connect()
    link.handshake(user="u", auth_token="secret-token", sig="secret-sig", **{"pass": "secret-pass"})
    link.send("SUB foo q 1")
    link.publish("foo", b"hello", "re.ply")
    link.send("UNSUB 1 5")
    link.send("UNSUB 1")
    link.fence()
    for line in (
        r"\[TRC\] 127\.0\.0\.1:\d+ - cid:\d+ - .*<<- \[CONNECT \{.*\}\]",
        r"<<- \[PING\]",
        r"->> \[PONG\]",
        r"<<- \[SUB foo q 1\]",
        r"<<- \[PUB foo re\.ply 5\]",
        r'<<- MSG_PAYLOAD: \["hello"\]',
        r"->> \[MSG foo 1 re\.ply 5\]",
        r"<<- \[UNSUB 1 5\]",
        r"<<- \[UNSUB 1 ?\]",
    ):
        server.wait_log(line)
    assert "secret" not in server.log()
    assert re.search(r'"pass": ?"\[REDACTED\]"', server.log())


def test_long_messages_are_cut_in_traces(start):
    # spec: CORE-166 CFG-054
    server = start("trace: true\nmax_traced_msg_len: 3\n")
    link = server.connect().handshake()
    link.publish("foo", b"hello")
    link.fence()
    server.wait_log(r'MSG_PAYLOAD: \["hel\.\.\."\]')


def test_only_headers_are_traced(start):
    # spec: CORE-166 CFG-031 NEW-021
    server = start("trace_headers: true\n")
    link = server.connect().handshake(headers=True)
    link.send_raw(b"HPUB foo 18 23\r\nNATS/1.0\r\nA: b\r\n\r\nhello\r\n")
    link.fence()
    server.wait_log(r"MSG_PAYLOAD: .*A: b")
    assert "hello" not in server.log()


def test_a_mapping_is_traced(start):
    # spec: CORE-110
    server = start("trace: true\nmappings: { foo: bar }\n")
    link = server.connect().handshake()
    link.publish("foo")
    link.fence()
    server.wait_log(r"<<- \[MAPPING foo -> bar\]")


@pytest.mark.parametrize("verbose", [True, False])
def test_what_the_server_publishes_is_traced_if_asked(verbose, start):
    # spec: CORE-166 CFG-030
    server = start(f"""{"trace_verbose" if verbose else "trace"}: true
      system_account: SYS
      accounts {{ SYS {{ users: [ {{ user: sys, password: p }} ] }}, A {{ users: [ {{ user: a, password: p }} ] }} }}
    """)
    system = server.connect().handshake(user="sys", **{"pass": "p"})
    system.send("SUB $SYS.ACCOUNT.A.CONNECT 1")
    system.fence()
    server.connect().handshake(user="a", **{"pass": "p"}).fence()
    server.wait_log(r"->> \[MSG \$SYS\.ACCOUNT\.A\.CONNECT 1 +\d+\]")
    assert bool(re.search(r"SYSTEM - <<- \[PUB \$SYS\.ACCOUNT\.A\.CONNECT +\d+\]", server.log())) == verbose


def test_what_is_no_operation_is_logged(start):
    # spec: CORE-070 CORE-163
    server = start()
    link = server.connect().handshake()
    link.send("FOO bar")
    link.until_closed()
    server.wait_log(r"\[ERR\] 127\.0\.0\.1:\d+ - cid:\d+ .*Client parser ERROR.*FOO")


def test_authentication_errors(start):
    # spec: SEC-006
    server = start("authorization { user: a, password: b }\n")
    link = server.connect()
    link.send_connect(user="a", **{"pass": "x"})
    link.until_closed()
    server.wait_log(r'\[ERR\] 127\.0\.0\.1:\d+ - cid:\d+ .*authentication error - User "a"')


@pytest.mark.parametrize("password", ["plain", "$2a$04$uNoSsjEA6OnjO5MpsmGOzemY2A2t2/AIju6/pkfQsP4kapuoF/qVq"])
def test_plain_passwords_are_warned_of(password, start):
    # spec: SEC-002
    server = start(f'authorization {{ user: a, password: "{password}" }}\n')
    assert ("Plaintext passwords detected" in server.log()) == (password == "plain")


def test_a_log_file_and_its_mode(start):
    # spec: CORE-160 CFG-034
    server = start('logfile: "$DIR/own.log"\n')
    own = server.directory / "own.log"
    wait_for("the log file", lambda: own.exists() and "Server is ready" in own.read_text())
    assert own.stat().st_mode & 0o777 == 0o640
    assert "Server is ready" not in server.log()


def test_rotation(start):
    # spec: CORE-164 CFG-035 CFG-036
    server = start('logfile: "$DIR/own.log"\nlogfile_size_limit: 2000\nlogfile_max_num: 3\ntrace: true\n')
    own = server.directory / "own.log"
    link = server.connect().handshake()
    for _ in range(200):
        link.publish("foo", b"x" * 50)
    link.fence()

    def kept():
        return [path for path in server.directory.glob("own.log.*")]

    wait_for("rotated files", lambda: kept() and "Rotated log, backup saved as" in own.read_text())
    assert own.stat().st_size < 4000
    assert len(kept()) <= 3
    for path in kept():
        assert re.fullmatch(r"own\.log\.\d{4}\.\d\d\.\d\d\.\d\d\.\d\d\.\d\d\.\d{9}", path.name)


def test_what_the_start_says(start):
    # spec: CORE-167 CLI-006 CFG-009
    server = start("server_name: here\n", monitor=True)
    log = server.log()
    assert re.search(r"Name: +here", log)
    assert re.search(r"ID: +N[A-Z2-7]{55}", log)
    assert re.search(r"Using configuration file: .*server\.conf \(sha256:[0-9a-f]{64}\)", log)
    assert re.search(r"Starting http monitor on 127\.0\.0\.1:\d+", log)
    assert log.index("Listening for client connections on 127.0.0.1:") < log.index("Server is ready")


def test_feature_flags(start):
    # spec: CFG-071 CORE-168
    server = start("feature_flags: { js_ack_fc_v2: true, nonsense: true }\n")
    server.wait_log(r"(?s)js_ack_fc_v2.*nonsense|nonsense.*js_ack_fc_v2")


def test_clients_that_are_refused_something_are_told_of(start):
    # spec: CORE-035 CORE-036 CORE-038 CORE-013 CORE-077
    only_a = "{ user: u, password: p, permissions: { publish: a, subscribe: a } }"
    server = start(f"max_control_line: 300\nauthorization {{ users: [ {only_a} ] }}\n")
    link = server.connect().handshake(user="u", **{"pass": "p"})
    for line in ("SUB b 1", "SUB b q 2", "PUB b 0", ""):
        link.send(line)
    for line in (
        r'Subscription Violation - Subject "b", SID 1',
        r'Subscription Violation - Subject "b", Queue: "q", SID 2',
        r'Publish Violation - Subject "b"',
    ):
        server.wait_log(rf'\[ERR\] 127\.0\.0\.1:\d+ - cid:\d+ - .*{line}\n')
    for said, line in (
        (b'CONNECT {"user":"u","pass":"p","protocol":7}', "invalid client protocol"),
        (b'CONNECT {"user":"u","pass":"p","no_responders":true}', "no responders requires headers support"),
        (b'CONNECT {"user":"u","pass":"wrong"}', 'authentication error - User "u"'),
        (b"PUB " + b"a" * 400, "maximum control line exceeded"),
    ):
        other = server.connect()
        if said.startswith(b"PUB"):
            other.handshake(user="u", **{"pass": "p"})
        other.send_raw(said + b"\r\n")
        server.wait_log(rf"\[ERR\] 127\.0\.0\.1:\d+ - cid:\d+ - .*{line}")


def test_servers_that_are_not_reached_are_told_of_now_and_then(start):
    # spec: CFG-067
    server = start('connect_error_reports: 2\ncluster { name: c, listen: "127.0.0.1:-1", routes: [ "nats://127.0.0.1:1" ] }\n')
    server.wait_log(r"\[ERR\] Error trying to connect to route \(attempt 4\): dial tcp 127\.0\.0\.1:1: connect: connection refused")
    told = set(re.findall(r"\[ERR\] Error trying to connect to route \(attempt (\d+)\)", server.log()))
    assert told == {"1", "2", "4"}
