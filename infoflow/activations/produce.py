"""A network run on data: every row, series and site that its activations give."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

import torch
from torch import Tensor

from infoflow.activations import number_rows, outputs, redundancy, units
from infoflow.activations.chains import step_rows
from infoflow.activations.first import First, first_run
from infoflow.activations.information import PAPERS_ALPHA, Information, information, number, rows
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
from infoflow.activations.uncertain import least_sure
from infoflow.activations.variables import Variable, continuous, labels
from infoflow.capture import Site
from infoflow.capture.plan import Plan, plan
from infoflow.capture.rooms import Gathered
from infoflow.capture.stream import gather
from infoflow.capture.survey import Survey, survey
from infoflow.data.batch import IGNORED, Batch
from infoflow.errors import CaptureError, SelectionError
from infoflow.graph import Chain, cut_points
from infoflow.kernels import Distances, Gaussian, gram
from infoflow.measures.activations.alignment import cka
from infoflow.measures.activations.probe import probe_of_distances
from infoflow.measures.outputs.reading import reading_of
from infoflow.models import Runnable, trial
from infoflow.report import DataSummary, Measurement, Sample, Series
from infoflow.report import Site as SiteSummary

PROBE_SAMPLES = 4000
"""Samples that a linear probe sees at most, whose time is their cube."""

ROLES = {"container": "block"}
"""Roles of sites in the report's words."""

DIRECTIONS = ("input", "label", "error")

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
        self.informations: dict[str, dict[str, Information]] = {d: {} for d in DIRECTIONS}

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
        x, y, error = self.variables(first)
        plan = self.plan()
        self.progress(plan.sentence)
        for gathered in gather(
            self.module, self.data, plan, loss=self.reading.loss, prepare=self.prepare
        ):
            self.measure(gathered, first, x, y, error)
        for direction, found in self.informations.items():
            ordered = [site.name for site in self.chain.points if site.name in found]
            ordered = ordered[::-1] if direction == "error" else ordered
            self.rows += step_rows(direction, [(name, found[name]) for name in ordered])
        return Produced(
            tuple(self.rows),
            tuple(self.series),
            self.summaries(),
            summary(self.data, self.request, self.notes),
            self.samples,
            self.settings(plan),
        )

    def variables(self, first: First) -> tuple[Variable, Variable | None, Variable | None]:
        """X, Y (None where there is nothing to compare with) and the last error signal."""
        x = first.x if first.x.is_floating_point() else first.x.to(torch.float64)
        x_variable = continuous("X", x, self.request.sigma)
        y = None
        if first.targets is not None and bool((first.targets == IGNORED).any()):
            return x_variable, None, None  # not every sample has a label
        if first.targets is not None and self.data.task == "classification":
            y = labels("Y", first.targets, self.data.classes)
        elif first.targets is not None and self.data.task == "regression":
            y = continuous("Y", first.targets, self.request.sigma, x_variable)
        error = None
        if first.error is not None:
            error = continuous(
                f"δ of {self.last.name}", direction(first.error), self.request.sigma, x_variable
            )
        return x_variable, y, error

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

    def measure(
        self,
        gathered: Gathered,
        first: First,
        x: Variable,
        y: Variable | None,
        error: Variable | None,
    ) -> None:
        """Everything of the sites of one pass."""
        for site, row in gathered.non_finite.items():
            raise CaptureError(f"The activations of {site.name} are NaN from sample {row + 1} on.")
        for site, values in gathered.activations.items():
            self.progress(site.name)
            self.of_activations(site, values, first, x, y)
        for site, values in gathered.errors.items():
            self.progress(f"δ of {site.name}")
            self.of_errors(site, values, x, error)

    def of_activations(
        self, site: Site, values: Tensor, first: First, x: Variable, y: Variable | None
    ) -> None:
        """Units, information about X and Y, alignment and probe of one site."""
        nonlinear = site.module_type.lower() if site.role == "nonlinearity" else ""
        found = units.Units(nonlinear)
        for start in range(0, len(values), self.request.batch_size):
            found.add(values[start : start + self.request.batch_size])
        redundancy.report(site, values, x, self.rows, self.series)
        self.rows += units.rows(site.name, found)
        self.series += units.series(site.name, found, values)
        t = continuous(site.name, values, self.request.sigma, x)
        self.inform("input", x, t)
        self.rows.append(_aligned(site.name, "alignment.input", x, t))
        if y is None:
            return
        self.inform("label", y, t)
        self.rows.append(_aligned(site.name, "alignment.label", y, t))
        if self.data.task == "classification" and first.targets is not None:
            self.rows += _probe(t, first.targets, self.request.seed)

    def of_errors(self, site: Site, values: Tensor, x: Variable, error: Variable | None) -> None:
        """Norm of the error signal; along the chain its information about the last one."""
        norms = values.flatten(1).to(torch.float64).norm(dim=1)
        self.rows.append(
            number(
                site.name,
                "gradient-norm",
                "value",
                float(norms.mean()),
                unit="nats per unit",
                method=f"mean over samples of ‖δ‖; n = {len(norms)}",
            )
        )
        if error is None or site.name not in self.on_chain:
            return
        self.inform("error", error, continuous(site.name, direction(values), self.request.sigma, x))

    def inform(self, which: str, other: Variable, t: Variable) -> None:
        """Information of a site about X, Y or the last error signal."""
        found = information(
            other, t, permutations=self.request.permutations, seed=self.request.seed,
            alpha=PAPERS_ALPHA, on_chain=t.name in self.on_chain,
        )  # fmt: skip
        self.informations[which][t.name] = found
        note = t.width.note if t.width is not None else ""
        self.rows += rows(t.name, f"mutual-information.{which}", found, note=note)
        if which == "input":
            self.rows += _entropies(t, found)

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
            "permutations": str(request.permutations) if request.permutations else "exact moments",
            "gathered": plan.sentence,
            **({"chain": self.chain.note} if self.chain.note else {}),
        }


