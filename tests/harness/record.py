"""Writes the expectations of a wire script from what a server really says: `python -m harness.record BINARY FILE…`.

Only cases without any expectation are filled in, and those that hold a line `# record` (which goes away), so
that a reviewed case never changes by itself. What is recorded must be read by a person: it is the contract
from then on.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path

from harness.script import Case, Runner, parse
from harness.server import Server
from harness.wire import Closed, Connection

SETTLE = 0.12
EXPECTED = ("<", "<?", "closed", "quiet", "log")
VOLATILE = [
    (rb"(?<![A-Z2-7])[NX][A-Z2-7]{55}", b"<<[NX][A-Z2-7]{55}>>"),
    (rb"_R_\.[A-Za-z0-9]+\.[A-Za-z0-9]+", rb"<<_R_\\.[\\w.]+>>"),
    (rb'"host":"127\.0\.0\.1","port":\d+', rb'"host":"127.0.0.1","port":<<\\d+>>'),
    (rb'"client_id":\d+', rb'"client_id":<<\\d+>>'),
    (rb'"git_commit":"[0-9a-f]+",', rb'<<("git_commit":"[^"]*",)?>>'),
    (rb'"go":"[^"]*"', rb'"go":"<<[^"]*>>"'),
    (rb'"nonce":"[^"]*"', rb'"nonce":"<<[\\w-]{15}>>"'),
    (rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", rb"<<[-0-9T:.]+Z>>"),
]


def escape(line: bytes) -> str:
    for found, written in VOLATILE:
        line = re.sub(found, written, line)
    text = "".join(chr(b) if 32 <= b < 127 else f"\\x{b:02x}" for b in line)
    text = re.sub(r" $", r"\\x20", text)
    return re.sub(r"(.)\1{59,}", lambda m: f"$({m.group(1)}*{len(m.group(0))})", text)


def drain(connection: Connection) -> list[str]:
    """The lines that have come by now, and `closed` when the stream has ended."""
    end = []
    connection.socket.settimeout(0.001)
    try:
        while True:
            connection.fill()
    except Closed:
        end = ["closed"]
    except AssertionError:
        pass
    finally:
        connection.socket.settimeout(10)
    *lines, rest = bytes(connection.buffer).split(b"\r\n")
    connection.buffer[:] = rest
    if rest and end:
        end = [f"# unfinished: {rest!r}", *end]
    return [escape(line) for line in lines] + end


class Recorder(Runner):
    """Plays the sends of a case and notes what comes."""

    def play(self) -> dict[int, list[str]]:
        notes: dict[int, list[str]] = {}
        steps = self.case.steps
        over: set[str] = set()
        for index, step in enumerate(steps):
            self.step(step)
            following = steps[index + 1] if index + 1 < len(steps) else None
            if step.op in EXPECTED or (following is not None and following.op in EXPECTED):
                continue
            if following is not None and following.op in (">", ">>", "open") and following.name == step.name:
                continue
            time.sleep(SETTLE)
            notes[step.line] = []
            for name, connection in self.connections.items():
                if name in over or name in self.left:
                    continue
                label = "" if name == "_" else name
                for line in drain(connection):
                    if line == "closed":
                        over.add(name)
                        notes[step.line].append(f"{label} closed".strip())
                    elif line.startswith("#"):
                        notes[step.line].append(line)
                    else:
                        notes[step.line].append(f"{label}< {line}".rstrip())
        return notes


def record(case: Case, binary: Path) -> dict[int, list[str]]:
    with tempfile.TemporaryDirectory() as directory, Server(binary, Path(directory), case.configs.get("")) as server:
        recorder = Recorder(case, server)
        try:
            return recorder.play()
        finally:
            for connection in recorder.connections.values():
                connection.close()


def wants_recording(case: Case) -> bool:
    return case.unfinished or not any(step.op in EXPECTED for step in case.steps)


def main() -> None:
    binary = Path(sys.argv[1]).absolute()
    for name in sys.argv[2:]:
        path = Path(name)
        notes: dict[int, list[str]] = {}
        for case in parse(path):
            if wants_recording(case):
                notes |= record(case, binary)
        lines: list[str] = []
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line != "# record":
                lines += [line, *notes.get(number, [])]
        path.write_text("\n".join(lines) + "\n")
        print(f"{path}: {len(notes)} places recorded")


if __name__ == "__main__":
    main()
