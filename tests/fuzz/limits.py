"""Runs mutants in processes of their own, with limits of time and memory, and counts the ends."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.originals import ORIGINALS

PATIENCE = 30
"""Seconds without a line from the process after which it is ended: it does not answer its alarm."""
GOOD = ("report", "refused")


@dataclass
class Counts:
    """How the mutants of one format ended."""

    ends: Counter[str] = field(default_factory=Counter)
    sentences: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add(self, name: str, seed: int, ended: str, detail: str) -> None:
        """Counts one mutant."""
        self.ends[ended] += 1
        if ended == "refused":
            self.sentences[detail] += 1
        elif ended != "report":
            again = f"python -m tests.fuzz --format {name} --seed {seed} --count 1 --keep FOLDER"
            self.failures.append(f"{name}, seed {seed}: {ended}: {detail}\n    again: {again}")


def fuzz(name: str, folder: Path, first: int, count: int) -> Counts:
    """Runs ``count`` mutants of a format, from the seed ``first`` on.

    A mutant that ends the process is counted as a crash, and the next one begins a new process.
    """
    made = folder / "original"
    made.mkdir(parents=True, exist_ok=True)
    work = folder / "work"
    work.mkdir(exist_ok=True)
    original = ORIGINALS[name].make(made)
    counts, seed, end = Counts(), first, first + count
    while seed < end:
        seed = _batch(counts, name, original, work, seed, end)
    return counts


def _batch(counts: Counts, name: str, original: Path, folder: Path, seed: int, end: int) -> int:
    """One process; the seed from which the next one has to go on."""
    arguments = [name, str(original), str(folder), str(seed), str(end - seed)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with (
        (folder / "stderr").open("w+b") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker", *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | threads,
            cwd=Path(__file__).parents[2],
        ) as process,
    ):
        running = None
        for line in _lines(process):
            running = line["seed"]
            if "ended" in line:
                counts.add(name, running, line["ended"], line["detail"])
                running, seed = None, line["seed"] + 1
        code = process.wait()
        errors.seek(0)
        said = errors.read().decode(errors="replace")[-500:]
    if running is not None:
        why = "hang" if code == -9 else "crash"
        counts.add(name, running, why, f"the process ended with {code}: {said}")
        return int(running) + 1
    if seed < end:
        raise RuntimeError(f"the process ended by itself with {code}: {said}")
    return seed


def _lines(process: subprocess.Popen[bytes]) -> Any:
    assert process.stdout is not None
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ)
    buffer = b""
    while True:
        if not selector.select(PATIENCE if buffer or process.poll() is None else 1):
            process.kill()
            return
        part = os.read(process.stdout.fileno(), 65536)
        if not part:
            return
        *lines, buffer = (buffer + part).split(b"\n")
        yield from map(json.loads, lines)
