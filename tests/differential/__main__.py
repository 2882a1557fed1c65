"""`python -m differential`: long runs of the differential fuzzer, outside the test suite."""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

from conftest import resolve
from differential.accounts import compare_accounts
from differential.compare import compare
from differential.grammar import compare_grammar
from differential.streams.compare import compare_streams
from differential.streams.copies import Copies
from differential.streams.timed import Timed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m differential", description=__doc__)
    parser.add_argument("--left", default="reference", help="reference, martlet or a path (default: reference)")
    parser.add_argument("--right", default="martlet", help="reference, martlet or a path (default: martlet)")
    parser.add_argument("--count", type=int, default=100_000, help="how many scripts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="play just this script of the seed")
    parser.add_argument("--lanes", type=int, default=8, help="pairs of servers that play at the same time")
    parser.add_argument("--limit", type=int, default=20, help="stop after this many differences")
    parser.add_argument(
        "--what",
        choices=["scripts", "streams", "time", "copies", "accounts", "grammar"],
        default="scripts",
        help="control lines, streams (all, while time passes, copied), accounts, the grammar of the config language",
    )
    args = parser.parse_args()
    left, right = resolve(args.left), resolve(args.right)
    first, count = (0, args.count) if args.only is None else (args.only, 1)
    if args.what in ("accounts", "grammar"):
        one = {"accounts": compare_accounts, "grammar": compare_grammar}[args.what]
        return one_by_one(one, left, right, count=count, seed=args.seed, first=first, limit=args.limit)
    with tempfile.TemporaryDirectory(prefix="differential-") as directory:
        what = {"time": Timed, "copies": Copies}
        streams = {name: partial(compare_streams, generator=generator) for name, generator in what.items()}
        report = {"scripts": compare, "streams": compare_streams, **streams}[args.what](
            left,
            right,
            Path(directory),
            count=count,
            seed=args.seed,
            lanes=args.lanes,
            limit=args.limit,
            first=first,
        )
    for difference in report.differences:
        print(difference.show(), end="\n\n")
    print(report.summary())
    return 1 if report.differences else 0


def one_by_one(compare_one, left: Path, right: Path, *, count: int, seed: int, first: int, limit: int) -> int:
    """Compares case after case, and shows what is found as it comes."""
    found = 0
    for number in range(first, first + count):
        with tempfile.TemporaryDirectory(prefix="differential-") as directory:
            for text in compare_one(left, right, Path(directory), count=1, seed=seed, first=number):
                found += 1
                print(text, end="\n\n", flush=True)
        if found >= limit:
            break
    print(f"{number + 1 - first} cases: {found} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
