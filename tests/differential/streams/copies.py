"""Scripts of streams that copy two others, and of streams that are backed up and come back.

Invariant: messages come one after the other to streams whose copies have found them, so that nobody's speed decides which is first.
"""

from __future__ import annotations

import json

from differential.streams.bodies import HOUR
from differential.streams.generate import Generator
from differential.streams.script import Script, Send, Transfer, Wait

# A stream that copies others has found them by then.
FOUND = Wait(2)
OF_S = [
    {},
    {},
    {"filter_subject": "s.a"},
    {"filter_subject": "s.*"},
    {"opt_start_seq": 2},
    {"subject_transforms": [{"src": "s.*", "dest": "m.{{wildcard(1)}}"}]},
    {"subject_transforms": [{"src": "s.a", "dest": "m.a"}, {"src": "s.b", "dest": "m.b"}]},
    {"subject_transforms": [{"src": "s.a", "dest": ""}]},
    {"filter_subject": "s.>", "subject_transforms": []},
]
OF_T = [
    {},
    {},
    {"filter_subject": "t.a"},
    {"subject_transforms": [{"src": "t.*", "dest": "m.$1"}]},
    {"subject_transforms": [{"src": "t.>", "dest": "z.>"}]},
    {"opt_start_time": "2020-01-02T03:04:05Z"},
]
# The same stream twice, for other messages of it.
TWICE = [
    {"name": "S", "filter_subject": "s.b"},
    {"name": "S", "subject_transforms": [{"src": "s.b", "dest": "m.b"}]},
]
COPY = [
    *[{}] * 5,
    {"max_msgs": 3},
    {"max_msgs": 2, "discard": "new"},
    {"max_bytes": 150},
    {"max_bytes": 250},
    {"max_bytes": 400, "discard": "new"},
    {"max_msg_size": 60},
    {"max_msgs_per_subject": 1},
    {"retention": "interest"},
    {"retention": "workqueue"},
    {"subjects": ["n.>"]},
    {"subject_transform": {"src": "s.>", "dest": "y.>"}},
    {"republish": {"src": ">", "dest": "r.>"}},
    {"allow_rollup_hdrs": True, "deny_purge": False},
    {"max_age": HOUR},
]
KEPT = [{}, {}, {"allow_msg_ttl": True}, {"allow_rollup_hdrs": True}, {"retention": "interest"}]
ORIGIN = [*KEPT[:-1], *KEPT[:-1], {"max_msgs": 2}, {"max_msgs_per_subject": 1}]
HEADERS = [None, None, None, {"Nats-Msg-Id": "1"}, {"Nats-Msg-Id": "2"}, {"X": "y"}, {"Nats-Rollup": "sub"}, {"Nats-TTL": "1h"}]
SUBJECTS = ["s.a", "s.a", "s.b", "s.c.d", "t.a", "t.a", "t.b", "n.a"]


