"""Progress on standard error: layers done and the time left, for long work on a terminal."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from infoflow.render.text import printable, shortened

if TYPE_CHECKING:
    from infoflow.sharing import Step

LONG = 20.0
"""Seconds from which on the estimate is told beforehand."""
_PATIENCE = 1.0


class Progress:
    """A line that is rewritten while layers are measured, and cleared at the end.

    Work of more than 20 s is announced with an estimate. The line is shown on a terminal only, and
    not in the first second.
    """

    def __init__(self, path: Path, *, quiet: bool) -> None:
        self._label = printable(path.name)
        self._quiet = quiet
        self._shown = sys.stderr.isatty() and not quiet
        self._start = time.monotonic()
        self._dirty = False

    def close(self) -> None:
        """Clear the line."""
        if self._dirty:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()

    def tell(self, words: str) -> None:
        """Say what is being done while the network runs on data; a whole sentence stays."""
        if words.endswith("."):
            self.close()
            if not self._quiet:
                sys.stderr.write(f"{self._label}: {printable(words)}\n")
            return
        if self._shown:
            sys.stderr.write(f"\r\x1b[2K{self._label}: {shortened(printable(words), 60)}")
            sys.stderr.flush()
            self._dirty = True

    def __call__(self, step: Step) -> None:
        """Say before long work what it will take; then show how far it is."""
        if step.done == 0 and step.cost.total > LONG and not self._quiet:
            gigabytes = step.cost.memory / 2**30
            note = f"{self._label}: about {duration(step.cost.total)} and {gigabytes:.1f} GiB"
            sys.stderr.write(f"{printable(note)}; --fast and --measures paper take less\n")
        elapsed = time.monotonic() - self._start
        if not self._shown or elapsed < _PATIENCE:
            return
        left = elapsed * (1 - step.share) / step.share if step.share > 0 else None
        time_left = f", about {duration(left)} left" if left is not None else ""
        name = shortened(printable(step.layer), 32)
        sys.stderr.write(f"\r\x1b[2K{self._label}: {step.done}/{step.total} {name}{time_left}")
        sys.stderr.flush()
        self._dirty = True


def duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> duration(4.2), duration(80), duration(7300)
    ('4 s', '1 min 20 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
