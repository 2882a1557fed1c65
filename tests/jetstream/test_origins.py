"""What mirrors and sources do when an origin, a link or the server itself does not go on as before."""

from __future__ import annotations

import base64

import pytest

from harness.jetstream import Client
from harness.server import wait_for
from jetstream.conftest import jetstream_config, login
from jetstream.test_snapshots import restore, snapshot

PATIENCE = 40.0


def has(js: Client, stream: str, last: int) -> dict:
    return wait_for(f"{last} in {stream}", lambda: (s := js.state(stream))["last_seq"] == last and s, PATIENCE)


def data(js: Client, stream: str) -> list[bytes]:
    """What a stream holds, in order."""
    state = js.state(stream)
    got = (js.api(f"STREAM.MSG.GET.{stream}", {"seq": seq}) for seq in range(state["first_seq"], state["last_seq"] + 1))
    return [base64.b64decode(one["message"].get("data", "")) for one in got if "message" in one]


def source_of(js: Client, stream: str, seq: int) -> str:
    message = js.ok(f"STREAM.MSG.GET.{stream}", {"seq": seq})["message"]
    block = base64.b64decode(message["hdrs"]).decode()
    return next(line.split(": ")[1] for line in block.split("\r\n") if line.startswith("Nats-Stream-Source: "))


def origin_info(js: Client, stream: str) -> dict:
    info = js.ok(f"STREAM.INFO.{stream}")
    return info.get("mirror") or info["sources"][0]


def ready(js: Client, stream: str) -> bool:
    return b"config" in js.request(f"$JS.API.STREAM.INFO.{stream}").data


# --- restarts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_positions_survive_a_restart(how, start):
    # spec: JS-113 JS-115
    server = start(jetstream_config())
    with login(server) as js:
        sources = [{"name": "O"}, {"name": "O", "filter_subject": "o.1"}]
        js.stream("O", "o.>", storage="file")
        js.stream("M", mirror={"name": "O"}, storage="file")
        js.stream("A", "own", sources=sources, storage="file")
        for number in range(20):
            js.put(f"o.{number % 2}", b"%d" % number)
        has(js, "M", 20)
        has(js, "A", 30)
        # The messages that would say how far it is are gone.
        js.ok("STREAM.PURGE.A")
    getattr(server, how)()
    server.restart()
    with login(server) as js:
        wait_for("the origin", lambda: ready(js, "O"), PATIENCE)
        for number in range(20, 30):
            js.put(f"o.{number % 2}", b"%d" % number)
        has(js, "M", 30)
        has(js, "A", 45)
        assert data(js, "M") == [b"%d" % number for number in range(30)]
        assert sorted(map(int, data(js, "A"))) == sorted([*range(20, 30), *range(21, 30, 2)])


def all_of(js: Client, stream: str) -> list[int]:
    """The numbers that a stream's messages are, in order."""
    name = f"reader{js.state(stream)['last_seq']}"
    js.consumer(stream, name, ack_policy="none")
    return [int(message.data) for message in js.fetch(stream, name, js.state(stream)["messages"])]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.heavy)])
def test_nothing_is_lost_or_comes_twice(kills, start):
    # spec: JS-113 JS-115
    server = start(jetstream_config())
    count = 0
    with login(server) as js:
        js.stream("O", "o", storage="file")
        js.stream("Q", "q", storage="file", retention="workqueue")
        js.stream("M", storage="file", mirror={"name": "O"})
        js.stream("A", storage="file", sources=[{"name": "O"}])
        js.stream("B", storage="file", sources=[{"name": "Q"}])
    for _ in range(kills):
        with login(server) as js:
            wait_for("streams", lambda: all(ready(js, stream) for stream in "OQMAB"), PATIENCE)  # noqa: B023
            before = {stream: js.state(stream)["last_seq"] for stream in "MAB"}
            for _ in range(400):
                js.send("o", b"%d" % count)
                js.send("q", b"%d" % count)
                count += 1
            # Somewhere on the way.
            wait_for("some copies", lambda: any(js.state(s)["last_seq"] > last for s, last in before.items()), PATIENCE)  # noqa: B023
        server.kill()
        server.restart()
    with login(server) as js:
        wait_for("streams", lambda: all(ready(js, stream) for stream in "OQMAB"), PATIENCE)
        origin = all_of(js, "O")
        for stream in "MA":
            wait_for("all copies", lambda: js.state(stream)["messages"] == len(origin), PATIENCE)  # noqa: B023
            assert all_of(js, stream) == origin
        wait_for("an empty queue", lambda: js.state("Q")["messages"] == 0, PATIENCE)
        copied = all_of(js, "B")
        assert copied == sorted(set(copied))
        assert len(copied) == js.state("Q")["last_seq"]


