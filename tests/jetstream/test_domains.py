"""Streams of two domains that a leaf node link or gateways join: apart from each other, copied, moved over it and back."""

from __future__ import annotations

import pytest

from harness.server import wait_for
from harness.topology import free_port
from jetstream.domains import PATIENCE, Domains, config, content, gateway, has


def leaf_link() -> dict[str, str]:
    port = free_port()
    dial = f'remotes: [ {{ url: "nats://a:p@127.0.0.1:{port}", account: A }} ], reconnect: "200ms"'
    return {"hub": f'leafnodes {{ listen: "127.0.0.1:{port}" }}\n', "leaf": f"leafnodes {{ {dial} }}\n"}


def gateway_link() -> dict[str, str]:
    hub, leaf = free_port(), free_port()
    return {"hub": gateway("hub", hub, "leaf", leaf), "leaf": gateway("leaf", leaf, "hub", hub)}


LINKS = {"leaf": leaf_link, "gateway": gateway_link}


class Pair(Domains):
    """A hub and a leaf node, each of a domain of its own name; or two clusters of these names, with gateways."""

    def __init__(self, start, link: str, hub, leaf):
        super().__init__()
        blocks = LINKS[link]()
        self.servers = {
            name: start(config(name, name) + blocks[name], binary=binary, monitor=True, check_exit=False)
            for name, binary in (("hub", hub), ("leaf", leaf))
        }
        self.hub, self.leaf = self.client(self.servers["hub"]), self.client(self.servers["leaf"])
        self.await_link()

    def await_link(self) -> None:
        for name, server in self.servers.items():
            wait_for(f"the link of {name}", lambda: linked(server), PATIENCE)  # noqa: B023
        for client, other in ((self.hub, "leaf"), (self.leaf, "hub")):
            wait_for("the link", lambda: b"account_info" in client.request(f"$JS.{other}.API.INFO").data, PATIENCE)  # noqa: B023


def linked(server) -> bool:
    """Whether a leaf node link is up, or gateways lead there and back."""
    if server.get_json("/leafz").get("leafs"):
        return True
    gateways = server.get_json("/gatewayz")
    return bool(gateways["outbound_gateways"] and gateways["inbound_gateways"])


@pytest.fixture
def pair(request, start, binary, reference):
    link, *sides = request.param
    hub, leaf = ({"ours": binary, "theirs": reference}[who] for who in sides)
    if binary == reference and sides != ["ours", "ours"]:
        pytest.skip("the reference on its own")
    if binary == reference and link == "gateway":
        pytest.skip("the reference wants routes where it has gateways and streams")
    made = Pair(start, link, hub, leaf)
    yield made
    made.stack.close()


both = pytest.mark.parametrize(
    "pair",
    [
        ("leaf", "ours", "ours"),
        ("leaf", "ours", "theirs"),
        ("leaf", "theirs", "ours"),
        # With the reference beyond: test_gateways.py.
        ("gateway", "ours", "ours"),
    ],
    indirect=True,
    ids="-".join,
)


@both
def test_domains_are_apart(pair):
    # spec: JS-137 CLU-057
    assert pair.hub.ok("INFO")["domain"] == "hub"
    assert pair.leaf.ok("INFO")["domain"] == "leaf"
    pair.hub.stream("O", "o")
    assert pair.leaf.error("STREAM.INFO.O")[1] == 10059
    pair.leaf.stream("O", "o.leaf")
    there = pair.leaf.request("$JS.hub.API.STREAM.INFO.O").json
    assert (there["config"]["subjects"], there["domain"]) == (["o"], "hub")
    # Messages go everywhere, and each domain keeps what its streams ask for.
    pair.leaf.send("o", b"x")
    has(pair.hub, "O", 1)
    assert pair.leaf.state("O")["messages"] == 0
    # Buckets of one name are two.
    for here in (pair.hub, pair.leaf):
        here.stream("KV_b", "$KV.b.>", max_msgs_per_subject=1)
    assert pair.hub.put("$KV.b.k", b"hub") == 1
    assert pair.leaf.publish("$JS.hub.API.$KV.b.k", b"leaf") == {"stream": "KV_b", "domain": "hub", "seq": 2}
    assert pair.leaf.state("KV_b")["last_seq"] == 0


@both
def test_copies_over_the_link(pair):
    # spec: JS-137 JS-053 JS-113 JS-081
    hub, leaf = pair.hub, pair.leaf
    hub.stream("O", "o.>", storage="file")
    leaf.stream("P", "p.>", storage="file")
    for number in range(50):
        hub.put(f"o.{number}", b"%d" % number)
        leaf.put(f"p.{number}", b"%d" % number)
    leaf.stream("M", storage="file", mirror={"name": "O", "external": {"api": "$JS.hub.API", "deliver": ""}})
    hub.stream("A", storage="file", sources=[{"name": "P", "external": {"api": "$JS.leaf.API", "deliver": ""}}])
    has(leaf, "M", 50)
    has(hub, "A", 50)
    assert content(leaf, "M") == [(f"o.{number}", b"%d" % number) for number in range(50)]
    assert content(hub, "A") == [(f"p.{number}", b"%d" % number) for number in range(50)]
    assert leaf.ok("STREAM.INFO.M")["mirror"]["external"]["api"] == "$JS.hub.API"
    hub.put("o.more", b"more")
    has(leaf, "M", 51)


@both
def test_a_link_that_breaks(pair):
    # spec: JS-115 JS-137
    hub, leaf = pair.hub, pair.leaf
    leaf.stream("P", "p.>", storage="file")
    leaf.put("p.0", b"0")
    hub.stream("A", storage="file", sources=[{"name": "P", "external": {"api": "$JS.leaf.API", "deliver": ""}}])
    has(hub, "A", 1)
    pair.servers["leaf"].kill()
    pair.servers["leaf"].restart()
    leaf = pair.leaf = pair.client(pair.servers["leaf"])
    wait_for("the origin", lambda: b"config" in leaf.request("$JS.API.STREAM.INFO.P").data, PATIENCE)
    for number in range(1, 20):
        leaf.put(f"p.{number}", b"%d" % number)
    has(hub, "A", 20)
    assert content(hub, "A") == [(f"p.{number}", b"%d" % number) for number in range(20)]


@both
def test_a_stream_moves_and_comes_back(pair):
    # spec: JS-137 NEW-005 JS-052
    hub, leaf = pair.hub, pair.leaf
    hub.stream("S", "s.>", storage="file")
    for number in range(20):
        hub.put(f"s.{number}", b"%d" % number)
    wanted = [(f"s.{number}", b"%d" % number) for number in range(20)]
    for here, domain, there in ((hub, "hub", leaf), (leaf, "leaf", hub)):
        there.stream("S", storage="file", mirror={"name": "S", "external": {"api": f"$JS.{domain}.API", "deliver": ""}})
        has(there, "S", len(wanted))
        here.ok("STREAM.DELETE.S")
        there.ok("STREAM.UPDATE.S", {"name": "S", "storage": "file", "subjects": ["s.>"]})
        there.put("s.new", domain.encode())
        wanted.append(("s.new", domain.encode()))
        assert content(there, "S") == wanted
