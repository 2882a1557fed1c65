"""Compares two servers over many scripts, in lanes: a lane is a pair of servers that plays one script at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from differential.generate import Generator
from differential.play import Player
from harness.server import Server

# One lane after the other takes the next of these; scripts are small, so the limits are too.
CONFIGS = [
    "",
    "max_payload: 64\nmax_control_line: 128\nmax_subscriptions: 4\n",
    "no_header_support: true\nmax_sub_tokens: 3\n",
    "no_fast_producer_stall: true\ndisable_sublist_cache: true\n",
]
REPEATS = 4
SLOW = 0.4


@dataclass
class Difference:
    """A script, and what two servers made of it."""

    script: object
    config: str
    left: object
    right: object

    def show(self) -> str:
        config = f"config:\n{self.config}" if self.config else ""
        return (
            f"script {self.script.number}\n{config}sent:\n{self.script.show()}\n"
            f"{self.left.beside(self.right)}"
        )


@dataclass
class Report:
    played: int = 0
    unstable: int = 0
    seconds: float = 0.0
    differences: list[Difference] = field(default_factory=list)

    def summary(self) -> str:
        rate = self.played / self.seconds if self.seconds else 0
        return (
            f"{self.played} scripts in {self.seconds:.1f} s ({rate:.0f}/s): "
            f"{len(self.differences)} differences, {self.unstable} left to chance"
        )


class Lane:
    """A pair of servers, and how to play the scripts that are numbered for it."""

    def __init__(self, left, right, generator, config: str = "", patience: float = SLOW):
        self.left, self.right, self.generator = left, right, generator
        self.config, self.patience = config, patience

    async def once(self, script, patience: float | None = None):
        return await asyncio.gather(self.left.play(script, patience), self.right.play(script, patience))

    async def differs(self, script):
        """The two outcomes when they never meet in several patient runs."""
        lefts, rights = [], []
        for _ in range(REPEATS):
            left, right = await self.once(script, self.patience)
            lefts.append(left)
            rights.append(right)
            if any(a.agrees(b) for a in lefts for b in rights):
                return None
        return lefts[0], rights[0]

    async def shrink(self, script, found):
        """The smallest script, by leaving out parts and what else it can do without, that still shows a difference."""
        size = max(1, len(script.parts) // 2)
        while size:
            at = 0
            while at < len(script.parts):
                less = script.without(at, at + size)
                if less.parts and (fewer := await self.differs(less)):
                    script, found = less, fewer
                else:
                    at += size
            size //= 2
        for plainer in script.plainer():
            if fewer := await self.differs(plainer):
                return plainer, *fewer
        return script, *found

    async def run(self, numbers, seed: int, report: Report, limit: int) -> None:
        for number in numbers:
            if len(report.differences) >= limit:
                return
            script = self.generator(seed, number).script()
            left, right = await self.once(script)
            report.played += 1
            if left.agrees(right):
                continue
            found = await self.differs(script)
            if found is None:
                report.unstable += 1
                continue
            small, left, right = await self.shrink(script, found)
            report.differences.append(Difference(small, self.config, left, right))
        self.left.close()
        self.right.close()


def compare(
    left: Path, right: Path, directory: Path, *, count: int, seed: int, lanes: int = 8, limit: int = 20, first: int = 0
) -> Report:
    """Plays scripts `first` to `first + count` of a seed; stops early after `limit` differences."""
    with ExitStack() as stack:
        pairs = []
        for lane in range(lanes):
            config = CONFIGS[lane % len(CONFIGS)]
            servers = pair(stack, left, right, directory / f"lane{lane}", config)
            players = (Player(server.client_port, peer=lane // len(CONFIGS) % 2 == 0) for server in servers)
            pairs.append(Lane(*players, Generator, config))
        return play_all(pairs, range(first, first + count), seed, limit)


def pair(stack: ExitStack, left: Path, right: Path, directory: Path, config: str) -> list[Server]:
    return [
        stack.enter_context(Server(binary, directory.with_name(f"{directory.name}-{side}"), config, check_exit=False))
        for side, binary in (("left", left), ("right", right))
    ]


def play_all(lanes: list[Lane], numbers: range, seed: int, limit: int) -> Report:
    report = Report()

    async def everything() -> None:
        await asyncio.gather(
            *(lane.run(numbers[own :: len(lanes)], seed, report, limit) for own, lane in enumerate(lanes))
        )

    # A server that closes while we still write is an outcome here, not news.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    begun = time.monotonic()
    asyncio.run(everything())
    report.seconds = time.monotonic() - begun
    return report
