"""Figures that compare: random layers have the same, whatever their shape, scale and order."""

from __future__ import annotations

import math

import numpy as np
import pytest

from infoflow.reference import random_layer
from infoflow.reference.gathering import rows_by_layer
from infoflow.reference.quantities import QUANTITIES
from infoflow.reference.strata import DENSE, GROUPED, POINTWISE, SPATIAL, TRANSPOSED, stratum
from tests.findings.building import conv, dense, draw, report_of, summarise

RANDOM = {
    "log-volume": 0.0,
    "log-determinant": 0.0,
    "effective-rank": 0.0,
    "von-neumann": 0.0,
    "renyi": 0.0,
}
LAYERS = {
    "square": lambda seed: dense(draw(64, 64, seed=seed)),
    "wide": lambda seed: dense(draw(32, 200, seed=seed)),
    "tall": lambda seed: dense(draw(200, 32, seed=seed)),
    "spatial": lambda seed: conv(draw(32, 32, 3, 3, seed=seed)),
    "strided": lambda seed: conv(draw(32, 16, 3, 3, seed=seed), stride=2),
    "patches": lambda seed: conv(draw(48, 3, 4, 4, seed=seed), stride=4),
    "grouped": lambda seed: conv(draw(64, 16, 3, 3, seed=seed), groups=2),
    "transposed": lambda seed: conv(draw(32, 16, 3, 3, seed=seed), stride=2, transposed=True),
}


def quantities(layer) -> dict[str, float]:
    report = report_of([layer])
    (rows,) = rows_by_layer(report.layers, report.measurements)
    assert rows.full == rows.value("rank", "full")
    found = {quantity.name: quantity.compute(rows) for quantity in QUANTITIES}
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize("shape", LAYERS)
def test_a_random_layer_of_any_shape_has_the_same_figures(shape):
    # A stride of 2 shares nine taps unevenly among four phases, whose columns then differ.
    within = 0.15 if shape in {"strided", "transposed"} else 0.08
    draws = [quantities(LAYERS[shape](seed)) for seed in range(4)]
    for name, expected in RANDOM.items():
        if name in draws[0]:
            mean = np.mean([one[name] for one in draws])
            assert mean == pytest.approx(expected, abs=within), name
    if "corner" in draws[0]:
        assert np.mean([one["corner"] for one in draws]) == pytest.approx(-0.635, abs=0.08)
        spread = np.mean([one["corner-spread"] for one in draws])
        assert spread == pytest.approx(math.pi / math.sqrt(8), abs=0.15)


def test_scale_is_seen_by_the_gain_alone():
    weight = draw(24, 40)
    one, other = quantities(dense(weight)), quantities(dense(100 * weight))
    assert other.pop("gain") - one.pop("gain") == pytest.approx(math.log(100), abs=1e-5)
    assert other == pytest.approx(one, abs=1e-4)


@pytest.mark.parametrize("shape", [(64, 64), (32, 200)])
def test_closed_forms_are_those_of_drawn_matrices(shape):
    singular = [
        np.linalg.svd(np.random.default_rng(seed).standard_normal(shape), compute_uv=False)
        for seed in range(20)
    ]
    small, large = sorted(shape)

    def mean(figure):
        return np.mean([figure(values) for values in singular])

    def entropy(mass):
        share = mass / mass.sum()
        return -np.sum(share * np.log(share))

    share = mean(lambda s: math.exp(entropy(s)) / small)
    assert random_layer.effective_rank_share(small, large) == pytest.approx(share, rel=0.01)
    deficit = math.log2(small) - mean(lambda s: entropy(s**2)) / math.log(2)
    assert random_layer.von_neumann_deficit(small, large) == pytest.approx(deficit, abs=0.02)
    deficit = math.log2(small) + mean(lambda s: math.log2(np.sum((s**2 / np.sum(s**2)) ** 2)))
    assert random_layer.renyi_deficit(small, large) == pytest.approx(deficit, abs=0.02)
    stable = mean(lambda s: np.sum(s**2) / s[0] ** 2)
    assert random_layer.stable_rank(small, large) == pytest.approx(stable, rel=0.1)


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (dense(draw(10, 64)), DENSE),
        (dense(draw(7, 64)), ""),
        (conv(draw(16, 16, 3, 3)), SPATIAL),
        (conv(draw(16, 3, 3, 3)), ""),
        (conv(draw(16, 16, 1, 1)), POINTWISE),
        (conv(draw(48, 3, 4, 4), stride=4), POINTWISE),
        (conv(draw(16, 16, 3)), SPATIAL),
        (conv(draw(32, 8, 3, 3), groups=4), GROUPED),
        (conv(draw(32, 1, 3, 3), groups=32), ""),
        (conv(draw(16, 16, 2, 2), stride=2, transposed=True), TRANSPOSED),
    ],
)
def test_kinds(layer, kind):
    assert stratum(summarise(layer)) == kind


def test_rows_that_are_missing_give_no_figure():
    report = report_of([dense(draw(16, 16))], measures="zeros")
    (rows,) = rows_by_layer(report.layers, report.measurements)
    assert [q.name for q in QUANTITIES if q.compute(rows) is not None] == []


def test_versions_units_and_names_are_told_apart():
    assert len({quantity.name for quantity in QUANTITIES}) == len(QUANTITIES)
    assert all(quantity.compute.__doc__ and quantity.unit for quantity in QUANTITIES)
    assert all("version" in quantity.definition for quantity in QUANTITIES)
