"""How a network's weights are drawn, found by watching it being built.

Weights that `torch.empty` makes are put on the meta device, so that even a large network is built
in milliseconds and next to no memory; every random draw, fill, scaling and shift is watched
as it is dispatched. The last full write of a tensor decides. What is not followed exactly is
unknown, never guessed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from infoflow.architectures.architecture import Initialisation

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
            return replace(self, cut=min(self.cut, _nearer_cut(self.low, self.high, bottom, top)))
        return None

    def inverse_error_function(self) -> Draw | None:
        """Of a uniform in (−1, 1): a normal of variance ½, cut where the uniform ends."""
        if self.family != "uniform" or self.low < -1.0 or self.high > 1.0:
            return None
        ends = torch.erfinv(torch.tensor((self.low, self.high), dtype=torch.float64))
        deviation = math.sqrt(0.5)
        return Draw(
            "normal", 0.0, deviation, _nearer_cut(0.0, deviation, float(ends[0]), float(ends[1]))
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


def _nearer_cut(mean: float, deviation: float, low: float, high: float) -> float:
    return min(mean - low, high - mean) / deviation


class Recorder:
    """Builds networks on the meta device and remembers how each of their tensors is drawn."""

    def __init__(self) -> None:
        # The storage is kept beside its draw, so that its address is not given out twice.
        self._draws: dict[int, tuple[torch.UntypedStorage, Draw | None]] = {}
        self._trustworthy = False

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Everything built inside is built on the meta device, and watched."""
        with _truncated_normals(self.truncated_normal), _Writes(self), _EmptyOnMeta(self):
            self._trustworthy = self._sees_truncated_normals()
            yield

    def initialisation(self, tensor: torch.Tensor) -> Initialisation | None:
        """How ``tensor``, built while recording, was drawn."""
        draw = self.draw(tensor)
        return draw.public() if draw is not None and self._trustworthy else None

    def draw(self, tensor: torch.Tensor) -> Draw | None:
        """The distribution that the tensor's memory holds, None where unknown."""
        return self._draws.get(_address(tensor), (None, None))[1]

    def write(self, tensor: torch.Tensor, draw: Draw | None) -> None:
        """Note that ``tensor`` now holds ``draw``; a write to a part makes the whole unknown."""
        storage = tensor.untyped_storage()
        whole = tensor.numel() * tensor.element_size() == storage.nbytes()
        if not whole and self.draw(tensor) != draw:
            draw = None
        self._draws[_address(tensor)] = (storage, draw)

    def truncated_normal(
        self, tensor: torch.Tensor, mean: float, std: float, a: float, b: float
    ) -> None:
        """Note a draw of torch.nn.init.trunc_normal_."""
        self.write(tensor, Draw("normal", mean, std, _nearer_cut(mean, std, a, b)))

    def _sees_truncated_normals(self) -> bool:
        # torch draws nothing for a meta tensor here, so a version of torch in which the watch
        # below does not take would leave the default initialisation on record: a wrong one.
        probe = torch.empty(3, device="meta")
        nn.init.trunc_normal_(probe, std=0.125, a=-2.0, b=2.0)
        return self.draw(probe) in (
            Draw("normal", 0.0, 0.125, 16.0),
            Draw("normal", 0.0, 0.125, math.inf),
        )


def _address(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


@contextmanager
def _truncated_normals(note: Callable[..., None]) -> Iterator[None]:
    """Replace torch's sampler of truncated normals, a no-op on meta tensors, by a note."""
    original = getattr(nn.init, "_no_grad_trunc_normal_", None)
    if original is None:
        yield
        return

    def noted(
        tensor: torch.Tensor, mean: float, std: float, a: float, b: float, **_: Any
    ) -> torch.Tensor:
        note(tensor, mean, std, a, b)
        return tensor

    nn.init._no_grad_trunc_normal_ = noted
    try:
        yield
    finally:
        nn.init._no_grad_trunc_normal_ = original


class _EmptyOnMeta(TorchFunctionMode):
    """`torch.empty` without a device goes to the meta device; all else stays real.

    Only `torch.empty`, which layers use for their weights: what networks compute while they
    are built (block widths, rates of stochastic depth, index tables) needs real numbers.
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.empty and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        if func is _IS_META and _asked_by_torch_init():
            # Such an initialiser (orthogonal_, dirac_) returns at once for a meta tensor.
            self.recorder.write(args[0], None)
        return func(*args, **kwargs)


_IS_META = torch.Tensor.is_meta.__get__  # type: ignore[attr-defined]


def _asked_by_torch_init() -> bool:
    frame = sys._getframe(2)
    return frame.f_globals.get("__name__") == nn.init.__name__


class _Writes(TorchDispatchMode):
    """Tells the recorder of every operation that writes or makes a tensor."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        packet = func.overloadpacket
        before = None
        if args and isinstance(args[0], torch.Tensor):
            before = self.recorder.draw(args[0])
        result = func(*args, **kwargs)
        if isinstance(result, torch.Tensor) and (
            func._schema.is_mutable or _makes_new_memory(result, args)
        ):
            self.recorder.write(result, self._after(packet, args, kwargs, before))
        return result

    def _after(self, packet: Any, args: Any, kwargs: Any, before: Draw | None) -> Draw | None:
        if packet in _FRESH:
            return _FRESH[packet](args, kwargs)
        if packet in (_aten.copy_, _aten.clone, _aten._to_copy):
            source = args[1] if packet is _aten.copy_ else args[0]
            return self.recorder.draw(source) if isinstance(source, torch.Tensor) else None
        if before is None or packet not in _CHANGES:
            return None
        return _CHANGES[packet](before, args, kwargs)


def _makes_new_memory(result: torch.Tensor, args: Any) -> bool:
    return all(
        not isinstance(argument, torch.Tensor) or _address(argument) != _address(result)
        for argument in args
    )


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


_FRESH: dict[Any, Callable[[Any, Any], Draw | None]] = {
    _aten.uniform_: lambda args, kwargs: Draw("uniform", *_of_numbers(args, kwargs, ("from", "to"))),
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

_CHANGES: dict[Any, Callable[[Draw, Any, Any], Draw | None]] = {
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
