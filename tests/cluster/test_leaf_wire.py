"""The leaf node protocol, line by line: the server under test is the hub or the spoke, the test is the other."""

from __future__ import annotations

import contextlib
import re
import ssl

import pytest

from cluster.alone import ACCOUNTS, Alone, ours, refused
from harness.peer import Listener, Peer, body_of, lines_until, say, start_tls_as_server
from harness.server import wait_for
from harness.topology import free_port
from harness.wire import Connection, WireError

HUB = 'leafnodes { listen: "127.0.0.1:@PORT@" }\n'
# A hub that is played here may be slow to greet.
PATIENT = 'first_info_timeout: "10s"'
SPOKE = (
    'leafnodes { reconnect: "50ms", '
    f'remotes: [ {{ url: "nats-leaf://u:p@127.0.0.1:%d", account: A, {PATIENT} @EXTRA@ }} ] }}\n'
)


@pytest.fixture
def alone(start):
    return Alone(start, HUB)


@pytest.fixture
def peer():
    with Peer("l1", "l1") as found:
        yield found


def spoke(alone, peer, user: str = "a", **changes) -> Connection:
    """A leaf node of this user's account, after the first interest."""
    link = peer.dial(alone.port)
    say(link, "CONNECT", peer.leaf_connect(user=user, **{"pass": user}, **changes))
    lines_until(link, b"LS+ $LDS.")
    link.fence()
    return link


def dialled(listener: Listener, peer: Peer, **info) -> Connection:
    """The connection of a server that dials, after its first interest."""
    link = listener.accept()
    peer.links.append(link)
    say(link, "INFO", peer.leaf_info(listener.port, nonce="n", compression="off", **info))
    lines_until(link, b"LS+ $LDS.")
    link.fence()
    return link


# --- handshake ----------------------------------------------------------------------------------


def test_the_hub_speaks_first_and_again_when_it_knows_who_is_there(alone, peer):
    # spec: CLU-052 CLU-202 CLU-203 CLU-194 CLU-004
    link = peer.dial(alone.port)
    first = dict(link.info)
    assert len(first.pop("nonce")) == 15
    assert isinstance(first.pop("client_id"), int)
    expected = {
        "server_id": alone.id,
        "server_name": "here",
        "proto": 3,
        "host": "127.0.0.1",
        "port": alone.port,
        "headers": True,
        "auth_required": True,
        "max_payload": 1048576,
        "ip": f"127.0.0.1:{alone.port}",
        "info_on_connect": True,
        "leafnode_urls": [f"127.0.0.1:{alone.port}"],
        "cluster": "here",
    }
    for free in ("version", "go", "git_commit", "api_lvl"):
        first.pop(free, None)
    if "cluster" not in first:
        expected.pop("cluster")
    assert first == {**expected, "compression": "s2_auto"}
    say(link, "CONNECT", peer.leaf_connect(user="a", **{"pass": "a"}))
    second = body_of(link.line())
    for free in ("version", "go", "git_commit", "api_lvl", "client_id"):
        second.pop(free, None)
    assert second == {**expected, "connect_info": True, "remote_account": "A"}
    lines = lines_until(link, b"PING")[:-1]
    imports = {"USER.INFO", "SERVER.PING.CONNZ", "ACCOUNT.PING.CONNZ", "ACCOUNT.PING.STATZ"}
    loop = [line for line in lines if re.fullmatch(rb"LS\+ \$LDS\.[0-9A-Za-z]{22}", line)]
    assert set(lines) == {f"LS+ $SYS.REQ.{one}".encode() for one in imports} | set(loop)
    assert len(loop) == 1
    (leaf,) = alone.server.get_json("/leafz")["leafs"]
    assert (leaf["name"], leaf["account"], leaf["is_spoke"], leaf["compression"]) == ("l1", "A", False, "off")


