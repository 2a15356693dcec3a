"""Two sides in turn, the ratio pair by pair, peak memory of each, and what machine it was."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

INFOFLOW = str(Path(sys.executable).with_name("infoflow"))
HERE = Path(__file__).parent
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Run:
    """One run: wall seconds, and of a process its peak memory in MiB and CPU seconds, else 0."""

    seconds: float
    peak: float = 0.0
    cpu: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """Two sides, run in turn."""

    name: str
    ours: tuple[Run, ...]
    theirs: tuple[Run, ...]

    @property
    def ratio(self) -> float:
        """Median of the ratios of times, pair by pair."""
        pairs = zip(self.ours, self.theirs, strict=True)
        return statistics.median(a.seconds / b.seconds for a, b in pairs)

    def row(self, goal: str = "", *, times: bool = False) -> str:
        """A row of a Markdown table: name, both sides, the ratio and what it should be.

        Args:
            goal: In words.
            times: Give how many times faster we are instead of our share of their time.
        """
        sides = [_cell(side) for side in (self.ours, self.theirs)]
        ratio = f"{1 / self.ratio:.1f} ×" if times else f"{self.ratio:.2f}"
        cells = [self.name, *sides, f"**{ratio}**", *([goal] if goal else [])]
        return f"| {' | '.join(cells)} |"


def _cell(runs: tuple[Run, ...]) -> str:
    seconds = statistics.median(run.seconds for run in runs)
    peak = max(run.peak for run in runs)
    return f"{seconds:.3g} s" + (f", {peak:,.0f} MiB" if peak else "")


LAUNCHER = """
import json, os, sys, time
start = time.perf_counter()
process = os.fork()
if not process:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(process, 0)
cpu = usage.ru_utime + usage.ru_stime
print(json.dumps([time.perf_counter() - start, usage.ru_maxrss / 1024, cpu]))
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Starts a command from a small process: Linux counts the memory of the process that forks, which
here may hold arrays, as its child's."""


def once(command: list[str], threads: int = 1) -> Run:
    """Run a command to its end.

    Raises:
        SystemExit: It failed; what it said is shown.
    """
    environment = os.environ | dict.fromkeys(VARIABLES, str(threads))
    # Without compiled modules beside the source, which an installation has, we would be compiled
    # at every start, and torch would not.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    launched = [sys.executable, "-S", "-c", LAUNCHER, *command]
    done = subprocess.run(launched, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return Run(*json.loads(done.stdout))


def compare(
    name: str, ours: list[str], theirs: list[str], runs: int = 5, *, threads: int = 1
) -> Comparison:
    """Run both commands once to warm the disk cache, then in turn."""
    once(ours, threads)
    once(theirs, threads)
    pairs = [(once(ours, threads), once(theirs, threads)) for _ in range(runs)]
    return Comparison(name, tuple(a for a, _ in pairs), tuple(b for _, b in pairs))


def compare_here(
    name: str, ours: Callable[[], object], theirs: Callable[[], object], runs: int = 3
) -> Comparison:
    """Call both in this process, in turn."""
    pairs = [(timed(ours), timed(theirs)) for _ in range(runs)]
    return Comparison(name, tuple(a for a, _ in pairs), tuple(b for _, b in pairs))


def timed(function: Callable[[], object]) -> Run:
    """Wall time of a call."""
    start = time.perf_counter()
    function()
    return Run(time.perf_counter() - start)


def again(threads: int) -> None:
    """Run the calling script again with so many threads and their number as its argument."""
    environment = os.environ | dict.fromkeys(VARIABLES, str(threads))
    command = [sys.executable, sys.argv[0], str(threads)]
    sys.stdout.flush()
    subprocess.run(command, env=environment, check=True)


@contextmanager
def vgg16() -> Iterator[Path]:
    """Torchvision's VGG16 with fresh weights, 553 MB, as torch.save writes it; removed at the end.

    No figure here depends on training: every side does the same work on any weights.
    """
    with TemporaryDirectory() as folder:
        yield made("vgg16", Path(folder) / "vgg16.pth")


def made(network: str, path: Path) -> Path:
    """One of torchvision's networks with fresh weights, written by a process of its own."""
    code = (
        "import sys, torch, torchvision; torch.manual_seed(0);"
        "torch.save(torchvision.models.get_model(sys.argv[1]).state_dict(), sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", code, network, str(path)], check=True)
    return path


def header(columns: str) -> str:
    """The machine, and the head of a Markdown table."""
    names = columns.split(" | ")
    return f"{machine()}\n\n| {columns} |\n|{' --- |' * len(names)}"


def machine() -> str:
    """The machine and the libraries in a line."""
    cpu = platform.processor() or "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            x.split(":")[1].strip() for x in info.read_text().splitlines() if "model name" in x
        ]
        cpu = names[0] if names else cpu
    libraries = ", ".join(f"{name} {_version(name)}" for name in ("numpy", "scipy", "torch"))
    return (
        f"{cpu}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, {libraries}"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
