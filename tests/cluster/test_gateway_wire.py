"""The gateway protocol, line by line: the server under test is in cluster EAST, the test is a server of WEST."""

from __future__ import annotations

import base64
import re

import pytest

from cluster.alone import Alone, ours, refused
from harness.peer import Peer, body_of, lines_until, say
from harness.server import wait_for
from harness.topology import free_port
from harness.wire import Connection

GATEWAY = (
    'gateway {{ name: EAST, listen: "127.0.0.1:@PORT@", connect_retries: 1000 {extra}\n'
    '  gateways: [ {{ name: WEST, url: "nats://u:p@127.0.0.1:{port}" }} ] }}\n'
)
START, COMPLETE = 2, 3


@pytest.fixture
def peer():
    with Peer("w1", "WEST") as found:
        yield found


@pytest.fixture
def alone(start, listener):
    return Alone(start, GATEWAY.format(port=listener.port, extra=""))


def payload(account: str) -> str:
    return base64.b64encode(account.encode()).decode()


def inbound(alone, peer, listener, accounts=("A", "B", "SYS", "$G"), **info) -> tuple[Connection, list[bytes]]:
    """The peer's way to the server, and what the server said up to the last word on each of these accounts."""
    link = peer.dial(alone.port)
    say(link, "CONNECT", peer.gateway_connect())
    say(link, "INFO", peer.gateway_info(listener.port, **info))
    missing, lines = {payload(account) for account in accounts}, []
    while missing:
        lines.append(link.line())
        if lines[-1].startswith(b"INFO ") and body_of(lines[-1]).get("gateway_cmd") == COMPLETE:
            missing.discard(body_of(lines[-1])["gateway_cmd_payload"])
    return link, [line for line in lines if line != b"PING"]


def outbound(alone, peer, listener) -> Connection:
    """The server's way to the peer, known by both."""
    link = listener.accept()
    peer.links.append(link)
    say(link, "INFO", peer.gateway_info(listener.port))
    lines_until(link, b"INFO ")
    alone.server.wait_log(r'Outbound gateway connection to "WEST" \(.*\) registered')
    return link


def interest_only(link: Connection, account: str, *lines: str) -> None:
    """Says what the peer's cluster is interested in, as a server does."""
    body = {"gateway": "WEST", "gateway_cmd_payload": payload(account)}
    say(link, "INFO", {**body, "gateway_cmd": START})
    for line in lines:
        link.send(line)
    say(link, "INFO", {**body, "gateway_cmd": COMPLETE})
    link.fence()


# --- handshake ----------------------------------------------------------------------------------


def test_the_accepting_side_speaks_first(alone, peer):
    # spec: CLU-040 CLU-049 CLU-198
    link = peer.dial(alone.port)
    info = dict(link.info)
    info.pop("version")
    assert info == {
        "server_id": alone.id,
        "server_name": "here",
        "proto": 3,
        "go": "",
        "host": "127.0.0.1",
        "port": alone.port,
        "headers": True,
        "max_payload": 1048576,
        "gateway": "EAST",
        "gateway_urls": [f"127.0.0.1:{alone.port}"],
        "gateway_url": f"127.0.0.1:{alone.port}",
        "gateway_nrp": True,
        "gateway_iom": True,
    }


def test_the_dialling_side_waits_for_info(alone, peer, listener):
    # spec: CLU-041 CLU-043 CLU-198
    link = listener.accept()
    peer.links.append(link)
    say(link, "INFO", peer.gateway_info(listener.port))
    assert body_of(link.line()) == {
        "echo": False,
        "verbose": False,
        "pedantic": False,
        "user": "u",
        "pass": "p",
        "tls_required": False,
        "headers": False,
        "name": alone.id,
        "cluster": "",
        "gateway": "EAST",
    }
    line = link.line()
    assert line.endswith(b"}")
    info = body_of(line)
    assert info["gateway_urls"] == [f"127.0.0.1:{alone.port}"]
    assert (info["server_id"], info["gateway"]) == (alone.id, "EAST")
    assert (info["gateway_nrp"], info["gateway_iom"]) == (True, True)
    wait_for("it to be listed", lambda: alone.server.get_json("/gatewayz")["outbound_gateways"])
    gateway = alone.server.get_json("/gatewayz")["outbound_gateways"]["WEST"]
    assert gateway["configured"] is True
    assert gateway["connection"]["name"] == peer.id