def test_the_spoke_waits_for_info(start, peer, listener):
    # spec: CLU-051 CLU-202 CLU-052
    alone = Alone(start, SPOKE.replace("@EXTRA@", "") % listener.port)
    client = alone.client()
    client.send_raw(b"SUB plain 1\r\nSUB qq grp 2\r\nSUB qq grp 3\r\n")
    client.fence()
    link = listener.accept()
    peer.links.append(link)
    say(link, "INFO", peer.leaf_info(listener.port, nonce="n", compression="off"))
    connect = body_of(link.line())
    assert connect.pop("version")
    assert connect == {
        "user": "u",
        "pass": "p",
        "server_id": alone.id,
        "name": "here",
        "cluster": "here",
        "headers": True,
        "compress_mode": "off",
        "remote_account": "A",
        "protocol": 3,
    }
    lines = lines_until(link, b"PING")[:-1]
    assert set(ours(lines)) == {b"LS+ plain", b"LS+ qq grp 2"}
    assert sum(line.startswith(b"LS+ $LDS.") for line in lines) == 1
    (leaf,) = alone.server.get_json("/leafz")["leafs"]
    assert (leaf["name"], leaf["account"], leaf["is_spoke"]) == ("l1", "A", True)


def test_both_sides_ping(alone, peer):
    # spec: CLU-207
    link = peer.dial(alone.port)
    say(link, "CONNECT", peer.leaf_connect(user="a", **{"pass": "a"}))
    lines_until(link, b"PING")
    link.send("PONG")
    link.send("PING")
    lines_until(link, b"PONG")
    wait_for("a round trip", lambda: alone.server.get_json("/leafz")["leafs"][0]["rtt"] != "0s")


REFUSED = {
    "nobody": ({}, b"-ERR 'Authorization Violation'", "Authentication Failure"),
    "a wrong password": ({"user": "a", "pass": "b"}, b"-ERR 'Authorization Violation'", "Authentication Failure"),
    "the same cluster": (
        {"user": "a", "pass": "a", "cluster": "HUB"},
        b"-ERR 'remote leafnode has same cluster name'",
        "Cluster Names Identical",
    ),
    "a client": (
        {"user": "a", "pass": "a", "lang": "go"},
        b"-ERR 'attempted to connect to leaf node port'",
        "Incorrect Port",
    ),
}


@pytest.mark.parametrize("who", REFUSED)
def test_who_is_refused(who, start, peer):
    # spec: CLU-054 CLU-064 SEC-100 SEC-101
    connect, answer, reason = REFUSED[who]
    alone = Alone(start, HUB + 'cluster { name: HUB, listen: "127.0.0.1:-1" }\n')
    link = peer.dial(alone.port)
    say(link, "CONNECT", peer.leaf_connect(**connect))
    assert refused(link) == answer
    alone.closed_log(reason)
    assert alone.server.get_json("/leafz")["leafnodes"] == 0


@pytest.mark.parametrize("who", ["route", "gateway"])
def test_other_servers_at_the_leaf_node_port(who, alone, peer):
    # spec: SEC-100 CLU-064
    link = peer.dial(alone.port)
    say(link, "CONNECT", peer.route_connect() if who == "route" else peer.gateway_connect())
    assert refused(link) == b"-ERR 'Authorization Violation'"


@pytest.mark.parametrize("line", ["LS+ foo", "PING", "nonsense", "LMSG foo 2\r\nhi"])
def test_the_first_word_is_connect(line, alone, peer):
    # spec: CLU-064
    link = peer.dial(alone.port)
    link.send(line)
    assert refused(link) == b"-ERR 'Authorization Violation'"


def test_a_leaf_node_at_the_client_port(alone, peer):
    # spec: CORE-042
    link = peer.dial(alone.server.client_port)
    say(link, "CONNECT", peer.leaf_connect(user="a", **{"pass": "a"}))
    assert refused(link) == b"-ERR 'invalid client protocol'"


def test_an_old_leaf_node(start, peer):
    # spec: CLU-053
    alone = Alone(start, 'leafnodes { listen: "127.0.0.1:@PORT@", min_version: "2.9.0" }\n')
    link = peer.dial(alone.port)
    say(link, "CONNECT", peer.leaf_connect(user="a", version="2.8.4", **{"pass": "a"}))
    assert refused(link) == b"""-ERR 'connection rejected since minimum version required is "2.9.0"'"""
    alone.closed_log("Minimum Version Required")
    spoke(alone, peer)


def test_a_loop(alone, peer):
    # spec: CLU-054
    link = peer.dial(alone.port)
    say(link, "CONNECT", peer.leaf_connect(user="a", **{"pass": "a"}))
    link.send(lines_until(link, b"LS+ $LDS.")[-1])
    answer = b"""-ERR 'Loop detected for leafnode account="A". Delaying attempt to reconnect for 30s'"""
    assert answer in refused(link)


