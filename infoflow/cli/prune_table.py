"""What ``infoflow prune`` prints: what was done, what it costs, and what could not be taken out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from infoflow.words import counted, listed

if TYPE_CHECKING:
    from infoflow.pruning import Pruned
    from infoflow.pruning.effect import Effect, Number

LABELS = {
    "unpruned": "none",
    "random": "at random",
    "random-same-layers": "in the same layers",
}

FOOT = (
    "change: of the mean loss; in square brackets 95 % intervals, paired over the samples. At "
    "random: the mean of five draws, and in round brackets the least and the greatest."
)
SAME_LAYERS = "In the same layers: at random, as many of each layer as the chosen way takes."
REDUNDANCY = (
    "Redundancy is told by the maps of the first 256 of these samples, without labels. A filter "
    "that repeats another may still be needed: what follows was trained with both."
)
MERGED = (
    "Every row is after merging: what the filters gave is added to the outgoing weights of those "
    "that stay, where their channels can be followed."
)


def show(pruned: Pruned, *, no_color: bool) -> None:
    """Print it."""
    from rich.table import Table
    from rich.text import Text

    from infoflow.cli.console import standard_output
    from infoflow.render.text import printable

    console = standard_output(no_color=no_color)
    title = f"{Path(pruned.source).name} · {summary(pruned)}"
    console.print(Text(printable(title), style="bold"))
    said = [pruned.data, pruned.preprocessing, *pruned.notes]
    for one in filter(None, said):
        console.print(Text(printable(f" {one}"), style="dim"))
    table = Table(box=None, padding=(0, 2, 0, 1), pad_edge=False)
    heads = ("filters made dead", "loss, nats", "change [95 %]", "accuracy [95 %]")
    for place, head in enumerate(heads):
        table.add_column(Text(head, style="dim"), justify="right" if place else "left")
    for effect in pruned.effects:
        table.add_row(*row(effect), style="bold" if effect.method == pruned.method else "")
    console.print()
    console.print(table)
    console.print()
    for one in (*faults(pruned), *taken_out(pruned)):
        console.print(Text(printable(f" {one}")))
    for one in explained(pruned):
        console.print(Text(f" {one}", style="dim"))


def label(effect: Effect) -> str:
    """Of a row."""
    return LABELS.get(effect.method, f"by {effect.method}")


def row(effect: Effect) -> tuple[str, str, str, str]:
    """The cells of an effect."""
    change = "" if effect.method == "unpruned" else figure(effect.change, sign=True)
    loss = figure(effect.loss, ends=False)
    return label(effect), loss, change, percent(effect.accuracy)


def faults(pruned: Pruned) -> Iterator[str]:
    """Why figures are missing."""
    for effect in pruned.effects:
        if effect.note:
            yield f"{label(effect)}: {effect.note}, so that its mean is none."


def taken_out(pruned: Pruned) -> Iterator[str]:
    """What became of the tensors under ``--remove``."""
    gone = sum(map(len, pruned.taken_out.values()))
    if gone:
        yield (
            f"{counted(gone, 'filter')} of {counted(len(pruned.taken_out), 'layer')} taken out: "
            f"{counted(len(pruned.new_shapes), 'tensor')} became smaller."
        )
    reasons: dict[str, list[str]] = {}
    for layer, reason in pruned.zeroed.items():
        reasons.setdefault(reason, []).append(layer)
    for reason, layers in reasons.items():
        yield f"Only zeroed, because {reason}: {listed(layers, 6)}."


def explained(pruned: Pruned) -> Iterator[str]:
    """How to read the table."""
    same = any(effect.method == "random-same-layers" for effect in pruned.effects)
    yield " ".join([FOOT, *([SAME_LAYERS] if same else [])])
    if pruned.merged:
        yield MERGED
    yield REDUNDANCY


def summary(pruned: Pruned) -> str:
    """What was done, on one line."""
    reasons = Counter(one.reason for one in pruned.removed)
    told = ""
    if pruned.method == "redundancy":
        told = ": " + ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    where = "all" if pruned.across_layers else "each layer's"
    return (
        f"{len(pruned.removed)} of {pruned.filters:,} filters of {len(pruned.layers)} convolutions "
        f"dead, by {pruned.method} among {where}{told}"
    )


def figure(number: Number, *, sign: bool = False, ends: bool = True) -> str:
    """A loss."""
    if number.value is None:
        return "none"
    shown = f"{number.value:{'+' if sign else ''}.3f}"
    return shown + (_ends(number, 1, 3) if ends else "")


def percent(number: Number) -> str:
    """A share."""
    if number.value is None:
        return "—"
    return f"{100 * number.value:.1f} %" + _ends(number, 100, 1)


def _ends(number: Number, factor: float, digits: int) -> str:
    if number.low is None or number.high is None:
        return ""
    low, high = (f"{factor * end:.{digits}f}" for end in (number.low, number.high))
    return f" [{low}, {high}]" if number.ends.startswith("95") else f" ({low}, {high})"
