"""Pull requests: every form, every status."""

from __future__ import annotations

import pytest

from harness.jetstream import API, MILLI, SECOND, Client
from harness.server import wait_for

TIMEOUT = "408 Request Timeout"


@pytest.fixture
def js(account) -> Client:
    js = account()
    js.stream("S", "s.>")
    js.consumer("S", "c")
    return js


def fill(js: Client, count: int = 5, subject: str = "s.a") -> None:
    for number in range(1, count + 1):
        js.put(subject, b"m%d" % number)


def pending(messages: int, size: int = 0) -> dict:
    return {"Nats-Pending-Messages": str(messages), "Nats-Pending-Bytes": str(size)}


def settled(js: Client, consumer: str, waiting: int) -> dict:
    """Waits until the consumer has so many requests waiting."""
    return wait_for(
        f"{waiting} waiting", lambda: (info := js.info("S", consumer))["num_waiting"] == waiting and info
    )


def test_what_is_left_of_a_request_for_less_than_nothing(js):
    # spec: JS-108
    end = js.pull("S", "c", {"batch": 1, "max_bytes": -1, "expires": 50 * MILLI}).next()
    assert (end.status, end.headers) == (TIMEOUT, pending(1, -1))


# --- what is asked for --------------------------------------------------------------------------

FORMS = [
    (b"", 1),
    (b"3", 3),
    (b"0", 1),
    (b"-3", 1),
    (b"x", 1),
    (b"{}", 1),
    (b'{"batch":2}', 2),
    (b'{"batch":0}', 1),
    (b'{"batch":2,"no_wait":true}', 2),
    (b'{"batch":4,"expires":5000000000}', 4),
    (b'{"batch":2,"foo":1}', 2),
    (b'{"batch":2,"priority":1}', 2),
    (b'{"batch":2,"group":"g"}', 2),
    (b'{"batch":4,"expires":5000000000,"no_wait":true}', 4),
    (b'  {"batch":2}', 2),
]


@pytest.mark.parametrize(("body", "count"), FORMS, ids=[body.decode() or "empty" for body, _ in FORMS])
def test_forms(body, count, js):
    # spec: JS-107 JS-110 JS-604
    fill(js, 9)
    sub = js.pull("S", "c", body)
    got = sub.take(count)
    assert [message.data for message in got] == [b"m%d" % n for n in range(1, count + 1)]
    assert js.info("S", "c")["num_ack_pending"] == count
    assert sub.nothing()


def test_what_a_message_says(js):
    # spec: JS-100 JS-616
    js.put("s.a", b"one", {"Own": "1"})
    js.put("s.b", b"two")
    one, two = js.fetch("S", "c", 2)
    assert one.acked() == ("S", "c", 1, 1, 1, 1)
    assert two.acked() == ("S", "c", 1, 2, 2, 0)
    assert one.reply.startswith("$JS.ACK.S.c.1.1.1.")
    assert (one.subject, one.headers, one.data, two.headers) == ("s.a", {"Own": "1"}, b"one", None)
    stored = js.ok("STREAM.MSG.GET.S", {"seq": 1})["message"]["time"]
    fraction = stored.removesuffix("Z").partition(".")[2]
    assert one.reply.split(".")[7].endswith(fraction.ljust(9, "0"))


def test_a_request_waits_for_what_comes(js):
    # spec: JS-107 JS-616 JS-613 JS-614
    first, second = js.pull("S", "c"), js.pull("S", "c")
    settled(js, "c", 2)
    js.put("s.a", b"one")
    js.put("s.a", b"two")
    assert (first.next().data, second.next().data) == (b"one", b"two")
    settled(js, "c", 0)


def test_requests_are_served_in_turn(js):
    # spec: JS-107
    subs = [js.pull("S", "c", {"batch": 2, "expires": 10 * SECOND}) for _ in range(2)]
    settled(js, "c", 2)
    fill(js, 4)
    got = [[message.data for message in sub.take(2)] for sub in subs]
    assert sorted(got[0] + got[1]) == [b"m1", b"m2", b"m3", b"m4"]


def test_what_is_filtered(js):
    # spec: JS-087 JS-093
    js.consumer("S", "f", filter_subject="s.b")
    js.consumer("S", "g", filter_subjects=["s.b", "s.c.*"])
    for subject in ("s.a", "s.b", "s.c", "s.c.d", "s.b"):
        js.put(subject)
    assert [message.seq for message in js.fetch("S", "f", 2)] == [2, 5]
    assert [message.acked()[3:] for message in js.fetch("S", "g", 3)] == [(2, 1, 2), (4, 2, 1), (5, 3, 0)]
    assert js.info("S", "f")["num_pending"] == 0


