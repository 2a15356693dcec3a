"""Running a network so that nothing of it is different afterwards."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import CheckpointFunction

from infoflow.capture.same_values import times_written
from infoflow.errors import CaptureError


def uncompiled(module: nn.Module) -> nn.Module:
    """The module that was given to ``torch.compile``, or the module itself."""
    inner = getattr(module, "_orig_mod", None)
    return inner if isinstance(inner, nn.Module) else module


@contextmanager
def undisturbed(module: nn.Module) -> Iterator[None]:
    """Evaluation mode without side effects, also where the network raises.

    Put back afterwards: each module's training flag, its buffers and their values, its attributes,
    and the state of torch's random generators. Inside, compiled modules run eagerly, segments
    under reentrant gradient checkpointing run plainly, and torch's layers of attention call their
    parts instead of one fused function: there are no activations to be had of any otherwise.

    Raises:
        CaptureError: The network has layers whose shape is not known before they run, which a
            first run would change.
    """
    _refuse_lazy(module)
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(_devices()))
        stack.enter_context(torch.inference_mode(mode=False))
        stack.enter_context(_eager())
        stack.enter_context(unfused())
        for part in module.modules():
            stack.callback(_snapshot(part))
            part.training = False
        yield


def _refuse_lazy(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if isinstance(parameter, nn.UninitializedParameter):
            raise CaptureError(
                f"{name} has no shape yet (a lazy layer); run the model once before it is analysed."
            )


def _devices() -> list[int]:
    """CUDA devices whose random state exists; asking for others would create it."""
    exists = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return list(range(torch.cuda.device_count())) if exists else []


def _snapshot(part: nn.Module) -> Callable[[], None]:
    """A function that puts the module's own attributes and buffers back."""
    buffers = [buffer for buffer in part._buffers.values() if buffer is not None]
    values = [(buffer, times_written(buffer), buffer.detach().clone()) for buffer in buffers]
    if isinstance(part, torch.jit.ScriptModule):  # its attributes are not Python's
        training = part.training

        def restore() -> None:
            part.training = training

        return restore
    attributes = dict(vars(part))
    tables = {key: dict(attributes[key]) for key in ("_parameters", "_buffers", "_modules")}

    def restore_all() -> None:
        vars(part).clear()
        vars(part).update(attributes)
        for key, table in tables.items():
            attributes[key].clear()
            attributes[key].update(table)
        with torch.no_grad():
            for buffer, version, value in values:
                if times_written(buffer) != version:
                    buffer.copy_(value)

    return restore_all


@contextmanager
def _eager() -> Iterator[None]:
    """No compiled code, no reentrant checkpointing."""
    with ExitStack() as stack:
        if "torch._dynamo" in sys.modules:  # else nothing has been compiled, and it is slow to load
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        kept = CheckpointFunction.__dict__.get("apply")
        CheckpointFunction.apply = staticmethod(_plainly)
        try:
            yield
        finally:
            if kept is None:
                del CheckpointFunction.apply
            else:
                CheckpointFunction.apply = kept


@contextmanager
def unfused() -> Iterator[None]:
    """``nn.TransformerEncoderLayer`` and ``nn.MultiheadAttention`` without their fast path."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def _plainly(function: Callable[..., Any], preserve_random_state: bool, *args: Any) -> Any:
    """Stands for ``CheckpointFunction.apply``: runs the segment, keeps its activations."""
    return function(*args)
