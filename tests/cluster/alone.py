"""One server under test, and ports where peers that the tests play find it."""

from __future__ import annotations

import itertools
import re

from harness.peer import Peer
from harness.topology import free_port
from harness.wire import Connection

ACCOUNTS = """
server_name: here
accounts {
  A { users: [ { user: a, password: a } ] }
  B { users: [ { user: b, password: b } ] }
  SYS { users: [ { user: s, password: s } ] }
}
system_account: SYS
"""

ROUTES = 'cluster { name: C1, listen: "127.0.0.1:@PORT@" }\n'


class Alone:
    """A server with a port for links of one kind; `@PORT@` in its configuration is that port."""

    def __init__(self, start, config: str, accounts: str = ACCOUNTS, **options):
        self.port = free_port()
        self.server = start(accounts + config.replace("@PORT@", str(self.port)), monitor=True, **options)
        self.id = self.server.get_json("/varz")["server_id"]
        self.markers = itertools.count()

    def client(self, user: str = "a", **options) -> Connection:
        options = {"headers": True, "no_responders": True, **options}
        return self.server.connect().handshake(user=user, **{"pass": user}, **options)

    def told_since(self, link: Connection, client: Connection) -> list[bytes]:
        """The lines that came on `link` until it heard of a subscription that `client` makes now."""
        number = next(self.markers)
        client.send(f"SUB _marker.{number} m{number}")
        marker = re.compile(rb"(RS|LS)\+ (A )?_marker\.%d" % number)
        lines = []
        while not marker.fullmatch(line := link.line()):
            if line == b"PING":
                link.send("PONG")
            else:
                lines.append(line)
        return lines

    def delivered(self, link: Connection, client: Connection, data: bytes) -> list[bytes]:
        """The heads of the messages that `client` gets of `data` on `link`, sorted."""
        link.send_raw(data)
        link.fence()
        self.told_since(link, client)
        return sorted(line for line in client.fence() if line.startswith((b"MSG", b"HMSG")))

    def closed_log(self, reason: str, since: int = 0) -> None:
        self.server.wait_log(rf"connection closed: {re.escape(reason)}", since=since)


def ours(lines: list[bytes]) -> list[bytes]:
    """Without what a server subscribes to for itself."""
    return [line for line in lines if not re.match(rb"(RS|LS)\+ (\S+ )?(\$SYS|\$LDS|_GR_)\.", line)]


def refused(link: Connection) -> bytes:
    """What the server said before it closed the connection; but for PINGs, interest and INFO."""
    lines = link.until_closed().split(b"\r\n")
    usual = (b"RS", b"LS", b"PING", b"INFO")
    return b"\n".join(line for line in lines if line and not line.startswith(usual))


def pool_index(account: str, size: int = 3) -> int:
    """Which connection of a pool carries an account."""
    value = 2166136261
    for byte in account.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value % size


def a_route(alone: Alone, peer: Peer, **info) -> Connection:
    """The pooled connection that carries account A, registered."""
    index = pool_index("A")
    return settled(peer.route(alone.port, **({"route_pool_idx": index} if index else {}), **info))


def settled(link: Connection) -> Connection:
    link.fence()
    return link


def first_lines(link: Connection, count: int) -> list[bytes]:
    """The interest that a server tells first, when there should be `count` of it."""
    lines = ours(link.fence())
    while len(lines) < count:
        lines += ours([link.line()])
    return [line for line in lines + ours(link.fence()) if line not in (b"PING", b"PONG")]
