"""What a command writes: the same options and file names for every command."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from infoflow.errors import OutputError

if TYPE_CHECKING:
    from infoflow.report import Report

STANDARD_OUTPUT = "-"


class Format(StrEnum):
    """File format of plots."""

    png = "png"
    svg = "svg"
    pdf = "pdf"


@dataclass(frozen=True)
class Outputs:
    """Where each output form goes; None where it is not wanted, ``-`` for standard output."""

    json: str | None
    csv: str | None
    markdown: str | None
    html: str | None
    plots: Path | None
    format: Format
    out: Path | None

    @property
    def _texts(self) -> dict[str, str]:
        given = {"json": self.json, "csv": self.csv, "markdown": self.markdown, "html": self.html}
        return {name: target for name, target in given.items() if target is not None}

    @property
    def any(self) -> bool:
        """Whether anything but the terminal's table is wanted."""
        return bool(self._texts or self.plots or self.out)

    @property
    def on_stdout(self) -> bool:
        """Whether an output takes standard output, so that nothing else may."""
        return STANDARD_OUTPUT in self._texts.values()

    def check(self, paths: Sequence[Path]) -> None:
        """Refuse what cannot work, before the work.

        Raises:
            OutputError: Two outputs on standard output, one file for several reports, a folder
                that is missing or a target that is one.
        """
        if list(self._texts.values()).count(STANDARD_OUTPUT) > 1:
            raise OutputError("Only one output can go to standard output (-).")
        several = [name for name in self._texts if name != "json"]
        if len(paths) > 1 and (several or self.plots):
            name = several[0] if several else "plots"
            raise OutputError(f"--{name} takes one input; for {len(paths)} use --out FOLDER.")
        for target in self._texts.values():
            if target == STANDARD_OUTPUT:
                continue
            if Path(target).is_dir():
                raise OutputError(f"{target}: is a folder, not a file that can be written.")
            if not Path(target).absolute().parent.is_dir():
                raise OutputError(f"{target}: its folder does not exist.")
        for folder in (self.plots, self.out):
            if folder and folder.exists() and not folder.is_dir():
                raise OutputError(f"{folder}: is a file, not a folder.")

    def write(self, reports: Sequence[Report], *, quiet: bool) -> None:
        """Write every wanted output, each file whole or not at all."""
        from infoflow.render.files import write_text

        for name, target in self._texts.items():
            text = _rendered(name, reports)
            if target == STANDARD_OUTPUT:
                sys.stdout.write(text)
            else:
                write_text(Path(target), text)
                _say(f"wrote {target}", quiet)
        if self.plots:
            self._draw(reports[0], self.plots, quiet)
        if self.out:
            for folder, report in zip(self._folders(reports), reports, strict=True):
                self._write_all(report, folder, quiet)

    def _folders(self, reports: Sequence[Report]) -> Iterator[Path]:
        assert self.out is not None
        if len(reports) == 1:
            yield self.out
            return
        taken: set[str] = set()
        for report in reports:
            stem = Path(report.source).name or "report"
            name, count = stem, 2
            while name in taken:
                name, count = f"{stem}-{count}", count + 1
            taken.add(name)
            yield self.out / name

    def _write_all(self, report: Report, folder: Path, quiet: bool) -> None:
        from infoflow.render.files import make_folder, write_text

        make_folder(folder)
        for name, ending in (
            ("json", "json"),
            ("csv", "csv"),
            ("markdown", "md"),
            ("html", "html"),
        ):
            write_text(folder / f"report.{ending}", _rendered(name, [report]))
        self._draw(report, folder / "plots", True)
        _say(f"wrote {folder}/report.json, .csv, .md, .html and plots/", quiet)

    def _draw(self, report: Report, folder: Path, quiet: bool) -> None:
        from infoflow.render.files import make_folder
        from infoflow.render.to_plots import to_plots

        make_folder(folder)
        plots = to_plots(report, folder, self.format.value)
        _say(f"wrote {len(plots.written)} plots into {folder}", quiet)
        for reason in plots.skipped:
            _say(f"not drawn: {reason}", quiet)


def _rendered(name: str, reports: Sequence[Report]) -> str:
    if name == "json":
        from infoflow.render.to_json import to_json, to_json_list

        return to_json(reports[0]) if len(reports) == 1 else to_json_list(reports)
    if name == "csv":
        from infoflow.render.to_csv import to_csv

        return to_csv(reports[0])
    if name == "markdown":
        from infoflow.render.to_markdown import to_markdown

        return to_markdown(reports[0])
    from infoflow.measures import descriptions
    from infoflow.render.to_html import to_html

    return to_html(reports[0], descriptions())


def _say(sentence: str, quiet: bool) -> None:
    if not quiet:
        from infoflow.render.text import printable

        print(printable(sentence), file=sys.stderr)  # noqa: T201
