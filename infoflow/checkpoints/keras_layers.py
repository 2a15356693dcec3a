"""What Keras' layers keep: from their variables to torch's layout, with kind and geometry."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from infoflow.checkpoints.aten import numbers, padded
from infoflow.checkpoints.checkpoint import StoredTensor
from infoflow.checkpoints.keras_sizes import Shape, along, said_shape
from infoflow.facts import Geometry, ParameterFacts

LEAVES = {
    "kernel": "weight",
    "depthwise_kernel": "depthwise.weight",
    "pointwise_kernel": "pointwise.weight",
    "embeddings": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""What torch calls what Keras calls so."""
GATES = {1: (), 3: ("update", "reset", "new"), 4: ("input", "forget", "cell", "output")}
"""By how many times the hidden size a recurrent kernel has columns."""
_EPSILON = 1e-3  # Keras' default, which is not torch's
_WRAPPERS = ("TimeDistributed", "Bidirectional", "SpectralNormalization")
_ORDER = {
    "embedding": ("embeddings",),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "separable_conv1d": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "separable_conv2d": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "cell": ("kernel", "recurrent_kernel", "bias"),
}
"""The order of a layer's numbered variables, by its class; most have a kernel and a bias."""
_NORMALISED = ("layer_normalization", "group_normalization", "instance_normalization")
_KERNELS = re.compile(r"^((einsum_)?dense|(depthwise_)?conv[123]d(_transpose)?|\w+_dense)$")
_ATTENTION_IN = ("query", "key", "value", "query_dense", "key_dense", "value_dense")
_UNLIKE = {"depthwise": "depthwise", "transpose": "transposed"}
"""Convolutions that a kernel without a configuration must not be taken for an ordinary one of."""
_ATTENTION_OUT = ("attention_output", "output_dense")


@dataclass(frozen=True)
class LayerConfig:
    """A layer of the model's configuration."""

    kind: str
    settings: Mapping[str, Any]
    input_shape: tuple[Any, ...] = ()
    place: int = 0


def layer_configs(config: Any) -> dict[str, LayerConfig | None]:
    """Layers by name, those within models within the model too.

    A wrapper stands for what it wraps. A name that two different layers have is of no use: None.
    Nothing is made of the configuration: no class is looked up, no function decoded.
    """
    found: dict[str, LayerConfig | None] = {}
    waiting: list[tuple[Any, Shape]] = [(config, ())]
    while waiting and len(found) < 100_000:
        entry, shape = waiting.pop()
        if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict | list):
            continue
        settings = entry["config"]
        shape = said_shape(entry) or shape
        inner = settings if isinstance(settings, list) else settings.get("layers", [])
        inner = inner if isinstance(inner, list) else []
        if entry.get("class_name") == "Sequential":
            waiting += reversed(list(along(inner, shape)))
        else:
            waiting += [(layer, ()) for layer in reversed(inner)]
        if isinstance(settings, list):
            continue  # Keras 1's Sequential
        name = settings.get("name") or entry.get("name")
        kind, wrapped = str(entry.get("class_name")), settings.get("layer")
        while kind in _WRAPPERS and isinstance(wrapped, dict):
            kind, settings = str(wrapped.get("class_name")), wrapped.get("config", {})
            wrapped = settings.get("layer") if isinstance(settings, dict) else None
        if isinstance(name, str) and isinstance(settings, dict):
            made = LayerConfig(kind, settings, shape, len(found))
            known = found.setdefault(name, made)
            if known and (known.kind, known.settings) != (made.kind, made.settings):
                found[name] = None
    return found


def variables(group: str, layer: LayerConfig | None, count: int) -> tuple[str, ...]:
    """The names of a layer's numbered variables (Keras 3), ``0``, ``1``, … where not known.

    Args:
        group: The layer's class in the file: ``conv2d_1``.
        layer: Its configuration.
        count: How many there are.
    """
    kind = group if group == "cell" else re.sub(r"_\d+$", "", group)
    names = _ORDER.get(kind, ())
    if kind in _NORMALISED:
        names = ("gamma", "beta")
    elif _KERNELS.match(kind):
        names = ("kernel", "bias")
    lacking = {"gamma": "scale", "beta": "center"}
    if layer is not None:
        names = tuple(n for n in names if layer.settings.get(lacking.get(n, ""), True))
    exact = kind in _ORDER and kind not in ("cell", "separable_conv1d", "separable_conv2d")
    if count > len(names) or (exact and count != len(names)):
        return tuple(str(i) for i in range(count))
    return names[:count]


