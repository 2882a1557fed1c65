"""Options of the jetstream block and what they change, and where they are shown."""

from __future__ import annotations

import pytest

from harness.jetstream import API
from harness.server import wait_for
from jetstream.conftest import jetstream_config, login


def test_strict_or_not(alone):
    # spec: JS-005 NEW-001
    _, strict = alone()
    _, lax = alone(", strict: false")
    body = {"name": "S", "storage": "memory", "foo": 1}
    assert strict.error("STREAM.CREATE.S", body) == (400, 10025, 'invalid JSON: json: unknown field "foo"')
    lax.ok("STREAM.CREATE.S", body)
    lax.ok("CONSUMER.CREATE.S.c", {"stream_name": "S", "config": {"durable_name": "c", "bar": 2}})
    lax.ok("STREAM.INFO.S", {"foo": 1})
    assert lax.error_code("STREAM.INFO.S", b"{") == 10025


def test_feature_flags(alone):
    # spec: NEW-026 NEW-044 NEW-046 JS-135
    server, _ = alone(rest="feature_flags { js_ack_fc_v2: true, js_api_reply_v2: true }\n", monitor=True)
    assert server.get_json("/varz")["feature_flags"] == {
        "js_ack_fc_v2": True,
        "js_api_reply_v2": True,
        "js_raft_delete_range": True,
        "js_snapshot_sources": False,
    }


def test_limits_of_batches(alone):
    # spec: NEW-013 JS-073 CFG-417 CFG-419
    _, js = alone(", limits { batch { max_inflight_per_stream: 2, max_msgs: 3 } }")
    js.stream("S", "s", allow_atomic=True)

    def put(batch: str, seq: int) -> bytes:
        return js.request("s", b"x", {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(seq)}).data

    for seq in (1, 2, 3):
        assert put("a", seq) == b""
    assert b'"err_code":10199,"description":"atomic publish batch is too large: 3"' in put("a", 4)
    assert put("b", 1) == put("c", 1) == b""
    assert b'"err_code":10210' in put("d", 1)


def test_what_info_says_of_jetstream(alone, start):
    # spec: NEW-009 JS-016
    _, js = alone()
    info = js.link.info
    assert (info["jetstream"], info["api_lvl"]) == (True, js.ok("INFO")["api"]["level"])
    assert info["api_lvl"] == 5
    with login(start()) as plain:
        assert not plain.link.info.get("jetstream")


def test_where_it_is_stored(alone):
    # spec: CLI-006 CLI-012 JS-119
    server, js = alone(monitor=True)
    js.stream("S", "s", storage="file")
    where = server.get_json("/jsz")["config"]["store_dir"]
    assert where.startswith(str(server.directory / "store"))
    server.wait_log(r'Store Directory: +"')


def test_usage_of_an_account(alone):
    # spec: JS-016 CLI-012
    server, js = alone(monitor=True)
    js.stream("F", "f", storage="file")
    js.stream("M", "m")
    js.consumer("F", "c")
    for _ in range(3):
        js.put("f", b"x" * 100)
    js.put("m", b"y")
    jsz = server.get_json("/jsz?streams=true&consumers=true&config=true")
    assert (jsz["streams"], jsz["consumers"], jsz["messages"]) == (2, 1, 4)
    assert (jsz["storage"], jsz["memory"]) == (js.state("F")["bytes"], js.state("M")["bytes"])
    account = jsz["account_details"][0]
    streams = {one["name"]: one for one in account["stream_detail"]}
    assert streams["F"]["state"]["messages"] == 3
    assert streams["F"]["consumer_detail"][0]["num_pending"] == 3
    assert streams["M"]["config"]["storage"] == "memory"


@pytest.mark.parametrize("flag", [["-js", "-sd", "$DIR/store"], ["--jetstream", "--store_dir", "$DIR/store"]])
def test_by_flags_alone(flag, start, tmp_path):
    # spec: CLI-002
    directory = tmp_path / "flags"
    server = start(directory=directory, flags=[part.replace("$DIR", str(directory)) for part in flag])
    with login(server) as js:
        js.stream("S", "s", storage="file")
        assert js.put("s") == 1
        assert (directory / "store").is_dir()


def test_jetstream_by_reload(start):
    # spec: JS-136
    accounts = "accounts {{ A {{ {} users: [ {{ user: a, password: a }} ] }}, B {{ jetstream: enabled }} }}\n"
    server = start(jetstream_config(rest=accounts.format("")))
    with login(server, user="a", **{"pass": "a"}) as js:

        def enabled() -> bool:
            answer = js.request(API + "INFO")
            return not answer.status and "error" not in answer.json

        assert not enabled()
        server.reload(jetstream_config(rest=accounts.format("jetstream: enabled,")))
        wait_for("JetStream", enabled)
        js.stream("S", "s")
        assert js.put("s") == 1
