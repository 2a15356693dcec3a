"""Directions and magnitudes of error signals."""

from __future__ import annotations

import math

import pytest
import torch

from infoflow.measures.activations.error_signals import directions, log_magnitudes, silent
from tests.activations.drawing import normal


def test_directions_and_magnitudes_make_up_the_errors() -> None:
    errors = normal(6, 2, 3, seed=1) * 10.0 ** torch.arange(-3, 3)[:, None, None]
    again = directions(errors) * log_magnitudes(errors).exp()[:, None, None]
    assert torch.allclose(again, errors, rtol=1e-12)
    assert directions(errors).flatten(1).norm(dim=1).tolist() == pytest.approx([1] * 6)


def test_a_common_scale_changes_no_direction() -> None:
    errors = normal(5, 4, seed=2)
    assert torch.allclose(directions(1e-200 * errors), directions(errors))
    shifted = log_magnitudes(1e-200 * errors) - log_magnitudes(errors)
    assert shifted.tolist() == pytest.approx([-200 * math.log(10)] * 5)


def test_samples_without_error() -> None:
    errors = torch.zeros(3, 4)
    errors[1, 2] = -2.0
    assert silent(errors).tolist() == [True, False, True]
    assert log_magnitudes(errors).tolist() == pytest.approx([-math.inf, math.log(2), -math.inf])
    assert directions(errors).tolist() == [[0] * 4, [0, 0, -1, 0], [0] * 4]
