"""Peers that lie, babble or flood: the link ends or the line is ignored, and the server goes on as if nothing was."""

from __future__ import annotations

import contextlib
import random

import pytest

from cluster.alone import Alone, pool_index, refused
from harness.peer import Listener, Peer, lines_until, say
from harness.server import Server, wait_for
from harness.wire import Closed, Connection

ROUTE = 'cluster { name: C1, listen: "127.0.0.1:@PORT@" }\n'
LEAF = 'leafnodes { listen: "127.0.0.1:@PORT@" }\n'
GATEWAY = 'gateway { name: EAST, listen: "127.0.0.1:@PORT@" }\n'
CONFIGS = {"route": ROUTE, "leaf": LEAF, "gateway": GATEWAY}


def link_of(kind: str, alone, peer) -> Connection:
    """A link that is registered, and on a route the one that carries account A."""
    if kind == "route":
        index = pool_index("A")
        link = peer.route(alone.port, **({"route_pool_idx": index} if index else {}))
    elif kind == "leaf":
        link = peer.dial(alone.port)
        say(link, "CONNECT", peer.leaf_connect(user="a", **{"pass": "a"}))
        lines_until(link, b"LS+ $LDS.")
    else:
        link = peer.dial(alone.port)
        say(link, "CONNECT", peer.gateway_connect())
        # Nobody listens there: the server tries to come back, and that is its business.
        say(link, "INFO", peer.gateway_info(1))
        lines_until(link, b"INFO ")
    link.fence()
    return link


def alive(alone) -> None:
    """Clients are served, and whatever the peer said of `x` is gone with it or has never been."""
    client = alone.client()
    client.send_raw(b"SUB x 1\r\nPUB x 2\r\nhi\r\n")
    assert client.message()[4] == b"hi"
    client.close()


UNKNOWN = b"-ERR 'Unknown Protocol Operation'"
# What is sent, and what the server says before it closes the link.
CLOSING = {
    "route": {
        "RS+": UNKNOWN,
        "RS+ A": b"",
        "RS- A": b"",
        "RS+ A x q": b"",
        "RS+ A x q 1 2 3": b"",
        "RMSG A": b"",
        "RMSG A x": b"",
        "RMSG A x y": b"",
        "RMSG A x -1": b"",
        "RMSG A x 99999999999": b"",
        "RMSG A x 99999999999999999999": b"",
        "RMSG A x ? q r 2": b"",
        "RMSG A x 2\r\nhi!!": UNKNOWN,
        "HMSG A x 30 20": b"",
        "HMSG A x 12": b"",
        "LMSG o A x 2": b"",
        "nonsense": UNKNOWN,
        "MSG x 1 2\r\nhi": UNKNOWN,
        "INFO {": b"",
        "-ERR 'so'": b"",
    },
    "leaf": {
        "LS+": UNKNOWN,
        "LS+ x q": b"",
        "LS+ x q 1 2": b"",
        "LMSG x": b"",
        "LMSG x y": b"",
        "LMSG x -1": b"",
        "LMSG x 99999999999": b"",
        "LMSG x ? q r 2": b"",
        "LMSG x 2\r\nhi!!": UNKNOWN,
        "HMSG x 30 20": b"",
        "HMSG x 12": b"",
        "nonsense": UNKNOWN,
        "RS+ A x": b"",
        "MSG x 1 2\r\nhi": UNKNOWN,
        "INFO {": b"",
    },
    # On the connection that the peer dialled. Interest goes the other way on it.
    "gateway": {
        "RS+": UNKNOWN,
        "RS+ A x": b"",
        "RS+ A x q 1": b"",
        "RS- A x": b"",
        "RMSG A": b"",
        "RMSG A x -1": b"",
        "RMSG A x 99999999999": b"",
        "HMSG A x 30 20": b"",
        "nonsense": UNKNOWN,
        "LS+ x": UNKNOWN,
        "INFO {": b"",
    },
}
IGNORED = {
    "route": [
        "RS- A nothing",
        "RS+ NOBODYS x",
        "RS- NOBODYS x",
        "RS+ A x q 0",
        "RS+ A x q -1",
        "RS+ A x q many",
        "RS+ A x q 99999999999",
        "RMSG NOBODYS x 2\r\nhi",
        "HMSG NOBODYS x 12 14\r\nNATS/1.0\r\n\r\nhi",
        "LS+ o A x",
        "LS- o A nothing",
        "INFO {}",
        "A+ A",
        "A- A",
        "+OK",
        "PONG",
    ],
    "leaf": ["LS- nothing", "LS+ x q 0", "LS+ x q -1", "LS+ x q many", "INFO {}", "+OK", "PONG"],
    "gateway": ["RMSG NOBODYS x 2\r\nhi", "INFO {}", "+OK", "PONG"],
}


