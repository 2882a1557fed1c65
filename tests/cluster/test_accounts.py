"""Accounts across links: kept apart, and joined by exports and imports where those are configured."""

from __future__ import annotations

import itertools
import re

from cluster.conftest import by_sid, until_end

USERS = "abcg"


def test_accounts_are_kept_apart(net):
    # spec: CLU-015 CLU-025 CLU-026 CORE-068 SEC-044
    links = {(name, user): net.subscriber(name, "same", "end", "*", user=user) for name in net.names for user in USERS}
    net.settle("A", "B", "C", "$G")
    for name in net.names:
        for user in USERS:
            sender = net.client(name, user)
            sender.publish("same", user.encode())
            sender.publish("end", b"end")
    for (_, user), link in links.items():
        got = until_end(link, 2 * len(net.names))
        assert by_sid(got) == {1: len(net.names), 3: len(net.names)}
        assert {payload for *_, payload in got} == {user.encode()}


def test_one_account_does_not_hear_that_another_listens(net):
    # spec: CORE-066 CLU-015
    for name in net.names:
        net.subscriber(name, ">", user="c")
    net.settle("C")
    for name in net.names:
        asker = net.subscriber(name, "in")
        asker.publish("same", b"", "in")
        assert b"503" in asker.message()[3]


def test_a_service_across_every_hop(net):
    # spec: SEC-046 SEC-047 CLU-194
    for service_node, asker_node in itertools.product(net.names, repeat=2):
        service = net.subscriber(service_node, "svc.>", user="a")
        asker = net.subscriber(asker_node, "in.*", user="b")
        net.settle("A", "B")
        for number in range(3):
            asker.publish("svc.double", b"%d" % number, f"in.{number}")
            subject, _, reply, _, payload = service.message()
            assert (subject, payload) == ("svc.double", b"%d" % number)
            assert reply.startswith("_R_.")
            service.publish(reply, b"%d" % (2 * number))
            assert asker.message() == (f"in.{number}", "1", "", b"", b"%d" % (2 * number))
        assert service.fence() == []
        net.leave()


def test_one_member_of_a_group_serves_each_request(net):
    # spec: SEC-046 CLU-048
    services = [net.subscriber(name, "svc.> workers", user="a") for name in net.names]
    askers = [net.subscriber(name, "in", user="b") for name in net.names]
    net.settle("A", "B")
    for asker in askers:
        for _ in range(20):
            asker.publish("svc.x", b"", "in")
        asker.fence()
    net.settle("B")
    net.settle("A")
    served = 0
    for service in services:
        found = (re.match(rb"H?MSG svc\.x 1 (_R_\S+) ", line) for line in service.fence())
        requests = [match[1] for match in found if match]
        served += len(requests)
        for reply in requests:
            service.publish(reply.decode(), b"done")
        service.fence()
    assert served == 20 * len(net.names)
    for asker in askers:
        for _ in range(20):
            assert asker.message()[4] == b"done"


def test_nobody_serves(net):
    # spec: CORE-066 SEC-046
    for name in net.names:
        # Behind a leaf node the import itself counts as somebody who listens, and it stays silent.
        if not net.plan.role(name).imports:
            continue
        asker = net.subscriber(name, "in", user="b")
        asker.publish("svc.nobody", b"", "in")
        subject, _, _, headers, _ = asker.message()
        assert subject == "in"
        assert b"503" in headers


def test_a_stream_across_every_hop(net):
    # spec: SEC-045 CLU-194 CORE-121
    importers = [name for name in net.names if net.plan.role(name).imports]
    listeners = [net.subscriber(name, "from.feed.news", "from.>", user="b") for name in net.names]
    net.settle("B")
    net.settle("A")
    for name in importers:
        publisher = net.client(name, "a")
        publisher.publish("feed.news", b"1")
        publisher.publish("feed.other", b"2")
        publisher.publish("feedback", b"3")
        publisher.publish("feed.end", b"end")
    for listener in listeners:
        counts = by_sid(until_end(listener, len(importers)))
        assert counts == {1: len(importers), 2: 2 * len(importers)}
