"""Which links are compressed, and when they switch over; that what passes is right, whole topologies show."""

from __future__ import annotations

import pytest

from cluster.alone import ACCOUNTS, Alone, pool_index
from harness.peer import Listener, Peer, body_of, say
from harness.server import wait_for

# How a stream begins.
STREAM = b"\xff\x06\x00\x00S2sTwO"

OWN = ("off", "accept", "s2_fast", "s2_better", "s2_best", "s2_auto")
THEIRS = (None, "not supported", "off", "accept", "s2_fast", "s2_better", "s2_best", "s2_uncompressed", "s2_auto")


def chosen(own: str, theirs: str | None) -> str:
    """What a server with the mode `own` makes of a peer's."""
    if own == "not supported" or theirs in (None, "not supported"):
        return "not supported"
    if "off" in (own, theirs):
        return "off"
    if theirs == "accept":
        return "off" if own == "accept" else own
    if own == "accept":
        return "s2_fast" if theirs == "s2_auto" else theirs
    return own


def listed(mode: str) -> list[str]:
    """What monitoring may call it; `s2_auto` becomes a level of its own with the first round trip."""
    if mode == "s2_auto":
        return ["s2_auto", "s2_uncompressed", "s2_fast", "s2_better", "s2_best"]
    return [mode]


@pytest.mark.parametrize("own", OWN)
def test_routes(own, start):
    # spec: CLU-033 CLU-034 CLU-035 CLU-036 CLU-037 CLU-038 CLU-039
    alone = Alone(start, f'cluster {{ name: C1, listen: "127.0.0.1:@PORT@", compression: {own} }}\n')
    client = alone.client()
    client.send("SUB x 1")
    client.fence()
    for theirs in THEIRS:
        with Peer() as peer:
            index = pool_index("A")
            link = peer.dial(alone.port)
            assert link.info["compression"] == own
            say(link, "CONNECT", peer.route_connect())
            say(link, "INFO", peer.route_info(compression=theirs, **({"route_pool_idx": index} if index else {})))
            mode = chosen(own, theirs)
            if own == "off" and theirs is not None:
                # Nothing is chosen then, only told.
                mode = "off"
            if mode in ("off", "not supported"):
                assert link.line() == b"RS+ A x"
            else:
                # The accepting side has switched when it answers.
                assert link.take(len(STREAM)) == STREAM
                continue
            routes = wait_for("the route", lambda: alone.server.get_json("/routez")["routes"])
            assert [route["compression"] in listed(mode) for route in routes] == [True], (theirs, routes)
        wait_for("the route to go", lambda: alone.server.get_json("/routez")["num_routes"] == 0)


@pytest.mark.parametrize("theirs", THEIRS)
@pytest.mark.parametrize("own", ["accept", "s2_better"])
def test_a_dialled_route_switches_after_its_info(own, theirs, start):
    # spec: CLU-034 CLU-036
    listener = Listener()
    routes = f'routes: [ "nats-route://127.0.0.1:{listener.port}" ]'
    Alone(start, f'cluster {{ name: C1, listen: "127.0.0.1:@PORT@", pool_size: -1, compression: {own}\n {routes} }}\n')
    with Peer() as peer:
        link = listener.accept()
        peer.links.append(link)
        assert link.line().startswith(b"CONNECT ")
        say(link, "INFO", peer.route_info(port=listener.port, compression=theirs, route_pool_size=None))
        info = body_of(link.line())
        mode = chosen(own, theirs)
        assert info["compression"] == mode
        if mode in ("off", "not supported"):
            assert link.line().startswith((b"RS+ ", b"PING"))
        else:
            assert link.take(len(STREAM)) == STREAM
    listener.close()


@pytest.mark.parametrize("own", ["off", "accept", "s2_better", "s2_auto"])
def test_leaf_nodes(own, start):
    # spec: CLU-064 CLU-036 CLU-202
    alone = Alone(start, f'leafnodes {{ listen: "127.0.0.1:@PORT@", compression: {own} }}\n')
    for theirs in ("accept", "s2_fast", "s2_auto"):
        mode = chosen(own, theirs)
        with Peer("l1", "l1") as peer:
            link = peer.dial(alone.port)
            assert link.info["compression"] == own
            if mode == "off":
                continue
            say(link, "INFO", {"server_id": peer.id, "compression": theirs})
            assert link.take(len(STREAM)) == STREAM


@pytest.mark.parametrize("own", ["off", "accept", "s2_better", "s2_auto"])
@pytest.mark.parametrize("theirs", [None, "off", "accept", "s2_fast", "s2_auto"])
def test_a_dialling_leaf_node(own, theirs, start):
    # spec: CLU-064 CLU-202
    listener = Listener()
    remote = f'{{ url: "nats-leaf://127.0.0.1:{listener.port}", account: A, compression: {own} }}'
    Alone(start, f"leafnodes {{ remotes: [ {remote} ] }}\n", ACCOUNTS)
    with Peer("hub", "hub") as peer:
        link = listener.accept()
        peer.links.append(link)
        say(link, "INFO", peer.leaf_info(listener.port, nonce="n", compression=theirs))
        mode = chosen(own, theirs)
        line = link.line()
        if mode in ("off", "not supported"):
            assert line.startswith(b"CONNECT ")
            assert body_of(line)["compress_mode"] == mode
        else:
            # It asks first, and says who it is when the other side has switched.
            assert line.startswith(b"INFO ")
            assert body_of(line)["compression"] == mode
    listener.close()
