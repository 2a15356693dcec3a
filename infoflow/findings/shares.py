"""Rules that read a share of a site's units have one form: one finding for all such sites."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.sites import at_sites, share_text
from infoflow.report import Finding, Measurement, Report, Severity, Site
from infoflow.words import listed


def share_finding(
    report: Report,
    *,
    rule: str,
    measure: str,
    limit: float,
    serious: float,
    words: str,
    advice: str,
) -> Iterator[Finding]:
    """One finding for all sites at which a share of the units is above a limit.

    Where nonlinearities were looked at only they are read: the layers around them repeat the
    same units.

    Args:
        report: Whose rows are read.
        rule: Name of the rule.
        measure: Whose share is read.
        limit: Share from which on a site is named.
        serious: Share from which on this is a warning, and no note.
        words: What is the matter with the units.
        advice: What to do.
    """
    found = [one for one in _read(report, measure) if one[2] >= limit]
    if not found:
        return
    worst = max(share for _, _, share in found)
    told = [f"{site.name} ({share_text(share)}{_count(report, site)})" for site, _, share in found]
    yield Finding(
        rule=rule,
        severity=Severity.WARNING if worst >= serious else Severity.NOTE,
        layers=tuple(site.name for site, _, _ in found),
        measure=measure,
        value=worst,
        threshold=limit,
        sentence=f"{share_text(limit)} of the units or more {words}: {listed(told)}.",
        advice=advice,
    )


def _read(report: Report, measure: str) -> list[tuple[Site, Measurement, float]]:
    every = list(at_sites(report, measure))
    return [one for one in every if one[0].role == "nonlinearity"] or every


def _count(report: Report, site: Site) -> str:
    units = report.row(site.name, "units", "count") or report.row(site.name, "units")
    return f" of {units.value:,.0f}" if units is not None and units.value is not None else ""
