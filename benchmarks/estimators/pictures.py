"""I(X;T) and I(T;Y) along the depth, coloured by the step of training."""

from __future__ import annotations

from pathlib import Path

from estimators.estimates import CAUCHY_SCHWARZ, CAUCHY_SCHWARZ_RATIO, MATRIX, QUADRATIC, RATIO, REN
from estimators.measuring import Measured
from estimators.summaries import Course

SHOWN = (QUADRATIC, CAUCHY_SCHWARZ, RATIO, CAUCHY_SCHWARZ_RATIO, MATRIX, REN)
AXES = {"input": "I(X;T) less its null", "label": "I(T;Y) less its null"}


def picture(name: str, found: Measured, path: Path) -> None:
    """Writes a PNG: a column for each estimator and the check, a row for each direction."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from PIL import Image

    course = Course(found)
    figure, axes = plt.subplots(2, len(SHOWN) + 1, figsize=(16, 5.2), sharex=True)
    colours = mpl.colormaps["viridis_r"]
    places = range(len(course.sites))
    for row, (direction, label) in enumerate(AXES.items()):
        grids = [(n, course.above(n, direction)) for n in SHOWN]
        check = course.alignment if direction == "input" else course.probe
        grids.append(("linear CKA with X" if direction == "input" else "linear probe", check))
        for axis, (title, grid) in zip(axes[row], grids, strict=True):
            for place, (step, values) in enumerate(zip(course.steps, grid, strict=True)):
                share = place / (len(course.steps) - 1)
                axis.plot(
                    places, values, color=colours(0.05 + 0.95 * share), marker=".",
                    linewidth=1.3, label=f"step {step:,}",
                )  # fmt: skip
            axis.set_title(title, fontsize=9)
            axis.tick_params(labelsize=7)
            axis.grid(alpha=0.25)
            axis.set_ylim(bottom=min(0.0, float(grid.min())))
            axis.set_xticks(list(places), course.sites, rotation=90)
        axes[row][0].set_ylabel(f"{label}, bits", fontsize=8)
    figure.suptitle(
        f"{name}: {len(course.sites)} sites along the depth, by training step", fontsize=10
    )
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(path, dpi=75)
    plt.close(figure)
    Image.open(path).convert("RGB").quantize(48).save(path, optimize=True)
