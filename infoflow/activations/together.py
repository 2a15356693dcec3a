"""Several networks run on the same samples: what each says, and what they say as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations

import torch
from torch import Tensor, nn

from infoflow.data import Data
from infoflow.data.batch import IGNORED, Batch
from infoflow.errors import CaptureError, DataError
from infoflow.measures.outputs.divergence import kl_divergence
from infoflow.measures.outputs.ensembles import ensemble
from infoflow.measures.outputs.predictive import sample_means
from infoflow.measures.outputs.reading import Reading, reading_of
from infoflow.measures.outputs.stream import Outputs, OutputStream
from infoflow.models import trial
from infoflow.words import joined

Prepare = Callable[[Batch], Batch]


@dataclass(frozen=True)
class Member:
    """A network of the ensemble, and the samples prepared as it takes them.

    Args:
        name: For the reader, one of its own.
        module: In evaluation mode, where it shall run.
        data: Members that take the same preparation share it.
    """

    name: str
    module: nn.Module
    data: Data


@dataclass(frozen=True)
class Together:
    """What the members and their ensemble say; of entropies a number a sample (n,), in nats.

    Args:
        members: Each member's outputs, in order.
        whole: The outputs of the mean of their probabilities; its entropy is the total.
        expected: Mean of the members' entropies.
        disagreement: Total less expected.
        divergences: KL(first‖second) of each ordered pair of members, by their places.
        data: The samples as the first member takes them, with what was noted of the outputs.
    """

    members: tuple[Outputs, ...]
    whole: Outputs
    expected: Tensor
    disagreement: Tensor
    divergences: dict[tuple[int, int], Tensor]
    data: Data


def run_together(
    members: Sequence[Member], *, batch_size: int, prepare: Prepare = lambda batch: batch
) -> Together:
    """Run every member on every sample, batch by batch; no more than a batch is held.

    Raises:
        DataError: The members do not give the same classes, or are not given the same samples.
        CaptureError: A member's outputs are NaN.
    """
    readings, shapes, kept = [], [], dict[int, Data]()
    for member in members:
        tried = trial(member.module, member.data, prepare)
        data, reading = reading_of(tried)
        if reading.form == "numbers":
            raise DataError(
                f"{data.name} has numbers for targets, or {member.name} gives them: the entropies "
                "of an ensemble are those of classes."
            )
        notes = [f"{member.name}: {note}" for note in (*tried.notes, *reading.notes)]
        known = kept.setdefault(id(member.data), data)
        kept[id(member.data)] = replace(known, notes=(*known.notes, *notes))
        readings.append(reading)
        shapes.append(reading.log_probabilities(tried.output, tried.batch)[0].shape[1:])
    members = [replace(member, data=kept[id(member.data)]) for member in members]
    _refuse_different(members, shapes)
    seen = _Seen(len(members))
    with torch.no_grad():
        for batches in _in_step(members, batch_size):
            answers = [
                _answer(member, reading, prepare(batch))
                for member, reading, batch in zip(members, readings, batches, strict=True)
            ]
            seen.add([log_q for log_q, _ in answers], [targets for _, targets in answers])
    return seen.together(members[0].data)


def _in_step(members: Sequence[Member], batch_size: int) -> Iterator[list[Batch]]:
    """The batches of all members, each of shared data read once."""
    sets = {id(member.data): member.data for member in members}
    if len({data.samples for data in sets.values()}) > 1:
        raise DataError(_other_samples(members))
    for batches in zip(*(data.batches(batch_size) for data in sets.values()), strict=True):
        by_set = dict(zip(sets, batches, strict=True))
        yield [by_set[id(member.data)] for member in members]


def _answer(member: Member, reading: Reading, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """A member's log-probabilities (n, classes, …) and the targets (n, …) at their positions."""
    log_q, targets = reading.log_probabilities(batch.call(member.module), batch)
    if bool(log_q.isnan().any()):
        raise CaptureError(
            f"The outputs of {member.name} are NaN: nothing can be said of them. The weights, the "
            "preprocessing or --precision may be why."
        )
    return log_q, targets


@dataclass
class _Seen:
    """What accumulates over the batches."""

    count: int
    whole: OutputStream = field(default_factory=OutputStream)
    members: list[OutputStream] = field(default_factory=list)
    expected: list[Tensor] = field(default_factory=list)
    disagreement: list[Tensor] = field(default_factory=list)
    divergences: dict[tuple[int, int], list[Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.members = [OutputStream() for _ in range(self.count)]
        self.divergences = {pair: [] for pair in permutations(range(self.count), 2)}

    def add(self, logs: Sequence[Tensor], targets: Sequence[Tensor | None]) -> None:
        """One batch of each member's log-probabilities."""
        wanted = targets[0]
        if any(not _equal(wanted, other) for other in targets[1:]):
            raise DataError(
                "the members were not given the same samples: the data come in another order each "
                "time they are read, so seed their shuffling or leave it out."
            )
        found = ensemble(logs)
        counts = torch.ones_like(found.total, dtype=torch.bool)
        if wanted is not None:
            counts = wanted.to(found.total.device) != IGNORED
        self.whole.add_log_probabilities(found.log_q, wanted)
        for stream, log_q in zip(self.members, logs, strict=True):
            stream.add_log_probabilities(log_q, wanted)
        self.expected.append(sample_means(found.expected, counts).cpu())
        self.disagreement.append(sample_means(found.disagreement, counts).cpu())
        for (first, second), kept in self.divergences.items():
            kept.append(sample_means(kl_divergence(logs[first], logs[second]), counts).cpu())

    def together(self, data: Data) -> Together:
        """All batches as one."""
        return Together(
            tuple(stream.outputs() for stream in self.members),
            self.whole.outputs(),
            torch.cat(self.expected),
            torch.cat(self.disagreement),
            {pair: torch.cat(kept) for pair, kept in self.divergences.items()},
            data,
        )


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return torch.equal(one, other)


def _refuse_different(members: Sequence[Member], shapes: Sequence[Sequence[int]]) -> None:
    if len({tuple(shape) for shape in shapes}) == 1:
        return
    said = [f"{member.name} {shape[0]}" for member, shape in zip(members, shapes, strict=True)]
    if len({shape[0] for shape in shapes}) == 1:
        raise DataError(
            "the members give answers for different numbers of positions: one ensemble needs "
            "networks of the same output."
        )
    raise DataError(
        f"the members have different numbers of classes ({joined(said)}): one ensemble needs "
        "networks of the same classes."
    )


def _other_samples(members: Sequence[Member]) -> str:
    said = {f"{member.data.samples:,}" for member in members}
    return f"the members were given different numbers of samples ({joined(sorted(said))})."
