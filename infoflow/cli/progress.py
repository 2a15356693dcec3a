"""Progress on standard error: layers done and the time left, for long work on a terminal."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType

_PATIENCE = 1.0


class Progress:
    """A line that is rewritten while layers are measured, and cleared at the end.

    Nothing is printed where standard error is not a terminal, nor in the first second.
    """

    def __init__(self, path: Path, *, quiet: bool) -> None:
        self._label = path.name
        self._shown = sys.stderr.isatty() and not quiet
        self._start = time.monotonic()
        self._dirty = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._dirty:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()

    def __call__(self, done: int, total: int, layer: str, share: float) -> None:
        """Show that ``done`` of ``total`` layers, ``share`` of the work, are done."""
        elapsed = time.monotonic() - self._start
        if not self._shown or elapsed < _PATIENCE:
            return
        from infoflow.render.text import printable, shortened

        left = elapsed * (1 - share) / share if share > 0 else None
        time_left = f", about {duration(left)} left" if left is not None else ""
        text = f"{self._label}: {done}/{total} {shortened(printable(layer), 32)}{time_left}"
        sys.stderr.write(f"\r\x1b[2K{text}")
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
