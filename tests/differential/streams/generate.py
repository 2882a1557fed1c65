"""Random scripts of a client of streams: mostly sensible, so that they get far."""

from __future__ import annotations

import contextlib
import json
import random
from dataclasses import dataclass

from differential.streams.bodies import COHERENT, FUTURE, GET, INFO, PAGE, PULL, PURGE, STREAM, STREAM_ODD, Bodies
from differential.streams.script import API, Listen, Part, Script, Send

STREAMS = ["S"] * 24 + ["T", "M", "N"]
CONSUMERS = ["c", "c", "c", "d", "<name-1>"]
SUBJECTS = ["s.a"] * 6 + ["s.b"] * 3 + ["s.c", "s.a.b", "t.a", "S"]
HEADERS = {
    "Nats-Msg-Id": ["1", "2", "3"],
    "Nats-Expected-Stream": ["S", "T"],
    "Nats-Expected-Last-Sequence": ["0", "1", "2", "3", "x", "-1", ""],
    "Nats-Expected-Last-Subject-Sequence": ["0", "1", "2", "3", "x"],
    "Nats-Expected-Last-Subject-Sequence-Subject": ["s.a", "s.*", "s.>", "t.a", "s..a"],
    "Nats-Expected-Last-Msg-Id": ["1", "2", "x"],
    "Nats-Rollup": ["sub", "all", "x", "SUB"],
    "Nats-TTL": ["1h", "3600", "never", "x", "0", "-1", "1ms", "0.5s", "3600s", "1h0m0.5s"],
    "Nats-Incr": ["1", "+5", "-2", "x", "", "0", "99999999999999999999", "-0", "1.5"],
    "Nats-Schedule": ["@at " + FUTURE, "@every 1h", "@every 1s5m", "0 0 5 1 1 *", "@yearly", "@never", "@at x", "@every 1ms"],
    "Nats-Schedule-Target": ["s.b", "s.t", "t.a", "s.*", "s.a"],
    "Nats-Schedule-Source": ["s.c", "s.a", "s.*", "x"],
    "Nats-Schedule-TTL": ["1h", "x", "never", "1ms"],
    "Nats-Schedule-Rollup": ["sub", "all", ""],
    "Nats-Schedule-Time-Zone": ["UTC", "Europe/Paris", "Nope/X", ""],
    "Nats-Schedule-Next": ["purge", FUTURE, "x"],
    "Nats-Scheduler": ["s.a", "s.b", "x y"],
    "Nats-Stream-Source": ["S 1 > > s.a"],
    "Nats-Batch-Id": ["b"],
    "Nats-Batch-Sequence": ["1", "2", "x"],
    "Nats-Batch-Commit": ["1", "eob", "x"],
    "Nats-Required-Api-Level": ["1", "5", "99", "x"],
    "Nats-Counter-Sources": ['{"S":{"s.a":"1"}}'],
    "Nats-Marker-Reason": ["Purge"],
    "KV-Operation": ["DEL", "PURGE"],
    "nats-msg-id": ["1"],
    "X": ["y", ""],
}
# What is checked of every message.
CHECKED = ("Nats-Expected-", "Nats-Msg-Id", "Nats-TTL", "Nats-Rollup")
ACKS = [b"", b"+ACK", b"+OK", b"+WPI", b"+TERM", b"+TERM why not", b"x", b"+ack"]
ACKS += [b"-NAK", b"-NAK", b'-NAK {"delay":0}', b'-NAK {"delay":3600000000000}', b"-NAK 1h", b"-NAK x", b"-NAK {"]
ACKS += [b"+NXT", b"+NXT", b'+NXT {"batch":2,"no_wait":true}', b"+NXT 2"]
LEVELS = [(("Nats-Required-Api-Level", level),) for level in ("5", "99", "x", "-1", "")]


