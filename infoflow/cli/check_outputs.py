"""What ``infoflow check`` writes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infoflow.cli.console import say, standard_output
from infoflow.cli.outputs import STANDARD_OUTPUT, check_targets, spare_folders, spare_inputs
from infoflow.errors import OutputError

if TYPE_CHECKING:
    from infoflow.checking import CheckResult

FILES = {"json": "check.json", "markdown": "check.md", "junit": "check.xml"}
"""Names of the outputs in the folder of ``--out``."""


@dataclass(frozen=True)
class CheckOutputs:
    """Where each output form goes.

    Args:
        texts: File, or ``-`` for standard output, by the name of the output; None where it is
            not wanted.
        annotations: Whether annotations go to standard output.
        folder: Where all of ``FILES`` go; None where they are not wanted.
    """

    texts: Mapping[str, str | None]
    annotations: bool
    folder: Path | None

    @property
    def _targets(self) -> dict[str, str]:
        targets = {name: target for name, target in self.texts.items() if target is not None}
        return targets | ({"annotations": STANDARD_OUTPUT} if self.annotations else {})

    @property
    def any(self) -> bool:
        """Whether anything but the terminal's list is wanted."""
        return bool(self._targets or self.folder)

    def spare(self, inputs: Sequence[Path]) -> None:
        """Refuse to write over or among what is read; see `infoflow.cli.outputs.spare_inputs`."""
        inside = [self.folder / file for file in FILES.values()] if self.folder else []
        spare_inputs([*self._targets.values(), *inside], inputs)
        spare_folders(filter(None, [self.folder]), (), inputs)

    def check(self) -> None:
        """Refuse what cannot work, before the work.

        Raises:
            OutputError: As `infoflow.cli.outputs.check_targets`, or a file in the folder's place.
        """
        check_targets(list(self._targets.values()))
        if self.folder and self.folder.exists() and not self.folder.is_dir():
            raise OutputError(f"{self.folder}: is a file, not a folder.")

    def write(self, outcome: CheckResult, *, quiet: bool, verbose: bool, no_color: bool) -> None:
        """Write every wanted output, once all are rendered, and show the list."""
        from infoflow.render.checks import RENDERERS
        from infoflow.render.checks.to_terminal import to_terminal
        from infoflow.render.files import encoded, make_folder, write_all

        contents, printed = {}, ""
        for name, target in self._targets.items():
            text = RENDERERS[name](outcome)
            if target == STANDARD_OUTPUT:
                printed = text
            else:
                contents[Path(target)] = encoded(text)
        if self.folder:
            make_folder(self.folder)
            for name, file in FILES.items():
                contents[self.folder / file] = encoded(RENDERERS[name](outcome))
        write_all(contents)
        if STANDARD_OUTPUT in self._targets.values():
            sys.stdout.write(printed)
        elif not quiet:
            to_terminal(outcome, standard_output(no_color=no_color), verbose=verbose)
        for path in contents:
            say(f"wrote {path}", quiet=quiet)