@pytest.mark.parametrize("kind", ["mirror", "source"])
def test_a_copy_goes_on_where_its_snapshot_ends(kind, account):
    # spec: JS-113 JS-025
    js = account()
    js.stream("O", "o")
    for number in range(3):
        js.put("o", b"%d" % number)
    js.stream("A", storage="file", **({"mirror": {"name": "O"}} if kind == "mirror" else {"sources": [{"name": "O"}]}))
    has(js, "A", 3)
    answer, chunks = snapshot(js, "A")
    js.ok("STREAM.DELETE.A")
    js.put("o", b"3")
    restore(js, answer, chunks)
    has(js, "A", 4)
    js.put("o", b"4")
    has(js, "A", 5)
    assert data(js, "A") == [b"0", b"1", b"2", b"3", b"4"]


# --- origins that go and come -------------------------------------------------------------------


def test_an_origin_that_is_not_there_is_told_of(account):
    # spec: JS-115 JS-061
    js = account()
    js.stream("A", "own", sources=[{"name": "O", "filter_subject": "o.a"}])
    error = wait_for("the error", lambda: origin_info(js, "A").get("error"), PATIENCE)
    assert error == {"code": 404, "err_code": 10059, "description": "stream not found"}
    assert origin_info(js, "A")["filter_subject"] == "o.a"
    js.stream("O", "o.>")
    js.put("o.a", b"1")
    js.put("o.b", b"2")
    has(js, "A", 1)
    assert "error" not in origin_info(js, "A")
    assert origin_info(js, "A")["active"] >= 0


@pytest.mark.martlet_only
def test_an_origin_that_nobody_serves_is_told_of(account):
    # spec: JS-115
    js = account()
    js.stream("M", mirror={"name": "O", "external": {"api": "NOWHERE", "deliver": "to.me"}})
    error = wait_for("the error", lambda: origin_info(js, "M").get("error"), PATIENCE)
    assert error == {"code": 500, "err_code": 10029, "description": "nobody serves requests for its messages here"}


def test_an_origin_that_is_created_anew(account):
    # spec: JS-115 JS-081 NEW-036
    js = account()
    js.stream("O", "o")
    js.put("o", b"old 1")
    js.put("o", b"old 2")
    js.stream("A", "own", sources=[{"name": "O"}])
    has(js, "A", 2)
    js.ok("STREAM.DELETE.O")
    js.stream("O", "o")
    js.put("o", b"new 1")
    has(js, "A", 3)
    assert data(js, "A") == [b"old 1", b"old 2", b"new 1"]
    before, after = (source_of(js, "A", seq).split(" ") for seq in (2, 3))
    assert (before[:5], after[:5]) == (["O", "2", ">", ">", "o"], ["O", "1", ">", ">", "o"])
    assert before[5] != after[5]


def test_what_is_in_the_way_goes(account):
    # spec: JS-115
    js = account()
    js.stream("O", "o")
    js.stream("A", "own", sources=[{"name": "O"}], max_msgs=2, discard="new")
    for number in range(3):
        js.put("o", b"%d" % number)
    has(js, "A", 2)
    js.ok("STREAM.MSG.DELETE.A", {"seq": 1})
    has(js, "A", 3)
    assert data(js, "A") == [b"1", b"2"]


