"""Random configuration texts: both servers read the same tree, or both refuse.

The digest that `-t` prints is made of the tree that was read, so equal digests mean that the texts were
understood alike. The values are put below a key that is used as a variable, which a server does not look into.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

from harness.server import run_to_end

VALUES = """1 -1 0 007 1k 1K 1kb 1KiB 2m 2mb 3g 1GB 1t 1p 1e 1x 10s 1h30m 1.5 -1.5 1. .5 1e5 0x10 1_000 99999999999999999999
true TRUE yes no on off False maybe a a.b.c a-b a/b a:b a@b $ $x ${x} "a" 'a' "a b" 'a "b" c' "a\\tb" "a\\x41" "a\\q" "" ''
127.0.0.1 127.0.0.1:4222 [::1] localhost:4222 nats://a:b@c:4222 2026-01-02T03:04:05Z 2026-01-02 $2a$11$abc $OUTER
10% a,b a;b a#b a//b a=b a:=b 1,2 ( ) (a) *.> foo.* >""".split()
KEYS = ["a", "b", "c", "Long_Key", "k-1", "k.1", '"q k"', "'s'", "1", "true", "$k", "ünï", "include", "k/2"]
SEPARATORS = [" ", ": ", "=", " = ", ":", " : ", "  ", "\t"]
ENDS = ["\n", "\n", "\n", ", ", ",\n", ";", "; ", "\n\n", " # note\n", " // note\n", "\r\n"]
LEADING_SLASH = re.compile(r"(?<![^\s,;{])/(?!/)")


class Texts:
    """Makes text `number` of a seed."""

    def __init__(self, seed: int, number: int):
        self.random = random.Random(f"grammar:{seed}:{number}")

    def text(self) -> str:
        dice = self.random
        body = self.pairs(2)
        if dice.random() < 0.2 and body:
            at = dice.randrange(len(body))
            body = body[:at] + dice.choice(["", "}", "{", "]", "[", '"', "'", "\n", " ", ":", "#", ",", "\\"]) + body[at + 1 :]
        # A variable that is used may have any content, and of two values for a key the last counts.
        text = f"OUTER = 5\nTREE {{\n{body}\n}}\nport = $OUTER\nport = $TREE\nport = 4222\n"
        # The reference drops a slash that a key begins with (CORE-171), and minds a CRLF behind a block (CORE-177).
        return LEADING_SLASH.sub("k/", text).replace("\n)\r\n", "\n)\n")

    def pairs(self, depth: int) -> str:
        dice = self.random
        return "".join(
            dice.choice(KEYS) + dice.choice(SEPARATORS) + self.value(depth) + dice.choice(ENDS)
            for _ in range(dice.randint(0, 4))
        )

    def value(self, depth: int) -> str:
        dice = self.random
        kind = dice.random() if depth else 1.0
        if kind < 0.15:
            return "{" + dice.choice(["", " ", "\n"]) + self.pairs(depth - 1) + "}"
        if kind < 0.3:
            gap = dice.choice([", ", ",", "\n", " ,\n"])
            items = gap.join(self.value(depth - 1) for _ in range(dice.randint(0, 4)))
            # Never `1]`: the reference takes the bracket for a part of the number.
            return "[" + items + dice.choice([" ", ",", "\n"]) + "]"
        if kind < 0.33:
            return "(\n" + dice.choice(["text", "two\nlines", "a ) b", ""]) + "\n)\n"
        return dice.choice(VALUES)


def read(binary: Path, directory: Path, text: str) -> tuple[int, str | None, str]:
    """Exit status and digest of `-t`, and what was said."""
    (directory / "random.conf").write_text(text, newline="")
    done = run_to_end(binary, "-t", "-c", "random.conf", cwd=directory)
    digest = re.search(r"sha256:[0-9a-f]{64}", done.stderr)
    return done.returncode, digest and digest[0], done.stderr


def compare_grammar(left: Path, right: Path, directory: Path, *, count: int, seed: int, first: int = 0) -> list[str]:
    """Texts that the two servers read differently, with what they said."""
    found = []
    for number in range(first, first + count):
        text = Texts(seed, number).text()
        one, other = read(left, directory, text), read(right, directory, text)
        if one[:2] != other[:2]:
            found.append(f"text {number}\n{text}\nleft: {one[2]}\nright: {other[2]}")
    return found
