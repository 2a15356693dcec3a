"""Consoles: colour only where somebody can see it, stable text everywhere else."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 100


def standard_output(*, no_color: bool = False) -> Console:
    """A console on standard output.

    Its width is the terminal's (or COLUMNS); without a terminal 100, so that the text in a
    file or a CI log does not depend on where it was made. NO_COLOR is honoured.
    """
    from rich.console import Console

    plain = no_color or "NO_COLOR" in os.environ or not sys.stdout.isatty()
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
    return Console(
        no_color=plain,
        color_system=None if plain else "auto",
        width=width,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )


def say(sentence: str, *, quiet: bool = False) -> None:
    """A sentence on standard error, without control characters from a file's names."""
    if not quiet:
        from infoflow.render.text import printable

        print(printable(sentence), file=sys.stderr)  # noqa: T201
