"""A network run on data: every row, series and site that its activations give."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from infoflow.activations import budget_rows, number_rows, outputs
from infoflow.activations.chains import order_row, step_rows
from infoflow.activations.choosing import chosen_sites
from infoflow.activations.first import first_run
from infoflow.activations.papers import Form
from infoflow.activations.request import ActivationRequest
from infoflow.activations.running import (
    device_of,
    dtype_of,
    opened,
    placed,
    preprocessing_of,
    refuse_too_many,
    summary,
)
from infoflow.activations.sites import SiteMeasures, known
from infoflow.activations.uncertain import least_sure
from infoflow.capture import Site
from infoflow.capture.plan import Plan, plan
from infoflow.capture.rooms import Gathered
from infoflow.capture.stream import gather
from infoflow.capture.survey import Survey, survey
from infoflow.data.batch import Batch
from infoflow.errors import CaptureError
from infoflow.graph import Chain, cut_points
from infoflow.measures.outputs.reading import reading_of
from infoflow.models import Runnable, trial
from infoflow.report import DataSummary, Measurement, Sample, Series
from infoflow.report import Site as SiteSummary

ROLES = {"container": "block"}
"""Roles of sites in the report's words."""

Progress = Callable[[str], None]
"""Is told what is being done, in a few words."""


@dataclass(frozen=True)
class Produced:
    """What the activations of one network on one data set say."""

    rows: tuple[Measurement, ...]
    series: tuple[Series, ...]
    sites: tuple[SiteSummary, ...]
    data: DataSummary
    samples: tuple[Sample, ...]
    settings: dict[str, str]


def produce(
    network: Runnable, request: ActivationRequest, progress: Progress = lambda words: None
) -> Produced:
    """Run a network on data and measure its activations.

    Raises:
        DataError: The data cannot be read, or do not fit the network.
        CaptureError: The network cannot be run on them, or gives NaN.
        SelectionError: A name or number of the request is unknown.
    """
    return _Run(network, request, progress).whole()


class _Run:
    """One network on one data set: what every step below needs."""

    def __init__(self, network: Runnable, request: ActivationRequest, progress: Progress) -> None:
        self.network, self.request, self.progress = network, request, progress
        self.form = Form.of(request)
        self.device = device_of(request.device)
        self.dtype = dtype_of(request.precision)
        self.data = opened(request, preprocessing_of(network, request))
        refuse_too_many(self.data.samples)
        self.module = placed(network.module, self.device, self.dtype)
        self.trial = trial(self.module, self.data, self.prepare)
        self.data, self.reading = reading_of(self.trial)
        few = self.trial.batch
        self.survey: Survey = survey(self.module, few)
        self.chain: Chain = cut_points(self.module, few)
        self.sites = _chosen(self.survey, self.chain, request.layers)
        self.rows: list[Measurement] = []
        self.series: list[Series] = []
        self.samples: tuple[Sample, ...] = ()

    def prepare(self, batch: Batch) -> Batch:
        """A batch where the network is."""
        return batch.to(self.device, self.dtype)

    @property
    def last(self) -> Site:
        """The last site of the chain: whose error signal the others are held against."""
        return self.chain.points[-1] if self.chain.points else self.survey.sites[-1]

    @cached_property
    def on_chain(self) -> frozenset[str]:
        """Names of the sites that every path passes through."""
        return frozenset(site.name for site in self.chain.points)

    def whole(self) -> Produced:
        """Everything, in order."""
        self.progress("outputs")
        first = first_run(
            self.module, self.data, self.reading, self.last,
            batch_size=self.request.batch_size, prepare=self.prepare,
        )  # fmt: skip
        if first.outputs is not None:
            self.rows += outputs.rows(first.outputs, self.data)
            self.series += outputs.series(first.outputs)
            self.samples = least_sure(first.outputs, self.data)
        if first.numbers is not None:
            self.rows += number_rows.rows(first.numbers)
        measures = SiteMeasures(
            known(first, self.data, self.last, self.request),
            self.request,
            self.on_chain,
            self.data.task == "classification",
        )
        plan = self.plan()
        self.progress(plan.sentence)
        for gathered in gather(
            self.module, self.data, plan, loss=self.reading.loss, prepare=self.prepare
        ):
            self.measure(gathered, measures)
        self.rows += measures.rows
        self.series += measures.series
        for direction, found in measures.informations.items():
            ordered = [site.name for site in self.chain.points if site.name in found]
            ordered = ordered[::-1] if direction.startswith("error") else ordered
            chain = [(name, found[name]) for name in ordered]
            self.rows += step_rows(direction, chain)
            self.rows += order_row(direction, chain)
        self.progress("entropy budget")
        few = self.prepare(self.data.first(budget_rows.SAMPLES))
        self.rows += budget_rows.rows(self.module, few, self.sites, self.chain)
        return Produced(
            tuple(self.rows),
            tuple(self.series),
            self.summaries(),
            summary(self.data, self.request, self.notes),
            self.samples,
            self.settings(plan),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What differs in the network that ran, and the sites that nothing can be said of."""
        left = [f"{site.name}: {reason}." for site, reason in self.survey.left_out]
        return (*self.network.notes, *self.trial.notes, *self.reading.notes, *left)

    def plan(self) -> Plan:
        """How the activations are gathered."""
        wanted = [size for size in self.survey.sizes if size.site in self.sites]
        return plan(
            wanted,
            self.data.samples,
            self.request.memory,
            errors=True,
            batch_size=self.request.batch_size,
            seconds=self.survey.seconds,
            disk=shutil.disk_usage(tempfile.gettempdir()).free // 2,
        )

    def measure(self, gathered: Gathered, measures: SiteMeasures) -> None:
        """Everything of the sites of one pass."""
        for site, row in gathered.non_finite.items():
            raise CaptureError(f"The activations of {site.name} are NaN from sample {row + 1} on.")
        for site, values in gathered.activations.items():
            self.progress(site.name)
            measures.of_activations(site, values)
        for site, values in gathered.errors.items():
            self.progress(f"δ of {site.name}")
            measures.of_errors(site, values)

    def summaries(self) -> tuple[SiteSummary, ...]:
        """Every site that was looked at, and whether it is on the chain."""
        why = dict(self.chain.left_out)
        shapes = {size.site: size.shape for size in self.survey.sizes}
        return tuple(
            SiteSummary(
                site.name,
                ROLES.get(site.role, site.role),
                shapes[site],
                site in self.chain.points,
                why.get(site, ""),
            )
            for site in self.sites
        )

    def settings(self, plan: Plan) -> dict[str, str]:
        """What made the figures."""
        request = self.request
        return {
            "data": request.data,
            "samples": str(self.data.samples),
            "batch size": str(request.batch_size),
            "precision": request.precision,
            "bandwidth": str(request.sigma),
            "features": "standardised" if request.standardise else "as they are",
            "papers' functional": self.form.words,
            "permutations": str(request.permutations) if request.permutations else "exact moments",
            "gathered": plan.sentence,
            **({"chain": self.chain.note} if self.chain.note else {}),
        }


def _chosen(survey: Survey, chain: Chain, patterns: tuple[str, ...]) -> tuple[Site, ...]:
    """Sites to look at: all of one row a sample, containers only where they are on the chain."""
    points = set(chain.points)
    sites = [site for site in survey.sites if site.role != "container" or site in points]
    return chosen_sites(sites, patterns)
