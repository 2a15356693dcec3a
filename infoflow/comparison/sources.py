"""What is compared: checkpoints, live modules, and reports that were written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from infoflow.checkpoints.faults import reading
from infoflow.checkpoints.source import head
from infoflow.errors import CheckpointError, ReportError
from infoflow.measures import choose
from infoflow.network import Opened, open_network
from infoflow.render.to_json import from_json_list
from infoflow.report import LayerSummary, Report
from infoflow.selection import select

if TYPE_CHECKING:
    from torch import nn

Given: TypeAlias = "str | PathLike[str] | nn.Module | Report"


@dataclass(frozen=True)
class Source:
    """One thing to compare: ``opened`` where there are weights, else the ``report`` of them."""

    name: str
    given: Given
    opened: Opened | None = None
    report: Report | None = None


@dataclass(frozen=True)
class _Listed:
    summary: LayerSummary


def sources(
    given: Sequence[Given],
    *,
    measures: str | Sequence[str] | None,
    layers: Sequence[str],
    arch: str | None,
    input_size: tuple[int, ...] | None,
    weights: str,
    trust_pickle: bool,
) -> Iterator[Source]:
    """Open what is to be compared; no weight is read.

    A file of several reports is several sources. Of a report only the layers and, where they are
    named, the measures asked for are kept.

    Raises:
        CheckpointError: A file is missing, or cannot be read.
        ReportError: A report cannot be read back.
        SelectionError: A pattern names no layer, or a name no measure.
    """
    for place, one in enumerate(given):
        if isinstance(one, (str, PathLike)):
            path = fspath(one)
            if not Path(path).exists():
                raise CheckpointError(f"{path}: there is no such file or folder.")
            reports = _reports(path) if is_report(path) else None
            name = path
        else:
            reports = [one] if isinstance(one, Report) else None
            name = one.source if isinstance(one, Report) else f"{type(one).__name__} {place + 1}"
        if reports is None:
            assert not isinstance(one, Report)
            opened = open_network(
                one, arch=arch, input_size=input_size, weights=weights, trust_pickle=trust_pickle
            )
            yield Source(name, one, opened=opened)
            continue
        for report in reports:
            own = name if len(reports) == 1 else report.source
            yield Source(own, one, report=_narrowed(report, measures, layers))


def is_report(path: str) -> bool:
    """Whether a file is one report, or a list of reports, in JSON, by how it begins."""
    if Path(path).is_dir():
        return False
    with reading(path):
        beginning = head(Path(path)).lstrip()
    return beginning[:1] in (b"{", b"[") and all(
        word in beginning for word in (b'"source"', b'"format"', b'"digest"')
    )


def _reports(path: str) -> list[Report]:
    try:
        return from_json_list(Path(path).read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ReportError(f"{path}: the report is not UTF-8 text.") from error
    except ReportError as error:
        raise ReportError(f"{path}: {error}") from error


def _narrowed(
    report: Report, measures: str | Sequence[str] | None, patterns: Sequence[str]
) -> Report:
    """The report of the layers and measures that are asked for."""
    if measures is not None:
        names = {measure.name for measure in choose(measures)}
        kept = tuple(row for row in report.measurements if row.measure in names)
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
