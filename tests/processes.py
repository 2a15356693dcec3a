"""What processes that tests start need."""

from __future__ import annotations

import signal


def hear_interruptions() -> None:
    """Work in the background of a shell ignores SIGINT, and what it starts would too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
