"""Heat maps of how alike the filters of a layer are: copies stand out."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from infoflow.render.plots.panels import Key, Panel, matrix, pages
from infoflow.render.plots.sheet import NothingToDraw, file_name, sentences
from infoflow.report import LayerSummary, Report, Series

ABSENT = "#E8E8E8"


def draw(report: Report) -> list[Figure]:
    """Sixteen layers a page."""
    layers = {layer.name: layer for layer in report.layers}
    chosen = [
        series
        for series in report.series
        if series.name == "filter-similarity" and len(series.shape) == 2 and series.values
    ]
    panels = [_panel(series, layers.get(series.layer)) for series in chosen]
    if not panels:
        raise NothingToDraw("no layer has a map of the similarity of its filters")
    coarse = any(panel.cells.shape != panel.extent for panel in panels)

    def caption(phrase: str) -> str:
        return sentences(
            (
                f"{file_name(report)}: |cosine| between the filters of a layer{phrase}",
                "1 is a copy up to scale or sign. Light grey: no cosine, because a filter meets "
                "itself, one of another group, or one that is all zero",
                "Maps of more than 64 filters show the largest of neighbouring pairs"
                if coarse
                else "",
            )
        )

    key = Key(
        scale=(0.0, 1.0),
        unit="|cosine| of two filters (ratio)",
        rows="filter",
        columns="filter",
        absent=ABSENT,
        empty="no cosine",
        extend="neither",
        caption=caption,
    )
    return pages(panels, key)


def _panel(series: Series, layer: LayerSummary | None) -> Panel:
    cells = np.abs(matrix(series.shape, series.values))
    count = series.shape[0]
    if layer is not None and len(layer.shape) >= 2:
        turned = layer.kind.startswith("transposed")
        count = max(layer.shape[1] * layer.groups if turned else layer.shape[0], count)
    if count == series.shape[0]:
        np.fill_diagonal(cells, np.nan)
    finite = cells[np.isfinite(cells)]
    largest = f", largest {finite.max():.2f}" if finite.size and count > 1 else ""
    return Panel(series.layer, f"{count} filters{largest}", cells, (count, count))
