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
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from infoflow.architectures.draws import CHANGES, FRESH, Draw, nearer_cut
from infoflow.facts import Initialisation

_aten = torch.ops.aten


class Recorder:
    """Builds networks on the meta device and remembers how each of their tensors is drawn."""

    def __init__(self) -> None:
        # The storage is kept beside its draw, so that its address is not given out twice.
        self._draws: dict[int, tuple[torch.UntypedStorage, Draw | None]] = {}
        self._trustworthy = False

    def build(self, make: Callable[[], nn.Module]) -> nn.Module:
        """What ``make`` returns, built on the meta device if it can be, and watched.

        A network that cannot be built with its weights there and all else real is built
        with everything there, or else with everything real.
        """
        for device in (_EmptyOnMeta(), torch.device("meta")):
            try:
                with self.recording(), device:
                    return make()
            except Exception as error:
                if not _about_meta(error):
                    raise
        with self.recording():
            return make()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Every tensor made inside is watched."""
        with _truncated_normals(self.truncated_normal), _Writes(self), _Questions(self):
            with _EmptyOnMeta():
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
        self.write(tensor, Draw("normal", mean, std, nearer_cut(mean, std, a, b)))

    def _sees_truncated_normals(self) -> bool:
        # torch draws nothing for a meta tensor here, so a version of torch in which the watch
        # below does not take would leave the default initialisation on record: a wrong one.
        probe = torch.empty(3, device="meta")
        nn.init.trunc_normal_(probe, std=0.125, a=-2.0, b=2.0)
        return self.draw(probe) in (
            Draw("normal", 0.0, 0.125, 16.0),
            Draw("normal", 0.0, 0.125, math.inf),
        )


def _about_meta(error: BaseException | None) -> bool:
    """Whether it, or what led to it, is the meta device's refusal."""
    while error is not None:
        if "meta" in str(error):
            return True
        error = error.__cause__
    return False


def _address(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


@contextmanager
def _truncated_normals(note: Callable[..., None]) -> Iterator[None]:
    """Replace torch's sampler of truncated normals, a no-op on meta tensors, by a note."""
    module: Any = nn.init
    original = getattr(module, "_no_grad_trunc_normal_", None)
    if original is None:
        yield
        return

    def noted(
        tensor: torch.Tensor, mean: float, std: float, a: float, b: float, **_: Any
    ) -> torch.Tensor:
        note(tensor, mean, std, a, b)
        return tensor

    module._no_grad_trunc_normal_ = noted
    try:
        yield
    finally:
        module._no_grad_trunc_normal_ = original


class _EmptyOnMeta(TorchFunctionMode):
    """`torch.empty` without a device goes to the meta device; all else stays real.

    Only `torch.empty`, which layers use for their weights: what networks compute while they
    are built (block widths, rates of stochastic depth, index tables) needs real numbers.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.empty and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


class _Questions(TorchFunctionMode):
    """Sees initialisers ask whether a tensor is on the meta device."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func == _IS_META and _asked_by_torch_init():
            # orthogonal_ and dirac_ ask, and return at once for a meta tensor.
            self.recorder.write(args[0], None)
        return func(*args, **(kwargs or {}))


# Python makes this method anew at each look: compare it with ==, not with `is`.
_IS_META = torch.Tensor.is_meta.__get__  # type: ignore[attr-defined]


def _asked_by_torch_init() -> bool:
    frame: FrameType | None = sys._getframe(1)
    # Other function modes may stand between the question and this one.
    while frame is not None and frame.f_globals.get("__name__") in _BETWEEN:
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__") == nn.init.__name__


_BETWEEN = {__name__, "torch.overrides", "torch.utils._device"}


class _Writes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tells the recorder of every operation that writes or makes a tensor."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.recorder = recorder

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
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
        if packet in FRESH:
            return FRESH[packet](args, kwargs)
        if packet in (_aten.copy_, _aten.clone, _aten._to_copy):
            source = args[1] if packet is _aten.copy_ else args[0]
            return self.recorder.draw(source) if isinstance(source, torch.Tensor) else None
        if before is None or packet not in CHANGES:
            return None
        return CHANGES[packet](before, args, kwargs)


def _makes_new_memory(result: torch.Tensor, args: Any) -> bool:
    return all(
        not isinstance(argument, torch.Tensor) or _address(argument) != _address(result)
        for argument in args
    )
