"""Topologies under test, shared by the checks of one worker, and what a check does with one."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest

from conftest import find_reference, resolve
from harness.peer import Listener, Peer
from harness.server import wait_for
from harness.topology import Form, Plan, Topology, forms
from harness.wire import Connection


def pytest_generate_tests(metafunc):
    """`form`: every plan in every form. `pair`: the binaries of a form, for tests that have plans of their own."""
    config = metafunc.config
    names = ["reference", "martlet"] if config.getoption("both") else [config.getoption("server")]
    if {"form", "pair"} & set(metafunc.fixturenames):
        found = dict.fromkeys(form for name in names for form in forms(resolve(name), find_reference()))
    if "form" in metafunc.fixturenames:
        # All checks of a form go to one worker, so that each form is started once.
        marked = [pytest.param(form, id=form.id, marks=pytest.mark.xdist_group(form.id)) for form in found]
        metafunc.parametrize("form", marked, scope="session")
    if "pair" in metafunc.fixturenames:
        pairs = {form.binaries: "+".join(dict.fromkeys(binary.name for binary in form.binaries)) for form in found}
        metafunc.parametrize("pair", list(pairs), ids=list(pairs.values()), scope="session")


class Shared:
    """The topology that the checks of this worker use now. A check that fails takes it with it."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.number = itertools.count()
        self.topology: Topology | None = None

    def get(self, form: Form) -> Topology:
        if self.topology is not None and self.topology.form != form:
            self.close()
        if self.topology is None:
            self.topology = Topology(form, self.directory / f"topology{next(self.number)}").__enter__()
        return self.topology

    def close(self) -> None:
        topology, self.topology = self.topology, None
        if topology is not None:
            topology.__exit__(None, None, None)

    def discard(self) -> None:
        topology, self.topology = self.topology, None
        if topology is not None:
            topology.kill()


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    found = Shared(tmp_path_factory.mktemp("topologies"))
    yield found
    found.close()


@pytest.fixture
def peer():
    with Peer() as found:
        yield found


@pytest.fixture
def listener():
    found = Listener()
    yield found
    found.close()


class Net:
    """A topology during one check: its clients, which end with the check, and subjects of its own."""

    def __init__(self, topology: Topology):
        self.topology = topology
        self.plan = topology.plan
        self.names = topology.plan.names()
        self.clients: list[Connection] = []

    def client(self, node: str, user: str = "a", **options) -> Connection:
        options = {"headers": True, "no_responders": True, **options}
        link = self.topology.nodes[node].connect()
        self.clients.append(link)
        return link.handshake(user=user, **{"pass": user}, **options)

    def subscriber(self, node: str, *subjects: str, user: str = "a", **options) -> Connection:
        """A client with these subscriptions, `subject` or `subject queue`, numbered from 1."""
        link = self.client(node, user, **options)
        for number, subject in enumerate(subjects, 1):
            link.send(f"SUB {subject} {number}")
        link.fence()
        return link

    def asks(self, node: str, subject: str) -> bool:
        """Whether a request from this node reaches somebody."""
        link = self.client(node)
        link.send("SUB in 1")
        link.publish(subject, b"", "in")
        found = not any(line.startswith(b"HMSG in 1") for line in link.fence())
        link.close()
        return found

    def settle(self, *accounts: str) -> None:
        for account in accounts or ("A",):
            self.topology.settle(account)

    def leave(self) -> None:
        for link in self.clients:
            link.close()
        self.clients.clear()


@pytest.fixture
def net(form, shared, request):
    topology = shared.get(form)
    before = topology.all_interest()
    found = Net(topology)
    yield found
    if getattr(request.node, "failed", False):
        found.leave()
        shared.discard()
        return
    found.leave()
    # spec: CLU-030 CLU-056
    try:
        wait_for("interest to be as before the check", lambda: topology.all_interest() == before, pause=0.02)
    except AssertionError as error:
        left = {name: after - before[name] for name, after in topology.all_interest().items()}
        lost = {name: before[name] - after for name, after in topology.all_interest().items()}
        shared.discard()
        raise AssertionError(f"{error}; left over: {left}; lost: {lost}") from None


@pytest.fixture
def build(pair, tmp_path):
    """Starts a plan, in the form that this test is in: `build(PLANS["mesh2"], proxied=True, …)`."""
    running: list[Topology] = []

    def make(plan: Plan, **options) -> Net:
        topology = Topology(Form(plan, pair), tmp_path, **options)
        running.append(topology.__enter__())
        nets.append(Net(topology))
        return nets[-1]

    nets: list[Net] = []
    yield make
    for net in nets:
        net.leave()
    for topology in running:
        topology.kill()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if outcome.get_result().failed:
        item.failed = True


def until_end(link: Connection, ends: int = 1) -> list[tuple[str, str, str, bytes, bytes]]:
    """The messages that came before `ends` messages with the payload `end`, which are left out."""
    messages = []
    while ends:
        message = link.message()
        if message[4] == b"end":
            ends -= 1
        else:
            messages.append(message)
    return messages


def by_sid(messages) -> Counter:
    return Counter(int(sid) for _, sid, _, _, _ in messages)
