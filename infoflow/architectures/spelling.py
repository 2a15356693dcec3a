"""Names that torchvision's published files spell in an older way than its networks do now."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from infoflow.architectures.architecture import Architecture
from infoflow.facts import ParameterFacts

_Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

RULES: tuple[_Rule, ...] = (
    # densenet: denselayer1.norm.1.weight
    (re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)"), r"\1\2"),
    # vision transformers: mlp.linear_1.weight
    (
        re.compile(r"(.*\.)linear_([12])(\.\w+)"),
        lambda found: f"{found[1]}{3 * (int(found[2]) - 1)}{found[3]}",
    ),
    # detection: the feature pyramid, the region proposals, the mask and the RetinaNet heads
    (re.compile(r"(.*\.fpn\.(?:inner|layer)_blocks\.\d+)(\.(?:weight|bias))"), r"\1.0\2"),
    (re.compile(r"(rpn\.head\.conv)(\.(?:weight|bias))"), r"\1.0.0\2"),
    (
        re.compile(r"(roi_heads\.mask_head\.)mask_fcn(\d)(\.\w+)"),
        lambda found: f"{found[1]}{int(found[2]) - 1}.0{found[3]}",
    ),
    (
        re.compile(
            r"(head\.(?:classification|regression)_head\.conv\.)([0246])(\.(?:weight|bias))"
        ),
        lambda found: f"{found[1]}{int(found[2]) // 2}.0{found[3]}",
    ),
)


def modern(name: str) -> str:
    """The name as torchvision's networks have it now."""
    for pattern, replacement in RULES:
        found = pattern.fullmatch(name)
        if found is not None:
            return replacement(found) if callable(replacement) else found.expand(replacement)
    return name


def respelled(architecture: Architecture, names: Mapping[str, str]) -> Architecture:
    """The architecture under other tensor names; ``names`` maps its names to the file's."""

    def facts(found: ParameterFacts) -> ParameterFacts:
        follower = names.get(found.normalisation, found.normalisation)
        return replace(found, normalisation=follower)

    return replace(
        architecture,
        parameters={names.get(n, n): facts(f) for n, f in architecture.parameters.items()},
        shapes={names.get(n, n): shape for n, shape in architecture.shapes.items()},
    )
