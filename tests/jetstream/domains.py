"""What tests of several domains start, and what they look at in them."""

from __future__ import annotations

import base64
import contextlib

from harness.jetstream import Client
from harness.server import Server, wait_for
from jetstream.conftest import login

PATIENCE = 60.0


def config(name: str, domain: str) -> str:
    """A server with streams in a domain, for users `a` of account A and `s` of the system account."""
    return f"""
server_name: {name}
jetstream {{ store_dir: "$DIR/store", domain: {domain} }}
accounts {{
  A {{ jetstream: enabled, users: [ {{ user: a, password: p }} ] }}
  SYS {{ users: [ {{ user: s, password: p }} ] }}
}}
system_account: SYS
"""


def gateway(own: str, port: int, other: str, there: int) -> str:
    """The gateway of cluster `own`, which dials cluster `other`."""
    remote = f'{{ name: {other}, url: "nats://127.0.0.1:{there}" }}'
    return f'gateway {{ name: {own}, listen: "127.0.0.1:{port}", gateways: [ {remote} ] }}\n'


class Domains:
    """Servers that are joined, and clients of account A at them, which end with it."""

    def __init__(self):
        self.stack = contextlib.ExitStack()

    def client(self, server: Server) -> Client:
        return self.stack.enter_context(login(server, user="a", **{"pass": "p"}))


def has(js: Client, stream: str, last: int) -> None:
    wait_for(f"{last} in {stream}", lambda: js.state(stream)["last_seq"] == last, PATIENCE)


def content(js: Client, stream: str) -> list[tuple[str, bytes]]:
    got = (js.ok(f"STREAM.MSG.GET.{stream}", {"seq": seq + 1})["message"] for seq in range(js.state(stream)["last_seq"]))
    return [(one["subject"], base64.b64decode(one["data"])) for one in got]
