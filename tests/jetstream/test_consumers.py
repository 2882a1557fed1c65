"""Where consumers begin, what they pass over, how they are paused, reset, changed and forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from harness.jetstream import API, ID, MILLI, SECOND, TIME, Client
from harness.server import wait_for


@pytest.fixture
def js(account) -> Client:
    """A stream S of six messages: a b a c b a."""
    js = account()
    js.stream("S", "s.>")
    for number, subject in enumerate("abacba", 1):
        js.put(f"s.{subject}", b"%d" % number)
    return js


def seqs(js: Client, consumer: str, count: int) -> list[int]:
    return [message.seq for message in js.fetch("S", consumer, count)]


def soon(**delta) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# --- where they begin ---------------------------------------------------------------------------

POLICIES = {
    "all": ({}, [1, 2, 3, 4, 5, 6]),
    "last": ({"deliver_policy": "last"}, [6]),
    "last of a filter": ({"deliver_policy": "last", "filter_subject": "s.c"}, [4]),
    "new": ({"deliver_policy": "new"}, []),
    "a sequence": ({"deliver_policy": "by_start_sequence", "opt_start_seq": 4}, [4, 5, 6]),
    "a sequence and a filter": (
        {"deliver_policy": "by_start_sequence", "opt_start_seq": 2, "filter_subject": "s.a"},
        [3, 6],
    ),
    "a sequence to come": ({"deliver_policy": "by_start_sequence", "opt_start_seq": 7}, []),
    "last per subject": ({"deliver_policy": "last_per_subject", "filter_subject": "s.>"}, [4, 5, 6]),
    "last per one subject": ({"deliver_policy": "last_per_subject", "filter_subject": "s.a"}, [6]),
    "last per subject of filters": ({"deliver_policy": "last_per_subject", "filter_subjects": ["s.a", "s.c"]}, [4, 6]),
    "a filter": ({"filter_subject": "s.b"}, [2, 5]),
    "filters": ({"filter_subjects": ["s.b", "s.c"]}, [2, 4, 5]),
    "a wildcard": ({"filter_subject": "*.c"}, [4]),
    "nothing": ({"filter_subject": "zz"}, []),
}


@pytest.mark.parametrize("storage", ["file", "memory"])
@pytest.mark.parametrize("case", POLICIES)
def test_where_they_begin(case, storage, account):
    # spec: JS-087 JS-093 JS-097
    config, wanted = POLICIES[case]
    js = account()
    js.stream("S", "s.>", storage=storage)
    for number, subject in enumerate("abacba", 1):
        js.put(f"s.{subject}", b"%d" % number)
    assert js.consumer("S", "c", **config)["num_pending"] == len(wanted)
    assert not wanted or seqs(js, "c", len(wanted)) == wanted
    assert js.info("S", "c")["num_pending"] == 0
    js.put("s.a")
    js.put("s.b")
    js.put("s.c")
    if case != "nothing":
        assert seqs(js, "c", 1)[0] >= 7


def test_a_start_time(js):
    # spec: JS-087
    third = js.ok("STREAM.MSG.GET.S", {"seq": 3})["message"]["time"]
    js.consumer("S", "c", deliver_policy="by_start_time", opt_start_time=third)
    assert seqs(js, "c", 4) == [3, 4, 5, 6]
    js.consumer("S", "d", deliver_policy="by_start_time", opt_start_time="2126-01-01T00:00:00Z")
    assert js.info("S", "d")["num_pending"] == 0
    # A time that is still to come is as good as now.
    js.put("s.a")
    assert seqs(js, "d", 1) == [7]


@pytest.mark.parametrize("config", [{}, {"deliver_subject": "d"}])
def test_nobody_listens_for_one_that_went_by_itself(config, js):
    # spec: JS-087 JS-107
    gone = js.subscribe("$JS.EVENT.ADVISORY.CONSUMER.DELETED.S.c")
    js.consumer("S", "c", inactive_threshold=100 * MILLI, **config)
    gone.next()
    assert js.request(f"{API}CONSUMER.MSG.NEXT.S.c").status == "503"


@pytest.mark.parametrize(("config", "left"), [({}, 0), ({"filter_subject": "s.a"}, 1)])
def test_the_last_message_is_gone(config, left, js):
    # spec: JS-087
    js.ok("STREAM.MSG.DELETE.S", {"seq": 6})
    assert js.consumer("S", "c", deliver_policy="last", **config)["num_pending"] == left


def test_deleted_messages_are_passed_over(js):
    # spec: JS-097
    for seq in (1, 3, 4):
        js.ok("STREAM.MSG.DELETE.S", {"seq": seq})
    assert js.consumer("S", "c")["num_pending"] == 3
    got = js.fetch("S", "c", 3)
    assert [message.acked()[3:] for message in got] == [(2, 1, 2), (5, 2, 1), (6, 3, 0)]


def test_messages_deleted_while_they_wait_for_an_ack(js):
    # spec: JS-102
    js.consumer("S", "c", ack_wait=200 * MILLI)
    assert seqs(js, "c", 2) == [1, 2]
    js.ok("STREAM.MSG.DELETE.S", {"seq": 1})
    again = js.fetch("S", "c", 5)
    assert sorted(message.seq for message in again) == [2, 3, 4, 5, 6]


def test_a_purge(js):
    # spec: JS-021 JS-097
    js.consumer("S", "c")
    assert seqs(js, "c", 2) == [1, 2]
    js.ok("STREAM.PURGE.S")
    info = wait_for("nothing to be pending", lambda: (i := js.info("S", "c"))["num_ack_pending"] == 0 and i)
    assert (info["num_pending"], info["ack_floor"]["stream_seq"]) == (0, 6)
    js.put("s.a")
    assert seqs(js, "c", 1) == [7]


def test_a_purge_moves_those_who_want_what_went(account):
    # spec: JS-021 JS-067
    js = account()
    js.stream("R", "r.*", allow_rollup_hdrs=True)
    names = ("a", "b", "any")
    for name, wanted in zip(names, ("r.a", "r.b", "r.*"), strict=True):
        js.consumer("R", name, filter_subject=wanted)
    for subject in ("r.a", "r.b", "r.c"):
        js.put(subject)

    def places():
        return [js.info("R", name)["delivered"]["stream_seq"] for name in names]

    js.put("r.a", b"all of it", {"Nats-Rollup": "sub"})
    assert places() == [3, 0, 1]
    js.ok("STREAM.PURGE.R", {"filter": "r.b"})
    assert places() == [3, 4, 2]


def places(js: Client, consumer: str = "c") -> tuple[int, int]:
    """How far it has come, and up to where everything is done."""
    info = js.info("S", consumer)
    return info["delivered"]["stream_seq"], info["ack_floor"]["stream_seq"]


def test_a_purge_of_what_was_passed(js):
    # spec: JS-021 JS-097
    js.consumer("S", "c", filter_subject="s.b")
    js.pull("S", "c", {"batch": 5, "expires": 5 * SECOND}).take(2)
    js.pull("S", "c", {"batch": 5, "expires": 5 * SECOND})
    wait_for("the second to wait", lambda: js.info("S", "c")["num_waiting"] == 2)
    assert places(js) == (5, 0)
    # What was looked at counts from then on, and what is gone is done.
    js.ok("STREAM.PURGE.S", {"seq": 2})
    assert places(js) == (6, 1)
    js.ok("STREAM.PURGE.S", {"seq": 5})
    assert places(js) == (6, 4)


@pytest.mark.parametrize(("storage", "passed"), [("memory", 2), ("file", 0)])
def test_what_a_new_consumer_has_looked_at(storage, passed, account):
    # spec: JS-097
    js = account()
    js.stream("S", "s.>", storage=storage)
    js.consumer("S", "c", filter_subject="s.b")
    js.put("s.a")
    js.put("s.a")
    sub = js.pull("S", "c", {"batch": 5, "expires": 5 * SECOND})
    wait_for("it to look", lambda: places(js) == (passed, 0))
    js.put("s.b")
    assert sub.next().seq == 3
    assert places(js) == (3, 0)


@pytest.mark.parametrize("rollup", ["sub", "all"])
def test_a_rollup(rollup, account):
    # spec: JS-067 JS-097
    js = account()
    js.stream("R", "r", allow_rollup_hdrs=True)
    for name in ("new", "half"):
        js.consumer("R", name)
    for _ in range(3):
        js.put("r")
    js.ack(js.fetch("R", "half")[0])
    js.put("r", b"all of it", {"Nats-Rollup": rollup})
    for name, consumer_seq in (("new", 0), ("half", 1)):
        info = js.info("R", name)
        # What is gone they have done with.
        for place in ("delivered", "ack_floor"):
            assert (info[place]["stream_seq"], info[place]["consumer_seq"]) == (3, consumer_seq), (name, place)
        assert info["num_pending"] == 1
        assert js.fetch("R", name)[0].data == b"all of it"


# --- pause --------------------------------------------------------------------------------------


def test_pause(js):
    # spec: JS-029 JS-058 JS-105 JS-139
    advisories = js.subscribe("$JS.EVENT.ADVISORY.CONSUMER.PAUSE.S.c")
    js.consumer("S", "c")
    until = soon(seconds=0.4)
    answer = js.ok("CONSUMER.PAUSE.S.c", {"pause_until": until})
    assert (answer["paused"], answer["pause_until"]) == (True, TIME)
    assert 0 < answer["pause_remaining"] <= SECOND // 2
    assert js.info("S", "c")["paused"] is True
    sub = js.pull("S", "c", {"batch": 1, "expires": 10 * SECOND})
    js.info("S", "c")
    assert sub.nothing()
    assert sub.next().seq == 1
    common = {"type": "io.nats.jetstream.advisory.v1.consumer_pause", "id": ID, "timestamp": TIME}
    common |= {"stream": "S", "consumer": "c", "pause_until": TIME}
    assert advisories.next().json == {**common, "paused": True}
    assert advisories.next().json == {**common, "paused": False}
    assert not js.info("S", "c").get("paused")
    # It says what a server has to be able to do for it.
    for pause, level in ((until, "1"), (None, "0")):
        js.ok("CONSUMER.PAUSE.S.c", {"pause_until": pause} if pause else b"")
        assert js.info("S", "c")["config"]["metadata"]["_nats.req.level"] == level


def test_resuming(js):
    # spec: JS-029
    js.consumer("S", "c", pause_until=soon(hours=1))
    sub = js.pull("S", "c", {"batch": 1, "expires": 20 * SECOND})
    js.info("S", "c")
    assert sub.nothing()
    assert js.ok("CONSUMER.PAUSE.S.c") == {"paused": False, "pause_until": "0001-01-01T00:00:00Z"}
    js.put("s.a")
    assert sub.next().seq == 1
    assert "pause_until" not in js.info("S", "c")["config"]


def test_a_pause_from_the_start_is_told_of(js):
    # spec: JS-139
    advisories = js.subscribe("$JS.EVENT.ADVISORY.CONSUMER.PAUSE.S.*")
    js.consumer("S", "before", pause_until="2020-01-02T03:04:05Z")
    js.consumer("S", "c", pause_until="2099-01-02T03:04:05Z")
    told = advisories.next()
    assert (told.subject.rpartition(".")[2], told.json["paused"]) == ("c", True)
    assert told.json["pause_until"] == "2099-01-02T03:04:05Z"


def test_a_pause_that_an_update_leaves_is_told_of_again(js):
    # spec: JS-096 JS-139
    advisories = js.subscribe("$JS.EVENT.ADVISORY.CONSUMER.PAUSE.S.c")
    js.consumer("S", "c", pause_until="2099-01-02T03:04:05Z")
    js.consumer("S", "c", description="d")
    told = [message.json["pause_until"] for message in advisories.take(2)]
    assert told == ["2099-01-02T03:04:05Z"] * 2


def test_a_pause_that_is_asked_for_twice_is_told_of_once(js):
    # spec: JS-029 JS-139
    advisories = js.subscribe("$JS.EVENT.ADVISORY.CONSUMER.PAUSE.S.c")
    js.consumer("S", "c")
    for year in (2098, 2098, 2099):
        js.ok("CONSUMER.PAUSE.S.c", {"pause_until": f"{year}-01-02T03:04:05Z"})
    told = [message.json["pause_until"][:4] for message in advisories.take(2)]
    assert told == ["2098", "2099"]
    js.info("S", "c")
    assert advisories.nothing()


def test_who_loses_a_message_that_it_waits_for_was_active(js):
    # spec: JS-022 JS-097
    js.consumer("S", "c")
    seq = js.fetch("S", "c")[0].seq
    assert "last_active" not in js.info("S", "c")["ack_floor"]
    js.ok("STREAM.MSG.DELETE.S", {"seq": seq})
    assert js.info("S", "c")["ack_floor"] == {"consumer_seq": 1, "stream_seq": seq, "last_active": TIME}


def test_a_purge_moves_a_consumer_of_last_messages(js):
    # spec: JS-021 JS-097
    js.consumer("S", "c", deliver_policy="last_per_subject", filter_subject="s.>")
    last = js.state("S")["last_seq"]
    js.ok("STREAM.PURGE.S")
    info = js.info("S", "c")
    assert (info["delivered"]["stream_seq"], info["ack_floor"]["stream_seq"]) == (last, last)


def test_a_consumer_that_is_called_durable_no_more_stays(js):
    # spec: JS-096
    js.consumer("S", "c")
    for _ in range(2):
        config = {"name": "c", "ack_policy": "explicit"}
        made = js.ok("CONSUMER.CREATE.S.c", {"stream_name": "S", "config": config})
        assert "inactive_threshold" not in made["config"]


def test_resuming_with_the_first_moment_of_all(js):
    # spec: JS-029 JS-058
    never = "0001-01-01T00:00:00Z"
    js.consumer("S", "c", pause_until="2099-01-02T03:04:05Z")
    assert js.ok("CONSUMER.PAUSE.S.c", {"pause_until": never}) == {"paused": False, "pause_until": never}
    config = js.info("S", "c")["config"]
    assert ("pause_until" in config, config["metadata"]["_nats.req.level"]) == (False, "0")


def test_a_paused_push_consumer_still_has_a_heart(js):
    # spec: JS-105
    sub = js.subscribe("d")
    js.consumer("S", "c", deliver_subject="d", idle_heartbeat=150 * MILLI, pause_until=soon(hours=1))
    assert [message.status for message in sub.take(2)] == ["100 Idle Heartbeat"] * 2


# --- reset --------------------------------------------------------------------------------------


def test_reset(js):
    # spec: JS-031 NEW-025
    js.consumer("S", "c")
    for message in js.fetch("S", "c", 3):
        js.ack(message)
    answer = js.ok("CONSUMER.RESET.S.c", {"seq": 2})
    assert (answer["reset_seq"], answer["num_pending"], answer["delivered"], answer["ack_floor"]) == (
        2,
        5,
        {"consumer_seq": 0, "stream_seq": 1},
        {"consumer_seq": 0, "stream_seq": 1},
    )
    got = js.fetch("S", "c", 2)
    assert [message.acked()[2:] for message in got] == [(1, 2, 1, 4), (1, 3, 2, 3)]
    js.ack(got[0])
    answer = js.ok("CONSUMER.RESET.S.c")
    assert (answer["reset_seq"], answer["ack_floor"]["stream_seq"], answer["num_ack_pending"]) == (3, 2, 0)
    assert seqs(js, "c", 1) == [3]


def test_the_answer_to_a_reset_is_of_before_the_first_delivery(js):
    # spec: JS-031
    sub = js.subscribe("d")
    js.consumer("S", "c", deliver_subject="d")
    sub.take(6)
    answer = js.ok("CONSUMER.RESET.S.c")
    assert (answer["delivered"], answer["num_pending"]) == ({"consumer_seq": 0, "stream_seq": 0}, 6)
    assert sub.take(6)[5].acked()[2:] == (1, 6, 6, 0)


def test_where_reset_is_refused(js):
    # spec: JS-031 JS-345 NEW-025
    js.consumer("S", "new", deliver_policy="new")
    js.consumer("S", "from", deliver_policy="by_start_sequence", opt_start_seq=3)
    assert js.error("CONSUMER.RESET.S.new", {"seq": 1}) == (400, 10204, "invalid reset: not allowed")
    assert js.error("CONSUMER.RESET.S.from", {"seq": 1}) == (400, 10204, "invalid reset: below start seq")
    assert js.ok("CONSUMER.RESET.S.from", {"seq": 99})["reset_seq"] == 99


# --- changes ------------------------------------------------------------------------------------


def test_a_new_filter(js):
    # spec: JS-096
    js.consumer("S", "c", filter_subject="s.a")
    assert seqs(js, "c", 1) == [1]
    info = js.consumer("S", "c", filter_subject="s.b", action="update")
    assert info["num_pending"] == 2
    assert seqs(js, "c", 2) == [2, 5]


def test_less_ack_wait(js):
    # spec: JS-096
    js.consumer("S", "c", ack_wait=20 * SECOND)
    js.consumer("S", "c", ack_wait=20 * SECOND, max_ack_pending=2)
    sub = js.pull("S", "c", {"batch": 5, "expires": 20 * SECOND})
    sub.take(2)
    js.info("S", "c")
    assert sub.nothing()
    js.consumer("S", "c", ack_wait=20 * SECOND, max_ack_pending=3)
    assert sub.next().seq == 3


def test_inactive_threshold(js):
    # spec: JS-087
    config = {"name": "e", "ack_policy": "explicit", "inactive_threshold": 200 * MILLI}
    advisories = js.subscribe("$JS.EVENT.ADVISORY.CONSUMER.DELETED.S.*")
    js.ok("CONSUMER.CREATE.S.e", {"stream_name": "S", "config": config})
    js.consumer("S", "d", inactive_threshold=200 * MILLI)
    js.consumer("S", "stays")
    assert {advisories.next().json["consumer"], advisories.next().json["consumer"]} == {"d", "e"}
    assert js.ok("CONSUMER.NAMES.S")["consumers"] == ["stays"]


def test_a_waiting_request_keeps_an_ephemeral(js):
    # spec: JS-087
    config = {"name": "e", "ack_policy": "none", "inactive_threshold": 200 * MILLI, "filter_subject": "s.late"}
    js.ok("CONSUMER.CREATE.S.e", {"stream_name": "S", "config": config})
    sub = js.pull("S", "e", {"expires": 700 * MILLI})
    assert sub.next().status == "408 Request Timeout"
    js.info("S", "e")
    wait_for("the consumer to go", lambda: js.error_code("CONSUMER.INFO.S.e") == 10014)


def test_the_name_of_an_ephemeral(js):
    # spec: JS-027 JS-087
    answer = js.ok("CONSUMER.CREATE.S", {"stream_name": "S", "config": {"ack_policy": "none"}})
    assert len(answer["name"]) == 8 and answer["name"].isalnum()
    assert answer["config"]["inactive_threshold"] == 5 * SECOND
    assert "name" not in answer["config"]
    named = js.ok("CONSUMER.CREATE.S.n", {"stream_name": "S", "config": {"name": "n", "ack_policy": "none"}})
    assert named["name"] == "n" and "durable_name" not in named["config"]


def test_headers_only(js):
    # spec: JS-080 JS-087
    js.consumer("S", "c", headers_only=True)
    message = js.fetch("S", "c")[0]
    assert (message.data, message.headers) == (b"", {"Nats-Msg-Size": "1"})


def test_consumers_of_a_deleted_stream_are_gone(js):
    # spec: JS-021
    js.consumer("S", "c")
    js.ok("STREAM.DELETE.S")
    js.stream("S", "s.>")
    assert js.ok("CONSUMER.NAMES.S")["consumers"] == []
    assert js.request(API + "CONSUMER.MSG.NEXT.S.c").status == "503"
