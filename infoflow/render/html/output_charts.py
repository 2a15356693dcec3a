"""Small charts of outputs and of neurons: reliability, confidence, activations, batch-entropy."""

from __future__ import annotations

from collections.abc import Sequence

from infoflow.findings.miscalibrated import reliability
from infoflow.render.activations import span_of
from infoflow.render.html.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Chart,
    below,
    frame,
    grid,
    skyline,
    words_at,
)
from infoflow.render.html.svg import Scale, point, tag, tooltip
from infoflow.render.html.words import figure, fixed
from infoflow.report import Measurement, Series

OF_CLASS = "class "
"""Beginning of the statistics that are of the samples of one class."""


def reliability_chart(series: Sequence[Series]) -> Chart | None:
    """Accuracy over confidence in bins; what lies below the diagonal is too sure."""
    found = reliability(series)
    if not found:
        return None
    named = next(one for one in series if one.name == "reliability")
    half = 0.5 / named.shape[0]
    x = Scale(0.0, 1.0, LEFT, WIDTH - RIGHT)
    y = Scale(0.0, 1.0, HEIGHT - BOTTOM, TOP)
    parts = [grid(y), below(x, "confidence")]
    for confidence, accuracy, share in found:
        middle = (int(min(confidence, 1 - 1e-9) * named.shape[0]) + 0.5) / named.shape[0]
        left, wide = x(middle - half) + 0.8, x(2 * half) - x(0.0) - 1.6
        hint = tooltip([f"confidence {figure(confidence, 3)}, accuracy {figure(accuracy, 3)}",
                        f"{figure(100 * share, 3)} % of the samples"])  # fmt: skip
        parts.append(tag("rect", hint, class_="bars", x=left, width=wide, y=y(accuracy),
                         height=max(y(0.0) - y(accuracy), 0.6)))  # fmt: skip
        upper, lower = max(accuracy, confidence), min(accuracy, confidence)
        parts.append(tag("rect", class_="gap", x=left, width=wide, y=y(upper),
                         height=max(y(lower) - y(upper), 0.4)))  # fmt: skip
    diagonal = f"M{point(x(0))} {point(y(0))}L{point(x(1))} {point(y(1))}"
    parts.append(tag("path", d=diagonal, class_="ideal"))
    caption = "Reliability: accuracy of the samples of one confidence; outlined: the gap"
    table = tuple((fixed(c, 3), fixed(a, 3), f"{figure(100 * s, 3)} %") for c, a, s in found)
    return Chart(caption, frame(parts, caption), ("confidence", "accuracy", "samples"), table)


def confidence_chart(series: Sequence[Series]) -> Chart | None:
    """How many samples the network is how sure of."""
    found = next((one for one in series if one.name == "confidence-histogram"), None)
    return None if found is None else histogram(found, "confidence", "Confidence of the samples",
                                                (0.0, 1.0))  # fmt: skip


def class_chart(rows: Sequence[Measurement]) -> Chart | None:
    """Mean predictive entropy of the samples of each class."""
    found = [(row.statistic.removeprefix(OF_CLASS), row.value) for row in rows
             if row.statistic.startswith(OF_CLASS) and row.value is not None]  # fmt: skip
    if not found or max(value for _, value in found) <= 0:
        return None
    x = Scale(0.0, float(len(found)), LEFT, WIDTH - RIGHT)
    y = Scale(0.0, max(value for _, value in found) * 1.05, HEIGHT - BOTTOM, TOP)
    wide = x(1.0) - x(0.0)
    parts = [grid(y)]
    for place, (name, value) in enumerate(found):
        hint = tooltip([name, f"{figure(value, 3)} nats"])
        parts.append(tag("rect", hint, class_="bars", x=x(place) + 0.1 * wide, width=0.8 * wide,
                         y=y(value), height=max(y(0.0) - y(value), 0.6)))  # fmt: skip
    parts.append(words_at("classes, in their order", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6))
    caption = "Predictive entropy of the samples of each class, nats"
    table = tuple((name, fixed(value, 3)) for name, value in found)
    return Chart(caption, frame(parts, caption), ("class", "nats"), table)


def neuron_charts(series: Sequence[Series]) -> list[Chart]:
    """Histograms of a site's activations and of its units' batch-entropy."""
    wanted = {
        "activation-histogram": ("activation", "Activations of all units and samples"),
        "batch-entropy-histogram": ("batch-entropy of a unit, nats", "Units by batch-entropy"),
    }
    made = (histogram(one, *wanted[one.name], None) for one in series if one.name in wanted)
    return [chart for chart in made if chart is not None]


def histogram(
    series: Series, axis: str, caption: str, ends: tuple[float, float] | None
) -> Chart | None:
    """Counts of equal bins; their range is in the series' note where ``ends`` does not give it."""
    span = span_of(series.note) or ends
    counts = [value or 0.0 for value in series.values]
    if span is None or span[1] <= span[0] or not counts or max(counts) <= 0:
        return None
    low, high = span
    x = Scale(low, high, LEFT, WIDTH - RIGHT)
    y = Scale(0.0, max(counts) * 1.05, HEIGHT - BOTTOM, TOP)
    parts = [grid(y), skyline(counts, x.start, x.stop, y), below(x, axis)]
    wide = (high - low) / len(counts)
    group = max(1, -(-len(counts) // 10))
    table = tuple(
        (
            f"{figure(low + start * wide, 3)} … "
            f"{figure(low + min(start + group, len(counts)) * wide, 3)}",
            figure(sum(counts[start : start + group]), 3),
        )
        for start in range(0, len(counts), group)
    )
    return Chart(caption, frame(parts, caption), (axis, series.unit), table, series.note)
