"""One network on one data set: runs it as planned, and measures what each pass gathers."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable
from functools import cached_property

from infoflow.activations import budget_rows, number_rows, outputs, redundancy
from infoflow.activations.chains import order_row, step_rows
from infoflow.activations.choosing import chosen_sites
from infoflow.activations.first import First, FirstPass
from infoflow.activations.memory import measures_need
from infoflow.activations.papers import Form
from infoflow.activations.produced import Interrupted, Produced
from infoflow.activations.request import ActivationRequest
from infoflow.activations.running import (
    device_of,
    dtype_of,
    opened,
    placed,
    preprocessing_of,
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
from infoflow.kernels.bandwidths import check_rule
from infoflow.measures.outputs.reading import reading_of
from infoflow.memory import available_memory
from infoflow.models import Runnable, trial
from infoflow.report import Measurement, Sample, Series
from infoflow.report import Site as SiteSummary

ROLES = {"container": "block"}
"""Roles of sites in the report's words."""

Progress = Callable[[str], None]
"""Is told what is being done, in a few words."""


class Run:
    """One network on one data set: what every step below needs."""

    def __init__(self, network: Runnable, request: ActivationRequest, progress: Progress) -> None:
        self.network, self.request, self.progress = network, request, progress
        self.form = Form.of(request)
        check_rule(request.sigma)
        self.device = device_of(request.device)
        self.dtype = dtype_of(request.precision)
        self.data = opened(request, preprocessing_of(network, request))
        self.module = placed(network.module, self.device, self.dtype)
        self.trial = trial(self.module, self.data, self.prepare)
        self.data, self.reading = reading_of(self.trial)
        few = self.trial.batch
        self.survey: Survey = survey(self.module, few, request.batch_size)
        self.chain: Chain = cut_points(self.module, few)
        self.sites = _chosen(self.survey, self.chain, request.layers)
        self.rows: list[Measurement] = []
        self.series: list[Series] = []
        self.samples: tuple[Sample, ...] = ()
        self.measures: SiteMeasures | None = None
        self.measured: list[Site] = []

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
        plan = self.plan()
        self.progress(plan.sentence)
        try:
            self.look(plan)
        except KeyboardInterrupt as interruption:
            if self.measured:
                raise Interrupted(self.produced(plan)) from interruption
            raise
        return self.produced(plan)

    def look(self, plan: Plan) -> None:
        """Run the network as planned, and measure what each pass gathers."""
        first = FirstPass(self.module, self.data, self.reading, self.last)
        self.progress("outputs")
        for gathered in gather(
            self.module, self.data, plan, loss=first.loss, prepare=self.prepare,
            first=first, also=[self.last.name],
        ):  # fmt: skip
            if self.measures is None:
                self.measures = self.compared(first.first())
            self.measure(gathered, self.measures)
        self.progress("entropy budget")
        few = self.prepare(self.data.first(budget_rows.SAMPLES))
        self.rows += budget_rows.rows(self.module, few, self.sites, self.chain)

    def compared(self, first: First) -> SiteMeasures:
        """What the first pass says of the outputs; the measures of the sites that follow."""
        if first.outputs is not None:
            self.rows += outputs.rows(first.outputs, self.data)
            self.series += outputs.series(first.outputs)
            self.samples = least_sure(first.outputs, self.data)
        if first.numbers is not None:
            self.rows += number_rows.rows(first.numbers)
        return SiteMeasures(
            known(first, self.data, self.last, self.request),
            self.request,
            self.on_chain,
            self.data.task == "classification",
        )

    def produced(self, plan: Plan) -> Produced:
        """Everything of the sites that were measured, and the steps between them."""
        assert self.measures is not None
        rows, series = [*self.rows, *self.measures.rows], [*self.series, *self.measures.series]
        for direction, found in self.measures.informations.items():
            ordered = [site.name for site in self.chain.points if site.name in found]
            ordered = ordered[::-1] if direction.startswith("error") else ordered
            chain = [(name, found[name]) for name in ordered]
            rows += step_rows(direction, chain)
            rows += order_row(direction, chain)
        return Produced(
            tuple(rows),
            tuple(series),
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

    @property
    def reserved(self) -> int:
        """Bytes of the budget that the measures need for themselves."""
        few = self.trial.batch
        tensors = [few.x, *([few.targets] if few.targets is not None else [])]
        shapes = {size.site: size for size in self.survey.sizes}
        inputs = sum(tensor.nbytes for tensor in tensors) // few.size + shapes[self.last].bytes
        units = max(math.prod(shapes[site].shape) for site in self.sites)
        count = self.data.samples
        maps = (redundancy.maps_need(count, shapes[site].shape) for site in self.sites
                if redundancy.of_maps(site, shapes[site].shape))  # fmt: skip
        drawn = self.request.permutations > 0
        return measures_need(count, units, inputs, max(maps, default=0), permutations=drawn)

    def plan(self) -> Plan:
        """How the activations are gathered."""
        wanted = [size for size in self.survey.sizes if size.site in self.sites]
        return plan(
            wanted,
            self.data.samples,
            min(self.request.memory, available_memory() or self.request.memory),
            errors=True,
            reserved=self.reserved,
            batch_size=self.request.batch_size,
            seconds=self.survey.seconds,
            disk=shutil.disk_usage(tempfile.gettempdir()).free // 2,
        )

    def measure(self, gathered: Gathered, measures: SiteMeasures) -> None:
        """Everything of the sites of one pass."""
        for site, row in gathered.non_finite.items():
            raise CaptureError(f"The activations of {site.name} are NaN from sample {row + 1} on.")
        for site in self.sites:
            if site in gathered.activations:
                self.measure_site(site, gathered, measures)

    def measure_site(self, site: Site, gathered: Gathered, measures: SiteMeasures) -> None:
        """Everything of one site, or nothing of it where somebody interrupts."""
        try:
            self.progress(site.name)
            measures.of_activations(site, gathered.activations[site])
            if site in gathered.errors:
                self.progress(f"δ of {site.name}")
                measures.of_errors(site, gathered.errors[site])
        except KeyboardInterrupt:
            measures.forget(site)
            raise
        self.measured.append(site)

    def summaries(self) -> tuple[SiteSummary, ...]:
        """Every site that was measured, and whether it is on the chain."""
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
            for site in self.measured
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
