"""Events of the system account, beside the reference's: same subjects, same documents in shape."""

from __future__ import annotations

import json
import signal

import pytest

from harness.server import wait_for
from system.conftest import CONFIG, Observed, same


def test_clients_that_come_and_go(pair):
    # spec: CORE-185 CLU-094 CLU-096
    seen = []
    for observed in pair:
        observed.listen("$SYS.ACCOUNT.A.>")
        link = observed.server.connect().handshake(user="a", name="me", lang="py", version="1", **{"pass": "a"})
        events = dict(observed.next() for _ in range(2))
        link.send("SUB foo 1")
        link.publish("foo", b"12345")
        link.fence()
        link.close()
        subject, events["gone"] = observed.next()
        while subject != "$SYS.ACCOUNT.A.DISCONNECT":
            subject, events["gone"] = observed.next()
        seen.append(dict(sorted(events.items())))
    assert list(seen[0]) == list(seen[1])
    same(seen)
    gone = seen[0]["gone"]
    assert gone["reason"] == seen[1]["gone"]["reason"] == "Client Closed"
    for way in ("sent", "received"):
        assert (gone[way]["msgs"], gone[way]["bytes"]) == (1, 5)
    assert gone["client"]["name"] == "me"


def test_refused_clients(pair):
    # spec: CORE-186 SEC-006
    seen = []
    for observed in pair:
        observed.listen("$SYS.SERVER.*.CLIENT.AUTH.ERR")
        link = observed.server.connect()
        link.send_connect(user="a", **{"pass": "wrong"})
        link.until_closed()
        seen.append(observed.next())
    assert seen[0][0] == seen[1][0] == "$SYS.SERVER.ID.CLIENT.AUTH.ERR"
    same([event for _, event in seen])
    assert seen[0][1]["reason"] == seen[1][1]["reason"]


def test_refused_clients_in_the_account_of_those_without_one(start, reference):
    # spec: CORE-186
    config = 'authorization { users [ { user: g, password: g } ] }'
    events = []
    for server in (start(config), start(config, binary=reference)):
        listener = server.connect().handshake(user="g", **{"pass": "g"})
        listener.send("SUB $SYS.> 1")
        listener.fence()
        server.connect().handshake(user="g", **{"pass": "g"})
        link = server.connect()
        link.send_connect(auth_token="wrong", name="me")
        link.until_closed()
        subject, _, _, _, payload = listener.message()
        assert subject == "$SYS.ACCOUNT.CLIENT.AUTH.ERR"
        events.append(json.loads(payload))
    same(events)
    assert [event["client"]["user"] for event in events] == ["[REDACTED]"] * 2
    assert events[0]["reason"] == events[1]["reason"]


def test_clients_that_never_say_who_they_are(pair):
    # spec: CORE-185 NEW-008
    seen = []
    for observed in pair:
        observed.listen("$SYS.ACCOUNT.*.DISCONNECT")
        observed.server.connect().close()
        seen.append(observed.next())
    assert seen[0][0] == seen[1][0] == "$SYS.ACCOUNT.$G.DISCONNECT"
    same([event for _, event in seen])
    assert seen[0][1]["client"]["acc"] == "$G"


def test_the_count_of_connections(pair):
    # spec: CORE-187
    seen = []
    for observed in pair:
        observed.listen("$SYS.ACCOUNT.A.SERVER.CONNS")
        observed.listen("$SYS.SERVER.ACCOUNT.A.CONNS")
        observed.server.connect().handshake(user="a", **{"pass": "a"})
        seen.append(dict([observed.next(), observed.next()]))
    assert sorted(seen[0]) == sorted(seen[1])
    for subject in seen[0]:
        same([one[subject] for one in seen])
        assert seen[0][subject]["conns"] == 1


def test_an_account_that_a_reload_removes_tells_that_it_is_empty(start, reference):
    # spec: CORE-187
    config = CONFIG.replace("SYS {", "B { users: [ { user: b, password: b } ] }\n  SYS {")
    seen = []
    for options in ({}, {"binary": reference}):
        observed = Observed(start(config, **options))
        link = observed.server.connect().handshake(user="b", **{"pass": "b"})
        observed.listen("$SYS.ACCOUNT.B.SERVER.CONNS")
        observed.server.write_config(CONFIG)
        observed.server.signal(signal.SIGHUP)
        seen.append(observed.next())
        link.until_closed()
    same([event for _, event in seen])
    assert [event["conns"] for _, event in seen] == [0, 0]


def test_other_servers_are_asked_about_an_account_that_a_reload_adds(pair):
    # spec: CLU-094
    seen = []
    for observed in pair:
        observed.listen("$SYS.REQ.ACCOUNT.*.CONNS")
        observed.server.write_config(CONFIG.replace("SYS {", "B { }\n  SYS {"))
        observed.server.signal(signal.SIGHUP)
        subject, _, reply, _, payload = observed.link.message()
        seen.append({"subject": subject, "reply": reply.replace(observed.id, "ID"), "question": json.loads(payload)})
    same(seen)
    assert [(one["subject"], one["reply"]) for one in seen] == [("$SYS.REQ.ACCOUNT.B.CONNS", "$SYS._INBOX_.ID")] * 2


def test_statistics_come_by_themselves(pair):
    # spec: CLU-094 CLU-095
    seen = []
    for observed in pair:
        observed.listen("$SYS.SERVER.*.STATSZ")
        seen.append(observed.next())
    assert seen[0][0] == "$SYS.SERVER.ID.STATSZ"
    same([event for _, event in seen])


