"""Heat maps of log|c₁₁|: one cell a filter slice."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from infoflow.render.plots.panels import Key, Panel, matrix, pages
from infoflow.render.plots.sheet import FLAGGED, NothingToDraw, file_name, sentences
from infoflow.report import LayerSummary, Report, Series


def draw(report: Report) -> list[Figure]:
    """Sixteen layers a page."""
    layers = {layer.name: layer for layer in report.layers}
    chosen = [s for s in report.series if s.name == "c11" and len(s.shape) == 2 and s.values]
    panels = [_panel(series, layers.get(series.layer)) for series in chosen]
    if not panels:
        raise NothingToDraw("no layer has a map of log|c₁₁|")
    numbers = np.concatenate([panel.cells[np.isfinite(panel.cells)] for panel in panels])
    # Single slices near zero would stretch the scale until all others look alike.
    low, high = np.quantile(numbers, (0.01, 0.99)) if numbers.size else (-1.0, 0.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    zeros = sum(int(np.isnan(panel.cells).sum()) for panel in panels)
    turned = any(layer.kind.startswith("transposed") for layer in report.layers)
    coarse = any(panel.cells.shape != panel.extent for panel in panels)

    def caption(phrase: str) -> str:
        return sentences(
            (
                f"{file_name(report)}: log|c₁₁| of every filter slice{phrase}",
                "In transposed layers rows are input channels, as stored" if turned else "",
                "Colours reach from the 1 % to the 99 % quantile of all layers",
                "Vermilion cells are exactly zero (−∞)" if zeros else "",
                "Maps of more than 64 channels show means of neighbouring slices" if coarse else "",
            )
        )

    key = Key(
        scale=(float(low), float(high)),
        unit="log|c₁₁| (nats)",
        rows="output channel",
        columns="input channel",
        absent=FLAGGED,
        empty="all zero: −∞",
        extend="both",
        caption=caption,
    )
    return pages(panels, key)


def _panel(series: Series, layer: LayerSummary | None) -> Panel:
    cells = matrix(series.shape, series.values)
    rows, columns = series.shape
    if layer is not None and len(layer.shape) >= 2:
        rows, columns = max(layer.shape[0], rows), max(layer.shape[1], columns)
    return Panel(series.layer, f"{rows} × {columns}", cells, (rows, columns))
