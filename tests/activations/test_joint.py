"""Everything from one pass over pairs equals the measures that compute one figure each."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from infoflow.activations.information import information
from infoflow.activations.variables import Variable, continuous, labels, thirds
from infoflow.errors import EstimateError
from infoflow.kernels import PackedDistances, squared_distances
from infoflow.kernels.gram import Gaussian, gram
from infoflow.measures.activations.alignment import cka
from infoflow.measures.activations.joint import joint
from infoflow.measures.activations.nulls import quadratic_null_moments
from infoflow.measures.activations.quadratic import (
    cauchy_schwarz_influence,
    quadratic_information,
)


def drawn(samples: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.randn(samples, *shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("samples", "shape"), [(5, ()), (64, (3, 4)), (300, (700,)), (513, (2,))])
def test_packed_distances_are_the_whole_matrix(samples: int, shape: tuple[int, ...]) -> None:
    x = drawn(samples, *shape) + 100
    x[1] = x[0]
    whole, packed = squared_distances(x), PackedDistances.of(x)
    assert torch.allclose(packed.tile(slice(None), slice(None)), whole, rtol=1e-12, atol=1e-9)
    assert packed.tile(slice(None), slice(None))[0, 1] == 0
    some = torch.randperm(samples)[:50]
    assert torch.equal(
        packed.between(some, some), packed.tile(slice(None), slice(None))[some][:, some]
    )
    lengths = torch.linspace(1, 2, samples, dtype=torch.float64)
    divided = x.double() / lengths.reshape(-1, *(1 for _ in shape))
    expected = squared_distances(divided)
    found = PackedDistances.of(x, lengths).tile(slice(None), slice(None))
    assert torch.allclose(found, expected, rtol=1e-12, atol=1e-9)


def test_packed_distances_of_what_has_none() -> None:
    with pytest.raises(EstimateError, match="no samples"):
        PackedDistances.of(torch.empty(0, 3))
    with pytest.raises(EstimateError, match="NaN or infinite"):
        PackedDistances.of(torch.tensor([[1.0], [torch.nan]]))


def variables(samples: int) -> dict[str, Variable]:
    x = drawn(samples, 5)
    t = torch.relu(x @ drawn(5, 40, seed=1))
    t[3], x[3] = t[7], x[7]
    return {
        "x": continuous("X", x, "half-median"),
        "t": continuous("T", t, "half-median"),
        "given": continuous("T", t, 0.9),
        "labels": labels("Y", torch.arange(samples) % 4),
        "constant": continuous("C", torch.ones(samples, 3), "half-median"),
    }


@pytest.mark.parametrize("samples", [40, 300])
@pytest.mark.parametrize(
    ("first", "second"),
    [("x", "t"), ("labels", "t"), ("x", "given"), ("x", "labels"), ("x", "constant"), ("t", "t")],
)
def test_every_figure_equals_the_one_computed_by_itself(
    samples: int, first: str, second: str
) -> None:
    named = variables(samples)
    x, t = named[first], named[second]
    found = joint(x.marginal(0), t.marginal(0))
    expected = quadratic_information(x.kernel, t.kernel)
    same = {"rel": 1e-9, "abs": 1e-9, "nan_ok": True}
    for name in ("value", "cauchy_schwarz", "self_x", "self_t", "ceiling", "ratio"):
        one, other = float(getattr(found.quadratic, name)), float(getattr(expected, name))
        assert one == pytest.approx(other, **same), name
    assert found.quadratic.note == expected.note
    assert found.quadratic.copies == expected.copies
    assert torch.allclose(found.quadratic.influence, expected.influence, atol=1e-9)
    own = [quadratic_information(one.kernel, one.kernel).influence for one in (x, t)]
    for one, by_itself in zip((x, t), own, strict=True):
        assert torch.allclose(one.marginal(0).self_influence, by_itself, atol=1e-9)
    if float(expected.ceiling) != 0:
        on_ratio = (expected.influence - expected.ratio * sum(own) / 2) / expected.ceiling
        assert torch.allclose(found.ratio_influence, on_ratio, atol=1e-9)
    influence = cauchy_schwarz_influence(x.kernel, t.kernel)
    assert torch.allclose(found.cauchy_schwarz_influence, influence, atol=1e-9)
    null = quadratic_null_moments(x.kernel, t.kernel)
    assert found.null.mean == pytest.approx(null.mean, **same)
    if second != "constant":
        assert found.null.high == pytest.approx(null.high, **same)
    linear = [
        gram(one.kernel)
        if one.width is None
        else -0.5 * one.kernel.distances.tile(slice(None), slice(None))
        for one in (x, t)
    ]
    assert found.alignment == pytest.approx(float(cka(*linear)), **same)


def test_other_widths_and_thirds_equal_kernels_made_for_them() -> None:
    named = variables(100)
    for first in ("x", "labels"):
        x, t = named[first], named["t"]
        found = joint(x.marginal(5), t.marginal(5))
        for name, factor in (("half-sigma", 0.5), ("double-sigma", 2.0)):
            kernels = [
                one.kernel
                if one.width is None
                else Gaussian.of(one.kernel.distances, one.width.sigma * factor)
                for one in (x, t)
            ]
            expected = quadratic_information(*kernels)
            wanted = (float(expected.value), float(expected.ratio))
            assert found.other_widths()[name] == pytest.approx(wanted, abs=1e-9)
        for figures, group in zip(found.in_groups(), thirds(100, 5).T, strict=True):
            chosen = group.nonzero().flatten()
            expected = quadratic_information(x.part(chosen), t.part(chosen))
            wanted = (float(expected.value), float(expected.ratio))
            assert figures == pytest.approx(wanted, abs=1e-9)


def told(x: Variable, t: Variable) -> list[str]:
    return information(x, t, permutations=0, seed=0, papers=None, steady=False).reasons


def test_why_a_figure_cannot_be_told() -> None:
    x = drawn(150, 5)
    images = continuous("X", x, "half-median")
    assert told(images, continuous("T", x + 0.5 * drawn(150, 5, seed=1), "half-median")) == []
    independent = continuous("T", drawn(150, 5, seed=2), "half-median")
    assert told(images, independent) == ["inside its null"]
    constant = told(images, continuous("T", torch.ones(150, 2), "half-median"))
    assert constant[0].startswith("constant")
    narrow = told(continuous("X", x, 0.3), continuous("T", x + 0.01, 0.3))
    assert "effective pairs, 100 are needed" in narrow[0]
