"""``infoflow prune``: filters made dead, and what that costs beside chance and the norm."""

from __future__ import annotations

from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infoflow.cli import data_options, options
from infoflow.errors import OutputError

if TYPE_CHECKING:
    from infoflow.pruning import Pruned

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
    share: Annotated[
        float, typer.Option(help="Of the filters, between 0 and 1; one of each layer stays.")
    ] = 0.2,
    across_layers: Annotated[
        bool,
        typer.Option(
            "--across-layers",
            help="The best candidates of all layers together; else the same share of each layer.",
        ),
    ] = False,
    merge: Annotated[
        bool,
        typer.Option(
            "--merge",
            help="Add what a filter gave to the outgoing weights of those that stay (least "
            "squares on the first 256 samples).",
        ),
    ] = False,
    remove: Annotated[
        bool,
        typer.Option(
            "--remove",
            help="Take dead channels out of the tensors where what follows can do without; else "
            "they stay, as 0.",
        ),
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
    from infoflow.cli.prune_table import show

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
            across_layers=across_layers,
            merge=merge,
            remove=remove,
            layers=layers or (),
            arch=arch,
            input_size=options.input_size(input_size),
            weights=weights.value,
            trust_pickle=trust_pickle,
            telling=progress.tell,
        )
    if not quiet and json != "-":
        show(pruned, no_color=no_color)
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
