"""ensemble(): several checkpoints as one network, and what they disagree on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from os import PathLike, fspath
from pathlib import PurePath
from typing import TYPE_CHECKING

from infoflow.activations.request import ActivationRequest
from infoflow.analysis import versions
from infoflow.checkpoints import open_checkpoint
from infoflow.errors import SelectionError
from infoflow.findings import find
from infoflow.report import Coverage, Report
from infoflow.words import counted, joined

if TYPE_CHECKING:
    from torch import nn

    from infoflow.activations.together import Member
    from infoflow.models import Runnable

SOURCE = "ensemble"
"""Source and format of an ensemble's report, and the name of its folder."""


def ensemble(
    sources: Sequence[str | PathLike[str] | nn.Module],
    *,
    data: str | ActivationRequest,
    arch: str | None = None,
    input_size: tuple[int, ...] | None = None,
    weights: str = "auto",
    trust_pickle: bool = False,
    complete: bool = True,
    telling: Callable[[str], None] | None = None,
) -> Report:
    """Report what several networks say as one, what they are unsure of and what they differ on.

    The ensemble's probabilities are the mean of the members'. For each sample the total entropy
    H(mean q) is the sum of the expected entropy, mean H(q_k), and of the disagreement, the mutual
    information between prediction and member; all in nats, means over samples with 95 % intervals.

    Args:
        sources: Checkpoints (snapshots of one training, or networks of their own) or live modules,
            two at least; all of the same classes.
        data: Data to run them on, such as ``cifar10`` (see `infoflow.data.open_data`), or a whole
            request. Each member gets the same samples, prepared as it takes them.
        arch: As for `infoflow.analyze`, for every source.
        input_size: Likewise.
        weights: Likewise.
        trust_pickle: Likewise.
        complete: Whether to add what only a written report shows: SHA-256 and series.
        telling: Called with a few words on what is being done.

    Returns:
        A report whose rows of the ensemble have the layer ``""`` and whose rows of a member have
        its name; of ``kl-divergence`` the statistic names the second network of the pair.

    Raises:
        SelectionError: There is one source only.
        InfoflowError: A file or the data cannot be served; one sentence says why.
    """
    from infoflow.activations import ensemble_rows
    from infoflow.activations.running import device_of, dtype_of, summary
    from infoflow.activations.together import run_together
    from infoflow.activations.uncertain import least_sure

    if len(sources) < 2:
        raise SelectionError("An ensemble needs two networks or more, and one was given.")
    request = ActivationRequest(data) if isinstance(data, str) else data
    tell = telling or (lambda words: None)
    found = [
        _source(one, name, arch, input_size, weights, trust_pickle, complete)
        for one, name in zip(sources, names(sources), strict=True)
    ]
    members = list(_members(found, request))
    device, dtype = device_of(request.device), dtype_of(request.precision)
    tell(f"outputs of {counted(len(members), 'network')}")
    answers = run_together(
        members,
        batch_size=request.batch_size,
        prepare=lambda batch: batch.to(device, dtype),
    )
    first = answers.data
    called = [member.name for member in members]
    report = Report(
        source=SOURCE,
        format=SOURCE,
        digest="",
        architecture=f"{counted(len(members), 'network')}: {joined(called)}",
        layers=(),
        measurements=tuple(ensemble_rows.rows(answers, called, first)),
        series=tuple(ensemble_rows.series(answers, called)) if complete else (),
        findings=(),
        coverage=Coverage(),
        data=replace(summary(first, request), preprocessing=_preprocessing(members)),
        samples=least_sure(answers.whole, first, answers.disagreement),
        settings={
            **{f"member {place}": one.said for place, one in enumerate(found, start=1)},
            "data": request.data,
            "samples": str(first.samples),
            "batch size": str(request.batch_size),
            "precision": request.precision,
            "device": request.device,
            "seed": str(request.seed),
        },
        versions=versions(with_torch=True),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return replace(report, findings=find(report))


def names(sources: Sequence[str | PathLike[str] | nn.Module]) -> list[str]:
    """A short name of each source, no two alike: as much of a path as tells it from the others.

    >>> names(["runs/1/last.pt", "runs/2/last.pt", "runs/2/last.pt"])
    ['1/last.pt', '2/last.pt', '2/last.pt (2)']
    """
    paths = [
        PurePath(fspath(one)) if isinstance(one, (str, PathLike)) else PurePath(type(one).__name__)
        for one in sources
    ]
    short = [_tail(path, paths) for path in paths]
    return [
        name if name not in short[:place] else f"{name} ({short[: place + 1].count(name)})"
        for place, name in enumerate(short)
    ]


def _tail(path: PurePath, paths: Sequence[PurePath]) -> str:
    others = {other for other in paths if other != path}
    for length in range(1, len(path.parts) + 1):
        if all(other.parts[-length:] != path.parts[-length:] for other in others):
            return PurePath(*path.parts[-length:]).as_posix()
    return path.as_posix()


@dataclass(frozen=True)
class _Found:
    """A source that was opened: its name, its network, and what the report says of it."""

    name: str
    network: Runnable
    said: str


def _source(
    source: str | PathLike[str] | nn.Module,
    name: str,
    arch: str | None,
    input_size: tuple[int, ...] | None,
    weights: str,
    trust_pickle: bool,
    complete: bool,
) -> _Found:
    from infoflow.models import live, runnable

    if not isinstance(source, (str, PathLike)):
        return _Found(name, live(source, None), f"{type(source).__name__}, a live module")
    checkpoint = open_checkpoint(fspath(source), weights=weights, trust_pickle=trust_pickle)
    network = runnable(checkpoint, arch=arch, input_size=input_size)
    digest = f", SHA-256 {checkpoint.digest()}" if complete else ""
    return _Found(name, network, f"{checkpoint.path}{digest}")


def _members(found: Sequence[_Found], request: ActivationRequest) -> Iterator[Member]:
    """The networks where they shall run; those of the same preparation share their data."""
    from infoflow.activations.running import (
        device_of,
        dtype_of,
        opened,
        placed,
        preprocessing_of,
    )
    from infoflow.activations.together import Member

    device, dtype = device_of(request.device), dtype_of(request.precision)
    known = [preprocessing_of(one.network, request) for one in found]
    shared = {preparation: opened(request, preparation) for preparation in dict.fromkeys(known)}
    for one, preparation in zip(found, known, strict=True):
        yield Member(one.name, placed(one.network.module, device, dtype), shared[preparation])


def _preprocessing(members: Sequence[Member]) -> str:
    """What is done to pictures, said for each member where it is not the same for all."""
    said = [member.data.preprocessing for member in members]
    if len(set(said)) == 1:
        return said[0]
    pairs = zip(members, said, strict=True)
    return " ".join(f"For {member.name}: {words}" for member, words in pairs if words)
