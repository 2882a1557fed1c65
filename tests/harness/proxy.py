"""A TCP proxy on a loopback port, to be slow, silent or broken on purpose."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field

CHUNK = 65536
BACKLOG = 64


@dataclass(eq=False)
class Pair:
    """One connection through the proxy."""

    near: socket.socket
    far: socket.socket
    # What the dialling side said first.
    opening: bytes = b""
    flowing: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        self.flowing.set()
        reset(self.near)
        reset(self.far)


class Proxy:
    """Stands in front of a port. What passes can be delayed, held, cut, or not let in."""

    def __init__(self, target: int):
        self.target = target
        self.delay = 0.0
        self.refusing = False
        # Connections whose opening contains one of these are held.
        self.held: list[bytes] = []
        self.lock = threading.Lock()
        self.pairs: list[Pair] = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.port = self.listener.getsockname()[1]
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()

    # --- what tests do ------------------------------------------------------------------------

    def stall(self, containing: bytes = b"") -> None:
        """Holds connections from now on, all or those with this in their opening: they stay open and say nothing."""
        with self.lock:
            self.held.append(containing)
            for pair in self.pairs:
                self.hold(pair)

    def resume(self) -> None:
        with self.lock:
            self.held.clear()
            for pair in self.pairs:
                pair.flowing.set()

    def cut(self, refuse: bool = False) -> None:
        """Resets all connections; with `refuse` new ones are reset too, until `allow`."""
        self.refusing = refuse
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            pair.reset()

    def allow(self) -> None:
        self.refusing = False

    def close(self) -> None:
        self.cut(refuse=True)
        # Closing alone does not wake a thread that waits in accept.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.accepting.join()

    # --- threads ------------------------------------------------------------------------------

    def hold(self, pair: Pair) -> None:
        if any(text in pair.opening for text in self.held):
            pair.flowing.clear()

    def accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                if self.refusing:
                    raise ConnectionRefusedError
                far = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                reset(near)
                continue
            far.settimeout(None)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = Pair(near, far)
            pair.flowing.set()
            with self.lock:
                self.pairs.append(pair)
                self.hold(pair)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(source, sink, pair), daemon=True).start()

    def pump(self, source: socket.socket, sink: socket.socket, pair: Pair) -> None:
        with contextlib.suppress(OSError):
            while True:
                pair.flowing.wait()
                data = source.recv(CHUNK)
                if source is pair.near and not pair.opening:
                    with self.lock:
                        pair.opening = data
                        self.hold(pair)
                pair.flowing.wait()
                if not data:
                    break
                if self.delay:
                    time.sleep(self.delay)
                sink.sendall(data)
        with self.lock:
            if pair in self.pairs:
                self.pairs.remove(pair)
        pair.reset()


def reset(end: socket.socket) -> None:
    """Closes without ceremony, and wakes whoever reads."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
