"""What a server sent, cut into frames and freed of what may rightly differ between two servers or two runs."""

from __future__ import annotations

import json
import re

VOLATILE_INFO = ("server_id", "server_name", "port", "client_id", "xkey", "nonce", "git_commit", "go")
# Members of queue groups carry sids `Qa1`, `Qa2`, …: which of them is chosen is up to chance.
QUEUE_SID = re.compile(rb"^Q([ab])\d$")
# Reply subjects that a server makes up, and the times it measured.
MADE_REPLY = re.compile(rb"_R_\.[A-Za-z0-9]{4,}(\.[A-Za-z0-9]{4,})*(\.T)?")
TWICE = b"-ERR 'Invalid Publish Subject'"


def cut(data: bytes) -> list[bytes]:
    """The stream as frames: lines, and messages with their payload. An unfinished end is a frame too."""
    frames = []
    at = 0
    while at < len(data):
        end = data.find(b"\r\n", at)
        if end < 0:
            frames.append(data[at:])
            break
        line = data[at:end]
        at = end + 2
        if line.startswith((b"MSG ", b"HMSG ")):
            size = line.rsplit(b" ", 1)[-1]
            if size.isdigit():
                stop = at + int(size) + 2
                line += b"\r\n" + data[at:stop]
                at = stop
        frames.append(line)
    return frames


def normal_info(frame: bytes) -> bytes:
    try:
        info = json.loads(frame[5:])
    except ValueError:
        return frame
    for name in VOLATILE_INFO:
        info.pop(name, None)
    return b"INFO " + json.dumps(info, sort_keys=True).encode()


def normal_message(frame: bytes) -> bytes:
    head, _, body = MADE_REPLY.sub(b"_R_", frame).partition(b"\r\n")
    fields = head.split(b" ")
    fields[2] = QUEUE_SID.sub(rb"Q\1", fields[2])
    return b" ".join(fields) + b"\r\n" + body


def normal(data: bytes) -> list[bytes]:
    """Frames in an order that two right servers share: copies of one message are put in order of their sids."""
    result: list[bytes] = []
    copies: list[bytes] = []

    def same_message(a: bytes, b: bytes) -> bool:
        return a.split(b" ")[1] == b.split(b" ")[1] and a.partition(b"\r\n")[2] == b.partition(b"\r\n")[2]

    for frame in cut(data):
        if frame.startswith((b"MSG ", b"HMSG ")):
            frame = normal_message(frame)
            if copies and not same_message(copies[-1], frame):
                result += sorted(copies)
                copies = []
            copies.append(frame)
            continue
        result += sorted(copies)
        copies = []
        if frame.startswith(b"INFO "):
            frame = normal_info(frame)
        # The reference says this once more when the payload arrives in a later read (CORE-057).
        if frame == TWICE and result and result[-1] == TWICE:
            continue
        result.append(frame)
    return result + sorted(copies)
