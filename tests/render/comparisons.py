"""Comparisons for the tests of their renderers, made of reports and drawn figures of weights."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np

from infoflow.comparing import compare
from infoflow.comparison.comparison import Change, Comparison, Outcome, Unpaired
from tests.render.reports import HOSTILE_NAMES, example_report


@cache
def example_comparison(
    files: int = 2,
    layers: int = 20,
    *,
    names: tuple[str, ...] | None = None,
    weights: bool = True,
    channels: int = 8,
) -> Comparison:
    """A residual network in so many files: filters die on the way, and come back."""
    reports = [
        dataclasses.replace(
            example_report(
                layers, seed=seed % 3, names=names, broken=seed % 2 == 1, channels=channels,
                with_series=False,
            ),
            source=f"runs/step-{10 * seed}.pt",
        )
        for seed in range(files)
    ]  # fmt: skip
    found = compare(*reports)
    if not weights:
        return found
    generator = np.random.default_rng(files)
    rows = [
        row
        for second in range(1, files)
        for first in sorted({0, second - 1})
        for layer in found.layers
        for row in _weight_rows(layer.name, first, second, float(generator.random()), layer.linear)
    ]
    scores = {
        row.layer: row.change
        for row in rows
        if row.first == 0 and row.second == files - 1 and row.statistic == "relative"
    }
    scored = [
        dataclasses.replace(
            one, score=scores[one.name], changed=True, reason="relative change of the weight"
        )
        for one in found.layers
    ]
    return dataclasses.replace(
        found,
        layers=tuple(sorted(scored, key=lambda one: -(one.score or 0))),
        changes=(*rows, *found.changes),
        unpaired=(Unpaired("old.fc", "not in step-10.pt", (0,)),),
        settings=found.settings | {"command": "infoflow diff runs/step-*.pt"},
        snapshots=tuple(dataclasses.replace(one, report=False) for one in found.snapshots),
    )


def hostile_comparison(files: int = 2) -> Comparison:
    """Names as an enemy would write them, of layers and files."""
    base = example_comparison(files, len(HOSTILE_NAMES), names=HOSTILE_NAMES, channels=4)
    evil = HOSTILE_NAMES[0]
    snapshots = tuple(
        dataclasses.replace(one, label=evil, source=evil, architecture=evil, format=evil)
        for one in base.snapshots
    )
    return dataclasses.replace(
        base,
        snapshots=snapshots,
        notes=(evil, HOSTILE_NAMES[2]),
        settings={"command": evil, evil: evil},
        unpaired=(Unpaired(evil, evil, (0,)),),
    )


def same_comparison() -> Comparison:
    """Two files that do not differ."""
    report = example_report(6, with_series=False)
    return compare(report, report)


def _weight_rows(layer: str, first: int, second: int, change: float, matrix: bool):
    def row(measure: str, statistic: str, value: float, unit: str, note: str = "") -> Change:
        return Change(
            layer, measure, statistic, first, second, None, None, value, unit, Outcome.CHANGED,
            note=note,
        )  # fmt: skip

    yield row("weight-change", "relative", change, "ratio")
    yield row("weight-change", "cosine", 1 - change**2 / 2, "cosine")
    yield Change(
        layer, "weight-change", "zeros", first, second, 0.0, 9.0, 9.0, "count", Outcome.CHANGED
    )
    if matrix:
        note = "not stable: …" if change < 0.3 else ""
        for side in ("left", "right"):
            yield row("subspace-angle", side, 90 * change, "degrees", note)
            yield row("subspace-angle", f"{side}-mean", 45 * change, "degrees")
