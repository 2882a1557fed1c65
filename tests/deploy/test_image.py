"""The Dockerfile and the systemd unit, as far as they can be judged without a builder and without a service manager."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from .conftest import DEPLOY, ROOT, check, program

DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
UNIT = DEPLOY / "systemd" / "martlet.service"


def test_the_dockerfile_has_no_fault_that_a_linter_knows():
    check(program("hadolint"), DOCKERFILE)


def test_the_image_takes_the_place_of_the_official_one():
    text = DOCKERFILE.read_text()
    final = text[text.rindex("\nFROM ") :]
    assert final.startswith("\nFROM scratch\n")
    for line in (
        "EXPOSE 4222 8222 6222",
        'ENTRYPOINT ["/usr/local/bin/martlet"]',
        'CMD ["nats-server", "--config", "/etc/nats/nats-server.conf"]',
    ):
        assert f"\n{line}\n" in final, line
    # Kubernetes can only tell that a user is not root when it is a number.
    assert re.search(r"\nUSER (\d+):\d+\n", final)[1] != "0"
    assert "ln -s martlet /root-fs/usr/local/bin/nats-server" in text, "hooks call it by that name"


def test_what_the_build_needs_is_sent_to_the_builder():
    allowed = [
        line[1:] for line in (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    for path in allowed:
        assert (ROOT / path).exists(), path
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), re.M)
    for path in " ".join(copied).split():
        assert any(path == one or path.startswith(f"{one}/") for one in allowed), path


@pytest.fixture
def unit_with_programs(tmp_path):
    """The unit, its program replaced by one that exists."""
    text = UNIT.read_text().replace("/usr/local/bin/martlet", shutil.which("true"))
    unit = tmp_path / UNIT.name
    unit.write_text(text)
    return unit


def test_systemd_understands_the_unit(unit_with_programs):
    said = check(program("systemd-analyze"), "verify", unit_with_programs)
    assert UNIT.name not in said, said


def test_the_unit_gives_the_server_little(unit_with_programs):
    command = [program("systemd-analyze"), "security", "--offline=true", str(unit_with_programs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd cannot judge a file")
    level = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert level and float(level[1]) < 2.0, done.stdout + done.stderr
