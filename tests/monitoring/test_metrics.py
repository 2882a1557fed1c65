"""`/metrics` in the Prometheus text format, under the names that dashboards and alerts know."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.server import wait_for

pytestmark = pytest.mark.martlet_only

# What users of the reference's exporter have on dashboards and in alerts, less the prefix, and its type.
# From the exporter's own dashboards (also those of the Helm chart), and from widely copied alert rules.
KNOWN = {
    "varz_cpu": "gauge",
    "varz_mem": "gauge",
    "varz_cores": "gauge",
    "varz_in_bytes": "counter",
    "varz_in_msgs": "counter",
    "varz_out_bytes": "counter",
    "varz_out_msgs": "counter",
    "varz_connections": "gauge",
    "varz_total_connections": "counter",
    "varz_subscriptions": "gauge",
    "varz_slow_consumers": "counter",
    "varz_max_connections": "gauge",
    "varz_max_payload": "gauge",
    "varz_max_pending": "gauge",
    "varz_auth_timeout": "gauge",
    "varz_routes": "gauge",
    "varz_remotes": "gauge",
    "varz_leafnodes": "gauge",
    "connz_num_connections": "gauge",
    "connz_pending_bytes": "gauge",
    "connz_subscriptions": "gauge",
    "connz_in_msgs": "gauge",
    "connz_out_msgs": "gauge",
    "subsz_num_subscriptions": "gauge",
    "routez_num_routes": "gauge",
    "healthz_status": "gauge",
    "accstatz_current_connections": "gauge",
    "accstatz_sent_messages": "counter",
    "accstatz_received_messages": "counter",
    "up": "gauge",
}


class Scrape:
    """One scrape, as Prometheus would read it."""

    def __init__(self, server, query: str = ""):
        reply = server.get(f"/metrics{query}")
        assert reply.status == 200
        assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        families = list(text_string_to_metric_families(reply.text))
        self.families = {family.name: family for family in families}
        assert len(self.families) == len(families), "a family twice"
        series = [(sample.name, *sorted(sample.labels.items())) for family in families for sample in family.samples]
        assert len(set(series)) == len(series), "a series twice"
        self.series = set(series)

    def samples(self, name: str) -> list:
        return self.families[name.removesuffix("_total")].samples

    def value(self, name: str, **labels) -> float:
        """The one sample of `name` that has `labels`."""
        (sample,) = (s for s in self.samples(name) if labels.items() <= s.labels.items())
        return sample.value


def talk(server, messages: int = 1):
    """A connection that has sent itself `messages` of 5 bytes."""
    link = server.connect().handshake()
    link.send("SUB foo 1")
    for _ in range(messages):
        link.publish("foo", b"12345")
    link.fence()
    return link


@pytest.mark.parametrize(("query", "prefix"), [("", "nats"), ("?prefix=gnatsd", "gnatsd")])
def test_dashboards_find_what_they_know(query, prefix, start):
    server = start("server_name: here\n", monitor=True)
    link = talk(server)
    scrape = Scrape(server, query)
    found = {name: scrape.families[f"{prefix}_{name}"].type for name in KNOWN if f"{prefix}_{name}" in scrape.families}
    assert found == KNOWN
    varz = server.get_json("/varz")
    for name in KNOWN:
        for sample in scrape.samples(f"{prefix}_{name}"):
            assert sample.labels["server_id"] == varz["server_id"], "what legends are made of"
    for family in scrape.families.values():
        assert family.documentation, family.name
        assert family.type in ("counter", "gauge"), family.name
    link.close()


def test_numbers_are_those_of_the_views(start):
    # spec: CLU-101 CLU-102
    server = start(monitor=True)
    link = talk(server, 3)
    scrape = Scrape(server)
    varz, subsz = server.get_json("/varz"), server.get_json("/subsz")
    same = [name for name in KNOWN if name.startswith("varz_") and name not in ("varz_cpu", "varz_mem")]
    assert {name: scrape.value(f"nats_{name}") for name in same} == {
        name: varz[name.removeprefix("varz_")] for name in same
    }
    assert (scrape.value("nats_varz_in_msgs"), scrape.value("nats_varz_in_bytes")) == (3, 15)
    assert scrape.value("nats_subsz_num_subscriptions") == subsz["num_subscriptions"]
    assert scrape.value("nats_connz_num_connections") == 1
    assert scrape.value("nats_connz_subscriptions") == 1
    assert scrape.value("nats_accstatz_received_messages", account="$G") == 3
    assert scrape.value("nats_healthz_status") == 0
    assert scrape.value("nats_varz_mem") > 100_000
    link.close()


def test_counters_never_fall_and_gauges_do(start):
    """`rate()` takes a counter that falls for a restart, and draws a peak."""
    # spec: CLU-101
    server = start(monitor=True)
    links = [talk(server, 2) for _ in range(5)]
    before = Scrape(server)
    for link in links:
        link.close()
    wait_for("all to be gone", lambda: server.get_json("/varz")["connections"] == 0)
    after = Scrape(server)
    for family in before.families.values():
        if family.type == "counter" and "accstatz" not in family.name:
            for sample in family.samples:
                labels = {name: value for name, value in sample.labels.items() if name != "le"}
                assert after.value(sample.name.removesuffix("_total"), **labels) >= sample.value, sample
    # Every subscriber of foo got what was published while it was there.
    assert after.value("nats_varz_out_msgs") == before.value("nats_varz_out_msgs") == 2 * (1 + 2 + 3 + 4 + 5)
    assert (before.value("nats_connz_num_connections"), after.value("nats_connz_num_connections")) == (5, 0)
    assert after.value("nats_varz_total_connections") == 5


def test_more_connections_make_no_more_series(start):
    server = start(monitor=True)
    links = [talk(server)]
    few = Scrape(server).series
    links += [talk(server) for _ in range(30)]
    many = Scrape(server).series
    assert many == few
    for link in links:
        link.close()


@pytest.mark.parametrize("prefix", ["1a", "a-b", "a%20b", "x" * 33])
def test_a_prefix_that_no_name_can_have(prefix, start):
    server = start(monitor=True)
    assert server.get(f"/metrics?prefix={prefix}").status == 400
