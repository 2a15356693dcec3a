"""``python -m tests.fuzz --count 5000 --seed 0``: mutants of every format, counted."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.limits import fuzz
from tests.fuzz.originals import ORIGINALS
from tests.fuzz.worker import write_mutant


def main() -> int:
    """Runs the mutants; 1 where one ended in neither a report nor a sentence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", action="append", choices=list(ORIGINALS))
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--keep", type=Path, help="write the mutants here, and run none")
    given = parser.parse_args()
    failed = False
    for name in given.format or ORIGINALS:
        if not ORIGINALS[name].is_read:
            print(f"{name}: not read by infoflow, skipped")  # noqa: T201
            continue
        with tempfile.TemporaryDirectory() as folder:
            if given.keep:
                original = ORIGINALS[name].make(Path(folder))
                given.keep.mkdir(parents=True, exist_ok=True)
                for seed in range(given.seed, given.seed + given.count):
                    write_mutant(name, original, given.keep / f"{name}-{seed}", seed)
                continue
            counts = fuzz(name, Path(folder), given.seed, given.count)
        ends = ", ".join(f"{count:,} {end}" for end, count in counts.ends.most_common())
        print(f"{name}: {ends}", flush=True)  # noqa: T201
        for sentence, count in counts.sentences.most_common():
            print(f"  {count:6,} {sentence}")  # noqa: T201
        for failure in counts.failures:
            failed = True
            print(f"  FAILED {failure}")  # noqa: T201
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
