"""Events of the system account, beside the reference's: same subjects, same documents in shape."""

from __future__ import annotations

import json
import signal

from system.conftest import same


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
    # spec: CORE-185
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
