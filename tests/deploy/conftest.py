"""The files of deploy/, and the programs that judge them where they are installed."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml

from harness.server import wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy"
UNPACKED = [Path(sys.prefix) / package / "usr" / "bin" for package in ("prometheus", "buildah")]


def program(name: str) -> str:
    """Where `name` is: on the PATH, in the venv, or where scripts/setup unpacks Debian's packages."""
    for place in (None, str(Path(sys.executable).parent), *map(str, UNPACKED)):
        found = shutil.which(name, path=place)
        if found:
            return found
    pytest.skip(f"{name} is not installed")


def check(*command: str | Path, cwd: Path = DEPLOY) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def load(path: Path):
    return yaml.safe_load(path.read_text())


def dashboards() -> list[Path]:
    return sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))


def panel_queries(path: Path) -> list[tuple[str, str]]:
    """Every query of a dashboard as (panel, expression), its variables set to everything."""
    queries = []
    for panel in json.loads(path.read_text())["panels"]:
        for target in panel.get("targets", []):
            text = target["expr"].replace("$__rate_interval", "10s")
            queries.append((panel["title"], re.sub(r"\$(job|cluster|instance|account|stream)\b", ".*", text)))
    return queries


def rules(name: str) -> list[dict]:
    groups = load(DEPLOY / "prometheus" / "rules" / name)["groups"]
    return [rule for group in groups for rule in group["rules"]]


class Prometheus:
    """A running Prometheus with the rules of deploy/, which scrapes `targets` every second."""

    def __init__(self, directory: Path, port: int, targets: dict[str, list[str]]):
        self.directory = directory
        self.url = f"http://127.0.0.1:{port}"
        directory.mkdir(parents=True)
        config = load(DEPLOY / "prometheus" / "prometheus.yml")
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(DEPLOY / "prometheus" / "rules" / "*.yml")]
        (job,) = config["scrape_configs"]
        job["file_sd_configs"] = [{"files": [str(directory / "targets.yml")]}]
        groups = [{"targets": hosts, "labels": {"cluster": cluster}} for cluster, hosts in targets.items()]
        (directory / "targets.yml").write_text(yaml.safe_dump(groups))
        (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.log = (directory / "prometheus.log").open("wb")
        self.process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            ],
            stdout=self.log,
            stderr=self.log,
        )

    def get(self, path: str, **parameters: str):
        url = f"{self.url}{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as reply:
                return json.loads(reply.read())["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def query(self, text: str) -> list:
        data = self.get("/api/v1/query", query=text)
        return data["result"] if data["resultType"] == "vector" else [data["result"]]

    def await_samples(self, count: int) -> None:
        """Waits until every target has been scraped `count` times."""

        def ready():
            assert self.process.poll() is None, (self.directory / "prometheus.log").read_text()
            # It refuses connections at first, and then says that it is not ready.
            with contextlib.suppress(OSError):
                return urllib.request.urlopen(f"{self.url}/-/ready", timeout=10).status == 200

        wait_for("Prometheus", ready, 60, 0.2)
        enough = f"min(count_over_time(up[5m])) >= {count} and min(up) == 1"
        wait_for(f"{count} scrapes", lambda: self.query(enough), 60, 0.2)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


@pytest.fixture
def prometheus(tmp_path):
    """Starts one: `prometheus(port, {"cluster": ["host:port"]})`."""
    running: list[Prometheus] = []

    def start(port: int, targets: dict[str, list[str]]) -> Prometheus:
        running.append(Prometheus(tmp_path / "prometheus", port, targets))
        return running[-1]

    program("prometheus")
    yield start
    for one in running:
        one.stop()
