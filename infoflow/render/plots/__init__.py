"""Plots for print: one file a plot, each a function from a report to figures.

Adding a plot: one file with a function ``draw``, one row in ``PLOTS``.
"""

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

from infoflow.render.plots import c11_maps, figure1, filter_similarity, log_volume, spectra
from infoflow.report import Report

PLOTS: Mapping[str, Callable[[Report], list[Figure]]] = {
    "figure1": figure1.draw,
    "log-volume": log_volume.draw,
    "spectra": spectra.draw,
    "c11-maps": c11_maps.draw,
    "filter-similarity": filter_similarity.draw,
}
"""Name of the file (never a layer's name) and what draws it; it raises ``NothingToDraw``."""