@pytest.mark.parametrize(
    "error",
    [
        "remote leafnode has same cluster name",
        'Loop detected for leafnode account="A". Delaying attempt to reconnect for 30s',
    ],
)
def test_the_spoke_hears_that_it_should_wait(error, start, peer, listener):
    # spec: CLU-054
    alone = Alone(start, SPOKE.replace("@EXTRA@", "") % listener.port)
    link = dialled(listener, peer)
    link.send(f"-ERR '{error}'")
    alone.server.wait_log(r"Leafnode Error '" + re.escape(error))
    link.close()
    wait_for("the end of it", lambda: alone.server.get_json("/leafz")["leafnodes"] == 0)
    # An ordinary loss is followed by another attempt in 50 ms; after this it takes 30 s.
    assert listener.quiet(0.5)


def test_the_spoke_comes_back(start, peer, listener):
    # spec: CLU-061
    alone = Alone(start, SPOKE.replace("@EXTRA@", "") % listener.port)
    for _ in range(3):
        dialled(listener, peer).close()
    dialled(listener, peer)
    assert alone.server.get_json("/leafz")["leafnodes"] == 1


def test_the_spoke_gives_up_on_a_silent_hub(start, listener):
    # spec: CLU-061 CFG-370
    alone = Alone(start, SPOKE.replace(PATIENT, 'first_info_timeout: "100ms"').replace("@EXTRA@", "") % listener.port)
    link = listener.accept()
    assert link.until_closed() == b""
    listener.accept().close()
    assert "Leafnode connection closed" in alone.server.log()


def test_the_spoke_at_a_client_port(start):
    # spec: CLU-061 CLU-064
    hub = Alone(start, HUB)
    alone = Alone(start, SPOKE.replace("@EXTRA@", "") % hub.server.client_port, ACCOUNTS.replace("here", "there"))
    alone.server.wait_log(r"Remote is not a leafnode|attempt(ed)? to connect to .*port|wrong port")


def test_a_name_may_come_twice(alone):
    # spec: CLU-065
    with Peer("same", "same") as one, Peer("same", "same") as two:
        spoke(alone, one)
        spoke(alone, two)
        assert alone.server.get_json("/leafz")["leafnodes"] == 2


def test_the_newer_of_two_connections_of_one_leaf_node_stays(alone, peer):
    # spec: CLU-065
    first = spoke(alone, peer, remote_account="X")
    other = spoke(alone, peer, remote_account="Y")
    second = spoke(alone, peer, remote_account="X")
    first.until_closed()
    alone.closed_log("Duplicate Remote LeafNode Connection")
    second.fence()
    other.fence()
    assert alone.server.get_json("/leafz")["leafnodes"] == 2


# --- TLS ----------------------------------------------------------------------------------------


def hub_with_tls(authority, extra: str = "") -> str:
    pair = authority.server
    return (
        f'leafnodes {{ listen: "127.0.0.1:@PORT@"\n  tls {{ cert_file: "{pair.cert}", key_file: "{pair.key}"\n'
        f'    ca_file: "{authority.ca.cert}", timeout: 1\n    {extra} }} }}\n'
    )


@pytest.mark.parametrize("first", [False, True])
def test_tls(first, start, peer, authority):
    # spec: CLU-064
    alone = Alone(start, hub_with_tls(authority, "handshake_first: true" if first else ""))
    link = peer.dial(alone.port, tls=authority.context(), tls_first=first)
    assert link.info["tls_required"] is True
    say(link, "CONNECT", peer.leaf_connect(user="a", tls_required=True, **{"pass": "a"}))
    lines_until(link, b"LS+ $LDS.")
    link.fence()
    with Peer("plain") as plain:
        link = plain.dial(alone.port, read_info=not first)
        say(link, "CONNECT", plain.leaf_connect(user="a", **{"pass": "a"}))
        assert b"LS+" not in link.until_closed()
    alone.closed_log("TLS Handshake Failure")
    assert alone.server.get_json("/leafz")["leafnodes"] == 1


def test_both_sides_may_have_to_show_certificates(start, peer, authority):
    # spec: CLU-064
    alone = Alone(start, hub_with_tls(authority, "verify: true"))
    for client in (None, authority.client):
        with contextlib.suppress(OSError, WireError):
            link = peer.dial(alone.port, tls=authority.context(client))
            say(link, "CONNECT", peer.leaf_connect(user="a", tls_required=True, **{"pass": "a"}))
            lines_until(link, b"LS+ $LDS.")
            assert client is not None
    assert alone.server.get_json("/leafz")["leafnodes"] == 1
    alone.closed_log("TLS Handshake Failure")


