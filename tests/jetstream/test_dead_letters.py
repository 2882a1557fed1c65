"""Dead letters: what a consumer will not deliver again goes where its metadata say. The reference has no such thing."""

from __future__ import annotations

import base64

import pytest

from harness.jetstream import MILLI, Client, parse_headers
from harness.server import wait_for
from jetstream.conftest import jetstream_config, login
from jetstream.test_snapshots import restore, snapshot

pytestmark = pytest.mark.martlet_only

KEY = "martlet.dead_letter"
SENT = 10  # seconds after which a letter that nobody has is sent again
TO_DEAD = {KEY: "dead"}


def letters(js: Client, count: int, stream: str = "D") -> list:
    wait_for(f"{count} letters", lambda: js.state(stream)["messages"] == count)
    return [js.ok(f"STREAM.MSG.GET.{stream}", {"seq": seq})["message"] for seq in range(1, count + 1)]


def exhaust(js: Client, consumer: str = "c", times: int = 1) -> None:
    for _ in range(times):
        js.send(js.fetch("S", consumer)[0].reply, "-NAK")
    # Whoever asks next finds out that it was the last time.
    js.pull("S", consumer, {"no_wait": True})


@pytest.mark.parametrize("where", ["consumer", "stream"])
def test_an_exhausted_message_is_kept_elsewhere(where, js):
    of_stream, of_consumer = ({}, {"metadata": TO_DEAD}) if where == "consumer" else ({"metadata": TO_DEAD}, {})
    js.stream("D", "dead")
    js.stream("S", "s", retention="workqueue", **of_stream)
    js.consumer("S", "c", max_deliver=2, **of_consumer)
    js.put("s", b"bad", {"Own": "1", "Nats-Msg-Id": "x", "Nats-Expected-Last-Sequence": "0"})
    exhaust(js, times=2)
    (letter,) = letters(js, 1)
    assert (letter["subject"], letter["data"]) == ("dead", "YmFk")
    fields = parse_headers(base64.b64decode(letter["hdrs"]))[1]
    assert fields.pop("Martlet-Dead-Letter-Stored") < fields.pop("Martlet-Dead-Letter-Died")
    assert fields.pop("Nats-Msg-Id").startswith("S.c.1.")
    assert fields == {
        "Own": "1",
        "Martlet-Dead-Letter-Stream": "S",
        "Martlet-Dead-Letter-Consumer": "c",
        "Martlet-Dead-Letter-Subject": "s",
        "Martlet-Dead-Letter-Sequence": "1",
        "Martlet-Dead-Letter-Deliveries": "2",
        "Martlet-Dead-Letter-Reason": "max_deliver",
        "Martlet-Dead-Letter-Deaths": "1",
    }
    wait_for("the message to leave the queue", lambda: js.state("S")["messages"] == 0)


def test_a_message_that_is_given_up(js):
    js.stream("D", "dead")
    js.stream("S", "s", metadata=TO_DEAD)
    js.consumer("S", "c")
    js.consumer("S", "none", metadata={KEY: ""})
    js.put("s", b"1")
    js.ack(js.fetch("S", "none")[0], "+TERM")
    js.ack(js.fetch("S", "c")[0], "+TERM no such customer")
    letters(js, 1)
    assert js.state("S")["messages"] == 1, "a stream that keeps by limits keeps it"
    assert js.info("S", "c")["ack_floor"]["stream_seq"] == 1


def test_somebody_who_listens_says_to_have_it(js):
    sub = js.subscribe("dead")
    js.stream("S", "s", retention="workqueue", metadata=TO_DEAD)
    js.consumer("S", "c", ack_wait=50 * MILLI, max_deliver=1)
    js.put("s", b"1")
    js.fetch("S", "c")
    letter = sub.next()
    assert letter.headers["Martlet-Dead-Letter-Reason"] == "max_deliver"
    assert js.state("S")["messages"] == 1
    js.send(letter.reply)
    wait_for("the message to leave the queue", lambda: js.state("S")["messages"] == 0)


