"""Drawn configurations of convolutions, all of which torch accepts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from infoflow.facts import Geometry

MOST = {1: 9, 2: 6, 3: 4}
"""Largest input along an axis, by the number of dimensions."""


@dataclass(frozen=True)
class Drawn:
    """A convolution and the size of its input; ``seed`` makes its weight and vectors."""

    shape: tuple[int, ...]
    geometry: Geometry
    size: tuple[int, ...]
    seed: int

    @property
    def weight(self) -> np.ndarray[Any, Any]:
        """Normal numbers, one in five of them exactly zero."""
        generator = np.random.default_rng(self.seed)
        kept = generator.uniform(size=self.shape) > 0.2
        return generator.standard_normal(self.shape) * kept


@st.composite
def convolutions(draw: st.DrawFn) -> Drawn:
    """Forward convolutions of every padding mode."""
    dimensions = draw(st.integers(1, 3))
    mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
    axes = [draw(_axis(dimensions, mode)) for _ in range(dimensions)]
    size, kernel, stride, padding, dilation = zip(*axes, strict=True)
    groups = draw(st.integers(1, 3))
    per_group = draw(st.integers(1, 3))
    outputs = groups * draw(st.integers(1, 2))
    geometry = Geometry(stride, padding, dilation, groups, padding_mode=mode)
    return Drawn((outputs, per_group, *kernel), geometry, size, draw(st.integers(0, 2**31)))


@st.composite
def _axis(draw: st.DrawFn, dimensions: int, mode: str) -> tuple[int, int, int, int, int]:
    size = draw(st.integers(1, MOST[dimensions]))
    stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    limit = {"reflect": size - 1, "circular": size}.get(mode, 3)
    padding = draw(st.integers(0, min(limit, 3)))
    most = (size + 2 * padding - 1) // dilation + 1
    return size, draw(st.integers(1, min(most, 4))), stride, padding, dilation


@st.composite
def transposed_convolutions(draw: st.DrawFn) -> Drawn:
    """Transposed convolutions, with output padding up to the dilation where that is larger."""
    dimensions = draw(st.integers(1, 3))
    axes = [draw(_transposed_axis(dimensions)) for _ in range(dimensions)]
    size, kernel, stride, padding, dilation, extra = zip(*axes, strict=True)
    groups = draw(st.integers(1, 3))
    outputs = draw(st.integers(1, 3))
    inputs = groups * draw(st.integers(1, 2))
    geometry = Geometry(stride, padding, dilation, groups, True, output_padding=extra)
    return Drawn((inputs, outputs, *kernel), geometry, size, draw(st.integers(0, 2**31)))


@st.composite
def _transposed_axis(draw: st.DrawFn, dimensions: int) -> tuple[int, ...]:
    size = draw(st.integers(1, MOST[dimensions] - 1))
    kernel, stride, dilation = (draw(st.integers(1, 3)) for _ in range(3))
    extra = draw(st.integers(0, max(stride, dilation) - 1))
    whole = (size - 1) * stride + dilation * (kernel - 1) + 1 + extra
    return size, kernel, stride, draw(st.integers(0, min((whole - 1) // 2, 3))), dilation, extra


def module(drawn: Drawn) -> Any:
    """torch's own layer, in float64 and without a bias."""
    from torch import float64, from_numpy, nn

    geometry, dimensions = drawn.geometry, len(drawn.size)
    first, second = drawn.shape[0], drawn.shape[1] * geometry.groups
    settings: dict[str, Any] = {
        "stride": geometry.stride,
        "padding": geometry.padding,
        "dilation": geometry.dilation,
        "groups": geometry.groups,
        "bias": False,
        "dtype": float64,
    }
    if geometry.transposed:
        make = getattr(nn, f"ConvTranspose{dimensions}d")
        settings["output_padding"] = geometry.output_padding
        channels = (first, second)
    else:
        make = getattr(nn, f"Conv{dimensions}d")
        settings["padding_mode"] = geometry.padding_mode
        channels = (second, first)
    layer = make(*channels, drawn.shape[2:], **settings)
    layer.weight.data = from_numpy(drawn.weight)
    return layer


def without_zeros(drawn: Drawn) -> Drawn:
    """The same with zero padding, which the slow twin of transposed layers knows alone."""
    return replace(drawn, geometry=replace(drawn.geometry, padding_mode="zeros"))
