"""API requests and their answers as data: `jetstream/answers/*.txt`.

A file is blocks between blank lines. The first block may be `setup`: its requests run before each of the others, in a
new account. Every other block begins with the rows it would break for, and is a test of its own:

    # spec: JS-370 name empty
    > STREAM.CREATE.X {"name":""}
    < 400 10056 stream name in subject does not match request

`> SUBJECT BODY` asks `$JS.API.SUBJECT`; `+ SUBJECT HEADERS BODY` publishes a message with headers (JSON, `{}` for none). An
answer is an error as `code err_code text`, or JSON, compared by value, or `nothing`. Times, ids and the server's version
are written `<time>`, `<id>`, `<version>` and `<level>`; `{{x*300}}` in a request is that text 300 times. A line `later WHAT`
below the rows runs the block on the reference only, like the marker of that name.

    ../.venv/bin/python -m harness.answers ../.venv/bin/nats-server jetstream/answers/*.txt

fills in the answers that are missing; what is recorded is the contract from then on, so read it.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from harness.jetstream import API, Client
from harness.wire import WireError

MASKS = [
    (re.compile(r'("pause_remaining":)\d+'), r'\1"<duration>"'),
    (re.compile(r'"(?!0001-)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"'), '"<time>"'),
    (re.compile(r'("_nats\.ver":)"[^"]+"'), r'\1"<version>"'),
    (re.compile(r'("_nats\.level":)"[^"]+"'), r'\1"<level>"'),
    (re.compile(r'(?<=[".])(?=[A-Za-z]*\d)[A-Za-z0-9]{22}(?=[".])'), "<id>"),
]


NOTHING = "nothing"
PATIENCE = 5.0


@dataclass
class Step:
    line: str
    answer: str | None = None


@dataclass
class Block:
    head: str
    steps: list[Step] = field(default_factory=list)
    later: str = ""

    @property
    def name(self) -> str:
        words = self.head.removeprefix("# spec: ").split(" ")
        rows = [word for word in words if re.fullmatch(r"[A-Z]+-\d+", word)]
        return re.sub(r"[^\w ./>-]", "", " ".join([rows[0], *words[len(rows) :]]))


def parse(text: str) -> list[Block]:
    blocks: list[Block] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(("# spec: ", "setup")):
            blocks.append(Block(line))
        elif line.startswith("later "):
            blocks[-1].later = line.removeprefix("later ")
        elif line.startswith(("> ", "+ ")):
            blocks[-1].steps.append(Step(line))
        elif line.startswith("< "):
            blocks[-1].steps[-1].answer = line[2:]
        elif line.strip():
            raise ValueError(f"line {number}: {line!r}")
    return blocks


def written(blocks: list[Block]) -> str:
    parts = []
    for block in blocks:
        lines = [block.head, *([f"later {block.later}"] if block.later else [])]
        for step in block.steps:
            lines += [step.line] + ([f"< {step.answer}"] if step.answer is not None else [])
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def expand(text: str) -> str:
    return re.sub(r"\{\{(.)\*(\d+)\}\}", lambda found: found[1] * int(found[2]), text)


def masked(text: str) -> str:
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    return text


def shown(answer: str) -> str:
    """An answer as files have it: an error as three words, what else as it came, both masked."""
    try:
        value = json.loads(answer)
    except ValueError:
        return answer
    if isinstance(value, dict) and isinstance(error := value.get("error"), dict):
        return masked(f"{error['code']} {error['err_code']} {error['description']}")
    return masked(answer)


def differences(wanted: str, came: str) -> list[str]:
    """What is different, a line each; for JSON by where it is."""
    if wanted.startswith("{") and came.startswith("{"):
        return list(unequal(*(in_order(json.loads(text)) for text in (wanted, came))))
    return [] if wanted == came else [f"wanted {wanted}", f"got    {came}"]


def in_order(answer: dict) -> dict:
    """The states of sources come in any order."""
    if "sources" in answer:
        answer["sources"].sort(key=lambda source: source["name"])
    return answer


def unequal(wanted, came, where: str = ""):
    if isinstance(wanted, dict) and isinstance(came, dict):
        for key in wanted | came:
            yield from unequal(wanted.get(key, "(absent)"), came.get(key, "(absent)"), f"{where}.{key}")
    elif isinstance(wanted, list) and isinstance(came, list) and len(wanted) == len(came):
        for number, pair in enumerate(zip(wanted, came, strict=True)):
            yield from unequal(*pair, f"{where}[{number}]")
    elif wanted != came:
        yield f"{where}: wanted {json.dumps(wanted)}, got {json.dumps(came)}"


def play(js: Client, step: Step) -> str:
    kind, subject, *rest = step.line.split(" ", 2)
    body = expand(rest[0]) if rest else ""
    subject = expand(subject)
    if kind == ">":
        subject, headers = API + subject, None
    else:
        headers, end = json.JSONDecoder().raw_decode(body)
        body = body[end:].lstrip()
    if step.answer == NOTHING:
        return silence(js, subject, body, headers)
    try:
        answer = js.request(subject, body, headers or None, timeout=PATIENCE)
    except WireError as error:
        # Only where an answer is recorded for the first time.
        return NOTHING if step.answer is None else str(error)
    return shown(answer.text) if not answer.status else f"{answer.status} {masked(answer.text)}"


def silence(js: Client, subject: str, body: str, headers: dict | None) -> str:
    """Asks, and then something that is answered: by then there is still nothing."""
    reply = js.new_inbox()
    js.send(subject, body, headers, reply)
    for _ in range(3):
        js.error("STREAM.DELETE.NOBODY")
    came = [message.text for message in js.inbox.queue if message.subject == reply]
    return shown(came[0]) if came else NOTHING


def prepare(js: Client, blocks: list[Block]) -> None:
    for block in blocks:
        if block.head.startswith("setup"):
            for step in block.steps:
                answer = play(js, step)
                assert answer.startswith("{"), f"setup: {step.line}: {answer}"


def record(binary: Path, files: list[Path]) -> None:
    from jetstream.conftest import Pool, login

    with tempfile.TemporaryDirectory() as directory:
        pool = Pool(binary, Path(directory))
        for file in files:
            blocks = parse(file.read_text())
            for block in blocks:
                if block.head.startswith("setup") or all(step.answer is not None for step in block.steps):
                    continue
                server, user = pool.next()
                with login(server, user=user, **{"pass": "p"}) as js:
                    prepare(js, blocks)
                    for step in block.steps:
                        step.answer = play(js, step)
            file.write_text(written(blocks))
        pool.stop()


if __name__ == "__main__":
    record(Path(sys.argv[1]).absolute(), [Path(name) for name in sys.argv[2:]])
