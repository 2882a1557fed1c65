"""The route protocol, line by line: the server under test is one end, the test is the other."""

from __future__ import annotations

import contextlib
import signal

import pytest

from cluster.alone import Alone, ours, pool_index, refused
from harness.peer import Listener, Peer, body_of, lines_until, say
from harness.server import wait_for
from harness.topology import free_port
from harness.wire import Connection, WireError

CLUSTER = 'cluster { name: C1, listen: "127.0.0.1:@PORT@" }\n'


@pytest.fixture
def alone(start):
    return Alone(start, CLUSTER)


@pytest.fixture
def peer():
    with Peer() as found:
        yield found


@pytest.fixture
def listener():
    found = Listener()
    yield found
    found.close()


def a_route(alone, peer, **info) -> Connection:
    """The pooled connection that carries account A, registered."""
    index = pool_index("A")
    return settled(peer.route(alone.port, **({"route_pool_idx": index} if index else {}), **info))


def settled(link: Connection) -> Connection:
    link.fence()
    return link


def first_lines(link: Connection, count: int) -> list[bytes]:
    """The interest that a server tells first, when there should be `count` of it."""
    lines = ours(link.fence())
    while len(lines) < count:
        lines += ours([link.line()])
    return [line for line in lines + ours(link.fence()) if line not in (b"PING", b"PONG")]


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
    alone = Alone(start, CLUSTER, f"server_name: here\naccounts {{\n{accounts}}}\n")
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


WITH_ACCOUNT = CLUSTER.replace(" }", ", accounts: [ A ] }")


def test_an_account_gets_a_connection_of_its_own_on_reload(alone, peer):
    # spec: CLU-019
    client = alone.client()
    client.send_raw(b"SUB x 1\r\nSUB x q 2\r\n")
    client.fence()
    link = a_route(alone, peer)
    server = alone.server
    before, after = (text.replace("@PORT@", str(alone.port)) for text in (CLUSTER, WITH_ACCOUNT))
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
    "a client": (lambda p: {"lang": "go", "verbose": False}, b"-ERR 'attempted to connect to route port'", "Incorrect Port"),
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
    alone = Alone(start, 'cluster { name: C1, listen: "127.0.0.1:@PORT@", routes: [ "nats-route://127.0.0.1:@PORT@" ] }\n')
    alone.closed_log("Duplicate Route")
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


# --- interest -----------------------------------------------------------------------------------


def test_interest_is_told_once_and_weights_each_time(alone, peer):
    # spec: CLU-025 CLU-028 CLU-030 CLU-191
    link, client = a_route(alone, peer), alone.client()

    def told(*lines: str) -> list[bytes]:
        for line in lines:
            client.send(line)
        client.fence()
        return alone.told_since(link, client)

    assert told("SUB x 1", "SUB x 2", "SUB x.* 3") == [b"RS+ A x", b"RS+ A x.*"]
    assert told("SUB x q 4") == [b"RS+ A x q 1"]
    assert told("SUB x q 5") == [b"RS+ A x q 2"]
    assert told("SUB x r 6") == [b"RS+ A x r 1"]
    assert told("UNSUB 1") == []
    assert told("UNSUB 2") == [b"RS- A x"]
    assert told("UNSUB 4") == [b"RS+ A x q 1"]
    assert told("UNSUB 5") == [b"RS- A x q"]
    assert told("SUB x 1", "UNSUB 1") == [b"RS+ A x", b"RS- A x"]
    other = alone.client()
    other.send("SUB gone 1")
    other.send("SUB gone q 2")
    other.fence()
    assert set(alone.told_since(link, client)) == {b"RS+ A gone", b"RS+ A gone q 1"}
    other.close()
    wait_for("the client to be gone", lambda: alone.server.get_json("/varz")["connections"] == 1)
    assert set(alone.told_since(link, client)) == {b"RS- A gone", b"RS- A gone q"}


