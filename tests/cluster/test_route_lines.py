"""What routes carry: interest, messages, the origin of what came from leaf nodes, and what peers tell each other."""

from __future__ import annotations

import signal

import pytest

from cluster.alone import ROUTES, Alone, a_route, ours, settled
from harness.peer import Peer, body_of, lines_until, say
from harness.server import wait_for
from harness.topology import free_port
from harness.wire import Connection


@pytest.fixture
def alone(start):
    return Alone(start, ROUTES)


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
    link.fence()
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


def test_a_message_of_a_stream_is_shown_under_its_own_subject(alone, peer):
    # spec: CORE-188 CORE-189
    link, client = a_route(alone, peer), alone.client()
    client.send("SUB deliver 1")
    client.fence()
    ack = "$JS.ACK.S.C.1.1.1.1.0"
    for reply, subject, shown in (
        (f"{ack}@orders.new", "orders.new", ack),
        (ack, "deliver", ack),
        ("$JS.ACK.S.C.1.1.1.1@orders.new", "deliver", "$JS.ACK.S.C.1.1.1.1@orders.new"),
        ("$JS.ACK.S.C.1.1.1@orders.a.b.c", "deliver", "$JS.ACK.S.C.1.1.1@orders.a.b.c"),
        ("_INBOX.S.C.1.1.1.1.0@orders.new", "deliver", "_INBOX.S.C.1.1.1.1.0@orders.new"),
    ):
        link.send_raw(f"RMSG A deliver {reply} 2\r\nhi\r\n".encode())
        assert client.line().decode() == f"MSG {subject} 1 {shown} 2"
        assert client.line() == b"hi"


def test_a_payload_may_be_larger_than_clients_may_send(start, peer):
    # spec: CLU-032
    alone = Alone(start, ROUTES + "max_payload: 1000\n")
    link, client = a_route(alone, peer), alone.client()
    client.send("SUB x 1")
    client.fence()
    link.send_raw(b"RMSG A x 5000\r\n" + b"y" * 5000 + b"\r\n")
    assert len(client.message()[4]) == 5000


# --- leaf node origin ---------------------------------------------------------------------------

WITH_LEAF = ROUTES + 'leafnodes { listen: "127.0.0.1:%d" }\n'


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
    client.fence()
    leaf.send("LS+ x")
    leaf.fence()
    # A leaf node of the same cluster, behind the peer.
    route.send_raw(b"LS+ l1 A y\r\nLMSG l1 A x 0 2\r\nhi\r\nLMSG l1 A x re.ply 12 14\r\nNATS/1.0\r\n\r\nhi\r\n")
    route.fence()
    assert client.message() == ("x", "1", "", b"", b"hi")
    assert client.message() == ("x", "1", "re.ply", b"NATS/1.0\r\n\r\n", b"hi")
    route.send_raw(b"LMSG l2 A x 0 2\r\nho\r\n")
    route.fence()
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
    there = f"nats-route://127.0.0.1:{listener.port}/"
    say(link, "INFO", third.route_info(port=listener.port, ip=there, gossip_mode=1))
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
    # spec: CLU-023 CORE-142 CORE-143
    alone = Alone(start, ROUTES + 'lame_duck_duration: "30s"\nlame_duck_grace_period: "1s"\n', check_exit=False)
    client = alone.client(protocol=1)
    link = settled(peer.route(alone.port, connect_urls=["10.0.0.1:4222"]))
    told_urls(alone, client, "10.0.0.1:4222")
    alone.server.signal(signal.SIGUSR2)
    info = body_of(lines_until(link, b"INFO ")[-1])
    assert info["ldm"] is True
    # The peers leave this server out of what they tell their clients; its own list says nothing of that.
    assert info["connect_urls"] == [f"127.0.0.1:{alone.server.client_port}"]
    # Clients are told of the others, where they should go now.
    info = body_of(lines_until(client, b"INFO ")[-1])
    assert (info["ldm"], info["connect_urls"]) == (True, ["10.0.0.1:4222"])
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
