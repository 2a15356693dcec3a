"""Plots of a comparison for print: one file a plot, each a function to figures.

Adding a plot: one file with a function ``draw``, one row in ``PLOTS``.
"""

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

from infoflow.comparison.comparison import Comparison
from infoflow.render.comparison.plots import before_after, flow, totals

PLOTS: Mapping[str, Callable[[Comparison], list[Figure]]] = {
    "before-after": before_after.draw,
    "flow": flow.draw,
    "totals": totals.draw,
}
"""Name of the file and what draws it; it raises ``NothingToDraw``."""
