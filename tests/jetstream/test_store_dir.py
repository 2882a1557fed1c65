"""Who may use a store directory."""

from __future__ import annotations

import fcntl
import signal

import pytest

from harness.server import run_to_end
from jetstream.conftest import login

# The reference lets two servers write the same files.
pytestmark = pytest.mark.martlet_only

CONFIG = 'server_name: js\nlisten: "127.0.0.1:-1"\njetstream {{ store_dir: "{}" }}\n'


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def test_two_servers_do_not_share_one(binary, store, start, tmp_path):
    # spec: CFG-185
    server = start(CONFIG.format(store), check_exit=False)
    conf = tmp_path / "second.conf"
    conf.write_text(CONFIG.format(store))
    with login(server) as js:
        js.stream("S", "s", storage="file")
        js.put("s")
        refused = run_to_end(binary, "-c", str(conf), cwd=tmp_path)
        assert refused.returncode == 1
        text = f"{store}/martlet is in use by process {server.process.pid}: stop that one first, or set another `store_dir`"
        assert text in refused.stderr
        assert js.put("s") == 2
    # A server that was killed leaves nothing in the way.
    for how in (signal.SIGKILL, signal.SIGTERM):
        server.stop(how)
        server.restart()
    with login(server) as js:
        assert js.put("s") == 3


def test_a_server_without_streams_needs_none(store, start):
    # spec: CFG-184 CFG-185
    first = start(CONFIG.format(store))
    second = start('server_name: js\n')
    second.reload(CONFIG.format(store), expect=r"Failed to reload server configuration: .*/martlet is in use by process")
    # What is turned off is free for others.
    first.reload('server_name: js\nlisten: "127.0.0.1:-1"\n')
    second.reload(CONFIG.format(store).replace('listen: "127.0.0.1:-1"\n', ""))
    with login(second) as js:
        js.stream("S", "s", storage="file")
        assert js.put("s") == 1


def test_whoever_imports_has_it_to_himself(binary, store, tmp_path):
    # spec: CFG-185 CLI-022
    (store / "martlet").mkdir(parents=True)
    conf = tmp_path / "martlet.conf"
    conf.write_text(CONFIG.format(store))
    with (store / "martlet" / ".lock").open("w") as file:
        # As `martlet import` does.
        fcntl.flock(file, fcntl.LOCK_EX)
        refused = run_to_end(binary, "-c", str(conf), cwd=tmp_path)
        assert refused.returncode == 1 and "/martlet is in use by another process" in refused.stderr
