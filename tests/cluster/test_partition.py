"""Partitions of two servers that a route, gateways or a leaf node link join: nobody hears of them, or one direction alone is
cut, or the wire is pulled out, again and again. Afterwards everything is as it would be without."""

from __future__ import annotations

from collections import Counter

import pytest

from cluster.alone import ACCOUNTS
from harness.netns import Namespaces, inside
from harness.server import wait_for
from harness.wire import Connection

PINGS = 'ping_interval: "300ms"\nping_max: 3\n'
PATIENCE = 60.0


def route(side: int, own: str, other: str) -> str:
    return f'cluster {{ name: C, listen: "{own}:6222", routes: [ "nats-route://{other}:6222" ] }}\n'


def gateway(side: int, own: str, other: str) -> str:
    here, there = ("east", "west") if side == 0 else ("west", "east")
    remote = f'{{ name: {there}, url: "nats://{other}:7222" }}'
    return f'gateway {{ name: {here}, listen: "{own}:7222", gateways: [ {remote} ] }}\n'


def leaf(side: int, own: str, other: str) -> str:
    if side == 0:
        return f'leafnodes {{ listen: "{own}:7422" }}\n'
    return f'leafnodes {{ reconnect: "200ms", remotes: [ {{ url: "nats-leaf://a:a@{other}:7422", account: A }} ] }}\n'


def links(kind: str, server) -> tuple[int, ...]:
    """How many links there are, by direction where that counts."""
    if kind == "route":
        return (server.get_json("/routez")["num_routes"],)
    if kind == "leaf":
        return (server.get_json("/leafz")["leafnodes"],)
    gateways = server.get_json("/gatewayz")
    return (len(gateways["outbound_gateways"]), len(gateways["inbound_gateways"]))


BLOCKS = {"route": route, "gateway": gateway, "leaf": leaf}
ALL = {"route": (4,), "gateway": (1, 1), "leaf": (1,)}
NONE = {"route": (0,), "gateway": (0, 0), "leaf": (0,)}


@pytest.fixture(scope="module")
def possible():
    if why := Namespaces.missing():
        pytest.skip(why)


@pytest.fixture
def network(possible):
    with Namespaces() as found:
        yield found


class Joined:
    """Two servers in a network, and a client on each, which answers pings whenever something is waited for."""

    def __init__(self, kind: str, network: Namespaces, servers: list):
        self.kind, self.network, self.servers = kind, network, servers
        self.here, self.there = (self.client(server) for server in servers)
        self.await_links(ALL)

    @staticmethod
    def client(server) -> Connection:
        return server.connect().handshake(user="a", headers=True, no_responders=True, **{"pass": "a"})

    def until(self, what: str, probe) -> None:
        def look() -> bool:
            self.here.fence()
            self.there.fence()
            return probe()

        wait_for(what, look, PATIENCE, 0.02)

    def await_links(self, wanted: dict) -> None:
        self.until(f"{wanted[self.kind]} links", lambda: all(self.links(n) == wanted[self.kind] for n in (0, 1)))

    def links(self, side: int) -> tuple[int, ...]:
        return links(self.kind, self.servers[side])

    def hears(self, subject: str) -> bool:
        """Whether a request from the first server reaches somebody."""
        with self.client(self.servers[0]) as asker:
            asker.send("SUB in 1")
            asker.publish(subject, b"", "in")
            return not any(line.startswith(b"HMSG in") for line in asker.fence())


@pytest.fixture
def joined(network, pair, tmp_path):
    """Starts two servers, which miss each other soon: `joined("route")`."""
    running = []

    def start(kind: str, pings: str = PINGS) -> Joined:
        for side in (0, 1):
            own, other = network.between[side], network.between[1 - side]
            accounts = ACCOUNTS.replace("server_name: here", f"server_name: n{side + 1}")
            config = accounts + pings + BLOCKS[kind](side, own, other)
            running.append(inside(network, side, pair[side], tmp_path / f"n{side + 1}", config))
            running[-1].__enter__()
        return Joined(kind, network, running)

    yield start
    for server in running:
        server.kill()