def test_a_limit_on_messages_holds_for_what_comes_over_the_route(alone, peer):
    # spec: CLU-030 CORE-053
    link, client = a_route(alone, peer), alone.client()
    client.send_raw(b"SUB few 1\r\nUNSUB 1 2\r\n")
    client.fence()
    assert alone.told_since(link, client) == [b"RS+ A few"]
    link.send_raw(b"RMSG A few 1\r\n1\r\n" * 3)
    assert lines_until(link, b"RS-") == [b"RS- A few"]
    assert client.fence() == [b"MSG few 1 1", b"1"] * 2


def test_interest_of_the_peer_is_kept_and_withdrawn(alone, peer):
    # spec: CLU-025 CLU-103
    link, client = a_route(alone, peer), alone.client()
    link.send_raw(b"RS+ A x\r\nRS+ A x\r\nRS+ A x q 3\r\nRS+ A x q 2\r\n")
    link.fence()

    def listed():
        routes = alone.server.get_json("/routez?subs=detail")["routes"]
        subs = [one for route in routes for one in route.get("subscriptions_list_detail") or []]
        return sorted((one["subject"], one.get("qgroup", "")) for one in subs)

    assert listed() == [("x", ""), ("x", "q")]
    client.publish("x", b"1")
    client.fence()
    assert link.fence() == [b"RMSG A x | q 1", b"1"]
    link.send_raw(b"RS- A x\r\nRS- A x\r\nRS- A x q\r\nRS- A nothing\r\n")
    link.fence()
    assert listed() == []
    client.send("SUB in 1")
    client.publish("x", b"", "in")
    assert b"503" in client.message()[3]
    assert ours(link.fence()) == [b"RS+ A in"]


def test_the_interest_of_a_lost_peer_goes_at_once(alone, peer):
    # spec: CLU-025 CLU-103
    link, client = a_route(alone, peer), alone.client()
    link.send_raw(b"RS+ A x\r\nRS+ A x q 1\r\n")
    link.fence()
    client.send("SUB in 1")
    link.close()
    wait_for("the route to be gone", lambda: alone.server.get_json("/routez")["num_routes"] == 0)
    client.publish("x", b"", "in")
    assert b"503" in client.message()[3]


# --- messages -----------------------------------------------------------------------------------


def test_messages_to_the_peer(alone, peer):
    # spec: CLU-026 CLU-028 CLU-195
    link, client = a_route(alone, peer), alone.client()

    def sent(data: bytes) -> list[bytes]:
        client.send_raw(data)
        client.fence()
        return link.fence()

    link.send_raw(b"RS+ A plain\r\nRS+ A qq g1 1\r\nRS+ A both\r\nRS+ A both g1 1\r\nRS+ A both g2 1\r\n")
    link.fence()
    assert sent(b"PUB plain 2\r\nhi\r\n") == [b"RMSG A plain 2", b"hi"]
    assert sent(b"PUB plain re.ply 2\r\nhi\r\n") == [b"RMSG A plain re.ply 2", b"hi"]
    assert sent(b"PUB plain 0\r\n\r\n") == [b"RMSG A plain 0", b""]
    assert sent(b"HPUB plain 12 14\r\nNATS/1.0\r\n\r\nhi\r\n") == [b"HMSG A plain 12 14", b"NATS/1.0", b"", b"hi"]
    assert sent(b"HPUB plain re.ply 12 14\r\nNATS/1.0\r\n\r\nhi\r\n")[0] == b"HMSG A plain re.ply 12 14"
    assert sent(b"PUB qq 2\r\nhi\r\n") == [b"RMSG A qq | g1 2", b"hi"]
    assert sent(b"PUB qq re.ply 2\r\nhi\r\n") == [b"RMSG A qq + re.ply g1 2", b"hi"]
    assert sent(b"HPUB qq re.ply 12 14\r\nNATS/1.0\r\n\r\nhi\r\n")[0] == b"HMSG A qq + re.ply g1 12 14"
    assert sent(b"HPUB qq 12 14\r\nNATS/1.0\r\n\r\nhi\r\n")[0] == b"HMSG A qq | g1 12 14"
    assert sent(b"PUB both 2\r\nhi\r\n")[0] in (b"RMSG A both | g1 g2 2", b"RMSG A both | g2 g1 2")
    assert sent(b"PUB nobody 2\r\nhi\r\n") == []
    # One copy, however many of its subscriptions match.
    link.send_raw(b"RS+ A plain.*\r\nRS+ A plain.>\r\nRS+ A >\r\n")
    link.fence()
    assert sent(b"PUB plain.x 2\r\nhi\r\n") == [b"RMSG A plain.x 2", b"hi"]


