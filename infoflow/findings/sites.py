"""The few questions that rules about activations ask of a report."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.report import Measurement, Report, Site


def at_sites(
    report: Report, measure: str, statistic: str = "value"
) -> Iterator[tuple[Site, Measurement, float]]:
    """Sites for which a number exists, in the order of the computation, with row and number."""
    for site in report.sites:
        row = report.row(site.name, measure, statistic)
        if row is not None and row.value is not None:
            yield site, row, row.value


def samples(report: Report) -> str:
    """How many samples were looked at, in words."""
    return f"{report.data.samples:,} samples" if report.data else "the samples"


def share_text(share: float) -> str:
    """A share in per cent, as a sentence has it.

    >>> share_text(0.123), share_text(1.0)
    ('12 %', '100 %')
    """
    return f"{100 * share:.3g} %" if share < 0.1 else f"{100 * share:.0f} %"
