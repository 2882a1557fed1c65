"""What a server does that is asked for more than it has room for."""

from __future__ import annotations

import pytest

from harness.jetstream import ID, TIME
from harness.server import wait_for
from jetstream.conftest import jetstream_config, login

ACCOUNTS = """
accounts { A { jetstream: enabled, users: [ { user: a, password: p } ] }, SYS { users: [ { user: s, password: p } ] } }
system_account: SYS
"""
RUSH = 3000


def user(server, name: str):
    return login(server, user=name, **{"pass": "p"})


@pytest.fixture
def crowded(start):
    """A server with little room, a client of account A, and one of the system account."""
    clients = []

    def make(extra: str):
        server = start(jetstream_config(extra, ACCOUNTS))
        clients.extend([user(server, "a"), user(server, "s")])
        return server, *clients[-2:]

    yield make
    for client in clients:
        client.close()


@pytest.mark.parametrize(("subject", "limit"), [("STREAM.LIST", 5), ("STREAM.PURGE.S", 3)])
def test_requests_beyond_the_limit_are_dropped_and_that_is_told(subject, limit, crowded):
    # spec: JS-011 CFG-199 CFG-200 NEW-027
    _, js, system = crowded(", request_queue_limit: 3, info_queue_limit: 5")
    js.stream("S", "s")
    here, there = (client.subscribe("$JS.EVENT.ADVISORY.API.LIMIT_REACHED") for client in (js, system))
    answers = js.subscribe("r.*")
    js.link.send_raw(b"".join(b"PUB $JS.API.%s r.%d 0\r\n\r\n" % (subject.encode(), n) for n in range(RUSH)))
    js.fence()
    told = []

    def all_are_accounted_for() -> bool:
        js.fence()
        system.fence()
        told.extend(there.queue)
        there.queue.clear()
        return len(answers.queue) + sum(event.json["dropped"] for event in told) == RUSH

    wait_for("every request to be answered or dropped", all_are_accounted_for, pause=0.05)
    assert told, "a server that keeps up is no test"
    # The reference may find that others have emptied the queue.
    assert max(event.json["dropped"] for event in told) == limit
    assert told[0].json == {
        "type": "io.nats.jetstream.advisory.v1.api_limit_reached",
        "id": ID,
        "timestamp": TIME,
        "server": "js",
        "dropped": told[0].json["dropped"],
    }
    assert here.nothing(), "the system account is told, and nobody else"
    # It goes on.
    assert js.ok("STREAM.NAMES")["streams"] == ["S"]


def test_every_request_to_one_stream_is_answered_however_many_there_are(crowded):
    # spec: JS-011
    _, js, _ = crowded("")
    js.stream("S", "s", storage="file")
    for _ in range(10):
        js.put("s")
    answers = js.subscribe("r.*")
    rush = b'PUB $JS.API.STREAM.MSG.DELETE.S r.d 9\r\n{"seq":%d}\r\nPUB $JS.API.STREAM.INFO.S r.i 0\r\n\r\n'
    js.link.send_raw(b"".join(rush % (n % 10) for n in range(RUSH)))
    got = answers.take(2 * RUSH)
    assert sum(message.subject == "r.i" for message in got) == RUSH
    deleted = [message.json for message in got if message.subject == "r.d"]
    assert sum("error" not in answer for answer in deleted) == 9, "each message but 0, which is none"
    assert js.state("S")["messages"] == 1


def test_messages_beyond_the_limit_are_refused_and_reads_are_not(crowded):
    # spec: JS-078 JS-086 CFG-198
    _, js, _ = crowded(", max_buffered_msgs: 3")
    js.stream("S", "s", allow_direct=True)
    js.put("s", b"first")
    acks, got = js.subscribe("acks"), js.subscribe("got")
    js.link.send_raw(b"PUB s acks 5\r\nhello\r\n" * RUSH + b'PUB $JS.API.DIRECT.GET.S got 9\r\n{"seq":1}\r\n' * 100)
    answers = acks.take(RUSH)
    refused = [answer for answer in answers if answer.status]
    assert refused, "a server that keeps up is no test"
    for answer in refused:
        assert answer.status == "429 Too Many Requests"
        error = {"code": 429, "err_code": 10167, "description": "too many requests"}
        assert answer.json == {"error": error, "stream": "S", "seq": 0}
    kept = [answer.json["seq"] for answer in answers if not answer.status]
    assert kept == list(range(2, len(kept) + 2))
    assert js.state("S")["messages"] == 1 + len(kept)
    assert {message.data for message in got.take(100)} == {b"first"}


def test_batches_of_all_streams_have_a_bound(crowded):
    # spec: CFG-418 NEW-013 JS-351
    _, js, _ = crowded(", limits { batch { max_inflight_total: 2 } }")
    for name in ("A", "B"):
        js.stream(name, name.lower(), allow_atomic=True)

    def begin(subject: str, batch: str) -> dict:
        return js.request(subject, b"x", {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": "1"})

    def end(subject: str, batch: str) -> dict:
        headers = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": "2", "Nats-Batch-Commit": "1"}
        return js.request(subject, b"x", headers).json

    assert [begin("a", "one").data, begin("b", "two").data] == [b"", b""]
    error = begin("b", "three").json["error"]
    assert (error["code"], error["err_code"]) == (429, 10210)
    assert end("a", "one")["batch"] == "one"
    assert begin("b", "three").data == b""
    js.ok("STREAM.DELETE.B")
    assert [begin("a", "four").data, begin("a", "five").data] == [b"", b""]


def test_waiting_for_the_disk_is_told(start):
    # spec: JS-128 CFG-204 NEW-019
    server = start(jetstream_config(", max_concurrent_io: 4"), monitor=True)
    with login(server) as js:
        js.stream("S", "s", storage="file")
        js.put("s")
    told = server.get_json("/varz")["disk_io_wait_stats"]
    assert set(told) == {"waiters", "waits", "wait_time", "max_wait_time"}
    assert told["waiters"] == 0 and told["max_wait_time"] <= told["wait_time"]
