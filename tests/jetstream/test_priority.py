"""Priority groups: overflow, pinned clients, prioritized requests."""

from __future__ import annotations

import pytest

from harness.jetstream import ID, MILLI, SECOND, TIME, Client
from harness.server import wait_for

EVENTS = "$JS.EVENT.ADVISORY.CONSUMER"
LONG = {"expires": 20 * SECOND}


@pytest.fixture
def js(account) -> Client:
    js = account()
    js.stream("S", "s")
    return js


def put(js: Client, count: int) -> None:
    for number in range(1, count + 1):
        js.put("s", b"m%d" % number)


def waiting(js: Client, count: int) -> None:
    wait_for(f"{count} waiting", lambda: js.info("S", "c")["num_waiting"] == count)


def pin(message) -> str:
    return message.headers["Nats-Pin-Id"]


# --- overflow -----------------------------------------------------------------------------------


def test_overflow_by_pending(js):
    # spec: JS-112
    js.consumer("S", "c", priority_groups=["g"], priority_policy="overflow")
    sub = js.pull("S", "c", {"group": "g", "min_pending": 3, "batch": 10, **LONG})
    put(js, 2)
    js.info("S", "c")
    assert sub.nothing()
    js.put("s", b"m3")
    assert sub.next().data == b"m1"


def test_overflow_by_acks_pending(js):
    # spec: JS-112
    js.consumer("S", "c", priority_groups=["g"], priority_policy="overflow")
    put(js, 4)
    js.pull("S", "c", {"group": "g", "batch": 1, **LONG}).next()
    sub = js.pull("S", "c", {"group": "g", "min_ack_pending": 2, "batch": 1, **LONG})
    waiting(js, 1)
    assert sub.nothing()
    js.pull("S", "c", {"group": "g", "batch": 1, **LONG}).next()
    assert sub.next().data == b"m3"


def test_a_group_is_needed_and_must_be_known(js):
    # spec: JS-109 JS-609 JS-610 JS-611 JS-612
    js.consumer("S", "o", priority_groups=["g"], priority_policy="overflow")
    js.consumer("S", "p", priority_groups=["g"], priority_policy="pinned_client")
    for consumer, body, status in [
        ("o", {}, "400 Bad Request - Priority Group missing"),
        ("p", {}, "400 Bad Request - Priority Group missing"),
        ("p", {"group": "h"}, "400 Bad Request - Invalid Priority Group"),
        ("p", {"group": "g", "priority": 10}, "400 Bad Request - Priority must be between 0 and 9"),
        ("p", {"group": "g", "priority": -1}, "400 Bad Request - Priority must be between 0 and 9"),
        ("p", {"group": "g", "min_pending": 1}, "400 Bad Request - Not a Overflow Priority consumer"),
        ("o", {"group": "g", "id": "x"}, "400 Bad Request - Not a Pinned Client Priority consumer"),
    ]:
        message = js.pull("S", consumer, body).next()
        assert (message.status, message.headers) == (status, {}), body


# --- pinned -------------------------------------------------------------------------------------


def test_a_request_without_anything_pins_nobody(js):
    # spec: JS-107 JS-111
    js.consumer("S", "c", priority_groups=["g"], priority_policy="pinned_client")
    put(js, 1)
    assert js.pull("S", "c").next().headers == {"Nats-Pin-Id": ""}
    assert "pinned_client_id" not in js.info("S", "c")["priority_groups"][0]


def pinned(js: Client, **config) -> None:
    js.consumer("S", "c", priority_groups=["g"], priority_policy="pinned_client", **config)


def test_only_the_pinned_client_gets_messages(js):
    # spec: JS-111 JS-617 JS-618 JS-139
    pinned(js)
    advisories = js.subscribe(f"{EVENTS}.PINNED.S.c")
    first = js.pull("S", "c", {"group": "g", "batch": 1, **LONG})
    second = js.pull("S", "c", {"group": "g", "batch": 10, **LONG})
    waiting(js, 2)
    put(js, 3)
    message = first.next()
    assert (message.data, message.headers) == (b"m1", {"Nats-Pin-Id": ID})
    group = js.info("S", "c")["priority_groups"]
    assert group == [{"group": "g", "pinned_client_id": pin(message), "pinned_ts": TIME}]
    advisory = advisories.next().json
    assert isinstance(advisory.pop("account"), str)
    assert advisory == {
        "type": "io.nats.jetstream.advisory.v1.consumer_group_pinned",
        "id": ID,
        "timestamp": TIME,
        "stream": "S",
        "consumer": "c",
        "group": "g",
        "pinned_id": pin(message),
    }
    assert second.nothing()
    again = js.pull("S", "c", {"group": "g", "id": pin(message), "batch": 2, **LONG}).take(2)
    assert [(one.data, pin(one)) for one in again] == [(b"m2", pin(message)), (b"m3", pin(message))]
    assert js.pull("S", "c", {"group": "g", "id": "other", **LONG}).next().status == "423 Nats-Pin-Id mismatch"


def test_unpinning(js):
    # spec: JS-030 JS-111 JS-139
    pinned(js)
    advisories = js.subscribe(f"{EVENTS}.UNPINNED.S.c")
    put(js, 1)
    first = js.pull("S", "c", {"group": "g", "batch": 5, **LONG})
    old = pin(first.next())
    second = js.pull("S", "c", {"group": "g", "batch": 5, **LONG})
    waiting(js, 2)
    assert js.error("CONSUMER.UNPIN.S.c", {"group": "x"})[1] == 10160
    assert js.ok("CONSUMER.UNPIN.S.c", {"group": "g"}) == {}
    advisory = advisories.next().json
    assert (advisory["type"], advisory["group"], advisory["reason"]) == (
        "io.nats.jetstream.advisory.v1.consumer_group_unpinned",
        "g",
        "admin",
    )
    js.put("s", b"next")
    wait_for("the message", lambda: js.fence() or [m for m in [*first.queue, *second.queue] if not m.status])
    new = next(message for message in [*first.queue, *second.queue] if not message.status)
    assert new.data == b"next" and pin(new) != old
    # The old id is worth nothing now.
    assert js.pull("S", "c", {"group": "g", "id": old, **LONG}).next().status == "423 Nats-Pin-Id mismatch"


def test_a_silent_pinned_client_is_replaced(js):
    # spec: JS-111
    pinned(js, priority_timeout=300 * MILLI)
    advisories = js.subscribe(f"{EVENTS}.UNPINNED.S.c")
    put(js, 2)
    old = pin(js.pull("S", "c", {"group": "g", "batch": 1, **LONG}).next())
    message = js.pull("S", "c", {"group": "g", "batch": 1, **LONG}).next()
    assert message.data == b"m2" and pin(message) != old
    assert advisories.next().json["reason"] == "timeout"


# --- prioritized --------------------------------------------------------------------------------


def test_prioritized(js):
    # spec: JS-112 NEW-004
    js.consumer("S", "c", priority_groups=["g"], priority_policy="prioritized")
    low = js.pull("S", "c", {"group": "g", "priority": 5, "batch": 10, **LONG})
    high = js.pull("S", "c", {"group": "g", "priority": 1, "batch": 2, **LONG})
    waiting(js, 2)
    put(js, 3)
    assert [message.data for message in high.take(2)] == [b"m1", b"m2"]
    assert low.next().data == b"m3"
    first = js.pull("S", "c", {"group": "g", "batch": 1, **LONG})
    waiting(js, 2)
    js.put("s", b"m4")
    assert first.next().data == b"m4"