def test_lame_duck(pair):
    # spec: CLU-094 CORE-142
    seen = []
    for observed in pair:
        observed.listen("$SYS.SERVER.*.LAMEDUCK")
        observed.server.signal(signal.SIGUSR2)
        seen.append(observed.next())
    assert seen[0][0] == "$SYS.SERVER.ID.LAMEDUCK"
    same([event for _, event in seen])


def test_shutdown_is_the_last_word(pair):
    # spec: CLU-094 CORE-144
    seen = []
    for observed in pair:
        observed.listen("$SYS.ACCOUNT.A.>")
        observed.listen("$SYS.SERVER.*.SHUTDOWN")
        link = observed.server.connect().handshake(user="a", **{"pass": "a"})
        came = {observed.next()[0] for _ in range(2)}
        assert came == {"$SYS.ACCOUNT.A.SERVER.CONNS", "$SYS.ACCOUNT.A.CONNECT"}
        observed.server.stop()
        seen.append(observed.next())
        assert not observed.link.until_closed()
        link.close()
    assert seen[0][0] == "$SYS.SERVER.ID.SHUTDOWN"
    same([event for _, event in seen])


def test_an_ordinary_account_does_not_reach_the_system_account(pair):
    # spec: SEC-044 CORE-068
    for observed in pair:
        link = observed.server.connect().handshake(user="a", headers=True, no_responders=True, **{"pass": "a"})
        link.send("SUB in 1")
        link.publish("$SYS.REQ.SERVER.PING", b"", "in")
        assert b"503" in link.message()[3]


def from_server(name: str, sequence: int, **more) -> bytes:
    """What a server called `name` says of itself."""
    told = {"name": name, "host": "h", "id": name, "ver": "2.15.1", "jetstream": False, "flags": 0, "seq": sequence}
    return json.dumps({"server": {**told, "time": "2026-01-01T00:00:00Z"}, **told, **more}).encode()


def test_other_servers_are_known_by_what_they_tell(pair):
    # spec: CLU-094 CLU-095
    told = [
        ("$SYS.SERVER.X.STATSZ", from_server("X", 1), 2),
        ("$SYS.SERVER.X.STATSZ", from_server("X", 2), 2),
        ("$SYS.SERVER.Y.STATSZ", from_server("Z", 1), 3),
        ("$SYS.SERVER.Z.STATSZ", from_server("Z", 1), 3),
        ("$SYS.SERVER.Z.STATSZ", b"", 3),
        ("$SYS.SERVER.Z.STATSZ", b"nonsense", 3),
        ("$SYS.SERVER.ACCOUNT.A.CONNS", from_server("W", 1, acc="A", conns=3), 4),
        ("$SYS.SERVER.ACCOUNT.NOPE.CONNS", from_server("V", 1, acc="NOPE", conns=3), 4),
        ("$SYS._INBOX_.ID", from_server("U", 1, acc="A", conns=3), 5),
        ("$SYS.SERVER.Y.SHUTDOWN", from_server("Z", 2), 5),
        ("$SYS.SERVER.Z.SHUTDOWN", b"", 5),
        ("$SYS.SERVER.Z.SHUTDOWN", b"{}", 4),
        ("$SYS.SERVER.X.LAMEDUCK", from_server("X", 3), 3),
    ]
    for observed in pair:
        for subject, payload, servers in told:
            observed.link.publish(subject.replace("ID", observed.id), payload)
            # The answers to what a server is told come from more than one worker.
            wait_for(f"{servers} servers after {subject}", lambda o=observed, n=servers: active(o) == n)
            assert active(observed) == servers


FULL = """
server_name: here
accounts {
  A { users: [ { user: a, password: a } ], limits: { max_conn: 2 } }
  SYS { users: [ { user: s, password: s } ] }
}
system_account: SYS
"""


def test_connections_on_other_servers_count(start, reference):
    # spec: SEC-054 CLU-094
    for options in ({}, {"binary": reference}):
        observed = Observed(start(FULL, **options))
        old, new = observed.join(), observed.join()
        observed.link.publish("$SYS.SERVER.ACCOUNT.A.CONNS", from_server("X", 1, acc="A", conns=1))
        assert b"maximum account active connections exceeded" in new.until_closed()
        assert old.fence() == []
        refused = observed.server.connect()
        refused.send_connect(user="a", **{"pass": "a"})
        assert b"maximum account active connections exceeded" in refused.until_closed()
        observed.link.publish("$SYS.SERVER.X.SHUTDOWN", from_server("X", 2))
        wait_for("the server to be gone", lambda o=observed: active(o) == 1)
        assert observed.join().fence() == []


def active(observed) -> int:
    return observed.ask("$SYS.REQ.SERVER.PING.STATSZ")["statsz"]["active_servers"]


@pytest.mark.martlet_only
def test_a_new_server_hears_of_this_one_at_once(start):
    # spec: CLU-094
    observed = Observed(start(CONFIG))
    observed.listen(f"$SYS.SERVER.{observed.id}.STATSZ")
    # The reference waits until it has said nothing for a second; so that time does not matter here, the answer to what is
    # asked afterwards is the end.
    observed.listen("in")
    observed.link.publish("$SYS.SERVER.X.STATSZ", from_server("X", 1))
    observed.link.publish("$SYS.REQ.SERVER.PING", b"", "in")
    came = []
    while not came or came[-1][0] != "in":
        came.append(observed.next())
    assert "$SYS.SERVER.ID.STATSZ" in [subject for subject, event in came if event["statsz"]["active_servers"] == 2]
