"""What the services and events of the system account tell of streams, beside the reference's."""

from __future__ import annotations

import pytest

from monitoring.shape import differences
from monitoring.streams import CONFIG, fill, settled, twins
from system.conftest import Observed, same

REQUESTS = [
    ("$SYS.REQ.SERVER.PING", ""),
    ("$SYS.REQ.SERVER.PING.STATSZ", ""),
    ("$SYS.REQ.SERVER.PING.VARZ", ""),
    ("$SYS.REQ.SERVER.PING.RAFTZ", ""),
    ("$SYS.REQ.SERVER.PING.JSZ", ""),
    ("$SYS.REQ.SERVER.ID.JSZ", ""),
    ("$SYS.REQ.SERVER.PING.JSZ", '{"accounts":true}'),
    ("$SYS.REQ.SERVER.PING.JSZ", '{"accounts":true,"limit":1,"offset":1}'),
    ("$SYS.REQ.SERVER.PING.JSZ", '{"accounts":true,"streams":true,"consumer":true,"config":true}'),
    ("$SYS.REQ.SERVER.PING.JSZ", '{"consumer":true,"direct_consumer":true,"raft":true}'),
    ("$SYS.REQ.SERVER.PING.JSZ", '{"account":"A","consumer":true}'),
    ("$SYS.REQ.SERVER.PING.JSZ", '{"account":"NOPE"}'),
    ("$SYS.REQ.SERVER.PING.JSZ", '{"leader_only":true}'),
    ("$SYS.REQ.SERVER.PING.JSZ", '{"stream_leader_only":true,"streams":true}'),
    ("$SYS.REQ.ACCOUNT.A.JSZ", ""),
    ("$SYS.REQ.ACCOUNT.A.JSZ", '{"streams":true}'),
    ("$SYS.REQ.ACCOUNT.A.JSZ", '{"consumer":true,"config":true}'),
    ("$SYS.REQ.ACCOUNT.A.JSZ", '{"streams":true,"consumer":true,"config":true}'),
    ("$SYS.REQ.ACCOUNT.A.JSZ", '{"account":"B"}'),
    ("$SYS.REQ.ACCOUNT.B.JSZ", '{"streams":true}'),
    ("$SYS.REQ.ACCOUNT.N.JSZ", ""),
    ("$SYS.REQ.ACCOUNT.SYS.JSZ", ""),
    ("$SYS.REQ.ACCOUNT.NOPE.JSZ", ""),
    ("$SYS.REQ.ACCOUNT.A.INFO", ""),
    ("$SYS.REQ.SERVER.PING.HEALTHZ", ""),
    ("$SYS.REQ.SERVER.PING.HEALTHZ", '{"account":"A","stream":"ORDERS","consumer":"pull"}'),
    ("$SYS.REQ.SERVER.PING.HEALTHZ", '{"account":"A","stream":"NOPE"}'),
    ("$SYS.REQ.SERVER.PING.HEALTHZ", '{"account":"A","stream":"ORDERS","consumer":"nope","details":true}'),
    ("$SYS.REQ.SERVER.PING.HEALTHZ", '{"account":"NOPE","js-enabled-only":true}'),
]


@pytest.fixture(scope="module")
def observed(binary, reference, tmp_path_factory):
    """Two servers with the same streams, and a user of the system account at each."""
    with twins(binary, reference, tmp_path_factory.mktemp("streams")) as servers:
        pair = [Observed(server) for server in servers]
        yield pair
        for one in pair:
            one.link.close()


def of_streams(answer):
    """What must agree beside the shape."""
    found = answer.get("error") or answer.get("statsz") or answer["data"]
    return settled(found.get("jetstream", found))


@pytest.mark.parametrize(("subject", "body"), REQUESTS, ids=lambda value: value or "-")
def test_services(subject, body, observed):
    # spec: CLU-088 CLU-091 CLU-095 CLU-108 CLU-109
    answers = [one.ask(subject, body) for one in observed]
    if not subject.endswith("INFO"):
        same(answers)
        found = differences(*map(of_streams, answers))
        assert not found, "\n".join(found)
    else:
        assert [answer["data"]["jetstream_enabled"] for answer in answers] == [True, True]


def test_statistics_tell_what_streams_use(start, reference):
    # spec: CLU-094 CLU-095
    told = []
    for options in ({}, {"binary": reference}):
        one = Observed(start(CONFIG, **options))
        fill(one.server)
        one.listen("$SYS.SERVER.*.STATSZ")
        subject, event = one.next()
        while event["statsz"]["jetstream"]["stats"]["api"]["total"] < 9:
            subject, event = one.next()
        assert subject == "$SYS.SERVER.ID.STATSZ"
        told.append(event)
        one.link.close()
    same(told)
    assert settled(told[0]["statsz"]["jetstream"]) == settled(told[1]["statsz"]["jetstream"])
