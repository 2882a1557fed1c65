"""Streams of a stopped reference server, taken over: message by message, consumer by consumer."""

from __future__ import annotations

import hashlib
import fcntl
import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from harness.jetstream import SECOND, Client
from harness.server import Server
from jetstream.conftest import login
from jetstream.test_exchange import contents

pytestmark = pytest.mark.martlet_only

CONFIG = """server_name: js
jetstream { store_dir: "@STORE@" @EXTRA@ }
accounts {
  A { jetstream: enabled, users: [ { user: a, password: p } ] }
  "B c/d" { jetstream: enabled, users: [ { user: b, password: p } ] }
}
"""
STREAMS = {
    "PLAIN": ("explicit", "none", "push"),
    "QUEUE": ("worker",),
    "INTEREST": ("one", "two"),
    "KV_b": (),
    "ROLLED": (),
    "PURGED": (),
    "EMPTY": ("waits",),
    "SMALL": (),
    "LARGE": (),
}


def config(store: Path, extra: str = "") -> str:
    return CONFIG.replace("@STORE@", str(store)).replace("@EXTRA@", extra)


def fill(js: Client) -> None:
    """Streams of all kinds that leave something behind in files."""
    js.stream("PLAIN", "p.>", storage="file", metadata={"owner": "me"}, description="of all kinds")
    for number in range(60):
        js.put(f"p.{number % 5}", b"%d" % number * 20, {"N": str(number), "Nats-Msg-Id": f"id-{number}"})
    for seq, no_erase in ((3, True), (4, False), (60, True), (1, False)):
        js.ok("STREAM.MSG.DELETE.PLAIN", {"seq": seq, "no_erase": no_erase})
    js.consumer("PLAIN", "explicit", filter_subject="p.1", max_deliver=3, ack_wait=600 * SECOND)
    work = js.fetch("PLAIN", "explicit", 5)
    js.ack(work[1])
    js.send(work[2].reply, b"-NAK")
    js.fetch("PLAIN", "explicit", 1)
    js.consumer("PLAIN", "none", ack_policy="none")
    js.fetch("PLAIN", "none", 7)
    js.consumer("PLAIN", "push", deliver_subject="nobody", deliver_policy="last_per_subject", filter_subject="p.>")

    js.stream("QUEUE", "q.>", storage="file", retention="workqueue")
    for number in range(50):
        js.put(f"q.{number}", b"work")
    js.consumer("QUEUE", "worker", ack_wait=600 * SECOND)
    for message in js.fetch("QUEUE", "worker", 30):
        if message.seq % 4:
            js.ack(message)

    js.stream("INTEREST", "i.>", storage="file", retention="interest")
    for name in ("one", "two"):
        js.consumer("INTEREST", name, ack_wait=600 * SECOND)
    for number in range(20):
        js.put(f"i.{number % 2}", b"%d" % number)
    for name, count in (("one", 12), ("two", 8)):
        for message in js.fetch("INTEREST", name, count):
            js.ack(message)

    js.stream(
        "KV_b",
        "$KV.b.>",
        storage="file",
        max_msgs_per_subject=2,
        allow_rollup_hdrs=True,
        allow_msg_ttl=True,
        subject_delete_marker_ttl=60 * SECOND,
    )
    for number in range(40):
        js.put(f"$KV.b.k{number % 6}", b"%d" % number, {"Nats-TTL": "1h"} if number % 7 == 0 else None)
    js.put("$KV.b.k1", headers={"KV-Operation": "DEL"})
    js.put("$KV.b.k2", headers={"KV-Operation": "PURGE", "Nats-Rollup": "sub"})

    js.stream("ROLLED", "r.>", storage="file", allow_rollup_hdrs=True)
    for number in range(10):
        js.put(f"r.{number % 2}", b"x")
    js.put("r.0", b"all", {"Nats-Rollup": "all"})

    js.stream("PURGED", "u.>", storage="file")
    for number in range(30):
        js.put(f"u.{number % 3}", b"x" * number)
    js.ok("STREAM.PURGE.PURGED", {"filter": "u.1"})
    js.ok("STREAM.PURGE.PURGED", {"seq": 11})
    js.put("u.9", b"last")

    js.stream("EMPTY", "e", storage="file")
    for _ in range(5):
        js.put("e")
    js.consumer("EMPTY", "waits", deliver_policy="new")
    js.ok("STREAM.PURGE.EMPTY")

    # Blocks of 32 KB: the full ones are compressed.
    js.stream("SMALL", "s.>", storage="file", compression="s2", max_bytes=100_000)
    for number in range(1000):
        js.put(f"s.{number % 10}", b"%d and the same again and again " % number * 4)
    for seq in range(700, 1000, 7):
        js.ok("STREAM.MSG.DELETE.SMALL", {"seq": seq, "no_erase": True})

    js.stream("LARGE", "l", storage="file")
    for size in (0, 1, 70_000, 900_000):
        js.put("l", bytes(i * 31 % 251 for i in range(size)))


