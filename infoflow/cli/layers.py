"""``infoflow layers``: what is in a file, without reading a weight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from infoflow.cli import options
from infoflow.words import counted, cut, joined, plural

if TYPE_CHECKING:
    from rich.console import Console

    from infoflow.network import Opened
    from infoflow.report import LayerSummary

_NAMED = 3


def layers(
    path: options.CheckpointPath,
    layers: options.Layers = None,
    arch: options.Arch = None,
    input_size: options.InputSize = None,
    weights: options.Weights = options.WeightsChoice.auto,
    trust_pickle: options.TrustPickle = False,
    json: options.Json = False,
    no_color: options.NoColor = False,
) -> None:
    """List the layers of a file, their geometry, and every tensor that is not analysed."""
    from dataclasses import asdict

    from infoflow.network import open_network
    from infoflow.selection import select

    opened = open_network(
        path,
        arch=arch,
        input_size=options.input_size(input_size),
        weights=weights.value,
        trust_pickle=trust_pickle,
    )
    chosen = select(opened.plan.layers, layers or [])
    if json:
        from infoflow.render.text import json_text

        found = {
            "source": opened.checkpoint.path,
            "format": opened.checkpoint.format,
            "architecture": opened.architecture.title if opened.architecture else None,
            "layers": [asdict(layer.summary) for layer in chosen],
            "tensors": [asdict(record) for record in opened.plan.records],
            "notes": list(opened.checkpoint.notes),
        }
        print(json_text(found))  # noqa: T201
        return
    from infoflow.cli.console import standard_output

    console = standard_output(no_color=no_color)
    _show(opened, path.name, [planned.summary for planned in chosen], console)


def _show(opened: Opened, name: str, layers: Sequence[LayerSummary], console: Console) -> None:
    from infoflow.render.layer_list import layer_list
    from infoflow.render.text import shortened
    from infoflow.render.to_terminal import wrapped
    from infoflow.report import Status
    from infoflow.words import shape_text

    def say(line: str, indent: str = "") -> None:
        console.print(wrapped(line, console.width, indent, "dim"))

    known = opened.architecture.title if opened.architecture else "architecture not known"
    title = f"{name} · {opened.checkpoint.format} · {known}"
    console.print(wrapped(title, console.width, style="bold"))
    table, left_out = layer_list(layers, console.width)
    console.print(table)
    if left_out:
        say(f"not shown at this width: {joined(left_out)} (--json has all)")
    longest = max(console.width - 30, 20)
    for line in _notes(layers, longest):
        say(line)
    rest = [record for record in opened.plan.records if record.status is not Status.ANALYSED]
    if rest:
        console.print(
            f"\n{counted(len(rest), 'tensor')} {plural(len(rest), 'is', 'are')} no layer:"
        )
        for record in rest:
            tensor = f"{shortened(record.name, longest)} {shape_text(record.shape)}"
            say(f"{tensor}: {record.status}, {record.reason}", "  ")
    for note in opened.checkpoint.notes:
        say(note)


def _notes(layers: Sequence[LayerSummary], longest: int) -> Iterator[str]:
    """What must be known of some layers: each note once, with their names, shortened."""
    from infoflow.render.text import shortened

    names: dict[str, list[str]] = {}
    for layer in layers:
        if layer.note:
            names.setdefault(layer.note, []).append(shortened(layer.name, longest))
    for note, found in names.items():
        yield f"{cut(found, _NAMED)}: {note}"
