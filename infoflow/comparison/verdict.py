"""What changed, in one line of facts."""

from __future__ import annotations

from collections.abc import Sequence

from infoflow.comparison.comparison import ComparedLayer, Comparison, Fate, Outcome
from infoflow.words import counted, plural

NO_DIFFERENCE = "no difference"


def differs(comparison: Comparison) -> bool:
    """Whether anything is not the same in the first file and the last."""
    last = comparison.last
    return (
        any(layer.changed for layer in comparison.layers)
        or bool(comparison.unpaired)
        or any(
            row.outcome is not Outcome.SAME
            for row in comparison.changes
            if row.first == 0 and row.second == last and row.outcome not in _UNTOLD
        )
        or any(one.fate not in (Fate.PERSISTS, Fate.PASSED) for one in comparison.findings)
        or any(len({layer.dtypes[0], layer.dtypes[-1]}) > 1 for layer in comparison.layers)
    )


_UNTOLD = (Outcome.ABSENT, Outcome.STAYED_INFINITE)


def verdict(comparison: Comparison) -> str:
    """What changed from the first file to the last: how many layers, which most, which findings.

    Example:
        ``21 of 22 layers changed; most: layer1.0.conv1 (relative change 0.42); 2 findings
        disappeared, 1 appeared``.
    """
    if not differs(comparison):
        what = "figures" if any(one.report for one in comparison.snapshots) else "weights"
        layers = counted(len(comparison.layers), "layer")
        return f"{NO_DIFFERENCE}: the {what} of {layers} are the same"
    parts = [_changed(comparison.layers), _most(comparison.layers), _unpaired(comparison)]
    parts.append(_findings(comparison))
    return "; ".join(filter(None, parts))


def _changed(layers: Sequence[ComparedLayer]) -> str:
    linear = [layer for layer in layers if layer.linear]
    norms = [layer for layer in layers if not layer.linear]
    said = []
    for chosen, noun in ((linear, "layer"), (norms, "normalisation")):
        if chosen:
            count = sum(layer.changed for layer in chosen)
            said.append(f"{count} of {len(chosen)} {plural(len(chosen), noun)}")
    return " and ".join(said) + " changed"


def _most(layers: Sequence[ComparedLayer]) -> str:
    first = next((one for one in layers if one.linear), None) or next(iter(layers), None)
    if first is None or not first.changed:
        return ""
    if first.score is None:
        return f"most: {first.name} ({first.reason})"
    if first.reason.startswith("relative"):
        return f"most: {first.name} (relative change {first.score:.2g})"
    return f"most: {first.name} ({first.score:.2g}: {first.reason})"


def _unpaired(comparison: Comparison) -> str:
    count = len(comparison.unpaired)
    return f"{counted(count, 'layer')} not compared" if count else ""


def _findings(comparison: Comparison) -> str:
    told: list[str] = []
    for fate, words in (
        (Fate.DISAPPEARED, "disappeared"),
        (Fate.APPEARED, "appeared"),
        (Fate.MOVED, "now of other layers"),
    ):
        count = sum(one.fate is fate for one in comparison.findings)
        if count:
            noun = "" if told else f" {plural(count, 'finding')}"
            told.append(f"{count}{noun} {words}")
    return ", ".join(told)
