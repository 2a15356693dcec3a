"""What an ONNX operator does with its constants: which is a weight, of what kind and geometry.

A weight is yielded in torch's layout: (out, in) of a dense one, (C_out, C_in/groups, *kernel)
of a convolution, (C_in, C_out/groups, *kernel) of a transposed one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from infoflow.checkpoints.aten import numbers
from infoflow.checkpoints.onnx_constants import (
    Attributes,
    Constant,
    Inputs,
    dequantised,
    reshaped,
    scaled,
    transposed,
)
from infoflow.facts import Geometry, ParameterFacts

GATES = {
    "LSTM": ("input", "output", "forget", "cell"),
    "GRU": ("update", "reset", "new"),
    "RNN": (),
}
"""In ONNX's order, which is not torch's."""
_BIAS = "bias: adds a constant, which changes no entropy"
_STATE = "state: where the recurrence begins"
_MEAN = "running mean: a shift, which changes no entropy"


@dataclass(frozen=True)
class Use:
    """A constant in a role.

    Args:
        constant: In torch's layout.
        facts: What it is.
        leaf: What torch calls it: ``weight``, ``bias``, ``running_var``, …; of a recurrent
            operator also ``W`` and ``R``, as ONNX does.
        note: What a person must know, or ``""``.
    """

    constant: Constant
    facts: ParameterFacts
    leaf: str = "weight"
    note: str = ""


def _other(reason: str) -> ParameterFacts:
    return ParameterFacts("other", reason=reason)


def _convolution(inputs: Inputs, attributes: Attributes) -> Iterator[Use]:
    yield from _convolved(inputs[1], attributes, transposed=False)
    yield from _rest(inputs, {2: ("bias", _BIAS)})


def _transposed_convolution(inputs: Inputs, attributes: Attributes) -> Iterator[Use]:
    yield from _convolved(inputs[1], attributes, transposed=True)
    yield from _rest(inputs, {2: ("bias", _BIAS)})


def _quantised_convolution(inputs: Inputs, attributes: Attributes) -> Iterator[Use]:
    weight, scale, zero = inputs[3:6]
    whole = dequantised(weight, scale, zero, 0) if weight else None
    yield from _convolved(whole, attributes, transposed=False)
    yield from _rest(inputs, {8: ("bias", _BIAS)})


def _convolved(weight: Constant | None, attributes: Attributes, transposed: bool) -> Iterator[Use]:
    if weight is None:
        return
    dimensions = len(weight.shape) - 2
    if not 1 <= dimensions <= 3:
        yield Use(weight, _other("kernel of a convolution of another number of dimensions"))
        return
    stride = numbers(attributes.get("strides"), dimensions, 1)
    dilation = numbers(attributes.get("dilations"), dimensions, 1)
    groups = attributes.get("group", 1)
    fits = groups > 0 and weight.shape[0] % groups == 0
    if stride is None or dilation is None or not fits or min(*stride, *dilation) < 1:
        yield Use(weight, _other("kernel of a convolution whose geometry is damaged"))
        return
    padding, note = _padding(attributes, weight.shape[2:], stride, dilation)
    output = numbers(attributes.get("output_padding"), dimensions, 0) or ()
    geometry = Geometry(
        stride, padding, dilation, groups, transposed, output_padding=output if transposed else ()
    )
    yield Use(weight, ParameterFacts("convolution", geometry=geometry), note=note)


def _padding(
    attributes: Attributes,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[tuple[int, ...], str]:
    """Padding at both ends, ``()`` where the two differ, with a note."""
    dimensions = len(kernel)
    mode = attributes.get("auto_pad", "NOTSET")
    pads = attributes.get("pads") or (0,) * 2 * dimensions
    if attributes.get("output_shape"):
        return (), "padded so that its output has a given shape"
    if mode == "VALID":
        return (0,) * dimensions, ""
    if mode.startswith("SAME"):
        spans = [step * (size - 1) for size, step in zip(kernel, dilation, strict=True)]
        if any(step > 1 for step in stride) or any(span % 2 for span in spans):
            return (), "padded by as much as its input's size asks for, not alike at both ends"
        return tuple(span // 2 for span in spans), ""
    begin, end = tuple(pads[:dimensions]), tuple(pads[dimensions:])
    if begin != end or len(begin) != dimensions or min(begin) < 0:
        return (), "not padded alike at both ends"
    return begin, ""


def _gemm(inputs: Inputs, attributes: Attributes) -> Iterator[Use]:
    left, right = inputs[0], inputs[1]
    factor = attributes.get("alpha", 1.0)
    # Y = alpha·A′·B′ + beta·C maps a row of A′ by the transpose of B′.
    if right is not None:
        weight = right if attributes.get("transB") else transposed(right)
    elif left is not None:
        weight = transposed(left) if attributes.get("transA") else left
    else:
        weight = None
    if weight is not None and len(weight.shape) == 2:
        weight = weight if factor == 1.0 else scaled(weight, factor)
        note = "" if factor == 1.0 else f"multiplied by {factor:g}, as its operator says"
        yield Use(weight, ParameterFacts("dense"), note=note)
    yield from _rest(inputs, {2: ("bias", _BIAS)})


def _matrix_product(inputs: Inputs, attributes: Attributes) -> Iterator[Use]:
    yield from _multiplied(inputs[0], inputs[1])


def _integer_product(inputs: Inputs, attributes: Attributes) -> Iterator[Use]:
    left, left_scale, left_zero, right, scale, zero = inputs[:6]
    last = len(right.shape) - 1 if right else 0
    yield from _multiplied(
        dequantised(left, left_scale, left_zero, 0) if left else None,
        dequantised(right, scale, zero, last) if right else None,
    )


def _integer_product_without_scale(inputs: Inputs, attributes: Attributes) -> Iterator[Use]:
    # ONNX Runtime's dynamic quantisation applies the scale later; the graph's reader adds it.
    scale, zero = inputs[4] if len(inputs) > 4 else None, inputs[3] if len(inputs) > 3 else None
    weight = inputs[1]
    if weight is not None and scale is not None:
        yield from _multiplied(None, dequantised(weight, scale, zero, len(weight.shape) - 1))


def _multiplied(left: Constant | None, right: Constant | None) -> Iterator[Use]:
    weight = right or left
    if weight is None or (left is not None and right is not None):
        return
    plain = tuple(weight.shape)
    while len(plain) > 2 and plain[0] == 1:
        plain = plain[1:]
    if len(plain) != 2:
        return
    matrix = reshaped(weight, plain)
    turned = transposed(matrix) if weight is right else matrix
    assert turned is not None
    yield Use(turned, ParameterFacts("dense"))


def _recurrent(kind: str) -> Callable[[Inputs, Attributes], Iterator[Use]]:
    def roles(inputs: Inputs, attributes: Attributes) -> Iterator[Use]:
        for place, leaf in ((1, "W"), (2, "R")):
            weight = inputs[place] if place < len(inputs) else None
            if weight is None or len(weight.shape) != 3:
                continue
            directions, rows, columns = weight.shape
            parts = GATES[kind]
            if directions > 1:
                ways = ("forward", "reverse")
                parts = tuple(f"{way}.{gate}" for way in ways for gate in parts) or ways
            yield Use(
                reshaped(weight, (directions * rows, columns)),
                ParameterFacts("dense", parts=parts),
                leaf,
            )
        states = {5: ("initial_h", _STATE), 6: ("initial_c", _STATE)}
        peepholes = {7: ("P", "peepholes: a scale for each cell")}
        yield from _rest(inputs, {3: ("B", _BIAS), **states, **peepholes})

    return roles


def _batch_normalisation(inputs: Inputs, attributes: Attributes) -> Iterator[Use]:
    yield from _normalised(inputs, 1, attributes)
    yield from _rest(inputs, {2: ("bias", _BIAS), 3: ("running_mean", _MEAN)})
    if len(inputs) > 4 and (variance := inputs[4]) is not None:
        yield Use(variance, _other("read with its normalisation"), "running_var")


def _normalisation(inputs: Inputs, attributes: Attributes) -> Iterator[Use]:
    yield from _normalised(inputs, 1, attributes)
    yield from _rest(inputs, {2: ("bias", _BIAS)})


def _skipping_normalisation(inputs: Inputs, attributes: Attributes) -> Iterator[Use]:
    yield from _normalised(inputs, 2, attributes)
    yield from _rest(inputs, {3: ("bias", _BIAS), 4: ("bias", _BIAS)})


def _normalised(inputs: Inputs, place: int, attributes: Attributes) -> Iterator[Use]:
    gamma = inputs[place] if place < len(inputs) else None
    if gamma is not None:
        wide = [n for n in gamma.shape if n > 1]
        if len(wide) <= 1:
            plain = reshaped(gamma, (wide[0] if wide else 1,))
            epsilon = float(attributes.get("epsilon", 1e-5))
            yield Use(plain, ParameterFacts("normalisation", epsilon=epsilon))


def _gather(inputs: Inputs, attributes: Attributes) -> Iterator[Use]:
    table = inputs[0]
    if table is not None and table.is_float and len(table.shape) == 2 and inputs[1] is None:
        reason = "embedding: looked up by index, not multiplied"
        yield Use(table, ParameterFacts("embedding", reason=reason))


def _elementwise(reason: str) -> Callable[[Inputs, Attributes], Iterator[Use]]:
    def roles(inputs: Inputs, attributes: Attributes) -> Iterator[Use]:
        for constant in inputs:
            if constant is not None:
                yield Use(constant, _other(reason), "")

    return roles


def _rest(inputs: Inputs, roles: Mapping[int, tuple[str, str]]) -> Iterator[Use]:
    for place, (leaf, reason) in roles.items():
        constant = inputs[place] if place < len(inputs) else None
        if constant is not None:
            yield Use(constant, _other(reason), leaf)


ROLES: Mapping[str, Callable[[Inputs, Attributes], Iterator[Use]]] = {
    "Conv": _convolution,
    "FusedConv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "QLinearConv": _quantised_convolution,
    "Gemm": _gemm,
    "MatMul": _matrix_product,
    "QLinearMatMul": _integer_product,
    "MatMulInteger": _integer_product_without_scale,
    "LSTM": _recurrent("LSTM"),
    "GRU": _recurrent("GRU"),
    "RNN": _recurrent("RNN"),
    "BatchNormalization": _batch_normalisation,
    "InstanceNormalization": _normalisation,
    "GroupNormalization": _normalisation,
    "LayerNormalization": _normalisation,
    "RMSNormalization": _normalisation,
    "SimplifiedLayerNormalization": _normalisation,
    "SkipLayerNormalization": _skipping_normalisation,
    "SkipSimplifiedLayerNormalization": _skipping_normalisation,
    "Gather": _gather,
    "Add": _elementwise("added element by element: a shift"),
    "Sub": _elementwise("subtracted element by element: a shift"),
    "Mul": _elementwise("multiplied element by element: a scale"),
    "Div": _elementwise("divided element by element: a scale"),
    "PRelu": _elementwise("slopes of an activation"),
}
"""By operator, also of ONNX Runtime's own ones."""

FEWEST = {"QLinearConv": 8, "QLinearMatMul": 8, "Conv": 2, "FusedConv": 2, "ConvTranspose": 2}
"""Inputs that an operator must have, where not one or two."""


def uses(operator: str, inputs: Inputs, attributes: Attributes) -> list[Use]:
    """What an operator says of its constants; nothing where it is not known or damaged."""
    if operator not in ROLES or len(inputs) < FEWEST.get(operator, 2):
        return []
    return [use for use in ROLES[operator](inputs, attributes) if use.constant.is_float]
