"""Which findings appeared, disappeared or stayed, along two or more reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from infoflow.comparison.comparison import Fate, FindingChange
from infoflow.report import Finding


@dataclass
class _Thread:
    """One finding through the files: by the place of each that has it."""

    found: dict[int, Finding] = field(default_factory=dict)

    @property
    def latest(self) -> Finding:
        return self.found[max(self.found)]


def finding_changes(files: Sequence[Sequence[Finding]]) -> tuple[FindingChange, ...]:
    """Follow each finding through the files.

    A finding goes on as one of the same rule with the same layers, else as one of the same rule
    that shares a layer with it.

    Args:
        files: The findings of each file, in order.
    """
    threads: list[_Thread] = []
    for place, findings in enumerate(files):
        left = list(findings)
        free = [thread for thread in threads if place not in thread.found]
        for same in (_equal, _overlapping):
            for finding in list(left):
                thread = next((one for one in free if same(one.latest, finding)), None)
                if thread is not None:
                    thread.found[place] = finding
                    free.remove(thread)
                    left.remove(finding)
        threads += [_Thread({place: finding}) for finding in left]
    last = len(files) - 1
    changes = [_change(thread, last) for thread in threads]
    order = list(Fate)
    return tuple(sorted(changes, key=lambda one: order.index(one.fate)))


def _equal(one: Finding, other: Finding) -> bool:
    return one.rule == other.rule and set(one.layers) == set(other.layers)


def _overlapping(one: Finding, other: Finding) -> bool:
    return one.rule == other.rule and bool(set(one.layers) & set(other.layers))


def _change(thread: _Thread, last: int) -> FindingChange:
    found, latest = thread.found, thread.latest
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    if 0 in found and last in found:
        before, after = found[0].layers, found[last].layers
        gained = tuple(name for name in after if name not in set(before))
        lost = tuple(name for name in before if name not in set(after))
        fate = Fate.MOVED if gained or lost else Fate.PERSISTS
    elif last in found:
        fate = Fate.APPEARED
    else:
        fate = Fate.DISAPPEARED if 0 in found else Fate.PASSED
    return FindingChange(
        fate=fate,
        rule=latest.rule,
        severity=latest.severity,
        layers=latest.layers,
        present=tuple(sorted(found)),
        gained=gained,
        lost=lost,
        sentence=latest.sentence,
    )
