"""Publishing: acknowledgements, limits, expiry, deduplication, republishing, transforms, counters."""

from __future__ import annotations

import base64
import json

import pytest

from harness.jetstream import API, SECOND, TIME, Client
from harness.server import wait_for

TTL = {"Nats-TTL": "1s"}


def seqs(js: Client, stream: str) -> list[int]:
    """The sequences a stream still has."""
    state = js.ok(f"STREAM.INFO.{stream}", {"deleted_details": True})["state"]
    gone = set(state.get("deleted") or [])
    return [seq for seq in range(state["first_seq"], state["last_seq"] + 1) if seq not in gone]


def get(js: Client, stream: str, seq: int) -> dict:
    return js.ok(f"STREAM.MSG.GET.{stream}", {"seq": seq})["message"]


@pytest.mark.parametrize("storage", ["file", "memory"])
def test_acks_are_exact(storage, js):
    # spec: JS-062 JS-063 JS-065 JS-075
    js.stream("S", "s.>", storage=storage, max_msg_size=40)
    for subject, body, headers, wanted in [
        ("s.a", b"x", None, b'{"stream":"S","seq":1}'),
        ("s.a", b"", {"Nats-Msg-Id": "1"}, b'{"stream":"S","seq":2}'),
        ("s.b", b"other", {"Nats-Msg-Id": "1"}, b'{"stream":"S","seq":2,"duplicate": true}'),
        (
            "s.b",
            b"x" * 41,
            None,
            b'{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed"},'
            b'"stream":"S","seq":0}',
        ),
    ]:
        assert js.request(subject, body, headers).data == wanted


@pytest.mark.parametrize("storage", ["file", "memory"])
def test_what_is_stored(storage, js):
    # spec: JS-023 JS-059
    js.stream("S", "s.>", storage=storage)
    js.put("s.a", b"one", {"Color": ["red", "blue"], "Empty": ""})
    js.put("s.b", bytes(range(256)))
    js.put("s.a", b"")
    state = js.state("S")
    assert (state["messages"], state["first_seq"], state["last_seq"], state["num_subjects"]) == (3, 1, 3, 2)
    assert state["first_ts"] == TIME and state["last_ts"] == TIME
    js.consumer("S", "c")
    one, two, three = js.fetch("S", "c", 3)
    assert (one.subject, one.data, two.data, three.data) == ("s.a", b"one", bytes(range(256)), b"")
    assert two.headers is None and three.headers is None
    raw = js.request(API + "STREAM.MSG.GET.S", {"seq": 1}).json["message"]
    assert base64.b64decode(raw["hdrs"]) == b"NATS/1.0\r\nColor: red\r\nColor: blue\r\nEmpty: \r\n\r\n"


def test_no_reply_and_no_ack(js):
    # spec: JS-064
    js.stream("S", "s")
    js.stream("N", "n", no_ack=True)
    js.send("s", b"x")
    js.send("n", b"x", reply="_IN.none")
    js.put("s", b"y")
    wait_for("both to be stored", lambda: (js.state("S")["messages"], js.state("N")["messages"]) == (2, 1))
    assert js.inbox.nothing()


@pytest.mark.martlet_only
@pytest.mark.parametrize("storage", ["file", "memory"])
def test_what_was_sent_before_a_question_counts_in_its_answer(storage, js):
    # The reference has written it as a rule, and now and then has not.
    # spec: JS-020 JS-023 JS-097
    js.stream("S", "s", storage=storage)
    js.consumer("S", "c")
    for number in range(1, 101):
        js.send("s", b"%d" % number)
        js.fence()
        if number % 3 == 0:
            assert js.state("S")["messages"] == number
        elif number % 3 == 1:
            assert js.ok("STREAM.MSG.GET.S", {"seq": number})["message"]["seq"] == number
        else:
            assert js.info("S", "c")["num_pending"] == number


def test_where_no_stream_is_nobody_responds(js):
    # spec: JS-062
    assert js.request("nowhere", b"x").status.startswith("503")


def test_pipelined_publishes_are_acked_in_order(js):
    # spec: JS-062
    js.stream("S", "s", storage="file")
    acks = js.subscribe("ack")
    for number in range(500):
        js.send("s", b"%d" % number, reply="ack")
    assert [message.json["seq"] for message in acks.take(500)] == list(range(1, 501))
    assert js.state("S")["messages"] == 500


