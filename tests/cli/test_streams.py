"""What `martlet stream` and `martlet consumer` make of JetStream on a server of the chosen kind."""

from __future__ import annotations

import base64
import json
import re
import signal

import pytest

from harness.server import wait_for


def as_list(lines: str) -> list:
    return [json.loads(line) for line in lines.splitlines()]


@pytest.fixture
def orders(js):
    """A stream with the messages 1, 2 and 3 on `orders.a`, `orders.b` and `orders.a`."""
    js.ok("stream", "add", "ORDERS", "--subjects", "orders.>")
    for number, subject in enumerate(("orders.a", "orders.b", "orders.a"), 1):
        js.ok("pub", subject, f"body {number}", "-H", f"Number:{number}", "-q")
    return js


def test_a_stream_is_made_as_the_flags_say(js):
    # spec: CLI-017
    made = js.json(
        *"stream add S --subjects a.>,b --storage memory --retention work --discard new --max-msgs 1000 --max-bytes 1MiB".split(),
        *"--max-age 1d --max-msg-size 64k --max-msgs-per-subject=-1 --max-consumers=-1 --dupe-window 1m --replicas 1".split(),
        *"--no-allow-direct --allow-rollup --no-deny-purge --metadata owner=me --defaults".split(),
        "--description",
        "all that is ordered",
    )
    config = made["config"]
    expected = {
        "name": "S",
        "subjects": ["a.>", "b"],
        "storage": "memory",
        "retention": "workqueue",
        "discard": "new",
        "max_msgs": 1000,
        "max_bytes": 1 << 20,
        "max_age": 86_400_000_000_000,
        "max_msg_size": 65_536,
        "max_msgs_per_subject": -1,
        "max_consumers": -1,
        "duplicate_window": 60_000_000_000,
        "num_replicas": 1,
        "allow_direct": False,
        "allow_rollup_hdrs": True,
        "deny_purge": False,
        "description": "all that is ordered",
    }
    assert {name: config.get(name) for name in expected} == expected
    assert config["metadata"]["owner"] == "me"
    assert js.json("stream", "info", "S")["config"] == config
    page = js.ok("stream", "info", "S")
    for line in ("Subjects             a.>, b", "Age                  1d", "Bytes                1.0 MiB"):
        assert f"  {line}\n" in page


def test_a_configuration_goes_from_one_stream_to_another(js, tmp_path):
    # spec: CLI-017
    first = js.ok("stream", "add", "FIRST", "--subjects", "first.>", "--max-msgs", "7", "--json")
    file = tmp_path / "first.json"
    file.write_text(first)
    second = js.json("stream", "add", "SECOND", "--config", str(file), "--subjects", "second.>")["config"]
    assert (second["name"], second["subjects"], second["max_msgs"]) == ("SECOND", ["second.>"], 7)
    file.write_text("[]")
    js.failed(1, "--config", str(file), "no JSON object", args=("stream", "add", "THIRD", "--config", str(file)))


def test_an_edit_changes_only_what_is_given(js):
    # spec: CLI-017
    before = js.json("stream", "add", "S", "--subjects", "a", "--max-msgs", "5", "--metadata", "k=v")["config"]
    ended = js.run("stream", "edit", "S", "--max-msgs", "9", "--metadata", "l=w", "--force", "--json")
    assert "max_msgs: 5 → 9" in ended.err
    after = json.loads(ended.ok())["config"]
    assert after.pop("max_msgs") == 9
    assert {name: after["metadata"][name] for name in ("k", "l")} == {"k": "v", "l": "w"}
    for name in ("max_msgs", "metadata"):
        before.pop(name)
        after.pop(name, None)
    assert after == before
    assert "nothing was changed" in js.run("stream", "edit", "S", "--max-msgs", "9").err


