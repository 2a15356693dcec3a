"""The paper's entropy change of a layer: dense layers here, convolutions beside.

``MEASURES`` gathers the three: log|det| of the square part of a dense layer, log|c₁₁| of every
slice of a convolution (`corner`), and the block c₁₁ of a whole convolution (`block_corner`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from infoflow.measures.measure import Measure
from infoflow.measures.weights import block_corner, corner
from infoflow.measures.weights.determinant import LogDeterminant, log_determinant, of_layer
from infoflow.report import Measurement

if TYPE_CHECKING:
    from infoflow.measures.weights.subject import Subject

_LOGDET = "entropy-change.logdet"


def square_log_determinant(weight: Any, dtype: str) -> LogDeterminant:
    """log|det W_sq| in nats, W_sq the first min(N, d) rows and columns (ENT Theorem 3, eq. 4).

    It is the change in joint differential entropy of the outputs and the d − N inputs carried
    along, and depends on the order of the inputs. Never above the exact log-volume (Cauchy-Binet).

    Args:
        weight: (N, d) = (outputs, inputs), of any real type, perhaps a memory map: only the
            square part is converted to float64.
        dtype: Of the stored tensor.

    Returns:
        The value, or None with a note that says which rows or columns are zero or what the rank is.
    """
    k = min(weight.shape)
    return log_determinant(weight[:k, :k], dtype)


def logdet(subject: Subject) -> LogDeterminant:
    """The subject's log|det W_sq|, computed once; −∞ where the whole layer has lost rank."""
    memory = vars(subject)
    if "logdet" not in memory:
        memory["logdet"] = of_layer(subject.square_determinant, subject)
    known: LogDeterminant = memory["logdet"]
    return known


def _logdet(subject: Subject) -> Iterator[Measurement]:
    layer, found = subject.layer, logdet(subject)
    k = min(layer.weight.shape)
    method = f"log|det| of the first {k} rows and columns, in float64 (ENT Theorem 3, eq. 4)"
    yield Measurement(
        layer.name, _LOGDET, "value", found.value, "nats", method=method, note=found.note
    )


MEASURES = (
    Measure(
        name=_LOGDET,
        symbol="log|det W|",
        unit="nats",
        needs="weights",
        kinds=frozenset({"dense"}),
        group="paper",
        summary="entropy change of the square part of a dense layer",
        source="ENT Theorem 3, eq. 4",
        compute=_logdet,
    ),
    *corner.MEASURES,
    *block_corner.MEASURES,
)
