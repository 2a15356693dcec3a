"""Keeping tensors as they are while a network writes over them in place."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Generic, TypeVar

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from infoflow.capture.nesting import tensors_of

Key = TypeVar("Key")


class Keeping(TorchDispatchMode, Generic[Key]):  # type: ignore[no-untyped-call]
    """Copies a kept tensor just before an operation writes to its memory, and only then.

    Args:
        kept: The tensors; the copies take their place in it.
    """

    def __init__(self, kept: MutableMapping[Key, Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept = kept

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Asked by torch: what runs here is never compiled, and dynamo takes seconds to load."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, after copying what it will change."""
        kwargs = kwargs or {}
        for tensor in written(func, args, kwargs):
            for key, kept in self.kept.items():
                if share_memory(kept, tensor):
                    self.kept[key] = kept.clone()
        return func(*args, **kwargs)


def share_memory(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors look at one storage; sparse and nested ones have none."""
    try:
        return bool(a.untyped_storage()._cdata == b.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):
        return a is b


def written(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """The tensors that an operation writes to, by its schema."""
    if not func._schema.is_mutable:
        return []
    targets: list[Tensor] = []
    for position, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[position] if position < len(args) else kwargs.get(argument.name)
            targets += [tensor for _, tensor in tensors_of(value)]
    return targets
