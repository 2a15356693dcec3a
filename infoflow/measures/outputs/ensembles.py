"""Several networks as one: what they are unsure of together, and what they disagree on.

Source: Lakshminarayanan, Pritzel and Blundell, Simple and scalable predictive uncertainty
estimation using deep ensembles, 2017; Depeweg et al., Decomposition of uncertainty, 2018, eq. 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from infoflow.errors import DataError
from infoflow.measures.outputs.predictive import predictive_entropy
from infoflow.words import joined, shape_text


@dataclass(frozen=True)
class Ensemble:
    """Entropies of an ensemble, a position each (n, …), in nats: total = expected + disagreement.

    Args:
        log_q: ln of the mean of the members' probabilities, (n, classes, …).
        total: H(mean q), never below ``expected``.
        expected: mean H(q_k).
        disagreement: The mutual information between the prediction and the member.
    """

    log_q: Tensor
    total: Tensor
    expected: Tensor
    disagreement: Tensor


def ensemble(members: Sequence[Tensor]) -> Ensemble:
    """The ensemble of networks with these log-probabilities, each (n, classes, …).

    Raises:
        DataError: The networks' outputs differ in shape.
    """
    shapes = list(dict.fromkeys(shape_text(tuple(member.shape)) for member in members))
    if len(shapes) > 1:
        raise DataError(
            f"networks with different outputs ({joined(shapes)}) cannot be one ensemble."
        )
    log_q = torch.logsumexp(torch.stack(list(members)), dim=0) - math.log(len(members))
    total = predictive_entropy(log_q)
    expected = torch.stack([predictive_entropy(member) for member in members]).mean(dim=0)
    return Ensemble(log_q, total, expected, total - expected)
