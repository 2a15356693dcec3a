"""Two commands in turn, the ratio pair by pair, and what machine it was."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Comparison:
    """Wall seconds of two commands, run in turn."""

    name: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median of the ratios, pair by pair."""
        return statistics.median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    def row(self) -> str:
        """A row of a Markdown table."""
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        return f"| {self.name} | {ours:.3f} s | {theirs:.3f} s | **{self.ratio:.2f}** |"


def compare(name: str, ours: list[str], theirs: list[str], runs: int = 5) -> Comparison:
    """Run both once to warm the disk cache, then in turn; one thread each."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(runs + 1):
        for side, command in enumerate((ours, theirs)):
            start = time.perf_counter()
            subprocess.run(
                command,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | ONE_THREAD,
            )
            if turn:
                seconds[side].append(time.perf_counter() - start)
    return Comparison(name, tuple(seconds[0]), tuple(seconds[1]))


def machine() -> str:
    """The machine in a line."""
    cpu = platform.processor() or "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            x.split(":")[1].strip() for x in info.read_text().splitlines() if "model name" in x
        ]
        cpu = names[0] if names else cpu
    return f"{cpu}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def peak_memory() -> float:
    """Peak memory of the largest child process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
