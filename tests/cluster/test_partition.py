"""A partition that nobody is told of: the network swallows what is sent."""

from __future__ import annotations

import pytest

from cluster.alone import ACCOUNTS
from harness.netns import Namespaces, inside
from harness.server import wait_for
from harness.wire import Connection

CLUSTER = """
cluster {{ name: C1, listen: "{own}:6222", routes: [ "nats-route://{other}:6222" ]
  ping_interval: "200ms", ping_max: 2 }}
"""


@pytest.fixture
def parted(build_missing):
    with Namespaces() as found:
        yield found


@pytest.fixture(scope="module")
def build_missing():
    if why := Namespaces.missing():
        pytest.skip(why)


@pytest.fixture
def pair_of_servers(parted, pair, tmp_path):
    running = []
    for side in (0, 1):
        own, other = parted.between[side], parted.between[1 - side]
        accounts = ACCOUNTS.replace("server_name: here", f"server_name: n{side + 1}")
        config = accounts + CLUSTER.format(own=own, other=other)
        running.append(inside(parted, side, pair[side], tmp_path / f"n{side + 1}", config))
    try:
        for server in running:
            server.__enter__()
        yield running
    finally:
        for server in running:
            server.kill()


def routes(server) -> int:
    return server.get_json("/routez")["num_routes"]


def client(server) -> Connection:
    return server.connect().handshake(user="a", headers=True, no_responders=True, **{"pass": "a"})


def hears(asker: Connection, subject: str) -> bool:
    asker.publish(subject, b"", "in")
    return not any(line.startswith(b"HMSG in") for line in asker.fence())


def test_a_partition_that_nobody_is_told_of(parted, pair_of_servers):
    # spec: CLU-031 CLU-030 CLU-021
    first, second = pair_of_servers
    for server in pair_of_servers:
        wait_for("the routes", lambda server=server: routes(server) == 4)
    listener, asker = client(second), client(first)
    listener.send("SUB x 1")
    listener.fence()
    asker.send("SUB in 1")
    wait_for("the interest", lambda: hears(asker, "x"))
    parted.part()
    for server in pair_of_servers:
        server.wait_log("connection closed: Stale Connection")
    wait_for("the interest to go", lambda: not hears(asker, "x"))
    for server in pair_of_servers:
        wait_for("all routes to go", lambda server=server: routes(server) == 0)
    # Each side serves its own.
    listener.fence()
    listener.publish("x", b"alone")
    while listener.message()[4] != b"alone":
        pass
    listener.send("UNSUB 1")
    listener.send("SUB y 2")
    listener.fence()
    parted.join()
    for server in pair_of_servers:
        wait_for("the routes", lambda server=server: routes(server) == 4, 30)
    wait_for("the new interest", lambda: hears(asker, "y"))
    assert not hears(asker, "x")
