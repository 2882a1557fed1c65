"""Streams travel from one server to another and back, and are what they were."""

from __future__ import annotations

import io
import json
import signal
import tarfile
import time
from pathlib import Path

import pytest

from harness.jetstream import SECOND, Client
from harness.s2 import frame
from jetstream.conftest import jetstream_config, login
from jetstream.test_snapshots import restore, snapshot


@pytest.fixture
def servers(start, reference, binary):
    """A client of the reference, one of the server under test, and one of another reference."""
    clients = [login(start(jetstream_config(), binary=one)) for one in (reference, binary, reference)]
    yield clients
    for client in clients:
        client.close()


def contents(js: Client, stream: str, consumers=()) -> dict:
    """All that a stream holds, and where its consumers stand."""
    state = js.ok(f"STREAM.INFO.{stream}", {"deleted_details": True, "subjects_filter": ">"})["state"]
    if not state["messages"]:
        # An archive does not say when the last message came that is gone.
        del state["last_ts"]
    messages = [js.api(f"STREAM.MSG.GET.{stream}", {"seq": seq}) for seq in range(1, state["last_seq"] + 2)]
    places = {}
    for name in consumers:
        info = js.info(stream, name)
        keys = ("num_ack_pending", "num_redelivered", "num_pending", "config")
        places[name] = {key: info[key] for key in keys}
        metadata = places[name]["config"].pop("metadata", {})
        places[name]["metadata"] = {key: value for key, value in metadata.items() if not key.startswith("_nats.")}
        for key in ("delivered", "ack_floor"):
            places[name][key] = (info[key]["consumer_seq"], info[key]["stream_seq"])
    return {"state": state, "messages": messages, "consumers": places}


def travel(servers: list[Client], stream: str, consumers=()) -> list[Client]:
    """Takes a stream of the first server through all others; what it holds must be the same everywhere."""
    there = contents(servers[0], stream, consumers)
    for source, target in zip(servers, servers[1:], strict=False):
        restore(target, *snapshot(source, stream))
        assert contents(target, stream, consumers) == there
    return servers


def test_a_work_queue_with_unfinished_work(servers):
    # spec: JS-123 JS-125
    js = servers[0]
    js.stream("Q", "q.>", storage="file", retention="workqueue")
    for number in range(40):
        js.put(f"q.{number % 4}", b"%d" % number)
    js.ok("STREAM.MSG.DELETE.Q", {"seq": 2})
    js.consumer("Q", "even", filter_subjects=["q.0", "q.2"], max_deliver=4)
    js.consumer("Q", "odd", filter_subject="q.1", ack_wait=600 * SECOND, metadata={"a": "b"})
    work = js.fetch("Q", "even", 6)
    js.ack(work[1])
    js.ack(work[4])
    js.send(work[2].reply, b"-NAK")
    again = js.fetch("Q", "even", 1)
    assert again[0].deliveries == 2
    js.fetch("Q", "odd", 3)
    travel(servers, "Q", ["even", "odd"])
    # Who takes the work up goes on where it was: what was not acknowledged is still to be.
    target = servers[1]
    assert [message.seq for message in target.fetch("Q", "even", 3)] == [13, 15, 17]
    answer = target.request(again[0].reply)
    assert (answer.status, answer.data) == ("", b"")
    assert target.info("Q", "even")["num_ack_pending"] == 6


def test_a_bucket(servers):
    # spec: JS-123
    js = servers[0]
    js.stream(
        "KV_b",
        "$KV.b.>",
        storage="file",
        max_msgs_per_subject=3,
        allow_rollup_hdrs=True,
        allow_direct=True,
        allow_msg_ttl=True,
        subject_delete_marker_ttl=60 * SECOND,
        discard="new",
    )
    for number in range(30):
        js.put(f"$KV.b.k{number % 5}", b"%d" % number)
    js.put("$KV.b.k1", headers={"KV-Operation": "DEL"})
    js.put("$KV.b.k2", headers={"KV-Operation": "PURGE", "Nats-Rollup": "sub"})
    js.put("$KV.b.long", b"stays", {"Nats-TTL": "1h"})
    js.put("$KV.b.never", b"stays", {"Nats-TTL": "never"})
    travel(servers, "KV_b")
    assert servers[1].request("$JS.API.DIRECT.GET.KV_b.$KV.b.k3").data == b"28"


