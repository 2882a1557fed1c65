"""What monitoring tells of streams and consumers, beside the reference."""

from __future__ import annotations

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.server import wait_for
from monitoring.shape import differences, shape

CONFIG = """
server_name: here
jetstream {
  store_dir: "$DIR/js", max_mem: 64MB, max_file: 1GB, sync_interval: always
  limits { max_request_batch: 10, max_ack_pending: 2000, duplicate_window: "5m", default_max_consumers: 70 }
}
accounts {
  A { jetstream: { max_mem: 10MB, max_file: 20MB, max_streams: 5, max_consumers: 10 }, users: [ { user: a, password: a } ] }
  B { jetstream: enabled, users: [ { user: b, password: b } ] }
  N { users: [ { user: n, password: n } ] }
  SYS { users: [ { user: s, password: s } ] }
}
system_account: SYS
"""

# What differs from run to run, or from server to server.
VOLATILE = {
    "server_id", "now", "store_dir", "created", "first_ts", "last_ts", "last_active", "ts", "pause_remaining", "config_digest",
}


def settled(value):
    if isinstance(value, dict):
        kept = {name: settled(inner) for name, inner in value.items() if name not in VOLATILE}
        for listed in ("stream_detail", "consumer_detail", "account_details"):
            # The reference shows them in the order they come.
            if listed in kept:
                kept[listed] = sorted(kept[listed], key=lambda one: one["name"])
        return kept
    return [settled(inner) for inner in value] if isinstance(value, list) else value


class Client:
    """A user of an account who asks the API."""

    def __init__(self, server, name: str):
        self.link = server.connect().handshake(user=name, headers=True, no_responders=True, **{"pass": name})
        self.link.send("SUB in.> 1")

    def ask(self, subject: str, body: bytes | dict = b"") -> dict:
        body = json.dumps(body).encode() if isinstance(body, dict) else body
        self.link.publish(subject, body, "in.x")
        return json.loads(self.link.message()[4])

    def api(self, subject: str, **body) -> dict:
        return self.ask(f"$JS.API.{subject}", body or b"")

    def make_stream(self, name: str, **config) -> None:
        assert "error" not in self.api(f"STREAM.CREATE.{name}", name=name, **config)

    def make_consumer(self, stream: str, name: str, **config) -> None:
        config = {"durable_name": name, "name": name, "ack_policy": "explicit", **config}
        answer = self.api(f"CONSUMER.CREATE.{stream}.{name}", stream_name=stream, config=config)
        assert "error" not in answer, answer


def fill(server) -> None:
    """Streams and consumers of several kinds, some of them at work."""
    a, b = Client(server, "a"), Client(server, "b")
    a.make_stream("ORDERS", subjects=["o.*"], max_bytes=1_000_000)
    a.make_stream("MEM", subjects=["m.>"], storage="memory")
    for number in range(5):
        assert a.ask(f"o.{number % 2}", b"hello")["seq"] == number + 1
    a.ask("m.x", b"hi")
    assert a.api("STREAM.MSG.DELETE.ORDERS", seq=3)["success"]
    a.make_consumer("ORDERS", "pull")
    a.make_consumer("ORDERS", "push", deliver_subject="d", filter_subject="o.1")
    a.make_consumer("ORDERS", "paused", pause_until="2099-01-01T00:00:00Z")
    a.make_consumer("ORDERS", "pinned", priority_groups=["g"], priority_policy="pinned_client", priority_timeout=60 * 10**9)
    a.link.publish("$JS.API.CONSUMER.MSG.NEXT.ORDERS.pull", b'{"batch":2}', "in.next")
    assert {a.link.message()[4] for _ in range(2)} == {b"hello"}
    assert a.api("STREAM.INFO.NOPE")["error"]["code"] == 404
    b.make_stream("KV_b", subjects=["$KV.b.>"], max_msgs_per_subject=1, allow_direct=True)
    for client in (a, b):
        client.link.close()


@pytest.fixture(scope="module")
def filled(binary, reference, tmp_path_factory):
    """Two servers with the same streams."""
    from harness.server import Server

    servers = []
    try:
        for number, which in enumerate((binary, reference)):
            server = Server(which, tmp_path_factory.mktemp(f"js{number}"), CONFIG, monitor=True)
            servers.append(server.__enter__())
            fill(server)
        yield servers
    finally:
        for server in servers:
            server.__exit__(None, None, None)


def both(servers, path: str):
    return [server.get(path) for server in servers]


JSZ = [
    "",
    "?accounts=1",
    "?streams=1",
    "?streams=1&config=1",
    "?consumers=1",
    "?consumers=1&config=1",
    "?config=1",
    "?direct-consumers=1",
    "?direct-consumers=1&consumers=1",
    "?acc=A",
    "?acc=A&streams=1",
    "?acc=A&consumers=1&config=1&raft=1",
    "?acc=B&consumers=1",
    "?acc=N",
    "?acc=SYS",
    "?acc=NOPE",
    "?acc=A&offset=4",
    "?accounts=1&limit=1",
    "?accounts=1&limit=0",
    "?accounts=1&limit=-1",
    "?accounts=1&offset=1",
    "?accounts=1&offset=5",
    "?accounts=1&offset=-1",
    "?raft=1",
    "?leader-only=1",
    "?stream-leader-only=1&streams=1",
]


@pytest.mark.parametrize("query", JSZ)
def test_jsz(query, filled):
    # spec: CLI-012 CLU-108 CLU-136 CLU-137 NEW-022 NEW-045
    mine, theirs = both(filled, f"/jsz{query}")
    assert (mine.status, mine.headers["Content-Type"]) == (theirs.status, theirs.headers["Content-Type"])
    left, right = mine.json(), theirs.json()
    assert shape(left) == shape(right), "\n".join(differences(left, right)[:40])
    found = differences(settled(left), settled(right))
    assert not found, "\n".join(found)


