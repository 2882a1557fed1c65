"""Subscriptions that come and go at random, everywhere: what is delivered is what a simple model says."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from cluster.conftest import Net, until_end
from harness.wire import Connection

SUBJECTS = ("a", "a.b", "a.c", "a.b.c", "d.b")
PATTERNS = (*SUBJECTS, "a.*", "*.b", "a.>", "*.*", "*")
# Matched by no pattern.
END = "end.of.the.round"
QUEUES = ("", "", "", "q", "r")


def matches(pattern: str, subject: str) -> bool:
    tokens, wanted = subject.split("."), pattern.split(".")
    for number, token in enumerate(wanted):
        if token == ">":
            return len(tokens) > number
        if number >= len(tokens) or token not in ("*", tokens[number]):
            return False
    return len(tokens) == len(wanted)


class Member:
    """A client, and the subscriptions it should have."""

    def __init__(self, net: Net, node: str):
        self.net, self.node = net, node
        self.join()

    def join(self) -> None:
        # The subjects of this check are in account C, where nobody else speaks.
        self.link: Connection = self.net.client(self.node, "c")
        self.link.send(f"SUB {END} end")
        self.subscriptions: dict[int, tuple[str, str]] = {}
        self.sid = 0

    def leave(self) -> None:
        self.net.clients.remove(self.link)
        self.link.close()
        self.join()

    def step(self, dice: random.Random) -> None:
        what = dice.random()
        if what < 0.05:
            self.leave()
        elif what < 0.4 and self.subscriptions:
            sid = dice.choice(list(self.subscriptions))
            del self.subscriptions[sid]
            self.link.send(f"UNSUB {sid}")
        else:
            self.sid += 1
            pattern, queue = dice.choice(PATTERNS), dice.choice(QUEUES)
            self.subscriptions[self.sid] = pattern, queue
            self.link.send(f"SUB {pattern} {queue} {self.sid}" if queue else f"SUB {pattern} {self.sid}")


def round_of_messages(net: Net, members: list[Member], what: bytes) -> None:
    for member in members:
        member.link.fence()
    net.settle("C")
    for name in net.names:
        link = net.topology.probe(name, "C")
        for subject in SUBJECTS:
            link.publish(subject, what + b" " + name.encode())
        link.publish(END, b"end")
        link.fence()
    grouped: Counter = Counter()
    for member in members:
        plain: Counter = Counter()
        for subject, sid, _, _, payload in until_end(member.link, len(net.names)):
            assert payload.startswith(what + b" "), "a message of another round"
            pattern, queue = member.subscriptions[int(sid)]
            assert matches(pattern, subject)
            (grouped if queue else plain)[queue or sid, subject] += 1
        expected = {
            (str(sid), subject): len(net.names)
            for sid, (pattern, queue) in member.subscriptions.items()
            for subject in SUBJECTS
            if not queue and matches(pattern, subject)
        }
        assert plain == expected, member.node
    groups = {
        (queue, subject): len(net.names)
        for member in members
        for pattern, queue in member.subscriptions.values()
        for subject in SUBJECTS
        if queue and matches(pattern, subject)
    }
    assert grouped == groups


@pytest.mark.parametrize("seed", [1, 2, 3, *(pytest.param(seed, marks=pytest.mark.heavy) for seed in range(4, 24))])
def test_random_subscriptions(seed, net):
    # spec: CLU-025 CLU-026 CLU-030 CLU-044 CLU-048 CLU-055 CLU-056 CORE-108
    dice = random.Random(seed)
    members = [Member(net, name) for name in net.names for _ in range(2)]
    for number in range(8):
        for _ in range(12):
            dice.choice(members).step(dice)
        round_of_messages(net, members, b"%d" % number)
