"""``infoflow analyze``: the main job."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from infoflow.cli import options
from infoflow.cli.outputs import Format, Outputs
from infoflow.errors import CheckpointError


def analyze(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Checkpoint files or model folders.", show_default=False),
    ],
    measures: Annotated[
        str,
        typer.Option(
            help="paper, default, all, or names separated by commas (`infoflow measures`).",
            metavar="NAMES",
        ),
    ] = "default",
    layers: options.Layers = None,
    arch: options.Arch = None,
    input_size: options.InputSize = None,
    weights: options.Weights = options.WeightsChoice.auto,
    trust_pickle: options.TrustPickle = False,
    device: Annotated[str, typer.Option(help="cpu, or a torch device such as cuda.")] = "cpu",
    fast: Annotated[
        bool, typer.Option("--fast", help="Coarser tolerances; the report says so.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of random frequencies and draws.")] = 0,
    reference: options.Reference = "default",
    json: Annotated[
        str | None, typer.Option("--json", help="Write JSON (- for standard output).")
    ] = None,
    csv: Annotated[
        str | None, typer.Option("--csv", help="Write a row a number (- for standard output).")
    ] = None,
    markdown: Annotated[
        str | None, typer.Option("--markdown", help="Write Markdown (- for standard output).")
    ] = None,
    html: Annotated[
        str | None, typer.Option("--html", help="Write one HTML file (- for standard output).")
    ] = None,
    plots: Annotated[
        Path | None, typer.Option("--plots", help="Draw plots into this folder.")
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="Of the plots.")] = Format.png,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write all of them into this folder.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No table.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Normalisation layers and every note as well.")
    ] = False,
    no_color: options.NoColor = False,
) -> None:
    """Report where a trained network keeps entropy and where it loses it, layer by layer."""
    from infoflow.analysis import analyze as run
    from infoflow.cli.progress import Progress

    outputs = Outputs(json, csv, markdown, html, plots, format, out)
    outputs.check(paths)
    for path in paths:
        if not path.exists():
            raise CheckpointError(f"{path}: there is no such file or folder.")
    reports = []
    for path in paths:
        with Progress(path, quiet=quiet) as progress:
            report = run(
                path,
                measures=measures,
                layers=layers or (),
                arch=arch,
                input_size=options.input_size(input_size),
                weights=weights.value,
                trust_pickle=trust_pickle,
                device=device,
                fast=fast,
                seed=seed,
                complete=outputs.any,
                reference=reference,
                progress=progress,
            )
        report = replace(report, settings={**report.settings, "command": _command()})
        reports.append(report)
        if not quiet and not outputs.on_stdout:
            _show(report, verbose=verbose, unfold=bool(layers), no_color=no_color)
    outputs.write(reports, quiet=quiet)


def _command() -> str:
    """The command as typed, for the report's section on how to reproduce it."""
    return shlex.join(["infoflow", *sys.argv[1:]])


def _show(report: object, *, verbose: bool, unfold: bool, no_color: bool) -> None:
    from infoflow.cli.console import standard_output
    from infoflow.findings import summary
    from infoflow.render.to_terminal import to_terminal
    from infoflow.report import Report

    assert isinstance(report, Report)
    console = standard_output(no_color=no_color)
    to_terminal(
        report,
        console,
        summary=summary(report),
        verbose=verbose,
        unfold=unfold,
        hint="full report: --html report.html · every number: --csv numbers.csv · "
        "what a measure means: infoflow measures",
    )
    console.print()
