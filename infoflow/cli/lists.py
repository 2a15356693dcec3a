"""``infoflow measures``, ``formats`` and ``losses``: what there is, with units and sources."""

from __future__ import annotations

from infoflow.cli import options


def measures(json: options.Json = False, no_color: options.NoColor = False) -> None:
    """List every measure with its symbol, unit, group and source."""
    from infoflow.measures import descriptions

    rows = [{"name": name, **fields} for name, fields in descriptions().items()]
    show(rows, ["name", "symbol", "unit", "group", "summary", "source"], json, no_color)


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
    show(rows, ["name", "summary", "memory-mapped", "extra"], json, no_color)
    if not json:
        print("\na missing extra: pip install 'infoflow[NAME]'")  # noqa: T201
        print("\nrecognised by names and shapes:")  # noqa: T201
        for rule in ARCHITECTURES:
            print(f"  {rule.name}: {rule.summary} ({len(rule.names())} listed)")  # noqa: T201


def losses(json: options.Json = False, no_color: options.NoColor = False) -> None:
    """List every entropy loss with what it does, its settings and source."""
    from infoflow.losses import LOSSES

    rows = [
        {
            "name": loss.name,
            "summary": loss.summary,
            "sign": loss.sign,
            "layers": loss.layers,
            "settings": "\n".join(
                f"{name}={setting.default}: {setting.meaning}"
                for name, setting in loss.settings.items()
            ),
            "source": loss.source,
        }
        for loss in LOSSES.values()
    ]
    if json:
        show(rows, [], json, no_color)
        return
    from textwrap import fill

    for row in rows:
        lines = [row["sign"], f"layers: {row['layers']}", f"source: {row['source']}"]
        print(fill(f"{row['name']}: {row['summary']}", 80, subsequent_indent="  "))  # noqa: T201
        for indent, line in [("  ", x) for x in lines] + [
            ("    ", x) for x in row["settings"].splitlines()
        ]:
            print(  # noqa: T201
                fill(line, 80, initial_indent=indent, subsequent_indent=f"{indent}  ")
            )
    print("\nas NAME=λ[,setting=value…][:all | first | PATTERN]")  # noqa: T201


def show(rows: list[dict[str, str]], keys: list[str], json: bool, no_color: bool) -> None:
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
