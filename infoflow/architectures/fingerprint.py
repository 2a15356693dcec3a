"""A network's names, shapes and facts, and how a file's names and shapes are held against them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

from infoflow.architectures.architecture import Architecture
from infoflow.facts import Geometry, ParameterFacts

Shapes = Mapping[str, tuple[int, ...]]

COUNTER = "num_batches_tracked"
HEADS = frozenset(
    {"fc", "classifier", "head", "heads", "linear", "AuxLogits", "aux1", "aux2", "aux_classifier"}
)
"""First parts of names that the key leaves out: fine-tuning changes them."""


@dataclass(frozen=True)
class Fingerprint:
    """An architecture, and where a file of it may differ.

    Args:
        architecture: With all its auxiliary heads.
        classes: Number of classes of a fresh network.
        head: Tensors whose first dimension is a multiple of the number of classes, and that
            multiple.
        optional: Prefixes of the auxiliary heads.
        first: Weight of the convolution that takes the image, ``""`` where there is none.
    """

    architecture: Architecture
    classes: int = 0
    head: Mapping[str, int] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    first: str = ""


@dataclass(frozen=True)
class Match:
    """An architecture as the file has it, and the differences in words."""

    architecture: Architecture
    differences: tuple[str, ...] = ()


def key(names: Iterable[str]) -> str:
    """Eight hexadecimal digits for a set of names, without counters and heads.

    A collision costs a comparison, never a wrong answer.
    """
    body = sorted(
        name for name in names if not name.endswith(COUNTER) and name.partition(".")[0] not in HEADS
    )
    return format(zlib.crc32("\n".join(body).encode("utf-8", "surrogatepass")), "08x")


def compare(fingerprint: Fingerprint, shapes: Shapes) -> Match | None:
    """The architecture as the file has it, None where it differs in more than is allowed.

    Allowed are another head, other or missing auxiliary heads, another number of input
    channels of the first convolution, and missing counters.
    """
    side = _other_side(fingerprint, shapes)
    if side is not None:
        fingerprint = _at_side(fingerprint, side)
    names = _compare_names(fingerprint, shapes)
    numbers = _compare_shapes(fingerprint, shapes) if names is not None else None
    if names is None or numbers is None:
        return None
    differences, changed = numbers
    if side is not None:
        differences.append(f"a position embedding for {side}×{side} images")
    architecture = fingerprint.architecture
    parameters = {
        name: replace(facts, initialisation=None) if name in changed else facts
        for name, facts in architecture.parameters.items()
        if name in shapes or name not in architecture.shapes
    }
    return Match(replace(architecture, parameters=parameters), (*names, *differences))


POSITIONS = "encoder.pos_embedding"


def _other_side(fingerprint: Fingerprint, shapes: Shapes) -> int | None:
    """Side of the images that a vision transformer's position embedding says, if not the usual.

    One position a patch and one for the class token: the only trace of the image's size.
    """
    expected, shape = fingerprint.architecture.shapes.get(POSITIONS), shapes.get(POSITIONS)
    if expected is None or shape is None or shape == expected or len(shape) != 3:
        return None
    patches = math.isqrt(max(shape[1] - 1, 0))
    if patches == 0 or patches**2 != shape[1] - 1:
        return None
    return patches * fingerprint.architecture.shapes[fingerprint.first][-1]


def _at_side(fingerprint: Fingerprint, side: int) -> Fingerprint:
    architecture = fingerprint.architecture
    facts = architecture.parameters[fingerprint.first]
    patch = architecture.shapes[fingerprint.first][-1]
    expected = architecture.shapes[POSITIONS]
    size = (side, side)
    geometry = facts.geometry and replace(facts.geometry, input_size=size)
    return replace(
        fingerprint,
        architecture=replace(
            architecture,
            input_size=size,
            parameters={
                **architecture.parameters,
                fingerprint.first: replace(facts, geometry=geometry),
            },
            shapes={
                **architecture.shapes,
                POSITIONS: (expected[0], (side // patch) ** 2 + 1, expected[2]),
            },
        ),
    )


def _compare_names(fingerprint: Fingerprint, shapes: Shapes) -> list[str] | None:
    have = {name for name in shapes if not name.endswith(COUNTER)}
    want = {name for name in fingerprint.architecture.shapes if not name.endswith(COUNTER)}
    missing, extra = want - have, have - want
    differences = []
    for prefix in fingerprint.optional:
        group = {name for name in want if name.startswith(prefix)}
        if group <= missing:
            missing -= group
            differences.append(f"without its auxiliary head {prefix.rstrip('.')}")
    heads = set(fingerprint.head)
    if missing & heads:
        modules = {name.rpartition(".")[0] + "." for name in heads}
        other = {name for name in extra if any(name.startswith(module) for module in modules)}
        differences.append(
            "with a head of another make" if other or not heads <= missing else "without its head"
        )
        missing -= heads
        extra -= other
    return None if missing or extra else differences


def _compare_shapes(fingerprint: Fingerprint, shapes: Shapes) -> tuple[list[str], set[str]] | None:
    """Differences in words and the tensors they touch."""
    classes: set[float] = set()
    differences: list[str] = []
    changed: set[str] = set()
    for name, expected in fingerprint.architecture.shapes.items():
        shape = shapes.get(name, expected)
        if shape == expected:
            continue
        if len(shape) != len(expected):
            return None
        if name in fingerprint.head and shape[1:] == expected[1:]:
            classes.add(shape[0] / fingerprint.head[name])
        elif name == fingerprint.first and _without(shape, 1) == _without(expected, 1):
            differences.append(
                f"a first convolution of {shape[1]} input channels instead of {expected[1]}"
            )
        else:
            return None
        changed.add(name)
    if classes:
        (count, *others) = classes
        rest = set(fingerprint.head) & set(shapes) - changed
        if others or rest or not count.is_integer() or count < 1:
            return None
        plural = "output" if count == 1 else "outputs"
        differences.append(f"a head of {int(count)} {plural} instead of {fingerprint.classes}")
    return differences, changed


def _without(shape: tuple[int, ...], dimension: int) -> tuple[int, ...]:
    return shape[:dimension] + shape[dimension + 1 :]


def decide(matches: Sequence[Match]) -> Architecture | None:
    """The one architecture that fits best; where several fit alike, what they agree on."""
    if not matches:
        return None
    fewest = min(len(match.differences) for match in matches)
    best = [match for match in matches if len(match.differences) == fewest]
    architecture = reduce(_agreed, (match.architecture for match in best))
    title = " or ".join(match.architecture.title for match in best)
    notes = [f"recognised by names and shapes as {title}"]
    if len(best) > 1:
        notes.append("they have the same names and shapes, and only what holds for all is known")
    notes += dict.fromkeys(word for match in best for word in match.differences)
    return replace(architecture, title=title, note="; ".join(notes))


def _agreed(one: Architecture, other: Architecture) -> Architecture:
    parameters = {
        name: _agreed_facts(facts, other.parameters[name])
        for name, facts in one.parameters.items()
        if name in other.parameters
    }
    size = one.input_size if one.input_size == other.input_size else None
    return replace(one, parameters=parameters, input_size=size)


def _agreed_facts(one: ParameterFacts, other: ParameterFacts) -> ParameterFacts:
    if one == other:
        return one
    same_draw = one.initialisation == other.initialisation
    same_norm = one.normalisation == other.normalisation
    return ParameterFacts(
        kind=one.kind if one.kind == other.kind else "other",
        geometry=_agreed_geometry(one.geometry, other.geometry),
        normalisation=one.normalisation if same_norm else "",
        epsilon=one.epsilon if one.epsilon == other.epsilon else None,
        initialisation=one.initialisation if same_draw else None,
        reason=one.reason
        if one.kind == other.kind
        else f"{one.kind} or {other.kind}: the candidates differ",
    )


def _agreed_geometry(one: Geometry | None, other: Geometry | None) -> Geometry | None:
    if one == other or one is None or other is None:
        return one if one == other else None
    one, other = replace(one, input_size=None), replace(other, input_size=None)
    return one if one == other else None
