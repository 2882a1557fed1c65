"""A server and, beside it, the reference; each with a user of the system account that listens and asks."""

from __future__ import annotations

import json

import pytest

CONFIG = """
server_name: here
server_tags: [ one ]
accounts {
  A { users: [ { user: a, password: a, permissions: { publish: { deny: "not.this" } } } ] }
  SYS { users: [ { user: s, password: s } ] }
}
system_account: SYS
"""


class Observed:
    """A server as its system account sees it."""

    def __init__(self, server):
        self.server = server
        self.link = server.connect().handshake(user="s", headers=True, no_responders=True, **{"pass": "s"})
        self.id = self.link.info["server_id"]
        self.sid = 0

    def listen(self, subject: str) -> None:
        self.sid += 1
        self.link.send(f"SUB {subject} {self.sid}")
        self.link.fence()

    def next(self):
        """The next event as (subject, document)."""
        subject, _, _, _, payload = self.link.message()
        return subject.replace(self.id, "ID"), json.loads(payload)

    def ask(self, subject: str, body: str = ""):
        """The answer to a request, as a document; headers of an error are shown as `error`."""
        inbox = f"_INBOX.ask.{self.sid}"
        self.sid += 1
        self.link.send(f"SUB {inbox} {self.sid}")
        self.link.send(f"UNSUB {self.sid} 1")
        self.link.publish(subject.replace("ID", self.id), body.encode(), inbox)
        _, _, _, headers, payload = self.link.message()
        return json.loads(payload) if payload else {"error": headers.split(b"\r\n")[0].decode()}


@pytest.fixture
def pair(start, reference):
    """The server under test and the reference, observed."""
    return Observed(start(CONFIG)), Observed(start(CONFIG, binary=reference))
