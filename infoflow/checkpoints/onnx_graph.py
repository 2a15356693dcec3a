"""Walks an ONNX graph: its stored tensors in the order of use, and the role of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from infoflow.checkpoints.checkpoint import StoredTensor, unread
from infoflow.checkpoints.faults import ReadError, quoted
from infoflow.checkpoints.onnx_constants import FOLDED, Constant, folded
from infoflow.checkpoints.onnx_roles import ROLES, Use, uses
from infoflow.checkpoints.onnx_tensors import Data, stored

_MOST_NODES = 2_000_000
_DEEPEST = 30
_GRAPH, _GRAPHS = 5, 10
_FLOAT, _INT, _STRING, _TENSOR, _FLOATS, _INTS, _SPARSE = 1, 2, 3, 4, 6, 7, 11
_VALUES = {_FLOAT: "f", _INT: "i", _STRING: "s", _FLOATS: "floats", _INTS: "ints"}
"""Where an attribute of a type has its value."""
_TYPES = {
    **dict.fromkeys(("alpha", "beta", "epsilon", "value_float"), _FLOAT),
    **dict.fromkeys(("axis", "block_size", "group", "to", "transA", "transB", "value_int"), _INT),
    "auto_pad": _STRING,
    "value": _TENSOR,
    "value_floats": _FLOATS,
    **dict.fromkeys(("axes", "dilations", "ends", "kernel_shape", "output_padding"), _INTS),
    **dict.fromkeys(("output_shape", "pads", "perm", "starts", "strides", "value_ints"), _INTS),
    "sparse_value": _SPARSE,
}
"""The type of every attribute that is read, the same for every operator that is known."""
_QUANTISED = "_quantized"


@dataclass(frozen=True)
class Role:
    """A use of a stored tensor (or of one computed from several), and the node that uses it."""

    use: Use
    node: str
    operator: str
    number: int
    """Of the node, so that what one node uses can be told."""


@dataclass
class Walked:
    """What a graph holds.

    Args:
        tensors: Stored tensors by a name that is unique in the file.
        roles: Of each, in order of use; also of tensors computed from several, by their name.
        followed: For a node, the batch normalisation that takes its output as its only user.
        input_sizes: By node, the spatial size of its first input, where the file gives it.
        joined: Tensors that are parts of one computed from several, and that one's name.
        plain: Of the tensors, those that are constants in the code.
        whole_numbers: How many tensors of whole numbers (shapes, axes) are not listed.
        nodes: How many were walked.
    """

    tensors: dict[str, Constant] = field(default_factory=dict)
    roles: dict[str, list[Role]] = field(default_factory=dict)
    followed: dict[int, int] = field(default_factory=dict)
    input_sizes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    joined: dict[str, str] = field(default_factory=dict)
    plain: set[str] = field(default_factory=set)
    whole_numbers: int = 0
    nodes: int = 0


@dataclass(frozen=True)
class Scope:
    """A graph while it is walked: the constants that it sees, and its own nodes by output."""

    known: dict[str, Constant]
    prefix: str
    depth: int
    sizes: dict[str, tuple[int, ...]]
    numbers: dict[str, int] = field(default_factory=dict)


def walk(model: Any, data: Data) -> Walked:
    """Everything that a model's graph, and the graphs within it, hold.

    Raises:
        ReadError: for tensors that lie, and for graphs that are too deep or too large.
    """
    found = Walked()
    _graph(model.graph, data, Scope({}, "", 0, {}), found)
    return found


def _graph(graph: Any, data: Data, outer: Scope, found: Walked) -> None:
    if outer.depth > _DEEPEST:
        raise ReadError("damaged: its graphs are nested without end")
    scope = Scope(dict(outer.known), outer.prefix, outer.depth, _sizes(graph))
    for proto in graph.initializer:
        scope.known[proto.name] = _added(found, scope, proto.name, stored(proto, data), plain=False)
    for proto in graph.sparse_initializer:
        name, tensor = proto.values.name, unread(tuple(proto.dims), "float32", "sparse tensor")
        scope.known[name] = _added(found, scope, name, tensor, plain=False)
    for node in graph.node:
        _node(node, data, scope, found)
    _follow(graph, scope, found)


def _node(node: Any, data: Data, scope: Scope, found: Walked) -> None:
    number = found.nodes
    found.nodes += 1
    if found.nodes > _MOST_NODES:
        raise ReadError(f"damaged: its graph has more than {_MOST_NODES:,} nodes")
    output = node.output[0] if node.output else ""
    attributes = dict(_attributes(node)) if _is_known(node) else {}
    scope.numbers[output] = number
    if node.op_type == "Constant":
        tensor = _of_constant(node, attributes, data)
        if tensor is not None:
            scope.known[output] = _added(found, scope, output, tensor, plain=True)
        return
    inputs = [scope.known.get(name) if name else None for name in node.input]
    made = folded(node.op_type, inputs, attributes)
    if made is not None:
        scope.known[output] = made
        return
    if node.op_type == "MatMulInteger" and len(inputs) > 1:
        scale = scope.known.get(_scale_of(node.input[1]))
        inputs = [*([*inputs, None, None][:4]), scale]
    for use in uses(node.op_type, inputs, attributes):
        role = Role(use, node.name or output, node.op_type, number)
        for name in _names_of(role, found):
            found.roles.setdefault(name, []).append(role)
    size = scope.sizes.get(node.input[0]) if node.input else None
    if size is not None:
        found.input_sizes[number] = size
    for label, inner in _inner(node):
        prefix = f"{scope.prefix}{node.name or output}.{label}."
        _graph(inner, data, Scope(scope.known, prefix, scope.depth + 1, {}), found)


def _inner(node: Any) -> Iterator[tuple[str, Any]]:
    """The graphs within a node: the branches of an If, the body of a Loop."""
    for attribute in node.attribute:
        if attribute.type == _GRAPH:
            yield attribute.name, attribute.g
        elif attribute.type == _GRAPHS:
            yield from ((attribute.name, graph) for graph in attribute.graphs)


def _names_of(role: Role, found: Walked) -> tuple[str, ...]:
    """Whose role it is: the stored tensor's, or that of a weight joined from several."""
    sources = role.use.constant.sources
    if len(sources) == 1 or role.use.facts.kind == "other":
        return sources
    name = f"{role.node}.{role.use.leaf}"
    while name in found.tensors:
        name += "_"
    for source in sources:
        found.joined.setdefault(source, name)
    return (name,)


