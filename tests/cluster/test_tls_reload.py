"""Certificates of links that are replaced while they are up: who comes sees the new ones, who is there stays."""

from __future__ import annotations

import contextlib
import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.alone import ACCOUNTS, Alone, settled
from harness.certs import Authority, Pair, spki_sha256
from harness.peer import Listener, Peer, lines_until, say
from harness.server import wait_for
from harness.topology import Topology, free_port, leaf, mesh, two_clusters
from harness.wire import Connection, WireError

KINDS = ("cluster", "gateway", "leaf")


@dataclass
class Files:
    """The files that a configuration names, and what may be put into them."""

    directory: Path
    authority: Authority

    def put(self, pair: Pair, *authorities: Authority) -> None:
        """A certificate, and those whose certificates are trusted."""
        trusted = "".join(one.ca.cert.read_text() for one in authorities or [self.authority])
        for text, name in ((pair.cert.read_text(), "own.pem"), (pair.key.read_text(), "own.key"), (trusted, "ca.pem")):
            # Whoever reads meanwhile reads the old file or the new one.
            (self.directory / "next").write_text(text)
            (self.directory / "next").rename(self.directory / name)

    def options(self, extra: str = "") -> str:
        names = f'cert_file: "{self.directory}/own.pem", key_file: "{self.directory}/own.key"'
        return f'{names}, ca_file: "{self.directory}/ca.pem", timeout: 3\n{extra}'

    def block(self, extra: str = "") -> str:
        return f"tls {{ {self.options(extra)} }}"


@pytest.fixture
def files(tmp_path, authority) -> Files:
    found = Files(tmp_path / "files", authority)
    found.directory.mkdir()
    found.put(authority.server)
    return found


@pytest.fixture(scope="module")
def renewed(authority) -> Pair:
    return authority.issue("renewed")


