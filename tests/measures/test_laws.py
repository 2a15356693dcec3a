"""Laws that hold for every layer: scaling, folding, and one tap where all is known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from infoflow.facts import Geometry
from infoflow.layers import Layer, Normalisation
from infoflow.measures import choose
from infoflow.measures.weights.subject import Subject
from tests.cases import gaussian


def rows(layer, *measures):
    return {
        (row.measure, row.statistic): row
        for measure in choose(list(measures))
        if layer.kind in measure.kinds
        for row in measure.compute(Subject(layer))
    }


def convolution(weight, *, stride=1, groups=1, **more):
    axes = weight.ndim - 2
    geometry = Geometry((stride,) * axes, (0,) * axes, (1,) * axes, groups=groups)
    return Layer("c", "convolution", weight, str(weight.dtype), geometry, "known", **more)


def dense(weight, **more):
    return Layer("d", "dense", weight, str(weight.dtype), **more)


def test_slices_of_one_tap_are_their_logarithms():
    weight = gaussian(3, 4, 1, 1).astype(np.float64)
    found = rows(convolution(weight), "log-volume.density.slice")
    exact = np.log(np.abs(weight)).ravel()
    slices = "log-volume.density.slice"
    assert found[slices, "mean"].value == pytest.approx(exact.mean())
    assert found[slices, "q1"].value == pytest.approx(np.quantile(exact, 0.25))
    assert found[slices, "maximum"].value == pytest.approx(exact.max())


@pytest.mark.parametrize("groups", [1, 3])
def test_scale_free_does_not_see_the_scale(groups):
    weight = gaussian(6, 6 // groups, 1, 1).astype(np.float64)
    values = [
        rows(convolution(scale * weight, groups=groups), "log-volume.density.scale-free")[
            "log-volume.density.scale-free", "value"
        ].value
        for scale in (1.0, 1e-3)
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-9)


@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 2)])
def test_the_twin_of_a_scaled_layer_moves_by_its_rank(stride, groups):
    weight = gaussian(16, 8 // groups, 3, 3).astype(np.float64)
    twins = [
        rows(convolution(s * weight, stride=stride, groups=groups), "random-twin.log-volume")
        for s in (1.0, 0.1)
    ]
    values = [twin["random-twin.log-volume", "expected-mean"].value for twin in twins]
    rank = 16 if stride == 2 else 8
    assert values[1] - values[0] == pytest.approx(rank * math.log(0.1), abs=1e-9)


def test_folding_uses_the_normalisations_own_epsilon():
    weight = gaussian(3, 5).astype(np.float64)
    norm = Normalisation("n", np.ones(3), np.zeros(3), 0.25)
    found = rows(dense(weight, normalisation=norm), "log-volume")
    folded = found["log-volume.density.folded", "value"].value
    assert folded == pytest.approx(found["log-volume", "value"].value + 3 * math.log(2))


def test_a_zeroed_layers_twin_looks_at_the_live_weights():
    weight = gaussian(64, 32, 3, 3).astype(np.float64)
    weight[np.random.default_rng(1).random(weight.shape) < 0.7] = 0.0
    found = rows(convolution(weight), "random-twin.c11")
    corner = weight[:, :, 0, 0]
    live = np.log(np.abs(corner[corner != 0])).mean()
    assert found["random-twin.c11", "expected-mean"].value == pytest.approx(live, abs=0.15)


def test_another_seed_gives_other_frequencies_and_fast_a_wider_interval():
    layer = convolution(gaussian(8, 8, 3, 3))
    (density,) = choose("log-volume.density")[:1]
    slow, other, fast = (
        next(iter(density.compute(Subject(layer, fast=fast, seed=seed))))
        for fast, seed in ((False, 0), (False, 1), (True, 0))
    )
    assert slow.value != other.value
    assert slow.value == pytest.approx(other.value, abs=0.1)
    assert fast.high - fast.low > slow.high - slow.low
