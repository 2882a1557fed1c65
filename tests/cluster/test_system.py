"""What the system account hears from all nodes, and traces that follow a message over the links."""

from __future__ import annotations

import json

import pytest

from cluster.conftest import until_end
from harness.server import wait_for


def answers_to(net, asker: str, subject: str, body: bytes, count: int) -> list[dict]:
    """The answers of `count` nodes to one request."""
    link = net.subscriber(asker, "answers", user="s")
    net.settle("SYS")
    link.publish(subject, body, "answers")
    found = [json.loads(link.message()[4]) for _ in range(count)]
    net.settle("SYS")
    assert link.fence() == [], "more answers than nodes"
    link.close()
    return found


SERVICES = ("IDZ", "VARZ", "CONNZ", "ROUTEZ", "GATEWAYZ", "LEAFZ", "SUBSZ", "STATSZ", "ACCOUNTZ", "HEALTHZ")


@pytest.mark.parametrize("what", ["", *(f".{service}" for service in SERVICES)])
def test_all_nodes_answer(what, net):
    # spec: CLU-088 CLU-089
    for name in (net.names[0], net.names[-1]):
        found = answers_to(net, name, f"$SYS.REQ.SERVER.PING{what}", b"", len(net.names))
        named = {answer["name"] if what == ".IDZ" else answer["server"]["name"] for answer in found}
        assert named == set(net.names)


def test_one_node_answers_for_itself(net):
    # spec: CLU-088 CLU-090
    ids = {name: net.topology.nodes[name].get_json("/varz")["server_id"] for name in net.names}
    for name in net.names:
        (answer,) = answers_to(net, net.names[0], f"$SYS.REQ.SERVER.{ids[name]}.VARZ", b"", 1)
        assert answer["data"]["server_name"] == name
        chosen = json.dumps({"server_name": name, "exact_match": True}).encode()
        (answer,) = answers_to(net, net.names[0], "$SYS.REQ.SERVER.PING.VARZ", chosen, 1)
        assert answer["server"]["id"] == ids[name]


def test_a_cluster_may_be_asked_alone(net):
    # spec: CLU-090
    for cluster in {net.plan.role(name).cluster for name in net.names} - {""}:
        members = {name for name in net.names if net.plan.role(name).cluster == cluster}
        chosen = json.dumps({"cluster": cluster}).encode()
        found = answers_to(net, net.names[0], "$SYS.REQ.SERVER.PING", chosen, len(members))
        assert {answer["server"]["name"] for answer in found} == members
        assert {answer["server"]["cluster"] for answer in found} == {cluster}


def test_clients_that_come_and_go_are_heard_of_everywhere(net):
    # spec: CLU-094 CLU-096 CORE-185
    subjects = ("$SYS.ACCOUNT.A.CONNECT", "$SYS.ACCOUNT.A.DISCONNECT")
    listeners = [net.subscriber(name, *subjects, user="s") for name in net.names]
    net.settle("SYS")
    for name in net.names:
        link = net.client(name, name=f"guest of {name}")
        for listener in listeners:
            event = json.loads(listener.message()[4])
            assert event["type"] == "io.nats.server.advisory.v1.client_connect"
            assert event["server"]["name"] == name
            assert event["client"]["name"] == f"guest of {name}"
        link.close()
        for listener in listeners:
            event = json.loads(listener.message()[4])
            assert event["type"] == "io.nats.server.advisory.v1.client_disconnect"
            assert event["server"]["name"] == name


# The kinds of a connection in a trace: a client; a route, a gateway, a leaf node.
CLIENT, LINKS = 0, (1, 2, 4)


@pytest.mark.parametrize("only", [False, True])
def test_a_trace_follows_the_message(only, net):
    # spec: CORE-125 CORE-127 CLU-004
    publisher_node, subscriber_node = net.names[0], net.names[-1]
    subscriber = net.subscriber(subscriber_node, "traced", "end", name="subscriber")
    tracer = net.subscriber(publisher_node, "trace")
    net.settle()
    publisher = net.client(publisher_node, name="publisher")
    block = b"NATS/1.0\r\nNats-Trace-Dest: trace\r\n" + b"Nats-Trace-Only: true\r\n" * only + b"\r\n"
    publisher.send_raw(b"HPUB traced %d %d\r\n" % (len(block), len(block) + 2) + block + b"hi\r\n")
    publisher.publish("end", b"end")
    assert len(until_end(subscriber)) == (0 if only else 1)
    by_name: dict[str, dict] = {}

    def complete() -> bool:
        event = json.loads(tracer.message()[4])
        by_name[event["server"]["name"]] = event
        # Each server on the way speaks once, and its hop is one that the server before it told.
        return {publisher_node, subscriber_node} <= set(by_name) and arrived(by_name) <= told(by_name)

    wait_for("the traces of all servers on the way", complete)
    first, last = by_name[publisher_node], by_name[subscriber_node]
    ingress, egress = first["events"][0], first["events"][-1]
    told_first = [ingress[key] for key in ("type", "kind", "name", "acc", "subj")]
    assert told_first == ["in", CLIENT, "publisher", "A", "traced"]
    assert (egress["type"], egress["kind"] in LINKS, "hop" in egress) == ("eg", True, True)
    assert last["events"][0]["kind"] in LINKS
    delivered = last["events"][-1]
    assert [delivered[key] for key in ("type", "kind", "name", "sub")] == ["eg", CLIENT, "subscriber", "traced"]


def test_a_trace_follows_a_request_into_another_account(net):
    # spec: CORE-133 CORE-127 SEC-052
    asker_node, service_node = net.names[0], net.names[-1]
    service = net.subscriber(service_node, "svc.traced", name="service")
    tracer = net.subscriber(asker_node, "trace", user="b")
    net.settle("A", "B")
    asker = net.client(asker_node, user="b", name="asker")
    # What its server waits for answers on is known everywhere once it has waited for one.
    asker.publish("svc.traced", b"first", "in")
    assert service.message()[4] == b"first"
    net.settle("A")
    block = b"NATS/1.0\r\nNats-Trace-Dest: trace\r\n\r\n"
    asker.send_raw(b"HPUB svc.traced in %d %d\r\n" % (len(block), len(block) + 2) + block + b"hi\r\n")
    assert service.message()[4] == b"hi"
    by_name: dict[str, dict] = {}

    def complete() -> bool:
        event = json.loads(tracer.message()[4])
        by_name[event["server"]["name"]] = event
        return {asker_node, service_node} <= set(by_name)

    wait_for("the traces of both ends", complete)
    ingress, crossing, egress = by_name[asker_node]["events"]
    assert [ingress[key] for key in ("type", "kind", "name", "acc")] == ["in", CLIENT, "asker", "B"]
    assert [crossing[key] for key in ("type", "acc", "from", "to")] == ["si", "A", "svc.traced", "svc.traced"]
    assert (egress["type"], egress["kind"] in LINKS, "hop" in egress) == ("eg", True, True)
    arrival, delivery = by_name[service_node]["events"]
    assert (arrival["kind"] in LINKS, arrival["acc"]) == (True, "A")
    assert [delivery[key] for key in ("type", "kind", "name", "sub")] == ["eg", CLIENT, "service", "svc.traced"]


def told(traces: dict[str, dict]) -> set[str]:
    return {event["hop"] for trace in traces.values() for event in trace["events"] if "hop" in event}


def arrived(traces: dict[str, dict]) -> set[str]:
    headers = (trace["request"]["header"] for trace in traces.values())
    return {header["Nats-Trace-Hop"][0] for header in headers if "Nats-Trace-Hop" in header}
