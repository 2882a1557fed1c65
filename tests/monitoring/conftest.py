"""Twins: the server under test and the reference, with the same configuration and the same traffic."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from harness.server import Server, wait_for
from harness.wire import Connection

CONFIG = """
server_name: here
server_tags: [ one, two ]
server_metadata: { rack: r1 }
ping_interval: "60s"
max_pending: 10000000
accounts {
  A {
    users: [ { user: a, password: a, permissions: { publish: { deny: "no.>" } } }, { user: a2, password: a } ]
    exports: [ { stream: "s.>" }, { service: "svc", response_type: stream }, { stream: "p", accounts: [ B ] } ]
    mappings: { foo: bar, "w.*": [ { destination: "x.$1", weight: 50% }, { destination: "y.$1", weight: 50% } ] }
  }
  B {
    users: [ { user: b, password: b } ]
    imports: [
      { stream: { account: A, subject: "s.a" }, prefix: "p" }
      { stream: { account: A, subject: "s.b" }, to: "t" }
      { service: { account: A, subject: "svc" }, to: "local" }
    ]
  }
  EMPTY {}
  SYS { users: [ { user: s, password: s } ] }
}
system_account: SYS
"""


@dataclass
class Twins:
    mine: Server
    theirs: Server
    links: dict[str, tuple[Connection, Connection]]

    def both(self, path: str, method: str = "GET"):
        return self.mine.get(path, method), self.theirs.get(path, method)

    def connect(self, name: str, **options) -> None:
        self.links[name] = tuple(
            server.connect().handshake(name=name, lang="python", version="1", headers=True, **options)
            for server in (self.mine, self.theirs)
        )

    def send(self, name: str, *lines: str) -> None:
        for link in self.links[name]:
            for line in lines:
                link.send(line)
            link.fence()

    def drop(self, name: str) -> None:
        for link in self.links[name]:
            link.close()


@pytest.fixture
def twins(start, reference):
    """Both servers, with connections and traffic that fill in as many fields as may be."""
    made = Twins(start(CONFIG, monitor=True), start(CONFIG, monitor=True, binary=reference), {})
    made.connect("one", user="a", **{"pass": "a"})
    made.connect("two", user="a2", **{"pass": "a"})
    made.connect("three", user="b", **{"pass": "b"})
    made.connect("gone", user="b", **{"pass": "b"})
    made.send("one", "SUB s.> 1", "SUB bar q 2", "SUB deep.*.x 3")
    made.send("three", "SUB p.> 1", "SUB t 2")
    made.send("two", "PUB s.a 3", "one", "PUB s.b re 3", "two", "PUB foo 1", "x")
    made.send("one", "PUB no.x 1", "x", "PUB s.c 5", "hello")
    made.send("gone", "SUB x 1", "PUB local 2", "hi")
    made.drop("gone")
    for server in (made.mine, made.theirs):
        wait_for("the connection to be closed", lambda s=server: s.get_json("/connz?state=closed")["total"] == 1)
    yield made
    for pair in made.links.values():
        for link in pair:
            link.close()
