"""How routes come to be: who speaks first, who is let in, and which connection carries what."""

from __future__ import annotations

import contextlib
import signal

import pytest

from cluster.alone import ROUTES, Alone, a_route, first_lines, pool_index, refused, settled
from harness.peer import Peer, body_of, lines_until, say
from harness.server import wait_for
from harness.wire import WireError


@pytest.fixture
def alone(start):
    return Alone(start, ROUTES)


# --- handshake ----------------------------------------------------------------------------------


def test_the_accepting_side_speaks_first(alone, peer):
    # spec: CLU-001 CLU-003 CLU-004 CLU-188
    info = peer.dial(alone.port).info
    assert info.pop("server_id") == alone.id
    assert info.pop("connect_urls") == [f"127.0.0.1:{alone.server.client_port}"]
    assert len(info.pop("nonce")) == 15
    for free in ("go", "version"):
        assert isinstance(info.pop(free), str)
    assert info == {
        "server_name": "here",
        "proto": 3,
        "host": "127.0.0.1",
        "port": alone.port,
        "headers": True,
        "max_payload": 1048576,
        "cluster": "C1",
        "compression": "accept",
        "lnoc": True,
        "lnocu": True,
        "ln": True,
        "route_pool_size": 3,
    }


DIALLING = 'cluster { name: C1, listen: "127.0.0.1:@PORT@", routes: [ "nats-route://u:p@127.0.0.1:%d" ] }\n'


def test_the_dialling_side(start, peer, listener):
    # spec: CLU-001 CLU-002 CLU-003 CLU-016 CLU-018 CLU-188 CLU-189 CLU-190
    alone = Alone(start, DIALLING % listener.port)
    # The first of the pool, and one for the system account, are dialled at once; CONNECT does not wait for INFO.
    by_account = {}
    for _ in range(2):
        link = listener.accept()
        peer.links.append(link)
        assert body_of(link.line()) == {
            "echo": True,
            "verbose": False,
            "pedantic": False,
            "user": "u",
            "pass": "p",
            "tls_required": False,
            "headers": True,
            "name": alone.id,
            "cluster": "C1",
            "lnoc": True,
            "ln": True,
        }
        say(link, "INFO", peer.route_info(port=listener.port, compression="off", nonce="n"))
        info = body_of(link.line())
        assert (info["server_id"], info["server_name"], info["proto"]) == (alone.id, "here", 3)
        assert (info["port"], info["compression"], info["route_pool_size"]) == (alone.port, "off", 3)
        assert (info["lnoc"], info["lnocu"], info["ln"], info["headers"]) == (True, True, True, True)
        assert "route_pool_idx" not in info
        by_account[info.get("route_account", "")] = link
    assert set(by_account) == {"", "SYS"}
    # The next of the pool is dialled when the one before has proved to work, not earlier.
    link = by_account[""]
    for index in (1, 2):
        while link.line() != b"PING":
            pass
        assert listener.quiet()
        link.send("PONG")
        link = listener.accept()
        peer.links.append(link)
        assert link.line().startswith(b"CONNECT ")
        say(link, "INFO", peer.route_info(port=listener.port, compression="off", nonce="n"))
        assert body_of(link.line())["route_pool_idx"] == index
    routes = wait_for("the routes", lambda: len(r := alone.server.get_json("/routez")["routes"]) == 4 and r)
    assert all(route["did_solicit"] and route["is_configured"] for route in routes)
    assert {route["remote_id"] for route in routes} == {peer.id}


def test_the_pool_as_the_accepting_side(alone, peer):
    # spec: CLU-015 CLU-016 CLU-191 CLU-196
    client = alone.client()
    client.send_raw(b"SUB plain 1\r\nSUB qq grp 2\r\n")
    client.fence()
    for index in range(3):
        link = peer.route(alone.port, **({"route_pool_idx": index} if index else {}))
        expected = {b"RS+ A plain", b"RS+ A qq grp 1"} if index == pool_index("A") else set()
        assert set(first_lines(link, len(expected))) == expected
    system = peer.route(alone.port, route_account="SYS")
    missing, lines = {b"RS+ $SYS.REQ.SERVER.PING", b"RS+ $SYS.REQ.SERVER.%s.VARZ" % alone.id.encode()}, []
    while missing - set(lines):
        lines.append(system.line())
    assert all(line.startswith(b"RS+ $SYS.") and line.count(b" ") == 1 for line in lines if line != b"PING")
    routes = alone.server.get_json("/routez")["routes"]
    assert sorted(route.get("account", "") for route in routes) == ["", "", "", "SYS"]
    assert not any(route["did_solicit"] for route in routes)


