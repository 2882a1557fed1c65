"""What monitoring tells of streams and consumers, beside the reference."""

from __future__ import annotations

import shutil

import pytest

from monitoring.shape import differences, shape
from monitoring.streams import CONFIG, Client, fill, settled, twins
from monitoring.test_metrics import Scrape


@pytest.fixture(scope="module")
def filled(binary, reference, tmp_path_factory):
    """Two servers with the same streams."""
    with twins(binary, reference, tmp_path_factory.mktemp("streams")) as servers:
        yield servers


def both(servers, path: str):
    return [server.get(path) for server in servers]


JSZ = [
    "",
    "?accounts=1",
    "?streams=1",
    "?streams=1&config=1",
    "?consumers=1",
    "?consumers=1&config=1",
    "?config=1",
    "?direct-consumers=1",
    "?direct-consumers=1&consumers=1",
    "?acc=A",
    "?acc=A&streams=1",
    "?acc=A&consumers=1&config=1&raft=1",
    "?acc=B&consumers=1",
    "?acc=N",
    "?acc=SYS",
    "?acc=NOPE",
    "?acc=A&offset=4",
    "?accounts=1&limit=1",
    "?accounts=1&limit=0",
    "?accounts=1&limit=-1",
    "?accounts=1&offset=1",
    "?accounts=1&offset=5",
    "?accounts=1&offset=-1",
    "?raft=1",
    "?leader-only=1",
    "?stream-leader-only=1&streams=1",
]


@pytest.mark.parametrize("query", JSZ)
def test_jsz(query, filled):
    # spec: CLI-012 CLU-108 CLU-136 CLU-137 NEW-022 NEW-045
    mine, theirs = both(filled, f"/jsz{query}")
    assert (mine.status, mine.headers["Content-Type"]) == (theirs.status, theirs.headers["Content-Type"])
    left, right = mine.json(), theirs.json()
    assert shape(left) == shape(right), "\n".join(differences(left, right)[:40])
    found = differences(settled(left), settled(right))
    assert not found, "\n".join(found)


def test_varz(filled):
    # spec: CLI-010 CLU-101 NEW-045
    mine, theirs = (reply.json()["jetstream"] for reply in both(filled, "/varz"))
    assert shape(mine) == shape(theirs)
    assert settled(mine) == settled(theirs)
    assert mine["limits"]["default_max_consumers"] == 70


@pytest.mark.parametrize("account", ["A", "B", "N", "SYS"])
def test_accountz(account, filled):
    # spec: CLU-107
    mine, theirs = (reply.json()["account_detail"] for reply in both(filled, f"/accountz?acc={account}"))
    assert mine["jetstream_enabled"] == theirs["jetstream_enabled"] == (account in "AB")
    assert list(mine) == list(theirs)


HEALTHZ = [
    "",
    "?details=1",
    "?js-enabled=1",
    "?js-enabled-only=1",
    "?js-server-only=1",
    "?js-meta-only=1",
    "?account=A",
    "?account=N",
    "?account=NOPE",
    "?account=NOPE&details=1",
    "?account=NOPE&js-server-only=1",
    "?account=NOPE&js-enabled-only=1",
    "?account=A&stream=ORDERS",
    "?account=A&stream=NOPE",
    "?account=A&stream=NOPE&details=1",
    "?account=B&stream=ORDERS",
    "?account=N&stream=ORDERS",
    "?account=A&stream=ORDERS&consumer=pull",
    "?account=A&stream=ORDERS&consumer=nope",
    "?account=A&stream=ORDERS&consumer=nope&details=1",
    "?account=A&consumer=pull",
    "?stream=ORDERS",
    "?stream=ORDERS&js-enabled-only=1",
]


def test_healthz(filled):
    # spec: CLU-109 CLU-138 CLU-139 CLU-140 CLU-143 CLU-144
    wrong = []
    for query in HEALTHZ:
        mine, theirs = ((reply.status, reply.text) for reply in both(filled, f"/healthz{query}"))
        if mine != theirs:
            wrong.append(f"{query}: {mine} ≠ {theirs}")
    assert not wrong, "\n".join(wrong)


