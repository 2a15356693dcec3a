"""The process that is given mutants: runs the command line on each, and says what came of it.

One line of JSON for each mutant on standard output, before it and after it, so that whoever
started the process knows which mutant ended it.
"""

from __future__ import annotations

import io
import json
import os
import re
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from tests.fuzz.mutate import mutant
from tests.fuzz.originals import ORIGINALS

SECONDS = 10
MEMORY = 4 * 2**30
GROWTH = 700 * 2**20
"""Of memory that one mutant may cause; the originals take a few megabytes."""


class TooSlowError(BaseException):
    """The mutant has taken more than its time."""


class Canary:
    """Sees what a file's code would do: programs, sockets, unpickling, writing elsewhere."""

    _FORBIDDEN = (
        *("os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "subprocess.Popen"),
        *("socket.connect", "socket.bind", "pickle.find_class", "os.remove", "os.rename"),
        *("os.mkdir", "os.chmod", "os.symlink", "shutil.rmtree", "compile", "builtins.input"),
    )

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.seen: list[str] = []
        self.watching = False
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.watching:
            return
        if event in self._FORBIDDEN and not (event == "compile" and _is_of_python(args)):
            self.seen.append(f"{event} {args!r:.200}")
        if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
            self.seen.append(f"{event} {args!r:.200}")


def _is_of_python(args: tuple[Any, ...]) -> bool:
    """Whether what is compiled is a module of an installed package, imported late."""
    name = str(args[1]) if len(args) > 1 else ""
    return name.startswith((sys.prefix, sys.base_prefix, str(Path(__file__).parents[2]), "<"))


def command(arguments: list[str]) -> tuple[int, str, str]:
    """Runs infoflow in this process: exit code, standard output, standard error."""
    from infoflow.cli import main

    sys.argv = ["infoflow", *arguments]
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as exit:
            code = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
    return code, out.getvalue(), err.getvalue()


def outcome(code: int, out: str, err: str, valid: Callable[[Any], None]) -> tuple[str, str]:
    """What a run ended in: ``report``, ``refused`` with its sentence, or a fault."""
    if code == 0:
        try:
            valid(json.loads(out, parse_constant=_refuse))
        except Exception as error:  # noqa: BLE001, RUF100
            return "fault", f"not a report: {type(error).__name__}: {str(error)[:300]}"
        return ("fault", f"beside a report: {err[-300:]!r}") if err else ("report", "")
    lines = err.splitlines()
    if code == 2 and len(lines) == 1 and not out and lines[0].isprintable():
        return "refused", kind_of(lines[0])
    return "fault", f"exit code {code}: {err[-600:]!r}"


def kind_of(sentence: str) -> str:
    """The sentence without what differs from file to file."""
    sentence = re.sub(r"^infoflow: \S+/mutant\S*", "", sentence)
    sentence = re.sub(r"'[^']*'|\"[^\"]*\"", "'…'", sentence)
    sentence = re.sub(r"\(([0-9, ]+)\)", "(…)", sentence)
    return re.sub(r"0x[0-9a-f]+|-?[0-9][0-9,]*", "N", sentence)[:110]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} in JSON")


def _alarm(number: int, frame: object) -> None:
    raise TooSlowError


def write_mutant(name: str, original: Path, target: Path, seed: int) -> None:
    """The mutant of a file; of a folder one file of it is changed."""
    kind, key = ORIGINALS[name], list(ORIGINALS).index(name)
    shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
    if original.is_file():
        target.write_bytes(mutant(original.read_bytes(), kind.mutators, (seed, key)))
        return
    shutil.copytree(original, target)
    files = sorted(target.iterdir())
    file = files[seed % len(files)]
    file.write_bytes(mutant(file.read_bytes(), kind.mutators, (seed, key)))


def main(name: str, original: Path, folder: Path, first: int, count: int) -> None:
    """Runs the mutants of ``count`` seeds, from ``first`` on."""
    import jsonschema

    from infoflow.render.to_json import schema

    valid = jsonschema.Draft202012Validator(schema()).validate
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, _alarm)
    os.chdir(folder)
    canary = Canary(folder)
    for measures in ("paper", "default"):  # what is imported late is imported now
        command(["analyze", str(original), "--measures", measures, "--json", "-", "-q"])
    canary.watching = True
    target = folder / "mutant"
    for seed in range(first, first + count):
        print(json.dumps({"seed": seed}), flush=True)  # noqa: T201
        canary.watching = False
        write_mutant(name, original, target, seed)
        canary.seen.clear()
        canary.watching = True
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        measures = "default" if seed % 5 == 0 else "paper"
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            code, out, err = command(
                ["analyze", str(target), "--measures", measures, "--json", "-", "-q"]
            )
            ended, detail = outcome(code, out, err, valid)
        except TooSlowError:
            ended, detail = "slow", traceback.format_exc()[-600:]
        except BaseException:  # noqa: BLE001, RUF100  (a way out that main should have closed)
            ended, detail = "fault", traceback.format_exc()[-600:]
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        if grown > GROWTH:
            ended, detail = "memory", f"{grown:,} bytes; {detail}"
        if canary.seen:
            ended, detail = ended if ended == "fault" else "code", f"{detail} {canary.seen}"
        print(json.dumps({"seed": seed, "ended": ended, "detail": detail}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