@pytest.mark.parametrize(("kind", "line"), [(kind, line) for kind, lines in CLOSING.items() for line in lines])
def test_lines_that_end_a_link(kind, line, shared_alone):
    # spec: CLU-025 CLU-026 CLU-027 CLU-028 CLU-055
    alone = shared_alone(kind)
    with Peer("bad", "bad" if kind == "leaf" else "C1") as peer:
        link = link_of(kind, alone, peer)
        link.send(line)
        link.send("PING")
        assert refused(link) == CLOSING[kind][line]
    alive(alone)


@pytest.mark.parametrize(("kind", "line"), [(kind, line) for kind, lines in IGNORED.items() for line in lines])
def test_lines_that_change_nothing(kind, line, shared_alone):
    # spec: CLU-025 CLU-026 CLU-045 CLU-055
    alone = shared_alone(kind)
    with Peer("bad", "bad" if kind == "leaf" else "C1") as peer:
        link = link_of(kind, alone, peer)
        link.send(line)
        assert not [one for one in link.fence() if one.startswith(b"-ERR")]
        alive(alone)
        link.fence()


@pytest.mark.parametrize("line", ["SUB x 1", "UNSUB 1", "PUB x 2\r\nhi"])
def test_what_only_clients_say(line, shared_alone):
    # spec: CLU-025
    # A server may read over it, or end a route that speaks like a client; it never does what is said.
    alone = shared_alone("route")
    with Peer("bad", "C1") as peer:
        link = link_of("route", alone, peer)
        with contextlib.suppress(Closed):
            link.send(line)
            link.send("PING")
            answer = link.line()
            assert answer in (b"PONG", UNKNOWN)
            if answer == UNKNOWN:
                assert refused(link) == b""
    alive(alone)


def test_a_bad_subject(start):
    # spec: CLU-025
    alone = Alone(start, ROUTE)
    with Peer() as peer:
        link = link_of("route", alone, peer)
        link.send("RS+ A x..y")
        assert lines_until(link, b"-ERR") == [b"-ERR 'Invalid Subscription'"]
        link.fence()


@pytest.mark.martlet_only
@pytest.mark.parametrize("line", ["A+ A", "A- A"])
def test_a_word_about_accounts_on_the_wrong_connection(line, start):
    # spec: CLU-045
    # The reference crashes.
    alone = Alone(start, GATEWAY)
    with Peer() as peer:
        link = link_of("gateway", alone, peer)
        link.send(line)
        assert refused(link) == b""
    alive(alone)


OUTBOUND = (
    'gateway {{ name: EAST, listen: "127.0.0.1:@PORT@", connect_retries: 9\n '
    'gateways: [ {{ name: C1, url: "nats://127.0.0.1:{port}" }} ] }}\n'
)


@pytest.fixture
def dialled(start):
    """A server that dialled the peer as a gateway, and the peer's end."""
    listener = Listener()
    alone = Alone(start, OUTBOUND.format(port=listener.port))
    with Peer("w1") as peer:
        link = listener.accept()
        peer.links.append(link)
        say(link, "INFO", peer.gateway_info(listener.port))
        lines_until(link, b"INFO ")
        link.fence()
        yield alone, link
    listener.close()


