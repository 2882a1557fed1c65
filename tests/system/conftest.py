"""A server and, beside it, the reference; each with a user of the system account that listens and asks."""

from __future__ import annotations

import json

import pytest

from monitoring.shape import differences, shape

CONFIG = """
server_name: here
server_tags: [ one, Two ]
accounts {
  A { users: [ { user: a, password: a, permissions: { publish: { deny: "not.this" } } } ] }
  SYS { users: [ { user: s, password: s } ] }
}
system_account: SYS
"""


def same(documents) -> None:
    """Fails unless the two documents have the same shape."""
    mine, theirs = documents
    assert shape(mine) == shape(theirs), "\n".join(differences(mine, theirs)[:40])


def messages_until_pong(link) -> list:
    """Sends PING, and returns the messages that come before its PONG."""
    link.send("PING")
    messages = []
    while (line := link.line()) != b"PONG":
        link.buffer[:0] = line + b"\r\n"
        if line.startswith((b"MSG ", b"HMSG ")):
            messages.append(link.message())
        else:
            link.line()
    return messages


class Observed:
    """A server as its system account sees it."""

    def __init__(self, server):
        self.server = server
        self.link = server.connect().handshake(user="s", headers=True, no_responders=True, **{"pass": "s"})
        self.id = self.link.info["server_id"]
        self.asked = 0

    def join(self, **options):
        """A client in account A."""
        return self.server.connect().handshake(user="a", **{"pass": "a"}, **options)

    def listen(self, subject: str) -> None:
        self.asked += 1
        self.link.send(f"SUB {subject} {self.asked}")
        self.link.fence()

    def next(self):
        """The next event as (subject, document)."""
        subject, _, _, _, payload = self.link.message()
        return subject.replace(self.id, "ID"), json.loads(payload)

    def request(self, subject: str, body: str | bytes = "", headers: str = "", link=None):
        """The headers and the payload of the answer to a request, `None` twice if there is none.

        A request that nobody hears is answered by the server itself. Whether one that is heard is answered is known from
        what is asked after it, which is answered later.
        """
        link = link or self.link
        self.asked += 1
        inbox = f"_INBOX.ask.{self.asked}"
        link.send(f"SUB {inbox}.* {self.asked}")
        subject = subject.replace(".ID.", f".{self.id}.")
        body = body.encode() if isinstance(body, str) else body
        if headers:
            block = f"NATS/1.0\r\n{headers}\r\n\r\n".encode()
            link.send_raw(f"HPUB {subject} {inbox}.one {len(block)} {len(block) + len(body)}\r\n".encode())
            link.send_raw(block + body + b"\r\n")
        else:
            link.publish(subject, body, f"{inbox}.one")
        came = messages_until_pong(link)
        if last := self.last_subject(subject, link):
            link.publish(last, b"", f"{inbox}.last")
        while not came or not came[-1][0].endswith(".last" if last else ".one"):
            came.append(link.message())
        link.send(f"UNSUB {self.asked}")
        link.fence()
        found = [(block, payload) for answered, _, _, block, payload in came if answered.endswith(".one")]
        return found[0] if found else (None, None)

    def last_subject(self, subject: str, link) -> str | None:
        """What is answered after `subject` by the same worker; `None` where nothing tells that it was not answered."""
        if subject.endswith("PROFILEZ"):
            return None
        if subject.endswith(("PING", "STATSZ")):
            return "$SYS.REQ.SERVER.PING" if link is self.link else "$SYS.REQ.ACCOUNT.PING.STATZ"
        return "$SYS.REQ.SERVER.PING.IDZ" if link is self.link else "$SYS.REQ.ACCOUNT.PING.STATZ"

    def ask(self, subject: str, body: str | bytes = "", headers: str = "", link=None):
        """The answer to a request, as a document; headers of an error are shown as `nobody`, silence is `None`."""
        block, payload = self.request(subject, body, headers, link)
        if payload is None:
            return None
        return json.loads(payload) if payload else {"nobody": block.split(b"\r\n")[0].decode()}


@pytest.fixture
def pair(start, reference):
    """The server under test and the reference, observed."""
    return Observed(start(CONFIG)), Observed(start(CONFIG, binary=reference))
