"""JetStream that is turned on and off by reload, for an account and for the whole server."""

from __future__ import annotations

import pytest

from harness.jetstream import Client
from harness.wire import WireError
from jetstream.conftest import jetstream_config, login

ACCOUNTS = """
accounts {
  A { @ users: [ { user: a, password: p } ] }
  B { jetstream: enabled, users: [ { user: b, password: p } ] }
}
"""
NOT_ENABLED = (503, 10039, "JetStream not enabled for account")


def config(of_a: str, block: bool = True) -> str:
    accounts = ACCOUNTS.replace("@", of_a)
    return jetstream_config(rest=accounts) if block else "server_name: js\njetstream: disabled\n" + accounts


def user(server, name: str) -> Client:
    return login(server, user=name, **{"pass": "p"})


@pytest.fixture
def life(start):
    """A server with streams of two accounts, and a client of each."""
    server = start(config("jetstream: enabled,"), monitor=True)
    clients = user(server, "a"), user(server, "b")
    for js in clients:
        js.stream("F", "f", storage="file", max_bytes=1000)
        js.stream("M", "m")
        js.consumer("F", "c")
        for number in range(3):
            js.put("f", b"%d" % number)
        js.put("m", b"x")
    yield server, *clients
    for js in clients:
        js.close()


def is_kept(js: Client) -> bool:
    """Whether somebody keeps what is published."""
    return not js.request("f", b"?").status


def as_before(js: Client) -> None:
    """What is in files is there again, with what was known of it; what was in memory is not."""
    assert js.ok("STREAM.NAMES")["streams"] == ["F"]
    assert js.state("F")["last_seq"] == 3
    assert [message.data for message in js.fetch("F", "c", 2)] == [b"1", b"2"]
    assert js.put("f", b"3") == 4
    assert js.ok("INFO")["reserved_storage"] == 1000


def test_an_account_that_loses_and_gets_it(life):
    # spec: CFG-123 JS-136
    server, js, other = life
    js.ack(js.fetch("F", "c")[0])
    server.reload(config(""))
    assert js.error("INFO") == NOT_ENABLED
    assert js.error("STREAM.INFO.F") == NOT_ENABLED
    assert js.error("STREAM.CREATE.N", {"name": "N"}) == NOT_ENABLED
    assert not is_kept(js)
    assert other.put("f", b"3") == 4, "it concerns nobody else"
    assert {detail["name"] for detail in server.get_json("/jsz?accounts=1")["account_details"]} == {"B"}
    server.reload(config("jetstream: enabled,"))
    as_before(js)
    assert js.ok("INFO")["api"]["errors"] == 0


def test_a_server_that_loses_and_gets_it(life):
    # spec: CFG-184
    server, js, other = life
    for client in (js, other):
        client.ack(client.fetch("F", "c")[0])
    server.reload(config("jetstream: enabled,", block=False))
    assert server.get_json("/jsz").get("disabled") is True
    assert server.get_json("/varz")["jetstream"] == {}
    for client in (js, other):
        assert not is_kept(client)
        try:
            # The reference says nothing.
            assert client.request("$JS.API.INFO", timeout=1).status.startswith("503")
        except WireError:
            pass
    server.reload(config("jetstream: enabled,"))
    assert "disabled" not in server.get_json("/jsz")
    for client in (js, other):
        as_before(client)


def test_bounds_of_an_account_that_change(life):
    # spec: JS-126 CFG-124 CFG-253 CFG-254 CFG-255
    server, js, _ = life
    server.reload(config("jetstream: { max_file: 150, max_mem: 10, max_streams: 2, max_consumers: 1 },"))
    limits = js.ok("INFO")["limits"]
    assert (limits["max_storage"], limits["max_memory"], limits["max_streams"]) == (150, 10, 2)
    assert js.put("f", b"3") == 4
    for subject, size in (("f", 50), ("m", 1)):
        assert js.publish(subject, b"x" * size)["error"]["err_code"] == 10002, subject
    assert js.error("STREAM.CREATE.N", {"name": "N"})[1] == 10027
    body = {"stream_name": "F", "config": {"durable_name": "d", "ack_policy": "none"}}
    assert js.error("CONSUMER.CREATE.F.d", body)[1] == 10026
    server.reload(config("jetstream: enabled,"))
    assert js.put("f", b"x" * 50) == 5
    js.ok("CONSUMER.CREATE.F.d", body)


@pytest.mark.martlet_only
def test_a_store_that_cannot_be_had_leaves_all_as_it_is(start, tmp_path):
    # spec: CFG-184 CFG-021
    # The reference stops.
    server = start("server_name: js\n")
    blocked = tmp_path / "file"
    blocked.write_text("no directory")
    wanted = f'server_name: js\njetstream {{ store_dir: "{blocked}" }}\n'
    server.reload(wanted, expect="Failed to reload server configuration: the JetStream storage directory")
    server.connect().handshake().close()
    server.reload(wanted.replace(str(blocked), str(tmp_path / "fine")))
    with login(server) as js:
        js.stream("S", "s", storage="file")
        assert js.put("s") == 1
