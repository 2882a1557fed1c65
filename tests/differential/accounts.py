"""Random accounts, permissions, exports, imports and mappings: which subscriber gets which message."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from pathlib import Path

from differential.frames import MADE_REPLY, cut, normal_message
from harness.server import Server, ServerError
from harness.wire import Connection, WireError

NAMES = ["A", "B", "C", "D"]
STREAMS = ["s.>", "s.*", "s.a", "t.*.b", "t.>", "u"]
SERVICES = ["q.a", "q.*", "q.>", "r.*.*", "v"]
SUBJECTS = ["s.a", "s.b", "s.a.b", "t.a.b", "t.b.b", "u", "q.a", "q.b", "q.a.b", "r.a.b", "v", "l.a", "l.b", "m.a.b"]
PATTERNS = [">", "*", "s.>", "s.*", "t.*.b", "q.>", "q.*", "*.a", "*.*", "p.>", "l.>", "l.*", "m.*.*", "r.>", *SUBJECTS]
REPEATS = 6
REQUEST_INFO = re.compile(rb"Nats-Request-Info: [^\r]*")


@dataclass
class User:
    name: str
    account: str
    permissions: str
    subscriptions: list[str]


@dataclass
class Plan:
    """A configuration, and who subscribes and publishes what under it."""

    number: int
    config: str
    users: list[User]
    publishes: list[tuple[int, str, str]] = field(default_factory=list)

    def show(self) -> str:
        lines = [f"plan {self.number}", self.config]
        lines += [f"{user.name} subscribes {user.subscriptions}" for user in self.users]
        lines += [
            f"{self.users[who].name} publishes {subject} {reply} as {n}"
            for n, (who, subject, reply) in enumerate(self.publishes)
        ]
        return "\n".join(lines)


class Planner:
    """Makes plan `number` of a seed."""

    def __init__(self, seed: int, number: int):
        self.random = random.Random(f"accounts:{seed}:{number}")
        self.number = number
        self.exports: dict[str, list[tuple[str, str, str]]] = {}

    def plan(self) -> Plan:
        dice = self.random
        names = NAMES[: dice.randint(2, 4)]
        for name in names:
            self.exports[name] = self.make_exports(names, name)
        users = [self.user(name, n) for name in names for n in range(dice.randint(1, 2))]
        blocks = [self.account(name, [u for u in users if u.account == name]) for name in names]
        config = "accounts {\n" + "\n".join(blocks) + "\n}\n"
        publishes = [
            (dice.randrange(len(users)), dice.choice(SUBJECTS), dice.choice(["", "", "in.1", "in.2"]))
            for _ in range(dice.randint(4, 14))
        ]
        return Plan(self.number, config, users, publishes)

    def user(self, account: str, number: int) -> User:
        dice = self.random
        subscriptions = dice.sample(PATTERNS, dice.randint(1, 4))
        subscriptions.append("in.*" if dice.random() < 0.7 else "in.1")
        permissions, allowed = self.permissions()
        # What a subscription that reaches further than its allow list gets differs (SEC-037).
        subscriptions = [wanted for wanted in subscriptions if not reaches_further(wanted, allowed)]
        return User(f"{account.lower()}{number}", account, permissions, subscriptions)

    def permissions(self) -> tuple[str, list[str]]:
        """Permissions as text, and what may be subscribed to if not everything."""
        dice = self.random
        if dice.random() < 0.6:
            return "", []
        parts = []
        allowed = []
        for kind in ("publish", "subscribe"):
            if dice.random() < 0.6:
                lists = {
                    verb: dice.sample(PATTERNS, dice.randint(1, 3)) for verb in ("allow", "deny") if dice.random() < 0.5
                }
                if lists:
                    parts.append(f"{kind}: {{ {', '.join(f'{verb}: {patterns!r}' for verb, patterns in lists.items())} }}")
                if kind == "subscribe":
                    allowed = lists.get("allow", [])
        if dice.random() < 0.2:
            parts.append("allow_responses: " + dice.choice(["true", "{ max: 2 }"]))
        return f", permissions: {{ {', '.join(parts)} }}" if parts else "", allowed

    def make_exports(self, names: list[str], own: str) -> list[tuple[str, str, str]]:
        dice = self.random
        found = []
        for kind, subjects in (("stream", STREAMS), ("service", SERVICES)):
            # The reference leaves to chance which of two overlapping exports decides: they say the same.
            extra = ""
            if dice.random() < 0.25:
                others = dice.sample([n for n in names if n != own], 1)
                extra = f", accounts: [{', '.join(others)}]"
            elif kind == "service" and dice.random() < 0.3:
                extra = f", response_type: {dice.choice(['Singleton', 'Stream', 'Chunked'])}"
            found += [(kind, subject, extra) for subject in dice.sample(subjects, dice.randint(0, 2))]
        return found

    def account(self, name: str, users: list[User]) -> str:
        dice = self.random
        lines = [f"  {name} {{", "    users: ["]
        lines += [f"      {{ user: {user.name}, password: x{user.permissions} }}" for user in users]
        lines.append("    ]")
        if exports := self.exports[name]:
            lines.append("    exports: [")
            lines += [f"      {{ {kind}: {subject!r}{extra} }}" for kind, subject, extra in exports]
            lines.append("    ]")
        if imports := self.imports(name):
            lines += ["    imports: [", *imports, "    ]"]
        if dice.random() < 0.25:
            lines.append("    mappings: { " + dice.choice(['l.a: s.a', '"l.*": "q.$1"', '"m.*.*": "s.$2.$1"']) + " }")
        return "\n".join([*lines, "  }"])

    def imports(self, name: str) -> list[str]:
        dice = self.random
        lines = []
        for other, exports in self.exports.items():
            for kind, subject, extra in exports:
                # Mostly one way, as most cycles are refused.
                if other == name or dice.random() < (0.9 if other < name else 0.3) or (f"[{name}]" not in extra and "accounts" in extra):
                    continue
                taken = self.narrowed(subject)
                stars = taken.count("*")
                target = ""
                if kind == "stream" and dice.random() < 0.3:
                    target = ', prefix: "p"'
                elif dice.random() < 0.4 and not taken.endswith(">"):
                    words = ["l", "m"][stars > 1] if stars else "l.a"
                    target = f', to: "{".".join([words, *(f"${n}" for n in range(stars, 0, -1))])}"'
                share = ", share: true" if kind == "service" and dice.random() < 0.2 else ""
                lines.append(f'      {{ {kind}: {{ account: {other}, subject: "{taken}" }}{target}{share} }}')
        return lines

    def narrowed(self, subject: str) -> str:
        dice = self.random
        if dice.random() < 0.5:
            return subject
        return ".".join(dice.choice("ab") if token == "*" else token for token in subject.split(".")).replace(
            ">", dice.choice([">", "a", "a.b", "*"])
        )


def played(plan: Plan, binary: Path, directory: Path) -> dict[str, list[bytes]]:
    """What every user got, in an order of its own; the texts of a refusal are no part of it."""
    try:
        with Server(binary, directory, plan.config, check_exit=False) as server:
            return exchange(plan, server)
    except ServerError:
        return {"refused": []}


def exchange(plan: Plan, server: Server) -> dict[str, list[bytes]]:
    got: dict[str, bytearray] = {user.name: bytearray() for user in plan.users}
    links: list[Connection] = []
    try:
        for user in plan.users:
            link = server.connect()
            links.append(link)
            link.handshake(user=user.name, headers=True, no_responders=True, **{"pass": "x"})
            for sid, subject in enumerate(user.subscriptions):
                link.send(f"SUB {subject} {sid}")
            collect(got[user.name], link)
        for number, (who, subject, reply) in enumerate(plan.publishes):
            links[who].publish(subject, str(number).encode(), reply)
            collect(got[plan.users[who].name], links[who])
        collect_all(plan, links, got)
        answer(plan, links, got)
        collect_all(plan, links, got)
    except WireError as error:
        got["broken"] = bytearray(str(error).split("unread")[0].encode())
    finally:
        for link in links:
            link.close()
    return {name: sorted(normal_frame(frame) for frame in cut(bytes(data))) for name, data in got.items()}


def reaches_further(wanted: str, allowed: list[str]) -> bool:
    """Whether something of what `wanted` selects is allowed, but not everything."""
    return any(overlaps(pattern, wanted) for pattern in allowed) and not any(covers(p, wanted) for p in allowed)


def overlaps(one: str, other: str) -> bool:
    """Whether a subject can be selected by both patterns."""
    ones, others = one.split("."), other.split(".")
    for a, b in zip(ones, others, strict=False):
        if ">" in (a, b):
            return True
        if a != b and "*" not in (a, b):
            return False
    return len(ones) == len(others)


def covers(pattern: str, other: str) -> bool:
    """Whether everything that `other` (a subject or a pattern) selects is selected by `pattern`."""
    wide, narrow = pattern.split("."), other.split(".")
    for place, token in enumerate(wide):
        if token == ">":
            return len(narrow) > place
        if place == len(narrow) or narrow[place] == ">" or token not in ("*", narrow[place]):
            return False
    return len(wide) == len(narrow)


def collect(into: bytearray, link: Connection) -> None:
    """Everything up to the answer to a PING."""
    link.send("PING")
    while not link.buffer.endswith(b"PONG\r\n"):
        link.fill()
    into += link.buffer.removesuffix(b"PONG\r\n")
    link.buffer.clear()


def collect_all(plan: Plan, links: list[Connection], got: dict[str, bytearray]) -> None:
    for _ in range(2):
        for user, link in zip(plan.users, links, strict=True):
            collect(got[user.name], link)


def answer(plan: Plan, links: list[Connection], got: dict[str, bytearray]) -> None:
    """Everyone answers once to every reply subject it was given, then once more to the first."""
    for user, link in zip(plan.users, links, strict=True):
        replies = []
        for frame in cut(bytes(got[user.name])):
            fields = frame.partition(b"\r\n")[0].split(b" ")
            wanted = {b"MSG": 5, b"HMSG": 6}.get(fields[0])
            if wanted == len(fields) and fields[3] not in replies:
                replies.append(fields[3])
        for reply in [*replies, *replies[:1]]:
            link.publish(reply.decode(), f"answer of {user.name}".encode())
        collect(got[user.name], link)


def normal_frame(frame: bytes) -> bytes:
    if not frame.startswith((b"MSG ", b"HMSG ")):
        return MADE_REPLY.sub(b"_R_", frame)
    frame = normal_message(frame)
    if REQUEST_INFO.search(frame):
        head, _, body = frame.partition(b"\r\n")
        head = b" ".join(head.split(b" ")[:-2])
        frame = head + b"\r\n" + re.sub(rb'"(rtt|id)":\d+|"(start|server)":"[^"]*"', b"_", body)
    return frame


def compare_accounts(left: Path, right: Path, directory: Path, *, count: int, seed: int, first: int = 0) -> list[str]:
    """Plays plans on both servers; returns the ones with differences, as text.

    Where several answers are right (which of two equal exports is taken, whether a cycle is met first), the
    servers are asked again: they differ when no answer of the one is an answer of the other.
    """
    found = []
    for number in range(first, first + count):
        plan = Planner(seed, number).plan()
        ones, others = [], []
        for again in range(REPEATS):
            ones.append(played(plan, left, directory / f"{number}-left-{again}"))
            others.append(played(plan, right, directory / f"{number}-right-{again}"))
            if any(one == other for one in ones for other in others):
                break
        else:
            found.append(plan.show() + "\n" + describe(ones[0], others[0]))
    return found


def describe(one: dict[str, list[bytes]], other: dict[str, list[bytes]]) -> str:
    lines = []
    for name in sorted({*one, *other}):
        left, right = one.get(name), other.get(name)
        if left == right:
            continue
        if left is None or right is None:
            lines.append(f"{name}: left {left!r}, right {right!r}")
            continue
        lines += [f"{name}: only left {frame!r}" for frame in subtract(left, right)]
        lines += [f"{name}: only right {frame!r}" for frame in subtract(right, left)]
    return "\n".join(lines)


def subtract(a: list[bytes], b: list[bytes]) -> list[bytes]:
    rest = list(b)
    result = []
    for item in a:
        if item in rest:
            rest.remove(item)
        else:
            result.append(item)
    return result
