"""Reports for people and machines: one file an output, and the table of those that are text.

Renderers know reports and comparisons only. Each is imported where it is used, since some need
packages that take long to import. The terminal (``to_terminal``) and the plots (``to_plots``) are
no text, and have functions of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infoflow.comparison.comparison import Comparison
    from infoflow.report import Report


@dataclass(frozen=True)
class Renderer:
    """An output that is one text.

    Args:
        module: Where its functions are.
        function: From a report, or a comparison, to the text.
        ending: Of its files.
        several: From several reports to one text, where there is such a form.
        takes: What else than that ``function`` takes, by the names of its parameters.
    """

    module: str
    function: str
    ending: str
    several: str = ""
    takes: tuple[str, ...] = ()

    def __call__(self, reports: Sequence[Report | Comparison], **known: object) -> str:
        """The text of the reports; of ``known`` the function gets what it takes.

        Raises:
            ValueError: There are several reports, for which this output has no form.
        """
        module: Any = import_module(self.module)
        if len(reports) == 1:
            taken = {name: known[name] for name in self.takes if name in known}
            return str(getattr(module, self.function)(reports[0], **taken))
        if not self.several:
            raise ValueError(f"{self.function} takes one report, not {len(reports)}")
        return str(getattr(module, self.several)(reports))


RENDERERS: Mapping[str, Renderer] = {
    "json": Renderer("infoflow.render.to_json", "to_json", "json", several="to_json_list"),
    "csv": Renderer("infoflow.render.to_csv", "to_csv", "csv"),
    "markdown": Renderer("infoflow.render.to_markdown", "to_markdown", "md", takes=("summary",)),
    "html": Renderer("infoflow.render.to_html", "to_html", "html", takes=("measures", "summary")),
}
"""Each output that is one text, by the name of its option; where an output is added."""

COMPARISON_RENDERERS: Mapping[str, Renderer] = {
    "json": Renderer("infoflow.render.comparison.to_json", "to_json", "json"),
    "csv": Renderer("infoflow.render.comparison.to_csv", "to_csv", "csv"),
    "markdown": Renderer("infoflow.render.comparison.to_markdown", "to_markdown", "md"),
    "html": Renderer("infoflow.render.comparison.to_html", "to_html", "html", takes=("measures",)),
}
"""The same outputs of a comparison, by the same names."""
