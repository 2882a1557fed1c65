"""Plays one script as a client of an account and notes everything that came back."""

from __future__ import annotations

import asyncio
import json
import re
from bisect import bisect
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from os.path import commonprefix

from differential.play import Link
from differential.streams.normal import HEARTBEAT, Aliases, normal_events
from differential.streams.script import API, BEAT, INBOX, Listen, Part, Script, Send, Transfer, Wait
from differential.streams.transfer import BACKUP, transfer

PATIENCE = 2.0
MOST_MESSAGES = 30
# Nothing tells a client when a message has been copied from stream to stream: then quiet has to last longer.
COPYING = 5
# Where time counts, steps have to be short.
TIMED_QUIET = 0.01
IN = re.compile(r"<in ([\d.]+)>")
CONTEXT = 40


@dataclass(frozen=True)
class Outcome:
    """What came, by the subscription or inbox it came to."""

    got: tuple[tuple[str, tuple[str, ...]], ...]

    def agrees(self, other: Outcome) -> bool:
        return self.got == other.got

    def beside(self, other: Outcome) -> str:
        """Where the two differ, line by line."""
        left, right = dict(self.got), dict(other.got)
        lines = []
        for label in sorted({*left, *right}, key=lambda label: (label == "event", label)):
            ours, theirs = left.get(label, ()), right.get(label, ())
            only_left, only_right = subtract(ours, theirs), subtract(theirs, ours)
            for one, two in zip_longest(only_left, only_right, fillvalue=""):
                start, stop = apart(one, two)
                lines += [f"{label}: left  {excerpt(one, start, stop)}", f"{label}: right {excerpt(two, start, stop)}"]
            if sorted(ours) == sorted(theirs) and ours != theirs:
                lines.append(f"{label}: in another order\n  left {ours}\n  right {theirs}")
        return "\n".join(lines)


def apart(one: str, other: str) -> tuple[int, int]:
    """How many characters the two share at the start, and at the end."""
    if not one or not other:
        return 0, 0
    start = len(commonprefix([one, other]))
    return start, len(commonprefix([one[start:][::-1], other[start:][::-1]]))


def excerpt(text: str, start: int, stop: int) -> str:
    first, last = max(0, start - CONTEXT), min(len(text), len(text) - stop + CONTEXT)
    return f"{text[:CONTEXT]} … {text[first:last]}" if start > 2 * CONTEXT else text[:last]


def subtract(a: tuple[str, ...], b: tuple[str, ...]) -> list[str]:
    rest = list(b)
    return [line for line in a if line not in rest or rest.remove(line)]


@dataclass(frozen=True)
class Message:
    subject: str
    reply: str
    head: str
    body: str

    def show(self) -> str:
        return f"{self.subject} {self.reply} {self.head!r} {self.body}"


