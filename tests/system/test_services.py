"""Services of the system account, beside the reference's: same subjects, same options, same answers in shape."""

from __future__ import annotations

import gzip
import json

import pytest

from harness.server import wait_for
from monitoring.shape import settled
from system.bodies import bodies
from system.conftest import CONFIG, Observed, same

SERVERS = "IDZ STATSZ VARZ SUBSZ CONNZ ROUTEZ GATEWAYZ LEAFZ ACCOUNTZ JSZ HEALTHZ PROFILEZ RAFTZ".split()
ACCOUNTS = "SUBSZ CONNZ LEAFZ JSZ INFO STATZ CONNS".split()

REQUESTS = [
    ("$SYS.REQ.SERVER.PING", ""),
    *[(f"$SYS.REQ.SERVER.PING.{name}", "") for name in SERVERS],
    *[(f"$SYS.REQ.SERVER.ID.{name}", "") for name in SERVERS],
    *[(f"$SYS.REQ.ACCOUNT.A.{name}", "") for name in ACCOUNTS],
    *[(f"$SYS.REQ.ACCOUNT.NOPE.{name}", "") for name in ACCOUNTS],
    *[(f"$SYS.REQ.ACCOUNT.PING.{name}", "") for name in ACCOUNTS],
    ("$SYS.REQ.ACCOUNT.$G.STATZ", ""),
    ("$SYS.REQ.SERVER.ID.NOPE", ""),
    ("$SYS.REQ.SERVER.PING.NOPE", ""),
    ("$SYS.REQ.ACCOUNT.A.NOPE", ""),
    # Options.
    ("$SYS.REQ.SERVER.PING.CONNZ", '{"subscriptions":true,"auth":true,"sort":"cid"}'),
    ("$SYS.REQ.SERVER.PING.CONNZ", '{"subscriptions_detail":true,"limit":1,"offset":1}'),
    ("$SYS.REQ.SERVER.PING.CONNZ", '{"cid":9999}'),
    ("$SYS.REQ.SERVER.PING.CONNZ", '{"sort":"nope"}'),
    ("$SYS.REQ.SERVER.PING.CONNZ", '{"sort":"stop"}'),
    ("$SYS.REQ.SERVER.PING.CONNZ", '{"state":1}'),
    ("$SYS.REQ.SERVER.PING.CONNZ", '{"state":2}'),
    ("$SYS.REQ.SERVER.PING.CONNZ", '{"state":3}'),
    ("$SYS.REQ.SERVER.PING.CONNZ", '{"state":-1}'),
    ("$SYS.REQ.SERVER.PING.CONNZ", '{"acc":"A"}'),
    ("$SYS.REQ.SERVER.PING.CONNZ", '{"acc":"NOPE"}'),
    ("$SYS.REQ.SERVER.PING.CONNZ", '{"user":"a"}'),
    ("$SYS.REQ.SERVER.PING.CONNZ", '{"acc":"A","filter_subject":"foo"}'),
    ("$SYS.REQ.SERVER.PING.CONNZ", '{"acc":"A","filter_subject":"none"}'),
    ("$SYS.REQ.SERVER.PING.CONNZ", '{"filter_subject":"foo"}'),
    ("$SYS.REQ.SERVER.PING.CONNZ", '{"mqtt_client":"x"}'),
    ("$SYS.REQ.SERVER.PING.SUBSZ", '{"subscriptions":true,"account":"A","limit":2}'),
    ("$SYS.REQ.SERVER.PING.SUBSZ", '{"subscriptions":true,"account":"A","test":"foo"}'),
    ("$SYS.REQ.SERVER.PING.SUBSZ", '{"test":"a..b"}'),
    ("$SYS.REQ.SERVER.PING.SUBSZ", '{"subscriptions":true,"account":"SYS"}'),
    ("$SYS.REQ.SERVER.PING.ACCOUNTZ", '{"account":"A"}'),
    ("$SYS.REQ.SERVER.PING.ACCOUNTZ", '{"account":"SYS"}'),
    ("$SYS.REQ.SERVER.PING.ACCOUNTZ", '{"account":"$G"}'),
    ("$SYS.REQ.SERVER.PING.ACCOUNTZ", '{"account":"NOPE"}'),
    ("$SYS.REQ.SERVER.PING.JSZ", '{"accounts":true,"streams":true,"consumer":true,"config":true}'),
    ("$SYS.REQ.SERVER.PING.JSZ", '{"leader_only":true}'),
    ("$SYS.REQ.SERVER.PING.HEALTHZ", '{"stream":"x"}'),
    ("$SYS.REQ.SERVER.PING.HEALTHZ", '{"stream":"x","details":true}'),
    ("$SYS.REQ.SERVER.PING.HEALTHZ", '{"js-enabled-only":true}'),
    ("$SYS.REQ.SERVER.PING.RAFTZ", '{"account":"A","group":"g"}'),
    ("$SYS.REQ.SERVER.PING.LEAFZ", '{"account":"NOPE","subscriptions":true}'),
    ("$SYS.REQ.SERVER.PING.GATEWAYZ", '{"name":"x","accounts":true,"account_name":"A"}'),
    ("$SYS.REQ.ACCOUNT.A.SUBSZ", '{"account":"SYS","limit":1}'),
    ("$SYS.REQ.ACCOUNT.A.SUBSZ", '{"test":"a..b"}'),
    ("$SYS.REQ.ACCOUNT.A.CONNZ", '{"acc":"SYS","auth":true}'),
    ("$SYS.REQ.ACCOUNT.A.CONNZ", '{"sort":"nope"}'),
    ("$SYS.REQ.ACCOUNT.A.STATZ", '{"accounts":["SYS"]}'),
    ("$SYS.REQ.ACCOUNT.A.CONNS", '{"acc":"A"}'),
    ("$SYS.REQ.ACCOUNT.A.CONNS", '{"acc":"B"}'),
    ("$SYS.REQ.ACCOUNT.A.CONNS", "x"),
    ("$SYS.REQ.ACCOUNT.PING.STATZ", '{"accounts":["A"]}'),
    ("$SYS.REQ.ACCOUNT.PING.STATZ", '{"accounts":["NOPE"]}'),
    ("$SYS.REQ.ACCOUNT.PING.STATZ", '{"accounts":["NOPE"],"include_unused":true}'),
    ("$SYS.REQ.ACCOUNT.PING.STATZ", '{"include_unused":true}'),
    ("$SYS.REQ.ACCOUNT.$G.STATZ", '{"include_unused":true}'),
]

