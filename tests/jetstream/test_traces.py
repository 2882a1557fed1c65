"""Traces of messages that streams keep."""

from __future__ import annotations

import pytest

from harness.jetstream import Client
from harness.wire import WireError

TRACED = {"Nats-Trace-Dest": "traces"}
ONLY = {**TRACED, "Nats-Trace-Only": "true"}


@pytest.fixture
def traces(js: Client):
    """`traces()`: what the next report says of streams; first, that the message came in."""
    sub = js.subscribe("traces")

    def next_report() -> list[dict]:
        events = sub.next().json["events"]
        assert events[0]["type"] == "in"
        for event in events:
            event.pop("ts")
        return events[1:]

    return next_report


def test_what_a_stream_makes_of_a_message(js, traces):
    # spec: CORE-125 CORE-127
    js.stream("T", "t.>", subject_transform={"src": "t.>", "dest": "u.>"})
    assert js.publish("t.1", b"x", TRACED) == {"stream": "T", "seq": 1}
    assert traces() == [{"type": "js", "stream": "T", "subject": "u.1"}]
    # Nobody waits for this one.
    js.send("t.2", b"x", TRACED)
    assert traces() == [{"type": "js", "stream": "T", "subject": "u.2"}]
    js.stream("I", "i", retention="interest")
    js.put("i", b"x", TRACED)
    assert traces() == [{"type": "js", "stream": "I", "subject": "i", "nointerest": True}]


def test_why_a_stream_does_not_take_it(js, traces):
    # spec: CORE-127
    js.stream("L", "l", max_msgs=1, discard="new")
    js.put("l")
    assert "error" in js.publish("l", b"x", TRACED)
    (event,) = traces()
    assert event.pop("error").endswith("maximum messages exceeded")
    js.stream("D", "d")
    for duplicate in (False, True):
        assert js.publish("d", b"x", {**TRACED, "Nats-Msg-Id": "1"}).get("duplicate", False) is duplicate
        (event,) = traces()
        assert event["stream"] == "D"
    assert event["error"] == "msgid is duplicate"


def test_a_message_that_is_only_traced_is_not_kept(js, traces):
    # spec: CORE-125
    js.stream("S", "s")
    with pytest.raises(WireError):
        js.request("s", b"x", ONLY, timeout=0.5)
    assert traces() == [{"type": "js", "stream": "S", "subject": "s"}]
    assert js.state("S")["last_seq"] == 0
    # What is wrong with it is told all the same.
    answer = js.publish("s", b"x", {**ONLY, "Nats-Expected-Last-Sequence": "7"})
    assert answer["error"]["err_code"] == 10071
    (event,) = traces()
    assert (event["stream"], "7" in event["error"] or "sequence" in event["error"]) == ("S", True)
    assert js.state("S")["last_seq"] == 0
    assert js.put("s") == 1


def test_a_message_that_is_kept_is_traced_once(js, traces):
    # spec: CORE-130
    js.stream("S", "s")
    js.put("s", b"x", TRACED)
    traces()
    js.consumer("S", "c", deliver_subject="to")
    assert js.subscribe("to").next().headers == {"Nats-Trace-Dest": "trace disabled"}


def test_a_request_to_the_api(js, traces):
    # spec: CORE-127
    js.stream("S", "s")
    assert js.request("$JS.API.STREAM.INFO.S", b"", TRACED).json["config"]["name"] == "S"
    subject = "$JS.API.STREAM.INFO.S"
    (event,) = traces()
    assert (event["type"], event["from"], event["to"]) == ("si", subject, subject)
    # One that is to be traced only is not served.
    answer = js.request("$JS.API.STREAM.DELETE.S", b"", ONLY)
    assert (answer.status.split(" ")[0], answer.data) == ("503", b"")
    assert js.ok("STREAM.NAMES")["streams"] == ["S"]
