"""Direct get: every form, every status."""

from __future__ import annotations

import json

import pytest

from harness.jetstream import API, TIME, Client, Message
from harness.server import wait_for

EOB = "204 EOB"


@pytest.fixture(params=["file", "memory"])
def js(request, account) -> Client:
    """A stream S of five messages: a a b c a, with bodies 1 to 5."""
    js = account()
    js.stream("S", "s.>", storage=request.param, allow_direct=True)
    for number, subject in enumerate("aabca", 1):
        js.put(f"s.{subject}", b"%d" % number, {"Own": "x"} if number == 3 else None)
    return js


def direct(js: Client, body=b"", subject: str = "", headers: dict | None = None) -> Message:
    return js.request(API + "DIRECT.GET.S" + (f".{subject}" if subject else ""), body, headers)


def batch(js: Client, body: dict, stream: str = "S") -> list[Message]:
    """All messages of a batch, with its end."""
    sub = js.subscribe(js.prefix + ".batch")
    js.send(f"{API}DIRECT.GET.{stream}", body, reply=sub.subject)
    messages = [sub.next()]
    while not messages[-1].status:
        messages.append(sub.next())
    sub.unsubscribe()
    return messages


def bodies(messages: list[Message]) -> str:
    return "".join(message.text for message in messages)


def test_headers_of_an_answer(js):
    # spec: JS-084 JS-629
    message = direct(js, {"seq": 3})
    assert (message.status, message.data) == ("", b"3")
    assert list(message.headers) == ["Own", "Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"]
    assert message.headers == {
        "Own": "x",
        "Nats-Stream": "S",
        "Nats-Subject": "s.b",
        "Nats-Sequence": "3",
        "Nats-Time-Stamp": TIME,
    }
    stored = js.ok("STREAM.MSG.GET.S", {"seq": 3})["message"]
    assert message.headers["Nats-Time-Stamp"] == stored["time"]


ONE = [
    ({"seq": 1}, "1"),
    ({"last_by_subj": "s.a"}, "5"),
    ({"last_by_subj": "s.*"}, "5"),
    ({"last_by_subj": "s.b"}, "3"),
    ({"next_by_subj": "s.a"}, "1"),
    ({"next_by_subj": "s.a", "seq": 2}, "2"),
    ({"next_by_subj": "s.a", "seq": 3}, "5"),
    ({"next_by_subj": "s.*", "seq": 4}, "4"),
    ({"next_by_subj": ">", "seq": 1}, "1"),
    ({"start_time": "2020-01-01T00:00:00Z"}, "1"),
]


@pytest.mark.parametrize(("body", "wanted"), ONE, ids=[json.dumps(body) for body, _ in ONE])
def test_one_message(body, wanted, js):
    # spec: JS-083 JS-629
    assert direct(js, body).text == wanted


def test_last_of_a_subject_by_the_subject_of_the_request(js):
    # spec: JS-034 JS-630
    assert direct(js, subject="s.a").text == "5"
    assert direct(js, subject="s.b").headers["Own"] == "x"
    assert direct(js, subject="s.zz").status == "404 Message Not Found"
    assert direct(js, b"{}", subject="s.a").text == "5"
    assert direct(js, {"no_hdr": True}, subject="s.a").headers is None
    for body in ({"last_by_subj": "s.a"}, {"seq": 1}, {"batch": 2}):
        assert direct(js, body, subject="s.a").status == "408 Bad Request"
    assert direct(js, b"x", subject="s.a").status == "408 Malformed Request"


