"""Thresholds: from a report, and a baseline where one is asked for, to rows that hold or fail.

Whatever cannot be told fails: a pattern without a layer, a layer without a figure, a measure
that the analysis does not hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from infoflow.checking.bounds import BOUNDS
from infoflow.checking.judgement import Judgement, has_figure
from infoflow.checking.outcome import NO_FIGURE, Row, Verdict
from infoflow.checking.settings import Threshold
from infoflow.checking.words import figure
from infoflow.errors import CheckError
from infoflow.nearest import nearest
from infoflow.patterns import is_chosen, matches
from infoflow.report import LayerSummary, Measurement, Report


def threshold_rows(report: Report, baseline: Report | None, threshold: Threshold) -> list[Row]:
    """One row a layer and bound, and one for each pattern that reaches no figure.

    Args:
        report: The new analysis.
        baseline: The analysis to compare with; a layer that it lacks is not compared.
        threshold: The limits. Bounds are inclusive; −∞ is below every minimum and within every
            maximum.

    Raises:
        CheckError: The measure has no such statistic.
    """
    _refuse_unknown_statistic(report, baseline, threshold)
    problems = [_failed(report, threshold, what) for what in _idle_patterns(report, threshold)]
    judgements = list(_judgements(report, baseline, threshold))
    if not problems and not any(c.compared or not c.holds for c in judgements):
        problems.append(_failed(report, threshold, _why_nothing(report, threshold)))
    return problems + [_judged(report, threshold, judgement) for judgement in judgements]


def _judgements(
    report: Report, baseline: Report | None, threshold: Threshold
) -> Iterator[Judgement]:
    before = {place.name for place in _places(baseline)} if baseline else set()
    for layer in _places(report):
        row = _row(report, layer.name, threshold)
        if row is None or not is_chosen(layer, threshold.layers):
            continue
        for key, limit in threshold.bounds.items():
            if not BOUNDS[key].against_baseline:
                yield Judgement(row, key, limit)
            elif baseline and layer.name in before:
                yield Judgement(row, key, limit, _row(baseline, layer.name, threshold))


def _places(report: Report) -> tuple[LayerSummary, ...]:
    """Whatever rows are of: the layers, the sites of a run on data, and the whole network."""
    names = {layer.name for layer in report.layers}
    sites = (
        LayerSummary(site.name, site.role, site.shape, "", 0)
        for site in report.sites
        if site.name not in names
    )
    return (*report.layers, *sites, LayerSummary("", "network", (), "", 0))


def _row(report: Report, layer: str, threshold: Threshold) -> Measurement | None:
    """The layer's row; for a weight of which nothing could be computed, the row that says so."""
    row = report.row(layer, threshold.measure, threshold.statistic)
    value = report.row(layer, threshold.measure)
    return value if row is None and value is not None and not has_figure(value) else row


def _refuse_unknown_statistic(
    report: Report, baseline: Report | None, threshold: Threshold
) -> None:
    rows = report.rows(measure=threshold.measure)
    if baseline is not None:
        rows += baseline.rows(measure=threshold.measure)
    known = list(dict.fromkeys(row.statistic for row in rows))
    # A damaged weight has one row without a figure; it says nothing of the statistics there are.
    if threshold.statistic in known or not any(has_figure(row) for row in rows):
        return
    raise CheckError(
        f"{threshold.place}: {threshold.measure} has no statistic {threshold.statistic!r}; "
        f"{nearest(threshold.statistic, known)}."
    )


def _idle_patterns(report: Report, threshold: Threshold) -> Iterator[str]:
    """What is wrong with each pattern that matches no layer, or none that has the row."""
    for word in threshold.layers:
        layers = [layer for layer in _places(report) if matches(layer, word.removeprefix("!"))]
        if not layers:
            known = [layer.name for layer in _places(report) if layer.name]
            yield f"no layer matches {word!r}; {nearest(word.lstrip('!'), known)}"
        elif not word.startswith("!") and not _any_row(report, layers, threshold):
            yield f"{NO_FIGURE} of {threshold.subject} in the layers that {word!r} matches"


def _any_row(report: Report, layers: Sequence[LayerSummary], threshold: Threshold) -> bool:
    return any(_row(report, layer.name, threshold) is not None for layer in layers)


def _why_nothing(report: Report, threshold: Threshold) -> str:
    if report.rows(measure=threshold.measure):
        return f"{NO_FIGURE} of {threshold.subject} to compare in the layers that are meant"
    computed = report.settings.get("measures", "")
    made = f", which was made with measures {computed!r}" if computed else ""
    return f"{NO_FIGURE} of {threshold.subject} in the analysis{made}"


def _failed(report: Report, threshold: Threshold, sentence: str) -> Row:
    words = (BOUNDS[key].words.format(figure(limit)) for key, limit in threshold.bounds.items())
    return Row(
        Verdict.FAILED,
        report.source,
        "threshold",
        threshold.subject,
        (),
        found=NO_FIGURE,
        allowed="; ".join(words),
        sentence=f"{threshold.place}: {sentence}.",
    )


def _judged(report: Report, threshold: Threshold, judgement: Judgement) -> Row:
    return Row(
        Verdict.PASSED if judgement.holds else Verdict.FAILED,
        report.source,
        "threshold",
        threshold.subject,
        (judgement.row.layer,),
        found=judgement.found,
        allowed=judgement.allowed,
        sentence=judgement.sentence,
        value=judgement.row.value,
        baseline=judgement.base.value if judgement.base else None,
        unit=judgement.row.unit,
        uncertain=judgement.uncertain,
    )