def test_streams_are_listed_and_reported(orders):
    # spec: CLI-017
    orders.ok("stream", "add", "BIG", "--subjects", "big")
    orders.ok("stream", "add", "KV_bucket", "--subjects", "$KV.bucket.>")
    for _ in range(4):
        orders.ok("pub", "big", "x" * 500, "-q")
    assert [row["config"]["name"] for row in orders.json("stream", "ls")] == ["BIG", "ORDERS"]
    assert orders.ok("stream", "ls", "-n", "-a").split() == ["BIG", "KV_bucket", "ORDERS"]
    assert orders.json("stream", "ls", "--names", "--subject", "orders.a") == ["ORDERS"]
    listed = orders.run("stream", "ls")
    assert "1 streams of buckets" in listed.err
    lines = listed.ok().splitlines()
    assert lines[0].split()[:2] == ["Name", "Subjects"]
    assert lines[2].split()[:2] == ["BIG", "big"]
    assert lines[-1].startswith("2 streams")
    report = orders.ok("stream", "report").splitlines()
    assert [line.split()[0] for line in report[2:4]] == ["BIG", "ORDERS"]
    assert [row["config"]["name"] for row in orders.json("stream", "report", "--sort", "name", "-R")] == ["ORDERS", "BIG"]


def test_the_report_shows_how_far_copies_are_behind(orders):
    # spec: CLI-017
    orders.ok("stream", "add", "COPY", "--mirror", "ORDERS")
    assert re.search(r"^COPY +mirror +ORDERS +\d", orders.ok("stream", "report"), re.MULTILINE)
    assert "Mirror of            ORDERS" in orders.ok("stream", "info", "COPY")


def test_a_copy_goes_on_by_itself(orders):
    # spec: CLI-017 NEW-005
    made = orders.json(*"stream add COPY --mirror ORDERS --origin-filter orders.a --origin-start 2".split())
    assert made["config"]["mirror"] == {"name": "ORDERS", "opt_start_seq": 2, "filter_subject": "orders.a"}
    wait_for("the copy", lambda: orders.json("stream", "info", "COPY")["state"]["messages"] == 1)
    orders.ok("stream", "rm", "ORDERS", "-f")
    edited = orders.ok(*"stream edit COPY --no-mirror --subjects orders.> -f".split())
    assert "was changed" in edited
    assert "mirror" not in orders.json("stream", "info", "COPY")["config"]
    orders.ok("pub", "orders.a", "more", "-q")
    wait_for("the message", lambda: orders.json("stream", "info", "COPY")["state"]["messages"] == 2)


def test_a_copy_of_what_is_elsewhere(js):
    # spec: CLI-017
    made = js.json(*"stream add COPY --source A --source B --origin-domain hub".split())
    external = {"api": "$JS.hub.API", "deliver": ""}
    assert made["config"]["sources"] == [{"name": name, "external": external} for name in "AB"]
    assert re.search(r"Source +A, 0 behind, never heard of, by \$JS.hub.API\n", js.ok("stream", "info", "COPY"))


def test_messages_are_got_and_removed(orders):
    # spec: CLI-017
    assert orders.ok("stream", "get", "ORDERS", "2", "--raw") == "body 2\n"
    page = orders.ok("stream", "get", "ORDERS", "2")
    assert page.startswith('[#2] Stored on "orders.b" at 20')
    assert page.endswith("\nNumber: 2\n\nbody 2\n")
    last = orders.json("stream", "get", "ORDERS", "-S", "orders.a")
    assert (last["seq"], base64.b64decode(last["data"])) == (3, b"body 3")
    assert orders.json("stream", "get", "ORDERS", "2", "--next-for", "orders.a")["seq"] == 3
    orders.failed(1, "no message found", "code 404, err_code 10037", args=("stream", "get", "ORDERS", "9"))
    assert orders.json("stream", "subjects", "ORDERS") == {"orders.a": 2, "orders.b": 1}
    assert orders.ok("stream", "subjects", "ORDERS", "*.b", "--names") == "orders.b\n"
    orders.ok("stream", "rmm", "ORDERS", "2", "-f")
    assert orders.json("stream", "info", "ORDERS")["state"]["num_deleted"] == 1


