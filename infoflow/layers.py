"""From a checkpoint to layers: a plan first, then one weight alive at a time.

The plan reads nothing: it says of every tensor in the file what it is, or why it is not
analysed, from its name, shape and type and from the architecture where that is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from infoflow.architectures.architecture import Architecture
from infoflow.checkpoints.natural import natural
from infoflow.facts import Geometry, Initialisation, ParameterFacts
from infoflow.maps import Part, Role, Tensors, Weight, parts, weights
from infoflow.maps.assumed import assumed_geometry
from infoflow.maps.reasons import is_variance, no_parts, not_a_map
from infoflow.names import facts_by_name, is_buffer
from infoflow.report import LayerSummary, Status, TensorRecord

if TYPE_CHECKING:
    from infoflow.checkpoints.checkpoint import Checkpoint

Array = Any
"""An array of the array API: numpy, or a torch tensor with ``--device cuda``."""

KINDS = (
    "dense",
    "convolution",
    "transposed convolution",
    "normalisation",
    "embedding",
    "low-rank update",
)
_DEFAULT_EPSILON = 1e-5


@dataclass(frozen=True, eq=False)
class Normalisation:
    """A normalisation layer in evaluation mode, as numpy float64 vectors of one number a channel.

    ``gamma`` is the weight (ones where it has none); ``variance`` the running variance, None for
    layer and group normalisation, whose statistics depend on the data.
    """

    name: str
    gamma: Array
    variance: Array | None
    epsilon: float


@dataclass(frozen=True, eq=False)
class Layer:
    """A linear map of the network, or a normalisation.

    Args:
        name: Name of the module (``features.0``; ``attn.in_proj.q`` for a part of a packed one).
        kind: One of `KINDS`.
        weight: As stored (its type, perhaps memory-mapped) or computed from several tensors:
            (out, in) for dense, (C_out, C_in/groups, *kernel) for convolutions, (C_in,
            C_out/groups, *kernel) for transposed ones, (dimension, tokens) for embeddings. For
            a normalisation: gamma. For a low-rank update, R·A of B·A = Q·R·A (see
            `infoflow.maps.low_rank`): the r output directions that it uses.
        dtype: Of the stored tensor; rank tolerances use its precision, and that of float32 where
            it is no type of numbers (``int4 (GPTQ)``).
        geometry: Of a convolution, None for dense layers.
        geometry_source: ``known``, ``none needed``, or ``assumed stride 1, groups 1``.
        normalisation: The normalisation that follows directly (for ``normalisation`` kind: itself).
        initialisation: How a fresh network draws the weight, None where unknown.
        parameters: Number of weights.
        note: What else the reader must know.
        whole: Shape of the map where ``weight`` is a part of it (a low-rank update), else ``()``.
    """

    name: str
    kind: str
    weight: Array
    dtype: str
    geometry: Geometry | None = None
    geometry_source: str = "none needed"
    normalisation: Normalisation | None = None
    initialisation: Initialisation | None = None
    parameters: int = 0
    note: str = ""
    whole: tuple[int, ...] = ()


@dataclass(frozen=True)
class PlannedLayer:
    """A layer that has not been read; ``read`` reads it. ``tensors`` are those of the file.

    ``read_whole`` reads it with the weight in its whole shape, which differs for low-rank updates:
    their product B·A instead of the R·A that has its singular values.
    """

    summary: LayerSummary
    tensors: tuple[str, ...]
    geometry: Geometry | None
    initialisation: Initialisation | None
    read: Callable[[], Layer]
    read_whole: Callable[[], Layer]


@dataclass(frozen=True)
class Plan:
    """What will be read, in the network's order, and what becomes of every tensor."""

    layers: tuple[PlannedLayer, ...]
    records: tuple[TensorRecord, ...]

    def __iter__(self) -> Iterator[Layer]:
        """Layers, one weight alive at a time."""
        for planned in self.layers:
            yield planned.read()


def plan(
    checkpoint: Checkpoint,
    architecture: Architecture | None = None,
    input_size: tuple[int, ...] | None = None,
) -> Plan:
    """Say of every tensor what it is and how it will be analysed, reading none.

    (Of 4-bit weights the small description beside each is read, which gives its shape.)

    Args:
        checkpoint: The file's tensors.
        architecture: What is known of the network, None where nothing is.
        input_size: Without an architecture: the input size to assume at *every* convolution
            (nothing is known of pooling or of the order of layers); ignored with one.

    Returns:
        The plan; its layers and records are in the network's order, one record a tensor.
    """
    ordered = _in_depth_order(checkpoint, architecture)
    tensors = Tensors({w.tensor.name: w.tensor for w in ordered}, checkpoint.metadata)
    layers: list[PlannedLayer] = []
    records: list[TensorRecord] = []
    owners: dict[tuple[str, tuple[int, ...]], Weight] = {}
    embeddings: set[str] = set()
    channels = 0
    for weight in ordered:
        tensor = weight.tensor
        key = (tensor.memory, tensor.shape)
        owner = owners.setdefault(key, weight).tensor.name if tensor.memory else tensor.name
        (status, reason), made = _outcome(weight, tensors, channels, input_size)
        channels = _channels(made) or channels
        if made and made[0].summary.kind == "embedding":
            embeddings.add(tensor.name)
        if made and owner != tensor.name and not embeddings.isdisjoint({owner, tensor.name}):
            # A table and the head that shares its memory are one matrix: once is enough.
            made, reason = [], f"{reason}, analysed as {owner}"
        layers += made
        shared = owner if owner != tensor.name else ""
        guess = any(layer.summary.geometry.startswith("assumed") for layer in made)
        for role in weight.roles:
            words = role.words if status is Status.ANALYSED and role.words else reason
            records.append(_record(checkpoint, role, status, words, shared, guess))
    return Plan(tuple(layers), tuple(records))


