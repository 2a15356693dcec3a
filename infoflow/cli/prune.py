"""``infoflow prune``: filters made dead, and what that costs beside chance and the norm."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infoflow.cli import data_options, options
from infoflow.errors import OutputError

if TYPE_CHECKING:
    from infoflow.pruning import Pruned
    from infoflow.pruning.effect import Number

ENDING = ".safetensors"


class By(StrEnum):
    """How filters are chosen (`infoflow.pruning.METHODS`)."""

    redundancy = "redundancy"
    norm = "norm"
    random = "random"


def prune(
    path: options.CheckpointPath,
    data: Annotated[
        str,
        typer.Option(
            help="Data with targets to measure the loss on, as of `infoflow analyze`: cifar10, "
            "npz:PATH, folder:PATH, path/file.py:function, shapes, …",
            metavar="DATA",
            show_default=False,
            rich_help_panel=data_options.PANEL,
        ),
    ],
    by: Annotated[
        By,
        typer.Option(
            help="redundancy: filters whose maps repeat others' on the data; norm: those of the "
            "smallest weights; random: by --seed."
        ),
    ] = By.redundancy,
    share: Annotated[float, typer.Option(help="Of the filters, between 0 and 1.")] = 0.2,
    per_layer: Annotated[
        bool,
        typer.Option("--per-layer", help="The share of each layer; else the best of all layers."),
    ] = False,
    layers: options.Layers = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The pruned network, a new .safetensors; without it, only measure.",
            metavar="FILE",
        ),
    ] = None,
    json: options.JsonFile = None,
    arch: options.Arch = None,
    input_size: options.InputSize = None,
    weights: options.Weights = options.WeightsChoice.auto,
    trust_pickle: options.TrustPickle = False,
    device: Annotated[str, typer.Option(help="cpu, or a torch device such as cuda.")] = "cpu",
    seed: Annotated[
        int, typer.Option(min=0, help="Of the samples, and the first of five draws at random.")
    ] = 0,
    data_root: data_options.DataRoot = None,
    download: data_options.Download = False,
    split: data_options.Split = "test",
    samples: data_options.Samples = 1000,
    batch_size: data_options.BatchSize = 128,
    mean: data_options.Mean = None,
    std: data_options.Std = None,
    precision: data_options.PrecisionChoice = data_options.Precision.float32,
    mem_budget: data_options.MemoryBudget = "2GB",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No table.")] = False,
    no_color: options.NoColor = False,
) -> None:
    """Make a share of a network's filters dead, and measure the loss against other choices."""
    from infoflow.cli.progress import Progress

    _check(path, out, json)
    request = data_options.request(
        data, root=data_root, download=download, split=split, samples=samples,
        batch_size=batch_size, mean=mean, std=std, precision=precision, sigma="half-median",
        permutations=0, memory=mem_budget, device=device, seed=seed,
    )  # fmt: skip
    assert request is not None
    with closing(Progress(path, quiet=quiet)) as progress:
        from infoflow.pruning import prune as run

        pruned = run(
            path,
            data=request,
            by=by.value,
            share=share,
            per_layer=per_layer,
            layers=layers or (),
            arch=arch,
            input_size=options.input_size(input_size),
            weights=weights.value,
            trust_pickle=trust_pickle,
            telling=progress.tell,
        )
    if not quiet and json != "-":
        _show(pruned, no_color=no_color)
    _write(pruned, out, json, quiet=quiet)


def _check(path: Path, out: Path | None, json: str | None) -> None:
    """Refuse what cannot be written, before any work."""
    from infoflow.cli.outputs import check_targets, spare_inputs
    from infoflow.render.text import printable

    options.must_exist(path)
    if out is not None and out.suffix.lower() != ENDING:
        raise OutputError(f"{printable(str(out))}: is written as safetensors; end it in {ENDING}.")
    targets = [str(out)] if out is not None else []
    targets += [json] if json is not None else []
    check_targets(targets)
    spare_inputs(targets, [path])


def _write(pruned: Pruned, out: Path | None, json: str | None, *, quiet: bool) -> None:
    """Both files, whole or not at all."""
    from infoflow.cli.console import say
    from infoflow.pruning.writing import report_text, safetensors
    from infoflow.render.files import Content, encoded, write_all

    contents: dict[Path, Content] = {}
    if out is not None:
        contents[out] = safetensors(pruned.tensors, pruned.metadata)
    text = report_text(pruned, options.command()) if json is not None else ""
    if json not in (None, "-"):
        contents[Path(str(json))] = encoded(text)
    write_all(contents)
    if json == "-":
        typer.echo(text, nl=False)
    for place in contents:
        say(f"wrote {place}", quiet=quiet)
    if out is None:
        say("The pruned network was not written; --out pruned.safetensors does.", quiet=quiet)


def _show(pruned: Pruned, *, no_color: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from infoflow.cli.console import standard_output
    from infoflow.render.text import printable

    console = standard_output(no_color=no_color)
    title = f"{Path(pruned.source).name} · {_summary(pruned)}"
    console.print(Text(printable(title), style="bold"))
    for sentence in filter(None, (pruned.data, pruned.preprocessing, *pruned.notes)):
        console.print(Text(printable(f" {sentence}"), style="dim"))
    table = Table(box=None, padding=(0, 2, 0, 1), pad_edge=False)
    heads = ("filters made dead", "loss, nats", "change [95 %]", "accuracy [95 %]")
    for place, head in enumerate(heads):
        table.add_column(Text(head, style="dim"), justify="right" if place else "left")
    for effect in pruned.effects:
        label = LABELS.get(effect.method, f"by {effect.method}")
        change = "" if effect.method == "unpruned" else _figure(effect.change, 3, sign=True)
        row = (label, _figure(effect.loss, 3, ends=False), change, _percent(effect.accuracy))
        table.add_row(*row, style="bold" if effect.method == pruned.method else "")
    console.print()
    console.print(table)
    console.print(Text(f"\n {FOOT}", style="dim"))


LABELS = {
    "unpruned": "none",
    "random": "at random",
    "random-same-layers": "in the same layers",
}

FOOT = (
    "change: of the mean loss, paired over the samples; at random, of the means of five seeds; in "
    "the same layers: at random, as many of each layer as the chosen way takes. Redundancy "
    "is told by the maps of the first 256 of these samples, without labels. A filter that repeats "
    "another may still be needed: what follows was trained with both."
)


def _summary(pruned: Pruned) -> str:
    reasons = Counter(one.reason for one in pruned.removed)
    told = ""
    if pruned.method == "redundancy":
        told = ": " + ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    where = "each layer's" if pruned.per_layer else "all"
    return (
        f"{len(pruned.removed)} of {pruned.filters:,} filters of {len(pruned.layers)} convolutions "
        f"dead, by {pruned.method} among {where}{told}"
    )


def _figure(number: Number, digits: int, *, sign: bool = False, ends: bool = True) -> str:
    if number.value is None:
        return "∞"
    shown = f"{number.value:{'+' if sign else ''}.{digits}f}"
    if ends and number.low is not None and number.high is not None:
        shown += f" [{number.low:.{digits}f}, {number.high:.{digits}f}]"
    return shown


def _percent(number: Number) -> str:
    if number.value is None:
        return "—"
    shown = f"{100 * number.value:.1f} %"
    if number.low is not None and number.high is not None:
        shown += f" [{100 * number.low:.1f}, {100 * number.high:.1f}]"
    return shown
