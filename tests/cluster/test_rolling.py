"""Nodes of a cluster under traffic are replaced one by one, and clients notice no more than a reconnect."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import signal
import threading
import time

import nats
import pytest

from clients.conftest import HERE, PATIENCE, Program, rust_checks  # noqa: F401
from cluster.conftest import Net
from harness.server import wait_for
from harness.topology import PLANS, Form, Topology

MARGIN = 0.5


class Ticker:
    """Publishes numbers on a node, one every few milliseconds, as long as it is let."""

    def __init__(self, net: Net, node: str):
        self.net, self.node = net, node
        self.number = 0
        self.stopping = threading.Event()
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        self.stopping.clear()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        with self.net.topology.nodes[self.node].connect() as link:
            link.handshake(user="a", **{"pass": "a"})
            while not self.stopping.wait(0.003):
                self.number += 1
                link.publish(f"tick.{self.node}", b"%d" % self.number)
            link.fence()

    def stop(self) -> None:
        self.stopping.set()
        if self.thread is not None:
            self.thread.join()
            self.thread = None


class Follower:
    """The same as the programs do, with nats-py."""

    def __init__(self) -> None:
        self.last: dict[str, tuple[int, float]] = {}
        self.gaps: list[tuple[float, float, str]] = []
        self.left: list[float] = []
        self.errors: list[str] = []

    async def start(self, url: str) -> None:
        async def error(what):
            # The client reports the loss of its connection as an error too.
            if not isinstance(what, (OSError, nats.errors.UnexpectedEOF, nats.errors.StaleConnectionError)):
                self.errors.append(repr(what))

        async def disconnected():
            self.left.append(time.monotonic())

        self.nc = await nats.connect(
            url,
            user="a",
            password="a",
            error_cb=error,
            disconnected_cb=disconnected,
            reconnect_time_wait=0.05,
            max_reconnect_attempts=-1,
            connect_timeout=10,
        )
        await self.nc.subscribe("tick.>", cb=self.take)
        await self.nc.flush()

    async def take(self, message) -> None:
        number, now = int(message.data), time.monotonic()
        before = self.last.get(message.subject)
        self.last[message.subject] = number, now
        if before is None:
            return
        # Who moves to a server that a message reaches later may miss some, or meet some again.
        if number != before[0] + 1:
            self.gaps.append((before[1], now, f"{message.subject}: {before[0]} to {number}"))

    async def check(self) -> None:
        await self.nc.flush()
        await self.nc.close()
        assert not self.errors
        assert self.last
        for start, end, what in self.gaps:
            excused = any(start - MARGIN <= at <= end + MARGIN for at in self.left)
            assert excused, f"lost or repeated without a reason, {what}"
        assert len(self.gaps) <= len(self.left) * len(self.last)


@pytest.fixture
def follow(rust_checks, tmp_path):  # noqa: F811
    """Starts a program that follows: `follow("nats.js", url)`."""
    node = shutil.which("node")
    assert node, "node is not installed"
    commands = {"nats.js": [node, str(HERE / "js" / "checks.mjs")], "async-nats": [str(rust_checks)]}
    running: list[Program] = []

    def start(kind: str, url: str) -> Program:
        body = json.dumps({"url": url, "user": "a", "pass": "a"})
        running.append(Program([*commands[kind], "follow", body], tmp_path / f"program{len(running)}.out"))
        return running[-1]

    yield start
    for one in running:
        one.close()


LAME_DUCK = {"*": 'lame_duck_duration: "30s"\nlame_duck_grace_period: "100ms"\n'}


def roll(net: Net, tickers: dict[str, Ticker], binary, how: int) -> None:
    """Replaces each node; while one is away the others carry on."""
    top = net.topology
    for name in net.names:
        live = {other: ticker for other, ticker in tickers.items() if other != name}
        watchers = [net.subscriber(other, "tick.>") for other in live]
        net.settle()
        flow(tickers)
        tickers[name].stop()
        # What was published there is everywhere before the node goes.
        top.settle()
        top.close_probes(name)
        top.nodes[name].stop(how, timeout=60)
        flow(live)
        top.nodes[name].binary = binary
        top.nodes[name].restart()
        top.await_links()
        top.settle()
        tickers[name].start()
        flow(tickers)
        for watcher in watchers:
            nothing_missing(watcher.fence(), tickers)


def nothing_missing(lines: list[bytes], tickers: dict[str, Ticker]) -> None:
    """Of what a subscriber got that stayed where it was: all of every publisher, once, in order."""
    numbers: dict[str, list[int]] = {}
    for line, payload in itertools.pairwise(lines):
        if line.startswith(b"MSG tick."):
            numbers.setdefault(line.split(b" ")[1].decode(), []).append(int(payload))
    assert set(numbers) == {f"tick.{name}" for name in tickers}
    for subject, got in numbers.items():
        assert got == list(range(got[0], got[0] + len(got))), subject


def flow(tickers: dict[str, Ticker]) -> None:
    """Waits until every one of these has published a good many more."""
    wanted = {name: ticker.number + 50 for name, ticker in tickers.items()}
    wait_for("traffic", lambda: all(tickers[name].number >= number for name, number in wanted.items()))


def to(binary, reference) -> list:
    """From the reference to the server under test and back."""
    return [binary] if binary == reference else [binary, reference]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", [signal.SIGTERM, pytest.param(signal.SIGUSR2, marks=pytest.mark.heavy)])
def test_nodes_are_replaced_under_traffic(how, binary, reference, tmp_path, follow):
    # spec: CLU-021 CLU-023 CORE-140 CORE-142 CLI-003
    with Topology(Form(PLANS["mesh3"], (reference, reference)), tmp_path / "nodes", LAME_DUCK) as topology:
        net = Net(topology)
        tickers = {name: Ticker(net, name) for name in net.names}
        urls = {name: topology.nodes[name].url for name in net.names}
        programs = [follow(kind, urls[name]) for kind in ("nats.js", "async-nats") for name in ("n1", "n3")]
        with contextlib.ExitStack() as stack:
            for ticker in tickers.values():
                stack.callback(ticker.stop)
            for program in programs:
                program.ready()

            async def run():
                followers = [Follower() for _ in net.names]
                for follower, url in zip(followers, urls.values(), strict=True):
                    await follower.start(url)
                for ticker in tickers.values():
                    ticker.start()
                for target in to(binary, reference):
                    await asyncio.to_thread(roll, net, tickers, target, how)
                for ticker in tickers.values():
                    await asyncio.to_thread(ticker.stop)
                await asyncio.to_thread(topology.settle)
                for follower in followers:
                    await follower.check()
                assert any(follower.left for follower in followers)

            asyncio.run(run())
            stop = net.client("n1")

            def ended() -> bool:
                # One that is on its way to another node does not hear it, and is told again.
                stop.publish("stop")
                stop.fence()
                return all(program.process.poll() is not None for program in programs)

            wait_for("the programs to end", ended, PATIENCE, pause=0.1)
            for program in programs:
                program.finish()
        net.leave()
