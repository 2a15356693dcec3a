"""Which layers of several files can be compared, and why others cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infoflow.comparison.comparison import Unpaired
from infoflow.report import LayerSummary
from infoflow.words import cut, shape_text


@dataclass(frozen=True)
class Paired:
    """Names of the layers to compare, in the first file's order, and the rest with reasons."""

    names: tuple[str, ...]
    unpaired: tuple[Unpaired, ...]


def pair(files: Sequence[Sequence[LayerSummary]], labels: Sequence[str]) -> Paired:
    """Match layers by name; of one kind and shape in every file, or not compared.

    Args:
        files: The layers of each file, in order.
        labels: What each file is called.
    """
    tables = [{layer.name: layer for layer in layers} for layers in files]
    names = dict.fromkeys(name for table in tables for name in table)
    common: list[str] = []
    unpaired: list[Unpaired] = []
    for name in names:
        present = tuple(place for place, table in enumerate(tables) if name in table)
        reason = _reason(name, tables, labels)
        if reason:
            unpaired.append(Unpaired(name, reason, present))
        else:
            common.append(name)
    return Paired(tuple(common), tuple(unpaired))


def _reason(name: str, tables: Sequence[Mapping[str, LayerSummary]], labels: Sequence[str]) -> str:
    absent = [label for label, table in zip(labels, tables, strict=True) if name not in table]
    if absent:
        if len(absent) <= len(tables) // 2 or len(absent) == 1:
            return f"not in {cut(absent, 3)}"
        there = [label for label, table in zip(labels, tables, strict=True) if name in table]
        return f"only in {cut(there, 3)}"
    found = [table[name] for table in tables]
    for words in ([one.kind for one in found], [shape_text(one.shape) for one in found]):
        if len(set(words)) > 1:
            other = next(place for place, word in enumerate(words) if word != words[0])
            return f"{words[0]} in {labels[0]}, {words[other]} in {labels[other]}"
    return ""
