"""Plays one script on one connection and notes everything that came back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from differential.frames import normal
from differential.generate import Script

FENCE = b"PING\r\n"


@dataclass(frozen=True)
class Outcome:
    """What a server did with a script: its answer, how the connection stood at the end, what another one got."""

    frames: tuple[bytes, ...]
    state: str
    peer: tuple[bytes, ...] = ()
    reset: bool = False

    def agrees(self, other: Outcome) -> bool:
        if (self.frames, self.state, self.peer) == (other.frames, other.state, other.peer):
            return True
        # A reset throws away what was on its way: then all that arrived must agree.
        if (self.reset or other.reset) and self.peer == other.peer and "open" not in (self.state, other.state):
            count = min(len(self.frames), len(other.frames))
            return self.frames[:count] == other.frames[:count]
        return False

    def beside(self, other: Outcome) -> str:
        return f"left:\n{self.show()}\nright:\n{other.show()}"

    def show(self) -> str:
        lines = [f"  {frame!r}" for frame in self.frames] + [f"  peer {frame!r}" for frame in self.peer]
        return "\n".join([*lines, f"  ({self.state}{', reset' if self.reset else ''})"])


class Link(asyncio.Protocol):
    """A connection as a buffer with an event."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.changed = asyncio.Event()
        self.ended = False
        self.reset = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.changed.set()

    def eof_received(self) -> bool:
        self.ended = True
        self.changed.set()
        return True

    def connection_lost(self, error) -> None:
        self.ended = True
        self.reset = error is not None
        self.changed.set()

    async def until(self, done, timeout: float) -> bool:
        """Waits until `done()` or the end of the stream; false when neither came in time."""
        try:
            async with asyncio.timeout(timeout):
                while not (done() or self.ended):
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            return False
        return True


async def connect(port: int) -> Link:
    _, link = await asyncio.get_running_loop().create_connection(Link, "127.0.0.1", port)
    return link


class Player:
    """Plays scripts, one after the other, against one server."""

    def __init__(self, port: int, *, peer: bool, patience: float = 0.05):
        self.port = port
        self.patience = patience
        self.wants_peer = peer
        self.peer: Link | None = None

    async def play(self, script: Script, patience: float | None = None) -> Outcome:
        try:
            return await self.played(script, patience)
        except OSError as error:
            return Outcome((str(error).encode(),), "unreachable")

    async def played(self, script: Script, patience: float | None) -> Outcome:
        if self.wants_peer and (self.peer is None or self.peer.ended):
            await self.start_peer()
        link = await connect(self.port)
        await link.until(lambda: b"\r\n" in link.data, 5)
        segments = script.segments()
        for segment in segments:
            link.transport.write(segment)
            if len(segments) > 1:
                await asyncio.sleep(0)
        link.transport.write(FENCE)
        pings = script.data.upper().count(b"PING") + 1
        in_time = await link.until(lambda: link.data.count(b"PONG\r\n") >= pings, patience or self.patience)
        closed = in_time and link.ended
        if not link.ended:
            try:
                link.transport.write_eof()
            except (OSError, RuntimeError):
                closed = True
            if not await link.until(lambda: False, 10):
                link.transport.abort()
                return Outcome((b"still open after the end of input",), "stuck")
        link.transport.abort()
        data = bytes(link.data)
        state = "open" if data.endswith(b"PONG\r\n") and not closed else "closed" if closed else "waiting"
        return Outcome(tuple(normal(data)), state, tuple(normal(await self.peer_got())), link.reset)

    async def start_peer(self) -> None:
        self.peer = await connect(self.port)
        self.peer.transport.write(b'CONNECT {"verbose":false,"headers":true}\r\nSUB > 1\r\nPING\r\n')
        await self.peer.until(lambda: self.peer.data.endswith(b"PONG\r\n"), 5)
        self.peer.data.clear()

    async def peer_got(self) -> bytes:
        if self.peer is None:
            return b""
        self.peer.transport.write(FENCE)
        await self.peer.until(lambda: self.peer.data.endswith(b"PONG\r\n"), 5)
        data = bytes(self.peer.data.removesuffix(b"PONG\r\n"))
        self.peer.data.clear()
        return b"" if data == b"PING\r\n" else data

    def close(self) -> None:
        if self.peer is not None:
            self.peer.transport.abort()
