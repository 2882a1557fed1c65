"""Snapshots and what is restored from them."""

from __future__ import annotations

import random
import signal
import time

import pytest

from harness.jetstream import ID, TIME, Client
from harness.s2 import archive, entry, frame, uvarint
from jetstream.conftest import jetstream_config, login



def snapshot(js: Client, stream: str, **options) -> tuple[dict, list[bytes]]:
    """The answer and the chunks of a snapshot, each acknowledged."""
    sub = js.subscribe(js.prefix + ".chunks")
    answer = js.ok(f"STREAM.SNAPSHOT.{stream}", {"deliver_subject": sub.subject, **options})
    chunks = []
    while (message := sub.next()).data:
        chunks.append(message.data)
        if message.reply:
            js.send(message.reply)
    assert message.status in ("", "204 EOF", "204"), message
    sub.unsubscribe()
    return answer, chunks


def restore(js: Client, answer: dict, chunks: list[bytes]) -> dict:
    name = answer["config"]["name"]
    body = {"config": answer["config"], "state": answer["state"]}
    target = js.ok(f"STREAM.RESTORE.{name}", body)["deliver_subject"]
    for chunk in chunks:
        js.request(target, chunk)
    return js.request(target).json


@pytest.fixture(params=["file", "memory"])
def js(request, account) -> Client:
    """A stream S of fifty messages but for three, and its consumer."""
    js = account()
    js.stream("S", "s.>", storage=request.param)
    for number in range(50):
        js.put(f"s.{number % 5}", b"%d" % number * 100, {"N": str(number)} if number % 2 else None)
    for seq in (3, 4, 10):
        js.ok("STREAM.MSG.DELETE.S", {"seq": seq})
    js.consumer("S", "c")
    for message in js.fetch("S", "c", 5)[:3]:
        js.ack(message)
    return js


def test_there_and_back(js):
    # spec: JS-024 JS-025 JS-123 JS-124 JS-125
    details = {"deleted_details": True, "subjects_filter": ">"}
    before = js.ok("STREAM.INFO.S", details)
    floor = {key: value for key, value in js.info("S", "c")["ack_floor"].items() if key != "last_active"}
    messages = [js.api("STREAM.MSG.GET.S", {"seq": seq}) for seq in range(1, 51)]
    answer, chunks = snapshot(js, "S")
    assert answer["state"]["messages"] == 47
    js.ok("STREAM.DELETE.S")
    restored = restore(js, answer, chunks)
    assert (restored["type"], restored["state"]["messages"]) == (
        "io.nats.jetstream.api.v1.stream_create_response",
        47,
    )
    after = js.ok("STREAM.INFO.S", details)
    assert after["state"] == before["state"]
    assert [js.api("STREAM.MSG.GET.S", {"seq": seq}) for seq in range(1, 51)] == messages
    assert js.info("S", "c")["ack_floor"] == floor
    assert js.put("s.x") == 51


def test_a_consumer_that_delivered_nothing_begins_with_what_there_is(js):
    # spec: JS-125
    js.consumer("S", "n", filter_subject="s.4")
    js.ok("STREAM.PURGE.S", {"filter": "s.0"})
    answer, chunks = snapshot(js, "S")
    js.ok("STREAM.DELETE.S")
    restore(js, answer, chunks)
    info = js.info("S", "n")
    assert [info[at]["stream_seq"] for at in ("delivered", "ack_floor")] == [1, 1]


def test_without_consumers(js):
    # spec: JS-024
    answer, chunks = snapshot(js, "S", no_consumers=True, chunk_size=1024)
    assert all(len(chunk) <= 1024 for chunk in chunks)
    js.ok("STREAM.DELETE.S")
    restore(js, answer, chunks)
    assert js.ok("CONSUMER.NAMES.S")["consumers"] == []


def test_advisories(js):
    # spec: JS-139
    events = js.subscribe("$JS.EVENT.ADVISORY.STREAM.*.S")
    answer, chunks = snapshot(js, "S")
    js.ok("STREAM.DELETE.S")
    restore(js, answer, chunks)
    kinds = []
    while not kinds or kinds[-1] != "RESTORE_COMPLETE":
        message = events.next()
        kinds.append(message.subject.split(".")[4])
        assert (message.json["id"], message.json["timestamp"], message.json["stream"]) == (ID, TIME, "S")
    assert [kind for kind in kinds if "_" in kind] == [
        *("SNAPSHOT_CREATE", "SNAPSHOT_COMPLETE", "RESTORE_CREATE", "RESTORE_COMPLETE")
    ]


def test_a_broken_archive_leaves_nothing(js):
    # spec: JS-125 JS-203
    answer, chunks = snapshot(js, "S")
    js.ok("STREAM.DELETE.S")
    body = {"config": answer["config"], "state": answer["state"]}
    target = js.ok("STREAM.RESTORE.S", body)["deliver_subject"]
    js.request(target, b"this is no archive at all")
    error = js.request(target).json["error"]
    assert error["err_code"] == 10062 and error["description"].startswith("restore failed: ")
    assert js.error_code("STREAM.INFO.S") == 10059
    restore(js, answer, chunks)


