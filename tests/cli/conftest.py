"""The command against servers of the chosen kind: many that are joined, or one with JetStream."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.server import Server, wait_for
from harness.topology import free_port

ROOT = Path(__file__).resolve().parent.parent.parent

ACCOUNTS = """
accounts {
  SYS { users: [ { user: sys, password: sys } ] }
  APP { users: [ { user: app, password: app } ] }
}
system_account: SYS
"""
EAST = ("e1", "e2", "e3")
ALL = (*EAST, "w1", "l1")


@pytest.fixture(scope="session")
def martlet() -> Path:
    """The command under test: the newest that was built, whatever server it talks to."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [path for path in (target / "release" / "martlet", target / "debug" / "martlet") if path.exists()]
    if not built:
        raise pytest.UsageError(
            "no martlet in target/release or target/debug: build it with cargo build -p martlet-cli"
        )
    return max(built, key=lambda path: path.stat().st_mtime)


@dataclass
class Ended:
    status: int
    out: str
    err: str

    def ok(self) -> str:
        assert self.status == 0, self.err
        return self.out

    def json(self):
        return json.loads(self.ok())

    def failed(self, status: int, *parts: str) -> None:
        assert self.status == status, self
        for part in parts:
            assert part in self.err, f"{part!r} was not said: {self.err}"


@dataclass
class Joined:
    """All servers by name, and the command on one of them."""

    command: Path
    servers: dict[str, Server]

    def run(self, *args: str, at: str = "e1", user: str = "sys") -> Ended:
        line = [self.command, *args, "-s", self.servers[at].url, "--user", user, "--password", user, "--no-context"]
        # Of the time that answers may take, the command gives a fifth to those after the first: a busy machine needs more than
        # the second that this is for people.
        env = {"HOME": "/nonexistent", "NATS_TIMEOUT": "20s"}
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False, env=env)
        return Ended(done.returncode, done.stdout, done.stderr)

    def json(self, *args: str, **options):
        return self.run(*args, "--json", **options).json()


@dataclass
class Single:
    """The command on one server."""

    command: Path
    url: str
    directory: Path

    def run(self, *args: str, stdin: bytes | None = None) -> Ended:
        line = [self.command, *args, "-s", self.url, "--no-context"]
        env = {"HOME": "/nonexistent", "NATS_TIMEOUT": "20s"}
        given = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        done = subprocess.run(
            line, capture_output=True, timeout=60, check=False, env=env, cwd=self.directory, **given
        )
        return Ended(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode())

    def ok(self, *args: str, stdin: bytes | None = None) -> str:
        return self.run(*args, stdin=stdin).ok()

    def json(self, *args: str):
        return self.run(*args, "--json").json()

    def failed(self, status: int, *parts: str, args: tuple[str, ...]) -> None:
        self.run(*args).failed(status, *parts)

    @contextlib.contextmanager
    def running(self, *args: str):
        """The command as a process whose output can be read line by line."""
        line = [self.command, *args, "-s", self.url, "--no-context"]
        env = {"HOME": "/nonexistent", "NATS_TIMEOUT": "20s"}
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=env, cwd=self.directory) as process:
            try:
                yield process
            finally:
                process.kill()

    def asked(self, *args: str, answer: str) -> Ended:
        """The command at a terminal, where a person types `answer`."""
        ours, theirs = pty.openpty()
        try:
            os.write(ours, answer.encode())
            line = [self.command, *args, "-s", self.url, "--no-context"]
            done = subprocess.run(
                line, stdin=theirs, capture_output=True, text=True, timeout=60, check=False, env={"HOME": "/nonexistent"}
            )
        finally:
            os.close(ours)
            os.close(theirs)
        return Ended(done.returncode, done.stdout, done.stderr)

    def watched(self, *args: str) -> str:
        """What a person sees on standard error."""
        ours, theirs = pty.openpty()
        line = [self.command, *args, "-s", self.url, "--no-context"]
        env = {"HOME": "/nonexistent", "NATS_TIMEOUT": "20s"}
        try:
            done = subprocess.run(
                line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs, timeout=60, check=False, env=env
            )
            os.write(theirs, b"\n")
            seen = os.read(ours, 1 << 16).decode(errors="replace")
        finally:
            os.close(ours)
            os.close(theirs)
        assert done.returncode == 0, seen
        return seen

    def at(self, server: Server) -> Single:
        return replace(self, url=server.url)


@pytest.fixture
def js(start, martlet, tmp_path) -> Single:
    """The command on a server with an empty JetStream."""
    directory = tmp_path / "store"
    server = start(f'jetstream {{ store_dir: "{directory}" }}')
    return Single(martlet, server.url, tmp_path)


def configs() -> dict[str, str]:
    """The configuration of every server."""
    ports = [free_port() for _ in range(10)]
    routes, gateways, leafs = (
        dict(zip((*EAST, "w1"), ports)),
        dict(zip((*EAST, "w1"), ports[4:])),
        dict(zip(EAST, ports[8:])),
    )
    urls = ", ".join(f"nats://127.0.0.1:{routes[name]}" for name in EAST)
    texts = {}
    for name in (*EAST, "w1"):
        here, there, remote = ("east", "west", "w1") if name in EAST else ("west", "east", "e1")
        known = f", routes: [ {urls} ]" if name in EAST else ""
        texts[name] = (
            f'cluster {{ name: {here}, listen: "127.0.0.1:{routes[name]}"{known} }}\n'
            f'gateway {{ name: {here}, listen: "127.0.0.1:{gateways[name]}"\n'
            f'  gateways: [ {{ name: {there}, url: "nats://127.0.0.1:{gateways[remote]}" }} ] }}\n'
        )
        if name in leafs:
            texts[name] += f'leafnodes {{ listen: "127.0.0.1:{leafs[name]}" }}\n'
    remotes = ", ".join(
        f'{{ url: "nats://{user}:{user}@127.0.0.1:{leafs[hub]}", account: {user.upper()} }}'
        for user, hub in (("app", "e1"), ("sys", "e2"))
    )
    texts["l1"] = f"leafnodes {{ remotes: [ {remotes} ] }}\n"
    return {name: f"server_name: {name}\nserver_tags: [ {name[0]} ]\n{texts[name]}{ACCOUNTS}" for name in ALL}


@pytest.fixture(scope="module")
def joined(binary, martlet, tmp_path_factory):
    """The servers, once each of them knows all the others."""
    directory = tmp_path_factory.mktemp("joined")
    servers = {name: Server(binary, directory / name, text) for name, text in configs().items()}
    try:
        for server in servers.values():
            server.__enter__()
        made = Joined(martlet, servers)
        for name in ALL:
            wait_for(f"{name} to know everyone", lambda at=name: knows_all(made, at), 20, 0.1)
    except BaseException:
        for server in servers.values():
            server.kill()
        raise
    yield made
    for server in servers.values():
        server.__exit__(None, None, None)


def knows_all(made: Joined, at: str) -> bool:
    listed = made.run("server", "ls", "--json", at=at)
    if listed.status != 0:
        return False
    found = json.loads(listed.out)
    stats = {one["server"]["name"]: one["statsz"] for one in found}
    whole = all(one["active_servers"] == len(ALL) for one in stats.values())
    linked = all(stats[name].get("gateways") for name in (*EAST, "w1") if name in stats)
    return set(stats) == set(ALL) and whole and linked