class Inbox(Link):
    """A connection whose messages are sorted by subscription."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[tuple[str, Message]] = []
        # Pieces of an archive, with the subjects to acknowledge them on.
        self.pieces: list[tuple[str, bytes]] = []
        self.pongs = 0
        self.errors: list[str] = []

    def data_received(self, data: bytes) -> None:
        self.data += data
        while self.take_frame():
            pass
        self.changed.set()

    def take_frame(self) -> bool:
        end = self.data.find(b"\r\n")
        if end < 0:
            return False
        line = self.data[:end].decode()
        at = end + 2
        if line.startswith(("MSG ", "HMSG ")):
            fields = line.split(" ")
            sizes = 2 if fields[0] == "HMSG" else 1
            stop = at + int(fields[-1])
            if len(self.data) < stop + 2:
                return False
            body = at + (int(fields[-2]) if sizes == 2 else 0)
            parts = (self.data[at:body], self.data[body:stop])
            head, payload = (bytes(part).decode(errors="backslashreplace") for part in parts)
            reply = fields[3] if len(fields) == 4 + sizes else ""
            if fields[2] == BACKUP:
                self.pieces.append((reply, bytes(parts[1])))
            else:
                self.messages.append((fields[2], Message(fields[1], reply, head, payload)))
            at = stop + 2
        elif line == "PING":
            self.transport.write(b"PONG\r\n")
        elif line == "PONG":
            self.pongs += 1
        elif line.startswith("-ERR"):
            self.errors.append(line)
        del self.data[:at]
        return True

    def send(self, message: Send, reply: str) -> None:
        block = message.block()
        sizes = f"{len(block)} {len(block) + len(message.body)}" if block else str(len(message.body))
        line = f"{'HPUB' if block else 'PUB'} {message.subject} {reply} {sizes}\r\n"
        self.transport.write(line.encode() + block + message.body + b"\r\n")

    async def fence(self) -> None:
        want = self.pongs + 1
        self.transport.write(b"PING\r\n")
        await self.until(lambda: self.pongs >= want, PATIENCE)

    async def settle(self, quiet: float) -> None:
        """Waits until nothing comes for a while."""
        while not self.ended:
            heard = len(self.messages)
            await self.fence()
            await asyncio.sleep(quiet)
            if len(self.messages) == heard:
                return


class Player:
    """Plays scripts, one after the other, as a client of one account of one server."""

    def __init__(self, port: int, user: str, *, quiet: float = 0.002):
        self.port, self.user, self.quiet = port, user, quiet

    async def play(self, script: Script, patience: float | None = None) -> Outcome:
        loop = asyncio.get_running_loop()
        _, link = await loop.create_connection(Inbox, "127.0.0.1", self.port)
        try:
            return await Session(link, patience or self.quiet, script).play(self.user)
        finally:
            link.transport.abort()

    def close(self) -> None:
        pass


def consumer_of(heard: tuple[str, Message]) -> list[str]:
    """Who delivered a message to a subject where others deliver, too: what comes first of theirs is up to chance."""
    sid, message = heard
    return message.reply.split(".")[2:4] if sid != "1" and message.reply.startswith("$JS.ACK.") else []


def is_heartbeat(message: Message) -> bool:
    return HEARTBEAT in message.head


def on_time(text: str) -> str:
    """The text with times that are so and so far away. They are no whole seconds, so that they are masked where they come back."""

    def time(span: re.Match) -> str:
        moment = datetime.now(UTC) + timedelta(seconds=float(span[1]))
        return moment.replace(microsecond=moment.microsecond or 1).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    return IN.sub(time, text)


class Session:
    """One script on one connection."""

    def __init__(self, link: Inbox, quiet: float, script: Script):
        self.link, self.script = link, script
        self.quiet = quiet * COPYING if script.is_copying else min(quiet, TIMED_QUIET) if script.is_timed else quiet
        self.aliases = Aliases(is_copying=script.is_copying, begins_ahead=script.begins_ahead)
        self.labels = {"1": "answer", "2": "event"}
        self.deliveries: list[str] = []
        self.heard = 0
        # What had been heard when each wait began.
        self.waits: list[int] = []

    async def play(self, user: str) -> Outcome:
        connect = {"user": user, "pass": "p", "verbose": False, "pedantic": False}
        connect |= {"headers": True, "no_responders": True}
        self.link.transport.write(f"CONNECT {json.dumps(connect)}\r\nSUB {INBOX}.> 1\r\n".encode())
        await self.clear()
        self.link.transport.write(b"SUB $JS.EVENT.> 2\r\n")
        for place, part in enumerate([Send(API + "INFO"), *self.script.parts]):
            await self.step(str(place), part)
        await self.look()
        got = self.outcome()
        await self.clear()
        return got

    async def clear(self) -> None:
        """Deletes all streams of the account, and hears what is said of that."""
        names = await self.ask("STREAM.NAMES")
        for name in names.get("streams") or []:
            await self.ask(f"STREAM.DELETE.{name}")
        await self.link.settle(self.quiet)
        self.link.messages.clear()

    async def ask(self, subject: str) -> dict:
        answers = await self.send("ask", Send(API + subject))
        self.link.messages = [(sid, m) for sid, m in self.link.messages if m not in answers]
        return json.loads(answers[0].body) if answers else {}

    async def send(self, label: str, message: Send) -> list[Message]:
        """Sends a message and waits for its first answer, if one must come."""
        reply = message.reply or f"{INBOX}.{label}"
        self.link.send(message, reply)

        def answers() -> list[Message]:
            return [m for sid, m in self.link.messages if sid == "1" and m.subject == reply]

        if message.is_answered:
            await self.link.until(answers, PATIENCE)
        return answers()

    async def step(self, label: str, part: Part) -> None:
        if isinstance(part, Wait):
            self.waits.append(self.heard)
            await asyncio.sleep(part.beats * BEAT)
        elif isinstance(part, Transfer):
            await transfer(self, label, part)
        elif isinstance(part, Listen):
            sid = str(len(self.labels) + 1)
            self.labels[sid] = f"{part.subject} {part.group}".strip()
            self.link.transport.write(f"SUB {part.subject} {part.group} {sid}\r\n".encode())
        elif (message := self.made_real(part)) is not None:
            await self.send(label, message)
        await self.link.settle(self.quiet)
        if self.script.is_timed:
            self.thin_heartbeats(is_wanted=isinstance(part, Wait))
        self.notice()

    def thin_heartbeats(self, *, is_wanted: bool) -> None:
        """How many heartbeats come is up to chance, and between steps whether any does: the last one of each wait is left."""
        new = self.link.messages[self.heard :]
        last = {(sid, message.subject): at for at, (sid, message) in enumerate(new) if is_heartbeat(message)}
        kept = set(last.values()) if is_wanted else set()
        self.link.messages[self.heard :] = [
            (sid, message) for at, (sid, message) in enumerate(new) if at in kept or not is_heartbeat(message)
        ]

    def made_real(self, message: Send) -> Send | None:
        """The message as this server has to get it; `None` if it answers a delivery that never came."""
        subject = message.subject
        if subject.startswith("@"):
            if not self.deliveries:
                return None
            subject = self.deliveries[int(subject[1:]) % len(self.deliveries)]
        body = on_time(self.aliases.to_real(message.body.decode("latin-1"))).encode("latin-1")
        headers = message.headers and tuple((name, on_time(value)) for name, value in message.headers)
        return replace(message, subject=self.aliases.to_real(subject), body=body, headers=headers)

    def notice(self) -> None:
        """Learns from what came since the last step. What was delivered counts in an order that all servers share."""
        new = self.link.messages[self.heard :]
        self.heard = len(self.link.messages)
        for _, message in new:
            self.aliases.learn(message.head + message.body)
        delivered = [(sid, message) for sid, message in new if message.reply.startswith("$JS.ACK.")]
        delivered.sort(key=lambda heard: (heard[0], consumer_of(heard)))
        self.deliveries += [message.reply for _, message in delivered]

    async def look(self) -> None:
        """Asks for all that there is in the end."""
        for stream in (await self.ask("STREAM.NAMES")).get("streams") or []:
            for subject, body in [
                (f"STREAM.INFO.{stream}", b'{"deleted_details":true,"subjects_filter":">"}'),
                (f"CONSUMER.LIST.{stream}", b""),
            ]:
                await self.send(f"{subject}", Send(API + subject, body))
            state = (await self.ask(f"STREAM.INFO.{stream}")).get("state", {})
            last = state.get("last_seq", 0)
            for seq in range(max(state.get("first_seq", 0), last - MOST_MESSAGES, 1), last + 1):
                await self.send(f"{stream}.{seq}", Send(f"{API}STREAM.MSG.GET.{stream}", b'{"seq":%d}' % seq))
        await self.send("INFO", Send(API + "INFO"))
        await self.link.settle(self.quiet)
        self.notice()

    def outcome(self) -> Outcome:
        got: dict[str, list[str]] = {}
        epochs = [bisect(self.waits, place) for place in range(len(self.link.messages))]
        heard = zip(epochs, self.link.messages, strict=True)
        for epoch, (sid, message) in sorted(heard, key=lambda one: (one[0], consumer_of(one[1]))):
            label = message.subject if sid == "1" else self.labels[sid]
            if (line := self.aliases.normal(message.show())) is not None:
                got.setdefault(label, []).append(f"{epoch}: {line}" if self.waits else line)
        # Events come from all over a server: they have no order.
        if "event" in got:
            got["event"] = normal_events(got["event"])
        if self.link.errors or self.link.ended:
            got["connection"] = [*self.link.errors, "ended" if self.link.ended else "open"]
        return Outcome(tuple(sorted((label, tuple(lines)) for label, lines in got.items())))