def _in_depth_order(checkpoint: Checkpoint, architecture: Architecture | None) -> list[Weight]:
    """Weights in the network's order: the architecture's, else the file's.

    A file whose names are sorted (safetensors files are) says nothing of depth; there numbers are
    sorted as numbers, so that ``blocks.10`` follows ``blocks.9``.
    """
    known: Mapping[str, ParameterFacts] = architecture.parameters if architecture else {}
    named = {
        name: replace(tensor, facts=known[name]) if name in known else tensor
        for name, tensor in checkpoint.tensors.items()
    }
    found = [
        replace(weight, tensor=replace(weight.tensor, facts=_facts(weight, known)))
        for weight in weights(Tensors(named, checkpoint.metadata, checkpoint.path))
    ]
    if architecture and architecture.shapes:
        place = {name: index for index, name in enumerate(architecture.shapes)}
        return sorted(found, key=lambda weight: place.get(weight.tensor.name, len(place)))
    names = list(named)
    if names != sorted(names):
        return found
    return sorted(found, key=lambda weight: natural(weight.tensor.name))


def _facts(weight: Weight, known: Mapping[str, ParameterFacts]) -> ParameterFacts | None:
    facts = known.get(weight.tensor.name) or weight.tensor.facts
    if facts and facts.normalisation in known:
        return replace(facts, epsilon=known[facts.normalisation].epsilon)
    return facts


def _outcome(
    weight: Weight, tensors: Tensors, channels: int, input_size: tuple[int, ...] | None
) -> tuple[tuple[Status, str], list[PlannedLayer]]:
    """What becomes of a weight, and the layers in it."""
    tensor, facts = weight.tensor, weight.tensor.facts
    settled = not_a_map(weight, facts, tensors)
    if settled is not None:
        return settled, []
    if facts is None:
        by_name = facts_by_name(tensor.name, tensor.shape, tensors)
        weight = replace(weight, tensor=replace(tensor, facts=by_name))
    found = parts(weight, tensors)
    if isinstance(found, str):
        return (Status.NOT_SUPPORTED, found), []
    if not found:
        return no_parts(weight, facts), []
    made = [_layer(weight, part, tensors, channels, input_size) for part in found]
    return (Status.ANALYSED, found[0].kind), made


def _channels(made: list[PlannedLayer]) -> int:
    """How many channels the last of some maps gives; 0 for none and for a normalisation."""
    summary = made[-1].summary if made else None
    if summary is None or len(summary.shape) < 2:
        return 0
    if summary.kind == "transposed convolution":
        return summary.shape[1] * summary.groups
    return summary.shape[0]


def _record(
    checkpoint: Checkpoint, role: Role, status: Status, reason: str, shared: str, assumed: bool
) -> TensorRecord:
    tensor = checkpoint.tensors[role.name]
    return TensorRecord(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        parameters=role.parameters or tensor.size,
        status=status,
        reason=reason,
        assumed=assumed,
        shared_with=shared,
        buffer=role.state
        or (role.parameters is None and is_buffer(tensor.name, tensor.shape, tensor.dtype)),
    )


def _layer(
    weight: Weight,
    part: Part,
    tensors: Tensors,
    channels: int,
    input_size: tuple[int, ...] | None,
) -> PlannedLayer:
    tensor, facts = weight.tensor, weight.tensor.facts or ParameterFacts(part.kind)
    geometry, source = facts.geometry, "none needed" if facts.geometry is None else "known"
    if geometry is None and len(part.shape) > 2:
        before = 0 if weight.factored else channels
        geometry, source = assumed_geometry(part.shape, before, input_size)
    note = "; ".join(filter(None, (part.note, weight.note)))
    parameters = weight.parameters or math.prod(part.shape)
    summary = LayerSummary(
        name=part.name,
        kind=part.kind,
        shape=part.shape,
        dtype=tensor.dtype,
        parameters=parameters,
        stride=geometry.stride if geometry else (),
        dilation=geometry.dilation if geometry else (),
        groups=geometry.groups if geometry else 1,
        input_size=geometry.input_size if geometry else None,
        geometry=source,
        note=note,
    )

    def layer(array: Array, whole: tuple[int, ...]) -> Layer:
        norm = tensor.name if part.kind == "normalisation" else facts.normalisation
        return Layer(
            name=part.name,
            kind=part.kind,
            weight=part.take(array),
            dtype="float64" if weight.factored else tensor.dtype,
            geometry=geometry,
            geometry_source=source,
            normalisation=_normalisation(tensors, norm, facts.epsilon) if norm else None,
            initialisation=facts.initialisation,
            parameters=parameters,
            note=note,
            whole=whole,
        )

    def read() -> Layer:
        return layer(tensor.load(), part.shape if weight.factored else ())

    def read_whole() -> Layer:
        return layer(weight.product(), ()) if weight.product else read()

    names = tuple(role.name for role in weight.roles)
    return PlannedLayer(summary, names, geometry, facts.initialisation, read, read_whole)


def _normalisation(tensors: Tensors, weight: str, epsilon: float | None) -> Normalisation | None:
    stem = weight.removesuffix("weight")
    gamma, variance = (tensors.get(stem + leaf) for leaf in ("weight", "running_var"))
    if gamma is not None and variance is not None and not is_variance(variance, gamma):
        variance = None
    spread = None if variance is None else variance.load().astype("float64")
    if gamma is not None:
        scale = gamma.load().astype("float64")
    elif spread is not None:
        scale = spread**0
    else:
        return None
    return Normalisation(
        stem.rstrip("."), scale, spread, _DEFAULT_EPSILON if epsilon is None else epsilon
    )
