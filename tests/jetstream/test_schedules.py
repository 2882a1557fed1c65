"""Messages that are sent later, once or again and again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from harness.jetstream import TIME, Client
from harness.server import wait_for


@pytest.fixture(params=["file", "memory"])
def scheduled(request, js) -> Client:
    js.stream("S", "s.>", storage=request.param, allow_msg_schedules=True, allow_msg_ttl=True)
    js.consumer("S", "c", filter_subject="s.out")
    return js


def soon(**delta) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def schedule(js: Client, when: str, data=b"x", subject: str = "s.job", **extra) -> int:
    headers = {"Nats-Schedule": when, "Nats-Schedule-Target": "s.out"}
    headers |= {"Nats-" + name.replace("_", "-"): value for name, value in extra.items()}
    return js.put(subject, data, headers)


@pytest.mark.parametrize("delta", [{"seconds": 0.3}, {"seconds": -3600}])
def test_once(delta, scheduled):
    # spec: JS-070 JS-071 JS-072
    js = scheduled
    schedule(js, f"@at {soon(**delta)}", b"now", Own="1")
    message = js.fetch("S", "c")[0]
    assert (message.subject, message.data) == ("s.out", b"now")
    assert message.headers == {"Nats-Own": "1", "Nats-Scheduler": "s.job", "Nats-Schedule-Next": "purge"}
    wait_for("the schedule to go", lambda: js.state("S")["messages"] == 1)


def test_again_and_again(scheduled):
    # spec: JS-070 JS-071
    js = scheduled
    schedule(js, "@every 1s", b"tick")
    for message in js.fetch("S", "c", 2):
        assert (message.data, message.headers["Nats-Scheduler"]) == (b"tick", "s.job")
        assert message.headers["Nats-Schedule-Next"] == TIME
    js.put("s.out", b"", {"Nats-Scheduler": "s.job", "Nats-Schedule-Next": "purge"})
    wait_for("the schedule to go", lambda: js.error_code("STREAM.MSG.GET.S", {"last_by_subj": "s.job"}) == 10037)


def test_cron(scheduled):
    # spec: JS-070 JS-574 NEW-024
    js = scheduled
    schedule(js, "* * * * * *", b"tick", Schedule_Time_Zone="Europe/Paris")
    message = js.fetch("S", "c")[0]
    assert (message.data, message.headers["Nats-Scheduler"]) == (b"tick", "s.job")


def test_one_schedule_per_subject(scheduled):
    # spec: JS-070
    js = scheduled
    assert schedule(js, "@hourly", b"1") == 1
    assert schedule(js, "@daily", b"2") == 2
    assert schedule(js, "@daily", b"3", subject="s.other") == 3
    assert js.state("S")["messages"] == 2
    assert js.error_code("STREAM.MSG.GET.S", {"seq": 1}) == 10037


def test_source_of_what_is_sent(scheduled):
    # spec: JS-070 NEW-024
    js = scheduled
    js.put("s.data", b"old")
    js.put("s.data", b"new", {"Color": "red"})
    schedule(js, f"@at {soon(seconds=0.2)}", b"unused", Schedule_Source="s.data")
    message = js.fetch("S", "c")[0]
    assert (message.data, message.headers["Color"]) == (b"new", "red")


def test_ttl_and_rollup_of_what_is_sent(scheduled):
    # spec: JS-070 JS-577 JS-576
    js = scheduled
    js.put("s.out", b"old")
    schedule(js, f"@at {soon(seconds=0.2)}", b"x", Schedule_TTL="1h", Schedule_Rollup="sub")
    message = js.fetch("S", "c", 2)[1]
    assert (message.headers["Nats-TTL"], message.headers["Nats-Rollup"]) == ("1h", "sub")
    wait_for("both others to go", lambda: js.state("S")["messages"] == 1)


def test_what_is_purged_is_not_sent(scheduled):
    # spec: JS-070
    js = scheduled
    schedule(js, f"@at {soon(seconds=0.3)}", b"never")
    js.ok("STREAM.PURGE.S", {"filter": "s.job"})
    schedule(js, f"@at {soon(seconds=0.6)}", b"fence")
    assert js.fetch("S", "c")[0].data == b"fence"
