"""The wire scripts of `wire/`, each against a server of its own."""

from pathlib import Path

import pytest

from harness.script import Runner, load

CASES = list(load(Path(__file__).parent / "wire"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_wire(case, start):
    """Every case says in its file which rows it proves."""
    Runner(case, start(case.configs.get(""))).run()


def test_titles_are_unique():
    titles = [str(case) for case in CASES]
    assert len(titles) == len(set(titles))


def test_every_case_cites_rows():
    assert not [str(case) for case in CASES if not case.rows]
