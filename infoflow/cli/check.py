"""``infoflow check``: a gate for a CI run."""

from __future__ import annotations

import glob
import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infoflow.cli import options
from infoflow.cli.check_outputs import CheckOutputs
from infoflow.cli.console import say
from infoflow.cli.outputs import spare_inputs
from infoflow.errors import CheckError, OutputError

if TYPE_CHECKING:
    from infoflow.checking.settings import Settings
    from infoflow.report import Report


def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Checkpoints, or reports that `infoflow analyze --json` wrote; without one, the "
            "checkpoints of the settings.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Settings (TOML); else infoflow.toml or [tool.infoflow] of pyproject.toml, from "
            "here up to the repository's root.",
            metavar="FILE",
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(help="Report to compare with; else that of the settings.", metavar="FILE"),
    ] = None,
    update_baseline: Annotated[
        bool,
        typer.Option(
            "--update-baseline", help="Write the analysis as the baseline; check nothing."
        ),
    ] = False,
    markdown: Annotated[
        str | None, typer.Option("--markdown", help="Write Markdown (- for standard output).")
    ] = None,
    junit: Annotated[
        str | None, typer.Option("--junit", help="Write JUnit XML (- for standard output).")
    ] = None,
    json: Annotated[
        str | None, typer.Option("--json", help="Write JSON (- for standard output).")
    ] = None,
    annotations: Annotated[
        bool,
        typer.Option("--annotations", help="Print GitHub annotations instead of the list."),
    ] = False,
    partial: Annotated[
        bool,
        typer.Option("--partial", help="Take reports of interrupted analyses, as far as they go."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write JSON, Markdown and JUnit XML into this folder."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No list.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every check that held as well.")
    ] = False,
    no_color: options.NoColor = False,
) -> None:
    """Hold checkpoints against thresholds and a baseline; exit code 1 where one fails."""
    from infoflow.checking.gate import check as judge
    from infoflow.checking.gate import refuse_unusable
    from infoflow.cli import baselines

    texts = {"json": json, "markdown": markdown, "junit": junit}
    outputs = CheckOutputs(texts, annotations, out)
    outputs.check()
    settings, file = _settings(config)
    folder = file.parent if file else Path()
    if baseline is None and settings.baseline:
        baseline = folder / settings.baseline
    if update_baseline:
        if outputs.any:
            raise OutputError("--update-baseline checks nothing, so that there is none to write.")
        if baseline is None:
            raise CheckError('Which baseline? Name it: --baseline FILE, or baseline = "FILE".')
    else:
        refuse_unusable(settings, has_baseline=baseline is not None, file=str(file or ""))
    former = baselines.read(baseline) if baseline and not update_baseline else []
    chosen = paths or _checkpoints(settings, folder, file)
    if baseline and update_baseline:
        spare_inputs([baseline], [*chosen, *filter(None, [file])])
    outputs.spare([*chosen, *filter(None, [file, baseline])])
    reports = [
        report for path in chosen for report in _reports(path, settings, folder, quiet, partial)
    ]
    if baseline and update_baseline:
        say(baselines.update(baseline, reports, keep_others=bool(paths)), quiet=quiet)
        return
    outcome = judge(
        reports,
        settings,
        today=datetime.now(UTC).date(),
        baselines=baselines.paired(reports, former, baseline) if baseline else (),
        settings_file=str(file or ""),
        baseline_file=str(baseline or ""),
    )
    outputs.write(outcome, quiet=quiet, verbose=verbose, no_color=no_color)
    if not outcome.passed:
        raise typer.Exit(1)


def _settings(config: Path | None) -> tuple[Settings, Path | None]:
    """The settings and their file; the default ones where there is none."""
    from infoflow.checking.files import find_settings, read_settings
    from infoflow.checking.settings import Settings, Vocabulary
    from infoflow.findings import RULES
    from infoflow.measures import GROUPS, descriptions

    file = config or find_settings(Path.cwd())
    if file is None:
        return Settings(), None
    if config is None:
        file = Path(os.path.relpath(file))
    known = Vocabulary(tuple(descriptions()), GROUPS, tuple(rule.name for rule in RULES))
    return read_settings(file, known), file


def _checkpoints(settings: Settings, folder: Path, file: Path | None) -> list[Path]:
    """The checkpoints that the settings name, each pattern's in alphabetical order."""
    if not settings.checkpoints:
        where = f"{file} names no checkpoints" if file else "there are no settings that name any"
        raise CheckError(f"What shall be checked? Name a checkpoint; {where}.")
    found: list[Path] = []
    for pattern in settings.checkpoints:
        names = sorted(glob.glob(pattern, root_dir=folder, recursive=True))  # noqa: PTH207
        if (folder / pattern).exists():  # a name that only looks like a pattern
            names = [pattern]
        if not names:
            raise CheckError(f"{file}: checkpoints = {pattern!r} matches no file.")
        found += [folder / name for name in names]
    return list(dict.fromkeys(found))


def _reports(
    path: Path, settings: Settings, folder: Path, quiet: bool, partial: bool
) -> list[Report]:
    """The reports of a JSON file, or the analysis of a checkpoint."""
    from infoflow.analysis import analyze
    from infoflow.cli.progress import Progress
    from infoflow.report import PARTIAL
    from infoflow.report_files import is_report, read_reports

    options.must_exist(path)
    if is_report(path):
        reports = read_reports(path)
        if not partial and any(PARTIAL in report.settings for report in reports):
            raise CheckError(
                f"{path}: it is a partial report of an analysis that was interrupted; "
                "--partial checks what is there."
            )
        return reports
    arch = settings.arch
    if arch and ".py:" in arch:
        arch = str(folder / arch)
    with closing(Progress(path, quiet=quiet)) as progress:
        report = analyze(
            path,
            measures=settings.measures,
            layers=settings.layers,
            arch=arch,
            input_size=settings.input_size,
            weights=settings.weights,
            fast=settings.fast,
            seed=settings.seed,
            progress=progress,
        )
    return [report]
