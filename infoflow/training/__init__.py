"""Training with entropy losses: settings and recipes, the loop, and a run's folder.

The names below need torch; settings and recipes do not.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from infoflow.training.reading import changed, from_toml
from infoflow.training.settings import Settings

if TYPE_CHECKING:
    from infoflow.training.train import Trained as Trained
    from infoflow.training.train import train as train

__all__ = ["Settings", "Trained", "changed", "from_toml", "train"]


def __getattr__(name: str) -> object:
    if name in ("Trained", "train"):
        # The module has the function's name: what is bound here is the function.
        found = import_module("infoflow.training.train")
        globals().update({one: getattr(found, one) for one in ("Trained", "train")})
        return globals()[name]
    raise AttributeError(f"module 'infoflow.training' has no attribute {name!r}")
