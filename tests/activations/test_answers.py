"""The known answers of `infoflow selftest` are right here, and can be wrong."""

from __future__ import annotations

import pytest
import torch

from infoflow.measures.activations import answers as module
from infoflow.measures.activations.answers import answers


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_every_answer_is_right(dtype: torch.dtype) -> None:
    found = list(answers("cpu", dtype))
    # float16 keeps 3 digits of the inputs: of what is exact in float32 it is not.
    slack = 2e-2 if dtype == torch.float16 else 0
    wrong = [a for a in found if not abs(a.measured - a.expected) <= a.tolerance + slack]
    assert wrong == []
    assert len({a.name for a in found}) == len(found) >= 20


def test_float32_inputs_give_the_same_to_six_digits() -> None:
    exact, single = (answers("cpu", dtype) for dtype in (torch.float64, torch.float32))
    for one, other in zip(exact, single, strict=True):
        assert other.measured == pytest.approx(one.measured, abs=1e-6)


def test_a_wrong_estimator_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = module.entropy
    monkeypatch.setattr(module, "entropy", lambda gram, alpha: right(gram, alpha) + 0.05)
    wrong = [a.name for a in answers("cpu", torch.float64) if abs(a.measured - a.expected) > 0.031]
    assert len(wrong) >= 6


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_the_gpu_gives_the_same() -> None:
    for one, other in zip(
        answers("cpu", torch.float32), answers("cuda", torch.float32), strict=True
    ):
        assert other.measured == pytest.approx(one.measured, abs=1e-6)
