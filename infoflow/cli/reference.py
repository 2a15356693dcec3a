"""``infoflow reference``: the healthy networks that layers are placed among, and one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infoflow.cli import options
from infoflow.cli.console import say, standard_output

if TYPE_CHECKING:
    from rich.table import Table as Printed

    from infoflow.reference.table import Network, Table

app = typer.Typer(
    help="Healthy networks to place layers among: what there is, and your own.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Which = Annotated[
    str,
    typer.Argument(help="default (shipped and your own), shipped, or a table's file."),
]
QUANTILES = (0, 5, 25, 50, 75, 95, 100)
NARROW = (5, 50, 95)
WIDE = 88
"""Columns of a terminal from which on all quantiles fit."""


@app.command("show")
def show(
    which: Which = "default", json: options.Json = False, no_color: options.NoColor = False
) -> None:
    """Print the quantiles of each quantity in each kind of layers, and the networks."""
    from infoflow.reference.places import choose

    reference = choose(which)
    if json:
        import json as encoder

        print(encoder.dumps(_data(reference.table), ensure_ascii=False, indent=2))  # noqa: T201
        return
    console = standard_output(no_color=no_color)
    console.print(reference.sentence)
    for kind, layers, networks, speaks in _kinds(reference.table):
        silent = "" if speaks else "; too few to say, nothing is placed among them"
        console.print(f"\n{kind}: {layers} layers of {networks} networks{silent}", style="bold")
        console.print(_quantiles(reference.table, kind, console.width))
    console.print(f"\n{_units()}\n", style="dim")
    console.print(_networks(reference.table))


@app.command("add")
def add(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Checkpoints of networks that you know to be healthy."),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            help="What to call it (its file's name otherwise, with folders where that is taken); "
            "one path only."
        ),
    ] = None,
    layers: options.Layers = None,
    arch: options.Arch = None,
    input_size: options.InputSize = None,
    weights: options.Weights = options.WeightsChoice.auto,
    trust_pickle: options.TrustPickle = False,
) -> None:
    """Add networks to your own table; one that is there is analysed anew and replaced."""
    from infoflow.analysis import analyze
    from infoflow.checkpoints import open_checkpoint
    from infoflow.errors import CheckpointError, SelectionError
    from infoflow.reference.gathering import network_of
    from infoflow.reference.naming import names
    from infoflow.reference.places import own, shipped
    from infoflow.reference.table import Table

    if name is not None and len(paths) > 1:
        raise SelectionError("--name takes one path.")
    _check_place()
    mine, theirs = own(), {network.digest: network.name for network in shipped().networks}
    fresh: dict[str, Path] = {}
    for path in paths:
        options.must_exist(path)
        digest = open_checkpoint(path, weights=weights.value, trust_pickle=trust_pickle).digest()
        if digest in theirs:
            say(f"{path} is in the shipped table already, as {theirs[digest]}")
        elif digest in fresh:
            say(f"{path} holds the same as {fresh[digest].name}, which is added")
        else:
            fresh[digest] = path
    taken = {one.name for one in mine.without(fresh).networks} | set(theirs.values())
    if name in taken:
        raise SelectionError(f"--name {name!r}: another network has that name; choose another.")
    called = names(fresh, taken) if name is None else dict.fromkeys(fresh, name)
    found: dict[str, Network] = {}
    for digest, path in fresh.items():
        report = analyze(
            path,
            layers=layers or (),
            arch=arch,
            input_size=options.input_size(input_size),
            weights=weights.value,
            trust_pickle=trust_pickle,
            complete=False,
            reference="none",
        )
        about = {"source": "your own", "file": path.name}
        network = network_of(report, called[digest], digest, about)
        if not network.layers:
            raise CheckpointError(f"{path}: holds no layer that is compared with others.")
        for finding in report.findings:
            if finding.severity == "serious":
                say(f"{path} has a serious finding, is it healthy? {finding.sentence}")
        found[digest] = network
    if found:
        _write(mine.merged(Table(tuple(found.values()))))
    for network in found.values():
        say(f"added {network.name}: {_layers(network)}")


@app.command("remove")
def remove(
    names: Annotated[list[str], typer.Argument(help="Names, or the first digits of SHA-256s.")],
) -> None:
    """Remove networks from your own table."""
    from infoflow.errors import ReferenceTableError
    from infoflow.nearest import nearest
    from infoflow.reference.places import own, user_file
    from infoflow.words import joined

    mine, gone = own(), {}
    for name in names:
        found = [
            one
            for one in mine.networks
            if one.name == name or (len(name) >= 6 and one.digest.startswith(name.lower()))
        ]
        if not found:
            known = nearest(name, [one.name for one in mine.networks])
            raise ReferenceTableError(f"{user_file()}: holds no network called {name!r}; {known}.")
        if len(found) > 1:
            digests = joined([one.digest[:12] for one in found])
            raise ReferenceTableError(
                f"{user_file()}: holds {len(found)} networks called {name!r}; remove one by the "
                f"first digits of its SHA-256: {digests}."
            )
        gone[found[0].digest] = found[0].name
    _write(mine.without(gone))
    for name in gone.values():
        say(f"removed {name}")


@app.command("path")
def path() -> None:
    """Print where your own table is kept (the variable INFOFLOW_REFERENCE says otherwise)."""
    from infoflow.reference.places import user_file

    print(user_file())  # noqa: T201


def _check_place() -> None:
    """Refuse, before any work, a table in a folder that is not there and that nobody expects."""
    from infoflow.errors import ReferenceTableError
    from infoflow.reference.places import default_file, user_file

    place = user_file()
    if place != default_file() and not place.absolute().parent.is_dir():
        raise ReferenceTableError(
            f"{place} (INFOFLOW_REFERENCE): its folder does not exist; make it or name another."
        )
    if place.is_dir():
        raise ReferenceTableError(f"{place} (INFOFLOW_REFERENCE): is a folder; name a file in it.")


def _write(table: Table) -> None:
    from infoflow.reference.places import default_file, user_file
    from infoflow.reference.storing import to_json
    from infoflow.render.files import make_folder, write_text

    place = user_file()
    if place == default_file():
        make_folder(place.parent)
    write_text(place, to_json(table))


def _kinds(table: Table) -> list[tuple[str, int, int, bool]]:
    from infoflow.reference.strata import STRATA

    counted = [(kind, *table.counts(kind), table.speaks(kind)) for kind in STRATA]
    return [one for one in counted if one[1]]


def _units() -> str:
    from infoflow.reference.quantities import QUANTITIES

    return "; ".join(f"{quantity.words}: {quantity.unit}" for quantity in QUANTITIES)


def _quantiles(table: Table, kind: str, width: int) -> Printed:
    from rich import box
    from rich.table import Table as Grid

    from infoflow.reference.quantities import QUANTITIES

    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    grid.add_column("quantity", no_wrap=True)
    shown = QUANTILES if width >= WIDE else NARROW
    for percent in shown:
        grid.add_column(f"{percent} %", justify="right", no_wrap=True)
    for quantity in QUANTITIES:
        healthy = table.distribution(kind, quantity.name)
        if healthy is not None:
            numbers = [quantity.shown(healthy.quantile(percent)) for percent in shown]
            grid.add_row(quantity.words, *numbers)
    return grid


def _networks(table: Table) -> Printed:
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    from infoflow.render.text import printable

    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("network", "layers", "quality", "source", "SHA-256"):
        grid.add_column(heading, overflow="fold", vertical="top")
    for one in table.networks:
        said = [one.about.get(key, "") for key in ("quality", "source")]
        cells = [one.name, _layers(one), *said, one.digest[:12]]
        grid.add_row(*(Text(printable(cell)) for cell in cells))
    return grid


def _layers(network: Network) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in network.layers.items())


def _data(table: Table) -> dict[str, object]:
    """What ``show`` prints, for programs: quantiles in the unit of the stored values."""
    from infoflow.reference.quantities import QUANTITIES

    kinds = {}
    for kind, layers, networks, speaks in _kinds(table):
        quantiles = {
            quantity.name: {str(percent): healthy.quantile(percent) for percent in QUANTILES}
            for quantity in QUANTITIES
            if (healthy := table.distribution(kind, quantity.name)) is not None
        }
        kinds[kind] = {
            "layers": layers,
            "networks": networks,
            "speaks": speaks,
            "quantiles": quantiles,
        }
    return {
        "digest": table.digest,
        "quantities": {quantity.name: quantity.definition for quantity in QUANTITIES},
        "kinds": kinds,
        "networks": [
            {"name": one.name, "digest": one.digest, "layers": dict(one.layers), **one.about}
            for one in table.networks
        ],
    }
