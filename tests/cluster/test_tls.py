"""Encrypted links: what passes them, who is turned away, and what both ends say about that."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from conftest import find_reference
from harness.certs import Authority, Pair, spki_sha256
from harness.topology import (
    ACCOUNTS,
    Form,
    Plan,
    Role,
    Topology,
    leaf,
    leaves_of_cluster,
    mesh,
    super_cluster,
    two_clusters,
)


@dataclass(frozen=True)
class World:
    """Two authorities that know nothing of each other, and what they issued."""

    ours: Authority
    theirs: Authority
    one: Pair
    two: Pair
    theirs_two: Pair
    elsewhere: Pair

    def block(self, pair: Pair, extra: str = "", trusted: Authority | None = None) -> str:
        ca = (trusted or self.ours).ca.cert
        return f'cert_file: "{pair.cert}", key_file: "{pair.key}", ca_file: "{ca}", timeout: 3\n{extra}'


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> World:
    directory = tmp_path_factory.mktemp("links")
    ours, theirs = Authority(directory / "ours"), Authority(directory / "theirs", "Another Authority")
    return World(
        ours,
        theirs,
        ours.issue("one"),
        ours.issue("two"),
        theirs.issue("two"),
        ours.issue("elsewhere", sans="DNS:elsewhere.example.org"),
    )


# --- what passes --------------------------------------------------------------------------------


def everywhere(world: World, plan: Plan, extra: str = "", remote: str | None = None) -> dict[tuple[str, str], str]:
    """`tls` blocks for all listeners and remotes of a plan; `extra` goes into those of leaf nodes."""
    found = {}
    for role in plan.roles:
        pair = (world.one, world.two)[role.side]
        found[role.name, "cluster"] = found[role.name, "gateway"] = world.block(pair)
        found[role.name, "leaf"] = world.block(pair, extra)
        found[role.name, "remote"] = world.block(pair) if remote is None else remote
    return found


def trusting(world: World, extra: str = "") -> str:
    """A remote that shows no certificate."""
    return f'ca_file: "{world.ours.ca.cert}"\n{extra}'


ENCRYPTED = {
    "routes": (mesh(2), "", None),
    "routes found by gossip": (mesh(3, gossip=True), "", None),
    "compressed routes": (mesh(2, extra="compression: s2_fast"), "", None),
    "gateways": (super_cluster(), "", None),
    "leaf nodes of a cluster": (leaves_of_cluster(), "verify: true", None),
    "leaf nodes without certificates": (leaf(), "", ""),
    "TLS first": (leaf(), "handshake_first: true", "handshake_first: true"),
    "TLS first with certificates": (leaf(), "verify: true, handshake_first: true", None),
    "TLS first after a wait in vain": (leaf(), 'handshake_first: "100ms"', ""),
    "TLS first before the wait is over": (leaf(), 'handshake_first: "3s"', "handshake_first: true"),
}


@pytest.mark.parametrize("what", ENCRYPTED)
def test_messages_pass_both_ways(what, build, world):
    # spec: CLU-012 CLU-041 CLU-064 CFG-138 CFG-142 CFG-151 CFG-165 CFG-170 CFG-172
    plan, extra, remote = ENCRYPTED[what]
    if remote is None and "handshake_first" in extra:
        blocks = everywhere(world, plan, extra, world.block(world.two, "handshake_first: true"))
    else:
        blocks = everywhere(world, plan, extra, None if remote is None else trusting(world, remote))
    net = build(plan, tls=blocks)
    large = bytes(range(256)) * 2000
    for name in net.names:
        listening = {other: net.subscriber(other, f"to.{name} group{other}") for other in net.names if other != name}
        net.settle()
        sender = net.client(name)
        for body in (b"", b"short", large):
            sender.publish(f"to.{name}", body, "answers")
        for other, link in listening.items():
            assert [(message[2], message[4]) for message in (link.message() for _ in range(3))] == [
                ("answers", b""),
                ("answers", b"short"),
                ("answers", large),
            ], other
        for link in listening.values():
            link.close()
    for name, server in net.topology.nodes.items():
        told(plan.role(name), plan, server.get_json("/varz"))


def told(role: Role, plan: Plan, varz: dict) -> None:
    """What a node with certificates of its own in every block says about them."""
    # spec: CLU-101 SEC-073
    blocks = [varz["cluster"]] if role.cluster else []
    blocks += [varz["gateway"]] if role.gateways else []
    blocks += [varz["leaf"]] if plan.leaves_of(role.name) else []
    for block in blocks:
        assert block["tls_required"] is True
        assert block["tls_timeout"] == 3
        assert block["tls_cert_not_after"].endswith("Z")
    remotes = varz["leaf"].get("remotes", [])
    assert sorted(remote["local_account"] for remote in remotes) == (sorted(ACCOUNTS) if role.leaf_of else [])


def test_what_gateways_say_about_encryption(build, world):
    # spec: CLU-104
    plan = two_clusters()
    net = build(plan, tls=everywhere(world, plan))
    for name in net.names:
        gatewayz = net.topology.nodes[name].get_json("/gatewayz")
        links = [*gatewayz["outbound_gateways"].values(), *sum(gatewayz["inbound_gateways"].values(), [])]
        assert len(links) == 2
        for link in links:
            assert link["connection"]["tls_version"] == "1.3"
            assert link["connection"]["tls_cipher_suite"].startswith("TLS_")


# --- what is turned away ------------------------------------------------------------------------


# The first node is dialled, the second dials. Gateways do both.
KINDS = {
    "cluster": ("route", mesh(2)),
    "gateway": ("gateway", two_clusters()),
    "leaf": ("leafnode", Plan("leaf", (Role("n1"), Role("n2", 1, leaf_of=("n1",), imports=False)))),
}


@pytest.fixture(params=KINDS)
def apart(request, pair, tmp_path):
    """Starts two nodes that are not to come together, with these blocks: `n1, n2 = apart(for n1, for n2)`."""
    running: list[Topology] = []
    word, plan = KINDS[request.param]

    def make(dialled: str, dials: str, **options) -> Apart:
        kind = request.param
        tls = {("n1", kind): dialled, ("n2", "remote" if kind == "leaf" else kind): dials}
        running.append(Topology(Form(plan, pair), tmp_path, tls=tls, **options))
        running[0].launch()
        return Apart(running[0], kind, word)

    make.kind = request.param
    yield make
    for topology in running:
        topology.kill()


@dataclass
class Apart:
    topology: Topology
    kind: str
    word: str

    def wait_error(self, name: str, text: str) -> None:
        """Waits until a node says what was wrong about a handshake."""
        self.topology.nodes[name].wait_log(rf"\[ERR\] \S+ - \wid:\d+ - TLS {self.word} handshake error: .*({text})")

    def wait_closed(self, name: str, reasons: str) -> None:
        self.topology.nodes[name].wait_log(rf"(Router|Gateway|Leafnode) connection closed: ({reasons})")

    def is_reference(self, name: str) -> bool:
        return self.topology.nodes[name].binary == find_reference()

    def linked(self) -> bool:
        return any(self.topology.linked(name) for name in self.topology.nodes)


# What the reference says, or Martlet.
UNKNOWN = "signed by unknown authority|signed by an unknown authority"
REFUSED = (
    r"remote error: tls: (bad certificate|unknown certificate authority)|the peer refuses this server's certificate"
)
NAMELESS = "it doesn't contain any IP SANs|not for 127\\.0\\.0\\.1"
MISSING = "client didn't provide a certificate|the peer shows no certificate"
UNPINNED = "certificate not pinned"
UNENCRYPTED = "first record does not look like a TLS handshake|the peer does not speak TLS"


def test_a_server_of_another_authority_is_not_dialled(apart, world):
    # spec: CLU-012 CLU-041 CLU-064 CFG-132
    found = apart(world.block(world.one), world.block(world.two, trusted=world.theirs))
    found.wait_error("n2", UNKNOWN)
    found.wait_error("n1", REFUSED)
    found.wait_closed("n1", "TLS Handshake Failure")
    found.wait_closed("n2", "TLS Handshake Failure")
    assert not found.linked()


def test_a_server_of_another_authority_is_not_let_in(apart, world):
    # spec: CLU-012 CLU-041 CLU-064 CFG-142 CFG-170
    found = apart(world.block(world.one, "verify: true"), world.block(world.theirs_two))
    # Whoever knows which authorities are asked for may rather show nothing.
    found.wait_error("n1", f"{UNKNOWN}|{MISSING}")
    found.wait_closed("n1", "TLS Handshake Failure")
    # With TLS 1.3 the dialling side is through with its handshake when it is refused.
    found.wait_closed("n2", "TLS Handshake Failure|Read Error|Client Closed")
    if not found.is_reference("n2"):
        found.topology.nodes["n2"].wait_log(rf"\[ERR\] .*TLS {found.word} handshake error: ({REFUSED})")
    assert not found.linked()


def test_a_server_of_another_name_is_not_dialled(apart, world):
    # spec: CLU-012 CLU-041 CLU-064
    found = apart(world.block(world.elsewhere), world.block(world.two))
    found.wait_error("n2", NAMELESS)
    found.wait_error("n1", REFUSED)
    assert not found.linked() or found.kind == "gateway"


def test_whoever_does_not_verify_takes_any_server(apart, world):
    # spec: CFG-132 CFG-287
    # Another cluster has to be known to those it dials.
    pair = world.elsewhere if apart.kind == "gateway" else world.theirs_two
    found = apart(world.block(pair), world.block(world.two, "insecure: true"))
    found.topology.await_links()


@pytest.mark.parametrize("side", ["n1", "n2"])
def test_only_pinned_servers_are_linked(side, apart, world):
    # spec: CFG-137 CFG-294 SEC-065
    pins = f'verify: true, pinned_certs: [ "{"0" * 64}" ]'
    blocks = {"n1": world.block(world.one), "n2": world.block(world.two)}
    blocks[side] = world.block({"n1": world.one, "n2": world.two}[side], pins)
    found = apart(blocks["n1"], blocks["n2"])
    if found.kind == "leaf" and side == "n2":
        # A remote looks at no pins: it verifies whom it dials.
        found.topology.await_links()
        return
    found.wait_error(side, UNPINNED)
    found.wait_closed(side, "TLS Handshake Failure")
    assert not found.linked()


def test_pinned_servers_are_linked(apart, world):
    # spec: CFG-137 SEC-065
    one, two = (spki_sha256(pair) for pair in (world.one, world.two))
    first = world.block(world.one, f'verify: true, pinned_certs: [ "{two.upper()}", "{"0" * 64}" ]')
    second = world.block(world.two, f'verify: true, pinned_certs: [ "{one}" ]')
    found = apart(first, second)
    found.topology.await_links()
    found.topology.settle()


def test_both_have_to_encrypt(apart, world):
    # spec: CLU-012 CLU-041 CLU-064
    found = apart(world.block(world.one), "")
    if found.kind == "leaf":
        # The hub asks for TLS, and the leaf node knows only the authorities of its machine.
        found.wait_error("n2", UNKNOWN)
        found.wait_error("n1", REFUSED)
    else:
        found.wait_error("n1", UNENCRYPTED)
    assert not found.linked()


def test_nothing_is_said_in_the_clear_to_whom_tls_is_asked_of(apart, world):
    # spec: CLU-012 CLU-041 CLU-064
    found = apart("", world.block(world.two))
    if found.kind != "leaf":
        found.wait_error("n2", UNENCRYPTED)
    found.wait_closed("n2", "TLS Handshake Failure")
    assert not found.linked()