@pytest.mark.parametrize("line", ["RS+ A", "RS+ A x q", "RS- A", "RS+ A x q 1 2", "nonsense", "INFO {", "LS+ x"])
def test_lines_that_end_a_gateway_that_was_dialled(line, dialled):
    # spec: CLU-045 CLU-044
    alone, link = dialled
    link.send(line)
    assert refused(link) in (b"", UNKNOWN)
    alone.closed_log("Protocol Violation")
    alive(alone)


def test_lines_that_change_nothing_on_a_gateway_that_was_dialled(dialled):
    # spec: CLU-045 CLU-044
    alone, link = dialled
    for line in ("RS- A nothing", "RS+ NOBODYS x", "RS- NOBODYS x", "A- NOBODYS", "A+ NOBODYS", "RS+ A y q -1"):
        link.send(line)
    assert not [one for one in link.fence() if one.startswith(b"-ERR")]
    alive(alone)
    link.fence()


def test_a_flood_of_interest_on_a_gateway(dialled):
    # spec: CLU-044 CLU-032
    alone, link = dialled
    before = alone.server.rss_kib()
    count = 50_000
    # All there is in account A, as a server tells it.
    say(link, "INFO", {"gateway": "C1", "gateway_cmd": 2, "gateway_cmd_payload": "QQ=="})
    link.send_raw("".join(f"RS+ A flood.{n}.{n % 7}\r\n" for n in range(count)).encode())
    say(link, "INFO", {"gateway": "C1", "gateway_cmd": 3, "gateway_cmd_payload": "QQ=="})
    link.fence()
    client = alone.client()
    client.send_raw(b"PUB flood.49999.5 2\r\nhi\r\nPUB flood.x 2\r\nhi\r\n")
    client.fence()
    assert [line for line in link.fence() if b"MSG" in line] == [b"RMSG A flood.49999.5 2"]
    assert alone.server.rss_kib() - before < 150 * 1024


@pytest.mark.parametrize("kind", ["route", "leaf"])
def test_long_lines(kind, shared_alone):
    # spec: CLU-029
    alone = shared_alone(kind)
    verb = "LS+" if kind == "leaf" else "RS+ A"
    for length, fits in ((60_000, True), (70_000, False)):
        with Peer("bad", "bad" if kind == "leaf" else "C1") as peer:
            link = link_of(kind, alone, peer)
            link.send(f"{verb} {'x' * length}")
            if fits:
                link.fence()
            else:
                assert refused(link) == b"-ERR 'maximum control line exceeded'"
                alone.closed_log("Maximum Control Line Exceeded")
    alive(alone)


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_line_that_never_ends(kind, shared_alone):
    # spec: CLU-029
    alone = shared_alone(kind)
    before = alone.server.rss_kib()
    with Peer("bad", "bad" if kind == "leaf" else "C1") as peer:
        link = link_of(kind, alone, peer)
        with pytest.raises(OSError):  # noqa: PT011
            for _ in range(400):
                link.send_raw(b"x" * 65536 if _ else b"RS+ A " + b"x" * 65536)
    assert alone.server.rss_kib() - before < 40 * 1024
    alive(alone)


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_payload_that_never_comes(kind, shared_alone):
    # spec: CLU-026 CLU-032 CORE-055
    alone = shared_alone(kind)
    before = alone.server.rss_kib()
    head = b"LMSG x 500000\r\n" if kind == "leaf" else b"RMSG A x 500000\r\n"
    with Peer("bad", "bad" if kind == "leaf" else "C1") as peer:
        link_of(kind, alone, peer).send_raw(head + b"x" * 1000)
        alive(alone)
    assert alone.server.rss_kib() - before < 20 * 1024


