"""What a terminal shows of activations: the table of sites and how to read it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from infoflow.findings.chains import FALLS, RISES, UNTOLD
from infoflow.render import site_table
from infoflow.render.activations import SiteFacts, budget_line, gather_sites, orders, reading
from infoflow.render.data_words import data_notes, left_off_line
from infoflow.render.ensemble import named
from infoflow.render.terminal_columns import Shown, table_of
from infoflow.render.text import printable
from infoflow.report import Report, Severity
from infoflow.words import counted, cut

_COLOURS = {FALLS: "blue", RISES: "yellow", UNTOLD: "dim"}
_FINDINGS = {Severity.SERIOUS: "bold red", Severity.WARNING: "yellow", Severity.NOTE: ""}


def sites_table(report: Report, width: int, unfold: bool) -> Table:
    """The table of sites, the columns that fit."""
    sites = site_table.shown(gather_sites(report), unfold=unfold)
    names = [Text(printable(one.site.name), style=_name_style(one)) for one in sites]
    columns = [Shown(-1, "site", names, "left")]
    for column in site_table.used(sites):
        cells = [_cell(column.cell(one)) for one in sites]
        columns.append(
            Shown(column.rank, column.heading, cells, "left" if column.left else "right")
        )
    return table_of(columns, max((cell_len(name.plain) for name in names), default=5), width)


def sentences(
    report: Report, headings: Collection[str], *, verbose: bool, unfold: bool
) -> list[str]:
    """The lines below the table: legend, estimator, what a rise means, what was left out."""
    activations = gather_sites(report)
    sites = site_table.shown(activations, unfold=unfold)
    said = reading(sites)
    lines = ["; ".join(site_table.legend(sites, headings)), ". ".join(said) + "." * bool(said)]
    if hidden := len(activations.sites) - len(sites):
        lines.append(f"{counted(hidden, 'site')} off the chain not shown (--layers '*' lists them)")
    lines += [orders(report), budget_line(report), left_off_line(report)]
    if report.data is not None:
        lines += data_notes(report.data) if verbose else report.data.notes[1:]
    if verbose and report.data is not None:
        if report.samples:
            lines.append(f"least sure of the samples {cut(named(report.samples), 6)}")
        lines += _reasons(sites)
    return [line for line in lines if line]


def _reasons(sites: Sequence[SiteFacts]) -> list[str]:
    """Why steps cannot be told, a line a site."""
    told = ((one, one.step("input")) for one in sites)
    return [f"{one.site.name}: {step.word}: {step.reason}" for one, step in told
            if step is not None and step.reason]  # fmt: skip


def _cell(text: str) -> Text:
    if text == site_table.OFF_CHAIN:
        return Text(text, style="dim")
    return Text(printable(text), style=_COLOURS.get(text[2:].rstrip(site_table.FLAG), ""))


def _name_style(one: SiteFacts) -> str:
    order = list(Severity)
    found = sorted(one.findings, key=lambda finding: order.index(finding.severity))
    style = _FINDINGS[found[0].severity] if found else ""
    return style or ("" if one.site.on_chain else "dim")
