"""``infoflow diff``: what changed between checkpoints."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infoflow.cli import options
from infoflow.cli.outputs import COMPARISONS, Outputs

if TYPE_CHECKING:
    from infoflow.cli.progress import Progress
    from infoflow.comparison.comparison import Comparison
    from infoflow.sharing import Step


def diff(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Two checkpoints, before and after, or more in a sequence; three or more whose "
            "names differ in one number are sorted by it. Reports (JSON) of analyze do as well.",
            show_default=False,
        ),
    ],
    measures: Annotated[
        str | None,
        typer.Option(
            help="paper, default, all, or names separated by commas (`infoflow measures`).",
            metavar="NAMES",
        ),
    ] = None,
    layers: options.Layers = None,
    arch: options.Arch = None,
    input_size: options.InputSize = None,
    weights: options.Weights = options.WeightsChoice.auto,
    trust_pickle: options.TrustPickle = False,
    fast: options.Fast = False,
    seed: options.Seed = 0,
    json: options.JsonFile = None,
    csv: options.CsvFile = None,
    markdown: options.MarkdownFile = None,
    html: options.HtmlFile = None,
    plots: options.PlotsFolder = None,
    format: options.PlotsFormat = options.Format.png,
    out: options.OutFolder = None,
    top: Annotated[
        int, typer.Option(min=0, help="Layers in the terminal's table; 0 for all.")
    ] = 15,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No table.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Normalisation layers as well.")
    ] = False,
    no_color: options.NoColor = False,
) -> None:
    """Report what changed between checkpoints of one architecture, what changed most first.

    The exit code is 0 whether or not they differ.
    """
    from infoflow.comparing import compare

    outputs = Outputs(json, csv, markdown, html, plots, format, out)
    outputs.check(paths, documents=1)
    for path in paths:
        options.must_exist(path)
    with closing(_Followed(quiet=quiet)) as progress:
        comparison = compare(
            *paths,
            measures=measures,
            layers=layers or (),
            arch=arch,
            input_size=options.input_size(input_size),
            weights=weights.value,
            trust_pickle=trust_pickle,
            fast=fast,
            seed=seed,
            complete=outputs.any,
            progress=progress,
        )
    settings = {**comparison.settings, "command": options.command()}
    comparison = replace(comparison, settings=settings)
    if not quiet and not outputs.on_stdout:
        _show(comparison, top=top, verbose=verbose, no_color=no_color)
    outputs.write([comparison], quiet=quiet, kind=COMPARISONS)


class _Followed:
    """A line of progress for each file in turn, then for the weights."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._label = ""
        self._current: Progress | None = None

    def close(self) -> None:
        """Clear the line."""
        if self._current is not None:
            self._current.close()

    def __call__(self, label: str, step: Step) -> None:
        from infoflow.cli.progress import Progress

        if label != self._label or self._current is None:
            self.close()
            self._label = label
            self._current = Progress(Path(label), quiet=self._quiet)
        self._current(step)


def _show(comparison: Comparison, *, top: int, verbose: bool, no_color: bool) -> None:
    from infoflow.cli.console import standard_output
    from infoflow.render.comparison.to_terminal import to_terminal

    console = standard_output(no_color=no_color)
    to_terminal(
        comparison,
        console,
        top=top,
        verbose=verbose,
        hint="every layer and measure: --html diff.html · every number: --csv diff.csv · "
        "plots: --plots plots/",
    )
    console.print()