def test_info_tells_what_the_api_can(start, reference):
    # spec: CORE-022
    for config in ("", 'jetstream { store_dir: "$DIR/js", domain: hub }'):
        infos = [start(config, **more).connect().info for more in ({}, {"binary": reference})]
        told = [{name: info.get(name) for name in ("api_lvl", "jetstream", "domain")} for info in infos]
        assert told[0] == told[1]
        assert told[0]["api_lvl"] == 5


def garble(directory) -> None:
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert files
    for path in files:
        path.write_bytes(b"x" * path.stat().st_size)


@pytest.mark.martlet_only
def test_a_stream_that_cannot_be_recovered_is_told_and_kept(start):
    # spec: CLU-109
    server = start(CONFIG, monitor=True)
    fill(server)
    server.stop()
    garble(server.directory / "js" / "martlet" / "A" / "streams" / "ORDERS")
    server.restart()
    said = [line for line in server.log().splitlines() if "A > ORDERS" in line and "[ERR]" in line]
    assert any("cannot be served" in line for line in said), said
    text = "JetStream stream 'A > ORDERS' could not be recovered: "
    for query in ("", "?account=A", "?account=A&stream=ORDERS"):
        reply = server.get(f"/healthz{query}")
        assert reply.status == 503
        assert reply.json()["status"] == "unavailable"
        assert reply.json()["error"].startswith(text)
    (error,) = server.get("/healthz?details=1").json()["errors"]
    assert (error["type"], error["account"], error["stream"]) == ("STREAM", "A", "ORDERS")
    assert error["error"].startswith(text)
    for query in ("?account=B", "?account=A&stream=MEM", "?js-server-only=1", "?js-enabled-only=1"):
        assert server.get(f"/healthz{query}").status in (200, 404), query
    scrape = Scrape(server)
    assert (scrape.value("nats_healthz_status"), scrape.value("martlet_jetstream_faults")) == (1, 1)
    # Nothing is written over it.
    refused = Client(server, "a").api("STREAM.CREATE.ORDERS", name="ORDERS", subjects=["o.*"])
    assert "could not be recovered" in refused["error"]["description"]
    assert list((server.directory / "js" / "martlet" / "A" / "streams" / "ORDERS").iterdir())


@pytest.mark.martlet_only
def test_a_stream_whose_store_fails_says_so_once(start):
    # spec: CLU-109
    server = start(CONFIG, monitor=True, check_exit=False)
    client = Client(server, "a")
    client.make_stream("ORDERS", subjects=["o.*"], max_bytes=8_000_000)
    shutil.rmtree(server.directory / "js" / "martlet" / "A" / "streams" / "ORDERS")
    # At the latest the next file cannot be made.
    answers = [client.ask("o.1", b"x" * 400_000) for _ in range(6)]
    assert "error" in answers[-1], answers
    assert "until the server is started again" in answers[-1]["error"]["description"]
    text = "JetStream stream 'A > ORDERS' takes no more messages: "
    for query in ("", "?account=A&stream=ORDERS"):
        reply = server.get(f"/healthz{query}")
        assert reply.status == 503
        assert reply.json()["error"].startswith(text)
    assert server.get("/healthz?js-server-only=1").status == 200
    said = [line for line in server.log().splitlines() if "[ERR]" in line and "A > ORDERS" in line]
    assert len(said) == 1, said
    assert "takes no more messages until the server is started again" in said[0]
    client.link.close()


@pytest.mark.martlet_only
def test_a_stream_that_finds_no_room_says_so_once(start):
    # Files may be this long and no longer; whoever tries is told so instead of killed.
    limit = ["sh", "-c", 'trap "" XFSZ; ulimit -f 2048; exec "$0" "$@"']
    server = start(CONFIG, monitor=True, prefix=limit)
    client = Client(server, "a")
    client.make_stream("ORDERS", subjects=["o.*"])
    answers = [client.ask("o.1", b"x" * 700_000) for _ in range(10)]
    assert any(answer.get("error", {}).get("code") == 503 for answer in answers), answers
    said = [line for line in server.log().splitlines() if "[ERR]" in line and "A > ORDERS" in line]
    assert len(said) == 1, said
    assert "no space is left" in said[0]
    # The next may find room.
    assert server.get("/healthz").status == 200
    client.link.close()


