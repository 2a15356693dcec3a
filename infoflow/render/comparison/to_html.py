"""A comparison as one HTML file that needs neither network nor script to be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from infoflow.comparison.comparison import Comparison, Fate
from infoflow.comparison.verdict import differs, verdict
from infoflow.render.comparison import drawings, flow, tables
from infoflow.render.comparison.view import (
    LayerView,
    architecture,
    events,
    gather,
    heading,
    linear,
    persisting,
    told_findings,
)
from infoflow.render.html import around
from infoflow.render.html.columns import groups_of
from infoflow.render.html.strip import Figure
from infoflow.render.html.words import counted, figure, fixed, title
from infoflow.render.to_html import day, environment, look, sentence
from infoflow.report import Severity

FLOW_FROM = 3
"""Files from which on there is a picture of the flow."""


def to_html(comparison: Comparison, measures: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """The comparison as a page.

    Args:
        comparison: What changed.
        measures: What each measure is, by its stable name, as for reports.

    Returns:
        A whole HTML document; everything that comes from the files is escaped, and a content
        security policy forbids the page to load or run anything that is not in it.
    """
    described = measures or {}
    views = gather(comparison)
    shown = tables.columns(views)
    depth = sorted(linear(views), key=lambda view: view.layer.place)
    several = len(comparison.snapshots) >= FLOW_FROM
    used = dict.fromkeys(row.measure for row in comparison.changes)
    return (
        environment()
        .get_template("comparison.html.jinja")
        .render(
            comparison=comparison,
            file=title(heading(comparison)),
            known=architecture(comparison),
            figures=list(_figures(comparison, views)),
            verdict=sentence(verdict(comparison)),
            differs=differs(comparison),
            bars=drawings.bars(linear(views)),
            maps=[
                drawings.flow_picture(one, depth, comparison)
                for one in (flow.maps(comparison, depth) if several else [])
            ],
            lines=[
                drawings.line_chart(one, comparison)
                for one in (flow.lines(comparison, depth) if several else [])
            ],
            columns=shown,
            groups=groups_of(column.group for column in shown),
            first=next(
                (place for place, one in enumerate(shown) if one.group == tables.FIGURES), None
            ),
            pages=tables.pages(views, shown, described),
            kinds=sorted({view.layer.kind for view in views}),
            events=events(comparison, views),
            findings=told_findings(comparison),
            persisting=persisting(comparison),
            measures=[(name, described[name]) for name in used if name in described],
            settings=around.pairs(comparison.settings),
            **look(),
            created=day(comparison.created),
        )
    )


def _figures(comparison: Comparison, views: Sequence[LayerView]) -> Iterator[Figure]:
    """The figures to see first: five at most."""
    chosen = linear(views)
    changed = sum(view.layer.changed for view in chosen)
    norms = [view for view in views if not view.layer.linear]
    more = (
        f"and {sum(one.layer.changed for one in norms)} of {counted(len(norms), 'normalisation')}"
    )
    yield Figure(
        fixed(changed, 0), f"of {fixed(len(chosen), 0)}", "layers changed",
        more if norms and len(chosen) < len(views) else "", "layers",
    )  # fmt: skip
    known = [
        (view.relative.change, view.layer.name)
        for view in chosen
        if view.relative and view.relative.change is not None
    ]
    if known:
        most, name = max(known)
        yield Figure(
            figure(most, 3),
            "",
            "largest relative change of a weight",
            title(name, 30),
            "read-relative",
        )
        middle = figure(median(value for value, _ in known), 3)
        yield Figure(
            middle, "", "median relative change", counted(len(known), "layer"), "read-relative"
        )
    turned = [
        row.change for view in chosen if (row := view.angle("left")) and row.change is not None
    ]
    if turned:
        yield Figure(
            f"{fixed(median(turned), 1)}°", "", "median angle of the leading directions",
            "left, mean of a layer", "read-angle",
        )  # fmt: skip
    fates = [one.fate for one in comparison.findings]
    appeared, gone = (
        sum(fate is one for fate in fates) for one in (Fate.APPEARED, Fate.DISAPPEARED)
    )
    alarm = any(
        one.fate is Fate.APPEARED and one.severity is not Severity.NOTE
        for one in comparison.findings
    )
    yield Figure(
        f"+{appeared} −{gone}", "", "findings appeared, disappeared",
        f"{persisting(comparison)} as before", "appeared", alarm,
    )  # fmt: skip
