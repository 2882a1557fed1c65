"""What a reload takes over, what it refuses, and that a refusal leaves everything as it was."""

from __future__ import annotations

import re

import pytest

from harness.server import wait_for

BASE = "server_name: here\n"

TAKEN = {
    "max_payload: 1000": r"Reloaded: max_payload = 1000",
    "debug: true": r"Reloaded: debug = true",
    'ping_interval: "1m"': r"Reloaded: ping_interval = 1m0s",
    "ping_max: 3": r"Reloaded: ping_max = 3",
    'write_deadline: "1s"': r"Reloaded: write_deadline = 1s",
    "max_connections: 10": r"Reloaded: max_connections = 10",
    "max_control_line: 100": r"Reloaded: max_control_line = 100",
    "max_traced_msg_len: 5": r"Reloaded: max_traced_msg_len = 5",
    "trace: true": r"Reloaded: trace = true",
    'client_advertise: "x:1"': r"Reload(ed)?: client_advertise = x:1",
    "server_tags: [a, b]": r"Reloaded: tags",
    "authorization { user: a, password: b }": r"Reloaded: authorization users",
    "accounts { A { users: [ { user: a, password: b } ] } }": r"Reloaded: accounts",
    'pid_file: "$DIR/pid"': r"Reloaded: pid_file = .*/pid",
    "no_fast_producer_stall: true": r"Reloaded: fast producers will not be stalled",
    "port: 4999": r"",
}


@pytest.mark.parametrize("line", TAKEN)
def test_taken_over(line, start):
    # spec: CFG-019 CFG-021 CFG-028 CFG-029 CFG-039 CFG-048 CFG-051 CFG-052 CFG-054 CFG-056 CFG-057 CFG-058 CFG-064
    # spec: CFG-069 CFG-078 CFG-079 CORE-140
    server = start(BASE)
    mark = server.log_size()
    server.reload(f"{BASE}{line}\n", expect=r"Reloaded server configuration \(sha256:[0-9a-f]{64}\)")
    said = server.log()[mark:]
    assert re.search(r'Trapped "hangup" signal', said)
    assert re.search(TAKEN[line], said), said


REFUSED = {
    "max_pending: 1000000000": r"config reload not supported for MaxPending: old=67108864, new=1000000000",
    "max_subscriptions: 5": r"config reload not supported for MaxSubs: old=0, new=5",
    'lame_duck_duration: "60s"': r"config reload not supported for LameDuckDuration: old=2m0s, new=1m0s",
    "system_account: X": r"config reload not supported for SystemAccount",
    "foo: 1": r'server\.conf:2:1: unknown field "foo"',
    'max_payload: "x': r"Parse error on line 3",
    "max_payload: 100\nmax_pending: 10": r"max_payload \(100\) cannot be higher than max_pending \(10\)",
    "no_auth_user: nobody": r"no_auth_user",
    'tls { cert_file: "/none.pem", key_file: "/none.key" }': r"none\.pem",
}


@pytest.mark.parametrize("line", REFUSED)
def test_refused(line, start):
    # spec: CFG-020 CFG-049 CFG-053 CFG-060 CFG-073 CFG-093 CFG-469 CFG-470
    server = start(BASE, monitor=True)
    before = server.get_json("/varz")
    link = server.connect().handshake()
    mark = server.log_size()
    server.reload(f"{BASE}{line}\n", expect=r"\[ERR\] Failed to reload server configuration: ")
    assert re.search(REFUSED[line], server.log()[mark:]), server.log()[mark:]
    assert link.fence() == []
    after = server.get_json("/varz")
    for name in ("max_payload", "max_pending", "config_load_time", "config_digest", "max_subscriptions"):
        assert before.get(name) == after.get(name)


def test_another_name_is_refused(start):
    # spec: CFG-027 CFG-020
    server = start("server_name: here\n")
    server.reload("server_name: there\n", expect="Failed to reload server configuration: .*ServerName: old=here, new=there")


def test_the_load_time_and_digest_change(start):
    # spec: CFG-009 CFG-021
    server = start(BASE, monitor=True)
    before = server.get_json("/varz")
    server.reload(BASE + "max_payload: 5\n")
    after = server.get_json("/varz")
    assert after["config_load_time"] > before["config_load_time"]
    assert after["config_digest"] != before["config_digest"]
    assert after["max_payload"] == 5


def test_fewer_connections_close_those_that_are_too_many(start):
    # spec: CFG-048
    server = start("max_connections: 3\n")
    links = [server.connect().handshake() for _ in range(3)]
    server.reload("max_connections: 2\n")

    def closed():
        return [link for link in links if is_closed(link)]

    assert len(wait_for("one connection to be closed", closed)) == 1


def is_closed(link) -> bool:
    try:
        link.fence()
    except (AssertionError, OSError):
        return True
    return False


def test_the_log_moves_to_a_file(start):
    # spec: CFG-034
    server = start(BASE)
    server.reload(BASE + 'logfile: "$DIR/own.log"\n', expect=r"Reloaded: log_file = .*own\.log")
    own = server.directory / "own.log"
    wait_for("lines in the new file", lambda: own.exists() and "Reloaded server configuration" in own.read_text())
