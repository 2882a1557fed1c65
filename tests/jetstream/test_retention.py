"""Work queues and interest: what goes when it is acknowledged."""

from __future__ import annotations

import pytest

from harness.jetstream import MILLI, TIME, Client
from harness.server import wait_for


def left(js: Client) -> int:
    return js.state("S")["messages"]


def gone_to(js: Client, count: int) -> None:
    wait_for(f"{count} messages to be left", lambda: left(js) == count)


@pytest.fixture(params=["file", "memory"])
def storage(request) -> str:
    return request.param


def test_a_work_queue(storage, js):
    # spec: JS-039 JS-091 JS-102
    js.stream("S", "s.>", storage=storage, retention="workqueue")
    for number in range(4):
        js.put(f"s.{number % 2}")
    js.consumer("S", "a", filter_subject="s.0")
    js.consumer("S", "b", filter_subject="s.1")
    one, two = js.fetch("S", "a", 2)
    assert left(js) == 4
    js.ack(two)
    gone_to(js, 3)
    js.ack(one)
    gone_to(js, 2)
    assert js.state("S")["first_seq"] == 2
    for message in js.fetch("S", "b", 2):
        js.ack(message, "+TERM")
    gone_to(js, 0)
    assert js.state("S")["first_seq"] == 5


def test_a_work_queue_keeps_what_is_exhausted(js):
    # spec: JS-103
    js.stream("S", "s", retention="workqueue")
    js.consumer("S", "a", max_deliver=1, ack_wait=100 * MILLI)
    advisories = js.subscribe("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.S.a")
    js.put("s")
    js.fetch("S", "a")
    advisories.next()
    assert left(js) == 1
    js.put("s")
    js.ack(js.fetch("S", "a")[0])
    gone_to(js, 1)


def test_a_new_consumer_of_a_work_queue_gets_what_is_left(js):
    # spec: JS-091
    js.stream("S", "s", retention="workqueue")
    js.consumer("S", "a")
    for _ in range(3):
        js.put("s")
    first, _ = js.fetch("S", "a", 2)
    js.ack(first)
    js.ok("CONSUMER.DELETE.S.a")
    assert left(js) == 2
    js.consumer("S", "b")
    assert [message.seq for message in js.fetch("S", "b", 2)] == [2, 3]


def test_interest(storage, js):
    # spec: JS-039 JS-102
    js.stream("S", "s.>", storage=storage, retention="interest")
    assert js.put("s.a") == 1
    gone_to(js, 0)
    js.consumer("S", "a")
    js.consumer("S", "b", filter_subject="s.b")
    for subject in ("s.a", "s.b", "s.c"):
        js.put(subject)
    one, two, three = js.fetch("S", "a", 3)
    assert left(js) == 3
    js.ack(one)
    gone_to(js, 2)
    js.ack(two)
    js.ack(three)
    gone_to(js, 1)
    js.ack(js.fetch("S", "b")[0])
    gone_to(js, 0)


def test_interest_ends_with_the_last_consumer(js):
    # spec: JS-039
    js.stream("S", "s.>", retention="interest")
    js.consumer("S", "a")
    js.consumer("S", "b")
    js.put("s.a")
    js.put("s.a")
    for message in js.fetch("S", "a", 2):
        js.ack(message)
    assert left(js) == 2
    js.ok("CONSUMER.DELETE.S.b")
    gone_to(js, 0)


def test_interest_of_no_acks_and_of_all(js):
    # spec: JS-102
    js.stream("S", "s", retention="interest")
    sub = js.subscribe("d")
    js.consumer("S", "none", ack_policy="none", deliver_subject="d")
    js.consumer("S", "all", ack_policy="all")
    for _ in range(3):
        js.put("s")
    sub.take(3)
    *_, last = js.fetch("S", "all", 3)
    assert left(js) == 3
    js.ack(last)
    gone_to(js, 0)


def test_interest_and_limits(js):
    # spec: JS-039
    js.stream("S", "s", retention="interest", max_msgs=2)
    js.consumer("S", "a")
    for _ in range(5):
        js.put("s")
    assert left(js) == 2
    assert [message.seq for message in js.fetch("S", "a", 2)] == [4, 5]


def test_a_message_that_nobody_wants_was_the_last(storage, js):
    # spec: JS-039 JS-059
    js.stream("S", "s", storage=storage, retention="interest")
    js.put("s")
    state = js.state("S")
    assert (state["messages"], state["last_seq"], state["last_ts"]) == (0, 1, TIME)
    assert not state["last_ts"].startswith("0001")


def test_who_changes_a_stream_finds_gone_what_nobody_needs(storage, js):
    # spec: JS-018 JS-057
    js.stream("S", "s", storage=storage)
    js.put("s")
    assert js.update("S", retention="interest")["state"]["messages"] == 0


def test_a_copy_that_confirms_nothing_keeps_what_it_asked_for(js):
    # spec: JS-057 JS-113
    js.stream("S", "s")
    inbox = js.subscribe("copy")
    copy = {"name": "c", "deliver_subject": "copy", "ack_policy": "none", "direct": True, "max_deliver": 1}
    js.ok("CONSUMER.CREATE.S.c", {"stream_name": "S", "config": copy})
    for number in range(3):
        js.put("s", str(number))
    assert [inbox.next().data for _ in range(3)] == [b"0", b"1", b"2"]
    # It may have been killed before it stored them.
    assert js.update("S", retention="interest")["state"]["messages"] == 3
    js.put("s", "3")
    assert inbox.next().data == b"3"
    assert left(js) == 4


def test_from_limits_to_interest(js):
    # spec: JS-057 JS-446
    js.stream("S", "s")
    js.consumer("S", "a")
    for _ in range(3):
        js.put("s")
    js.ack(js.fetch("S", "a")[0])
    js.update("S", retention="interest")
    gone_to(js, 2)
    js.ack(js.fetch("S", "a")[0])
    gone_to(js, 1)
