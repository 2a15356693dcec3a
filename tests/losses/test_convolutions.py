import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from infoflow.errors import SelectionError
from infoflow.facts import Geometry
from infoflow.layers import Layer
from infoflow.losses import EntropyLoss
from infoflow.losses.symbols import corner_blocks, layer_taps
from infoflow.losses.terms.block import block_loss
from infoflow.losses.terms.conv import corner_losses
from infoflow.losses.terms.log_volume import log_volume_density
from infoflow.measures.weights import block_corner
from infoflow.operators.polyphase import convolution_kernel

LAYERS = [
    nn.Conv2d(4, 4, 3),
    nn.Conv2d(4, 6, 3, stride=2),
    nn.Conv2d(6, 4, 3, dilation=2),
    nn.Conv2d(4, 8, 3, stride=2, groups=2),
    nn.Conv2d(4, 4, 3, groups=4),
    nn.Conv2d(3, 5, 1, stride=2),
    nn.Conv1d(3, 3, 4, stride=2),
    nn.Conv3d(2, 2, 2),
    nn.ConvTranspose2d(4, 3, 3, stride=2),
    nn.Conv2d(2, 3, 3, stride=2, dilation=3),
]


def test_corners_against_the_naive_twin():
    weight = torch.randn(3, 2, 3, 3, dtype=torch.float64)
    naive = [[-np.log(abs(float(weight[o, i, 0, 0]))) for i in range(2)] for o in range(3)]
    np.testing.assert_allclose(corner_losses(weight), naive, rtol=1e-12)
    inverse = 1 / (weight[:, :, 0, 0].abs() + 1e-3)
    torch.testing.assert_close(corner_losses(weight, "inverse"), inverse)


@pytest.mark.parametrize("form", ["log", "inverse"])
def test_gradients_of_corners(form):
    weight = torch.randn(3, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda w: corner_losses(w, form).sum(), (weight,))


def test_a_corner_of_zero_has_a_finite_value_and_gradient():
    weight = torch.randn(3, 2, 3, 3)
    weight[1, 1, 0, 0] = 0
    weight.requires_grad_()
    value = corner_losses(weight).sum()
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(weight.grad).all()


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_symbols_are_those_of_the_measures(layer):
    weight = layer.weight.detach().double()
    taps = layer_taps(layer, weight)
    kernel = convolution_kernel(
        weight.numpy(), stride=layer.stride, dilation=layer.dilation, groups=layer.groups
    )
    assert sorted(taps) == sorted(kernel.offsets)
    grid = np.indices((8,) * len(kernel.axes)).reshape(len(kernel.axes), 8 ** len(kernel.axes))
    frequencies = 2 * np.pi / 8 * grid.T
    symbols = np.asarray(kernel.symbol(frequencies))
    exact = np.log(np.linalg.svd(symbols, compute_uv=False)).sum() / len(symbols)
    assert float(log_volume_density(taps, 8)) == pytest.approx(exact, abs=2e-4)
    blocks = corner_blocks(taps)
    geometry = Geometry(
        stride=layer.stride,
        padding=(),
        dilation=layer.dilation,
        groups=layer.groups,
        transposed=isinstance(layer, nn.ConvTranspose2d),
    )
    twin = block_corner.corner_blocks(
        Layer("conv", "convolution", weight.numpy(), "float64", geometry)
    )
    np.testing.assert_allclose(
        np.linalg.svd(blocks.numpy(), compute_uv=False),
        np.linalg.svd(twin, compute_uv=False),
        atol=1e-12,
    )


@pytest.mark.parametrize("layer", [LAYERS[i] for i in (0, 1, 3, 8)], ids=repr)
def test_gradients_of_blocks_and_densities(layer):
    weight = layer.weight.detach().double().requires_grad_()
    assert gradcheck(lambda w: block_loss(corner_blocks(layer_taps(layer, w))), (weight,))
    assert gradcheck(lambda w: log_volume_density(layer_taps(layer, w), 3), (weight,))


def test_a_block_is_at_most_the_density():
    """Jensen's formula, on a grid fine enough."""
    for seed in range(10):
        torch.manual_seed(seed)
        layer = nn.Conv2d(3, 3, 3)
        taps = layer_taps(layer, layer.weight.detach().double())
        assert -float(block_loss(corner_blocks(taps))) <= float(log_volume_density(taps, 24)) + 0.05


def test_layers_channels_and_signs():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten())
    entropy = EntropyLoss(
        model, "conv=0.5:first", "conv=-0.25,channels=0+2-3:2", "block=1:2", "log-volume=1"
    )
    model(torch.randn(2, 3, 8, 8))
    task = torch.zeros(())
    parts = {name: part.detach() for name, part in entropy.contributions(task).items()}
    first, second = (layer.weight.detach() for layer in (model[0], model[2]))
    logs = second[[0, 2, 3], :, 0, 0].abs().log().sum()
    assert float(parts["conv=0.5:first"]) == pytest.approx(
        -0.5 * float(first[:, :, 0, 0].abs().log().sum()), rel=1e-5
    )
    assert float(parts["conv=-0.25,channels=0+2-3:2"]) == pytest.approx(
        0.25 * float(logs), rel=1e-5
    )
    assert float(parts["block=1:2"]) == pytest.approx(
        -float(torch.linalg.slogdet(second[:, :, 0, 0])[1]), rel=1e-5
    )
    with pytest.raises(SelectionError, match="channel 4"):
        EntropyLoss(model, "conv=1,channels=4")
    with pytest.raises(SelectionError, match="ranges such as"):
        EntropyLoss(model, "conv=1,channels=a-b")
