"""What is compared: checkpoints, live modules, and reports that were written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from infoflow.errors import CheckpointError
from infoflow.measuring import Measurer
from infoflow.report import LayerSummary, Report
from infoflow.report_files import is_report, read_reports
from infoflow.request import Request
from infoflow.selection import select

if TYPE_CHECKING:
    from torch import nn

Given: TypeAlias = "str | PathLike[str] | nn.Module | Report"


@dataclass(frozen=True)
class Input:
    """One thing to compare: a network to be measured, opened once, or a report of one."""

    name: str
    network: Measurer | Report


@dataclass(frozen=True)
class _Listed:
    summary: LayerSummary


def inputs(
    given: Sequence[Given], request: Request, *, measures: Collection[str] | None
) -> Iterator[Input]:
    """What is to be compared, in the order given; networks are opened when they are looked at.

    A file of several reports is several inputs. Of a report only the layers and, where they are
    named, the measures asked for are kept.

    Args:
        given: Paths, live modules and reports.
        request: What to measure of each network, whatever its source.
        measures: Names to keep of a report; None for all.

    Raises:
        CheckpointError: A file is missing, or cannot be read.
        ReportError: A report cannot be read back.
        SelectionError: A pattern names no layer.
    """
    for place, one in enumerate(given):
        if isinstance(one, Report):
            yield Input(one.source, _narrowed(one, measures, request.layers))
        elif not isinstance(one, (str, PathLike)):
            name = f"{type(one).__name__} {place + 1}"
            yield Input(name, Measurer(replace(request, source=one)))
        else:
            yield from _of_file(fspath(one), request, measures)


def _of_file(path: str, request: Request, measures: Collection[str] | None) -> Iterator[Input]:
    if not Path(path).exists():
        raise CheckpointError(f"{path}: there is no such file or folder.")
    if not is_report(Path(path)):
        yield Input(path, Measurer(replace(request, source=path)))
        return
    reports = read_reports(Path(path))
    for report in reports:
        name = path if len(reports) == 1 else report.source
        yield Input(name, _narrowed(report, measures, request.layers))


def _narrowed(report: Report, measures: Collection[str] | None, patterns: Sequence[str]) -> Report:
    """The report of the layers and measures that are asked for."""
    if measures is not None:
        kept = tuple(row for row in report.measurements if row.measure in measures)
        report = replace(report, measurements=kept)
    if not patterns:
        return report
    chosen = select([_Listed(layer) for layer in report.layers], patterns)
    names = {one.summary.name for one in chosen}
    return replace(
        report,
        layers=tuple(layer for layer in report.layers if layer.name in names),
        measurements=tuple(row for row in report.measurements if row.layer in names),
        findings=tuple(one for one in report.findings if not one.layers or names & set(one.layers)),
    )