def test_replies_that_do_not_reach_the_origin(account):
    # spec: JS-369 NEW-048 JS-113
    js, origin = account(), account()
    requests = origin.subscribe("ELSEWHERE.>")
    replies = origin.subscribe("answers.>")
    external = {"api": "ELSEWHERE", "deliver": "to.me"}
    js.stream("A", "own", sources=[{"name": "O", "external": external}])
    asked = requests.next()
    assert asked.subject == "ELSEWHERE.CONSUMER.CREATE.O"
    assert asked.headers == {"Nats-Required-Api-Level": "5", "Nats-Stream-Identity": ""}
    config = asked.json["config"]
    assert config.pop("name").startswith("JS_SRC_")
    deliver = config.pop("deliver_subject")
    assert deliver.startswith("to.me.S.")
    assert config.pop("metadata").items() >= {"_nats.src.stream": "A"}.items()
    assert config == {
        "deliver_policy": "all",
        "ack_policy": "none",
        "ack_wait": 79_200_000_000_000,
        "max_deliver": 1,
        "replay_policy": "instant",
        "flow_control": True,
        "idle_heartbeat": 1_000_000_000,
        "inactive_threshold": 10_000_000_000,
        "num_replicas": 0,
        "direct": True,
        "sourcing": True,
    }
    created = {"stream_name": "O", "name": "C", "config": asked.json["config"], "delivered": {"stream_seq": 0}}
    origin.send(asked.reply, {"type": "io.nats.jetstream.api.v1.consumer_create_response", **created})
    wait_for("the answer to have come", lambda: origin_info(js, "A")["active"] >= 0, PATIENCE)
    fields = "Nats-Last-Consumer: 0\r\nNats-Last-Stream: 0\r\nNats-Consumer-Stalled: answers.1"
    block = f"NATS/1.0 100 Idle Heartbeat\r\n{fields}\r\n\r\n".encode()
    stalled = b"HPUB %s %d %d\r\n%s\r\n" % (deliver.encode(), len(block), len(block), block)
    for _ in range(3):
        assert "error" not in origin_info(js, "A")
        origin.link.send_raw(stalled)
        replies.next()
    error = wait_for("the error", lambda: origin_info(js, "A").get("error"), PATIENCE)
    assert error == {
        "code": 500,
        "err_code": 10228,
        "description": "stream source consumer stalled on flow control",
    }


# --- origins that keep until it is acknowledged ---------------------------------------------------


@pytest.mark.parametrize("kind", ["mirror", "source"])
def test_a_queue_is_emptied_into_a_copy(kind, account):
    # spec: JS-113
    js = account()
    js.stream("Q", "q", retention="workqueue")
    for number in range(10):
        js.put("q", b"%d" % number)
    js.stream("A", **({"mirror": {"name": "Q"}} if kind == "mirror" else {"sources": [{"name": "Q"}]}))
    has(js, "A", 10)
    wait_for("an empty queue", lambda: js.state("Q")["messages"] == 0, PATIENCE)
    name = js.ok("CONSUMER.NAMES.Q")["consumers"]
    consumer = js.ok(f"CONSUMER.INFO.Q.{name[0]}")
    config = consumer["config"]
    assert (config["durable_name"], config["ack_policy"]) == (name[0], "flow_control")
    assert config["sourcing"] and "direct" not in config
    js.put("q", b"10")
    has(js, "A", 11)
    assert data(js, "A") == [b"%d" % number for number in range(11)]
    wait_for("an empty queue", lambda: js.state("Q")["messages"] == 0, PATIENCE)
    js.ok("STREAM.DELETE.A")
    wait_for("no consumer", lambda: not js.ok("CONSUMER.NAMES.Q")["consumers"], PATIENCE)


@pytest.mark.parametrize("kind", ["mirror", "source"])
def test_a_consumer_that_is_there(kind, account):
    # spec: JS-054 JS-042 JS-113 NEW-023
    js = account()
    js.stream("O", "o.>", retention="interest")
    durable = {
        "durable_name": "C",
        "deliver_subject": "to.c",
        "ack_policy": "flow_control",
        "flow_control": True,
        "idle_heartbeat": 1_000_000_000,
        "filter_subject": "o.a",
    }
    js.ok("CONSUMER.CREATE.O.C.o.a", {"stream_name": "O", "config": durable})
    for number, subject in enumerate("abab"):
        js.put(f"o.{subject}", b"%d" % number)
    origin = {"name": "O", "consumer": {"name": "C", "deliver_subject": "to.c"}}
    js.stream("A", **({"mirror": origin} if kind == "mirror" else {"sources": [origin]}))
    has(js, "A", 2 if kind == "source" else 3)
    assert data(js, "A") == [b"0", b"2"]
    wait_for("acknowledged", lambda: js.state("O")["messages"] == 0, PATIENCE)
    if kind == "source":
        name, seq, *rest = source_of(js, "A", 2).split(" ")
        assert name.startswith("O:C=")
        assert (seq, rest[:3]) == ("3", [">", ">", "o.a"])
    js.ok("STREAM.DELETE.A")
    assert js.ok("CONSUMER.NAMES.O")["consumers"] == ["C"]


