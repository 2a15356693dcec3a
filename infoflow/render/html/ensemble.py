"""What the page shows of an ensemble, and of the samples that outputs are least sure of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from infoflow.render import ensemble
from infoflow.render.ensemble import TextTable
from infoflow.render.html.charts import Chart
from infoflow.render.html.output_charts import reliability_chart
from infoflow.render.html.words import fixed, title
from infoflow.render.text import percent
from infoflow.report import Report, Sample


@dataclass(frozen=True)
class SampleView:
    """A sample with its picture, as a ``data:`` address, and its words."""

    address: str
    title: str
    wrong: bool
    lines: tuple[str, ...]


@dataclass(frozen=True)
class EnsembleView:
    """The entropy as a sum, the tables, and the reliability of each member."""

    decomposition: str
    tables: tuple[TextTable, ...]
    charts: tuple[Chart, ...]


def ensemble_view(report: Report) -> EnsembleView | None:
    """What an ensemble shows; None of one network."""
    if not report.members:
        return None
    charts = (_reliability(report, name) for name in report.members)
    return EnsembleView(
        ensemble.decomposition(report),
        tuple(ensemble.tables(report)),
        tuple(chart for chart in charts if chart is not None),
    )


def sample_views(samples: Sequence[Sample]) -> list[SampleView]:
    """The samples in their order."""
    return [_sample(one) for one in samples]


def _reliability(report: Report, name: str) -> Chart | None:
    own = [replace(one, layer="") for one in report.series if one.layer == name]
    chart = reliability_chart(own)
    return None if chart is None else replace(chart, caption=f"{title(name, 40)}: reliability")


def _sample(one: Sample) -> SampleView:
    wrong = bool(one.label) and one.prediction != one.label
    lines = [f"entropy {fixed(one.entropy, 3)} nats"]
    if one.disagreement is not None:
        lines.append(f"disagreement {fixed(one.disagreement, 3)} nats")
    lines.append(f"{percent(one.confidence)} sure · sample {one.number}")
    words = one.label or one.prediction or f"sample {one.number}"
    if one.label and one.prediction:
        words = f"{one.label}, {f'taken for {one.prediction}' if wrong else 'right'}"
    address = f"data:image/png;base64,{one.picture}" if one.picture else ""
    return SampleView(address, title(words, 60), wrong, tuple(lines))
