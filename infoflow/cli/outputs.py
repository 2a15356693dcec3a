"""What a command writes: the same options and file names for every command."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from infoflow.cli.console import say
from infoflow.cli.options import Format
from infoflow.errors import OutputError
from infoflow.render import COMPARISON_RENDERERS, RENDERERS, Renderer

if TYPE_CHECKING:
    from infoflow.comparison.comparison import Comparison
    from infoflow.report import Report

Document: TypeAlias = "Report | Comparison"
Drawn: TypeAlias = tuple[dict[str, bytes], tuple[str, ...]]
"""Plots by the names of their files, and what was left out, with reasons."""

STANDARD_OUTPUT = "-"
PICTURES = frozenset(f".{format.value}" for format in Format)


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


def spare_inputs(targets: Iterable[str | Path], inputs: Iterable[Path]) -> None:
    """Refuse a target that is one of the files to be read, by whatever name or link.

    Args:
        targets: Files to be written; ``-`` is none.
        inputs: What is read: checkpoints, with every file that belongs to one, and others.

    Raises:
        OutputError: One of the targets is one of them.
    """
    from infoflow.checkpoints.parts import weight_files

    places = [Path(target) for target in targets if str(target) != STANDARD_OUTPUT]
    there = [place for place in places if place.is_file()]
    if not there:
        return
    read = [file for path in inputs if path.exists() for file in weight_files(path)]
    for place in there:
        for file in read:
            if file.exists() and place.samefile(file):
                raise OutputError(
                    f"{place}: would be written over {file}, which belongs to the input; "
                    "name another file."
                )


def spare_folders(folders: Iterable[Path], plots: Iterable[Path], inputs: Sequence[Path]) -> None:
    """Refuse a folder that is an input itself, and one of plots that holds a picture of an input.

    Args:
        folders: Where files are written.
        plots: Those of them that take plots, whose names are not known before they are drawn.
        inputs: What is read.

    Raises:
        OutputError: One of them is such a folder.
    """
    for folder in (one for one in folders if one.is_dir()):
        for path in inputs:
            if path.is_dir() and folder.samefile(path):
                raise OutputError(
                    f"{folder}: is an input, whose files the outputs would lie among; name "
                    "another folder."
                )
    pictures = [path for path in inputs if path.suffix in PICTURES and path.is_file()]
    for folder in (one for one in plots if one.is_dir()):
        for path in pictures:
            if folder.samefile(path.resolve().parent):
                raise OutputError(
                    f"{folder}: a plot could be written over {path}, which belongs to the input; "
                    "name another folder."
                )


@dataclass
class _Todo:
    """What is rendered and still to be written and said."""

    folders: list[Path] = field(default_factory=list)
    contents: dict[Path, bytes] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """A kind of document and how it is written.

    Args:
        stem: Of its files in a folder, such as ``report``.
        renderers: Its text forms by the names of their options.
        draw: Its plots in a format.
        known: What renderers may take besides the documents.
    """

    stem: str
    renderers: Mapping[str, Renderer]
    draw: Callable[[Document, str], Drawn]
    known: Callable[[Sequence[Document]], dict[str, object]]

    def text(self, name: str, documents: Sequence[Document]) -> str:
        """One form of the documents."""
        return self.renderers[name](documents, **self.known(documents))


def _draw_report(document: Document, format: str) -> Drawn:
    from infoflow.render import to_plots
    from infoflow.report import Report

    assert isinstance(document, Report)
    return to_plots.drawn(document, format)


def _known_of_reports(documents: Sequence[Document]) -> dict[str, object]:
    from infoflow.findings import summary
    from infoflow.measures import descriptions
    from infoflow.report import Report

    one = documents[0] if len(documents) == 1 else None
    said = summary(one) if isinstance(one, Report) else ""
    return {"measures": descriptions(), "summary": said}


def _draw_comparison(document: Document, format: str) -> Drawn:
    from infoflow.render.to_plots import drawn_of

    return drawn_of("infoflow.render.comparison.plots", document, format)


def _known_of_comparisons(_: Sequence[Document]) -> dict[str, object]:
    from infoflow.measures import descriptions

    return {"measures": descriptions()}


REPORTS = Kind("report", RENDERERS, _draw_report, _known_of_reports)
COMPARISONS = Kind("diff", COMPARISON_RENDERERS, _draw_comparison, _known_of_comparisons)
KINDS = (REPORTS, COMPARISONS)


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

    def _files(self, folders: Sequence[Path]) -> list[str | Path]:
        """The texts that are written, those in the folders of ``--out`` among them."""
        renderers = [(kind.stem, one.ending) for kind in KINDS for one in kind.renderers.values()]
        inside = [folder / f"{stem}.{ending}" for folder in folders for stem, ending in renderers]
        return [*self._texts.values(), *inside]

    def check(
        self,
        paths: Sequence[Path],
        *,
        documents: int | None = None,
        journal: Path | None = None,
        further: Sequence[str] = (),
    ) -> None:
        """Refuse what cannot work, before the work.

        Args:
            paths: What is read.
            documents: That are written, where it is not one for each of ``paths``.
            journal: A file that is written during the work.
            further: Sources of documents beside those of ``paths``.

        Raises:
            OutputError: Two outputs on standard output or in one file, one file for several
                reports, a folder that is missing, a target that is one, or one that is an input
                or lies where an input would be overwritten.
        """
        kept = [str(journal)] if journal else []
        check_targets([*self._texts.values(), *kept])
        count = len(paths) if documents is None else documents
        sources = [*map(str, paths), *further] if count > 1 else [""]
        folders = list(self._folders(sources))
        plots = [*(folder / "plots" for folder in folders), *filter(None, [self.plots])]
        spare_inputs([*self._files(folders), *kept], paths)
        spare_folders([*folders, *plots], plots, paths)
        several = [name for name in self._texts if not RENDERERS[name].several]
        if count > 1 and (several or self.plots):
            name = several[0] if several else "plots"
            raise OutputError(f"--{name} takes one input; for {count} use --out FOLDER.")
        for folder in (self.plots, self.out):
            if folder and folder.exists() and not folder.is_dir():
                raise OutputError(f"{folder}: is a file, not a folder.")

    def write(self, documents: Sequence[Document], *, quiet: bool, kind: Kind = REPORTS) -> None:
        """Write every wanted output, once all are rendered.

        Each file is there whole or not at all; what cannot be rendered or written leaves none.
        """
        from infoflow.render.files import encoded, make_folder, write_all

        todo = _Todo()
        for name, target in self._texts.items():
            text = kind.text(name, documents)
            if target == STANDARD_OUTPUT:
                todo.printed.append(text)
            else:
                todo.contents[Path(target)] = encoded(text)
                todo.said.append(f"wrote {target}")
        if self.plots:
            todo.said += self._draw(kind, documents[0], self.plots, todo)
        if self.out:
            sources = [getattr(document, "source", "") for document in documents]
            for folder, document in zip(self._folders(sources), documents, strict=True):
                self._render_all(kind, document, folder, todo)
        for folder in dict.fromkeys(todo.folders):
            make_folder(folder)
        write_all(todo.contents)
        for text in todo.printed:
            sys.stdout.write(text)
        for sentence in todo.said:
            say(sentence, quiet=quiet)

    def _folders(self, sources: Sequence[str]) -> Iterator[Path]:
        """The folder of each document in ``--out``; none without it."""
        if self.out is None:
            return
        if len(sources) == 1:
            yield self.out
            return
        taken: set[str] = set()
        for source in sources:
            stem = Path(source).name or "report"
            name, count = stem, 2
            while name in taken:
                name, count = f"{stem}-{count}", count + 1
            taken.add(name)
            yield self.out / name

    def _render_all(self, kind: Kind, document: Document, folder: Path, todo: _Todo) -> None:
        from infoflow.render.files import encoded

        endings = [renderer.ending for renderer in kind.renderers.values()]
        for name, ending in zip(kind.renderers, endings, strict=True):
            text = kind.text(name, [document])
            todo.contents[folder / f"{kind.stem}.{ending}"] = encoded(text)
        todo.folders.append(folder)
        self._draw(kind, document, folder / "plots", todo)
        names = ", ".join(f".{ending}" for ending in endings[1:])
        todo.said.append(f"wrote {folder}/{kind.stem}.{endings[0]}, {names} and plots/")

    def _draw(self, kind: Kind, document: Document, folder: Path, todo: _Todo) -> list[str]:
        """Draw the plots; what to say of them."""
        from infoflow.words import counted

        plots, skipped = kind.draw(document, self.format.value)
        todo.folders.append(folder)
        todo.contents.update({folder / name: content for name, content in plots.items()})
        return [
            f"wrote {counted(len(plots), 'plot')} into {folder}",
            *(f"not drawn: {reason}" for reason in skipped),
        ]