def test_what_destroys_asks_first(orders):
    # spec: CLI-017 CLI-018
    orders.ok("consumer", "add", "ORDERS", "C", "--pull", "--defaults")
    for args in (
        ("stream", "rm", "ORDERS"),
        ("stream", "purge", "ORDERS"),
        ("stream", "seal", "ORDERS"),
        ("stream", "rmm", "ORDERS", "1"),
        ("stream", "edit", "ORDERS", "--max-msgs", "1"),
        ("consumer", "rm", "ORDERS", "C"),
        ("consumer", "pause", "ORDERS", "C", "5m"),
    ):
        orders.failed(1, "nothing was done", "ORDERS", "--force", args=args)
    info = orders.json("stream", "info", "ORDERS")
    assert (info["state"]["messages"], info["state"]["consumer_count"]) == (3, 1)
    assert orders.json("stream", "purge", "ORDERS", "--subject", "orders.b", "-f")["purged"] == 1
    assert orders.ok("stream", "purge", "ORDERS", "--keep", "1", "-f") == '1 messages of stream "ORDERS" were removed\n'
    orders.ok("stream", "seal", "ORDERS", "-f")
    orders.failed(1, "sealed stream", "err_code 10109", args=("stream", "purge", "ORDERS", "-f"))
    orders.ok("consumer", "rm", "ORDERS", "C", "-f")
    orders.ok("stream", "rm", "ORDERS", "-f")
    assert orders.json("stream", "ls") == []


def test_a_person_is_asked(orders):
    # spec: CLI-017
    refused = orders.asked("stream", "rm", "ORDERS", answer="n\n")
    assert 'Remove stream "ORDERS" and its 3 messages? [y/N] ' in refused.err
    refused.failed(1, "nothing was done")
    assert orders.json("stream", "ls", "-n") == ["ORDERS"]
    assert orders.asked("stream", "rm", "ORDERS", answer="y\n").ok() == 'Stream "ORDERS" was removed\n'
    assert orders.json("stream", "ls", "-n") == []


def test_a_domain_is_reached_by_its_name(js, start, tmp_path):
    # spec: CLI-017 CLI-018 CLI-019 CLI-020
    hub = js.at(start(f'jetstream {{ store_dir: "{tmp_path}/hub", domain: hub }}'))
    domain = ("--js-domain", "hub")
    hub.ok("stream", "add", "S", "--subjects", "s", *domain)
    hub.ok("pub", "s", "hello", "-q")
    hub.ok("consumer", "add", "S", "C", *domain)
    assert hub.ok("consumer", "next", "S", "C", "--raw", "--js-api-prefix", "$JS.hub.API") == "hello\n"
    hub.ok("kv", "add", "cfg", *domain)
    hub.ok("kv", "put", "cfg", "k", "v", *domain)
    assert hub.ok("kv", "get", "cfg", "k", "--raw", *domain) == "v"
    (tmp_path / "file").write_text("text")
    hub.ok("object", "add", "files", *domain)
    hub.ok("object", "put", "files", "file", *domain)
    assert hub.ok("object", "get", "files", "file", "-O", "-", *domain) == "text"


def test_errors_name_the_thing_and_the_way_out(orders, start):
    # spec: CLI-017 CLI-018
    missing = ("stream not found", "code 404, err_code 10059", '"NOPE"', "martlet stream ls")
    orders.failed(1, *missing, args=("stream", "info", "NOPE"))
    orders.failed(1, *missing, args=("consumer", "ls", "NOPE"))
    orders.failed(1, "subjects overlap", "10065", "stream ls --subject", args=("stream", "add", "O", "--subjects", "orders.a"))
    orders.failed(1, "consumer not found", '"ORDERS > C"', "consumer ls ORDERS", args=("consumer", "info", "ORDERS", "C"))
    orders.failed(1, '"a.b" is no stream name', args=("stream", "info", "a.b"))
    orders.failed(2, "many", args=("stream", "add", "O", "--max-msgs", "many"))
    orders.failed(1, "nobody answers on $JS.elsewhere.API", args=("stream", "ls", "--js-domain", "elsewhere"))
    without = orders.at(start())
    without.failed(1, "JetStream", "-js", args=("stream", "ls"))


