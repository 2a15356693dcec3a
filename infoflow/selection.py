"""Which layers the user wants: globs, exclusions and types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from infoflow.errors import SelectionError
from infoflow.nearest import nearest
from infoflow.patterns import is_chosen, matches, words
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
    chosen = words(patterns)
    for word in chosen:
        if not any(matches(layer.summary, word.lstrip("!")) for layer in layers):
            known = sorted({f"type:{layer.summary.kind}" for layer in layers})
            if not word.lstrip("!").startswith("type:"):
                known = [*(layer.summary.name for layer in layers), *known]
            raise SelectionError(
                f"No layer matches {word!r}; {nearest(word.lstrip('!'), known)} "
                "(`infoflow layers` lists them all)."
            )
    selected = [layer for layer in layers if is_chosen(layer.summary, chosen)]
    if not selected:
        raise SelectionError(f"The patterns {', '.join(chosen)} leave none of the layers.")
    return selected
