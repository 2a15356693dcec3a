"""From a checkpoint to layers: a plan first, then one weight alive at a time.

The plan reads nothing: it says of every tensor in the file what it is, or why it is not
analysed, from its name, shape and type and from the architecture where that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from infoflow.architectures.architecture import Architecture
from infoflow.checkpoints.natural import natural
from infoflow.facts import Geometry, Initialisation, ParameterFacts
from infoflow.names import facts_by_name, is_buffer, passive_reason, unsupported_reason
from infoflow.report import LayerSummary, Status, TensorRecord

if TYPE_CHECKING:
    from infoflow.checkpoints.checkpoint import Checkpoint, StoredTensor

Array = Any
"""An array of the array API: numpy, or a torch tensor with ``--device cuda``."""

KINDS = ("dense", "convolution", "transposed convolution", "normalisation")
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
        kind: ``dense``, ``convolution``, ``transposed convolution`` or ``normalisation``.
        weight: As stored (its type, perhaps memory-mapped): (out, in) for dense,
            (C_out, C_in/groups, *kernel) for convolutions, (C_in, C_out/groups, *kernel) for
            transposed ones. For a normalisation: gamma.
        dtype: Of the stored tensor; rank tolerances use its precision.
        geometry: Of a convolution, None for dense layers.
        geometry_source: ``known``, ``none needed``, or ``assumed stride 1, groups 1``.
        normalisation: The normalisation that follows directly (for ``normalisation`` kind: itself).
        initialisation: How a fresh network draws the weight, None where unknown.
        parameters: Number of weights.
        note: What else the reader must know.
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


@dataclass(frozen=True)
class PlannedLayer:
    """A layer that has not been read; ``read`` reads it."""

    summary: LayerSummary
    tensor: str
    geometry: Geometry | None
    initialisation: Initialisation | None
    read: Callable[[], Layer]


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

    Args:
        checkpoint: The file's tensors.
        architecture: What is known of the network, None where nothing is.
        input_size: Without an architecture: the input size to assume at *every* convolution
            (nothing is known of pooling or of the order of layers); ignored with one.

    Returns:
        The plan; its layers and records are in the network's order, one record a tensor.
    """
    known: Mapping[str, ParameterFacts] = architecture.parameters if architecture else {}
    layers: list[PlannedLayer] = []
    records: list[TensorRecord] = []
    owners: dict[tuple[str, tuple[int, ...]], str] = {}
    for tensor in _in_depth_order(checkpoint, architecture):
        owner = (
            owners.setdefault((tensor.memory, tensor.shape), tensor.name) if tensor.memory else ""
        )
        shared = owner if owner != tensor.name else ""
        facts = known.get(tensor.name) or tensor.facts
        if facts and facts.normalisation in known:
            facts = replace(facts, epsilon=known[facts.normalisation].epsilon)
        assumed = facts is None
        record = _record(checkpoint, tensor, facts, shared)
        if record is None:
            facts = facts or facts_by_name(tensor.name, tensor.shape, checkpoint.tensors)
            made = _planned(checkpoint, tensor, cast(ParameterFacts, facts), assumed, input_size)
            layers += made
            guess = any(layer.summary.geometry.startswith("assumed") for layer in made)
            record = _entry(tensor, Status.ANALYSED, made[0].summary.kind, shared, guess)
        records.append(record)
    return Plan(tuple(layers), tuple(records))


def _in_depth_order(
    checkpoint: Checkpoint, architecture: Architecture | None
) -> list[StoredTensor]:
    """Tensors in the network's order: the architecture's, else the file's.

    A file whose names are sorted (safetensors files are) says nothing of depth; there numbers are
    sorted as numbers, so that ``blocks.10`` follows ``blocks.9``.
    """
    tensors = [_unpruned(checkpoint, tensor) for tensor in checkpoint.tensors.values()]
    if architecture and architecture.shapes:
        place = {name: index for index, name in enumerate(architecture.shapes)}
        return sorted(tensors, key=lambda tensor: place.get(tensor.name, len(place)))
    names = [tensor.name for tensor in tensors]
    if names != sorted(names):
        return tensors
    return sorted(tensors, key=lambda tensor: natural(tensor.name))


def _unpruned(checkpoint: Checkpoint, tensor: StoredTensor) -> StoredTensor:
    """The weight that torch.nn.utils.prune computes from a stored one and its mask.

    Any other tensor is returned as it is.
    """
    stem = tensor.name.removesuffix("weight_orig")
    mask = checkpoint.tensors.get(stem + "weight_mask")
    if stem == tensor.name or mask is None or mask.shape != tensor.shape:
        return tensor
    return replace(
        tensor,
        name=stem + "weight",
        load=lambda: tensor.load() * mask.load().astype(bool),
        memory="",
    )