def test_letters_outlive_the_server(start):
    server = start(jetstream_config(), check_exit=False)
    with login(server) as js:
        js.stream("S", "s", storage="file", retention="workqueue", metadata=TO_DEAD)
        js.consumer("S", "c", max_deliver=1)
        for number in range(100):
            js.put("s", b"%d" % number)
        for message in js.fetch("S", "c", 100):
            js.ack(message, "+TERM")
    server.kill()
    server.restart()
    with login(server) as js:
        assert js.state("S")["messages"] == 100
        js.stream("D", "dead", storage="file")
        wait_for("all letters", lambda: js.state("D")["messages"] == 100, 3 * SENT)
        wait_for("an empty queue", lambda: js.state("S")["messages"] == 0)


def test_letters_travel_in_a_snapshot(account, start, reference):
    # spec: JS-123 JS-125
    js = account()
    js.stream("S", "s", storage="file", retention="workqueue", metadata=TO_DEAD)
    js.consumer("S", "c", max_deliver=1)
    for number in range(3):
        js.put("s", b"%d" % number)
    given_up, exhausted, _ = js.fetch("S", "c", 3)
    js.ack(given_up, "+TERM no use")
    js.send(exhausted.reply, "-NAK")
    # Whoever asks next finds out that it was the last time.
    js.pull("S", "c", {"no_wait": True})
    wait_for("both to die", lambda: js.info("S", "c")["num_ack_pending"] == 1)
    answer, chunks = snapshot(js, "S")
    js.ok("STREAM.DELETE.S")
    js.stream("D", "dead")
    restore(js, answer, chunks)
    found = [parse_headers(base64.b64decode(letter["hdrs"]))[1] for letter in letters(js, 2)]
    told = {(fields["Martlet-Dead-Letter-Reason"], fields.get("Martlet-Dead-Letter-Description")) for fields in found}
    assert told == {("terminated", "no use"), ("max_deliver", None)}
    wait_for("the letters to leave the queue", lambda: js.state("S")["messages"] == 1)
    # They mean nothing to others: what was given up is done with there.
    with login(start(jetstream_config(), binary=reference)) as other:
        restore(other, answer, chunks)
        assert (other.state("S")["messages"], other.info("S", "c")["num_ack_pending"]) == (2, 1)


def test_where_letters_cannot_go(js):
    js.stream("S", "s.>")

    def refused(metadata: dict):
        answer = js.api("CONSUMER.CREATE.S.c", {"stream_name": "S", "config": {"name": "c", "metadata": metadata}})
        return answer["error"]["err_code"], answer["error"]["description"]

    words = f'metadata "{KEY}": '
    assert refused({KEY: "dead.>"}) == (10012, words + '"dead.>" is no subject without wildcards')
    own = words + '"s.dead" goes to stream "S" itself; dead letters need another one'
    assert refused({KEY: "s.dead"}) == (10012, own)
    bad = js.api("STREAM.CREATE.T", {"name": "T", "subjects": ["t"], "storage": "memory", "metadata": {KEY: "t"}})
    assert bad["error"]["err_code"] == 10052
    js.consumer("S", "c", metadata={KEY: "dead"})
    config = {"name": "S", "storage": "memory", "subjects": ["s.>", "dead"]}
    code, err_code, text = js.error("STREAM.UPDATE.S", config)
    assert (code, err_code) == (500, 10069)
    assert text.startswith('consumer "c": metadata')


def test_metadata_may_change(js):
    js.stream("D", "dead")
    js.stream("S", "s")
    js.consumer("S", "c", max_deliver=1)
    js.put("s", b"1")
    exhaust(js)
    js.update("S", metadata=TO_DEAD)
    js.put("s", b"2")
    exhaust(js)
    (letter,) = letters(js, 1)
    assert letter["data"] == "Mg==", "what was exhausted before is none"
