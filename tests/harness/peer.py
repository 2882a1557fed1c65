"""Plays another server to the one under test: a route, a gateway or a leaf node, from either end of the connection."""

from __future__ import annotations

import contextlib
import json
import random
import select
import socket
import ssl

from harness.wire import Connection

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def new_id() -> str:
    """Looks like the identity of a server."""
    return "N" + "".join(random.choices(ALPHABET, k=55))


class Listener:
    """A loopback port where the server under test finds the peer."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def accept(self, timeout: float = 10.0) -> Connection:
        self.socket.settimeout(timeout)
        return Connection.over(self.socket.accept()[0])

    def quiet(self, seconds: float = 0.0) -> bool:
        """Whether nobody dials within this time."""
        return not select.select([self.socket], [], [], seconds)[0]

    def close(self) -> None:
        self.socket.close()


class Peer:
    """An identity, and the links it has."""

    def __init__(self, name: str = "peer", cluster: str = "C1", id: str | None = None):
        self.name, self.cluster = name, cluster
        self.id = id or new_id()
        self.links: list[Connection] = []

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_) -> None:
        for link in self.links:
            with contextlib.suppress(OSError):
                link.close()

    def dial(self, port: int, **options) -> Connection:
        link = Connection(("127.0.0.1", port), **options)
        self.links.append(link)
        return link

    # --- routes -------------------------------------------------------------------------------

    def route_connect(self, **changes) -> dict:
        body = {
            "echo": True,
            "verbose": False,
            "pedantic": False,
            "tls_required": False,
            "headers": True,
            "name": self.id,
            "cluster": self.cluster,
            "lnoc": True,
            "lnocu": True,
        }
        return changed(body, changes)

    def route_info(self, **changes) -> dict:
        body = {
            "server_id": self.id,
            "server_name": self.name,
            "version": "2.15.1",
            "proto": 3,
            "go": "",
            "host": "127.0.0.1",
            "port": 1,
            "headers": True,
            "max_payload": 1048576,
            "cluster": self.cluster,
            "lnoc": True,
            "lnocu": True,
            "route_pool_size": 3,
        }
        return changed(body, changes)

    def route(self, to: int, *, connect: dict | None = None, **info) -> Connection:
        """Dials a route and says who this is; what the server says then is left to read."""
        link = self.dial(to)
        say(link, "CONNECT", self.route_connect(**(connect or {})))
        say(link, "INFO", self.route_info(**info))
        return link

    # --- gateways -----------------------------------------------------------------------------

    def gateway_connect(self, **changes) -> dict:
        body = {
            "echo": False,
            "verbose": False,
            "pedantic": False,
            "tls_required": False,
            "headers": True,
            "name": self.id,
            "cluster": "",
            "gateway": self.cluster,
        }
        return changed(body, changes)

    def gateway_info(self, port: int, **changes) -> dict:
        body = {
            "server_id": self.id,
            "server_name": self.name,
            "version": "2.15.1",
            "proto": 3,
            "host": "127.0.0.1",
            "port": port,
            "headers": True,
            "max_payload": 1048576,
            "gateway": self.cluster,
            "gateway_urls": [f"127.0.0.1:{port}"],
            "gateway_url": f"127.0.0.1:{port}",
            "gateway_nrp": True,
            "gateway_iom": True,
        }
        return changed(body, changes)

    # --- leaf nodes ---------------------------------------------------------------------------

    def leaf_connect(self, **changes) -> dict:
        body = {
            "version": "2.15.1",
            "server_id": self.id,
            "name": self.name,
            "cluster": self.cluster,
            "headers": True,
            "compress_mode": "off",
            "protocol": 3,
        }
        return changed(body, changes)

    def leaf_info(self, port: int, **changes) -> dict:
        body = {
            "server_id": self.id,
            "server_name": self.name,
            "version": "2.15.1",
            "proto": 3,
            "host": "127.0.0.1",
            "port": port,
            "headers": True,
            "max_payload": 1048576,
            "client_id": 7,
            "leafnode_urls": [f"127.0.0.1:{port}"],
        }
        return changed(body, changes)


def changed(body: dict, changes: dict) -> dict:
    """`body` with these fields; what is None is left out."""
    return {key: value for key, value in {**body, **changes}.items() if value is not None}


def say(link: Connection, verb: str, body: dict) -> None:
    link.send(f"{verb} {json.dumps(body, separators=(',', ':'))}")


def lines_until(link: Connection, wanted: bytes) -> list[bytes]:
    """The lines up to the first that starts with `wanted`, which is the last of them. PINGs are answered."""
    lines = []
    while True:
        line = link.line()
        if line == b"PING" and wanted != b"PING":
            link.send("PONG")
            continue
        lines.append(line)
        if line.startswith(wanted):
            return lines


def body_of(line: bytes) -> dict:
    return json.loads(line.partition(b" ")[2])


def start_tls_as_server(link: Connection, context: ssl.SSLContext) -> None:
    link.socket = context.wrap_socket(link.socket, server_side=True)