# Pages whose values are one server's own, or change while it is asked.
OWN = ("VARZ", "STATSZ", "SERVER.PING", "CONNS", "IDZ", "STATZ")
# The order of accounts; how many subscriptions a server has of its own; what was sent while it is asked.
VOLATILE = {"accounts", "subscriptions_list", "in_msgs", "out_msgs", "in_bytes", "out_bytes"}


def values(value):
    """What must agree beside the shape."""
    if isinstance(value, dict):
        return {name: values(inner) for name, inner in value.items() if name not in VOLATILE}
    return [values(inner) for inner in value] if isinstance(value, list) else value


def ordered(value):
    """With lists that have no order of their own in one."""
    if isinstance(value, dict):
        return {
            name: sorted(map(ordered, inner), key=repr) if name in ("imports", "exports") else ordered(inner)
            for name, inner in value.items()
        }
    return [ordered(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("subject", "body"), REQUESTS, ids=lambda value: value or "-")
def test_services(subject, body, pair):
    # spec: CLU-088 CLU-089 CLU-090 CLU-091 CLU-108 CLU-110 CLU-111
    answers = []
    for observed in pair:
        link = observed.join(name="me")
        link.send("SUB foo 1")
        link.fence()
        answers.append(observed.ask(subject, body))
    same(answers)
    if not subject.endswith(OWN) and "SYS" not in body:
        mine, theirs = (ordered(values(settled({**(answer or {}), "server": None}))) for answer in answers)
        assert mine == theirs


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "null",
        '{"server_name":"her"}',
        '{"server_name":"her","exact_match":true}',
        '{"server_name":"here","exact_match":true}',
        '{"server_name":"another"}',
        '{"SERVER_NAME":"another"}',
        '{"server_name":"another","server_name":"he"}',
        '{"server-name":"another"}',
        '{"host":"127"}',
        '{"host":"127","exact_match":true}',
        '{"cluster":"x"}',
        '{"cluster":""}',
        '{"tags":["one"]}',
        '{"tags":["ONE","two"]}',
        '{"tags":["Two "]}',
        '{"tags":["one","three"]}',
        '{"tags":[]}',
        '{"tags":null}',
        '{"tags":[null]}',
        '{"domain":"hub"}',
        '{"domain":""}',
        '{"id":"x"}',
    ],
    ids=lambda value: value or "-",
)
def test_only_servers_that_are_meant_answer(body, pair):
    # spec: CLU-090
    for subject in ("$SYS.REQ.SERVER.PING.HEALTHZ", "$SYS.REQ.SERVER.PING", "$SYS.REQ.SERVER.ID.RELOAD"):
        mine, theirs = (observed.ask(subject, body) for observed in pair)
        assert (mine is None) == (theirs is None), subject


