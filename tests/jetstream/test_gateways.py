"""A server with streams beside a cluster of the reference that has its own, joined by gateways: each keeps to itself what
is asked of it, and the cluster reaches the server's streams by their domain."""

from __future__ import annotations

import asyncio

import nats
import pytest
from nats.js.errors import NoStreamResponseError

from harness.server import wait_for
from harness.topology import free_port
from jetstream.domains import PATIENCE, Domains, config, content, gateway, has


class Joined(Domains):
    """`east`, a server by itself, and `west`, two reference servers whose streams are in one domain."""

    def __init__(self, start, binary, reference):
        super().__init__()
        gateways = {name: free_port() for name in ("e1", "w1", "w2")}
        routes = {name: free_port() for name in ("w1", "w2")}
        self.west = [
            start(
                config(name, "west")
                + gateway("west", gateways[name], "east", gateways["e1"])
                + f'cluster {{ name: west, listen: "127.0.0.1:{routes[name]}"\n'
                f'  routes: [ "nats://127.0.0.1:{routes[other]}" ] }}\n',
                binary=reference,
                monitor=True,
                check_exit=False,
            )
            for name, other in (("w1", "w2"), ("w2", "w1"))
        ]
        east = config("e1", "east") + gateway("east", gateways["e1"], "west", gateways["w1"])
        self.east = start(east, binary=binary, monitor=True)
        for server in (self.east, *self.west):
            wait_for("the way out", lambda: server.get_json("/gatewayz")["outbound_gateways"], PATIENCE)  # noqa: B023
        wait_for("the ways in", lambda: len(self.inbound()) == len(self.west), PATIENCE)
        wait_for("a leader", lambda: self.west[0].get_json("/jsz").get("meta_cluster", {}).get("leader"), PATIENCE)

    def inbound(self) -> list:
        return self.east.get_json("/gatewayz")["inbound_gateways"].get("west") or []


@pytest.fixture
def joined(start, binary, reference):
    if binary == reference:
        pytest.skip("the reference wants routes where it has gateways and streams")
    made = Joined(start, binary, reference)
    yield made
    made.stack.close()


def test_each_keeps_what_is_asked_of_it(joined):
    # spec: JS-137 CLU-057
    east, west = joined.client(joined.east), joined.client(joined.west[0])
    for here, there in ((east, west), (west, east)):
        here.stream("S", "s.>", storage="file")
        assert there.error("STREAM.INFO.S")[1] == 10059
        here.stream("KV_b", "$KV.b.>", max_msgs_per_subject=1, storage="file")
        here.put("$KV.b.k", b"v")
        here.consumer("S", "c")
        assert there.error("CONSUMER.INFO.S.c")[1] == 10059
        here.ok("STREAM.DELETE.S")
    assert (east.state("KV_b")["last_seq"], west.state("KV_b")["last_seq"]) == (1, 1)
    west.ok("STREAM.DELETE.KV_b")
    assert east.ok("STREAM.NAMES")["streams"] == ["KV_b"]


def test_the_cluster_copies_the_servers_streams(joined):
    # spec: JS-137 JS-053 JS-113
    east, west = joined.client(joined.east), joined.client(joined.west[1])
    east.stream("P", "p.>", storage="file")
    for number in range(50):
        east.put(f"p.{number}", b"%d" % number)
    origin = {"name": "P", "external": {"api": "$JS.east.API", "deliver": ""}}
    west.stream("M", storage="file", num_replicas=2, mirror=origin)
    west.stream("A", storage="file", sources=[origin])
    for name in ("M", "A"):
        has(west, name, 50)
        assert content(west, name) == [(f"p.{number}", b"%d" % number) for number in range(50)]
    east.put("p.more", b"more")
    for name in ("M", "A"):
        has(west, name, 51)


async def heard(publish):
    """What `publish` gives once the other cluster has told that a stream listens there."""
    while True:
        try:
            return await publish()
        except NoStreamResponseError:
            await asyncio.sleep(0.02)


async def use_the_domain(url: str) -> None:
    client = await nats.connect(url, user="a", password="p")
    streams = client.jetstream(domain="east", timeout=10)
    await streams.add_stream(name="S", subjects=["s.>"])
    for number in range(20):
        ack = await heard(lambda: streams.publish(f"s.{number}", b"%d" % number))  # noqa: B023 (called at once)
        assert (ack.stream, ack.domain, ack.seq) == ("S", "east", number + 1)
    pull = await streams.pull_subscribe("s.>", "pulled")
    pulled = await pull.fetch(20, timeout=10)
    assert [message.data for message in pulled] == [b"%d" % number for number in range(20)]
    for message in pulled:
        await message.ack_sync(timeout=10)
    assert (await streams.consumer_info("S", "pulled")).num_ack_pending == 0
    bucket = await streams.create_key_value(bucket="b", direct=True)
    # This client puts beside the domain; others put as this does.
    put = await heard(lambda: streams.publish("$JS.east.API.$KV.b.k", b"v"))
    assert (put.stream, put.domain) == ("KV_b", "east")
    assert (await bucket.get("k")).value == b"v"
    await client.close()


def test_clients_of_the_cluster_use_the_servers_streams(joined):
    # spec: JS-137 JS-002
    asyncio.run(asyncio.wait_for(use_the_domain(joined.west[1].url), PATIENCE))
    assert joined.client(joined.east).state("S")["messages"] == 20
