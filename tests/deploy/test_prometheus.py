"""Rules, dashboards and the numbers they are made from, with a Prometheus that scrapes servers."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest

from harness.jetstream import Client
from harness.server import wait_for
from harness.topology import free_port

from .conftest import DEPLOY, check, dashboards, panel_queries, program, rules

# Numbers that are there only in some circumstances: a certificate, a memory limit, queues in use, damage.
SOMETIMES = {
    "martlet_tls_cert_not_after_seconds",
    "martlet_memory_limit_bytes",
    "martlet_queue_pending",
    "martlet_stream_unreadable_messages",
}
# Numbers of links, which a server without any does not have.
OF_LINKS = re.compile(r"nats_(?:routez_conn|gatewayz|leafz)_\w+|martlet_link_\w+")
# Numbers of streams, which a server without JetStream does not have.
OF_STREAMS = re.compile(r"(?:nats|martlet)_(?:stream|consumer)_\w+|nats_varz_jetstream_\w+|martlet_jetstream_\w+")
METRIC = re.compile(r"\b(?:nats|martlet|process)_[a-z0-9_]+")
RECORDED = re.compile(r"\b(?:instance|cluster):\w+(?::\w+)?")


def expressions() -> list[tuple[str, str]]:
    """Everything that is asked of Prometheus, with where it is asked."""
    found = [
        (rule.get("record") or rule["alert"], rule["expr"])
        for name in ("recording.yml", "alerts.yml")
        for rule in rules(name)
    ]
    return found + [(f"{path.stem}: {panel}", text) for path in dashboards() for panel, text in panel_queries(path)]


def metrics(text: str) -> set[str]:
    """The names of metrics in an expression, those of recording rules left out."""
    return set(METRIC.findall(RECORDED.sub("", text)))


def test_configuration_and_rules_are_valid():
    check(program("promtool"), "check", "config", "prometheus.yml", cwd=DEPLOY / "prometheus")


def test_alerts_are_raised_when_they_should_be():
    check(program("promtool"), "test", "rules", "rules.test.yml", cwd=DEPLOY / "prometheus")


def test_every_alert_says_what_and_how_bad():
    for rule in rules("alerts.yml"):
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description"}, rule["alert"]


def test_dashboards_use_recording_rules_that_exist():
    recorded = {rule["record"] for rule in rules("recording.yml")}
    used = {name for _, text in expressions() for name in RECORDED.findall(text)}
    assert used <= recorded


@pytest.mark.parametrize("path", dashboards(), ids=lambda path: path.stem)
def test_panels_lie_beside_each_other(path):
    dashboard = json.loads(path.read_text())
    taken = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))


def talk(server) -> None:
    link = server.connect().handshake()
    link.send("SUB foo 1")
    for _ in range(10):
        link.publish("foo", b"12345")
    link.fence()
    link.close()


def use_streams(server) -> None:
    """A stream with a bound, and a consumer that has delivered, had something acknowledged, and may have dead letters."""
    with Client(server.connect().handshake(headers=True, no_responders=True)) as js:
        js.stream("S", "s", max_bytes=1_000_000)
        js.consumer("S", "c", metadata={"martlet.dead_letter": "dead"})
        js.put("s", b"1")
        js.ack(js.fetch("S", "c")[0])


def alive(db, without: re.Pattern) -> None:
    """Every number that is asked for is there, every query draws something, and no alert fires."""
    optional = SOMETIMES | {name for _, text in expressions() for name in without.findall(text)}

    recorded = {rule["record"] for rule in rules("recording.yml") if metrics(rule["expr"]) & optional}

    def is_optional(text: str) -> bool:
        return bool(metrics(text) & optional or set(RECORDED.findall(text)) & recorded)

    asked = {name for _, text in expressions() for name in metrics(text)} - optional
    # Links take a moment, and a rate wants two samples.
    wait_for(f"each of {sorted(asked)}", lambda: asked <= set(db.get("/api/v1/label/__name__/values")), 30, 0.2)
    for rule in rules("recording.yml"):
        if not is_optional(rule["expr"]):
            wait_for(rule["record"], lambda name=rule["record"]: db.query(name), 30, 0.2)
    for path in dashboards():
        for panel, text in panel_queries(path):
            if not is_optional(text):
                wait_for(f"{path.stem}: {panel}", lambda text=text: db.query(text), 30, 0.2)
    for where, text in expressions():
        assert db.query(text) is not None, where
    alerts = [rule for group in db.get("/api/v1/rules", type="alert")["groups"] for rule in group["rules"]]
    assert len(alerts) == len(rules("alerts.yml"))
    assert [rule["name"] for rule in alerts if rule["state"] == "firing" or rule["health"] == "err"] == []


@pytest.mark.martlet_only
def test_a_server_has_what_rules_and_dashboards_ask_for(start, prometheus):
    server = start('server_name: n1\njetstream { store_dir: "$DIR/store" }\n', monitor=True)
    link = server.connect().handshake()
    talk(server)
    use_streams(server)
    db = prometheus(free_port(), {"demo": [urlsplit(server.monitor_url).netloc]})
    db.await_samples(4)
    alive(db, without=OF_LINKS)
    assert db.query("cluster:nats_varz_connections:count")[0]["value"][1] == "1"
    link.close()


@pytest.mark.martlet_only
def test_joined_servers_have_what_is_asked_of_links(start, prometheus):
    """Two clusters, the first of two servers, and a leaf node."""
    ports = {
        name: free_port()
        for name in ("e1 route", "e2 route", "w1 route", "e1 gateway", "e2 gateway", "w1 gateway", "leaf")
    }

    def config(name: str, here: str, there: str, remote: str, routes: str = "") -> str:
        return (
            f"server_name: {name}\naccounts {{ SYS {{}} }}\nsystem_account: SYS\n"
            f'cluster {{ name: {here}, listen: "127.0.0.1:{ports[f"{name} route"]}", routes: [ {routes} ] }}\n'
            f'gateway {{ name: {here}, listen: "127.0.0.1:{ports[f"{name} gateway"]}"\n'
            f'  gateways: [ {{ name: {there}, url: "nats://127.0.0.1:{ports[f"{remote} gateway"]}" }} ] }}\n'
        )

    leaf = f"127.0.0.1:{ports['leaf']}"
    servers = [
        start(config("e1", "east", "west", "w1") + f'leafnodes {{ listen: "{leaf}" }}\n', monitor=True),
        start(config("e2", "east", "west", "w1", f'"nats://127.0.0.1:{ports["e1 route"]}"'), monitor=True),
        start(config("w1", "west", "east", "e1"), monitor=True),
        start(f'server_name: l1\nleafnodes {{ remotes: [ {{ url: "nats://{leaf}" }} ] }}\n', monitor=True),
    ]
    for server in servers:
        talk(server)
    hosts = [urlsplit(server.monitor_url).netloc for server in servers]
    db = prometheus(free_port(), {"east": hosts[:2], "west": hosts[2:3], "edge": hosts[3:]})
    db.await_samples(4)
    alive(db, without=OF_STREAMS)
