"""A comparison in a terminal: what changed most, read in ten seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from infoflow.comparison.comparison import Change, Comparison
from infoflow.comparison.verdict import differs, verdict
from infoflow.render.comparison.view import (
    LayerView,
    after_text,
    architecture,
    before_text,
    events,
    gather,
    heading,
    linear,
    persisting,
    rank_text,
    told_findings,
)
from infoflow.render.text import number, printable, shortened
from infoflow.render.to_terminal import MARKS, STYLES, sentences, wrapped
from infoflow.words import counted, shape_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_NAME_WIDTH = 20
_BARS = "▁▂▃▄▅▆▇█"


def to_terminal(
    comparison: Comparison,
    console: Console,
    *,
    top: int = 15,
    verbose: bool = False,
    hint: str = "",
) -> None:
    """Print a comparison.

    Args:
        comparison: What changed.
        console: Where to; its width decides which columns are shown.
        top: Layers in the table; 0 for all.
        verbose: Normalisation layers and findings that persist as well.
        hint: The last line: what to do next.
    """
    for part in _parts(comparison, console.width, top, verbose, hint):
        console.print(part)


def _parts(
    comparison: Comparison, width: int, top: int, verbose: bool, hint: str
) -> list[RenderableType]:
    views = gather(comparison)
    head = f"{heading(comparison)} · {architecture(comparison)}"
    parts: list[RenderableType] = [wrapped(head, width, style="bold")]
    if comparison.notes:
        parts.append(wrapped(sentences(comparison.notes), width, style="dim"))
    shown = views if verbose else linear(views)
    if differs(comparison):
        parts += ["", _table(comparison, shown[: top or None], width)]
        parts += [wrapped(line, width, " ", "dim") for line in _legend(comparison, shown, top)]
    parts += ["", wrapped(verdict(comparison), width, " ", "bold")]
    parts += [wrapped(f"{what}: {where}", width, " ") for what, where in events(comparison, views)]
    for fate, one, words in told_findings(comparison):
        mark = Text(f" {MARKS[one.severity]} ", style=STYLES[one.severity])
        body = wrapped(f"{fate}: {words}", max(width - 3, 20))
        parts.append(mark.append(body.plain.replace("\n", "\n   ")))
    if (count := persisting(comparison)) and differs(comparison):
        parts.append(wrapped(f"{counted(count, 'finding')} as before", width, " ", "dim"))
    if hint:
        parts += ["", wrapped(hint, width, " ", "dim")]
    return parts


@dataclass(frozen=True)
class _Column:
    """A column; of those that do not fit, the highest ``rank`` goes first."""

    heading: str
    rank: int
    cell: Callable[[LayerView], str]
    justify: Literal["left", "right"] = "right"


def _columns(comparison: Comparison) -> list[_Column]:
    columns = [
        _Column("shape", 8, lambda one: shape_text(one.layer.shape), "left"),
        _Column("relative\nchange", 0, _relative),
        _Column("along\nthe files", 3, _path, "left"),
        _Column("angle\nleft", 1, lambda one: _angle(one, "left")),
        _Column("angle\nright", 6, lambda one: _angle(one, "right")),
        _Column("log-volume\n", 2, lambda one: _ends(one.volume, 1)),
        _Column("stable rank\n", 4, lambda one: _ends(one.row("stable-rank"), 1)),
        _Column("rank\n", 5, rank_text),
        _Column("find-\nings", 7, _findings),
    ]
    if len(comparison.snapshots) == 2:
        columns = [column for column in columns if column.cell is not _path]
    return columns


def _relative(view: LayerView) -> str:
    if view.relative is None:
        return number(view.layer.score, 2)
    return number(view.relative.change, 3)


def _path(view: LayerView) -> str:
    """A bar a file: its relative change from the first, of the layer's largest."""
    most = max((value for value in view.path if value is not None), default=0.0)
    if not most:
        return ""
    chosen = _thinned(view.path, 16)
    return "".join(
        " " if value is None else _BARS[min(int(8 * value / most), 7)] for value in chosen
    )


def _thinned(path: Sequence[float | None], most: int) -> list[float | None]:
    if len(path) <= most:
        return list(path)
    return [path[round(place * (len(path) - 1) / (most - 1))] for place in range(most)]


def _angle(view: LayerView, side: str) -> str:
    row = view.angle(side)
    if row is None or row.change is None:
        return ""
    return f"{'' if view.stable else '~'}{number(row.change, 1)}°"


def _ends(row: Change | None, decimals: int) -> str:
    if row is None:
        return ""
    return f"{before_text(row, decimals)} → {after_text(row, decimals)}"


def _findings(view: LayerView) -> str:
    return " ".join(
        f"{sign}{count}" for sign, count in (("+", view.gained), ("−", view.lost)) if count
    )


def _table(comparison: Comparison, views: Sequence[LayerView], width: int) -> Table:
    filled = []
    for column in _columns(comparison):
        cells = [column.cell(view) for view in views]
        if any(cells):
            filled.append((column, cells))
    filled, name_width = _fitting(filled, [view.layer.name for view in views], width)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("layer", no_wrap=True, vertical="bottom")
    for column, _ in filled:
        head = column.heading
        if column.rank == 0 and all(view.relative is None for view in views):
            head = "change\nin s.d."
        table.add_column(head.rstrip("\n"), justify=column.justify, no_wrap=True, vertical="bottom")
    for place, view in enumerate(views):
        name = shortened(printable(view.layer.name), name_width)
        table.add_row(name, *(_styled(cells[place]) for _, cells in filled))
    return table


def _styled(text: str) -> Text:
    return Text(text, style="bold red" if text.endswith("−∞") else "")


Filled = list[tuple[_Column, list[str]]]


def _fitting(filled: Filled, names: Sequence[str], width: int) -> tuple[Filled, int]:
    """The columns that fit beside a readable name, and the width that is left for names."""
    longest = max(map(cell_len, ["layer", *names]))
    kept = list(filled)
    while True:
        used = sum(
            max(cell_len(line) for line in [*column.heading.split("\n"), *cells]) + 2
            for column, cells in kept
        )
        room = width - used - 2
        if room >= min(longest, _NAME_WIDTH) or len(kept) <= 1:
            return kept, max(min(room, longest), 8)
        kept.remove(max(kept, key=lambda one: one[0].rank))


def _legend(comparison: Comparison, views: Sequence[LayerView], top: int) -> list[str]:
    lines = []
    if top and len(views) > top:
        lines.append(
            f"the {counted(top, 'layer')} that changed most, of {len(views):,} (--top 0 shows all; "
            "files hold every layer)"
        )
    if any(view.relative for view in views):
        text = "relative change: ‖B − A‖ / ‖A‖ of the weight"
        if any(view.angle("left") for view in views):
            text += "; angle: mean between the leading singular directions of A and B"
            if any(not view.stable for view in views):
                text += ", ~ where the next direction is as strong"
        lines.append(text)
    else:
        lines.append(
            "change in s.d.: the largest change of a measure, in its standard deviations over "
            "the layers"
        )
    if any(view.volume for view in views):
        lines.append("log-volume in nats, of a convolution a position of its output")
    norms = len(comparison.layers) - len(views)
    if norms:
        lines.append(f"{counted(norms, 'normalisation layer')} (--verbose shows them)")
    return lines
