"""The binary under the name that scripts and client test suites call it by."""

import shutil

import pytest


@pytest.fixture
def nats_server(binary, tmp_path):
    """A link named `nats-server` to the binary under test."""
    link = tmp_path / "bin" / "nats-server"
    link.parent.mkdir()
    try:
        link.symlink_to(binary)
    except OSError:
        shutil.copy2(binary, link)
    return link