def test_varz(filled):
    # spec: CLI-010 CLU-101 NEW-045
    mine, theirs = (reply.json()["jetstream"] for reply in both(filled, "/varz"))
    assert shape(mine) == shape(theirs)
    assert settled(mine) == settled(theirs)
    assert mine["limits"]["default_max_consumers"] == 70


@pytest.mark.parametrize("account", ["A", "B", "N", "SYS"])
def test_accountz(account, filled):
    # spec: CLU-107
    mine, theirs = (reply.json()["account_detail"] for reply in both(filled, f"/accountz?acc={account}"))
    assert mine["jetstream_enabled"] == theirs["jetstream_enabled"] == (account in "AB")
    assert list(mine) == list(theirs)


HEALTHZ = [
    "",
    "?details=1",
    "?js-enabled=1",
    "?js-enabled-only=1",
    "?js-server-only=1",
    "?js-meta-only=1",
    "?account=A",
    "?account=N",
    "?account=NOPE",
    "?account=NOPE&details=1",
    "?account=NOPE&js-server-only=1",
    "?account=NOPE&js-enabled-only=1",
    "?account=A&stream=ORDERS",
    "?account=A&stream=NOPE",
    "?account=A&stream=NOPE&details=1",
    "?account=B&stream=ORDERS",
    "?account=N&stream=ORDERS",
    "?account=A&stream=ORDERS&consumer=pull",
    "?account=A&stream=ORDERS&consumer=nope",
    "?account=A&stream=ORDERS&consumer=nope&details=1",
    "?account=A&consumer=pull",
    "?stream=ORDERS",
    "?stream=ORDERS&js-enabled-only=1",
]


def test_healthz(filled):
    # spec: CLU-109 CLU-138 CLU-139 CLU-140
    wrong = []
    for query in HEALTHZ:
        mine, theirs = ((reply.status, reply.text) for reply in both(filled, f"/healthz{query}"))
        if mine != theirs:
            wrong.append(f"{query}: {mine} ≠ {theirs}")
    assert not wrong, "\n".join(wrong)


def test_info_tells_what_the_api_can(start, reference):
    # spec: CORE-022
    for config in ("", 'jetstream { store_dir: "$DIR/js", domain: hub }'):
        infos = [start(config, **more).connect().info for more in ({}, {"binary": reference})]
        told = [{name: info.get(name) for name in ("api_lvl", "jetstream", "domain")} for info in infos]
        assert told[0] == told[1]
        assert told[0]["api_lvl"] == 5


def garble(directory) -> None:
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert files
    for path in files:
        path.write_bytes(b"x" * path.stat().st_size)


@pytest.mark.martlet_only
def test_a_stream_that_cannot_be_recovered_is_told_and_kept(start):
    # spec: CLU-109
    server = start(CONFIG, monitor=True)
    fill(server)
    server.stop()
    garble(server.directory / "js" / "martlet" / "A" / "streams" / "ORDERS")
    server.restart()
    said = [line for line in server.log().splitlines() if "A > ORDERS" in line and "[ERR]" in line]
    assert any("cannot be served" in line for line in said), said
    text = "JetStream stream 'A > ORDERS' could not be recovered: "
    for query in ("", "?account=A", "?account=A&stream=ORDERS"):
        reply = server.get(f"/healthz{query}")
        assert reply.status == 503
        assert reply.json()["status"] == "unavailable"
        assert reply.json()["error"].startswith(text)
    (error,) = server.get("/healthz?details=1").json()["errors"]
    assert (error["type"], error["account"], error["stream"]) == ("STREAM", "A", "ORDERS")
    assert error["error"].startswith(text)
    for query in ("?account=B", "?account=A&stream=MEM", "?js-server-only=1", "?js-enabled-only=1"):
        assert server.get(f"/healthz{query}").status in (200, 404), query
    assert value(server, "nats_healthz_status") == 1
    # Nothing is written over it.
    refused = Client(server, "a").api("STREAM.CREATE.ORDERS", name="ORDERS", subjects=["o.*"])
    assert "could not be recovered" in refused["error"]["description"]
    assert list((server.directory / "js" / "martlet" / "A" / "streams" / "ORDERS").iterdir())


@pytest.mark.martlet_only
def test_a_stream_that_finds_no_room_says_so_once(start):
    # Files may be this long and no longer; whoever tries is told so instead of killed.
    limit = ["sh", "-c", 'trap "" XFSZ; ulimit -f 2048; exec "$0" "$@"']
    server = start(CONFIG, monitor=True, prefix=limit)
    client = Client(server, "a")
    client.make_stream("ORDERS", subjects=["o.*"])
    answers = [client.ask("o.1", b"x" * 700_000) for _ in range(10)]
    assert any(answer.get("error", {}).get("code") == 503 for answer in answers), answers
    said = [line for line in server.log().splitlines() if "[ERR]" in line and "A > ORDERS" in line]
    assert len(said) == 1, said
    assert "no space is left" in said[0]
    # The next may find room.
    assert server.get("/healthz").status == 200
    client.link.close()


def scrape(server):
    reply = server.get("/metrics")
    assert reply.status == 200
    return {family.name: family for family in text_string_to_metric_families(reply.text)}


def value(server, name: str, **labels) -> float:
    """The one sample of `name` that has `labels`."""
    family = scrape(server)[name.removesuffix("_total")]
    (sample,) = (one for one in family.samples if labels.items() <= one.labels.items())
    return sample.value
