"""What a client does, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

API = "$JS.API."
INBOX = "_IN"
# The span that things take which take time: long beside what a step takes on a busy machine.
BEAT = 0.3


@dataclass(frozen=True)
class Send:
    """A message with an inbox of its own to answer to, unless it names another.

    `subject` may be `@N`: the reply subject of the Nth delivery, counted round. If there is none, nothing is sent.
    `<name-1>` and the like, in subject and body, stand for what the server made up; `<in 0.6>`, in headers and body, for the
    time in so many seconds.
    """

    subject: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] | None = None
    reply: str | None = None
    is_answered: bool = True

    def block(self) -> bytes:
        if self.headers is None:
            return b""
        return ("NATS/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in self.headers) + "\r\n").encode()


@dataclass(frozen=True)
class Listen:
    """A subscription."""

    subject: str
    group: str = ""


@dataclass(frozen=True)
class Wait:
    """Time passes: enough for everything that is due within so many beats."""

    beats: float


@dataclass(frozen=True)
class Transfer:
    """A stream is backed up, deleted and restored, with its consumers or without."""

    stream: str
    has_consumers: bool


Part = Send | Listen | Wait | Transfer


@dataclass
class Script:
    number: int
    parts: list[Part] = field(default_factory=list)

    @property
    def is_timed(self) -> bool:
        """Whether what comes depends on when."""
        return any(isinstance(part, Wait) for part in self.parts)

    @property
    def is_copying(self) -> bool:
        """Whether there may be streams that copy others."""
        return self.says(b"mirror") or self.says(b"source")

    @property
    def begins_ahead(self) -> bool:
        """Whether a consumer may begin behind the last message."""
        return self.says(b"by_start_sequence")

    def says(self, word: bytes) -> bool:
        return any(isinstance(part, Send) and word in part.body for part in self.parts)

    def without(self, start: int, stop: int) -> Script:
        """Fewer parts; none if it would end before what takes time is over."""
        parts = self.parts[:start] + self.parts[stop:]
        is_cut = self.is_timed and not (parts and isinstance(parts[-1], Wait))
        return Script(self.number, [] if is_cut else parts)

    def plainer(self) -> Iterator[Script]:
        """Scripts that are simpler in another way than by having fewer parts."""
        for place, part in enumerate(self.parts):
            if isinstance(part, Send) and part.headers and len(part.headers) > 1:
                for header in part.headers:
                    fewer = Send(part.subject, part.body, tuple(h for h in part.headers if h != header), part.reply)
                    yield Script(self.number, [*self.parts[:place], fewer, *self.parts[place + 1 :]])

    def show(self) -> str:
        return "\n".join(f"  {place}: {shown(part)}" for place, part in enumerate(self.parts, 1))


def shown(part: Part) -> str:
    if isinstance(part, Wait):
        return f"(wait {part.beats * BEAT:g} s)"
    if isinstance(part, Transfer):
        return f"(back {part.stream} up, delete and restore it, {'with' if part.has_consumers else 'without'} consumers)"
    if isinstance(part, Listen):
        return f"SUB {part.subject} {part.group}"
    headers = f" {dict(part.headers)}" if part.headers is not None else ""
    reply = f" (reply {part.reply})" if part.reply else ""
    return f"PUB {part.subject}{reply}{headers} {part.body.decode(errors='backslashreplace')}"
