"""What an output shows of a comparison: each layer's rows gathered once, and what stands out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from infoflow.comparison.comparison import (
    SUBSPACE_ANGLE,
    WEIGHT_CHANGE,
    Change,
    ComparedLayer,
    Comparison,
    Fate,
    FindingChange,
    Outcome,
)
from infoflow.render.text import number, percent
from infoflow.words import counted, cut

LISTED = 6
"""Layers that a sentence names before it counts the rest."""

ARROW = " → "


@dataclass(frozen=True)
class LayerView:
    """A layer with its rows from the first file to the last, and its path between them."""

    layer: ComparedLayer
    rows: dict[tuple[str, str], Change]
    path: tuple[float | None, ...]
    """Relative change from the first file, in each later file."""
    findings: tuple[FindingChange, ...]

    def row(self, measure: str, statistic: str = "value") -> Change | None:
        """The change of a figure, None where neither file has it."""
        return self.rows.get((measure, statistic))

    @property
    def relative(self) -> Change | None:
        """‖B − A‖_F / ‖A‖_F."""
        return self.row(WEIGHT_CHANGE, "relative")

    def angle(self, side: str) -> Change | None:
        """Mean angle of the ``left`` or ``right`` leading directions."""
        return self.row(SUBSPACE_ANGLE, f"{side}-mean")

    @property
    def stable(self) -> bool:
        """Whether the leading directions are told apart from the next."""
        row = self.row(SUBSPACE_ANGLE, "left")
        return row is None or not row.note

    @property
    def volume(self) -> Change | None:
        """The exact log-volume: a position's for convolutions, the whole of a dense layer."""
        return self.row("log-volume.density") or self.row("log-volume")

    @property
    def gained(self) -> int:
        """Findings that name the layer now and did not."""
        return sum(self.is_new(one) for one in self.findings)

    @property
    def lost(self) -> int:
        """Findings that named the layer and do not now."""
        return sum(self.is_gone(one) for one in self.findings)

    def is_new(self, one: FindingChange) -> bool:
        """Whether a finding names the layer now and did not."""
        return one.fate is Fate.APPEARED or self.layer.name in one.gained

    def is_gone(self, one: FindingChange) -> bool:
        """Whether a finding named the layer and does not now."""
        return one.fate is Fate.DISAPPEARED or self.layer.name in one.lost


def gather(comparison: Comparison) -> list[LayerView]:
    """The layers in the order of what changed most."""
    rows: dict[str, dict[tuple[str, str], Change]] = {}
    paths: dict[str, dict[int, float | None]] = {}
    for row in comparison.changes:
        if row.first == 0 and row.second == comparison.last:
            rows.setdefault(row.layer, {})[row.measure, row.statistic] = row
        if row.first == 0 and (row.measure, row.statistic) == (WEIGHT_CHANGE, "relative"):
            paths.setdefault(row.layer, {})[row.second] = row.change
    findings: dict[str, list[FindingChange]] = {}
    for one in comparison.findings:
        for name in dict.fromkeys([*one.layers, *one.lost]):
            findings.setdefault(name, []).append(one)
    places = range(1, len(comparison.snapshots))
    return [
        LayerView(
            layer,
            rows.get(layer.name, {}),
            tuple(paths.get(layer.name, {}).get(place) for place in places),
            tuple(findings.get(layer.name, ())),
        )
        for layer in comparison.layers
    ]


def linear(views: Sequence[LayerView]) -> list[LayerView]:
    """The linear layers; where there are none, all."""
    return [view for view in views if view.layer.linear] or list(views)


def before_text(row: Change | None, decimals: int) -> str:
    """A figure before: its number, −∞ or a dash; nothing where it was not measured at all."""
    if row is None:
        return ""
    return "−∞" if row.was_infinite else number(row.before, decimals)


def after_text(row: Change | None, decimals: int) -> str:
    """A figure after."""
    if row is None:
        return ""
    return "−∞" if row.is_infinite else number(row.after, decimals)


def both_text(row: Change | None, decimals: int) -> str:
    """Before and after, once where they look the same."""
    ends = before_text(row, decimals), after_text(row, decimals)
    return ends[0] if ends[0] == ends[1] else ARROW.join(ends)


def rank_text(view: LayerView) -> str:
    """Rank before and after, of the full rank."""
    rank, full = view.row("rank"), view.row("rank", "full")
    if rank is None:
        return ""
    text = both_text(rank, 0)
    return f"{text}/{number(full.after, 0)}" if full and full.after is not None else text


def events(comparison: Comparison, views: Sequence[LayerView]) -> list[tuple[str, str]]:
    """What appeared and disappeared in the weights, as pairs of what and where."""
    told = [*_infinite(views), *_totals(views), *_ranks(views), *_types(comparison)]
    return [*told, *_unpaired(comparison)]


