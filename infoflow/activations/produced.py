"""What a run on data gives: rows, series, sites, and the data in words."""

from __future__ import annotations

from dataclasses import dataclass

from infoflow.report import DataSummary, Measurement, Sample, Series
from infoflow.report import Site as SiteSummary


@dataclass(frozen=True)
class Produced:
    """What the activations of one network on one data set say."""

    rows: tuple[Measurement, ...]
    series: tuple[Series, ...]
    sites: tuple[SiteSummary, ...]
    data: DataSummary
    samples: tuple[Sample, ...]
    settings: dict[str, str]


class Interrupted(KeyboardInterrupt):
    """The work was interrupted; ``produced`` is what whole sites said until then."""

    def __init__(self, produced: Produced) -> None:
        super().__init__()
        self.produced = produced
