"""Chooses the server binaries under test and gives tests a way to start them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from harness.certs import Authority
from harness.server import Server

ROOT = Path(__file__).resolve().parent.parent


def find_reference() -> Path:
    for candidate in (Path(sys.executable).parent / "nats-server", shutil.which("nats-server")):
        if candidate and Path(candidate).exists():
            return Path(candidate).absolute()
    raise pytest.UsageError("the reference server is not installed: run scripts/setup")


def resolve(name: str) -> Path:
    if name == "reference":
        return find_reference()
    if name == "martlet":
        target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        name = str(target / "release" / "martlet")
    path = Path(name).absolute()
    if not path.exists():
        raise pytest.UsageError(f"no server binary at {path}")
    return path


def pytest_addoption(parser):
    group = parser.getgroup("server under test")
    group.addoption(
        "--server",
        default=os.environ.get("TEST_SERVER", "reference"),
        help="reference, martlet, or the path of a server binary (default: $TEST_SERVER or reference)",
    )
    group.addoption("--both", action="store_true", help="run every test against the reference and against martlet")
    group.addoption("--heavy", action="store_true", help="also run the tests that need thousands of connections")


def pytest_generate_tests(metafunc):
    if "binary" in metafunc.fixturenames:
        config = metafunc.config
        names = ["reference", "martlet"] if config.getoption("both") else [config.getoption("server")]
        metafunc.parametrize("binary", [resolve(n) for n in names], ids=[Path(n).name for n in names], scope="session")


def pytest_collection_modifyitems(config, items):
    heavy = config.getoption("heavy")
    for item in items:
        if "heavy" in item.keywords and not heavy:
            item.add_marker(pytest.mark.skip(reason="needs --heavy"))
        later = item.get_closest_marker("later")
        if later and not is_reference(chosen_binary(item)):
            item.add_marker(pytest.mark.skip(reason=f"later: {later.args[0]}"))
        if "martlet_only" in item.keywords and is_reference(chosen_binary(item)):
            item.add_marker(pytest.mark.skip(reason="the reference has no such thing"))


def chosen_binary(item) -> Path | None:
    return item.callspec.params.get("binary") if hasattr(item, "callspec") else None


def is_reference(binary: Path | None) -> bool:
    return binary is not None and binary == find_reference()


@pytest.fixture
def start(binary, tmp_path):
    """Starts servers that end with the test: `start(config, monitor=True, …)`."""
    running: list[Server] = []

    def start_server(config: str | None = None, **options) -> Server:
        directory = options.pop("directory", tmp_path / f"server{len(running)}")
        server = Server(options.pop("binary", binary), directory, config, **options)
        running.append(server)
        return server.__enter__()

    yield start_server
    errors = []
    for server in running:
        try:
            server.__exit__(None, None, None)
        except AssertionError as error:
            errors.append(str(error))
    assert not errors, "\n".join(errors)


@pytest.fixture(scope="session")
def worker_lock(tmp_path_factory):
    """A lock that all workers of one run share: `with worker_lock("name"): …`."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    @contextlib.contextmanager
    def lock(name: str):
        with (shared / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    return lock


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("certificates"))
    made.server = made.issue("server")
    made.client = made.issue("client", subject="/O=Tests/CN=client")
    return made


@pytest.fixture(scope="session")
def reference() -> Path:
    """The reference binary, for tests that compare two servers side by side."""
    return find_reference()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the rows a test cites to its failure report."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and call.when == "call" and hasattr(item, "function"):
        rows = rows_of(item)
        if rows:
            report.sections.append(("rows", " ".join(rows)))


def rows_of(item) -> list[str]:
    import inspect

    try:
        source = inspect.getsource(item.function)
    except OSError:
        return []
    return sorted({row for line in re.findall(r"# spec: (.*)", source) for row in line.split()})
