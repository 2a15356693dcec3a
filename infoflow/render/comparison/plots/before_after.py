"""Two files: how far each layer's weight moved, and its figures before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from infoflow.comparison.comparison import Change, Comparison
from infoflow.render.comparison.flow import a_channel
from infoflow.render.comparison.plots.rows import (
    files_text,
    height_of,
    in_depth,
    name_rows,
)
from infoflow.render.comparison.view import LayerView
from infoflow.render.plots.sheet import FLAGGED, TRAINED, TWIN, WIDE, NothingToDraw, sentences
from infoflow.render.plots.sheet import sheet as empty_sheet
from infoflow.words import counted


@dataclass(frozen=True)
class _Pair:
    """A figure of a layer before and after; ``lost`` says where it is −∞."""

    before: float | None
    after: float | None
    lost: tuple[bool, bool]


def draw(comparison: Comparison) -> list[Figure]:
    """One page of three panels, the layers from top to bottom."""
    if len(comparison.snapshots) > 2:
        raise NothingToDraw("there are more than two files; the flow shows them all")
    views = in_depth(comparison)
    drawn: list[tuple[str, Callable[[Axes], None]]] = []
    if any(view.relative for view in views):
        drawn.append(("relative change\nof the weight", lambda axes: _bars(axes, views)))
    for title, pairs in (
        ("log-volume a channel\n(nats)", [_volume(view) for view in views]),
        ("mean log|c₁₁| of a slice\n(nats)", [_corner(view) for view in views]),
        ("stable rank\n(directions)", [_stable(view) for view in views]),
    ):
        if any(any(pair.lost) or pair.before is not None for pair in pairs) and len(drawn) < 3:
            drawn.append((title, lambda axes, pairs=pairs: _dumbbells(axes, pairs)))  # type: ignore[misc]
    if not drawn:
        raise NothingToDraw("no layer has a figure in both files")
    height = height_of(len(views))
    figure = empty_sheet(WIDE, height + 26, _caption(comparison, views))
    all_axes = figure.subplots(1, len(drawn), sharey=True, squeeze=False)[0]
    for axes, (title, fill) in zip(all_axes, drawn, strict=True):
        fill(axes)
        axes.set_xlabel(title)
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.grid(True, axis="x")
        axes.set_ylim(len(views) - 0.4, -0.6)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    name_rows(all_axes[0], views, height)
    handles: dict[str, Artist] = {}
    for axes in all_axes:
        lines, words = axes.get_legend_handles_labels()
        handles |= dict(zip(words, lines, strict=True))
    if handles:
        figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=4)
    return [figure]


def _volume(view: LayerView) -> _Pair:
    row = view.volume
    return _Pair(*a_channel(row, view.row("rank", "full")), _lost(row))


def _corner(view: LayerView) -> _Pair:
    row = view.row("entropy-change.c11", "mean")
    return _Pair(*a_channel(row, None), _lost(row))


def _stable(view: LayerView) -> _Pair:
    row = view.row("stable-rank")
    return _Pair(*a_channel(row, None), _lost(row))


def _lost(row: Change | None) -> tuple[bool, bool]:
    return (False, False) if row is None else (row.was_infinite, row.is_infinite)


def _bars(axes: Axes, views: Sequence[LayerView]) -> None:
    lengths = [
        view.relative.change if view.relative and view.relative.change is not None else 0.0
        for view in views
    ]
    axes.barh(range(len(views)), lengths, height=0.7, color=TRAINED, linewidth=0)
    axes.set_xlim(0, max(max(lengths) * 1.05, 1e-12))
    new = [
        place for place, view in enumerate(views) if view.relative and view.relative.change is None
    ]
    if new:
        axes.plot([0] * len(new), new, linestyle="none", marker=">", color=FLAGGED, clip_on=False,
                  label="was all zero, or not finite")  # fmt: skip


def _dumbbells(axes: Axes, pairs: Sequence[_Pair]) -> None:
    size = 4.0 if len(pairs) <= 60 else 2.0
    for place, pair in enumerate(pairs):
        if pair.before is not None and pair.after is not None:
            ends = [pair.before, pair.after]
            axes.plot(ends, [place, place], color=TWIN, linewidth=1.0, zorder=1)
    before = [(pair.before, place) for place, pair in enumerate(pairs) if pair.before is not None]
    after = [(pair.after, place) for place, pair in enumerate(pairs) if pair.after is not None]
    if before:
        axes.plot(*zip(*before, strict=True), linestyle="none", marker="o", markersize=size,
                  markerfacecolor="white", markeredgecolor=TRAINED, label="before")  # fmt: skip
    if after:
        axes.plot(*zip(*after, strict=True), linestyle="none", marker="o", markersize=size,
                  color=TRAINED, label="after")  # fmt: skip
    for when, words, filled in ((1, "after: −∞", FLAGGED), (0, "before: −∞", "white")):
        places = [place for place, pair in enumerate(pairs) if pair.lost[when]]
        if places:
            axes.plot(
                [0.02 + 0.03 * (1 - when)] * len(places), places, linestyle="none", marker="<",
                markersize=size, markerfacecolor=filled, markeredgecolor=FLAGGED,
                transform=axes.get_yaxis_transform(), clip_on=False, label=words,
            )  # fmt: skip


def _caption(comparison: Comparison, views: Sequence[LayerView]) -> str:
    dense = any(view.layer.kind == "dense" for view in views)
    return sentences(
        (
            f"{files_text(comparison)}: n = {counted(len(views), 'layer')} common to both, from "
            "input (top) to output",
            "Relative change ‖B − A‖ / ‖A‖, Frobenius norms"
            if any(view.relative for view in views)
            else "Reports without weights: no relative change",
            "Log-volume: Σ log σ a position of the output over the full rank"
            + ("; of dense layers the whole" if dense else "")
            if any(view.volume for view in views)
            else "",
            f"{counted(len(comparison.unpaired), 'layer')} not compared"
            if comparison.unpaired
            else "",
        )
    )