BROKEN = [
    b"nonsense", b"{", b" ", b"[]", b"1", b'"x"', b"true", b"nule", b"tRue", b"+1", b"-", b"-a", b"01", b"1e+a", b".5",
    b'{"auth":true}x', b'{"auth":true} {}', b'{"a":\x01}', b'{"a":"\x01"}', b'{"a":1.}', b'{"a":tru}', b'{"a" 1}', b"{,}",
    b'{"a":1,}', b"[1,]", b"[1 2]", b'{"a":1 2}', b'{"a":"\\x"}', b'{"a":"\\u12"}', b'"\\u1', b'{1:2}', b"{'a':1}", b"\xff",
    "é".encode(), "\u200b".encode(), "\u00a0".encode(), "\ufeff{}".encode(), b"{}\x00", b"\xc3(", b'"\\\xc3\xa9"', b"\x7f",
    b"[" * 10001, b'{"cid":' + b"[" * 10000,
    b'{"cid":"x"}', b'{"cid":1.5}', b'{"cid":-1}', b'{"auth":1}', b'{"auth":[]}', b'{"auth":{}}', b'{"AUTH":"x"}',
    b'{"sort":1}', b'{"state":"open"}', b'{"limit":99999999999999999999}', b'{"limit":1e2}', b'{"tags":1}', b'{"tags":[1]}',
    b'{"tags":["one",{"a":[]}]}', b'{"tags":"x"}', b'{"server_name":1}', b'{"exact_match":1}', b'{"limit":true,"offset":"1"}',
    b'{"offset":"1","limit":true}', b'{"server_name":"another","auth":1}', b'{"tags":["x"],"tags":[1],"auth":1}',
]  # fmt: skip


def test_what_is_wrong_with_a_body_is_told(pair):
    # spec: CLU-089 CLU-090
    mine, theirs = ([observed.ask("$SYS.REQ.SERVER.PING.CONNZ", body) for body in BROKEN] for observed in pair)
    wrong = [
        f"{body[:40]!r}: {left.get('error')} ≠ {right.get('error')}"
        for body, left, right in zip(BROKEN, mine, theirs, strict=True)
        if left.get("error") != right.get("error")
    ]
    assert not wrong, "\n".join(wrong)
    assert all(set(left) == {"server", "error"} for left in mine)


