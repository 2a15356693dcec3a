"""Every estimator at every site of a network at every kept step, as plain figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from estimators.estimates import Estimate, Samples, estimates
from estimators.training import Course, Images, images, trained
from infoflow.measures.activations.alignment import cka
from infoflow.measures.activations.inequality import Point, steps
from infoflow.measures.activations.probe import probe_of_distances
from infoflow.statistics.intervals import interval

PERMUTATIONS = 100
NOISE = 0.5
"""Standard deviation of the noise of `noisy`, in deviations of the site's units."""


@dataclass(frozen=True)
class Figure:
    """What one estimator reads of one site; bits, or a share.

    Args:
        run: Words for which network: ``trained``, or ``with noise``.
        step: Of training.
        site: Its name.
        direction: ``input`` or ``label``.
        estimator: Its name.
        value: The figure.
        low: Lower end of its 95 % interval.
        high: Upper end.
        null: Mean of its null.
        null_deviation: The null's standard deviation.
        null_high: Its 97.5 % quantile.
        thirds: On three disjoint subsamples.
        sigmas: At half and at double σ.
    """

    run: str
    step: int
    site: str
    direction: str
    estimator: str
    value: float
    low: float
    high: float
    null: float
    null_deviation: float
    null_high: float
    thirds: tuple[float, ...]
    sigmas: tuple[float, float]


@dataclass(frozen=True)
class Check:
    """What stands beside: a linear probe's accuracy, linear CKA with X, the network's accuracy."""

    run: str
    step: int
    site: str
    probe: float
    alignment: float
    accuracy: float


@dataclass(frozen=True)
class Verdict:
    """One step of a chain, as judged by one estimator's figures less their nulls."""

    run: str
    step: int
    direction: str
    estimator: str
    first: str
    second: str
    verdict: str


@dataclass
class Measured:
    """Everything of one network's course."""

    figures: list[Figure]
    checks: list[Check]
    verdicts: list[Verdict]


def measured(course: Course, root: Path, folder: Path) -> Measured:
    """The figures, read from the folder where it has them."""
    path = folder / f"{course.name}.json"
    if not path.is_file():
        found = Measured([], [], [])
        networks = trained(course, root, folder)
        test = images(course, root)[1]
        for step, module in networks:
            print(f"<!-- {course.name}, step {step} -->", flush=True)
            sites = _run(course.stages(module), test.pictures)
            _measure(found, "trained", step, sites, test)
        step, module = networks[-1]
        noise = torch.Generator().manual_seed(0)
        sites = _run(course.stages(module), test.pictures, lambda t: _noisy(t, noise))
        _measure(found, "with noise", step, sites, test)
        path.write_text(json.dumps(asdict(found)))
    stored = json.loads(path.read_text())
    return Measured(
        [Figure(**each) for each in stored["figures"]],
        [Check(**each) for each in stored["checks"]],
        [Verdict(**each) for each in stored["verdicts"]],
    )


def _run(
    stages: dict[str, Callable[[Tensor], Tensor]],
    pictures: Tensor,
    change: Callable[[Tensor], Tensor] = lambda t: t,
) -> dict[str, Tensor]:
    """Each stage's output; a change is made before the next stage sees it."""
    found, current = {}, pictures
    with torch.no_grad():
        for name, stage in stages.items():
            current = change(stage(current))
            found[name] = current.flatten(1) if current.shape[2:].numel() == 1 else current
    return found


def _noisy(values: Tensor, generator: torch.Generator) -> Tensor:
    """With independent Gaussian noise: the information then truly cannot rise, and is finite."""
    deviation = values.var(dim=0, correction=0).mean().sqrt()
    return values + NOISE * deviation * torch.randn(values.shape, generator=generator)


def _measure(into: Measured, run: str, step: int, sites: dict[str, Tensor], test: Images) -> None:
    x, y = Samples(test.pictures), Samples(test.labels)
    chains: dict[tuple[str, str], list[Point]] = {}
    last = list(sites.values())[-1]
    accuracy = float((last.argmax(1) == test.labels).double().mean())
    for site, values in sites.items():
        t = Samples(values)
        for direction, other in (("input", x), ("label", y)):
            for name, found in estimates(other, t, PERMUTATIONS).items():
                into.figures.append(_figure(run, step, site, direction, name, found))
                inside = found.value <= found.null.high
                above = found.value - found.null.mean
                point = Point(site, above, found.influence, "inside its null" if inside else "")
                chains.setdefault((direction, name), []).append(point)
        probe = probe_of_distances(t.distances, test.labels).accuracy
        alignment = float(cka(-x.distances / 2, -t.distances / 2))
        into.checks.append(Check(run, step, site, probe, alignment, accuracy))
    for (direction, name), points in chains.items():
        into.verdicts += [
            Verdict(run, step, direction, name, each.first, each.second, each.verdict)
            for each in steps(points)
        ]


def _figure(run: str, step: int, site: str, direction: str, name: str, found: Estimate) -> Figure:
    told = interval(found.value, found.influence)
    return Figure(
        run, step, site, direction, name, found.value, told.low, told.high, found.null.mean,
        found.null.standard_deviation, found.null.high, found.thirds, found.sigmas,
    )  # fmt: skip
