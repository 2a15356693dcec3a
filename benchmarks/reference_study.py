"""Is the table of healthy networks of use? Measured, with the table's own networks.

    python benchmarks/reference_study.py --root wheels --root sample_models --root WEIGHTS

1. Leave one network out, and leave one family out: how often healthy layers lie outside 1 to 99 %
   of the rest, and beyond all of it by so many interquartile ranges.
2. Damage: layers of healthy networks are damaged in one way each and placed in the table without
   their family: how many stand out. At most SAMPLED layers of a kind a network, of at most
   PARAMETERS weights.

Shares are means over networks of each network's share. Seeded; prints Markdown.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from infoflow.analysis import measure_layer, open_network
from infoflow.measures import choose
from infoflow.measures.weights.subject import Subject
from infoflow.reference.gathering import rows_by_layer
from infoflow.reference.places import shipped
from infoflow.reference.quantities import QUANTITIES
from infoflow.reference.sources import found, read_list
from infoflow.reference.strata import STRATA, stratum
from infoflow.reference.table import Network, Table
from infoflow.selection import select

SAMPLED = 5
PARAMETERS = 300_000
LIMITS = (0.5, 1.0, 2.0)
MEASURES = (
    "entropy-change.c11", "entropy-change.logdet", "weight-scale", "signal-gain", "rank",
    "log-volume", "log-volume.density", "stable-rank", "effective-rank",
    "spectral-entropy.von-neumann", "spectral-entropy.renyi", "random-twin.logdet",
    "random-twin.log-volume",
)  # fmt: skip

Weight = np.ndarray
Damage = Callable[[Weight, np.random.Generator], Weight]


def rms(weight: Weight) -> float:
    return float(np.sqrt(np.mean(weight**2)))


def low_rank(share: float) -> Damage:
    def damage(weight: Weight, draw: np.random.Generator) -> Weight:
        left, values, right = np.linalg.svd(weight.reshape(len(weight), -1), full_matrices=False)
        rank = max(1, round(share * len(values)))
        kept = (left[:, :rank] * values[:rank]) @ right[:rank]
        return (kept + 0.01 * rms(kept) * draw.standard_normal(kept.shape)).reshape(weight.shape)

    return damage


def spike(times: float) -> Damage:
    def damage(weight: Weight, draw: np.random.Generator) -> Weight:
        flat = weight.reshape(len(weight), -1)
        one, other = (draw.standard_normal(size) for size in flat.shape)
        unit = np.outer(one, other) / np.linalg.norm(one) / np.linalg.norm(other)
        return (flat + times * np.linalg.norm(flat, 2) * unit).reshape(weight.shape)

    return damage


def pruned(share: float) -> Damage:
    def damage(weight: Weight, draw: np.random.Generator) -> Weight:
        size = np.abs(weight)
        return np.where(size < np.quantile(size, share), 0.0, weight)

    return damage


def faint(weight: Weight, draw: np.random.Generator) -> Weight:
    changed = weight.copy()
    changed[::2] *= 1e-3
    return changed


def copies(weight: Weight, draw: np.random.Generator) -> Weight:
    half = len(weight) // 2
    noise = 0.01 * rms(weight) * draw.standard_normal(weight[:half].shape)
    return np.concatenate([weight[:half], weight[:half] + noise, weight[2 * half :]])


def fresh(weight: Weight, draw: np.random.Generator) -> Weight:
    width = 1 / math.sqrt(math.prod(weight.shape[1:]))
    return draw.uniform(-width, width, weight.shape)


DAMAGES: dict[str, Damage] = {
    "none": lambda weight, draw: weight,
    "drawn afresh (torch's default)": fresh,
    "noise of the weights' own size added": lambda w, draw: (
        w + rms(w) * draw.standard_normal(w.shape)
    ),
    "rank cut to 25 %, 1 % noise": low_rank(0.25),
    "rank cut to 10 %, 1 % noise": low_rank(0.1),
    "half of the filters × 0.001": faint,
    "half of the filters near copies (1 %)": copies,
    "one direction of 3 σ_max added": spike(3),
    "one direction of 10 σ_max added": spike(10),
    "90 % of the weights pruned": pruned(0.9),
    "98 % of the weights pruned": pruned(0.98),
    "signs only": lambda w, draw: np.sign(w) * rms(w),
    "× 100": lambda w, draw: 100 * w,
    "÷ 100": lambda w, draw: w / 100,
}


def share(outcomes: Iterable[tuple[str, bool]]) -> float:
    """Mean over networks of the share of each network's layers that are true."""
    by_network: dict[str, list[bool]] = defaultdict(list)
    for network, outcome in outcomes:
        by_network[network].append(outcome)
    return float(np.mean([np.mean(one) for one in by_network.values()]))


def relatives(table: Table, network: Network, family: bool) -> Iterator[str]:
    return (
        one.digest
        for one in table.networks
        if one.digest == network.digest or (family and one.family == network.family)
    )


