"""Limits of accounts and of the server."""

from __future__ import annotations

import pytest

from harness.jetstream import API, SECOND, Client
from harness.server import wait_for
from jetstream.conftest import jetstream_config, login

RESOURCES = (400, 10002, "resource limits exceeded for account")


@pytest.fixture
def limited(start):
    """A client of an account with limits: `limited("max_mem: 1MB, …")`."""
    clients = []

    def make(limits: str, extra: str = "") -> Client:
        account = f"A {{ jetstream: {{ {limits} }}, users: [ {{ user: a, password: a }} ] }}"
        server = start(jetstream_config(extra, f"accounts {{ {account} }}\n"))
        clients.append(login(server, user="a", **{"pass": "a"}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def refused(js: Client, subject: str, body: dict) -> tuple[int, int, str]:
    return js.error(subject, body)


def test_what_an_account_is_told(limited):
    # spec: JS-016 JS-126
    limits = "max_mem: 1000000, max_file: 2000000, max_streams: 3, max_consumers: 4, max_bytes_required: true"
    js = limited(f"{limits}, max_ack_pending: 50, memory_max_stream_bytes: 500000, disk_max_stream_bytes: 600000")
    assert js.ok("INFO")["limits"] == {
        "max_memory": 1_000_000,
        "max_storage": 2_000_000,
        "max_streams": 3,
        "max_consumers": 4,
        "max_ack_pending": 50,
        "memory_max_stream_bytes": 500_000,
        "storage_max_stream_bytes": 600_000,
        "max_bytes_required": True,
    }


def test_streams(limited):
    # spec: JS-126 JS-168
    js = limited("max_streams: 2")
    js.stream("A", "a")
    js.stream("B", "b")
    assert refused(js, "STREAM.CREATE.C", {"name": "C"}) == (400, 10027, "maximum number of streams reached")
    js.ok("STREAM.DELETE.A")
    js.stream("C", "c")


def test_consumers(limited):
    # spec: JS-126 JS-167 CFG-256
    js = limited("max_consumers: 2")
    js.stream("S", "s")
    js.consumer("S", "a")
    js.consumer("S", "b")
    body = {"stream_name": "S", "config": {"durable_name": "c", "ack_policy": "none"}}
    wanted = (400, 10026, "maximum consumers limit reached")
    assert refused(js, "CONSUMER.CREATE.S.c", body) == wanted
    # What is there may be created again.
    js.consumer("S", "b")
    js.ok("CONSUMER.DELETE.S.a")
    js.ok("CONSUMER.CREATE.S.c", body)


def test_consumers_of_a_stream(js):
    # spec: JS-039 JS-167
    js.stream("S", "s", max_consumers=1)
    js.consumer("S", "a")
    body = {"stream_name": "S", "config": {"durable_name": "c", "ack_policy": "none"}}
    assert refused(js, "CONSUMER.CREATE.S.c", body)[1] == 10026


def test_consumers_of_a_stream_by_default(alone):
    # spec: JS-127 NEW-045 CLI-015 CFG-416
    for limit, count, wanted in ((3, 4, [10026]), (-1, 1100, [])):
        _, js = alone(f", limits {{ default_max_consumers: {limit} }}")
        assert js.stream("S", "s")["config"]["max_consumers"] == -1
        acks = js.subscribe("acks")
        for number in range(count):
            config = {"durable_name": f"c{number}", "ack_policy": "none"}
            js.send(f"{API}CONSUMER.CREATE.S.c{number}", {"stream_name": "S", "config": config}, reply="acks")
        answers = [message.json for message in acks.take(count)]
        assert [answer["error"]["err_code"] for answer in answers if "error" in answer] == wanted


def test_max_bytes_required(limited):
    # spec: JS-056 JS-254 CFG-257
    js = limited("max_bytes_required: true, max_mem: 1000000")
    wanted = (400, 10113, "account requires a stream config to have max bytes set")
    assert refused(js, "STREAM.CREATE.S", {"name": "S", "storage": "memory"}) == wanted
    js.stream("S", "s", max_bytes=1000)
    assert refused(js, "STREAM.UPDATE.S", {"name": "S", "subjects": ["s"], "storage": "memory"}) == wanted


def test_bytes_of_one_stream(limited):
    # spec: JS-056 JS-263 CFG-258 CFG-259
    js = limited("memory_max_stream_bytes: 1000, disk_max_stream_bytes: 2000, max_mem: 1MB, max_file: 1MB")
    wanted = (400, 10122, "stream max bytes exceeds account limit max stream bytes")
    assert refused(js, "STREAM.CREATE.S", {"name": "S", "storage": "memory", "max_bytes": 1001}) == wanted
    assert refused(js, "STREAM.CREATE.S", {"name": "S", "storage": "file", "max_bytes": 2001}) == wanted
    js.stream("S", "s", storage="file", max_bytes=1500)
    # Without any limit of its own a stream is let in all the same.
    js.stream("T", "t", storage="file")


def test_reserved_bytes(limited):
    # spec: JS-126 JS-169 JS-188 JS-143
    js = limited("max_mem: 10000, max_file: 20000")
    js.stream("M", "m", max_bytes=6000)
    js.stream("F", "f", storage="file", max_bytes=15000)
    memory = refused(js, "STREAM.CREATE.N", {"name": "N", "storage": "memory", "max_bytes": 6000})
    assert memory == (500, 10028, "insufficient memory resources available")
    disk = refused(js, "STREAM.CREATE.G", {"name": "G", "storage": "file", "max_bytes": 6000})
    assert disk == (500, 10047, "insufficient storage resources available")
    js.ok("STREAM.DELETE.M")
    js.stream("N", "n", max_bytes=6000)


@pytest.mark.parametrize("storage", ["file", "memory"])
def test_bytes_of_an_account(storage, limited):
    # spec: JS-126 JS-143
    js = limited("max_mem: 10000, max_file: 10000")
    js.stream("S", "s", storage=storage)
    js.stream("T", "t", storage=storage)
    for _ in range(4):
        js.put("s", b"x" * 2000)
    js.put("t", b"x" * 1000)
    answers = [js.publish("t", b"x" * 2000) for _ in range(2)]
    error = answers[-1]["error"]
    assert (error["code"], error["err_code"], error["description"]) == RESOURCES
    js.ok("STREAM.PURGE.S")
    js.put("t", b"x" * 2000)


def test_ack_pending(limited):
    # spec: JS-126 JS-262
    js = limited("max_ack_pending: 50")
    js.stream("S", "s")
    body = {"stream_name": "S", "config": {"durable_name": "c", "ack_policy": "explicit", "max_ack_pending": 51}}
    wanted = (400, 10121, "consumer max ack pending exceeds system limit of 50")
    assert refused(js, "CONSUMER.CREATE.S.c", body) == wanted
    assert js.consumer("S", "d")["config"]["max_ack_pending"] == 50


def test_limits_of_the_server(alone):
    # spec: JS-039 JS-126 CFG-412 CFG-414 CFG-415
    limits = 'max_ack_pending: 100, max_request_batch: 7, duplicate_window: "10s", max_ha_assets: 5'
    _, js = alone(f", limits {{ {limits} }}")
    created = js.stream("S", "s")["config"]
    assert created["duplicate_window"] == 10 * SECOND
    body = {"stream_name": "S", "config": {"durable_name": "c", "ack_policy": "explicit"}}
    config = js.ok("CONSUMER.CREATE.S.c", body)["config"]
    assert (config["max_ack_pending"], config["max_batch"]) == (100, 7)
    body["config"] |= {"durable_name": "d", "max_batch": 8}
    wanted = (400, 10125, "consumer max request batch exceeds server limit of 7")
    assert refused(js, "CONSUMER.CREATE.S.d", body) == wanted
    body["config"] |= {"max_batch": 5, "max_ack_pending": 101}
    assert refused(js, "CONSUMER.CREATE.S.d", body)[1] == 10121
    assert js.error("STREAM.CREATE.T", {"name": "T", "duplicate_window": 11 * SECOND})[1] == 10052


def test_limits_of_the_server_by_reload(alone):
    # spec: NEW-050
    server, js = alone(", limits { max_request_batch: 7 }")
    js.stream("S", "s")
    assert js.consumer("S", "a")["config"]["max_batch"] == 7
    server.reload(jetstream_config(", limits { max_request_batch: 9 }"))
    assert js.consumer("S", "b")["config"]["max_batch"] == 9


def test_memory_of_the_server(start):
    # spec: JS-126 JS-077 JS-164
    config = 'server_name: js\njetstream { store_dir: "$DIR/store", max_memory_store: 10000, max_file_store: 20000 }\n'
    with login(start(config)) as js:
        assert js.error("STREAM.CREATE.S", {"name": "S", "storage": "memory", "max_bytes": 20_000}) == (
            500,
            10028,
            "insufficient memory resources available",
        )
        js.stream("M", "m")
        answers = [js.publish("m", b"x" * 3000) for _ in range(5)]
        assert "seq" in answers[0]
        error = answers[-1]["error"]
        assert (error["code"], error["err_code"]) == (503, 10023)


def test_a_limit_lowered_by_reload(start):
    # spec: JS-126
    config = 'accounts { A { jetstream: { max_streams: @ }, users: [ { user: a, password: a } ] } }\n'
    server = start(jetstream_config(rest=config.replace("@", "5")))
    with login(server, user="a", **{"pass": "a"}) as js:
        js.stream("A", "a")
        server.reload(jetstream_config(rest=config.replace("@", "1")))
        wait_for("the new limit", lambda: js.ok("INFO")["limits"]["max_streams"] == 1)
        assert js.error("STREAM.CREATE.B", {"name": "B"})[1] == 10027
