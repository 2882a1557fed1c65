"""What a system account hears of leaf nodes, and what a service hears of who asks from one, beside the reference's."""

from __future__ import annotations

import json
import re

import pytest

from harness.server import wait_for
from harness.topology import free_port
from system.conftest import CONFIG, Observed, same

HUB = 'leafnodes { listen: "127.0.0.1:%d" }\n'
SPOKE = """
leafnodes { reconnect: "50ms", remotes: [ { url: "nats-leaf://%s@127.0.0.1:%d", account: A } ] }
"""
COMING = ["$SYS.SERVER.ACCOUNT.A.CONNS", "$SYS.ACCOUNT.A.SERVER.CONNS", "$SYS.ACCOUNT.A.CONNECT"]
GOING = [*COMING[:2], "$SYS.ACCOUNT.A.DISCONNECT"]


def listening(observed: Observed) -> Observed:
    for subject in ("$SYS.ACCOUNT.A.>", "$SYS.SERVER.ACCOUNT.A.>", "$SYS.SERVER.*.CLIENT.AUTH.ERR"):
        observed.listen(subject)
    return observed


def events(observed: Observed, subjects: list[str]) -> list[dict]:
    """The next events, which are of these subjects; that a link is gone may be told before or after how many there are."""
    found = dict(observed.next() for _ in subjects)
    assert sorted(found) == sorted(subjects)
    return [found[subject] for subject in subjects]


def coming_and_going(start, binary) -> list:
    """What both ends hear of a link that comes, carries something and goes."""
    port, options = free_port(), {"binary": binary} if binary else {}
    leaf = listening(Observed(start(CONFIG.replace("here", "leaf") + SPOKE % ("a:a", port), **options)))
    hub_server = start(CONFIG + HUB % port, check_exit=False, **options)
    hub = listening(Observed(hub_server))
    # The link may be up before anybody listens at the hub, which is the first to go.
    came = events(leaf, COMING)
    wait_for("the link", lambda: "connection created" in hub_server.log())
    hub.server.kill()
    went = events(leaf, GOING)
    return [came, went]


def test_a_leaf_node_hears_of_its_link(start, reference):
    # spec: CLU-094 CLU-096 CORE-187
    mine, theirs = coming_and_going(start, None), coming_and_going(start, reference)
    same([mine, theirs])
    for came, went in (mine, theirs):
        assert [(event["leafnodes"], event["conns"], event["total_conns"]) for event in came[:2]] == [(1, 0, 1)] * 2
        assert went[0]["leafnodes"] == went[0]["total_conns"] == 0
        for event in (came[2], went[2]):
            client = event["client"]
            assert (client["kind"], client["acc"], client.get("user"), client.get("name")) == ("Leafnode", "A", None, None)


def heard_by_hub(start, binary) -> list:
    """What a hub hears of a leaf node that comes, sends and gets something, and goes, and of one that it does not let in."""
    port, options = free_port(), {"binary": binary} if binary else {}
    hub = listening(Observed(start(CONFIG + HUB % port, **options)))
    leaf = start(CONFIG.replace("here", "leaf") + SPOKE % ("a:a", port), check_exit=False, **options)
    came = events(hub, COMING)
    there, here = Observed(leaf).join(), hub.join()
    events(hub, COMING)
    pass_on(there, here, "from.leaf")
    pass_on(here, there, "from.hub")
    leaf.kill()
    went = events(hub, GOING)
    start(CONFIG.replace("here", "third") + SPOKE % ("a:wrong", port), **options)
    refused = hub.next()
    assert refused[0] == "$SYS.SERVER.ID.CLIENT.AUTH.ERR"
    return [came, went, refused[1]]


def pass_on(sender, receiver, subject: str) -> None:
    """Sends until something arrives: interest takes its time."""

    def arrived() -> bool:
        sender.publish(subject, b"12345")
        sender.fence()
        return any(line.startswith(b"MSG") for line in receiver.fence())

    receiver.send(f"SUB {subject} 1")
    wait_for(f"a message on {subject}", arrived)


def test_a_hub_hears_of_its_leaf_nodes(start, reference):
    # spec: CLU-094 CLU-096 CORE-186 CORE-187
    mine, theirs = heard_by_hub(start, None), heard_by_hub(start, reference)
    same([mine, theirs])
    for came, went, refused in (mine, theirs):
        assert [(event["leafnodes"], event["conns"], event["total_conns"]) for event in came[:2]] == [(1, 0, 1)] * 2
        assert (went[0]["leafnodes"], went[0]["conns"], went[0]["total_conns"]) == (0, 1, 1)
        for way in ("sent", "received"):
            total = went[0][way]
            assert total["leafs"]["msgs"] >= 1 and total["leafs"]["bytes"] == 5 * total["leafs"]["msgs"]
            assert total["msgs"] > total["leafs"]["msgs"]
            assert went[2][way]["msgs"] >= 1
        for event in (came[2], went[2]):
            client = event["client"]
            assert [client[key] for key in ("kind", "acc", "user", "name")] == ["Leafnode", "A", "a", "leaf"]
        client = refused["client"]
        assert [client[key] for key in ("kind", "acc", "user", "name")] == ["Leafnode", "N/A", "a", "third"]
        assert refused["reason"] == "Authentication Failure"


