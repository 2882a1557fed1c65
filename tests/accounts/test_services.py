"""Services across accounts: replies, streams of replies, latency, and queue groups."""

from __future__ import annotations

import collections
import json
import re

import pytest

from harness.server import wait_for

CONFIG = """
server_name: here
accounts {
  A { users: [ { user: a, password: a } ], exports: [ { service: "svc" @EXPORT@ } ] }
  B { users: [ { user: b, password: b } ], imports: [ { service: { account: A, subject: "svc" }, to: "local" @IMPORT@ } ] }
}
"""


@pytest.fixture
def bridge(start):
    """A service in account A, someone in B who asks, and the server."""

    def make(export: str = "", imported: str = ""):
        server = start(CONFIG.replace("@EXPORT@", export).replace("@IMPORT@", imported), monitor=True)
        service = server.connect().handshake(user="a", name="service", headers=True, **{"pass": "a"})
        service.send("SUB svc 1")
        service.fence()
        asker = server.connect().handshake(user="b", name="asker", headers=True, no_responders=True, **{"pass": "b"})
        asker.send("SUB in.* 9")
        asker.fence()
        return server, service, asker

    return make


def test_one_reply_and_no_second(bridge):
    # spec: SEC-047 CFG-125
    _, service, asker = bridge()
    asker.publish("local", b"q", "in.1")
    subject, _, reply, _, payload = service.message()
    assert (subject, payload) == ("svc", b"q")
    assert re.fullmatch(r"_R_\.[\w.]+", reply)
    service.publish(reply, b"one")
    service.publish(reply, b"two")
    assert service.fence() == []
    assert asker.fence() == [b"MSG in.1 9 3", b"one"]


@pytest.mark.parametrize("kind", ["stream", "chunked"])
def test_a_stream_of_replies(kind, bridge):
    # spec: SEC-047 CFG-125 CFG-265
    _, service, asker = bridge(f", response_type: {kind}")
    asker.publish("local", b"q", "in.1")
    reply = service.message()[2]
    for number in range(5):
        service.publish(reply, b"%d" % number)
    service.fence()
    assert asker.fence() == [part for n in range(5) for part in (b"MSG in.1 9 1", b"%d" % n)]


def test_a_reply_too_late(bridge):
    # spec: SEC-047 CFG-125 CFG-266
    _, service, asker = bridge(', response_type: stream, threshold: "150ms"')
    asker.publish("local", b"q", "in.1")
    reply = service.message()[2]
    service.publish(reply, b"soon")
    assert asker.message()[4] == b"soon"

    # Every reply starts the time anew, so the pause between two tries is longer than the threshold.
    def forgotten():
        service.publish(reply, b"late")
        service.fence()
        return asker.fence() == []

    wait_for("the reply subject to be forgotten", forgotten, pause=0.4)


def test_latency(bridge):
    # spec: SEC-050 CFG-125 CFG-267
    server, service, asker = bridge(", latency: { subject: lat, sampling: 100% }", ", share: true")
    watch = server.connect().handshake(user="a", **{"pass": "a"})
    watch.send("SUB lat 1")
    watch.fence()
    asker.publish("local", b"q", "in.1")
    _, _, reply, headers, _ = service.message()
    assert b"Nats-Request-Info: " in headers
    service.publish(reply, b"r")
    assert asker.message()[4] == b"r"
    event = json.loads(watch.message()[4])
    assert event["type"] == "io.nats.server.metric.v1.service_latency"
    assert event["status"] == 200
    assert list(event) == [
        *("type", "id", "timestamp", "status", "requestor", "responder", "start", "service", "system", "total")
    ]
    assert (event["requestor"]["acc"], event["requestor"]["name"], event["responder"]["name"]) == ("B", "asker", "service")
    assert 0 <= event["service"] <= event["total"]


def test_latency_when_nobody_answers(bridge):
    # spec: SEC-050 CORE-066
    server, service, asker = bridge(", latency: { subject: lat, sampling: 100% }")
    watch = server.connect().handshake(user="a", **{"pass": "a"})
    watch.send("SUB lat 1")
    watch.fence()
    service.send("UNSUB 1")
    service.fence()
    asker.publish("local", b"q", "in.1")
    assert asker.message()[3].startswith(b"NATS/1.0 503\r\nNats-Subject: local\r\n")
    event = json.loads(watch.message()[4])
    assert (event["status"], event["description"]) == (503, "Service Unavailable")


