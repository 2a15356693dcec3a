"""Light hooks on a model in training: what leaves or enters chosen modules in its last forward.

Nothing is copied but in the first step and where the network changes an activation in place
afterwards (a ReLU with ``inplace=True``), so that values before that change are what is seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from infoflow.capture.nesting import main_output, tensors_of
from infoflow.errors import CaptureError
from infoflow.losses.places import Place

COPIED = -1
"""In the place of a version: of an activation that was copied for certain."""


class Watcher:
    """Hooks that are there until `close`.

    Only a forward pass of the whole model in training mode counts; one in evaluation mode leaves
    nothing and takes nothing away. Calls of a module are numbered (``name``, ``name#2``).

    Args:
        model: The model; it gets hooks and nothing else.
        places: What is kept.

    Raises:
        CaptureError: The model, or a part of it, is compiled already: its hooks would not run.
    """

    def __init__(self, model: nn.Module, places: Sequence[Place]) -> None:
        _refuse_compiled(model)
        self.model = model
        self.without_gradients = False
        self.output: Any = None
        self.arguments: tuple[tuple[Any, ...], Mapping[str, Any]] | None = None
        self._running = False
        self._kept: dict[str, tuple[Tensor, Tensor, int]] = {}
        self._by_place: dict[str, list[str]] = {}
        self._settled: set[str] = set()
        self._overwritten: set[str] = set()
        self._always: frozenset[str] | None = None
        self._places = {place.name: place for place in places}
        self._handles = [
            model.register_forward_pre_hook(self._enter, with_kwargs=True, prepend=True),
            model.register_forward_hook(self._leave, always_call=True),
        ]
        for place in self._places.values():
            self._handles.append(self._hooked(place))

    def close(self) -> None:
        """Remove the hooks and let go of everything."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self.forget()

    @property
    def is_fresh(self) -> bool:
        """Whether a forward pass has ended that nobody has looked at."""
        return self.arguments is not None and not self._running

    def forget(self) -> None:
        """Let go of the last forward pass."""
        self._kept, self._by_place = {}, {}
        self.output = self.arguments = None

    def activations(self) -> dict[str, list[tuple[str, Tensor]]]:
        """By place: names of its calls and their tensors, in the order of execution.

        Raises:
            CaptureError: No place was reached, one that was reached in the first step was not
                reached now, or an activation was changed in place that was not before.
        """
        found = frozenset(self._kept)
        if self._places and not found:
            raise CaptureError(
                "The forward pass reached none of the layers that the losses look at; are they "
                "called as modules, and was the model compiled before EntropyLoss was made?"
            )
        self._always = found if self._always is None else self._always
        missing = sorted(self._always - found)
        if missing:
            raise CaptureError(
                f"The forward pass did not reach {missing[0]}, which it did in the first step; "
                "leave it out by a pattern if that is meant."
            )
        for label, (kept, original, version) in self._kept.items():
            if version == COPIED:
                continue
            if original._version == version:
                self._settled.add(label)
            elif kept is original:
                raise CaptureError(
                    f"The activation {label} was changed in place in this step and not in the "
                    "first; leave it out by a pattern, or make that change out of place."
                )
            else:
                self._overwritten.add(label)
        return {
            place: [(label, self._kept[label][0]) for label in labels]
            for place, labels in self._by_place.items()
        }

    def _hooked(self, place: Place) -> Any:
        if place.enters:

            def enter(module: nn.Module, inputs: Any, named: Any) -> None:
                if self._running:
                    self._keep(place, [inputs, named])

            return place.module.register_forward_pre_hook(enter, with_kwargs=True)

        def leave(module: nn.Module, inputs: Any, output: Any) -> None:
            if self._running:
                self._keep(place, output)

        # Before the hook of the whole model, which may be the same module.
        return place.module.register_forward_hook(leave, prepend=True)

    def _keep(self, place: Place, nested: Any) -> None:
        tensor = next((t for _, t in tensors_of(nested) if t.is_floating_point()), None)
        if tensor is None:
            return
        if not (torch.is_grad_enabled() or self.without_gradients):
            raise CaptureError(
                f"{place.name} runs without gradients (no_grad, or reentrant checkpointing, where "
                "use_reentrant=False helps); leave it out by a pattern if that is meant."
            )
        labels = self._by_place.setdefault(place.name, [])
        label = place.name if not labels else f"{place.name}#{len(labels) + 1}"
        labels.append(label)
        if torch.compiler.is_compiling():  # versions say nothing there; the copy is fused
            self._kept[label] = (tensor.clone(), tensor, COPIED)
            return
        kept = tensor
        if label in self._overwritten or label not in self._settled:
            kept = tensor.clone()
        self._kept[label] = (kept, tensor, tensor._version)

    def _enter(self, model: nn.Module, inputs: Any, named: Any) -> None:
        if model.training and (torch.is_grad_enabled() or self.without_gradients):
            self.forget()
            self._running = True
            self.arguments = (inputs, named)

    def _leave(self, model: nn.Module, inputs: Any, output: Any) -> None:
        if self._running:
            self._running = False
            self.output = output
            if output is None:  # it raised
                self.forget()

    @property
    def x(self) -> Tensor | None:
        """The first tensor that the model was given."""
        return (
            None
            if self.arguments is None
            else next((t for _, t in tensors_of(self.arguments)), None)
        )

    @property
    def main_output(self) -> Tensor | None:
        """The tensor by which the model's output is read."""
        return None if self.output is None else main_output(self.output)

    @property
    def mask(self) -> Tensor | None:
        """(n, tokens), true where a token counts, as far as the model was told by a known name."""
        named = {} if self.arguments is None else self.arguments[1]
        counts, padding = named.get("attention_mask"), named.get("src_key_padding_mask")
        if isinstance(counts, Tensor) and counts.ndim == 2:
            return counts != 0
        if isinstance(padding, Tensor) and padding.ndim == 2 and padding.dtype == torch.bool:
            return ~padding
        return None


def _refuse_compiled(model: nn.Module) -> None:
    for name, part in model.named_modules():
        if hasattr(part, "_orig_mod") or getattr(part, "_compiled_call_impl", None) is not None:
            raise CaptureError(
                f"{name.removesuffix('._orig_mod') or 'The model'} is compiled already, so that "
                "hooks would not run: make EntropyLoss of the plain model, then compile it."
            )