class Generator:
    """Makes script `number` of a seed; the same pair always gives the same script."""

    def __init__(self, seed: int, number: int):
        self.dice = random.Random(f"streams:{seed}:{number}")
        self.bodies = Bodies(self.dice)
        self.number = number
        self.theme = self.dice.choice(THEMES)
        self.batches = 0

    def script(self) -> Script:
        dice = self.dice
        self.parts: list[Part] = []
        if dice.random() < 0.5:
            self.parts.append(Listen(dice.choice(["d.>", "d.c", "d.c"]), dice.choice(["", "", "g"])))
        if dice.random() < 0.2:
            self.parts.append(Listen("r.>"))
        self.create_stream("S", most=2)
        for name in self.theme.consumers:
            self.parts.append(self.plain_consumer(name))
        if dice.random() < 0.5:
            self.publish_many()
        kinds, weights = zip(*self.theme.steps.items(), strict=True)
        for kind in dice.choices(kinds, weights, k=dice.randint(2, 14)):
            getattr(self, kind)()
        script = Script(self.number, self.parts)
        if script.says(b"last_per_subject"):
            # The reference delivers only some of them again (JS-031).
            script.parts = [part for part in self.parts if ".RESET." not in part.subject]
        return script

    def api(self, subject: str, body: bytes | dict = b"") -> None:
        dice = self.dice
        body = self.bodies.text(body) if isinstance(body, dict) else body
        headers = dice.choice(LEVELS) if dice.random() < 0.01 else None
        # Only a consumer that is there can be reset: nobody else answers.
        self.parts.append(Send(API + subject, body, headers, is_answered="RESET" not in subject))

    def sent(self) -> list[Send]:
        return [part for part in self.parts if isinstance(part, Send)]

    def name(self) -> str:
        return self.dice.choice(STREAMS)

    def maybe(self, table: dict[str, list], most: int) -> bytes | dict:
        """A body, or none, which is as good."""
        return self.bodies.fields(table, most) if self.dice.random() < 0.7 else b""

    def empty(self) -> bytes:
        """The body of a request that takes none."""
        dice = self.dice
        return self.bodies.text({}) if dice.random() < 0.05 else b""

    # --- streams --------------------------------------------------------------------------------

    def create_stream(self, name: str = "", most: int = 4) -> None:
        dice = self.dice
        name = name or dice.choice("STTMMNN")
        given = self.bodies.stream(name, most)
        for flag in ["allow_direct", *self.theme.flags]:
            if dice.random() < 0.8:
                given.setdefault(flag, True)
        self.api(f"STREAM.CREATE.{name}", given)

    def update_stream(self) -> None:
        """Mostly what it was created with, changed a little: an update says everything."""
        dice = self.dice
        name = self.name()
        created = [part.body for part in self.sent() if part.subject == f"{API}STREAM.CREATE.{name}"]
        body = None
        with contextlib.suppress(ValueError):
            body = json.loads(created[-1]) if created and dice.random() < 0.9 else None
        if isinstance(body, dict):
            before = body.get("retention")
            body = self.bodies.fields(STREAM, 2, STREAM_ODD, **body)
            if body.get("retention") == "interest" != before:
                # What nobody wants then goes at once here, and with time on the reference (JS-057).
                body["retention"] = "limits"
        else:
            body = self.bodies.stream(name, 4)
        self.api(f"STREAM.UPDATE.{name}", body)

    def delete_stream(self) -> None:
        self.api(f"STREAM.DELETE.{self.name()}", self.empty())

    def purge(self) -> None:
        self.api(f"STREAM.PURGE.{self.name()}", self.maybe(PURGE, 2))

    def stream_views(self) -> None:
        dice = self.dice
        kind = dice.random()
        if kind < 0.4:
            self.api(f"STREAM.INFO.{self.name()}", self.maybe(INFO, 2))
        elif kind < 0.8:
            self.api(dice.choice(["STREAM.NAMES", "STREAM.LIST"]), self.maybe(PAGE, 2))
        else:
            self.api("INFO", self.empty())

    def message(self) -> None:
        """Gets or deletes one message by the API."""
        dice = self.dice
        if dice.random() < 0.6:
            self.api(f"STREAM.MSG.GET.{self.name()}", self.bodies.fields(GET, 2))
        else:
            body = {"seq": dice.choice([1, 1, 2, 3, 0, 100])}
            self.api(f"STREAM.MSG.DELETE.{self.name()}", self.bodies.fields({"no_erase": [True, False]}, 1, **body))

    def direct(self) -> None:
        dice = self.dice
        if dice.random() < 0.3:
            self.api(f"DIRECT.GET.{self.name()}.{dice.choice(['s.a', 's.b', 's.*', '>', 't.a'])}")
        else:
            body = self.bodies.fields(GET, 3)
            if "no_hdr" in body:
                # Without headers the reference does not count what is pending (JS-084).
                body.pop("batch", None)
            if "multi_last" in body and body.get("up_to_seq") not in (0, 1):
                # In files, the reference finds nothing up to a sequence that is still to come (JS-085).
                body.pop("up_to_seq", None)
            self.api(f"DIRECT.GET.{self.name()}", body)

    def clustered(self) -> None:
        """What needs a cluster, or the system account."""
        dice = self.dice
        name = self.name()
        subject = dice.choice(
            [f"STREAM.PEER.REMOVE.{name}", f"STREAM.LEADER.STEPDOWN.{name}", f"STREAM.PEER.EVACUATE.{name}"]
            + [f"STREAM.CANCEL_MOVE.{name}", f"CONSUMER.LEADER.STEPDOWN.{name}.c", f"CONSUMER.PEER.REMOVE.{name}.c"]
        )
        self.api(subject, self.bodies.fields({"peer": ["x"], "placement": [{"cluster": "x"}]}, 1))

    # --- publishing -----------------------------------------------------------------------------

    def publish(self) -> None:
        dice = self.dice
        headers = None
        if dice.random() < 0.5:
            names = dice.sample(list(HEADERS), dice.choice([1, 1, 1, 2, 2, 3]))
            headers = tuple((name, dice.choice(HEADERS[name])) for name in names)
        self.put(headers)

    def put(self, headers: tuple | None = None, body: bytes | None = None, reply: str | None = None) -> None:
        dice = self.dice
        if body is None:
            body = dice.choice([b"", b"x", b"hello", b"h" * 40, b"\xff\x00\r\n"])
        self.parts.append(Send(dice.choice(SUBJECTS), body, headers, reply, is_answered=False))

    def publish_many(self) -> None:
        for _ in range(self.dice.randint(2, 5)):
            self.put()

    def expect(self) -> None:
        """A publish that goes by what is there."""
        self.put(self.of("Nats-Expected-", "Nats-Msg-Id"))

    def schedule(self) -> None:
        headers = dict(self.of("Nats-Schedule", "Nats-TTL", "Nats-Rollup"))
        headers.setdefault("Nats-Schedule", "@every 1h")
        headers.setdefault("Nats-Schedule-Target", "s.t")
        self.put(tuple(headers.items()))

    def count(self) -> None:
        headers = [("Nats-Incr", self.dice.choice(HEADERS["Nats-Incr"][:4]))]
        if self.dice.random() < 0.1:
            headers += self.of("Nats-")
        self.put(tuple(headers), b"" if self.dice.random() < 0.95 else b"x")

    def of(self, *prefixes: str) -> tuple[tuple[str, str], ...]:
        dice = self.dice
        names = [name for name in HEADERS if name.startswith(prefixes)]
        names = dice.sample(names, dice.randint(1, min(3, len(names))))
        return tuple((name, dice.choice(HEADERS[name])) for name in names)

    def atomic(self) -> None:
        """A batch that appears at once; now and then with a fault."""
        dice = self.dice
        self.batches += 1
        size = dice.randint(1, 4)
        for seq in range(1, size + 1):
            if dice.random() < 0.04:
                continue
            headers = {"Nats-Batch-Id": f"b{self.batches}" if dice.random() < 0.98 else "b" * 65}
            headers["Nats-Batch-Sequence"] = str(seq) if dice.random() < 0.97 else dice.choice(["x", str(seq + 1)])
            if seq == size and dice.random() < 0.9:
                headers["Nats-Batch-Commit"] = dice.choice(["1", "1", "1", "eob", "x", "0"])
            if dice.random() < 0.2:
                headers |= dict(self.of(*CHECKED, "Nats-Incr", "Nats-Schedule"))
            self.put(tuple(headers.items()))
            if dice.random() < 0.05:
                self.put()

    def fast(self) -> None:
        """A batch that says how far it is; now and then with a fault."""
        dice = self.dice
        self.batches += 1
        flow = dice.choice(["1", "2", "10"] * 3 + ["0", "x", "65536"])
        gap = dice.choice(["ok", "fail"] * 3 + ["x"])
        seq = 0
        for place in range(dice.randint(1, 5)):
            seq += 1 if dice.random() < 0.93 else 2
            op = dice.choice("11111222234") if place else dice.choice("0000001245x")
            headers = self.of(*CHECKED) if dice.random() < 0.1 else None
            if op in "23" and headers and any(name == "Nats-Expected-Last-Msg-Id" for name, _ in headers):
                # A batch that was to end with that, and could not, never ends on the reference (JS-074).
                headers = None
            self.put(headers, reply=f"_IN.fast.b{self.batches}.{flow}.{gap}.{seq}.{op}.$FI")

    # --- consumers ------------------------------------------------------------------------------

    def create_consumer(self) -> None:
        dice = self.dice
        stream, name = self.name(), dice.choice(["c", "c", "d"])
        kind = dice.random()
        if kind < 0.1:
            self.api(f"CONSUMER.CREATE.{stream}", self.bodies.consumer(stream, "" if dice.random() < 0.9 else name))
            return
        body = self.bodies.consumer(stream, name)
        if self.had_filter(stream, name) and isinstance(body["config"], dict):
            # The reference delivers nothing new once a consumer's filters are all taken away (JS-096).
            if not body["config"].get("filter_subjects"):
                body["config"]["filter_subject"] = body["config"].get("filter_subject") or "s.>"
        if kind < 0.2:
            self.api(f"CONSUMER.DURABLE.CREATE.{stream}.{name}", body)
        elif kind < 0.3:
            subject = body["config"].get("filter_subject") if isinstance(body["config"], dict) else None
            is_subject = isinstance(subject, str) and subject and subject.isprintable() and " " not in subject
            self.api(f"CONSUMER.CREATE.{stream}.{name}.{subject if is_subject else 's.a'}", body)
        else:
            self.api(f"CONSUMER.CREATE.{stream}.{name}", body)

    def had_filter(self, stream: str, name: str) -> bool:
        return any(f".{stream}.{name}" in part.subject and b'"filter_subject' in part.body for part in self.sent())

    def plain_consumer(self, name: str) -> Send:
        config = {"durable_name": name, "ack_policy": "explicit", **self.dice.choice(COHERENT)}
        body = {"stream_name": "S", "config": config}
        return Send(f"{API}CONSUMER.CREATE.S.{name}", json.dumps(body).encode())

    def consumer(self) -> str:
        return f"{self.name()}.{self.dice.choice(CONSUMERS)}"

    def consumer_views(self) -> None:
        dice = self.dice
        if dice.random() < 0.5:
            self.api(f"CONSUMER.INFO.{self.consumer()}", self.empty())
        else:
            subject = dice.choice(["CONSUMER.NAMES", "CONSUMER.LIST"])
            self.api(f"{subject}.{self.name()}", self.maybe({"offset": PAGE["offset"]}, 1))

    def consumer_changes(self) -> None:
        dice = self.dice
        kind = dice.choice(["DELETE", "PAUSE", "PAUSE", "RESET", "RESET", "UNPIN"])
        body: bytes | dict = b""
        if kind == "DELETE":
            body = self.empty()
        elif kind == "PAUSE" and dice.random() < 0.8:
            body = self.bodies.fields({"pause_until": ["2020-01-02T03:04:05Z", FUTURE, "0001-01-01T00:00:00Z"]}, 1)
        elif kind == "RESET" and dice.random() < 0.8:
            body = self.bodies.fields({"seq": [0, 1, 2, 3, 100]}, 1)
        elif kind == "UNPIN":
            body = self.bodies.fields({"group": ["g", "h", ""]}, 1)
        self.api(f"CONSUMER.{kind}.{self.consumer()}", body)

    def pull(self) -> None:
        dice = self.dice
        kind = dice.random()
        body: bytes | dict
        if kind < 0.15:
            body = dice.choice([b"", b"1", b"2", b"0", b"-1", b"x", b" 2", b"2 "])
        else:
            body = self.bodies.fields(PULL, 3)
            if kind < 0.7 and isinstance(body, dict):
                body.setdefault("no_wait", True)
        text = self.bodies.text(body) if isinstance(body, dict) else body
        headers = dice.choice(LEVELS) if dice.random() < 0.01 else None
        self.parts.append(Send(f"{API}CONSUMER.MSG.NEXT.{self.consumer()}", text, headers, is_answered=False))

    def fetch(self) -> None:
        """A pull that gets what there is."""
        body = json.dumps({"batch": self.dice.randint(1, 5), "no_wait": True}).encode()
        self.parts.append(Send(f"{API}CONSUMER.MSG.NEXT.S.{self.dice.choice('ccd')}", body, is_answered=False))

    def ack(self) -> None:
        dice = self.dice
        self.parts.append(Send(f"@{dice.randint(0, 6)}", dice.choice(ACKS), is_answered=False))


