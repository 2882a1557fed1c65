"""Disks that are full, or do not do what they are asked."""

from __future__ import annotations

import base64
import fcntl
import os
import resource
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.jetstream import Client
from harness.server import Server, wait_for
from harness.wire import WireError
from jetstream.conftest import jetstream_config, login

CONFIG = 'server_name: js\njetstream {{ store_dir: "{}/store", max_file_store: 1GB }}\n'


def fill(js: Client) -> tuple[int, dict | None]:
    """Publishes until a message is not acknowledged: how many were, and what the server says if it says anything."""
    for acked in range(300):
        try:
            answer = js.request("s", b"x" * 65536, timeout=3).json
        except WireError:
            return acked, None
        if "error" in answer:
            return acked, answer["error"]
    raise AssertionError("the disk was never full")


# --- files that may not grow: no file system of one's own is needed --------------------------------


def allow(server: Server, size: int) -> None:
    """Files of the server may be of so many bytes from now on."""
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, hard))


@pytest.mark.martlet_only
@pytest.mark.parametrize("sync", ["always", "2m"])
def test_no_room_is_told_and_forgotten(sync, start):
    # spec: JS-077 JS-164
    # The reference does not answer any more once a write has failed.
    ignore_signal = ["sh", "-c", 'trap "" XFSZ; exec "$0" "$@"']
    server = start(jetstream_config(f", sync_interval: {sync}"), monitor=True, prefix=ignore_signal, check_exit=False)
    with login(server) as js:
        js.stream("S", "s", storage="file", allow_direct=True)
        assert js.put("s", b"first") == 1
        for round_number in range(2):
            allow(server, 1 << 16)
            before = js.state("S")
            told = [js.publish("s", b"x" * 65536) for _ in range(3)]
            for answer in told:
                error = answer["error"]
                assert (error["code"], error["err_code"], error["description"]) == (503, 10023, "insufficient resources")
            # It can be read, and is healthy: the next message may find room.
            assert (js.state("S")["messages"], js.state("S")["last_seq"]) == (before["messages"], before["last_seq"])
            assert js.request("$JS.API.DIRECT.GET.S", {"seq": 1}).data == b"first"
            assert server.get("/healthz").status == 200
            allow(server, 1 << 30)
            assert js.put("s", b"x" * 65536) == 2 + round_number, "no sequence was used up"
    said = [line for line in server.log().splitlines() if "no space is left" in line]
    assert len(said) == 1, "it is said now and then, not for every message"
    server.kill()
    server.restart()
    with login(server) as js:
        assert js.state("S")["messages"] == 3


# --- file systems of one's own ----------------------------------------------------------------------


def mount(where, *options) -> None:
    """Mounts something, if this is a place where one may."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a file system of one's own needs root")
    where.mkdir()
    mounted = subprocess.run(["mount", *options, str(where)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"no file system of one's own here: {mounted.stderr.decode().strip()}")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MiB of its own."""
    where = tmp_path / "disk"
    mount(where, "-t", "tmpfs", "-o", "size=8m", "tmpfs")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


@pytest.mark.heavy
def test_what_was_acknowledged_before_the_disk_was_full_is_kept(small_disk, start):
    # spec: JS-077 NEW-028
    server = start(CONFIG.format(small_disk), check_exit=False)
    with login(server) as js:
        js.stream("S", "s", storage="file")
        acked, _ = fill(js)
    assert acked > 50
    server.kill()
    server.restart()
    with login(server) as js:
        state = js.state("S")
        assert state["last_seq"] >= acked
        for seq in (1, acked):
            assert js.ok("STREAM.MSG.GET.S", {"seq": seq})["message"]["seq"] == seq


@pytest.mark.heavy
@pytest.mark.martlet_only
def test_a_full_disk_is_told_and_forgotten(small_disk, start):
    # spec: JS-077 JS-164
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (2 << 20))
    with login(start(CONFIG.format(small_disk))) as js:
        js.stream("S", "s", storage="file")
        acked, error = fill(js)
        assert acked > 20
        assert error["err_code"] in (10023, 10047, 10077)
        assert js.ok("STREAM.MSG.GET.S", {"seq": acked})["message"]["seq"] == acked
        ballast.unlink()
        wait_for("room", lambda: "seq" in js.publish("s", b"x") and "error" not in js.publish("s", b"x"), pause=0.1)


