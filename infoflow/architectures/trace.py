"""The facts of a live network's weights, read from its modules and one pass on the meta device."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from infoflow.architectures import forward
from infoflow.architectures.architecture import Architecture
from infoflow.errors import ArchitectureError
from infoflow.facts import Geometry, Initialisation, ParameterFacts

Draws = Callable[[torch.Tensor], Initialisation | None]

TRIAL_SIZES = (224, 32, 28, 64, 96, 128, 256, 299)
"""Tried in turn where nobody gave an input size, to see which normalisation follows which layer."""

_SILENT = re.compile(r"bias(_[ih]h_l\d.*)?|in_proj_bias|running_\w+|num_batches_tracked")
_ATTENTION = {"in_proj_weight": "attention"} | {f"{x}_proj_weight": "dense" for x in "qkv"}
_NORMALISATIONS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
_PACKED = {"qkv", "to_qkv", "c_attn", "Wqkv"}
_REASONS = (
    (r"(cls|class)_?token$|class_embedding$", "class token"),
    (r"(dist|mask|reg|register)_?token$", "learned token"),
    (r"(pos|position\w*)_?(embed\w*|emb)s?$", "position embedding"),
    (r"relative_position_bias_table$", "relative position bias table"),
    (r"relative_position_index$", "relative position index"),
    (r"relative_coords_table$", "table of relative coordinates"),
    (r"rel_pos_\w+$", "relative position embedding"),
    (r"layer_?scale\w*$|gamma(_\d)?$", "layer scale"),
    (r"logit_scale$|temperature$", "scale of the attention"),
    (r"attn_mask$|mask$", "attention mask"),
    (r"bias_[kv]$", "bias of the attention"),
)


def trace(
    module: nn.Module,
    input_size: tuple[int, ...] | None = None,
    *,
    name: str = "",
    title: str = "",
    draws: Draws | None = None,
    channels: int | None = None,
    run_forward: Callable[[nn.Module, torch.Tensor], Any] | None = None,
) -> Architecture:
    """What is known of each tensor of ``module``, which is neither changed nor run.

    Args:
        module: The network; its tensors may be on the meta device.
        input_size: Spatial size of its input, or its whole shape without the batch.
        name: Of the architecture.
        title: For people; the class's name where none is given.
        draws: How a tensor was drawn, where somebody watched.
        channels: Of the input; those of the first convolution where not given.
        run_forward: Calls the network, where a plain call is not the way.

    Raises:
        ArchitectureError: The network has layers whose shape is not known before they run.
    """
    _refuse_lazy(module)
    passage, size = _pass_through(module, input_size, channels, run_forward)
    first_names = {id(part): part_name for part_name, part in module.named_modules()}
    facts: dict[str, ParameterFacts] = {}
    for part_name, part in module.named_modules(remove_duplicate=False):
        prefix = f"{part_name}." if part_name else ""
        for leaf, tensor in _tensors(part):
            found = _facts(part, part_name, leaf, tensor, draws)
            if leaf == "weight" and found.kind in {"convolution", "dense", "attention"}:
                found = _with_passage(found, first_names[id(part)], passage, size)
            facts[prefix + leaf] = found
        if _computes_weight(part):
            # Weight norm and its like: the weight is no tensor of the state dict.
            kind = "convolution" if isinstance(part, _ConvNd) else "dense"
            geometry = _geometry(part) if isinstance(part, _ConvNd) else None
            facts[f"{prefix}weight"] = _with_passage(
                ParameterFacts(kind, geometry), first_names[id(part)], passage, size
            )
        if forward.is_foldable(part) and getattr(part, "weight", None) is None:
            # No tensor holds its scale of 1; its epsilon still matters to the layer before it.
            epsilon = getattr(part, "eps", None)
            facts[f"{prefix}weight"] = ParameterFacts("normalisation", epsilon=epsilon)
    return Architecture(
        name=name or type(module).__name__,
        title=title or type(module).__name__,
        input_size=size,
        parameters=facts,
        shapes={key: tuple(value.shape) for key, value in module.state_dict().items()},
        note=_note(passage, size, input_size),
    )


def _computes_weight(part: nn.Module) -> bool:
    """Whether a layer makes its weight anew from other tensors at every pass."""
    return isinstance(part, _ConvNd | nn.Linear) and "weight" not in part._parameters


def first_convolution(module: nn.Module, order: list[str] | None = None) -> str:
    """Name of the first convolution run (else defined), ``""`` where there is none."""
    parts = dict(module.named_modules())
    convolutions = (name for name in [*(order or ()), *parts] if isinstance(parts[name], _ConvNd))
    return next(convolutions, "")


def _refuse_lazy(module: nn.Module) -> None:
    for part_name, part in module.named_modules():
        for tensor in part._parameters.values():
            if isinstance(tensor, nn.parameter.UninitializedParameter):
                raise ArchitectureError(
                    f"layer {part_name!r} is lazy and has no shape yet: run the network once first"
                )


def _pass_through(
    module: nn.Module,
    input_size: tuple[int, ...] | None,
    channels: int | None,
    run_forward: Callable[[nn.Module, torch.Tensor], Any] | None,
) -> tuple[forward.Passage, tuple[int, ...] | None]:
    try:
        twin = forward.meta_twin(module)
    except Exception as error:
        # A network whose own attributes cannot be copied: its modules still say most of it.
        return forward.Passage(reason=f"it cannot be copied ({type(error).__name__})"), input_size
    best, size = forward.Passage(reason="nobody said what its input looks like"), input_size
    for shape, spatial in _input_shapes(twin, input_size, channels):
        integers = isinstance(next(_leaves(twin), None), nn.Embedding)
        example = torch.zeros(shape, device="meta", dtype=torch.long if integers else None)
        call = (lambda x: run_forward(twin, x)) if run_forward else None
        passage = forward.run(twin, (example,), call)
        if len(passage.order) >= len(best.order):
            best, size = passage, spatial
        if passage.whole:
            break
    if input_size is None:
        best.sizes.clear()
        size = None
    return best, size


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    return (part for part in module.modules() if part._parameters)


def _input_shapes(
    module: nn.Module, input_size: tuple[int, ...] | None, channels: int | None
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...] | None]]:
    """Shapes to try, with the batch, each with its spatial part."""
    name = first_convolution(module)
    convolution = dict(module.named_modules())[name] if name else None
    if isinstance(convolution, _ConvNd):
        dimensions = len(convolution.kernel_size)
        channels = channels or convolution.in_channels
        if input_size is None:
            for side in TRIAL_SIZES:
                length = (16,) if dimensions == 3 else ()
                yield (1, channels, *length, *((side,) * (dimensions - len(length)))), None
        elif len(input_size) == dimensions + 1:
            yield (1, *input_size), input_size[1:]
        else:
            yield (1, channels, *input_size), input_size
        return
    if input_size is not None:
        if channels:
            yield (1, channels, *input_size), input_size
        yield (1, *input_size), input_size
    first = next(_leaves(module), None)
    if isinstance(first, nn.Embedding):
        yield (1, 16), None
    linear = next((part for part in module.modules() if isinstance(part, nn.Linear)), None)
    if linear is not None:
        yield (1, linear.in_features), None
        yield (1, 16, linear.in_features), None


def _tensors(part: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Own tensors of a module that its state dict holds and that need a word."""
    for leaf, parameter in part._parameters.items():
        if parameter is not None and not _SILENT.fullmatch(leaf):
            yield leaf, parameter
    for leaf, buffer in part._buffers.items():
        silent = _SILENT.fullmatch(leaf) or leaf in part._non_persistent_buffers_set
        if buffer is not None and not silent:
            yield leaf, buffer


