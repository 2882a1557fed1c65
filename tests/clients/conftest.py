"""Programs with the official clients, and the servers they are run against."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import nkeys
import pytest

from harness.server import wait_for

HERE = Path(__file__).resolve().parent
PATIENCE = 60
BUILD = 1200


@pytest.fixture(scope="session")
def rust_checks(tmp_path_factory, worker_lock) -> Path:
    """The async-nats programs, built once for all workers."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target")) / "clients"
    with worker_lock("client-checks"):
        built = subprocess.run(
            ["cargo", "build", "--locked", "--quiet", "--manifest-path", str(HERE / "rust" / "Cargo.toml")],
            env={**os.environ, "CARGO_TARGET_DIR": str(target)},
            capture_output=True,
            text=True,
            timeout=BUILD,
            check=False,
        )
    assert built.returncode == 0, built.stderr
    return target / "debug" / "client-checks"


class Program:
    """A client program under way."""

    def __init__(self, command: list[str], output: Path):
        self.output = output
        self.file = output.open("wb")
        self.process = subprocess.Popen(command, stdout=self.file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def text(self) -> str:
        return self.output.read_text()

    def ready(self) -> None:
        """Waits until the program says that it waits for the server to do something."""

        def said_so():
            assert self.process.poll() is None, self.text()
            return "ready" in self.text()

        wait_for("the client program to be ready", said_so, PATIENCE)

    def finish(self) -> None:
        status = self.process.wait(PATIENCE)
        assert status == 0, self.text()
        assert self.text().splitlines()[-1] == "ok", self.text()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.file.close()


@pytest.fixture(params=["nats.js", "async-nats"])
def program(request, tmp_path):
    """Starts a check: `program("pubsub", server.url, user="a", …)`."""
    if request.param == "nats.js":
        node = shutil.which("node")
        assert node, "node is not installed"
        command = [node, str(HERE / "js" / "checks.mjs")]
    else:
        command = [str(request.getfixturevalue("rust_checks"))]
    running: list[Program] = []

    def run(check: str, url: str, **options) -> Program:
        body = json.dumps({"url": url, **{k: str(v) if isinstance(v, Path) else v for k, v in options.items()}})
        running.append(Program([*command, check, body], tmp_path / f"program{len(running)}.out"))
        return running[-1]

    run.name = request.param
    yield run
    for one in running:
        one.close()


@pytest.fixture
def nkey_pairs() -> list[tuple[str, str]]:
    """Two new user nkeys as (seed, public key)."""
    pairs = []
    for _ in range(2):
        pair = nkeys.from_seed(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER))
        pairs.append((pair.seed.decode(), pair.public_key.decode()))
    return pairs
