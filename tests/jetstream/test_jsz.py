"""`/jsz` with its arguments, beside the reference's."""

from __future__ import annotations

import json
import re

import pytest

from conftest import find_reference
from harness.server import Server
from jetstream.conftest import jetstream_config, login

# Its tests share two servers, so they go to one worker.
pytestmark = pytest.mark.xdist_group("jsz")

CONFIG = jetstream_config(
    ", sync_interval: always",
    """
accounts {
  A { jetstream: { max_mem: 10MB, max_file: 20MB, max_streams: 9 }, users: [ { user: a, password: p } ] }
  B { jetstream: enabled, users: [ { user: b, password: p } ] }
  C { users: [ { user: c, password: p } ] }
}
""",
)

PATHS = [
    *("", "?accounts=true", "?streams=true", "?consumers=true", "?config=true", "?acc=A", "?acc=A&streams=true"),
    *("?acc=B&consumers=true&config=true", "?acc=NONE", "?accounts=true&offset=1", "?accounts=true&limit=1"),
    *("?accounts=true&offset=1&limit=1", "?leader-only=true", "?raft=true&streams=true", "?stream-leader-only=true"),
    *("?direct-consumers=true&consumers=true", "?consumers=nonsense", "?offset=-1", "?limit=x"),
]

MASKS = [
    (re.compile(r'"(?!0001-)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"'), '"<time>"'),
    (re.compile(r'"server_id":\s*"[^"]+"'), '"server_id":"<id>"'),
    (re.compile(r'"store_dir":\s*"[^"]+/store/\w+"'), '"store_dir":"<dir>"'),
    (re.compile(r'"(_nats\.(?:ver|level))":\s*"[^"]+"'), r'"\1":"<version>"'),
    (re.compile(r'"id":\s*"A[A-Z2-7]{55}"'), '"id":"<account>"'),
]


def use(server: Server) -> None:
    """The same streams and consumers on every server."""
    for user in "ab":
        with login(server, user=user, **{"pass": "p"}) as js:
            js.stream("F", "f.>", storage="file", max_bytes=1 << 20)
            js.stream("M", "m")
            for number in range(5):
                js.put(f"f.{number}", b"x" * 10)
            js.put("m")
            js.consumer("F", "c")
            js.consumer("F", "d", filter_subject="f.1", ack_policy="all")
            js.ack(js.fetch("F", "c", 2)[0])
            js.error("STREAM.INFO.NONE")


@pytest.fixture(scope="module")
def pair(binary, tmp_path_factory):
    binaries = (find_reference(), binary)
    servers = [Server(one, tmp_path_factory.mktemp("jsz"), CONFIG, monitor=True).__enter__() for one in binaries]
    for server in servers:
        use(server)
    yield servers
    for server in servers:
        server.__exit__(None, None, None)


def shown(server: Server, path: str):
    reply = server.get("/jsz" + path)
    text = reply.text
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    return reply.status, sorted_lists(json.loads(text)) if text.startswith("{") else text


def sorted_lists(value):
    """Accounts and streams come in any order."""
    if isinstance(value, dict):
        return {key: sorted_lists(one) for key, one in value.items()}
    if isinstance(value, list):
        return sorted((sorted_lists(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
    return value


@pytest.mark.parametrize("path", PATHS)
def test_jsz(path, pair):
    # spec: CLI-012 NEW-022 NEW-045 JS-016
    reference, other = pair
    assert shown(other, path) == shown(reference, path)
