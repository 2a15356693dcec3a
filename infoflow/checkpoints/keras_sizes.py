"""The sizes of inputs that a Keras configuration says: beside each layer, or by what comes before.

Keras 3 writes the shape of a layer's input in its archives (``build_config``) and of a
functional model's tensors everywhere; of a Sequential's layers in an HDF5 file only that of
the first, from which the others follow.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infoflow.checkpoints.aten import numbers

Shape = tuple[Any, ...]
"""(batch, *positions, channels), None where it may be any; ``()`` where nothing is known."""

_KEEPING = re.compile(
    r"InputLayer|Activation|\w*ReLU|ELU|Softmax|\w*Dropout(\dD)?|GaussianNoise|Rescaling|"
    r"\w*Normalization"
)
_CONVOLUTION = re.compile(r"(Depthwise|Separable)?Conv(olution)?[123]D")
_POOLING = re.compile(r"(Max|Average)Pooling[123]D")


def said_shape(entry: Mapping[str, Any]) -> Shape:
    """The shape of a layer's input as its entry of the configuration says it."""
    build, settings = entry.get("build_config"), entry.get("config")
    found = [build.get("input_shape")] if isinstance(build, dict) else []
    if isinstance(settings, dict):
        found += [settings.get("batch_shape"), settings.get("batch_input_shape")]
    found += _inbound(entry.get("inbound_nodes"))
    return next((tuple(shape) for shape in found if isinstance(shape, list)), ())


def _inbound(nodes: Any) -> list[Any]:
    """The shape of the tensor that a layer of a functional model is called with, if only once."""
    if not (isinstance(nodes, list) and len(nodes) == 1 and isinstance(nodes[0], dict)):
        return []
    arguments = nodes[0].get("args")
    first = arguments[0] if isinstance(arguments, list) and arguments else None
    config = first.get("config") if isinstance(first, dict) else None
    return [config.get("shape")] if isinstance(config, dict) else []


def along(entries: Sequence[Any], first: Shape) -> Iterator[tuple[Any, Shape]]:
    """The layers of a Sequential, each with the shape of its input as far as it is known."""
    shape = first
    for entry in entries:
        if not isinstance(entry, dict):
            shape = ()
            continue
        shape = said_shape(entry) or shape
        yield entry, shape
        shape = _after(entry, shape)


def _after(entry: Mapping[str, Any], shape: Shape) -> Shape:
    """The shape of the output of a layer, or of a Sequential within another."""
    kind, settings = str(entry.get("class_name")), entry.get("config")
    if not isinstance(settings, dict) or len(shape) <= 2:
        return ()
    if kind != "Sequential":
        return _after_layer(kind, settings, shape)
    inner = settings.get("layers")
    last = deque(along(inner if isinstance(inner, list) else [], shape), maxlen=1)
    return _after(*last[0]) if last else shape


def _after_layer(kind: str, settings: Mapping[str, Any], shape: Shape) -> Shape:
    """The shape of a layer's output, channels unknown; ``()`` for a layer that is not known."""
    if _KEEPING.fullmatch(kind):
        return shape
    sizes, dimensions = shape[1:-1], len(shape) - 2
    if settings.get("data_format", "channels_last") != "channels_last":
        return ()
    if _POOLING.fullmatch(kind):
        kernel = numbers(settings.get("pool_size"), dimensions, 2)
        stride = numbers(settings.get("strides") or settings.get("pool_size"), dimensions, 2)
        dilation: tuple[int, ...] | None = (1,) * dimensions
    elif _CONVOLUTION.fullmatch(kind):
        kernel = numbers(settings.get("kernel_size"), dimensions, 0)
        stride = numbers(settings.get("strides"), dimensions, 1)
        dilation = numbers(settings.get("dilation_rate"), dimensions, 1)
    else:
        return ()
    if kernel is None or stride is None or dilation is None or min(*kernel, *stride) < 1:
        return ()
    same = settings.get("padding") == "same"
    if settings.get("padding", "valid") not in ("same", "valid"):
        return ()
    found = [
        _positions(n, 1 if same else d * (k - 1) + 1, s)
        for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True)
    ]
    return (None, *found, None)


def _positions(size: Any, reach: int, stride: int) -> int | None:
    return (size - reach) // stride + 1 if type(size) is int and size >= reach else None
