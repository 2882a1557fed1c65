"""Push consumers: interest, queue groups, flow control, heartbeats, rates, replay."""

from __future__ import annotations

import time

import pytest

from harness.jetstream import MILLI, SECOND, Client
from harness.server import wait_for


@pytest.fixture
def js(account) -> Client:
    js = account()
    js.stream("S", "s.>")
    return js


def fill(js: Client, count: int, subject: str = "s.a", size: int = 1) -> None:
    acks = js.subscribe("acks")
    for _ in range(count):
        js.send(subject, b"x" * size, reply="acks")
    acks.take(count)
    acks.unsubscribe()


def push(js: Client, name: str = "p", **config) -> dict:
    return js.consumer("S", name, **{"deliver_subject": f"d.{name}", **config})


def test_what_a_message_says(js):
    # spec: JS-100
    js.put("s.a", b"one", {"Own": "1"})
    sub = js.subscribe("d.p")
    push(js)
    message = sub.next()
    assert (message.subject, message.data, message.headers) == ("s.a", b"one", {"Own": "1"})
    assert message.acked() == ("S", "p", 1, 1, 1, 0)
    js.ack(message)
    js.put("s.b", b"two")
    assert sub.next().acked()[3:] == (2, 2, 0)


def test_the_answer_to_a_creation_is_of_before_the_first_delivery(js):
    # spec: JS-027 JS-097
    # Clients learn from it how much there is to come.
    fill(js, 5)
    sub = js.subscribe("d.*")
    for name in "abc":
        js.subscribe(f"d.{name}")
        answer = push(js, name, ack_policy="none")
        assert (answer["num_pending"], answer["delivered"]["consumer_seq"], answer["push_bound"]) == (5, 0, True)
        assert [message.seq for message in sub.take(5)] == [1, 2, 3, 4, 5]
        assert js.info("S", name)["num_pending"] == 0


def test_who_comes_and_goes_in_a_rush_is_known_to_be_there_in_the_end(js):
    # spec: JS-105
    push(js, ack_policy="none")
    for _ in range(300):
        js.subscribe("d.p").unsubscribe()
    sub = js.subscribe("d.p")
    fill(js, 3)
    assert [message.seq for message in sub.take(3)] == [1, 2, 3]
    for _ in range(300):
        sub.unsubscribe()
        sub = js.subscribe("d.p")
    sub.unsubscribe()
    wait_for("the consumer to notice", lambda: not js.info("S", "p").get("push_bound"))
    fill(js, 2)
    assert js.info("S", "p")["num_pending"] == 2


def test_only_where_somebody_listens(js):
    # spec: JS-105 JS-638
    fill(js, 3)
    push(js, ack_wait=20 * SECOND)
    assert not js.info("S", "p").get("push_bound")
    assert js.info("S", "p")["delivered"]["consumer_seq"] == 0
    sub = js.subscribe("d.p")
    assert [message.seq for message in sub.take(3)] == [1, 2, 3]
    assert js.info("S", "p")["push_bound"] is True
    sub.unsubscribe()
    wait_for("the consumer to notice", lambda: not js.info("S", "p").get("push_bound"))
    js.put("s.a")
    again = js.subscribe("d.p")
    assert again.next().seq == 4


def test_wildcards_are_no_interest(js):
    # spec: JS-638
    fill(js, 1)
    wide = js.subscribe("d.*")
    push(js)
    assert not js.info("S", "p").get("push_bound")
    js.subscribe("d.p").next()
    assert wide.next().seq == 1


def test_a_queue_group(js):
    # spec: JS-105
    push(js, deliver_group="g")
    lonely = js.subscribe("d.p")
    fill(js, 1)
    assert not js.info("S", "p").get("push_bound")
    assert lonely.nothing()
    lonely.unsubscribe()
    members = [js.subscribe("d.p", "g") for _ in range(3)]
    fill(js, 299)
    wait_for("all to come", lambda: js.fence() or sum(len(member.queue) for member in members) == 300)
    assert all(member.queue for member in members)
    seqs = sorted(message.seq for member in members for message in member.queue)
    assert seqs == list(range(1, 301))


def test_max_ack_pending(js):
    # spec: JS-087
    fill(js, 5)
    sub = js.subscribe("d.p")
    push(js, max_ack_pending=2)
    one, two = sub.take(2)
    js.info("S", "p")
    assert sub.nothing()
    js.ack(one)
    assert sub.next().seq == 3
    js.ack(two)
    assert sub.next().seq == 4


def test_redelivery(js):
    # spec: JS-102
    fill(js, 2)
    sub = js.subscribe("d.p")
    push(js, ack_wait=200 * MILLI)
    one, _ = sub.take(2)
    js.ack(one)
    again = sub.next()
    assert (again.seq, again.deliveries) == (2, 2)