def test_a_stream_is_backed_up_and_restored(orders, tmp_path):
    # spec: CLI-021
    orders.ok("consumer", "add", "ORDERS", "C", "--filter", "orders.a")
    orders.ok("pub", "orders.more", "{{Random 90000 90000}}", "--count", "5", "-q")
    # Nobody waited for them to be kept.
    wait_for("the messages", lambda: orders.json("stream", "info", "ORDERS")["state"]["messages"] == 8)
    before = orders.json("stream", "info", "ORDERS")
    directory = tmp_path / "backup"
    said = orders.ok("stream", "backup", "ORDERS", str(directory))
    assert f"with {before['state']['messages']} messages" in said
    assert sorted(file.name for file in directory.iterdir()) == ["backup.json", "stream.tar.s2"]
    described = json.loads((directory / "backup.json").read_text())
    assert described["config"]["name"] == "ORDERS"
    assert described["state"]["messages"] == before["state"]["messages"]
    orders.failed(2, "is there already", args=("stream", "backup", "ORDERS", str(directory)))
    orders.failed(1, '"ORDERS"', "err_code", args=("stream", "restore", str(directory)))
    orders.ok("stream", "rm", "ORDERS", "-f")
    restored = orders.json("stream", "restore", str(directory))
    assert restored["config"]["subjects"] == ["orders.>"]
    # A person sees how far it is, a script what it is about.
    assert " received" in orders.watched("stream", "backup", "ORDERS", str(tmp_path / "watched"))
    assert orders.json("stream", "backup", "ORDERS", str(tmp_path / "again"))["config"]["name"] == "ORDERS"
    orders.ok("stream", "rm", "ORDERS", "-f")
    assert " sent" in orders.watched("stream", "restore", str(tmp_path / "watched"))
    after = orders.json("stream", "info", "ORDERS")["state"]
    names = ("messages", "bytes", "first_seq", "last_seq", "consumer_count")
    assert [after[name] for name in names] == [before["state"][name] for name in names]
    assert orders.ok("stream", "get", "ORDERS", "2", "-r") == "body 2\n"
    orders.failed(1, "backup.json", args=("stream", "restore", str(tmp_path)))


def test_an_account_is_backed_up_and_restored(orders, tmp_path):
    # spec: CLI-023
    orders.ok(*"kv add B --storage file".split())
    orders.ok("kv", "put", "B", "key", "value")
    directory = tmp_path / "all"
    orders.ok("account", "backup", str(directory))
    assert sorted(folder.name for folder in directory.iterdir()) == ["KV_B", "ORDERS"]
    orders.failed(2, "is there already", args=("account", "backup", str(directory)))
    orders.failed(1, "err_code", args=("account", "restore", str(directory)))
    for stream in ("ORDERS", "KV_B"):
        orders.ok("stream", "rm", stream, "-f")
    orders.ok("account", "restore", str(directory))
    assert orders.ok("kv", "get", "B", "key", "--raw").strip() == "value"
    assert orders.json("stream", "info", "ORDERS")["state"]["messages"] == 3
    orders.failed(2, "holds no folder with a backup.json", args=("account", "restore", str(directory / "ORDERS")))


def test_a_consumer_is_made_as_the_flags_say(orders):
    # spec: CLI-018
    pull = orders.json(
        *"consumer add ORDERS PULL --pull --ack explicit --deliver 2 --filter orders.a --filter orders.b --wait 10s".split(),
        *"--max-deliver 5 --backoff 1s,5s --max-pending 7 --max-waiting 9 --replay instant --sample 50 --metadata k=v".split(),
    )["config"]
    expected = {
        "durable_name": "PULL",
        "ack_policy": "explicit",
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": 2,
        "filter_subjects": ["orders.a", "orders.b"],
        "max_deliver": 5,
        "backoff": [1_000_000_000, 5_000_000_000],
        "max_ack_pending": 7,
        "max_waiting": 9,
        "sample_freq": "50",
    }
    assert {name: pull.get(name) for name in expected} == expected
    push = orders.json(*"consumer add ORDERS PUSH --target to.here --deliver new --heartbeat 5s --flow-control".split())["config"]
    expected = {"deliver_subject": "to.here", "deliver_policy": "new", "flow_control": True, "ack_policy": "none"}
    assert {name: push.get(name) for name in expected} == expected
    made = orders.json("consumer", "add", "ORDERS", "--ephemeral", "--inactive-threshold", "1h")
    assert made["name"] and "durable_name" not in made["config"]
    edited = orders.json("con", "edit", "ORDERS", "PULL", "--filter", "orders.a", "--max-deliver", "6", "-f")["config"]
    assert (edited["filter_subject"], edited["max_deliver"], edited["max_ack_pending"]) == ("orders.a", 6, 7)
    assert set(orders.json("consumer", "ls", "ORDERS", "-n")) == {"PULL", "PUSH", made["name"]}
    table = orders.ok("consumer", "report", "ORDERS").splitlines()
    assert table[-1].startswith("3 consumers")
    page = orders.ok("consumer", "info", "ORDERS", "PUSH")
    assert "  Kind                 push, durable\n" in page
    assert "  Pushes to            to.here\n" in page