def test_what_an_inbound_gateway_is_told_first(alone, peer, listener):
    # spec: CLU-042 CLU-044 CLU-199 CLU-200
    clients = alone.client(), alone.client("b")
    for client in clients:
        client.send_raw(b"SUB plain 1\r\nSUB plain 2\r\nSUB qq grp 3\r\nSUB qq grp 4\r\n")
        client.fence()
    _, lines = inbound(alone, peer, listener)
    commands = [body_of(line) for line in lines if line.startswith(b"INFO")]
    for command in commands:
        assert {key: value for key, value in command.items() if value} == {
            "gateway": "EAST",
            "gateway_cmd": command["gateway_cmd"],
            "gateway_cmd_payload": command["gateway_cmd_payload"],
        }
    for account in ("A", "B", "$G", "SYS"):
        assert [c["gateway_cmd"] for c in commands if c["gateway_cmd_payload"] == payload(account)] == [START, COMPLETE]
    assert set(ours(lines)) - {line for line in lines if line.startswith(b"INFO")} == {
        *(b"RS+ A plain", b"RS+ A qq grp 1"),
        *(b"RS+ B plain", b"RS+ B qq grp 1"),
    }
    assert b"RS+ SYS $SYS.REQ.SERVER.PING" in lines
    wait_for("it to be listed", lambda: alone.server.get_json("/gatewayz")["inbound_gateways"].get("WEST"))
    (listed,) = alone.server.get_json("/gatewayz?accs=1")["inbound_gateways"]["WEST"]
    assert {a["interest_mode"] for a in listed["accounts"]} == {"Interest-Only"}


WRONG = {
    "a client": lambda p: {"user": "a", "pass": "a", "lang": "go"},
    "a route": lambda p: p.route_connect(),
    "a leaf node": lambda p: p.leaf_connect(),
}


@pytest.mark.parametrize("who", WRONG)
def test_who_does_not_belong_here(who, alone, peer):
    # spec: CLU-041 SEC-100
    link = peer.dial(alone.port)
    say(link, "CONNECT", WRONG[who](peer))
    assert refused(link) == b"-ERR 'attempted to connect to gateway port'"
    alone.closed_log("Incorrect Port")


@pytest.mark.parametrize("line", ["RS+ A foo", "PING", "nonsense", "A- A"])
def test_the_first_word_is_connect(line, alone, peer):
    # spec: CLU-041
    link = peer.dial(alone.port)
    link.send(line)
    assert refused(link) == b"-ERR 'Authorization Violation'"


def test_a_gateway_at_the_client_port(alone, peer):
    # spec: CORE-042 CLU-041
    link = peer.dial(alone.server.client_port)
    say(link, "CONNECT", peer.gateway_connect())
    assert refused(link) == b"-ERR 'Authorization Violation'"


def test_a_namesake(alone, listener):
    # spec: CLU-009
    with Peer("here", "WEST") as namesake:
        link = namesake.dial(alone.port)
        say(link, "CONNECT", namesake.gateway_connect())
        say(link, "INFO", namesake.gateway_info(listener.port))
        assert refused(link) == b""
    alone.closed_log("Duplicate Server Name")


def test_unknown_clusters_may_be_turned_away(start, listener):
    # spec: CLU-041
    alone = Alone(start, GATEWAY.format(port=listener.port, extra=", reject_unknown_cluster: true"))
    with Peer("n1", "NORTH") as stranger:
        link = stranger.dial(alone.port)
        say(link, "CONNECT", stranger.gateway_connect())
        assert refused(link) == b"""-ERR 'Connection to gateway "EAST" rejected'"""
    alone.closed_log("Wrong Gateway")


def test_a_cluster_one_did_not_want(alone, listener):
    # spec: CLU-041
    with Peer("n1", "NORTH") as stranger:
        link = listener.accept()
        say(link, "INFO", stranger.gateway_info(listener.port))
        link.until_closed()
        alone.server.wait_log(r'Failing connection to gateway "WEST", remote gateway name is "NORTH"')
        link.close()


