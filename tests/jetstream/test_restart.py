"""What is still there after the server ended, by its own will or not."""

from __future__ import annotations

import signal

import pytest

from harness.jetstream import MILLI, SECOND, Client
from harness.server import Server, wait_for
from jetstream.conftest import jetstream_config, login


@pytest.fixture(params=["TERM", "KILL"])
def how(request) -> int:
    return getattr(signal, f"SIG{request.param}")


class Life:
    """A server that is ended and started again, and a client of each of its lives."""

    def __init__(self, server: Server, how: int = signal.SIGTERM):
        self.server, self.how = server, how
        self.js = login(server)

    def again(self) -> Client:
        self.js.close()
        if self.how == signal.SIGKILL:
            self.server.kill()
        else:
            self.server.stop(self.how)
        self.server.restart()
        self.js = login(self.server)
        return self.js


@pytest.fixture
def life(start, how):
    made = Life(start(jetstream_config(), check_exit=False), how)
    yield made
    made.js.close()


def stable(info: dict) -> dict:
    """What of an answer has to be the same after a restart."""
    kept = {key: value for key, value in info.items() if key not in ("ts", "cluster")}
    # The reference forgets the time of the last message when that was deleted.
    kept["state"].pop("last_ts")
    return kept


@pytest.mark.parametrize("compression", ["none", "s2"])
def test_messages_and_configuration(compression, life):
    # spec: JS-119 JS-120 JS-121 CLI-003
    js = life.js
    js.stream("F", "f.>", storage="file", max_msgs=100, description="d", metadata={"k": "v"}, compression=compression)
    js.stream("M", "m", storage="memory")
    for number in range(20):
        js.put(f"f.{number % 4}", b"%d" % number, {"N": str(number)} if number % 2 else None)
    js.put("m")
    for seq in (3, 4, 20):
        js.ok("STREAM.MSG.DELETE.F", {"seq": seq})
    js.ok("STREAM.PURGE.F", {"filter": "f.1", "keep": 2})
    details = {"deleted_details": True, "subjects_filter": ">"}
    before = stable(js.ok("STREAM.INFO.F", details))
    messages = {seq: js.api("STREAM.MSG.GET.F", {"seq": seq}) for seq in range(22)}
    js = life.again()
    assert stable(js.ok("STREAM.INFO.F", details)) == before
    assert {seq: js.api("STREAM.MSG.GET.F", {"seq": seq}) for seq in range(22)} == messages
    assert js.error_code("STREAM.INFO.M") == 10059
    assert js.put("f.1") == 21


def test_an_empty_stream_goes_on_counting(life):
    # spec: JS-119
    js = life.js
    js.stream("A", "a", storage="file")
    js.stream("B", "b", storage="file")
    js.stream("C", "c", storage="file", first_seq=50)
    for _ in range(3):
        js.put("a")
        js.put("b")
    js.ok("STREAM.PURGE.A")
    for seq in (3, 2, 1):
        js.ok("STREAM.MSG.DELETE.B", {"seq": seq})
    js = life.again()
    assert (js.put("a"), js.put("b"), js.put("c")) == (4, 4, 50)
    js.ok("STREAM.DELETE.A")
    js = life.again()
    assert js.ok("STREAM.NAMES")["streams"] == ["B", "C"]


def test_updates_and_deleted_things(life):
    # spec: JS-119
    js = life.js
    js.stream("S", "s.>", storage="file")
    js.stream("T", "t", storage="file")
    js.update("S", max_msgs=2, subjects=["s.>", "q"])
    for _ in range(3):
        js.put("q")
    js.consumer("S", "c", filter_subject="q")
    js.consumer("S", "c", filter_subject="q", max_deliver=7, action="update")
    js.consumer("S", "gone")
    js.ok("CONSUMER.DELETE.S.gone")
    js.ok("STREAM.DELETE.T")
    before = js.ok("STREAM.INFO.S")["config"], js.info("S", "c")["config"]
    js = life.again()
    assert (js.ok("STREAM.INFO.S")["config"], js.info("S", "c")["config"]) == before
    assert (js.ok("STREAM.NAMES")["streams"], js.ok("CONSUMER.NAMES.S")["consumers"]) == (["S"], ["c"])
    assert js.state("S")["messages"] == 2


def acks_survive(life: Life) -> None:
    js = life.js
    js.stream("S", "s", storage="file")
    for _ in range(10):
        js.put("s")
    js.consumer("S", "c", ack_wait=20 * SECOND)
    js.consumer("S", "all", ack_policy="all")
    got = js.fetch("S", "c", 6)
    for number in (0, 1, 3):
        js.ack(got[number])
    js.ack(js.fetch("S", "all", 4)[-1])
    js = life.again()
    info = js.info("S", "c")
    assert info["ack_floor"]["stream_seq"] == 2
    assert info["num_ack_pending"] + info["num_pending"] == 7
    assert js.info("S", "all")["ack_floor"]["stream_seq"] == 4
    assert [message.seq for message in js.fetch("S", "all", 6)] == [5, 6, 7, 8, 9, 10]


def test_what_was_acked_stays_acked(start):
    # spec: JS-102 JS-119
    acks_survive(Life(start(jetstream_config())))


