"""The compose files for real, but for the image: each service in a network of its own, under its name, beside the others.

Needs root, to make network namespaces; everything that is made is inside them, and goes with the test.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from cli.conftest import martlet  # noqa: F401 (a fixture)
from harness.server import wait_for

from .conftest import DEPLOY
from .test_configs import PASSWORDS, filled, services

SETUP = 30


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


class Network:
    """Hosts on a switch. Use as a context manager."""

    def __init__(self, directory: Path, names: list[str]):
        self.directory = directory
        self.switch = f"mt{os.getpid()}"
        self.hosts = {name: f"{self.switch}-{number}" for number, name in enumerate(names)}
        self.processes: dict[str, subprocess.Popen] = {}
        self.made: list[str] = []

    def __enter__(self) -> Network:
        table = "127.0.0.1 localhost\n" + "".join(
            f"10.99.0.{number + 1} {name}\n" for number, name in enumerate(self.hosts)
        )
        (self.directory / "hosts").write_text(table)
        try:
            self.make()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def make(self) -> None:
        self.add(self.switch)
        ip("-n", self.switch, "link", "add", "br0", "type", "bridge")
        ip("-n", self.switch, "link", "set", "br0", "up")
        for number, host in enumerate(self.hosts.values()):
            self.add(host)
            port = f"port{number}"
            ip("link", "add", port, "netns", self.switch, "type", "veth", "peer", "name", "eth0", "netns", host)
            ip("-n", self.switch, "link", "set", port, "master", "br0", "up")
            ip("-n", host, "address", "add", f"10.99.0.{number + 1}/24", "dev", "eth0")
            ip("-n", host, "link", "set", "eth0", "up")
            ip("-n", host, "link", "set", "lo", "up")

    def add(self, name: str) -> None:
        ip("netns", "add", name)
        self.made.append(name)

    def __exit__(self, kind, value, trace) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()
        for name in reversed(self.made):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, timeout=20, check=False)

    def command(self, name: str, *words: str) -> list[str]:
        """`words` on host `name`, which knows the others by their names."""
        inside = 'mount --bind "$0" /etc/hosts && exec "$@"'
        hosts = str(self.directory / "hosts")
        return ["ip", "netns", "exec", self.hosts[name], "sh", "-c", inside, hosts, *words]

    def start(self, name: str, words: list[str], env: dict[str, str]) -> None:
        with (self.directory / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                self.command(name, *words), env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def run(self, name: str, *words: str) -> subprocess.CompletedProcess:
        env = {"HOME": "/nonexistent", "PATH": os.environ["PATH"]}
        return subprocess.run(
            self.command(name, *words), env=env, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture(params=["cluster.yaml", "super-cluster.yaml"])
def up(request, binary, tmp_path):
    """The servers of a compose file, started as compose starts them."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("making networks needs root and the program ip")
    found = {name: one for name, one in services(request.param).items() if "martlet" in one["image"]}
    probe = subprocess.run(["unshare", "--net", "true"], capture_output=True, timeout=20, check=False)
    if probe.returncode != 0:
        pytest.skip(f"networks cannot be made here: {probe.stderr.decode().strip()}")
    with Network(tmp_path, list(found)) as network:
        for name, service in found.items():
            words = [word.replace("/etc/nats", str(DEPLOY / "compose" / "conf")) for word in service["command"][1:]]
            env = {key: filled(str(value), PASSWORDS) for key, value in service["environment"].items()}
            network.start(name, [str(binary), *words], env)
        yield network


def test_the_servers_find_each_other(up, martlet):  # noqa: F811
    # spec: CLI-016
    names = list(up.hosts)
    as_system = ("--user", "sys", "--password", PASSWORDS["SYS_PASSWORD"])
    as_app = ("--user", "app", "--password", PASSWORDS["APP_PASSWORD"])

    def listed():
        done = up.run(names[0], str(martlet), "server", "ls", "--json", *as_system)
        ended = {name: process.returncode for name, process in up.processes.items() if process.poll() is not None}
        assert not ended, {name: (up.directory / f"{name}.log").read_text() for name in ended}
        found = {one["server"]["name"]: one["statsz"] for one in json.loads(done.stdout or "[]")}
        if set(found) != set(names):
            return None
        peers = {name: {route["name"] for route in stats.get("routes", [])} for name, stats in found.items()}
        beside = {name: {other for other in names if other != name and other[:-1] == name[:-1]} for name in names}
        gateways = {name: [gateway["name"] for gateway in stats.get("gateways", [])] for name, stats in found.items()}
        joined = all(gateways[name] for name in names if "-" in name)
        return found if peers == beside and joined else None

    wait_for("all servers to know each other", listed, SETUP, 0.3)
    # From the last one to the first: over a leaf node, routes and a gateway where there are such.
    answers = subprocess.Popen(
        up.command(names[-1], str(martlet), "reply", "svc", "here: {{Request}}", *as_app),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for asking in (names[0], names[-2]):
            request = (str(martlet), "req", "svc", "hi", "--raw", *as_app)
            wait_for(
                f"an answer at {asking}", lambda at=asking: up.run(at, *request).stdout == "here: hi\n", SETUP, 0.2
            )
    finally:
        answers.terminate()
        answers.wait(10)
    health = [up.run(name, str(martlet), "healthz").stdout for name in names]
    assert health == ['{"status":"ok"}\n'] * len(names)


def test_the_servers_stop_by_the_signal_of_the_file(up, martlet):  # noqa: F811
    for name in up.hosts:
        wait_for(f"{name} to be well", lambda at=name: up.run(at, str(martlet), "healthz").returncode == 0, SETUP, 0.2)
    for process in up.processes.values():
        process.send_signal(signal.SIGUSR2)
    for name, process in up.processes.items():
        assert process.wait(30) == 0, (up.directory / f"{name}.log").read_text()
