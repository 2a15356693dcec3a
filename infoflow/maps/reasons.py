"""Why a weight is no linear map, or none that can be analysed: one specific reason each."""

from __future__ import annotations

from infoflow.checkpoints.checkpoint import StoredTensor
from infoflow.facts import ParameterFacts
from infoflow.maps.weight import Tensors, Weight
from infoflow.names import is_position, passive_reason, unsupported_reason
from infoflow.report import Status
from infoflow.words import counted

StatusAndReason = tuple[Status, str]


def not_a_map(
    weight: Weight, facts: ParameterFacts | None, tensors: Tensors
) -> StatusAndReason | None:
    """What is known before its parts are looked for; None where it may hold linear maps.

    Args:
        weight: Any.
        facts: What the architecture or the format says of it, None where nothing is known.
        tensors: The network's weights by name.
    """
    tensor = weight.tensor
    reason = tensor.unread
    if not reason and not weight.computed:
        reason = unsupported_reason(tensor.name, tensor.shape, tensor.dtype)
    if reason:
        return Status.NOT_SUPPORTED, reason
    if 0 in tensor.shape:
        return Status.NOT_LINEAR, "empty tensor"
    if facts is None:
        return _passive(weight, tensors)
    if facts.kind == "embedding" and is_position(tensor.name):
        return Status.NOT_LINEAR, "position embedding: added to the input"
    if facts.kind == "other" and not _unknown(facts):
        return Status.NOT_LINEAR, facts.reason or facts.kind
    return None


def no_parts(weight: Weight, facts: ParameterFacts | None) -> StatusAndReason:
    """What is said of a weight in which no linear map was found."""
    shape = weight.tensor.shape
    if facts and _unknown(facts):
        return (Status.NOT_SUPPORTED if len(shape) > 1 else Status.NOT_LINEAR), facts.reason
    if len(shape) < 2:
        return Status.NOT_LINEAR, "a vector: scales or shifts" if shape else "a single number"
    if facts:
        return Status.NOT_SUPPORTED, f"{facts.kind} of {counted(len(shape), 'dimension')}"
    return (
        Status.NOT_SUPPORTED,
        f"its name does not say what this tensor of {counted(len(shape), 'dimension')} is",
    )


def is_variance(variance: StoredTensor, weight: StoredTensor) -> bool:
    """Whether a running variance fits its weight; in a damaged file it may be anything."""
    return variance.shape == weight.shape and "float" in variance.dtype


def _unknown(facts: ParameterFacts) -> bool:
    """Whether a live module's parameter is of a class that nobody knows."""
    return facts.kind == "other" and facts.reason.startswith("parameter ")


def _passive(weight: Weight, tensors: Tensors) -> StatusAndReason | None:
    name = weight.tensor.name
    if name.endswith("running_var"):
        owner = tensors.get(name.removesuffix("running_var") + "weight")
        if owner is not None and not is_variance(weight.tensor, owner):
            return Status.NOT_SUPPORTED, "running variance of another shape or type than its weight"
        if owner is not None:
            return Status.ANALYSED, "read with its normalisation"
        return Status.NOT_LINEAR, "running variance of a normalisation without weights"
    # What is computed is made of floating-point numbers, whatever its type is called.
    dtype = "float32" if weight.computed else weight.tensor.dtype
    if reason := passive_reason(name, weight.tensor.shape, dtype):
        return Status.NOT_LINEAR, reason
    return None
