"""The outcome of a check as JSON, one row a line."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from infoflow.checking.outcome import CheckResult, Verdict
from infoflow.render.text import printable

VERSION = 1


def to_json(outcome: CheckResult) -> str:
    """The outcome as JSON text (UTF-8, no NaN), one row a line.

    ``passed`` says it all; ``counts`` has every verdict; −∞ is a null ``value`` whose ``found``
    says so.
    """
    head = {
        "version": VERSION,
        "passed": outcome.passed,
        "summary": outcome.summary,
        "settings": outcome.settings,
        "baseline": outcome.baseline,
        "sources": list(outcome.sources),
        "notes": list(outcome.notes),
        "counts": {verdict.value: len(outcome.of(verdict)) for verdict in Verdict},
    }
    lines = [f"  {_text(key)}: {_text(value)}" for key, value in head.items()]
    rows = ",\n".join(f"    {_text(asdict(row))}" for row in outcome.rows)
    lines.append(f'  "rows": [\n{rows}\n  ]' if rows else '  "rows": []')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # JSON may hold them as they are, but they act on a terminal, or UTF-8 cannot say them.
    return printable(text, escape=lambda char: json.dumps(char)[1:-1])