def test_a_port_that_is_not_a_gateway_after_all(alone, peer, listener):
    # spec: CLU-041
    link = outbound(alone, peer, listener)
    say(link, "INFO", {})
    assert refused(link) == b"""-ERR 'Attempt to connect to gateway "WEST" using wrong port'"""
    alone.closed_log("Incorrect Port")


def test_user_and_password(start, peer, listener):
    # spec: CLU-041
    authorization = ", authorization { user: u, password: p, timeout: 0.5 }"
    alone = Alone(start, GATEWAY.format(port=listener.port, extra=authorization))
    for credentials in ({}, {"user": "u", "pass": "q"}):
        link = peer.dial(alone.port)
        say(link, "CONNECT", peer.gateway_connect(**credentials))
        assert refused(link) == b"-ERR 'Authorization Violation'"
    assert b"-ERR 'Authentication Timeout'" in peer.dial(alone.port).until_closed()
    link = peer.dial(alone.port)
    say(link, "CONNECT", peer.gateway_connect(user="u", **{"pass": "p"}))
    say(link, "INFO", peer.gateway_info(listener.port))
    lines_until(link, b"INFO ")


def test_tls(start, peer, listener, authority):
    # spec: CLU-041 SEC-066
    pair = authority.server
    tls = (
        f'\n  tls {{ cert_file: "{pair.cert}", key_file: "{pair.key}"\n'
        f'    ca_file: "{authority.ca.cert}", timeout: 1 }}\n'
    )
    alone = Alone(start, GATEWAY.format(port=listener.port, extra=tls))
    link = peer.dial(alone.port, tls=authority.context(authority.client), tls_first=True)
    assert link.info["tls_required"] is True
    say(link, "CONNECT", peer.gateway_connect(tls_required=True))
    say(link, "INFO", peer.gateway_info(listener.port))
    lines_until(link, b"INFO ")
    with Peer("plain", "WEST") as plain:
        other = plain.dial(alone.port, read_info=False)
        say(other, "CONNECT", plain.gateway_connect())
        assert b"INFO" not in other.until_closed()
    alone.server.wait_log(r"TLS gateway handshake error")


@pytest.mark.parametrize(
    ("extra", "user", "name", "admitted"),
    [
        ("verify_and_map: true", "known.example", "known.example", True),
        ("verify_and_map: true", "known.example", "stranger.example", False),
        ("verify_and_map: true", "", "known.example", False),
        ("verify_cert_and_check_known_urls: true", "", "known.example", True),
        ("verify_cert_and_check_known_urls: true", "", "stranger.example", False),
        ("verify: true", "", "stranger.example", True),
        ("verify: true", "known.example", "known.example", False),
    ],
)
def test_who_is_named_by_a_certificate(extra, user, name, admitted, start, peer, authority):
    # spec: CLU-012 CLU-041 CFG-131 CFG-285 CFG-286
    own, pair = authority.server, authority.issue(f"gateway-{name}", sans=f"DNS:{name}")
    login = f'authorization {{ user: "{user}", password: unused }}\n' if user else ""
    config = (
        f'gateway {{ name: EAST, listen: "127.0.0.1:@PORT@"\n{login}'
        f'tls {{ cert_file: "{own.cert}", key_file: "{own.key}", ca_file: "{authority.ca.cert}"\n{extra} }}\n'
        f'gateways: [ {{ name: WEST, url: "nats://known.example:{free_port()}" }} ] }}\n'
    )
    alone = Alone(start, config)
    link = peer.dial(alone.port, tls=authority.context(pair), tls_first=True)
    say(link, "CONNECT", peer.gateway_connect(tls_required=True))
    if admitted:
        say(link, "INFO", peer.gateway_info(1))
        lines_until(link, b"INFO ")
        link.fence()
    else:
        assert refused(link) == b"-ERR 'Authorization Violation'"


