"""Streams that are encrypted on disk: what the disk shows, and who may read it."""

from __future__ import annotations

import base64

import pytest

from harness.jetstream import Client
from harness.server import Server
from jetstream.conftest import jetstream_config, login

SECRET = b"a payload that nobody may see"
SUBJECT = "hidden.subject"


def config(key: str = "", rest: str = "") -> str:
    return jetstream_config(f', key: "{key}"{rest}' if key else rest)


def fill(js: Client) -> None:
    js.stream("S", "hidden.>", storage="file", metadata={"about": "a secret plan"})
    for number in range(50):
        js.put(f"{SUBJECT}.{number % 5}", SECRET + b" %d" % number, {"Hidden-Header": "covert"})
    js.consumer("S", "c", filter_subject="hidden.>")


def check(js: Client, consumers: bool = True) -> None:
    assert js.state("S")["messages"] == 50
    data = js.ok("STREAM.MSG.GET.S", {"seq": 7})["message"]["data"]
    assert base64.b64decode(data) == SECRET + b" 6"
    assert not consumers or js.info("S", "c")["num_pending"] == 50
    assert js.ok("STREAM.INFO.S")["config"]["metadata"]["about"] == "a secret plan"


def shown(server: Server) -> list[str]:
    """What of it can be read in files."""
    words = [SECRET, SUBJECT.encode(), b"covert", b"a secret plan"]
    files = [path for path in (server.directory / "store").rglob("*") if path.is_file()]
    return [f"{path.name}: {word!r}" for path in files for word in words if word in path.read_bytes()]


def again(server: Server, text: str, kill: bool = False) -> Client:
    if kill:
        server.kill()
    else:
        server.stop()
    server.config = text
    server.restart()
    return login(server)


@pytest.mark.parametrize("cipher", ["chacha", "aes"])
@pytest.mark.parametrize("compression", ["none", "s2"])
def test_nothing_can_be_read(cipher, compression, start):
    # spec: CFG-191 CFG-193 JS-121
    text = config("the key", f", cipher: {cipher}")
    server = start(text, check_exit=False)
    with login(server) as js:
        fill(js)
        js.update("S", subjects=["hidden.>"], compression=compression)
        check(js)
        assert shown(server) == []
    for kill in (True, False):
        with again(server, text, kill) as js:
            check(js)
            assert shown(server) == []
    server.wait_log({"chacha": r"Encryption: +ChaCha20-Poly1305", "aes": r"Encryption: +AES-GCM"}[cipher])


# The reference loses the consumers.
@pytest.mark.parametrize("consumers", [False, pytest.param(True, marks=pytest.mark.martlet_only)])
def test_the_key_is_changed(consumers, start):
    # spec: CFG-192 JS-121
    server = start(config("the old key"), check_exit=False)
    with login(server) as js:
        fill(js)
    with again(server, config("the new key", ', prev_key: "the old key"')) as js:
        check(js, consumers)
    with again(server, config("the new key"), kill=True) as js:
        check(js, consumers)
        assert shown(server) == []


def test_a_stream_that_was_there_is_encrypted(start):
    # spec: CFG-191 JS-121
    server = start(config(), check_exit=False)
    with login(server) as js:
        fill(js)
    assert shown(server) != []
    with again(server, config("the key")) as js:
        server.wait_log(r"Encrypting stream '\$G > S'")
        check(js)
    with again(server, config("the key"), kill=True) as js:
        check(js)
        assert js.put(SUBJECT) == 51
    server.stop()
    assert shown(server) == []


@pytest.mark.martlet_only
@pytest.mark.parametrize("key", ["another key", ""])
def test_with_the_wrong_key_nothing_is_lost(key, start):
    # spec: CFG-191 JS-121
    # The reference forgets the stream, and who makes one of its name then destroys it.
    server = start(config("the key"), check_exit=False)
    with login(server) as js:
        fill(js)
    with again(server, config(key)) as js:
        server.wait_log(r"Stream '\$G > S' cannot be served: .*`key` in the block `jetstream`")
        why = js.api("STREAM.CREATE.S", {"name": "S", "subjects": ["hidden.>"], "storage": "file"})["error"]
        assert "`key` in the block `jetstream`" in why["description"]
        js.stream("T", "t", storage="file")
        assert js.put("t") == 1
    with again(server, config("the key")) as js:
        check(js)