@pytest.mark.martlet_only
def test_a_confirmed_ack_survives_a_kill(start):
    # spec: JS-101 JS-102
    # The reference confirms an ack before it has written it.
    acks_survive(Life(start(jetstream_config(), check_exit=False), signal.SIGKILL))


def test_redelivery_goes_on(life):
    # spec: JS-102
    js = life.js
    js.stream("S", "s", storage="file")
    js.consumer("S", "c", ack_wait=300 * MILLI, max_deliver=5)
    js.put("s")
    first = js.fetch("S", "c")[0]
    js.ack(first, "-NAK")
    assert js.fetch("S", "c")[0].deliveries == 2
    wait_for("the state to settle", lambda: js.info("S", "c")["num_redelivered"] == 1)
    js = life.again()
    message = js.fetch("S", "c")[0]
    # After a KILL the deliveries themselves may be forgotten.
    assert (message.seq, message.deliveries >= (1 if life.how == signal.SIGKILL else 3)) == (1, True)
    js.ack(message)


def test_the_deduplication_window(life):
    # spec: JS-065
    js = life.js
    js.stream("S", "s", storage="file")
    js.stream("W", "w", storage="file", retention="workqueue")
    js.put("s", b"x", {"Nats-Msg-Id": "a"})
    js.put("w", b"x", {"Nats-Msg-Id": "kept"})
    js.put("w", b"x", {"Nats-Msg-Id": "done"})
    js.consumer("W", "c")
    js = life.again()
    assert js.publish("s", b"x", {"Nats-Msg-Id": "a"}) == {"stream": "S", "seq": 1, "duplicate": True}
    assert js.publish("s", b"x", {"Nats-Msg-Id": "b"}) == {"stream": "S", "seq": 2}
    assert js.publish("w", b"x", {"Nats-Msg-Id": "kept"})["duplicate"] is True


def test_a_work_queue(life):
    # spec: JS-091 JS-102
    js = life.js
    js.stream("W", "w", storage="file", retention="workqueue")
    js.consumer("W", "c", ack_wait=SECOND)
    for _ in range(6):
        js.put("w")
    got = js.fetch("W", "c", 4)
    for number in (0, 2):
        js.ack(got[number])
    wait_for("two to go", lambda: js.state("W")["messages"] == 4)
    js = life.again()
    assert js.state("W")["messages"] == 4
    left = js.fetch("W", "c", 4)
    assert sorted(message.seq for message in left) == [2, 4, 5, 6]
    for message in left:
        js.ack(message)
    wait_for("all to go", lambda: js.state("W")["messages"] == 0)
    js = life.again()
    assert (js.state("W")["messages"], js.put("w")) == (0, 7)


def test_expiry_goes_on(life):
    # spec: JS-068 JS-039
    js = life.js
    js.stream("S", "s.>", storage="file", allow_msg_ttl=True)
    js.stream("A", "a", storage="file", max_age=2 * SECOND)
    js.put("s.short", b"x", {"Nats-TTL": "2s"})
    js.put("s.long", b"x", {"Nats-TTL": "1h"})
    js.put("a")
    js = life.again()
    assert js.state("S")["last_seq"] == 2
    wait_for("both to expire", lambda: (js.state("S")["messages"], js.state("A")["messages"]) == (1, 0))
    assert (js.state("S")["first_seq"], js.put("a")) == (2, 2)


def test_counters_and_schedules(life):
    # spec: JS-069 JS-070
    js = life.js
    js.stream("K", "k", storage="file", allow_msg_counter=True)
    js.stream("S", "s.>", storage="file", allow_msg_schedules=True)
    js.publish("k", b"", {"Nats-Incr": "41"})
    js.put("s.job", b"x", {"Nats-Schedule": "@every 1s", "Nats-Schedule-Target": "s.out"})
    js = life.again()
    assert js.publish("k", b"", {"Nats-Incr": "1"})["val"] == "42"
    js.consumer("S", "c", filter_subject="s.out")
    assert js.fetch("S", "c")[0].headers["Nats-Scheduler"] == "s.job"


def test_a_batch_that_was_not_committed(life):
    # spec: JS-073
    js = life.js
    js.stream("S", "s", storage="file", allow_atomic=True)
    for seq in (1, 2):
        assert js.request("s", b"x", {"Nats-Batch-Id": "b", "Nats-Batch-Sequence": str(seq)}).data == b""
    js = life.again()
    assert js.state("S")["messages"] == 0
    headers = {"Nats-Batch-Id": "b", "Nats-Batch-Sequence": "3", "Nats-Batch-Commit": "1"}
    assert js.publish("s", b"x", headers)["error"]["err_code"] == 10176


def test_pauses_and_priorities(life):
    # spec: JS-029 JS-111
    js = life.js
    js.stream("S", "s", storage="file")
    js.consumer("S", "c", pause_until="2126-01-01T00:00:00Z")
    js.consumer("S", "p", priority_groups=["g"], priority_policy="pinned_client")
    js = life.again()
    assert js.info("S", "c")["paused"] is True
    js.put("s")
    assert "Nats-Pin-Id" in js.pull("S", "p", {"group": "g", "expires": 5 * SECOND}).next().headers
