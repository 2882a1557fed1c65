"""`python -m differential`: long runs of the differential fuzzer, outside the test suite."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from conftest import resolve
from differential.compare import compare


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m differential", description=__doc__)
    parser.add_argument("--left", default="reference", help="reference, martlet or a path (default: reference)")
    parser.add_argument("--right", default="martlet", help="reference, martlet or a path (default: martlet)")
    parser.add_argument("--count", type=int, default=100_000, help="how many scripts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="play just this script of the seed")
    parser.add_argument("--lanes", type=int, default=8, help="pairs of servers that play at the same time")
    parser.add_argument("--limit", type=int, default=20, help="stop after this many differences")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="differential-") as directory:
        report = compare(
            resolve(args.left),
            resolve(args.right),
            Path(directory),
            count=args.count if args.only is None else 1,
            seed=args.seed,
            lanes=args.lanes,
            limit=args.limit,
            first=args.only or 0,
        )
    for difference in report.differences:
        print(difference.show(), end="\n\n")
    print(report.summary())
    return 1 if report.differences else 0


if __name__ == "__main__":
    sys.exit(main())
