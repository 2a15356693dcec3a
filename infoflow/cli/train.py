"""``infoflow train``: networks trained with entropy losses, killed at any moment and resumed."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infoflow.cli import data_options, options
from infoflow.cli.console import say

if TYPE_CHECKING:
    from infoflow.training.loop import Progress
    from infoflow.training.settings import Settings

RUNS = Path("runs")
PROPOSED = 5
"""Steps that --find-lambda looks at."""


class Device(StrEnum):
    """Where the network runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def train(
    what: Annotated[
        str,
        typer.Argument(
            help="A recipe (`infoflow recipes`, or a TOML file), a checkpoint to train on, a "
            "network (fnn, autoencoder, cnn, lenet5, resnet, vgg16, unet, transformer, "
            "torchvision:NAME, path/file.py:factory), or with --resume a run's folder.",
            metavar="RECIPE|CHECKPOINT|NETWORK",
            show_default=False,
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            help="As of `infoflow analyze`: mnist, cifar10, npz:PATH, folder:PATH, hf:PATH, "
            "path/file.py:function, shapes, shapes:masks, …",
            metavar="DATA",
            rich_help_panel=data_options.PANEL,
        ),
    ] = None,
    data_root: data_options.DataRoot = None,
    download: data_options.Download = False,
    entropy_loss: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=λ[,setting=value…][:LAYERS], such as conv=0.01:first (`infoflow losses`); "
            "again for several.",
            metavar="LOSS",
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Of the optimizer.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes through the data.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of all that is drawn.")] = None,
    device: Annotated[Device | None, typer.Option(help="Else a GPU where there is one.")] = None,
    arch: options.Arch = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any setting, such as optimizer.learning_rate=0.01; again for several.",
            metavar="KEY=VALUE",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; else runs/ and the name.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run there.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew where a run is there.")
    ] = False,
    find_lambda: Annotated[
        bool,
        typer.Option(
            "--find-lambda",
            help="Train nothing; propose for each entropy loss the strength that gives its "
            "gradient a tenth of the task's.",
        ),
    ] = False,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Leave the report at the end out.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Train a network with entropy losses, or train a checkpoint on."""
    given = {
        "data.name": data, "data.root": data_root and str(data_root), "network.arch": arch,
        "run.seed": seed, "run.device": device and device.value,
    }  # fmt: skip
    settings, folder = _settings(what, out, resume=resume)
    settings = _changed(settings, given, steps, epochs, entropy_loss, set_ or [], download=download)
    if find_lambda:
        _propose(settings)
        return
    from infoflow.training.train import is_main
    from infoflow.training.train import train as run

    quiet = quiet or not is_main()
    with closing(_Line(quiet=quiet)) as line:
        try:
            trained = run(
                settings, folder, resume=resume, overwrite=overwrite,
                telling=line.tell, watching=line.watch,
            )  # fmt: skip
        except KeyboardInterrupt:
            line.close()
            say(f"The run goes on with: infoflow train {folder} --resume", quiet=quiet)
            raise
    if not trained.main:
        return
    say(f"wrote {folder}/model.safetensors", quiet=quiet)
    if not no_report:
        from infoflow.training.report import write_report

        for file in write_report(folder):
            say(f"wrote {file}", quiet=quiet)
    figures = " · ".join(f"{name} {value:.4f}" for name, value in trained.figures.items())
    typer.echo(f"{folder} · {trained.task} · {trained.steps:,} steps · test: {figures}")


def _settings(what: str, out: Path | None, *, resume: bool) -> tuple[Settings, Path]:
    """What the first word names, and the run's folder."""
    from infoflow.training.recipes import ENDING, FINE_TUNE, names, recipe
    from infoflow.training.run_folder import RUN, RunFolder
    from infoflow.training.settings import NetworkSettings, Settings

    path = Path(what)
    if resume and (path / RUN).is_file():
        return RunFolder(path).recorded()[0], path
    folder = out if out is not None else RUNS / _stem(what)
    if what in names() or what.endswith(ENDING):
        return recipe(what), folder
    network = NetworkSettings(what)
    if path.exists():
        return replace(recipe(FINE_TUNE), title=f"{what}, trained on", network=network), folder
    return Settings(network=network), folder


def _stem(what: str) -> str:
    """A folder's name for what is trained."""
    last = Path(what.rpartition(":")[2] if ":" in what else what)
    return last.stem or "run"


def _changed(
    settings: Settings,
    given: Mapping[str, object],
    steps: int | None,
    epochs: int | None,
    entropy: list[str] | None,
    assignments: list[str],
    *,
    download: bool,
) -> Settings:
    """The settings with what the options say."""
    from infoflow.errors import SelectionError
    from infoflow.training.reading import changed, with_values

    if steps is not None and epochs is not None:
        raise SelectionError("--steps and --epochs both say how long; give one.")
    values = {key: value for key, value in given.items() if value is not None}
    if steps is not None:
        values["run.steps"] = steps
    if epochs is not None:
        values |= {"run.epochs": epochs, "run.steps": 0}
    if entropy is not None:
        values["loss.entropy"] = tuple(entropy)
    if download:
        values["data.download"] = True
    return changed(with_values(settings, values), assignments)


def _propose(settings: Settings) -> None:
    from infoflow.training.strengths import propose

    for name, strength in propose(settings, PROPOSED).items():
        typer.echo(f"{name}\t{strength:.3g}")


class _Line:
    """Rows as a line that is rewritten on a terminal, or as plain sentences after each test."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty() and not quiet
        self._dirty = False

    def close(self) -> None:
        """Clears the line."""
        if self._dirty:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._dirty = False

    def tell(self, sentence: str) -> None:
        """A sentence that stays."""
        self.close()
        say(sentence, quiet=self._quiet)

    def watch(self, progress: Progress) -> None:
        """A row."""
        if progress.split == "test":
            self.tell(row_text(progress))
        elif self._live:
            from infoflow.cli.progress import duration

            left = f" · {duration(progress.left)} left" if progress.left is not None else ""
            text = row_text(progress, _columns() - 1 - len(left))
            sys.stderr.write(f"\r\x1b[2K{text}{left}")
            sys.stderr.flush()
            self._dirty = True


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        return 80


def row_text(progress: Progress, width: int | None = None) -> str:
    """A row in words.

    Args:
        progress: With the row's values.
        width: Of the line, None for any; figures that do not fit are left out, the last first.
    """
    kind = "test: " if progress.split == "test" else ""
    text = f"step {progress.done:,}/{progress.total:,} · epoch {progress.epoch}/{progress.epochs}"
    shown = [(name, one) for name, one in progress.values.items() if name != "learning_rate"]
    for place, (name, value) in enumerate(shown):
        part = f" · {kind if place == 0 else ''}{name} {value:.4g}"
        if width is not None and len(text) + len(part) > width:
            break
        text += part
    return text
