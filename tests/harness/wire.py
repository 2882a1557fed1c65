"""A raw client connection: bytes out, lines in, and a fence to know that nothing more is coming."""

from __future__ import annotations

import json
import socket
import ssl
import time

READ_TIMEOUT = 10.0


class WireError(AssertionError):
    """The bytes on the wire were not the expected ones."""


class Closed(WireError):
    """The server closed the connection."""


class Connection:
    """One TCP connection to a server. Reads are line by line, or by count for payloads."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        read_info: bool = True,
        tls: ssl.SSLContext | None = None,
        tls_first: bool = False,
        timeout: float = READ_TIMEOUT,
        receive_buffer: int | None = None,
    ):
        self.buffer = bytearray()
        self.info: dict = {}
        self.socket = self.dial(address, timeout, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls_first:
            self.start_tls(tls)
        if read_info:
            self.read_info()
        if tls is not None and not tls_first:
            self.start_tls(tls)

    @classmethod
    def over(cls, accepted: socket.socket, timeout: float = READ_TIMEOUT) -> Connection:
        """A connection that the server under test dialled."""
        link = cls.__new__(cls)
        link.buffer, link.info, link.socket = bytearray(), {}, accepted
        accepted.settimeout(timeout)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return link

    @staticmethod
    def dial(address: tuple[str, int], timeout: float, receive_buffer: int | None) -> socket.socket:
        dialled = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            dialled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        dialled.settimeout(timeout)
        dialled.connect(address)
        return dialled

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def start_tls(self, context: ssl.SSLContext) -> None:
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def read_info(self) -> dict:
        line = self.line()
        if not line.startswith(b"INFO "):
            raise WireError(f"expected INFO, got {line!r}")
        self.info = json.loads(line[5:])
        return self.info

    def handshake(self, verbose: bool = False, **options) -> Connection:
        """CONNECT and a fence; fails when the server refuses."""
        self.send_connect(verbose=verbose, **options)
        self.fence()
        return self

    def send_connect(self, verbose: bool = False, pedantic: bool = False, **options) -> None:
        body = {"verbose": verbose, "pedantic": pedantic, **options}
        self.send("CONNECT " + json.dumps(body))

    def send(self, line: str | bytes) -> None:
        """Sends one control line."""
        self.send_raw((line.encode() if isinstance(line, str) else line) + b"\r\n")

    def send_raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def publish(self, subject: str, payload: bytes = b"", reply: str = "") -> None:
        head = f"PUB {subject} {reply} {len(payload)}\r\n" if reply else f"PUB {subject} {len(payload)}\r\n"
        self.send_raw(head.encode() + payload + b"\r\n")

    def fill(self) -> None:
        """Reads once from the socket into the buffer."""
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            raise WireError(f"no bytes within {self.socket.gettimeout()} s; unread: {bytes(self.buffer)!r}") from None
        except (ConnectionError, ssl.SSLError) as error:
            raise Closed(f"connection lost ({error}); unread: {bytes(self.buffer)!r}") from None
        if not data:
            raise Closed(f"connection closed by the server; unread: {bytes(self.buffer)!r}")
        self.buffer += data

    def line(self) -> bytes:
        """The next line, without its CRLF."""
        while (end := self.buffer.find(b"\r\n")) < 0:
            self.fill()
        line = bytes(self.buffer[:end])
        del self.buffer[: end + 2]
        return line

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        while len(self.buffer) < count:
            self.fill()
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def expect(self, line: str | bytes) -> None:
        """Reads this line; the server's own PINGs on the way are answered."""
        want = line.encode() if isinstance(line, str) else line
        while (got := self.line()) == b"PING" != want:
            self.send("PONG")
        if got != want:
            raise WireError(f"expected {want!r}, got {got!r}")

    def fence(self) -> list[bytes]:
        """Sends PING and returns the lines that came before its PONG, but for the server's own PINGs."""
        self.send("PING")
        lines = []
        while (line := self.line()) != b"PONG":
            if line == b"PING":
                self.send("PONG")
            else:
                lines.append(line)
        return lines

    def message(self) -> tuple[str, str, str, bytes, bytes]:
        """The next MSG or HMSG as subject, sid, reply, header block, payload; answers PINGs on the way."""
        while True:
            line = self.line()
            if line == b"PING":
                self.send("PONG")
            elif line.startswith((b"MSG ", b"HMSG ")):
                break
            elif not line.startswith((b"INFO ", b"+OK", b"PONG")):
                raise WireError(f"expected a message, got {line!r}")
        fields = line.decode().split(" ")
        sizes = 2 if fields[0] == "HMSG" else 1
        reply = fields[3] if len(fields) == 4 + sizes else ""
        total = int(fields[-1])
        headers = int(fields[-2]) if sizes == 2 else 0
        body = self.take(total + 2)
        if body[-2:] != b"\r\n":
            raise WireError(f"payload of {line!r} does not end in CRLF: {body!r}")
        return fields[1], fields[2], reply, body[:headers], body[headers:-2]

    def until_closed(self, timeout: float = READ_TIMEOUT) -> bytes:
        """Everything up to the end of the stream."""
        deadline = time.monotonic() + timeout
        while True:
            if time.monotonic() > deadline:
                raise WireError(f"still open after {timeout} s; unread: {bytes(self.buffer[:2000])!r}")
            try:
                self.fill()
            except Closed:
                data = bytes(self.buffer)
                self.buffer.clear()
                return data
