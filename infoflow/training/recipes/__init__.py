"""Recipes: a TOML file for each published set-up, complete and readable."""

from __future__ import annotations

from pathlib import Path

from infoflow.errors import SelectionError
from infoflow.nearest import nearest
from infoflow.training.reading import from_toml
from infoflow.training.settings import Settings

FOLDER = Path(__file__).parent
ENDING = ".toml"

FINE_TUNE = "fine-tune"
"""What holds for a checkpoint that is trained on, where nothing else is said."""


def names() -> tuple[str, ...]:
    """Of all recipes."""
    return tuple(sorted(file.stem for file in FOLDER.glob(f"*{ENDING}")))


def recipe(name: str) -> Settings:
    """The recipe of a name, or of a TOML file.

    Raises:
        SelectionError: There is none, or a key or value in it is wrong.
    """
    path = Path(name) if name.endswith(ENDING) else FOLDER / f"{name}{ENDING}"
    if not name.endswith(ENDING) and name not in names():
        raise SelectionError(f"There is no recipe {name!r}; {nearest(name, names())}.")
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SelectionError(f"{name}: the recipe cannot be read ({error}).") from error
    return from_toml(text, name)
