"""A fixed set of random scripts and plans: the server under test answers as the reference does."""

import pytest

from differential.accounts import compare_accounts
from differential.compare import compare
from differential.grammar import compare_grammar
from differential.streams.compare import compare_streams
from differential.streams.generate import Generator

SCRIPTS = 1000
PLANS = 60
TEXTS = 400
STREAM_SCRIPTS = 300


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_control_lines(seed, binary, reference, tmp_path):
    # spec: CORE-001 CORE-002 CORE-003 CORE-005 CORE-006 CORE-008 CORE-009 CORE-011 CORE-014 CORE-016 CORE-034
    # spec: CORE-042 CORE-046 CORE-047 CORE-051 CORE-056 CORE-057 CORE-059 CORE-066 CORE-103
    report = compare(reference, binary, tmp_path, count=SCRIPTS, seed=seed, lanes=4, limit=3)
    assert not report.differences, "\n\n".join(d.show() for d in report.differences)
    assert report.unstable <= SCRIPTS // 50, report.summary()
    assert report.played == SCRIPTS


def test_streams(binary, reference, tmp_path):
    # spec: JS-004 JS-005 JS-013 JS-016 JS-018 JS-022 JS-023 JS-029 JS-031 JS-039 JS-057 JS-059 JS-062 JS-066 JS-070
    # spec: JS-073 JS-074 JS-083 JS-087 JS-096 JS-097 JS-099 JS-100 JS-101 JS-102 JS-103 JS-107 JS-108 JS-124 JS-125
    # spec: JS-139
    report = compare_streams(reference, binary, tmp_path, count=STREAM_SCRIPTS, seed=1, lanes=12, limit=3)
    assert not report.differences, "\n\n".join(d.show() for d in report.differences)
    assert report.unstable <= STREAM_SCRIPTS // 20, report.summary()
    assert report.played == STREAM_SCRIPTS


@pytest.mark.parametrize("seed", [1, 2])
def test_accounts(seed, binary, reference, tmp_path):
    # spec: SEC-036 SEC-037 SEC-039 SEC-045 SEC-046 SEC-047 SEC-048 SEC-051 CORE-110 CFG-125 CFG-126
    found = compare_accounts(reference, binary, tmp_path, count=PLANS, seed=seed)
    assert not found, "\n\n".join(found[:3])


def test_grammar(binary, reference, tmp_path):
    # spec: CFG-008 CFG-009 CFG-016 CORE-170 CORE-171 CORE-172 CORE-173 CORE-174 CORE-175 CORE-176 CORE-177 CORE-178
    # spec: CORE-179 CORE-180 CORE-183 CORE-184
    found = compare_grammar(reference, binary, tmp_path, count=TEXTS, seed=1)
    assert not found, f"{len(found)} texts\n" + "\n\n".join(found[:5])


def test_a_difference_of_streams_is_found_and_made_small(reference, tmp_path, monkeypatch):
    """The player itself: two servers that are not alike are told apart by a script of few steps."""
    from differential import compare as module

    class Bent(module.Server):
        def command(self):
            if self.directory.name.endswith("right"):
                self.config = self.config.replace("sync_interval", "limits: { max_ack_pending: 7 }, sync_interval")
            return super().command()

    monkeypatch.setattr(module, "Server", Bent)
    monkeypatch.setattr(module, "REPEATS", 1)
    report = compare_streams(reference, reference, tmp_path, count=100, seed=1, lanes=1, limit=1, generator=Generator)
    assert report.differences
    assert len(report.differences[0].script.parts) <= 3, report.differences[0].show()


def test_a_difference_is_found_and_made_small(reference, tmp_path, monkeypatch):
    """The fuzzer itself: two servers that are not alike are told apart by a script of few lines."""
    from differential import compare as module

    class Bent(module.Server):
        def command(self):
            extra = "max_payload: 3\n" if self.directory.name.endswith("right") else ""
            self.config = (self.config or "") + extra
            return super().command()

    monkeypatch.setattr(module, "Server", Bent)
    report = compare(reference, reference, tmp_path, count=200, seed=1, lanes=2, limit=1)
    assert report.differences
    assert len(report.differences[0].script.parts) <= 3, report.differences[0].show()
