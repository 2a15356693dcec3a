"""Which weights and which outputs of a model a loss looks at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from infoflow.errors import SelectionError
from infoflow.losses.grammar import LossRequest
from infoflow.nearest import nearest
from infoflow.patterns import words


@dataclass(frozen=True)
class Weight:
    """A weight, read anew at each step: a parametrised one is computed.

    Args:
        name: Of the module; ``attn.in_proj.q`` for a part of a packed one.
        module: Its module.
        read: Gives the tensor, (out, in) or (rows, columns, *kernel).
    """

    name: str
    module: nn.Module
    read: Callable[[], Tensor]


@dataclass(frozen=True)
class Place:
    """What leaves a module, or what enters it.

    Args:
        name: Of the module, with ``.input`` where its input is meant.
        module: The module.
        enters: Whether the first tensor that enters it is meant.
    """

    name: str
    module: nn.Module
    enters: bool = False


Named = TypeVar("Named", Weight, Place)


def dense_weights(model: nn.Module) -> list[Weight]:
    """Dense weights (out, in) in the order of definition; a shared one once.

    Those of `nn.Linear`, and the three projections of `nn.MultiheadAttention`.
    """
    found = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            found.append(Weight(name, module, _reader(module, "weight")))
        elif isinstance(module, nn.MultiheadAttention) and module.in_proj_weight is not None:
            for place, part in enumerate("qkv"):
                label = f"{name}.in_proj.{part}".lstrip(".")
                found.append(Weight(label, module, _projection(module, place)))
    return _once(found)


def convolutions(model: nn.Module) -> list[Weight]:
    """Weights (rows, columns, *kernel) of convolutions, transposed ones as they are stored."""
    return _once(
        [
            Weight(name, module, _reader(module, "weight"))
            for name, module in model.named_modules()
            if isinstance(module, _ConvNd)
        ]
    )


def linear_outputs(model: nn.Module) -> list[Place]:
    """Outputs of dense layers, convolutions and attention; not that of the last, the head."""
    inside = {
        id(part)
        for attention in model.modules()
        if isinstance(attention, nn.MultiheadAttention)
        for part in attention.modules()
        if part is not attention
    }
    kinds = (nn.Linear, _ConvNd, nn.MultiheadAttention)
    found = [
        Place(name, module)
        for name, module in model.named_modules()
        if isinstance(module, kinds) and id(module) not in inside
    ]
    return found[:-1]


def hidden_inputs(model: nn.Module) -> list[Place]:
    """What enters hidden layers: the published fully connected script's activations.

    They are taken after the nonlinearity, whether that is a module or a function. The outputs of
    the first layer and of the one before the head are left out, as in the script.
    """
    maps = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear | _ConvNd)]
    return [Place(f"{name}.input", module, enters=True) for name, module in maps[2:-1]]


def residual_blocks(model: nn.Module) -> list[Place]:
    """Outputs of the innermost modules with two convolutions and ``block``, ``bottleneck`` in name.

    The name is that of the module's class, as BasicBlock and Bottleneck.
    """
    found = [(name, m) for name, m in model.named_modules() if name and _is_block(m)]
    return [
        Place(name, module)
        for name, module in found
        if not any(other.startswith(f"{name}.") for other, _ in found)
    ]


def any_output(model: nn.Module) -> list[Place]:
    """Outputs of every module that has a name."""
    return [Place(name, module) for name, module in model.named_modules() if name]


def chosen(
    request: LossRequest, candidates: Sequence[Named], beyond: Sequence[Named] = ()
) -> list[Named]:
    """The candidates that the request's layers name.

    Args:
        request: ``all``, ``first``, or patterns.
        candidates: What the loss applies to by itself.
        beyond: What else it can be told to look at: searched where a pattern matches no candidate.

    Raises:
        SelectionError: There is no candidate, a pattern matches nothing, or nothing is left.
    """
    if not candidates and (request.layers in {"all", "first"} or not beyond):
        raise SelectionError(f"The loss {request.name} applies to no layer of this network.")
    if request.layers == "all":
        return list(candidates)
    if request.layers == "first":
        return [candidates[0]]
    patterns = words([request.layers])
    wanted: dict[str, Named] = {}
    excluded: set[str] = set()
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        found = [c for c in candidates if _matches(c.name, bare)]
        found = found or [c for c in beyond if _matches(c.name, bare)]
        if not found:
            known = [c.name for c in (*candidates, *beyond)]
            raise SelectionError(
                f"No layer that {request.name} applies to matches {bare!r}; {nearest(bare, known)}."
            )
        if bare is pattern or not pattern.startswith("!"):
            wanted.update((c.name, c) for c in found)
        else:
            excluded |= {c.name for c in found}
    if all(pattern.startswith("!") for pattern in patterns):
        wanted = {c.name: c for c in candidates}
    kept = [c for name, c in wanted.items() if name not in excluded]
    if not kept:
        raise SelectionError(f"The patterns {request.layers!r} leave {request.name} no layer.")
    return kept


def is_transposed(module: nn.Module) -> bool:
    """Whether it is a transposed convolution."""
    return isinstance(module, _ConvTransposeNd)


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)


def _is_block(module: nn.Module) -> bool:
    kind = type(module).__name__.lower()
    convolutions = sum(isinstance(part, _ConvNd) for part in module.modules())
    return convolutions > 1 and ("block" in kind or "bottleneck" in kind)


def _reader(module: nn.Module, attribute: str) -> Callable[[], Tensor]:
    def read() -> Tensor:
        weight: Tensor = getattr(module, attribute)
        return weight

    return read


def _projection(module: nn.MultiheadAttention, place: int) -> Callable[[], Tensor]:
    def read() -> Tensor:
        weight = module.in_proj_weight
        assert weight is not None
        return weight.chunk(3)[place]

    return read


def _once(weights: list[Weight]) -> list[Weight]:
    seen: set[tuple[int, int]] = set()
    kept = []
    for weight in weights:
        parametrised = hasattr(weight.module, "parametrizations")
        data = weight.read()
        key = (id(weight.module), 0) if parametrised else (data.data_ptr(), data.numel())
        if key not in seen or data.device.type == "meta":
            kept.append(weight)
        seen.add(key)
    return kept