def _facts(
    part: nn.Module, part_name: str, leaf: str, tensor: torch.Tensor, draws: Draws | None
) -> ParameterFacts:
    kind = _kind(part, part_name, leaf, tensor)
    epsilon = getattr(part, "eps", None) if kind == "normalisation" else None
    return ParameterFacts(
        kind=kind,
        geometry=_geometry(part) if isinstance(part, _ConvNd) and kind == "convolution" else None,
        epsilon=None if epsilon is None else float(epsilon),
        initialisation=draws(tensor) if draws is not None else None,
        reason=_reason(part, leaf) if kind == "other" else "",
        transposed=kind == "dense" and type(part).__name__ == "Conv1D",
    )


def _kind(part: nn.Module, part_name: str, leaf: str, tensor: torch.Tensor) -> str:
    kind = "other"
    if isinstance(part, nn.MultiheadAttention):
        kind = _ATTENTION.get(leaf, "other")
    elif leaf != "weight":
        kind = "other"
    elif isinstance(part, _ConvNd):
        kind = "convolution"
    elif isinstance(part, nn.Linear):
        packed = part_name.rpartition(".")[2] in _PACKED and part.out_features % 3 == 0
        kind = "attention" if packed else "dense"
    elif type(part).__name__ == "Conv1D" and tensor.dim() == 2:
        kind = "dense"
    elif isinstance(part, nn.Embedding | nn.EmbeddingBag):
        kind = "embedding"
    elif isinstance(part, _NORMALISATIONS) or ("Norm" in type(part).__name__ and tensor.dim() == 1):
        kind = "normalisation"
    return kind


def _geometry(part: _ConvNd) -> Geometry:
    transposed = isinstance(part, _ConvTransposeNd)
    padding, end = part.padding, tuple[int, ...]()
    if isinstance(padding, str):
        extents = [r * (k - 1) for r, k in zip(part.dilation, part.kernel_size, strict=True)]
        padding = tuple(extent // 2 if part.padding == "same" else 0 for extent in extents)
        if part.padding == "same" and any(extent % 2 for extent in extents):
            # An even kernel pads one more at the far end.
            end = tuple(-(-extent // 2) for extent in extents)
    return Geometry(
        stride=tuple(part.stride),
        padding=tuple(padding),
        dilation=tuple(part.dilation),
        groups=part.groups,
        transposed=transposed,
        padding_mode=part.padding_mode,
        output_padding=tuple(part.output_padding) if transposed else (),
        end_padding=end,
    )


def _reason(part: nn.Module, leaf: str) -> str:
    for pattern, words in _REASONS:
        if re.search(pattern, leaf):
            return words
    if isinstance(part, nn.PReLU | nn.Bilinear):
        return "slope of a PReLU" if isinstance(part, nn.PReLU) else "bilinear form"
    return f"parameter {leaf!r} of {type(part).__name__}"


def _with_passage(
    found: ParameterFacts,
    part_name: str,
    passage: forward.Passage,
    size: tuple[int, ...] | None,
) -> ParameterFacts:
    geometry = found.geometry
    if geometry is not None and size is not None:
        geometry = replace(geometry, input_size=passage.sizes.get(part_name))
    follower = passage.following.get(part_name)
    return replace(found, geometry=geometry, normalisation=f"{follower}.weight" if follower else "")


def _note(
    passage: forward.Passage, size: tuple[int, ...] | None, asked: tuple[int, ...] | None
) -> str:
    if passage.whole:
        return ""
    if asked is None:
        return f"which normalisation follows which layer is not known: {passage.reason}"
    reached = f"the pass at input size {'×'.join(map(str, size or asked))} stopped early"
    return f"not every layer's input size is known: {reached} ({passage.reason})"
