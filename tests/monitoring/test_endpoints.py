"""Every endpoint, side by side with the reference: keys and their order, kinds of values, values that must agree."""

from __future__ import annotations

import base64
import re
import threading
import urllib.error
import urllib.request

import pytest

from harness.server import wait_for
from monitoring.shape import differences, settled, shape

JSON = [
    "/varz",
    "/connz",
    "/connz?subs=1",
    "/connz?subs=detail",
    "/connz?auth=1",
    "/connz?auth=true&subs=detail",
    "/connz?state=closed",
    "/connz?state=closed&subs=detail&auth=1",
    "/connz?state=all",
    "/connz?state=any",
    "/connz?user=a",
    "/connz?user=a&auth=1",
    "/connz?user=nobody",
    "/connz?acc=A",
    "/connz?acc=B&auth=1",
    "/connz?acc=NOPE",
    "/connz?limit=1",
    "/connz?limit=0",
    "/connz?offset=2",
    "/connz?offset=99",
    "/connz?offset=-1",
    "/connz?limit=-1",
    "/connz?cid=99999",
    "/connz?mqtt_client=x",
    "/connz?filter_subject=s.>&acc=A",
    "/subsz",
    "/subsz?acc=A",
    "/subsz?acc=A&subs=1",
    "/subsz?acc=A&subs=1&test=s.a",
    "/subsz?acc=B&subs=1",
    "/subsz?acc=NOPE",
    "/subscriptionsz?acc=A",
    "/subsz?test=foo.bar&subs=1",
    "/accountz",
    "/accountz?acc=A",
    "/accountz?acc=B",
    "/accountz?acc=EMPTY",
    "/accstatz",
    "/accstatz?unused=1",
    "/healthz",
    "/healthz?js-enabled-only=1",
    "/healthz?js-server-only=true",
    "/healthz?details=1",
    "/routez",
    "/routez?subs=1",
    "/gatewayz",
    "/gatewayz?accs=1",
    "/leafz",
    "/leafz?subs=1",
    "/jsz",
    "/jsz?accounts=1&streams=1&consumers=1&config=1",
    "/jsz?acc=A",
    "/ipqueuesz",
    "//varz",
]

# Lists in an order of a server's own: compared as sets.
UNORDERED = ("accounts", "account_statz", "subscriptions_list", "subscriptions_list_detail", "imports", "exports")


def ordered(value):
    if isinstance(value, dict):
        return {
            key: sorted(map(ordered, inner), key=repr) if key in UNORDERED and isinstance(inner, list) else ordered(inner)
            for key, inner in value.items()
        }
    return [ordered(inner) for inner in value] if isinstance(value, list) else value


# Martlet counts a message that a stream import brought where it arrived: at the subscription that got it, and as sent in
# the account of its connection. The reference counts it at no subscription, and as sent in the account that exports.
IMPORTED = re.compile(r"\.(subscriptions_list(_detail)?\[\d+\]\.msgs: \d+ ≠ 0|account_statz\[\d+\]\.sent\.(msgs|bytes): .*)$")


def sums(value) -> tuple[int, int]:
    """What was sent in all accounts together."""
    sent = [account["sent"] for account in value.get("account_statz", [])]
    return sum(one["msgs"] for one in sent), sum(one["bytes"] for one in sent)


@pytest.mark.parametrize("path", JSON)
def test_json(path, twins):
    # spec: CLU-098 CLU-099 CLU-101 CLU-102 CLU-103 CLU-104 CLU-105 CLU-106 CLU-107 CLU-108 CLU-109 CLU-110
    # spec: CLU-124 CLU-126 CLU-128 CLU-133 CLU-136 CLU-137 CLU-138 CLU-139 CLU-150 CLU-154 CLU-159 CLU-161 CLU-162
    # spec: CORE-082 CORE-088 CLI-010 CLI-011 CLI-012
    mine, theirs = twins.both(path)
    assert (mine.status, mine.headers["Content-Type"]) == (theirs.status, theirs.headers["Content-Type"])
    assert mine.headers.get("Access-Control-Allow-Origin") == "*"
    left, right = mine.json(), theirs.json()
    assert shape(left) == shape(right), "\n".join(differences(left, right)[:40])
    found = differences(ordered(settled(left)), ordered(settled(right)))
    found = [line for line in found if not IMPORTED.search(line)]
    assert sums(left) == sums(right)
    assert not found, "\n".join(found)
    assert ("\n  " in mine.text) == ("\n  " in theirs.text), "indented, or compact"


