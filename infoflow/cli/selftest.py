"""``infoflow selftest``: known answers, computed on this machine."""

from __future__ import annotations

import typer

from infoflow.cli import options


def selftest(json: options.Json = False, no_color: options.NoColor = False) -> None:
    """Check this machine's numbers against known answers; exit code 1 where one is wrong."""
    from infoflow.selftest import run

    checks = run()
    if json:
        import json as encoder
        from dataclasses import asdict

        print(encoder.dumps([asdict(check) for check in checks], ensure_ascii=False, indent=2))  # noqa: T201
    else:
        from rich.text import Text

        from infoflow.cli.console import standard_output

        console = standard_output(no_color=no_color)
        for check in checks:
            mark, style = ("ok  ", "green") if check.passed else ("FAIL", "bold red")
            console.print(
                Text(mark, style=style)
                .append(f" {check.name}: ", style="bold")
                .append(check.detail, style="")
            )
    if not all(check.passed for check in checks):
        raise typer.Exit(1)