@pytest.mark.parametrize("first", [False, True])
def test_a_spoke_with_tls(first, start, peer, listener, authority):
    # spec: CLU-064
    url = f"tls://u:p@localhost:{listener.port}"
    tls = f'ca_file: "{authority.ca.cert}", timeout: 10' + (", handshake_first: true" if first else "")
    remote = f'{{ url: "{url}", account: A, {PATIENT}, tls {{ {tls} }} }}'
    alone = Alone(start, f'leafnodes {{ reconnect: "50ms", remotes: [ {remote} ] }}\n')
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server.cert, authority.server.key)
    link = listener.accept()
    peer.links.append(link)
    info = peer.leaf_info(listener.port, nonce="n", compression="off", tls_required=True, tls_available=True)
    if first:
        start_tls_as_server(link, context)
        say(link, "INFO", info)
    else:
        say(link, "INFO", info)
        start_tls_as_server(link, context)
    assert body_of(link.line())["user"] == "u"
    lines_until(link, b"LS+ $LDS.")
    link.fence()
    assert alone.server.get_json("/leafz")["leafnodes"] == 1


# --- interest -----------------------------------------------------------------------------------


@pytest.fixture(params=["hub", "spoke"])
def linked(request, start, peer, listener):
    """The server in either part, and the link of account A."""
    if request.param == "hub":
        alone = Alone(start, HUB)
        return alone, spoke(alone, peer)
    alone = Alone(start, SPOKE.replace("@EXTRA@", "") % listener.port)
    return alone, dialled(listener, peer)


def test_interest_is_told_once_and_weights_each_time(linked):
    # spec: CLU-055 CLU-056 CLU-205
    alone, link = linked
    client = alone.client()

    def told(*lines: str) -> list[bytes]:
        for line in lines:
            client.send(line)
        client.fence()
        return alone.told_since(link, client)

    assert told("SUB x 1", "SUB x 2", "SUB x.* 3") == [b"LS+ x", b"LS+ x.*"]
    assert told("SUB x q 4") == [b"LS+ x q 1"]
    assert told("SUB x q 5") == [b"LS+ x q 2"]
    assert told("UNSUB 1") == []
    assert told("UNSUB 2") == [b"LS- x"]
    assert told("UNSUB 4") == [b"LS+ x q 1"]
    assert told("UNSUB 5") == [b"LS- x q"]
    other = alone.client("b")
    other.send("SUB elsewhere 1")
    other.fence()
    assert told() == []


def test_interest_of_the_other_side(linked):
    # spec: CLU-055 CLU-105
    alone, link = linked
    client = alone.client()
    link.send_raw(b"LS+ x\r\nLS+ x\r\nLS+ y grp 2\r\nLS+ y grp 1\r\n")
    link.fence()
    (leaf,) = alone.server.get_json("/leafz?subs=1")["leafs"]
    assert sorted(one for one in leaf["subscriptions_list"] if "$" not in one) == ["x", "y"]
    link.send_raw(b"LS- x\r\nLS- y grp\r\nLS- nothing\r\n")
    link.fence()
    (leaf,) = alone.server.get_json("/leafz?subs=1")["leafs"]
    assert [one for one in leaf.get("subscriptions_list", []) if "$" not in one] == []
    client.send("SUB in 1")
    client.publish("x", b"", "in")
    assert b"503" in client.message()[3]


def test_interest_does_not_go_back_where_it_came_from(linked):
    # spec: CLU-056
    alone, link = linked
    client = alone.client()
    link.send("LS+ mine")
    link.fence()
    assert alone.told_since(link, client) == []


def test_a_hub_passes_on_the_interest_of_one_spoke_to_another(alone):
    # spec: CLU-056 CLU-060
    with Peer("l1", "l1") as one, Peer("l2", "l2") as two:
        first, second = spoke(alone, one), spoke(alone, two)
        client = alone.client()
        first.send_raw(b"LS+ x\r\nLS+ x q 1\r\n")
        first.fence()
        assert sorted(alone.told_since(second, client)) == [b"LS+ x", b"LS+ x q 1"]
        second.send_raw(b"LMSG x 2\r\nhi\r\n")
        second.fence()
        assert [line for line in first.fence() if b"MSG" in line] == [b"LMSG x 2"]
        first.send_raw(b"LS- x\r\n")
        first.fence()
        assert alone.told_since(second, client) == [b"LS- x"]