CUTS = {
    "nothing passes": Namespaces.part,
    "nothing from the first": lambda network: network.part(0),
    "nothing from the second": lambda network: network.part(1),
    "thrown away": Namespaces.swallow,
    "unplugged": Namespaces.unplug,
}


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("route", "nothing passes"),
        ("route", "nothing from the first"),
        ("route", "unplugged"),
        ("gateway", "nothing passes"),
        ("gateway", "nothing from the second"),
        ("leaf", "thrown away"),
        ("leaf", "nothing from the first"),
        ("leaf", "nothing from the second"),
    ],
)
def test_a_partition_heals_without_leftovers(kind, how, joined, network):
    # spec: CLU-021 CLU-030 CLU-031 CLU-043 CLU-047 CLU-061
    two = joined(kind)
    two.there.send_raw(b"SUB x 1\r\nSUB x group 2\r\n")
    two.until("the interest", lambda: two.hears("x"))
    CUTS[how](network)
    two.await_links(NONE)
    two.until("the interest to go", lambda: not two.hears("x"))
    # Each side serves its own, and what changes meanwhile is known afterwards.
    two.there.publish("x", b"alone")
    while two.there.message()[4] != b"alone":
        pass
    two.there.send_raw(b"UNSUB 1\r\nUNSUB 2\r\nSUB y 3\r\nSUB work group 4\r\n")
    two.here.send("SUB work group 1")
    network.join()
    two.await_links(ALL)
    two.until("the new interest", lambda: two.hears("y"))
    assert not two.hears("x")
    once_for_a_group(two)


def once_for_a_group(two: Joined) -> None:
    """What each side publishes reaches one member of the group, wherever that is."""
    two.here.fence()
    two.there.fence()
    wanted = {b"%s %d" % (side, number) for side in (b"here", b"there") for number in range(25)}
    for side, link in ((b"here", two.here), (b"there", two.there)):
        for number in range(25):
            link.publish("work", b"%s %d" % (side, number))
    got: Counter = Counter()

    def all_there() -> bool:
        for link in (two.here, two.there):
            got.update(line for line in link.fence() if line in wanted)
        return len(got) == len(wanted)

    wait_for("every message", all_there, PATIENCE, 0.02)
    assert set(got.values()) == {1}


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_wire_that_is_pulled_again_and_again(kind, joined, network):
    # spec: CLU-011 CLU-021 CLU-043 CLU-061
    two = joined(kind)
    two.there.send_raw(b"SUB x 1\r\nSUB work group 4\r\n")
    two.here.send("SUB work group 1")
    for _ in range(3):
        network.unplug()
        two.until("a link to go", lambda: two.links(1) != ALL[kind])
        network.join()
        # The next time comes while some are up again, and others are being made.
        two.until("a link to come", lambda: two.links(1) != NONE[kind])
    two.await_links(ALL)
    two.until("the interest", lambda: two.hears("x"))
    two.there.send("UNSUB 1")
    two.until("the interest to go", lambda: not two.hears("x"))
    once_for_a_group(two)


@pytest.mark.parametrize("kind", BLOCKS)
def test_lost_packets_cost_nothing_but_time(kind, joined, network):
    # spec: CLU-196 CORE-112
    two = joined(kind, pings="")
    two.there.send("SUB x 1")
    two.until("the interest", lambda: two.hears("x"))
    two.there.fence()
    got: list[bytes] = []

    def arrived(count: int) -> bool:
        got.extend(line for line in two.there.fence() if line.isdigit())
        return len(got) == count

    for number in range(0, 400, 100):
        network.part(number // 100 % 2)
        for n in range(number, number + 100):
            two.here.publish("x", b"%d" % n)
        two.here.fence()
        network.join()
        wait_for("what was lost", lambda: arrived(number + 100), PATIENCE, 0.02)  # noqa: B023 (called at once)
    assert got == [b"%d" % number for number in range(400)]
    assert [two.links(side) for side in (0, 1)] == [ALL[kind]] * 2
