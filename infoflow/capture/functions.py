"""Functions that a network calls without a module: which of them make sites."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.overrides import TorchFunctionMode

from infoflow.capture import roles
from infoflow.capture.nesting import tensors_of
from infoflow.capture.site import Site


class Listener(Protocol):
    """Whoever is told of functions."""

    def source(self, tensor: Tensor) -> Site | None:
        """The site whose values these are."""

    def joined(self) -> None:
        """Two computed tensors met."""

    def escaped(self, tensor: Tensor, /) -> None:
        """The numbers of a tensor leave torch."""

    def called(
        self, function: str, role: str, source: Site | None, output: Tensor
    ) -> Tensor | None:
        """A function of the table was called; what to go on with in the output's stead."""


class Functions(TorchFunctionMode):
    """Tells a listener of the functions of torch that are called while the mode is on.

    Args:
        listener: Is told.
        constants: Identities of tensors that do not depend on the input.
    """

    def __init__(self, listener: Listener, constants: Collection[int]) -> None:
        super().__init__()
        self.listener = listener
        self.constants = constants

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function and tell of it."""
        kwargs = kwargs or {}
        given = [tensor for _, tensor in tensors_of((args, kwargs))]
        name = roles.function_name(func)
        computed = {id(tensor) for tensor in given if not self._is_constant(tensor)}
        role = self._role(name, given, computed)
        # An operation in place has other values afterwards: ask before.
        source = self.listener.source(given[0]) if role and given else None
        if name in roles.ESCAPES and given:
            self.listener.escaped(given[0])
        output = func(*args, **kwargs)
        if len(computed) > 1:
            self.listener.joined()
        if role is None or any(map(is_functorch_wrapped_tensor, given)):
            return output
        if not isinstance(output, Tensor):  # pooling with indices
            first = next((tensor for _, tensor in tensors_of(output)), None)
            if first is not None:
                self.listener.called(name, role, source, first)
            return output
        if name in roles.MEANS and not (output.dim() == 2 and given[0].dim() > 2):
            return output
        replaced = self.listener.called(name, role, source, output)
        return output if replaced is None else replaced

    def _role(self, name: str, given: list[Tensor], computed: Collection[int]) -> str | None:
        if name in roles.PRODUCTS:
            return roles.LINEAR if len(computed) == 1 and len(given) > 1 else None
        if name in roles.MEANS:
            return roles.POOLING if given else None
        return roles.FUNCTIONS.get(name)

    def _is_constant(self, tensor: Tensor) -> bool:
        """Whether it is a parameter or buffer, or a view of one."""
        base = tensor._base
        owner = tensor if base is None else base
        return isinstance(owner, nn.Parameter) or id(owner) in self.constants
