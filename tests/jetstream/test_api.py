"""The API: recorded answers, paging, exact text, advisories, counters."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest

from harness.answers import differences, parse, play, prepare
from harness.jetstream import API, ID, TIME, error_of
from harness.server import wait_for
from jetstream.conftest import jetstream_config, login

FILES = sorted((Path(__file__).parent / "answers").glob("*.txt"))
BLOCKS = [
    pytest.param(
        *(blocks, block), id=f"{file.stem}-{block.name}", marks=[pytest.mark.later(block.later)] if block.later else []
    )
    for file in FILES
    for blocks in [parse(file.read_text())]
    for block in blocks
    if not block.head.startswith("setup")
]


@pytest.mark.parametrize(("blocks", "block"), BLOCKS)
def test_answers(blocks, block, js):
    prepare(js, blocks)
    found = []
    for step in block.steps:
        lines = differences(step.answer, play(js, step))
        found += [step.line[:300], *("  " + line for line in lines)] if lines else []
    if found:
        pytest.fail("\n".join([block.head, *found]), pytrace=False)


# --- exact text ---------------------------------------------------------------------------------


def test_the_order_of_fields_and_the_escapes(js):
    # spec: JS-009 JS-004 JS-016 JS-059
    config = {"name": "S", "subjects": ["s.>"], "storage": "memory", "description": "<&>\u2028é\"\\/"}
    text = js.request(API + "STREAM.CREATE.S", config).text
    assert text.startswith(
        '{"type":"io.nats.jetstream.api.v1.stream_create_response","config":{"name":"S",'
        '"description":"\\u003c\\u0026\\u003e\\u2028é\\"\\\\/","subjects":["s.\\u003e"],"retention":"limits",'
        '"max_consumers":-1,"max_msgs":-1,"max_bytes":-1,"max_age":0,"max_msgs_per_subject":-1,"max_msg_size":-1,'
        '"discard":"old","storage":"memory","num_replicas":1,"duplicate_window":120000000000,"compression":"none",'
    )
    assert text.endswith('Z","did_create":true}')
    error = js.request(API + "STREAM.INFO.T").text
    assert error.startswith(
        '{"type":"io.nats.jetstream.api.v1.stream_info_response",'
        '"error":{"code":404,"err_code":10059,"description":"stream not found"}'
    )
    gone = js.request(API + "STREAM.DELETE.S").text
    assert gone == '{"type":"io.nats.jetstream.api.v1.stream_delete_response","success":true}'


TYPES = {
    "INFO": "account_info",
    "STREAM.CREATE.T": "stream_create",
    "STREAM.UPDATE.T": "stream_update",
    "STREAM.NAMES": "stream_names",
    "STREAM.LIST": "stream_list",
    "STREAM.INFO.T": "stream_info",
    "STREAM.DELETE.T": "stream_delete",
    "STREAM.PURGE.T": "stream_purge",
    "STREAM.MSG.DELETE.T": "stream_msg_delete",
    "STREAM.MSG.GET.T": "stream_msg_get",
    "STREAM.SNAPSHOT.T": "stream_snapshot",
    "STREAM.RESTORE.T": "stream_restore",
    "STREAM.PEER.REMOVE.T": "stream_remove_peer",
    "STREAM.PEER.EVACUATE.T": "stream_evacuate_peer",
    "STREAM.CANCEL_MOVE.T": "stream_cancel_move",
    "STREAM.LEADER.STEPDOWN.T": "stream_leader_stepdown",
    "CONSUMER.CREATE.T": "consumer_create",
    "CONSUMER.CREATE.T.c": "consumer_create",
    "CONSUMER.DURABLE.CREATE.T.c": "consumer_create",
    "CONSUMER.NAMES.T": "consumer_names",
    "CONSUMER.LIST.T": "consumer_list",
    "CONSUMER.INFO.T.c": "consumer_info",
    "CONSUMER.DELETE.T.c": "consumer_delete",
    "CONSUMER.PAUSE.T.c": "consumer_pause",
    "CONSUMER.UNPIN.T.c": "consumer_unpin",
    "CONSUMER.LEADER.STEPDOWN.T.c": "consumer_leader_stepdown",
    "CONSUMER.PEER.EVACUATE.T.c": "consumer_evacuate_peer",
    "CONSUMER.PEER.REMOVE.T.c": "consumer_remove_peer",
}


@pytest.mark.parametrize("subject", TYPES)
def test_types(subject, js):
    # spec: JS-004 JS-016 JS-018 JS-019 JS-021 JS-026 JS-028
    answer = js.request(API + subject).json
    assert answer["type"] == f"io.nats.jetstream.api.v1.{TYPES[subject]}_response"


@pytest.mark.parametrize(
    "subject",
    [
        *("META.LEADER.STEPDOWN", "SERVER.REMOVE", "SERVER.EVACUATE", "META.RESCUE", "ACCOUNT.PURGE.A"),
        *("ACCOUNT.STREAM.MOVE.A.S", "ACCOUNT.STREAM.CANCEL_MOVE.A.S", "STREAM.TEMPLATE.CREATE.T", "NOTHING.SUCH"),
        *("STREAM.CREATE", "CONSUMER.INFO.S", "STREAM.INFO.S.x"),
    ],
)
def test_what_nobody_answers(subject, js):
    # spec: JS-010 JS-015 JS-035 JS-036 JS-038
    reply = js.new_inbox()
    js.send(API + subject, b"", reply=reply)
    for _ in range(3):
        js.api("STREAM.NAMES")
    came = [message for message in js.inbox.queue if message.subject == reply]
    assert [message for message in came if message.status != "503"] == []


# --- pages --------------------------------------------------------------------------------------


def test_pages_of_streams(alone):
    # spec: JS-008 JS-019
    _, js = alone()
    acks = js.subscribe("acks")
    for number in range(300):
        js.send(API + f"STREAM.CREATE.S{number:03}", {"name": f"S{number:03}", "storage": "memory"}, reply="acks")
    acks.take(300)
    names = js.ok("STREAM.NAMES")
    assert (names["total"], names["offset"], names["limit"]) == (300, 0, 1024)
    assert names["streams"] == [f"S{number:03}" for number in range(300)]
    page = js.ok("STREAM.LIST")
    assert (page["total"], page["offset"], page["limit"], len(page["streams"])) == (300, 0, 256, 256)
    page = js.ok("STREAM.LIST", {"offset": 256})
    assert (page["total"], page["offset"]) == (300, 256)
    assert [one["config"]["name"] for one in page["streams"]] == [f"S{number:03}" for number in range(256, 300)]
    assert js.ok("STREAM.NAMES", {"offset": 299})["streams"] == ["S299"]


def test_pages_of_consumers(js):
    # spec: JS-008 JS-028
    js.stream("S", "s")
    acks = js.subscribe("acks")
    for number in range(260):
        config = {"durable_name": f"c{number:03}", "ack_policy": "none"}
        js.send(API + f"CONSUMER.CREATE.S.c{number:03}", {"stream_name": "S", "config": config}, reply="acks")
    acks.take(260)
    assert js.ok("CONSUMER.NAMES.S")["consumers"] == [f"c{number:03}" for number in range(260)]
    assert len(js.ok("CONSUMER.LIST.S")["consumers"]) == 256
    page = js.ok("CONSUMER.LIST.S", {"offset": 256})
    assert [one["name"] for one in page["consumers"]] == [f"c{number:03}" for number in range(256, 260)]


def test_deleted_messages_and_subjects(js):
    # spec: JS-020 JS-059
    js.stream("S", "s.>")
    for number in range(10):
        js.put(f"s.{number % 3}")
    for seq in (2, 3, 5, 10):
        js.ok("STREAM.MSG.DELETE.S", {"seq": seq})
    state = js.ok("STREAM.INFO.S", {"deleted_details": True, "subjects_filter": "s.*"})["state"]
    assert (state["deleted"], state["num_deleted"], state["messages"]) == ([2, 3, 5, 10], 4, 6)
    assert state["subjects"] == {"s.0": 3, "s.1": 1, "s.2": 2}
    assert state["last_seq"] == 10
    # An offset comes back as it was asked for, wherever the subjects end.
    for offset, left in ((1, 2), (3, None), (9, None)):
        info = js.ok("STREAM.INFO.S", {"subjects_filter": ">", "offset": offset})
        shown = info["state"].get("subjects")
        assert (info["total"], info["offset"], shown and len(shown)) == (3, offset, left)
    assert js.state("S").get("deleted") is None and js.state("S")["num_deleted"] == 4


# --- levels, counters, advisories ---------------------------------------------------------------


@pytest.mark.parametrize("subject", ["INFO", "STREAM.NAMES", "STREAM.INFO.S", "CONSUMER.INFO.S.c", "STREAM.CREATE.S"])
def test_required_level(subject, js):
    # spec: JS-007
    for level in ("99", "x"):
        answer = js.api(subject, headers={"Nats-Required-Api-Level": level})
        assert answer["error"] == {
            "code": 412,
            "err_code": 10185,
            "description": "JetStream minimum api level required",
        }
    for level in ("0", "1", "-1", ""):
        answer = js.api(subject, headers={"Nats-Required-Api-Level": level})
        assert answer.get("error", {}).get("err_code") != 10185, level


def test_account_info(js):
    # spec: JS-016
    js.stream("F", "f", storage="file", max_bytes=10_000)
    js.stream("M", "m", max_bytes=20_000)
    js.consumer("M", "c")
    js.put("f", b"x" * 1000)
    js.put("m", b"x" * 2000)
    info = js.ok("INFO")
    assert (info["streams"], info["consumers"]) == (2, 1)
    assert (info["reserved_storage"], info["reserved_memory"]) == (10_000, 20_000)
    assert 1000 < info["storage"] < 1100 and 2000 < info["memory"] < 2100
    assert info["storage"] == js.state("F")["bytes"] and info["memory"] == js.state("M")["bytes"]
    before = info["api"]
    js.api("STREAM.INFO.NOPE")
    js.ok("STREAM.NAMES")
    after = js.ok("INFO")["api"]
    assert after["errors"] == before["errors"] + 1
    assert after["total"] >= before["total"] + 2
    js.ok("STREAM.DELETE.F")
    js.ok("STREAM.PURGE.M")
    info = js.ok("INFO")
    assert (info["streams"], info["storage"], info["memory"], info["reserved_storage"]) == (1, 0, 0, 0)


def test_what_is_counted_and_told(js):
    # spec: JS-013 JS-016 JS-022 JS-023 JS-031
    audit = js.subscribe("$JS.EVENT.ADVISORY.API")
    js.stream("S", "s")
    js.put("s")
    js.consumer("S", "c")
    before = js.ok("INFO")["api"]
    # A message that is there, and what is asked of a consumer itself, are no requests of the API.
    js.ok("STREAM.MSG.GET.S", {"seq": 1})
    js.ok("CONSUMER.RESET.S.c")
    assert js.error_code("STREAM.MSG.GET.S", {"seq": 2}) == 10037
    # What is not there cannot be deleted, which is no error of a request.
    assert js.error_code("STREAM.MSG.DELETE.S", {"seq": 2}) == 10043
    assert js.error_code("STREAM.MSG.DELETE.S", "") == 10003
    after = js.ok("INFO")["api"]
    assert (after["total"] - before["total"], after["errors"] - before["errors"]) == (4, 2)
    subjects = [message.json["subject"] for message in audit.take(7)]
    kinds = ["STREAM.CREATE.S", "CONSUMER.CREATE.S.c", "INFO", "STREAM.MSG.GET.S", "STREAM.MSG.DELETE.S", "STREAM.MSG.DELETE.S", "INFO"]
    assert sorted(subjects) == sorted(API + kind for kind in kinds)


def test_audit(alone):
    # spec: JS-013 JS-139 JS-141
    _, js = alone()
    audit = js.subscribe("$JS.EVENT.ADVISORY.API")
    body = {"name": "S", "storage": "memory"}
    answer = js.request(API + "STREAM.CREATE.S", body)
    advisory = audit.next().json
    assert list(advisory) == ["type", "id", "timestamp", "server", "client", "subject", "request", "response"]
    assert (advisory["type"], advisory["id"], advisory["timestamp"]) == (
        "io.nats.jetstream.advisory.v1.api_audit",
        ID,
        TIME,
    )
    assert (advisory["server"], advisory["subject"]) == ("js", API + "STREAM.CREATE.S")
    assert (json.loads(advisory["request"]), json.loads(advisory["response"])) == (body, answer.json)
    assert {"start", "host", "id", "acc", "server", "kind", "client_type"} <= set(advisory["client"])
    js.request(API + "STREAM.INFO.T")
    assert json.loads(audit.next().json["response"])["error"]["err_code"] == 10059


def test_advisories_of_streams_and_consumers(js):
    # spec: JS-139 JS-141
    events = js.subscribe("$JS.EVENT.ADVISORY.*.*.>")
    js.stream("S", "s")
    js.update("S", max_msgs=5)
    js.consumer("S", "c")
    js.ok("CONSUMER.DELETE.S.c")
    js.consumer("S", "c")
    js.ok("STREAM.DELETE.S")
    got = events.take(7)
    assert [message.subject.removeprefix("$JS.EVENT.ADVISORY.") for message in got] == [
        "STREAM.CREATED.S",
        "STREAM.UPDATED.S",
        "CONSUMER.CREATED.S.c",
        "CONSUMER.DELETED.S.c",
        "CONSUMER.CREATED.S.c",
        "CONSUMER.DELETED.S.c",
        "STREAM.DELETED.S",
    ]
    common = {"id": ID, "timestamp": TIME, "stream": "S"}
    stream = {"type": "io.nats.jetstream.advisory.v1.stream_action", **common}
    consumer = {"type": "io.nats.jetstream.advisory.v1.consumer_action", **common, "consumer": "c"}
    assert [message.json for message in got] == [
        {**stream, "action": "create"},
        {**stream, "action": "modify"},
        {**consumer, "action": "create"},
        {**consumer, "action": "delete"},
        {**consumer, "action": "create"},
        {**consumer, "action": "delete"},
        {**stream, "action": "delete"},
    ]


def test_advisories_can_be_stored(js):
    # spec: JS-142 JS-051 JS-378
    js.stream("E", "$JS.EVENT.ADVISORY.STREAM.>")
    js.stream("S", "s")
    wait_for("the advisory", lambda: js.state("E")["messages"] >= 1)


# --- where JetStream is not ---------------------------------------------------------------------


def test_an_account_is_purged(start):
    # spec: JS-036 JS-015 JS-013
    users = "jetstream: enabled, users: [ { user: @, password: p } ]"
    accounts = "\n".join(f"{name} {{ {users.replace('@', name.lower())} }}" for name in "AB")
    rest = f"accounts {{\n{accounts}\nSYS {{ users: [ {{ user: s, password: p }} ] }} }}\nsystem_account: SYS\n"
    server = start(jetstream_config(rest=rest))
    with contextlib.ExitStack() as stack:
        a, b, system = (stack.enter_context(login(server, user=user, **{"pass": "p"})) for user in "abs")
        for js in (a, b):
            js.stream("F", "f", storage="file")
            js.stream("M", "m")
            js.consumer("F", "c")
            js.put("f")
        told, audit = a.subscribe("$JS.EVENT.ADVISORY.*.DELETED.>"), system.subscribe("$JS.EVENT.ADVISORY.API")
        # Only the system account may, of whatever account.
        answer = {"type": "io.nats.jetstream.api.v1.account_purge_response", "initiated": True}
        for account in ("A", "A", "NONE"):
            assert system.request(API + f"ACCOUNT.PURGE.{account}").json == answer
            seen = audit.next().json
            assert (seen["subject"], json.loads(seen["response"])) == (f"$JS.API.ACCOUNT.PURGE.{account}", answer)
            assert seen["client"] == {}
        subjects = {message.subject.removeprefix("$JS.EVENT.ADVISORY.") for message in told.take(3)}
        assert subjects == {"STREAM.DELETED.F", "STREAM.DELETED.M", "CONSUMER.DELETED.F.c"}
        assert (a.ok("STREAM.NAMES")["streams"], b.ok("STREAM.NAMES")["streams"]) == (None, ["F", "M"])
        assert not [path for path in server.directory.rglob("store/*/A/streams/*") if path.is_dir()]
        a.stream("F", "f", storage="file")
        assert (a.put("f"), b.put("f")) == (1, 2)
        server.stop()
        server.restart()
    with login(server, user="a", **{"pass": "p"}) as a:
        assert a.ok("STREAM.NAMES")["streams"] == ["F"]


def test_an_account_without(start):
    # spec: JS-136 JS-180
    users = "jetstream: enabled, users: [ { user: a, password: a } ]"
    rest = f"accounts {{ A {{ {users} }}, B {{ users: [ {{ user: b, password: b }} ] }} }}\n"
    server = start(jetstream_config(rest=rest))
    with login(server, user="b", **{"pass": "b"}) as other:
        answer = other.request(API + "INFO")
        assert answer.status == "503" or error_of(answer.json) == (503, 10039, "JetStream not enabled for account")


def test_a_server_without(start):
    # spec: JS-136
    with login(start()) as js:
        assert js.request(API + "INFO").status == "503"


@pytest.mark.parametrize("prefix", ["$JS.API.", "$JS.hub.API."])
def test_domain(prefix, alone):
    # spec: JS-002 JS-016 JS-062
    _, js = alone(", domain: hub")
    assert js.request(prefix + "INFO").json["domain"] == "hub"
    created = js.request(prefix + "STREAM.CREATE.S", {"name": "S", "subjects": ["s"], "allow_direct": True}).json
    assert "domain" not in created
    assert js.request(prefix + "STREAM.INFO.S").json["domain"] == "hub"
    assert js.request("s", b"x").data == b'{"stream":"S","domain":"hub","seq":1}'
    assert js.request(prefix + "STREAM.MSG.GET.S", {"seq": 1}).json["message"]["seq"] == 1
    assert js.request(prefix + "DIRECT.GET.S", {"seq": 1}).data == b"x"
    config = {"durable_name": "c", "ack_policy": "explicit"}
    js.request(prefix + "CONSUMER.CREATE.S.c", {"stream_name": "S", "config": config})
    js.send(prefix + "CONSUMER.MSG.NEXT.S.c", b"", reply=js.new_inbox())
    assert js.inbox.next().data == b"x"
    assert "domain" not in js.request(prefix + "CONSUMER.INFO.S.c").json


def test_the_system_account_sees_requests_and_asks_by_the_domain(start):
    # spec: JS-003 NEW-040 CLU-097
    accounts = "accounts { A { jetstream: enabled, users: [ { user: a, password: p } ] }\n"
    accounts += "SYS { users: [ { user: s, password: p } ] } }\nsystem_account: SYS\n"
    server = start(jetstream_config(", domain: hub", accounts))
    with login(server, user="a", **{"pass": "p"}) as js, login(server, user="s", **{"pass": "p"}) as system:
        seen = system.subscribe("$JS.API.>")
        js.ok("INFO")
        request = seen.next()
        assert request.subject == "$JS.API.INFO"
        assert re.fullmatch(r"_R_(\.\w{6,10}){2}", request.reply)
        assert json.loads(request.headers["Nats-Request-Info"])["acc"] == "A"
        answers = [system.request(f"$JS.{prefix}API.INFO").json for prefix in ("", "hub.")]
        # It has no streams itself.
        assert answers[0] == answers[1]
        assert answers[0]["error"]["err_code"] == 10039
