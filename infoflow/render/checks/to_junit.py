"""The outcome of a check as JUnit XML, which most CI systems show as tests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as Tree

from infoflow.checking.outcome import CheckResult, Row, Verdict
from infoflow.render.checks.words import title, told
from infoflow.render.text import printable

# What XML 1.0 (§2.2) allows in no spelling, not even as a reference.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CASES = (Verdict.FAILED, Verdict.SUPPRESSED, Verdict.PASSED)


def to_junit(outcome: CheckResult) -> str:
    """One suite a checkpoint, one case a check; suppressed findings are skipped cases.

    Warnings and notes are no cases: they stand in ``system-out``.
    """
    root = Tree.Element("testsuites", {"name": "infoflow check"})
    groups = [(source, outcome.of_source(source)) for source in dict.fromkeys(outcome.sources)]
    if "" not in outcome.sources and (own := outcome.of_source("")):
        groups.append((outcome.settings or "settings", own))
    for place, (name, rows) in enumerate(groups):
        _suite(root, name, rows, () if place else outcome.notes)
    cases = [row for row in outcome.rows if row.verdict in _CASES]
    for key, value in _counts(cases).items():
        root.set(key, value)
    Tree.indent(root)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n' + Tree.tostring(root, encoding="unicode") + "\n"
    )


def xml_text(text: str) -> str:
    r"""Text that XML 1.0 can hold: what it forbids is spelt out.

    >>> xml_text("conv\x00\uffff")
    'conv\\x00\\uffff'
    """
    return _FORBIDDEN.sub(lambda match: match[0].encode("unicode_escape").decode(), printable(text))


def _counts(cases: Sequence[Row]) -> dict[str, str]:
    def count(verdict: Verdict) -> str:
        return str(sum(row.verdict is verdict for row in cases))

    return {
        "tests": str(len(cases)),
        "failures": count(Verdict.FAILED),
        "errors": "0",
        "skipped": count(Verdict.SUPPRESSED),
    }


def _suite(root: Tree.Element, name: str, rows: Sequence[Row], notes: Sequence[str]) -> None:
    cases = [row for row in rows if row.verdict in _CASES]
    suite = Tree.SubElement(root, "testsuite", {"name": xml_text(name), **_counts(cases)})
    for row in cases:
        _case(suite, row)
    said = [*notes, *(f"{row.verdict}: {told(row)}" for row in rows if row.verdict not in _CASES)]
    if said:
        Tree.SubElement(suite, "system-out").text = "\n".join(map(xml_text, said))


def _case(suite: Tree.Element, row: Row) -> None:
    name = f"{title(row)}: {row.allowed}" if row.allowed else title(row)
    case = Tree.SubElement(
        suite,
        "testcase",
        {"classname": xml_text(f"infoflow.{row.kind}.{row.subject}"), "name": xml_text(name)},
    )
    if row.verdict is Verdict.FAILED:
        message = {"message": xml_text(told(row)), "type": row.kind}
        Tree.SubElement(case, "failure", message).text = xml_text(told(row))
    elif row.verdict is Verdict.SUPPRESSED:
        Tree.SubElement(case, "skipped", {"message": xml_text(told(row))})
