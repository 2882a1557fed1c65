"""The values of deploy/helm in the official chart, rendered by Helm's own engine.

Needs the chart's folder in $NATS_CHART, and either the program `helm` or the Python package `helm-python-sdk`; the schemas are
those of the Python package `kubernetes-validate`.
"""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from harness.server import run_to_end

from .conftest import DEPLOY, load

HELM = DEPLOY / "helm"
SCHEMAS = "1.37"
# Not Kubernetes' own: their schemas come with the operator.
FOREIGN = {"PodMonitor"}
FILES = {
    "cluster": ["values.yaml"],
    "operator": ["values.yaml", "values-prometheus-operator.yaml"],
    "super": ["values.yaml", "values-super-cluster.yaml"],
    "streams": ["values.yaml", "values-jetstream.yaml"],
}


def merged(into: dict, other: dict) -> dict:
    """As Helm lays one file of values over another."""
    for key, value in other.items():
        into[key] = merged(into[key], value) if isinstance(value, dict) and isinstance(into.get(key), dict) else value
    return into


def with_package(chart: Path, files: list[Path]) -> str:
    package = pytest.importorskip("helm_python.chart", reason="neither helm nor helm-python-sdk is installed")
    values: dict = {}
    for file in files:
        merged(values, load(file))
    rendered = package.Chart.load(chart).render(values, name="messaging", namespace="messaging")
    return "\n---\n".join(text for path, text in rendered.items() if path.endswith(".yaml"))


def with_program(chart: Path, files: list[Path]) -> str:
    options = [option for file in files for option in ("-f", str(file))]
    command = ["helm", "template", "messaging", str(chart), "--namespace", "messaging", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.fixture(scope="module", params=FILES)
def manifests(request) -> dict[tuple[str, str], dict]:
    """Everything the chart makes of one set of files, by kind and name."""
    chart = os.environ.get("NATS_CHART")
    if not chart:
        pytest.skip("NATS_CHART does not name the folder of the chart")
    render = with_program if shutil.which("helm") else with_package
    text = render(Path(chart), [HELM / name for name in FILES[request.param]])
    documents = [document for document in yaml.safe_load_all(text) if document]
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def only(manifests: dict, kind: str) -> dict:
    found = [document for (of_kind, _), document in manifests.items() if of_kind == kind]
    return found[0] if len(found) == 1 else pytest.fail(f"{len(found)} of {kind}")


def pod(manifests: dict) -> dict:
    return only(manifests, "StatefulSet")["spec"]["template"]["spec"]


def test_only_the_image_is_another(manifests):
    (nats,) = (one for one in pod(manifests)["containers"] if one["name"] == "nats")
    image = load(HELM / "values.yaml")["container"]["image"]
    assert nats["image"] == f"{image['repository']}:{image['tag']}"
    assert nats["args"] == ["--config", "/etc/nats-config/nats.conf"]
    assert nats["lifecycle"]["preStop"]["exec"]["command"] == ["nats-server", "-sl=ldm=/var/run/nats/nats.pid"]
    probes = {
        name: nats[f"{name}Probe"]["httpGet"]["path"].split("?")[0] for name in ("startup", "readiness", "liveness")
    }
    assert set(probes.values()) == {"/healthz"}
    assert not any(one["name"] == "prom-exporter" for one in pod(manifests)["containers"])


def test_kubernetes_knows_every_field(manifests):
    schemas = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    known = {key: document for key, document in manifests.items() if key[0] not in FOREIGN}
    assert len(known) >= 5
    for document in known.values():
        schemas.validate(document, SCHEMAS, strict=True)
    broken = copy.deepcopy(only(manifests, "StatefulSet"))
    broken["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(schemas.ValidationError):
        schemas.validate(broken, SCHEMAS, strict=True)


def test_streams_are_on_a_volume(manifests):
    stateful = only(manifests, "StatefulSet")["spec"]
    claims = {claim["metadata"]["name"] for claim in stateful.get("volumeClaimTemplates") or []}
    mounts = {mount["name"]: mount["mountPath"] for mount in pod(manifests)["containers"][0]["volumeMounts"]}
    with_streams = '"jetstream"' in only(manifests, "ConfigMap")["data"]["nats.conf"]
    assert bool(claims) == with_streams
    assert {mounts[claim] for claim in claims} <= {"/data"}


def test_servers_are_spread_and_kept(manifests):
    stateful = only(manifests, "StatefulSet")["spec"]
    clustered = '"routes"' in only(manifests, "ConfigMap")["data"]["nats.conf"]
    assert stateful["replicas"] == (3 if clustered else 1)
    spread = {one["topologyKey"]: one["whenUnsatisfiable"] for one in pod(manifests)["topologySpreadConstraints"]}
    assert spread == {"kubernetes.io/hostname": "DoNotSchedule", "topology.kubernetes.io/zone": "ScheduleAnyway"}
    budget = only(manifests, "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    labels = stateful["template"]["metadata"]["labels"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()


def test_nothing_runs_as_root(manifests):
    assert pod(manifests)["securityContext"]["runAsNonRoot"] is True
    (nats,) = (one for one in pod(manifests)["containers"] if one["name"] == "nats")
    assert nats["securityContext"]["readOnlyRootFilesystem"] is True


def test_what_prometheus_scrapes_is_there(manifests):
    monitors = [document for (kind, _), document in manifests.items() if kind == "PodMonitor"]
    for monitor in monitors:
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        ports = [port["name"] for one in pod(manifests)["containers"] for port in one.get("ports", [])]
        assert endpoint["port"] in ports
        selected = monitor["spec"]["selector"]["matchLabels"]
        labels = only(manifests, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
        assert selected.items() <= labels.items()


def test_servers_accept_the_configuration_that_the_chart_writes(manifests, binary, tmp_path):
    text = only(manifests, "ConfigMap")["data"]["nats.conf"]
    config = tmp_path / "nats.conf"
    config.write_text(text)
    done = run_to_end(binary, "-t", "-c", str(config), cwd=tmp_path, env={"SERVER_NAME": "messaging-nats-0"})
    assert done.returncode == 0, done.stdout + done.stderr
    seconds = {name: int(load_seconds(text, name)) for name in ("lame_duck_duration", "lame_duck_grace_period")}
    assert (
        seconds["lame_duck_duration"] + seconds["lame_duck_grace_period"]
        < pod(manifests)["terminationGracePeriodSeconds"]
    )


def load_seconds(text: str, name: str) -> str:
    (line,) = (line for line in text.splitlines() if f'"{name}"' in line)
    return line.split(":")[1].strip(' ",').removesuffix("s")
