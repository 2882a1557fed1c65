"""Acknowledgements: kinds, redelivery, delays, backoff, and what the server says about them."""

from __future__ import annotations

import time

import pytest

from harness.jetstream import ID, MILLI, SECOND, TIME, Client
from harness.server import wait_for
from jetstream.conftest import login

EVENTS = "$JS.EVENT.ADVISORY.CONSUMER"


@pytest.fixture
def js(account) -> Client:
    """A stream S of three messages."""
    js = account()
    js.stream("S", "s.>")
    for number in (1, 2, 3):
        js.put("s.a", b"m%d" % number)
    return js


def acked(js: Client, consumer: str = "c") -> tuple[int, int, int]:
    """Ack floor, acks pending, redeliveries."""
    info = js.info("S", consumer)
    return info["ack_floor"]["stream_seq"], info["num_ack_pending"], info["num_redelivered"]


@pytest.mark.parametrize("body", ["", "+ACK", "+OK"])
def test_ack(body, js):
    # spec: JS-101 JS-634
    js.consumer("S", "c")
    one, two, three = js.fetch("S", "c", 3)
    js.ack(one, body)
    assert acked(js) == (1, 2, 0)
    js.send(three.reply, body)
    js.send(two.reply, body)
    wait_for("all to be acked", lambda: acked(js) == (3, 0, 0))
    # Once more does no harm.
    js.ack(two, body)
    assert acked(js) == (3, 0, 0)


def test_an_unknown_body_is_confirmed_and_that_is_all(js):
    # spec: JS-101
    js.consumer("S", "c")
    js.ack(js.fetch("S", "c")[0], "+WHAT")
    assert acked(js)[:2] == (0, 1)


def test_all_before(js):
    # spec: JS-102
    js.consumer("S", "c", ack_policy="all")
    one, two, three = js.fetch("S", "c", 3)
    js.ack(two)
    assert acked(js) == (2, 1, 0)
    js.ack(one)
    assert acked(js) == (2, 1, 0)
    js.ack(three)
    assert acked(js) == (3, 0, 0)


def test_none_needed(js):
    # spec: JS-102
    js.consumer("S", "c", ack_policy="none")
    events = js.subscribe(f"{EVENTS}.>")
    got = js.fetch("S", "c", 3)
    assert [message.deliveries for message in got] == [1, 1, 1]
    for word in ("+TERM", "-NAK"):
        js.send(got[0].reply, word)
    assert acked(js) == (3, 0, 0)
    assert events.nothing()


def test_not_acked_in_time(js):
    # spec: JS-102 JS-633
    js.consumer("S", "c", ack_wait=200 * MILLI)
    one, two = js.fetch("S", "c", 2)
    js.ack(two)
    again = js.fetch("S", "c", 2)
    assert sorted((message.seq, message.deliveries) for message in again) == [(1, 2), (3, 1)]
    assert {message.acked()[4] for message in again} == {3, 4}
    assert acked(js)[2] == 1
    js.ack(one)
    assert acked(js)[:2] == (2, 1)


def test_in_progress(js):
    # spec: JS-101
    js.consumer("S", "c", ack_wait=600 * MILLI, max_ack_pending=1)
    message = js.fetch("S", "c")[0]
    sub = js.pull("S", "c", {"expires": 10 * SECOND})
    began = time.monotonic()
    while time.monotonic() < began + 1.2:
        js.ack(message, "+WPI")
        time.sleep(0.05)
    assert sub.nothing()
    js.ack(message)
    assert sub.next().seq == 2


@pytest.mark.parametrize("body", ["-NAK", '-NAK {"delay": 1}', "-NAK 1ns"])
def test_nak(body, js):
    # spec: JS-101 JS-139
    js.consumer("S", "c")
    naks = js.subscribe(f"{EVENTS}.MSG_NAKED.S.c")
    one, _ = js.fetch("S", "c", 2)
    js.send(one.reply, body)
    again = js.fetch("S", "c", 2)
    assert sorted((message.seq, message.deliveries) for message in again) == [(1, 2), (3, 1)]
    assert naks.next().json == {
        "type": "io.nats.jetstream.advisory.v1.nak",
        "id": ID,
        "timestamp": TIME,
        "stream": "S",
        "consumer": "c",
        "consumer_seq": 1,
        "stream_seq": 1,
        "deliveries": 1,
    }


@pytest.mark.parametrize("body", ['-NAK {"delay": 400000000}', "-NAK 400ms"])
def test_nak_with_delay(body, js):
    # spec: JS-101 JS-102
    js.consumer("S", "c")
    one = js.fetch("S", "c")[0]
    began = time.monotonic()
    js.ack(one, body)
    second, third = js.fetch("S", "c", 2)
    assert (second.seq, third.seq) == (2, 3)
    again = js.fetch("S", "c")[0]
    assert (again.seq, again.deliveries) == (1, 2)
    assert time.monotonic() - began >= 0.35


