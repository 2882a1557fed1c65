"""What clients see is the same wherever they are: on one node, across routes, gateways and leaf nodes."""

from __future__ import annotations

import hashlib
import itertools
import random
import threading
from collections import Counter

import pytest

from cluster.conftest import by_sid, until_end

MIB = 1024 * 1024


def test_each_subscription_gets_each_message_once(net):
    # spec: CLU-025 CLU-026 CLU-030 CLU-055 CLU-200 CLU-201 CORE-092
    subjects = ("x.one", "x.*", "x.>", "x.one", "*.one", "x.two", "end")
    subscribers = [net.subscriber(name, *subjects) for name in net.names]
    net.settle()
    for name in net.names:
        publisher = net.client(name)
        for _ in range(5):
            publisher.publish("x.one", b"1")
            publisher.publish("x.two", b"2")
            publisher.publish("y.two", b"3")
        publisher.publish("end", b"end")
    each = 5 * len(net.names)
    for subscriber in subscribers:
        counts = by_sid(until_end(subscriber, len(net.names)))
        assert counts == {1: each, 2: 2 * each, 3: 2 * each, 4: each, 5: each, 6: each}


def test_no_echo_holds_for_the_sender_only(net):
    # spec: CORE-060
    first, *others = [net.subscriber(name, "x", "end", echo=False) for name in net.names]
    net.settle()
    first.publish("x", b"1")
    first.publish("end", b"end")
    assert first.fence() == []
    for other in others:
        assert by_sid(until_end(other)) == {1: 1}


def group_counts(net, publisher: str, members: list[str], count: int = 200) -> Counter:
    """How many of `count` messages from one node the members on other nodes got, each named by its node."""
    links = [(name, net.subscriber(name, "work group", "end")) for name in members]
    net.settle()
    sender = net.client(publisher)
    for _ in range(count):
        sender.publish("work", b"x")
    sender.publish("end", b"end")
    got = Counter({name: 0 for name in members})
    for name, link in links:
        got[name] += len(until_end(link))
    net.leave()
    return got


def test_one_member_of_a_queue_group_gets_each_message(net):
    # spec: CLU-026 CLU-048 CLU-055 CORE-108
    for publisher in net.names:
        got = group_counts(net, publisher, net.names)
        assert got.total() == 200
        # The nodes of a cluster share; gateways and leaf nodes are for groups without a member in the own cluster.
        own = [publisher, *net.plan.beside(publisher)]
        assert sum(got[name] for name in own) == 200, (publisher, got)
        assert all(got[name] > 200 / len(own) / 5 for name in own), (publisher, got)


def test_members_on_other_nodes_share(net):
    # spec: CLU-026 CLU-048 CLU-055 CLU-196
    for publisher in net.names:
        others = net.plan.beside(publisher)
        if len(others) < 2:
            continue
        got = group_counts(net, publisher, others, 400)
        assert got.total() == 400
        assert all(count > 400 / len(others) / 4 for count in got.values()), (publisher, got)


def test_a_group_is_found_wherever_its_only_member_is(net):
    # spec: CLU-026 CLU-048 CLU-055 CLU-195
    for publisher, member in itertools.permutations(net.names, 2):
        assert group_counts(net, publisher, [member], 20) == {member: 20}


def test_members_of_the_own_cluster_are_preferred(net):
    # spec: CLU-048
    clusters = {name: {name, *net.plan.beside(name)} for name in net.names}
    for publisher, own in clusters.items():
        away = [name for name in net.names if name not in own]
        members = [*(own - {publisher}), *away]
        if not away or len(own) == 1:
            continue
        got = group_counts(net, publisher, members)
        assert got.total() == 200
        assert sum(got[name] for name in away) == 0, (publisher, got)


def test_each_group_and_each_plain_subscription(net):
    # spec: CLU-026 CLU-048 CLU-055
    links = [net.subscriber(name, "work one", "work.> one", "work two", "*", "end") for name in net.names]
    net.settle()
    for name in net.names:
        sender = net.client(name)
        for _ in range(30):
            sender.publish("work", b"x")
        sender.publish("end", b"end")
    total = Counter()
    for link in links:
        counts = by_sid(m for m in until_end(link, 2 * len(net.names)) if m[4] == b"x")
        assert counts[4] == 30 * len(net.names)
        total += counts
    assert total[1] == total[3] == 30 * len(net.names)
    assert total[2] == 0


def test_more_members_get_more(net):
    # spec: CLU-030 CLU-205
    for publisher in net.names:
        others = net.plan.beside(publisher)
        if len(others) != 2:
            continue
        few, many = others
        got = group_counts(net, publisher, [few, many, many, many], 800)
        assert got.total() == 800
        assert 2 < got[many] / got[few] < 4.5, got


def test_requests_are_answered_across_every_hop(net):
    # spec: CLU-046 CORE-066 CLU-193 CLU-195
    for server_side, client_side in itertools.permutations(net.names, 2):
        service = net.subscriber(server_side, "ask")
        asker = net.subscriber(client_side, "in.*")
        net.settle()
        for number in range(5):
            asker.publish("ask", b"question", f"in.{number}")
            subject, _, reply, _, payload = service.message()
            assert (subject, reply, payload) == ("ask", f"in.{number}", b"question")
            service.publish(reply, b"answer")
            assert asker.message() == (f"in.{number}", "1", "", b"", b"answer")
        net.leave()


