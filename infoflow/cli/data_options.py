"""Options of commands that run a network on data, and how their words are read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infoflow.activations.request import ActivationRequest
from infoflow.errors import SelectionError
from infoflow.memory import parse_bytes

PANEL = "Data"


class Precision(StrEnum):
    """Of the network's run; the measures compute in float64."""

    float32 = "float32"
    float64 = "float64"
    bfloat16 = "bfloat16"
    float16 = "float16"


Data = Annotated[
    str | None,
    typer.Option(
        help="Run the network on data and measure its activations: mnist, fashion-mnist, kmnist, "
        "cifar10, cifar100, svhn, npz:PATH, folder:PATH, path/file.py:function, hf:PATH, or "
        "shapes, which needs no file.",
        metavar="DATA",
        rich_help_panel=PANEL,
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the named sets (NAME/test.npz); else the variable INFOFLOW_DATA.",
        rich_help_panel=PANEL,
    ),
]
Download = Annotated[
    bool, typer.Option("--download", help="Fetch a named set.", rich_help_panel=PANEL)
]
Split = Annotated[str, typer.Option(help="test, train, …", rich_help_panel=PANEL)]
Samples = Annotated[
    int, typer.Option(min=0, help="Samples to draw; 0 for all.", rich_help_panel=PANEL)
]
BatchSize = Annotated[
    int,
    typer.Option(
        min=1, help="Samples run at a time; no figure depends on it.", rich_help_panel=PANEL
    ),
]
Mean = Annotated[
    str | None,
    typer.Option(
        help="Of each channel, such as 0.485,0.456,0.406; else the network's own.",
        rich_help_panel=PANEL,
    ),
]
Std = Annotated[str | None, typer.Option(help="Likewise.", rich_help_panel=PANEL)]
PrecisionChoice = Annotated[
    Precision, typer.Option("--precision", help="Of the network's run.", rich_help_panel=PANEL)
]
Sigma = Annotated[
    str,
    typer.Option(
        help="Width of the kernels: half-median, median, silverman, silverman-printed, scaled, "
        "alignment, or a number.",
        metavar="RULE",
        rich_help_panel=PANEL,
    ),
]
Alpha = Annotated[
    str | None,
    typer.Option(
        help="Order of the papers' matrix-based functional: any number above 0, 1, or inf; "
        "else the preset's, or 1.01.",
        metavar="ALPHA",
        rich_help_panel=PANEL,
    ),
]
PresetName = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help="Published convention of the papers' functional (kernel, its width, α): ren, "
        "ren-error, gir, tapia, ipdl, brain-ib.",
        metavar="NAME",
        rich_help_panel=PANEL,
    ),
]
Standardise = Annotated[
    bool,
    typer.Option(
        "--standardise",
        help="Divide features by their standard deviation before distances are taken.",
        rich_help_panel=PANEL,
    ),
]
Permutations = Annotated[
    int,
    typer.Option(
        min=0,
        help="Of the nulls; 0 for exact moments (of the papers' form there are none).",
        rich_help_panel=PANEL,
    ),
]
MemoryBudget = Annotated[
    str,
    typer.Option("--mem-budget", help="Of the activations, such as 2GB.", rich_help_panel=PANEL),
]

Ensemble = Annotated[
    bool,
    typer.Option(
        "--ensemble",
        help="Report the files as one network too: what they are unsure of together, and what "
        "they disagree on. Needs --data.",
        rich_help_panel=PANEL,
    ),
]


def numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    """Read ``0.485,0.456,0.406``.

    Raises:
        SelectionError: It is not of that form.

    >>> numbers("0.5,1", "--mean")
    (0.5, 1.0)
    """
    if text is None:
        return None
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise SelectionError(
            f"{option} {text!r} is no list of numbers such as 0.485,0.456,0.406."
        ) from None


def rule(text: str) -> str | float:
    """The name of a rule, or σ itself."""
    try:
        return float(text)
    except ValueError:
        return text


def order(text: str | None) -> float | None:
    """Rényi's α, None where none was given.

    Raises:
        SelectionError: It is no number above 0.

    >>> order("inf"), order("1.01"), order(None)
    (inf, 1.01, None)
    """
    if text is None:
        return None
    try:
        alpha = float(text)
    except ValueError:
        alpha = -1.0
    if not alpha > 0:
        raise SelectionError(f"--alpha {text!r} is no number above 0, such as 1.01, 2 or inf.")
    return alpha


def request(
    data: str | None,
    *,
    root: Path | None,
    download: bool,
    split: str,
    samples: int,
    batch_size: int,
    mean: str | None,
    std: str | None,
    precision: Precision,
    sigma: str,
    permutations: int,
    memory: str,
    device: str,
    seed: int,
    alpha: str | None = None,
    preset: str | None = None,
    standardise: bool = False,
) -> ActivationRequest | None:
    """What was asked of the activations; None without ``--data``.

    Raises:
        SelectionError: A word cannot be read.
    """
    if data is None:
        idle = {
            "--data-root": root is not None,
            "--download": download,
            "--split": split != "test",
            "--samples": samples != ActivationRequest.samples,
            "--mean": mean is not None,
            "--std": std is not None,
            "--precision": precision is not Precision.float32,
            "--sigma": sigma != ActivationRequest.sigma,
            "--permutations": permutations != 0,
            "--alpha": alpha is not None,
            "--preset": preset is not None,
            "--standardise": standardise,
        }
        for option in (option for option, given in idle.items() if given):
            raise SelectionError(
                f"{option} says nothing without data: say which, such as --data shapes."
            )
        return None
    return ActivationRequest(
        data,
        split=split,
        samples=samples,
        root=root,
        download=download,
        mean=numbers(mean, "--mean"),
        std=numbers(std, "--std"),
        batch_size=batch_size,
        device=device,
        precision=precision.value,
        seed=seed,
        sigma=rule(sigma),
        standardise=standardise,
        alpha=order(alpha),
        preset=preset or "",
        permutations=permutations,
        memory=parse_bytes(memory, "--mem-budget"),
    )