@pytest.mark.parametrize("kind", CONFIGS)
def test_wrong_sizes(kind, start):
    # spec: CLU-026 CLU-055
    alone = Alone(start, CONFIGS[kind])
    verb = b"LMSG x" if kind == "leaf" else b"RMSG A x"
    client = alone.client()
    client.send("SUB x 1")
    client.fence()
    for body in (b"%s 5\r\nhi\r\n", b"%s 1\r\nhi\r\n"):
        with Peer("bad", "bad" if kind == "leaf" else "C1") as peer:
            link = link_of(kind, alone, peer)
            link.send_raw(body % verb + b"PING\r\nPING\r\n")
            link.until_closed()
    assert client.fence() == []


@pytest.mark.parametrize("kind", ["route", "leaf"])
def test_a_flood_of_interest(kind, start):
    # spec: CLU-030 CLU-032
    alone = Alone(start, CONFIGS[kind])
    verb, message = ("LS+", b"LMSG") if kind == "leaf" else ("RS+ A", b"RMSG A")
    count = 50_000
    before = alone.server.rss_kib()
    client = alone.client()
    client.send("SUB in 1")
    with Peer("bad", "bad" if kind == "leaf" else "C1") as peer:
        link = link_of(kind, alone, peer)
        link.send_raw("".join(f"{verb} flood.{n}.{n % 7}\r\n" for n in range(count)).encode())
        link.fence()
        client.send_raw(b"PUB flood.49999.5 2\r\nhi\r\nPUB flood.x 2\r\nhi\r\n")
        client.fence()
        assert [line for line in link.fence() if b"MSG" in line] == [message + b" flood.49999.5 2"]
        assert alone.server.rss_kib() - before < 150 * 1024
    wait_for("the interest to go", lambda: nobody_there(client, "flood.1.1"))
    alive(alone)


def nobody_there(client: Connection, subject: str) -> bool:
    client.publish(subject, b"", "in")
    return any(line.startswith(b"HMSG in 1") for line in client.fence())


@pytest.mark.parametrize("kind", CONFIGS)
def test_noise(kind, shared_alone):
    # spec: CLU-012 CLU-041 CLU-064
    alone = shared_alone(kind)
    dice = random.Random(7)
    for _ in range(60):
        with Peer("bad", "bad" if kind == "leaf" else "C1") as peer:
            link = peer.dial(alone.port)
            try:
                link.send_raw(dice.randbytes(dice.randint(1, 3000)) + b"\r\n")
            except OSError:
                continue
    alive(alone)


@pytest.mark.parametrize("kind", CONFIGS)
def test_noise_on_a_link_that_is_up(kind, shared_alone):
    # spec: CLU-012 CLU-041 CLU-064
    alone = shared_alone(kind)
    dice = random.Random(8)
    for _ in range(30):
        with Peer("bad", "bad" if kind == "leaf" else "C1") as peer:
            link = link_of(kind, alone, peer)
            try:
                link.send_raw(dice.randbytes(dice.randint(1, 3000)) + b"\r\n\r\n")
                link.until_closed()
            except OSError:
                continue
    alive(alone)


@pytest.mark.parametrize("kind", CONFIGS)
def test_many_that_never_speak(kind, start):
    # spec: CLU-012 CLU-041 CLU-064
    config = CONFIGS[kind].replace(" }\n", ", authorization { user: u, password: p, timeout: 0.5 } }\n")
    alone = Alone(start, config)
    with Peer() as peer:
        links = [peer.dial(alone.port) for _ in range(100)]
        alive(alone)
        for link in links:
            link.until_closed()
    alive(alone)


@pytest.fixture(scope="module")
def shared_alone(binary, tmp_path_factory):
    """One server for many small cases of a kind: `shared_alone("route")`."""
    found: dict[str, Alone] = {}
    running = []

    def start(config, **options):
        server = Server(binary, tmp_path_factory.mktemp("alone"), config, **options)
        running.append(server)
        return server.__enter__()

    def get(kind: str) -> Alone:
        if kind not in found:
            found[kind] = Alone(start, CONFIGS[kind])
        return found[kind]

    yield get
    for server in running:
        server.__exit__(None, None, None)
