"""Snappy's framing with blocks as they are: enough to make archives by hand, and to read what was made so."""

from __future__ import annotations

POLYNOMIAL = 0x82F63B78


def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = _table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def frame(data: bytes) -> bytes:
    """A stream that holds `data`, not compressed."""
    out = b"\xff\x06\x00\x00S2sTwO"
    for start in range(0, len(data), 1 << 16):
        block = data[start : start + (1 << 16)]
        crc = crc32c(block)
        masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
        out += b"\x01" + (len(block) + 4).to_bytes(3, "little") + masked.to_bytes(4, "little") + block
    return out


def uvarint(number: int) -> bytes:
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def entry(name: bytes, payload: bytes = b"", seq: int = 0, time: int = 0, headers: bytes = b"") -> bytes:
    """An entry of an archive of today's form."""
    numbers = (len(name), time << 1, seq, len(headers), len(payload))
    return b"".join(map(uvarint, numbers)) + name + headers + payload


def archive(*entries: bytes) -> bytes:
    return frame(b"NATSARC1" + b"".join(entries))
