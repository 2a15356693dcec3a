"""Patterns of layers: globs on names, exclusions (``!``) and kinds (``type:``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from infoflow.report import LayerSummary


def words(entries: Iterable[str]) -> list[str]:
    """The single patterns of entries that may hold several, separated by commas.

    >>> words(["features.*, !features.0", "head"])
    ['features.*', '!features.0', 'head']
    """
    return [word.strip() for entry in entries for word in entry.split(",") if word.strip()]


def matches(layer: LayerSummary, word: str) -> bool:
    """Whether a pattern without its exclamation mark names the layer, or its kind.

    A kind is named whole or by its last words: ``type:convolution`` is the transposed ones too.
    """
    if word.startswith("type:"):
        kind = word.removeprefix("type:")
        return fnmatchcase(layer.kind, kind) or fnmatchcase(layer.kind, f"* {kind}")
    return layer.name == word or fnmatchcase(layer.name, word)


def is_chosen(layer: LayerSummary, patterns: Sequence[str]) -> bool:
    """Whether the patterns, taken together, choose the layer; without an inclusion, all are."""
    included = [word for word in patterns if not word.startswith("!")] or ["*"]
    excluded = [word[1:] for word in patterns if word.startswith("!")]
    return any(matches(layer, word) for word in included) and not any(
        matches(layer, word) for word in excluded
    )