SERVER = {
    "jetstream_disabled": lambda _: 0,
    "max_memory": lambda of: of["config"]["max_memory"],
    "max_storage": lambda of: of["config"]["max_storage"],
    "total_streams": lambda of: of["streams"],
    "total_consumers": lambda of: of["consumers"],
    "total_messages": lambda of: of["messages"],
    "total_message_bytes": lambda of: of["bytes"],
}
STREAM = {
    "total_messages": "messages",
    "total_bytes": "bytes",
    "first_seq": "first_seq",
    "last_seq": "last_seq",
    "consumer_count": "consumer_count",
    "subject_count": "num_subjects",
}
CONSUMER = {
    "delivered_consumer_seq": lambda of: of["delivered"]["consumer_seq"],
    "delivered_stream_seq": lambda of: of["delivered"]["stream_seq"],
    "ack_floor_consumer_seq": lambda of: of["ack_floor"]["consumer_seq"],
    "ack_floor_stream_seq": lambda of: of["ack_floor"]["stream_seq"],
    "num_ack_pending": lambda of: of["num_ack_pending"],
    "num_redelivered": lambda of: of["num_redelivered"],
    "num_waiting": lambda of: of["num_waiting"],
    "num_pending": lambda of: of["num_pending"],
}


@pytest.mark.martlet_only
@pytest.mark.parametrize(("query", "system"), [("", "nats"), ("?prefix=gnatsd", "jetstream")])
def test_metrics_are_those_of_the_exporter(query, system, filled):
    """Names and labels as of prometheus-nats-exporter with a prefix and without, numbers as in `/jsz` of the reference."""
    # spec: CLU-108
    mine, theirs = filled
    scrape, jsz, own = Scrape(mine, query), theirs.get_json("/jsz?consumers=1&config=1"), mine.get_json("/varz")
    server = {
        "server_id": own["server_id"],
        "server_name": "here",
        "cluster": "",
        "domain": "",
        "meta_leader": "",
        "is_meta_leader": "true",
    }
    for name, number in SERVER.items():
        (sample,) = scrape.samples(f"{system}_server_{name}")
        assert (sample.labels, sample.value) == (server, number(jsz)), name
    for account in jsz["account_details"]:
        name = account["name"]
        of_account = {**server, "account": name, "account_name": name, "account_id": account["id"]}
        assert scrape.value(f"{system}_account_storage_used", **of_account) == account["storage"]
        for stream in account["stream_detail"]:
            of_stream = {**of_account, "stream_name": stream["name"], "stream_leader": "here", "is_stream_leader": "true"}
            for name, field in STREAM.items():
                assert scrape.value(f"{system}_stream_{name}", **of_stream) == stream["state"].get(field, 0), name
            for consumer in stream.get("consumer_detail", []):
                labels = {
                    **of_stream,
                    "consumer_name": consumer["name"],
                    "consumer_leader": "here",
                    "is_consumer_leader": "true",
                    "consumer_desc": consumer["config"].get("description", ""),
                }
                for name, number in CONSUMER.items():
                    assert scrape.value(f"{system}_consumer_{name}", **labels) == number(consumer), name
    if system == "nats":
        for name in ("stats_storage", "stats_memory", "stats_reserved_storage", "config_max_storage"):
            part, field = name.split("_", 1)
            assert scrape.value(f"nats_varz_jetstream_{name}") == own["jetstream"][part][field]
        assert scrape.value("nats_varz_jetstream_stats_api_total") == own["jetstream"]["stats"]["api"]["total"]
    assert {sample.value for sample in scrape.samples("martlet_jetstream_omitted")} == {0}
    assert scrape.value("martlet_jetstream_faults") == 0


@pytest.mark.martlet_only
def test_metrics_without_streams(start):
    scrape = Scrape(start(monitor=True))
    assert scrape.value("nats_server_jetstream_disabled") == 1
    assert not [name for name in scrape.families if name.startswith(("nats_stream", "nats_consumer", "nats_account"))]