def test_a_cluster_one_hears_of_is_dialled(start, peer, listener):
    # spec: CLU-043 CLU-042
    alone = Alone(start, GATEWAY.format(port=free_port(), extra=""))
    with Peer("n1", "NORTH") as stranger:
        link = stranger.dial(alone.port)
        say(link, "CONNECT", stranger.gateway_connect())
        say(link, "INFO", stranger.gateway_info(listener.port))
        dialled = listener.accept()
        say(dialled, "INFO", stranger.gateway_info(listener.port))
        assert body_of(dialled.line())["gateway"] == "EAST"
        dialled.line()
        listed = wait_for("it to be listed", lambda: alone.server.get_json("/gatewayz")["outbound_gateways"])
        assert listed["NORTH"]["configured"] is False
        dialled.close()


def test_who_comes_is_told_of_the_other_clusters(alone, peer, listener):
    # spec: CLU-042 CLU-043 CLU-197
    inbound(alone, peer, listener)
    with Peer("n1", "NORTH") as north:
        link = north.dial(alone.port)
        say(link, "CONNECT", north.gateway_connect())
        say(link, "INFO", north.gateway_info(1))
        told = {"gateway_cmd": 0}
        while told.get("gateway_cmd") != 1:
            told = body_of(lines_until(link, b"INFO ")[-1])
        assert {key: value for key, value in told.items() if value} == {
            "server_id": alone.id,
            "gateway": "WEST",
            "gateway_urls": [f"127.0.0.1:{listener.port}"],
            "gateway_cmd": 1,
        }


def test_a_lost_outbound_gateway_is_dialled_again(alone, peer, listener):
    # spec: CLU-043
    outbound(alone, peer, listener).close()
    outbound(alone, peer, listener)


# --- interest -----------------------------------------------------------------------------------


def test_interest_goes_out_on_inbound_gateways(alone, peer, listener):
    # spec: CLU-044 CLU-200 CLU-045
    link, _ = inbound(alone, peer, listener)
    client = alone.client()

    def told(*lines: str) -> list[bytes]:
        for line in lines:
            client.send(line)
        client.fence()
        return alone.told_since(link, client)

    assert told("SUB x 1", "SUB x 2", "SUB x.* 3") == [b"RS+ A x", b"RS+ A x.*"]
    # A queue group is told of once: its weight says nothing across clusters.
    assert told("SUB x q 4", "SUB x q 5") == [b"RS+ A x q 1"]
    assert told("UNSUB 1", "UNSUB 4") == []
    assert told("UNSUB 2") == [b"RS- A x"]
    assert told("UNSUB 5") == [b"RS- A x q"]


def with_another_account(alone) -> None:
    """Has account C come by a reload."""
    more = "  C { users: [ { user: c, password: c } ] }\n  B {"
    alone.server.reload(alone.server.config.replace("  B {", more))


def test_interest_in_an_account_that_comes_by_a_reload(alone, peer, listener):
    # spec: CLU-042 CLU-044
    link, _ = inbound(alone, peer, listener)
    with_another_account(alone)
    told = [body_of(lines_until(link, b"INFO ")[-1]) for _ in range(2)]
    assert [(body["gateway_cmd"], body["gateway_cmd_payload"]) for body in told] == [
        (START, payload("C")),
        (COMPLETE, payload("C")),
    ]
    client = alone.client("c")
    client.send("SUB x 1")
    client.send("UNSUB 1")
    assert lines_until(link, b"RS- ")[-2:] == [b"RS+ C x", b"RS- C x"]


def test_what_was_wanted_in_an_account_before_it_came(alone, peer, listener):
    # spec: CLU-044
    link = outbound(alone, peer, listener)
    interest_only(link, "C", "RS+ C plain", "RS+ C gone", "RS- C gone")
    with_another_account(alone)
    client = alone.client("c")

    def arrived() -> bool:
        client.send_raw(b"PUB gone 2\r\nhi\r\nPUB plain 2\r\nhi\r\n")
        client.fence()
        lines = link.fence()
        assert b"RMSG C gone 2" not in lines
        return b"RMSG C plain 2" in lines

    wait_for("a message", arrived)


