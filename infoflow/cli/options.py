"""Options that several commands share, and how their words are read."""

from __future__ import annotations

import math
import re
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infoflow.errors import CheckpointError, SelectionError


class Format(StrEnum):
    """File format of plots."""

    png = "png"
    svg = "svg"
    pdf = "pdf"


class WeightsChoice(StrEnum):
    """Which weights of a file that holds two sets."""

    auto = "auto"
    ema = "ema"
    raw = "raw"


Arch = Annotated[
    str | None,
    typer.Option(
        help="Architecture of a file that is not recognised: torchvision:NAME, timm:NAME or "
        "path/model.py:factory (runs that file).",
        metavar="SPEC",
    ),
]
InputSize = Annotated[
    str | None,
    typer.Option(
        help="Size of the network's input, such as 224 or 224x320; without an architecture, of "
        "every convolution's.",
        metavar="SIZE",
    ),
]
Layers = Annotated[
    list[str] | None,
    typer.Option(
        help="Layers to take: globs ('features.*'), exclusions ('!*.downsample.*') and types "
        "(type:dense); again or with commas for several.",
        metavar="PATTERN",
    ),
]
Weights = Annotated[
    WeightsChoice, typer.Option(help="Which weights, where a file also holds averaged ones.")
]
TrustPickle = Annotated[
    bool,
    typer.Option("--trust-pickle", help="Let a pickled file run its code; only if you trust it."),
]
JsonFile = Annotated[str | None, typer.Option("--json", help="Write JSON (- for standard output).")]
CsvFile = Annotated[
    str | None, typer.Option("--csv", help="Write a row a number (- for standard output).")
]
MarkdownFile = Annotated[
    str | None, typer.Option("--markdown", help="Write Markdown (- for standard output).")
]
HtmlFile = Annotated[
    str | None, typer.Option("--html", help="Write one HTML file (- for standard output).")
]
PlotsFolder = Annotated[Path | None, typer.Option("--plots", help="Draw plots into this folder.")]
PlotsFormat = Annotated[Format, typer.Option("--format", help="Of the plots.")]
OutFolder = Annotated[
    Path | None, typer.Option("--out", help="Write all of them into this folder.")
]
Fast = Annotated[bool, typer.Option("--fast", help="Coarser tolerances; the report says so.")]
Seed = Annotated[int, typer.Option(min=0, help="Of random frequencies and draws.")]
Reference = Annotated[
    str,
    typer.Option(
        help="Healthy networks to place layers among: default (shipped and your own), shipped, "
        "none, or a table's file (`infoflow reference`).",
        metavar="TABLE",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="No colours.")]
CheckpointPath = Annotated[
    Path, typer.Argument(help="A checkpoint file or model folder.", show_default=False)
]


_MOST_DIGITS, _MOST_POSITIONS = 7, 10**15
"""Of one side of an input, and of all: beyond, their products leave 64-bit integers."""


def input_size(text: str | None) -> tuple[int, ...] | None:
    """Read ``224`` (square), ``224x320`` or ``16x224x224``.

    Raises:
        SelectionError: It is not of that form, or a number is not positive.

    >>> input_size("224"), input_size("224x320")
    ((224, 224), (224, 320))
    """
    if text is None:
        return None
    if not re.fullmatch(r"[1-9]\d*([x×][1-9]\d*){0,2}", text):
        raise SelectionError(f"--input-size {text!r} is not a size such as 224 or 224x320.")
    words = re.split("[x×]", text)
    numbers = tuple(int(word[: _MOST_DIGITS + 1]) for word in words)
    numbers = numbers * 2 if len(numbers) == 1 else numbers
    if max(numbers) >= 10**_MOST_DIGITS or math.prod(numbers) > _MOST_POSITIONS:
        shown = text if len(text) <= 40 else f"{text[:39]}…"
        raise SelectionError(f"--input-size {shown} is larger than any input; such as 224.")
    return numbers


def must_exist(path: Path) -> None:
    """Refuse an input that is not there, before any work.

    Raises:
        CheckpointError: There is none of that name, or it may not be looked at.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(f"{path}: there is no such file or folder.") from None
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise CheckpointError(f"{path}: cannot be read ({reason})") from None


def command() -> str:
    """The command as typed, for an output's section on how to reproduce it."""
    return shlex.join(["infoflow", *sys.argv[1:]])
