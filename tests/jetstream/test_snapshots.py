"""Snapshots and what is restored from them."""

from __future__ import annotations

import signal

import pytest

from harness.jetstream import ID, TIME, Client
from jetstream.conftest import jetstream_config, login

pytestmark = pytest.mark.later("snapshots and restores")


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
