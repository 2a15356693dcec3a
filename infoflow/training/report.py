"""The report that a run ends in: what the network became, and what changed."""

from __future__ import annotations

from pathlib import Path

from infoflow.analysis import analyze
from infoflow.comparing import compare
from infoflow.findings import summary
from infoflow.measures import descriptions
from infoflow.render import COMPARISON_RENDERERS, RENDERERS
from infoflow.render.files import encoded, write_all
from infoflow.training.checkpointing import FOLDER
from infoflow.training.run_folder import FIRST, MODEL

FORMS = ("html", "json")


def write_report(run: Path) -> tuple[Path, ...]:
    """Writes ``report`` of the trained network and ``diff`` of first and last, as HTML and JSON.

    Args:
        run: A folder of a run that came to its end.

    Returns:
        The files.

    Raises:
        InfoflowError: The network cannot be analysed, or a file cannot be written.
    """
    last, first = run / MODEL, run / FOLDER / FIRST
    report = analyze(last)
    change = compare(first, last)
    told = {"measures": descriptions(), "summary": summary(report)}
    contents = {}
    for form in FORMS:
        ending = RENDERERS[form].ending
        contents[run / f"report.{ending}"] = encoded(RENDERERS[form]([report], **told))
        text = COMPARISON_RENDERERS[form]([change], measures=told["measures"])
        contents[run / f"diff.{ending}"] = encoded(text)
    write_all(contents)
    return tuple(contents)
