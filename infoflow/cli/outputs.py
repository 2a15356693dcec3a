"""What a command writes: the same options and file names for every command."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from infoflow.errors import OutputError
from infoflow.render import RENDERERS

if TYPE_CHECKING:
    from infoflow.report import Report

STANDARD_OUTPUT = "-"


class Format(StrEnum):
    """File format of plots."""

    png = "png"
    svg = "svg"
    pdf = "pdf"


def check_targets(targets: Sequence[str]) -> None:
    """Refuse targets of text outputs that cannot work: files, or ``-`` for standard output.

    Raises:
        OutputError: Two on standard output or in one file, a folder that is missing, or a target
            that is one.
    """
    if list(targets).count(STANDARD_OUTPUT) > 1:
        raise OutputError("Only one output can go to standard output (-).")
    files = [Path(target).absolute() for target in targets if target != STANDARD_OUTPUT]
    twice = next((file for file in files if files.count(file) > 1), None)
    if twice:
        raise OutputError(f"{twice.name}: two outputs cannot go to one file.")
    for target in targets:
        if target == STANDARD_OUTPUT:
            continue
        if Path(target).is_dir():
            raise OutputError(f"{target}: is a folder, not a file that can be written.")
        if not Path(target).absolute().parent.is_dir():
            raise OutputError(f"{target}: its folder does not exist.")


@dataclass
class _Todo:
    """What is rendered and still to be written and said."""

    folders: list[Path] = field(default_factory=list)
    contents: dict[Path, bytes] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


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
        given = {name: getattr(self, name) for name in RENDERERS}
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
            OutputError: Two outputs on standard output or in one file, one file for several
                reports, a folder that is missing or a target that is one.
        """
        check_targets(list(self._texts.values()))
        several = [name for name in self._texts if not RENDERERS[name].several]
        if len(paths) > 1 and (several or self.plots):
            name = several[0] if several else "plots"
            raise OutputError(f"--{name} takes one input; for {len(paths)} use --out FOLDER.")
        for folder in (self.plots, self.out):
            if folder and folder.exists() and not folder.is_dir():
                raise OutputError(f"{folder}: is a file, not a folder.")

    def write(self, reports: Sequence[Report], *, quiet: bool) -> None:
        """Write every wanted output, once all are rendered.

        Each file is there whole or not at all; what cannot be rendered or written leaves none.
        """
        from infoflow.render.files import encoded, make_folder, write_all

        todo = _Todo()
        for name, target in self._texts.items():
            text = _rendered(name, reports)
            if target == STANDARD_OUTPUT:
                todo.printed.append(text)
            else:
                todo.contents[Path(target)] = encoded(text)
                todo.said.append(f"wrote {target}")
        if self.plots:
            todo.said += self._draw(reports[0], self.plots, todo)
        if self.out:
            for folder, report in zip(self._folders(reports), reports, strict=True):
                self._render_all(report, folder, todo)
        for folder in dict.fromkeys(todo.folders):
            make_folder(folder)
        write_all(todo.contents)
        for text in todo.printed:
            sys.stdout.write(text)
        for sentence in todo.said:
            _say(sentence, quiet)

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

    def _render_all(self, report: Report, folder: Path, todo: _Todo) -> None:
        from infoflow.render.files import encoded

        endings = [renderer.ending for renderer in RENDERERS.values()]
        for name, ending in zip(RENDERERS, endings, strict=True):
            todo.contents[folder / f"report.{ending}"] = encoded(_rendered(name, [report]))
        todo.folders.append(folder)
        self._draw(report, folder / "plots", todo)
        names = ", ".join(f".{ending}" for ending in endings[1:])
        todo.said.append(f"wrote {folder}/report.{endings[0]}, {names} and plots/")

    def _draw(self, report: Report, folder: Path, todo: _Todo) -> list[str]:
        """Draw the plots; what to say of them."""
        from infoflow.render.text import counted
        from infoflow.render.to_plots import drawn

        plots, skipped = drawn(report, self.format.value)
        todo.folders.append(folder)
        todo.contents.update({folder / name: content for name, content in plots.items()})
        return [
            f"wrote {counted(len(plots), 'plot')} into {folder}",
            *(f"not drawn: {reason}" for reason in skipped),
        ]


def _rendered(name: str, reports: Sequence[Report]) -> str:
    from infoflow.findings import summary
    from infoflow.measures import descriptions

    said = summary(reports[0]) if len(reports) == 1 else ""
    return RENDERERS[name](reports, measures=descriptions(), summary=said)


def _say(sentence: str, quiet: bool) -> None:
    if not quiet:
        from infoflow.render.text import printable

        print(printable(sentence), file=sys.stderr)  # noqa: T201
