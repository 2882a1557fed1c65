"""Several servers as one system: a plan says who they are and who dials whom, a topology is a plan under way.

A plan knows no binary. Which binary runs which node is its *form*: all nodes the same, or two binaries in the two parts
that a plan has (`Role.side`), so that every kind of link is tried with either binary at either end.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import random
import socket
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from harness.proxy import Proxy
from harness.server import Server, ServerError, wait_for
from harness.wire import Connection

LINK_TIMEOUT = 20.0
# Below the range that the kernel takes ports of outgoing connections from.
PORTS = range(12_000, 32_000)
# One byte for each port, locked by the process that was given it.
port_locks = (Path(tempfile.gettempdir()) / "server-test-ports").open("w+b")
taken_ports: set[int] = set()

# Every account that a leaf node carries, as (account, user and password).
ACCOUNTS = {"A": "a", "B": "b", "C": "c", "$G": "g", "SYS": "s"}

ACCOUNTS_TEXT = """
accounts {
  A { users: [ { user: a, password: a } ], exports: [ { service: "svc.>", allow_trace: true }, { stream: "feed.>" } ] }
  B { users: [ { user: b, password: b } ]@IMPORTS@ }
  C { users: [ { user: c, password: c } ] }
  SYS { users: [ { user: s, password: s } ] }
}
system_account: SYS
authorization { users: [ { user: g, password: g } ] }
"""
IMPORTS_TEXT = (
    ', imports: [ { service: { account: A, subject: "svc.>" } }, '
    '{ stream: { account: A, subject: "feed.>" }, prefix: "from" } ]'
)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on, and that no other run of the tests is given.

    It stays this process's own until that ends: a node that has gone may be looked for at its port for a while.
    """
    while True:
        port = random.choice(PORTS)
        if port in taken_ports:
            continue
        try:
            fcntl.lockf(port_locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except OSError:
            continue
        taken_ports.add(port)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass(frozen=True)
class Role:
    """One node of a plan."""

    name: str
    side: int = 0
    cluster: str = ""
    routes: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    leaf_of: tuple[str, ...] = ()
    imports: bool = True


@dataclass(frozen=True)
class Plan:
    """Nodes, in the order they are started in."""

    name: str
    roles: tuple[Role, ...]
    cluster_extra: str = ""

    def role(self, name: str) -> Role:
        return next(role for role in self.roles if role.name == name)

    def names(self) -> list[str]:
        return [role.name for role in self.roles]

    def beside(self, name: str) -> list[str]:
        """The nodes of the same cluster, without the node itself."""
        cluster = self.role(name).cluster
        return [role.name for role in self.roles if cluster and role.cluster == cluster and role.name != name]

    def leaves_of(self, name: str) -> list[str]:
        return [role.name for role in self.roles if name in role.leaf_of]

    def has_gateways(self) -> bool:
        return any(role.gateways for role in self.roles)


def mesh(size: int, *, name: str = "", gossip: bool = False, extra: str = "") -> Plan:
    """A cluster. With `gossip` only the first node is known to the others; they find each other."""
    names = [f"n{number}" for number in range(1, size + 1)]
    roles = []
    for number, node in enumerate(names):
        known = names[:1] if gossip else names
        routes = tuple(other for other in known if other != node)
        roles.append(Role(node, number % 2, "mesh", routes if size > 2 else tuple(names[:number])))
    return Plan(name or f"mesh{size}", tuple(roles), extra)


def super_cluster() -> Plan:
    """Two clusters of two, with gateways."""
    return Plan(
        "super",
        (
            Role("e1", 0, "east", (), ("west",)),
            Role("e2", 0, "east", ("e1",), ("west",)),
            Role("w1", 1, "west", (), ("east",)),
            Role("w2", 1, "west", ("w1",), ("east",)),
        ),
    )


def mixed_super_cluster() -> Plan:
    """The same, where the parts of a form share every cluster."""
    plan = super_cluster()
    return Plan("super-across", tuple(Role(**{**vars(r), "side": int(r.name[1]) - 1}) for r in plan.roles))


def two_clusters() -> Plan:
    """Two clusters of one, with gateways."""
    return Plan(
        "two-clusters", (Role("n1", 0, "east", gateways=("west",)), Role("n2", 1, "west", gateways=("east",)))
    )


def leaf() -> Plan:
    return Plan("leaf", (Role("hub"), Role("leaf", 1, leaf_of=("hub",), imports=False)))


def leaf_chain() -> Plan:
    return Plan(
        "leaf-chain",
        (
            Role("hub"),
            Role("mid", 1, leaf_of=("hub",), imports=False),
            Role("tip", 0, leaf_of=("mid",), imports=False),
        ),
    )


def leaves_of_cluster() -> Plan:
    """A cluster of two with a leaf node on each."""
    return Plan(
        "leaf-cluster",
        (
            Role("n1", 0, "mesh"),
            Role("n2", 1, "mesh", ("n1",)),
            Role("l1", 1, leaf_of=("n1",), imports=False),
            Role("l2", 0, leaf_of=("n2",), imports=False),
        ),
    )


PLANS = {
    plan.name: plan
    for plan in (
        mesh(2),
        mesh(3),
        mesh(3, name="mesh3-s2", extra="compression: s2_fast"),
        mesh(5, gossip=True),
        super_cluster(),
        mixed_super_cluster(),
        leaf(),
        leaf_chain(),
        leaves_of_cluster(),
    )
}


@dataclass(frozen=True)
class Form:
    """A plan, and the binary of each of its two parts."""

    plan: Plan
    binaries: tuple[Path, Path]

    def binary(self, name: str) -> Path:
        return self.binaries[self.plan.role(name).side]

    @property
    def id(self) -> str:
        names = [binary.name for binary in self.binaries]
        return f"{self.plan.name}-{names[0] if self.binaries[0] == self.binaries[1] else '+'.join(names)}"


def forms(server: Path, reference: Path) -> list[Form]:
    """Every plan with `server` alone, and beside the reference in either part."""
    pairs = [(server, server)]
    if server != reference:
        pairs += [(server, reference), (reference, server)]
    found = []
    for plan, pair in itertools.product(PLANS.values(), pairs):
        # The plan only differs from `super` when there are two binaries.
        if plan.name == "super-across" and pair[0] == pair[1]:
            continue
        found.append(Form(plan, pair))
    return found


@dataclass
class Topology:
    """The servers of a form. Use as a context manager."""

    form: Form
    directory: Path
    extra: dict[str, str] = field(default_factory=dict)
    # `tls` blocks, as (node, what): `cluster`, `gateway` and `leaf` listeners, and the `remote` of a leaf node.
    tls: dict[tuple[str, str], str] = field(default_factory=dict)
    # With proxies, every link passes one that stands in front of the node that is dialled.
    proxied: bool = False
    fronts: dict[tuple[str, str], Proxy] = field(default_factory=dict)
    ports: dict[tuple[str, str], int] = field(default_factory=dict)
    nodes: dict[str, Server] = field(default_factory=dict)
    probes: dict[tuple[str, str], Connection] = field(default_factory=dict)
    counter: itertools.count = field(default_factory=lambda: itertools.count(1))

    @property
    def plan(self) -> Plan:
        return self.form.plan

    # --- life ---------------------------------------------------------------------------------

    def __enter__(self) -> Topology:
        try:
            self.launch()
            self.await_links()
            for account in ACCOUNTS:
                self.settle(account)
        except BaseException:
            self.kill()
            raise
        return self

    def launch(self) -> None:
        """Starts the nodes, whether they will find each other or not."""
        for role in self.plan.roles:
            binary, directory = self.form.binary(role.name), self.directory / role.name
            server = Server(binary, directory, self.config(role), monitor=True)
            server.directory.mkdir(parents=True, exist_ok=True)
            self.nodes[role.name] = server
            server.launch()
        for server in self.nodes.values():
            server.await_ports()

    def __exit__(self, kind, value, trace) -> None:
        if kind is not None:
            self.kill()
            return
        self.close_probes()
        errors = []
        for server in self.nodes.values():
            try:
                server.__exit__(None, None, None)
            except AssertionError as error:
                errors.append(str(error))
        self.close_fronts()
        assert not errors, "\n".join(errors)

    def kill(self) -> None:
        self.close_probes()
        for server in self.nodes.values():
            server.kill()
        self.close_fronts()

    def close_fronts(self) -> None:
        while self.fronts:
            self.fronts.popitem()[1].close()

    def close_probes(self, name: str | None = None) -> None:
        for key in [key for key in self.probes if name in (None, key[0])]:
            self.probes.pop(key).close()

    # --- configuration ------------------------------------------------------------------------

    def port(self, name: str, what: str) -> int:
        key = (name, what)
        if key not in self.ports:
            self.ports[key] = free_port()
        return self.ports[key]

    def address(self, name: str, what: str) -> str:
        """Where others find this listener of a node."""
        port = self.port(name, what)
        if self.proxied:
            if (name, what) not in self.fronts:
                self.fronts[name, what] = Proxy(port)
            port = self.fronts[name, what].port
        return f"127.0.0.1:{port}"

    def listen(self, name: str, what: str) -> str:
        """Where a node listens, and what it tells others about that."""
        listen = f'listen: "127.0.0.1:{self.port(name, what)}"'
        return f'{listen}\n  advertise: "{self.address(name, what)}"' if self.proxied else listen

    def stall(self, name: str) -> None:
        """Holds every route of this node; those that it dialled are known by what it said first."""
        own = self.nodes[name].get_json("/varz")["server_id"].encode()
        for (node, _), front in self.fronts.items():
            front.stall(b"" if node == name else own)

    def resume(self) -> None:
        for front in self.fronts.values():
            front.resume()

    def block(self, name: str, what: str) -> str:
        text = self.tls.get((name, what), "")
        return f"tls {{ {text} }}" if text else ""

    def config(self, role: Role) -> str:
        parts = [f"server_name: {role.name}", ACCOUNTS_TEXT.replace("@IMPORTS@", IMPORTS_TEXT * role.imports)]
        if role.cluster:
            routes = ", ".join(f'"nats-route://{self.address(other, "cluster")}"' for other in role.routes)
            parts.append(
                f'cluster {{ name: {role.cluster}, {self.listen(role.name, "cluster")}\n'
                f"  routes: [ {routes} ]\n  {self.plan.cluster_extra}\n  {self.block(role.name, 'cluster')} }}"
            )
        if role.gateways:
            remotes = [self.gateway_remote(cluster) for cluster in role.gateways]
            parts.append(
                f'gateway {{ name: {role.cluster}, {self.listen(role.name, "gateway")}\n'
                f"  gateways: [ {', '.join(remotes)} ]\n  {self.block(role.name, 'gateway')} }}"
            )
        leaf = []
        if self.plan.leaves_of(role.name):
            leaf.append(f"{self.listen(role.name, 'leaf')}\n  {self.block(role.name, 'leaf')}")
        if role.leaf_of:
            leaf.append(f'reconnect: "0.2s"\n  remotes: [ {", ".join(self.leaf_remotes(role))} ]')
        if leaf:
            parts.append("leafnodes {\n  " + "\n  ".join(leaf) + "\n}")
        return "\n".join([*parts, self.extra.get(role.name, ""), self.extra.get("*", "")]) + "\n"

    def gateway_remote(self, cluster: str) -> str:
        members = [role.name for role in self.plan.roles if role.cluster == cluster]
        urls = ", ".join(f'"nats://{self.address(name, "gateway")}"' for name in members)
        return f"{{ name: {cluster}, urls: [ {urls} ] }}"

    def leaf_remotes(self, role: Role) -> list[str]:
        remotes = []
        for account, user in ACCOUNTS.items():
            urls = ", ".join(f'"nats-leaf://{user}:{user}@{self.address(hub, "leaf")}"' for hub in role.leaf_of)
            # After a cut a leaf node is to come back to the same hub, so that before and after can be compared.
            option = ", ignore_discovered_servers: true" if self.proxied else ""
            tls = self.block(role.name, "remote")
            remotes.append(f'{{ urls: [ {urls} ], account: "{account}"{option}\n  {tls} }}')
        return remotes

    # --- readiness ----------------------------------------------------------------------------

    def await_links(self, names: list[str] | None = None) -> None:
        """Waits until the monitoring of the nodes shows every link of the plan among the nodes that run."""
        for name in names or list(self.nodes):
            wait_for(f"the links of {name}", lambda name=name: self.linked(name), LINK_TIMEOUT, 0.02)

    def running(self, name: str) -> bool:
        process = self.nodes[name].process
        return process is not None and process.poll() is None

    def linked(self, name: str) -> bool:
        role, server = self.plan.role(name), self.nodes[name]
        beside = [other for other in self.plan.beside(name) if self.running(other)]
        if beside:
            links = Counter(route["remote_name"] for route in server.get_json("/routez").get("routes") or [])
            if links != Counter({other: self.routes_per_peer() for other in beside}):
                return False
        if role.gateways:
            gateways = server.get_json("/gatewayz")
            if set(gateways["outbound_gateways"]) != set(role.gateways):
                return False
        leafs = len(server.get_json("/leafz").get("leafs") or [])
        dialled = sum(self.running(other) for other in self.plan.leaves_of(name))
        return leafs == len(ACCOUNTS) * (bool(role.leaf_of) + dialled)

    def routes_per_peer(self) -> int:
        """The pool of three, and one for the system account."""
        return 4

    def probe(self, name: str, account: str) -> Connection:
        """A connection of the harness itself, kept for the life of the node."""
        key = (name, account)
        if key not in self.probes:
            user = ACCOUNTS[account]
            self.probes[key] = self.nodes[name].connect().handshake(user=user, **{"pass": user})
        return self.probes[key]

    def settle(self, account: str = "A", among: list[str] | None = None) -> None:
        """Waits until every node knows what interest there was in `account` on every other node when this was called.

        Interest travels in order, so what is new is known wherever a still newer subscription is known.
        """
        names = [name for name in among or self.plan.names() if self.running(name)]
        # The reference now and then loses a subscription on its way through a leaf node: a newer one gets there.
        for patience in (3, 5, LINK_TIMEOUT):
            try:
                return self.await_interest(account, names, patience)
            except ServerError:
                if patience == LINK_TIMEOUT:
                    raise

    def await_interest(self, account: str, names: list[str], patience: float) -> None:
        """Waits until subscriptions that are made now are known between all of these nodes."""
        subject = f"_probe.{next(self.counter)}"
        links = {name: self.probe(name, account) for name in names}
        for name, link in links.items():
            link.send(f"SUB {subject}.> {name}")
            link.fence()
        missing = {(source, target) for source in names for target in names if source != target}
        last: dict[str, list[bytes]] = {}

        def heard() -> bool:
            for source in {source for source, _ in missing}:
                links[source].publish(f"{subject}.{source}", source.encode())
            for name, link in links.items():
                last[name] = link.fence()
                for line in last[name]:
                    if line.startswith(f"MSG {subject}.".encode()):
                        _, heard_on, target, _ = line.decode().split(" ")
                        missing.discard((heard_on.rpartition(".")[2], target))
            return not missing

        try:
            wait_for(f"interest in {account} to travel", heard, patience, 0.002)
        except ServerError as error:
            raise ServerError(f"{error}; missing {sorted(missing)}; heard last {last}") from None
        finally:
            for name, link in links.items():
                link.send(f"UNSUB {name}")
                link.fence()

    # --- what the nodes say -------------------------------------------------------------------

    def interest(self, name: str) -> Counter:
        """What a node says is subscribed to, as (where, subject): by clients of its own, and behind each link."""
        server, found = self.nodes[name], Counter()
        for one in server.get_json("/subsz?subs=1&limit=100000").get("subscriptions_list") or []:
            found["client", one["subject"]] += 1
        for route in server.get_json("/routez?subs=1").get("routes") or []:
            where = f"route {route['remote_name']}"
            found.update((where, subject) for subject in route.get("subscriptions_list") or [])
        for link in server.get_json("/leafz?subs=1").get("leafs") or []:
            found.update((f"leaf {link['name']}", subject) for subject in link.get("subscriptions_list") or [])
        for cluster, gateway in server.get_json("/gatewayz?accs=1&subs=1")["outbound_gateways"].items():
            for account in gateway.get("accounts") or []:
                found.update((f"gateway {cluster}", subject) for subject in account.get("subscriptions_list") or [])
        own = ("$SYS.", "$NRG.", "$LDS.", "$JSC.", "_GR_.", "$GR.", "_R_.", "_probe.")
        return Counter({key: count for key, count in found.items() if not key[1].startswith(own)})

    def all_interest(self) -> dict[str, Counter]:
        return {name: self.interest(name) for name in self.nodes if self.running(name)}
