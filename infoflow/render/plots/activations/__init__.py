"""Plots of activations and outputs, drawn of reports that hold some.

Adding a plot: one file with a function ``draw``, one row in ``PLOTS``.
"""

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

from infoflow.render.plots.activations import (
    calibration,
    data_processing,
    information_profile,
    neuron_histograms,
    redundancy,
)
from infoflow.report import Report

PLOTS: Mapping[str, Callable[[Report], list[Figure]]] = {
    "information-profile": information_profile.draw,
    "data-processing": data_processing.draw,
    "redundancy": redundancy.draw,
    "neuron-histograms": neuron_histograms.draw,
    "calibration": calibration.draw,
}
"""Name of the file and what draws it; it raises ``NothingToDraw``."""