def outcomes(observed, requests):
    """What each of many bodies is answered: the error, "a page", or nothing."""
    link = observed.link
    link.send("SUB many.* many")
    for number, body in enumerate(requests):
        link.publish(f"$SYS.REQ.SERVER.PING.{('CONNZ', 'HEALTHZ')[number % 2]}", body, f"many.{number}")
    link.publish("$SYS.REQ.SERVER.PING.IDZ", b"", "many.last")
    found = {}
    while (message := link.message())[0] != "many.last":
        found[int(message[0].removeprefix("many."))] = json.loads(message[4]).get("error", "a page")
    link.send("UNSUB many")
    return [found.get(number) for number in range(len(requests))]


@pytest.mark.parametrize("seed", [1, 2])
def test_random_bodies_are_understood_alike(seed, pair):
    # spec: CLU-089 CLU-090
    requests = bodies(seed, 1000)
    for start in range(0, len(requests), 200):
        some = requests[start : start + 200]
        mine, theirs = (outcomes(observed, some) for observed in pair)
        wrong = [f"{body!r}: {a} ≠ {b}" for body, a, b in zip(some, mine, theirs, strict=True) if a != b]
        assert not wrong, "\n".join(wrong)


MEMBERS = {
    "SUBSZ": "offset limit subscriptions account test",
    "CONNZ": "sort auth subscriptions subscriptions_detail offset limit cid mqtt_client state user acc filter_subject",
    "ROUTEZ": "subscriptions subscriptions_detail",
    "GATEWAYZ": "name accounts account_name subscriptions subscriptions_detail",
    "LEAFZ": "subscriptions account",
    "ACCOUNTZ": "account",
    "JSZ": "account accounts streams consumer direct_consumer config leader_only offset limit raft stream_leader_only",
    "HEALTHZ": "js-enabled js-enabled-only js-server-only js-meta-only account stream consumer details",
    "PROFILEZ": "name debug duration",
    "EXPVARZ": "",
    "VARZ": "",
    "IPQUEUESZ": "all filter",
    "RAFTZ": "account group",
    "STATSZ": "",
    "RELOAD": "",
}


def test_every_option_has_its_type(pair):
    # spec: CLU-088 CLU-090
    common = "server_name cluster host exact_match tags domain"
    requests = [("$SYS.REQ.ACCOUNT.PING.STATZ", member) for member in ("accounts", "include_unused")]
    for name, members in MEMBERS.items():
        requests += [(f"$SYS.REQ.SERVER.ID.{name}", member) for member in f"{members} {common}".split()]
    wrong = []
    for subject, member in requests:
        # A list of lists is never right.
        mine, theirs = (observed.ask(subject, json.dumps({member: [[]]}))["error"] for observed in pair)
        if mine != theirs:
            wrong.append(f"{subject} {member}: {mine} ≠ {theirs}")
    assert not wrong, "\n".join(wrong)


def test_profiles(pair):
    # spec: CLU-115
    for body in ("", '{"name":"cpu"}', '{"name":"cpu","duration":20000000000}', '{"name":"zz"}'):
        mine, theirs = (observed.ask("$SYS.REQ.SERVER.PING.PROFILEZ", body)["data"] for observed in pair)
        assert mine == theirs


def test_queues(pair):
    # spec: CLU-110
    for observed in pair:
        for subject in ("$SYS.REQ.SERVER.PING.IPQUEUESZ", "$SYS.REQ.SERVER.ID.IPQUEUESZ"):
            # This request is being worked on.
            assert observed.ask(subject)["data"]["System recvQ"]["in_progress"] >= 1
            queues = observed.ask(subject, '{"all":true,"filter":"recvQ"}')["data"]
            assert list(queues) == ["System recvQ", "System recvQ Pings"]


def test_variables_of_the_process(pair):
    # spec: CLU-088 CLU-112
    for observed in pair:
        data = observed.ask("$SYS.REQ.SERVER.PING.EXPVARZ")["data"]
        assert list(data) == ["memstats", "cmdline"]
        assert data["memstats"]["Sys"] > 0
        assert data["cmdline"]


