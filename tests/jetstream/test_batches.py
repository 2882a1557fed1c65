"""Atomic batches and fast batches."""

from __future__ import annotations

import json

import pytest

from harness.jetstream import ID, TIME, Client


def error(code: int, err_code: int, text: str) -> dict:
    return {"error": {"code": code, "err_code": err_code, "description": text}, "stream": "S", "seq": 0}


INCOMPLETE = error(400, 10176, "atomic publish batch is incomplete")


@pytest.fixture(params=["file", "memory"])
def batches(request, js) -> Client:
    js.stream("S", "s.>", storage=request.param, allow_atomic=True, allow_batched=True)
    return js


def put(js: Client, batch: str, seq: int, commit: str = "", subject: str = "s.a", data=b"x", **extra) -> dict | bytes:
    """One message of an atomic batch: an empty answer, or the decoded one."""
    headers = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(seq)}
    if commit:
        headers["Nats-Batch-Commit"] = commit
    headers |= {"Nats-" + name.replace("_", "-"): value for name, value in extra.items()}
    answer = js.request(subject, data, headers)
    return json.loads(answer.data) if answer.data else answer.data


# --- atomic -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("commit", "count"), [("1", 3), ("eob", 2)])
def test_all_of_a_batch_appears_at_once(commit, count, batches):
    # spec: JS-073 JS-585 NEW-003 NEW-025
    js = batches
    js.put("s.before")
    assert put(js, "b", 1, data=b"one") == b""
    assert put(js, "b", 2, subject="s.b", data=b"two") == b""
    assert js.state("S")["messages"] == 1
    js.put("s.between")
    assert put(js, "b", 3, commit, data=b"three") == {"stream": "S", "seq": 2 + count, "batch": "b", "count": count}
    assert js.state("S")["messages"] == 2 + count
    js.consumer("S", "c")
    got = js.fetch("S", "c", 2 + count)
    assert [message.data for message in got[2:]] == [b"one", b"two", b"three"][:count]
    assert got[2].headers["Nats-Batch-Id"] == "b"


def test_batches_are_kept_apart(batches):
    # spec: JS-073
    js = batches
    for seq in (1, 2):
        for batch in ("a", "b"):
            assert put(js, batch, seq, data=batch.encode()) == b""
    assert put(js, "b", 3, "1", data=b"b")["seq"] == 3
    assert put(js, "a", 3, "1", data=b"a")["seq"] == 6
    assert put(js, "a", 1, "1", data=b"again")["count"] == 1