class Copies(Generator):
    """Makes script `number` of a seed, in which streams are copied, or backed up."""

    def script(self) -> Script:
        dice = self.dice
        self.parts, self.headers, self.first = [], HEADERS, 1
        if dice.random() < 0.5:
            self.back_up()
        else:
            self.copy()
        return Script(self.number, self.parts)

    def stream(self, name: str, subjects: list[str], config: dict) -> None:
        storage = self.dice.choice(["file", "memory"])
        body = {"name": name, "storage": storage, "allow_direct": True, **config}
        if subjects:
            body["subjects"] = subjects
        self.api(f"STREAM.CREATE.{name}", json.dumps(body).encode())

    def copy(self) -> None:
        dice = self.dice
        self.stream("S", ["s.>"], dice.choice(ORIGIN))
        self.stream("T", ["t.>"], dice.choice(ORIGIN))
        self.copying = {**dice.choice(COPY), "sources": self.sources()}
        self.stream("N", [], self.copying)
        # Who copies from where acknowledged messages go acknowledges them in its own time.
        if dice.random() < 0.2 and "retention" not in self.copying:
            self.stream("M", [], {"mirror": {"name": "N"}})
        if dice.random() < 0.4 or "retention" in self.copying:
            self.consumer_of("N")
        self.parts.append(FOUND)
        steps = [self.message_in] * 8 + [self.fetch_copies, self.ack, self.clear_out, self.take_out, self.look_in]
        for step in dice.choices([*steps, self.fewer_sources], k=dice.randint(3, 10)):
            step()
        self.parts.append(FOUND)

    def sources(self) -> list[dict]:
        dice = self.dice
        first = {"name": "S", **dice.choice(OF_S)}
        if dice.random() < 0.2:
            return [{"name": "S", "filter_subject": "s.a"}, dice.choice(TWICE)]
        return [first, {"name": "T", **dice.choice(OF_T)}]

    def fewer_sources(self) -> None:
        """An update that copies one less: of those that are new, nobody knows which is first to be behind."""
        sources = self.copying["sources"][: self.dice.randint(0, 1)]
        body = {"name": "N", "allow_direct": True, **self.copying, "sources": sources}
        self.api("STREAM.UPDATE.N", json.dumps(body).encode())
        self.parts.append(FOUND)

    def back_up(self) -> None:
        """A stream with its consumers, as it is when it comes back."""
        dice = self.dice
        # Of a consumer that is behind the first message the reference forgets where it stands (JS-125).
        self.first = 2
        self.stream("S", ["s.>"], dice.choice(KEPT))
        made = [self.plain_consumer(dice.choice("cd")) for _ in range(dice.randint(0, 2))]
        # One of last messages that comes back counts only the last ones on the reference, and delivers all.
        self.parts += [part for part in made if b"last_per_subject" not in part.body]
        # Martlet knows ids of messages that came back, the reference does not (JS-125).
        self.headers = [given for given in HEADERS if given is None or "Nats-Msg-Id" not in given]
        steps = [self.message_in] * 6 + [self.fetch, self.fetch, self.ack, self.ack, self.clear_out, self.take_out]
        for _ in range(dice.choice([1, 1, 2])):
            for step in dice.choices(steps, k=dice.randint(1, 7)):
                step()
            self.parts.append(Transfer("S", has_consumers=dice.random() < 0.8))
        for step in dice.choices([*steps, self.consumer_views, self.direct], k=dice.randint(0, 4)):
            step()

    # --- steps ----------------------------------------------------------------------------------

    def message_in(self) -> None:
        dice = self.dice
        headers = dice.choice(self.headers)
        given = None if headers is None else tuple(headers.items())
        body = dice.choice([b"", b"x", b"x" * 40, b"x" * 100])
        self.parts.append(Send(dice.choice(SUBJECTS), body, given, is_answered=False))

    def consumer_of(self, stream: str) -> None:
        config = {"durable_name": "c", "ack_policy": self.dice.choice(["explicit", "explicit", "none"])}
        if self.copying.get("retention") == "workqueue":
            config["ack_policy"] = "explicit"
        self.api(f"CONSUMER.CREATE.{stream}.c", json.dumps({"stream_name": stream, "config": config}).encode())

    def fetch_copies(self) -> None:
        body = b'{"batch":%d,"no_wait":true}' % self.dice.randint(1, 3)
        self.api("CONSUMER.MSG.NEXT.N.c", body)
        self.parts[-1] = Send(self.parts[-1].subject, body, is_answered=False)

    def clear_out(self) -> None:
        body = self.dice.choice([{}, {"keep": 1}, {"seq": 2}, {"filter": "s.a"}, {"filter": "m.*"}])
        self.api(f"STREAM.PURGE.{self.dice.choice('SSN')}", json.dumps(body).encode() if body else b"")

    def take_out(self) -> None:
        self.api(f"STREAM.MSG.DELETE.{self.dice.choice('SN')}", b'{"seq":%d}' % self.dice.randint(self.first, 3))

    def look_in(self) -> None:
        self.api("STREAM.INFO.N")