@pytest.mark.parametrize("asked_by", ["hub", "spoke"])
def test_spokes_may_be_isolated(asked_by, start):
    # spec: CLU-060 NEW-006 CFG-367
    option = "isolate_leafnode_interest: true" if asked_by == "hub" else ""
    alone = Alone(start, f'leafnodes {{ listen: "127.0.0.1:@PORT@"\n {option} }}\n')
    with Peer("l1", "l1") as one, Peer("l2", "l2") as two:
        first = spoke(alone, one)
        second = spoke(alone, two, isolate=True if asked_by == "spoke" else None)
        client = alone.client()
        first.send("LS+ x")
        first.fence()
        assert alone.told_since(second, client) == []
        isolated = {leaf["name"]: leaf.get("is_isolated", False) for leaf in alone.server.get_json("/leafz")["leafs"]}
        assert isolated == {"l1": asked_by == "hub", "l2": True}


def test_a_lost_leaf_node_takes_its_interest_along(alone, peer):
    # spec: CLU-056
    link, client = spoke(alone, peer), alone.client()
    link.send_raw(b"LS+ x\r\nLS+ x q 1\r\n")
    link.fence()
    link.close()
    wait_for("the leaf node to be gone", lambda: alone.server.get_json("/leafz")["leafnodes"] == 0)
    client.send("SUB in 1")
    client.publish("x", b"", "in")
    assert b"503" in client.message()[3]


def test_a_hub_with_a_gateway_says_that_it_takes_replies(start, peer):
    # spec: CLU-204
    gateway = f'gateway {{ name: EAST, listen: "127.0.0.1:{free_port()}" }}\n'
    alone = Alone(start, HUB + gateway)
    link = peer.dial(alone.port)
    say(link, "CONNECT", peer.leaf_connect(user="a", **{"pass": "a"}))
    lines_until(link, b"LS+ _GR_.>")


# --- messages -----------------------------------------------------------------------------------


def test_messages_to_the_other_side(linked):
    # spec: CLU-055 CLU-206
    alone, link = linked
    client = alone.client()

    def sent(data: bytes) -> list[bytes]:
        client.send_raw(data)
        client.fence()
        return link.fence()

    link.send_raw(b"LS+ plain\r\nLS+ qq g1 1\r\nLS+ both\r\nLS+ both g1 1\r\n")
    link.fence()
    assert sent(b"PUB plain 2\r\nhi\r\n") == [b"LMSG plain 2", b"hi"]
    assert sent(b"PUB plain re.ply 2\r\nhi\r\n") == [b"LMSG plain re.ply 2", b"hi"]
    assert sent(b"HPUB plain 12 14\r\nNATS/1.0\r\n\r\nhi\r\n") == [b"HMSG plain 12 14", b"NATS/1.0", b"", b"hi"]
    assert sent(b"HPUB plain re.ply 12 14\r\nNATS/1.0\r\n\r\nhi\r\n")[0] == b"HMSG plain re.ply 12 14"
    assert sent(b"PUB qq 2\r\nhi\r\n") == [b"LMSG qq | g1 2", b"hi"]
    assert sent(b"PUB qq re.ply 2\r\nhi\r\n") == [b"LMSG qq + re.ply g1 2", b"hi"]
    assert sent(b"HPUB qq re.ply 12 14\r\nNATS/1.0\r\n\r\nhi\r\n")[0] == b"HMSG qq + re.ply g1 12 14"
    assert sent(b"PUB both 2\r\nhi\r\n") == [b"LMSG both | g1 2", b"hi"]
    assert sent(b"PUB nobody 2\r\nhi\r\n") == []


def test_messages_from_the_other_side(linked):
    # spec: CLU-055 CLU-206
    alone, link = linked
    client = alone.client()
    client.send_raw(b"SUB x 1\r\nSUB x g1 2\r\n")
    client.fence()
    alone.told_since(link, client)

    def got(data: bytes) -> list[bytes]:
        return alone.delivered(link, client, data)

    assert got(b"LMSG x 2\r\nhi\r\n") == [b"MSG x 1 2"]
    assert got(b"LMSG x re.ply 2\r\nhi\r\n") == [b"MSG x 1 re.ply 2"]
    assert got(b"HMSG x re.ply 12 14\r\nNATS/1.0\r\n\r\nhi\r\n") == [b"HMSG x 1 re.ply 12 14"]
    assert got(b"LMSG x | g1 2\r\nhi\r\n") == [b"MSG x 1 2", b"MSG x 2 2"]
    assert got(b"LMSG x + re.ply g1 2\r\nhi\r\n") == [b"MSG x 1 re.ply 2", b"MSG x 2 re.ply 2"]
    assert got(b"LMSG nobody 2\r\nhi\r\n") == []


