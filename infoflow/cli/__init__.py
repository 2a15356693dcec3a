"""The command line: one file a command; torch is not loaded until a command needs it."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any, TextIO, cast

from infoflow.errors import InfoflowError, OutputError, UserCodeError

EXIT_MISTAKE = 2
EXIT_FAULT = 70


def main() -> None:
    """Run the command line; every way out of it is an exit code with one sentence."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    stdout = sys.stdout
    sys.stdout = cast(TextIO, _UntilClosed(stdout))
    if not sys.warnoptions:
        # What a file's odd numbers do to numpy is told in notes, not in lines of our source.
        warnings.simplefilter("ignore")
    try:
        sys.exit(_run())
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
    except OSError as error:  # a full disk
        where = f"{error.filename}: " if error.filename else ""
        _say(f"infoflow: {where}{error.strerror or error}")
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
    finally:
        sys.stdout = stdout


def _run() -> int:
    """Run the command that the words name; its exit code."""
    from infoflow.cli import usage
    from infoflow.cli.app import app

    usage.refuse_empty(sys.argv[1:])
    try:
        code = app(prog_name="infoflow", standalone_mode=False)
    except usage.UsageError as error:
        said = usage.sentence(error)
        if said.startswith("infoflow: "):
            _say(said)
        else:
            print(said, file=sys.stderr)  # noqa: T201
        return EXIT_MISTAKE
    sys.stdout.flush()
    return code if isinstance(code, int) else 0


class _UntilClosed:
    """Standard output that lets go what nobody reads any more (``infoflow check … | head -1``).

    The command goes on and ends with its own exit code, which may be the answer to a check. Where
    there is a reader and it cannot be written (a full disk), an OutputError says so.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._failure: OutputError | None = None

    def write(self, text: str) -> int:
        """Write; once the reader is gone, nowhere."""
        self._refuse()
        try:
            return self._stream.write(text)
        except OSError as error:
            self._fail(error)
            return len(text)

    def flush(self) -> None:
        """Flush; once the reader is gone, nowhere."""
        self._refuse()
        try:
            self._stream.flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        """From now on everything goes nowhere, also what is still to be flushed at the end."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        if not isinstance(error, BrokenPipeError):
            reason = (error.strerror or type(error).__name__).lower()
            self._failure = OutputError(f"standard output: cannot be written: {reason}.")
            self._refuse()

    def _refuse(self) -> None:
        # Again each time: libraries that only try whether a stream can be written swallow it.
        if self._failure is not None:
            raise self._failure

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _say(sentence: str) -> None:
    """Print to standard error, on one line, without control characters from a file's names."""
    from infoflow.render.text import printable

    print(printable(" ".join(sentence.split())), file=sys.stderr)  # noqa: T201