def test_what_was_restored_survives(start):
    # spec: JS-125 JS-119
    server = start(jetstream_config(), check_exit=False)
    with login(server) as js:
        js.stream("S", "s", storage="file")
        for number in range(10):
            js.put("s", b"%d" % number)
        answer, chunks = snapshot(js, "S")
        js.ok("STREAM.DELETE.S")
        restore(js, answer, chunks)
    server.stop(signal.SIGTERM)
    server.restart()
    with login(server) as js:
        assert js.state("S")["messages"] == 10


@pytest.mark.parametrize("storage", ["file", "memory"])
def test_the_reference_and_another_exchange_snapshots(storage, start, reference, binary):
    # spec: JS-123 JS-024 JS-025
    servers = [start(jetstream_config(), binary=one) for one in (reference, binary)]
    with login(servers[0]) as one, login(servers[1]) as other:
        for source, target in ((one, other), (other, one)):
            source.stream("S", "s.>", storage=storage)
            for number in range(200):
                source.put(f"s.{number % 7}", b"%d" % number, {"N": str(number)} if number % 3 == 0 else None)
            source.ok("STREAM.MSG.DELETE.S", {"seq": 100})
            source.consumer("S", "c")
            source.ack(source.fetch("S", "c")[0])
            answer, chunks = snapshot(source, "S")
            restore(target, answer, chunks)
            messages = [source.api("STREAM.MSG.GET.S", {"seq": seq}) for seq in range(1, 201)]
            assert [target.api("STREAM.MSG.GET.S", {"seq": seq}) for seq in range(1, 201)] == messages
            assert target.info("S", "c")["ack_floor"]["stream_seq"] == 1
            for js in (source, target):
                js.ok("STREAM.DELETE.S")


def test_a_receiver_that_is_not_there(js):
    # spec: JS-124
    events = js.subscribe("$JS.EVENT.ADVISORY.STREAM.SNAPSHOT_COMPLETE.S")
    chunks = js.subscribe("gone")
    options = {"deliver_subject": "gone", "chunk_size": 1024, "window_size": 1024}
    js.ok("STREAM.SNAPSHOT.S", options)
    chunks.next()
    chunks.unsubscribe()
    assert events.next().json["error"] == "no interest"


def test_who_does_not_answer_gets_no_more(account):
    # spec: JS-124 JS-125
    js = account()
    js.stream("S", "s")
    js.put("s", random.Random(1).randbytes(20_000))
    answer, archive = snapshot(js, "S")
    events = js.subscribe("$JS.EVENT.ADVISORY.STREAM.SNAPSHOT_COMPLETE.S")
    chunks = js.subscribe("silent")
    # A restore whose archive stops coming is given up in the same time.
    body = {"config": {**answer["config"], "name": "T", "subjects": ["t"]}, "state": answer["state"]}
    target = js.ok("STREAM.RESTORE.T", body)["deliver_subject"]
    js.request(target, b"".join(archive)[:500])
    js.ok("STREAM.SNAPSHOT.S", {"deliver_subject": "silent", "chunk_size": 1024, "window_size": 3000})
    sent = chunks.take(3, timeout=20)
    assert [len(chunk.data) for chunk in sent] == [1024, 1024, 0]
    assert [chunk.reply.rsplit(".", 2)[1:] for chunk in sent[:2]] == [["1024", "1"], ["1024", "2"]]
    assert sent[2].status == "408 No Flow Response"
    assert events.next().json["error"] == "no flow response"
    for _ in range(4):
        if js.request(target, b"more").status == "503":
            break
        # What comes keeps it alive.
        time.sleep(6)
    else:
        raise AssertionError("the restore is not given up")
    assert js.error_code("STREAM.INFO.T") == 10059


def test_a_name_that_is_taken_meanwhile(js):
    # spec: JS-125 JS-271
    answer, chunks = snapshot(js, "S")
    js.ok("STREAM.DELETE.S")
    body = {"config": answer["config"], "state": answer["state"]}
    target = js.ok("STREAM.RESTORE.S", body)["deliver_subject"]
    js.stream("S", "other", storage="memory")
    for chunk in chunks:
        js.request(target, chunk)
    assert js.request(target).json["error"]["err_code"] == 10130
    assert js.ok("STREAM.INFO.S")["config"]["subjects"] == ["other"]