def test_which_connection_of_a_pool_carries_an_account(start, peer):
    # spec: CLU-015 CLU-196
    names = [f"account-{number}" for number in range(12)]
    accounts = "".join(f"  {name} {{ users: [ {{ user: {name}, password: x }} ] }}\n" for name in names)
    alone = Alone(start, ROUTES, f"server_name: here\naccounts {{\n{accounts}}}\n")
    clients = [alone.server.connect().handshake(user=name, **{"pass": "x"}) for name in names]
    for link in clients:
        link.send("SUB here 1")
        link.fence()
    seen = set()
    for index in range(3):
        link = peer.route(alone.port, **({"route_pool_idx": index} if index else {}))
        expected = {f"RS+ {name} here".encode() for name in names if pool_index(name) == index}
        assert set(first_lines(link, len(expected))) == expected
        seen |= expected
    assert len(seen) == len(names)


def test_a_peer_with_a_larger_pool(alone, peer):
    # spec: CLU-015
    client = alone.client()
    client.send("SUB plain 1")
    client.fence()
    for index in range(3):
        link = peer.route(alone.port, route_pool_size=5, **({"route_pool_idx": index} if index else {}))
        expected = [b"RS+ A plain"] if index == pool_index("A") else []
        assert first_lines(link, len(expected)) == expected


def test_accounts_with_a_connection_of_their_own(start, peer):
    # spec: CLU-017 CLU-191
    alone = Alone(start, 'cluster { name: C1, listen: "127.0.0.1:@PORT@", accounts: [ A ] }\n')
    client, other = alone.client(), alone.client("b")
    for each in (client, other):
        each.send_raw(b"SUB x 1\r\nSUB x q 2\r\n")
        each.fence()
    pooled = [peer.route(alone.port, **({"route_pool_idx": n} if n else {})) for n in range(3)]
    lines = [line for n, link in enumerate(pooled) for line in first_lines(link, 2 * (n == pool_index("B")))]
    assert sorted(lines) == [b"RS+ B x", b"RS+ B x q 1"]
    own = peer.route(alone.port, route_account="A")
    assert sorted(first_lines(own, 2)) == [b"RS+ x", b"RS+ x q 1"]
    own.send_raw(b"RS+ y\r\nRMSG x 2\r\nhi\r\nHMSG x re.ply 12 14\r\nNATS/1.0\r\n\r\nhi\r\n")
    own.fence()
    assert client.message()[1:] == ("1", "", b"", b"hi")
    assert client.message()[1:] == ("1", "re.ply", b"NATS/1.0\r\n\r\n", b"hi")
    client.publish("y", b"out", "back")
    client.fence()
    assert own.fence() == [b"RMSG y back 3", b"out"]
    client.send("UNSUB 1")
    client.send("UNSUB 2")
    client.fence()
    assert sorted(own.fence()) == [b"RS- x", b"RS- x q"]


WITH_ACCOUNT = ROUTES.replace(" }", ", accounts: [ A ] }")


def test_an_account_gets_a_connection_of_its_own_on_reload(alone, peer):
    # spec: CLU-019
    client = alone.client()
    client.send_raw(b"SUB x 1\r\nSUB x q 2\r\n")
    client.fence()
    link = a_route(alone, peer)
    server = alone.server
    before, after = (text.replace("@PORT@", str(alone.port)) for text in (ROUTES, WITH_ACCOUNT))
    server.write_config(server.config.replace(before, after))
    mark = server.log_size()
    server.signal(signal.SIGHUP)
    asked = body_of(lines_until(link, b"INFO ")[-1])
    assert asked["route_account"] == "A"
    assert asked["route_acc_add_reqid"]
    # The reload is done when all peers have said that they know.
    say(link, "INFO", {"route_pool_size": 3, "route_acc_add_reqid": asked["route_acc_add_reqid"]})
    server.wait_log("Reloaded server configuration", since=mark)
    own = peer.route(alone.port, route_account="A")
    assert sorted(first_lines(own, 2)) == [b"RS+ x", b"RS+ x q 1"]
    own.send("RS+ y")
    own.fence()
    client.publish("y", b"1")
    client.fence()
    assert own.fence() == [b"RMSG y 1", b"1"]


def test_a_peer_gives_an_account_a_connection_of_its_own(alone, peer):
    # spec: CLU-019
    link = a_route(alone, peer)
    say(link, "INFO", {"route_pool_size": 3, "route_account": "A", "route_acc_add_reqid": "request"})
    answer = body_of(lines_until(link, b"INFO ")[-1])
    assert {key: value for key, value in answer.items() if value} == {
        "route_pool_size": 3,
        "route_acc_add_reqid": "request",
    }


