"""``infoflow extract``: one of a layer's matrices, as a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infoflow.cli import options
from infoflow.cli.outputs import spare_inputs
from infoflow.errors import OutputError, SelectionError

if TYPE_CHECKING:
    from infoflow.extraction import Choice

PICTURES = (".png", ".svg", ".pdf")


class What(StrEnum):
    """What can be taken out of a layer."""

    W = "W"
    W_SQUARE = "W-square"
    C_M = "C_M"
    C_M_SQUARE = "C_M-square"
    LAYER = "layer"
    SYMBOL = "symbol"


def extract(
    path: options.CheckpointPath,
    layer: Annotated[
        str,
        typer.Option(
            help="Name of the layer (`infoflow layers`), or a pattern of one.", metavar="NAME"
        ),
    ],
    what: Annotated[
        What,
        typer.Option(
            help="W: dense weight; W-square: completed square W′; C_M: matrix of one filter; "
            "C_M-square: completed C′_M; layer: whole layer's operator; symbol: its matrices at "
            "every frequency.",
        ),
    ] = What.LAYER,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The file: .npz (scipy sparse), .npy (dense), .mtx (Matrix Market) or .mat.",
            metavar="FILE",
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw the sparsity pattern: .png, .svg or .pdf.", metavar="FILE"),
    ] = None,
    slice: Annotated[
        str,
        typer.Option(
            help="Filter of C_M: output channel, input channel of its group.", metavar="O,I"
        ),
    ] = "0,0",
    grid: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1_000_000,
            help="Frequencies of the symbol along each axis; its own positions, else 8.",
        ),
    ] = None,
    input_size: options.InputSize = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how large it will be.")
    ] = False,
    max_memory: Annotated[
        str | None,
        typer.Option(help="Use no more than this, such as 2GB.", metavar="BYTES"),
    ] = None,
    arch: options.Arch = None,
    weights: options.Weights = options.WeightsChoice.auto,
    trust_pickle: options.TrustPickle = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No summary.")] = False,
    no_color: options.NoColor = False,
) -> None:
    """Write one of a layer's matrices: dense weight, filter, whole layer or symbol."""
    from infoflow import extraction
    from infoflow.memory import parse_bytes
    from infoflow.network import open_network
    from infoflow.threads import threads_for

    ending = _check(out, picture, what, dry_run=dry_run)
    spare_inputs(filter(None, (out, picture)), [path])
    limit = extraction.memory_limit(
        None if max_memory is None else parse_bytes(max_memory, "--max-memory")
    )
    wanted = extraction.Wanted(what.value, _slice(slice), grid)
    size = options.input_size(input_size)
    opened = open_network(
        path, arch=arch, input_size=size, weights=weights.value, trust_pickle=trust_pickle
    )
    choice = extraction.choose(opened, layer, wanted, size)
    title = extraction.headline(choice, path.name)
    if dry_run:
        _show(title, extraction.size_rows(choice, ending, limit), no_color=no_color)
        return
    extraction.refuse_too_large(choice, ending, limit)
    read = choice.layer.read_whole()
    matrix = extraction.build(choice, read, ending)
    opened.checkpoint.check()
    _write(choice, matrix, title, out, picture, quiet=quiet)
    if not quiet:
        with threads_for(choice.layer.summary.shape):
            rows = extraction.summary_rows(choice, read, matrix)
        _show(title, rows, no_color=no_color)


def _check(out: Path | None, picture: Path | None, what: What, *, dry_run: bool) -> str:
    """Refuse what cannot be written, before any work; the ending of the matrix's file."""
    from infoflow.render.text import printable
    from infoflow.render.to_matrix import ending_of

    if out is None and picture is None and not dry_run:
        raise OutputError("Say where the matrix goes, such as --out matrix.npz; or --dry-run.")
    for path, option in ((out, "--out"), (picture, "--picture")):
        if path is None:
            continue
        shown = printable(str(path))
        if str(path) == "-":
            raise OutputError(f"{option} -: standard output cannot hold it; name a file.")
        if path.is_dir():
            raise OutputError(f"{shown}: is a folder, not a file that can be written.")
        if not path.absolute().parent.is_dir():
            raise OutputError(f"{shown}: its folder does not exist.")
    if picture is not None:
        if what is What.SYMBOL:
            raise OutputError("--picture: the symbol has no sparsity pattern; take --what layer.")
        if picture.suffix.lower() not in PICTURES:
            raise OutputError(
                f"{printable(str(picture))}: a picture is one of {', '.join(PICTURES)}."
            )
    if out is None:
        return ".npy" if what is What.SYMBOL else ".npz"
    return ending_of(out, matrix=what is not What.SYMBOL)


def _slice(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,9})\s*,\s*(\d{1,9})", text.strip())
    if found is None:
        raise SelectionError(f"--slice {text!r} is not an output and an input channel such as 3,0.")
    return int(found[1]), int(found[2])


def _write(
    choice: Choice,
    matrix: Any,
    title: str,
    out: Path | None,
    picture: Path | None,
    *,
    quiet: bool,
) -> None:
    """Both files, whole or not at all."""
    from infoflow.render.files import Content, write_all
    from infoflow.render.to_matrix import writer

    contents: dict[Path, Content] = {}
    if picture is not None:
        contents[picture] = _picture(choice, matrix, title, picture.suffix.lower()[1:])
    if out is not None:
        contents[out] = writer(matrix, out.suffix.lower(), title)
    write_all(contents)
    if not quiet:
        for path in contents:
            typer.echo(f"wrote {path}", err=True)


def _picture(choice: Choice, matrix: Any, title: str, format: str) -> bytes:
    from infoflow.extraction import sides
    from infoflow.render.pattern import pattern
    from infoflow.render.to_plots import picture

    found = sides(choice)
    assert found is not None  # the symbol was refused

    def draw() -> Any:
        from infoflow.render.plots.sparsity import draw as draw_pattern

        return draw_pattern(pattern(matrix, *found), title)

    return picture(draw, format)


def _show(title: str, rows: Sequence[tuple[str, str]], *, no_color: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from infoflow.cli.console import standard_output
    from infoflow.render.text import printable

    console = standard_output(no_color=no_color)
    console.print(Text(printable(title), style="bold"))
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows:
        table.add_row(Text(f" {label}", style="dim"), Text(printable(text)))
    console.print(table)
