"""Random control-line scripts: mostly well-formed, some bent, some broken."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

TOKENS = ["a", "b", "c", "foo", "bar", "x1", "ünï", "*", ">", "a*", ">b", "$SYS", "_INBOX", "_R_", "$JS", "ACK", ""]
WEIGHTS = [9, 9, 6, 6, 4, 2, 1, 7, 5, 1, 1, 1, 3, 1, 1, 1, 1]
PLAIN = ["a", "b", "c", "foo", "a.b", "a.b.c", "foo.bar", "b.a", "a.b.c.d"]
# Without -ERR: whether the reference still does what stands behind it in the same read is left to chance.
VERBS = ["PUB", "SUB", "UNSUB", "HPUB", "PING", "PONG", "CONNECT", "INFO", "+OK", "MSG", "RS+", "LMSG", "HELLO"]
SIZES = ["0", "1", "2", "00", "007", "-1", "+1", "1.5", "x", "", "999999999", "9999999999", "18446744073709551617", "0x2"]
HEADERS = [
    b"NATS/1.0\r\n\r\n",
    b"NATS/1.0\r\nA: b\r\n\r\n",
    b"NATS/1.0\r\nA:\r\nB : c\r\n\r\n",
    b"NATS/1.0 503\r\n\r\n",
    b"not a header",
    b"\r\n\r\n",
    b"",
]
LONE_RETURN = re.compile(rb"\r(?!\n)")
SPACE = [" ", "  ", "\t", " \t "]


@dataclass
class Script:
    """What one connection sends: whole lines (with payloads), and where the bytes are cut when written."""

    number: int
    parts: list[bytes]
    cuts: list[int] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        return b"".join(self.parts)

    def segments(self) -> list[bytes]:
        data = self.data
        edges = [0, *sorted({cut for cut in self.cuts if 0 < cut < len(data)}), len(data)]
        return [data[a:b] for a, b in zip(edges, edges[1:], strict=False) if a < b]

    def plainer(self) -> Iterator[Script]:
        """The same in one piece."""
        if self.cuts:
            yield Script(self.number, self.parts)

    def show(self) -> str:
        sent = "\n".join(f"  {part!r}" for part in self.parts)
        return sent + (f"\n  cut at {sorted(self.cuts)}" if self.cuts else "")

    def without(self, start: int, stop: int) -> Script:
        return Script(self.number, self.parts[:start] + self.parts[stop:], self.cuts)


class Generator:
    """Makes script `number` of a seed; the same pair always gives the same bytes."""

    def __init__(self, seed: int, number: int):
        self.random = random.Random(f"{seed}:{number}")
        self.number = number
        self.sids = ["1", "2", "3"]

    def script(self) -> Script:
        dice = self.random
        parts = []
        if dice.random() < 0.9:
            parts.append(self.connect())
        parts += [self.step() for _ in range(dice.randint(1, 10))]
        if dice.random() < 0.25:
            parts = self.mutate(parts)
        script = Script(self.number, parts)
        if dice.random() < 0.5:
            size = len(script.data)
            script.cuts = [dice.randrange(1, size) for _ in range(dice.randint(1, 6))] if size > 1 else []
        return script

    # --- well-formed pieces --------------------------------------------------------------------

    def connect(self) -> bytes:
        dice = self.random
        body: dict[str, object] = {"verbose": dice.random() < 0.25, "pedantic": dice.random() < 0.25}
        if dice.random() < 0.2:
            body["echo"] = dice.random() < 0.5
        if dice.random() < 0.6:
            body["headers"] = True
            if dice.random() < 0.5:
                body["no_responders"] = True
        if dice.random() < 0.3:
            body["protocol"] = dice.choice([0, 1, 1, 1, 2, -1])
        if dice.random() < 0.05:
            body[dice.choice(["lang", "name", "user", "pass", "jwt", "auth_token", "verbose", "odd"])] = dice.choice(
                ["x", 1, None, True, {}, "é"]
            )
        return b"CONNECT " + json.dumps(body).encode() + self.line_end()

    def step(self) -> bytes:
        dice = self.random
        kind = dice.random()
        if kind < 0.32:
            return self.subscribe()
        if kind < 0.44:
            return self.unsubscribe()
        if kind < 0.74:
            return self.publish()
        if kind < 0.88:
            return self.publish_headers()
        if kind < 0.94:
            return self.case(dice.choice(["PING", "PONG"])) + self.line_end()
        if kind < 0.96:
            return self.connect()
        return self.odd()

    def subscribe(self) -> bytes:
        dice = self.random
        if dice.random() < 0.2:
            group = dice.choice("ab")
            return self.control("SUB", self.subject(), group, f"Q{group}{dice.randint(1, 3)}")
        return self.control("SUB", self.subject(), dice.choice(self.sids))

    def unsubscribe(self) -> bytes:
        dice = self.random
        if dice.random() < 0.5:
            return self.control("UNSUB", dice.choice(self.sids))
        return self.control("UNSUB", dice.choice(self.sids), dice.choice(["1", "2", "3", "0", "-1", "x", "9999999999"]))

    def publish(self) -> bytes:
        payload = self.payload()
        return self.control("PUB", *self.target(), str(len(payload))) + payload + b"\r\n"

    def publish_headers(self) -> bytes:
        head, payload = self.random.choice(HEADERS), self.payload()
        sizes = (str(len(head)), str(len(head) + len(payload)))
        return self.control("HPUB", *self.target(), *sizes) + head + payload + b"\r\n"

    def target(self) -> list[str]:
        dice = self.random
        fields = [dice.choice(PLAIN) if dice.random() < 0.75 else self.subject()]
        if dice.random() < 0.3:
            fields.append(dice.choice([*PLAIN, "_INBOX.1", "_R_.x", "$JS.ACK.a", "_GR_.a"]))
        return fields

    def payload(self) -> bytes:
        dice = self.random
        if dice.random() < 0.1:
            return dice.choice([b"\r\n", b"PING\r\n", b"\0\xff", b"x" * 64, b"x" * 65, b"y" * 300])
        return dice.choice([b"", b"1", b"hi", b"hello"])

    def subject(self) -> str:
        dice = self.random
        if dice.random() < 0.4:
            return dice.choice([*PLAIN, ">", "*", "a.*", "a.>", "*.b", "*.*"])
        return ".".join(dice.choices(TOKENS, WEIGHTS, k=dice.randint(1, 4))) or "a"

    # --- bent pieces ---------------------------------------------------------------------------

    def odd(self) -> bytes:
        dice = self.random
        if dice.random() < 0.5:
            fields = [dice.choice([*PLAIN, *SIZES]) for _ in range(dice.randint(0, 5))]
            return self.control(dice.choice(VERBS), *fields)
        return self.control("PUB", dice.choice(PLAIN), dice.choice(SIZES)) + self.payload() + b"\r\n"

    def control(self, verb: str, *fields: str) -> bytes:
        dice = self.random
        line = self.case(verb).decode()
        for one in fields:
            line += (" " if dice.random() < 0.9 else dice.choice(SPACE)) + one
        if dice.random() < 0.03:
            line += dice.choice(SPACE)
        return line.encode() + self.line_end()

    def case(self, verb: str) -> bytes:
        dice = self.random
        if dice.random() < 0.85:
            return verb.encode()
        return "".join(dice.choice([letter, letter.lower()]) for letter in verb).encode()

    def line_end(self) -> bytes:
        return b"\r\n" if self.random.random() < 0.97 else b"\n"

    def mutate(self, parts: list[bytes]) -> list[bytes]:
        dice = self.random
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(parts))
            data = bytearray(parts[at])
            if not data:
                continue
            where = dice.randrange(len(data))
            match dice.randrange(5):
                case 0:
                    data[where] ^= 1 << dice.randrange(8)
                case 1:
                    del data[where]
                case 2:
                    data.insert(where, dice.choice(b" \n\tAa0.*>+-\0"))
                case 3:
                    data = data[:where]
                case _:
                    parts.insert(at, parts[at])
                    continue
            parts[at] = bytes(data)
        # What a carriage return inside a line does on the reference depends on where the reads end.
        return [LONE_RETURN.sub(b"", part) for part in parts]