def _record(
    checkpoint: Checkpoint, tensor: StoredTensor, facts: ParameterFacts | None, shared: str
) -> TensorRecord | None:
    """The record of a tensor that is no layer, or None for one that is."""
    reason = tensor.unread or unsupported_reason(
        tensor.name, tensor.shape, tensor.dtype, checkpoint.tensors
    )
    if reason:
        return _entry(tensor, Status.NOT_SUPPORTED, reason, shared)
    if 0 in tensor.shape:
        return _entry(tensor, Status.NOT_LINEAR, "empty tensor", shared)
    if facts and facts.kind == "other" and facts.reason.startswith("parameter "):
        status = Status.NOT_SUPPORTED if len(tensor.shape) > 1 else Status.NOT_LINEAR
        return _entry(tensor, status, facts.reason, shared)
    if facts and facts.kind in {"embedding", "other"}:
        return _entry(tensor, Status.NOT_LINEAR, facts.reason or facts.kind, shared)
    if facts:
        return None
    if tensor.name.endswith("running_var"):
        weight = checkpoint.tensors.get(tensor.name.removesuffix("running_var") + "weight")
        if weight is not None and not _is_variance(tensor, weight):
            reason = "running variance of another shape or type than its weight"
            return _entry(tensor, Status.NOT_SUPPORTED, reason, shared)
        if weight is not None:
            return _entry(tensor, Status.ANALYSED, "read with its normalisation", shared)
        reason = "running variance of a normalisation without weights"
        return _entry(tensor, Status.NOT_LINEAR, reason, shared)
    if reason := passive_reason(tensor.name, tensor.shape, tensor.dtype):
        return _entry(tensor, Status.NOT_LINEAR, reason, shared)
    if facts_by_name(tensor.name, tensor.shape, checkpoint.tensors):
        return None
    if len(tensor.shape) < 2:
        reason = "a vector: scales or shifts" if tensor.shape else "a single number"
        return _entry(tensor, Status.NOT_LINEAR, reason, shared)
    reason = f"its name does not say what this tensor of {len(tensor.shape)} dimensions is"
    return _entry(tensor, Status.NOT_SUPPORTED, reason, shared)


def _entry(
    tensor: StoredTensor, status: Status, reason: str, shared: str, assumed: bool = False
) -> TensorRecord:
    return TensorRecord(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        parameters=tensor.size,
        status=status,
        reason=reason,
        assumed=assumed,
        shared_with=shared,
        buffer=is_buffer(tensor.name, tensor.dtype),
    )


def _planned(
    checkpoint: Checkpoint,
    tensor: StoredTensor,
    facts: ParameterFacts,
    assumed: bool,
    input_size: tuple[int, ...] | None,
) -> list[PlannedLayer]:
    name = tensor.name.removesuffix(".weight")
    if facts.kind == "attention":
        stem = tensor.name.removesuffix("_weight").removesuffix(".weight")
        rows = tensor.shape[0] // 3
        return [
            _layer(checkpoint, tensor, facts, f"{stem}.{part}", slice(i * rows, (i + 1) * rows))
            for i, part in enumerate("qkv")
        ]
    if facts.kind == "convolution" and assumed:
        dimensions = len(tensor.shape) - 2
        ones, zeros = (1,) * dimensions, (0,) * dimensions
        size = input_size if input_size and len(input_size) == dimensions else None
        facts = replace(facts, geometry=Geometry(ones, zeros, ones, input_size=size))
        source = "assumed stride 1, groups 1" + (", input size" if size else "")
        return [_layer(checkpoint, tensor, facts, name, source=source)]
    return [_layer(checkpoint, tensor, facts, name)]


def _layer(
    checkpoint: Checkpoint,
    tensor: StoredTensor,
    facts: ParameterFacts,
    name: str,
    rows: slice | None = None,
    source: str = "",
) -> PlannedLayer:
    geometry = facts.geometry
    kind = facts.kind if facts.kind != "attention" else "dense"
    if kind == "convolution" and geometry is not None and geometry.transposed:
        kind = "transposed convolution"
    source = source or ("known" if geometry is not None else "none needed")
    shape = tensor.shape if rows is None else (rows.stop - rows.start, *tensor.shape[1:])
    parameters = tensor.size if rows is None else tensor.size // 3
    summary = LayerSummary(
        name=name,
        kind=kind,
        shape=shape,
        dtype=tensor.dtype,
        parameters=parameters,
        stride=geometry.stride if geometry else (),
        dilation=geometry.dilation if geometry else (),
        groups=geometry.groups if geometry else 1,
        input_size=geometry.input_size if geometry else None,
        geometry=source,
    )

    def read() -> Layer:
        stored = tensor.load()
        norm = tensor.name if kind == "normalisation" else facts.normalisation
        return Layer(
            name=name,
            kind=kind,
            weight=stored if rows is None else stored[rows],
            dtype=tensor.dtype,
            geometry=geometry,
            geometry_source=source,
            normalisation=_normalisation(checkpoint, norm, facts.epsilon) if norm else None,
            initialisation=facts.initialisation,
            parameters=parameters,
        )

    return PlannedLayer(summary, tensor.name, geometry, facts.initialisation, read)


def _is_variance(variance: StoredTensor, weight: StoredTensor) -> bool:
    """Whether a running variance fits its weight; in a damaged file it may be anything."""
    return variance.shape == weight.shape and "float" in variance.dtype


def _normalisation(
    checkpoint: Checkpoint, weight: str, epsilon: float | None
) -> Normalisation | None:
    stem = weight.removesuffix("weight")
    found = (checkpoint.tensors.get(stem + leaf) for leaf in ("weight", "running_var"))
    gamma, variance = (None if tensor is None or tensor.unread else tensor for tensor in found)
    if gamma is not None and variance is not None and not _is_variance(variance, gamma):
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
