"""The README says what there is: every measure with its unit and source, exactly two set-ups."""

from __future__ import annotations

import re

import pytest

from infoflow.measures import descriptions
from tests.cases import SAMPLES

README = (SAMPLES.parent / "README.md").read_text("utf-8")


def test_the_table_has_every_measure_with_unit_and_source():
    for name, measure in descriptions().items():
        cells = [name_and(measure, key) for key in ("unit", "source")]
        line = next(line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
        assert all(cell in line for cell in cells), name
    listed = set(re.findall(r"^\| `([a-z0-9.-]+)` \|", README, re.M))
    assert listed == set(descriptions())


def name_and(measure, key):
    return measure[key].replace("|", "\\|")


def test_the_python_examples_run(monkeypatch, capsys):
    monkeypatch.chdir(SAMPLES.parent)
    losses, report, comparison = re.findall(r"^```python\n(.*?)^```", README, re.S | re.M)
    exec(compile(losses, "README.md", "exec"), {})
    assert "batch-entropy=0.2" in capsys.readouterr().out
    exec(compile(comparison, "README.md", "exec"), {})
    changes = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert len(changes) == 3
    assert changes == sorted(changes, reverse=True)
    exec(compile(report, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "LeNet-5" in printed
    bounds = re.findall(r"^\w+ +(-?[\d.]+) <= +(-?[\d.]+) nats", printed, re.M)
    assert len(bounds) == 5
    assert all(float(low) <= float(high) + 0.01 for low, high in bounds)


def test_every_room_exists():
    rooms = re.search(r"## The tree\n(.*?)\n\n[A-Z]", README, re.S)[1]
    for path in re.findall(r"`([\w/.]+)`", rooms):
        candidates = [SAMPLES.parent / path, SAMPLES.parent / "infoflow" / path]
        if path != "RESULTS.md":
            assert any(candidate.exists() for candidate in candidates), path


def test_every_line_of_a_picture_exists():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (SAMPLES.parent / target).exists(), target


@pytest.mark.parametrize("command", ["infoflow analyze", "pytest", "requirements-slim.txt"])
def test_the_set_up_commands_are_there(command):
    assert any(
        command in block for block in re.findall(r"^```bash\n(.*?)^```", README, re.S | re.M)
    )
