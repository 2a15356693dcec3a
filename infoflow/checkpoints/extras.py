"""Packages that only some formats need, imported when such a file is read."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from infoflow.errors import MissingDependencyError, first_line

PACKAGES = {"onnx": "onnx", "keras": "h5py", "gguf": "gguf"}
"""The package that each extra brings."""


def installed(extra: str) -> bool:
    """Whether the package of an extra is there; it is not imported."""
    return find_spec(PACKAGES[extra]) is not None


def needed(extra: str, what: str) -> ModuleType:
    """Imports the package of an extra.

    Args:
        extra: The name of infoflow's extra.
        what: What needs it, as the beginning of the sentence.

    Raises:
        MissingDependencyError: where it is not installed or does not work; names the command.
    """
    package = PACKAGES[extra]
    try:
        return import_module(package)
    except Exception as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name == package
        why = "is not installed" if absent else f"cannot be imported ({first_line(error)})"
        raise MissingDependencyError(
            f"{what} needs the package {package}, which {why}: pip install 'infoflow[{extra}]'"
        ) from None