def test_the_first_request_after_connecting_is_answered(net):
    # spec: CLU-046
    service = net.subscriber(net.names[0], "ask")
    net.settle()
    for name in net.names[1:]:
        for _ in range(20):
            asker = net.client(name)
            asker.send_raw(b"SUB in.1 1\r\nPUB ask in.1 1\r\nq\r\n")
            reply = service.message()[2]
            assert reply == "in.1"
            service.publish(reply, b"answer")
            assert asker.message()[4] == b"answer"
            asker.close()


def nobody(subject: str) -> bytes:
    """The header block of an answer that says that nobody listens."""
    return f"NATS/1.0 503\r\nNats-Subject: {subject}\r\n\r\n".encode()


def test_nobody_answers(net):
    # spec: CORE-066 CORE-067
    responder = net.subscriber(net.names[-1], "ask")
    net.settle()
    askers = [net.subscriber(name, "in") for name in net.names]
    for asker in askers:
        asker.publish("nobody", b"", "in")
        assert asker.message() == ("in", "1", "", nobody("nobody"), b"")
    responder.send("UNSUB 1")
    responder.fence()
    net.settle()
    for asker in askers:
        asker.publish("ask", b"", "in")
        assert asker.message()[3] == nobody("ask")


def test_headers_arrive_as_they_were_sent(net):
    # spec: CLU-026 CLU-027 CLU-195 CLU-206 CORE-061
    block = b"NATS/1.0 100 Odd Status\r\nColor: red\r\nColor:  blue \r\nEmpty:\r\nutf8: \xc3\xa9\r\n\r\n"
    links = [net.subscriber(name, "h") for name in net.names]
    net.settle()
    sender = net.client(net.names[0])
    body = b"\r\nbinary \x00\xff\r\n"
    for reply in (b"", b"re.ply"):
        head = b" ".join(part for part in (b"HPUB h", reply, b"%d %d" % (len(block), len(block + body))) if part)
        sender.send_raw(head + b"\r\n" + block + body + b"\r\n")
        for link in links:
            subject, _, got_reply, headers, payload = link.message()
            assert (subject, got_reply, headers, payload) == ("h", reply.decode(), block, body)


def test_who_takes_no_headers_gets_the_payload(net):
    # spec: CORE-061 CORE-062
    links = [net.subscriber(name, "h", headers=False, no_responders=False) for name in net.names]
    net.settle()
    block = b"NATS/1.0\r\nA: b\r\n\r\n"
    net.client(net.names[-1]).send_raw(b"HPUB h %d %d\r\n" % (len(block), len(block) + 2) + block + b"hi\r\n")
    for link in links:
        assert link.line() == b"MSG h 1 2"
        assert link.line() == b"hi"


def test_large_payloads(net):
    # spec: CLU-032 CLU-026
    links = [net.subscriber(name, "large") for name in net.names]
    net.settle()
    body = random.Random(1).randbytes(MIB)
    digest = hashlib.sha256(body).digest()
    for name in (net.names[0], net.names[-1]):
        net.client(name).publish("large", body)
        for link in links:
            assert hashlib.sha256(link.message()[4]).digest() == digest


def test_messages_of_one_publisher_stay_in_order(net):
    # spec: CLU-196 CORE-112
    count = 10_000
    links = [net.subscriber(name, "seq.>", "end") for name in net.names]
    net.settle()

    def publish(name: str, sender) -> None:
        sender.send_raw(b"".join(b"PUB seq.%s %d\r\n%05d\r\n" % (name.encode(), 5, n) for n in range(count)))
        sender.publish("end", b"end")

    names = [net.names[0], net.names[-1]]
    threads = [threading.Thread(target=publish, args=(name, net.client(name))) for name in names]
    for thread in threads:
        thread.start()
    for link in links:
        next_of = dict.fromkeys(names, 0)
        for subject, _, _, _, payload in until_end(link, len(names)):
            name = subject.rpartition(".")[2]
            assert int(payload) == next_of[name]
            next_of[name] += 1
        assert set(next_of.values()) == {count}
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("queue", ["", " group"])
def test_auto_unsubscribe(queue, net):
    # spec: CLU-030 CORE-053 CORE-093
    for publisher, name in itertools.permutations(net.names, 2):
        link = net.subscriber(name, f"few{queue}", "end")
        link.send("UNSUB 1 3")
        link.fence()
        net.settle()
        sender = net.client(publisher)
        for number in range(10):
            sender.publish("few", b"%d" % number)
        sender.publish("end", b"end")
        assert [payload for *_, payload in until_end(link)] == [b"0", b"1", b"2"]
        net.settle()
        asker = net.subscriber(publisher, "in")
        asker.publish("few", b"", "in")
        assert asker.message()[3] == nobody("few")
        net.leave()
