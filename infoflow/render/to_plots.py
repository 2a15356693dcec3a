"""A report as plots for print: one file a page, all drawn before the first is written."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infoflow.errors import MissingDependencyError, OutputError
from infoflow.render.files import make_folder, write_all
from infoflow.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# No date and no version: the same report gives the same file.
FORMATS: Mapping[str, Mapping[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""Formats by name, and the metadata of each that is left out."""


@dataclass(frozen=True)
class Plots:
    """What was written, and which plots were left out: ``spectra: why``."""

    written: tuple[Path, ...]
    skipped: tuple[str, ...]


def to_plots(report: Report, folder: str | Path, format: str = "png") -> Plots:
    """Draw every plot that the report has numbers for.

    The files are named after the plot and its page, ``figure1.png``, ``c11-maps-02.png``; no name
    of a layer goes into them. All are drawn before the first is written.

    Args:
        report: What was found.
        folder: Where to; it is made with its parents where it is not there.
        format: ``png`` (300 dots an inch), ``svg`` or ``pdf``.

    Raises:
        OutputError: The format is not known, or the folder cannot be written to.
        MissingDependencyError: matplotlib is not installed.
    """
    _refuse_unknown(format)
    target = make_folder(folder)
    contents, skipped = drawn(report, format)
    written = {target / name: content for name, content in contents.items()}
    write_all(written)
    return Plots(tuple(written), skipped)


def drawn(report: Report, format: str = "png") -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Every plot by the name of its file, and which were left out, each with its reason.

    Raises:
        OutputError: The format is not known.
        MissingDependencyError: matplotlib is not installed.
    """
    contents, skipped = drawn_of("infoflow.render.plots", report, format)
    if report.sites or report.data is not None:
        more, left = drawn_of("infoflow.render.plots.activations", report, format)
        contents, skipped = contents | more, skipped + left
    return contents, skipped


def drawn_of(
    module: str, document: object, format: str
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Every plot of the table ``PLOTS`` of a module, which is imported under our style.

    Raises:
        OutputError: The format is not known.
        MissingDependencyError: matplotlib is not installed.
    """
    _refuse_unknown(format)
    contents: dict[str, bytes] = {}
    skipped: list[str] = []
    with _style():
        for name, figures in _figures(module, document, skipped):
            for number, figure in enumerate(figures, start=1):
                page = f"-{number:02}" if len(figures) > 1 else ""
                contents[f"{name}{page}.{format}"] = rendered(figure, format)
    return contents, tuple(skipped)


def picture(draw: Callable[[], Figure], format: str) -> bytes:
    """One figure, drawn under our style, as the bytes of a file.

    Raises:
        OutputError: The format is not known.
        MissingDependencyError: matplotlib is not installed.
    """
    _refuse_unknown(format)
    with _style():
        return rendered(draw(), format)


def _refuse_unknown(format: str) -> None:
    if format not in FORMATS:
        raise OutputError(f"Plots cannot be {format!r}; there are {', '.join(FORMATS)}.")


def rendered(figure: Figure, format: str) -> bytes:
    """The figure as the bytes of a file."""
    content = io.BytesIO()
    metadata: dict[str, Any] = dict(FORMATS[format])
    figure.savefig(content, format=format, metadata=metadata)
    return content.getvalue()


def _figures(
    module: str, document: object, skipped: list[str]
) -> Iterator[tuple[str, list[Figure]]]:
    from infoflow.render.plots.sheet import NothingToDraw

    plots: Mapping[str, Callable[[Any], list[Figure]]] = import_module(module).PLOTS
    for name, draw in plots.items():
        try:
            yield name, draw(document)
        except NothingToDraw as reason:
            skipped.append(f"{name}: {reason}")


@contextmanager
def _style() -> Iterator[None]:
    """The defaults of matplotlib under our style, whatever the user's own settings, and back."""
    try:
        import matplotlib
    except ImportError as error:
        raise MissingDependencyError(
            "Plots need matplotlib, which is not installed: pip install matplotlib."
        ) from error
    with as_file(files("infoflow.render") / "style.mplstyle") as path:
        settings = matplotlib.rc_params_from_file(path, use_default_template=True)
    kept = {key: value for key, value in settings.items() if not key.startswith("backend")}
    with matplotlib.rc_context(kept):
        yield
