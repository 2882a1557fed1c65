"""Servers with streams and consumers of several kinds, to be looked at beside the reference."""

from __future__ import annotations

import contextlib
import json

from harness.server import Server

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


@contextlib.contextmanager
def twins(binary, reference, directory):
    """The server under test and the reference, with the same streams."""
    with contextlib.ExitStack() as running:
        servers = []
        for number, which in enumerate((binary, reference)):
            server = Server(which, directory / f"js{number}", CONFIG, monitor=True)
            servers.append(running.enter_context(server))
            fill(server)
        yield servers
