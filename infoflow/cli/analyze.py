"""``infoflow analyze``: the main job."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infoflow.activations.request import ActivationRequest
from infoflow.cli import data_options, options
from infoflow.cli.outputs import Outputs
from infoflow.errors import SelectionError
from infoflow.report import PARTIAL, Report

INTERRUPTED = 130
"""Exit code of a command that was interrupted."""
ENSEMBLE = "ensemble"
"""Folder of the ensemble's report beside those of its members."""


class Engine(StrEnum):
    """Where layers are measured (`infoflow.engines.ENGINES`)."""

    processes = "processes"
    ray = "ray"


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
    fast: options.Fast = False,
    seed: options.Seed = 0,
    workers: Annotated[
        int, typer.Option(min=1, help="Layers measured at a time, each by a process of its own.")
    ] = 1,
    engine: Annotated[
        Engine, typer.Option(help="processes of this machine, or ray for a cluster.")
    ] = Engine.processes,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Keep the layers that are done in this file; a run that was interrupted goes on "
            "from it. Removed at the end."
        ),
    ] = None,
    reference: options.Reference = "default",
    data: data_options.Data = None,
    ensemble: data_options.Ensemble = False,
    data_root: data_options.DataRoot = None,
    download: data_options.Download = False,
    split: data_options.Split = "test",
    samples: data_options.Samples = 1000,
    batch_size: data_options.BatchSize = 128,
    mean: data_options.Mean = None,
    std: data_options.Std = None,
    precision: data_options.PrecisionChoice = data_options.Precision.float32,
    sigma: data_options.Sigma = "half-median",
    alpha: data_options.Alpha = None,
    preset: data_options.PresetName = None,
    standardise: data_options.Standardise = False,
    permutations: data_options.Permutations = 0,
    mem_budget: data_options.MemoryBudget = "2GB",
    json: options.JsonFile = None,
    csv: options.CsvFile = None,
    markdown: options.MarkdownFile = None,
    html: options.HtmlFile = None,
    plots: options.PlotsFolder = None,
    format: options.PlotsFormat = options.Format.png,
    out: options.OutFolder = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No table.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Normalisation layers and every note as well.")
    ] = False,
    no_color: options.NoColor = False,
) -> None:
    """Report where a trained network keeps entropy and where it loses it, layer by layer."""
    from infoflow.analysis import InterruptedAnalysis
    from infoflow.analysis import analyze as run
    from infoflow.cli.progress import Progress

    outputs = Outputs(json, csv, markdown, html, plots, format, out)
    outputs.check(paths, journal=resume, further=[ENSEMBLE] if ensemble else [])
    if resume is not None and len(paths) > 1:
        raise SelectionError(f"--resume keeps the layers of one input, not of {len(paths)}.")
    for path in paths:
        options.must_exist(path)
    activity = data_options.request(
        data, root=data_root, download=download, split=split, samples=samples,
        batch_size=batch_size, mean=mean, std=std, precision=precision, sigma=sigma,
        permutations=permutations, memory=mem_budget, device=device, seed=seed,
        alpha=alpha, preset=preset, standardise=standardise,
    )  # fmt: skip
    reports: list[Report] = []
    together = None
    if ensemble:
        # First, so that what cannot be one ensemble shows before the long work.
        together = _ensemble(
            paths, activity, arch=arch, input_size=input_size, weights=weights.value,
            trust_pickle=trust_pickle, complete=outputs.any, quiet=quiet,
        )  # fmt: skip
    for path in paths:
        interrupted = False
        with _interruptible(resume, activity), closing(Progress(path, quiet=quiet)) as progress:
            try:
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
                    workers=workers,
                    engine=engine.value,
                    resume=resume,
                    reference=reference,
                    data=activity,
                    progress=progress,
                    telling=progress.tell,
                )
            except InterruptedAnalysis as interruption:
                report, interrupted = interruption.report, True
        report = replace(report, settings={**report.settings, "command": options.command()})
        reports.append(report)
        if not quiet and not outputs.on_stdout:
            _show(report, verbose=verbose, unfold=bool(layers), no_color=no_color)
        if interrupted:
            outputs.write(reports, quiet=quiet)
            print(f"infoflow: {report.settings[PARTIAL]}", file=sys.stderr)  # noqa: T201
            raise typer.Exit(INTERRUPTED)
    if together is not None:
        reports.append(together)
        if not quiet and not outputs.on_stdout:
            _show(together, verbose=verbose, unfold=False, no_color=no_color)
    outputs.write(reports, quiet=quiet)
    if resume is not None:
        resume.unlink(missing_ok=True)


def _ensemble(
    paths: list[Path],
    activity: ActivationRequest | None,
    *,
    arch: str | None,
    input_size: str | None,
    weights: str,
    trust_pickle: bool,
    complete: bool,
    quiet: bool,
) -> Report:
    """The report of the files as one network."""
    from infoflow.cli.progress import Progress

    if activity is None:
        raise SelectionError(
            "--ensemble runs the networks on data: say which with --data, such as --data shapes."
        )
    if len(paths) < 2:
        raise SelectionError("--ensemble needs two files or more, and one was given.")
    from infoflow.ensembles import ensemble

    with closing(Progress(Path(ENSEMBLE), quiet=quiet)) as progress:
        found = ensemble(
            paths,
            data=activity,
            arch=arch,
            input_size=options.input_size(input_size),
            weights=weights,
            trust_pickle=trust_pickle,
            complete=complete,
            telling=progress.tell,
        )
    return replace(found, settings={**found.settings, "command": options.command()})


@contextmanager
def _interruptible(resume: Path | None, activity: ActivationRequest | None) -> Iterator[None]:
    """Say to somebody who interrupts the work what is kept; SIGTERM interrupts as Ctrl-C does."""
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        if resume is not None:
            kept = f"The layers that are done are in {resume}; the same command goes on from there."
        elif activity is not None:
            kept = "Interrupted before any site was measured: nothing is written."
        else:
            kept = "Nothing is written; with --resume FILE the layers that are done would be kept."
        print(kept, file=sys.stderr)  # noqa: T201
        raise
    finally:
        signal.signal(signal.SIGTERM, former)


def _show(report: Report, *, verbose: bool, unfold: bool, no_color: bool) -> None:
    from infoflow.cli.console import standard_output
    from infoflow.findings import summary
    from infoflow.render.to_terminal import to_terminal

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