@pytest.mark.parametrize("accepted", ["gzip", "GZIP, br", "snappy", "s2, gzip", "br", ""])
def test_answers_are_compressed_as_asked(accepted, pair):
    # spec: CLU-089
    subjects = ("PING.HEALTHZ", "PING.STATSZ", "PING.IDZ")
    seen = []
    for observed in pair:
        found = {}
        for subject in subjects:
            block, payload = observed.request(f"$SYS.REQ.SERVER.{subject}", headers=f"Accept-Encoding: {accepted}")
            if b"gzip" in block:
                payload = gzip.decompress(payload)
            found[subject] = (block, payload[:10] if b"snappy" in block else list(json.loads(payload)))
        block, payload = observed.request("$SYS.REQ.SERVER.PING.HEALTHZ", "x", f"Accept-Encoding: {accepted}")
        assert (block, "error" in json.loads(payload)) == (b"", True)
        seen.append(found)
    assert seen[0] == seen[1]


def test_statistics_for_everyone(pair):
    # spec: CLU-088 CLU-094
    seen = []
    for observed in pair:
        observed.listen("$SYS.SERVER.*.STATSZ")
        for _ in range(2):
            observed.link.publish("$SYS.REQ.SERVER.PING", b"")
        seen.append([observed.next() for _ in range(2)])
    same(seen)
    assert [subject for subject, _ in seen[0]] == ["$SYS.SERVER.ID.STATSZ"] * 2


def test_users_ask_who_they_are(pair):
    # spec: CLU-092
    answers = []
    for observed in pair:
        link = observed.join(headers=True)
        answers.append([observed.ask("$SYS.REQ.USER.INFO", link=of) for of in (observed.link, link)])
    same(answers)
    assert [answer["data"] for answer in answers[0]] == [answer["data"] for answer in answers[1]]


@pytest.mark.parametrize(
    "headers",
    [
        "",
        'Nats-Request-Info: {"user":"u","acc":"A","name_tag":"n"}',
        'Nats-Request-Info: {"user":"u","acc":"NOPE"}',
        'Nats-Request-Info: {"user":"u","acc":"NOPE","svc":"A"}',
        'Nats-Request-Info: {"user":"u","acc":"A","svc":"NOPE"}',
        "Nats-Request-Info: nonsense",
        "Another: header",
    ],
    ids=lambda value: value or "-",
)
def test_operators_ask_for_a_user(headers, pair):
    # spec: CLU-092
    answers = [observed.ask("$SYS.REQ.USER.A.INFO", headers=headers) for observed in pair]
    same(answers)
    for part in ("data", "error"):
        assert answers[0].get(part) == answers[1].get(part)


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("$SYS.REQ.ACCOUNT.PING.CONNZ", ""),
        ("$SYS.REQ.ACCOUNT.PING.STATZ", ""),
        ("$SYS.REQ.SERVER.PING.CONNZ", ""),
        ("$SYS.REQ.ACCOUNT.PING.CONNZ", '{"acc":"SYS","auth":true,"subscriptions":true}'),
        ("$SYS.REQ.ACCOUNT.PING.CONNZ", '{"sort":"nope"}'),
        ("$SYS.REQ.ACCOUNT.PING.CONNZ", '{"server_name":"another"}'),
        ("$SYS.REQ.ACCOUNT.PING.STATZ", '{"accounts":["SYS"]}'),
        ("$SYS.REQ.SERVER.PING.STATZ", ""),
        ("$SYS.REQ.SERVER.PING.VARZ", ""),
        ("$SYS.REQ.SERVER.PING", ""),
        ("$SYS.REQ.ACCOUNT.A.CONNZ", ""),
        ("$SYS.REQ.USER.A.INFO", ""),
        ("$SYS.DEBUG.SUBSCRIBERS", "foo"),
    ],
)
def test_what_any_account_may_ask(subject, body, pair):
    # spec: CLU-091 SEC-044
    answers = []
    for observed in pair:
        link = observed.join(headers=True, no_responders=True)
        answers.append(observed.ask(subject, body, link=link))
    same(answers)
    if of := (answers[0] or {}).get("data"):
        assert len(of.get("connections") or of["account_statz"]) == 1


