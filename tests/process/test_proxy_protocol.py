"""The PROXY protocol on the client port: the address of the peer is the one that the proxy tells."""

from __future__ import annotations

import contextlib
import socket
import struct

import pytest

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def version_2(command: int, family: int, addresses: bytes) -> bytes:
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack(">H", len(addresses)) + addresses


IPV4 = bytes([10, 1, 2, 3, 10, 9, 9, 9]) + struct.pack(">HH", 5555, 4222)
IPV6 = bytes([0x20, 1, 0xD, 0xB8, *[0] * 11, 1]) + bytes(16) + struct.pack(">HH", 5555, 4222)

TAKEN = {
    "v1 TCP4": (b"PROXY TCP4 10.1.2.3 10.9.9.9 5555 4222\r\n", "10.1.2.3"),
    "v1 TCP6": (b"PROXY TCP6 2001:db8::1 ::1 5555 4222\r\n", "2001:db8::1"),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v2 IPv4": (version_2(1, 0x11, IPV4), "10.1.2.3"),
    "v2 IPv6": (version_2(1, 0x21, IPV6), "2001:db8::1"),
    "v2 LOCAL": (version_2(0, 0x00, b""), "127.0.0.1"),
    "v2 with more behind": (version_2(1, 0x11, IPV4 + b"\x04\0\x01x"), "10.1.2.3"),
    "none": (b"", "127.0.0.1"),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_the_address(kind, start):
    # spec: CORE-136 CFG-065 CORE-023 NEW-019
    head, address = TAKEN[kind]
    server = start("proxy_protocol: true\n", monitor=True)
    link = server.connect(read_info=False)
    # Without a preamble the server waits for the first bytes of the client.
    link.send_raw(head + (b"" if head else b'CONNECT {"verbose":false}\r\n'))
    link.read_info()
    link.handshake()
    (connection,) = server.get_json("/connz")["connections"]
    assert connection["ip"] == address
    if address != "127.0.0.1":
        assert connection["port"] == 5555


BROKEN = {
    "v1 too long": b"PROXY TCP4 " + b"1" * 120 + b"\r\n",
    "v1 bad address": b"PROXY TCP4 nonsense 10.9.9.9 5555 4222\r\n",
    "v1 bad port": b"PROXY TCP4 10.1.2.3 10.9.9.9 x 4222\r\n",
    "v1 bad family": b"PROXY UDP4 10.1.2.3 10.9.9.9 5555 4222\r\n",
    "v2 UDP": version_2(1, 0x12, IPV4),
    "v2 short": version_2(1, 0x11, IPV4[:4]),
    "v2 bad command": version_2(5, 0x11, IPV4),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_broken_is_closed(kind, start):
    # spec: CORE-136
    server = start("proxy_protocol: true\n")
    link = server.connect(read_info=False)
    link.send_raw(BROKEN[kind])
    # The server may have closed by now.
    with contextlib.suppress(OSError):
        link.socket.shutdown(socket.SHUT_WR)
    assert b"PONG" not in link.until_closed()
    other = server.connect(read_info=False)
    other.send_raw(TAKEN["v1 TCP4"][0])
    other.read_info()
    other.handshake()


def test_off_by_default(start):
    # spec: CORE-136 CFG-065 SEC-078
    link = start().connect()
    link.send_raw(TAKEN["v1 TCP4"][0])
    assert link.until_closed() == b"-ERR 'Unknown Protocol Operation'\r\n"
