"""Baseline files: reading them, pairing them with checkpoints, writing them anew."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from infoflow.checking.baseline import changes, kept, steadied
from infoflow.checking.gate import has_figures
from infoflow.errors import CheckError, InfoflowError
from infoflow.report import Report
from infoflow.words import counted


def read(path: Path) -> list[Report]:
    """The reports of a baseline.

    Raises:
        CheckError: It is not there.
        InfoflowError: It cannot be read, or holds no report.
    """
    from infoflow.report_files import read_reports

    if not path.exists():
        made = "a baseline is made with --update-baseline"
        raise CheckError(f"{path}: there is no such report; {made}.")
    return read_reports(path)


def paired(reports: Sequence[Report], former: Sequence[Report], path: Path) -> list[Report | None]:
    """For each report its baseline: the only one there is, or the one of the same file name."""
    if len(former) == 1:
        return [former[0] for _ in reports]
    by_name = {report.source: report for report in former}
    return [by_name.get(_name(report, path)) for report in reports]


def update(path: Path, reports: Sequence[Report], *, keep_others: bool) -> str:
    """Write reports as the baseline, whole or not at all; what to say of it.

    Args:
        path: The baseline; what it holds already is left where it differs by rounding only.
        reports: The new analyses.
        keep_others: Leave what a baseline of several checkpoints holds of others.

    Raises:
        CheckError: A report has no figures, two are of one checkpoint, or the file that is there
            is no baseline.
    """
    former = _former(path)
    before = {report.source: report for report in former}
    if len(former) == len(reports) == 1:
        before = {_name(reports[0], path): former[0]}
    new: dict[str, Report] = {}
    said: list[str] = []
    for report in reports:
        name = _name(report, path)
        if not has_figures(report):
            raise CheckError(
                f"{report.source}: a baseline needs figures, and the analysis has none."
            )
        if name in new:
            raise CheckError(f"{report.source}: named twice; a baseline holds a checkpoint once.")
        new[name] = kept(report, name)
        if old := before.get(name):
            said.append(changes(new[name], old))
            new[name] = steadied(new[name], old)
        else:
            said.append(f"{counted(len(report.measurements), 'figure')}, new")
    others = before if keep_others and len(former) > 1 else {}
    return _write(path, list((others | new).values()), former, dict(zip(new, said, strict=True)))


def _write(
    path: Path, reports: Sequence[Report], former: Sequence[Report], said: dict[str, str]
) -> str:
    from infoflow.render.files import write_text
    from infoflow.render.to_json import to_json, to_json_list

    if list(reports) == list(former):
        return f"{path} is up to date"
    write_text(path, to_json(reports[0]) if len(reports) == 1 else to_json_list(reports))
    if len(said) == 1:
        return f"wrote {path}: {next(iter(said.values()))}"
    return f"wrote {path}: " + "; ".join(f"{name}: {words}" for name, words in said.items())


def _former(path: Path) -> list[Report]:
    if not path.exists():
        return []
    try:
        return read(path)
    except InfoflowError as error:
        kept = "it is not overwritten: move it away, or name another file"
        raise CheckError(f"{str(error).rstrip('.')}; {kept}.") from error


def _name(report: Report, path: Path) -> str:
    """The checkpoint's name as the baseline says it: relative to the baseline's folder."""
    source = Path(report.source)
    try:
        return Path(os.path.relpath(source.absolute(), path.absolute().parent)).as_posix()
    except ValueError:  # another drive
        return source.as_posix()