def test_what_is_over_when_it_arrives_is_gone(servers):
    # spec: JS-123 JS-118
    js = servers[0]
    js.stream("T", "t.>", storage="file", allow_msg_ttl=True)
    js.put("t.a", b"short", {"Nats-TTL": "1s"})
    js.put("t.b", b"long", {"Nats-TTL": "1h"})
    js.put("t.c", b"short", {"Nats-TTL": "1s"})
    taken = snapshot(js, "T")
    deadline = time.monotonic() + 30
    while js.state("T")["messages"] > 1 and time.monotonic() < deadline:
        js.fence()
    for target in servers[1:]:
        restored = restore(target, *taken)
        assert (restored["state"]["messages"], restored["state"]["last_seq"]) == (1, 3)
        assert target.put("t.d") == 4


@pytest.mark.parametrize("storage", ["file", "memory"])
def test_streams_that_hold_nothing(storage, servers):
    # spec: JS-123 JS-125
    js = servers[0]
    js.stream("E", "e", storage=storage)
    js.stream("P", "p", storage=storage, metadata={"owner": "me"})
    for _ in range(5):
        js.put("p")
    js.consumer("P", "c", deliver_policy="new")
    js.ok("STREAM.PURGE.P")
    for source, target in zip(servers, servers[1:], strict=False):
        # The reference calls the first sequence of a stream 1 that has come from elsewhere, and 0 of one that is new.
        assert restore(target, *snapshot(source, "E"))["state"]["last_seq"] == 0
    travel(servers, "P", ["c"])
    for server in servers:
        assert (server.put("p"), server.put("e")) == (6, 1)
        assert server.ok("STREAM.INFO.P")["config"]["metadata"]["owner"] == "me"


def test_consumers_of_every_kind(servers):
    # spec: JS-123
    js = servers[0]
    js.stream("C", "c.>", storage="file")
    for number in range(60):
        js.put(f"c.{number % 3}", b"x" * number)
    js.consumer("C", "all", ack_policy="all")
    js.consumer("C", "none", ack_policy="none")
    js.consumer("C", "last", deliver_policy="last")
    js.consumer("C", "from", deliver_policy="by_start_sequence", opt_start_seq=50)
    js.consumer("C", "push", deliver_subject="nobody.there", deliver_group="g")
    js.consumer("C", "grouped", priority_groups=["A"], priority_policy="overflow")
    js.consumer("C", "backoff", max_deliver=3, backoff=[3600 * SECOND, 7200 * SECOND])
    js.ok(
        "CONSUMER.CREATE.C.named",
        {"stream_name": "C", "config": {"name": "named", "ack_policy": "explicit", "inactive_threshold": 600 * SECOND}},
    )
    js.ack(js.fetch("C", "all", 10)[6])
    js.fetch("C", "none", 4)
    js.ack(js.fetch("C", "from", 3)[0])
    js.fetch("C", "backoff", 5)
    js.fetch("C", "named", 2)
    travel(servers, "C", ["all", "none", "last", "from", "push", "grouped", "backoff", "named"])


def test_messages_of_all_sizes_and_headers(servers):
    # spec: JS-123 NEW-038
    js = servers[0]
    js.stream("B", "b", storage="file")
    for size in (0, 1, 30, 1000, 70_000, 500_000, 1_000_000):
        js.put("b", bytes(i * 31 % 251 for i in range(size)), {"Size": str(size), "Same": ["a", "b"]})
    travel(servers, "B")


def test_a_stream_goes_on_while_it_is_read(alone):
    """Each key is there, whatever happens to it meanwhile; so is what was acknowledged before."""
    # spec: JS-024
    _, js = alone()
    js.stream("KV_b", "$KV.b.*", storage="file", max_msgs_per_subject=1)
    value = b"x" * 2000
    keys = [f"$KV.b.{number}" for number in range(400)]
    for key in keys:
        js.put(key, value)
    sub = js.subscribe("chunks")
    options = {"deliver_subject": "chunks", "chunk_size": 1024, "window_size": 1024}
    answer = js.ok("STREAM.SNAPSHOT.KV_b", options)
    chunks, written = [], 0
    while (message := sub.next()).data:
        chunks.append(message.data)
        if written < 3 * len(keys):
            for _ in range(5):
                # Backwards, so that what is not read yet is moved behind what is.
                js.put(keys[-1 - written % len(keys)], b"y" * 2000)
                written += 1
        if message.reply:
            js.send(message.reply)
    js.ok("STREAM.DELETE.KV_b")
    restored = restore(js, answer, chunks)
    assert restored["state"]["num_subjects"] == len(keys)


def test_a_snapshot_of_a_snapshot_is_one(servers):
    # spec: JS-024
    source, target, _ = servers
    source.stream("S", "s", storage="memory")
    for number in range(100):
        source.put("s", json.dumps({"number": number}))
    restore(target, *snapshot(source, "S"))
    target.ok("STREAM.UPDATE.S", {**target.ok("STREAM.INFO.S")["config"], "max_msgs": 10})
    answer, chunks = snapshot(target, "S", chunk_size=1024)
    target.ok("STREAM.DELETE.S")
    assert restore(target, answer, chunks)["state"]["first_seq"] == 91

