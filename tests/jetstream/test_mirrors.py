"""Mirrors and sources, within an account and across accounts."""

from __future__ import annotations

import base64
import json

import pytest

from harness.jetstream import API, Client
from harness.server import wait_for
from jetstream.conftest import jetstream_config, login



@pytest.fixture(params=["file", "memory"])
def js(request, account) -> Client:
    """An origin O of five messages: a b a b a."""
    js = account()
    js.stream("O", "o.>", storage=request.param)
    js.storage = request.param
    for number, subject in enumerate("ababa", 1):
        js.put(f"o.{subject}", b"%d" % number, {"N": str(number)})
    return js


def has(js: Client, stream: str, count: int) -> dict:
    return wait_for(f"{count} in {stream}", lambda: (s := js.state(stream))["messages"] == count and s)


def content(js: Client, stream: str, count: int) -> list[tuple[int, str, bytes]]:
    has(js, stream, count)
    js.consumer(stream, "reader", ack_policy="none")
    return [(message.seq, message.subject, message.data) for message in js.fetch(stream, "reader", count)]


def test_a_mirror(js):
    # spec: JS-052 JS-113
    js.stream("M", storage=js.storage, mirror={"name": "O"})
    assert content(js, "M", 5) == [(n, f"o.{'ab'[(n + 1) % 2]}", b"%d" % n) for n in range(1, 6)]
    one = js.ok("STREAM.MSG.GET.O", {"seq": 2})["message"]
    assert js.ok("STREAM.MSG.GET.M", {"seq": 2})["message"] == one
    js.put("o.c", b"6")
    assert has(js, "M", 6)["last_seq"] == 6
    mirror = js.ok("STREAM.INFO.M")["mirror"]
    assert (mirror["name"], mirror["lag"]) == ("O", 0)
    assert mirror["active"] >= 0


def test_a_mirror_keeps_the_numbers_of_its_origin(js):
    # spec: JS-052
    js.ok("STREAM.MSG.DELETE.O", {"seq": 2})
    js.ok("STREAM.MSG.DELETE.O", {"seq": 3})
    js.stream("M", storage=js.storage, mirror={"name": "O"})
    assert [seq for seq, _, _ in content(js, "M", 3)] == [1, 4, 5]
    # What is deleted later stays in the mirror.
    js.ok("STREAM.PURGE.O")
    assert js.put("o.a", b"6") == 6
    assert has(js, "M", 4)["last_seq"] == 6


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"opt_start_seq": 4}, [(4, "o.b"), (5, "o.a")]),
        ({"filter_subject": "o.b"}, [(2, "o.b"), (4, "o.b")]),
        ({"subject_transforms": [{"src": "o.b", "dest": "t.b"}]}, [(2, "t.b"), (4, "t.b")]),
        (
            {"subject_transforms": [{"src": "o.a", "dest": "x.a"}, {"src": "o.b", "dest": "y.b"}]},
            [(1, "x.a"), (2, "y.b"), (3, "x.a"), (4, "y.b"), (5, "x.a")],
        ),
    ],
)
def test_a_part_of_the_origin(config, wanted, js):
    # spec: JS-053
    js.stream("M", storage=js.storage, mirror={"name": "O", **config})
    assert [(seq, subject) for seq, subject, _ in content(js, "M", len(wanted))] == wanted


def test_nobody_publishes_to_a_mirror(js):
    # spec: JS-052
    js.stream("M", mirror={"name": "O"})
    has(js, "M", 5)
    assert js.request("M", b"x").status == "503"


def test_a_mirror_that_was_there_first(account):
    # spec: JS-115
    js = account()
    js.stream("M", mirror={"name": "O"})
    assert js.ok("STREAM.INFO.M")["mirror"]["active"] == -1
    js.stream("O", "o")
    js.put("o")
    has(js, "M", 1)


def test_promotion(js):
    # spec: JS-052 NEW-005
    js.stream("M", storage=js.storage, mirror={"name": "O"})
    has(js, "M", 5)
    js.ok("STREAM.DELETE.O")
    js.ok("STREAM.UPDATE.M", {"name": "M", "storage": js.storage, "subjects": ["o.>"]})
    assert js.put("o.a", b"6") == 6
    assert "mirror" not in js.ok("STREAM.INFO.M")["config"]


