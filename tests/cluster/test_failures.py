"""Links that are slow, silent or cut, and nodes that die: others do not suffer, and nothing is left over."""

from __future__ import annotations

import asyncio
import signal

import nats
import pytest

from cluster.conftest import by_sid, until_end
from harness.server import wait_for
from harness.topology import PLANS, Plan


def test_a_peer_that_does_not_read_does_not_hold_up_others(build):
    # spec: CLU-030 CORE-089
    net = build(PLANS["mesh3"], proxied=True)
    held, near = net.subscriber("n3", "load", "end"), net.subscriber("n2", "load", "end")
    net.settle()
    net.topology.stall("n3")
    sender = net.client("n1")
    count, body = 3000, b"x" * 8192
    for _ in range(count // 100):
        sender.send_raw((b"PUB load %d\r\n" % len(body) + body + b"\r\n") * 100)
    sender.publish("end", b"end")
    sender.fence()
    assert len(until_end(near)) == count
    assert held.fence() == []
    assert net.topology.nodes["n1"].get_json("/healthz")["status"] == "ok"
    net.topology.resume()
    assert len(until_end(held)) == count


def counted_again(top) -> None:
    """The metrics of those that have any tell of the links that were made again."""
    for server in top.nodes.values():
        page = server.get("/metrics")
        if page.status == 200:
            lines = [line for line in page.text.splitlines() if line.startswith("martlet_link_reconnects_total{")]
            assert any(int(line.rpartition(" ")[2]) > 0 for line in lines), lines


CUT = [PLANS["mesh2"], PLANS["mesh3"], PLANS["super"], PLANS["leaf"], PLANS["leaf-cluster"]]


@pytest.mark.parametrize("plan", CUT, ids=lambda plan: plan.name)
def test_a_cut_heals_without_leftovers(plan, build):
    # spec: CLU-030 CLU-043 CLU-056 CLU-061
    net = build(plan, proxied=True)
    top = net.topology
    before = top.all_interest()
    leaver = {name: net.subscriber(name, f"old.{name}") for name in net.names}
    stayer = {name: net.subscriber(name, "stays", "work group", "end") for name in net.names}
    net.settle()
    for front in top.fronts.values():
        front.cut(refuse=True)
    apart = set(net.names)
    for name in net.names:
        for other in apart - {name}:
            wait_for(f"{name} to forget {other}", lambda name=name, other=other: not net.asks(name, f"old.{other}"))
    for name, link in leaver.items():
        link.send("UNSUB 1")
        link.send(f"SUB new.{name} 2")
        link.fence()
    for front in top.fronts.values():
        front.allow()
    top.await_links()
    net.settle()
    counted_again(top)
    for name in net.names:
        for other in net.names:
            assert not net.asks(name, f"old.{other}"), "a subscription that ended during the cut is back"
            assert net.asks(name, f"new.{other}")
    for name in net.names:
        sender = net.client(name)
        for _ in range(20):
            sender.publish("stays", b"x")
            sender.publish("work", b"x")
        sender.publish("end", b"end")
    shares = 0
    for link in stayer.values():
        counts = by_sid(until_end(link, len(net.names)))
        assert counts[1] == 20 * len(net.names)
        shares += counts[2]
    assert shares == 20 * len(net.names)
    net.leave()
    wait_for("interest to be as before", lambda: top.all_interest() == before, pause=0.02)


def test_a_link_that_is_cut_again_and_again(build):
    # spec: CLU-011 CLU-021
    net = build(PLANS["mesh2"], proxied=True)
    top = net.topology
    before = top.all_interest()
    subscriber = net.subscriber("n2", "x", "end")
    for _ in range(3):
        for front in top.fronts.values():
            front.cut()
    top.await_links()
    net.settle()
    sender = net.client("n1")
    sender.publish("x", b"1")
    sender.publish("end", b"end")
    assert len(until_end(subscriber)) == 1
    net.leave()
    wait_for("interest to be as before", lambda: top.all_interest() == before, pause=0.02)


def test_a_slow_link_changes_nothing_but_time(build):
    # spec: CLU-196
    net = build(PLANS["mesh2"], proxied=True)
    for front in net.topology.fronts.values():
        front.delay = 0.02
    subscriber = net.subscriber("n2", "x", "end")
    net.settle()
    sender = net.client("n1")
    for number in range(500):
        sender.publish("x", b"%d" % number)
    sender.publish("end", b"end")
    assert [payload for *_, payload in until_end(subscriber)] == [b"%d" % n for n in range(500)]


def with_pings(plan: Plan) -> Plan:
    return Plan(plan.name, plan.roles, 'ping_interval: "100ms", ping_max: 2')


def test_a_silent_peer_is_dropped(build):
    # spec: CLU-031
    net = build(with_pings(PLANS["mesh2"]), proxied=True)
    net.subscriber("n2", "x")
    net.settle()
    fronts = list(net.topology.fronts.values())
    for front in fronts:
        front.stall()
    for name in net.names:
        net.topology.nodes[name].wait_log("connection closed: Stale Connection")
    wait_for("the interest to go", lambda: not net.asks("n1", "x"))
    for front in fronts:
        front.cut()
        front.resume()
    net.topology.await_links()
    net.settle()
    assert net.asks("n1", "x")


def test_the_interest_of_a_killed_node_goes_at_once(build):
    # spec: CLU-030 CLU-021
    net = build(PLANS["mesh3"])
    top = net.topology
    net.subscriber("n3", "x", "x group")
    member = net.subscriber("n2", "x group", "end")
    net.settle()
    top.nodes["n3"].kill()
    top.close_probes("n3")
    for name in ("n1", "n2"):
        wait_for("the routes to go", lambda name=name: "n3" not in str(top.nodes[name].get_json("/routez")))
    sender = net.client("n1")
    for _ in range(50):
        sender.publish("x", b"x")
    sender.publish("end", b"end")
    assert len(until_end(member)) == 50
    member.send("UNSUB 1")
    member.fence()
    top.settle(among=["n1", "n2"])
    assert not net.asks("n1", "x")
    # And it comes back.
    top.nodes["n3"].restart()
    top.await_links()
    net.settle()
    net.subscriber("n3", "x")
    net.settle()
    assert net.asks("n1", "x")


class Watched:
    """A nats-py client in account A, and what it reported."""

    def __init__(self):
        self.errors: list[str] = []
        self.reconnected = asyncio.Event()
        self.lame = asyncio.Event()

    async def connect(self, url: str, **options):
        async def error(what):
            self.errors.append(repr(what))

        async def reconnected():
            self.reconnected.set()

        self.nc = await nats.connect(
            url,
            user="a",
            password="a",
            error_cb=error,
            reconnected_cb=reconnected,
            reconnect_time_wait=0.05,
            max_reconnect_attempts=-1,
            connect_timeout=5,
            **options,
        )
        return self.nc


def port_of(nc) -> int:
    return nc.connected_url.port


def test_clients_of_a_killed_node_go_to_another(build):
    # spec: CLU-023 CORE-029 CORE-141
    net = build(PLANS["mesh3"])
    top = net.topology
    ports = {name: top.nodes[name].client_port for name in net.names}

    async def run():
        watched = Watched()
        nc = await watched.connect(top.nodes["n3"].url)
        subscription = await nc.subscribe("x")
        await nc.flush()
        assert port_of(nc) == ports["n3"]
        await asyncio.to_thread(top.nodes["n3"].kill)
        top.close_probes("n3")
        async with asyncio.timeout(10):
            await watched.reconnected.wait()
        assert port_of(nc) in (ports["n1"], ports["n2"])
        await nc.flush()
        # Where it went knows of the subscription; the others hear of it a little later, and may still know the one at the killed node.
        sender = net.client("n2")

        def is_heard() -> bool:
            sender.publish("x", b"here")
            return any(message.data == b"here" for message in heard)

        heard = []

        async def listen():
            async for message in subscription.messages:
                heard.append(message)

        listening = asyncio.create_task(listen())
        await asyncio.to_thread(lambda: wait_for("a message", is_heard))
        listening.cancel()
        await nc.close()

    asyncio.run(run())


def test_lame_duck_moves_clients(build):
    # spec: CORE-142 CLU-023 CLU-094
    extra = {"*": 'lame_duck_duration: "30s"\nlame_duck_grace_period: "100ms"\n'}
    net = build(PLANS["mesh3"], extra=extra)
    top = net.topology
    ports = {name: top.nodes[name].client_port for name in net.names}

    async def run():
        clients = [Watched() for _ in range(5)]
        for watched in clients:
            nc = await watched.connect(top.nodes["n3"].url)
            watched.subscription = await nc.subscribe("x")
            await nc.flush()
        top.close_probes("n3")
        top.nodes["n3"].signal(signal.SIGUSR2)
        async with asyncio.timeout(60):
            for watched in clients:
                await watched.reconnected.wait()
                assert port_of(watched.nc) in (ports["n1"], ports["n2"])
                await watched.nc.flush()
        await asyncio.to_thread(lambda: top.nodes["n3"].process.wait(30))
        assert top.nodes["n3"].process.returncode == 0
        top.settle(among=["n1", "n2"])
        net.client("n1").publish("x", b"1")
        for watched in clients:
            assert (await watched.subscription.next_msg(5)).data == b"1"
            assert not [error for error in watched.errors if "violation" in error.lower()]
            await watched.nc.close()

    asyncio.run(run())
