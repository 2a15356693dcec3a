"""What an output shows of measures of activations: each site's rows, and which answers what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from infoflow.findings.chains import A_RISE, CHAINS, MAIN, WHEN_COMPARED, Chain, Step, told
from infoflow.render.text import number as text
from infoflow.report import Finding, Measurement, Report, Series, Site
from infoflow.words import joined

_STEMS = frozenset(
    {
        "accuracy", "negative-log-likelihood", "calibration-error", "predictive-entropy",
        "mean-iou", "perplexity", "mean-squared-error", "mean-absolute-error",
        "explained-variance", "disagreement", "expected-entropy", "kl-divergence",
        "batch-entropy", "dead-neurons", "saturated-neurons", "gradient-norm", "units",
        "nearest-neighbour-entropy", "renyi-entropy", "mutual-information", "alignment",
        "probe-accuracy", "data-processing", "redundancy", "synergy", "duplicate-filters",
        "linear-redundancy",
        "entropy-budget", "activation-histogram", "batch-entropy-histogram", "filter-dependence",
        "reliability", "confidence-histogram",
    }
)  # fmt: skip
"""First parts of the names of measures and series that look at activations and outputs."""

_NUMBER = r"([-−+]?[\d.]+(?:[eE][-−+]?\d+)?)"
_RANGE = re.compile(rf"from {_NUMBER} to {_NUMBER}")
_BECOME = re.compile(r"\d+ values become \d+")
_SIZES = re.compile(r"its Jacobian has \d+ × \d+ entries")
_OWN = re.compile(r" *\([\d.,]+\)|(?<=σ) [\d.,]+(?:e[-+]?\d+)?")
"""A site's own number in a clause: in brackets, or the bandwidth."""


def of_activations(measure: str) -> bool:
    """Whether a measure, or a series, looks at activations or outputs and not at weights.

    >>> of_activations("mutual-information.input.null"), of_activations("rank")
    (True, False)
    """
    return measure.partition(".")[0] in _STEMS


@dataclass(frozen=True)
class Information:
    """Information of a site along one chain, as it is shown: above its null."""

    chain: Chain
    plain: Measurement
    above: Measurement | None
    null: Measurement | None
    ceiling: float | None
    ratio: Measurement | None
    cauchy_schwarz: float | None
    step: Step | None

    @property
    def shown(self) -> Measurement:
        """The row to show: above the null, or the plain figure where no null was drawn."""
        return self.above or self.plain

    @property
    def value(self) -> float | None:
        """Bits above the null."""
        return self.shown.value

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of `value`."""
        return interval(self.shown)

    @property
    def null_band(self) -> tuple[float, float] | None:
        """The null's 95 % interval about its mean: where a figure says nothing."""
        band = None if self.null is None else interval(self.null)
        if band is None or self.null is None or self.null.value is None or self.above is None:
            return band
        return band[0] - self.null.value, band[1] - self.null.value

    @property
    def share(self) -> float | None:
        """Of the ceiling: what compares sites, and what a step is judged by."""
        return None if self.ratio is None else self.ratio.value

    @property
    def share_interval(self) -> tuple[float, float] | None:
        """The 95 % interval of `share`."""
        return None if self.ratio is None else interval(self.ratio)

    @property
    def share_null(self) -> tuple[float, float] | None:
        """The null's 95 % interval as shares of the ceiling."""
        band = None if self.null is None else interval(self.null)
        if band is None or not self.ceiling:
            return None
        return band[0] / self.ceiling, band[1] / self.ceiling

    @property
    def flags(self) -> str:
        """What must be known of the figure, such as ``saturated`` or ``inside its null``."""
        notes = (row.note for row in (self.plain, self.above) if row is not None)
        return "; ".join(dict.fromkeys(filter(None, notes)))


@dataclass(frozen=True)
class SiteFacts:
    """A site with its rows, series and findings."""

    index: int
    site: Site
    rows: Mapping[tuple[str, str], Measurement]
    series: Mapping[str, Series]
    findings: tuple[Finding, ...]

    def row(self, measure: str, statistic: str = "value") -> Measurement | None:
        """The row of a measure and statistic, None where it was not measured."""
        return self.rows.get((measure, statistic))

    def value(self, measure: str, statistic: str = "value") -> float | None:
        """The number of a row, None where there is none."""
        row = self.row(measure, statistic)
        return row.value if row else None

    def step(self, name: str) -> Step | None:
        """The step to this site on a chain, by the chain's name."""
        return told(self.row(CHAINS[name].steps))

    def information(self, name: str) -> Information | None:
        """The site's information on a chain, by the chain's name; None where it has none."""
        chain = CHAINS[name]
        plain = self.row(chain.measure)
        if plain is None:
            return None
        return Information(
            chain=chain,
            plain=plain,
            above=self.row(f"{chain.measure}.above-null"),
            null=self.row(f"{chain.measure}.null"),
            ceiling=self.value(f"{chain.measure}.ceiling"),
            ratio=self.row(f"{chain.measure}.ratio"),
            cauchy_schwarz=self.value(chain.measure, "cauchy-schwarz"),
            step=self.step(name),
        )


@dataclass(frozen=True)
class Activations:
    """Everything that a report holds of activations: of each site, and of the whole network."""

    sites: tuple[SiteFacts, ...]
    whole: Mapping[tuple[str, str], Measurement]
    series: Mapping[str, Series]

    def chain(self, name: str) -> list[SiteFacts]:
        """The sites of a chain that have a figure on it, in the chain's own order."""
        found = [one for one in self.sites if one.site.on_chain and one.information(name)]
        return found[::-1] if CHAINS[name].backward else found


