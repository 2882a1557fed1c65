"""What `martlet kv` and `martlet object` make of JetStream on a server of the chosen kind."""

from __future__ import annotations

import base64
import json
import signal

import pytest

from harness.server import wait_for




@pytest.fixture
def cfg(js):
    """A bucket with the keys `a`, set twice, and `b.c`, which is two lines."""
    js.ok("kv", "add", "cfg", "--history", "3")
    js.ok("kv", "put", "cfg", "a", "1")
    js.ok("kv", "put", "cfg", "a", "2")
    js.ok("kv", "put", "cfg", "b.c", stdin=b"one\ntwo")
    return js


@pytest.fixture
def files(js, tmp_path):
    """A bucket with the objects `large` and `none`, from files of that name."""
    js.ok("object", "add", "files")
    (tmp_path / "large").write_bytes(bytes(range(256)) * 4_000)
    (tmp_path / "none").write_bytes(b"")
    js.ok("object", "put", "files", "large", "--description", "a lot", "-H", "Kind:bytes", "--metadata", "k=v")
    js.ok("object", "put", "files", "none")
    return js


def test_a_bucket_is_made_as_the_flags_say(js):
    # spec: CLI-019
    made = js.json(
        *"kv add cfg --history 5 --ttl 1h --max-value-size 1k --max-bucket-size 1MiB --storage memory".split(),
        *"--compress --replicas 1 --marker-ttl 10m --metadata k=v --description settings".split(),
    )["config"]
    expected = {
        "name": "KV_cfg",
        "subjects": ["$KV.cfg.>"],
        "max_msgs_per_subject": 5,
        "max_age": 3_600_000_000_000,
        "max_msg_size": 1_024,
        "max_bytes": 1 << 20,
        "storage": "memory",
        "compression": "s2",
        "allow_msg_ttl": True,
        "subject_delete_marker_ttl": 600_000_000_000,
        "allow_rollup_hdrs": True,
        "deny_delete": True,
        "allow_direct": True,
        "discard": "new",
        "duplicate_window": 120_000_000_000,
        "description": "settings",
    }
    assert {name: made.get(name) for name in expected} == expected
    assert "  TTL           1h\n" in js.ok("kv", "info", "cfg")
    js.ok("kv", "add", "other")
    assert js.json("kv", "ls", "--names") == ["cfg", "other"]
    assert js.ok("kv", "ls").splitlines()[-1].startswith("2 buckets")
    js.failed(1, '"a.b" is no bucket name', args=("kv", "add", "a.b"))
    js.failed(1, '"nope"', "err_code 10059", "martlet kv ls", args=("kv", "info", "nope"))
    js.failed(1, "already in use", "10058", args=("kv", "add", "cfg", "--history", "9"))


@pytest.mark.parametrize("kind", ["kv", "object"])
def test_an_edit_changes_only_what_is_given(kind, js):
    # spec: CLI-019 CLI-020
    js.ok(kind, "add", "b", "--ttl", "1h", "--description", "old")
    changed = js.ok(kind, "edit", "b", "--ttl", "1m", "--compress", "-f")
    assert changed.startswith('Bucket "b" was changed\n') and "  TTL           1m\n" in changed
    config = js.json(kind, "info", "b")["config"]
    assert (config["max_age"], config["description"], config["compression"]) == (60_000_000_000, "old", "s2")
    assert config["duplicate_window"] <= config["max_age"]
    edited = js.json(kind, "edit", "b", "--description", "new", "--force")["config"]
    assert (edited["description"], edited["max_age"]) == ("new", 60_000_000_000)
    assert js.ok(kind, "edit", "b", "--description", "new").startswith('Bucket "b"\n'), "nothing is asked for nothing"
    # Nobody is there to be asked.
    js.failed(1, 'Change bucket "b"?', args=(kind, "edit", "b", "--ttl", "2m"))
    js.failed(1, '"nope"', "10059", args=(kind, "edit", "nope", "--ttl", "2m", "-f"))


def test_a_bucket_may_be_a_copy(js):
    # spec: CLI-019
    js.ok("kv", "add", "cfg")
    js.ok("kv", "add", "copy", "--mirror", "cfg")
    assert "  Mirror of     cfg\n" in js.ok("kv", "status", "copy")


