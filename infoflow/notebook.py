"""Reports in a notebook: the HTML report in a frame of its own, shown when a cell ends in one."""

from __future__ import annotations

import html
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infoflow.report import Report

HEIGHT = 640


def frame(report: Report) -> str:
    """The report as an ``<iframe>``, so that its style and the notebook's stay apart."""
    from infoflow.findings import summary
    from infoflow.measures import descriptions
    from infoflow.render.to_html import to_html

    page = html.escape(to_html(report, descriptions(), summary(report)), quote=True)
    return (
        f'<iframe title="infoflow report" srcdoc="{page}" sandbox="allow-scripts" '
        f'style="width:100%;height:{HEIGHT}px;border:1px solid #ccc"></iframe>'
    )


def register() -> None:
    """Show reports as HTML in the running IPython, if there is one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        formatter = shell.display_formatter.formatters["text/html"]
        formatter.for_type_by_name("infoflow.report", "Report", frame)
