"""Bytes: how many the machine has free, and how people say them."""

from __future__ import annotations

import re
from pathlib import Path

from infoflow.errors import SelectionError
from infoflow.words import counted

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")
_FACTORS = {"": 1, "k": 1, "m": 2, "g": 3, "t": 4}
_PROC = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def available_memory() -> int | None:
    """Bytes that a process may still take: the system's, or its control group's if fewer.

    None where the system does not say (it is not Linux).
    """
    try:
        words = re.search(r"^MemAvailable:\s+(\d+) kB$", _PROC.read_text("ascii"), re.M)
    except OSError:
        return None
    if words is None:
        return None
    system = 1024 * int(words[1])
    group = _left_in_group()
    return system if group is None else min(system, group)


def _left_in_group() -> int | None:
    """What the control group's limit leaves, None where there is no limit."""
    try:
        limit = (_GROUP / "memory.max").read_text("ascii").strip()
        used = int((_GROUP / "memory.current").read_text("ascii"))
    except (OSError, ValueError):
        return None
    return max(int(limit) - used, 0) if limit.isdecimal() else None


def bytes_text(count: int) -> str:
    """Bytes as people say them, in powers of a thousand.

    >>> bytes_text(812), bytes_text(21_234_567), bytes_text(80_561_111_040)
    ('812 bytes', '21.2 MB', '80.6 GB')
    """
    size, unit = float(count), 0
    while size >= 999.95 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:,.1f} {_UNITS[unit]}" if unit else counted(count, "byte")


def parse_bytes(text: str, option: str) -> int:
    """Read ``500MB``, ``2G``, ``1.5GiB`` or a number of bytes.

    Raises:
        SelectionError: It is not of that form.

    >>> parse_bytes("500MB", "--max-memory"), parse_bytes("1.5GiB", "--max-memory")
    (500000000, 1610612736)
    """
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)(i?)b?", text.strip().lower())
    if found is None or (found[3] and not found[2]):
        raise SelectionError(f"{option} {text!r} is not an amount of memory such as 500MB or 2GB.")
    base = 1024 if found[3] else 1000
    power = _FACTORS[found[2]] if found[2] else 0
    return int(float(found[1]) * base**power)
