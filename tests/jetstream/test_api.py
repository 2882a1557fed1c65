"""The API: recorded answers, paging, exact text, advisories, counters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.answers import parse, play, prepare, same
from harness.jetstream import API, ID, TIME

FILES = sorted((Path(__file__).parent / "answers").glob("*.txt"))
BLOCKS = [
    pytest.param(blocks, block, id=f"{file.stem}-{block.name}")
    for file in FILES
    for blocks in [parse(file.read_text())]
    for block in blocks
    if not block.head.startswith("setup")
]


@pytest.mark.parametrize(("blocks", "block"), BLOCKS)
def test_answers(blocks, block, js):
    prepare(js, blocks)
    differences = []
    for step in block.steps:
        came = play(js, step)
        if not same(came, step.answer):
            differences.append(f"{step.line[:300]}\n  wanted {step.answer}\n  got    {came}")
    assert not differences, f"{block.head}\n" + "\n".join(differences)