def _infinite(views: Iterable[LayerView]) -> Iterator[tuple[str, str]]:
    for outcome in (Outcome.BECAME_INFINITE, Outcome.LEFT_INFINITE):
        layers: dict[str, list[str]] = {}
        for view in views:
            rows = [
                row for row in (view.volume, *view.rows.values())
                if row and row.outcome is outcome and row.statistic in ("value", "mean")
            ]  # fmt: skip
            if rows:
                layers.setdefault(rows[0].measure, []).append(view.layer.name)
        for measure, names in layers.items():
            yield str(outcome), f"{measure} of {cut(names, LISTED)}"


def _totals(views: Sequence[LayerView]) -> Iterator[tuple[str, str]]:
    """Exact zeros and dead filters of all linear layers."""
    chosen = linear(views)
    weights = sum(view.layer.parameters for view in chosen)
    for words, names, of in (
        ("exact zeros", ((WEIGHT_CHANGE, "zeros"), ("zeros", "count")), weights),
        ("dead filters", (("filters.dead", "value"),), 0),
        ("duplicate filters", (("filters.duplicate", "value"),), 0),
    ):
        rows = [row for view in chosen for name in names[:1] if (row := view.row(*name))]
        rows = rows or [row for view in chosen for name in names[1:] if (row := view.row(*name))]
        before = sum(row.before or 0.0 for row in rows)
        after = sum(row.after or 0.0 for row in rows)
        if before == after:
            continue
        where = sum(row.outcome is Outcome.CHANGED for row in rows)
        share = (
            f" ({percent(before / of)}{ARROW}{percent(after / of)} of {weights:,} weights)"
            if of
            else ""
        )
        yield words, f"{before:,.0f}{ARROW}{after:,.0f}{share}, in {counted(where, 'layer')}"


def _ranks(views: Iterable[LayerView]) -> Iterator[tuple[str, str]]:
    for words, sign in (("rank lost", -1), ("rank gained", 1)):
        told = [
            f"{view.layer.name} ({rank_text(view)})"
            for view in views
            if (row := view.row("rank")) and row.change and row.change * sign > 0
        ]
        if told:
            yield words, cut(told, LISTED)


def _types(comparison: Comparison) -> Iterator[tuple[str, str]]:
    kinds: dict[tuple[str, str], int] = {}
    for layer in comparison.layers:
        ends = layer.dtypes[0], layer.dtypes[-1]
        if ends[0] != ends[1]:
            kinds[ends] = kinds.get(ends, 0) + 1
    for (old, new), count in kinds.items():
        yield "stored as", f"{old}{ARROW}{new} in {counted(count, 'layer')}"


def _unpaired(comparison: Comparison) -> Iterator[tuple[str, str]]:
    reasons: dict[str, list[str]] = {}
    for one in comparison.unpaired:
        reasons.setdefault(one.reason, []).append(one.name)
    for reason, names in reasons.items():
        yield "not compared", f"{cut(names, LISTED)}: {reason}"


def told_findings(comparison: Comparison) -> list[tuple[str, FindingChange, str]]:
    """Findings that changed: their fate, themselves, and what to say of them."""
    told = []
    for one in comparison.findings:
        if one.fate is Fate.PERSISTS:
            continue
        if one.fate is Fate.MOVED:
            parts = [
                f"{words} {cut(names, LISTED)}"
                for words, names in (("also", one.gained), ("no longer", one.lost))
                if names
            ]
            told.append((str(one.fate), one, f"{one.rule}: {'; '.join(parts)}"))
        else:
            told.append((str(one.fate), one, one.sentence))
    return told


def persisting(comparison: Comparison) -> int:
    """How many findings are in the first file and the last, of the same layers."""
    return sum(one.fate is Fate.PERSISTS for one in comparison.findings)


def heading(comparison: Comparison) -> str:
    """The files, as a line: first and last, or how many in between."""
    labels = [one.label for one in comparison.snapshots]
    between = f" … ({len(labels)} files)" if len(labels) > 2 else ""
    return f"{labels[0]}{ARROW}{labels[-1]}{between}"


def architecture(comparison: Comparison) -> str:
    """What the files were recognised as."""
    names = dict.fromkeys(one.architecture for one in comparison.snapshots)
    return ARROW.join(name or "architecture not known" for name in names)


def told_of_layer(view: LayerView) -> list[tuple[str, str, str]]:
    """What became of the findings that name a layer: fate, severity, sentence."""
    told = []
    for one in view.findings:
        if view.is_new(one):
            told.append(("appeared", str(one.severity), one.sentence))
        elif view.is_gone(one):
            told.append(("disappeared", str(one.severity), one.sentence))
    return told
