"""``infoflow measures`` and ``infoflow formats``: what there is, with units and sources."""

from __future__ import annotations

from infoflow.cli import options


def measures(json: options.Json = False, no_color: options.NoColor = False) -> None:
    """List every measure with its symbol, unit, group and source."""
    from infoflow.measures import descriptions

    rows = [{"name": name, **fields} for name, fields in descriptions().items()]
    _show(rows, ["name", "symbol", "unit", "group", "summary", "source"], json, no_color)


def formats(json: options.Json = False, no_color: options.NoColor = False) -> None:
    """List every checkpoint format that is read, and what is recognised by itself."""
    from infoflow.architectures import ARCHITECTURES
    from infoflow.checkpoints import FORMATS
    from infoflow.checkpoints.extras import installed

    rows = [
        {
            "name": format.name,
            "summary": format.summary,
            "memory-mapped": "yes" if format.memory_mapped else "no",
            "extra": f"{format.extra}, {'installed' if installed(format.extra) else 'missing'}"
            if format.extra
            else "",
        }
        for format in FORMATS
    ]
    _show(rows, ["name", "summary", "memory-mapped", "extra"], json, no_color)
    if not json:
        print("\na missing extra: pip install 'infoflow[NAME]'")  # noqa: T201
        print("\nrecognised by names and shapes:")  # noqa: T201
        for rule in ARCHITECTURES:
            print(f"  {rule.name}: {rule.summary} ({len(rule.names())} listed)")  # noqa: T201


def _show(rows: list[dict[str, str]], keys: list[str], json: bool, no_color: bool) -> None:
    """A table, or the same rows as JSON."""
    from infoflow.cli.console import standard_output

    if json:
        import json as encoder

        print(encoder.dumps(rows, ensure_ascii=False, indent=2))  # noqa: T201
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for key in keys:
        table.add_column(key, overflow="fold", no_wrap=key == "name", vertical="top")
    for row in rows:
        table.add_row(*(row[key] for key in keys))
    standard_output(no_color=no_color).print(table)
