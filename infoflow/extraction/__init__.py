"""One of a layer's matrices, from a file: choose it, know its size, build it, sum it up."""

from infoflow.extraction.budget import build, memory_limit, needed, refuse_too_large
from infoflow.extraction.choice import Choice, choose
from infoflow.extraction.forms import FORMS, Estimate, Wanted
from infoflow.extraction.sides import sides
from infoflow.extraction.summary import headline, size_rows, summary_rows

__all__ = [
    "FORMS",
    "Choice",
    "Estimate",
    "Wanted",
    "build",
    "choose",
    "headline",
    "memory_limit",
    "needed",
    "refuse_too_large",
    "sides",
    "size_rows",
    "summary_rows",
]