IMPORTS = """
server_name: here
accounts {
  A {
    users: [ { user: a, password: a } ]
    imports: [
      { service: { account: SYS, subject: "$SYS.DEBUG.SUBSCRIBERS" }, to: subscribers }
      { service: { account: SYS, subject: "$SYS.REQ.ACCOUNT.A.INFO" }, to: about }
      { service: { account: SYS, subject: "$SYS.REQ.ACCOUNT.A.CONNZ" }, to: "$SYS.REQ.ACCOUNT.PING.CONNZ" }
    ]
  }
  SYS {
    users: [ { user: s, password: s } ]
    exports: [
      { service: "$SYS.DEBUG.SUBSCRIBERS" }
      { service: "$SYS.REQ.ACCOUNT.*.INFO", accounts: [ A ] }
      { service: "$SYS.REQ.ACCOUNT.*.CONNZ", response_type: stream, accounts: [ A ] }
    ]
  }
}
system_account: SYS
"""


def test_what_an_account_is_let_import(start, reference):
    # spec: CLU-091 CLU-093
    words = ["foo", "foo q", "foo  q", " foo ", "foo q z", "foo.*", ">", "", "bar", "foo nobody"]
    seen = []
    for server in (start(IMPORTS), start(IMPORTS, binary=reference)):
        observed = Observed(server)
        link = observed.join(headers=True)
        for number, line in enumerate(["foo", "foo q", "foo q", "foo.*", "foo.bar"]):
            link.send(f"SUB {line} s{number}")
        counts = [observed.ask("subscribers", body, link=link) for body in words]
        documents = [observed.ask(subject, link=link) for subject in ("about", "$SYS.REQ.ACCOUNT.PING.CONNZ")]
        of_system = observed.ask("$SYS.REQ.ACCOUNT.SYS.INFO")["data"]["exports"]
        mine = observed.ask("$SYS.REQ.ACCOUNT.A.INFO")["data"]["imports"]
        seen.append((counts, documents, ordered({"exports": of_system, "imports": mine})))
    assert seen[0][0] == seen[1][0]
    same([documents for _, documents, _ in seen])
    assert seen[0][2] == seen[1][2]


def test_an_account_needs_an_export_to_import_what_is_not_for_everyone(start, reference):
    # spec: CLU-091
    config = IMPORTS.replace('{ service: "$SYS.DEBUG.SUBSCRIBERS" }', "")
    for binary in (None, reference):
        with pytest.raises(AssertionError, match="service import not authorized"):
            start(config, **({"binary": binary} if binary else {}))


NSUBS = [
    '{"acc":"A","subject":"foo"}',
    '{"acc":"A","subject":"foo.*"}',
    '{"acc":"A","subject":">"}',
    '{"acc":"A","subject":"foo","queue":"cQ=="}',
    '{"acc":"A","subject":"foo","queue":"q"}',
    '{"acc":"A","subject":"foo","queue":""}',
    '{"acc":"A"}',
    '{"acc":"$G","subject":"foo"}',
    '{"acc":"NOPE","subject":"foo"}',
    "{}",
    "nonsense",
    "",
]


def test_subscribers_are_counted(pair):
    # spec: CLU-093
    seen = []
    for observed in pair:
        link = observed.join()
        for number, line in enumerate(["foo", "foo q", "foo.*"]):
            link.send(f"SUB {line} {number}")
        link.fence()
        observed.listen("x.y")
        observed.listen("x.*")
        counts = [observed.ask("$SYS.REQ.ACCOUNT.NSUBS", body) for body in NSUBS]
        seen.append(counts + [observed.ask("$SYS.DEBUG.SUBSCRIBERS", body) for body in ("x.y", "x.*", "foo", "")])
    assert seen[0] == seen[1]
    assert seen[0][:5] == [2, 1, 3, 1, None]


