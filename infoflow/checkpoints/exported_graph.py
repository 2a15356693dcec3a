"""What the graph of an exported program says of its weights, read as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from infoflow.checkpoints.aten import ARGUMENTS, UNKNOWN, facts_of
from infoflow.checkpoints.faults import ReadError
from infoflow.facts import ParameterFacts

_LITERALS = ("as_int", "as_ints", "as_float", "as_bool", "as_string")


@dataclass(frozen=True)
class Value:
    """A tensor that flows through the graph, by its name there."""

    name: str


@dataclass(frozen=True)
class Node:
    """A call of an operator of torch."""

    operator: str
    arguments: Mapping[str, object]
    output: str


def facts_of_graph(program: Mapping[str, Any]) -> dict[str, ParameterFacts]:
    """Facts of the weights by their names in the state dict.

    Raises:
        ReadError: for a graph of another schema.
    """
    try:
        module = program["graph_module"]
        graph, specs = module["graph"], module["signature"]["input_specs"]
        weights = dict(_weights(specs))
        shapes = {name: _shape(meta) for name, meta in graph["tensor_values"].items()}
        nodes = [_node(node) for node in graph["nodes"]]
    except (KeyError, TypeError, AttributeError, ValueError):
        raise ReadError("its schema is not known") from None
    found: dict[str, ParameterFacts] = {}
    for node in nodes:
        weight, entry = node.arguments.get("weight"), node.arguments.get("input")
        if node.operator not in ARGUMENTS or not isinstance(weight, Value):
            continue
        shape = shapes.get(weight.name)
        if weight.name not in weights or shape is None:
            continue
        size = shapes.get(entry.name) if isinstance(entry, Value) else None
        facts = facts_of(node.operator, node.arguments, shape, size[2:] if size else None)
        if facts:
            found.setdefault(weights[weight.name], facts)
    return _with_normalisations(nodes, weights, found)


def _with_normalisations(
    nodes: list[Node], weights: Mapping[str, str], found: dict[str, ParameterFacts]
) -> dict[str, ParameterFacts]:
    """The same facts, with the normalisation that is the only user of a layer's output."""
    users: dict[str, list[Node]] = {}
    for node in nodes:
        for value in _values(tuple(node.arguments.values())):
            users.setdefault(value.name, []).append(node)
    done = dict(found)
    for node in nodes:
        weight = node.arguments.get("weight")
        after = users.get(node.output, [])
        if (
            not isinstance(weight, Value)
            or len(after) != 1
            or "batch_norm" not in after[0].operator
        ):
            continue
        gamma = after[0].arguments.get("weight")
        if after[0].arguments.get("input") != Value(node.output) or not isinstance(gamma, Value):
            continue
        name, norm = weights.get(weight.name, ""), weights.get(gamma.name, "")
        if name in found and norm in found and found[name].kind in ("dense", "convolution"):
            done[name] = replace(found[name], normalisation=norm, epsilon=found[norm].epsilon)
    return done


def _weights(specs: Any) -> Iterator[tuple[str, str]]:
    """Names in the graph and in the state dict."""
    for spec in specs:
        for kind in ("parameter", "buffer"):
            if kind in spec:
                yield spec[kind]["arg"]["name"], str(spec[kind][f"{kind}_name"])


def _node(node: Any) -> Node:
    # torch.ops.aten.conv2d.default: the overload says nothing of the weight.
    parts = str(node["target"]).split(".")
    operator = parts[3] if parts[:3] == ["torch", "ops", "aten"] and len(parts) > 4 else ""
    outputs = node["outputs"]
    first = outputs[0].get("as_tensor") if outputs else None
    return Node(
        operator,
        {str(part["name"]): _argument(part["arg"]) for part in node["inputs"]},
        str(first["name"]) if first else "",
    )


def _argument(argument: Mapping[str, Any]) -> object:
    if "as_tensor" in argument:
        return Value(argument["as_tensor"]["name"])
    if "as_tensors" in argument:
        return tuple(Value(part["name"]) for part in argument["as_tensors"])
    if "as_none" in argument:
        return None
    return next((argument[kind] for kind in _LITERALS if kind in argument), UNKNOWN)


def _values(arguments: tuple[object, ...]) -> Iterator[Value]:
    for argument in arguments:
        if isinstance(argument, Value):
            yield argument
        elif isinstance(argument, tuple):
            yield from _values(argument)


def _shape(meta: Any) -> tuple[int, ...] | None:
    """The shape, None where a size is not a number (it is a symbol)."""
    sizes = [part.get("as_int") for part in meta["sizes"]]
    return tuple(sizes) if all(type(part) is int and part >= 0 for part in sizes) else None
