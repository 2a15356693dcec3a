"""Where the channels of convolutions go: followed through the operations of one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from infoflow.capture.nesting import tensors_of
from infoflow.capture.undisturbed import undisturbed
from infoflow.data.batch import Batch
from infoflow.pruning.convolutions import Convolution
from infoflow.pruning.layouts import Layout, Segment, joined, reduced, reshaped, sources_of

OUTPUT = "they are an output of the network"
ADDED = "they meet an addition"
NOT_PLAIN = "they meet a layer whose weight is computed or none of the network's parameters"
GROUPED = "they meet a grouped convolution"
OWN_GROUPS = "it is a grouped convolution"
NORM = "they meet a normalisation that does not directly follow their convolution"
SHARED = "a layer is used more than once, and its channels come from different places"
UNTURNED = "they meet a product with a weight that is not (outputs, inputs)"
TIED = "a weight belongs to several layers"

WORDS = {
    "add": ADDED, "sub": ADDED, "rsub": ADDED,
    "mul": "they meet a multiplication", "div": "they meet a division",
    "view": "they meet a reshape", "_unsafe_view": "they meet a reshape",
    "cat": "they meet a concatenation that is not one of channels",
    "permute": "they meet a permutation", "transpose": "they meet a permutation",
    "native_group_norm": "they meet a group normalisation",
    "native_layer_norm": "they meet a layer normalisation",
}  # fmt: skip

ZERO_STAYS = {
    "abs", "alias", "avg_pool1d", "avg_pool2d", "avg_pool3d", "_adaptive_avg_pool2d",
    "_adaptive_avg_pool3d", "adaptive_max_pool2d", "adaptive_max_pool3d", "celu", "clone",
    "detach", "elu", "gelu", "hardswish", "leaky_relu", "lift_fresh", "max_pool2d_with_indices",
    "max_pool3d_with_indices", "mish", "mkldnn_max_pool2d", "neg", "reflection_pad1d",
    "reflection_pad2d", "relu", "replication_pad1d", "replication_pad2d", "selu", "silu", "tanh",
    "_to_copy", "upsample_bicubic2d", "upsample_bilinear2d", "upsample_linear1d",
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_trilinear3d",
}  # fmt: skip
"""Operations on each channel by itself that make 0 of 0."""
VIEWS = {"view", "_unsafe_view", "reshape", "flatten", "squeeze", "unsqueeze"}
REDUCTIONS = {"mean", "sum", "amax", "amin"}
BATCH_NORMS = {
    "native_batch_norm", "cudnn_batch_norm", "miopen_batch_norm",
    "_native_batch_norm_legit_no_training",
}  # fmt: skip

Consumer = Callable[[str, int, Tensor, Layout], None]
"""Is told of each use of channels: the weight's name, its axis, the tensor, and its layout."""


@dataclass
class Followed:
    """Where channels go.

    Args:
        uses: Of a tensor of the network and one of its axes, whose channels its entries are.
        blocked: Why the channels of a convolution cannot be followed to where they end.
    """

    uses: dict[tuple[str, int], tuple[Segment, ...]] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)

    def block(self, sources: Sequence[str], reason: str) -> None:
        """The channels go where they cannot be followed; the first reason is kept."""
        for source in sources:
            self.blocked.setdefault(source, reason)

    def use(self, name: str, axis: int, segments: tuple[Segment, ...]) -> None:
        """A tensor is used with these channels, by every call with the same ones."""
        known = self.uses.setdefault((name, axis), segments)
        if known != segments:
            self.block((*sources_of(known), *sources_of(segments)), SHARED)