def test_messages_are_taken_from_a_pull_consumer(orders):
    # spec: CLI-018
    orders.ok("consumer", "add", "ORDERS", "C")

    def left() -> tuple[int, int]:
        info = orders.json("consumer", "info", "ORDERS", "C")
        return info["num_pending"], info["num_ack_pending"]

    first = orders.ok("consumer", "next", "ORDERS", "C")
    assert first == '[#1] Received on "orders.a", delivery 1 of it, 2 pending\nNumber: 1\n\nbody 1\n\n'
    assert left() == (2, 0)
    assert orders.ok("consumer", "next", "ORDERS", "C", "--raw", "--no-ack") == "body 2\n"
    assert left() == (1, 1)
    assert orders.ok("consumer", "next", "ORDERS", "C", "--raw", "--nak") == "body 3\n"
    (again,) = as_list(orders.ok("consumer", "next", "ORDERS", "C", "--json", "--term"))
    assert (again["stream_seq"], again["delivered"], again["headers"]) == (3, 2, {"Number": ["3"]})
    assert base64.b64decode(again["data"]) == b"body 3"
    assert left() == (0, 1)
    orders.failed(1, '"ORDERS > C"', "no message came within 50.0ms", args=("consumer", "next", "ORDERS", "C", "--wait", "50ms"))
    orders.ok("consumer", "add", "ORDERS", "ALL", "--ack", "none")
    assert len(as_list(orders.ok("consumer", "next", "ORDERS", "ALL", "--json", "--count", "3"))) == 3
    orders.ok("consumer", "add", "ORDERS", "PUSH", "--target", "to.here")
    orders.failed(1, "pushes to", "consumer sub", args=("consumer", "next", "ORDERS", "PUSH"))


def test_what_a_consumer_delivers_is_shown(orders):
    # spec: CLI-018
    orders.ok("consumer", "add", "ORDERS", "PULL")
    push = "--target to.here --ack explicit --heartbeat 1s --flow-control"
    orders.ok("consumer", "add", "ORDERS", "PUSH", *push.split())
    with orders.running("consumer", "sub", "ORDERS", "PULL", "--no-ack", "--raw") as sub:
        assert [sub.stdout.readline() for _ in range(3)] == ["body 1\n", "body 2\n", "body 3\n"]
        sub.send_signal(signal.SIGINT)
        assert sub.wait(20) == 0
    orders.ok("consumer", "rm", "ORDERS", "PULL", "-f")
    orders.ok("consumer", "add", "ORDERS", "PULL")
    for name in ("PULL", "PUSH"):
        assert orders.ok("consumer", "sub", "ORDERS", name, "--count", "3", "--raw") == "body 1\nbody 2\nbody 3\n"
        info = orders.json("consumer", "info", "ORDERS", name)
        assert (info["num_ack_pending"], info["ack_floor"]["stream_seq"]) == (0, 3), name


def test_a_consumer_is_paused_and_resumed(orders):
    # spec: CLI-018
    orders.ok("consumer", "add", "ORDERS", "C")
    assert "is paused until" in orders.ok("consumer", "pause", "ORDERS", "C", "1h", "-f")
    assert orders.json("consumer", "info", "ORDERS", "C")["paused"]
    assert "  Paused               until " in orders.ok("consumer", "info", "ORDERS", "C")
    orders.failed(1, "no message", args=("consumer", "next", "ORDERS", "C", "--wait", "50ms"))
    orders.ok("consumer", "resume", "ORDERS", "C", "-f")
    assert orders.ok("consumer", "next", "ORDERS", "C", "--raw") == "body 1\n"
    orders.failed(2, "past", args=("consumer", "pause", "ORDERS", "C", "2020-01-01 00:00:00", "-f"))
    orders.failed(2, '"soon"', args=("consumer", "pause", "ORDERS", "C", "soon", "-f"))
