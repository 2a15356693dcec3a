"""Where a figure says something else than the information between X and T."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from estimators.estimates import (
    BATCH,
    CAUCHY_SCHWARZ,
    CAUCHY_SCHWARZ_RATIO,
    MATRIX,
    NAMES,
    QUADRATIC,
    RATIO,
    REN,
    Estimate,
    Samples,
    estimates,
    quadratic,
)
from estimators.oracles import normal
from estimators.tables import number, table
from infoflow.kernels import standardised
from infoflow.measures.activations.quadratic import quadratic_information
from infoflow.statistics.intervals import interval

SAMPLES = 7 * BATCH
FEW = 2 * BATCH
WIDE = 150_000
PERMUTATIONS = 100


@dataclass(frozen=True)
class Case:
    """Two variables (n, …), and what their mutual information is, in bits and words."""

    name: str
    truth: str
    x: Tensor
    t: Tensor


def cases() -> None:
    print(
        f"\n## Where it goes wrong\n\nn = {SAMPLES} ({FEW} in {WIDE:,} dimensions), σ half the "
        f"median, bits; 95 % intervals; after the stroke the mean of {PERMUTATIONS} permutations. "
        f"The matrix-based forms: α = 1.01, mean over batches of {BATCH}."
    )
    heads = ("X and T", "truth", *NAMES, "note")
    print(table(heads, (_row(case) for case in _all())), flush=True)


def _row(case: Case) -> list[str]:
    x, t = Samples(case.x), Samples(case.t)
    found = estimates(x, t, PERMUTATIONS)
    note = quadratic_information(x.kernel(), t.kernel()).note
    return [
        case.name,
        case.truth,
        *(_told(found[name]) for name in (QUADRATIC, CAUCHY_SCHWARZ)),
        *(number(found[name].value) for name in (RATIO, CAUCHY_SCHWARZ_RATIO)),
        *(
            f"{number(found[name].value)} / {number(found[name].null.mean)}"
            for name in (REN, MATRIX)
        ),
        note or "—",
    ]


def _told(found: Estimate) -> str:
    told = interval(found.value, found.influence)
    low, high = number(told.low), number(told.high)
    return f"{number(found.value)} [{low}, {high}] / {number(found.null.mean)}"


def _all() -> Iterator[Case]:
    yield from _plain()
    yield from _scales()
    yield from _functions()
    yield from _sparse()
    yield from _wide()
    yield from _repeated()


def _plain() -> Iterator[Case]:
    x = normal(SAMPLES, 10, seed=1)
    yield Case("independent", "0", x, normal(SAMPLES, 10, seed=9))
    yield Case("the same", "∞", x, x)
    yield Case("a noisy copy", "5.00", x, x + normal(SAMPLES, 10, seed=8))
    outlier = torch.cat([x, 300 * normal(SAMPLES, 1, seed=7)], dim=1)
    yield Case("the same, and a coordinate of huge variance", "∞", x, outlier)
    yield Case("that, standardised", "∞", x, standardised(outlier))


def _scales() -> Iterator[Case]:
    u, v = normal(SAMPLES, 50, seed=2), normal(SAMPLES, 50, seed=3)
    scale = torch.exp(0.5 * normal(SAMPLES, 1, seed=4))
    yield Case("independent directions, a shared scale", "≈ 1.9", u * scale, v * scale)
    yield Case("independent directions, inverse scales", "≈ 1.9", u * scale, v / scale)

    def mixed(power: float) -> Tensor:
        return (0.5 * u + math.sqrt(0.75) * v) / scale**power

    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        above = float(quadratic(u * scale, mixed(middle)).value) > 0
        low, high = (middle, high) if above else (low, middle)
    yield Case(
        f"density-matched: directions correlated 0.5, scales s and s^−{low:.2f} so that I₂ is 0",
        f"> {50 * -0.5 * math.log2(0.75):.0f}",
        u * scale,
        mixed(low),
    )


def _functions() -> Iterator[Case]:
    x = normal(SAMPLES, 2, seed=1)
    seen = x + 0.5 * normal(SAMPLES, 2, seed=10)
    nuisance = torch.cat([seen, 2 * normal(SAMPLES, 6, seed=5)], dim=1)
    yield Case("two coordinates seen with noise, beside a nuisance", "2.32", x, nuisance)
    yield Case("the nuisance dropped", "2.32", x, seen)
    labels = torch.arange(SAMPLES) % 10
    centres = 2 * normal(10, 10, seed=11)
    spread = centres[labels] + 1.5 * normal(SAMPLES, 10, seed=12)
    nearest = torch.cdist(spread, centres).argmin(dim=1)
    right = float((nearest == labels).double().mean())
    yield Case("label and its noisy clusters", "≤ 3.32", labels, spread)
    yield Case(
        f"each sample pulled to the nearest centre ({right:.0%} to their own)",
        f"{_plug_in(labels, nearest):.2f} (plug-in)",
        labels,
        centres[nearest],
    )


def _plug_in(a: Tensor, b: Tensor) -> float:
    """Shannon's information of two discrete variables' frequencies, in bits."""

    def entropy(values: Tensor) -> float:
        shares = torch.unique(values, return_counts=True)[1].double() / len(values)
        return float(-(shares * shares.log2()).sum())

    return entropy(a) + entropy(b) - entropy(a * 1000 + b)


def _sparse() -> Iterator[Case]:
    x = normal(SAMPLES, 10, seed=1)
    for threshold in (1.5, 2.6):
        t = torch.relu(x - threshold)
        units, rows = float((t > 0).double().mean()), float((t > 0).any(dim=1).double().mean())
        yield Case(
            f"sparse: units active in {units:.1%}, samples not all zero {rows:.0%}", "∞", x, t
        )
    active = torch.relu(x - 2.6) * (1 + normal(SAMPLES, 10, seed=13).square())
    yield Case("two sparse ones, active together", "> 0", torch.relu(x - 2.6), active)
    other = torch.relu(normal(SAMPLES, 10, seed=14) - 2.6)
    yield Case("two sparse ones, independent", "0", torch.relu(x - 2.6), other)


def _wide() -> Iterator[Case]:
    x = normal(FEW, WIDE, seed=6).float()
    yield Case(f"the same in {WIDE:,} independent dimensions", "∞", x, x)
    noise = normal(FEW, WIDE, seed=15).float()
    yield Case("a noisy copy there", "75,000", x, x + noise)
    yield Case("independent there", "0", x, noise)
    z = normal(FEW, 10, seed=1)
    spread = (z @ normal(10, WIDE, seed=16)).float()
    yield Case(f"the same, of 10 directions in {WIDE:,} coordinates", "∞", spread, spread)


def _repeated() -> Iterator[Case]:
    x = normal(SAMPLES, 10, seed=1)
    t = x + normal(SAMPLES, 10, seed=8)
    for times, word in ((2, "twice"), (4, "four times")):
        few = SAMPLES // times
        order = torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(17))
        a, b = x[:few].repeat(times, 1)[order], t[:few].repeat(times, 1)[order]
        yield Case(f"a noisy copy, every sample {word}", "5.00", a, b)
