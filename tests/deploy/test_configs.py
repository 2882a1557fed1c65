"""Every server configuration in deploy/, read by a server, and the compose files that mount them."""

from __future__ import annotations

import re

import pytest

from harness.server import run_to_end

from .conftest import DEPLOY, ROOT, load

CONFIGS = sorted(path for path in DEPLOY.rglob("*.conf"))
COMPOSE = sorted((DEPLOY / "compose").glob("*.yaml"))
PASSWORDS = {"APP_PASSWORD": "one", "SYS_PASSWORD": "two", "GRAFANA_PASSWORD": "three"}


def filled(text: str, env: dict[str, str]) -> str:
    """As compose fills in variables of its own."""
    return re.sub(r"\$\{(\w+)(?::[?-]([^}]*))?\}", lambda found: env.get(found[1], found[2] or ""), text)


def services(name: str) -> dict[str, dict]:
    return load(DEPLOY / "compose" / name)["services"]


def servers() -> list[tuple[str, str, dict]]:
    """Every service of the compose files that runs a server."""
    found = [(path.name, name, service) for path in COMPOSE for name, service in services(path.name).items()]
    return [one for one in found if "martlet" in one[2]["image"]]


ENVIRONMENT = {
    "accounts.conf": PASSWORDS,
    "roles.conf": {f"{role}_PASSWORD": role.lower() for role in ("ADMIN", "OBSERVER", "WORKER")},
    **{f"{name}.conf": PASSWORDS | {"SERVER_NAME": "n1"} for name in ("cluster", "east", "west")},
    "leaf.conf": PASSWORDS
    | {
        "SERVER_NAME": "leaf",
        "APP_LEAF_URLS": '[ "nats-leaf://app:one@east-1:7422", "nats-leaf://app:one@east-2:7422" ]',
        "SYS_LEAF_URLS": '[ "nats-leaf://sys:two@east-1:7422" ]',
    },
}


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.name) for path in CONFIGS],
)
def test_servers_accept_the_configuration(path, binary, tmp_path):
    # spec: CFG-001
    done = run_to_end(binary, "-t", "-c", str(path), cwd=tmp_path, env=ENVIRONMENT.get(path.name, {}))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "name", "service"), servers(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_servers_accept_what_compose_runs(file, name, service, binary, tmp_path):
    """The command of the service, with its mounts and its environment, and `-t` beside."""
    mounts = dict(volume.removesuffix(":ro").split(":") for volume in service["volumes"])
    command = list(service["command"])
    assert command.pop(0) == "nats-server"
    for inside, outside in ((inside, outside) for outside, inside in mounts.items()):
        command = [word.replace(inside, str(DEPLOY / "compose" / outside)) for word in command]
    env = {key: filled(str(value), PASSWORDS) for key, value in service["environment"].items()}
    assert env["SERVER_NAME"] == name
    done = run_to_end(binary, *command, "-t", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_compose_files_name_is_there():
    for path in COMPOSE:
        document = load(path)
        volumes = set(document.get("volumes", {}))
        for name, service in document["services"].items():
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                assert source in volumes or (path.parent / source).is_dir(), f"{path.name}: {name}: {source}"
            for other in service.get("depends_on", []):
                assert other in document["services"]
            if "build" in service:
                assert (path.parent / service["build"]["context"] / service["build"]["dockerfile"]).resolve().exists()
            for port in service.get("ports", []):
                assert port.startswith("127.0.0.1:"), f"{path.name}: {name}: {port} is open to everyone"
    published = [
        port.rsplit(":", 1)[0]
        for service in services("super-cluster.yaml").values()
        for port in service.get("ports", [])
    ]
    assert len(published) == len(set(published))


def test_compose_asks_for_every_password():
    text = (DEPLOY / "compose" / "env.example").read_text()
    declared = set(re.findall(r"^#? ?(\w+)=", text, re.M))
    used = {name for path in COMPOSE for name in re.findall(r"\$\{(\w+)", path.read_text())}
    assert used == declared


def test_servers_name_each_other_as_compose_names_them():
    """Routes and gateways lead to services, and stop in time for lame duck."""
    for file, configs in (("cluster.yaml", ["cluster"]), ("super-cluster.yaml", ["east", "west"])):
        names = {name for name, service in services(file).items() if "martlet" in service["image"]}
        for config in configs:
            text = (DEPLOY / "compose" / "conf" / f"{config}.conf").read_text()
            hosts = set(re.findall(r"//([\w-]+):\d+\"", text))
            assert hosts and hosts <= names, config
    for _, name, service in servers():
        assert (service["stop_signal"], service["stop_grace_period"]) == ("SIGUSR2", "45s"), name


def test_prometheus_of_compose_scrapes_every_server():
    (group,) = load(DEPLOY / "prometheus" / "targets" / "martlet.yml")
    assert group["targets"] == [f"{name}:8222" for name in services("cluster.yaml")]
    (source,) = load(DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = load(DEPLOY / "grafana" / "provisioning" / "dashboards" / "martlet.yml")["providers"]
    mounts = services("monitoring.yaml")["grafana"]["volumes"]
    assert f"../grafana/dashboards:{provider['options']['path']}:ro" in mounts


def test_docker_builds_with_the_toolchain_of_the_repository():
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    toolchain = re.search(r'channel = "([\d.]+)"', (ROOT / "rust-toolchain.toml").read_text())[1]
    assert f"ARG RUST_VERSION={toolchain}\n" in text