def test_a_peer_without_a_pool(alone, peer):
    # spec: CLU-020
    clients = {user: alone.client(user) for user in "ab"}
    for client in clients.values():
        client.send("SUB x 1")
        client.fence()
    link = peer.route(alone.port, route_pool_size=None)
    missing = {b"RS+ A x", b"RS+ B x", b"RS+ SYS $SYS.REQ.SERVER.PING"}
    while missing:
        missing.discard(link.line())
    link.fence()
    link.send_raw(b"RS+ A out\r\n")
    link.fence()
    clients["a"].publish("out", b"1")
    clients["a"].fence()
    assert link.fence() == [b"RMSG A out 1", b"1"]
    assert alone.server.get_json("/routez")["num_routes"] == 1


def test_connections_beyond_the_pool(alone, peer):
    # spec: CLU-011 CLU-015 CLU-017
    settled(peer.route(alone.port))
    settled(peer.route(alone.port, route_pool_idx=1))
    assert refused(peer.route(alone.port, route_pool_idx=1)) == b""
    alone.closed_log("Duplicate Route")
    assert refused(peer.route(alone.port, route_pool_idx=5)) == b"-ERR 'Invalid route pool index: 5 - pool size is 3'"
    assert refused(peer.route(alone.port, route_account="A")) == b"""-ERR 'No route for account "A"'"""
    alone.closed_log("Protocol Violation")
    assert alone.server.get_json("/routez")["num_routes"] == 2


WRONG = {
    "a client": (
        lambda p: {"lang": "go", "verbose": False},
        b"-ERR 'attempted to connect to route port'",
        "Incorrect Port",
    ),
    "a gateway": (
        lambda p: p.gateway_connect(),
        b"""-ERR 'Rejecting connection from gateway "C1" on the Route port'""",
        "Wrong Gateway",
    ),
    "another cluster": (
        lambda p: p.route_connect(cluster="C2"),
        b"""-ERR 'Rejecting connection, cluster name "C2" does not match "C1"'""",
        "Cluster Name Conflict",
    ),
    "another cluster, not configured": (
        lambda p: p.route_connect(cluster="zzz", cluster_dynamic=True),
        b"""-ERR 'Rejecting connection, cluster name "zzz" does not match "C1"'""",
        "Cluster Name Conflict",
    ),
    "no cluster": (
        lambda p: p.route_connect(cluster=""),
        b"""-ERR 'Rejecting connection, cluster name "" does not match "C1"'""",
        "Cluster Name Conflict",
    ),
}


@pytest.mark.parametrize("who", WRONG)
def test_who_does_not_belong_here(who, alone, peer):
    # spec: CLU-006 CLU-007 CLU-010 SEC-100
    connect, answer, reason = WRONG[who]
    link = peer.dial(alone.port)
    say(link, "CONNECT", connect(peer))
    assert refused(link) == answer
    alone.closed_log(reason)


@pytest.mark.parametrize("line", ["RS+ A foo", "PING", "INFO {}", "nonsense", "RMSG A foo 2\r\nhi", "SUB foo 1"])
def test_the_first_word_is_connect(line, alone, peer):
    # spec: CLU-012 CLU-001
    link = peer.dial(alone.port)
    link.send(line)
    assert refused(link) == b"-ERR 'Authorization Violation'"
    alone.closed_log("Authentication Failure")


def test_itself_and_its_namesake(alone):
    # spec: CLU-008 CLU-009
    with Peer("here", id=alone.id) as itself:
        assert refused(itself.route(alone.port)) == b""
        alone.closed_log("Duplicate Route")
    with Peer("here") as namesake:
        assert refused(namesake.route(alone.port)) == b""
        alone.server.wait_log(r'Remote server has a duplicate name: "here"')
        alone.closed_log("Duplicate Server Name")
    assert alone.server.get_json("/routez")["num_routes"] == 0


def test_a_route_to_itself_is_not_tried_again(start):
    # spec: CLU-008
    alone = Alone(start, ROUTES.replace(" }", ', routes: [ "nats-route://127.0.0.1:@PORT@" ] }'))
    # A server may notice before it connects.
    alone.server.wait_log("Duplicate Route")
    assert alone.server.get_json("/routez")["num_routes"] == 0


