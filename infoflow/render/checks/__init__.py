"""The outcome of a check for people and machines: one file an output, and the table of the texts.

Renderers know outcomes only. The terminal (``to_terminal``) has a function of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from infoflow.checking.outcome import CheckResult
from infoflow.render.checks.to_annotations import to_annotations
from infoflow.render.checks.to_json import to_json
from infoflow.render.checks.to_junit import to_junit
from infoflow.render.checks.to_markdown import to_markdown

RENDERERS: Mapping[str, Callable[[CheckResult], str]] = {
    "json": to_json,
    "markdown": to_markdown,
    "junit": to_junit,
    "annotations": to_annotations,
}
"""Each output that is one text, by the name of its option."""