@dataclass(frozen=True)
class Theme:
    """What a script is about, so that what belongs together meets: steps by weight, and what is there from the start."""

    steps: dict[str, float]
    flags: tuple[str, ...] = ()
    consumers: str = ""


THEMES = [
    Theme(
        {
            **{"create_stream": 2, "update_stream": 2, "delete_stream": 0.5, "purge": 1, "stream_views": 1},
            **{"message": 1.5, "direct": 1.5, "clustered": 0.2, "publish": 4, "publish_many": 2, "expect": 2},
            **{"schedule": 1, "count": 0.5, "atomic": 1, "fast": 1, "create_consumer": 4, "consumer_views": 1},
            **{"consumer_changes": 1.5, "pull": 3, "fetch": 2, "ack": 4},
        },
        consumers="c",
    ),
    Theme(
        {
            **{"create_consumer": 4, "publish_many": 2, "pull": 5, "fetch": 2, "ack": 6, "consumer_views": 1},
            **{"consumer_changes": 2, "purge": 0.5, "message": 0.5},
        },
        consumers="cd",
    ),
    Theme(
        {
            **{"publish": 6, "expect": 4, "publish_many": 2, "message": 2, "direct": 4, "purge": 1},
            **{"stream_views": 1, "update_stream": 1},
        },
        flags=("allow_msg_ttl", "allow_rollup_hdrs"),
    ),
    Theme(
        {"atomic": 5, "fast": 5, "publish": 2, "direct": 1, "message": 1, "stream_views": 1},
        flags=("allow_atomic", "allow_batched"),
    ),
    Theme(
        {"schedule": 5, "publish": 3, "message": 1, "purge": 1, "update_stream": 1, "stream_views": 1},
        flags=("allow_msg_schedules", "allow_msg_ttl"),
    ),
    Theme(
        {"count": 6, "publish": 2, "direct": 2, "atomic": 1, "purge": 1, "create_stream": 1},
        flags=("allow_msg_counter", "allow_atomic"),
    ),
    Theme(
        {
            **{"create_stream": 6, "update_stream": 6, "stream_views": 2, "delete_stream": 1, "publish_many": 1},
            **{"create_consumer": 2},
        },
    ),
    Theme({"create_consumer": 10, "consumer_views": 2, "consumer_changes": 3, "publish_many": 1, "pull": 2}),
]
