"""What is measured of one site: its units, its information, and what stands beside that."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from infoflow.activations import redundancy, units
from infoflow.activations.beside import aligned, entropies, probe
from infoflow.activations.first import First
from infoflow.activations.information import PAPERS_ALPHA, Information, information, number, rows
from infoflow.activations.request import ActivationRequest
from infoflow.activations.variables import Variable, continuous, labels
from infoflow.capture import Site
from infoflow.data import Data
from infoflow.data.batch import IGNORED
from infoflow.report import Measurement, Series

DIRECTIONS = ("input", "label", "error")


@dataclass(frozen=True)
class Known:
    """What every site is compared with.

    Args:
        x: The network's input.
        y: The labels or regression targets, None where there is nothing to compare with.
        error: The error signal of the last site, None where there is no loss.
        targets: (n, …) as they came, None where there are none.
    """

    x: Variable
    y: Variable | None
    error: Variable | None
    targets: Tensor | None


def known(first: First, data: Data, last: Site, sigma: str | float) -> Known:
    """X, Y and the last error signal, from the first run.

    Args:
        first: The first run.
        data: What was run.
        last: Site of the last error signal.
        sigma: Name of a bandwidth rule, or σ itself.
    """
    x = first.x if first.x.is_floating_point() else first.x.to(torch.float64)
    x_variable = continuous("X", x, sigma)
    y = None
    if first.targets is not None and bool((first.targets == IGNORED).any()):
        return Known(x_variable, None, None, first.targets)  # not every sample has a label
    if first.targets is not None and data.task == "classification":
        y = labels("Y", first.targets, data.classes)
    elif first.targets is not None and data.task == "regression":
        y = continuous("Y", first.targets, sigma, x_variable)
    error = None
    if first.error is not None:
        error = direction(f"δ of {last.name}", first.error, norms(first.error), sigma, x_variable)
    return Known(x_variable, y, error, first.targets)


@dataclass
class SiteMeasures:
    """Measures one site after the other; rows, series and informations accumulate.

    Args:
        known: What every site is compared with.
        request: Which estimators.
        on_chain: Names of the sites that every path passes through.
        classes: Whether the targets are classes.
    """

    known: Known
    request: ActivationRequest
    on_chain: frozenset[str]
    classes: bool
    rows: list[Measurement] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    informations: dict[str, dict[str, Information]] = field(
        default_factory=lambda: {direction: {} for direction in DIRECTIONS}
    )

    def of_activations(self, site: Site, values: Tensor) -> None:
        """Units, information about X and Y, alignment and probe of one site."""
        x, y = self.known.x, self.known.y
        nonlinear = site.module_type.lower() if site.role == "nonlinearity" else ""
        found = units.whole(nonlinear, values)
        redundancy.report(site, values, x, self.rows, self.series)
        self.rows += units.rows(site.name, found)
        self.series += units.series(site.name, found, values)
        t = continuous(site.name, values, self.request.sigma, x)
        self.inform("input", x, t)
        if y is None:
            return
        self.inform("label", y, t)
        if self.classes and self.known.targets is not None:
            self.rows += probe(t, self.known.targets, self.request.seed)

    def of_errors(self, site: Site, values: Tensor) -> None:
        """Norm of the error signal; along the chain its information about the last one."""
        x, error = self.known.x, self.known.error
        lengths = norms(values)
        self.rows.append(
            number(
                site.name,
                "gradient-norm",
                "value",
                float(lengths.mean()),
                unit="nats per unit",
                method=f"mean over samples of ‖δ‖; n = {len(lengths)}",
            )
        )
        if error is None or site.name not in self.on_chain:
            return
        t = direction(site.name, values, lengths, self.request.sigma, x)
        self.inform("error", error, t)

    def forget(self, site: Site) -> None:
        """Leave out what was measured of a site that is not whole."""
        self.rows = [row for row in self.rows if row.layer != site.name]
        self.series = [one for one in self.series if one.layer != site.name]
        for found in self.informations.values():
            found.pop(site.name, None)

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
            self.rows += entropies(t, found)
        if which != "error":
            self.rows.append(aligned(t.name, f"alignment.{which}", found))


def norms(errors: Tensor) -> Tensor:
    """‖δ‖ of each sample, (n,) float64."""
    return torch.stack([one.to(torch.float64).norm() for one in errors])


def direction(
    name: str, errors: Tensor, lengths: Tensor, sigma: str | float, x: Variable
) -> Variable:
    """δ/‖δ‖ of each sample as a variable; a δ of exactly 0 stays 0."""
    return continuous(name, errors, sigma, x, torch.where(lengths > 0, lengths, 1.0))
