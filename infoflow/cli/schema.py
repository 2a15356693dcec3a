"""``infoflow schema``: the JSON Schema of reports."""


def schema() -> None:
    """Print the JSON Schema that every JSON report follows."""
    import json

    from infoflow.render.to_json import schema as json_schema

    print(json.dumps(json_schema(), ensure_ascii=False, indent=2))  # noqa: T201