# --- permissions --------------------------------------------------------------------------------

LIMITED = ACCOUNTS.replace(
    "{ user: a, password: a }",
    '{ user: a, password: a, permissions: { publish: "ok.>", subscribe: "in.>" } }, { user: x, password: x }',
)


def test_permissions_of_the_user_hold_for_the_leaf_node(start, peer):
    # spec: CLU-057
    alone = Alone(start, HUB, LIMITED)
    link = peer.dial(alone.port)
    say(link, "CONNECT", peer.leaf_connect(user="a", **{"pass": "a"}))
    info = body_of(link.line())
    assert info["import"] == {"allow": ["in.>"]}
    assert info["export"] == {"allow": ["ok.>"]}
    lines_until(link, b"LS+ $LDS.")
    link.fence()
    client = alone.client("x")
    client.send_raw(b"SUB ok.x 1\r\nSUB no.x 2\r\nSUB > 3\r\n")
    client.fence()
    link.send_raw(b"LS+ in.x\r\nLMSG ok.x 2\r\nhi\r\n")
    link.fence()
    assert client.message()[0] == "ok.x"
    client.publish("in.x", b"1")
    client.fence()
    assert [line for line in link.fence() if b"MSG" in line] == [b"LMSG in.x 1"]


def test_a_complaint_of_the_hub_does_not_keep_the_spoke_away(start, peer, listener):
    # spec: CLU-054 CLU-057
    alone = Alone(start, SPOKE.replace("@EXTRA@", "") % listener.port)
    link = dialled(listener, peer)
    link.send("-ERR 'Permissions Violation for Publish to \"x\"'")
    alone.server.wait_log(r"Leafnode Error 'Permissions Violation")
    link.close()
    # What the hub complains of is no reason to wait.
    dialled(listener, peer)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("LS+ nope", b"""-ERR 'Permissions Violation for Subscription to "nope"'"""),
        ("LMSG nope 2\r\nhi", b"""-ERR 'Permissions Violation for Publish to "nope"'"""),
    ],
)
def test_what_a_leaf_node_may_not_do(line, answer, start, peer):
    # spec: CLU-057
    alone = Alone(start, HUB, LIMITED)
    link = spoke(alone, peer)
    link.send(line)
    assert answer in refused(link)
    alone.server.wait_log(r"Violation on \"nope\" - Check other side configuration")


def test_the_spoke_keeps_to_what_it_denies_itself(start, peer, listener):
    # spec: CLU-057 CFG-362
    alone = Alone(start, SPOKE.replace("@EXTRA@", ', deny_imports: "im.>", deny_exports: "ex.>"') % listener.port)
    link, client = dialled(listener, peer), alone.client()
    client.send_raw(b"SUB im.x 1\r\nSUB ok.x 2\r\n")
    client.fence()
    assert alone.told_since(link, client) == [b"LS+ ok.x"]
    link.send_raw(b"LS+ ex.x\r\nLS+ fine\r\nLMSG im.x 2\r\nhi\r\nLMSG ok.x 2\r\nhi\r\n")
    link.fence()
    assert client.message()[0] == "ok.x"
    client.publish("ex.x", b"1")
    client.publish("fine", b"1")
    client.fence()
    assert [line for line in link.fence() if b"MSG" in line] == [b"LMSG fine 1"]


def test_a_silent_leaf_node_is_dropped(start, peer):
    # spec: CLU-207 CORE-080 NEW-012
    alone = Alone(start, HUB + 'ping_interval: "100ms"\nping_max: 2\n')
    link = peer.dial(alone.port)
    say(link, "CONNECT", peer.leaf_connect(user="a", **{"pass": "a"}))
    lines = link.until_closed().split(b"\r\n")
    assert b"-ERR 'Stale Connection'" in lines
    alone.closed_log("Stale Connection")
    assert alone.server.get_json("/varz")["stale_connection_stats"]["leafs"] == 1