@dataclass
class FailingDisk:
    """An ext4 of its own."""

    image: Path
    where: Path

    def shut_down(self) -> None:
        """Every write and sync fails from now on."""
        command, without_a_flush = 0x8004587D, 2
        directory = os.open(self.where, os.O_RDONLY)
        fcntl.ioctl(directory, command, struct.pack("I", without_a_flush))
        os.close(directory)

    def become_read_only(self) -> None:
        """It has met an error, and does what it does by default then."""
        source = subprocess.run(["findmnt", "-no", "SOURCE", str(self.where)], capture_output=True, text=True, check=True)
        trigger = Path("/sys/fs/ext4", Path(source.stdout.strip()).name, "trigger_fs_error")
        if not os.access(trigger, os.W_OK):
            pytest.skip("no error can be made up here")
        trigger.write_text("a test")

    def mount_again(self) -> None:
        subprocess.run(["umount", str(self.where)], check=True)
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.where)], check=True)


@pytest.fixture
def failing_disk(tmp_path):
    disk = FailingDisk(tmp_path / "image", tmp_path / "disk")
    with disk.image.open("wb") as file:
        file.truncate(64 << 20)
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("there is no mkfs.ext4")
    subprocess.run(["mkfs.ext4", "-q", str(disk.image)], check=True)
    mount(disk.where, "-o", "loop,errors=remount-ro", str(disk.image))
    yield disk
    subprocess.run(["umount", "-l", str(disk.where)], check=True)


@pytest.mark.heavy
@pytest.mark.martlet_only
def test_a_disk_that_fails_ends_its_streams_and_nothing_else(failing_disk, start):
    # spec: JS-122 NEW-028
    server = start(CONFIG.format(failing_disk.where), monitor=True, check_exit=False)
    with login(server) as js:
        js.stream("S", "s", storage="file")
        js.stream("M", "m")
        acked = [js.put("s", b"%d" % number) for number in range(20)]
        failing_disk.shut_down()
        for _ in range(3):
            error = js.publish("s", b"late")["error"]
            assert "until the server is started again" in error["description"], error
        # Others go on, and so does whoever reads.
        assert js.put("m") == 1
        assert js.ok("STREAM.INFO.S")["state"]["last_seq"] == len(acked)
        reply = server.get("/healthz")
        assert reply.status == 503
        assert reply.json()["error"].startswith("JetStream stream '$G > S' takes no more messages: ")
        said = [line for line in server.log().splitlines() if "[ERR]" in line and "$G > S" in line]
        assert len(said) == 1, said


@pytest.mark.heavy
@pytest.mark.martlet_only
def test_a_file_system_that_becomes_read_only_is_still_read(failing_disk, start):
    # spec: JS-122 JS-191 NEW-028
    server = start(CONFIG.format(failing_disk.where), monitor=True, check_exit=False)
    with login(server) as js:
        # In several files, of 1 MiB each.
        js.stream("S", "s", storage="file", max_bytes=8 << 20)
        for number in range(50):
            js.put("s", b"%06d" % number + b"x" * 65536)
    # None of them is open.
    server.stop()
    server.restart()
    with login(server) as js:
        failing_disk.become_read_only()
        error = js.publish("s", b"late")["error"]
        assert "Read-only file system" in error["description"], error
        assert "until the server is started again" in error["description"], error
        reply = server.get("/healthz")
        assert reply.status == 503 and "Read-only file system" in reply.json()["error"]

        state = js.state("S")
        assert (state["messages"], state["last_seq"]) == (50, 50)
        for seq in range(1, 51):
            message = js.ok("STREAM.MSG.GET.S", {"seq": seq})["message"]
            assert base64.b64decode(message["data"]).startswith(b"%06d" % (seq - 1))
        assert "lost" not in js.state("S"), "nothing is damaged"

        # Nothing is said to be done that the next start would undo.
        for request, body in (("STREAM.MSG.DELETE.S", {"seq": 1}), ("STREAM.PURGE.S", b""), ("STREAM.DELETE.S", b"")):
            error = js.api(request, body)["error"]
            assert "Read-only file system" in error["description"], error
        assert js.api("STREAM.DELETE.S")["error"]["err_code"] == 10050
        error = js.api("STREAM.CREATE.T", {"name": "T", "subjects": ["t"], "storage": "file"})["error"]
        assert "Read-only file system" in error["description"], error
        assert js.ok("STREAM.NAMES")["streams"] == ["S"]
    server.stop()
    failing_disk.mount_again()
    server.restart()
    with login(server) as js:
        assert js.state("S")["messages"] == 50
        assert js.put("s", b"again") == 51
    assert server.get("/healthz").status == 200
