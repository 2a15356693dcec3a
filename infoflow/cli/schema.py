"""``infoflow schema``: the JSON Schemas of what is written."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Of(StrEnum):
    """What the schema is of."""

    report = "report"
    diff = "diff"


def schema(
    of: Annotated[
        Of, typer.Argument(help="Of reports (analyze), or of comparisons (diff).")
    ] = Of.report,
) -> None:
    """Print the JSON Schema that every JSON report or comparison follows."""
    import json

    from infoflow.render.comparison.to_json import schema as comparison_schema
    from infoflow.render.to_json import schema as report_schema

    found = report_schema() if of is Of.report else comparison_schema()
    print(json.dumps(found, ensure_ascii=False, indent=2))  # noqa: T201
