"""Every measure, in one table: where a measure is added.

The table is built on the first use, since descriptors live beside their functions and the
functions need numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module

from infoflow.errors import SelectionError
from infoflow.measures.described import ACTIVATIONS
from infoflow.measures.measure import Measure
from infoflow.nearest import nearest

MODULES = (
    "infoflow.measures.weights.entropy_change",
    "infoflow.measures.weights.normalisation",
    "infoflow.measures.weights.zeros",
    "infoflow.measures.weights.scale",
    "infoflow.measures.weights.rank",
    "infoflow.measures.weights.log_volume",
    "infoflow.measures.weights.spectrum",
    "infoflow.measures.weights.random_twin",
    "infoflow.measures.weights.filters",
    "infoflow.measures.weights.tokens",
)
GROUPS = ("paper", "default", "all")


@cache
def measures() -> dict[str, Measure]:
    """Every measure by its stable name, in report order."""
    return {
        measure.name: measure for module in MODULES for measure in import_module(module).MEASURES
    }


def choose(names: str | Sequence[str]) -> tuple[Measure, ...]:
    """The measures of a group, or of a list of names and groups.

    Args:
        names: ``paper``, ``default``, ``all``, a measure's stable name, a prefix of names that
            ends at a dot (``log-volume`` also takes ``log-volume.density``), or several of
            these, in a sequence or separated by commas.

    Raises:
        SelectionError: A name is unknown (the nearest ones are given), or there is none.
    """
    table = measures()
    wanted = names.split(",") if isinstance(names, str) else list(names)
    chosen: set[str] = set()
    for word in (word.strip() for word in wanted):
        if word in GROUPS:
            rank = GROUPS.index(word)
            found = {m.name for m in table.values() if GROUPS.index(m.group) <= rank}
        else:
            found = {name for name in table if name == word or name.startswith(word + ".")}
        if not found:
            known = [*GROUPS, *table]
            raise SelectionError(
                f"No measure is called {word!r}; {nearest(word, known)} "
                "(`infoflow measures` lists them all)."
            )
        chosen |= found
    if not chosen:
        raise SelectionError("No measure is asked for (`infoflow measures` lists them all).")
    return tuple(measure for name, measure in table.items() if name in chosen)


def descriptions() -> dict[str, dict[str, str]]:
    """Symbol, unit, group, summary and source of every measure, by name, as plain words.

    The group of those that ``--data`` brings is ``data``.
    """
    of_weights = {
        name: (measure.symbol, measure.unit, measure.group, measure.summary, measure.source)
        for name, measure in measures().items()
    }
    of_activations = {
        name: (symbol, unit, "data", summary, source)
        for name, (symbol, unit, summary, source) in ACTIVATIONS.items()
    }
    keys = ("symbol", "unit", "group", "summary", "source")
    return {
        name: dict(zip(keys, fields, strict=True))
        for name, fields in (of_weights | of_activations).items()
    }