def earlier_snapshot(store: Path, stream: str, leave_out: tuple[str, ...] = ()) -> bytes:
    """A snapshot as servers before 2.15 made it: the files of a stopped server's stream."""
    root = store / "jetstream" / "$G" / "streams" / stream
    blocks = sorted((root / "msgs").glob("*.blk"), key=lambda path: int(path.stem))
    files = [root / "meta.inf", root / "meta.sum", *blocks, root / "msgs" / "index.db"]
    for consumer in sorted((root / "obs").iterdir()):
        files += [consumer / name for name in ("meta.inf", "meta.sum", "o.dat")]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in files:
            if file.name in leave_out:
                continue
            content = file.read_bytes()
            info = tarfile.TarInfo(str(file.relative_to(root)))
            info.size, info.mtime, info.uname, info.gname = len(content), 1795957766.5, "nats", "nats"
            tar.addfile(info, io.BytesIO(content))
    return frame(buffer.getvalue())


@pytest.mark.parametrize("leave_out", [(), ("index.db",)], ids=["whole", "without an index"])
def test_snapshots_of_earlier_servers(leave_out, start, reference, binary, tmp_path):
    # spec: JS-123
    writer = start(jetstream_config(), binary=reference)
    with login(writer) as js:
        js.stream("S", "s.>", storage="file", metadata={"a": "b"}, allow_msg_ttl=True)
        for number in range(80):
            js.put(f"s.{number % 4}", b"%d" % number * 50, {"N": str(number)} if number % 3 else {"Nats-TTL": "1h"})
        for seq, no_erase in ((1, True), (2, False), (40, True), (79, False)):
            js.ok("STREAM.MSG.DELETE.S", {"seq": seq, "no_erase": no_erase})
        js.consumer("S", "c", ack_wait=600 * SECOND, max_deliver=5)
        work = js.fetch("S", "c", 9)
        js.ack(work[3])
        js.consumer("S", "unused", deliver_policy="new")
        there, described = contents(js, "S", ["c", "unused"]), js.ok("STREAM.INFO.S")
    writer.stop(signal.SIGTERM)
    data = earlier_snapshot(writer.directory / "store", "S", leave_out)
    chunks = [data[at : at + 5000] for at in range(0, len(data), 5000)]
    with login(start(jetstream_config())) as js:
        restored = restore(js, described, chunks)
        assert restored["created"] == described["created"]
        assert contents(js, "S", ["c", "unused"]) == there
        assert js.put("s.1") == 81


@pytest.mark.martlet_only
def test_earlier_snapshots_that_somebody_made_up(start, reference, tmp_path):
    # spec: JS-123 JS-125
    writer = start(jetstream_config(), binary=reference)
    with login(writer) as js:
        js.stream("S", "s.>", storage="file")
        for number in range(20):
            js.put("s.a", b"text %d" % number)
        js.consumer("S", "c")
        described = js.ok("STREAM.INFO.S")
    writer.stop(signal.SIGTERM)
    store = writer.directory / "store"
    block = store / "jetstream" / "$G" / "streams" / "S" / "msgs" / "1.blk"
    whole = block.read_bytes()

    def tarred(name: str, content: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(content), kind, "elsewhere"
            tar.addfile(info, io.BytesIO(content))
        return frame(buffer.getvalue())

    with login(start(jetstream_config())) as js:

        def refused(data: bytes) -> str:
            error = restore(js, described, [data])["error"]
            assert error["err_code"] == 10062
            assert js.error_code("STREAM.INFO.S") == 10059
            return error["description"]

        assert "a file of a stream" in refused(tarred("../../etc/passwd", b"x"))
        assert "a file of a stream" in refused(tarred("/meta.inf", b"x"))
        assert "a file of a stream" in refused(tarred("obs/../meta.inf", b"x"))
        assert "a regular file" in refused(tarred("meta.inf", b"", tarfile.SYMTYPE))
        assert "came to its end" in refused(tarred("errors.txt", b"no more disk"))
        assert "expected" not in refused(tarred("msgs/1.blk", whole))
        assert "meta.inf" in refused(earlier_snapshot(store, "S", ("meta.inf",)))
        assert "cut short" in refused(frame(b"\0" * 1024))
        assert "none of its blocks" in refused(earlier_snapshot(store, "S", ("1.blk",)))
        place = whole.index(b"text 7")
        block.write_bytes(whole[:place] + b"T" + whole[place + 1 :])
        assert "1.blk" in refused(earlier_snapshot(store, "S"))
        block.write_bytes(whole)
        assert restore(js, described, [earlier_snapshot(store, "S")])["state"]["messages"] == 20
