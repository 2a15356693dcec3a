"""Seeing each site of a forward pass at the moment at which its tensor exists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.jit import ScriptModule
from torch.nn.utils.parametrize import ParametrizationList
from torch.utils._python_dispatch import _disable_current_modes

from infoflow.capture import roles
from infoflow.capture.functions import Functions
from infoflow.capture.nesting import tensors_of
from infoflow.capture.same_values import SameValues
from infoflow.capture.site import Site
from infoflow.capture.undisturbed import uncompiled
from infoflow.errors import CaptureError

Receive = Callable[[Site, Tensor, Site | None], Tensor | None]
"""Takes a site, its tensor, and the site in whose stead it stands (or None).

What it returns, if not None, is what the network goes on with; of a tuple or dictionary nothing is
replaced. The tensor holds the site's values at the time of the call only: a later operation may
change it in place.
"""


@dataclass
class _Frame:
    """A call of a module that is running.

    Args:
        name: Qualified name of the module, ``""`` for the whole network.
        module: The module.
        call: 1 for its first call.
        joins: Whether two computed tensors met in the module's own code.
        role: Of the last function of the table that the module's own code called.
    """

    name: str
    module: nn.Module
    call: int
    joins: bool = False
    role: str = roles.OTHER

    @property
    def label(self) -> str:
        """Name of this call."""
        return _numbered(self.name, self.call)

    @property
    def is_childless(self) -> bool:
        """Whether it holds no other module."""
        return next(self.module.children(), None) is None

    @property
    def is_one_step(self) -> bool:
        """Whether the functions it calls are inner workings: only its output is a site."""
        if isinstance(self.module, nn.MultiheadAttention):
            return True
        has_weights = next(self.module.parameters(recurse=False), None) is not None
        from_torch = type(self.module).__module__.startswith("torch.nn.modules")
        return self.is_childless and (from_torch or (bool(self.name) and not has_weights))


def _numbered(name: str, call: int) -> str:
    return name if call == 1 else f"{name}#{call}"


class Watch:
    """The sites of one forward pass of a network, told to ``receive`` in the order of execution.

    A site whose values are those of an earlier one (dropout, flattening, a ``Sequential`` and its
    last child) is passed over. An exception: a module that joins branches in its own code, such
    as a residual block, speaks for its output in the stead of the last site inside.

    Args:
        module: The network.
        receive: Is told each site.
        escaped: Is told each tensor whose numbers leave torch.
    """

    def __init__(
        self,
        module: nn.Module,
        receive: Receive,
        escaped: Callable[[Tensor], None] = lambda tensor: None,
    ) -> None:
        self.module = module
        self.receive = receive
        self.escaped = escaped
        self._frames: list[_Frame] = []
        self._calls: Counter[str] = Counter()
        self._known: SameValues[Site | None] = SameValues()

    @contextmanager
    def over(self, inputs: Sequence[Tensor], *, functions: bool = True) -> Iterator[None]:
        """Watch the forward pass that runs inside, with these inputs.

        Args:
            inputs: What the network is given.
            functions: Whether functions are watched, not modules alone.
        """
        for tensor in inputs:
            self._known.add(tensor, None)
        self._frames.append(_Frame("", self.module, 1))
        own = {id(tensor) for tensor in (*self.module.parameters(), *self.module.buffers())}
        with ExitStack() as stack:
            for name, part in _watched(self.module):
                if part is not self.module and not isinstance(part, ScriptModule):
                    for handle in self._hooks(name, part):
                        stack.callback(handle.remove)
            if functions:
                stack.enter_context(Functions(self, own))
            yield

    @property
    def running(self) -> str:
        """Name of the innermost module that has not returned."""
        return self._frames[-1].name

    def finished(self, output: Any) -> None:
        """The whole network returned: what of its output no site has shown is one itself."""
        self._returned(self._frames[0], (), output)

    def _hooks(self, name: str, part: nn.Module) -> Iterator[Any]:
        def enter(part: nn.Module, inputs: Any) -> None:
            if isinstance(part, nn.Embedding | nn.EmbeddingBag):
                # It is no part of the network's computation, which somebody may be recording.
                with _disable_current_modes():
                    refuse_ids(name, part, inputs)
            self._calls[name] += 1
            self._frames.append(_Frame(name, part, self._calls[name]))

        def leave(part: nn.Module, inputs: Any, output: Any) -> Any:
            while len(self._frames) > 1:  # modules whose forward raised are still on top
                frame = self._frames.pop()
                if frame.module is part:
                    return self._returned(frame, inputs, output)
            return None

        yield part.register_forward_pre_hook(enter, prepend=True)
        yield part.register_forward_hook(leave)

    def _returned(self, frame: _Frame, inputs: Any, output: Any) -> Any:
        if isinstance(frame.module, roles.SAME_VALUES):
            self._handed_on(inputs, output)
            return None
        role = roles.module_role(frame.module)
        role = role or (frame.role if frame.is_childless else roles.CONTAINER)
        found = list(tensors_of(output))
        for path, tensor in found:
            name = frame.label or "output"
            if len(found) > 1:
                name = self._unused(".".join(filter(None, [frame.label, *path])))
            site = Site(name, type(frame.module).__name__, frame.call, role)
            replaced = self.saw(site, tensor, speaks=frame.joins and bool(frame.name))
            if tensor is output:
                return replaced
        return None

    def _handed_on(self, inputs: Any, output: Any) -> None:
        """A flattening that has to copy gives the copy the name of what it copied."""
        source = self.source(inputs[0]) if inputs and isinstance(inputs[0], Tensor) else None
        if source is not None and isinstance(output, Tensor) and self.source(output) is None:
            self._known.add(output, source)

    def source(self, tensor: Tensor) -> Site | None:
        """The site whose values these are, as far as one is known."""
        entry = self._known.find(tensor)
        return None if entry is None else entry.value

    def saw(self, site: Site, tensor: Tensor, *, speaks: bool = False) -> Tensor | None:
        """Tell the receiver of a site, unless its values are known under another name."""
        if not tensor.is_floating_point():
            return None
        earlier = self._known.find(tensor)
        if earlier is not None and not (speaks and earlier.value is not None):
            return None
        before = None if earlier is None else earlier.value
        self._known.add(tensor, site)
        replaced = self.receive(site, tensor, before)
        if replaced is not None:
            self._known.add(replaced, site)
        return replaced

    def joined(self) -> None:
        """Two computed tensors met in the code of the module that is running."""
        self._frames[-1].joins = True

    def called(
        self, function: str, role: str, source: Site | None, output: Tensor
    ) -> Tensor | None:
        """The running module called a function of the table."""
        frame = self._frames[-1]
        frame.role = role
        if frame.is_one_step:
            return None
        name = f"{self._base(frame, source)}.{function}".lstrip(".")
        unused = self._unused(name)
        return self.saw(Site(unused, function, self._calls[name], role), output)

    def _unused(self, name: str) -> str:
        """The name, numbered from the second use on."""
        self._calls[name] += 1
        return _numbered(name, self._calls[name])

    @staticmethod
    def _base(frame: _Frame, source: Site | None) -> str:
        """A function is named after the layer inside whose output it took, else after its home."""
        of_function = source is not None and source.module_type in roles.FUNCTIONS
        if source is None or of_function or source.role == roles.CONTAINER:
            return frame.label
        inside = not frame.name or source.name.startswith(f"{frame.name}.")
        return source.name if inside else frame.label


def refuse_ids(name: str, part: nn.Embedding | nn.EmbeddingBag, inputs: Any) -> None:
    """Refuses ids that an embedding has no row for: on some devices they end the process.

    Raises:
        CaptureError: Names the embedding, its range, the id and where it stands in the batch.
    """
    ids = inputs[0] if inputs and isinstance(inputs[0], Tensor) else None
    if ids is None or ids.is_floating_point() or not ids.numel():
        return
    wrong = (ids < 0) | (ids >= part.num_embeddings)
    if bool(wrong.any()):
        place = wrong.nonzero()[0].tolist()
        raise CaptureError(
            f"The embedding {name} has rows for the ids 0 to {part.num_embeddings - 1}, and is "
            f"given {int(ids[tuple(place)])} (row {place[0] + 1} of the batch): the ids are of "
            "another vocabulary, or padded with a number that is none of them."
        )


def _watched(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules by name, but for those that compute weights and the wrappers of compiled ones."""
    inside: set[int] = set()
    for name, part in module.named_modules():
        if isinstance(part, ParametrizationList):
            inside |= {id(inner) for inner in part.modules()}
        if id(part) not in inside and uncompiled(part) is part:
            yield ".".join(piece for piece in name.split(".") if piece != "_orig_mod"), part