# --- statuses -----------------------------------------------------------------------------------


def test_no_wait(js):
    # spec: JS-108 JS-596 JS-620
    sub = js.pull("S", "c", {"no_wait": True})
    message = sub.next()
    assert (message.status, message.headers, message.data) == ("404 No Messages", {}, b"")
    assert message.subject == sub.subject
    fill(js, 2)
    one, two, end = js.pull("S", "c", {"batch": 5, "no_wait": True}).take(3)
    assert (one.data, two.data, end.status, end.headers) == (b"m1", b"m2", "404 No Messages", {})


def test_expires(js):
    # spec: JS-108 JS-597 JS-621
    message = js.pull("S", "c", {"batch": 2, "expires": 100 * MILLI}).next()
    assert (message.status, message.headers) == (TIMEOUT, pending(2))
    fill(js, 2)
    *_, end = js.pull("S", "c", {"batch": 3, "expires": 100 * MILLI}).take(3)
    assert (end.status, end.headers) == (TIMEOUT, pending(1))
    settled(js, "c", 0)


def test_no_wait_that_expires_waits_once_there_was_nothing(js):
    # spec: JS-108
    sub = js.pull("S", "c", {"batch": 3, "no_wait": True, "expires": 200 * MILLI})
    settled(js, "c", 1)
    fill(js, 1)
    assert sub.next().data == b"m1"
    end = sub.next()
    assert end.status in (TIMEOUT, "404 No Messages")


def test_heartbeats(js):
    # spec: JS-108 JS-598
    sub = js.pull("S", "c", {"expires": 900 * MILLI, "idle_heartbeat": 200 * MILLI})
    got = [sub.next()]
    while got[-1].status != TIMEOUT:
        got.append(sub.next())
    assert 2 <= len(got) - 1 <= 4
    for message in got[:-1]:
        assert message.status == "100 Idle Heartbeat"
        assert message.headers == {"Nats-Last-Consumer": "0", "Nats-Last-Stream": "0"}


UNREADABLE = "json: cannot unmarshal string into Go struct field .batch of type int"
REFUSED = [
    ({}, {"expires": SECOND, "idle_heartbeat": 600 * MILLI}, "400 Bad Request - heartbeat value too large"),
    ({"max_batch": 5}, {"batch": 6}, "409 Exceeded MaxRequestBatch of 5"),
    ({"max_expires": 10 * SECOND}, {"expires": 11 * SECOND}, "409 Exceeded MaxRequestExpires of 10s"),
    ({"max_expires": 1500 * MILLI}, {"expires": 11 * SECOND}, "409 Exceeded MaxRequestExpires of 1.5s"),
    ({"max_bytes": 100}, {"max_bytes": 101, "batch": 1}, "409 Exceeded MaxRequestMaxBytes of 100"),
    ({}, b"{x", "400 Bad Request - invalid character 'x' looking for beginning of object key string"),
    ({}, b'{"batch":"x"}', f"400 Bad Request - {UNREADABLE}"),
    ({}, {"min_pending": 3}, "400 Bad Request - Not a Overflow Priority consumer"),
    ({}, {"min_ack_pending": 3}, "400 Bad Request - Not a Overflow Priority consumer"),
    ({}, {"id": "x"}, "400 Bad Request - Not a Pinned Client Priority consumer"),
]


@pytest.mark.parametrize(("config", "body", "status"), REFUSED, ids=[str(body) for _, body, _ in REFUSED])
def test_what_is_refused(config, body, status, js):
    # spec: JS-109 JS-110 JS-599 JS-600 JS-601 JS-602 JS-603 JS-608 JS-612
    js.consumer("S", "r", **config)
    message = js.pull("S", "r", body).next()
    assert (message.status, message.headers, message.data) == (status, {}, b"")


def test_required_level(js):
    # spec: JS-007 JS-605
    answer = js.request(API + "CONSUMER.MSG.NEXT.S.c", b"1", {"Nats-Required-Api-Level": "99"})
    assert answer.status == "412 Required Api Level"
    fill(js, 1)
    js.send(API + "CONSUMER.MSG.NEXT.S.c", b"1", {"Nats-Required-Api-Level": "2"}, js.new_inbox())
    assert js.inbox.next().data == b"m1"