def gather_sites(report: Report) -> Activations:
    """The sites' facts in order, and the rows and series of the whole network."""
    rows: dict[str, dict[tuple[str, str], Measurement]] = {}
    for row in report.measurements:
        if of_activations(row.measure):
            rows.setdefault(row.layer, {})[row.measure, row.statistic] = row
    series: dict[str, dict[str, Series]] = {}
    for one in report.series:
        if of_activations(one.name):
            series.setdefault(one.layer, {})[one.name] = one
    findings: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if of_activations(finding.measure):
            for name in dict.fromkeys(finding.layers):
                findings.setdefault(name, []).append(finding)
    sites = tuple(
        SiteFacts(
            index,
            site,
            rows.get(site.name, {}),
            series.get(site.name, {}),
            tuple(findings.get(site.name, ())),
        )
        for index, site in enumerate(report.sites)
    )
    return Activations(sites, rows.get("", {}), series.get("", {}))


def interval(row: Measurement) -> tuple[float, float] | None:
    """The 95 % interval of a row, None where it has none."""
    return None if row.low is None or row.high is None else (row.low, row.high)


def half_width(row: Measurement) -> float | None:
    """Half of a row's 95 % interval, None where it has none."""
    ends = interval(row)
    return None if ends is None else (ends[1] - ends[0]) / 2


def estimator(sites: Sequence[SiteFacts], measure: str) -> str:
    """What most sites' methods of a measure share; a site's own bandwidth is left out.

    >>> estimator([], "mutual-information.input")
    ''
    """
    said = [row.method for one in sites if (row := one.row(measure)) and row.method]
    clauses = Counter(
        clause for method in said for clause in dict.fromkeys(_clauses(method)) if clause
    )
    return "; ".join(clause for clause, count in clauses.items() if 2 * count > len(said))


def _clauses(method: str) -> Iterable[str]:
    return (_OWN.sub("", clause).strip() for clause in method.split(";"))


def estimated(sites: Sequence[SiteFacts]) -> str:
    """What the information is and how it was estimated, ``""`` where there is none."""
    chains = [chain for chain in MAIN if any(s.information(chain.name) for s in sites)]
    if not chains:
        return ""
    symbols = joined([chain.symbol for chain in chains])
    method = estimator(sites, chains[0].measure)
    shown = [s.information(chain.name) for s in sites for chain in chains]
    null = " above the mean of permuted samples" if any(o and o.above for o in shown) else ""
    spread = " ± half a 95\xa0% interval" if any(o and o.interval for o in shown) else ""
    return f"{symbols}: bits{null}{spread}{'; ' if method else ''}{method}"


def reading(sites: Sequence[SiteFacts]) -> list[str]:
    """What must be said beside the figures: the estimator, what a rise means, when to compare."""
    said = estimated(sites)
    if not said:
        return []
    stepped = any(one.step(name) for one in sites for name in CHAINS)
    return [said, *([A_RISE] if stepped else []), WHEN_COMPARED]


def orders(report: Report) -> str:
    """Whether the order of sites depends on σ and on the samples, one sentence; or ``""``."""
    found = [(chain, report.row("", chain.steps, "order")) for chain in MAIN]
    told = [(chain, row) for chain, row in found if row is not None and row.value is not None]
    if not told:
        return ""
    changed = [f"{chain.symbol} (τ {text(row.value, 2)})" for chain, row in told if row.value != 1]
    steady = [chain.symbol for chain, row in told if row.value == 1]
    parts = [f"changes for {joined(changed)}"] if changed else []
    parts += [f"is the same for {joined(steady)}"] if steady else []
    when = "At half and double σ and in thirds of the samples"
    return f"{when} the order of sites {'; it '.join(parts)}"


def budget_line(report: Report) -> str:
    """The entropy budget of the whole network, or how many sites have a term and why others not."""
    row = report.row("", "entropy-budget")
    if row is None:
        return ""
    if row.value is not None:
        kinds = ("weight", "normalisation", "activation", "other")
        parts = [(kind, report.row("", "entropy-budget", kind)) for kind in kinds]
        told = [f"{kind} {one.value:.4g}" for kind, one in parts
                if one is not None and one.value is not None]  # fmt: skip
        whole = report.row("", "entropy-budget", "jacobian")
        beside = ""
        if whole is not None:
            said = whole.note if whole.value is None else f"{whole.value:.6g} nats"
            beside = f"; log|det J| by autograd: {said}"
        return f"entropy budget, nats: {' + '.join(told)} = {row.value:.6g}{beside}"
    sites = [one for site in report.sites if (one := report.row(site.name, "entropy-budget"))]
    reasons = Counter(_kind(one.note) for one in sites if one.value is None)
    told = [f"{reason} ({count})" for reason, count in reasons.most_common(4)]
    with_term = sum(one.value is not None for one in sites)
    return f"entropy budget: {with_term} of {len(sites)} sites have a term; {'; '.join(told)}"


def _kind(note: str) -> str:
    """A reason without a site's own numbers."""
    return "the number of values changes" if _BECOME.search(note) else _SIZES.sub("too large", note)


def span_of(note: str) -> tuple[float, float] | None:
    """The range that a note states, None where it states none.

    >>> span_of("from −1.5 to 2e3"), span_of("")
    ((-1.5, 2000.0), None)
    """
    found = _RANGE.search(note)
    if found is None:
        return None
    try:
        low, high = (float(end.rstrip(".").replace("−", "-")) for end in found.groups())
    except ValueError:
        return None
    return low, high