def test_a_consumer_that_does_not_acknowledge_so(account):
    # spec: JS-355 JS-358
    js = account()
    js.stream("O", "o")
    config = {"durable_name": "C", "deliver_subject": "to.c", "ack_policy": "explicit"}
    js.ok("CONSUMER.CREATE.O.C", {"stream_name": "O", "config": config})
    origin = {"name": "O", "consumer": {"name": "C", "deliver_subject": "to.c"}}
    js.stream("M", mirror=origin)
    js.stream("A", sources=[origin])
    for stream, wanted in (
        ("M", (10214, "stream mirror consumer requires flow control ack policy")),
        ("A", (10217, "stream source consumer requires flow control ack policy")),
    ):
        error = wait_for("the error", lambda: origin_info(js, stream).get("error"), PATIENCE)  # noqa: B023
        assert (error["err_code"], error["description"]) == wanted


@pytest.mark.parametrize("storage", ["file", "memory"])
def test_where_copies_begin(storage, account):
    # spec: JS-052 JS-053 JS-061
    js = account()
    js.stream("H", "h", first_seq=1000)
    js.stream("O", "o.>")
    for number in range(6):
        js.put(f"o.{number % 3}", b"x")
    for seq in (2, 3):
        js.ok("STREAM.MSG.DELETE.O", {"seq": seq})
    wanted = {
        # Nothing has come, and it is known where it will begin.
        ("mirror", "H", ()): (0, 1000, 999),
        ("mirror", "O", ("opt_start_seq", 5)): (2, 5, 6),
        ("mirror", "O", ("opt_start_seq", 50)): (0, 50, 49),
        ("mirror", "O", ("filter_subject", "o.2")): (1, 6, 6),
        ("mirror", "O", ()): (4, 1, 6),
        ("source", "H", ()): (0, 0, 0),
        ("source", "O", ("opt_start_seq", 50)): (0, 0, 0),
        ("source", "O", ("filter_subject", "o.1")): (1, 1, 1),
    }
    for number, (kind, name, more) in enumerate(wanted):
        origin = {"name": name, **({more[0]: more[1]} if more else {})}
        js.stream(f"S{number}", storage=storage, **({"mirror": origin} if kind == "mirror" else {"sources": [origin]}))

    def states() -> dict:
        found = (js.state(f"S{number}") for number in range(len(wanted)))
        return {key: (s["messages"], s["first_seq"], s["last_seq"]) for key, s in zip(wanted, found, strict=True)}

    wait_for("all of them", lambda: states() == wanted, PATIENCE)
    assert "seq" not in origin_info(js, "S6")
    assert origin_info(js, "S7")["seq"] == 5
    # What the mirror has is its own affair.
    js.ok("STREAM.PURGE.S4")
    js.put("o.9", b"x")
    has(js, "S4", 7)
    assert (js.state("S4")["messages"], js.state("S4")["first_seq"]) == (1, 7)


# --- what is copied -------------------------------------------------------------------------------


def test_what_was_asked_of_the_origin_is_not_asked_again(account):
    # spec: JS-113
    js = account()
    js.stream("O", "o.>", allow_msg_ttl=True)
    js.put("o.a", b"1", {"Nats-Expected-Stream": "O", "Nats-Expected-Last-Sequence": "0", "N": "1"})
    js.put("o.a", b"2", {"Nats-Msg-Id": "id", "Nats-TTL": "1h"})
    js.stream("M", mirror={"name": "O"})
    js.stream("A", "own", sources=[{"name": "O"}])
    has(js, "M", 2)
    has(js, "A", 2)
    for stream in "MA":
        block = base64.b64decode(js.ok(f"STREAM.MSG.GET.{stream}", {"seq": 1})["message"]["hdrs"])
        assert b"Expected" not in block
        assert b"N: 1" in block


def test_many_sources(account):
    # spec: JS-113
    js = account()
    count = 60
    for number in range(count):
        js.stream(f"O{number}", f"o.{number}", storage="memory")
        js.put(f"o.{number}", b"x")
    js.stream("A", storage="memory", sources=[{"name": f"O{number}"} for number in range(count)])
    has(js, "A", count)
    for number in range(count):
        js.put(f"o.{number}", b"y")
    has(js, "A", 2 * count)
    assert js.ok("STREAM.INFO.A", {"subjects_filter": ">"})["state"]["subjects"] == {
        f"o.{number}": 2 for number in range(count)
    }
    assert {one["lag"] for one in js.ok("STREAM.INFO.A")["sources"]} == {0}


def test_a_chain(account):
    # spec: JS-081
    js = account()
    js.stream("O", "o")
    js.stream("B", sources=[{"name": "O"}])
    js.stream("C", sources=[{"name": "B"}])
    js.stream("M", mirror={"name": "C"})
    js.put("o", b"1")
    has(js, "M", 1)
    assert source_of(js, "M", 1).split(" ")[:2] == ["B", "1"]
    assert data(js, "M") == [b"1"]