def test_other_servers_add_to_the_count(pair):
    # spec: CLU-093
    questions = []
    for observed in pair:
        observed.listen("$SYS.REQ.ACCOUNT.NSUBS")
        observed.listen("foo")
        for name in ("X", "Y"):
            told = {"server": {"name": name, "id": name, "seq": 1}, "acc": "SYS", "conns": 1}
            observed.link.publish("$SYS.SERVER.ACCOUNT.SYS.CONNS", json.dumps(told).encode())
        observed.ask("$SYS.REQ.SERVER.PING.STATSZ")
        observed.link.send("SUB in 9")
        # Two servers answer, then one of them, then one that says nothing of use.
        for answers, count in (((b"5", b"2"), b"8"), ((b"5",), b"6"), ((b"x",), b"1")):
            observed.link.publish("$SYS.DEBUG.SUBSCRIBERS", b"foo", "in")
            _, _, reply, _, question = observed.link.message()
            questions.append(json.loads(question))
            for answer in answers:
                observed.link.publish(reply, answer)
            assert observed.link.message()[4] == count
        observed.link.publish("$SYS.DEBUG.SUBSCRIBERS", b"foo q", "in")
        questions.append(json.loads(observed.link.message()[4]))
        assert observed.link.message()[4] == b"0"
    assert questions[:4] == questions[4:]


ORDERS = ["", "nonsense", "[]", "{}", '{"cid":9999}', '{"cid":"x"}', '{"cid":-1}', '{"cid":9999,"tags":1}', '{"tags":1}']


@pytest.mark.parametrize("name", ["KICK", "LDM"])
def test_orders_that_cannot_be_carried_out(name, pair):
    # spec: CLU-093
    for body in ORDERS:
        mine, theirs = (observed.ask(f"$SYS.REQ.SERVER.ID.{name}", body) for observed in pair)
        same([mine, theirs])
        assert (mine or {}).get("error") == (theirs or {}).get("error"), body


def test_a_client_is_closed_by_request(pair):
    # spec: CLU-093 SEC-077
    for observed in pair:
        link, other = observed.join(), observed.join()
        cid = link.info["client_id"]
        assert observed.ask("$SYS.REQ.SERVER.ID.KICK", json.dumps({"cid": cid, "server_name": "another"})) is None
        assert link.fence() == []
        assert list(observed.ask("$SYS.REQ.SERVER.ID.KICK", json.dumps({"cid": cid}))) == ["server"]
        assert b"-ERR" not in link.until_closed()
        assert other.fence() == []
        closed = observed.ask("$SYS.REQ.SERVER.PING.CONNZ", json.dumps({"state": 1, "cid": cid}))["data"]
        assert [connection["reason"] for connection in closed["connections"]] == ["Kicked"]


def test_a_client_is_sent_away_by_request(pair):
    # spec: CLU-093 SEC-077
    seen = []
    for observed in pair:
        old = observed.join()
        silent = observed.server.connect()
        silent.send_connect(user="a", protocol=1, **{"pass": "a"})
        for link in (old, silent):
            request = json.dumps({"cid": link.info["client_id"]})

            def refused(request=request, observed=observed):
                why = observed.ask("$SYS.REQ.SERVER.ID.LDM", request)["error"]["description"]
                return why if why != "no such client id" else None

            # Who has just sent a CONNECT may not be known yet.
            why = wait_for("the client to be known", refused)
            assert why.startswith("client does not support Lame Duck Mode")
        link, other = observed.join(protocol=1), observed.join(protocol=1)
        link.fence()
        other.fence()
        answer = observed.ask("$SYS.REQ.SERVER.ID.LDM", json.dumps({"cid": link.info["client_id"]}))
        assert list(answer) == ["server"]
        seen.append(json.loads(link.line().removeprefix(b"INFO ")))
        assert other.fence() == [] == link.fence()
    mine, theirs = ({name for name in info if name not in ("api_lvl", "git_commit")} for info in seen)
    assert mine == theirs
    assert seen[0]["ldm"] is True


