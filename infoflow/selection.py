"""Which layers the user wants: globs, exclusions and types."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar

from infoflow.errors import SelectionError
from infoflow.nearest import nearest
from infoflow.report import LayerSummary


class Summarised(Protocol):
    """What has the summary of a layer."""

    @property
    def summary(self) -> LayerSummary:
        """What the layer is."""


Chosen = TypeVar("Chosen", bound=Summarised)


def select(layers: Sequence[Chosen], patterns: Sequence[str]) -> list[Chosen]:
    """The layers that the patterns choose, in file order.

    Args:
        layers: All layers of the file.
        patterns: Globs on names (``features.*``), exclusions (``!*.downsample.*``) and kinds
            (``type:dense``; also excluded with ``!``). Without any inclusion, all layers are
            taken before the exclusions. Each entry may hold several, separated by commas.

    Raises:
        SelectionError: A pattern matches no layer (the nearest names are given), or all of them
            together leave none.
    """
    words = [word.strip() for entry in patterns for word in entry.split(",") if word.strip()]
    for word in words:
        if not any(_matches(layer, word.lstrip("!")) for layer in layers):
            known = [layer.summary.name for layer in layers]
            known += sorted({f"type:{layer.summary.kind}" for layer in layers})
            raise SelectionError(
                f"No layer matches {word!r}; {nearest(word.lstrip('!'), known)} "
                "(`infoflow layers` lists them all)."
            )
    included = [word for word in words if not word.startswith("!")] or ["*"]
    excluded = [word[1:] for word in words if word.startswith("!")]
    chosen = [
        layer
        for layer in layers
        if any(_matches(layer, word) for word in included)
        and not any(_matches(layer, word) for word in excluded)
    ]
    if not chosen:
        raise SelectionError(f"The patterns {', '.join(words)} leave none of the layers.")
    return chosen


def _matches(layer: Summarised, word: str) -> bool:
    if word.startswith("type:"):
        return fnmatchcase(layer.summary.kind, f"*{word.removeprefix('type:')}*")
    name = layer.summary.name
    return name == word or fnmatchcase(name, word)
