"""A comparison as Markdown for the summary of a CI job or a comment on a change."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.comparison.comparison import Comparison
from infoflow.comparison.verdict import differs, verdict
from infoflow.render.comparison.view import (
    LayerView,
    architecture,
    both_text,
    events,
    gather,
    heading,
    linear,
    persisting,
    rank_text,
    told_findings,
)
from infoflow.render.text import number
from infoflow.render.to_markdown import escaped, name_cell, table_line
from infoflow.words import and_more, counted, shape_text

LISTED_LAYERS = 200
"""Layers in the table, those that changed most; a job summary is cut at 1 MiB."""


def to_markdown(comparison: Comparison) -> str:
    """The comparison as GitHub-flavoured Markdown: verdict, what changed most, what appeared."""
    views = gather(comparison)
    lines = [*_head(comparison), *_events(comparison, views)]
    if differs(comparison):
        lines += _layers(comparison, linear(views))
    return "\n".join(lines).rstrip("\n") + "\n"


def _head(comparison: Comparison) -> Iterator[str]:
    yield f"## infoflow diff: {escaped(heading(comparison))}"
    yield ""
    yield f"**{escaped(verdict(comparison))}**"
    yield ""
    yield f"{escaped(architecture(comparison))}."
    yield ""
    yield from (f"- {escaped(note)}" for note in comparison.notes)
    yield ""


def _events(comparison: Comparison, views: list[LayerView]) -> Iterator[str]:
    told = events(comparison, views)
    findings = told_findings(comparison)
    if not told and not findings:
        return
    yield "### Appeared and disappeared"
    yield ""
    yield from (f"- {escaped(what)}: {escaped(where)}" for what, where in told)
    for fate, one, words in findings:
        yield f"- finding {escaped(fate)} (**{one.severity}**): {escaped(words)}"
    if count := persisting(comparison):
        yield f"- {counted(count, 'finding')} as before"
    yield ""


def _layers(comparison: Comparison, views: list[LayerView]) -> Iterator[str]:
    yield "### Layers, what changed most first"
    yield ""
    heads = ["layer", "shape", "relative change", "cosine", "angle left", "angle right"]
    heads += ["log-volume", "stable rank", "rank"]
    yield table_line(list(map(escaped, heads)))
    yield table_line([":---", ":---", *["---:"] * (len(heads) - 2)])
    for view in views[:LISTED_LAYERS]:
        yield table_line([*_cells(view)])
    if len(views) > LISTED_LAYERS:
        yield ""
        yield and_more(len(views) - LISTED_LAYERS)
    yield ""
    yield escaped(
        "Relative change: ‖B − A‖ / ‖A‖ of the weight. Angles: mean between the leading singular "
        "directions, in degrees. Log-volume in nats, of a convolution a position of its output. "
        "−∞: an exact zero or a lost rank."
    )
    norms = len(comparison.layers) - len(views)
    if norms:
        yield ""
        yield f"{counted(norms, 'normalisation layer')} not listed."


def _cells(view: LayerView) -> Iterator[str]:
    yield name_cell(view.layer.name)
    yield shape_text(view.layer.shape)
    for row, decimals in (
        (view.relative, 3),
        (view.row("weight-change", "cosine"), 3),
        (view.angle("left"), 1),
        (view.angle("right"), 1),
    ):
        yield "" if row is None else number(row.change, decimals)
    yield both_text(view.volume, 1)
    yield both_text(view.row("stable-rank"), 1)
    yield rank_text(view)
