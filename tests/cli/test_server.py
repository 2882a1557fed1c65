"""What `martlet server` shows of all servers that are joined."""

from __future__ import annotations

import pytest

from harness.server import wait_for

from .conftest import ALL, EAST

pytestmark = pytest.mark.xdist_group("joined servers")


def names(rows) -> list[str]:
    return [row["server"]["name"] for row in rows]


@pytest.fixture
def talkers(joined):
    """A client of APP on every server; the first has most subscriptions, and has sent one message to all."""
    links = {name: joined.servers[name].connect() for name in ALL}
    for number, (name, link) in enumerate(links.items()):
        link.handshake(user="app", name=f"at {name}", **{"pass": "app"})
        for sid in range(len(ALL) - number):
            link.send(f"SUB own.{name}.{sid} {sid}")
        link.fence()
    yield links
    for link in links.values():
        link.close()


@pytest.mark.parametrize("at", ["e1", "w1", "l1"])
def test_every_server_is_listed_from_anywhere(at, joined):
    # spec: CLI-016 CLU-088
    assert names(joined.json("server", "ls", at=at)) == [*EAST, "l1", "w1"]
    lines = joined.run("server", "ls", at=at).ok().splitlines()
    assert lines[0].split()[:4] == ["Name", "Cluster", "Host", "Version"]
    assert [line.split()[:2] for line in lines[2:5]] == [[name, "east"] for name in EAST]
    assert lines[8].startswith("5 servers")
    clusters = {line.split()[0]: line for line in lines if line.startswith(("east", "west"))}
    assert "full mesh" in clusters["east"]
    assert clusters["east"].endswith("west")
    assert clusters["west"].endswith("east")


def test_servers_are_chosen_and_ordered(joined, talkers):
    # spec: CLI-016 CLU-088
    assert names(joined.json("server", "ls", "--sort", "name", "--reverse")) == ["w1", "l1", "e3", "e2", "e1"]
    assert names(joined.json("server", "ls", "--cluster", "west")) == ["w1"]
    assert names(joined.json("server", "ls", "--host", "l1")) == ["l1"]
    assert names(joined.json("server", "ls", "--tags", "E")) == list(EAST)
    assert names(joined.json("server", "ls", "--sort", "conns"))[0] == "e1", "it has the client that asks, too"
    joined.run("server", "ls", "--host", "e9").failed(1, '"e9"', "server ls")


def test_a_server_tells_of_itself(joined):
    # spec: CLI-016 CLU-088
    here = joined.json("server", "info")
    assert here["server"]["name"] == here["data"]["server_name"] == "e1"
    far = joined.json("server", "info", "w1")
    assert joined.json("server", "info", far["server"]["id"])["server"]["name"] == "w1"
    page = joined.run("server", "info", "e2").ok()
    for line in (
        "  Name            e2",
        "  Tags            e",
        "  System account  SYS",
        "  Cluster         east, 127.0.0.1",
    ):
        assert any(found.startswith(line) for found in page.splitlines()), page
    assert joined.servers["e2"].url.removeprefix("nats://") in page
    joined.run("server", "info", "e9").failed(1, '"e9"')


def test_every_server_is_pinged(joined):
    # spec: CLI-016 CLU-088
    rows = joined.json("server", "ping", "--count", "3")
    assert sorted(names(rows)) == sorted(ALL)
    for row in rows:
        assert (row["answers"], row["lost"]) == (3, 0)
        assert 0 < row["min"] <= row["mean"] <= row["max"]
    assert [row["mean"] for row in rows] == sorted(row["mean"] for row in rows)


def test_connections_are_reported(joined, talkers):
    # spec: CLI-016 CLU-088
    def reported(*args: str):
        rows = joined.json("server", "report", "connections", "--account", "APP", *args)
        return [row["name"] for row in rows if row.get("name", "").startswith("at ")]

    assert reported() == [f"at {name}" for name in ALL], "most subscriptions first"
    assert reported("--reverse") == [f"at {name}" for name in reversed(ALL)]
    assert reported("--host", "w1") == ["at w1"]
    assert reported("--subject", "own.e2.0") == ["at e2"]
    assert reported("--username", "nobody") == []
    talkers["e3"].publish("nobody.hears", b"12345")
    talkers["e3"].fence()
    assert reported("--sort", "in-msgs")[0] == "at e3"
    assert len(joined.json("server", "report", "connections", "--top", "2")) == 2
    (row,) = (
        row for row in joined.json("server", "report", "conns", "--username", "app") if row.get("name") == "at w1"
    )
    assert (row["server"]["cluster"], row["account"]) == ("west", "APP")
    table = joined.run("server", "report", "connections", "--cluster", "east").ok()
    assert all(f"at {name}" in table for name in EAST)
    assert "at w1" not in table
    talkers.pop("e1").close()
    closed = joined.json("server", "report", "connections", "--state", "closed", "--host", "e1", "--account", "APP")
    assert "at e1" in [row.get("name") for row in closed]