@pytest.mark.parametrize("gateways", [True, False])
def test_a_server_with_gateways_tells_of_accounts_that_leaf_nodes_have(start, reference, gateways):
    # spec: CLU-094
    seen = []
    for options in ({}, {"binary": reference}):
        port = free_port()
        gateway = 'gateway { name: G1, listen: "127.0.0.1:%d" }\n' % free_port() if gateways else ""
        hub = Observed(start(CONFIG + HUB % port + gateway, **options))
        hub.listen("$SYS.ACCOUNT.A.LEAFNODE.>")
        hub.listen("$SYS.ACCOUNT.A.CONNECT")
        start(CONFIG.replace("here", "leaf") + SPOKE % ("a:a", port), **options)
        subject, _ = hub.next()
        assert subject == "$SYS.ACCOUNT.A.CONNECT"
        if gateways:
            seen.append(hub.next())
            assert seen[-1][0] == "$SYS.ACCOUNT.A.LEAFNODE.CONNECT"
            assert seen[-1][1]["acc"] == "A"
    if gateways:
        same([document for _, document in seen])


# --- what a service hears -----------------------------------------------------------------------

SERVICE_HUB = """
server_name: hub
accounts {
  THERE { users: [ { user: t, password: t } ], exports: [ { service: "hub.>" }, { service: "q.>" } ] }
  GUESTS { users: [ { user: g, password: g } ], imports: [ { service: { account: THERE, subject: "hub.>" }, share: @SHARE@ } ] }
}
leafnodes { listen: "127.0.0.1:@PORT@" }
"""
SERVICE_LEAF = """
server_name: leaf
accounts {
  HERE { users: [ { user: h, password: h } ], exports: [ { service: "q.>" } ] }
  APP { users: [ { user: p, password: p } ], imports: [ { service: { account: HERE, subject: "q.>" }, share: @SHARE@ } ] }
  OTHER { users: [ { user: o, password: o } ], imports: [ { service: { account: HERE, subject: "q.>" }, share: @SHARE@ } ] }
}
leafnodes { remotes: [
  { url: "nats-leaf://t:t@127.0.0.1:@PORT@", account: HERE }
  { url: "nats-leaf://g:g@127.0.0.1:@PORT@", account: APP }
] }
"""


class Asked:
    """A service at a hub, and who asks it from a leaf node."""

    def __init__(self, start, share: str, **options):
        def config(text: str) -> str:
            return text.replace("@SHARE@", share).replace("@PORT@", str(port))

        port = free_port()
        hub = start(config(SERVICE_HUB), monitor=True, **options)
        self.leaf = start(config(SERVICE_LEAF), monitor=True, **options)
        self.service = hub.connect().handshake(user="t", headers=True, no_responders=True, **{"pass": "t"})
        self.service.send_raw(b"SUB q.> 1\r\nSUB hub.> 2\r\n")
        self.service.fence()
        for server in (hub, self.leaf):
            wait_for("both links", lambda server=server: len(server.get_json("/leafz")["leafs"]) == 2)
        for account, subject in (("HERE", "q.>"), ("APP", "hub.>")):
            wait_for(subject, lambda account=account, subject=subject: self.knows(account, subject))

    def knows(self, account: str, subject: str) -> bool:
        leafs = self.leaf.get_json("/leafz?subs=1")["leafs"]
        return any(leaf["account"] == account and subject in leaf["subscriptions_list"] for leaf in leafs)

    def hears(self, user: str, subject: str, headers: str = "A: b\r\n") -> list[tuple[str, str]]:
        """The headers that a request of `user` has when it arrives."""
        link = self.leaf.connect().handshake(user=user, headers=True, no_responders=True, name="me", **{"pass": user})
        block = f"NATS/1.0\r\n{headers}\r\n".encode()
        link.send_raw(f"HPUB {subject} re.ply {len(block)} {len(block) + 1}\r\n".encode() + block + b"x\r\n")
        link.fence()
        came, _, _, block, _ = self.service.message()
        assert came == subject
        return [tuple(line.split(": ", 1)) for line in block.decode().split("\r\n")[1:] if line]


def same_words(found: list) -> None:
    """Fails unless both heard the same, but for times, numbers and ages."""
    mine, theirs = [re.sub(r'"(start|id|rtt|ver)":("[^"]*"|\d+)', r'"\1":0', repr(one)) for one in found]
    assert mine == theirs


@pytest.mark.parametrize("share", ["true", "false"])
def test_who_asks_is_named_by_the_hubs_name_of_the_account(start, reference, share):
    # spec: SEC-049
    both = Asked(start, share), Asked(start, share, binary=reference)
    for user, subject, headers in [
        ("p", "q.a", "A: b\r\n"),
        ("o", "q.b", "A: b\r\n"),
        ("h", "q.c", 'Nats-Request-Info: {"acc":"APP","rtt":5,"no":1}\r\nA: b\r\n'),
        ("h", "q.d", 'Nats-Request-Info: {"acc":"HERE"}\r\n'),
        ("h", "q.e", 'Nats-Request-Info: {"acc":"NONE","no":1}\r\nA: b\r\n'),
        ("h", "q.f", "Nats-Request-Info: nonsense\r\n"),
    ]:
        found = [asked.hears(user, subject, headers) for asked in both]
        same_words(found)
    named = dict(both[0].hears("p", "q.a"))
    assert json.loads(named["Nats-Request-Info"])["acc"] == "GUESTS"


@pytest.mark.parametrize("share", ["true", "false"])
def test_a_hub_vouches_for_the_leaf_node_and_not_for_its_clients(start, reference, share):
    # spec: SEC-049
    both = Asked(start, share), Asked(start, share, binary=reference)
    for headers in ("A: b\r\n", 'Nats-Request-Info: {"acc":"FORGED","user":"u","rtt":5}\r\nA: b\r\n'):
        found = [asked.hears("p", "hub.a", headers) for asked in both]
        same_words(found)
        info = json.loads(dict(found[0])["Nats-Request-Info"])
        assert info["acc"] == "GUESTS"
        assert (info.get("kind"), info.get("user"), info.get("server")) == (
            ("Leafnode", "g", "leaf") if share == "true" else (None, None, None)
        )
