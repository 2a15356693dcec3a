"""A network run on data: every row, series and site that its activations give."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property

import torch

from infoflow.activations import outputs
from infoflow.activations.chains import step_rows
from infoflow.activations.first import First, FirstPass
from infoflow.activations.memory import measures_need
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
from infoflow.capture.stream import DeviceFullError, gather
from infoflow.capture.survey import Survey, survey
from infoflow.data.batch import Batch
from infoflow.errors import CaptureError, SelectionError
from infoflow.graph import Chain, cut_points
from infoflow.models import Runnable
from infoflow.models import first_run as first_call
from infoflow.report import DataSummary, Measurement, Sample, Series
from infoflow.report import Site as SiteSummary

PROBED = 4
"""Samples of the batch by which sites and chain are found."""

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


class Interrupted(KeyboardInterrupt):
    """The work was interrupted; ``produced`` is what whole sites said until then."""

    def __init__(self, produced: Produced) -> None:
        super().__init__()
        self.produced = produced


def produce(
    network: Runnable, request: ActivationRequest, progress: Progress = lambda words: None
) -> Produced:
    """Run a network on data and measure its activations.

    Raises:
        DataError: The data cannot be read, or do not fit the network.
        CaptureError: The network cannot be run on them, or gives NaN.
        SelectionError: A name or number of the request is unknown.
        Interrupted: Somebody interrupted it after a site was measured.
    """
    try:
        return _Run(network, request, progress).whole()
    except (CaptureError, torch.OutOfMemoryError) as error:
        if request.device == "cpu" or not is_out_of_memory(error):
            raise
    note = (
        f"{request.device} has too little memory for a single sample: the network ran on the CPU."
    )
    progress(note)
    torch.cuda.empty_cache()
    found = _Run(network, replace(request, device="cpu"), progress).whole()
    return replace(found, data=replace(found.data, notes=(note, *found.data.notes)))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device had too little memory, even for a single sample."""
    full = (DeviceFullError, torch.OutOfMemoryError)
    return isinstance(error, full) or isinstance(error.__cause__, full)


class _Run:
    """One network on one data set: what every step below needs."""

    def __init__(self, network: Runnable, request: ActivationRequest, progress: Progress) -> None:
        self.network, self.request, self.progress = network, request, progress
        self.device = device_of(request.device)
        self.dtype = dtype_of(request.precision)
        self.data = opened(request, preprocessing_of(network, request))
        self.module = placed(network.module, self.device, self.dtype)
        few = self.prepare(self.data.first(PROBED))
        first_call(self.module, few)
        self.survey: Survey = survey(self.module, few)
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
        first = FirstPass(self.module, self.data, self.last)
        self.progress("outputs")
        for gathered in gather(
            self.module, self.data, plan, loss=first.loss, prepare=self.prepare,
            first=first, also=[self.last.name],
        ):  # fmt: skip
            if self.measures is None:
                self.measures = self.compared(first.first())
            self.measure(gathered, self.measures)

    def compared(self, first: First) -> SiteMeasures:
        """What the first pass says of the outputs; the measures of the sites that follow."""
        if first.outputs is not None:
            self.rows += outputs.rows(first.outputs, self.data)
            self.series += outputs.series(first.outputs)
            self.samples = least_sure(first.outputs, self.data)
        return SiteMeasures(
            known(first, self.data, self.last, self.request.sigma),
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
            ordered = ordered[::-1] if direction == "error" else ordered
            rows += step_rows(direction, [(name, found[name]) for name in ordered])
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
        return (*self.network.notes, *left)

    @property
    def reserved(self) -> int:
        """Bytes of the budget that the measures need for themselves."""
        few = self.data.first(PROBED)
        tensors = [few.x, *([few.targets] if few.targets is not None else [])]
        shapes = {size.site: size for size in self.survey.sizes}
        inputs = sum(tensor.nbytes for tensor in tensors) // few.size + shapes[self.last].bytes
        units = max(math.prod(shapes[site].shape) for site in self.sites)
        drawn = self.request.permutations > 0
        return measures_need(self.data.samples, units, inputs, permutations=drawn)

    def plan(self) -> Plan:
        """How the activations are gathered."""
        wanted = [size for size in self.survey.sizes if size.site in self.sites]
        return plan(
            wanted,
            self.data.samples,
            self.request.memory,
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
            "permutations": str(request.permutations) if request.permutations else "exact moments",
            "gathered": plan.sentence,
            **({"chain": self.chain.note} if self.chain.note else {}),
        }


def _chosen(survey: Survey, chain: Chain, patterns: tuple[str, ...]) -> tuple[Site, ...]:
    """Sites to look at: all of one row a sample, containers only where they are on the chain."""
    points = set(chain.points)
    sites = [site for site in survey.sites if site.role != "container" or site in points]
    if patterns:
        named = [site for site in sites if any(fnmatchcase(site.name, p) for p in patterns)]
        if not named:
            raise SelectionError(
                f"No activations are called {', '.join(patterns)}; there are "
                f"{', '.join(site.name for site in sites[:6])}, …"
            )
        sites = named
    return tuple(sites)