def test_values_are_put_and_got(cfg):
    # spec: CLI-019
    page = cfg.ok("kv", "get", "cfg", "a")
    assert page.startswith("cfg > a, revision 2, PUT at 20")
    assert page.endswith("Z\n\n2\n")
    assert cfg.ok("kv", "get", "cfg", "b.c", "--raw") == "one\ntwo"
    assert cfg.ok("kv", "get", "cfg", "a", "--revision", "1", "--raw") == "1"
    found = cfg.json("kv", "get", "cfg", "b.c")
    assert (found["revision"], base64.b64decode(found["value"])) == (3, b"one\ntwo")
    assert cfg.json("kv", "put", "cfg", "n", "x") == {"bucket": "cfg", "key": "n", "revision": 4}
    cfg.failed(1, '"cfg > x"', "not there", "martlet kv keys cfg", args=("kv", "get", "cfg", "x"))
    for revision in ("3", "9"):
        cfg.failed(1, f"revision {revision}", args=("kv", "get", "cfg", "a", "--revision", revision))
    assert cfg.run("kv", "get", "cfg", "a", "--revision", "3").out == ""
    cfg.failed(1, '"a b" is no key name', args=("kv", "put", "cfg", "a b", "1"))


def test_whoever_is_faster_wins(cfg):
    # spec: CLI-019
    assert cfg.json("kv", "update", "cfg", "a", "3", "2")["revision"] == 4
    cfg.failed(1, '"cfg > a"', "somebody changed it", args=("kv", "update", "cfg", "a", "4", "2"))
    cfg.failed(1, '"cfg > a"', "with revision 4", args=("kv", "create", "cfg", "a", "new"))
    assert cfg.json("kv", "create-key", "cfg", "n", "new")["revision"] == 5
    cfg.ok("kv", "del", "cfg", "n", "-f")
    assert cfg.json("kv", "create", "cfg", "n", "again")["revision"] == 7
    cfg.failed(1, "10166", args=("kv", "create", "cfg", "m", "x", "--ttl", "1h"))
    cfg.failed(2, "max_msgs_per_subject", args=("kv", "create", "cfg", "m", "x", "--history", "2"))


def test_a_key_may_expire(js):
    # spec: CLI-019
    js.ok("kv", "add", "cfg", "--marker-ttl", "1h")
    js.ok("kv", "create", "cfg", "k", "x", "--ttl", "1s")
    assert js.ok("kv", "get", "cfg", "k", "-r") == "x"
    wait_for("the key to expire", lambda: js.run("kv", "get", "cfg", "k").status == 1, 20, 0.05)
    js.failed(1, "was removed with revision 2", args=("kv", "get", "cfg", "k"))
    assert js.json("kv", "create", "cfg", "k", "y")["revision"] == 3


def test_keys_are_removed_and_remembered(cfg):
    # spec: CLI-019
    for args in (("kv", "del", "cfg", "a"), ("kv", "purge", "cfg", "a"), ("kv", "rm", "cfg")):
        cfg.failed(1, "nothing was done", "cfg", "--force", args=args)
    cfg.ok("kv", "del", "cfg", "a", "-f")
    cfg.failed(1, "was removed with revision 4", "kv history cfg a", args=("kv", "get", "cfg", "a"))
    history = cfg.json("kv", "history", "cfg", "a")
    assert [(entry["revision"], entry["operation"]) for entry in history] == [(1, "PUT"), (2, "PUT"), (4, "DEL")]
    lines = cfg.ok("kv", "history", "cfg", "b.c").splitlines()
    assert lines[2].split() == ["3", "PUT", lines[2].split()[2], "7", "B", "one·two"]
    cfg.ok("kv", "purge", "cfg", "a", "-f")
    assert [entry["operation"] for entry in cfg.json("kv", "history", "cfg", "a")] == ["PURGE"]
    cfg.failed(1, "never was", args=("kv", "history", "cfg", "x"))
    cfg.ok("kv", "put", "cfg", "b.d", "1")
    assert cfg.ok("kv", "keys", "cfg") == "b.c\nb.d\n"
    assert cfg.json("kv", "keys", "cfg", "*.d") == ["b.d"]
    assert cfg.json("kv", "ls", "cfg") == ["b.c", "b.d"]
    assert cfg.json("kv", "keys", "cfg", "x.>") == []
    assert cfg.json("kv", "keys", "cfg", "a") == []
    cfg.ok("kv", "rm", "cfg", "-f")
    assert cfg.json("kv", "ls") == []