# --- limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["file", "memory"])
@pytest.mark.parametrize(
    ("limit", "left"),
    [
        ({"max_msgs": 3}, [8, 9, 10]),
        ({"max_msgs_per_subject": 1}, [9, 10]),
        ({"max_msgs_per_subject": 2, "max_msgs": 3}, [8, 9, 10]),
    ],
)
def test_discard_old(limit, left, storage, js):
    # spec: JS-039
    js.stream("S", "s.>", storage=storage, **limit)
    for number in range(10):
        js.put(f"s.{number % 2}", b"x")
    assert seqs(js, "S") == left


@pytest.mark.parametrize("storage", ["file", "memory"])
def test_max_bytes(storage, js):
    # spec: JS-039 JS-075
    js.stream("S", "s", storage=storage, max_bytes=2000)
    js.stream("N", "n", storage=storage, max_bytes=2000, discard="new")
    for _ in range(10):
        js.put("s", b"x" * 400)
    assert js.state("S")["messages"] == 4
    assert js.state("S")["bytes"] <= 2000
    for _ in range(4):
        js.put("n", b"x" * 400)
    assert js.publish("n", b"x" * 400)["error"] == {
        "code": 503,
        "err_code": 10077,
        "description": "maximum bytes exceeded",
    }
    js.put("n", b"x")


def test_discard_new_per_subject(js):
    # spec: JS-047 JS-075
    js.stream("S", "s.>", discard="new", discard_new_per_subject=True, max_msgs_per_subject=2, max_msgs=5)
    for subject in ("s.a", "s.a", "s.b"):
        js.put(subject, b"x")
    assert js.publish("s.a", b"x") == {
        "error": {"code": 503, "err_code": 10077, "description": "maximum messages per subject exceeded"},
        "stream": "S",
        "seq": 0,
    }
    js.put("s.b", b"x")
    js.put("s.c", b"x")
    assert js.publish("s.d", b"x")["error"]["description"] == "maximum messages exceeded"
    js.ok("STREAM.MSG.DELETE.S", {"seq": 1})
    js.put("s.a", b"x")


def test_limits_made_smaller_by_an_update(js):
    # spec: JS-057
    js.stream("S", "s.>")
    for number in range(10):
        js.put(f"s.{number % 5}", b"x")
    js.update("S", max_msgs_per_subject=1)
    assert seqs(js, "S") == [6, 7, 8, 9, 10]
    js.update("S", max_msgs=2)
    assert seqs(js, "S") == [9, 10]