def test_connections_come_page_by_page(joined):
    # spec: CLI-016 CLU-088
    links = [joined.servers["e1"].connect().handshake(user="app", **{"pass": "app"}) for _ in range(1_100)]
    rows = joined.json("server", "report", "connections", "--host", "e1", "--account", "APP", "--top", "5000")
    cids = [row["cid"] for row in rows]
    assert len(cids) == len(set(cids)) >= len(links)
    for link in links:
        link.close()
    wait_for("them to be gone", lambda: joined.json("server", "ls", "--host", "e1")[0]["statsz"]["connections"] < 10)


def test_a_message_counts_once_in_the_report_of_accounts(joined, talkers):
    # spec: CLI-016 CLU-091
    def row():
        (found,) = joined.json("server", "report", "accounts", "APP")
        return found

    before = row()
    assert (before["connections"], before["leafnodes"]) == (len(ALL), 2)
    assert sorted(before["servers"]) == sorted(ALL)
    # Over a route, and to a client there.
    talkers["e1"].publish("own.e2.0", b"12345")
    assert talkers["e2"].message()[0] == "own.e2.0"
    after = row()
    moved = [after[name] - before[name] for name in ("in_msgs", "in_bytes", "out_msgs", "out_bytes")]
    assert moved == [1, 5, 1, 5]
    assert [one["account"] for one in joined.json("server", "report", "accounts", "--sort", "conns")] == ["APP", "SYS"]
    table = joined.run("server", "report", "accounts").ok()
    assert table.splitlines()[-1].startswith("2 accounts")
    joined.run("server", "report", "accounts", "NO").failed(1, '"NO"', "--unused")


def test_links_are_reported(joined):
    # spec: CLI-016 CLU-088
    routes = joined.json("server", "report", "routes")
    pairs = {(row["server"]["name"], row["remote_name"]) for row in routes}
    assert pairs == {(one, other) for one in EAST for other in EAST if one != other}
    assert {row["account"] for row in routes if row.get("account")} == {"SYS"}
    gateways = joined.json("server", "report", "gateways")
    outbound = {(row["server"]["name"], row["remote"]) for row in gateways if row["direction"] == "outbound"}
    assert outbound == {("e1", "west"), ("e2", "west"), ("e3", "west"), ("w1", "east")}
    assert any(row["direction"] == "inbound" and row["server"]["name"] == "w1" for row in gateways)
    assert joined.json("server", "report", "gateways", "--filter-name", "north") == []
    leafs = joined.json("server", "report", "leafnodes", "--account", "APP")
    assert [(row["server"]["name"], row["name"], row["is_spoke"]) for row in leafs] == [
        ("e1", "l1", False),
        ("l1", "e1", True),
    ]
    for kind, count in (("routes", len(routes)), ("gateways", len(gateways)), ("leafnodes", 4)):
        table = joined.run("server", "report", kind).ok().splitlines()
        assert table[-1].startswith(f"{count} connections"), table


def test_others_are_told_whom_servers_answer(joined):
    # spec: CLI-016
    for args in (("ls",), ("info",), ("ping",), ("report", "accounts")):
        joined.run("server", *args, user="app").failed(1, 'user "app"', "system account", "--context")


def test_a_silent_server_is_named(joined):
    # spec: CLI-016 CLU-088
    stopped = joined.servers["w1"].process
    stopped.send_signal(19)  # SIGSTOP
    try:
        ended = joined.run("server", "ls")
        assert "e3" in ended.out
        ended.failed(1, "1 of 5 known servers did not answer")
    finally:
        stopped.send_signal(18)  # SIGCONT
