"""The report as one HTML file that needs neither network nor script to be read."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from infoflow.render.activations import gather_sites
from infoflow.render.healthy import placings
from infoflow.render.html import around, colours, columns, glossary, pages, profile, sites, strip
from infoflow.render.html.ensemble import ensemble_view, sample_views
from infoflow.render.html.words import title
from infoflow.render.text import base_name, printable
from infoflow.render.view import gather
from infoflow.report import Report, Status

_PARTS = Path(__file__).parent / "html"


def to_html(
    report: Report,
    measures: Mapping[str, Mapping[str, str]] | None = None,
    summary: str = "",
) -> str:
    """The report as a page.

    Args:
        report: What was found.
        measures: What each measure is, by its stable name: ``symbol``, ``unit``, ``summary`` and
            ``source``, each of which may be missing.
        summary: The one line above the findings.

    Returns:
        A whole HTML document. Everything that comes from the file is escaped, and a content
        security policy forbids the page to load or run anything that is not in it.
    """
    words = glossary.glossary(report, measures or {})
    layers, elsewhere = gather(report)
    shown = columns.used_columns(layers)
    mapped = pages.with_maps(layers)
    return (
        environment()
        .get_template("report.html.jinja")
        .render(
            report=report,
            file=title(base_name(report)),
            figures=[] if report.members else strip.key_figures(report, layers),
            findings=around.finding_views(report, layers, sites.anchors(gather_sites(report))),
            activations=sites.activations_view(report, words),
            ensemble=ensemble_view(report),
            samples=sample_views(report.samples),
            summary=sentence(summary),
            profile=profile.depth_profile(layers),
            columns=shown,
            groups=columns.groups_of(column.group for column in shown),
            first=next(
                (place for place, one in enumerate(shown) if one.group == columns.LAYER), None
            ),
            pages=pages.layer_pages(layers, shown, words),
            kinds=sorted({one.layer.kind for one in layers}),
            maps_left_out=sum(
                bool({"c11", "filter-similarity"} & one.series.keys()) for one in layers
            )
            - len(mapped),
            long=len(layers) > pages.LONG,
            maps_drawn=len(mapped),
            elsewhere=[
                (title(name) if name else "the whole network",
                 *pages.entries(rows.values(), words))
                for name, rows in elsewhere.items()
            ],
            left_out=around.left_out(report),
            shared=around.shared_tensors(report),
            assumed=[one for one in report.coverage.with_status(Status.ANALYSED) if one.assumed],
            measures=words.views,
            settings=around.pairs(report.settings),
            **look(),
            far=strip.far_limit(report),
            healthy=report.settings.get("reference", "") if any(map(placings, layers)) else "",
            created=day(report.created),
        )
    )  # fmt: skip


def look() -> dict[str, object]:
    """What every page takes: colours, the script, its SHA-256 for the content security policy."""
    script = (_PARTS / "script.js").read_text(encoding="utf-8")
    return {
        "light": colours.LIGHT,
        "dark": colours.DARK,
        "cividis": colours.gradient(colours.CIVIDIS),
        "viridis": colours.gradient(colours.VIRIDIS),
        "script": Markup(script),
        "script_digest": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }


def environment() -> Environment:
    """The templates; everything that they write is escaped and visible."""
    return Environment(
        loader=FileSystemLoader(_PARTS),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def sentence(words: str) -> str:
    """The words with a capital and a full stop."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}." if words else ""


def day(moment: str) -> str:
    """A moment in words, or ``""`` where it is none."""
    try:
        made = datetime.fromisoformat(moment)
    except ValueError:
        return ""
    return f"{made.day} {made:%B %Y, %H:%M} {made.tzname() or ''}".strip()


def _shown(value: object) -> object:
    """What a template writes of a value: text without anything that hides or commands."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
