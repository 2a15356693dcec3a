"""What the code in a TorchScript archive says of its weights: parsed as text, never run."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from infoflow.checkpoints.aten import ARGUMENTS, UNKNOWN, convolution, facts_of
from infoflow.facts import ParameterFacts

LONGEST_CODE = 2**20
"""Bytes of one file; parsing costs some hundred times as much memory."""
CONSTANTS = "CONSTANTS"
"""What the code calls the tensors that freezing made a part of it."""
_MANGLED = re.compile(r"\.___torch_mangle_\d+")
_NORMALISATIONS = ("batchnorm", "normalization", "instancenorm")


@dataclass(frozen=True)
class Path:
    """An attribute of an attribute … of the object itself, or of the archive's CONSTANTS."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Call:
    """A call of an operator: literals, paths, and ``UNKNOWN`` for everything else."""

    operator: str
    arguments: tuple[object, ...]


@dataclass
class Class:
    """What a class says of its objects.

    Args:
        names: Of its parameters and buffers, None where it does not list them.
        constants: Attributes that every object of it has, by name.
        calls: Of operators, in its methods.
    """

    names: set[str] | None = None
    constants: dict[str, object] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)


def classes(module: str, code: bytes) -> dict[str, Class]:
    """The classes of a module, by their full name; none where its text cannot be parsed."""
    if len(code) > LONGEST_CODE:
        return {}
    try:
        tree = ast.parse(code.decode())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    return {
        f"{module}.{node.name}": _class(node)
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }


def plain(kind: str) -> str:
    """A class's name as it was written, without what keeps equal names apart.

    >>> plain("__torch__.torch.nn.modules.conv.___torch_mangle_1.Conv2d")
    'torch.nn.modules.conv.Conv2d'
    """
    return _MANGLED.sub("", kind).removeprefix("__torch__.")


def facts_of_class(
    kind: str,
    described: Class,
    shape_at: Callable[[tuple[str, ...]], tuple[int, ...] | None],
    number_at: Callable[[tuple[str, ...]], int | None] = lambda path: None,
) -> dict[tuple[str, ...], ParameterFacts]:
    """What a class's code says of weights, by their path from the object.

    Args:
        kind: The class.
        described: What its code says.
        shape_at: The shape of the tensor at a path, None where there is none; that of the
            archive's first constant at ``("CONSTANTS", "c0")``.
        number_at: The whole number that the object has at a path, None where it has none.
    """
    found: dict[tuple[str, ...], ParameterFacts] = {}
    for call in described.calls:
        arguments = dict(zip(ARGUMENTS[call.operator], call.arguments, strict=False))
        weight = arguments.get("weight")
        arguments = {name: _resolved(value, number_at) for name, value in arguments.items()}
        shape = shape_at(weight.names) if isinstance(weight, Path) else None
        if isinstance(weight, Path) and shape is not None:
            facts = facts_of(call.operator, arguments, shape)
            if facts:
                found.setdefault(weight.names, facts)
    own = shape_at(("weight",))
    if own is not None and (facts := _of_module(plain(kind), described.constants, own)):
        found.setdefault(("weight",), facts)
    return found


def _resolved(value: object, number_at: Callable[[tuple[str, ...]], int | None]) -> object:
    """A value with the attributes in it replaced by their numbers."""
    if isinstance(value, Path):
        number = number_at(value.names)
        return value if number is None else number
    return tuple(_resolved(part, number_at) for part in value) if type(value) is tuple else value


def _of_module(
    kind: str, constants: Mapping[str, object], shape: tuple[int, ...]
) -> ParameterFacts | None:
    """What torch's own module says of its weight by its constant attributes."""
    package, _, name = kind.rpartition(".")
    if not package.startswith("torch.nn.modules."):
        return None
    if name in ("Embedding", "EmbeddingBag"):
        return facts_of("embedding", {}, shape)
    if package.endswith(_NORMALISATIONS) and "eps" in constants:
        return facts_of("layer_norm", {"eps": constants["eps"]}, shape)
    if package.endswith(".conv") and {"stride", "padding", "dilation", "groups"} <= set(constants):
        geometry = convolution(constants, shape, "Transpose" in name)
        return ParameterFacts("convolution", geometry=geometry) if geometry else None
    return None


def _class(node: ast.ClassDef) -> Class:
    made = Class()
    for part in node.body:
        if isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name):
            if part.targets[0].id in ("__parameters__", "__buffers__"):
                made.names = (made.names or set()) | set(_texts(_literal(part.value)))
        elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            if part.value is not None:
                made.constants[part.target.id] = _literal(part.value)
        elif isinstance(part, ast.FunctionDef) and part.args.args:
            made.calls += _calls(part)
    return made


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, tuple) else []


def _calls(function: ast.FunctionDef) -> Iterator[Call]:
    """The calls of operators, with local names resolved to what they are attributes of."""
    known = {function.args.args[0].arg: Path(()), CONSTANTS: Path((CONSTANTS,))}
    for node in ast.walk(function):  # breadth first, so not in order: hence the two passes
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = _path(node.value, known)
            if value is not None:
                known.setdefault(node.targets[0].id, value)
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "torch" and node.func.attr in ARGUMENTS:
                arguments = (_literal(part, known) for part in node.args)
                yield Call(node.func.attr, tuple(arguments))


def _path(node: ast.expr, known: Mapping[str, Path]) -> Path | None:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in known:
        return None
    return Path((*known[node.id].names, *reversed(names)))


def _literal(node: ast.expr, known: Mapping[str, Path] | None = None) -> object:
    """A number, a truth value, text, None, a path where names are known, or a tuple of them."""
    path = _path(node, known or {})
    if path is not None:
        return path
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List | ast.Tuple):
        return tuple(_literal(part, known) for part in node.elts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _literal(node.operand)
        return -number if isinstance(number, int | float) else UNKNOWN
    return UNKNOWN