def found_again(reference: Path, store: Path, extra: str, directory: Path) -> dict:
    """What the reference itself finds in a store after it was killed; the store stays as it is."""
    copy = directory / "copy"
    shutil.copytree(store, copy)
    with Server(reference, directory / "again", config(copy, extra)) as server:
        with login(server, user="a", **{"pass": "p"}) as js:
            return {stream: contents(js, stream, consumers) for stream, consumers in STREAMS.items()}


def digest(path: Path) -> dict:
    files = (file for file in path.rglob("*") if file.is_file())
    return {str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def written(reference, tmp_path_factory):
    """Stores as the reference leaves them, by how it was stopped and how they are encrypted; and what was in them."""
    made = {}

    def write(stopped: signal.Signals, extra: str = "") -> tuple[Path, dict]:
        if (stopped, extra) not in made:
            directory = tmp_path_factory.mktemp("reference")
            store = directory / "store"
            with Server(reference, directory, config(store, extra), check_exit=False) as server:
                with login(server, user="a", **{"pass": "p"}) as js:
                    fill(js)
                    there = {stream: contents(js, stream, consumers) for stream, consumers in STREAMS.items()}
                with login(server, user="b", **{"pass": "p"}) as js:
                    js.stream("PLAIN", "other", storage="file")
                    js.put("other", b"another account's")
                server.stop(stopped)
            if stopped == signal.SIGKILL:
                there = found_again(reference, store, extra, directory)
            made[stopped, extra] = store, there
        return made[stopped, extra]

    return write


@pytest.fixture
def run(martlet):
    def run(*args, status: int = 0) -> str:
        ended = subprocess.run([martlet, "import", *map(str, args)], capture_output=True, text=True, timeout=100)
        assert ended.returncode == status, ended
        return ended.stdout + ended.stderr

    return run


def without_activity(there: dict) -> dict:
    return {**there, "state": {key: value for key, value in there["state"].items() if key != "last_ts"}}


@pytest.mark.parametrize(
    "stopped, extra, key",
    [
        (signal.SIGTERM, "", ()),
        (signal.SIGKILL, "", ()),
        (signal.SIGTERM, ", key: s3cret, cipher: chacha", ("--key", "s3cret")),
        (signal.SIGKILL, ", key: s3cret, cipher: aes", ("--key", "s3cret")),
    ],
    ids=["stopped", "killed", "chacha", "aes"],
)
def test_everything_is_there_afterwards(stopped, extra, key, written, run, start, tmp_path):
    # spec: CLI-022
    store, there = written(stopped, extra)
    before, target = digest(store), tmp_path / "target"
    reports = json.loads(run(store, "--store-dir", target, "--json", *key))
    assert digest(store) == before
    assert len(reports) == len(STREAMS) + 1
    for report in reports:
        assert (report["outcome"], report["damage"]) == ("imported", []), report
    assert {report["account"] for report in reports} == {"A", "B c/d"}
    if key:
        assert not any(b"the same again and again" in file.read_bytes() for file in target.rglob("*.log"))
    # What was encrypted stays so.
    server = start(config(target, extra))
    with login(server, user="a", **{"pass": "p"}) as js:
        for stream, consumers in STREAMS.items():
            found = without_activity(contents(js, stream, consumers))
            assert found == without_activity(there[stream]), stream
        assert js.publish("p.1", b"", {"Nats-Msg-Id": "id-58"})["duplicate"] is True
        assert js.put("e") == 6
        if stopped == signal.SIGTERM:
            assert [message.seq for message in js.fetch("QUEUE", "worker", 3)] == [31, 32, 33]
    with login(server, user="b", **{"pass": "p"}) as js:
        assert js.ok("STREAM.INFO.PLAIN")["config"]["subjects"] == ["other"]


def test_martlet_does_not_start_beside_streams_that_are_not_its_own(written, run, start, tmp_path, martlet):
    # spec: CLI-022
    store = tmp_path / "store"
    shutil.copytree(written(signal.SIGTERM)[0], store)
    conf = tmp_path / "martlet.conf"
    conf.write_text(config(store) + "listen: 127.0.0.1:-1\n")
    refused = subprocess.run([martlet, "-c", conf], capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    assert f'martlet import {store}"' in refused.stderr and f"{store}/martlet" in refused.stderr
    run(store)
    server = start(config(store))
    with login(server, user="a", **{"pass": "p"}) as js:
        assert js.state("PLAIN")["messages"] == 56
    assert f"is in use by process {server.process.pid}" in run(store, status=1)
    server.stop(signal.SIGTERM)
    again = run(store, status=1)
    assert "there is a stream of this name already" in again


def test_nobody_else_writes_where_it_goes(written, run, tmp_path):
    # spec: CLI-022
    target = tmp_path / "target"
    (target / "martlet").mkdir(parents=True)
    with (target / "martlet" / ".lock").open("w") as file:
        # As a server does, and another import.
        fcntl.flock(file, fcntl.LOCK_EX)
        said = run(written(signal.SIGTERM)[0], "--store-dir", target, status=1)
        assert f"{target}/martlet is in use by another process: stop that one first" in said
        assert not list(target.rglob("*.log"))
        run(written(signal.SIGTERM)[0], "--store-dir", target, "--dry-run")
    run(written(signal.SIGTERM)[0], "--store-dir", target)


def test_a_look_writes_nothing(written, run, tmp_path):
    # spec: CLI-022
    store, there = written(signal.SIGTERM)
    reports = json.loads(run(store / "jetstream", "--dry-run", "--json", "--store-dir", tmp_path / "target"))
    counts = {report["stream"]: report["messages"] for report in reports if report["account"] == "A"}
    assert counts == {stream: held["state"]["messages"] for stream, held in there.items()}
    assert not (tmp_path / "target").exists()
    assert not (store / "martlet").exists()
    said = run(store, "--dry-run")
    assert "A > PLAIN: 56 messages, 3 consumers: can be imported" in said
    assert "10 of 10 streams whole" in said


def test_what_is_damaged_is_named_and_stays_where_it_is(written, run, start, tmp_path):
    # spec: CLI-022
    store = tmp_path / "store"
    shutil.copytree(written(signal.SIGTERM)[0], store)
    streams = store / "jetstream" / "A" / "streams"
    block = streams / "PLAIN" / "msgs" / "1.blk"
    content = bytearray(block.read_bytes())
    place = content.index(b"33" * 20)
    content[place] ^= 1
    block.write_bytes(content)
    (streams / "QUEUE" / "meta.inf").write_text("{}")
    target = tmp_path / "target"
    said = run(store, "--store-dir", target, status=1)
    assert "A > PLAIN: 0 messages, 3 consumers: left out: it is damaged (see --skip-damaged)" in said
    assert f"damaged: {block} at byte " in said and "the checksum of a record does not match" in said
    assert "A > QUEUE: 0 messages, 0 consumers: left out: the checksum in meta.sum does not match meta.inf" in said
    assert "8 of 10 streams whole" in said
    assert not list(target.rglob("*unfinished*"))
    said = run(store, "--store-dir", target, "--skip-damaged", status=1)
    assert "A > PLAIN: 55 messages, 3 consumers: imported" in said
    with login(start(config(target)), user="a", **{"pass": "p"}) as js:
        assert js.api("STREAM.MSG.GET.PLAIN", {"seq": 34})["error"]["err_code"] == 10037
        assert js.ok("STREAM.MSG.GET.PLAIN", {"seq": 35})["message"]["seq"] == 35


def test_the_key_is_asked_for(written, run, tmp_path):
    # spec: CLI-022
    store, _ = written(signal.SIGTERM, ", key: s3cret, cipher: chacha")
    assert "is encrypted: give the key" in run(store, "--store-dir", tmp_path, status=1)
    assert "the key does not open it" in run(store, "--store-dir", tmp_path, "--key", "other", status=1)


def test_a_server_that_runs_is_left_alone(reference, run, tmp_path):
    # spec: CLI-022
    store = tmp_path / "store"
    with Server(reference, tmp_path / "server", config(store)) as server, login(server, user="a", **{"pass": "p"}) as js:
        js.stream("S", "s", storage="file")
        js.put("s")
        said = run(store, "--store-dir", tmp_path / "target", status=1)
        assert f"is in use by process {server.process.pid}" in said


def test_where_there_is_nothing(run, tmp_path):
    # spec: CLI-022
    assert "holds no streams" in run(tmp_path, status=1)
    assert "cannot be read" in run(tmp_path / "nowhere", status=1)
    assert "Usage: martlet import" in run(status=2)