STATE = entry(b"state.json", b'{"messages":1,"first_seq":1,"last_seq":1,"consumer_count":1}')
CONSUMER = b'{"config":{"durable_name":"%s","ack_policy":"explicit"},"state":%s}'
ODD_ARCHIVES = {
    "nothing": b"",
    "no archive": b"this is no archive at all",
    "another archive": frame(b"NATSARC2" + STATE),
    "a tar file that is none": frame(b"x" * 2000),
    "no state": archive(entry(b"consumers/c", CONSUMER % (b"c", b"{}")), entry(b"")),
    "a state that is no JSON": archive(entry(b"state.json", b"{"), entry(b"")),
    "a path": archive(STATE, entry(b"../../etc/passwd", b"x"), entry(b"")),
    "a consumer's path": archive(STATE, entry(b"consumers/../c", CONSUMER % (b"../c", b"{}")), entry(b"")),
    "another consumer's name": archive(STATE, entry(b"consumers/a", CONSUMER % (b"b", b"{}")), entry(b"")),
    "a consumer's state": archive(
        STATE, entry(b"consumers/c", CONSUMER % (b"c", b'{"delivered":{"stream_seq":18446744073709551615}}')), entry(b"")
    ),
    "a message without end": archive(STATE, uvarint(1) + b"\x00\x01\x00" + uvarint(1 << 50) + b"a"),
    "a message too large": archive(STATE, entry(b"s.a", b"x" * 1_100_000, 1), entry(b"")),
    "a subject that is none": archive(STATE, entry(b"s.a\r\nPUB x 0", b"x", 1), entry(b"")),
    "a subject without end": archive(STATE, uvarint(1 << 40) + b"\x00\x01\x00\x00"),
    "headers that are none": archive(STATE, entry(b"s.a", b"x", 1, headers=b"no headers"), entry(b"")),
    "messages out of order": archive(STATE, entry(b"s.a", b"x", 2), entry(b"s.a", b"x", 1), entry(b"")),
    "the last sequence": archive(STATE, entry(b"s.a", b"x", (1 << 64) - 1), entry(b"")),
    "a first sequence": archive(entry(b"state.json", b'{"first_seq":18446744073709551615}'), entry(b"")),
    "no end": archive(STATE, entry(b"s.a", b"x", 1)),
}


@pytest.mark.martlet_only
@pytest.mark.parametrize("kind", ODD_ARCHIVES)
def test_archives_that_somebody_made_up(kind, js):
    """Each is refused, in words, and leaves nothing."""
    # spec: JS-125 JS-203
    js.ok("STREAM.DELETE.S")
    config = {"name": "S", "subjects": ["s.>"], "storage": "file"}
    target = js.ok("STREAM.RESTORE.S", {"config": config, "state": {}})["deliver_subject"]
    data = ODD_ARCHIVES[kind]
    for start in range(0, len(data), 1 << 19):
        assert js.request(target, data[start : start + (1 << 19)]).data == b""
    error = js.request(target).json["error"]
    assert error["err_code"] == 10062 and error["description"].startswith("restore failed: "), error
    assert js.error_code("STREAM.INFO.S") == 10059
    js.stream("S", "s.>", storage="file")
    assert js.put("s.a") == 1


def test_an_account_gets_no_more_than_it_may(start):
    # spec: JS-125 JS-188
    accounts = """accounts {
      A { jetstream: enabled, users: [ { user: a, password: p } ] }
      B { jetstream: { max_file: 200K }, users: [ { user: b, password: p } ] }
    }"""
    server = start(jetstream_config(rest=accounts))
    with login(server, user="a", **{"pass": "p"}) as one, login(server, user="b", **{"pass": "p"}) as other:
        one.stream("S", "s", storage="file")
        for _ in range(300):
            one.put("s", b"x" * 1000)
        answer, chunks = snapshot(one, "S")
        assert restore(other, answer, chunks)["error"]["err_code"] == 10047
        assert other.ok("INFO")["storage"] == 0
        one.ok("STREAM.PURGE.S", {"keep": 100})
        answer, chunks = snapshot(one, "S")
        restored = restore(other, answer, chunks)
        assert restored["state"]["messages"] == 100
        assert other.ok("INFO")["storage"] == restored["state"]["bytes"]


def test_a_restore_that_the_server_does_not_survive_leaves_nothing(start):
    # spec: JS-125
    server = start(jetstream_config(), check_exit=False)
    with login(server) as js:
        js.stream("S", "s", storage="file")
        for number in range(20):
            js.put("s", bytes((number * i) % 251 for i in range(50_000)))
        answer, chunks = snapshot(js, "S", chunk_size=1 << 16)
        js.ok("STREAM.DELETE.S")
        target = js.ok("STREAM.RESTORE.S", {"config": answer["config"], "state": answer["state"]})["deliver_subject"]
        for chunk in chunks[:-1]:
            js.request(target, chunk)
        server.stop(signal.SIGKILL)
    server.restart()
    with login(server) as js:
        assert js.ok("STREAM.NAMES")["streams"] is None
        assert restore(js, answer, chunks)["state"]["messages"] == 20
    left = [path.name for path in (server.directory / "store").rglob("*unfinished*")]
    assert left == []