def follow(
    module: nn.Module,
    layers: Sequence[Convolution],
    batch: Batch,
    consumer: Consumer = lambda name, axis, tensor, layout: None,
) -> Followed:
    """Follow the channels of convolutions from the operations that are really carried out.

    A channel that is 0 where its convolution and the normalisation after it are dead is 0
    wherever this follows it to.

    Args:
        module: The network; it is left as it was.
        layers: The convolutions.
        batch: A few samples, at least two.
        consumer: Is told whenever a layer multiplies channels with its weight.
    """
    flow = _Flow(module, layers, consumer)
    with undisturbed(module), torch.no_grad(), flow:
        output = batch.call(module)
    for _, tensor in tensors_of(output):
        flow.found.block(flow.sources([tensor]), OUTPUT)
    return flow.found


class _Flow(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records layouts while the mode is on."""

    def __init__(
        self, module: nn.Module, layers: Sequence[Convolution], consumer: Consumer
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.layers = {f"{layer.name}.weight": layer for layer in layers}
        self.consumer = consumer
        self.found = Followed()
        self.layouts: dict[int, tuple[Tensor, Layout]] = {}
        self.names: dict[tuple[int, int], list[str]] = {}
        self.tensors: dict[str, Tensor] = {}
        for name, tensor in (
            *module.named_parameters(remove_duplicate=False),
            *module.named_buffers(remove_duplicate=False),
        ):
            self.names.setdefault((tensor.data_ptr(), tensor.numel()), []).append(name)
            self.tensors[name] = tensor

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Carry the operation out and see what becomes of the channels."""
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        name = func._schema.name.removeprefix("aten::").removesuffix("_")
        if name == "convolution":
            self._convolution(args, output)
        elif name in BATCH_NORMS:
            self._batch_norm(args, output[0])
        elif name in ("addmm", "mm", "linear"):
            self._dense(name, args, kwargs, output)
        else:
            self._other(name, args, kwargs, output)
        return output

    def sources(self, nested: Any) -> tuple[str, ...]:
        """The convolutions whose channels are in these tensors."""
        layouts = (self.layout(tensor) for _, tensor in tensors_of(nested))
        return tuple(one for layout in layouts if layout is not None for one in layout.sources)

    def layout(self, tensor: Any) -> Layout | None:
        """What is known of a tensor."""
        found = self.layouts.get(id(tensor))
        return None if found is None else found[1]

    def _name(self, tensor: Tensor, sources: Sequence[str]) -> str | None:
        """The network's own name of a tensor; the sources stop where it has none, or two."""
        names = self.names.get((tensor.data_ptr(), tensor.numel()), [])
        if len(names) != 1:
            self.found.block(sources, TIED if names else NOT_PLAIN)
        return names[0] if names else None

    def _segments(self, tensor: Tensor, axis: int) -> tuple[Segment, ...]:
        layout = self.layout(tensor)
        if layout is None:
            return (Segment(None, tensor.shape[axis]),)
        return layout.segments

    def _take(self, name: str, axis: int, tensor: Tensor, at: int) -> None:
        """A weight is multiplied with the entries of a tensor's axis ``at``."""
        self.found.use(name, axis, self._segments(tensor, at))
        layout = self.layout(tensor)
        if layout is not None:
            self.consumer(name, axis, tensor, layout)

    def _convolution(self, args: Any, output: Tensor) -> None:
        x, weight, bias = args[0], args[1], args[2]
        transposed, groups = args[6], args[8]
        sources = self.sources([x])
        name = self._name(weight, sources)
        if groups != 1:
            self.found.block(sources, GROUPED)
        elif name is not None:
            self._take(name, 0 if transposed else 1, x, 1)
        layer = self.layers.get(name or "")
        if layer is None or name is None:
            return
        self._name(weight, [layer.name])
        if groups != 1 or transposed:
            self.found.block([layer.name], OWN_GROUPS)
        segments = (Segment(layer.name, layer.filters),)
        self._own((weight, bias), segments)
        self._set(output, Layout(1, segments))

    def _own(self, tensors: Sequence[Tensor | None], segments: tuple[Segment, ...]) -> None:
        """These have an entry for each channel."""
        for tensor in tensors:
            if tensor is not None and (name := self._name(tensor, sources_of(segments))):
                self.found.use(name, 0, segments)

    def _batch_norm(self, args: Any, output: Tensor) -> None:
        x, *own = args[:5]
        layout = self.layout(x)
        self._own(own, self._segments(x, 1))
        if layout is None:
            return
        norms = {part.norms for part in self.layers.values() if part.name in layout.sources}
        first = next((one for one in own if one is not None), None)
        name = (None if first is None else self._name(first, layout.sources)) or ""
        plain = layout.segments == (Segment(layout.sources[0], x.shape[1]),)
        if plain and len(norms) == 1 and name.rpartition(".")[0] in next(iter(norms)):
            self._set(output, layout)
        else:
            self.found.block(layout.sources, NORM)

    def _dense(self, kind: str, args: Any, kwargs: Any, output: Tensor) -> None:
        x, weight = args[1:3] if kind == "addmm" else args[:2]
        if self.layout(weight) is not None:
            self.found.block(self.sources([weight]), NOT_PLAIN)
        layout = self.layout(x)
        if layout is not None and layout.axis != x.ndim - 1:
            self.found.block(layout.sources, "they meet a dense layer along another axis")
            return
        name = self._name(weight, self.sources([x]))
        if name is None:
            return
        if kind != "linear" and not _is_turned(weight, self.tensors[name]):
            self.found.block(self.sources([x]), UNTURNED)
        else:
            self._take(name, 1, x, x.ndim - 1)

    def _other(self, name: str, args: Any, kwargs: Any, output: Any) -> None:
        sources = self.sources((args, kwargs))
        if not sources:
            return
        made = next((tensor for _, tensor in tensors_of(output)), None)
        layout = self._after(name, args, kwargs, made)
        if layout is None or made is None:
            self.found.block(sources, WORDS.get(name, f"they meet the operation {name}"))
        else:
            self._set(made, layout)

    def _after(self, name: str, args: Any, kwargs: Any, made: Tensor | None) -> Layout | None:
        """The layout of what an operation made; None where it cannot be told."""
        if made is None:
            return None
        if name == "cat":
            axis = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % made.ndim
            return joined([self.layout(one) or one.shape[axis] for one in args[0]], axis)
        layout, x = self.layout(args[0]), args[0]
        if layout is None:
            return None
        if name in VIEWS:
            return reshaped(layout, x.shape, made.shape)
        if name in REDUCTIONS:
            dimensions = args[1] if len(args) > 1 else ()
            keep = made.ndim == x.ndim
            return reduced(layout, dimensions or (), x.ndim, keep=keep)
        same = made.ndim == x.ndim and made.shape[layout.axis] == x.shape[layout.axis]
        return layout if same and self._zero_stays(name, args, layout) else None

    def _zero_stays(self, name: str, args: Any, layout: Layout) -> bool:
        if name in ZERO_STAYS:
            return True
        if name in ("mul", "div"):
            other = args[1]
            return not isinstance(other, Tensor) or (
                other.numel() == 1 and self.layout(other) is None
            )
        if name == "constant_pad_nd":
            places = len(args[1]) // 2
            return bool(len(args) < 3 or args[2] == 0) and layout.axis < int(args[0].ndim) - places
        if name in ("hardtanh", "clamp"):
            low, high = [*args[1:3], None, None][:2]
            return bool((low is None or low <= 0) and (high is None or high >= 0))
        if name == "slice":
            return bool((args[1] if len(args) > 1 else 0) % args[0].ndim != layout.axis)
        if name == "_prelu_kernel" and args[1].numel() > 1:
            self._own([args[1]], layout.segments)
        return name == "_prelu_kernel"

    def _set(self, tensor: Tensor, layout: Layout) -> None:
        self.layouts[id(tensor)] = (tensor, layout)


def _is_turned(weight: Tensor, own: Tensor) -> bool:
    """Whether a product takes a weight (outputs, inputs) turned over, as a dense layer does."""
    turned = (own.shape[::-1], own.stride()[::-1])
    return (weight.shape, weight.stride()) == turned
