"""From the roles of an ONNX graph's tensors to named tensors with facts, in the order of use."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from infoflow.checkpoints.checkpoint import StoredTensor, unread
from infoflow.checkpoints.faults import listed, quoted
from infoflow.checkpoints.onnx_constants import Constant
from infoflow.checkpoints.onnx_graph import Role, Walked

_ANONYMOUS = re.compile(r"^(onnx::\w+_\d+|\w*::anon\w*|_?v(al)?_?\d+|\d+|Constant_\d+\w*)$")
_AFFIX = re.compile(r"([./_](weight|scale|gamma|w_0)|:0)$", re.I)
_RANK = {"dense": 0, "convolution": 0, "normalisation": 1, "embedding": 2}
_OF_NORMALISATIONS = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True)
class Chosen:
    """A tensor, the role that says what it is (None where nothing uses it), and its place."""

    constant: Constant
    role: Role | None
    place: int


def named(walked: Walked) -> tuple[dict[str, StoredTensor], list[str]]:
    """The tensors by name, and what there is to tell."""
    chosen = _chosen(walked)
    names = _names(chosen)
    gammas = {
        entry.role.number: (names[old], entry.role.use.facts.epsilon)
        for old, entry in chosen.items()
        if entry.role and entry.role.use.facts.kind == "normalisation"
    }
    tensors = {}
    for old in sorted(chosen, key=lambda name: chosen[name].place):
        tensors[names[old]] = _tensor(old, chosen[old], walked, names, gammas)
    return tensors, _notes(walked, chosen, names)


def _chosen(walked: Walked) -> dict[str, Chosen]:
    """For each tensor the role that counts: a linear map before a table before an addend."""
    found = {}
    last = walked.nodes
    for name in dict.fromkeys([*walked.tensors, *walked.roles]):
        roles = walked.roles.get(name, [])
        if not roles and (name in walked.joined or _is_aside(walked, name)):
            continue
        if not roles:
            last += 1
            found[name] = Chosen(walked.tensors[name], None, last)
            continue
        role = min(roles, key=lambda role: _RANK.get(role.use.facts.kind, 3))
        place = min(role.number for role in roles)
        whole = role.use.facts.kind != "other" or len(role.use.constant.sources) == 1
        if name in walked.tensors or whole:
            constant = role.use.constant if whole else walked.tensors[name]
            found[name] = Chosen(constant, role, place)
    return found


def _is_aside(walked: Walked, name: str) -> bool:
    """Whether a tensor that nothing known uses is a short list in the code: sizes, factors."""
    return name in walked.plain and len(walked.tensors[name].shape) < 2


def _names(chosen: dict[str, Chosen]) -> dict[str, str]:
    """New names by old: torch's for normalisations, the node's for what has none of its own.

    The variance is found by its gamma's name, hence the one rule; the other is for exporters that
    name a weight ``onnx::MatMul_193``.
    """
    names = {old: old for old in chosen}
    taken = set(chosen)
    stems = {
        entry.role.number: _stem(old, entry.role)
        for old, entry in chosen.items()
        if entry.role and entry.role.use.facts.kind == "normalisation"
    }
    for old, entry in chosen.items():
        role = entry.role
        if role is None or not role.use.leaf:
            continue
        if role.number in stems and role.use.leaf in _OF_NORMALISATIONS:
            new = stems[role.number] + role.use.leaf
        elif _ANONYMOUS.match(old):
            new = f"{_module(role)}.{role.use.leaf}"
        else:
            continue
        if new not in taken:
            taken.add(new)
            names[old] = new
    return names


def _stem(gamma: str, role: Role) -> str:
    if gamma.endswith("weight"):
        return gamma.removesuffix("weight")
    base = _module(role) if _ANONYMOUS.match(gamma) else _AFFIX.sub("", _AFFIX.sub("", gamma))
    return f"{base}."


def _module(role: Role) -> str:
    """The module that a node belongs to.

    torch names the node ``/layer1/layer1.0/conv1/Conv``: a part that repeats the one before it
    takes its place, and the operator is no module.
    """
    parts: list[str] = []
    for part in role.node.strip("/").split("/"):
        if parts and part.startswith(f"{parts[-1]}."):
            parts.pop()
        parts.append(part)
    if len(parts) > 1 and re.sub(r"_\d+$", "", parts[-1]) == role.operator:
        parts.pop()
    return ".".join(parts)


def _tensor(
    old: str,
    entry: Chosen,
    walked: Walked,
    names: dict[str, str],
    gammas: dict[int, tuple[str, float | None]],
) -> StoredTensor:
    constant, role = entry.constant, entry.role
    stored = StoredTensor(
        "", constant.shape, constant.dtype, constant.load, constant.memory, constant.unread
    )
    if role is None:
        if not constant.is_float and not constant.unread:
            return unread(constant.shape, constant.dtype, "tensor without a known scale")
        return stored
    facts = role.use.facts
    if facts.geometry is not None and role.number in walked.input_sizes:
        size = walked.input_sizes[role.number]
        if len(size) == len(facts.geometry.stride):
            facts = replace(facts, geometry=replace(facts.geometry, input_size=size))
    norm = gammas.get(walked.followed.get(role.number, -1))
    if norm is not None and facts.kind in ("dense", "convolution") and not facts.parts:
        facts = replace(facts, normalisation=norm[0], epsilon=norm[1])
    by_name = role.use.leaf == "running_var" and names[old].endswith("running_var")
    return replace(stored, facts=None if by_name else facts)


def _notes(walked: Walked, chosen: dict[str, Chosen], names: dict[str, str]) -> list[str]:
    notes = []
    changed = [old for old, new in names.items() if new != old]
    anonymous = [old for old in changed if _ANONYMOUS.match(old)]
    others = [old for old in changed if not _ANONYMOUS.match(old)]
    if anonymous:
        notes.append(
            "Without a name of their own, and called after the node that uses them: "
            f"{_renamed(anonymous, names)}."
        )
    if others:
        notes.append(f"Given torch's names for a normalisation: {_renamed(others, names)}.")
    if walked.joined:
        made = list(dict.fromkeys(walked.joined.values()))
        notes.append(f"Joined by the graph from {_tensors(len(walked.joined))}: {listed(made, 4)}.")
    quantised = [names[old] for old, entry in chosen.items() if entry.constant.quantised]
    if quantised:
        notes.append(f"Quantised, and multiplied by their scales: {listed(quantised, 4)}.")
    told: dict[str, list[str]] = {}
    for old, entry in chosen.items():
        if entry.role and entry.role.use.note:
            told.setdefault(entry.role.use.note, []).append(names[old])
    notes += [f"{listed(these, 4)}: {note}." for note, these in told.items()]
    if walked.whole_numbers:
        notes.append(f"Left out: {_tensors(walked.whole_numbers)} of whole numbers (shapes, axes).")
    return notes


def _renamed(these: list[str], names: dict[str, str]) -> str:
    first = f"{quoted(these[0])} as {quoted(names[these[0]])}"
    return first if len(these) == 1 else f"{first}, and {len(these) - 1} more"


def _tensors(count: int) -> str:
    return f"{count} tensor" if count == 1 else f"{count} tensors"
