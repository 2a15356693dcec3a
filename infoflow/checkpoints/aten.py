"""What the operators of torch say of their weights: kind, geometry, epsilon."""

from __future__ import annotations

from collections.abc import Mapping

from infoflow.facts import Geometry, ParameterFacts

UNKNOWN = object()
"""An argument that is not written as a literal."""

_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = (*_CONVOLUTION[:5], "output_padding", "groups", "dilation")
_EITHER = (*_CONVOLUTION[:6], "transposed", "output_padding", "groups")
_BATCH = ("input", "weight", "bias", "running_mean", "running_var", "training", "momentum", "eps")
_LAYER = ("input", "normalized_shape", "weight", "bias", "eps")
_FUNCTIONAL = ("input", "weight", "bias", "running_mean", "running_var", "momentum", "eps")

ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    **{f"conv{n}d": _CONVOLUTION for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": _TRANSPOSED for n in (1, 2, 3)},
    "_convolution_mode": _CONVOLUTION,
    "convolution": _EITHER,
    "_convolution": _EITHER,
    "linear": ("input", "weight", "bias"),
    "embedding": ("weight", "indices"),
    "batch_norm": _BATCH,
    "instance_norm": _BATCH,
    "_native_batch_norm_legit_no_training": _FUNCTIONAL,
    "layer_norm": _LAYER,
    "native_layer_norm": _LAYER,
    "group_norm": ("input", "num_groups", "weight", "bias", "eps"),
}
"""The names of the arguments by position, of the operators that have a weight."""


def facts_of(
    operator: str,
    arguments: Mapping[str, object],
    shape: tuple[int, ...],
    input_size: tuple[int, ...] | None = None,
) -> ParameterFacts | None:
    """What an operator says of its weight, None where it does not say it in literals.

    Args:
        operator: Its name, such as ``conv2d``.
        arguments: By name; missing ones have torch's defaults.
        shape: Of the weight, as torch stores it.
        input_size: Spatial size of the operator's input.
    """
    if operator == "linear":
        return ParameterFacts("dense") if len(shape) == 2 else None
    if operator == "embedding":
        return ParameterFacts("embedding", reason="embedding: looked up by index, not multiplied")
    if operator.endswith("_norm") or "batch_norm" in operator:
        epsilon = arguments.get("eps", 1e-5)
        return ParameterFacts("normalisation", epsilon=epsilon) if type(epsilon) is float else None
    if "conv" not in operator:
        return None
    transposed = operator.startswith("conv_transpose") or arguments.get("transposed") is True
    geometry = convolution(arguments, shape, transposed, input_size)
    return ParameterFacts("convolution", geometry=geometry) if geometry else None


def convolution(
    arguments: Mapping[str, object],
    shape: tuple[int, ...],
    transposed: bool,
    input_size: tuple[int, ...] | None = None,
) -> Geometry | None:
    """The geometry of a convolution, None where an argument is no literal or does not fit."""
    dimensions = len(shape) - 2
    groups = arguments.get("groups", 1)
    stride = numbers(arguments.get("stride"), dimensions, 1)
    dilation = numbers(arguments.get("dilation"), dimensions, 1)
    if not 1 <= dimensions <= 3 or not stride or not dilation or min(*stride, *dilation) < 1:
        return None
    if type(groups) is not int or groups < 1 or shape[0] % groups:
        return None
    padding = _padding(arguments.get("padding"), shape[2:], dilation)
    if padding is None:
        return None
    mode = arguments.get("padding_mode", "zeros")
    return Geometry(
        stride,
        padding,
        dilation,
        groups,
        transposed,
        padding_mode=mode if isinstance(mode, str) else "zeros",
        output_padding=numbers(arguments.get("output_padding"), dimensions, 0) or ()
        if transposed
        else (),
        input_size=input_size if input_size and len(input_size) == dimensions else None,
    )


def _padding(
    value: object, kernel: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[int, ...] | None:
    if isinstance(value, str):
        return padded(value, kernel, dilation)
    return numbers(value, len(kernel), 0)


def padded(padding: str, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[int, ...]:
    """Padding in words, for stride 1: ``valid`` has none, ``same`` keeps the size.

    An even span needs one more at the end than at the beginning, which is no single number:
    then there is none, ``()``.

    >>> padded("same", (3, 5), (1, 2)), padded("same", (2,), (1,))
    ((1, 4), ())
    """
    if padding == "valid":
        return (0,) * len(kernel)
    spans = [step * (size - 1) for size, step in zip(kernel, dilation, strict=True)]
    return () if any(span % 2 for span in spans) else tuple(span // 2 for span in spans)


def numbers(value: object, dimensions: int, default: int) -> tuple[int, ...] | None:
    """One whole number a dimension, of a number, a list, or None for the default."""
    if value is None:
        return (default,) * dimensions
    listed = [value] if type(value) is int else value
    if not isinstance(listed, list | tuple) or not all(type(n) is int and n >= 0 for n in listed):
        return None
    if len(listed) == 1:
        return tuple(listed) * dimensions
    return tuple(listed) if len(listed) == dimensions else None
