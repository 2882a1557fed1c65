"""Servers with JetStream. Most tests take an account of their own on a server that they share with others."""

from __future__ import annotations

import pytest

from harness.jetstream import Client
from harness.server import Server

ACCOUNTS = 150

STORE = 'server_name: js\njetstream { store_dir: "$DIR/store", max_memory_store: 1GB, max_file_store: 4GB @EXTRA@ }\n'


def jetstream_config(extra: str = "", rest: str = "") -> str:
    """`extra` goes into the jetstream block, `rest` beside it."""
    return STORE.replace("@EXTRA@", extra) + rest


class Pool:
    """Accounts of a running server, each handed out once; then, or when that server has ended, those of a new one."""

    def __init__(self, binary, directory):
        self.binary, self.directory = binary, directory
        self.servers: list[Server] = []
        self.left: list[int] = []

    def next(self) -> tuple[Server, str]:
        if not self.left or self.servers[-1].process.poll() is not None:
            self.stop()
            accounts = "\n".join(
                f"A{n} {{ jetstream: enabled, users: [ {{ user: u{n}, password: p }} ] }}" for n in range(ACCOUNTS)
            )
            where = self.directory / f"pool{len(self.servers)}"
            server = Server(self.binary, where, jetstream_config(rest=f"accounts {{\n{accounts}\n}}\n"))
            self.servers.append(server.__enter__())
            self.left = list(reversed(range(ACCOUNTS)))
        return self.servers[-1], f"u{self.left.pop()}"

    def stop(self) -> None:
        if self.servers:
            self.servers[-1].__exit__(None, None, None)


@pytest.fixture(scope="session")
def pool(binary, tmp_path_factory):
    made = Pool(binary, tmp_path_factory.mktemp("pool"))
    yield made
    made.stop()


@pytest.fixture
def account(pool):
    """A fresh account: `account()` connects to it, as often as wanted."""
    server, user = pool.next()
    clients: list[Client] = []

    def connect() -> Client:
        clients.append(login(server, user=user, **{"pass": "p"}))
        return clients[-1]

    connect.server, connect.user = server, user
    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def js(account) -> Client:
    """A client of a fresh account."""
    return account()


def login(server: Server, **options) -> Client:
    return Client(server.connect().handshake(headers=True, no_responders=True, **options))


@pytest.fixture
def alone(start):
    """A server of the test's own, and a client of its global account: `server, js = alone(extra, rest)`."""
    clients = []

    def make(extra: str = "", rest: str = "", **options):
        server = start(jetstream_config(extra, rest), **options)
        clients.append(login(server))
        return server, clients[-1]

    yield make
    for client in clients:
        client.close()
