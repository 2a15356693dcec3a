"""What the report says of a convolution's maps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from infoflow.activations.redundancy import FILTERS, SAMPLES, report, thinned
from infoflow.activations.variables import Variable, continuous
from infoflow.capture import Site
from infoflow.kernels import Gaussian, gram
from infoflow.measures import descriptions
from infoflow.measures.activations.redundancy import (
    copy_invariant_of_grams,
    copy_invariant_redundancy,
)
from infoflow.report import Measurement, Series

CONVOLUTION = Site("conv", "Conv2d", 1, "linear map")


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def x() -> Variable:
    return continuous("X", drawn(300, 6, seed=1), "half-median")


def told(
    values: Tensor, x: Variable, site: Site = CONVOLUTION
) -> tuple[dict[tuple[str, str], Measurement], list[Series]]:
    rows: list[Measurement] = []
    series: list[Series] = []
    report(site, values, x, 1.01, rows, series)
    return {(row.measure, row.statistic): row for row in rows}, series


def planted() -> Tensor:
    """Seven maps: 3 is −2 times 1, 5 is constant, 6 is a combination of 0 and 2."""
    values = drawn(300, 7, 4, 4, seed=2)
    values[:, 3] = -2 * values[:, 1]
    values[:, 5] = 0.5
    values[:, 6] = values[:, 0] + 0.5 * values[:, 2]
    return values


def test_planted_maps_are_named(x: Variable) -> None:
    rows, (series,) = told(planted(), x)
    copies = rows["duplicate-filters", "activations"]
    assert (copies.value, copies.note) == (1, "1 = 3; without 1 constant map")
    combined = rows["linear-redundancy", "value"]
    assert combined.value == pytest.approx(5 / 7)
    assert combined.note == "0, 1, 2, 3, 6"
    assert series.shape == (7, 7)
    values = series.values
    assert values[1 * 7 + 3] == pytest.approx(1, abs=1e-6)
    assert all(values[5 * 7 + other] is None for other in range(7))
    assert values[2 * 7 + 4] == pytest.approx(0, abs=0.2)
    assert f"n = {SAMPLES}" in combined.method
    assert {measure for measure, _ in rows} <= descriptions().keys()


def test_a_copy_adds_its_information_to_the_invariant_form(x: Variable) -> None:
    values = torch.cat([drawn(300, 2, 3, 3, seed=3), planted()[:, :1, :3, :3]], dim=1)
    values[:, 0, 0, :] = 2 * drawn(300, 6, seed=1)[:, :3]
    alone, _ = told(values, x)
    copied, _ = told(torch.cat([values, values[:, :1]], dim=1), x)
    only, _ = told(values[:, [0, 0]], x)
    added = (
        copied["redundancy", "copy-invariant"].value - alone["redundancy", "copy-invariant"].value
    )
    # Two copies and nothing else: one of them is what is said twice.
    assert added == pytest.approx(only["redundancy", "copy-invariant"].value, abs=1e-9)
    assert added > 0.1


def test_from_gram_matrices_as_from_kernels() -> None:
    kernels = [Gaussian.of(drawn(40, 2, seed=s), 1.2) for s in range(4)]
    grams = torch.stack([gram(kernel) for kernel in kernels])
    expected = copy_invariant_redundancy(kernels[0], kernels[1:])
    assert float(copy_invariant_of_grams(grams[0], grams[1:])) == pytest.approx(
        float(expected), abs=1e-10
    )


def test_many_filters_and_positions_are_thinned_and_said(x: Variable) -> None:
    rows, (series,) = told(drawn(300, 70, 40, 40, seed=4), x)
    assert series.shape == (FILTERS, FILTERS)
    for row in rows.values():
        assert "64 of 70 filters, evenly spaced; 800 of 1,600 positions" in row.method


def test_few_samples_explain_anything() -> None:
    few = continuous("X", drawn(9, 6, seed=1), "half-median")
    rows, _ = told(drawn(9, 8, 1, 1, seed=5), few)
    row = rows["linear-redundancy", "value"]
    assert row.value is None
    assert row.note.endswith("9 observations of 8 maps explain any")


@pytest.mark.parametrize(
    ("site", "shape"),
    [
        (Site("fc", "Linear", 1, "linear map"), (300, 5)),
        (Site("conv.relu", "relu", 1, "nonlinearity"), (300, 5, 4, 4)),
        (CONVOLUTION, (300, 1, 4, 4)),
    ],
)
def test_nothing_of_other_sites(x: Variable, site: Site, shape: tuple[int, ...]) -> None:
    assert told(drawn(*shape, seed=6), x, site) == ({}, [])


def test_thinning_keeps_small_maps_whole() -> None:
    maps = drawn(2, 3, 5, 5, seed=7)
    assert torch.equal(thinned(maps), maps.flatten(2))
    assert thinned(maps, 12).shape == (2, 3, 9)
