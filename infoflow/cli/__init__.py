"""The command line: one file a command; torch is not loaded until a command needs it."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any, TextIO, cast

from infoflow.errors import InfoflowError, UserCodeError

EXIT_MISTAKE = 2
EXIT_FAULT = 70


def main() -> None:
    """Run the command line; every way out of it is an exit code with one sentence."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    sys.stdout = cast(TextIO, _UntilClosed(sys.stdout))
    if not sys.warnoptions:
        # What a file's odd numbers do to numpy is told in notes, not in lines of our source.
        warnings.simplefilter("ignore")
    try:
        from infoflow.cli.app import app

        app(prog_name="infoflow")
    except InfoflowError as error:
        if isinstance(error, UserCodeError) and error.__cause__ is not None:
            traceback.print_exception(error.__cause__)  # it is their code: they need to see where
        _say(f"infoflow: {error}")
        sys.exit(EXIT_MISTAKE)
    except KeyboardInterrupt:
        _say("infoflow: interrupted")
        sys.exit(130)
    except MemoryError:
        _say("infoflow: out of memory; --layers analyses a part, --measures paper needs least.")
        sys.exit(EXIT_MISTAKE)
    except OSError as error:  # standard output that cannot be written, a full disk
        _say(f"infoflow: {error.strerror or error}")
        sys.exit(EXIT_MISTAKE)
    except Exception as error:  # noqa: BLE001, RUF100  (the last resort: an internal fault)
        with tempfile.NamedTemporaryFile(
            "w", prefix="infoflow-fault-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(" ".join(sys.argv) + "\n\n" + traceback.format_exc())
        _say(
            f"infoflow: internal fault ({type(error).__name__}: {error}); this is a defect of "
            f"infoflow, not of your file. The traceback is in {Path(file.name)}."
        )
        sys.exit(EXIT_FAULT)


class _UntilClosed:
    """Standard output that lets go what nobody reads any more (``infoflow check … | head -1``).

    The command goes on and ends with its own exit code, which may be the answer to a check.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write; once the reader is gone, nowhere."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._let_go()
            return len(text)

    def flush(self) -> None:
        """Flush; once the reader is gone, nowhere."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._let_go()

    def _let_go(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _say(sentence: str) -> None:
    """Print to standard error, on one line, without control characters from a file's names."""
    from infoflow.render.text import printable

    print(printable(" ".join(sentence.split())), file=sys.stderr)  # noqa: T201
