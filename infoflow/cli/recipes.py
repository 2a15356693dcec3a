"""``infoflow recipes``: set-ups that `infoflow train` knows by name."""

from __future__ import annotations

from typing import Annotated

import typer

from infoflow.cli import options


def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Print this recipe's TOML.", show_default=False)
    ] = None,
    json: options.Json = False,
    no_color: options.NoColor = False,
) -> None:
    """List the recipes of `infoflow train`, or print one."""
    from infoflow.cli.lists import show
    from infoflow.training import recipes as home

    if name is not None:
        home.recipe(name)
        typer.echo((home.FOLDER / f"{name}{home.ENDING}").read_text("utf-8"), nl=False)
        return
    rows = []
    for one in home.names():
        settings = home.recipe(one)
        rows.append(
            {
                "name": one,
                "title": settings.title,
                "network": settings.network.name or "a checkpoint",
                "data": settings.data.name or "--data",
                "entropy losses": " ".join(settings.loss.entropy),
                "source": settings.source,
            }
        )
    show(rows, ["name", "title", "network", "data", "entropy losses"], json, no_color)