def test_messages_go_where_interest_is(alone, peer, listener):
    # spec: CLU-044 CLU-048 CLU-201 CLU-050
    link, client = outbound(alone, peer, listener), alone.client()

    def sent(data: bytes) -> list[bytes]:
        client.send_raw(data)
        client.fence()
        return link.fence()

    interest_only(link, "A", "RS+ A plain", "RS+ A qq g1 1", "RS+ A both", "RS+ A both g1 1", "RS+ A both g2 1")
    account = alone.server.get_json("/gatewayz?accs=1&acc_name=A")["outbound_gateways"]["WEST"]["accounts"][0]
    assert account["interest_mode"] == "Interest-Only"
    assert sent(b"PUB plain 2\r\nhi\r\n") == [b"RMSG A plain 2", b"hi"]
    assert sent(b"HPUB plain 12 14\r\nNATS/1.0\r\n\r\nhi\r\n")[0] == b"HMSG A plain 12 14"
    assert sent(b"PUB qq 2\r\nhi\r\n") == [b"RMSG A qq | g1 2", b"hi"]
    assert sent(b"PUB both 2\r\nhi\r\n")[0] in (b"RMSG A both | g1 g2 2", b"RMSG A both | g2 g1 2")
    assert sent(b"PUB nobody 2\r\nhi\r\n") == []
    link.send("RS- A plain")
    link.send("RS+ A new")
    link.fence()
    assert sent(b"PUB plain 2\r\nhi\r\nPUB new 2\r\nhi\r\n") == [b"RMSG A new 2", b"hi"]
    # A group with a member here stays here.
    client.send("SUB qq g1 1")
    assert sent(b"PUB qq 2\r\nhi\r\n") == []


def test_a_peer_of_interest_only_gets_nothing_unasked(alone, peer, listener):
    # spec: CLU-044 CLU-050
    link, client = outbound(alone, peer, listener), alone.client()
    client.publish("x", b"1")
    client.fence()
    assert link.fence() == []


def test_an_older_peer_is_told_of_all_interest_too(alone, peer, listener):
    # spec: CLU-044 CLU-050
    client = alone.client()
    client.send("SUB x 1")
    client.fence()
    link, lines = inbound(alone, peer, listener, gateway_iom=None)
    assert b"RS+ A x" in lines
    # What it sends to nobody is answered with nothing: it was told of everything there is.
    link.send_raw(b"RMSG A nobody 2\r\nhi\r\nRMSG B nobody 2\r\nhi\r\n")
    assert [line for line in link.fence() if line != b"PING"] == []
    client.send("SUB y 2")
    client.fence()
    assert alone.told_since(link, client) == [b"RS+ A y"]


def test_an_older_peer_may_tell_all_of_an_account(alone, peer, listener):
    # spec: CLU-042 CLU-044 CLU-050
    link = listener.accept()
    peer.links.append(link)
    say(link, "INFO", peer.gateway_info(listener.port, gateway_iom=None))
    lines_until(link, b"INFO ")
    alone.server.wait_log(r'Outbound gateway connection to "WEST" \(.*\) registered')
    client = alone.client()
    interest_only(link, "A", "RS+ A x")
    client.publish("y", b"1")
    client.publish("x", b"1")
    client.fence()
    assert [line for line in link.fence() if line.startswith(b"RMSG A ")] == [b"RMSG A x 1"]
    accounts = alone.server.get_json("/gatewayz?accs=1")["outbound_gateways"]["WEST"]["accounts"]
    assert [one["interest_mode"] for one in accounts if one["name"] == "A"] == ["Interest-Only"]


def test_an_older_peer_gets_everything_until_it_objects(alone, peer, listener):
    # spec: CLU-044 CLU-050 CLU-045
    link = listener.accept()
    peer.links.append(link)
    say(link, "INFO", peer.gateway_info(listener.port, gateway_iom=None))
    lines_until(link, b"INFO ")
    alone.server.wait_log(r'Outbound gateway connection to "WEST" \(.*\) registered')
    client = alone.client()

    def sent(subject: str) -> list[bytes]:
        client.publish(subject, b"1")
        client.fence()
        return [line for line in link.fence() if line.startswith(b"RMSG A ")]

    assert sent("x") == [b"RMSG A x 1"]
    link.send("RS- A x")
    link.fence()
    assert sent("x") == []
    assert sent("y") == [b"RMSG A y 1"]
    link.send("RS+ A x")
    link.fence()
    assert sent("x") == [b"RMSG A x 1"]
    link.send("A- A")
    link.fence()
    assert sent("y") == []
    link.send("A+ A")
    link.fence()
    assert sent("y") == [b"RMSG A y 1"]