ERRORS = [
    "/connz?sort=zz",
    "/connz?limit=x",
    "/connz?state=zz",
    "/connz?state=1",
    "/connz?cid=x",
    "/connz?subs=zz",
    "/connz?sort=stop",
    "/connz?sort=reason",
    "/connz?auth=zz",
    "/connz?offset=x",
    "/routez?subs=x",
    "/subsz?limit=x",
    "/subsz?subs=x",
    "/subsz?offset=x",
    "/subsz?test=a..b",
    "/subsz?test=a.>",
    "/jsz?accounts=x",
    "/jsz?limit=x",
    "/healthz?stream=Q",
    "/healthz?account=A&stream=NOPE",
    "/healthz?account=NOPE",
    "/healthz?details=x",
    "/healthz?js-enabled-only=x",
    "/accountz?acc=NOPE",
    "/leafz?subs=x",
    "/gatewayz?accs=x",
    "/accstatz?unused=x",
    "/ipqueuesz?all=x",
    "/raftz",
    "/raftz?acc=NOPE",
    "/expvarz",
    "/debug/pprof/",
    "/varz/",
    "/VARZ",
    "/nope",
]


def test_errors(twins):
    # spec: CLU-111 CLU-113 CLU-115 CLU-120 CLU-121 CLU-122 CLU-123 CLU-125 CLU-127 CLU-129 CLU-130 CLU-131 CLU-132
    # spec: CLU-134 CLU-135 CLU-140 CLU-141 CLU-142 CLU-145 CLU-146 CLU-147 CLU-148 CLU-149 CLU-151 CLU-152
    # spec: CLU-153 CLU-157 CLU-158 CLU-160 CLU-100
    wrong = []
    for path in ERRORS:
        mine, theirs = (
            (reply.status, reply.headers.get("Content-Type"), reply.text.strip()) for reply in twins.both(path)
        )
        if mine != theirs:
            wrong.append(f"{path}: {mine} ≠ {theirs}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("method", ["POST", "DELETE", "HEAD", "PUT", "OPTIONS"])
def test_other_methods(method, twins):
    # spec: CLU-163 CLU-164 CLU-165
    mine, theirs = twins.both("/varz", method)
    assert (mine.status, mine.headers["Content-Type"]) == (theirs.status, theirs.headers["Content-Type"])
    assert bool(mine.body) == bool(theirs.body)


SORTS = "cid start subs pending msgs_to msgs_from bytes_to bytes_from last idle uptime rtt".split()


@pytest.mark.parametrize("sort", SORTS)
def test_sorting_and_paging(sort, twins):
    # spec: CLU-102
    for query in (f"sort={sort}", f"sort={sort}&limit=2", f"sort={sort}&limit=2&offset=1"):
        mine, theirs = (reply.json() for reply in twins.both(f"/connz?{query}"))
        for name in ("num_connections", "total", "offset", "limit"):
            assert mine[name] == theirs[name]
        if sort not in ("rtt", "pending", "idle", "last"):
            assert [c["name"] for c in mine["connections"]] == [c["name"] for c in theirs["connections"]]


@pytest.mark.parametrize("sort", ["stop", "reason", "cid"])
def test_sorting_closed_connections(sort, twins):
    # spec: CLU-102 CORE-082 CORE-102
    twins.send("two", "SUB a 1")
    for link in twins.links["two"]:
        link.send("PUB")
        link.until_closed()
    for server in (twins.mine, twins.theirs):

        wait_for("both to be closed", lambda s=server: s.get_json("/connz?state=closed")["total"] == 2)
    mine, theirs = (reply.json()["connections"] for reply in twins.both(f"/connz?state=closed&sort={sort}"))
    assert [(c["name"], c["reason"]) for c in mine] == [(c["name"], c["reason"]) for c in theirs]


def test_one_connection(twins):
    # spec: CLU-102 CLI-011
    for server in (twins.mine, twins.theirs):
        cid = server.get_json("/connz?sort=cid")["connections"][0]["cid"]
        only = server.get_json(f"/connz?cid={cid}&subs=detail")
        assert only["num_connections"] == 1
        (connection,) = only["connections"]
        assert connection["name"] == "one"
        assert {entry["subject"] for entry in connection["subscriptions_list_detail"]} == {"s.>", "bar", "deep.*.x"}


def test_counts(start):
    # spec: CLU-101 CLU-102 CLI-010
    server = start(monitor=True)
    one, two = server.connect().handshake(), server.connect().handshake()
    two.send("SUB foo 1")
    two.fence()
    for _ in range(10):
        one.publish("foo", b"12345")
    one.fence()
    two.fence()
    varz = server.get_json("/varz")
    counts = {name: varz[name] for name in ("in_msgs", "in_bytes", "out_msgs", "out_bytes", "connections")}
    assert counts == {"in_msgs": 10, "in_bytes": 50, "out_msgs": 10, "out_bytes": 50, "connections": 2}
    receiver = server.get_json("/connz?sort=msgs_to")["connections"][0]
    assert (receiver["out_msgs"], receiver["out_bytes"], receiver["in_msgs"]) == (10, 50, 0)


def test_the_server_is_described_as_configured(start):
    # spec: CFG-063 CFG-069 CFG-070
    server = start("server_tags: [ Blue, 'zone:A', blue ]\nserver_metadata { owner: me }\ndisable_sublist_cache: true\n", monitor=True)
    varz = server.get_json("/varz")
    assert (varz["tags"], varz["metadata"]) == (["blue", "zone:a"], {"owner": "me"})
    with server.connect() as link:
        link.handshake()
        link.publish("a", b"")
        link.fence()
    assert server.get_json("/subsz")["num_cache"] == 0


def test_the_address_is_the_one_that_clients_are_told(start):
    # spec: CLU-101 CFG-026
    server = start('client_advertise: "example.org:4333"\n', monitor=True)
    varz = server.get_json("/varz")
    assert (varz["host"], varz["port"]) == ("example.org", 4333)


def test_requests_are_counted(start):
    # spec: CLU-100 CLU-101
    server = start(monitor=True)
    for _ in range(3):
        server.get("/connz")
    assert server.get_json("/varz")["http_req_stats"]["/connz"] == 3


def test_the_index_links_to_the_endpoints(start):
    # spec: CLU-100
    server = start(monitor=True)
    page = server.get("/")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    links = set(re.findall(r"href=[\"']?\.?/?([a-z]+z)\b", page.text))
    assert {"varz", "connz", "routez", "gatewayz", "leafz", "subsz", "accountz", "accstatz", "healthz", "jsz"} <= links


@pytest.mark.parametrize("path", ["mon", "/mon/", "/a/../mon"])
def test_a_base_path(path, start):
    # spec: CLU-100 CFG-047
    server = start(f'http_base_path: "{path}"\n', monitor=True)
    assert server.get("/mon").status == 200
    assert server.get("/varz").status == 404
    assert server.get_json("/mon/varz")["http_base_path"] == path


def test_an_old_jsonp_callback_is_ignored(start):
    # spec: CLU-098 NEW-030
    server = start(monitor=True)
    assert server.get("/varz?callback=f").text.startswith("{")


def test_other_pages(twins):
    # spec: CLU-112 CLU-155 CLU-156
    mine, theirs = twins.both("/debug/vars")
    assert (mine.status, mine.headers["Content-Type"]) == (theirs.status, theirs.headers["Content-Type"])
    assert "cmdline" in mine.json()
    assert twins.mine.get("/stacksz").status == 200


def test_monitoring_over_tls(start, authority):
    # spec: CLU-114 CFG-046 SEC-073

    tls = f'tls {{ cert_file: "{authority.server.cert}", key_file: "{authority.server.key}" }}'
    server = start(f"{tls}\nhttps_port: -1\n")
    url = server.monitor_url.replace("127.0.0.1", "localhost") + "/varz"
    with urllib.request.urlopen(url, context=authority.context()) as reply:
        assert reply.status == 200
        assert b"tls_cert_not_after" in reply.read()


def test_many_requests_at_once(start):
    # spec: CLU-098
    server = start(monitor=True)
    statuses = []

    def ask():
        for _ in range(20):
            statuses.append(server.get("/varz").status)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 160


@pytest.mark.martlet_only
def test_monitoring_may_ask_who_it_is(start):
    # spec: CLU-098
    server = start("http_user: eve\nhttp_password: \"p w\"\n", monitor=True)

    def status(path, credentials=None):
        request = urllib.request.Request(server.monitor_url + path)
        if credentials:
            request.add_header("Authorization", "Basic " + base64.b64encode(credentials.encode()).decode())
        try:
            with urllib.request.urlopen(request) as reply:
                return reply.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    for path in ("/", "/varz", "/metrics", "/nope"):
        assert (status(path), status(path, "eve:x"), status(path, "adam:p w")) == (401, 401, 401)
    assert (status("/varz", "eve:p w"), status("/metrics", "eve:p w"), status("/nope", "eve:p w")) == (200, 200, 404)
    # Probes of containers have no credentials.
    assert status("/healthz") == 200
