"""Servers that are killed while they work: what was acknowledged is there afterwards, and what was done stays done."""

from __future__ import annotations

import contextlib
import random
import threading
import time

import pytest

from harness.jetstream import SECOND, Client
from harness.server import Server, wait_for
from harness.wire import Closed, WireError
from jetstream.conftest import jetstream_config, login

SEALED = jetstream_config(', key: "the key"')


class Publisher(threading.Thread):
    """Publishes numbered messages, many in flight, until the connection ends; notes what was acknowledged. It waits where it
    `is_ahead` of somebody.
    """

    def __init__(self, server: Server, name: str, life: int, is_ahead=lambda _: False):
        super().__init__(daemon=True)
        self.is_ahead, self.is_over = is_ahead, False
        self.js, self.tag = login(server), f"{name}.{life}"
        self.acked: dict[int, bytes] = {}
        self.subject = f"s.{name}"

    def run(self) -> None:
        with contextlib.suppress(Closed, OSError):
            acks = self.js.subscribe(f"{self.js.prefix}.ack.*")
            for number in range(1_000_000):
                body = f"{self.tag}.{number}".encode()
                self.js.send(self.subject, body, {"Nats-Msg-Id": body.decode()}, f"{self.js.prefix}.ack.{number}")
                if number >= 64:
                    self.note(acks.next())
                while not self.is_over and self.is_ahead(number):
                    time.sleep(0.001)
        self.js.close()

    def note(self, ack) -> None:
        answer = ack.json
        if "error" in answer:
            raise WireError(f"publish {self.tag}: {answer}")
        self.acked[answer["seq"]] = f"{self.tag}.{ack.subject.rpartition('.')[2]}".encode()


class Worker(threading.Thread):
    """Takes messages from consumer `c` and acknowledges each, until the connection ends; notes what was confirmed."""

    def __init__(self, server: Server):
        super().__init__(daemon=True)
        self.js = login(server)
        self.taken: set[int] = set()
        self.done: set[int] = set()

    def run(self) -> None:
        with contextlib.suppress(Closed, OSError):
            messages = self.js.pull("S", "c", {"batch": 1_000_000, "expires": 600 * SECOND})
            while True:
                message = messages.next(60)
                self.taken.add(message.seq)
                self.js.ack(message)
                self.done.add(message.seq)
        self.js.close()


def stored(js: Client, since: int, stream: str = "S") -> dict[int, bytes]:
    """What a stream has from a sequence on."""
    sub = js.subscribe(js.prefix + ".all")
    have: dict[int, bytes] = {}
    state = js.state(stream)
    more = state["messages"] > 0 and state["last_seq"] >= since
    while more:
        js.send(f"$JS.API.DIRECT.GET.{stream}", {"seq": max(have, default=since - 1) + 1, "batch": 1000}, reply=sub.subject)
        while not (message := sub.next()).status:
            have[int(message.headers["Nats-Sequence"])] = message.data
        more = message.headers.get("Nats-Num-Pending", "0") != "0"
    sub.unsubscribe()
    assert len(set(have.values())) == len(have), "a message is there twice"
    return have


def lost(js: Client, acked: dict[int, bytes], since: int = 1) -> list[int]:
    """Which acknowledged messages the stream does not have."""
    have = stored(js, since)
    return [seq for seq, body in acked.items() if seq >= since and have.get(seq) != body]


def kill_when(server: Server, publishers: list[Publisher], is_time, others: tuple[Worker, ...] = ()) -> dict[int, bytes]:
    """Kills the server once it is time, and starts it again; gives what was acknowledged."""
    threads = [*publishers, *others]
    for thread in threads:
        thread.start()
    wait_for("enough to be done", is_time, 60)
    server.kill()
    for publisher in publishers:
        publisher.is_over = True
    for thread in threads:
        thread.join(20)
    server.restart()
    return {seq: body for publisher in publishers for seq, body in publisher.acked.items()}