STATUSES = [
    (b"", "408 Empty Request"),
    (b"{}", "408 Empty Request"),
    (b"x", "408 Malformed Request"),
    (b'{"seq":', "408 Malformed Request"),
    ({"seq": 99}, "404 Message Not Found"),
    ({"last_by_subj": "s.zz"}, "404 Message Not Found"),
    ({"next_by_subj": "s.b", "seq": 4}, "404 Message Not Found"),
    ({"seq": 1, "last_by_subj": "s.a"}, "408 Bad Request"),
    ({"last_by_subj": "s.a", "next_by_subj": "s.a"}, "408 Bad Request"),
    ({"multi_last": ["s.a"], "seq": 1, "last_by_subj": "s.a"}, "408 Bad Request"),
    ({"multi_last": ["s.zz"]}, "404 No Results"),
    ({"seq": 1, "start_time": "2020-01-01T00:00:00Z"}, "408 Bad Request"),
    ({"up_to_seq": 4}, "408 Empty Request"),
    ({"batch": 2}, "408 Empty Request"),
    ({"start_time": "2126-01-01T00:00:00Z"}, "404 Message Not Found"),
]


@pytest.mark.parametrize(("body", "status"), STATUSES, ids=[f"{body}" for body, _ in STATUSES])
def test_statuses(body, status, js):
    # spec: JS-083 JS-085 JS-622 JS-623 JS-624 JS-625 JS-628
    answer = direct(js, body)
    assert (answer.status, answer.headers, answer.data) == (status, {}, b"")


def test_without_headers(js):
    # spec: JS-083 JS-631 NEW-015
    answer = direct(js, {"seq": 3, "no_hdr": True})
    assert (answer.headers, answer.data) == (None, b"3")


def test_required_level(js):
    # spec: JS-007
    assert direct(js, {"seq": 1}, headers={"Nats-Required-Api-Level": "99"}).status == "412 Required Api Level"
    assert direct(js, {"seq": 1}, headers={"Nats-Required-Api-Level": "x"}).status == "412 Required Api Level"
    assert direct(js, {"seq": 1}, headers={"Nats-Required-Api-Level": "0"}).text == "1"


def test_where_it_is_not_allowed(js):
    # spec: JS-082 JS-632
    assert js.request(API + "DIRECT.GET.NOPE", {"seq": 1}).status == "503"
    js.update("S", allow_direct=False)
    assert direct(js, {"seq": 1}).status == "503"
    assert direct(js, subject="s.a").status == "503"
    js.update("S", allow_direct=True)
    assert direct(js, {"seq": 1}).text == "1"


# --- batches ------------------------------------------------------------------------------------


def test_headers_of_a_batch(js):
    # spec: JS-084 JS-626
    one, two, end = batch(js, {"seq": 1, "batch": 2})
    assert one.headers == {
        "Nats-Stream": "S",
        "Nats-Subject": "s.a",
        "Nats-Sequence": "1",
        "Nats-Time-Stamp": TIME,
        "Nats-Num-Pending": "4",
        "Nats-Last-Sequence": "0",
    }
    assert (two.headers["Nats-Num-Pending"], two.headers["Nats-Last-Sequence"]) == ("3", "1")
    assert (end.status, end.headers, end.data) == (EOB, {"Nats-Num-Pending": "3", "Nats-Last-Sequence": "2"}, b"")


BATCHES = [
    ({"seq": 1, "batch": 100}, "12345"),
    ({"seq": 4, "batch": 100}, "45"),
    ({"next_by_subj": "s.a", "batch": 2}, "12"),
    ({"next_by_subj": "s.a", "seq": 2, "batch": 5}, "25"),
    ({"next_by_subj": "s.*", "batch": 3}, "123"),
    ({"start_time": "2020-01-01T00:00:00Z", "batch": 2}, "12"),
    ({"seq": 1, "batch": 5, "max_bytes": 1}, "1"),
]


@pytest.mark.parametrize(("body", "wanted"), BATCHES, ids=[json.dumps(body) for body, _ in BATCHES])
def test_batch(body, wanted, js):
    # spec: JS-083 JS-084
    *messages, end = batch(js, body)
    assert (bodies(messages), end.status) == (wanted, EOB)


def test_batch_by_time(js):
    # spec: JS-083
    third = js.ok("STREAM.MSG.GET.S", {"seq": 3})["message"]["time"]
    assert bodies(batch(js, {"start_time": third, "batch": 9})) == "345"


def test_batch_over_deleted_messages(js):
    # spec: JS-083
    js.ok("STREAM.MSG.DELETE.S", {"seq": 2})
    assert bodies(batch(js, {"seq": 1, "batch": 9})) == "1345"
    assert direct(js, {"seq": 2}).status == "404 Message Not Found"


