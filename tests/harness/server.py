"""One running server process: started on free loopback ports, stopped by its own handle."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from harness.wire import Connection

START_TIMEOUT = 15.0
STOP_TIMEOUT = 15.0
EVENT_TIMEOUT = 10.0


class ServerError(AssertionError):
    """The server under test did not do what a running server must."""


def wait_for(what: str, probe, timeout: float = EVENT_TIMEOUT, pause: float = 0.005):
    """Calls `probe` until it returns something true, and returns that."""
    deadline = time.monotonic() + timeout
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise ServerError(f"waited {timeout:g} s for {what}")
        time.sleep(pause)


@dataclass
class Response:
    """What a monitoring endpoint answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


@dataclass
class Server:
    """A server process. Use as a context manager; leaving the block stops it and checks how it ended."""

    binary: Path
    directory: Path
    config: str | None = None
    flags: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    port: int = -1
    monitor: bool = False
    host: str | None = "127.0.0.1"
    prefix: list[str] = field(default_factory=list)
    check_exit: bool = True

    process: subprocess.Popen | None = None
    ports: dict[str, list[str]] = field(default_factory=dict)
    stopped_by: int | None = None

    # --- life ---------------------------------------------------------------------------------

    def __enter__(self) -> Server:
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind, value, trace) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        if kind is not None:
            self.kill()
            return
        self.stop()

    @property
    def config_file(self) -> Path:
        return self.directory / "server.conf"

    @property
    def log_file(self) -> Path:
        return self.directory / "server.log"

    def command(self) -> list[str]:
        line = [*self.prefix, str(self.binary), "--ports_file_dir", str(self.directory), "-p", str(self.port)]
        if self.host is not None:
            line += ["-a", self.host]
        if self.monitor:
            line += ["-m", "-1"]
        if self.config is not None:
            self.write_config(self.config)
            line += ["-c", str(self.config_file)]
        return line + self.flags

    def write_config(self, text: str) -> None:
        self.config = text
        self.config_file.write_text(text.replace("$DIR", str(self.directory)))

    def launch(self) -> None:
        """Starts the process without waiting until it is ready."""
        self.stopped_by = None
        command = self.command()
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.directory,
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def start(self) -> None:
        """Starts the process and waits until its ports file says that the listeners are there."""
        self.launch()
        self.await_ports()

    def await_ports(self) -> None:
        """Waits until the ports file says that the listeners are there."""
        pid = self.process.pid

        def ready():
            if self.process.poll() is not None:
                raise ServerError(f"server ended with status {self.process.returncode} at start:\n{self.log()}")
            for path in self.directory.glob(f"*_{pid}.ports"):
                with contextlib.suppress(ValueError):
                    return json.loads(path.read_text())
            return None

        self.ports = wait_for(f"the ports file of {self.binary}", ready, START_TIMEOUT)

    def stop(self, how: int = signal.SIGINT, timeout: float = STOP_TIMEOUT) -> int:
        """Asks the process to end and returns its exit status; fails when it does not end cleanly."""
        process = self.process
        if process.poll() is None:
            self.stopped_by = how
            process.send_signal(how)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(f"server did not end within {timeout} s of signal {how}:\n{self.log()}") from None
        if self.check_exit and status != 0:
            raise ServerError(f"server ended with status {status} after signal {how}:\n{self.log()}")
        return status

    def kill(self) -> None:
        """Ends the process at once."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def restart(self) -> None:
        """Starts the process again on the port it had."""
        if self.port == -1:
            self.port = self.client_port
        self.start()

    def signal(self, which: int) -> None:
        self.process.send_signal(which)

    def reload(self, config: str | None = None, expect: str = r"Reloaded server configuration") -> None:
        """Writes `config`, asks for a reload, and waits for the log line that says how it went."""
        if config is not None:
            self.write_config(config)
        mark = self.log_size()
        self.signal(signal.SIGHUP)
        self.wait_log(expect, since=mark)

    # --- where it listens ---------------------------------------------------------------------

    @property
    def client_port(self) -> int:
        return urlsplit(self.ports["nats"][0]).port

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.client_port)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.client_port}"

    @property
    def monitor_url(self) -> str:
        return self.ports["monitoring"][0]

    def connect(self, **options) -> Connection:
        return Connection(self.address, **options)

    def get(self, path: str, method: str = "GET", base: str | None = None) -> Response:
        """One request to the monitoring port."""
        request = urllib.request.Request((base or self.monitor_url) + path, method=method)
        try:
            with urllib.request.urlopen(request, timeout=EVENT_TIMEOUT) as reply:
                return Response(reply.status, dict(reply.headers.items()), reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return Response(error.code, dict(error.headers.items()), error.read())

    def get_json(self, path: str):
        reply = self.get(path)
        if reply.status != 200:
            raise ServerError(f"GET {path}: {reply.status} {reply.text}")
        return reply.json()

    # --- what it says -------------------------------------------------------------------------

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def log_size(self) -> int:
        return len(self.log())

    def wait_log(self, pattern: str, since: int = 0, timeout: float = EVENT_TIMEOUT) -> re.Match:
        """Waits for a log line that matches `pattern` after offset `since`."""
        compiled = re.compile(pattern, re.MULTILINE)
        try:
            return wait_for(f"log line {pattern!r}", lambda: compiled.search(self.log()[since:]), timeout)
        except ServerError as error:
            raise ServerError(f"{error}; the log since then:\n{self.log()[since:]}") from None

    def rss_kib(self) -> int:
        """Resident memory of the process, in KiB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise ServerError("no VmRSS for the server process")


def run_to_end(binary: Path, *args: str, cwd: Path, env: dict[str, str] | None = None, timeout: float = 15.0):
    """Runs the binary until it ends by itself; for `-t`, `--version` and refusals."""
    return subprocess.run(
        [str(binary), *args],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
