"""The selftest passes here, can fail, and keeps a foreign fault apart from infoflow's own."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from infoflow import selftest
from infoflow.selftest import Check, completed_toeplitz, run


@pytest.fixture(scope="module")
def ran() -> subprocess.CompletedProcess[str]:
    code = "import json, infoflow.selftest as s; from dataclasses import asdict as d\n"
    code += "print(json.dumps([d(check) for check in s.run()]))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def checks(ran: subprocess.CompletedProcess[str]) -> list[Check]:
    return [Check(**fields) for fields in json.loads(ran.stdout)]


def test_nothing_leaks(ran: subprocess.CompletedProcess[str]) -> None:
    assert ran.stdout.count("\n") == 1  # the answer; torch's faulty LU complains on standard output
    assert ran.stderr == ""


def test_everything_passes(checks: list[Check]) -> None:
    assert [check.detail for check in checks if not check.passed] == []
    assert len({check.name for check in checks}) == len(checks) >= 8
    assert all(check.detail for check in checks)
    numbers = [n for check in checks for n in (check.measured, check.expected) if n is not None]
    assert all(math.isfinite(number) for number in numbers)


def test_a_wrong_number_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "EXAMPLE_4", np.eye(3, 5))
    failed = [check for check in without_torch(monkeypatch) if not check.passed]
    assert [check.name for check in failed] == ["ENT Example 4"]
    assert "0, expected 2.89037" in failed[0].detail


def without_torch(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    monkeypatch.setattr(selftest, "find_spec", lambda name: None)
    return run()


def test_without_torch_the_other_checks_remain(
    checks: list[Check], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [check.name for check in without_torch(monkeypatch)]
    assert names == [check.name for check in checks if "torch" not in check.name]


def answer(monkeypatch: pytest.MonkeyPatch, text: bytes) -> list[Check]:
    def ran(*arguments: object, **settings: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], 0, text, b"")

    monkeypatch.setattr(selftest.subprocess, "run", ran)
    return list(selftest._torch_lu())


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (b"30.2\n", "off by 30.2 nats"),
        (b'"it raises an error"\n', "raises"),
        (b"", "does not end"),
    ],
)
def test_the_known_fault_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, fault: bytes, words: str
) -> None:
    own, foreign = answer(monkeypatch, b'["2.15.0", 1e-13]\n' + fault)
    assert own.passed
    assert foreign.passed
    assert words in foreign.detail
    assert "infoflow never uses it" in foreign.detail


def test_infoflows_own_way_must_be_right(monkeypatch: pytest.MonkeyPatch) -> None:
    own, foreign = answer(monkeypatch, b'["2.15.0", 30.2]\n0.0\n')
    assert not own.passed
    assert "build's batched LU is right" in foreign.detail


@pytest.mark.parametrize("said", [b"", b"Intel oneMKL ERROR", b"3\n"])
def test_a_torch_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    (check,) = answer(monkeypatch, said)
    assert check.passed
    assert "could not be asked" in check.detail


def test_a_loop_without_end_is_cut_off() -> None:
    pytest.importorskip("torch")
    checks = list(selftest._torch_lu())
    assert len(checks) == 2
    assert checks[0].passed


def test_completed_toeplitz_is_the_convolution() -> None:
    generator = np.random.default_rng(0)
    kernel, image = generator.standard_normal((3, 2)), generator.standard_normal((5, 4))
    found = (completed_toeplitz(kernel, (5, 4)) @ image.ravel()).reshape(5, 4)
    for i in range(3):
        for j in range(3):
            assert found[i, j] == pytest.approx((kernel * image[i : i + 3, j : j + 2]).sum())
    assert (found[3:] == image[3:]).all()