def in_torch_layout(
    stored: StoredTensor,
    leaf: str,
    modules: Sequence[str],
    group: str,
    layer: LayerConfig | None,
    gates: int,
) -> StoredTensor:
    """A variable as torch would keep it, with what the configuration says of it.

    Args:
        stored: As it is in the file.
        leaf: Keras' name: ``kernel``.
        modules: Names of the layer and of what it lies in, the layer's last.
        group: The layer's class where the file says it without a configuration, else its name.
        layer: Its configuration, None where there is none.
        gates: Of a recurrent cell: how many times the hidden size its kernels have columns; else 0.
    """
    shape = stored.shape
    if leaf in ("gamma", "moving_variance", "moving_mean", "beta"):
        epsilon = layer.settings.get("epsilon", _EPSILON) if layer else _EPSILON
        if leaf == "gamma" and len(shape) == 1:
            facts = ParameterFacts("normalisation", epsilon=float(epsilon))
            return replace(stored, facts=facts)
        return stored
    if leaf == "embeddings":
        reason = "embedding: looked up by index, not multiplied"
        return replace(stored, facts=ParameterFacts("embedding", reason=reason))
    if gates and leaf in ("kernel", "recurrent_kernel") and len(shape) == 2:
        return _turned(stored, (1, 0), ParameterFacts("dense", parts=GATES.get(gates, ())))
    if leaf not in ("kernel", "depthwise_kernel", "pointwise_kernel"):
        return stored
    if len(shape) == 2:
        return _turned(stored, (1, 0), ParameterFacts("dense"))
    if modules and modules[-1] in _ATTENTION_IN and len(shape) == 3:
        return _as_matrix(stored, shape[1] * shape[2], shape[0], turned=True)
    if modules and modules[-1] in _ATTENTION_OUT and len(shape) == 3:
        return _as_matrix(stored, shape[0] * shape[1], shape[2], turned=False)
    if 3 <= len(shape) <= 5:
        return _convolution(stored, leaf, group, layer)
    return stored


def _convolution(
    stored: StoredTensor, leaf: str, group: str, layer: LayerConfig | None
) -> StoredTensor:
    if layer is None and (word := next((w for w in _UNLIKE if w in f"{leaf} {group}"), "")):
        reason = f"parameter of a {_UNLIKE[word]} convolution whose stride the file does not hold"
        return replace(stored, facts=ParameterFacts("other", reason=reason))
    shape, dimensions = stored.shape, len(stored.shape) - 2
    kind = layer.kind if layer else ""
    depthwise = leaf == "depthwise_kernel" or kind.startswith("Depthwise")
    transposed = "Transpose" in kind or "Deconvolution" in kind
    spatial = tuple(range(dimensions))
    groups = shape[-2] if depthwise else 1
    if layer is not None and not depthwise and type(layer.settings.get("groups", 1)) is int:
        groups = layer.settings.get("groups", 1)
        groups = groups if groups > 0 and shape[-1] % groups == 0 else 0  # it fits none
    facts = None
    if layer is not None and "onv" in kind:
        pointwise = leaf == "pointwise_kernel"
        geometry = _geometry(layer, shape[:dimensions], groups, transposed, pointwise=pointwise)
        facts = ParameterFacts("convolution", geometry=geometry) if geometry else None
    if not depthwise:
        return _turned(stored, (dimensions + 1, dimensions, *spatial), facts)
    # (…, in, multiplier) is one input channel for each of in·multiplier filters.
    made = _turned(stored, (dimensions, dimensions + 1, *spatial), facts)
    flat = (shape[-2] * shape[-1], 1, *shape[:dimensions])
    return replace(made, shape=flat, load=lambda: made.load().reshape(flat))


def _geometry(
    layer: LayerConfig, kernel: tuple[int, ...], groups: int, transposed: bool, *, pointwise: bool
) -> Geometry | None:
    settings, dimensions = ({} if pointwise else layer.settings), len(kernel)
    stride = numbers(_setting(settings, "strides", "subsample"), dimensions, 1)
    dilation = numbers(_setting(settings, "dilation_rate", "atrous_rate"), dimensions, 1)
    if stride is None or dilation is None or min(*stride, *dilation, groups) < 1:
        return None
    word = str(_setting(settings, "padding", "border_mode") or "valid")
    if word == "valid":
        padding: tuple[int, ...] = (0,) * dimensions
    elif word == "same" and set(stride) == {1} and not transposed:
        padding = padded("same", kernel, dilation)
    else:
        padding = ()  # as much as the input's size asks for, or at one end only
    sizes = layer.input_shape[1:-1]
    known = len(sizes) == dimensions and all(type(n) is int and n > 0 for n in sizes)
    last = layer.settings.get("data_format", "channels_last") == "channels_last"
    size = tuple(sizes) if known and last and not pointwise else None
    return Geometry(stride, padding, dilation, groups, transposed, input_size=size)


def _setting(settings: Mapping[str, Any], *names: str) -> Any:
    return next((settings[name] for name in names if settings.get(name) is not None), None)


def _turned(
    stored: StoredTensor, axes: tuple[int, ...], facts: ParameterFacts | None
) -> StoredTensor:
    return replace(
        stored,
        shape=tuple(stored.shape[axis] for axis in axes),
        load=lambda: stored.load().transpose(axes),
        facts=facts,
    )


def _as_matrix(stored: StoredTensor, first: int, second: int, *, turned: bool) -> StoredTensor:
    """Heads and their dimensions as one, (out, in)."""
    matrix = (second, first) if turned else (first, second)
    flat = replace(stored, shape=matrix, load=lambda: stored.load().reshape(matrix))
    return _turned(flat, (1, 0), ParameterFacts("dense"))
