"""Weights that torch computes before every pass, against torch's own."""

from __future__ import annotations

import numpy as np
import pytest

from infoflow.report import Status
from tests.cases import gaussian
from tests.maps.reading import layers, records, refusal


def state(module):
    return {f"m.{name}": value.numpy() for name, value in module.state_dict().items()}


def makings():
    """Modules in evaluation mode, each with one computed weight."""
    torch = pytest.importorskip("torch")
    nn, utils = torch.nn, torch.nn.utils
    new, old = utils.parametrizations, utils.weight_norm
    torch.manual_seed(0)
    with pytest.warns(FutureWarning):
        yield old(nn.Conv2d(3, 4, 3))
    with pytest.warns(FutureWarning):
        yield old(nn.Linear(5, 4), dim=None)
    with pytest.warns(FutureWarning):
        yield old(nn.ConvTranspose1d(3, 4, 3), dim=1)
    yield new.weight_norm(nn.Linear(5, 4))
    yield new.weight_norm(nn.Conv1d(3, 4, 3), dim=2)
    yield new.spectral_norm(nn.Linear(5, 4))
    yield new.spectral_norm(nn.ConvTranspose2d(4, 4, 3), n_power_iterations=15)
    yield utils.spectral_norm(nn.Conv2d(3, 4, 3))
    yield utils.spectral_norm(nn.ConvTranspose2d(3, 4, 3))
    yield utils.spectral_norm(nn.Linear(4, 4))


def test_computed_weights_are_torchs_own():
    count = 0
    for module in makings():
        module.eval()
        if hasattr(module, "weight_v"):
            module(pytest.importorskip("torch").zeros(1, *_input(module)))
        found = layers(state(module))
        np.testing.assert_allclose(
            found["m"].weight, module.weight.detach().numpy(), rtol=2e-6, atol=1e-7
        )
        kinds = {r.status for r in records(state(module)).values()}
        assert Status.NOT_SUPPORTED not in kinds
        count += 1
    assert count == 10


def _input(module):
    kernel = getattr(module, "kernel_size", ())
    channels = getattr(module, "in_channels", None) or module.in_features
    return (channels, *(8 for _ in kernel))


def test_a_pruned_weight_of_torch():
    torch = pytest.importorskip("torch")
    from torch.nn.utils import prune

    module = prune.random_unstructured(torch.nn.Linear(6, 5), "weight", 0.5)
    np.testing.assert_array_equal(layers(state(module))["m"].weight, module.weight.detach().numpy())


def test_parameters_are_counted_once_and_vectors_not_at_all():
    torch = pytest.importorskip("torch")
    found = records(state(torch.nn.utils.spectral_norm(torch.nn.Linear(6, 5, bias=False))))
    assert {name: record.counts for name, record in found.items()} == {
        "m.weight_orig": True,
        "m.weight_u": False,
        "m.weight_v": False,
    }


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"m.weight_g": gaussian(3, 1), "m.weight_v": gaussian(4, 5)}, "does not fit"),
        (
            {"m.weight_orig": gaussian(4, 5), "m.weight_u": gaussian(3), "m.weight_v": gaussian(5)},
            "do not fit",
        ),
        ({"m.weight_v": gaussian(4, 5)}, "other tensors are missing"),
        ({"m.weight_orig": gaussian(4, 5)}, "not known"),
        (
            {
                "m.parametrizations.weight.original": gaussian(4, 4),
                "m.parametrizations.weight.0.base": gaussian(4, 4),
            },
            "orthogonal",
        ),
        (
            {
                "m.parametrizations.weight.original": gaussian(4, 4),
                "m.parametrizations.weight.0._u": gaussian(4),
                "m.parametrizations.weight.0._v": gaussian(4),
                "m.parametrizations.weight.1.base": gaussian(4, 4),
            },
            "one upon another",
        ),
        ({"m.parametrizations.weight.original": gaussian(4, 4)}, "function"),
    ],
)
def test_what_cannot_be_computed_says_why(arrays, reason):
    assert reason in refusal(arrays)


def test_a_direction_of_zeros_is_no_number_and_no_crash():
    arrays = {"m.weight_g": np.ones((2, 1), np.float32), "m.weight_v": np.zeros((2, 3), np.float32)}
    assert np.isnan(layers(arrays)["m"].weight).all()