def test_messages_from_the_peer(alone, peer):
    # spec: CLU-026 CLU-195
    link, client = a_route(alone, peer), alone.client()
    client.send_raw(b"SUB x 1\r\nSUB x g1 2\r\nSUB x g2 3\r\nSUB x.> 4\r\n")
    client.fence()

    def got(data: bytes) -> list[tuple]:
        link.send_raw(data)
        link.fence()
        alone.told_since(link, client)
        lines = client.fence()
        return sorted(line for line in lines if line.startswith((b"MSG", b"HMSG")))

    assert got(b"RMSG A x 2\r\nhi\r\n") == [b"MSG x 1 2"]
    assert got(b"RMSG A x re.ply 2\r\nhi\r\n") == [b"MSG x 1 re.ply 2"]
    assert got(b"RMSG A x | g1 2\r\nhi\r\n") == [b"MSG x 1 2", b"MSG x 2 2"]
    assert got(b"RMSG A x + re.ply g1 g2 2\r\nhi\r\n") == [
        b"MSG x 1 re.ply 2",
        b"MSG x 2 re.ply 2",
        b"MSG x 3 re.ply 2",
    ]
    assert got(b"HMSG A x 12 14\r\nNATS/1.0\r\n\r\nhi\r\n") == [b"HMSG x 1 12 14"]
    assert got(b"HMSG A x + re.ply g2 12 14\r\nNATS/1.0\r\n\r\nhi\r\n") == [
        b"HMSG x 1 re.ply 12 14",
        b"HMSG x 3 re.ply 12 14",
    ]
    assert got(b"RMSG A x.y 0\r\n\r\n") == [b"MSG x.y 4 0"]
    # A group that the line does not name gets nothing, nor does one that nobody is in.
    assert got(b"RMSG A x | nobody 2\r\nhi\r\n") == [b"MSG x 1 2"]
    assert got(b"RMSG B x 2\r\nhi\r\n") == []


def test_what_comes_over_a_route_does_not_leave_over_a_route(alone, peer):
    # spec: CLU-026
    link, client = a_route(alone, peer), alone.client()
    with Peer("other") as other:
        second = a_route(alone, other)
        for each in (link, second):
            each.send("RS+ A x")
            each.fence()
        link.send_raw(b"RMSG A x 2\r\nhi\r\n")
        link.fence()
        client.publish("x", b"own")
        client.fence()
        assert [line for line in second.fence() if line.startswith(b"RMSG")] == [b"RMSG A x 3"]
        assert [line for line in link.fence() if line.startswith(b"RMSG")] == [b"RMSG A x 3"]


def test_a_payload_may_be_larger_than_clients_may_send(start, peer):
    # spec: CLU-032
    alone = Alone(start, CLUSTER + "max_payload: 1000\n")
    link, client = a_route(alone, peer), alone.client()
    client.send("SUB x 1")
    client.fence()
    link.send_raw(b"RMSG A x 5000\r\n" + b"y" * 5000 + b"\r\n")
    assert len(client.message()[4]) == 5000


# --- leaf node origin ---------------------------------------------------------------------------

WITH_LEAF = CLUSTER + 'leafnodes { listen: "127.0.0.1:%d" }\n'


@pytest.fixture
def with_leaf(start):
    """A server with a route peer and a leaf peer, both in account A."""
    leaf_port = free_port()
    alone = Alone(start, WITH_LEAF % leaf_port)
    with Peer() as router, Peer("leaf", "l1") as spoke:
        route = a_route(alone, router)
        leaf = spoke.dial(leaf_port)
        say(leaf, "CONNECT", spoke.leaf_connect(user="a", **{"pass": "a"}))
        lines_until(leaf, b"LS+ $LDS.")
        leaf.fence()
        yield alone, route, leaf


