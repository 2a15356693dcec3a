"""The study of estimators: what its tables rest on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.activations.drawing import normal

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_networks_are_skipped_without_data(tmp_path: Path) -> None:
    found = subprocess.run(
        [
            sys.executable, str(BENCHMARKS / "estimator_study.py"), "--part", "lenet5",
            "--data-root", str(tmp_path), "--work", str(tmp_path),
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"Skipped: {tmp_path / 'mnist' / 'train.npz'} is not there." in found.stdout


def test_influences_of_the_ratios_are_those_of_a_jackknife(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from estimators import estimates

    n = 150
    x = normal(n, 3, seed=1)
    t = x + normal(n, 3, seed=2)
    whole = estimates.Samples(x), estimates.Samples(t)
    found = estimates.estimates(*whole, count=2)
    names = (estimates.RATIO, estimates.CAUCHY_SCHWARZ_RATIO)
    left_out: dict[str, list[float]] = {name: [] for name in names}
    for sample in range(n):
        kept = torch.arange(n) != sample
        forms = estimates._forms(*(estimates.Samples(v[kept]).kernel() for v in (x, t)))
        for name in names:
            left_out[name].append(forms[name])
    for name in names:
        values = torch.tensor(left_out[name], dtype=torch.float64)
        jackknife = (n - 1) * (values.mean() - values)
        influence = found[name].influence
        assert torch.corrcoef(torch.stack([jackknife, influence]))[0, 1] > 0.98
        assert float(influence.std() / jackknife.std()) == pytest.approx(1, abs=0.1)


def test_rank_correlation_with_ties(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import numpy as np
    from estimators.summaries import spearman
    from scipy.stats import spearmanr

    draw = np.random.default_rng(0)
    a, b = draw.integers(0, 5, 40).astype(float), draw.integers(0, 5, 40).astype(float)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert np.isnan(spearman(a, np.ones(40)))
