"""Distributions that weights are drawn from, and what torch's operations do to them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from infoflow.facts import Initialisation

FAR_CUT = 4.0
"""A normal cut at 4 standard deviations or beyond keeps its variance to 1.1e-3: called normal."""

_aten = torch.ops.aten


@dataclass(frozen=True)
class Draw:
    """A distribution: ``constant`` (low), ``uniform`` on (low, high), or ``normal``.

    A normal has mean ``low`` and standard deviation ``high`` and is cut ``cut`` standard
    deviations from its mean, on the nearer side.
    """

    family: str
    low: float
    high: float = 0.0
    cut: float = math.inf

    def scaled(self, factor: float) -> Draw | None:
        """The distribution of ``factor`` times the variable, None where that is not kept."""
        if self.family == "normal":
            return replace(self, low=self.low * factor, high=self.high * abs(factor))
        if self.family == "uniform":
            low, high = sorted((self.low * factor, self.high * factor))
            return replace(self, low=low, high=high)
        return replace(self, low=self.low * factor)

    def shifted(self, by: float) -> Draw:
        """The distribution of the variable plus ``by``."""
        if self.family == "uniform":
            return replace(self, low=self.low + by, high=self.high + by)
        return replace(self, low=self.low + by)

    def clamped(self, low: float | None, high: float | None) -> Draw | None:
        """After clamping; only a clamp outside the support or far out is followed."""
        bottom = -math.inf if low is None else low
        top = math.inf if high is None else high
        if self.family == "uniform" and bottom <= self.low and self.high <= top:
            return self
        if self.family == "constant":
            return replace(self, low=min(max(self.low, bottom), top))
        if self.family == "normal" and self.high > 0:
            return replace(self, cut=min(self.cut, nearer_cut(self.low, self.high, bottom, top)))
        return None

    def inverse_error_function(self) -> Draw | None:
        """Of a uniform in (−1, 1): a normal of variance ½, cut where the uniform ends."""
        if self.family != "uniform" or self.low < -1.0 or self.high > 1.0:
            return None
        ends = torch.erfinv(torch.tensor((self.low, self.high), dtype=torch.float64))
        deviation = math.sqrt(0.5)
        return Draw(
            "normal", 0.0, deviation, nearer_cut(0.0, deviation, float(ends[0]), float(ends[1]))
        )

    def public(self) -> Initialisation | None:
        """As the report names it; None for what is neither symmetric nor constant."""
        if self.family == "constant":
            return Initialisation("constant", self.low)
        if self.family == "uniform":
            symmetric = math.isclose(-self.low, self.high, rel_tol=1e-9)
            return Initialisation("uniform", self.high) if symmetric else None
        if self.low == 0.0 and self.cut >= FAR_CUT:
            return Initialisation("normal", self.high)
        return None


def nearer_cut(mean: float, deviation: float, low: float, high: float) -> float:
    """Standard deviations from the mean to the nearer end."""
    return min(mean - low, high - mean) / deviation


def _number(value: Any) -> float | None:
    if isinstance(value, torch.Tensor):
        return float(value) if value.dim() == 0 and not value.is_meta else None
    return float(value)


def _of_numbers(args: Any, kwargs: Any, names: tuple[str, str]) -> tuple[float, float]:
    first = args[1] if len(args) > 1 else kwargs.get(names[0], 0.0)
    second = args[2] if len(args) > 2 else kwargs.get(names[1], 1.0)
    return float(first), float(second)


def _constant(value: Any) -> Draw | None:
    number = _number(value)
    return None if number is None else Draw("constant", number)


def _scale(draw: Draw, args: Any, power: int) -> Draw | None:
    number = _number(args[1])
    return None if number is None or number == 0 else draw.scaled(number**power)


def _shift(draw: Draw, args: Any, kwargs: Any, sign: int) -> Draw | None:
    number = _number(args[1])
    if number is None or kwargs.get("alpha", 1) != 1:
        return None
    return draw.shifted(sign * number)


def _clamp(draw: Draw, args: Any, kwargs: Any) -> Draw | None:
    low = args[1] if len(args) > 1 else kwargs.get("min")
    high = args[2] if len(args) > 2 else kwargs.get("max")
    return draw.clamped(low, high)


FRESH: dict[Any, Callable[[Any, Any], Draw | None]] = {
    _aten.uniform_: lambda args, kwargs: Draw(
        "uniform", *_of_numbers(args, kwargs, ("from", "to"))
    ),
    _aten.normal_: lambda args, kwargs: Draw("normal", *_of_numbers(args, kwargs, ("mean", "std"))),
    _aten.fill_: lambda args, kwargs: _constant(args[1]),
    _aten.zero_: lambda args, kwargs: Draw("constant", 0.0),
    _aten.zeros: lambda args, kwargs: Draw("constant", 0.0),
    _aten.zeros_like: lambda args, kwargs: Draw("constant", 0.0),
    _aten.ones: lambda args, kwargs: Draw("constant", 1.0),
    _aten.ones_like: lambda args, kwargs: Draw("constant", 1.0),
    _aten.full: lambda args, kwargs: _constant(args[1]),
    _aten.randn: lambda args, kwargs: Draw("normal", 0.0, 1.0),
    _aten.randn_like: lambda args, kwargs: Draw("normal", 0.0, 1.0),
    _aten.rand: lambda args, kwargs: Draw("uniform", 0.0, 1.0),
    _aten.rand_like: lambda args, kwargs: Draw("uniform", 0.0, 1.0),
}

"""What an operation that does not look at the tensor leaves in it."""

CHANGES: dict[Any, Callable[[Draw, Any, Any], Draw | None]] = {
    _aten.erfinv_: lambda draw, args, kwargs: draw.inverse_error_function(),
    _aten.mul_: lambda draw, args, kwargs: _scale(draw, args, 1),
    _aten.mul: lambda draw, args, kwargs: _scale(draw, args, 1),
    _aten.div_: lambda draw, args, kwargs: _scale(draw, args, -1),
    _aten.div: lambda draw, args, kwargs: _scale(draw, args, -1),
    _aten.add_: lambda draw, args, kwargs: _shift(draw, args, kwargs, 1),
    _aten.add: lambda draw, args, kwargs: _shift(draw, args, kwargs, 1),
    _aten.sub_: lambda draw, args, kwargs: _shift(draw, args, kwargs, -1),
    _aten.sub: lambda draw, args, kwargs: _shift(draw, args, kwargs, -1),
    _aten.neg_: lambda draw, args, kwargs: draw.scaled(-1.0),
    _aten.neg: lambda draw, args, kwargs: draw.scaled(-1.0),
    _aten.clamp_: _clamp,
    _aten.clamp: _clamp,
}
"""What an operation makes of a tensor whose distribution is known."""