def test_interest_of_a_leaf_node_names_its_origin(with_leaf):
    # spec: CLU-025 CLU-192
    alone, route, leaf = with_leaf
    client = alone.client()
    route.fence()
    leaf.send_raw(b"LS+ plain\r\nLS+ qq grp 1\r\nLS+ qq grp 4\r\n")
    leaf.fence()
    assert alone.told_since(route, client) == [b"LS+ l1 A plain", b"LS+ l1 A qq grp 1", b"LS+ l1 A qq grp 4"]
    client.send("SUB plain 1")
    client.fence()
    assert alone.told_since(route, client) == [b"RS+ A plain"]
    leaf.send_raw(b"LS- plain\r\nLS- qq grp\r\n")
    leaf.fence()
    assert alone.told_since(route, client) == [b"LS- l1 A plain", b"LS- l1 A qq grp"]


def test_messages_of_a_leaf_node_name_their_origin(with_leaf):
    # spec: CLU-027 CLU-193
    alone, route, leaf = with_leaf
    route.send_raw(b"RS+ A x\r\nRS+ A y q 1\r\n")
    route.fence()
    leaf.fence()
    leaf.send_raw(b"LMSG x 2\r\nhi\r\nLMSG x re.ply 2\r\nhi\r\nHMSG x re.ply 12 14\r\nNATS/1.0\r\n\r\nhi\r\n")
    leaf.send_raw(b"LMSG y | q 2\r\nhi\r\n")
    leaf.fence()
    assert route.fence() == [
        *(b"LMSG l1 A x 0 2", b"hi"),
        *(b"LMSG l1 A x re.ply 0 2", b"hi"),
        *(b"LMSG l1 A x re.ply 12 14", b"NATS/1.0", b"", b"hi"),
        *(b"LMSG l1 A y | q 0 2", b"hi"),
    ]


def test_what_names_its_origin_does_not_go_back_there(with_leaf):
    # spec: CLU-066 CLU-025 CLU-027
    alone, route, leaf = with_leaf
    client = alone.client()
    client.send("SUB x 1")
    leaf.send("LS+ x")
    leaf.fence()
    leaf.fence()
    # A leaf node of the same cluster, behind the peer.
    route.send_raw(b"LS+ l1 A y\r\nLMSG l1 A x 0 2\r\nhi\r\nLMSG l1 A x re.ply 12 14\r\nNATS/1.0\r\n\r\nhi\r\n")
    route.fence()
    assert client.message() == ("x", "1", "", b"", b"hi")
    assert client.message() == ("x", "1", "re.ply", b"NATS/1.0\r\n\r\n", b"hi")
    route.send_raw(b"LMSG l2 A x 0 2\r\nho\r\n")
    assert client.message()[4] == b"ho"
    assert [line for line in leaf.fence() if not line.startswith(b"LS")] == [b"LMSG x 2", b"ho"]
    # Towards a peer it is for the peer to hold back what came from there, but for queue groups.
    route.send_raw(b"LS+ l1 A z q 1\r\n")
    route.fence()
    leaf.send_raw(b"LMSG y 2\r\nhi\r\nLMSG z | q 2\r\nhi\r\n")
    leaf.fence()
    client.publish("y", b"own")
    client.fence()
    assert [line for line in route.fence() if b"MSG" in line] == [b"LMSG l1 A y 0 2", b"RMSG A y 3"]


# --- what peers tell each other -----------------------------------------------------------------


def test_a_new_peer_is_told_to_the_others(alone, peer, listener):
    # spec: CLU-021 CLU-022
    first = peer.route(alone.port)
    first.fence()
    with Peer("second") as second:
        link = second.route(alone.port, port=listener.port, connect_urls=["10.0.0.1:4222"])
        told = body_of(lines_until(first, b"INFO ")[-1])
        assert told.pop("go", "") == ""
        assert told == {
            "server_id": second.id,
            "server_name": "second",
            "version": "2.15.1",
            "proto": 3,
            "host": "127.0.0.1",
            "port": listener.port,
            "headers": True,
            "max_payload": 1048576,
            "ip": f"nats-route://127.0.0.1:{listener.port}/",
            "cluster": "C1",
            "connect_urls": ["10.0.0.1:4222"],
            "lnoc": True,
            "lnocu": True,
            "route_pool_size": 3,
            "gossip_mode": 1,
        }
        assert not [line for line in link.fence() if line.startswith(b"INFO")]