def test_a_cluster_without_a_name_takes_that_of_its_peers(start):
    # spec: CLU-010 CLU-013
    alone = Alone(start, 'cluster { listen: "127.0.0.1:@PORT@" }\n')
    with Peer(cluster="0") as smaller, Peer(cluster="zzz") as larger, Peer("other", "static") as static:
        link = smaller.dial(alone.port)
        own = link.info["cluster"]
        assert len(own) == 22
        assert link.info["cluster_dynamic"] is True
        say(link, "CONNECT", smaller.route_connect(cluster_dynamic=True))
        assert refused(link) == f"""-ERR 'Rejecting connection, cluster name "0" does not match "{own}"'""".encode()
        dynamic = larger.route(alone.port, connect={"cluster_dynamic": True})
        alone.server.wait_log("Cluster name updated to zzz")
        settled(dynamic)
        assert larger.dial(alone.port).info["cluster"] == "zzz"
        link = static.route(alone.port)
        alone.server.wait_log("Cluster name updated to static")
        assert refused(dynamic) == b""
        alone.closed_log("Cluster Name Conflict - Remote: peer")
        settled(link)
        info = static.dial(alone.port).info
        assert info["cluster"] == "static"


# --- who is let in ------------------------------------------------------------------------------


AUTHORIZED = 'cluster { name: C1, listen: "127.0.0.1:@PORT@", authorization { user: u, password: p, timeout: 0.5 } }\n'


def test_user_and_password(start, peer):
    # spec: CLU-012
    alone = Alone(start, AUTHORIZED)
    for credentials in ({}, {"user": "u"}, {"user": "u", "pass": "q"}, {"user": "v", "pass": "p"}):
        assert refused(peer.route(alone.port, connect=credentials)) == b"-ERR 'Authorization Violation'"
    alone.closed_log("Authentication Failure")
    settled(peer.route(alone.port, connect={"user": "u", "pass": "p"}))


def test_who_says_nothing_is_shown_out(start, peer):
    # spec: CLU-012
    alone = Alone(start, AUTHORIZED)
    assert b"-ERR 'Authentication Timeout'" in peer.dial(alone.port).until_closed()
    alone.closed_log("Authentication Timeout")


def cluster_with_tls(pair, authority, extra: str = "") -> str:
    return (
        f'cluster {{ name: C1, listen: "127.0.0.1:@PORT@"\n  tls {{ cert_file: "{pair.cert}", key_file: "{pair.key}"\n'
        f'    ca_file: "{authority.ca.cert}", timeout: 1\n    {extra} }} }}\n'
    )


def test_tls(start, peer, authority):
    # spec: CLU-012 SEC-066
    alone = Alone(start, cluster_with_tls(authority.server, authority))
    link = peer.dial(alone.port, tls=authority.context(authority.client), tls_first=True)
    assert link.info["tls_required"] is True
    assert link.info["tls_verify"] is True
    say(link, "CONNECT", peer.route_connect(tls_required=True))
    say(link, "INFO", peer.route_info())
    settled(link)
    with Peer("plain") as plain:
        link = plain.dial(alone.port, read_info=False)
        say(link, "CONNECT", plain.route_connect())
        assert b"INFO" not in link.until_closed()
    alone.server.wait_log(r"TLS route handshake error")


def test_tls_without_a_certificate(start, peer, authority):
    # spec: CLU-012 SEC-066
    alone = Alone(start, cluster_with_tls(authority.server, authority))
    # Certificates are asked for on both sides.
    link = peer.dial(alone.port, read_info=False)
    with contextlib.suppress(OSError, WireError):
        link.start_tls(authority.context())
        say(link, "CONNECT", peer.route_connect(tls_required=True))
        say(link, "INFO", peer.route_info())
        link.until_closed()
    alone.server.wait_log(r"TLS route handshake error")
    assert alone.server.get_json("/routez")["num_routes"] == 0


@pytest.mark.parametrize(
    ("extra", "user", "admitted"),
    [
        ("verify_and_map: true", "localhost", True),
        ("verify_and_map: true", "somebody", False),
        ("verify_and_map: true", "", False),
        ("verify_cert_and_check_known_urls: true", "localhost", False),
    ],
)
def test_who_is_named_by_a_certificate(extra, user, admitted, start, peer, authority):
    # spec: CLU-012 CFG-285
    login = f', authorization {{ user: "{user}", password: unused }} }}\n' if user else " }\n"
    config = cluster_with_tls(authority.server, authority, extra)
    alone = Alone(start, config.rstrip().removesuffix("}").rstrip() + login)
    link = peer.dial(alone.port, tls=authority.context(authority.client), tls_first=True)
    say(link, "CONNECT", peer.route_connect(tls_required=True))
    if admitted:
        say(link, "INFO", peer.route_info())
        settled(link)
    else:
        assert refused(link) == b"-ERR 'Authorization Violation'"