def direction(errors: Tensor) -> Tensor:
    """δ/‖δ‖ of each sample (n, d); a δ of exactly 0 stays 0."""
    flat = errors.flatten(1).to(torch.float64)
    norms = flat.norm(dim=1, keepdim=True)
    return flat / torch.where(norms > 0, norms, 1.0)


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


def _aligned(name: str, measure: str, other: Variable, t: Variable) -> Measurement:
    value = float(cka(_linear(other), _linear(t)))
    method = "linear CKA; of labels with the indicator kernel"
    return number(name, measure, "value", value, unit="share", method=method)


def _linear(variable: Variable) -> Tensor:
    """The linear kernel of the samples, up to what centring takes away; the labels' own."""
    if variable.width is None:
        return gram(variable.kernel)
    whole = slice(0, variable.samples)
    return -0.5 * _distances(variable).tile(whole, whole)


def _distances(variable: Variable) -> Distances:
    assert isinstance(variable.kernel, Gaussian)
    return variable.kernel.distances


def _probe(t: Variable, targets: Tensor, seed: int) -> Iterator[Measurement]:
    chosen = slice(0, min(t.samples, PROBE_SAMPLES))
    found = probe_of_distances(_distances(t).tile(chosen, chosen), targets[chosen], seed)
    method = (
        f"ridge regression trained on half of the samples; chance {found.chance:.3g}; "
        f"n = {found.held_out} held out"
    )
    yield number(
        t.name, "probe-accuracy", "value", found.accuracy, unit="share", low=found.low,
        high=found.high, method=method,
    )  # fmt: skip


def _entropies(t: Variable, found: Information) -> Iterator[Measurement]:
    method = f"quadratic Rényi, without diagonal (α = 2); {t.words}; n = {t.samples}"
    yield number(t.name, "renyi-entropy", "value", float(found.quadratic.entropy_t), method=method)
    if found.papers is not None:
        papers = found.papers
        method = f"matrix-based Rényi, α = {PAPERS_ALPHA:g}; n = {papers.samples}"
        yield number(t.name, "renyi-entropy", "papers", papers.entropy, method=method)