def test_term(js):
    # spec: JS-101 JS-139
    js.consumer("S", "c", ack_wait=200 * MILLI)
    terms = js.subscribe(f"{EVENTS}.MSG_TERMINATED.S.c")
    one, two, _ = js.fetch("S", "c", 3)
    js.ack(one, "+TERM")
    js.ack(two, "+TERM because I say so")
    common = {"type": "io.nats.jetstream.advisory.v1.terminated", "id": ID, "timestamp": TIME, "stream": "S"}
    common |= {"consumer": "c", "deliveries": 1}
    assert terms.next().json == {**common, "consumer_seq": 1, "stream_seq": 1}
    assert terms.next().json == {**common, "consumer_seq": 2, "stream_seq": 2, "reason": "because I say so"}
    again = js.fetch("S", "c")[0]
    assert (again.seq, again.deliveries) == (3, 2)
    assert js.state("S")["messages"] == 3


def test_max_deliver(js):
    # spec: JS-103 JS-139
    js.consumer("S", "c", ack_wait=100 * MILLI, max_deliver=2)
    advisories = js.subscribe(f"{EVENTS}.MAX_DELIVERIES.S.c")
    one = js.fetch("S", "c")[0]
    assert (one.seq, one.deliveries) == (1, 1)
    js.send(one.reply, "-NAK")
    again = js.fetch("S", "c")[0]
    assert (again.seq, again.deliveries) == (1, 2)
    # A third time is not due; the next is the next message.
    sub = js.pull("S", "c", {"batch": 5, "expires": 5 * SECOND})
    assert advisories.next().json == {
        "type": "io.nats.jetstream.advisory.v1.max_deliver",
        "id": ID,
        "timestamp": TIME,
        "stream": "S",
        "consumer": "c",
        "stream_seq": 1,
        "deliveries": 2,
    }
    assert sub.next().seq == 2
    assert js.state("S")["messages"] == 3
    wait_for("the others to be exhausted", lambda: acked(js)[1] == 0)


def test_a_message_that_goes_while_it_waits_is_told_of(js):
    # spec: JS-139
    js.consumer("S", "c")
    events = js.subscribe(f"{EVENTS}.MSG_TERMINATED.S.c")
    for times in (1, 2, 3):
        one, *_ = js.fetch("S", "c")
        assert (one.seq, one.deliveries) == (1, times)
        if times < 3:
            js.ack(one, "-NAK")
    js.fetch("S", "c")
    for seq in (1, 2):
        js.ok("STREAM.MSG.DELETE.S", {"seq": seq})
    told = [events.next().json for _ in range(2)]
    assert sorted((event["stream_seq"], event["deliveries"]) for event in told) == [(1, 2), (2, 1)]
    assert {event["reason"] for event in told} == {"Unacknowledged message was deleted"}


def test_what_nobody_takes_again_lets_others_go_first(js):
    # spec: JS-102 JS-108
    js.put("s.b", b"x" * 500)
    js.put("s.b", b"x")
    js.consumer("S", "c", filter_subject="s.b")
    both = js.fetch("S", "c", 2)
    for message in both:
        js.ack(message, "-NAK")
    sub = js.pull("S", "c", {"batch": 2, "max_bytes": 400, "expires": 5 * SECOND})
    assert sub.next().status == "409 Message Size Exceeds MaxBytes"
    again = js.fetch("S", "c", 2)
    assert [message.seq for message in again] == [both[1].seq, both[0].seq]


def test_an_exhausted_message_that_goes_counts_as_activity(js):
    # spec: JS-097 JS-103
    js.consumer("S", "c", max_deliver=1)
    js.ack(js.fetch("S", "c")[0], "-NAK")
    js.fetch("S", "c")
    wait_for("it to be given up", lambda: js.info("S", "c")["num_ack_pending"] == 1)
    assert "last_active" not in js.info("S", "c")["ack_floor"]
    js.ok("STREAM.MSG.DELETE.S", {"seq": 1})
    assert "last_active" in js.info("S", "c")["ack_floor"]


@pytest.mark.martlet_only
def test_a_delay_is_as_long_as_it_is_said_to_be(js):
    # spec: JS-102
    js.consumer("S", "c", backoff=[100 * MILLI, 3600 * SECOND], max_deliver=4, filter_subject="s.b")
    js.put("s.b")
    js.fetch("S", "c")
    again = js.fetch("S", "c")[0]
    js.ack(again, '-NAK {"delay":100000000}')
    assert js.fetch("S", "c")[0].deliveries == 3