def test_where_there_is_none(js):
    # spec: JS-606 JS-607
    js.consumer("S", "p", deliver_subject="d")
    assert js.request(API + "CONSUMER.MSG.NEXT.S.p", b"1").status == "409 Consumer is push based"
    answer = js.request(API + "CONSUMER.MSG.NEXT.S.zz", b"1")
    assert (answer.status, answer.headers) == ("503", {"Nats-Subject": API + "CONSUMER.MSG.NEXT.S.zz"})


def test_max_waiting(js):
    # spec: JS-108 JS-613 JS-615
    js.consumer("S", "w", max_waiting=2)
    waiting = [js.pull("S", "w", {"expires": 20 * SECOND}) for _ in range(2)]
    settled(js, "w", 2)
    assert js.pull("S", "w", {"expires": SECOND}).next().status == "409 Exceeded MaxWaiting"
    # A request whose asker has gone is passed over.
    waiting[0].unsubscribe()
    fill(js, 1)
    assert waiting[1].next().data == b"m1"


def test_max_bytes(js):
    # spec: JS-108 JS-619
    js.put("s.a", b"x" * 500)
    js.put("s.a", b"x" * 500)
    message = js.pull("S", "c", {"batch": 1, "max_bytes": 5, "expires": 5 * SECOND}).next()
    assert (message.status, message.headers) == ("409 Message Size Exceeds MaxBytes", pending(1, 5))
    sub = js.pull("S", "c", {"batch": 5, "max_bytes": 1000, "expires": 5 * SECOND})
    one, end = sub.take(2)
    assert (len(one.data), end.status) == (500, "409 Message Size Exceeds MaxBytes")
    assert end.headers["Nats-Pending-Messages"] == "4"


def test_a_deleted_consumer_tells_who_waits(js):
    # spec: JS-108 JS-637
    subs = [js.pull("S", "c", {"expires": 20 * SECOND}) for _ in range(2)]
    settled(js, "c", 2)
    js.ok("CONSUMER.DELETE.S.c")
    for sub in subs:
        message = sub.next()
        assert (message.status, message.headers, message.data) == ("409 Consumer Deleted", {}, b"")


def test_a_deleted_stream_tells_who_waits(js):
    # spec: JS-108
    sub = js.pull("S", "c", {"expires": 20 * SECOND})
    settled(js, "c", 1)
    js.ok("STREAM.DELETE.S")
    assert sub.next().status in ("409 Consumer Deleted", "409 Stream Deleted")


def test_a_stopping_server_tells_who_waits(alone):
    # spec: JS-108
    server, js = alone()
    js.stream("S", "s")
    js.consumer("S", "c")
    sub = js.pull("S", "c", {"expires": 20 * SECOND, "batch": 7})
    settled(js, "c", 1)
    server.signal(15)
    message = sub.next()
    assert (message.status, message.headers["Nats-Pending-Messages"]) == ("409 Server Shutdown", "7")
    assert server.process.wait(10) == 0


def test_max_ack_pending_holds_requests(js):
    # spec: JS-087
    js.consumer("S", "m", max_ack_pending=2)
    fill(js, 3)
    one, two = (sub := js.pull("S", "m", {"batch": 3, "expires": 20 * SECOND})).take(2)
    js.info("S", "m")
    assert sub.nothing()
    js.ack(one)
    assert sub.next().data == b"m3"
    js.ack(two)


def test_next_with_the_ack(js):
    # spec: JS-101
    fill(js, 4)
    first = js.fetch("S", "c")[0]
    sub = js.subscribe("next")
    js.send(first.reply, b"+NXT", reply="next")
    second = sub.next()
    assert second.data == b"m2"
    js.send(second.reply, b'+NXT {"batch":2,"no_wait":true}', reply="next")
    assert [message.data for message in sub.take(2)] == [b"m3", b"m4"]
    assert js.info("S", "c")["num_ack_pending"] == 2


def test_the_state_of_a_consumer(js):
    # spec: JS-097
    fill(js, 5)
    got = js.fetch("S", "c", 3)
    js.ack(got[0])
    js.ack(got[2])
    info = js.info("S", "c")
    assert (info["num_ack_pending"], info["num_pending"], info["num_redelivered"], info["num_waiting"]) == (1, 2, 0, 0)
    assert (info["delivered"]["consumer_seq"], info["delivered"]["stream_seq"]) == (3, 3)
    assert (info["ack_floor"]["consumer_seq"], info["ack_floor"]["stream_seq"]) == (1, 1)
    assert "last_active" in info["delivered"] and "last_active" in info["ack_floor"]
    js.ack(got[1])
    assert js.info("S", "c")["ack_floor"]["stream_seq"] == 3