@dataclass
class Side:
    """One end of a link of some kind, as the test plays it."""

    kind: str
    peer: Peer
    authority: Authority

    @property
    def cluster(self) -> str:
        return self.peer.cluster

    def dial(self, port: int, pair: Pair) -> Connection:
        """A link that is up, dialled with this certificate."""
        context = self.authority.context(pair)
        # Leaf nodes hear INFO first.
        link = self.peer.dial(port, tls=context, tls_first=self.kind != "leaf")
        if self.kind == "cluster":
            say(link, "CONNECT", self.peer.route_connect(tls_required=True))
            say(link, "INFO", self.peer.route_info())
        elif self.kind == "gateway":
            say(link, "CONNECT", self.peer.gateway_connect(tls_required=True))
            say(link, "INFO", self.peer.gateway_info(1))
            lines_until(link, b"INFO ")
        else:
            say(link, "CONNECT", self.peer.leaf_connect(user="a", tls_required=True, **{"pass": "a"}))
            lines_until(link, b"LS+ $LDS.")
        return settled(link)

    def accept(self, listener: Listener, pair: Pair, trusted: Authority | None = None) -> Connection:
        """The next link that is dialled, and wants to know who this is."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        context.load_verify_locations((trusted or self.authority).ca.cert)
        context.verify_mode = ssl.CERT_REQUIRED
        link = listener.accept()
        self.peer.links.append(link)
        if self.kind == "leaf":
            asked = {"tls_required": True, "tls_verify": True, "tls_available": True}
            say(link, "INFO", self.peer.leaf_info(listener.port, compression="off", **asked))
        link.socket = context.wrap_socket(link.socket, server_side=True)
        if self.kind == "leaf":
            lines_until(link, b"LS+ $LDS.")
        elif self.kind == "gateway":
            say(link, "INFO", self.peer.gateway_info(listener.port, tls_required=True, tls_verify=True))
            lines_until(link, b"INFO ")
        else:
            say(link, "INFO", self.peer.route_info(tls_required=True, tls_verify=True))
            lines_until(link, b"INFO ")
        return link


@pytest.fixture(params=KINDS)
def side(request, authority):
    with Peer(cluster="C1" if request.param == "cluster" else "WEST") as peer:
        yield Side(request.param, peer, authority)


def listening(kind: str, tls: str, port: int | str = "@PORT@") -> str:
    """A server that others dial."""
    return {
        "cluster": f'cluster {{ name: C1, listen: "127.0.0.1:{port}"\n {tls} }}\n',
        "gateway": f'gateway {{ name: EAST, listen: "127.0.0.1:{port}"\n {tls} }}\n',
        "leaf": f'leafnodes {{ listen: "127.0.0.1:{port}"\n {tls} }}\n',
    }[kind]


def dialling(kind: str, tls: str, to: int, port: int, own: bool = False) -> str:
    """A server that dials a port; with `own`, the block is that of the remote cluster."""
    inner, outer = (tls, "") if own else ("", tls)
    return {
        "cluster": f'cluster {{ name: C1, listen: "127.0.0.1:{port}", pool_size: -1\n'
        f' routes: [ "nats://127.0.0.1:{to}" ]\n {tls} }}\n',
        "gateway": f'gateway {{ name: EAST, listen: "127.0.0.1:{port}"\n {outer}\n'
        f' gateways: [ {{ name: WEST, url: "nats://127.0.0.1:{to}"\n {inner} }} ] }}\n',
        "leaf": f'leafnodes {{ reconnect: "50ms"\n'
        f' remotes: [ {{ url: "nats://u:p@127.0.0.1:{to}", account: A\n {tls} }} ] }}\n',
    }[kind]


def shown(link: Connection) -> str:
    return ssl.DER_cert_to_PEM_cert(link.socket.getpeercert(binary_form=True)).strip()


def is_of(pair: Pair, link: Connection) -> bool:
    return shown(link) in pair.cert.read_text()


# --- those who dial -----------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["other files", "the same files"])
def test_who_connects_sees_the_new_certificate(where, side, start, files, authority, renewed):
    # spec: CFG-151 CFG-171 CFG-323 CFG-344 SEC-068
    alone = Alone(start, listening(side.kind, files.block()))
    there = side.dial(alone.port, authority.client)
    assert is_of(authority.server, there)
    if where == "other files":
        text = files.block().replace(f"{files.directory}/own.pem", str(renewed.cert))
        text = text.replace(f"{files.directory}/own.key", str(renewed.key))
        alone.server.reload(ACCOUNTS + listening(side.kind, text, alone.port))
    else:
        files.put(renewed)
        with Peer("early", side.cluster) as other:
            early = Side(side.kind, other, authority).dial(alone.port, authority.client)
            # Files are looked at when a reload asks for it.
            assert is_of(authority.server, early)
        alone.server.reload()
    with Peer("late", side.cluster) as other:
        assert is_of(renewed, Side(side.kind, other, authority).dial(alone.port, authority.client))
    there.fence()
    assert is_of(authority.server, there)


def test_who_connects_is_judged_by_the_new_authority(side, start, files, authority, tmp_path):
    # spec: CFG-142 CFG-151 CFG-171 SEC-068
    others = Authority(tmp_path / "others", "Another Authority")
    stranger = others.issue("stranger")
    alone = Alone(start, listening(side.kind, files.block("verify: true")))
    there = side.dial(alone.port, authority.client)

    def is_let_in(pair: Pair) -> bool:
        with Peer("another", side.cluster) as other:
            try:
                Side(side.kind, other, authority).dial(alone.port, pair)
            except (WireError, OSError):
                return False
            return True

    assert not is_let_in(stranger)
    files.put(authority.server, others)
    alone.server.reload()
    assert is_let_in(stranger)
    assert not is_let_in(authority.client)
    there.fence()


# --- those who are dialled ----------------------------------------------------------------------


@pytest.mark.parametrize("own", [False, True])
def test_who_is_dialled_sees_the_new_certificate(own, side, start, files, authority, renewed, listener):
    # spec: CFG-151 CFG-174 CFG-333 CFG-359
    if own and side.kind != "gateway":
        pytest.skip("only clusters may have a block of their own beside that of the listener")
    alone = Alone(start, dialling(side.kind, files.block(), listener.port, free_port(), own))
    link = side.accept(listener, authority.server)
    assert is_of(authority.server, link)
    files.put(renewed)
    link.close()
    link = side.accept(listener, authority.server)
    # Files are looked at when a reload asks for it.
    assert is_of(authority.server, link)
    alone.server.reload()
    link.fence()
    link.close()
    assert is_of(renewed, side.accept(listener, authority.server))


def test_who_is_dialled_is_judged_by_the_new_authority(side, start, files, authority, listener, tmp_path):
    # spec: CFG-151 CFG-174 CFG-333 CFG-359
    others = Authority(tmp_path / "others", "Another Authority")
    stranger = others.issue("stranger")
    alone = Alone(start, dialling(side.kind, files.block(), listener.port, free_port()))
    with contextlib.suppress(OSError, WireError):
        side.accept(listener, stranger)
        raise AssertionError("a server of another authority was taken for the one that is configured")
    files.put(authority.server, others)
    alone.server.reload()

    def accepted():
        try:
            return side.accept(listener, stranger)
        except (OSError, WireError):
            return None

    wait_for("a link to the server that is trusted now", accepted).fence()


# --- what cannot be -----------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["own.pem", "own.key", "ca.pem"])
def test_a_reload_with_broken_files_changes_nothing(broken, side, start, files, authority, renewed):
    # spec: CFG-020
    alone = Alone(start, listening(side.kind, files.block()))
    there = side.dial(alone.port, authority.client)
    files.put(renewed)
    (files.directory / broken).write_text("not a certificate")
    text = ACCOUNTS + listening(side.kind, files.block(), alone.port) + "max_payload: 5\n"
    alone.server.reload(text, expect=r"\[ERR\] Failed to reload server configuration: ")
    assert alone.server.get_json("/varz")["max_payload"] == 1048576
    there.fence()
    with Peer("late", side.cluster) as other:
        assert is_of(authority.server, Side(side.kind, other, authority).dial(alone.port, authority.client))


def test_the_key_has_to_be_that_of_the_certificate(side, start, files, authority, renewed):
    # spec: CFG-020 SEC-068
    alone = Alone(start, listening(side.kind, files.block()))
    shutil.copy(renewed.key, files.directory / "own.key")
    alone.server.reload(expect=r"\[ERR\] Failed to reload server configuration: .*(own\.|private key)")


def test_links_that_are_no_longer_pinned_are_closed(side, start, files, authority, renewed):
    # spec: CFG-022 CFG-137 CFG-165 CFG-171
    def pinning(*pairs: Pair) -> str:
        pins = ", ".join(f'"{spki_sha256(pair)}"' for pair in pairs)
        return files.block(f"verify: true, pinned_certs: [ {pins} ]")

    alone = Alone(start, listening(side.kind, pinning(authority.client)))
    there = side.dial(alone.port, authority.client)
    if side.kind == "leaf":
        text = ACCOUNTS + listening(side.kind, pinning(renewed), alone.port)
        alone.server.reload(text, expect='config reload not supported for LeafNode: field "TLSPinnedCerts"')
        there.fence()
        return
    alone.server.reload(ACCOUNTS + listening(side.kind, pinning(authority.client, renewed), alone.port))
    there.fence()
    alone.server.reload(ACCOUNTS + listening(side.kind, pinning(renewed), alone.port))
    there.until_closed()
    with Peer("late", side.cluster) as other:
        Side(side.kind, other, authority).dial(alone.port, renewed)


# --- both ends ----------------------------------------------------------------------------------


def ids(topology: Topology) -> set[tuple[str, str, int]]:
    """Every link, at both its ends."""
    found = set()
    for name, server in topology.nodes.items():
        found |= {(name, "route", route["rid"]) for route in server.get_json("/routez")["routes"] or []}
        found |= {(name, "leaf", link["id"]) for link in server.get_json("/leafz")["leafs"] or []}
        gatewayz = server.get_json("/gatewayz")
        for link in [*gatewayz["outbound_gateways"].values(), *sum(gatewayz["inbound_gateways"].values(), [])]:
            found.add((name, "gateway", link["connection"]["cid"]))
    return found


@pytest.mark.parametrize("plan", [mesh(2), two_clusters(), leaf()], ids=lambda plan: plan.name)
def test_an_authority_is_replaced_while_links_are_up(plan, build, tmp_path, authority):
    # spec: CFG-151 CFG-165 CFG-170 CFG-171 CFG-174 SEC-068
    others = Authority(tmp_path / "others", "Another Authority")
    before, after = ({role.name: one.issue(f"{role.name}-own") for role in plan.roles} for one in (authority, others))
    files, blocks = {}, {}
    for name in plan.names():
        files[name] = Files(tmp_path / f"files-{name}", authority)
        files[name].directory.mkdir()
        files[name].put(before[name])
        for what in ("cluster", "gateway", "leaf", "remote"):
            blocks[name, what] = files[name].options("verify: true" if what == "leaf" else "")
    net = build(plan, tls=blocks, proxied=True)
    there = ids(net.topology)

    def link_anew():
        old = ids(net.topology)
        for front in net.topology.fronts.values():
            front.cut()
        wait_for("new links in the place of all old ones", lambda: not ids(net.topology) & old)
        net.topology.await_links()
        net.settle()
        return ids(net.topology)

    for shows, trusts in ((before, (authority, others)), (after, (authority, others)), (after, (others,))):
        for name, server in net.topology.nodes.items():
            files[name].put(shows[name], *trusts)
            server.reload()
        net.settle()
        assert ids(net.topology) == there
        # Links that stay show nothing of the files: new ones do.
        if shows is after:
            there = link_anew()