def test_a_reload_by_request(pair):
    # spec: CLU-093 SEC-077 CFG-020
    for observed in pair:
        observed.server.write_config(observed.server.config + "max_payload: 5000\n")
        assert observed.ask("$SYS.REQ.SERVER.ID.RELOAD", '{"server_name":"another"}') is None
        assert observed.join().info["max_payload"] == 1048576
        assert list(observed.ask("$SYS.REQ.SERVER.ID.RELOAD")) == ["server"]
        observed.server.wait_log(r"Reloaded server configuration")
        assert observed.join().info["max_payload"] == 5000


def test_a_reload_that_is_refused(pair):
    # spec: CLU-093 CFG-021
    answers = []
    for observed in pair:
        observed.server.write_config(observed.server.config + "max_payload: {\n")
        answers.append(observed.ask("$SYS.REQ.SERVER.ID.RELOAD"))
        assert observed.join().info["max_payload"] == 1048576
    same(answers)
    assert answers[0]["error"]["code"] == answers[1]["error"]["code"] == 500


def test_services_outlive_a_reload(start, reference):
    # spec: CLU-088 CLU-091
    for server in (start(CONFIG), start(CONFIG, binary=reference)):
        observed = Observed(server)
        server.write_config(CONFIG.replace("SYS {", 'B { users: [ { user: b, password: b } ] }\n  SYS {'))
        assert list(observed.ask("$SYS.REQ.SERVER.ID.RELOAD")) == ["server"]
        link = server.connect().handshake(user="b", headers=True, **{"pass": "b"})
        assert len(observed.ask("$SYS.REQ.ACCOUNT.PING.CONNZ", link=link)["data"]["connections"]) == 1
        assert len(observed.ask("$SYS.REQ.ACCOUNT.PING.CONNZ", link=observed.join())["data"]["connections"]) == 1
        assert observed.ask("$SYS.REQ.SERVER.PING.HEALTHZ")["data"]["status"] == "ok"


def test_without_a_system_account_nobody_answers(start, reference):
    # spec: CLU-088
    for options in ({}, {"binary": reference}):
        server = start("no_system_account: true\n", **options)
        link = server.connect().handshake(headers=True, no_responders=True)
        link.send("SUB in 1")
        for subject in ("$SYS.REQ.SERVER.PING", "$SYS.REQ.USER.INFO", "$SYS.REQ.ACCOUNT.PING.CONNZ"):
            link.publish(subject, b"", "in")
            assert b"503" in link.message()[3]


def test_a_flood_of_requests_leaves_others_alone(start):
    # spec: CLU-088 CORE-092
    observed = Observed(start(CONFIG.replace("SYS {", "B { users: [ { user: b, password: b } ] }\n  SYS {")))
    other = observed.server.connect().handshake(user="b", headers=True, **{"pass": "b"})
    link = observed.join(headers=True)
    listener = observed.join()
    listener.send("SUB news 1")
    listener.fence()
    request = b"PUB $SYS.REQ.ACCOUNT.PING.CONNZ in 0\r\n\r\n"
    link.send_raw(request * 3_000)
    link.publish("news", b"x")
    link.fence()
    assert listener.message()[4] == b"x"
    assert observed.ask("$SYS.REQ.SERVER.PING.HEALTHZ")["data"]["status"] == "ok"
    assert len(observed.ask("$SYS.REQ.ACCOUNT.PING.CONNZ", link=other)["data"]["connections"]) == 1