def test_replies_come_back_over_gateways(alone, peer, listener):
    # spec: CLU-046
    out, client = outbound(alone, peer, listener), alone.client()
    link, _ = inbound(alone, peer, listener)
    interest_only(out, "A", "RS+ A ask")
    client.send("SUB in.* 1")
    client.publish("ask", b"q", "in.1")
    client.fence()
    line = lines_until(out, b"RMSG")[-1].decode()
    out.line()
    match = re.fullmatch(r"RMSG A ask (\S+) 1", line)
    assert match
    reply = match[1]
    assert re.fullmatch(r"_GR_\.\w{6}\.\w{6}\.in\.1", reply), reply
    link.send(f"RMSG A {reply} 1\r\na")
    assert client.message() == ("in.1", "1", "", b"", b"a")


def test_messages_from_a_gateway(alone, peer, listener):
    # spec: CLU-201 CLU-048
    link, _ = inbound(alone, peer, listener)
    client = alone.client()
    client.send_raw(b"SUB x 1\r\nSUB x g1 2\r\n")
    client.fence()
    alone.told_since(link, client)

    def got(data: bytes) -> list[bytes]:
        return alone.delivered(link, client, data)

    assert got(b"RMSG A x 2\r\nhi\r\n") == [b"MSG x 1 2"]
    assert got(b"RMSG A x re.ply 2\r\nhi\r\n") == [b"MSG x 1 re.ply 2"]
    assert got(b"HMSG A x re.ply 12 14\r\nNATS/1.0\r\n\r\nhi\r\n") == [b"HMSG x 1 re.ply 12 14"]
    assert got(b"RMSG A x | g1 2\r\nhi\r\n") == [b"MSG x 1 2", b"MSG x 2 2"]
    assert got(b"RMSG B x 2\r\nhi\r\n") == []


def test_what_comes_over_a_gateway_goes_no_further(alone, peer, listener):
    # spec: CLU-048
    out = outbound(alone, peer, listener)
    link, _ = inbound(alone, peer, listener)
    interest_only(out, "A", "RS+ A x")
    link.send_raw(b"RMSG A x 2\r\nhi\r\n")
    link.fence()
    client = alone.client()
    client.publish("x", b"own")
    client.fence()
    assert [line for line in out.fence() if b"MSG" in line] == [b"RMSG A x 3"]


def test_the_interest_of_a_leaf_node_looks_like_any_other(start, peer, listener):
    # spec: CLU-200 CLU-204
    leaf_port = free_port()
    leafnodes = f'leafnodes {{ listen: "127.0.0.1:{leaf_port}" }}\n'
    alone = Alone(start, GATEWAY.format(port=listener.port, extra="") + leafnodes)
    link, _ = inbound(alone, peer, listener)
    client = alone.client()
    with Peer("l1", "l1") as spoke:
        leaf = spoke.dial(leaf_port)
        say(leaf, "CONNECT", spoke.leaf_connect(user="a", **{"pass": "a"}))
        lines_until(leaf, b"LS+ _GR_.>")
        leaf.send_raw(b"LS+ x\r\nLS+ x q 1\r\n")
        leaf.fence()
        assert sorted(ours(alone.told_since(link, client))) == [b"RS+ A x", b"RS+ A x q 1"]
        link.send_raw(b"RMSG A x 2\r\nhi\r\n")
        assert lines_until(leaf, b"LMSG")[-1] == b"LMSG x 2"


def test_pings(start, peer, listener):
    # spec: CLU-047
    alone = Alone(start, 'ping_interval: "100ms"\nping_max: 2\n' + GATEWAY.format(port=listener.port, extra=""))
    link = peer.dial(alone.port)
    say(link, "CONNECT", peer.gateway_connect())
    say(link, "INFO", peer.gateway_info(listener.port))
    lines = link.until_closed().split(b"\r\n")
    assert b"-ERR 'Stale Connection'" in lines
    alone.closed_log("Stale Connection")
