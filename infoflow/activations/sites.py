"""What is measured of one site: its units, its information, and what stands beside that."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from infoflow.activations import redundancy, units
from infoflow.activations.beside import aligned, entropies, probe
from infoflow.activations.error_chain import FORMS, Errors, error_variables, mean_norm
from infoflow.activations.first import First
from infoflow.activations.information import Information, information, rows
from infoflow.activations.papers import Few, Form
from infoflow.activations.request import ActivationRequest
from infoflow.activations.rows import number
from infoflow.activations.variables import Variable, continuous, labels
from infoflow.capture import Site
from infoflow.data import Data
from infoflow.data.batch import IGNORED
from infoflow.report import Measurement, Series

DIRECTIONS = ("input", "label", *FORMS)


@dataclass(frozen=True)
class Compared:
    """A variable that every site is compared with, and its first samples.

    Args:
        variable: All samples.
        few: The first ones, as the papers' functional sees them.
    """

    variable: Variable
    few: Few


@dataclass(frozen=True)
class Known:
    """What every site is compared with.

    Args:
        x: The network's input.
        y: The labels or regression targets, None where there is nothing to compare with.
        errors: The error signal of the last site by its forms, empty where there is no loss.
        targets: (n, …) as they came, None where there are none.
        form: How the papers' functional is computed.
        reference: Gram matrix of the labels, of X where there are none: a preset may align with it.
    """

    x: Compared
    y: Compared | None
    errors: dict[str, Compared]
    targets: Tensor | None
    form: Form
    reference: Tensor


def known(first: First, data: Data, last: Site, request: ActivationRequest) -> Known:
    """X, Y and the last error signal, from the first run.

    Args:
        first: The first run.
        data: What was run.
        last: Site of the last error signal.
        request: Which estimators.

    Raises:
        EstimateError: The request names an estimator that there is not.
    """
    form, rule = Form.of(request), request.sigma
    x_values = first.x if first.x.is_floating_point() else first.x.to(torch.float64)
    scale = deviations(x_values) if request.standardise else None
    x_variable = continuous("X", x_values, rule, scale=scale)
    x = Compared(x_variable, form.few(x_variable, x_values))
    targets = first.targets
    if targets is None or bool((targets == IGNORED).any()):
        y_variable = None  # not every sample has a label
    elif data.task == "classification":
        y_variable = labels("Y", targets, data.classes)
    elif data.task == "regression":
        y_variable = continuous("Y", targets, rule, x_variable)
    else:
        y_variable = None
    y = None
    if y_variable is not None and targets is not None:
        y = Compared(y_variable, form.few(y_variable, targets, x.few.gram))
    reference = y.few.gram if y is not None and data.task == "classification" else x.few.gram
    errors = {}
    if first.error is not None and not (targets is not None and bool((targets == IGNORED).any())):
        found = error_variables(f"δ of {last.name}", first.error, rule, x_variable, form.wanted)
        errors = {
            name: Compared(variable, form.few(variable, values, reference))
            for name, (variable, values) in found.forms.items()
        }
    return Known(x, y, errors, targets, form, reference)


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
        known, x = self.known, self.known.x.variable
        nonlinear = site.module_type.lower() if site.role == "nonlinearity" else ""
        found = units.whole(nonlinear, values)
        redundancy.report(site, values, x, known.form.alpha, self.rows, self.series)
        self.rows += units.rows(site.name, found, values)
        self.series += units.series(site.name, found, values)
        scale = deviations(values) if self.request.standardise else None
        t = continuous(site.name, values, self.request.sigma, x, scale)
        chained = site.name in self.on_chain
        few = known.form.few(t, values, known.reference) if chained else None
        about_x = self.inform("input", known.x, t, few)
        self.rows += entropies(t, about_x)
        self.rows.append(aligned(site.name, "alignment.input", about_x))
        if known.y is None:
            return
        about_y = self.inform("label", known.y, t, few)
        self.rows.append(aligned(site.name, "alignment.label", about_y))
        if self.classes and known.targets is not None:
            self.rows += probe(t, known.targets, self.request.seed)

    def of_errors(self, site: Site, values: Tensor) -> None:
        """Norm of the error signal; along the chain its information about the last one."""
        known = self.known
        found = error_variables(
            site.name, values, self.request.sigma, known.x.variable, known.form.wanted
        )
        self.rows.append(
            number(
                site.name, "gradient-norm", "value", mean_norm(found), unit="nats per unit",
                method=f"mean over samples of ‖δ‖; n = {len(values)}",
            )
        )  # fmt: skip
        if not known.errors or site.name not in self.on_chain:
            return
        for form, (variable, of_samples) in found.forms.items():
            if form in known.errors:
                few = known.form.few(variable, of_samples, known.reference)
                self.inform(form, known.errors[form], variable, few)
        if found.silent:
            self.rows.append(silent(site.name, found))

    def forget(self, site: Site) -> None:
        """Leave out what was measured of a site that is not whole."""
        self.rows = [row for row in self.rows if row.layer != site.name]
        self.series = [one for one in self.series if one.layer != site.name]
        for found in self.informations.values():
            found.pop(site.name, None)

    def inform(self, which: str, other: Compared, t: Variable, few: Few | None) -> Information:
        """Information of a site about X, Y or a form of the last error signal.

        Of ``few`` samples, which sites of the chain alone have, is the papers' functional.
        """
        permutations, seed = self.request.permutations, self.request.seed
        papers = None
        if few is not None:
            papers = self.known.form.papers(other.few, few, permutations, seed)
        found = information(
            other.variable, t, permutations=permutations, seed=seed, papers=papers,
            steady=few is not None and which in {"input", "label", "error"},
        )  # fmt: skip
        self.informations[which][t.name] = found
        note = t.width.note if t.width is not None else ""
        self.rows += rows(t.name, f"mutual-information.{which}", found, note=note)
        return found


def silent(name: str, errors: Errors) -> Measurement:
    """Why there is no information of ln‖δ‖."""
    note = (
        f"{errors.silent} of {len(errors.norms)} samples have a δ of exactly 0 here, and no ln‖δ‖"
    )
    return number(name, "mutual-information.error.magnitude", "value", float("nan"), note=note)


def deviations(values: Tensor) -> Tensor:
    """Standard deviations (…) of the features of samples (n, …); 1 of those that are constant."""
    flat = values.reshape(len(values), -1)
    parts = [
        columns.to(torch.float64).std(dim=0, correction=0)
        for columns in torch.split(flat, max(1, units.NUMBERS // len(flat)), dim=1)
    ]
    found = torch.cat(parts)
    return torch.where(found == 0, 1.0, found)