def test_changes_are_watched(cfg):
    # spec: CLI-019
    lines = cfg.ok("kv", "watch", "cfg", "--count", "2").splitlines()
    assert [line.split("] ")[1] for line in lines] == ["PUT cfg > a: 2", "PUT cfg > b.c: one·two"]
    with cfg.running("kv", "watch", "cfg", "b.>", "--json") as watch:
        first = json.loads(watch.stdout.readline())
        assert (first["key"], first["revision"]) == ("b.c", 3)
        cfg.ok("kv", "put", "cfg", "a", "3")
        cfg.ok("kv", "del", "cfg", "b.c", "-f")
        second = json.loads(watch.stdout.readline())
        assert (second["key"], second["operation"], second["revision"]) == ("b.c", "DEL", 5)
        watch.send_signal(signal.SIGINT)
        assert watch.wait(20) == 0


def test_files_come_back_as_they_were(files, tmp_path):
    # spec: CLI-020
    info = files.json("object", "info", "files", "large")
    assert (info["name"], info["size"], info["description"]) == ("large", 1_024_000, "a lot")
    assert info["digest"].startswith("SHA-256=")
    assert info["metadata"] == {"k": "v"}
    assert "  Headers       Kind=bytes\n" in files.ok("object", "info", "files", "large")
    for name in ("large", "none"):
        files.ok("object", "get", "files", name, "--output", "back")
        assert (tmp_path / "back").read_bytes() == (tmp_path / name).read_bytes()
        (tmp_path / "back").unlink()
    files.ok("object", "put", "files", "--name", "dir/piped", stdin=b"from a pipe")
    assert files.ok("object", "get", "files", "dir/piped", "-O", "-") == "from a pipe"
    files.ok("object", "get", "files", "dir/piped")
    assert (tmp_path / "piped").read_bytes() == b"from a pipe"
    assert not list(tmp_path.glob("*.part"))
    files.failed(1, '"files > x"', "not there", "object ls files", args=("object", "get", "files", "x"))
    files.failed(1, "missing", args=("object", "put", "files", "missing"))
    files.failed(1, '"nope"', "10059", "martlet object ls", args=("object", "put", "nope", "large"))


def test_a_damaged_object_is_no_file(files, tmp_path):
    # spec: CLI-020
    chunk = files.json("stream", "get", "OBJ_files", "2")
    files.ok("stream", "rmm", "OBJ_files", str(chunk["seq"]), "-f")
    files.failed(1, '"files > large"', "digest", args=("object", "get", "files", "large", "-O", "back"))
    assert not list(tmp_path.glob("back*"))


def test_objects_are_listed_replaced_and_removed(files):
    # spec: CLI-020
    assert files.json("object", "ls", "files", "-n") == ["large", "none"]
    lines = files.ok("object", "ls", "files").splitlines()
    assert lines[2].split()[:3] == ["large", "1000", "KiB"]
    assert lines[-1].startswith("2 objects")
    assert files.json("object", "ls", "--names") == ["files"]
    for args in (
        ("object", "put", "files", "large"),
        ("object", "get", "files", "none", "-O", "large"),
        ("object", "del", "files", "none"),
        ("object", "del", "files"),
        ("object", "seal", "files"),
    ):
        files.failed(1, "nothing was done", "--force", args=args)
    files.ok("object", "put", "files", "none", "--name", "large", "-f")
    assert files.json("object", "info", "files", "large")["size"] == 0
    files.ok("object", "rm", "files", "none", "-f")
    files.failed(1, "was removed", args=("object", "info", "files", "none"))
    watched = files.ok("object", "watch", "files", "--count", "2", "--json").splitlines()
    assert {(info["name"], info.get("deleted", False)) for info in map(json.loads, watched)} == {
        ("large", False),
        ("none", True),
    }
    files.ok("object", "seal", "files", "-f")
    assert "  Sealed        yes\n" in files.ok("object", "info", "files")
    files.failed(1, '"files > new"', args=("object", "put", "files", "large", "--name", "new"))
    files.ok("object", "rm", "files", "-f")
    assert files.json("object", "ls") == []
