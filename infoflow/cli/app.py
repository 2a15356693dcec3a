"""The commands, in one table."""

from __future__ import annotations

from typing import Annotated

import typer

from infoflow.cli import (
    analyze,
    check,
    diff,
    extract,
    info,
    layers,
    lists,
    prune,
    recipes,
    reference,
    schema,
    selftest,
    train,
)

app = typer.Typer(
    name="infoflow",
    help="See how information flows through a trained neural network.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"infoflow {version('infoflow')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """See how information flows through a trained neural network."""


app.command("analyze")(analyze.analyze)
app.command("diff")(diff.diff)
app.command("extract")(extract.extract)
app.command("prune")(prune.prune)
app.command("train")(train.train)
app.command("recipes")(recipes.recipes)
app.command("check")(check.check)
app.command("layers")(layers.layers)
app.command("measures")(lists.measures)
app.command("formats")(lists.formats)
app.command("losses")(lists.losses)
app.command("info")(info.info)
app.command("selftest")(selftest.selftest)
app.command("schema")(schema.schema)
app.add_typer(reference.app, name="reference")
