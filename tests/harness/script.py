r"""Wire scripts: what goes over the wire and what must come back, written as data.

A `.wire` file holds cases. A case is a title, the rows it proves, files for the server, and steps:

    == title of the case
    # spec: CORE-042
    --- config
    max_payload: 10
    ---
    A> SUB foo 1            sends a line on connection A, which is opened when first named (its INFO is read away)
    >> PUB foo 2\r          sends bytes as they are; without a name the connection is `_`
    A< MSG foo 1 2          the next line must be this
    A< hi
    A<? MSG bar 2 0         lines of a run of `<?` steps may come in any order
    A< INFO <<.*>>          what stands between << and >> is a regular expression
    A closed                the server closes, and nothing more comes before that
    A quiet                 nothing has come: a PING is answered by PONG at once
    A open                  opens the connection and leaves its INFO to be read by a step
    A close                 closes it from our side
    A leave                 no fence for this connection at the end of the case
    reload NAME             the server reloads with the section `--- config NAME`; `reload! NAME` expects a refusal
    signal USR2             sends a signal
    log REGEX               waits for a log line

`\r \n \t \\ \xHH` are escapes, `$(x*40)` repeats `x` forty times, `$DIR` in a config is the server's directory.
At the end of a case every connection that is still open must be quiet.
"""

from __future__ import annotations

import re
import signal as signals
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.server import Server
from harness.wire import Closed, Connection, WireError

STEP = re.compile(r"^(?P<name>[A-Z][A-Z0-9]*)?(?P<op>>>|>|<\?|<)(?: (?P<text>.*))?$")
WORD = re.compile(r"^(?:(?P<name>[A-Z][A-Z0-9]*) )?(?P<op>closed|quiet|open|close|leave)$")
ORDER = re.compile(r"^(?P<op>reload!?|signal|log) (?P<text>.*)$")
ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|[rnt\\])")
REPEAT = re.compile(rb"\$\((.+?)\*(\d+)\)")
PLAIN = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}


@dataclass(frozen=True)
class Step:
    line: int
    op: str
    name: str
    text: str


@dataclass
class Case:
    file: Path
    line: int
    title: str
    rows: list[str] = field(default_factory=list)
    configs: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    unfinished: bool = False

    def __str__(self) -> str:
        return f"{self.file.stem}: {self.title}"


def unescape(text: str) -> bytes:
    def one(match: re.Match) -> bytes:
        code = match.group(1)
        return bytes.fromhex(code[1:].decode()) if len(code) == 3 else PLAIN[code]

    data = REPEAT.sub(lambda m: m.group(1) * int(m.group(2)), text.encode())
    return ESCAPE.sub(one, data)


def pattern(text: str) -> re.Pattern[bytes]:
    """The expectation as a regular expression: literal but for what stands in << >>."""
    parts = re.split(r"<<(.*?)>>", text)
    return re.compile(b"".join(p.encode() if i % 2 else re.escape(unescape(p)) for i, p in enumerate(parts)), re.DOTALL)


def parse_step(number: int, line: str) -> Step | None:
    for shape in (STEP, WORD, ORDER):
        if match := shape.match(line):
            found = match.groupdict()
            return Step(number, found["op"], found.get("name") or "_", found.get("text") or "")
    return None


def parse(path: Path) -> list[Case]:
    cases: list[Case] = []
    section: str | None = None
    for number, raw in enumerate(path.read_text().splitlines(), 1):
        line = raw.rstrip()
        if section is not None:
            if line == "---":
                section = None
            else:
                cases[-1].configs[section] += line + "\n"
        elif line.startswith("== "):
            cases.append(Case(path, number, line[3:]))
        elif line.startswith("# spec: "):
            cases[-1].rows += line[8:].split()
        elif line == "# record":
            cases[-1].unfinished = True
        elif line.startswith("--- config"):
            section = line[10:].strip()
            cases[-1].configs[section] = ""
        elif line and not line.startswith("#"):
            if (step := parse_step(number, line)) is None:
                raise ValueError(f"{path}:{number}: not a step: {line!r}")
            cases[-1].steps.append(step)
    if section is not None:
        raise ValueError(f"{path}: section {section!r} of the last case has no end")
    return cases