@pytest.mark.martlet_only
def test_who_acknowledges_all_is_done_with_what_was_given_up(js):
    # spec: JS-103
    js.consumer("S", "c", ack_policy="all", max_deliver=2)
    for _ in range(2):
        one, *_ = js.fetch("S", "c")
        js.ack(one, "-NAK")
    two = js.fetch("S", "c")[0]
    info = js.info("S", "c")
    assert (two.seq, info["num_ack_pending"], info["num_redelivered"]) == (2, 1, 1)
    js.ack(two)
    info = js.info("S", "c")
    assert (info["num_redelivered"], info["ack_floor"]["stream_seq"]) == (0, 2)


@pytest.mark.parametrize("word", ["-NAK", '-NAK {"delay":3600000000000}', "+WPI", "+ACK", "+TERM"])
def test_what_is_said_of_an_exhausted_message_is_answered(word, js):
    # spec: JS-101 JS-103
    js.consumer("S", "c", max_deliver=1)
    one = js.fetch("S", "c")[0]
    js.ack(one, "-NAK")
    # Its turn would come now.
    sub = js.pull("S", "c", {"batch": 1, "expires": 5 * SECOND})
    assert sub.next().seq == 2
    wait_for("it to be given up", lambda: js.info("S", "c")["num_ack_pending"] == 1)
    js.ack(one, word)
    assert js.info("S", "c")["num_ack_pending"] == 1
    assert js.state("S")["messages"] == 3


def test_backoff(js):
    # spec: JS-088 JS-102
    js.consumer("S", "c", backoff=[100 * MILLI, 400 * MILLI], max_deliver=3, filter_subject="s.b")
    js.put("s.b", b"x")
    times = []
    sub = js.pull("S", "c", {"batch": 3, "expires": 10 * SECOND})
    for _ in range(3):
        sub.next()
        times.append(time.monotonic())
    assert times[1] - times[0] >= 0.09
    assert times[2] - times[1] >= 0.35


def test_samples(js):
    # spec: JS-106 JS-140
    js.consumer("S", "c", sample_freq="100%")
    js.consumer("S", "n")
    metrics = js.subscribe("$JS.EVENT.METRIC.CONSUMER.ACK.S.*")
    js.ack(js.fetch("S", "n")[0])
    js.ack(js.fetch("S", "c")[0])
    metric = metrics.next()
    assert metric.subject == "$JS.EVENT.METRIC.CONSUMER.ACK.S.c"
    body = metric.json
    assert 0 < body.pop("ack_time") < 10 * SECOND
    assert body == {
        "type": "io.nats.jetstream.metric.v1.consumer_ack",
        "id": ID,
        "timestamp": TIME,
        "stream": "S",
        "consumer": "c",
        "consumer_seq": 1,
        "stream_seq": 1,
        "deliveries": 1,
    }


def test_acks_of_nothing(js):
    # spec: JS-101
    js.consumer("S", "c")
    one = js.fetch("S", "c")[0]
    for what in ("S.c.1.99.99.1.0", "S.zz.1.1.1.1.0", "zz.c.1.1.1.1.0", "S.c.x.y.z.1.0"):
        js.send(f"$JS.ACK.{what}", "")
    js.fence()
    js.ack(one)
    assert acked(js) == (1, 0, 0)


@pytest.mark.parametrize("emitted", [False, True])
def test_acks_of_the_second_form(emitted, alone):
    # spec: JS-100 NEW-031 NEW-053
    _, other = alone(rest="feature_flags { js_ack_fc_v2: true }\n")
    _, js = (None, other) if emitted else alone()
    for client in {other, js}:
        client.stream("S", "s")
        client.consumer("S", "c")
        for _ in range(2):
            client.put("s")
    tokens = other.fetch("S", "c")[0].reply.split(".")
    assert (tokens[:3], tokens[4:9]) == (["$JS", "ACK", "_"], ["S", "c", "1", "1", "1"])
    assert len(tokens) == 11
    if not emitted:
        assert js.fetch("S", "c")[0].reply.startswith("$JS.ACK.S.c.1.1.1.")
    js.send(".".join(tokens), "")
    wait_for("the ack", lambda: acked(js)[:2] == (1, 0))
    js.fetch("S", "c")
    js.send("$JS.ACK.S.c.1.2.2.1.0", "")
    wait_for("the ack", lambda: acked(js)[:2] == (2, 0))


def test_another_account_acks_nothing(js, pool):
    # spec: JS-001
    js.consumer("S", "c")
    one = js.fetch("S", "c")[0]
    server, user = pool.next()
    with login(server, user=user, **{"pass": "p"}) as other:
        other.send(one.reply, "")
        other.fence()
    assert acked(js) == (0, 1, 0)