def _scale_of(name: str) -> str:
    """ONNX Runtime's name of the scale of a dynamically quantised weight."""
    return f"{name.removesuffix(_QUANTISED)}_scale" if name.endswith(_QUANTISED) else ""


def _added(
    found: Walked, scope: Scope, name: str, tensor: StoredTensor, *, plain: bool
) -> Constant:
    """A stored tensor as a constant, registered under a unique name where it may be a weight.

    Whole numbers of an exporter (shapes, axes), and the single numbers among the ``plain``
    constants of the code, are not listed.
    """
    unique = name
    while unique in found.tensors:
        unique = f"{scope.prefix}{unique}" if unique == name and scope.prefix else f"{unique}_"
    constant = Constant(
        (unique,),
        tensor.size,
        tensor.shape,
        tensor.dtype,
        tensor.load,
        tensor.memory,
        tensor.unread,
    )
    quantised = tensor.dtype in ("int8", "uint8") and len(tensor.shape) > 1
    if not (constant.is_float or constant.unread or quantised):
        found.whole_numbers += not plain
    elif tensor.shape or not plain:
        found.tensors[unique] = constant
        if plain:
            found.plain.add(unique)
    return constant


def _is_known(node: Any) -> bool:
    """Whether its attributes are read; other operators may give their names other types."""
    return node.op_type == "Constant" or node.op_type in FOLDED or node.op_type in ROLES


def _attributes(node: Any) -> Iterator[tuple[str, Any]]:
    """The attributes that are numbers or text.

    Raises:
        ReadError: where one that is read has another type than its name says.
    """
    for attribute in node.attribute:
        if attribute.type != _TYPES.get(attribute.name, attribute.type):
            owner = quoted(node.name or node.op_type)
            raise ReadError(f"damaged: {quoted(attribute.name)} of {owner} has the wrong type")
        where = _VALUES.get(attribute.type)
        if where is None:
            continue
        value = getattr(attribute, where)
        if where == "s":
            value = value.decode("utf-8", "replace")
        yield attribute.name, tuple(value) if where in ("floats", "ints") else value


def _of_constant(node: Any, attributes: dict[str, Any], data: Data) -> StoredTensor | None:
    for attribute in node.attribute:
        if attribute.name == "value":
            return stored(attribute.t, data)
        if attribute.name == "sparse_value":
            return unread(tuple(attribute.sparse_tensor.dims), "float32", "sparse tensor")
    kinds = {"value_float": "float32", "value_floats": "float32"}
    kinds |= {"value_int": "int64", "value_ints": "int64"}
    for name, kind in kinds.items():
        if name in attributes:
            array = np.array(attributes[name], kind)
            return StoredTensor("", array.shape, kind, array.copy)
    return None


def _sizes(graph: Any) -> dict[str, tuple[int, ...]]:
    """Spatial sizes of what flows through a graph, where the file gives them in numbers."""
    found = {}
    for value in (*graph.input, *graph.value_info):
        if value.type.WhichOneof("value") != "tensor_type":
            continue
        dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        # The size of the batch need not be known.
        if len(dims) > 2 and all(n > 0 for n in dims[2:]):
            found[value.name] = tuple(dims[2:])
    return found


def _follow(graph: Any, scope: Scope, found: Walked) -> None:
    """Finds batch normalisations that are the only user of a node's output."""
    users: dict[str, list[Any]] = {value.name: [None] for value in graph.output}
    for node in graph.node:
        for name in _consumed(node):
            users.setdefault(name, []).append(node)
    for node in graph.node:
        output = node.output[0] if node.output else ""
        (after, *others) = users.get(output, [None])
        if after is None or others or after.op_type != "BatchNormalization" or not after.output:
            continue
        if after.input[0] == output:
            found.followed[scope.numbers[output]] = scope.numbers[after.output[0]]


def _consumed(node: Any) -> Iterator[str]:
    """What a node takes, and what the graphs within it take from around them."""
    yield from node.input
    for _, graph in _inner(node):
        yield from (value.name for value in graph.output)
        for part in graph.node:
            yield from _consumed(part)