def test_sources(js):
    # spec: JS-053 JS-081 JS-113
    js.stream("P", "p.>", storage=js.storage)
    js.put("p.a", b"p")
    js.stream("A", "own", storage=js.storage, sources=[{"name": "O"}, {"name": "P"}])
    js.put("own", b"own")
    got = content(js, "A", 7)
    assert [seq for seq, _, _ in got] == list(range(1, 8))
    assert sorted(data for _, _, data in got) == [b"1", b"2", b"3", b"4", b"5", b"own", b"p"]
    js.consumer("A", "o", filter_subject="o.>")
    message = js.fetch("A", "o")[0]
    name, seq, filtered, transformed, subject, *_ = message.headers["Nats-Stream-Source"].split(" ")
    assert (name, seq, filtered, transformed, subject) == ("O", "1", ">", ">", "o.a")
    assert message.headers["N"] == "1"
    infos = {one["name"]: one for one in js.ok("STREAM.INFO.A")["sources"]}
    assert {name: (one["lag"], one["seq"]) for name, one in infos.items()} == {"O": (0, 5), "P": (0, 1)}
    # Who copies is not shown among those who consume.
    assert (js.state("O")["consumer_count"], js.ok("CONSUMER.NAMES.O")["consumers"]) == (0, [])
    js.put("p.b", b"later")
    has(js, "A", 8)


def test_a_part_of_a_source(js):
    # spec: JS-053 JS-081
    transforms = [{"src": "o.*", "dest": "t.{{wildcard(1)}}"}]
    js.stream("A", storage=js.storage, sources=[{"name": "O", "subject_transforms": transforms, "opt_start_seq": 2}])
    got = content(js, "A", 4)
    assert [(seq, subject, data) for seq, subject, data in got] == [
        (1, "t.b", b"2"),
        (2, "t.a", b"3"),
        (3, "t.b", b"4"),
        (4, "t.a", b"5"),
    ]


def test_a_source_is_removed_and_added(js):
    # spec: JS-057
    js.stream("P", "p", storage=js.storage)
    js.stream("A", "own", storage=js.storage, sources=[{"name": "O", "filter_subject": "o.b"}])
    has(js, "A", 2)
    js.update("A", sources=[{"name": "P"}])
    js.put("o.b")
    js.put("p")
    has(js, "A", 3)
    js.update("A", sources=[{"name": "P"}, {"name": "O", "filter_subject": "o.c"}])
    js.put("o.c")
    has(js, "A", 4)


def test_a_counter_of_counters(account):
    # spec: JS-069 JS-046
    js = account()
    for name in ("A", "B"):
        js.stream(name, f"{name}.>", allow_msg_counter=True)
    transforms = {name: [{"src": f"{name}.>", "dest": "all.>"}] for name in "AB"}
    sources = [{"name": name, "subject_transforms": transforms[name]} for name in "AB"]
    js.stream("T", "all.>", allow_msg_counter=True, sources=sources)
    js.publish("A.x", b"", {"Nats-Incr": "5"})
    js.publish("B.x", b"", {"Nats-Incr": "7"})
    js.publish("A.x", b"", {"Nats-Incr": "1"})
    has(js, "T", 3)
    message = js.ok("STREAM.MSG.GET.T", {"last_by_subj": "all.x"})["message"]
    assert base64.b64decode(message["data"]) == b'{"val":"13"}'
    block = dict(line.split(": ", 1) for line in base64.b64decode(message["hdrs"]).decode().split("\r\n")[1:-2])
    assert json.loads(block["Nats-Counter-Sources"]) == {"A": {"A.x": "6"}, "B": {"B.x": "7"}}
    # What an origin counts to is what counts, whatever is missed on the way.
    js.ok("STREAM.PURGE.T")
    js.publish("A.x", b"", {"Nats-Incr": "-2"})
    has(js, "T", 1)
    message = js.ok("STREAM.MSG.GET.T", {"last_by_subj": "all.x"})["message"]
    assert base64.b64decode(message["data"]) == b'{"val":"4"}'


# --- across accounts ----------------------------------------------------------------------------

SHARED = """
accounts {
  A { jetstream: enabled, users: [ { user: a, password: p } ]
      exports: [ { service: "$JS.API.CONSUMER.>", response_type: stream }, { service: "$JS.FC.>" },
                 { stream: "deliver.>" } ] }
  B { jetstream: enabled, users: [ { user: b, password: p } ]
      imports: [ { service: { account: A, subject: "$JS.API.CONSUMER.>" }, to: "JS.A.CONSUMER.>" },
                 { service: { account: A, subject: "$JS.FC.>" } },
                 { stream: { account: A, subject: "deliver.>" } } ] }
}
"""


