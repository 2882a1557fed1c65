"""The image, built by a builder without a daemon, and started in a root that holds what it built and nothing else.

The stages that compile and that take files from a distribution begin with images that have to be fetched. They are replaced by
what is here: the binary under test, with the libraries it needs if it is not static, and this machine's files, which the
Dockerfile's own commands put in their places. The last stage, which is the image, is built as it stands.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.netns import Namespaces, ip
from harness.server import wait_for

from .conftest import DEPLOY, ROOT, program

DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
pytestmark = pytest.mark.martlet_only


def libraries(binary: Path) -> list[Path]:
    """What has to stand beside a binary that is not static."""
    said = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False).stdout
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", said)]


def build_stage(binary: Path, root: Path) -> None:
    """What the stage `build` leaves."""
    binaries = root / "usr/local/bin"
    binaries.mkdir(parents=True)
    shutil.copy(binary, binaries / "martlet")
    (binaries / "nats-server").symlink_to("martlet")
    for library in libraries(binary):
        there = root / str(library).lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library.resolve(), there)


def files_stage(root: Path) -> None:
    """What the stage `files` leaves: its commands are run here, but for the one that installs packages."""
    text = DOCKERFILE.read_text()
    stage = text[text.index(" AS files\n") : text.index("FROM scratch")]
    commands = re.search(r"^RUN apk add [^&]*&& \\\n((?:.*\\\n)*.*)$", stage, re.M)[1]
    assert "/root-fs" in commands
    subprocess.run(["sh", "-ec", commands.replace("/root-fs", str(root))], check=True)
    for source, target in re.findall(r"^COPY (\S+) /root-fs/(\S+)$", stage, re.M):
        there = root / target
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, there)


class Builder:
    """`buildah` with a store of its own."""

    def __init__(self, directory: Path):
        self.command = program("buildah")
        self.directory = directory
        policy = directory / "policy.json"
        policy.write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
        unpacked = Path(sys.prefix) / "buildah"
        libraries = [str(path) for pattern in ("usr/lib/*", "lib/*") for path in unpacked.glob(pattern) if path.is_dir()]
        self.env = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}
        self.store = ["--storage-driver", "vfs", "--root", str(directory / "store"), "--runroot", str(directory / "run")]
        self.policy = ["--signature-policy", str(policy)]
        tried = subprocess.run([self.command, "--version"], env=self.env, capture_output=True, text=True, check=False)
        if tried.returncode != 0:
            pytest.skip(f"{self.command} does not run here: {tried.stderr.strip()}")

    def arguments(self, *command: str) -> list[str]:
        return [self.command, *self.store, *command]

    def __call__(self, *command: str) -> str:
        done = subprocess.run(
            self.arguments(*command), env=self.env, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()


@dataclass
class Image:
    """What was built: how it is started, and the files it holds."""

    config: dict
    root: Path


@pytest.fixture(scope="module")
def image(binary, tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("who is not root can enter no other root")
    for taken in ("/etc/ssl/certs/ca-certificates.crt", "/usr/share/zoneinfo"):
        if not Path(taken).exists():
            pytest.skip(f"there is no {taken} to take")
    directory = tmp_path_factory.mktemp("image")
    builder = Builder(directory)
    for stage, fill in (("build", lambda root: build_stage(binary, root)), ("files", files_stage)):
        fill(directory / stage / "root-fs")
    contexts = [f"--build-context={stage}={directory / stage}" for stage in ("build", "files")]
    name = builder("bud", *builder.policy, *contexts, "--quiet", "--file", str(DOCKERFILE), str(ROOT))
    container = builder("from", *builder.policy, "--pull-never", name)
    config = json.loads(builder("inspect", "--type", "container", container))["OCIv1"]["config"]
    yield Image(config, Path(builder("mount", container)))
    builder("umount", container)
    builder("rm", container)
    builder("rmi", name)


@pytest.fixture
def network():
    """A network namespace where the ports of the image's own configuration are free."""
    if why := Namespaces.missing():
        pytest.skip(why)
    name = f"mtimage{os.getpid()}"
    ip("netns", "add", name)
    ip("-n", name, "link", "set", "lo", "up")
    yield name
    ip("netns", "del", name, check=False)


def test_the_image_says_how_it_is_started(image):
    config = image.config
    assert config["Entrypoint"] == ["/usr/local/bin/martlet"]
    assert config["Cmd"] == ["nats-server", "--config", "/etc/nats/nats-server.conf"]
    assert config["User"] == "1000:1000"
    assert set(config["ExposedPorts"]) == {"4222/tcp", "6222/tcp", "8222/tcp"}
    assert "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt" in config["Env"]


def test_the_image_is_started(image, network, tmp_path):
    config = image.config

    def run(*command: str) -> list[str]:
        inside = ["chroot", f"--userspec={config['User']}", str(image.root), *command]
        return ["ip", "netns", "exec", network, "env", "-i", *config["Env"], *inside]

    def finished(*command: str) -> subprocess.CompletedProcess:
        return subprocess.run(run(*command), capture_output=True, text=True, timeout=60, check=False)

    log = (tmp_path / "server.log").open("wb")
    pid = ["--pid", "/var/run/nats/nats.pid"]
    server = subprocess.Popen(run(*config["Entrypoint"], *config["Cmd"], *pid), stdout=log, stderr=log)
    try:
        # The image's own health check, in the words that it gives.
        wait_for("the server", lambda: finished("/usr/local/bin/martlet", "healthz").returncode == 0, 60, 0.1)
        asked = finished("/usr/local/bin/martlet", "rtt")
        assert asked.returncode == 0, asked.stdout + asked.stderr
        # The hook that the Helm chart runs before a pod goes.
        hook = finished("nats-server", "-sl=ldm=/var/run/nats/nats.pid")
        assert hook.returncode == 0, hook.stdout + hook.stderr
        assert server.wait(60) == 0
    finally:
        if server.poll() is None:
            server.kill()
            server.wait(20)
        log.close()
    text = (tmp_path / "server.log").read_text()
    assert "Server is ready" in text, text
    assert "Entering lame duck mode" in text, text


def test_nobody_is_root_and_files_are_there(image):
    root = image.root
    assert (root / "usr/share/zoneinfo/Europe/Zurich").exists()
    assert "BEGIN CERTIFICATE" in (root / "etc/ssl/certs/ca-certificates.crt").read_text()
    assert (root / "etc/passwd").read_text().startswith("nats:x:1000:1000:")
    assert (root / "var/run/nats").stat().st_uid == 1000
    assert not (root / "bin/sh").exists()
