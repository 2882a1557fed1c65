"""A flipped bit on the disk of a server that runs: who is told, and what can still be read."""

from __future__ import annotations

import base64
import signal
from pathlib import Path

import pytest

from harness.jetstream import SECOND, TIME, Client
from harness.server import Server, wait_for
from jetstream.conftest import jetstream_config, login

# The reference says of what it cannot read that it is not there.
pytestmark = pytest.mark.martlet_only

BODY = 60_000
MESSAGES = 60
BAD = 7
# A scrub of every file takes this long; it reads one file at a time.
CONFIG = jetstream_config(", scrub_interval: 2s")
# Files of a stream of so many bytes are of 1 MiB: it has some that nobody writes to any more.
STREAM = {"storage": "file", "max_bytes": 8 << 20, "allow_direct": True}


def body(number: int) -> bytes:
    return b"message %d " % number + b"x" * BODY


def fill(js: Client, **config) -> None:
    js.stream("S", "s", **STREAM, **config)
    for number in range(1, MESSAGES + 1):
        js.put("s", body(number))


def spoil(server: Server, number: int = BAD) -> Path:
    """Flips a bit in the payload of a message, in the file that it is in."""
    for path in sorted((server.directory / "store" / "martlet" / "$G" / "streams" / "S").glob("*.log")):
        at = path.read_bytes().find(b"message %d " % number)
        if at >= 0:
            with path.open("r+b") as file:
                file.seek(at + BODY // 2)
                byte = file.read(1)[0]
                file.seek(at + BODY // 2)
                file.write(bytes([byte ^ 4]))
            return path
    raise AssertionError(f"message {number} is in no file")


def metric(server: Server, name: str) -> float:
    """The sum of a metric's samples."""
    lines = [line for line in server.get("/metrics").text.splitlines() if line.startswith(name + "{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def data_of(js: Client, seq: int) -> bytes:
    return base64.b64decode(js.ok("STREAM.MSG.GET.S", {"seq": seq})["message"]["data"])


def check_reads(js: Client) -> None:
    """The message that is damaged is in error, and not gone; all others are as they were."""
    error = js.api("STREAM.MSG.GET.S", {"seq": BAD})["error"]
    assert error["err_code"] != 10037, "that is what is said of a message that is not there"
    assert "cannot be read" in error["description"] and ".log" in error["description"]
    direct = js.request("$JS.API.DIRECT.GET.S", {"seq": BAD})
    assert direct.status.startswith("500 ") and "cannot be read" in direct.status
    assert js.api("STREAM.MSG.GET.S", {"seq": MESSAGES + 1})["error"]["err_code"] == 10037
    for seq in (BAD - 1, BAD + 1, MESSAGES):
        assert data_of(js, seq) == body(seq)


@pytest.mark.parametrize("restarted", [False, True])
def test_the_scrub_tells_of_a_flipped_bit(restarted, start):
    # spec: JS-059 JS-122
    server = start(CONFIG, monitor=True)
    with login(server) as js:
        fill(js)
    if restarted:
        # What was left cleanly is not read when it is opened.
        server.stop()
        file = spoil(server)
        server.restart()
    with login(server) as js:
        told = js.subscribe("$JS.EVENT.ADVISORY.STREAM.UNREADABLE.*")
        if not restarted:
            file = spoil(server)
        found = server.wait_log(rf"Stream '\$G > S' is damaged: .*{file.name}.*; messages {BAD} to {BAD} cannot be read")
        event = told.next().json
        assert event == {
            "type": "io.nats.jetstream.advisory.v1.stream_unreadable",
            "id": event["id"],
            "timestamp": TIME,
            "stream": "S",
            "first_seq": BAD,
            "last_seq": BAD,
            "reason": event["reason"],
        }
        assert file.name in event["reason"]
        assert js.state("S")["lost"]["msgs"] == [BAD]
        assert js.state("S")["messages"] == MESSAGES
        assert metric(server, "martlet_stream_unreadable_messages") == 1
        shown = server.get_json("/jsz?streams=1")["account_details"][0]["stream_detail"][0]["state"]
        assert shown["lost"]["msgs"] == [BAD]
        check_reads(js)
        # It is told once, however often it is read.
        said = [line for line in server.log().splitlines() if "is damaged" in line]
        assert len(said) == 1, (said, found)
        assert told.nothing()
        assert js.put("s", b"more") == MESSAGES + 1


def test_a_consumer_passes_over_it_once(start):
    # spec: JS-059
    server = start(jetstream_config(", scrub_interval: 0"), monitor=True)
    with login(server) as js:
        fill(js)
        spoil(server)
        told = js.subscribe("$JS.EVENT.ADVISORY.CONSUMER.UNREADABLE.S.*")
        js.consumer("S", "c")
        got = [message.seq for message in js.fetch("S", "c", MESSAGES - 1)]
        assert got == [seq for seq in range(1, MESSAGES + 1) if seq != BAD]
        event = told.next().json
        assert (event["consumer"], event["first_seq"], event["last_seq"]) == ("c", BAD, BAD)
        # Whoever reads it finds it: nobody had to look for it.
        server.wait_log(r"Stream '\$G > S' is damaged: .*cannot be read")
        assert metric(server, "martlet_consumer_passed_over_messages") == 1
        assert js.info("S", "c")["num_pending"] == 0
        js.put("s", b"more")
        assert js.fetch("S", "c")[0].seq == MESSAGES + 1
        assert told.nothing()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_work_queue_lists_it_until_it_is_purged(how, start):
    # spec: JS-059 JS-021 JS-022
    server = start(CONFIG, monitor=True, check_exit=False)
    with login(server) as js:
        fill(js, retention="workqueue")
        spoil(server)
        js.consumer("S", "c")
        for message in js.fetch("S", "c", MESSAGES - 1):
            js.ack(message)
        assert js.state("S")["lost"]["msgs"] == [BAD]
    if how == signal.SIGKILL:
        server.kill()
    else:
        server.stop(how)
    server.restart()
    with login(server) as js:
        wait_for("it to be found again", lambda: "lost" in js.state("S"))
        assert (js.state("S")["messages"], js.state("S")["lost"]["msgs"]) == (1, [BAD])
        assert metric(server, "martlet_stream_unreadable_messages") == 1
        js.put("s", b"more")
        (message,) = js.fetch("S", "c", expires=5 * SECOND)
        assert message.seq == MESSAGES + 1
        js.ack(message)
        if how == signal.SIGKILL:
            js.ok("STREAM.MSG.DELETE.S", {"seq": BAD})
        else:
            assert js.ok("STREAM.PURGE.S")["purged"] == 1
        assert "lost" not in js.state("S") and js.state("S")["messages"] == 0
        assert metric(server, "martlet_stream_unreadable_messages") == 0
