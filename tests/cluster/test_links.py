"""What nodes say about their links: over HTTP, and to clients."""

from __future__ import annotations

from collections import Counter
from urllib.parse import urlsplit

from harness.server import wait_for


def test_routes(net):
    # spec: CLU-103 CLU-015 CLU-016 CLU-018 CLU-021 CLU-039 CLU-188
    for name in net.names:
        routez = net.topology.nodes[name].get_json("/routez")
        routes = routez.get("routes") or []
        assert routez["num_routes"] == len(routes)
        assert routez["server_name"] == name
        beside = net.plan.beside(name)
        assert Counter(route["remote_name"] for route in routes) == dict.fromkeys(beside, 4)
        kinds = Counter(route.get("account", "") for route in routes)
        assert (kinds[""], kinds["SYS"]) == (3 * len(beside), len(beside))
        wanted = "s2_fast" if "s2_fast" in net.plan.cluster_extra else "off"
        assert {route["compression"] for route in routes} <= {wanted}
        ids = {other: net.topology.nodes[other].get_json("/varz")["server_id"] for other in beside}
        assert all(route["remote_id"] == ids[route["remote_name"]] for route in routes)


def test_which_end_dialled(net):
    # spec: CLU-103 CLU-001 CLU-011
    dialled = Counter()
    for name in net.names:
        for route in net.topology.nodes[name].get_json("/routez").get("routes") or []:
            pair = tuple(sorted((name, route["remote_name"])))
            dialled[pair, route.get("account", ""), route["did_solicit"]] += 1
    for (pair, account, _), count in dialled.items():
        # Where both dial, both may take the connection that stays for their own.
        if sum(other in net.plan.role(name).routes for name, other in (pair, pair[::-1])) == 1:
            assert count == dialled[pair, account, True] == dialled[pair, account, False], dialled


def test_gateways(net):
    # spec: CLU-043 CLU-050 CLU-104 CLU-044
    clusters = {net.plan.role(name).cluster for name in net.names} if net.plan.has_gateways() else set()
    inbound = Counter()
    for name in net.names:
        own = net.plan.role(name).cluster
        gatewayz = net.topology.nodes[name].get_json("/gatewayz?accs=1")
        assert set(gatewayz["outbound_gateways"]) == clusters - {own}
        for cluster, gateway in gatewayz["outbound_gateways"].items():
            assert gateway["configured"] is True
            assert gateway["connection"]["kind"] == "Gateway"
            modes = {account["name"]: account["interest_mode"] for account in gateway["accounts"]}
            assert {"A", "B", "C", "$G", "SYS"} <= set(modes), (name, cluster)
            assert set(modes.values()) == {"Interest-Only"}
        for cluster, links in gatewayz["inbound_gateways"].items():
            inbound[own, cluster] += len(links)
            modes = {account["interest_mode"] for link in links for account in link.get("accounts") or []}
            assert modes <= {"Interest-Only"}
    for (own, other), count in inbound.items():
        # Each node of the other cluster has one way out to this one.
        assert count == sum(net.plan.role(name).cluster == other for name in net.names), (own, other)


def test_leaf_nodes(net):
    # spec: CLU-105 CLU-064
    for name in net.names:
        role = net.plan.role(name)
        leafz = net.topology.nodes[name].get_json("/leafz")
        leafs = leafz.get("leafs") or []
        assert leafz["leafnodes"] == len(leafs)
        wanted = Counter()
        for other in net.plan.leaves_of(name):
            wanted.update((other, account, False) for account in ("A", "B", "C", "$G", "SYS"))
        for other in role.leaf_of:
            wanted.update((other, account, True) for account in ("A", "B", "C", "$G", "SYS"))
        assert Counter((leaf["name"], leaf["account"], leaf["is_spoke"]) for leaf in leafs) == wanted
        # Compressed unless it is configured otherwise, as fast as the round trip asks for.
        assert {leaf["compression"].startswith("s2_") for leaf in leafs} <= {True}
        assert net.topology.nodes[name].get_json("/varz")["leafnodes"] == len(leafs)


def test_clients_are_told_of_the_other_nodes(net):
    # spec: CLU-023 CORE-029 CLI-009
    for name in net.names:
        beside = net.plan.beside(name)

        def told(name=name, beside=beside) -> bool:
            urls = net.client(name).info.get("connect_urls") or []
            ports = {urlsplit(f"//{url}").port for url in urls}
            own = net.topology.nodes[name].client_port
            wanted = {net.topology.nodes[other].client_port for other in beside}
            return ports == wanted | ({own} if beside else set())

        wait_for(f"clients of {name} to be told of {beside}", told)
        if net.plan.role(name).cluster:
            assert net.client(name).info["cluster"] == net.plan.role(name).cluster


def test_the_sum_of_it(net):
    # spec: CLU-101 CLU-095
    for name in net.names:
        varz = net.topology.nodes[name].get_json("/varz")
        assert set(varz.get("connect_urls") or []) == set(net.client(name).info.get("connect_urls") or [])
        role = net.plan.role(name)
        assert varz["routes"] == 4 * len(net.plan.beside(name))
        assert varz["cluster"].get("name", "") == role.cluster
        assert varz["gateway"].get("name", "") == (role.cluster if role.gateways else "")
