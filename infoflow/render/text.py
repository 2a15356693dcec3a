"""Words and numbers as people read them, shared by every output for people."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable

from infoflow.report import Measurement, Report, Status
from infoflow.words import counted

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Categories of characters that are commands (control, format), have no shape of their own
(surrogates, private use), or end a line."""

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _python_escape(char: str) -> str:
    return char.encode("unicode_escape").decode()


def printable(text: str, escape: Callable[[str], str] = _python_escape) -> str:
    r"""The text with an escape for each character that is a command or cannot be seen.

    Such characters move a cursor, reverse a line or make two names look alike. Markup is not
    escaped here: each output has its own.

    >>> printable("conv\x1b[31m\u202eb\u00ad")
    'conv\\x1b[31m\\u202eb\\xad'
    """
    if text.isprintable():
        return text
    return "".join(escape(char) if unicodedata.category(char) in _HIDDEN else char for char in text)


def json_text(value: object) -> str:
    r"""JSON for a terminal too: what commands or hides is escaped, as JSON itself has it.

    >>> print(json_text(["conv\x9b31m\u202e"]))
    [
      "conv\u009b31m\u202e"
    ]
    """
    lines = json.dumps(value, ensure_ascii=False, indent=2).split("\n")
    return "\n".join(printable(line, escape=lambda char: json.dumps(char)[1:-1]) for line in lines)


def shortened(text: str, width: int) -> str:
    """The text, its middle left out where it is longer than ``width``.

    >>> shortened("encoder.layer.11.attention", 12)
    'encode…ntion'
    """
    if len(text) <= width:
        return text
    head = (width - 1 + 1) // 2
    return text[:head] + "…" + text[len(text) - (width - 1 - head) :]


def number(value: float | None, decimals: int = 2) -> str:
    """A number with a true minus sign.

    Very large ones, and with two decimals or more very small ones, are in powers of ten.

    >>> number(-2.8119), number(12345678.0), number(0.00001), number(-0.01, 1)
    ('−2.81', '1.2e7', '1.0e−5', '0.0')
    """
    if value is None:
        return "—"
    vanishing = value and abs(value) < 0.5 * 10**-decimals
    if abs(value) >= 1e6 or (vanishing and decimals > 1):
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    return f"{0.0 if vanishing else value:,.{decimals}f}".replace("-", "−")


def cell(row: Measurement | None, decimals: int = 2) -> str:
    """What a table shows of a row: its number, −∞, or a dash where it was not measured."""
    if row is None:
        return ""
    if row.is_minus_infinity:
        return "−∞"
    return number(row.value, decimals)


def percent(share: float) -> str:
    r"""A share in per cent; 100 % and 0 % only where it is exactly so.

    >>> percent(1.0), percent(0.99999), percent(0.123)
    ('100\xa0%', '99.9\xa0%', '12.3\xa0%')
    """
    figure = (
        f"{share:.0%}"[:-1] if share in {0.0, 1.0} else f"{min(max(share * 100, 0.1), 99.9):.1f}"
    )
    return f"{figure}\xa0%"


def raised(exponent: int) -> str:
    """An exponent in superscript.

    >>> raised(-12)
    '⁻¹²'
    """
    return str(exponent).translate(_SUPERSCRIPT)


def base_name(report: Report) -> str:
    """The name of the analysed file or folder without those above it, as it is spelt."""
    return report.source.rstrip("/").rpartition("/")[2]


def headline(report: Report) -> str:
    """One line: the file, its format, what it was recognised as, and how much was read."""
    if report.members:
        return " · ".join(map(printable, (base_name(report), report.architecture)))
    how = "as named" if report.settings.get("architecture", "").endswith("named") else "recognised"
    known = f"{report.architecture} {how}" if report.architecture else "architecture not known"
    parts = [
        base_name(report),
        report.format,
        known,
        f"{report.coverage.parameters:,} parameters, "
        f"{percent(report.coverage.accounted)} accounted for",
    ]
    return " · ".join(printable(part) for part in parts)


def coverage_sentences(report: Report) -> list[str]:
    """What became of the tensors, a sentence a status, with the share of parameters."""
    coverage = report.coverage
    if report.members:
        return []
    sentences = [f"{percent(coverage.analysed)} of parameters analysed"]
    if coverage.assumed:
        sentences[0] += f" ({percent(coverage.assumed)} under an assumed geometry)"
    for status in (Status.NOT_LINEAR, Status.NOT_SUPPORTED, Status.NOT_SELECTED):
        records = coverage.with_status(status)
        if records:
            sentences.append(f"{counted(len(records), 'tensor')} {status.value}")
    return sentences