MULTI = [
    ({"multi_last": ["s.a", "s.b"]}, "35"),
    ({"multi_last": ["s.>"]}, "345"),
    ({"multi_last": ["s.*", "s.a"]}, "345"),
    ({"multi_last": ["s.>"], "up_to_seq": 3}, "23"),
    ({"multi_last": ["s.>"], "batch": 2}, "34"),
    ({"multi_last": ["s.>"], "seq": 4}, "45"),
    ({"multi_last": ["s.>"], "seq": 100}, ""),
    ({"multi_last": ["s.>"], "max_bytes": 1}, "3"),
]


@pytest.mark.parametrize(("body", "wanted"), MULTI, ids=[json.dumps(body) for body, _ in MULTI])
def test_last_of_many(body, wanted, js):
    # spec: JS-083 JS-085 JS-627 NEW-042
    *messages, end = batch(js, body)
    assert (bodies(messages), end.status) == (wanted, EOB)


def test_headers_of_last_of_many(js):
    # spec: JS-084 JS-627
    first, *_, end = batch(js, {"multi_last": ["s.>"]})
    assert (first.headers["Nats-Num-Pending"], first.headers["Nats-Last-Sequence"]) == ("2", "0")
    assert end.headers == {"Nats-Num-Pending": "0", "Nats-Last-Sequence": "5", "Nats-UpTo-Sequence": "5"}
    *_, end = batch(js, {"multi_last": ["s.>"], "batch": 1})
    assert end.headers == {"Nats-Num-Pending": "2", "Nats-Last-Sequence": "3", "Nats-UpTo-Sequence": "5"}
    *messages, end = batch(js, {"multi_last": ["s.>"], "batch": 2, "seq": 4, "up_to_seq": 5})
    assert (bodies(messages), end.headers["Nats-Num-Pending"]) == ("45", "0")


def test_last_of_many_up_to_a_time(js):
    # spec: JS-083
    fourth = js.ok("STREAM.MSG.GET.S", {"seq": 4})["message"]["time"]
    assert bodies(batch(js, {"multi_last": ["s.>"], "up_to_time": fourth})) == "23"
    assert direct(js, {"multi_last": ["s.>"], "up_to_time": fourth, "up_to_seq": 2}).status == "408 Bad Request"
    assert direct(js, {"multi_last": ["s.>"], "up_to_time": "2020-01-01T00:00:00Z"}).status == "404 No Results"


@pytest.mark.parametrize("storage", ["memory", pytest.param("file", marks=pytest.mark.martlet_only)])
def test_last_of_many_up_to_what_is_to_come(storage, account):
    # spec: JS-085
    js = account()
    js.stream("F", "f.*", storage=storage, allow_direct=True)
    for subject in "aba":
        js.put(f"f.{subject}")
    first, second, end = batch(js, {"multi_last": ["f.*"], "up_to_seq": 100}, "F")
    assert [message.headers["Nats-Sequence"] for message in (first, second)] == ["2", "3"]
    assert end.headers["Nats-UpTo-Sequence"] == "100"


def test_too_many_results(js):
    # spec: JS-085
    acks = js.subscribe("acks")
    for number in range(1025):
        js.send(f"s.many.{number}", b"x", reply="acks")
    acks.take(1025)
    answer = direct(js, {"multi_last": ["s.many.*"]})
    assert answer.status == "413 Too Many Results"
    assert len(batch(js, {"multi_last": ["s.many.*"], "batch": 10, "up_to_seq": 1000})) == 11


def test_a_mirror_answers_for_its_origin(js):
    # spec: JS-082 JS-052
    js.stream("M", mirror={"name": "S"}, mirror_direct=True)
    wait_for("the mirror", lambda: js.state("M")["messages"] == 5)
    assert {direct(js, {"seq": 1}).headers["Nats-Stream"] for _ in range(50)} <= {"S", "M"}
    assert js.request(API + "DIRECT.GET.M", {"seq": 1}).status == "503"