KILLS = [
    pytest.param(10, jetstream_config(), "none", id="10"),
    pytest.param(3, SEALED, "s2", id="3-sealed"),
    pytest.param(200, jetstream_config(), "none", id="200", marks=pytest.mark.heavy),
    pytest.param(200, SEALED, "s2", id="200-sealed", marks=pytest.mark.heavy),
]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("kills", "config", "compression"), KILLS)
def test_nothing_acknowledged_is_lost(kills, config, compression, start):
    # spec: JS-120 JS-121 JS-062 CLI-003
    dice = random.Random(kills)
    server = start(config, check_exit=False)
    with login(server) as js:
        js.stream("S", "s.>", storage="file", allow_direct=True, compression=compression)
    acked: dict[int, bytes] = {}
    checked = 0
    for round_number in range(kills):
        one, other = (Publisher(server, name, round_number) for name in "ab")
        enough = dice.randint(100, 1500)
        acked |= kill_when(server, [one, other], lambda: len(one.acked) + len(other.acked) >= enough)
        with login(server) as js:
            assert lost(js, acked, checked + 1) == [], f"after kill {round_number + 1}"
            checked = max(acked)
            if round_number % 10 == 9:
                # Each start reads all that there is, but for what a checkpoint knows to be gone.
                assert lost(js, acked) == []
                js.ok("STREAM.PURGE.S", {"seq": checked})
                acked = {checked: acked[checked]}
                js.update("S", description=str(round_number))
    with login(server) as js:
        assert lost(js, acked) == []


class ManyStreams(threading.Thread):
    """Publishes a message to each of many streams at once, again and again, until the connection ends."""

    def __init__(self, server: Server, life: int):
        super().__init__(daemon=True)
        self.js, self.life = login(server), life
        self.acked: dict[tuple[str, int], bytes] = {}

    def run(self) -> None:
        with contextlib.suppress(Closed, OSError):
            acks = self.js.subscribe(f"{self.js.prefix}.ack.*")
            for turn in range(1_000_000):
                bodies = {name: f"{self.life}.{turn}.{name}".encode() for name in STREAMS}
                for name, body in bodies.items():
                    self.js.send(name, body, reply=f"{self.js.prefix}.ack.{name}")
                for _ in bodies:
                    ack = acks.next().json
                    self.acked[ack["stream"], ack["seq"]] = bodies[ack["stream"]]
        self.js.close()


STREAMS = [f"T{number}" for number in range(40)]


@pytest.mark.martlet_only
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("kills", "config"), [
    pytest.param(4, jetstream_config(), id="4"),
    pytest.param(3, SEALED, id="3-sealed"),
    pytest.param(100, jetstream_config(), id="100", marks=pytest.mark.heavy),
])
def test_nothing_that_many_streams_acknowledged_is_lost(kills, config, start):
    # spec: JS-120
    dice = random.Random(kills)
    server = start(config, check_exit=False)
    with login(server) as js:
        for name in STREAMS:
            js.stream(name, name, storage="file", allow_direct=True)
    acked: dict[tuple[str, int], bytes] = {}
    since = dict.fromkeys(STREAMS, 1)

    def missing(js: Client) -> list[tuple[str, int]]:
        """What was acknowledged since they were looked at last, and is not there."""
        have = {(name, seq): body for name in STREAMS for seq, body in stored(js, since[name], name).items()}
        return [of for of, body in acked.items() if of[1] >= since[of[0]] and have.get(of) != body]

    for round_number in range(kills):
        publisher, enough = ManyStreams(server, round_number), dice.randint(400, 4000)
        publisher.start()
        wait_for("enough to be done", lambda: len(publisher.acked) >= enough, 60)
        server.kill()
        publisher.join(20)
        mark = server.log_size()
        server.restart()
        assert "additions from the journal to the files of streams" in server.log()[mark:]
        acked |= publisher.acked
        with login(server) as js:
            assert missing(js) == [], f"after kill {round_number + 1}"
            since = {name: js.state(name)["last_seq"] + 1 for name in STREAMS}
    server.stop()
    assert list((server.directory / "store/martlet").glob("journal*")) == [], "a clean stop leaves no journal"
    mark = server.log_size()
    server.restart()
    assert "from the journal" not in server.log()[mark:]
    since = dict.fromkeys(STREAMS, 1)
    with login(server) as js:
        assert missing(js) == []


