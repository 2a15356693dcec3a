"""Reports for people and machines: one file an output, and the table of them.

Renderers know reports only. Each is imported where it is used, since some need packages that
take long to import.
"""

RENDERERS = {
    "terminal": "infoflow.render.to_terminal",
    "json": "infoflow.render.to_json",
    "csv": "infoflow.render.to_csv",
    "markdown": "infoflow.render.to_markdown",
    "html": "infoflow.render.to_html",
    "plots": "infoflow.render.to_plots",
}
"""Module of each output, by the name of its option; where an output is added."""