def left_out(table: Table, *, family: bool) -> Iterator[tuple[str, str, str, float, float]]:
    """Network, stratum, quantity, percentile and excess of every layer in the others' table."""
    for network in table.networks:
        rest = table.without(relatives(table, network, family))
        for kind, quantities in network.values.items():
            for quantity, values in quantities.items():
                healthy = rest.distribution(kind, quantity)
                if healthy is not None and healthy.speaks:
                    for value in values:
                        place = healthy.percentile(value), healthy.excess(value)
                        yield (network.name, kind, quantity, *place)


def print_left_out(table: Table) -> None:
    print("| kind | quantity | outside 1–99 %: network out | family out | beyond all, family out |"
          " lowest, highest excess |")  # fmt: skip
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    each = list(left_out(table, family=False))
    families = list(left_out(table, family=True))
    for kind in STRATA:
        for quantity in QUANTITIES:
            alone, apart = (
                [(n, p, e) for n, k, q, p, e in rows if (k, q) == (kind, quantity.name)]
                for rows in (each, families)
            )
            if not apart:
                continue
            cells = [share((n, not 1 <= p <= 99) for n, p, _ in rows) for rows in (alone, apart)]
            cells.append(share((n, e != 0) for n, _, e in apart))
            excess = [e for _, _, e in apart]
            print(f"| {kind} | {quantity.words} | " + " | ".join(f"{100 * c:.0f} %" for c in cells)
                  + f" | {min(excess):.2f}, {max(excess):.2f} |")  # fmt: skip


def sampled(path: Path, patterns: Sequence[str]) -> Iterator:
    """Layers that are placed: at most SAMPLED of a kind, evenly over the depth."""
    by_kind = defaultdict(list)
    for planned in select(open_network(path).plan.layers, list(patterns)):
        if planned.summary.parameters <= PARAMETERS:
            by_kind[stratum(planned.summary)].append(planned)
    for kind, layers in by_kind.items():
        if kind:
            places = np.unique(np.linspace(0, len(layers) - 1, SAMPLED).round().astype(int))
            yield from (layers[place] for place in places)


def damaged(table: Table, roots: list[Path]) -> Iterator[tuple[str, str, str, str, float | None]]:
    """Damage, network, stratum, quantity and excess (None where the value does not exist)."""
    measures = choose(MEASURES)
    listed = read_list(Path(__file__).parents[1] / "infoflow/reference/healthy.toml")
    known = {network.digest: network for network in table.networks}
    for place, source in enumerate(listed):
        network = known[source.sha256]
        rest = table.without(relatives(table, network, True))
        print(source.name, file=sys.stderr, flush=True)
        with found(source, roots) as path:
            for planned in sampled(path, source.layers):
                layer, kind = planned.read(), stratum(planned.summary)
                for words, damage in DAMAGES.items():
                    draw = np.random.default_rng([place, len(words)])
                    weight = damage(np.asarray(layer.weight, float), draw).astype(np.float32)
                    rows = measure_layer(Subject(replace(layer, weight=weight)), measures)
                    (of_layer,) = rows_by_layer([planned.summary], rows)
                    for quantity in QUANTITIES:
                        healthy = rest.distribution(kind, quantity.name)
                        if healthy is None or not healthy.speaks:
                            continue
                        value = quantity.compute(of_layer)
                        excess = None if value is None else healthy.excess(value)
                        yield words, source.name, kind, quantity.name, excess


def print_damaged(outcomes: Iterable[tuple[str, str, str, str, float | None]]) -> None:
    found_ones = list(outcomes)
    print("Share of layers more than " + ", ".join(f"{limit:g}" for limit in LIMITS)
          + " interquartile ranges beyond all (− below, + above)\n")  # fmt: skip
    for kind in STRATA:
        names = [q for q in QUANTITIES if any(o[2:4] == (kind, q.name) for o in found_ones)]
        if not names:
            continue
        print(f"**{kind}**\n\n| damage | " + " | ".join(q.words for q in names) + " |")
        print("| --- |" + " ---: |" * len(names))
        for words in DAMAGES:
            cells = [_cell([(n, e) for w, n, k, q, e in found_ones
                            if (w, k, q) == (words, kind, quantity.name)])
                     for quantity in names]  # fmt: skip
            print(f"| {words} | " + " | ".join(cells) + " |")
        print()


def _cell(excesses: list[tuple[str, float | None]]) -> str:
    exist = [(network, excess) for network, excess in excesses if excess is not None]
    if not exist:
        return "−∞"
    below = [share((n, e < -limit) for n, e in exist) for limit in LIMITS]
    above = [share((n, e > limit) for n, e in exist) for limit in LIMITS]
    sign, shares = ("−", below) if sum(below) >= sum(above) else ("+", above)
    if not any(shares):
        return "0"
    return sign + "/".join(f"{100 * one:.0f}" for one in shares) + " %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", action="append", type=Path, default=[])
    roots = parser.parse_args().root
    table = shipped()
    print_left_out(table)
    print()
    if roots:
        print_damaged(damaged(table, roots))


if __name__ == "__main__":
    main()