# The reference confirms an acknowledgement before it has written it.
@pytest.mark.martlet_only
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("kills", "config", "compression"), [
    pytest.param(4, jetstream_config(), "none", id="4"),
    pytest.param(200, SEALED, "s2", id="200-sealed", marks=pytest.mark.heavy),
])
def test_what_a_work_queue_is_done_with_stays_done(kills, config, compression, start):
    # spec: JS-065 JS-091 JS-101 JS-121
    dice = random.Random(kills)
    server = start(config, check_exit=False)
    with login(server) as js:
        queue = {"retention": "workqueue", "duplicate_window": 3600 * SECOND}
        js.stream("S", "s.>", storage="file", allow_direct=True, compression=compression, **queue)
        js.consumer("S", "c", ack_wait=SECOND, max_ack_pending=200)
    acked: dict[int, bytes] = {}
    taken: set[int] = set()
    done: set[int] = set()
    for round_number in range(kills):
        worker, enough = Worker(server), dice.randint(20, 200)
        publisher = Publisher(server, "a", round_number, lambda number: number > len(worker.done) + 300)
        acked |= kill_when(server, [publisher], lambda: len(worker.done) >= enough, (worker,))
        taken |= worker.taken
        done |= worker.done
        with login(server) as js:
            have = stored(js, 1)
            gone = [seq for seq in acked if seq not in taken and have.get(seq) != acked[seq]]
            assert gone == [], f"lost by kill {round_number + 1}"
            back = sorted(done & have.keys())
            assert back == [], f"done, and there again after kill {round_number + 1}"
            # What is done cannot be asked for again.
            for seq in dice.sample(sorted(worker.done & acked.keys()), min(5, len(worker.done & acked.keys()))):
                body = acked[seq]
                again = js.publish("s.a", body, {"Nats-Msg-Id": body.decode()})
                assert again == {"stream": "S", "seq": seq, "duplicate": True}


def files(server: Server) -> dict[str, int]:
    """The files of stream S's log, and their sizes."""
    found = (server.directory / "store").rglob("streams/S/*.log")
    return {path.name: path.stat().st_size for path in found}


@pytest.mark.martlet_only
@pytest.mark.parametrize("compression", ["none", "s2"])
def test_a_duplicate_is_known_when_nothing_else_is_left_of_it(compression, start):
    # spec: JS-065 JS-091
    # A stream tidies up as often as it is looked through, at least.
    server = start(jetstream_config(', scrub_interval: 1s, key: "the key"'), check_exit=False)
    body = random.Random(1).randbytes(60_000)

    def put(js: Client, number: int) -> dict:
        return js.publish("s", body, {"Nats-Msg-Id": str(number)})

    with login(server) as js:
        # Files are of 1 MiB.
        js.stream("S", "s", storage="file", retention="workqueue", max_bytes=8 << 20, compression=compression)
        js.consumer("S", "c", max_ack_pending=100)
        for number in range(1, 61):
            assert put(js, number)["seq"] == number
        before = files(server)
        for message in js.fetch("S", "c", 60):
            # Something is left in each file: it cannot just be removed.
            if message.seq % 12:
                js.ack(message)
        for text in ("a", "b"):
            # A configuration that is in force is kept in a checkpoint: what the one before it knew of, may go.
            js.update("S", description=text)
        # What is synced for this message is synced with it.
        put(js, 61)
        wait_for("files to be written anew", lambda: sum(files(server).values()) * 2 < sum(before.values()), 60)
        assert js.state("S")["messages"] == 6
    for end in (server.kill, server.stop):
        end()
        server.restart()
        with login(server) as js:
            for number in (1, 2, 12, 59):
                assert put(js, number) == {"stream": "S", "seq": number, "duplicate": True}
            assert js.state("S")["messages"] == 6