@pytest.mark.parametrize("kind", ["mirror", "source"])
def test_from_another_account(kind, start):
    # spec: JS-053 JS-081
    server = start(jetstream_config(rest=SHARED))
    with login(server, user="a", **{"pass": "p"}) as a, login(server, user="b", **{"pass": "p"}) as b:
        a.stream("O", "o.>")
        for number in range(3):
            a.put("o.x", b"%d" % number)
        origin = {"name": "O", "external": {"api": "JS.A", "deliver": "deliver.b"}}
        b.stream("M", **({"mirror": origin} if kind == "mirror" else {"sources": [origin]}))
        has(b, "M", 3)
        info = b.ok("STREAM.INFO.M")
        info = info["mirror"] if kind == "mirror" else info["sources"][0]
        assert info["external"] == {"api": "JS.A", "deliver": "deliver.b"}
        a.put("o.y", b"more")
        has(b, "M", 4)
        message = b.ok("STREAM.MSG.GET.M", {"seq": 4})["message"]
        assert message["subject"] == "o.y"
        if kind == "source":
            origin, *rest = base64.b64decode(message["hdrs"]).decode().split("Nats-Stream-Source: ")[1].split(" ")
            assert (origin[:2], len(origin), rest[:4]) == ("O:", 10, ["4", ">", ">", "o.y"])


@pytest.mark.parametrize("kind", ["mirror", "source"])
def test_a_reload_does_not_cut_it_off(kind, start):
    # spec: JS-053 SEC-046
    config = jetstream_config(rest=SHARED)
    server = start(config)
    with login(server, user="a", **{"pass": "p"}) as a, login(server, user="b", **{"pass": "p"}) as b:
        a.stream("O", "o")
        a.put("o", b"1")
        origin = {"name": "O", "external": {"api": "JS.A", "deliver": "deliver.b"}}
        b.stream("M", **({"mirror": origin} if kind == "mirror" else {"sources": [origin]}))
        has(b, "M", 1)
        more = "C { users: [ { user: c, password: p } ], exports: [ { stream: other } ] }\n}\n"
        wider = '{ stream: { account: A, subject: "deliver.>" } }, { stream: { account: C, subject: other } } ] }'
        changed = config.replace('{ stream: { account: A, subject: "deliver.>" } } ] }', wider)
        server.reload(changed.rstrip().removesuffix("}") + more)
        a.put("o", b"2")
        has(b, "M", 2)
        assert [data for _, _, data in content(b, "M", 2)] == [b"1", b"2"]


# --- identity -----------------------------------------------------------------------------------


def identity(js: Client) -> str:
    """What a stream that sources from O notes as the identity of O."""
    js.stream("A", "a", sources=[{"name": "O"}])
    js.consumer("A", "reader", ack_policy="none")
    tokens = js.fetch("A", "reader")[0].headers["Nats-Stream-Source"].split(" ")
    js.ok("STREAM.DELETE.A")
    return tokens[5]


def test_who_copies_counts_for_no_bound_of_consumers(js):
    # spec: JS-113 JS-127
    js.stream("O1", "o1.>", max_consumers=1)
    js.consumer("O1", "c")
    assert js.error_code("CONSUMER.CREATE.O1.d", {"stream_name": "O1", "config": {"name": "d"}}) == 10026
    js.stream("M1", mirror={"name": "O1"})
    js.stream("A1", sources=[{"name": "O1"}])
    js.put("o1.a")
    for name in ("M1", "A1"):
        wait_for(f"the copy in {name}", lambda name=name: js.state(name)["messages"] == 1)


def test_the_identity_of_a_stream(js):
    # spec: JS-081 JS-099 JS-366 NEW-036
    known = identity(js)
    assert len(known) == 8
    assert identity(js) == known
    config = {"name": "c", "deliver_subject": "d", "ack_policy": "none", "direct": True}
    body = {"stream_name": "O", "config": config}
    wrong = js.api("CONSUMER.CREATE.O.c", body, {"Nats-Stream-Identity": "wrong"})
    assert wrong["error"] == {
        "code": 400,
        "err_code": 10225,
        "description": f"consumer's stream identity does not match: {known}",
    }
    js.ok("CONSUMER.CREATE.O.c", body, {"Nats-Stream-Identity": known})
    durable = {"stream_name": "O", "config": {"durable_name": "d", "ack_policy": "none", "sourcing": True}}
    made = js.request(API + "CONSUMER.DURABLE.CREATE.O.d", durable)
    assert made.headers == {"Nats-Stream-Identity": known}
    # Only those who source are asked.
    plain = {"stream_name": "O", "config": {"durable_name": "p", "ack_policy": "explicit"}}
    js.ok("CONSUMER.CREATE.O.p", plain, {"Nats-Stream-Identity": "wrong"})
    js.ok("STREAM.DELETE.O")
    js.stream("O", "o.>")
    js.put("o.a")
    assert identity(js) != known
