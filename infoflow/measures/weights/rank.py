"""The rank of a layer a position of its output, and which channels take rank away."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.measures.measure import Measure
from infoflow.measures.weights.subject import SPECTRAL, Subject
from infoflow.report import Measurement


def rank(subject: Subject) -> Iterator[Measurement]:
    """Generic rank of the symbol, with tolerance and gap.

    ``value`` of ``full`` = groups · min(C_out/groups, columns), columns being the input channels
    of a group times the stride's non-empty phases. ``tolerance`` is the singular value, after
    rows and columns are scaled to unit norm, that counts as zero; ``gap`` the ratio of the last
    singular value kept to the first one that is not. The note names channels that are zero,
    negligible, copies or mixtures of others, and says where full rank cannot be told.

    Of a low-rank update ``full`` is the width of its factors: what it may have by its making.
    """
    found, name = subject.rank, subject.layer.name
    where = f"{found.frequencies} random frequencies" if found.frequencies > 1 else "one matrix"
    method = f"singular values of {where}, rows and columns scaled to unit norm"
    sentence = found.sentence
    if whole := subject.layer.whole:
        lost = f"rank {found.rank}" if found.rank < found.full else "all"
        sentence = f"{lost} of the {found.full} directions that its factors allow, of " + (
            f"{min(whole[:2])} of the layer that it changes"
        )
    yield Measurement(
        name, "rank", "value", float(found.rank), "count", method=method, note=sentence
    )
    yield Measurement(name, "rank", "full", float(found.full), "count", method=method)
    yield Measurement(
        name,
        "rank",
        "tolerance",
        found.tolerance,
        "ratio",
        method="a singular value of the scaled matrix: max(4ε, n·2⁻⁵²·σ_max), ε of the stored "
        "type, less for nearly square shapes, of which random ones come close to zero",
    )
    note = ""
    if found.gap is None:
        note = "no gap: full rank" if found.is_full else "the rest is zero or was taken out"
    yield Measurement(name, "rank", "gap", found.gap, "ratio", method=method, note=note)


RANK = Measure(
    name="rank",
    symbol="rank",
    unit="count",
    needs="spectrum",
    kinds=SPECTRAL,
    group="default",
    summary="how many independent directions pass through at each position",
    source="numerical rank after equilibration; Golub & Van Loan, Matrix Computations, §5.4",
    compute=rank,
)

MEASURES = (RANK,)
