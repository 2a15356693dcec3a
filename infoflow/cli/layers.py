"""``infoflow layers``: what is in a file, without reading a weight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from infoflow.cli import options
from infoflow.words import counted, cut, plural

if TYPE_CHECKING:
    from infoflow.report import LayerSummary

_NAMED = 3


def layers(
    path: options.Source,
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
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from infoflow.cli.console import standard_output
    from infoflow.render.text import printable
    from infoflow.report import Status
    from infoflow.words import shape_text

    console = standard_output(no_color=no_color)
    known = opened.architecture.title if opened.architecture else "architecture not known"
    title = f"{path.name} · {opened.checkpoint.format} · {known}"
    console.print(Text(printable(title), style="bold"))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("layer", "kind", "shape", "dtype", "stride", "groups", "input", "geometry"):
        table.add_column(heading, overflow="fold")
    for layer in (planned.summary for planned in chosen):
        table.add_row(
            Text(printable(layer.name)),
            layer.kind,
            shape_text(layer.shape),
            layer.dtype,
            shape_text(layer.stride) if layer.stride else "",
            str(layer.groups) if layer.stride else "",
            shape_text(layer.input_size) if layer.input_size else "",
            layer.geometry,
        )
    console.print(table)
    for line in _notes([planned.summary for planned in chosen]):
        console.print(Text(printable(line), style="dim"))
    rest = [record for record in opened.plan.records if record.status is not Status.ANALYSED]
    if rest:
        console.print(
            f"\n{counted(len(rest), 'tensor')} {plural(len(rest), 'is', 'are')} no layer:"
        )
        for record in rest:
            line = f"  {record.name} {shape_text(record.shape)}: {record.status}, {record.reason}"
            console.print(Text(printable(line), style="dim"))
    for note in opened.checkpoint.notes:
        console.print(Text(printable(note), style="dim"))


def _notes(layers: Sequence[LayerSummary]) -> Iterator[str]:
    """What must be known of some layers: each note once, with their names."""
    names: dict[str, list[str]] = {}
    for layer in layers:
        if layer.note:
            names.setdefault(layer.note, []).append(layer.name)
    for note, found in names.items():
        yield f"{cut(found, _NAMED)}: {note}"
