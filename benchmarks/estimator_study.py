"""Which estimator of information to trust: closed forms, noisy chains, bad cases, training.

Run: python benchmarks/estimator_study.py [--part NAME …] --data-root ROOT --work DIR
Needs infoflow; for lenet5 and resnet20 the folders mnist and cifar10 below ROOT with train.npz and
test.npz (arrays images and labels), else they are skipped; for --pictures matplotlib.
On one core: closed-forms and chains two minutes, cases three, lenet5 three, resnet20 twenty.
No goals: a study, whose tables (Markdown, on standard output) stand in docs/estimator-study.md.
Seeded. DIR keeps the networks' states and the figures: what is there is not computed again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from estimators.cases import cases
from estimators.measuring import measured
from estimators.oracles import chains, closed_forms
from estimators.pictures import picture
from estimators.summaries import summary
from estimators.training import COURSES, TESTED, missing


def course(name: str, arguments: argparse.Namespace) -> None:
    chosen = COURSES[name]
    print(f"\n## {chosen.name} through training\n")
    lost = missing(chosen, arguments.data_root)
    if lost:
        print(f"Skipped: {lost}.")
        return
    print(f"{chosen.words}; measured on the first {TESTED:,} test images.")
    found = measured(chosen, arguments.data_root, arguments.work)
    summary(chosen.name, found)
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
        picture(chosen.name, found, arguments.pictures / f"estimator-study-{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ("closed-forms", "chains", "cases", *COURSES)
    parser.add_argument("--part", action="append", choices=names, help="all if none is given")
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--work", type=Path, default=Path("estimator-study"))
    parser.add_argument("--pictures", type=Path, help="a folder for the pictures")
    arguments = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "closed-forms": closed_forms,
        "chains": chains,
        "cases": cases,
        **{name: partial(course, name, arguments) for name in COURSES},
    }
    torch.set_num_threads(1)  # the same sums, whatever the machine
    for name in arguments.part or names:
        parts[name]()


if __name__ == "__main__":
    main()
