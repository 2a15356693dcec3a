"""Mistakes in the words of a command line, and standard output that cannot be written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infoflow.cli import usage
from infoflow.errors import SelectionError
from tests.cli.test_analyze import mistake

FULL = Path("/dev/full")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["analyze", "--jsn", "x", "a"], ["no such option: --jsn", "nearest: ", "--json"]),
        (["analyz"], ["'analyz'", "did you mean 'analyze'", "`infoflow --help`"]),
        (["analyze"], ["missing argument", "`infoflow analyze --help`"]),
        (["analyze", "x", "--format", "gif"], ["--format", "'png', 'svg', 'pdf'"]),
        (["analyze", "x", "--workers", "0"], ["--workers", "greater than or equal to 1"]),
        (["analyze", "x", "--json"], ["'--json' requires an argument"]),
        (["reference", "ad"], ["'ad'", "did you mean 'add'", "`infoflow reference --help`"]),
        (["extract", "x"], ["missing option '--layer'"]),
        (["analyze", ""], ["empty word", "after analyze"]),
        (["analyze", "x", "--json", ""], ["empty word", "after --json"]),
        (["analyze", "x", "--out="], ["--out= has no value"]),
    ],
)
def test_a_mistake_in_the_words_is_one_sentence(run, arguments, words):
    mistake(run(*arguments), *words)


def test_nothing_at_all_is_the_help(run):
    for arguments in ((), ("reference",)):
        result = run(*arguments)
        assert result.returncode == 2
        assert "Commands:" in result.stderr
    assert run("--version").returncode == 0


@pytest.mark.parametrize("word", ["", "--json=", "--layers="])
def test_what_is_empty(word):
    with pytest.raises(SelectionError):
        usage.refuse_empty(["analyze", "a.pt", word])


def test_what_only_looks_empty():
    usage.refuse_empty([])
    usage.refuse_empty(["analyze", "a=", "--layers=a=", "--"])


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["measures"], ["--version"], ["schema"], ["measures", "-h"]])
def test_a_full_standard_output_is_told(arguments):
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "infoflow", *arguments],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == (
        "infoflow: standard output: cannot be written: no space left on device.\n"
    )


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_full_file_is_told(run, small_file):
    told = "/dev/full: cannot be written: no space left on device"
    mistake(run("analyze", small_file, "-q", "--json", FULL), told)


def test_the_largest_input_takes_no_memory(run, small_file, tmp_path):
    measures = "log-volume.circular,entropy-change.c11-total"
    result = run(
        "analyze", small_file, "--input-size", "9999999", "--measures", measures, "-q", "--csv", "-"
    )
    assert result.returncode == 0, result.stderr
    assert "not computed: more than 1,048,576 positions" in result.stdout
    for size in ("1000000000", "9999999x9999999x9999999"):
        beyond = run("analyze", small_file, "--input-size", size, "--csv", "-")
        mistake(beyond, "larger than any input")