FAILURES = {
    "a gap": ([dict(seq=1), dict(seq=3)], INCOMPLETE, "incomplete"),
    "a repetition": ([dict(seq=1), dict(seq=1, commit="1")], INCOMPLETE, "incomplete"),
    "a duplicate id within": (
        [dict(seq=1, Msg_Id="q"), dict(seq=2, commit="1", Msg_Id="q")],
        error(400, 10201, "atomic publish batch contains duplicate message id"),
        None,
    ),
    "a wrong last sequence": (
        [dict(seq=1, Expected_Last_Sequence="7"), dict(seq=2, commit="1")],
        error(400, 10071, "wrong last sequence: 1"),
        None,
    ),
    "a last sequence on the second": (
        [dict(seq=1), dict(seq=2, commit="1", Expected_Last_Sequence="1")],
        error(400, 10071, "wrong last sequence: 2"),
        None,
    ),
    "a wrong last subject sequence": (
        [dict(seq=1, Expected_Last_Subject_Sequence="7"), dict(seq=2, commit="1")],
        error(400, 10071, "wrong last sequence: 1"),
        None,
    ),
    "expectations on a subject of the batch": (
        [dict(seq=1), dict(seq=2, commit="1", Expected_Last_Subject_Sequence="1")],
        error(400, 10164, "wrong last sequence"),
        None,
    ),
    "a last message id": (
        [dict(seq=1), dict(seq=2, Expected_Last_Msg_Id="x"), dict(seq=3, commit="1")],
        error(400, 10177, "atomic publish unsupported header used: Nats-Expected-Last-Msg-Id"),
        None,
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_nothing_of_a_failed_batch_appears(case, batches):
    # spec: JS-073 JS-318 JS-317 JS-342
    js = batches
    steps, wanted, reason = FAILURES[case]
    advisories = js.subscribe("$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.S")
    js.put("s.a")
    answers = [put(js, "b", **step) for step in steps]
    assert answers[-1] == wanted
    assert all(answer == b"" for answer in answers[:-1])
    assert js.state("S")["messages"] == 1
    if reason:
        assert advisories.next().json == {
            "type": "io.nats.jetstream.advisory.v1.stream_batch_abandoned",
            "id": ID,
            "timestamp": TIME,
            "stream": "S",
            "batch": "b",
            "reason": reason,
        }
    # The id is free again.
    assert put(js, "b", 1, "1")["seq"] == 2


def test_a_batch_of_a_duplicate_of_what_is_stored(batches):
    # spec: JS-073 JS-065
    js = batches
    js.put("s.a", b"x", {"Nats-Msg-Id": "q"})
    assert put(js, "b", 1) == b""
    assert put(js, "b", 2, "1", Msg_Id="q") == error(400, 10201, "atomic publish batch contains duplicate message id")
    assert js.state("S")["messages"] == 1


def test_expectations_of_a_batch_that_hold(batches):
    # spec: JS-073 JS-066
    js = batches
    js.put("s.a")
    assert put(js, "b", 1, Expected_Last_Sequence="1", Expected_Last_Subject_Sequence="1") == b""
    assert put(js, "b", 2, "1", subject="s.b", Expected_Last_Subject_Sequence="0")["seq"] == 3


def test_limits_of_batches(js):
    # spec: JS-073 JS-340 JS-351
    js.stream("S", "s.>", allow_atomic=True)
    advisories = js.subscribe("$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.S")
    for seq in range(1, 1001):
        js.send("s.a", b"x", {"Nats-Batch-Id": "large", "Nats-Batch-Sequence": str(seq)})
    assert put(js, "large", 1001) == error(400, 10199, "atomic publish batch is too large: 1000")
    assert advisories.next().json["reason"] == "large"
    for number in range(50):
        assert put(js, f"b{number}", 1) == b""
    assert put(js, "more", 1) == error(429, 10210, "atomic publish too many inflight")
    assert put(js, "b7", 2, "1")["count"] == 2
    assert put(js, "more", 1) == b""


# --- fast ---------------------------------------------------------------------------------------

ACK, GAP = '{"type":"ack",', '{"type":"gap",'


def refusal(err_code: int, text: str, code: int = 400) -> str:
    return f'{{"error":{{"code":{code},"err_code":{err_code},"description":"{text}"}},"stream":"S","seq":0}}'


UNKNOWN = refusal(10208, "batch publish ID unknown")
PATTERN = refusal(10206, "batch publish pattern is invalid")
BAD_ID = refusal(10207, "batch publish ID is invalid")
WRONG = '"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 1"}}'


def done(seq: int, count: int) -> str:
    return f'{{"stream":"S","seq":{seq},"batch":"b","count":{count}}}'


# Steps are (batch.flow.gap.seq.op, what is said then).
FAST = {
    "start, append, commit": [
        ("b.2.fail.1.0", [ACK + '"seq":0,"msgs":2}']),
        ("b.2.fail.2.1", [ACK + '"seq":2,"msgs":2}']),
        ("b.2.fail.3.1", []),
        ("b.2.fail.4.2", [done(4, 4)]),
        ("b.2.fail.5.1", [UNKNOWN]),
    ],
    "one message": [("b.2.fail.1.2", [done(1, 1)])],
    "end of batch": [
        ("b.2.ok.1.0", [ACK + '"seq":0,"msgs":2}']),
        ("b.2.ok.2.3", [done(1, 1)]),
    ],
    "end of an empty batch": [("b.2.ok.1.3", [PATTERN])],
    "a gap that fails": [
        ("b.2.fail.1.0", [ACK + '"seq":0,"msgs":2}']),
        ("b.2.fail.3.1", [GAP + '"last_seq":2,"seq":3}', done(1, 1)]),
        ("b.2.fail.4.1", [UNKNOWN]),
    ],
    "a gap that is allowed": [
        ("b.2.ok.1.0", [ACK + '"seq":0,"msgs":2}']),
        ("b.2.ok.3.1", [GAP + '"last_seq":2,"seq":3}', ACK + '"seq":2,"msgs":2}']),
        ("b.2.ok.4.1", [ACK + '"seq":4,"msgs":2}']),
        ("b.2.ok.5.3", [done(3, 4)]),
    ],
    "a ping": [
        ("b.9.ok.1.0", [ACK + '"seq":0,"msgs":9}']),
        ("b.9.ok.2.1", []),
        ("b.9.ok.2.4", [ACK + '"seq":0,"msgs":9}']),
    ],
    "flow 1": [("b.1.ok.1.0", [ACK + '"seq":0,"msgs":1}', ACK + '"seq":1,"msgs":1}'])],
    "flow 0 is 10": [("b.0.ok.1.0", [ACK + '"seq":0,"msgs":10}'])],
    "flow beyond 500": [("b.70000.ok.1.0", [ACK + '"seq":0,"msgs":500}'])],
    "unknown": [("b.2.ok.2.1", [UNKNOWN]), ("b.2.ok.2.4", [UNKNOWN]), ("b.2.ok.1.4", [UNKNOWN])],
    "bad patterns": [
        ("b.2.zap.1.0", [PATTERN]),
        ("b.2.ok.1.9", [PATTERN]),
        ("b.2.ok.2.0", [PATTERN]),
        ("b.2.ok.x.0", [PATTERN]),
    ],
    "a long id": [("b" * 65 + ".2.ok.1.0", [BAD_ID])],
}


@pytest.mark.parametrize("case", FAST)
def test_fast_batches(case, batches):
    # spec: JS-074 JS-347 JS-348 JS-349 NEW-023
    js = batches
    for reply, wanted in FAST[case]:
        told(js, reply, wanted)


def told(js: Client, reply: str, wanted: list[str], headers: dict | None = None) -> None:
    """Sends a message of a fast batch, and compares what is said about it before something later is said."""
    sub = js.subscribe(f"fi.{reply}.$FI")
    js.send("s.a", b"x", headers, f"fi.{reply}.$FI")
    got = [message.text for message in sub.take(len(wanted))]
    js.api("STREAM.INFO.S")
    assert got + [message.text for message in sub.queue] == wanted, reply
    sub.unsubscribe()


@pytest.mark.parametrize("gap", ["ok", "fail"])
def test_errors_within_a_fast_batch(gap, batches):
    # spec: JS-074
    js = batches
    wrong = {"Nats-Expected-Last-Sequence": "9"}
    told(js, f"b.3.{gap}.1.0", [ACK + '"seq":0,"msgs":3}'])
    failed = '{"type":"err","seq":2,' + WRONG
    if gap == "fail":
        told(js, "b.3.fail.2.1", [failed, done(1, 1)], wrong)
        told(js, "b.3.fail.3.1", [UNKNOWN])
    else:
        told(js, "b.3.ok.2.1", [failed], wrong)
        told(js, "b.3.ok.3.2", [done(2, 3)])


@pytest.mark.parametrize("gap", ["ok", "fail"])
def test_a_fast_batch_goes_on_without_what_does_not_follow(gap, batches):
    # spec: JS-066 JS-074
    js = batches
    wrong, refused = {"Nats-Expected-Last-Msg-Id": "x"}, refusal(10070, "wrong last msg ID: ")
    told(js, f"b.1.{gap}.1.0", [ACK + '"seq":0,"msgs":1}', ACK + '"seq":1,"msgs":1}'])
    told(js, f"b.1.{gap}.2.1", [refused], wrong)
    told(js, f"b.1.{gap}.3.1", [ACK + '"seq":3,"msgs":1}'])
    told(js, f"b.1.{gap}.4.2", [refused], wrong)
    assert js.state("S")["messages"] == 2


@pytest.mark.martlet_only
def test_a_fast_batch_whose_end_does_not_follow_is_over(batches):
    # spec: JS-074
    js = batches
    told(js, "b.1.fail.1.0", [ACK + '"seq":0,"msgs":1}', ACK + '"seq":1,"msgs":1}'])
    told(js, "b.1.fail.2.2", [refusal(10070, "wrong last msg ID: ")], {"Nats-Expected-Last-Msg-Id": "x"})
    told(js, "b.1.fail.3.1", [UNKNOWN])
    assert js.state("S")["messages"] == 1


def test_a_refused_fast_batch_is_told_where_nothing_is_acknowledged(js):
    # spec: JS-064 JS-074
    js.stream("S", "s.>", allow_batched=True, no_ack=True)
    wrong = {"Nats-Expected-Last-Sequence": "9"}
    told(js, "b.1.fail.1.0", [refusal(10071, "wrong last sequence: 0")], wrong)


def test_fast_batches_where_they_are_not_allowed(js):
    # spec: JS-074 JS-346
    js.stream("S", "s.>")
    told(js, "b.2.ok.1.0", [refusal(10205, "batch publish is disabled")])


def test_many_messages_at_once(batches):
    # spec: JS-074
    js = batches
    sub = js.subscribe("fi.>")
    count = 2000
    for seq in range(1, count + 1):
        op = 0 if seq == 1 else 2 if seq == count else 1
        js.send("s.a", b"%d" % seq, None, f"fi.b.100.fail.{seq}.{op}.$FI")
    last = sub.until(lambda message: "stream" in message.json)
    assert last.json == {"stream": "S", "seq": count, "batch": "b", "count": count}
    assert js.state("S")["messages"] == count


def test_limits_of_fast_batches(js):
    # spec: JS-074 JS-352
    js.stream("S", "s.>", allow_batched=True)
    sub = js.subscribe("fi.>")
    for number in range(1000):
        js.send("s.a", b"x", None, f"fi.b{number}.9.ok.1.0.$FI")
    assert all(message.json["type"] == "ack" for message in sub.take(1000))
    sub.unsubscribe()
    told(js, "more.9.ok.1.0", [refusal(10211, "batch publish too many inflight", 429)])


@pytest.mark.heavy
def test_a_batch_that_nobody_ends(js):
    # spec: JS-073
    js.stream("S", "s.>", allow_atomic=True)
    advisories = js.subscribe("$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.S")
    assert put(js, "b", 1) == b""
    assert advisories.next(20).json["reason"] == "timeout"
    assert put(js, "b", 2, "1") == INCOMPLETE
