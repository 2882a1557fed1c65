"""Interest goes away with those who had it, on every node and behind every link."""

from __future__ import annotations

import itertools
import socket

from harness.server import wait_for


def test_counts_rise_and_fall(net):
    # spec: CLU-030 CLU-103 CLU-105 CLU-106 CLU-104 CLU-191 CLU-200
    before = net.topology.all_interest()
    for owner in net.names:
        link = net.subscriber(owner, "one.a", "one.a", "one.*", "one.a group")
        other = net.subscriber(owner, "one.a", "one.a group")
        net.settle()
        for name in net.names:
            new = net.topology.interest(name) - before[name]
            subjects = {subject for _, subject in new}
            assert subjects == {"one.a", "one.*"}, (owner, name, new)
            # Behind a link a subject counts once, and once for each queue group, however many there are.
            if name == owner:
                assert new["client", "one.a"] == 5, new
            else:
                (where,) = {where for where, _ in new}
                assert new[where, "one.a"] == 2, (owner, name, new)
        for number in (1, 3, 4):
            link.send(f"UNSUB {number}")
        link.fence()
        net.settle()
        for name in net.names:
            new = net.topology.interest(name) - before[name]
            assert {subject for _, subject in new} == {"one.a"}
        other.close()
        link.close()
        wait_for("the interest to go", lambda: net.topology.all_interest() == before, pause=0.02)


def test_a_subscription_that_ends_is_gone_everywhere(net):
    # spec: CLU-030 CLU-191 CLU-200 CLU-205
    for owner in net.names:
        link = net.subscriber(owner, "gone", "gone group", "kept")
        net.settle()
        assert all(net.asks(name, "gone") for name in net.names)
        link.send("UNSUB 1")
        link.fence()
        net.settle()
        assert all(net.asks(name, "gone") for name in net.names)
        link.send("UNSUB 2")
        link.fence()
        net.settle()
        for name in net.names:
            assert not net.asks(name, "gone")
            assert net.asks(name, "kept")
        link.close()


def test_a_client_that_is_lost_takes_its_interest_along(net):
    # spec: CLU-030 CLU-056
    before = net.topology.all_interest()
    links = [net.subscriber(name, "lost.>", "lost.a group", user=user) for name in net.names for user in "abc"]
    net.settle("A", "B", "C")
    for link in links:
        link.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        link.close()
    wait_for("the interest to go", lambda: net.topology.all_interest() == before, pause=0.02)


def test_many_subscriptions_come_and_go(net):
    # spec: CLU-030 CLU-032
    before = net.topology.all_interest()
    owner, *others = net.names
    link = net.subscriber(owner)
    count = 2000
    link.send_raw(b"".join(b"SUB many.%d %d\r\n" % (n, n) for n in range(1, count + 1)))
    link.fence()
    net.settle()
    for name in others:
        assert (net.topology.interest(name) - before[name]).total() == count
    link.send_raw(b"".join(b"UNSUB %d\r\n" % n for n in range(1, count + 1)))
    link.fence()
    net.settle()
    for name in net.names:
        assert (net.topology.interest(name) - before[name]).total() == 0


def test_weights_follow_the_members(net):
    # spec: CLU-030 CLU-205 CLU-025
    first, second = net.names[0], net.names[-1]
    members = [net.subscriber(first, "work group") for _ in range(3)]
    net.settle()
    sender = net.client(second)
    for left in (3, 2, 1):
        for _ in range(60):
            sender.publish("work", b"x")
        sender.fence()
        net.settle()
        got = [len(link.fence()) // 2 for link in members]
        assert sum(got) == 60
        assert all(got), (left, got)
        members.pop().close()
        wait_for("the member to be gone", lambda n=left: group_size(net, first) == n - 1)
        net.settle()
    assert not net.asks(second, "work")


def group_size(net, name: str) -> int:
    listed = net.topology.nodes[name].get_json("/subsz?subs=1&acc=A&limit=1000").get("subscriptions_list") or []
    return sum(one.get("qgroup") == "group" for one in listed)


def test_renewed_subscriptions_do_not_add_up(net):
    # spec: CLU-030
    for owner, name in itertools.permutations((net.names[0], net.names[-1]), 2):
        link = net.subscriber(owner)
        for number in range(50):
            link.send(f"SUB again {number}")
            link.send(f"UNSUB {number}")
        link.send("SUB again 99")
        link.fence()
        net.settle()
        sender = net.client(name)
        sender.publish("again", b"1")
        assert link.message()[1] == "99"
        link.send("UNSUB 99")
        link.fence()
        net.settle()
        assert not net.asks(name, "again")