@pytest.mark.parametrize("storage", ["file", "memory"])
def test_max_age(storage, js):
    # spec: JS-039
    js.stream("S", "s", storage=storage, max_age=SECOND // 4)
    for _ in range(3):
        js.put("s", b"x")
    wait_for("the messages to age", lambda: js.state("S")["messages"] == 0)
    state = js.state("S")
    assert (state["first_seq"], state["last_seq"]) == (4, 3)
    assert js.put("s", b"x") == 4


def test_sealed(js):
    # spec: JS-057 JS-075 JS-458
    js.stream("S", "s")
    js.put("s", b"x")
    config = js.update("S", sealed=True)["config"]
    assert (config["sealed"], config["deny_delete"], config["deny_purge"], config["discard"]) == (True, True, True, "new")
    assert js.publish("s", b"y")["error"]["err_code"] == 10109
    assert js.error("STREAM.MSG.DELETE.S", {"seq": 1})[1] == 10109
    assert js.error("STREAM.PURGE.S")[1] == 10109
    js.ok("STREAM.DELETE.S")


def test_denied_deletes_and_purges(js):
    # spec: JS-039
    js.stream("S", "s", deny_delete=True, deny_purge=True)
    js.put("s", b"x")
    assert js.error("STREAM.MSG.DELETE.S", {"seq": 1}) == (500, 10057, "message delete not permitted")
    assert js.error("STREAM.PURGE.S") == (500, 10110, "stream purge not permitted")


# --- deduplication, rollups ---------------------------------------------------------------------


def test_deduplication_ends_with_its_window(js):
    # spec: JS-065
    js.stream("S", "s", duplicate_window=SECOND // 4)
    assert js.put("s", b"x", {"Nats-Msg-Id": "a"}) == 1
    assert js.publish("s", b"x", {"Nats-Msg-Id": "a"}) == {"stream": "S", "seq": 1, "duplicate": True}
    wait_for("the window to pass", lambda: "duplicate" not in js.publish("s", b"x", {"Nats-Msg-Id": "a"}), pause=0.05)
    assert js.state("S")["messages"] == 2


def test_deduplication_of_what_was_deleted(js):
    # spec: JS-065
    js.stream("S", "s", retention="workqueue")
    js.consumer("S", "c")
    js.put("s", b"x", {"Nats-Msg-Id": "a"})
    js.ack(js.fetch("S", "c")[0])
    wait_for("the message to go", lambda: js.state("S")["messages"] == 0)
    assert js.publish("s", b"x", {"Nats-Msg-Id": "a"})["duplicate"] is True
    js.ok("STREAM.PURGE.S")
    assert "seq" in js.publish("s", b"x", {"Nats-Msg-Id": "b"})


@pytest.mark.parametrize("storage", ["file", "memory"])
@pytest.mark.parametrize(("rollup", "left"), [("sub", [2, 4]), ("all", [4])])
def test_rollup(rollup, left, storage, js):
    # spec: JS-067 JS-555
    js.stream("S", "s.>", storage=storage, allow_rollup_hdrs=True)
    for subject in ("s.a", "s.b", "s.a"):
        js.put(subject, b"x")
    assert js.put("s.a", b"all", {"Nats-Rollup": rollup}) == 4
    assert seqs(js, "S") == left


# --- TTL and markers ----------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["file", "memory"])
def test_message_ttl(storage, js):
    # spec: JS-068 JS-556 JS-557 JS-558
    js.stream("S", "s.>", storage=storage, allow_msg_ttl=True)
    js.put("s.never", b"x", {"Nats-TTL": "never"})
    js.put("s.short", b"x", TTL)
    js.put("s.long", b"x", {"Nats-TTL": "1h"})
    js.put("s.none", b"x")
    wait_for("one to expire", lambda: js.state("S")["messages"] == 3)
    assert seqs(js, "S") == [1, 3, 4]
    assert js.error("STREAM.MSG.GET.S", {"seq": 2}) == (404, 10037, "no message found")


def test_only_what_never_expires_outlives_max_age(js):
    # spec: JS-068
    js.stream("S", "s.>", allow_msg_ttl=True, max_age=SECOND // 4)
    js.put("s.never", b"x", {"Nats-TTL": "never"})
    js.put("s.long", b"x", {"Nats-TTL": "1h"})
    js.put("s.none", b"x")
    wait_for("two to expire", lambda: seqs(js, "S") == [1])


@pytest.mark.parametrize("storage", ["file", "memory"])
def test_markers_of_age(storage, js):
    # spec: JS-040 JS-068 JS-118
    js.stream("S", "s.>", storage=storage, max_age=SECOND, subject_delete_marker_ttl=3600 * SECOND)
    js.put("s.a", b"x")
    js.put("s.a", b"x")
    js.put("s.b", b"x", TTL)
    js.consumer("S", "c", deliver_policy="by_start_sequence", opt_start_seq=4)
    common = {"Nats-Marker-Reason": "MaxAge", "Nats-TTL": "1h0m0s", "Nats-Rollup": "sub"}
    got = {message.subject: message.headers for message in js.fetch("S", "c", 2)}
    assert got == {"s.a": common, "s.b": common}
    assert seqs(js, "S") == [4, 5]


@pytest.mark.parametrize(
    ("ttl", "stored"), [("1s", "5"), ("7s", "7s"), ("2", "5"), ("never", "never"), (None, None)]
)
def test_no_message_lives_shorter_than_markers_do(ttl, stored, js):
    # spec: JS-068 JS-040
    js.stream("S", "s", subject_delete_marker_ttl=5 * SECOND)
    js.put("s", b"x", {"Nats-TTL": ttl} if ttl else None)
    js.consumer("S", "c", ack_policy="none")
    assert (js.fetch("S", "c")[0].headers or {}).get("Nats-TTL") == stored


def test_no_markers_of_purges_and_removals(js):
    # spec: JS-040 JS-068
    js.stream("S", "s.>", subject_delete_marker_ttl=3600 * SECOND)
    for subject in ("s.a", "s.a", "s.b"):
        js.put(subject, b"x")
    js.ok("STREAM.PURGE.S", {"filter": "s.a"})
    js.ok("STREAM.MSG.DELETE.S", {"seq": 3})
    assert js.put("s.c", b"fence") == 4


# --- republish, transforms ----------------------------------------------------------------------


def test_republish(js):
    # spec: JS-055 JS-079
    js.stream("S", "s.>", republish={"src": "s.*", "dest": "r.{{wildcard(1)}}"})
    out = js.subscribe("r.>")
    js.put("s.a", b"one", {"Own": "1"})
    js.put("s.a.b", b"not this")
    js.put("s.a", b"two")
    one, two = out.take(2)
    assert (one.subject, one.data, two.data) == ("r.a", b"one", b"two")
    stamp = one.headers.pop("Nats-Time-Stamp")
    assert stamp == TIME
    assert one.headers == {
        "Own": "1",
        "Nats-Stream": "S",
        "Nats-Subject": "s.a",
        "Nats-Sequence": "1",
        "Nats-Last-Sequence": "0",
    }
    assert (two.headers["Nats-Sequence"], two.headers["Nats-Last-Sequence"]) == ("3", "1")
    assert "Nats-Msg-Size" not in two.headers


def test_republish_of_headers(js):
    # spec: JS-079
    js.stream("S", "s.>", republish={"dest": "r.>", "headers_only": True})
    out = js.subscribe("r.>")
    js.put("s.a", b"four", {"Own": "1"})
    message = out.next()
    assert (message.subject, message.data) == ("r.s.a", b"")
    assert (message.headers["Nats-Msg-Size"], message.headers["Own"]) == ("4", "1")


def test_subject_transform(js):
    # spec: JS-039
    js.stream("S", "s.*.*", subject_transform={"src": "s.*.*", "dest": "t.{{wildcard(2)}}.{{wildcard(1)}}"})
    js.put("s.a.b", b"x")
    assert get(js, "S", 1)["subject"] == "t.b.a"
    js.consumer("S", "c", filter_subject="t.b.*")
    assert js.fetch("S", "c")[0].subject == "t.b.a"


def test_first_sequence(js):
    # spec: JS-039 JS-441
    js.stream("S", "s", first_seq=10)
    state = js.state("S")
    assert (state["first_seq"], state["last_seq"]) == (10, 9)
    assert js.put("s", b"x") == 10


# --- expectations -------------------------------------------------------------------------------


def test_expectations_after_deletes_and_purges(js):
    # spec: JS-066 JS-552
    js.stream("S", "s.>")
    last = "Nats-Expected-Last-Subject-Sequence"
    js.put("s.a", b"x")
    js.put("s.a", b"x")
    js.ok("STREAM.MSG.DELETE.S", {"seq": 2})
    assert js.publish("s.a", b"x", {last: "2"})["error"]["description"] == "wrong last sequence: 1"
    assert js.put("s.a", b"x", {last: "1"}) == 3
    js.ok("STREAM.PURGE.S", {"filter": "s.a"})
    assert js.put("s.a", b"x", {last: "0"}) == 4
    assert js.put("s.b", b"x", {"Nats-Expected-Last-Sequence": "4", "Nats-Expected-Stream": "S", last: "0"}) == 5


def test_only_one_of_many_compare_and_sets_wins(js, account):
    # spec: JS-066
    js.stream("S", "s", storage="file")
    clients = [account() for _ in range(4)]
    replies = [client.new_inbox() for client in clients]
    for client, reply in zip(clients, replies, strict=True):
        client.send("s", b"x", {"Nats-Expected-Last-Subject-Sequence": "0"}, reply)
    acks = [client.answer(reply).json for client, reply in zip(clients, replies, strict=True)]
    assert sorted(ack["error"]["err_code"] for ack in acks if "error" in ack) == [10071] * 3
    assert js.state("S")["messages"] == 1


# --- counters -----------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["file", "memory"])
def test_counters(storage, js):
    # spec: JS-069 JS-046 JS-563 JS-564 NEW-002 NEW-003
    js.stream("S", "s.>", storage=storage, allow_msg_counter=True, allow_direct=True)
    total = 0
    for step in (1, 5, -3, 10**30, -(10**31)):
        total += step
        ack = js.publish("s.a", b"", {"Nats-Incr": f"{step:+d}"})
        assert ack["val"] == str(total)
    last = js.request(API + "DIRECT.GET.S.s.a")
    assert json.loads(last.data) == {"val": str(total)}
    assert last.headers["Nats-Incr"] == f"{-(10**31)}"
    js.update("S", max_msgs_per_subject=1)
    assert js.publish("s.a", b"", {"Nats-Incr": "0"})["val"] == str(total)
    js.ok("STREAM.PURGE.S")
    assert js.publish("s.a", b"", {"Nats-Incr": "7"})["val"] == "7"


# --- API level ---------------------------------------------------------------------------------


def test_required_api_level_says_nothing_on_a_publish(js):
    # spec: JS-588
    js.stream("S", "s")
    assert js.put("s", b"x", {"Nats-Required-Api-Level": "99"}) == 1