def test_a_peer_one_hears_of_is_dialled(alone, peer, listener):
    # spec: CLU-021 CLU-022
    link = settled(peer.route(alone.port))
    third = Peer("third")
    say(link, "INFO", third.route_info(port=listener.port, ip=f"nats-route://127.0.0.1:{listener.port}/", gossip_mode=1))
    dialled = listener.accept()
    assert body_of(dialled.line())["name"] == alone.id
    say(dialled, "INFO", third.route_info(port=listener.port, compression="off"))
    assert body_of(dialled.line())["gossip_mode"] == 1
    dialled.close()


def test_client_urls_of_peers_reach_clients(alone, peer):
    # spec: CLU-023 CORE-029 CLI-009
    client = alone.client(protocol=1)
    link = settled(peer.route(alone.port, connect_urls=["10.0.0.1:4222", "10.0.0.2:4222"]))
    told_urls(alone, client, "10.0.0.1:4222", "10.0.0.2:4222")
    # What a peer says when it is known already changes nothing but this.
    say(link, "INFO", peer.route_info(connect_urls=["10.0.0.3:4222"]))
    say(link, "INFO", peer.route_info(ldm=True))
    told_urls(alone, client)


def told_urls(alone, client: Connection, *others: str) -> None:
    """Waits until a client that is there is told of these beside the server's own, as new ones are."""
    own = f"127.0.0.1:{alone.server.client_port}"
    while set(body_of(lines_until(client, b"INFO ")[-1]).get("connect_urls") or []) != {own, *others}:
        pass
    assert set(alone.server.connect().info["connect_urls"]) == {own, *others}


def test_the_last_connection_of_a_peer_takes_its_client_urls_along(alone, peer):
    # spec: CLU-023
    client = alone.client(protocol=1)
    link = settled(peer.route(alone.port, connect_urls=["10.0.0.1:4222"]))
    told_urls(alone, client, "10.0.0.1:4222")
    link.close()
    told_urls(alone, client)


def test_no_advertise(start, peer):
    # spec: CLU-024
    alone = Alone(start, 'cluster { name: C1, listen: "127.0.0.1:@PORT@", no_advertise: true }\n')
    assert "connect_urls" not in peer.dial(alone.port).info
    assert "connect_urls" not in alone.server.connect().info


def test_lame_duck_is_told_to_peers(start, peer):
    # spec: CLU-023 CORE-142
    alone = Alone(start, CLUSTER + 'lame_duck_duration: "30s"\nlame_duck_grace_period: "1s"\n', check_exit=False)
    client = alone.client()
    link = settled(peer.route(alone.port))
    alone.server.signal(signal.SIGUSR2)
    info = body_of(lines_until(link, b"INFO ")[-1])
    assert info["ldm"] is True
    # The peers leave this server out of what they tell their clients; its own list says nothing of that.
    assert info["connect_urls"] == [f"127.0.0.1:{alone.server.client_port}"]
    client.fence()
    alone.server.kill()


# --- time ---------------------------------------------------------------------------------------


def test_a_silent_peer_is_dropped(start, peer):
    # spec: CLU-031
    alone = Alone(start, 'cluster { name: C1, listen: "127.0.0.1:@PORT@", ping_interval: "100ms", ping_max: 2 }\n')
    link = peer.route(alone.port)
    lines = link.until_closed().split(b"\r\n")
    assert lines.count(b"PING") == 2
    assert b"-ERR 'Stale Connection'" in lines
    alone.closed_log("Stale Connection")
    assert alone.server.get_json("/varz")["stale_connections"] == 1
    assert alone.server.get_json("/varz")["stale_connection_stats"]["routes"] == 1


def test_a_peer_that_answers_is_kept(start, peer):
    # spec: CLU-031
    alone = Alone(start, 'cluster { name: C1, listen: "127.0.0.1:@PORT@", ping_interval: "50ms", ping_max: 1 }\n')
    link = peer.route(alone.port)
    for _ in range(10):
        while link.line() != b"PING":
            pass
        link.send("PONG")
    assert alone.server.get_json("/routez")["routes"][0]["rtt"] != "0s"