def test_heartbeats(js):
    # spec: JS-104 JS-635
    sub = js.subscribe("d.p")
    push(js, idle_heartbeat=150 * MILLI)
    js.put("s.a")
    js.ack(sub.until(lambda message: not message.status))
    for message in sub.take(2):
        assert message.status == "100 Idle Heartbeat"
        assert message.headers == {"Nats-Last-Consumer": "1", "Nats-Last-Stream": "1"}
        assert message.reply == ""


def test_flow_control(js):
    # spec: JS-104
    fill(js, 600, size=10_000)
    sub = js.subscribe("d.p")
    push(js, ack_policy="none", flow_control=True, idle_heartbeat=SECOND // 5)
    got, asked = 0, 0
    while got < 600:
        message = sub.next()
        if message.status.startswith("100 FlowControl"):
            assert message.reply.startswith("$JS.FC.S.p.")
            asked += 1
            js.send(message.reply)
        elif not message.status:
            got += 1
    assert asked >= 1


def test_a_stalled_consumer_says_so(js):
    # spec: JS-104
    fill(js, 600, size=10_000)
    sub = js.subscribe("d.p")
    push(js, ack_policy="none", flow_control=True, idle_heartbeat=SECOND // 5)
    stalled = sub.until(lambda message: "Nats-Consumer-Stalled" in (message.headers or {}), count=2000)
    assert stalled.status == "100 Idle Heartbeat"
    assert stalled.headers["Nats-Consumer-Stalled"].startswith("$JS.FC.S.p.")
    js.send(stalled.headers["Nats-Consumer-Stalled"])
    sub.until(lambda message: not message.status)


def test_headers_only(js):
    # spec: JS-087 JS-080
    js.put("s.a", b"12345", {"Own": "1"})
    js.put("s.a", b"")
    sub = js.subscribe("d.p")
    push(js, headers_only=True)
    one, two = sub.take(2)
    assert (one.data, one.headers) == (b"", {"Own": "1", "Nats-Msg-Size": "5"})
    assert (two.data, two.headers) == (b"", {"Nats-Msg-Size": "0"})


def test_rate_limit(js):
    # spec: JS-106
    js.update("S", max_msg_size=1500)
    fill(js, 10, size=1000)
    sub = js.subscribe("d.p")
    began = time.monotonic()
    push(js, ack_policy="none", rate_limit_bps=80_000)
    sub.take(10)
    assert 0.4 < time.monotonic() - began < 5


def test_replay_as_it_came(js):
    # spec: JS-106
    js.put("s.a")
    time.sleep(0.4)
    js.put("s.a")
    sub = js.subscribe("d.p")
    push(js, ack_policy="none", replay_policy="original")
    sub.next()
    began = time.monotonic()
    sub.next()
    assert time.monotonic() - began > 0.3


def test_a_new_deliver_subject(js):
    # spec: JS-096
    push(js)
    sub = js.subscribe("e")
    push(js, deliver_subject="e")
    js.put("s.a")
    assert sub.next().seq == 1


def test_ephemeral_ends_with_its_subscription(js):
    # spec: JS-087
    sub = js.subscribe("d.e")
    body = {"stream_name": "S", "config": {"deliver_subject": "d.e", "inactive_threshold": 100 * MILLI}}
    name = js.ok("CONSUMER.CREATE.S", body)["name"]
    assert js.info("S", name)["push_bound"] is True
    sub.unsubscribe()
    wait_for("the consumer to go", lambda: js.error_code(f"CONSUMER.INFO.S.{name}") == 10014)


def test_an_ordered_consumer(js):
    # spec: JS-087 JS-104
    fill(js, 50)
    config = {
        "deliver_subject": "o",
        "ack_policy": "none",
        "max_deliver": 1,
        "flow_control": True,
        "idle_heartbeat": 5 * SECOND,
        "inactive_threshold": 5 * SECOND,
        "mem_storage": True,
        "num_replicas": 1,
    }
    sub = js.subscribe("o")
    name = js.ok("CONSUMER.CREATE.S.ord", {"stream_name": "S", "config": {"name": "ord", **config}})["name"]
    got = []
    while len(got) < 50:
        message = sub.next()
        if message.status:
            js.send(message.reply)
        else:
            got.append(message.acked()[3:5])
    assert (name, got) == ("ord", [(n, n) for n in range(1, 51)])
    assert "durable_name" not in js.info("S", "ord")["config"]


def test_flow_control_as_the_ack_policy(js):
    # spec: JS-094 JS-104 NEW-023
    sub = js.subscribe("d.p")
    push(js, ack_policy="flow_control", flow_control=True, idle_heartbeat=SECOND, max_ack_pending=10)
    fill(js, 30)
    seen = []
    while len(seen) < 30:
        message = sub.next()
        if message.status.startswith("100 FlowControl"):
            last = str(len(seen))
            js.send(message.reply, b"", {"Nats-Last-Consumer": last, "Nats-Last-Stream": last})
        elif not message.status:
            seen.append((message.seq, message.deliveries))
    # Nothing is delivered again: there is no time by which it has to be acknowledged.
    assert seen == [(number, 1) for number in range(1, 31)]
    assert js.info("S", "p")["delivered"]["stream_seq"] == 30