def load(directory: Path) -> Iterator[Case]:
    for path in sorted(directory.glob("*.wire")):
        yield from parse(path)


class Runner:
    """Plays one case against one server."""

    def __init__(self, case: Case, server: Server):
        self.case = case
        self.server = server
        self.connections: dict[str, Connection] = {}
        self.left: set[str] = set()
        self.loose: list[str] = []

    def run(self) -> None:
        try:
            for index, step in enumerate(self.case.steps):
                self.guarded(step)
                following = self.case.steps[index + 1] if index + 1 < len(self.case.steps) else None
                if self.loose and (following is None or (following.op, following.name) != ("<?", step.name)):
                    self.guarded(Step(step.line, "any order", step.name, ""))
            last = Step(self.case.steps[-1].line, "quiet", "", "")
            for name in list(self.connections):
                if name not in self.left:
                    self.guarded(Step(last.line, "quiet", name, ""))
        finally:
            for connection in self.connections.values():
                connection.close()

    def guarded(self, step: Step) -> None:
        try:
            self.step(step)
        except (AssertionError, OSError) as error:
            where = f"{self.case.file.name}:{step.line}"
            raise WireError(f"{where}: {step.name} {step.op} {step.text}\n  {error}") from None

    def step(self, step: Step) -> None:
        match step.op:
            case ">":
                self.send(step.name, unescape(step.text) + b"\r\n")
            case ">>":
                self.send(step.name, unescape(step.text))
            case "<":
                self.expect(self.connection(step.name), step.text)
            case "<?":
                self.loose.append(step.text)
            case "any order":
                self.expect_in_any_order(self.connection(step.name))
            case "open":
                self.connections[step.name] = self.server.connect(read_info=False)
            case "quiet":
                self.quiet(self.connection(step.name))
            case "closed":
                self.closed(step.name)
            case "close" | "leave":
                if step.op == "close":
                    self.connection(step.name).close()
                self.left.add(step.name)
            case "reload":
                self.server.reload(self.case.configs[step.text])
            case "reload!":
                self.server.reload(self.case.configs[step.text], expect="Failed to reload server configuration")
            case "signal":
                self.server.signal(getattr(signals, "SIG" + step.text))
            case "log":
                self.server.wait_log(step.text)

    def connection(self, name: str) -> Connection:
        if name not in self.connections:
            self.connections[name] = self.server.connect()
        return self.connections[name]

    def send(self, name: str, data: bytes) -> None:
        try:
            self.connection(name).send_raw(data)
        except ConnectionError:
            # The server may have closed before it read this; the steps that follow see what it said.
            return

    @staticmethod
    def expect(connection: Connection, text: str) -> None:
        wanted = pattern(text)
        while not wanted.fullmatch(got := connection.line()):
            # The server asks now and then whether we are there; a script that means that says so.
            if got != b"PING":
                raise WireError(f"expected {text!r}, got {got!r}")
            connection.send("PONG")

    def expect_in_any_order(self, connection: Connection) -> None:
        wanted, self.loose = self.loose, []
        while wanted:
            got = connection.line()
            found = next((text for text in wanted if pattern(text).fullmatch(got)), None)
            if found is None:
                raise WireError(f"expected one of {wanted!r}, got {got!r}")
            wanted.remove(found)

    @staticmethod
    def quiet(connection: Connection) -> None:
        if extra := connection.fence():
            raise WireError(f"unexpected: {extra!r}")

    def closed(self, name: str) -> None:
        self.left.add(name)
        connection = self.connection(name)
        try:
            rest = connection.until_closed()
        except Closed:
            rest = b""
        if rest:
            raise WireError(f"unexpected before the end: {rest!r}")
