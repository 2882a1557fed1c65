"""`/metrics` in the Prometheus text format, under the names that dashboards know."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

# Names on the dashboards of users of the exporter.
EXPECTED = [
    "nats_varz_connections",
    "nats_varz_total_connections",
    "nats_varz_in_msgs",
    "nats_varz_out_msgs",
    "nats_varz_in_bytes",
    "nats_varz_out_bytes",
    "nats_varz_slow_consumers",
    "nats_varz_subscriptions",
    "nats_varz_mem",
    "nats_varz_cpu",
    "nats_varz_max_payload",
    "nats_varz_max_connections",
    "nats_varz_routes",
    "nats_varz_remotes",
    "nats_varz_leafnodes",
]


@pytest.mark.martlet_only
def test_metrics_are_read_by_a_parser(start):
    server = start("server_name: here\n", monitor=True)
    link = server.connect().handshake()
    link.send("SUB foo 1")
    link.publish("foo", b"12345")
    link.fence()
    reply = server.get("/metrics")
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(reply.text)}
    missing = [name for name in EXPECTED if name not in families]
    assert not missing
    varz = server.get_json("/varz")
    for name in ("connections", "in_msgs", "in_bytes", "max_payload"):
        (sample,) = families[f"nats_varz_{name}"].samples
        assert sample.value == varz[name]
        assert sample.labels.get("server_id") in (varz["server_id"], varz["server_name"], server.monitor_url)
    for family in families.values():
        assert family.documentation, family.name
        assert family.type != "unknown", family.name
