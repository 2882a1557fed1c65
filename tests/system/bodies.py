"""Random request bodies: JSON objects of options, some of them with wrong values, some of them broken."""

from __future__ import annotations

import random

NAMES = (
    "auth sort limit offset cid state tags server_name exact_match acc user Auth TAGS nope subscriptions account details "
    "js-enabled"
).split()
VALUES = [
    *"true false null 1 -1 0 1.5 1e3 1E400 -0 0.0 18446744073709551616 9223372036854775808 -9223372036854775809".split(),
    *['"x"', '"\\u0041"', '"\\ud800"', '"\\/"', '""', '"subs"', "[]", '["one"]', '["a",1]', "[null]", "[[]]", "{}"],
    '{"a":[1,{"b":null}]}',
]
ODD = [*"{}[]:,\"\\ \n\t019eE+-.truefalsn\x00\x1f\x7f`'u", "é", "\u0599", "\u2028", "\U0001f600", "\ufeff", "\x80"]


def bodies(seed: int, count: int) -> list[bytes]:
    """`count` bodies, the same for the same seed."""
    chance = random.Random(seed)
    return [body(chance) for _ in range(count)]


def body(chance: random.Random) -> bytes:
    members = (f'"{chance.choice(NAMES)}":{chance.choice(VALUES)}' for _ in range(chance.randrange(4)))
    text = bytearray(("{" + ",".join(members) + "}").encode())
    for _ in range(chance.choice((0, 1, 1, 2, 3))):
        at, what = chance.randrange(len(text) + 1), chance.randrange(4)
        if what == 0:
            del text[at : at + 1]
        elif what == 1:
            text[at:at] = chance.choice(ODD).encode()
        elif what == 2:
            text[at : at + 1] = bytes([chance.randrange(256)])
        elif chance.random() < 0.2:
            del text[at:]
    return bytes(text) or b" "