TRACES = {
    "X-B3-Sampled: 1": True,
    "X-B3-Sampled: 0": False,
    "X-B3-TraceId: 80f198ee56343ba864fe8b2a57d3eff7": True,
    "b3: 0": False,
    "b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1": True,
    "b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-0": False,
    "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01": True,
    "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00": False,
    "Uber-Trace-Id: 479fefe9525eddb:479fefe9525eddb:0:1": True,
    "Uber-Trace-Id: 479fefe9525eddb:479fefe9525eddb:0:0": False,
    "Other: 1": False,
}


@pytest.mark.parametrize("header", TRACES)
def test_latency_by_header(header, bridge):
    # spec: SEC-050
    server, service, asker = bridge(", latency: { subject: lat, sampling: headers }")
    watch = server.connect().handshake(user="a", **{"pass": "a"})
    watch.send("SUB lat 1")
    watch.fence()
    head = f"NATS/1.0\r\n{header}\r\n\r\n".encode()
    asker.send_raw(f"HPUB local in.1 {len(head)} {len(head) + 1}\r\n".encode() + head + b"q\r\n")
    service.publish(service.message()[2], b"r")
    assert asker.message()[4] == b"r"
    service.fence()
    if TRACES[header]:
        assert json.loads(watch.message()[4])["header"]
    else:
        assert watch.fence() == []


def test_each_queue_group_is_asked_once(bridge):
    # spec: SEC-053 CORE-093 CORE-108
    server, service, asker = bridge()
    service.send("UNSUB 1")
    members = []
    for group in ("g", "g", "h"):
        link = server.connect().handshake(user="a", **{"pass": "a"})
        link.send(f"SUB svc {group} {group}")
        link.fence()
        members.append(link)
    service.fence()
    for _ in range(60):
        asker.publish("local", b"q")
    asker.fence()
    counts = [sum(line.startswith(b"MSG") for line in link.fence()) for link in members]
    assert counts[0] + counts[1] == 60
    assert min(counts[:2]) >= 10
    assert counts[2] == 60


def test_queue_groups_share_and_are_fair(start):
    # spec: CORE-093 CORE-108
    server = start()
    members = []
    for _ in range(4):
        link = server.connect().handshake()
        link.send("SUB work g 1")
        link.fence()
        members.append(link)
    link = server.connect().handshake()
    for _ in range(400):
        link.publish("work")
    link.fence()
    counts = [sum(line.startswith(b"MSG") for line in member.fence()) for member in members]
    assert sum(counts) == 400
    assert all(count > 50 for count in counts), counts


WEIGHTS = """
mappings: {
  a: [ { destination: b, weight: 20% }, { destination: c, weight: 80% } ]
  d: [ { destination: e, weight: 50% } ]
  f: [ { destination: f, weight: 0 }, { destination: g, weight: 50 } ]
}
"""


def test_weights(start):
    # spec: CORE-112 CORE-113 CFG-128
    link = start(WEIGHTS).connect().handshake()
    link.send("SUB > 1")
    link.fence()
    for subject in "adf":
        for _ in range(1000):
            link.publish(subject)
    counts = collections.Counter(line.split(b" ")[1].decode() for line in link.fence() if line.startswith(b"MSG"))
    assert counts["b"] + counts["c"] == 1000
    assert 140 < counts["b"] < 260
    # What is left of a hundred stays with the subject itself …
    assert counts["d"] + counts["e"] == 1000
    assert 420 < counts["e"] < 580
    # … unless the subject is one of its own destinations: then the rest is lost.
    assert counts["f"] == 0
    assert 420 < counts["g"] < 580


def test_random_is_spread(start):
    # spec: CORE-117 CORE-115
    link = start('mappings: { "a.*": "r.{{random(4)}}.$1" }').connect().handshake()
    link.send("SUB r.> 1")
    link.fence()
    for _ in range(400):
        link.publish("a.x")
    counts = collections.Counter(line.split(b" ")[1] for line in link.fence() if line.startswith(b"MSG"))
    assert set(counts) == {b"r.0.x", b"r.1.x", b"r.2.x", b"r.3.x"}
    assert min(counts.values()) > 50
